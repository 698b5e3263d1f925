//! Addresses that speak other tools' protocols.

use std::time::Duration;

use afterword::config::environment;
use afterword::domain::principal::Role;
use afterword::foreign::meaning::Meanings;
use afterword::http::{HttpSettings, Quotas};
use reqwest::Method;
use serde_json::{Value, json};

use super::completion;
use crate::support::TestService;
use crate::support::service::Answer;

const BATCH: &str = include_str!("../../fixtures/litellm/batch.json");
const LITELLM: &str = "/v1/ingest/litellm";
const SCORES: &str = "/api/public/scores";

fn records() -> Vec<Value> {
    serde_json::from_str(BATCH).unwrap()
}

async fn service() -> (TestService, String) {
    let service = TestService::start_with(HttpSettings::default(), false).await;
    let key = service.key(Role::Ingest).await;
    (service, key)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_litellms_is_stored_and_every_record_of_it_accounted_for() {
    let (service, key) = service().await;

    let first = service.post_text(LITELLM, &key, BATCH).await;
    let again = service.post_text(LITELLM, &key, BATCH).await;

    assert_eq!(first.status, 207, "{}", first.text);
    let body = first.json();
    assert_eq!((&body["accepted"], &body["duplicate"]), (&json!(3), &json!(0)));
    assert_eq!(body["ignored"], json!({"failed_call": 1, "other_call": 1}));
    let rejected = &body["rejected"][0];
    assert_eq!((&rejected["index"], &rejected["id"]), (&json!(3), &json!("chatcmpl-aw-4")), "its place in the request");
    assert_eq!((&rejected["code"], body["rejected"].as_array().unwrap().len()), (&json!("text_redacted"), 1));
    assert_eq!((&again.json()["accepted"], &again.json()["duplicate"]), (&json!(0), &json!(3)));
    assert_eq!((service.count("completions").await, service.count("completion_aliases").await), (3, 4));
    let metrics = service.get("/metrics", "").await.text;
    assert!(metrics.contains("{table=\"completions\",signal=\"\",code=\"ignored_failed_call\"} 2"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_three_formats_are_told_apart_by_what_they_hold_and_not_by_their_header() {
    let (service, key) = service().await;
    let good: Vec<String> = records()[..3].iter().map(Value::to_string).collect();

    let single = service.post_text(LITELLM, &key, good[0].clone()).await;
    let lines = service.post_text(LITELLM, &key, good.join("\n")).await;
    let array = service.post_text(LITELLM, &key, format!("[{}]", good.join(","))).await;

    let counts =
        |answer: &Answer| (answer.status, answer.json()["accepted"].clone(), answer.json()["duplicate"].clone());
    assert_eq!(counts(&single), (200, json!(1), json!(0)));
    assert_eq!(counts(&lines), (200, json!(2), json!(1)));
    assert_eq!(counts(&array), (200, json!(0), json!(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn feedback_under_the_id_of_a_call_finds_its_completion() {
    let (service, key) = service().await;
    let reader = service.key(Role::Analyst).await;
    let feedback = json!({"id": super::feedback_id(), "completion_id": "call-1", "signal": "thumb", "value": "up"});

    assert_eq!(service.post("/v1/feedback", &key, &feedback).await.status, 200);
    assert_eq!(service.post_text(LITELLM, &key, BATCH).await.status, 207);

    let item = service.get("/v1/completions/chatcmpl-aw-1", &reader).await.json();
    assert_eq!(item["feedback"][0]["alias"], "call-1", "{item}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_quota_is_an_overload_to_litellm_which_gives_up_on_429() {
    let quotas = Quotas { of_secret_key: 2, ..Quotas::default() };
    let service = TestService::start_with(HttpSettings { quotas, ..HttpSettings::default() }, false).await;
    let key = service.key(Role::Ingest).await;

    // A request that is larger than the quota has it when it is whole.
    let first = service.post_text(LITELLM, &key, BATCH).await;
    let second = service.post_text(LITELLM, &key, BATCH).await;

    assert_eq!((first.status, second.problem()), (207, (503, "busy".to_owned())));
    assert!(second.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0));
    assert!(second.header("ratelimit").contains("r=0"), "{:?}", second.headers);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_body_for_litellm_is_refused_in_words_of_ours_and_writes_nothing() {
    let (service, key) = service().await;
    let before = service.checksum().await;
    let nested = format!("[{}{}]", "[".repeat(64), "]".repeat(64));
    let many = format!("[{}{{}}]", "{},".repeat(2_000));
    let nul = BATCH.replace("Ada and Grace.", "CANARY\\u0000").replace("Air scatters", "CANARY\\u0000");

    for (body, expected) in [
        ("{\"CANARY\":".to_owned(), (400, "json_malformed")),
        (String::new(), (400, "json_malformed")),
        ("{\"a\":1,\"a\":2}".to_owned(), (400, "duplicate_key")),
        (nested, (400, "too_deep")),
        (many, (422, "too_many_items")),
        ("[7]".to_owned(), (422, "wrong_type")),
        (records()[3].to_string(), (422, "text_redacted")),
    ] {
        let answer = service.post_text(LITELLM, &key, body).await;
        assert_eq!(answer.problem(), (expected.0, expected.1.to_owned()), "{}", answer.text);
        assert!(!answer.text.contains("CANARY"));
    }

    assert_eq!(service.checksum().await, before);
    let partly = service.post_text(LITELLM, &key, nul).await;
    assert_eq!((partly.status, &partly.json()["accepted"]), (207, &json!(1)), "only the second choice is sound");
    assert!(!partly.text.contains("CANARY"), "{}", partly.text);
}

fn basic(service: &TestService, key: &str, body: &Value) -> reqwest::RequestBuilder {
    let request = service.request(Method::POST, SCORES, "").basic_auth("pk-lf-any", Some(key));
    request.header("content-type", "application/json").body(body.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_score_of_langfuses_is_feedback_on_its_observation() {
    let (service, key) = service().await;
    let reader = service.key(Role::Analyst).await;
    let of_trace = super::with(&completion("c-1"), "aliases", json!(["0af7651916cd43dd8448eb211c80319c"]));
    service.post("/v1/completions", &key, &of_trace).await;
    let score = json!({"id": "score-1", "traceId": "0af7651916cd43dd8448eb211c80319c", "name": "user-feedback", "value": 1,
        "dataType": "BOOLEAN", "comment": "Thanks.", "metadata": {"user_id": "u-1"}});

    let first = service.send(basic(&service, &key, &score)).await;
    let again = service.send(basic(&service, &key, &score)).await;
    let nameless = service.post(SCORES, &key, &json!({"traceId": "t", "name": "like", "value": -1})).await;

    assert_eq!((first.status, first.json()), (200, json!({"id": "score-1"})), "{}", first.text);
    assert_eq!((again.status, service.count("feedback").await), (200, 2), "sent again it is a duplicate");
    assert_eq!(nameless.json()["id"].as_str().map(str::len), Some(36), "{}", nameless.text);
    let item = service.get("/v1/completions/c-1", &reader).await.json();
    let feedback = &item["feedback"][0];
    assert_eq!((&feedback["value"], &feedback["comment"]), (&json!("up"), &json!("Thanks.")), "{item}");
    assert_eq!((&feedback["user"], &feedback["trust"]), (&json!("u-1"), &json!("verified")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_score_that_is_no_reaction_is_refused_with_its_reason_and_writes_nothing() {
    let mut score_meanings = Meanings::default();
    score_meanings.declare("quality=rating:1:5").unwrap();
    let service = TestService::start_with(HttpSettings { score_meanings, ..HttpSettings::default() }, false).await;
    let key = service.key(Role::Ingest).await;
    let before = service.checksum().await;

    for (score, expected) in [
        (json!({"traceId": "t", "name": "thumb", "value": 1, "source": "EVAL"}), "not_a_user_reaction"),
        (json!({"traceId": "t", "name": "CANARY", "value": 0.7}), "range_unknown"),
        (json!({"traceId": "t", "name": "CANARY", "value": true}), "unknown_signal"),
        (json!({"sessionId": "s", "name": "thumb", "value": 1}), "target_unsupported"),
        (json!({"name": "thumb", "value": 1}), "required"),
        (json!({"traceId": "t", "name": "quality", "value": 9}), "out_of_range"),
        (json!({"traceId": "t", "name": "quality", "value": 3, "comment": "\u{0}"}), "nul_character"),
        (json!([]), "wrong_type"),
    ] {
        let answer = service.send(basic(&service, &key, &score)).await;
        assert_eq!(answer.problem(), (422, expected.to_owned()), "{score}");
        assert!(!answer.text.contains("CANARY"), "{}", answer.text);
    }

    assert_eq!(service.checksum().await, before);
    let declared = json!({"traceId": "t", "name": "quality", "value": 4, "comment": "Good."});
    assert_eq!(service.send(basic(&service, &key, &declared)).await.status, 200);
    assert_eq!(service.count("feedback").await, 2, "the rating and the comment beside it");
}

const INGESTION: &str = "/api/public/ingestion";

fn events(more: &Value) -> Value {
    let create =
        json!({"id": "g-1", "traceId": "t-1", "model": "acme-8b", "input": [{"role": "user", "content": "Why?"}]});
    let update = json!({"id": "g-1", "output": {"role": "assistant", "content": "So."}});
    json!({"batch": [
        {"id": "e-1", "type": "trace-create", "timestamp": "2026-11-01T10:00:00Z", "body": {"id": "t-1", "userId": "u-1"}},
        {"id": "e-2", "type": "generation-create", "timestamp": "2026-11-01T10:00:01Z", "body": create},
        {"id": "e-3", "type": "generation-update", "timestamp": "2026-11-01T10:00:02Z", "body": update},
        more,
    ]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_langfuses_is_stored_and_says_of_every_event_what_became_of_it() {
    let (service, key) = service().await;
    let reader = service.key(Role::Analyst).await;
    let score = json!({"id": "s-1", "traceId": "t-1", "name": "user-feedback", "value": 1, "dataType": "BOOLEAN"});
    let good = events(&json!({"id": "e-4", "type": "score-create", "body": score}));
    let bad = json!({"id": "s-2", "traceId": "CANARY", "name": "CANARY", "value": 0.5});
    let bad = events(&json!({"id": "e-5", "type": "score-create", "body": bad}));

    let request = service.request(Method::POST, INGESTION, "").basic_auth("pk-lf-any", Some(&key));
    let first = service.send(request.header("content-type", "application/json").body(good.to_string())).await;
    let second = service.post(INGESTION, &key, &bad).await;

    let success = |id: &str| json!({"id": id, "status": 201});
    assert_eq!(first.status, 207, "{}", first.text);
    let all: Vec<Value> = ["e-1", "e-2", "e-3", "e-4"].into_iter().map(success).collect();
    assert_eq!(first.json(), json!({"successes": all, "errors": []}));
    let error = &second.json()["errors"][0];
    assert_eq!((&error["id"], &error["status"]), (&json!("e-5"), &json!(422)));
    assert!(error["message"].as_str().is_some_and(|message| message.starts_with("range_unknown: ")), "{error}");
    assert!(second.json()["successes"].as_array().unwrap().len() == 3 && !second.text.contains("CANARY"));
    assert_eq!((service.count("completions").await, service.count("feedback").await), (1, 1));
    let item = service.get("/v1/completions/g-1", &reader).await.json();
    assert_eq!((&item["user"], &item["feedback"][0]["value"]), (&json!("u-1"), &json!("up")), "{item}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_is_told_in_one_request_and_what_contradicts_it_later_is_a_conflict() {
    let (service, key) = service().await;
    let create = json!({"id": "g-2", "model": "m", "input": "Why?"});
    let update = json!({"id": "g-2", "output": "So."});
    let send = async |kind: &str, content: &Value| {
        let event = json!({"id": "e", "type": kind, "body": content});
        service.post(INGESTION, &key, &json!({"batch": [event]})).await.json()
    };

    assert_eq!(send("generation-create", &create).await["successes"][0]["status"], 201);
    let alone = send("generation-update", &update).await;
    assert_eq!(service.count("completions").await, 0, "neither is a completion by itself");
    let whole = super::with(&super::with(&create, "output", json!("So.")), "endTime", json!("2026-11-01T10:00:02Z"));
    let stored = send("generation-update", &whole).await;
    let other = send("generation-update", &super::with(&whole, "output", json!("No."))).await;

    assert!(alone["errors"][0]["message"].as_str().unwrap().starts_with("required: "), "{alone}");
    assert_eq!(stored["successes"][0]["status"], 201, "{stored}");
    assert!(other["errors"][0]["message"].as_str().unwrap().starts_with("conflict: "), "{other}");
    assert_eq!(service.count("completions").await, 1);
    let metrics = service.get("/metrics", "").await.text;
    assert!(metrics.contains("code=\"ignored_unfinished_call\"} 1"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_batch_of_langfuses_is_refused_whole_and_writes_nothing() {
    let (service, key) = service().await;
    let before = service.checksum().await;
    let many = format!("{{\"batch\":[{}7]}}", "7,".repeat(2_000));
    for (body, expected) in [
        ("{\"CANARY\":".to_owned(), (400, "json_malformed")),
        ("[]".to_owned(), (422, "required")),
        ("{\"batch\":{\"CANARY\":1}}".to_owned(), (422, "required")),
        (format!("{{\"batch\":{}{}}}", "[".repeat(64), "]".repeat(64)), (400, "too_deep")),
        (many, (422, "too_many_items")),
    ] {
        let answer = service.post_text(INGESTION, &key, body).await;
        assert_eq!(answer.problem(), (expected.0, expected.1.to_owned()), "{}", answer.text);
        assert!(!answer.text.contains("CANARY"));
    }
    let nul = events(&json!({"id": "e-6", "type": "generation-create",
        "body": {"id": "g-3", "model": "m", "input": "Why?", "output": "\u{0}CANARY"}}));
    let answer = service.post(INGESTION, &key, &json!({"batch": [nul["batch"][3], 7]})).await;
    let codes: Vec<&str> = answer.json()["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            let message = error["message"].as_str().unwrap();
            if message.starts_with("nul_character: ") { "nul_character" } else { "required" }
        })
        .collect();
    assert_eq!((answer.status, codes), (207, vec!["nul_character", "required"]), "{}", answer.text);
    assert!(!answer.text.contains("CANARY"));
    assert_eq!(service.checksum().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn basic_takes_a_secret_key_alone_and_only_where_a_tool_needs_it() {
    let (service, key) = service().await;
    let viewer = service.key(Role::Viewer).await;
    let score = json!({"traceId": "t", "name": "thumb", "value": 1});
    let status = async |request: reqwest::RequestBuilder| service.send(request).await.status;

    assert_eq!(status(basic(&service, "aw_pub_aaaaaaaaaaaaaaaa", &score)).await, 401);
    assert_eq!(status(basic(&service, "", &score)).await, 401);
    assert_eq!(status(basic(&service, &viewer, &score)).await, 403);
    let from_page = basic(&service, &key, &score).header("origin", "https://shop.example");
    assert_eq!(status(from_page).await, 403);
    let elsewhere = service.request(Method::POST, "/v1/feedback", "").basic_auth("any", Some(&key));
    let elsewhere = elsewhere.header("content-type", "application/json").body(super::thumb("c").to_string());
    assert_eq!(status(elsewhere).await, 401);
    let garbled = service.request(Method::POST, SCORES, "").header("authorization", "Basic %%%");
    assert_eq!(status(garbled).await, 401);
    assert_eq!(service.count("feedback").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_may_say_that_nobody_vouches_for_what_it_brings() {
    let (service, key) = service().await;
    let stored = async |trust: Value| {
        let envelope = json!({"v": 1, "trust": trust, "feedback": [super::thumb("c-1")]});
        let answer = service.post("/v1/feedback", &key, &envelope).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        service.query::<String>("select trust from feedback order by received_at desc limit 1").await
    };

    assert_eq!(stored(json!("unverified")).await, "unverified");
    assert_eq!(stored(json!("verified")).await, "verified");
    assert_eq!(stored(Value::Null).await, "verified");
}

/// Returns the Python that has the other tools; says loudly that nothing was checked where there is none.
fn python_with_tools() -> Option<String> {
    let python = environment("AFTERWORD_ADAPTERS_PYTHON");
    if python.is_none() {
        eprintln!("SKIPPED: the real tools were not run; `make test-adapters` does it");
    }
    python
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_litellm_sends_its_calls_in_each_of_its_formats() {
    let Some(python) = python_with_tools() else { return };
    let service = TestService::start_with(HttpSettings::default(), false).await;
    let (key, reader) = (service.key(Role::Ingest).await, service.key(Role::Analyst).await);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/adapters/litellm_calls.py");

    for format in ["json_array", "ndjson", "single"] {
        let mut command = tokio::process::Command::new(&python);
        let run = command.args([script, &service.url(""), &key, format]).kill_on_drop(true).output();
        let run = tokio::time::timeout(Duration::from_mins(3), run).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&run.stdout).into_owned();
        assert!(run.status.success(), "{format}: {said}{}", String::from_utf8_lossy(&run.stderr));

        let expected: Vec<Value> = serde_json::from_str(said.lines().last().unwrap()).unwrap();
        assert_eq!(expected.len(), 4);
        for answer in expected {
            let id = answer["id"].as_str().unwrap().replace('#', "%23");
            let item = service.get(&format!("/v1/completions/{id}"), &reader).await.json();
            assert_eq!(item["response"]["content"], answer["text"], "{format}: {item}");
            assert_eq!((&item["user"], &item["finish_reason"]), (&answer["user"], &json!("stop")), "{format}: {item}");
            assert!(item["timing"]["latency_ms"].is_number(), "{format}: {item}");
        }
    }

    assert_eq!(service.count("completions").await, 12);
    let metrics = service.get("/metrics", "").await.text;
    assert!(metrics.contains("code=\"ignored_failed_call\"} 3"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_exporters_of_opentelemetry_openinference_and_langfuse_are_understood() {
    let Some(python) = python_with_tools() else { return };
    let service = TestService::start_with(HttpSettings::default(), false).await;
    let (key, reader) = (service.key(Role::Ingest).await, service.key(Role::Analyst).await);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/adapters/otel_calls.py");

    let mut command = tokio::process::Command::new(&python);
    let run = command.args([script, &service.url(""), &key]).kill_on_drop(true).output();
    let run = tokio::time::timeout(Duration::from_mins(3), run).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));

    let expected: Vec<Value> = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!(expected.len(), 3);
    for answer in expected {
        let id = answer["id"].as_str().unwrap();
        let item = service.get(&format!("/v1/completions/{id}"), &reader).await.json();
        assert_eq!((&item["response"]["content"], &item["model"]), (&answer["text"], &json!("acme-8b")), "{item}");
        assert_eq!(item["feedback"][0]["value"], answer["thumb"], "{item}");
        assert!(item["timing"]["latency_ms"].is_number() && item["usage"]["input_tokens"].is_number(), "{item}");
    }
    assert_eq!((service.count("completions").await, service.count("feedback").await), (3, 1));
}
