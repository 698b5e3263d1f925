//! `/v1/feedback`.

use afterword::domain::clock::{Clock as _, SystemClock};
use afterword::domain::principal::Role;
use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};

use super::{completion, feedback_id, thumb, with};
use crate::support::TestService;

#[tokio::test(flavor = "multi_thread")]
async fn every_signal_is_accepted_in_one_envelope() {
    let service = TestService::start().await;
    let key = service.key(Role::Ingest).await;
    let own_fields = [
        json!({"signal": "thumb", "value": "down", "reasons": ["too_long"], "comment": "No."}),
        json!({"signal": "rating", "value": {"score": 4, "min": 1, "max": 5}}),
        json!({"signal": "preference", "against": "c-2", "outcome": "better", "strength": 2, "shown_first": "this"}),
        json!({"signal": "edit", "text": "Better.", "accepted": true, "truncated": false}),
        json!({"signal": "regenerate", "next_completion_id": "c-2", "reason": "wrong"}),
        json!({"signal": "continuation", "turn": 2, "gap_ms": 900, "next_completion_id": "c-3"}),
        json!({"signal": "copy", "n_chars": 5, "n_total_chars": 9, "method": "button", "contains_code": false}),
        json!({"signal": "accept", "method": "apply"}),
        json!({"signal": "comment", "text": "Fine."}),
        json!({"signal": "impression"}),
        json!({"signal": "dwell", "visible_ms": 1200}),
    ];
    let items: Vec<Value> = own_fields
        .iter()
        .map(|fields| {
            let mut item = json!({"id": feedback_id(), "completion_id": "c-1", "occurred_at": "2026-01-31T12:00:00Z",
                                  "age_ms": null, "session_id": "s", "seq": 1, "user": "u", "supersedes": null});
            item.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            item
        })
        .collect();
    let envelope = json!({"v": 1, "token": "unused", "sent_at": "2026-01-31T12:00:01Z", "sdk": "js/1.0.0",
                          "feedback": items});

    let answer = service.post("/v1/feedback", &key, &envelope).await;

    assert_eq!(answer.json()["accepted"], 11, "{}", answer.text);
    assert_eq!(service.query::<i64>("select count(distinct signal) from feedback").await, 11);
    let everywhere = "select bool_and(sdk = 'js/1.0.0' and sent_at = '2026-01-31T12:00:01Z' and trust = 'verified') \
                      from feedback";
    assert!(service.query::<bool>(everywhere).await);
    assert_eq!(service.query::<i64>("select count(*) from feedback f where f::text like '%unused%'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn feedback_before_its_completion_is_kept_and_so_is_feedback_after_it() {
    let service = TestService::start().await;
    let key = service.key(Role::Ingest).await;
    let early = thumb("c-1");

    let first = service.post("/v1/feedback", &key, &early).await;
    service.post("/v1/completions", &key, &completion("c-1")).await;
    let late = service.post("/v1/feedback", &key, &thumb("c-1")).await;
    let again = service.post("/v1/feedback", &key, &early).await;

    assert_eq!((&first.json()["accepted"], &late.json()["accepted"]), (&json!(1), &json!(1)));
    assert_eq!(again.json(), json!({"accepted": 0, "duplicate": 1, "rejected": []}));
    let joined = "select count(*) from feedback join completions using (project_id, completion_id)";
    assert_eq!(service.query::<i64>(joined).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_may_differ_in_its_age_and_in_nothing_else() {
    let service = TestService::start().await;
    let key = service.key(Role::Ingest).await;
    let item = with(&thumb("c-1"), "age_ms", json!(10));

    service.post("/v1/feedback", &key, &item).await;
    let retry = service.post("/v1/feedback", &key, &with(&item, "age_ms", json!(3000))).await;
    let other = service.post("/v1/feedback", &key, &with(&item, "value", json!("down"))).await;

    assert_eq!(retry.json()["duplicate"], 1);
    assert_eq!(other.problem(), (422, "conflict".to_owned()));
    assert_eq!(service.count("feedback").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_items_are_written_and_five_hundred_and_one_are_not() {
    let service = TestService::start().await;
    let key = service.key(Role::Ingest).await;
    let batch = |n_items: usize| json!({"feedback": (0..n_items).map(|_| thumb("c-1")).collect::<Vec<_>>()});

    let full = service.post("/v1/feedback", &key, &batch(500)).await;
    let over = service.post("/v1/feedback", &key, &batch(501)).await;

    assert_eq!(full.json()["accepted"], 500);
    assert_eq!(over.problem(), (422, "too_many_items".to_owned()));
    assert_eq!(service.count("feedback").await, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_tells_each_item_its_own_verdict_in_the_order_of_the_request() {
    let service = TestService::start().await;
    let key = service.key(Role::Ingest).await;
    let stored = thumb("c-1");
    service.post("/v1/feedback", &key, &stored).await;
    let bad = with(&thumb("c-1"), "value", json!("sideways"));
    let batch = json!({"feedback": [
        bad, thumb("c-1"), with(&stored, "value", json!("down")), stored, with(&thumb("c-1"), "signal", json!("shrug")),
    ]});

    let answer = service.post("/v1/feedback", &key, &batch).await;

    let body = answer.json();
    assert_eq!((answer.status, &body["accepted"], &body["duplicate"]), (207, &json!(1), &json!(1)));
    let told: Vec<_> = body["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["index"].clone(), item["code"].clone(), item["id"].clone()))
        .collect();
    let id = |index: usize| batch["feedback"][index]["id"].clone();
    assert_eq!(
        told,
        [
            (json!(0), json!("not_one_of"), id(0)),
            (json!(2), json!("conflict"), id(2)),
            (json!(4), json!("unknown_signal"), id(4)),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_calls_itself_text_is_read_as_json_here_and_nowhere_else() {
    let service = TestService::start().await;
    let key = service.key(Role::Ingest).await;
    let send = |path: &'static str, body: Value| {
        let request = service.request(Method::POST, path, &key).header("content-type", "text/plain;charset=UTF-8");
        service.send(request.body(body.to_string()))
    };

    let feedback = send("/v1/feedback", thumb("c-1")).await;
    let completions = send("/v1/completions", completion("c-1")).await;

    assert_eq!(feedback.json()["accepted"], 1);
    assert_eq!(completions.problem(), (415, "media_type_unsupported".to_owned()));
    assert_eq!(completions.header("accept-post"), "application/json");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_item_says_when_it_was_sent_so_that_a_clock_that_is_wrong_is_corrected() {
    let service = TestService::start().await;
    let key = service.key(Role::Ingest).await;
    let now = SystemClock.now();
    let moment = |seconds: i64| json!((now + TimeDelta::seconds(seconds)).to_rfc3339());
    let sent =
        |happened: i64, sent: i64| with(&with(&thumb("c-1"), "occurred_at", moment(happened)), "sent_at", moment(sent));
    let (fast, slow, good) = (sent(3_590, 3_600), sent(-3_610, -3_600), sent(-30, -20));

    for item in [&fast, &slow, &good] {
        assert_eq!(service.post("/v1/feedback", &key, item).await.json()["accepted"], 1);
    }
    let resent = service.post("/v1/feedback", &key, &with(&fast, "sent_at", moment(3_605))).await;

    assert_eq!(resent.json(), json!({"accepted": 0, "duplicate": 1, "rejected": []}));
    let corrected = "select count(*) from feedback where effective_at = received_at - interval '10 seconds'";
    assert_eq!(service.query::<i64>(corrected).await, 2);
    let kept = "select count(*) from feedback where effective_at = occurred_at and sent_at is not null";
    assert_eq!(service.query::<i64>(kept).await, 1);
    let bad = service.post("/v1/feedback", &key, &with(&good, "sent_at", json!("soon"))).await;
    assert_eq!(bad.problem(), (422, "malformed".to_owned()));
    assert_eq!(bad.json()["rejected"][0]["errors"][0]["pointer"], "/sent_at");
}
