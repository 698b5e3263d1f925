//! Comparisons of simulated traffic whose truth is known.
//!
//! The simulator is reference material that does not ship with the product: without `AFTERWORD_SHARED` the tests say
//! loudly that they were skipped.

use std::path::PathBuf;
use std::process::Command;

use afterword::report::comparison::segments::Segmentation;
use afterword::report::comparison::{Check, CheckStatus, Comparison, Status};
use afterword::stats::verdict::{VerdictCode, VerdictReason};
use serde_json::{Value, json};

use super::seed::{Seeded, completion, reaction};

/// Plays a preset and gives its completions and events; nothing where the simulator is not there.
fn play(preset: &str, n_users: u32, seed: u32) -> Option<(Vec<Value>, Vec<Value>)> {
    let shared = PathBuf::from(std::env::var_os("AFTERWORD_SHARED")?);
    let out = tempfile::tempdir().unwrap();
    let status = Command::new("python3")
        .arg(shared.join("sim/simulate.py"))
        .args(["data", "--preset", preset, "--users", &n_users.to_string(), "--seed", &seed.to_string(), "--out"])
        .arg(out.path())
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let lines = |name: &str| -> Vec<Value> {
        let text = std::fs::read_to_string(out.path().join(name)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    Some((lines("completions.jsonl"), lines("events.jsonl")))
}

fn to_completion(row: &Value) -> Value {
    let mut more = json!({
        "conversation_id": row["conversation_id"], "turn_index": row["turn_index"], "user": row["user_id"],
        "attempt": row["attempt"].as_u64().unwrap() + 1, "task": row["task"], "finish_reason": row["finish_reason"],
        "created_at": row["created_at"],
        "usage": { "input_tokens": row["prompt_tokens"], "output_tokens": row["completion_tokens"] },
        "timing": { "ttft_ms": row["ttft_ms"], "latency_ms": row["latency_ms"] },
        "serving": { "kv_cache_usage": row["kv_cache_util"] }, "cost_usd": row["cost_usd"],
    });
    for (ours, theirs) in
        [("experiment", "experiment_id"), ("variant", "variant"), ("parent_completion_id", "parent_completion_id")]
    {
        if row[theirs].is_string() {
            more[ours] = row[theirs].clone();
        }
    }
    if row["rating_solicited"] == true {
        more["rating_solicited"] = json!(true);
        more["solicit_prob"] = row["solicit_prob"].clone();
    }
    // Two answers that are shown side by side answer one prompt.
    let id = row["completion_id"].as_str().unwrap();
    more["prompt"] = json!(format!("prompt of {}", id.trim_end_matches("-s")));
    completion(id, row["model"].as_str().unwrap(), more)
}

fn to_reaction(number: usize, row: &Value) -> Value {
    let mut more = json!({ "user": row["user_id"], "occurred_at": row["created_at"] });
    let signal = match row["type"].as_str().unwrap() {
        "thumbs_up" => {
            more["value"] = json!("up");
            "thumb"
        }
        "thumbs_down" => {
            more["value"] = json!("down");
            "thumb"
        }
        "continue" => "continuation",
        "edit" => {
            more["text"] = json!("an edited answer");
            "edit"
        }
        "preference" => {
            more["against"] = row["other_completion_id"].clone();
            more["outcome"] = match &row["chosen_completion_id"] {
                Value::Null => json!("tie"),
                chosen if *chosen == row["completion_id"] => json!("better"),
                _ => json!("worse"),
            };
            more["shown_first"] = json!(if row["shown_left"] == row["completion_id"] { "this" } else { "against" });
            "preference"
        }
        same @ ("copy" | "regenerate") => same,
        other => panic!("an event of type {other}"),
    };
    reaction(number as u128, row["completion_id"].as_str().unwrap(), signal, more)
}

/// Which rows of a preset are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    /// Everything: the week before, the experiment, answers side by side.
    All,
    /// The first turn of every unit, without reactions: enough for what only counts units.
    FirstTurns,
}

/// How a preset is declared: variants with their shares, and what is randomised; nothing where nobody was assigned.
fn declaration(preset: &str) -> Option<Value> {
    let shares: &[f64] = match preset {
        "simpson" => return None,
        "canary" => &[0.95, 0.05],
        "three" => &[0.333_333, 0.333_333, 0.333_334],
        _ => &[0.5, 0.5],
    };
    let variants: Vec<Value> = ["model-a", "model-b", "model-c"]
        .iter()
        .zip(shares)
        .map(|(name, share)| json!({ "name": name, "model": name, "share": share }))
        .collect();
    let unit = if preset == "conv_unit" { "conversation" } else { "user" };
    Some(json!({ "key": "exp-1", "control": "model-a", "unit": unit, "variants": variants }))
}

/// Plays a preset into a database and compares its sides.
async fn verdict_of(preset: &str, n_users: u32, seed: u32, load: Load, more: &[(&str, &str)]) -> Option<Comparison> {
    let Some((completions, events)) = play(preset, n_users, seed) else {
        eprintln!("SKIPPED: no simulator; set AFTERWORD_SHARED to compare simulated traffic");
        return None;
    };
    let seeded = Seeded::new().await;
    let declaration = declaration(preset);
    let query = if let Some(declaration) = &declaration {
        seeded.declare(declaration.clone()).await;
        vec![("experiment", "exp-1")]
    } else {
        vec![("control", "model:model-a"), ("candidate", "model:model-b")]
    };
    let mut seen = std::collections::HashSet::new();
    let completions: Vec<Value> = completions
        .iter()
        // Two models are compared over the same weeks, and an answer that is shown beside another is no turn.
        .filter(|row| {
            let id = row["completion_id"].as_str().unwrap();
            declaration.is_some() || (id.contains("-c") && !id.ends_with("-s"))
        })
        .filter(|row| load == Load::All || (row["variant"].is_string() && seen.insert(row["user_id"].to_string())))
        .map(to_completion)
        .collect();
    seeded.completions(&completions).await;
    if load == Load::All {
        let kept: std::collections::HashSet<&str> = completions.iter().filter_map(|item| item["id"].as_str()).collect();
        let reactions: Vec<Value> = events
            .iter()
            .enumerate()
            .filter(|(_, row)| row["completion_id"].as_str().is_some_and(|id| kept.contains(id)))
            .map(|(number, row)| to_reaction(number, row))
            .collect();
        seeded.feedback(&reactions).await;
    }
    let comparison = seeded.ask(&[query.as_slice(), more].concat()).await.unwrap();
    println!("{preset}: {} {}", comparison.verdict.code.as_str(), comparison.verdict.sentence);
    Some(comparison)
}

fn check<'a>(comparison: &'a Comparison, name: &str) -> Option<&'a Check> {
    comparison.checks.iter().find(|check| check.name == name)
}

