//! The data block: the comparison in its wire form, and the shares of counts that only the figures need.

use serde_json::{Number, Value, json};

use super::{exposure, funnel, words};
use crate::report::comparison::Comparison;
use crate::report::json::to_json;

/// Returns every number of the page, in seven digits; no estimate where the verdict withholds them.
pub(super) fn json(comparison: &Comparison) -> Value {
    let mut block = to_json(comparison);
    if let Some(fields) = block.as_object_mut() {
        let funnel = (!comparison.verdict.withholds_numbers).then(|| funnel_shares(comparison));
        if let Some(depth) = fields.get_mut("depth") {
            columns_of_series(depth);
        }
        fields.insert("figures".to_owned(), json!({ "funnel": funnel, "exposure": exposure_shares(comparison) }));
    }
    shorten(&mut block);
    block
}

/// Rounds every number to the digits that a page has any use for: with all seventeen they would be half of the page.
fn shorten(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            if let Some(held) = number.as_f64().map(words::held).and_then(Number::from_f64) {
                *number = held;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(shorten),
        Value::Object(fields) => fields.values_mut().for_each(shorten),
        _ => {}
    }
}

/// Writes the days of a series as columns: the same numbers in half the bytes, since no name is told twice.
fn columns_of_series(depth: &mut Value) {
    for series in depth["series"].as_array_mut().into_iter().flatten() {
        let Some(points) = series["points"].as_array() else { continue };
        let column = |read: fn(&Value) -> &Value| points.iter().map(|point| read(point).clone()).collect::<Value>();
        series["points"] = json!({
            "day": column(|point| &point["day"]),
            "n_users": column(|point| &point["n_users"]),
            "estimate": column(|point| &point["estimate"]),
            "fixed": {
                "low": column(|point| &point["fixed"]["low"]),
                "high": column(|point| &point["fixed"]["high"]),
            },
            "anytime": {
                "low": column(|point| &point["anytime"]["low"]),
                "high": column(|point| &point["anytime"]["high"]),
            },
        });
    }
}

fn funnel_shares(comparison: &Comparison) -> Value {
    let stages = funnel::stages(comparison).into_iter().map(|stage| {
        let side = |index: usize| json!({ "n": stage.n[index], "per_turn": stage.per_turn[index] });
        json!({ "name": stage.name, "control": side(0), "candidate": side(1) })
    });
    Value::Array(stages.collect())
}

fn exposure_shares(comparison: &Comparison) -> Option<Value> {
    let exposure = exposure::exposure(comparison)?;
    let side = |index: usize| {
        json!({
            "n_units": exposure.n_units[index],
            "planned": exposure.planned[index],
            "observed": exposure.observed.map(|observed| observed[index]),
        })
    };
    Some(json!({ "control": side(0), "candidate": side(1) }))
}
