//! Schemas of what analysts and operators read and declare: experiments, comparisons, exports, problems.

use serde_json::{Map, Value, json};

use super::super::problem::KINDS;
use super::depth;
use super::words::{
    Member, all, boolean, closed, described, estimate, integer, list, moment, named, nullable, number, object, one_of,
    optional, required, short_text, text, timestamp, total, uuid, words_of,
};
use crate::domain::experiment::{METRIC_NAMES, Unit};
use crate::domain::export::{ExportProblem, ExportStatus};
use crate::domain::ids::MAX_ID_BYTES;
use crate::domain::recipe::{
    Aggregate, Comments, Consent, Dedup, EFFECTS, FinishReason, Format, Holdout, ImplicitPositive, KtoBalance,
    LabelNoise, Layout, LengthRule, MAX_BENCHMARKS, MAX_PATH_BYTES, MAX_SYSTEM_PROMPT_BYTES, MIN_USER_SHARE, Margin,
    MinSignal, PairScope, Pairing, Pii, Policy, PositionRule, RegenerateRule, Safety, SelectionBias, SystemPrompt,
    Ties, ToolCalls, Weights,
};
use crate::domain::trust::TrustFilter;
use crate::service::recipes::shipped_recipes;

fn alpha() -> Value {
    number(1e-4, 0.2)
}

/// A margin as a share of the control's rate.
pub(super) fn margin() -> Value {
    number(0.001, 1.0)
}

/// A one-sided error rate.
pub(super) fn error_rate() -> Value {
    alpha()
}

/// What is randomised.
pub(super) fn unit() -> Value {
    one_of(Unit::WORDS)
}

/// Whose feedback counts.
pub(super) fn trust() -> Value {
    one_of(TrustFilter::WORDS)
}

/// Whose feedback was counted, and why.
pub(super) fn trust_rule() -> Value {
    object(vec![required("filter", trust()), required("reason", words_of(["asked", "tokens_used", "no_tokens"]))])
}

fn experiment_members() -> Vec<Member> {
    let margins: Map<String, Value> = METRIC_NAMES.iter().map(|name| ((*name).to_owned(), margin())).collect();
    let variant = closed(vec![
        required("name", short_text()),
        optional("model", short_text()),
        required("share", number(0.001, 0.999)),
    ]);
    let mut variants = list(10, &variant);
    variants["minItems"] = json!(2);
    vec![
        required("key", short_text()),
        required("control", described(short_text(), "The name of one of the variants.")),
        required("variants", described(variants, "Names differ, and shares add up to 1.")),
        optional("unit", unit()),
        optional("alpha", alpha()),
        optional("margins", json!({ "type": "object", "properties": margins, "additionalProperties": false })),
        optional(
            "holdout",
            described(boolean(), "Whether its prompts are an evaluation set, on which nothing is trained."),
        ),
    ]
}

/// An experiment as it is declared.
pub(super) fn experiment_body() -> Value {
    let mut schema = closed(experiment_members());
    schema["example"] = json!({ "key": "llama-swap", "control": "old", "variants": [
        { "name": "old", "share": 0.5 }, { "name": "new", "model": "llama-3-70b", "share": 0.5 },
    ] });
    schema
}

/// An experiment as it is shown.
pub(super) fn experiment() -> Value {
    let mut members = experiment_members();
    members.push(required("declared_at", moment()));
    members.push(optional("stopped_at", described(moment(), "Completions that arrived later are not compared.")));
    object(members)
}

/// The variant of a unit.
pub(super) fn assignment() -> Value {
    object(vec![
        required("experiment", short_text()),
        required("unit", short_text()),
        required("variant", short_text()),
        optional("model", short_text()),
        optional("stopped_at", moment()),
    ])
}

/// A page of experiments.
pub(super) fn experiments_page() -> Value {
    object(vec![required("experiments", all(&named("Experiment")))])
}

