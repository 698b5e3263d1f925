//! The serving report through the whole product: engines, completions without a word of load, reactions, the join, every form.

use std::sync::Arc;

use afterword::domain::clock::Timestamp;
use afterword::domain::principal::Role;
use afterword::engine::maps::Engine;
use afterword::service::{serving, serving_join};
use afterword::store::Access;
use afterword::store::connection::Pool;
use afterword::store::serving::{StoredSample, insert_samples};
use chrono::SecondsFormat;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use reqwest::Method;
use serde_json::{Value, json};

use super::engine::FakeEngine;
use super::fleet::curve;
use super::{SetClock, target, vllm};
use crate::support::TestService;

/// Share of turns that are copied, and how many fewer are where the cache is fuller than four fifths.
const COPIED: f64 = 0.5;
const LOST: f64 = 0.3;
const N_USERS: usize = 80;
const N_TURNS_PER_USER: usize = 30;
const HOSTILE: &str = "<script>alert(1)</script>";

struct Played {
    service: TestService,
    key: String,
}

/// A day of one engine that serves two models, and what users of them did; nothing of it is joined yet. The engine's page of
/// now tells nothing of the use, so that every number is one of the day's.
async fn play() -> Played {
    let engine = FakeEngine::start("").await;
    let clock = Arc::new(SetClock::new());
    let targets = vec![target("gpu-1", Engine::Vllm, &engine.url)];
    let service = TestService::start_watching(targets, Arc::<SetClock>::clone(&clock), false).await;
    engine.page(&format!("{}{}", vllm("river", "0.5", 0, 0), vllm("sea", "0.5", 0, 0)));
    serving::sample(service.app(), 0).await.unwrap().unwrap();
    let first = clock.advance(0.0) - chrono::TimeDelta::days(1);
    sample_a_day(&service, first).await;
    let key = service.key(Role::Admin).await;
    let mut rng = ChaCha8Rng::seed_from_u64(14);
    let (mut completions, mut reactions) = (Vec::new(), Vec::new());
    for user in 0..N_USERS {
        for turn in 0..N_TURNS_PER_USER {
            let minute = rng.random_range(0..1440);
            let id = format!("c-{user}-{turn}");
            completions.push(json!({
                "id": id, "model": if user % 4 == 0 { "sea" } else { "river" }, "prompt": "p", "response": "r",
                "user": format!("user-{user}"), "conversation_id": id, "timing": {"latency_ms": 900 + 40 * (minute % 60)},
                "usage": {"input_tokens": rng.random_range(20..3000), "output_tokens": rng.random_range(10..800)},
                "created_at": (first + chrono::TimeDelta::minutes(minute)).to_rfc3339_opts(SecondsFormat::Millis, true),
            }));
            if rng.random_range(0.0..1.0) < COPIED - if curve(minute) >= 0.8 { LOST } else { 0.0 } {
                let number = 0x019c_a000_0000_7000_8000_0000_0000_0000 + (user * N_TURNS_PER_USER + turn) as u128;
                reactions.push(json!({
                    "id": uuid::Uuid::from_u128(number), "completion_id": id, "signal": "copy",
                    "user": format!("user-{user}"), "n_chars": 10,
                }));
            }
        }
    }
    completions.push(json!({"id": "hostile", "model": HOSTILE, "prompt": "p", "response": "r"}));
    for (path, name, items) in
        [("/v1/completions", "completions", &completions), ("/v1/feedback", "feedback", &reactions)]
    {
        for batch in items.chunks(400) {
            let stored = service.post(path, &key, &json!({ name: batch })).await;
            assert_eq!(stored.json()["accepted"], batch.len(), "{}", stored.text);
        }
    }
    clock.advance(10.0);
    Played { service, key }
}

