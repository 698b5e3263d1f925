//! Good items of every kind, which the corpora make bad ones of.

use serde_json::{Value, json};

/// The id of every good reaction; nothing is stored, so that nothing is ever a duplicate.
const ID: &str = "01900000-0000-7000-8000-000000000001";

/// Kinds of good bodies, and where they go.
pub(super) const KINDS: [(&str, &str); 14] = [
    ("thumb", "/v1/feedback"),
    ("rating", "/v1/feedback"),
    ("preference", "/v1/feedback"),
    ("edit", "/v1/feedback"),
    ("regenerate", "/v1/feedback"),
    ("continuation", "/v1/feedback"),
    ("copy", "/v1/feedback"),
    ("accept", "/v1/feedback"),
    ("comment", "/v1/feedback"),
    ("dwell", "/v1/feedback"),
    ("impression", "/v1/feedback"),
    ("envelope", "/v1/feedback"),
    ("completion", "/v1/completions"),
    ("batch", "/v1/completions"),
];

/// Makes a good body of a kind with what is required, and a little more where a rule needs it.
pub(super) fn small(kind: &str) -> Value {
    let own = match kind {
        "envelope" => return json!({"v": 1, "feedback": [small("thumb")]}),
        "batch" => return json!({"completions": [small("completion")]}),
        "completion" => return json!({"id": "c-1", "model": "m", "prompt": "p", "response": "r"}),
        "thumb" => json!({"value": "up"}),
        "rating" => json!({"value": 0.5}),
        "preference" => json!({"against": "c-2", "outcome": "better"}),
        "edit" | "comment" => json!({"text": "x"}),
        "copy" => json!({"n_total_chars": 10}),
        "dwell" => json!({"visible_ms": 1}),
        _ => json!({}),
    };
    let mut item = json!({"id": ID, "completion_id": "c-1", "signal": kind});
    item.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    item
}

/// Makes a good body of a kind that has every member that the kind can have.
pub(super) fn full(kind: &str) -> Value {
    let more = match kind {
        "envelope" => json!({"sent_at": "2026-01-31T12:00:00Z", "sdk": "js/1.0.0"}),
        "completion" => json!({
            "requested_model": "m-1", "conversation_id": "v", "turn_index": 3, "parent_completion_id": "c-0", "attempt": 2,
            "user": "u", "experiment": "e", "variant": "a", "task": "t", "language": "en", "finish_reason": "stop",
            "tools": [], "params": {"temperature": 0.7}, "tags": {"route": "faq"}, "cost_usd": 0.1,
            "rating_solicited": true, "solicit_prob": 0.5, "aliases": ["a"], "created_at": "2026-01-31T12:00:00Z",
        }),
        "thumb" => json!({"reasons": ["tone"], "comment": "CANARY"}),
        "preference" => json!({"strength": 2.5, "shown_first": "this"}),
        "edit" => json!({"accepted": true, "truncated": false}),
        "regenerate" => json!({"next_completion_id": "c-2", "reason": "tone"}),
        "continuation" => json!({"turn": 1, "gap_ms": 5, "next_completion_id": "c-2"}),
        "copy" => json!({"n_chars": 5, "method": "button", "contains_code": false}),
        "accept" => json!({"method": "insert"}),
        _ => json!({}),
    };
    let mut body = small(kind);
    let members = body.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    if members.contains_key("signal") {
        let common = json!({
            "occurred_at": "2026-01-31T12:00:00Z", "age_ms": 120, "session_id": "s", "seq": 14, "user": "u",
            "supersedes": "01900000-0000-7000-8000-000000000002", "weight": 1.0,
        });
        members.extend(common.as_object().unwrap().clone());
    }
    body
}
