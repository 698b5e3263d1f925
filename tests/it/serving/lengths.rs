//! `GET /v1/serving/sequence-lengths`: quantiles, ratios and causes, against numbers that were counted by hand.

use std::sync::Arc;

use afterword::domain::principal::Role;
use serde_json::{Value, json};

use super::SetClock;
use crate::support::TestService;

fn completion(n: usize, extra: &Value) -> Value {
    let mut completion = json!({"id": format!("c-{n}"), "model": "river", "prompt": "p", "response": "r"});
    completion.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    completion
}

/// Prompts of 10, 20 … 1000 tokens and answers of a tenth; each fifth is cut off, of these each second by the context. One
/// that tells nothing, and one of another model that does not tell why it was cut off.
fn completions() -> Vec<Value> {
    let mut items: Vec<Value> = (1..=100)
        .map(|n| {
            let cut = n % 5 == 0;
            let context = if n % 10 == 0 { n * 11 } else { 2000 };
            completion(
                n,
                &json!({
                    "task": "support", "finish_reason": if cut { "length" } else { "stop" },
                    "usage": {"input_tokens": n * 10, "output_tokens": n, "cached_input_tokens": n * 5},
                    "timing": {"ttft_ms": n, "itl_ms": 2.0}, "serving": {"max_model_len": context},
                }),
            )
        })
        .collect();
    items.push(completion(101, &json!({})));
    items.push(completion(
        102,
        &json!({"model": "sea", "finish_reason": "length", "usage": {"input_tokens": 7, "output_tokens": 0}}),
    ));
    items
}

#[tokio::test(flavor = "multi_thread")]
async fn lengths_are_told_by_model_and_task_and_what_nobody_knows_is_null() {
    let service = TestService::start_watching(Vec::new(), Arc::new(SetClock::new()), false).await;
    let admin = service.key(Role::Admin).await;
    let items = completions();
    let stored = service.post("/v1/completions", &admin, &json!({"completions": items})).await;
    assert_eq!(stored.json()["accepted"], 102, "{}", stored.text);
    let path = "/v1/serving/sequence-lengths?to=2026-03-01T13:00:00Z&from=2026-03-01T11:20:00Z";

    let full = service.get(path, &service.key(Role::Viewer).await).await;

    assert_eq!(full.status, 200, "{}", full.text);
    let full = full.json();
    assert_eq!((&full["from"], &full["has_more"]), (&json!("2026-03-01T11:20:00Z"), &json!(false)));
    let groups = full["groups"].as_array().unwrap();
    let of = |model: &str, task: &Value| {
        groups.iter().find(|group| group["model"] == model && group["task"] == *task).unwrap()
    };
    let support = of("river", &json!("support"));
    assert_eq!(
        support["input_tokens"],
        json!({"n": 100, "sum": 50_500, "mean": 505.0, "p50": 500, "p90": 900, "p95": 950, "p99": 990, "max": 1000})
    );
    assert_eq!(
        support["output_tokens"],
        json!({"n": 100, "sum": 5050, "mean": 50.5, "p50": 50, "p90": 90, "p95": 95, "p99": 99, "max": 100})
    );
    assert_eq!(support["input_per_output"], json!({"of_sums": 10.0, "median": 10.0}));
    assert_eq!(support["cached_share"], 0.5);
    assert_eq!(support["context"], json!({"n": 100, "share_above_80_percent": 0.1}));
    assert_eq!(
        support["truncation"],
        json!({
            "n": 100, "n_truncated": 20, "share": 0.2, "n_at_context": 10, "n_at_limit": 10, "n_of_unknown_cause": 0,
        })
    );
    assert_eq!((&support["mean_ttft_ms"], &support["mean_itl_ms"]), (&json!(50.5), &json!(2.0)));
    let bare = of("river", &Value::Null);
    assert_eq!(
        bare["input_tokens"],
        json!({"n": 0, "sum": 0, "mean": null, "p50": null, "p90": null, "p95": null, "p99": null, "max": null})
    );
    assert_eq!((&bare["truncation"]["share"], &bare["cached_share"]), (&Value::Null, &Value::Null));
    let sea = of("sea", &Value::Null);
    assert_eq!(
        (&sea["truncation"]["n_of_unknown_cause"], &sea["input_per_output"]["of_sums"]),
        (&json!(1), &Value::Null)
    );

    let planned = service.get(&format!("{path}&format=dynamo&model=river"), &admin).await.json();
    let [river] = &planned["groups"].as_array().unwrap()[..] else { panic!("{planned}") };
    assert_eq!((&river["num_req"], &river["isl"], &river["osl"]), (&json!(101), &json!(505.0), &json!(50.5)));
    assert_eq!(
        (&river["ttft_ms"], &river["itl_ms"], &river["isl_percentiles"]["p95"]),
        (&json!(50.5), &json!(2.0), &json!(950))
    );
    assert_eq!(river["rate_per_s"], json!(101.0 / 6000.0));
    let earlier = service.get("/v1/serving/sequence-lengths?to=2026-03-01T11:00:00Z", &admin).await.json();
    assert_eq!(earlier["groups"], json!([]));
    let refused = service.get("/v1/serving/sequence-lengths?from=2020-01-01T00:00:00Z", &admin).await;
    assert_eq!(refused.problem(), (422, "out_of_range".to_owned()));
    service.stop().await;
}