fn selection() -> Value {
    let words = || list(100, &short_text());
    closed(vec![
        optional("models", words()),
        optional("experiment", short_text()),
        optional("variants", words()),
        optional("tasks", words()),
        optional("languages", words()),
        optional("from", timestamp()),
        optional("to", described(timestamp(), "Later than `from`.")),
        optional("trust", described(trust(), "Where it is absent, the project decides.")),
    ])
}

fn options() -> Value {
    let share = || number(0.0, 0.5);
    let members = vec![
        optional("min_votes", integer(1, 1000)),
        optional("min_agreement", number(0.5, 1.0)),
        optional("aggregate", one_of(Aggregate::WORDS)),
        optional("label_noise", one_of(LabelNoise::WORDS)),
        optional("max_rows_per_user", described(integer(0, 1_000_000_000), "0 for any number.")),
        optional("max_user_share", described(number(MIN_USER_SHARE, 1.0), "1 for any share.")),
        optional("pair_scope", one_of(PairScope::WORDS)),
        optional("rating_min_points", number(0.0, 1e6)),
        optional("rating_min_difference", number(0.0, 1.0)),
        optional("rating_good", number(0.5, 1.0)),
        optional("edit_min_distance", number(0.0, 1.0)),
        optional("edit_max_distance", described(number(0.0, 1.0), "Greater than `edit_min_distance`.")),
        optional("regenerate", one_of(RegenerateRule::WORDS)),
        optional("sft_min_signal", one_of(MinSignal::WORDS)),
        optional("implicit_positive", one_of(ImplicitPositive::WORDS)),
        optional("ties", one_of(Ties::WORDS)),
        optional("pairing", one_of(Pairing::WORDS)),
        optional("max_pairs_per_prompt", integer(1, 1000)),
        optional("margin", one_of(Margin::WORDS)),
        optional("policy", one_of(Policy::WORDS)),
        optional("target_model", text(MAX_ID_BYTES)),
        optional("kto_balance", one_of(KtoBalance::WORDS)),
        optional("dedup", one_of(Dedup::WORDS)),
        optional("near_threshold", number(0.8, 1.0)),
        optional(
            "decontaminate",
            described(
                list(MAX_BENCHMARKS, &text(MAX_PATH_BYTES)),
                "Paths below the service's directory of benchmarks.",
            ),
        ),
        optional("holdout", one_of(Holdout::WORDS)),
        optional("comments", one_of(Comments::WORDS)),
        optional("pii", one_of(Pii::WORDS)),
        optional("pii_url", described(text(MAX_PATH_BYTES), "One of the service's `exports.hook_urls`, or empty.")),
        optional("pii_language", short_text()),
        optional("safety", one_of(Safety::WORDS)),
        optional("safety_label", text(MAX_ID_BYTES)),
        optional("safety_url", described(text(MAX_PATH_BYTES), "One of the service's `exports.hook_urls`, or empty.")),
        optional("exclude_refusal_rejected", boolean()),
        optional("consent", one_of(Consent::WORDS)),
        optional("finish_reason", one_of(FinishReason::WORDS)),
        optional("require_stop", described(boolean(), "What `finish_reason` was before: `stop` or `any`.")),
        optional("tool_calls", one_of(ToolCalls::WORDS)),
        optional("system_prompt", described(one_of(SystemPrompt::WORDS), "`replace` needs `system_prompt_text`.")),
        optional("system_prompt_text", text(MAX_SYSTEM_PROMPT_BYTES)),
        optional("max_chars", integer(0, 100_000_000)),
        optional("length", one_of(LengthRule::WORDS)),
        optional("max_length_ratio", number(1.0, 1e6)),
        optional("position", one_of(PositionRule::WORDS)),
        optional("drop_unrandomised", boolean()),
        optional("selection_bias", one_of(SelectionBias::WORDS)),
        optional("recency_half_life_days", described(number(0.0, 36_500.0), "0 for never.")),
        optional("weights", one_of(Weights::WORDS)),
        optional("validation_share", described(share(), "At most 0.9 together with `test_share`.")),
        optional("test_share", share()),
        optional("split_salt", short_text()),
    ];
    closed(members.into_iter().map(|(name, schema, presence)| (name, with_effect(name, schema), presence)).collect())
}

