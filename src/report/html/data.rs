//! The data block: every number of the page as JSON.

use serde_json::{Value, json};

use super::{exposure, funnel};
use crate::report::comparison::{Comparison, Metric, Rate, Side};

/// Returns the page's numbers; without any estimate where the verdict withholds them.
pub(super) fn block(comparison: &Comparison) -> Value {
    let mut block = wire_form(comparison);
    if let Some(fields) = block.as_object_mut() {
        if comparison.verdict.withholds_numbers {
            fields.remove("metrics");
            fields.remove("preference");
        } else {
            fields.insert("funnel".to_owned(), funnel_shares(comparison));
        }
        fields.insert("exposure".to_owned(), exposure_shares(comparison));
    }
    block
}

fn wire_form(comparison: &Comparison) -> Value {
    json!({
        "control": side(&comparison.control),
        "candidate": side(&comparison.candidate),
        "unit": comparison.unit.as_str(),
        "alpha": comparison.alpha,
        "verdict": {
            "code": comparison.verdict.code.as_str(),
            "reason": comparison.verdict.reason.as_str(),
            "sentence": comparison.verdict.sentence,
            "rule": comparison.verdict.rule,
            "next": comparison.verdict.next,
        },
        "metrics": comparison.metrics.iter().map(metric).collect::<Vec<_>>(),
        "preference": comparison.preference.map(|preference| json!({
            "wins": preference.n_wins,
            "losses": preference.n_losses,
            "ties": preference.n_ties,
            "share": preference.share,
            "low": preference.interval.map(|interval| interval.low),
            "high": preference.interval.map(|interval| interval.high),
            "p": preference.p,
        })),
        "checks": comparison.checks.iter().map(|check| json!({
            "name": check.name, "status": check.status.as_str(), "detail": check.detail,
        })).collect::<Vec<_>>(),
    })
}

fn side(side: &Side) -> Value {
    json!({ "name": side.name, "model": side.model, "n_users": side.n_users, "n_turns": side.n_turns })
}

fn rate(rate: &Rate) -> Value {
    json!({
        "n": rate.n,
        "n_users": rate.n_users,
        "estimate": rate.estimate,
        "low": rate.interval.map(|interval| interval.low),
        "high": rate.interval.map(|interval| interval.high),
    })
}

fn metric(metric: &Metric) -> Value {
    json!({
        "name": metric.name,
        "role": metric.role.as_str(),
        "higher_is_better": metric.higher_is_better,
        "control": rate(&metric.control),
        "candidate": rate(&metric.candidate),
        "difference": {
            "estimate": metric.difference.estimate,
            "low": metric.difference.interval.map(|interval| interval.low),
            "high": metric.difference.interval.map(|interval| interval.high),
            "method": metric.difference.method,
        },
        "margin": metric.margin.map(|margin| json!({ "relative": margin.relative, "absolute": margin.absolute })),
        "status": metric.status.as_str(),
    })
}

fn funnel_shares(comparison: &Comparison) -> Value {
    let stages = funnel::stages(comparison).into_iter().map(|stage| {
        let side = |index: usize| json!({ "n": stage.n[index], "per_turn": stage.per_turn[index] });
        json!({ "name": stage.name, "control": side(0), "candidate": side(1) })
    });
    Value::Array(stages.collect())
}

fn exposure_shares(comparison: &Comparison) -> Value {
    exposure::exposure(comparison).map_or(Value::Null, |exposure| {
        let side = |index: usize| {
            json!({
                "n_units": exposure.n_units[index],
                "planned": exposure.planned[index],
                "observed": exposure.observed.map(|observed| observed[index]),
            })
        };
        json!({ "control": side(0), "candidate": side(1) })
    })
}
