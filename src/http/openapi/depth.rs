//! Schemas of what stands behind a verdict, and of the specification to plot it again.

use serde_json::{Value, json};

use super::words::{all, boolean, described, estimate, moment, nullable, object, optional, required, total, words_of};

/// What stands behind a verdict: a part that was not computed is null or empty.
pub(super) fn depth() -> Value {
    let exposure =
        object(vec![required("day", day()), required("n_control", total()), required("n_candidate", total())]);
    let chance =
        object(vec![required("metric", word()), required("p_acceptable", real()), required("expected_loss", real())]);
    let parts = object(vec![
        optional("plan", plan()),
        required("exposure", all(&exposure)),
        required("series", all(&series())),
        required("segmentations", all(&segmentation())),
        required("adjustments", all(&adjustment())),
        optional("up_share", up_share()),
        optional("solicited", solicited()),
        optional("agreement", agreement()),
        required("measures", all(&measure())),
        optional("benefit", benefit()),
        optional("index", index()),
        required("chances", all(&chance)),
        optional("load", load()),
        required("candidates", all(&candidate())),
        optional("tournament", tournament()),
        required("disagreements", all(&disagreement())),
        optional("disagreements_note", word()),
    ]);
    described(parts, "What stands behind the verdict; where it withholds the numbers, the plan and the exposure alone.")
}

/// A Vega-Lite specification.
pub(super) fn vega_lite() -> Value {
    object(vec![required("$schema", word()), required("vconcat", all(&json!({ "type": "object" })))])
}

fn word() -> Value {
    json!({ "type": "string" })
}

fn real() -> Value {
    json!({ "type": "number" })
}

fn day() -> Value {
    json!({ "type": "string", "format": "date" })
}

fn bounds() -> Value {
    nullable(object(vec![required("low", real()), required("high", real())]))
}

fn of_sides(part: &Value) -> Value {
    object(vec![required("control", part.clone()), required("candidate", part.clone())])
}

fn plan() -> Value {
    let look = object(vec![required("taken_at", moment()), required("passed", boolean())]);
    object(vec![required("info_fraction", real()), required("sequential_share", real()), optional("fixed_look", look)])
}

fn series() -> Value {
    let point = object(vec![
        required("day", day()),
        required("n_users", total()),
        required("estimate", estimate()),
        required("fixed", bounds()),
        required("anytime", bounds()),
    ]);
    let last_week = object(vec![required("estimate", real()), required("interval", bounds())]);
    let trend =
        object(vec![required("slope_per_day", real()), required("p", real()), optional("last_week", last_week)]);
    object(vec![
        required("metric", word()),
        required("points", all(&point)),
        optional("passed_on", day()),
        optional("trend", trend),
    ])
}

fn segmentation() -> Value {
    let segment = object(vec![
        required("value", word()),
        required("n_control", total()),
        required("n_candidate", total()),
        required("estimate", estimate()),
        required("interval", bounds()),
        required("is_harmed", boolean()),
        required("q", estimate()),
    ]);
    let found = object(vec![required("p", real()), required("i2", real()), required("sign_change_p", real())]);
    object(vec![
        required("by", word()),
        required("metric", word()),
        required("segments", all(&segment)),
        optional("heterogeneity", found),
    ])
}

fn adjustment() -> Value {
    object(vec![
        required("metric", word()),
        required("kind", word()),
        required("estimate", estimate()),
        required("interval", bounds()),
        required("variance_reduction", estimate()),
        required("support", estimate()),
    ])
}

fn up_share() -> Value {
    object(vec![
        required("control", estimate()),
        required("candidate", estimate()),
        required("odds_ratio", real()),
        required("interval", bounds()),
        required("tipping_factor", estimate()),
    ])
}

fn solicited() -> Value {
    object(vec![
        required("n_asked", of_sides(&total())),
        required("n_rated", of_sides(&total())),
        required("up_share", of_sides(&estimate())),
        optional("difference", object(vec![required("estimate", real()), required("interval", bounds())])),
    ])
}

fn agreement() -> Value {
    let pair = object(vec![required("n_both", total()), required("phi", estimate())]);
    let triangle = all(&all(&pair));
    object(vec![
        required("signals", all(&word())),
        required("control", triangle.clone()),
        required("candidate", triangle),
    ])
}

fn measure() -> Value {
    let side = object(vec![
        required("n", total()),
        required("mean", estimate()),
        required("p50", estimate()),
        required("p95", estimate()),
    ]);
    object(vec![
        required("name", word()),
        required("title", word()),
        required("control", side.clone()),
        required("candidate", side),
        required("difference", estimate()),
        required("interval", bounds()),
        required("outliers_matter", boolean()),
    ])
}

fn benefit() -> Value {
    object(vec![
        required("saving_per_1000", real()),
        required("saving_interval", bounds()),
        required("breaks_even_at", estimate()),
        required("surely_pays_below", estimate()),
        required("acceptability", all(&object(vec![required("price", real()), required("chance", real())]))),
        required("worst_case_per_10_000", estimate()),
    ])
}

fn index() -> Value {
    let part = object(vec![required("signal", word()), required("weight", real()), required("without", real())]);
    object(vec![
        required("control", real()),
        required("candidate", real()),
        required("estimate", real()),
        required("interval", bounds()),
        required("parts", all(&part)),
        required("agreeing_share", real()),
        required("n_weightings", total()),
    ])
}

fn load() -> Value {
    object(vec![
        required("bin_ends", all(&real())),
        required("control", all(&real())),
        required("candidate", all(&real())),
        required("overlap", real()),
    ])
}

fn candidate() -> Value {
    object(vec![
        required("name", word()),
        optional("model", word()),
        required("n_users", total()),
        required(
            "code",
            words_of(["SWITCH", "KEEP", "KEEP_COLLECTING", "CANNOT_TELL", "INVALID", "LEAN_SWITCH", "LEAN_KEEP"]),
        ),
        required("reason", word()),
        required("p", estimate()),
        required("p_holm", estimate()),
        required("estimate", estimate()),
        required("interval", bounds()),
        required("cost_difference", estimate()),
        required("cost_interval", bounds()),
        required("is_undominated", boolean()),
    ])
}

fn tournament() -> Value {
    let player = object(vec![
        required("name", word()),
        required("strength", real()),
        required("interval", bounds()),
        required("ranks", object(vec![required("best", total()), required("worst", total())])),
    ]);
    object(vec![
        required("players", all(&player)),
        required("n_wins", all(&all(&real()))),
        required("is_connected", boolean()),
        required("first_position", estimate()),
    ])
}

fn disagreement() -> Value {
    let answer = object(vec![
        required("completion_id", word()),
        required("prompt", word()),
        required("response", word()),
        required("reactions", all(&word())),
    ]);
    object(vec![optional("task", word()), optional("control", answer.clone()), optional("candidate", answer)])
}
