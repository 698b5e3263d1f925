//! Bad input: each kind has a code of its own and a sentence that helps, changes nothing and is not repeated.

use afterword::domain::principal::Role;
use serde_json::{Value, json};

use super::{completion, feedback_id, thumb, with};
use crate::support::TestService;

/// Stands wherever a client's own text can stand; no answer may repeat it.
const CANARY: &str = "CANARY-7f3a";

/// Bodies for one path, each with the status and the code that it deserves.
type Case = (&'static str, String, u16, &'static str);

/// Sends each body and checks its answer, that nothing is repeated, and in the end that nothing was stored.
async fn check(path: &str, cases: Vec<Case>) {
    let service = TestService::start().await;
    let key = service.key(Role::Admin).await;
    let before = service.checksum().await;

    for (name, body, status, code) in cases {
        let answer = service.post_text(path, &key, body).await;

        assert_eq!(answer.problem(), (status, code.to_owned()), "{name}: {}", answer.text);
        assert!(!answer.text.contains(CANARY), "{name}: {}", answer.text);
        assert_eq!(answer.json()["retryable"], false, "{name}");
    }
    assert_eq!(service.checksum().await, before);
}

fn nested(depth: usize) -> String {
    format!("{}\"{CANARY}\"{}", "[".repeat(depth), "]".repeat(depth))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_cannot_be_read_is_refused_whole() {
    check(
        "/v1/feedback",
        vec![
            ("broken JSON", format!("{{\"{CANARY}\": "), 400, "json_malformed"),
            ("nothing", String::new(), 400, "json_malformed"),
            ("two values", format!("{{}}\"{CANARY}\""), 400, "json_malformed"),
            ("a lone surrogate", format!("[\"{CANARY}\\ud800\"]"), 400, "json_malformed"),
            ("a number beyond all bounds", "[1e400]".to_owned(), 400, "json_malformed"),
            ("a byte order mark", format!("\u{feff}{}", thumb(CANARY)), 400, "json_malformed"),
            ("a key twice", format!("{{\"{CANARY}\":1,\"{CANARY}\":2}}"), 400, "duplicate_key"),
            ("a key twice, deep inside", r#"{"feedback":[{"id":1,"id":1}]}"#.to_owned(), 400, "duplicate_key"),
            ("an integer beyond 64 bits", format!("[\"{CANARY}\",18446744073709551616]"), 400, "integer_too_large"),
            (
                "half a million values and two",
                format!("[\"{CANARY}\"{}]", ",0".repeat(500_000)),
                400,
                "too_many_values",
            ),
            ("thirty-three levels", nested(33), 400, "too_deep"),
            ("thirty-two levels", nested(32), 422, "wrong_type"),
            ("a list", json!([thumb(CANARY)]).to_string(), 422, "wrong_type"),
            ("an envelope without items", json!({"feedback": []}).to_string(), 422, "empty"),
            ("an envelope around an object", json!({"feedback": thumb(CANARY)}).to_string(), 422, "wrong_type"),
            (
                "an envelope of another version",
                json!({"v": 2, "feedback": [thumb("c")]}).to_string(),
                422,
                "out_of_range",
            ),
            ("an envelope with more", json!({CANARY: 1, "feedback": [thumb("c")]}).to_string(), 422, "unknown_field"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_feedback_is_refused_with_its_own_code() {
    let but = |name: &str, value: Value| with(&thumb("c-1"), name, value).to_string();
    let preference = |against: &str, outcome: &str| {
        json!({"id": feedback_id(), "completion_id": "c-1", "signal": "preference", "against": against,
               "outcome": outcome})
        .to_string()
    };
    let mut without_id = thumb("c-1");
    without_id.as_object_mut().unwrap().remove("id");
    check(
        "/v1/feedback",
        vec![
            ("an unknown signal", but("signal", json!(CANARY)), 422, "unknown_signal"),
            ("a thumb sideways", but("value", json!("sideways")), 422, "not_one_of"),
            ("a thumb of another type", but("value", json!({CANARY: 1})), 422, "wrong_type"),
            ("a preference against itself", preference("c-1", "better"), 422, "self_preference"),
            ("an unknown outcome", preference("c-2", CANARY), 422, "not_one_of"),
            ("an unknown field", but(CANARY, json!(1)), 422, "unknown_field"),
            ("a field of another signal", but("visible_ms", json!(1)), 422, "unknown_field"),
            ("no id", without_id.to_string(), 422, "required"),
            ("an id that is no UUID", but("id", json!(CANARY)), 422, "malformed"),
            ("an id of 257 bytes", but("completion_id", json!("i".repeat(257))), 422, "too_long"),
            ("an id of 300 bytes", but("completion_id", json!(CANARY.repeat(30))), 422, "too_long"),
            ("an empty id", but("completion_id", json!("")), 422, "empty"),
            ("U+0000 in an id", but("completion_id", json!(format!("{CANARY}\0"))), 422, "nul_character"),
            ("U+0000 in a comment", but("comment", json!(format!("{CANARY}\0"))), 422, "nul_character"),
            ("a time without offset", but("occurred_at", json!("2026-01-31T12:00:00")), 422, "malformed"),
            ("an age below zero", but("age_ms", json!(-1)), 422, "out_of_range"),
            ("a sequence beyond 64 bits", but("seq", json!(u64::MAX)), 422, "out_of_range"),
            ("a fraction for an integer", but("seq", json!(1.5)), 422, "wrong_type"),
            ("a weight on what is never sampled", but("weight", json!(2)), 422, "contradiction"),
            ("two items, both bad alike", json!({"feedback": [{}, {}]}).to_string(), 422, "required"),
            ("two items, bad in two ways", json!({"feedback": [{}, 1]}).to_string(), 422, "none_accepted"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_two_hundred_and_fifty_six_bytes_is_accepted() {
    let service = TestService::start().await;
    let key = service.key(Role::Ingest).await;
    let id = "é".repeat(128);

    let stored = service.post("/v1/completions", &key, &completion(&id)).await;
    let reacted = service.post("/v1/feedback", &key, &thumb(&id)).await;

    assert_eq!((stored.status, reacted.status), (200, 200));
    assert_eq!(service.query::<i32>("select octet_length(completion_id) from feedback").await, 256);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_completions_are_refused_with_their_own_code() {
    let but = |name: &str, value: Value| with(&completion("c-1"), name, value).to_string();
    check(
        "/v1/completions",
        vec![
            ("a number for a model", but("model", json!(5)), 422, "wrong_type"),
            ("no prompt", but("prompt", json!(null)), 422, "required"),
            ("a prompt without messages", but("prompt", json!([])), 422, "empty"),
            ("an unknown field", but(CANARY, json!(CANARY)), 422, "unknown_field"),
            ("a time after 9999", but("created_at", json!("9999-12-31T23:59:59-01:00")), 422, "out_of_range"),
            ("U+0000 in the prompt", but("prompt", json!(format!("{CANARY}\0"))), 422, "nul_character"),
            ("U+0000 in a key", but("params", json!({format!("{CANARY}\0"): 1})), 422, "nul_character"),
            ("an id of 300 bytes", but("id", json!(CANARY.repeat(30))), 422, "too_long"),
            ("a count beyond 31 bits", but("usage", json!({"input_tokens": 3_000_000_000_u64})), 422, "out_of_range"),
            ("a probability above one", but("solicit_prob", json!(1.5)), 422, "out_of_range"),
            ("an envelope without items", json!({"completions": []}).to_string(), 422, "empty"),
            (
                "a pair without choices",
                json!({"request": {}, "response": {"id": "r", "model": CANARY}}).to_string(),
                422,
                "required",
            ),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_many_faults_does_not_grow_with_them() {
    let service = TestService::start().await;
    let key = service.key(Role::Ingest).await;
    let body = with(&completion("c-1"), "prompt", json!(vec![0; 100_000]));

    let answer = service.post("/v1/completions", &key, &body).await;

    assert_eq!(answer.problem(), (422, "wrong_type".to_owned()));
    assert_eq!(answer.json()["rejected"][0]["errors"].as_array().unwrap().len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_exports_are_refused_with_their_own_code() {
    let path = |path: &str| json!({"recipe": "dpo", "destination": {"path": path}}).to_string();
    check(
        "/v1/exports",
        vec![
            ("an unknown recipe", json!({"recipe": CANARY}).to_string(), 422, "unknown_recipe"),
            ("no recipe", "{}".to_owned(), 422, "required"),
            ("a path upwards", path(&format!("../{CANARY}")), 422, "unsafe_path"),
            ("a path upwards inside", path("a/../../b"), 422, "unsafe_path"),
            ("an absolute path", path("/etc"), 422, "unsafe_path"),
            ("a path in percent", path("%2e%2e/a"), 422, "unsafe_path"),
            ("an unknown format", json!({"format": CANARY}).to_string(), 422, "not_one_of"),
            ("an unknown option", json!({"recipe": "dpo", "options": {CANARY: 1}}).to_string(), 422, "unknown_field"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_questions_are_refused_with_their_own_code() {
    let service = TestService::start().await;
    let key = service.key(Role::Viewer).await;
    for (query, status, code) in [
        (format!("control=model:{CANARY}&candidate=model:{CANARY}"), 422, "contradiction"),
        (format!("control=model:{CANARY}&candidate=model:b"), 422, "no_data"),
        (format!("experiment={CANARY}"), 404, "not_found"),
        (format!("control=model:{CANARY}%00&candidate=model:b"), 422, "nul_character"),
        (format!("control=model:{}&candidate=model:b", CANARY.repeat(30)), 422, "too_long"),
        ("control=&candidate=model:b".to_owned(), 422, "empty"),
        (format!("control={CANARY}&candidate=model:b"), 422, "malformed"),
        (String::new(), 422, "required"),
        (format!("control=model:a&candidate=model:b&{CANARY}=1"), 422, "unknown_field"),
        ("control=model:a&candidate=model:b&alpha=0.9".to_owned(), 422, "out_of_range"),
        (format!("control=model:a&candidate=%zz{CANARY}"), 400, "query_malformed"),
    ] {
        let answer = service.get(&format!("/v1/comparisons?{query}"), &key).await;

        assert_eq!(answer.problem(), (status, code.to_owned()), "{query}: {}", answer.text);
        assert!(!answer.text.contains(CANARY), "{}", answer.text);
    }
}
