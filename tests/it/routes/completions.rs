//! `/v1/completions`.

use afterword::domain::principal::Role;
use serde_json::json;

use super::{completion, with};
use crate::support::TestService;

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_is_stored_once_and_kept_against_another_of_its_id() {
    let service = TestService::start().await;
    let key = service.key(Role::Ingest).await;
    let body = completion("c-1");

    let first = service.post("/v1/completions", &key, &body).await;
    let again = service.post("/v1/completions", &key, &body).await;
    let other = service.post("/v1/completions", &key, &with(&body, "model", json!("another"))).await;

    assert_eq!((first.status, first.json()), (200, json!({"accepted": 1, "duplicate": 0, "rejected": []})));
    assert_eq!((again.status, again.json()), (200, json!({"accepted": 0, "duplicate": 1, "rejected": []})));
    assert_eq!(other.problem(), (422, "conflict".to_owned()));
    assert_eq!(other.json()["rejected"][0]["id"], "c-1");
    assert_eq!(service.query::<String>("select string_agg(model, ',') from completions").await, "m");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_the_contract_is_accepted() {
    let service = TestService::start().await;
    let key = service.key(Role::Admin).await;
    let body = json!({
        "id": "chatcmpl-9f", "model": "llama-3-70b", "requested_model": "llama-3",
        "prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}],
        "response": {"role": "assistant", "content": "Because."},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        "params": {"temperature": 0.7}, "finish_reason": "stop",
        "conversation_id": "c-1", "turn_index": 3, "parent_completion_id": null, "attempt": 1, "user": "u-1",
        "experiment": "llama-swap", "variant": "candidate", "task": "support", "language": "en",
        "tags": {"route": "faq"},
        "usage": {"input_tokens": 812, "output_tokens": 64, "cached_input_tokens": 700, "reasoning_tokens": 0},
        "timing": {"started_at": "2026-01-31T12:00:00Z", "ttft_ms": 210, "itl_ms": 25.5, "latency_ms": 1840,
                   "queue_ms": 3},
        "cost_usd": 0.00031,
        "serving": {"served_by": "vllm-0", "kv_cache_usage": 0.81, "n_waiting": 2, "max_model_len": 8192},
        "consent": {"training": true}, "rating_solicited": false, "solicit_prob": 0.0, "aliases": ["req-77"],
        "created_at": "2026-01-31T12:00:02Z"
    });

    let answer = service.post("/v1/completions", &key, &json!({"completions": [body]})).await;

    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(service.query::<String>("select language from completions").await, "en");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raw_openai_pair_is_a_completion() {
    let service = TestService::start().await;
    let key = service.key(Role::Ingest).await;
    let pair = json!({
        "request": {"model": "gpt-x", "messages": [{"role": "user", "content": "Why?"}], "temperature": 0.2},
        "response": {
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1_769_860_800, "model": "gpt-x-0125",
            "choices": [{"index": 0, "finish_reason": "stop",
                         "message": {"role": "assistant", "content": "Because.", "refusal": null}}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
        }
    });
    let mut two_choices = pair.clone();
    two_choices["response"]["choices"] = json!([pair["response"]["choices"][0], pair["response"]["choices"][0]]);

    let stored = service.post("/v1/completions", &key, &pair).await;
    let refused = service.post("/v1/completions", &key, &two_choices).await;

    assert_eq!(stored.json()["accepted"], 1, "{}", stored.text);
    let row: String =
        service.query("select completion_id || ' ' || model || ' ' || finish_reason from completions").await;
    assert_eq!(row, "chatcmpl-1 gpt-x-0125 stop");
    assert_eq!(refused.problem(), (422, "multiple_choices".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_batch_stores_the_good_and_explains_the_others_in_their_order() {
    let service = TestService::start().await;
    let key = service.key(Role::Ingest).await;
    service.post("/v1/completions", &key, &completion("old")).await;
    let batch = json!({"completions": [
        {"id": "no-model", "prompt": "Why?", "response": {"role": "assistant", "content": "x"}},
        completion("new"),
        with(&completion("old"), "model", json!("another")),
        completion("old"),
        17,
        completion("new"),
    ]});

    let answer = service.post("/v1/completions", &key, &batch).await;

    let body = answer.json();
    assert_eq!((answer.status, &body["accepted"], &body["duplicate"]), (207, &json!(1), &json!(2)), "{}", answer.text);
    let rejected: Vec<(u64, Option<&str>, &str)> = body["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["index"].as_u64().unwrap(), item["id"].as_str(), item["code"].as_str().unwrap()))
        .collect();
    assert_eq!(rejected, [(0, Some("no-model"), "required"), (2, Some("old"), "conflict"), (4, None, "wrong_type")]);
    assert_eq!(body["rejected"][0]["errors"][0]["pointer"], "/completions/0/model");
    assert_eq!(service.count("completions").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_that_is_rejected_exposes_nobody() {
    let service = TestService::start().await;
    let key = service.key(Role::Ingest).await;
    let shown = |id: &str, user: &str, variant: &str| {
        let body = with(&completion(id), "user", json!(user));
        with(&with(&body, "experiment", json!("swap")), "variant", json!(variant))
    };
    assert_eq!(service.post("/v1/completions", &key, &shown("c-1", "u-1", "control")).await.status, 200);

    let alone = service.post("/v1/completions", &key, &shown("c-1", "u-2", "candidate")).await;
    let both = json!({"completions": [shown("c-1", "u-3", "candidate"), shown("c-2", "u-4", "candidate")]});
    let mixed = service.post("/v1/completions", &key, &both).await;

    assert_eq!((alone.status, mixed.status), (422, 207));
    let exposed = "select string_agg(unit_id || ' ' || variant, ', ' order by unit_id) from exposures";
    assert_eq!(service.query::<String>(exposed).await, "u-1 control, u-4 candidate");
}