/// Adds to an option's schema where the option has an effect, if that is not everywhere; elsewhere it is refused.
fn with_effect(name: &str, schema: Value) -> Value {
    let Some(effect) = EFFECTS.iter().find(|effect| effect.option == name) else { return schema };
    let mut sentences: Vec<String> = schema["description"].as_str().map(str::to_owned).into_iter().collect();
    if effect.of_formats() != "all" {
        sentences.push(format!("Has an effect on {}.", effect.of_formats()));
    }
    if !effect.needs.is_empty() {
        sentences.push(format!("Needs {}.", effect.needs));
    }
    if sentences.is_empty() { schema } else { described(schema, &sentences.join(" ")) }
}

/// The body of `POST /v1/exports`: a shipped recipe by its name, or one inline.
pub(super) fn export_body() -> Value {
    let path = json!({ "type": "string", "maxLength": 256, "pattern": "^[a-z0-9_-]{1,64}(/[a-z0-9_-]{1,64})*$" });
    let name = json!({ "type": "string", "pattern": "^[a-z0-9_-]{1,64}$" });
    let common = || {
        vec![
            optional("layout", described(one_of(Layout::WORDS), "It must have a form of every format.")),
            optional("selection", selection()),
            optional("options", options()),
            optional("destination", closed(vec![optional("name", name.clone()), optional("path", path.clone())])),
            optional("parent", described(uuid(), "An earlier export: the manifest tells what became of its rows.")),
        ]
    };
    let names: Vec<&str> = shipped_recipes()
        .iter()
        .flat_map(|recipe| [recipe.name].into_iter().chain(recipe.aliases.iter().copied()))
        .collect();
    let format = || one_of(Format::INPUT_WORDS);
    let formats = || {
        let mut formats = list(Format::WORDS.len(), &format());
        formats["minItems"] = json!(1);
        described(formats, "Several in one export, none of them twice; in place of `format`.")
    };
    // Beside each other the two would contradict; where one is given, the other is absent or null.
    let nothing = |name| (name, json!({ "type": "null" }), super::words::Presence::Optional);
    let shapes = [
        vec![required("recipe", words_of(names.clone())), optional("format", format()), nothing("formats")],
        vec![required("recipe", words_of(names)), required("formats", formats()), nothing("format")],
        vec![nothing("recipe"), required("format", format()), nothing("formats")],
        vec![nothing("recipe"), required("formats", formats()), nothing("format")],
    ];
    let shapes = shapes.map(|own| closed(own.into_iter().chain(common()).collect()));
    json!({ "anyOf": shapes, "example": { "recipe": "dpo" } })
}

/// An export, wherever it stands.
pub(super) fn export() -> Value {
    let recipe = object(vec![
        optional("format", described(one_of(Format::WORDS), "Where there is only one.")),
        optional("formats", described(list(Format::WORDS.len(), &one_of(Format::WORDS)), "Where there are several.")),
        optional("layout", one_of(Layout::WORDS)),
        required("selection", json!({ "type": "object" })),
        required("options", json!({ "type": "object" })),
    ]);
    let mut schema = object(vec![
        required("id", uuid()),
        required("status", one_of(ExportStatus::WORDS)),
        required("progress", object(vec![required("n_done", total()), required("n_total", total())])),
        required("recipe", recipe),
        required("created_at", moment()),
    ]);
    let problem = object(vec![
        required("code", words_of(ExportProblem::CODES.iter().copied())),
        required("detail", json!({ "type": "string" })),
    ]);
    for (name, own) in [
        ("problem", problem),
        ("manifest", json!({ "type": "object" })),
        (
            "destination",
            object(vec![optional("name", json!({ "type": "string" })), optional("path", json!({ "type": "string" }))]),
        ),
        ("parent", uuid()),
        ("finished_at", moment()),
    ] {
        schema["properties"][name] = own;
    }
    schema
}

