//! Bodies with every field that there is, and what becomes of them when a canary is let in.

use serde_json::{Value, json};

use super::canary::CANARY;

/// A good body for each thing that can be written, with its address and the name of its envelope.
pub(super) fn bodies() -> Vec<(&'static str, Option<&'static str>, Value)> {
    let mut all = vec![("/v1/completions", Some("completions"), completion())];
    all.extend(reactions().into_iter().map(|body| ("/v1/feedback", Some("feedback"), body)));
    let experiment = json!({"key": "e", "control": "a", "unit": "user", "alpha": 0.025, "margins": {"good_turn": 0.02},
        "variants": [{"name": "a", "model": "m", "share": 0.5}, {"name": "b", "model": "n", "share": 0.5}]});
    all.push(("/v1/experiments", None, experiment));
    all.push(("/v1/exports", None, export()));
    all
}

fn completion() -> Value {
    json!({"id": "c", "model": "m", "requested_model": "r", "tools": [{"type": "function"}], "params": {"temperature": 0.7},
        "prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}],
        "response": {"role": "assistant", "content": "Because."}, "finish_reason": "stop", "conversation_id": "v",
        "turn_index": 3, "parent_completion_id": "p", "attempt": 1, "user": "u", "experiment": "e", "variant": "a",
        "task": "support", "language": "en", "tags": {"route": "faq"},
        "usage": {"input_tokens": 8, "output_tokens": 6, "cached_input_tokens": 7, "reasoning_tokens": 0},
        "timing": {"started_at": "2026-01-31T12:00:00Z", "ttft_ms": 210, "itl_ms": 25.5, "latency_ms": 18, "queue_ms": 3},
        "cost_usd": 0.3, "serving": {"served_by": "s", "kv_cache_usage": 0.8, "n_waiting": 2, "max_model_len": 8192},
        "consent": {"training": true}, "rating_solicited": false, "solicit_prob": 0.0, "aliases": ["x"],
        "created_at": "2026-01-31T12:00:02Z"})
}

/// One reaction of each signal, with every field.
fn reactions() -> Vec<Value> {
    let own = [
        json!({"signal": "thumb", "value": "down", "reasons": ["too_long"], "comment": "No."}),
        json!({"signal": "rating", "value": {"score": 3, "min": 1, "max": 5}}),
        json!({"signal": "preference", "against": "d", "outcome": "better", "strength": 2, "shown_first": "this"}),
        json!({"signal": "edit", "text": "Better.", "accepted": true, "truncated": false}),
        json!({"signal": "regenerate", "next_completion_id": "d", "reason": "slow"}),
        json!({"signal": "continuation", "turn": 2, "gap_ms": 5, "next_completion_id": "d"}),
        json!({"signal": "copy", "n_chars": 2, "n_total_chars": 3, "method": "button", "contains_code": false}),
        json!({"signal": "accept", "method": "apply"}),
        json!({"signal": "comment", "text": "Hm."}),
        json!({"signal": "impression"}),
        json!({"signal": "dwell", "visible_ms": 5}),
    ];
    let common = json!({"completion_id": "c", "occurred_at": "2026-01-31T12:00:05Z", "age_ms": 120, "session_id": "s",
        "seq": 14, "user": "u", "supersedes": "01990a5d-ac96-774b-bcce-b302099a8057", "weight": 1.0});
    own.into_iter()
        .enumerate()
        .map(|(index, mut body)| {
            for (name, value) in common.as_object().unwrap() {
                body[name] = value.clone();
            }
            body["id"] = json!(format!("01990a5d-ac96-774b-bccf-{index:012x}"));
            body
        })
        .collect()
}

fn export() -> Value {
    json!({"recipe": "dpo", "format": "preference", "destination": {"path": "a/b"},
        "selection": {"models": ["m"], "experiment": "e", "variants": ["a"], "tasks": ["t"], "languages": ["en"],
            "from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"},
        "options": {"trust": "any", "min_votes": 1, "min_agreement": 0.66, "pair_scope": "user", "rating_min_points": 1,
            "rating_min_difference": 0.2, "rating_good": 0.7, "edit_min_distance": 0.1, "edit_max_distance": 0.5,
            "regenerate": "require_positive", "sft_min_signal": "explicit", "policy": "any", "dedup": "exact", "consent": "ignore",
            "implicit_positive": "off", "ties": "drop", "pairing": "all", "max_pairs_per_prompt": 3, "margin": "none",
            "target_model": "m", "kto_balance": "report", "finish_reason": "stop", "require_stop": true,
            "tool_calls": "exclude", "system_prompt": "replace", "system_prompt_text": "t", "max_chars": 0, "validation_share": 0.05, "test_share": 0.05,
            "split_salt": "s"}})
}

/// A body with the canary let into each of its places in turn, in several ways.
pub(super) fn variations(body: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for place in places(body, "") {
        let value = body.pointer(&place).unwrap().clone();
        let mut birds = vec![
            json!(CANARY),
            json!({ CANARY: CANARY }),
            json!([CANARY]),
            json!(CANARY.repeat(40)),
            json!(format!("{CANARY}\0")),
        ];
        if let Value::Object(members) = &value {
            let mut joined = members.clone();
            joined.insert(CANARY.to_owned(), json!(1));
            birds.push(Value::Object(joined));
        }
        for (index, bird) in birds.into_iter().enumerate() {
            let mut varied = body.clone();
            *varied.pointer_mut(&place).unwrap() = bird;
            found.push((format!("{place} way {index}"), varied));
        }
    }
    found
}

/// JSON Pointers to everything in a value, itself included.
fn places(value: &Value, at: &str) -> Vec<String> {
    let mut found = vec![at.to_owned()];
    match value {
        Value::Object(members) => {
            found.extend(members.iter().flat_map(|(name, member)| places(member, &format!("{at}/{name}"))));
        }
        Value::Array(items) => {
            found.extend(items.iter().enumerate().flat_map(|(index, item)| places(item, &format!("{at}/{index}"))));
        }
        _ => {}
    }
    found
}