fn warns(comparison: &Comparison, name: &str) -> bool {
    check(comparison, name).is_some_and(|check| check.status == CheckStatus::Warn)
}

fn of_metric<'a>(comparison: &'a Comparison, by: &str, metric: &str) -> Option<&'a Segmentation> {
    comparison.depth.segmentations.iter().find(|it| it.by == by && it.metric == metric)
}

fn is_switch(comparison: &Comparison) -> bool {
    matches!(comparison.verdict.code, VerdictCode::Switch | VerdictCode::LeanSwitch)
}

/// What must hold of every comparison, whatever its data: each number lies in its interval, and says nothing twice.
fn is_sound(comparison: &Comparison) -> Result<(), String> {
    let depth = &comparison.depth;
    let holds = |ok: bool, what: &str| if ok { Ok(()) } else { Err(what.to_owned()) };
    for series in &depth.series {
        let metric = comparison.metrics.iter().find(|metric| metric.name == series.metric).ok_or("no such metric")?;
        let last = series.points.last().ok_or("no days")?;
        holds(last.anytime == metric.difference.interval, "the last day is not the metric itself")?;
        let is_wide = |point: &afterword::report::comparison::over_time::DayPoint| {
            point
                .fixed
                .zip(point.anytime)
                .is_none_or(|(fixed, anytime)| fixed.low >= anytime.low - 1e-12 && fixed.high <= anytime.high + 1e-12)
        };
        holds(series.points.iter().all(is_wide), "an interval for every look is narrower than one for one look")?;
        holds(series.points.windows(2).all(|pair| pair[0].day < pair[1].day), "days are out of order")?;
    }
    for adjustment in &depth.adjustments {
        let inside = adjustment
            .estimate
            .zip(adjustment.interval)
            .is_none_or(|(estimate, interval)| interval.low <= estimate && estimate <= interval.high);
        holds(inside, "an adjusted difference lies outside of its interval")?;
    }
    for segmentation in &depth.segmentations {
        let n: u64 = segmentation.segments.iter().map(|segment| segment.n_control).sum();
        holds(n == comparison.control.n_turns, "segments do not hold every turn once")?;
    }
    let exposed: u64 = depth.exposure.iter().map(|day| day.n_control + day.n_candidate).sum();
    holds(exposed > 0, "nobody was exposed")
}

