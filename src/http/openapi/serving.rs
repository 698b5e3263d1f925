//! Schemas of what is known of serving engines, and of the load while an answer was made.

use serde_json::{Value, json};

use super::words::{all, boolean, described, moment, nullable, number, object, optional, required, total, words_of};
use crate::engine::maps::Engine;

fn text() -> Value {
    json!({ "type": "string" })
}

/// Every target with what it said last.
pub(super) fn samples() -> Value {
    let numbers = json!({ "type": "object", "additionalProperties": { "type": ["number", "null"] } });
    let reasons = json!({ "type": "object", "additionalProperties": words_of([
        "not_exported", "absent", "not_a_number", "negative", "above_one", "unreadable",
    ]) });
    let reading = object(vec![
        required("model", described(nullable(text()), "What completions call it; null where nobody says.")),
        required("reported_model", nullable(text())),
        required("rank", described(text(), "The replica within the engine; empty where there is one.")),
        required("values", described(numbers, "Null where there is no possible number, never 0 instead.")),
        required("missing", described(reasons, "Why, for each that is null.")),
    ]);
    let target = object(vec![
        required("name", text()),
        required("engine", words_of(Engine::WORDS.iter().map(|(word, _)| *word))),
        required("instance", text()),
        required("interval_s", total()),
        required("status", words_of(["ok", "not_asked_yet", "unreachable", "refused", "too_long", "no_series"])),
        required("http_status", nullable(total())),
        required("sampled_at", nullable(moment())),
        required("staleness_ms", nullable(total())),
        required("n_samples", total()),
        required("n_failures", total()),
        required("n_skipped_lines", total()),
        required("readings", all(&reading)),
    ]);
    object(vec![required("targets", all(&target))])
}

/// Lengths of prompts and answers, in either form.
pub(super) fn lengths() -> Value {
    let share = || nullable(number(0.0, 1.0));
    let mean = || nullable(json!({ "type": "number" }));
    let of_kind = || {
        let mut members = vec![required("n", total()), required("sum", total()), required("mean", mean())];
        members.extend(["p50", "p90", "p95", "p99", "max"].map(|name| required(name, nullable(total()))));
        object(members)
    };
    let group = object(vec![
        required("model", text()),
        required("task", nullable(text())),
        required("n", total()),
        required("input_tokens", of_kind()),
        required("output_tokens", of_kind()),
        required("input_per_output", object(vec![required("of_sums", mean()), required("median", mean())])),
        required("cached_share", described(share(), "Of the tokens of prompts that tell how much a cache held.")),
        required("context", object(vec![required("n", total()), required("share_above_80_percent", share())])),
        required(
            "truncation",
            object(vec![
                required("n", total()),
                required("n_truncated", total()),
                required("share", share()),
                required("n_at_context", total()),
                required("n_at_limit", total()),
                required("n_of_unknown_cause", total()),
            ]),
        ),
        required("mean_ttft_ms", mean()),
        required("mean_itl_ms", mean()),
    ]);
    let planned = object(vec![
        required("model", text()),
        required("num_req", total()),
        required("rate_per_s", mean()),
        required("isl", mean()),
        required("osl", mean()),
        required("ttft_ms", mean()),
        required("itl_ms", mean()),
        required("isl_percentiles", of_kind()),
        required("osl_percentiles", of_kind()),
    ]);
    object(vec![
        required("from", moment()),
        required("to", moment()),
        required("groups", json!({ "type": "array", "items": { "anyOf": [group, planned] } })),
        required("has_more", boolean()),
    ])
}

/// How a completion was served, with what was joined.
pub(super) fn of_completion() -> Value {
    let load = object(vec![
        optional("kv_at_end", number(0.0, 1.0)),
        optional("kv_mean", number(0.0, 1.0)),
        optional("kv_max", number(0.0, 1.0)),
        optional("n_waiting_max", total()),
        optional("preempted", boolean()),
        required("kv_source", words_of(["client", "scraper"])),
        required("kv_scope", words_of(["instance", "model"])),
        optional("kv_staleness_ms", total()),
    ]);
    object(vec![
        optional("served_by", text()),
        optional("kv_cache_usage", number(0.0, 1.0)),
        optional("n_waiting", total()),
        optional("max_model_len", total()),
        optional("load", described(load, "What the watched engines told of the time in which the answer was made.")),
    ])
}
