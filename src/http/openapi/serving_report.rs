//! Schema of the serving report.

use serde_json::{Value, json};

use super::words::{all, described, estimate, moment, named, nullable, number, object, required, total, words_of};

fn text() -> Value {
    json!({ "type": "string" })
}

fn share() -> Value {
    nullable(number(0.0, 1.0))
}

fn interval() -> Value {
    let end = || json!({ "type": "number" });
    object(vec![required("low", end()), required("high", end())])
}

/// Bands, with what is told of each.
fn bands(told: Vec<(&'static str, Value)>) -> Value {
    let mut members = vec![
        required("label", text()),
        required("low", described(estimate(), "The band holds it; null for the first one.")),
        required("high", described(estimate(), "The next band holds it; null for the last one.")),
    ];
    members.extend(told.into_iter().map(|(name, schema)| required(name, schema)));
    all(&object(members))
}

fn usage() -> Value {
    let point = || {
        object(vec![
            required("at", moment()),
            required("n", described(total(), "Engine minutes, or turns, that tell the use.")),
            required("mean", share()),
            required("p95", described(share(), "Rounded up to a whole percent.")),
            required("max", share()),
            required("n_waiting_known", total()),
            required("waiting_share", described(share(), "Of the engine minutes that tell of a queue.")),
            required("n_waiting_max", estimate()),
        ])
    };
    let headroom = object(vec![
        required("limit", number(0.0, 1.0)),
        required(
            "more_traffic",
            described(estimate(), "As a share of the present traffic; negative beyond the limit."),
        ),
    ]);
    object(vec![
        required("source", words_of(["engines", "completions"])),
        required("bin_s", total()),
        required("points", all(&point())),
        required("all", point()),
        required("bands", bands(vec![("share", number(0.0, 1.0))])),
        required("headroom", all(&headroom)),
    ])
}

fn week() -> Value {
    let percentiles = || {
        nullable(object(vec![
            required("n", total()),
            required("p50", json!({ "type": "number" })),
            required("p95", json!({ "type": "number" })),
            required("p95_change", described(estimate(), "As a share of the week before.")),
        ]))
    };
    object(vec![
        required("monday", json!({ "type": "string", "format": "date" })),
        required("n_turns", total()),
        required("input_tokens", percentiles()),
        required("output_tokens", percentiles()),
    ])
}

fn measure() -> Value {
    let difference = object(vec![
        required("estimate", described(number(-1.0, 1.0), "Band minus base band, like for like.")),
        required("interval", described(interval(), "It holds for all differences of the report together.")),
        required("p", number(0.0, 1.0)),
        required("support", number(0.0, 1.0)),
        required("standing", words_of(["better", "worse", "differs", "unclear"])),
    ]);
    let metric = object(vec![
        required("name", words_of(["good_turn", "thumb_down", "copy", "continuation"])),
        required("title", text()),
        required("higher_is_better", nullable(json!({ "type": "boolean" }))),
        required(
            "bands",
            bands(vec![
                ("n_turns", total()),
                ("n_users", total()),
                ("n_events", total()),
                ("rate", share()),
                ("interval", nullable(interval())),
                ("difference", nullable(difference)),
            ]),
        ),
    ]);
    let notice = object(vec![required("band", total()), required("metrics", all(&text()))]);
    object(vec![
        required("name", words_of(["kv_usage", "input_tokens", "latency_ms"])),
        required("title", text()),
        required("within", text()),
        required("n_turns", total()),
        required("base_band", nullable(total())),
        required(
            "notice",
            described(nullable(notice), "Where users begin to notice; null where no band is worse for certain."),
        ),
        required("metrics", all(&metric)),
    ])
}

/// The report.
pub(super) fn report() -> Value {
    let lengths = object(vec![
        required("n_turns", total()),
        required("input_bins", bands(Vec::new())),
        required("output_bins", bands(Vec::new())),
        required("n", described(all(&all(&total())), "Turns by bin of the prompt, and of the answer.")),
    ]);
    let quality = object(vec![
        required("alpha", number(0.0, 1.0)),
        required("n_differences", total()),
        required("measures", all(&measure())),
    ]);
    let model = object(vec![required("model", text()), required("n_turns", total())]);
    object(vec![
        required("from", moment()),
        required("to", moment()),
        required("filters", json!({ "type": "object" })),
        required("trust", named("TrustRule")),
        required("n_turns", total()),
        required("n_users", total()),
        required("n_bots", total()),
        required("models", all(&model)),
        required("n_models", total()),
        required("findings", all(&text())),
        required("usage", described(nullable(usage()), "Null where nobody told.")),
        required("lengths", nullable(lengths)),
        required("weeks", all(&week())),
        required("quality", quality),
        required("notes", all(&text())),
        required("computed_at", moment()),
    ])
}
