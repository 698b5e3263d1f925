//! How batches get into their tables: every member in its own column, exact verdicts however they were found out, and a
//! writer that outlives its connection.

use afterword::service::ingest;
use serde_json::{Value, json};

use super::{app_on, caller_in, completions, feedback, n_rows, owner_of, thumb};
use crate::support::TestDatabase;

/// Reads a table's rows as JSON, without what is null and without the columns that the service itself fills in.
async fn stored(database: &TestDatabase, table: &str) -> Vec<Value> {
    let statement = match table {
        "completions" => {
            "select jsonb_strip_nulls(to_jsonb(t)) - 'project_id' - 'content_hash' - 'prompt_hash' - 'received_at'
               from completions t order by completion_id"
        }
        _ => {
            "select jsonb_strip_nulls(to_jsonb(t)) - 'project_id' - 'content_hash' - 'received_at' - 'effective_at'
               from feedback t order by feedback_id"
        }
    };
    let mut owner = owner_of(database).await;
    let texts: Vec<String> =
        sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select x::text from ({statement}) as q (x)")))
            .fetch_all(&mut owner)
            .await
            .unwrap();
    texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

#[tokio::test]
async fn every_member_of_a_reaction_is_stored_in_its_own_column() {
    let database = TestDatabase::new().await;
    let app = app_on(&database);
    let caller = caller_in(&app, "p").await;
    let id = |n: u128| uuid::Uuid::from_u128(n).to_string();
    let sent = [
        (
            json!({"signal": "thumb", "value": "down", "reasons": ["too_long", "rude"], "comment": "no", "seq": 3,
            "session_id": "s", "user": "u", "supersedes": id(99), "occurred_at": "2026-01-31T12:00:00.25Z", "age_ms": 7}),
            json!({"thumb": "down", "reasons": ["too_long", "rude"], "comment": "no", "seq": 3, "session_id": "s",
            "user_id": "u", "supersedes": id(99), "occurred_at": "2026-01-31T12:00:00.25+00:00", "age_ms": 7}),
        ),
        (
            json!({"signal": "rating", "value": {"score": 4, "min": 0, "max": 5}}),
            json!({"rating": 0.8, "rating_score": 4, "rating_min": 0, "rating_max": 5}),
        ),
        (
            json!({"signal": "preference", "against": "d", "outcome": "worse", "strength": 2.5, "shown_first": "against"}),
            json!({"against": "d", "outcome": "worse", "strength": 2.5, "shown_first": "against"}),
        ),
        (
            json!({"signal": "edit", "text": "better é", "accepted": true, "truncated": false}),
            json!({"edited_text": "better é", "edit_accepted": true, "edit_truncated": false}),
        ),
        (
            json!({"signal": "regenerate", "next_completion_id": "n", "reason": "wrong"}),
            json!({"next_completion_id": "n", "reason": "wrong"}),
        ),
        (
            json!({"signal": "continuation", "turn": 4, "gap_ms": 5, "next_completion_id": "n", "weight": 8}),
            json!({"turn": 4, "gap_ms": 5, "next_completion_id": "n", "weight": 8}),
        ),
        (
            json!({"signal": "copy", "n_chars": 1, "n_total_chars": 2, "method": "button", "contains_code": true}),
            json!({"n_chars": 1, "n_total_chars": 2, "method": "button", "contains_code": true}),
        ),
        (json!({"signal": "accept", "method": "insert"}), json!({"method": "insert"})),
        (json!({"signal": "comment", "text": "hm"}), json!({"comment": "hm"})),
        (json!({"signal": "impression"}), json!({})),
        (json!({"signal": "dwell", "visible_ms": 12}), json!({"visible_ms": 12})),
    ];
    let items = sent.iter().enumerate().map(|(n, (own, _))| {
        let mut item = own.clone();
        item["id"] = id(n as u128).into();
        item["completion_id"] = "c".into();
        item
    });
    let items: Vec<Value> = items.collect();

    let receipt = ingest::record_feedback(&app, &caller, feedback(&items)).await.unwrap();

    assert_eq!(receipt.accepted, items.len(), "{:?}", receipt.rejected);
    for (n, (row, (own, expected))) in stored(&database, "feedback").await.iter().zip(&sent).enumerate() {
        let mut whole = json!({"feedback_id": id(n as u128), "completion_id": "c", "signal": own["signal"],
            "trust": "verified", "weight": 1});
        whole.as_object_mut().unwrap().extend(expected.as_object().unwrap().clone());
        assert_eq!(row, &whole);
    }
}

#[tokio::test]
async fn every_member_of_a_completion_is_stored_in_its_own_column() {
    let database = TestDatabase::new().await;
    let app = app_on(&database);
    let caller = caller_in(&app, "p").await;
    let sent = json!({
        "id": "c", "model": "m", "requested_model": "r", "prompt": [{"role": "user", "content": "q\u{1}é"}],
        "response": {"role": "assistant", "content": "a"}, "tools": [{"name": "t"}], "params": {"temperature": 0.5},
        "finish_reason": "stop", "conversation_id": "v", "turn_index": 1, "parent_completion_id": "p", "attempt": 2,
        "user": "u", "experiment": "e", "variant": "w", "task": "k", "language": "en", "tags": {"a": "b"},
        "usage": {"input_tokens": 3, "output_tokens": 4, "cached_input_tokens": 5, "reasoning_tokens": 6},
        "timing": {"started_at": "2026-01-31T12:00:00Z", "ttft_ms": 7, "itl_ms": 8, "latency_ms": 9, "queue_ms": 10},
        "cost_usd": 0.5, "serving": {"served_by": "n", "kv_cache_usage": 0.25, "n_waiting": 11, "max_model_len": 12},
        "consent": {"training": true}, "rating_solicited": false, "solicit_prob": 0.75, "aliases": ["x", "y"],
        "created_at": "2026-01-31T12:00:01Z",
    });

    let receipt = ingest::record_completions(&app, &caller, completions(&[sent])).await.unwrap();

    assert_eq!(receipt.accepted, 1, "{:?}", receipt.rejected);
    // `json!` sorts its keys, so that the messages were sent with theirs in this order.
    let expected = json!({
        "completion_id": "c", "model": "m", "requested_model": "r",
        "prompt": "[{\"content\":\"q\\u0001é\",\"role\":\"user\"}]",
        "response": "{\"content\":\"a\",\"role\":\"assistant\"}", "tools": "[{\"name\":\"t\"}]",
        "params": "{\"temperature\":0.5}", "finish_reason": "stop", "conversation_id": "v", "turn_index": 1,
        "parent_completion_id": "p", "attempt": 2, "user_id": "u", "experiment": "e", "variant": "w", "task": "k",
        "language": "en", "tags": {"a": "b"}, "input_tokens": 3, "output_tokens": 4, "cached_input_tokens": 5,
        "reasoning_tokens": 6, "started_at": "2026-01-31T12:00:00+00:00", "ttft_ms": 7, "itl_ms": 8, "latency_ms": 9,
        "queue_ms": 10, "cost_usd": 0.5, "served_by": "n", "kv_cache_usage": 0.25, "n_waiting": 11,
        "max_model_len": 12, "consent_training": true, "rating_solicited": false, "solicit_prob": 0.75,
        "aliases": ["x", "y"], "created_at": "2026-01-31T12:00:01+00:00",
    });
    assert_eq!(stored(&database, "completions").await, [expected]);
}

#[tokio::test]
async fn duplicates_among_new_items_are_told_apart_in_the_first_batch_that_holds_them_and_later() {
    let database = TestDatabase::new().await;
    let app = app_on(&database);
    let caller = caller_in(&app, "p").await;
    let first: Vec<Value> = (0..10).map(|n| thumb(n, "c", "up")).collect();
    ingest::record_feedback(&app, &caller, feedback(&first)).await.unwrap();

    for round in 1..=3 {
        // Five that are stored, one of them with another content, and five new ones.
        let from = round * 10 - 5;
        let mut batch: Vec<Value> = (from..from + 10).map(|n| thumb(n, "c", "up")).collect();
        batch[2] = thumb(from + 2, "c", "down");
        let receipt = ingest::record_feedback(&app, &caller, feedback(&batch)).await.unwrap();
        let rejected: Vec<(usize, &str)> = receipt.rejected.iter().map(|item| (item.index, item.code)).collect();

        assert_eq!((receipt.accepted, receipt.duplicate, rejected), (5, 4, vec![(2, "conflict")]), "round {round}");
        let rest: Vec<Value> = (from + 10..from + 15).map(|n| thumb(n, "c", "up")).collect();
        ingest::record_feedback(&app, &caller, feedback(&rest)).await.unwrap();
    }

    assert_eq!(n_rows(&database, "feedback", caller.project_id).await, 40);
    let counted = app.ingest.meter().verdicts();
    let n_duplicates = counted.iter().find(|it| (it.signal, it.code) == ("thumb", "duplicate")).map(|it| it.n_items);
    assert_eq!(n_duplicates, Some(12));
}

#[tokio::test]
async fn a_writer_whose_connection_is_gone_takes_another_and_no_caller_hears_of_it() {
    let database = TestDatabase::new().await;
    let app = app_on(&database);
    let caller = caller_in(&app, "p").await;
    let mut owner = owner_of(&database).await;

    for n in 0..6 {
        let receipt = ingest::record_feedback(&app, &caller, feedback(&[thumb(n, "c", "up")])).await.unwrap();
        assert_eq!(receipt.accepted, 1);
        // Every idle session of the service's, so that those which the writers keep are among them.
        sqlx::query(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity
              where datname = current_database() and pid <> pg_backend_pid() and state = 'idle'",
        )
        .fetch_all(&mut owner)
        .await
        .unwrap();
    }

    assert_eq!(n_rows(&database, "feedback", caller.project_id).await, 6);
}
