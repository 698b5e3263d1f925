//! A comparison in its wire form. It computes nothing: every number is one of the comparison's own.

mod depth;
pub mod plan;
pub mod serving;

use serde_json::{Map, Value, json};

use super::comparison::{Comparison, Metric, Preference, Rate, Side, Status};
use crate::domain::clock::Timestamp;
use crate::stats::Interval;
use crate::stats::verdict::ComparisonMode;

/// Writes a comparison as it goes over the wire. Where the verdict withholds the numbers, each of them is null.
pub fn to_json(comparison: &Comparison) -> Value {
    let withholds = comparison.verdict.withholds_numbers;
    let metrics: Vec<Value> = comparison.metrics.iter().map(|metric| metric_json(metric, withholds)).collect();
    let checks: Vec<Value> = comparison
        .checks
        .iter()
        .map(|check| {
            json!({
                "name": check.name,
                "title": check.title,
                "status": check.status.as_str(),
                "detail": check.detail,
            })
        })
        .collect();
    let departures: Vec<Value> = comparison
        .margin_departures
        .iter()
        .map(|(name, planned, asked)| json!({ "name": name, "planned": planned, "asked": asked }))
        .collect();
    let filters: Map<String, Value> =
        comparison.filters.iter().map(|(name, words)| (name.clone(), json!(words))).collect();
    json!({
        "control": side_json(&comparison.control, withholds),
        "candidate": side_json(&comparison.candidate, withholds),
        "mode": mode_word(comparison.mode),
        "experiment": comparison.experiment.as_ref().map(|facts| json!({
            "key": facts.key,
            "declared_at": moment(facts.declared_at),
            "planned_shares": { "control": facts.planned_shares.0, "candidate": facts.planned_shares.1 },
        })),
        "unit": comparison.unit.as_str(),
        "alpha": comparison.alpha,
        "verdict": {
            "code": comparison.verdict.code.as_str(),
            "reason": comparison.verdict.reason.as_str(),
            "sentence": comparison.verdict.sentence,
            "rule": comparison.verdict.rule,
            "next": comparison.verdict.next,
            "withholds_numbers": withholds,
        },
        "metrics": metrics,
        "checks": checks,
        "preference": comparison.preference.filter(|_| !withholds).map(|preference| preference_json(&preference)),
        "depth": depth::depth_json(comparison),
        "window": comparison.window.map(|(first, last)| json!({ "first_at": moment(first), "last_at": moment(last) })),
        "n_days": comparison.n_days,
        "trust": comparison.trust,
        "n_unverified": comparison.n_unverified,
        "filters": filters,
        "departures": departures,
        "computed_at": moment(comparison.computed_at),
    })
}

/// Returns the word of a mode on the wire.
pub(super) fn mode_word(mode: ComparisonMode) -> &'static str {
    match mode {
        ComparisonMode::Randomised => "randomised",
        ComparisonMode::Observational => "observational",
    }
}

/// Writes a moment as the API does everywhere.
pub(super) fn moment(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

fn side_json(side: &Side, withholds: bool) -> Value {
    let shown = |n: u64| Some(n).filter(|_| !withholds);
    json!({
        "name": side.name,
        "model": side.model,
        "n_users": side.n_users,
        "n_completions": side.n_completions,
        "n_turns": side.n_turns,
        "funnel": {
            "n_turns": side.n_turns,
            "n_seen": shown(side.n_seen),
            "n_any_signal": shown(side.n_any_signal),
            "n_explicit": shown(side.n_explicit),
            "n_wrote": shown(side.n_wrote),
        },
    })
}

fn metric_json(metric: &Metric, withholds: bool) -> Value {
    let shown = |interval: Option<Interval>| interval.filter(|_| !withholds);
    let difference = shown(metric.difference.interval);
    let status = if withholds { Status::Undecided } else { metric.status };
    json!({
        "name": metric.name,
        "title": metric.title,
        "definition": metric.definition,
        "role": metric.role.as_str(),
        "is_judged": metric.is_judged,
        "higher_is_better": metric.higher_is_better,
        "control": rate_json(&metric.control, withholds),
        "candidate": rate_json(&metric.candidate, withholds),
        "difference": {
            "estimate": metric.difference.estimate.filter(|_| !withholds),
            "low": difference.map(|interval| interval.low),
            "high": difference.map(|interval| interval.high),
            "method": metric.difference.method,
        },
        // A margin below the floor is replaced by the floor, which is absolute.
        "margin": metric.margin.map(|margin| json!({
            "kind": if margin.below_floor { "absolute" } else { "relative" },
            "value": if margin.below_floor { margin.absolute } else { margin.relative },
            "declared": margin.relative,
            "absolute": Some(margin.absolute).filter(|_| !withholds),
            "below_floor": margin.below_floor,
        })),
        "status": status.as_str(),
        "note": metric.note,
    })
}

fn rate_json(rate: &Rate, withholds: bool) -> Value {
    let interval = rate.interval.filter(|_| !withholds);
    json!({
        "n": rate.n,
        "n_users": rate.n_users,
        "estimate": rate.estimate.filter(|_| !withholds),
        "low": interval.map(|interval| interval.low),
        "high": interval.map(|interval| interval.high),
    })
}

fn preference_json(preference: &Preference) -> Value {
    json!({
        "n": preference.n_wins + preference.n_losses + preference.n_ties,
        "wins": preference.n_wins,
        "losses": preference.n_losses,
        "ties": preference.n_ties,
        "share": preference.share,
        "low": preference.interval.map(|interval| interval.low),
        "high": preference.interval.map(|interval| interval.high),
        "p": preference.p,
    })
}
