//! A plan in its wire form.

use serde_json::{Map, Value, json};

use super::moment;
use crate::report::plan::{Ahead, Needed, Plan, PlanBasis, PlannedMetric};

/// Writes a plan as it goes over the wire.
pub fn to_json(plan: &Plan) -> Value {
    let metrics: Vec<Value> = plan.metrics.iter().map(metric_json).collect();
    json!({
        "basis": basis_json(&plan.basis),
        "share": plan.share,
        "alpha": plan.alpha,
        "power": plan.power,
        "sentence": plan.sentence,
        "notes": plan.notes,
        "metrics": metrics,
        "longest": plan.longest,
        "n_days": plan.n_days,
        "computed_at": moment(plan.computed_at),
    })
}

fn basis_json(basis: &PlanBasis) -> Value {
    match basis {
        PlanBasis::Traffic { control, window, n_days, n_users, n_turns, trust, filters } => {
            let filters: Map<String, Value> =
                filters.iter().map(|(name, words)| (name.clone(), json!(words))).collect();
            json!({
                "kind": "traffic",
                "control": control,
                "window": { "first_at": moment(window.0), "last_at": moment(window.1) },
                "n_days": n_days,
                "n_users": n_users,
                "n_turns": n_turns,
                "trust": trust,
                "filters": filters,
            })
        }
        PlanBasis::Numbers { users_per_day, turns_per_user, icc } => json!({
            "kind": "numbers",
            "users_per_day": users_per_day,
            "turns_per_user": turns_per_user,
            "icc": icc,
        }),
    }
}

fn metric_json(metric: &PlannedMetric) -> Value {
    let ahead: Vec<Value> = metric.ahead.iter().map(ahead_json).collect();
    json!({
        "name": metric.name,
        "title": metric.title,
        "higher_is_better": metric.higher_is_better,
        "baseline": metric.baseline,
        "deff": metric.deff,
        "margin": {
            "declared": metric.margin.relative,
            "absolute": metric.margin.absolute,
            "below_floor": metric.margin.below_floor,
        },
        "power": metric.power,
        "at_every_look": metric.at_every_look.as_ref().map(needed_json),
        "at_one_look": metric.at_one_look.as_ref().map(needed_json),
        "ahead": ahead,
    })
}

fn needed_json(needed: &Needed) -> Value {
    json!({
        "n_users": needed.n_users,
        "n_users_candidate": needed.n_users_candidate,
        "n_turns": needed.n_turns,
        "n_days": needed.n_days,
        "is_extrapolated": needed.is_extrapolated,
    })
}

fn ahead_json(ahead: &Ahead) -> Value {
    json!({
        "n_days": ahead.n_days,
        "n_users": ahead.n_users,
        "provable_at_every_look": ahead.provable_at_every_look,
        "provable_at_one_look": ahead.provable_at_one_look,
        "power_at_every_look": ahead.power_at_every_look,
        "power_at_one_look": ahead.power_at_one_look,
    })
}