/// What a preset must come to, whatever the seed; the error tells what did not.
fn accept(preset: &str, comparison: &Comparison) -> Result<(), String> {
    let code = comparison.verdict.code;
    let reason = comparison.verdict.reason;
    let holds = |ok: bool, what: &str| {
        if ok { Ok(()) } else { Err(format!("{what}: {} {}", code.as_str(), comparison.verdict.sentence)) }
    };
    if code != VerdictCode::Invalid {
        is_sound(comparison)?;
    }
    match preset {
        "null" | "canary" | "conv_unit" => {
            holds(code != VerdictCode::Invalid, "equal models are invalid")?;
            holds(reason != VerdictReason::WorseThanMargin && reason != VerdictReason::Better, "equal models differ")
        }
        "worse" | "masked_harm" | "solicited" => holds(!is_switch(comparison), "a worse model is switched to"),
        "better" => holds(code != VerdictCode::Keep, "a better model is kept out"),
        "small_worse" => holds(reason != VerdictReason::Better, "a slightly worse model is better"),
        "code_harm" => {
            holds(!is_switch(comparison) || reason == VerdictReason::ExceptSegment, "harm to code is switched to")
        }
        "response_bias" => {
            holds(warns(comparison, "response_rate"), "louder critics go unseen")?;
            holds(reason != VerdictReason::WorseThanMargin, "louder critics are a worse model")?;
            let tipping = comparison.depth.up_share.and_then(|up_share| up_share.tipping_factor);
            holds(tipping.is_none_or(|factor| factor < 1.6), "louder critics would have to be louder still")
        }
        "simpson" => {
            let is_reversed = check(comparison, "composition").is_some_and(|check| check.detail.contains("a reversal"));
            holds(is_reversed, "a reversal goes unseen")?;
            holds(!is_switch(comparison) && code != VerdictCode::Keep, "it says more than it can")
        }
        "srm_bug" => holds(reason == VerdictReason::SampleRatioMismatch, "lost units go unseen"),
        "crossover" => holds(reason == VerdictReason::Crossover, "switched models go unseen"),
        "bots" => {
            let seen = warns(comparison, "bots") || warns(comparison, "influence");
            holds(seen, "bots go unseen")?;
            holds(reason != VerdictReason::WorseThanMargin && reason != VerdictReason::Better, "bots decide")
        }
        "novelty" => {
            let trend = comparison.depth.series.first().and_then(|series| series.trend);
            holds(trend.is_some_and(|trend| trend.last_week.is_some()), "the last week is not told")
        }
        "three" => holds(code != VerdictCode::Invalid, "three models are invalid"),
        other => Err(format!("{other} is no preset")),
    }
}

/// Plays a preset once and accepts it.
async fn accepted(preset: &str, n_users: u32, load: Load, more: &[(&str, &str)]) -> Option<Comparison> {
    let comparison = verdict_of(preset, n_users, 7, load, more).await?;
    accept(preset, &comparison).unwrap_or_else(|fault| panic!("{preset}: {fault}"));
    Some(comparison)
}