/// Keeps a sample of either model for every minute of a day.
async fn sample_a_day(service: &TestService, first: Timestamp) {
    let sample = |model: &str, minute: i64| StoredSample {
        target: "gpu-1".to_owned(),
        model: model.to_owned(),
        rank: "0".to_owned(),
        slot_at: first + chrono::TimeDelta::minutes(minute),
        at: first + chrono::TimeDelta::minutes(minute),
        kv_cache_usage: Some(curve(minute)),
        kv_reserved: None,
        kv_capacity_tokens: None,
        n_running: Some(4.0),
        n_waiting: Some(if curve(minute) >= 0.8 { 3.0 } else { 0.0 }),
        n_preempted: Some(0.0),
    };
    let samples: Vec<StoredSample> =
        ["river", "sea"].iter().flat_map(|model| (0..1440).map(move |minute| sample(model, minute))).collect();
    let mut tx = service.app().store.begin(Pool::Jobs, "test", Access::Serving).await.unwrap();
    assert_eq!(insert_samples(&mut tx, &samples).await.unwrap(), 2880);
    tx.commit().await.unwrap();
}

impl Played {
    async fn join(&self) {
        let n_joined = serving_join::join(self.service.app()).await.unwrap();
        assert_eq!(n_joined as usize, N_USERS * N_TURNS_PER_USER);
    }

    async fn report(&self, more: &str) -> Value {
        let path = format!("/v1/serving/report?from=2026-02-27T00:00:00Z&to=2026-03-02T00:00:00Z{more}");
        let shown = self.service.get(&path, &self.service.key(Role::Viewer).await).await;
        assert_eq!(shown.status, 200, "{}", shown.text);
        shown.json()
    }
}