/// A page of exports.
pub(super) fn exports_page() -> Value {
    object(vec![required("exports", all(&named("Export"))), required("next_cursor", nullable(uuid()))])
}

/// A comparison, told in full.
pub(super) fn comparison() -> Value {
    let side = object(vec![
        required("name", json!({ "type": "string" })),
        required("model", json!({ "type": ["string", "null"] })),
        required("n_users", total()),
        required("n_completions", total()),
        required("n_turns", total()),
    ]);
    let verdict = object(vec![
        required(
            "code",
            words_of(["SWITCH", "KEEP", "KEEP_COLLECTING", "CANNOT_TELL", "INVALID", "LEAN_SWITCH", "LEAN_KEEP"]),
        ),
        required("reason", json!({ "type": "string" })),
        required("sentence", json!({ "type": "string" })),
        required("withholds_numbers", boolean()),
    ]);
    let check = object(vec![
        required("name", json!({ "type": "string" })),
        required("status", words_of(["pass", "warn", "fail"])),
        required("detail", json!({ "type": "string" })),
    ]);
    object(vec![
        required("control", side.clone()),
        required("candidate", side),
        required("mode", words_of(["randomised", "observational"])),
        required("unit", unit()),
        required("alpha", alpha()),
        required("verdict", verdict),
        required("metrics", all(&metric())),
        required("checks", all(&check)),
        optional("preference", json!({ "type": "object" })),
        required("depth", depth::depth()),
        required("trust", named("TrustRule")),
        required("n_unverified", total()),
        required("computed_at", moment()),
    ])
}

fn metric() -> Value {
    let rate = object(vec![
        required("n", total()),
        required("n_users", total()),
        required("estimate", estimate()),
        required("low", estimate()),
        required("high", estimate()),
    ]);
    object(vec![
        required("name", json!({ "type": "string" })),
        required("role", words_of(["must_pass", "secondary"])),
        required("higher_is_better", boolean()),
        required("control", rate.clone()),
        required("candidate", rate),
        required(
            "difference",
            object(vec![required("estimate", estimate()), required("low", estimate()), required("high", estimate())]),
        ),
        required("status", words_of(["non_inferior", "worse", "better", "undecided"])),
    ])
}

/// A failure (RFC 9457).
pub(super) fn problem() -> Value {
    let mut schema = object(vec![
        required(
            "type",
            described(json!({ "type": "string", "format": "uri-reference" }), "Leads to the row of `/problems`."),
        ),
        required("title", json!({ "type": "string" })),
        required("status", json!({ "type": "integer", "minimum": 400, "maximum": 599 })),
        required("detail", json!({ "type": "string" })),
        required("instance", described(json!({ "type": "string" }), "The request's id, which the log has, too.")),
        required("code", named("ProblemCode")),
        required("retryable", boolean()),
    ]);
    schema["properties"]["errors"] = all(&named("Fault"));
    schema["properties"]["rejected"] = all(&named("Rejected"));
    schema
}

/// Every code that a problem can have.
pub(super) fn problem_code() -> Value {
    words_of(KINDS.iter().map(|kind| kind.code))
}

/// One thing that is wrong, and where.
pub(super) fn fault() -> Value {
    let mut schema =
        object(vec![required("code", named("ProblemCode")), required("detail", json!({ "type": "string" }))]);
    schema["properties"]["pointer"] = described(json!({ "type": "string" }), "A JSON Pointer into the body.");
    schema["properties"]["parameter"] = described(json!({ "type": "string" }), "The name of a query parameter.");
    schema
}

/// What a health check answers.
pub(super) fn health() -> Value {
    object(vec![required("status", words_of(["live", "ready"]))])
}