#[tokio::test]
async fn equal_models_are_neither_worse_nor_better() {
    let Some(comparison) = accepted("null", 500, Load::All, &[]).await else { return };

    let cuped = comparison.depth.adjustments.iter().find(|it| it.kind == "cuped").unwrap();
    assert!(cuped.variance_reduction.unwrap() > 0.1, "{cuped:?}");
    let kinds: Vec<&str> = comparison.depth.adjustments.iter().map(|it| it.kind).collect();
    assert!(["like_for_like", "mantel_haenszel", "users_alike"].iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
    let names: Vec<&str> = comparison.depth.measures.iter().map(|it| it.name).collect();
    assert_eq!(names, ["latency_ms", "ttft_ms", "cost_usd", "input_tokens", "output_tokens", "error_rate"]);
    assert!(comparison.depth.benefit.is_some() && comparison.depth.agreement.is_some());
    assert!(comparison.depth.load.as_ref().unwrap().overlap > 0.9);
    let index = comparison.depth.index.as_ref().unwrap();
    assert!((0.0..=100.0).contains(&index.control) && index.n_weightings == 200 && index.agreeing_share > 0.5);
}

#[tokio::test]
async fn a_worse_model_is_never_switched_to() {
    let Some(comparison) = accepted("worse", 500, Load::All, &[]).await else { return };

    assert!(matches!(comparison.verdict.code, VerdictCode::Keep | VerdictCode::KeepCollecting));
    // The smaller model runs at another load, and is far cheaper.
    assert!(warns(&comparison, "load"));
    assert!(comparison.depth.adjustments.iter().any(|it| it.kind == "same_load"));
    let benefit = comparison.depth.benefit.as_ref().unwrap();
    assert!(benefit.saving_interval.unwrap().low > 0.0 && benefit.saving_per_1000 > 0.0);
}

#[tokio::test]
async fn a_better_model_is_never_said_to_be_worse() {
    let Some(comparison) = accepted("better", 500, Load::All, &[]).await else { return };

    assert_ne!(comparison.verdict.code, VerdictCode::Invalid, "{}", comparison.verdict.sentence);
}

#[tokio::test]
async fn harm_to_code_is_named() {
    let wide = [("margin.good_turn", "0.10"), ("margin.bad_turn", "0.20")];
    let Some(comparison) = accepted("code_harm", 900, Load::All, &wide).await else { return };

    let by_task = of_metric(&comparison, "task", "bad_turn").unwrap();
    let code = by_task.segments.iter().find(|segment| segment.value == "code").unwrap();
    let is_worst = |it: &afterword::report::comparison::segments::Segment| it.estimate <= code.estimate;
    assert!(by_task.segments.iter().all(is_worst), "{by_task:?}");
    assert!(by_task.heterogeneity.unwrap().p < 0.05 && code.q.is_some(), "{by_task:?}");
}

#[tokio::test]
async fn louder_critics_are_no_worse_model() {
    accepted("response_bias", 500, Load::All, &[]).await;
}

#[tokio::test]
async fn harm_that_critics_are_silent_about_is_never_switched_to() {
    accepted("masked_harm", 500, Load::All, &[]).await;
}

#[tokio::test]
async fn ratings_that_were_asked_for_are_weighed_and_cover_the_truth() {
    let Some(comparison) = accepted("solicited", 700, Load::All, &[]).await else { return };

    let solicited = comparison.depth.solicited.unwrap();
    assert!(solicited.n_asked.0 > 100 && solicited.n_rated.1 > 20, "{solicited:?}");
    // The truth is 15 points; a hundred answers on each side tell no more than that.
    let interval = solicited.difference.unwrap().1.unwrap();
    assert!(interval.low < -0.15 && -0.15 < interval.high, "{solicited:?}");
}

#[tokio::test]
async fn a_mix_of_work_that_flatters_the_candidate_is_a_reversal() {
    let Some(comparison) = accepted("simpson", 500, Load::All, &[]).await else { return };

    let like = comparison.depth.adjustments.iter().find(|it| it.kind == "like_for_like").unwrap();
    let crude = comparison.metrics[0].difference.estimate.unwrap();
    assert!(crude > 0.02 && like.estimate.unwrap() < crude / 2.0, "{crude} {like:?}");
    assert!(comparison.depth.adjustments.iter().any(|it| it.kind == "overlap"));
    assert!(check(&comparison, "hidden_cause").is_some() && check(&comparison, "overlap").is_some());
}

#[tokio::test]
async fn lost_units_make_the_comparison_invalid() {
    // The planned shares are judged by units alone, so that each unit's first turn is enough.
    let Some(comparison) = accepted("srm_bug", 4000, Load::FirstTurns, &[]).await else { return };

    assert!(comparison.depth.series.is_empty() && comparison.depth.measures.is_empty());
    assert!(!comparison.depth.exposure.is_empty());
}

#[tokio::test]
async fn bots_are_left_out_and_counted() {
    let Some(comparison) = accepted("bots", 200, Load::All, &[]).await else { return };

    assert!(check(&comparison, "bots").unwrap().detail.contains("left out"), "{:?}", check(&comparison, "bots"));
}

#[tokio::test]
async fn what_wears_off_is_looked_at_day_by_day() {
    let Some(comparison) = accepted("novelty", 700, Load::All, &[]).await else { return };

    // So few users show no trend for certain; what the last week says is told beside it in any case.
    assert!(!comparison.depth.series.is_empty());
    for series in &comparison.depth.series {
        let trend = series.trend.unwrap();
        assert!((0.0..=1.0).contains(&trend.p) && trend.last_week.is_some(), "{series:?}");
        assert!(series.points.len() >= 28, "{}", series.points.len());
    }
}

#[tokio::test]
async fn switched_models_within_a_variant_make_the_comparison_invalid() {
    accepted("crossover", 200, Load::All, &[]).await;
}

#[tokio::test]
async fn a_canary_is_no_broken_assignment() {
    accepted("canary", 400, Load::All, &[]).await;
}

#[tokio::test]
async fn conversations_of_one_user_are_held_against_each_other() {
    let Some(comparison) = accepted("conv_unit", 300, Load::All, &[]).await else { return };

    assert!(comparison.metrics[0].difference.method.contains("paired"), "{}", comparison.metrics[0].difference.method);
    assert_ne!(comparison.metrics[0].status, Status::Worse);
}

#[tokio::test]
async fn several_candidates_are_told_apart_and_corrected_for_each_other() {
    let Some(comparison) = accepted("three", 500, Load::All, &[]).await else { return };

    let candidates = &comparison.depth.candidates;
    let names: Vec<&str> = candidates.iter().map(|candidate| candidate.name.as_str()).collect();
    assert_eq!(names, ["model-b", "model-c"]);
    assert!(candidates.iter().all(|it| it.p.is_none_or(|p| it.p_holm.is_some_and(|corrected| corrected >= p))));
    assert!(candidates.iter().all(|candidate| candidate.cost_difference.is_some_and(|cost| cost < 0.0)));
    let players = &comparison.depth.tournament.as_ref().unwrap().players;
    let strength = |name: &str| players.iter().find(|player| player.name == name).unwrap().strength;
    assert!(players.len() == 3 && strength("model-a").abs() < 1e-12, "{players:?}");
    assert!(strength("model-c") > strength("model-b"), "{players:?}");
}

/// Plays a preset into a database, its rows in their order or the other way round.
async fn loaded(rows: &(Vec<Value>, Vec<Value>), is_reversed: bool) -> Comparison {
    let seeded = Seeded::new().await;
    seeded.declare(declaration("null").unwrap()).await;
    let mut completions: Vec<Value> = rows.0.iter().map(to_completion).collect();
    let mut reactions: Vec<Value> = rows.1.iter().enumerate().map(|(number, row)| to_reaction(number, row)).collect();
    if is_reversed {
        completions.reverse();
        reactions.reverse();
    }
    seeded.completions(&completions).await;
    seeded.feedback(&reactions).await;
    seeded.ask(&[("experiment", "exp-1")]).await.unwrap()
}

#[tokio::test]
async fn the_order_in_which_rows_came_changes_nothing() {
    let Some(rows) = play("null", 60, 3) else {
        eprintln!("SKIPPED: no simulator; set AFTERWORD_SHARED to compare simulated traffic");
        return;
    };

    let (one, other) = (loaded(&rows, false).await, loaded(&rows, true).await);

    assert_eq!(one.depth, other.depth);
    assert_eq!((one.metrics, one.checks, one.verdict), (other.metrics, other.checks, other.verdict));
}

/// Presets of the table with their users.
const PRESETS: &[(&str, u32)] = &[
    ("null", 800),
    ("worse", 800),
    ("small_worse", 800),
    ("better", 800),
    ("code_harm", 800),
    ("response_bias", 800),
    ("masked_harm", 800),
    ("solicited", 800),
    ("simpson", 800),
    ("bots", 800),
    ("novelty", 800),
    ("crossover", 400),
    ("canary", 800),
    ("conv_unit", 800),
];

/// Seeds of the table: how many, and the first.
fn seeds() -> (u32, u32, &'static [(&'static str, u32)]) {
    let number = |name: &str| -> Option<u32> { std::env::var_os(name)?.to_str()?.parse().ok() };
    match number("AFTERWORD_VERDICT_SEEDS") {
        Some(n) => (n, number("AFTERWORD_VERDICT_SEED0").unwrap_or(1), PRESETS),
        // By itself the table has one line, which tells whether it works.
        None => (1, 1, &[("null", 60)]),
    }
}

#[tokio::test]
async fn the_table_of_verdicts_is_accepted() {
    let (n_seeds, first, presets) = seeds();
    let mut faults = Vec::new();
    println!("preset            seeds accepted  verdicts");
    for (preset, n_users) in presets {
        let mut verdicts: std::collections::BTreeMap<String, u32> = std::collections::BTreeMap::new();
        let mut n_accepted = 0;
        for seed in first..first + n_seeds {
            let Some(comparison) = verdict_of(preset, *n_users, seed, Load::All, &[]).await else { return };
            let verdict = format!("{} {}", comparison.verdict.code.as_str(), comparison.verdict.reason.as_str());
            *verdicts.entry(verdict).or_default() += 1;
            match accept(preset, &comparison) {
                Ok(()) => n_accepted += 1,
                Err(fault) => println!("  seed {seed}: {fault}"),
            }
        }
        println!("{preset:16} {n_seeds:6} {n_accepted:8}  {verdicts:?}");
        // What may go wrong by chance may do so in one seed of twenty, and once in few.
        if n_seeds - n_accepted > (n_seeds / 20).max(1) {
            faults.push(*preset);
        }
    }
    assert!(faults.is_empty(), "{faults:?}");
}