fn measure<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["quality"]["measures"].as_array().unwrap().iter().find(|measure| measure["name"] == name).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_engines_told_and_users_did_meet_in_one_report_in_every_form() {
    let played = play().await;
    played.join().await;

    let report = played.report("").await;

    assert_eq!((&report["n_turns"], &report["n_models"]), (&json!(2401), &json!(3)));
    let usage = &report["usage"];
    assert_eq!((&usage["source"], &usage["bin_s"]), (&json!("engines"), &json!(3600)));
    let below = (0..1440).filter(|minute| curve(*minute) < 0.5).count() as f64 / 1440.0;
    assert!((usage["bands"][0]["share"].as_f64().unwrap() - below).abs() < 0.001, "{usage}");
    let queued = (0..1440).filter(|minute| curve(*minute) >= 0.8).count() as f64 / 1440.0;
    assert!((usage["all"]["waiting_share"].as_f64().unwrap() - queued).abs() < 0.001);
    assert_eq!(usage["all"]["n_waiting_max"], 3.0);
    let load = measure(&report, "kv_usage");
    assert_eq!((&load["n_turns"], &load["base_band"]), (&json!(2400), &json!(0)));
    assert_eq!((&load["notice"]["band"], &load["notice"]["metrics"]), (&json!(2), &json!(["good_turn", "copy"])));
    let gap = &load["metrics"][0]["bands"][2]["difference"];
    let ends = (gap["interval"]["low"].as_f64().unwrap(), gap["interval"]["high"].as_f64().unwrap());
    assert!(ends.0 <= -LOST && -LOST <= ends.1, "{gap}");
    assert_eq!(load["metrics"][0]["bands"][1]["difference"]["standing"], "unclear");
    for other in ["input_tokens", "latency_ms"] {
        let other = measure(&report, other);
        assert_eq!(other["notice"], Value::Null, "{other}");
    }
    let n_of_map: u64 = report["lengths"]["n"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|row| row.as_array().unwrap())
        .map(|n| n.as_u64().unwrap())
        .sum();
    assert_eq!(n_of_map, 2400);
    let only = played.report("&model=sea").await;
    assert_eq!((&only["n_turns"], &only["filters"]), (&json!(600), &json!({"model": "sea"})));

    let path = "/v1/serving/report?from=2026-02-27T00:00:00Z&to=2026-03-02T00:00:00Z";
    let page = played.service.request(Method::GET, path, &played.key).header("accept", "text/html");
    let page = played.service.send(page).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; style-src 'sha256-"));
    assert!(page.text.contains("users begin to notice at 80 to 95%") && !page.text.contains("<script>alert"));
    assert!(page.text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    let text = played.service.get(&format!("{path}&format=text"), &played.key).await;
    assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
    assert!(text.text.contains("users begin to notice at 80 to 95%"), "{}", text.text);
    played.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_joined_is_the_load_that_a_comparison_divides_by() {
    let played = play().await;
    let path = "/v1/comparisons?control=model:river&candidate=model:sea";
    let before = played.service.get(path, &played.key).await.json();
    played.join().await;

    let after = played.service.get(path, &played.key).await.json();

    assert_eq!(before["depth"]["load"], Value::Null, "nobody told any load");
    let load = &after["depth"]["load"];
    assert_eq!(load["bin_ends"], json!([0.5, 0.8, 0.95, 1.0]));
    let busiest = load["control"].as_array().unwrap().iter().skip(2).map(|share| share.as_f64().unwrap()).sum::<f64>();
    let truth = (0..1440).filter(|minute| curve(*minute) >= 0.8).count() as f64 / 1440.0;
    assert!((busiest - truth).abs() < 0.06, "{load}, but {truth}");
    played.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_makes_no_sense_is_refused_and_one_without_an_answer_is_answered() {
    let service = TestService::start_watching(Vec::new(), Arc::new(SetClock::new()), false).await;
    let key = service.key(Role::Viewer).await;
    for (query, code) in [
        ("from=2020-01-01T00:00:00Z", "out_of_range"),
        ("from=2026-02-02T00:00:00Z&to=2026-02-01T00:00:00Z", "contradiction"),
        ("from=yesterday", "malformed"),
        ("format=pdf", "not_one_of"),
        ("model=", "empty"),
        ("page=2", "unknown_field"),
    ] {
        let refused = service.get(&format!("/v1/serving/report?{query}"), &key).await;

        let problem = refused.problem();
        assert_eq!(problem.0, 422, "{query}");
        assert_eq!(problem.1, code, "{query}");
    }
    let unwanted = service.request(Method::GET, "/v1/serving/report", &key).header("accept", "image/png");
    assert_eq!(service.send(unwanted).await.problem(), (406, "not_acceptable".to_owned()));

    let empty = service.get("/v1/serving/report?model=nobody-knows-it", &key).await.json();

    assert_eq!(empty["findings"], json!(["There are no completions of these models in this window."]));
    assert_eq!((&empty["n_turns"], &empty["usage"], &empty["lengths"]), (&json!(0), &Value::Null, &Value::Null));
    assert_eq!(empty["quality"]["measures"], json!([]));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_are_too_small_for_half_the_bytes_count_as_nothing_and_stop_no_report() {
    let service = TestService::start_watching(Vec::new(), Arc::new(SetClock::new()), false).await;
    let key = service.key(Role::Admin).await;
    let completions: Vec<Value> = ["river", "sea"]
        .into_iter()
        .map(|model| {
            json!({
                "id": model, "model": model, "prompt": "p", "response": "r", "user": "u", "cost_usd": 9e-92,
                "timing": {"ttft_ms": 1e-92, "latency_ms": 1e-92}, "serving": {"kv_cache_usage": 1e-92},
                "rating_solicited": true, "solicit_prob": 1e-92,
            })
        })
        .collect();
    let stored = service.post("/v1/completions", &key, &json!({ "completions": completions })).await;
    assert_eq!(stored.status, 200, "{}", stored.text);

    for address in ["/v1/serving/report", "/v1/comparisons?control=model:river&candidate=model:sea"] {
        let answer = service.get(address, &key).await;

        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    service.stop().await;
}
