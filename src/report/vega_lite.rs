//! A comparison as a Vega-Lite specification, for whoever wants to plot it again: the plotted numbers stand in it.
//!
//! It holds the forest of the metrics and the cumulative difference of each series. Differences are candidate minus
//! control in percentage points and are not mirrored: a plot of one's own may choose.

use serde_json::{Value, json};

use super::comparison::over_time::Series;
use super::comparison::{Comparison, Metric};

/// The version of the grammar that the specification follows.
pub const SCHEMA: &str = "https://vega.github.io/schema/vega-lite/v6.json";

/// Its media type.
pub const MEDIA_TYPE: &str = "application/vnd.vegalite.v6+json";

/// Writes the specification; where the verdict withholds the numbers its views hold none.
pub fn to_vega_lite(comparison: &Comparison) -> Value {
    let shown = !comparison.verdict.withholds_numbers;
    let metrics: &[Metric] = if shown { &comparison.metrics } else { &[] };
    let all_series: &[Series] = if shown { &comparison.depth.series } else { &[] };
    let mut views = vec![forest(metrics)];
    views.extend(all_series.iter().map(|series| over_time(series, metrics)));
    json!({
        "$schema": SCHEMA,
        "title": { "text": comparison.verdict.code.as_str(), "subtitle": comparison.verdict.sentence },
        "vconcat": views,
    })
}

fn points(share: Option<f64>) -> Option<f64> {
    share.map(|share| share * 100.0)
}

/// Returns where a limit stands, on the side on which it can be broken.
fn limit(metric: &Metric) -> Option<f64> {
    points(metric.margin.map(|margin| if metric.higher_is_better { -margin.absolute } else { margin.absolute }))
}

fn rule(axis: &str, field: &str) -> Value {
    json!({ "mark": { "type": "rule", "strokeDash": [5, 4], "color": "#b14a00" }, "encoding": { axis: { "field": field, "type": "quantitative" } } })
}

fn forest(metrics: &[Metric]) -> Value {
    let values = metrics.iter().map(|metric| {
        let interval = metric.difference.interval;
        json!({
            "metric": metric.name,
            "title": metric.title,
            "role": metric.role.as_str(),
            "status": metric.status.as_str(),
            "higher_is_better": metric.higher_is_better,
            "n_control": metric.control.n,
            "n_candidate": metric.candidate.n,
            "estimate_points": points(metric.difference.estimate),
            "low_points": points(interval.map(|interval| interval.low)),
            "high_points": points(interval.map(|interval| interval.high)),
            "limit_points": limit(metric),
        })
    });
    let row = json!({ "field": "title", "type": "nominal", "sort": null, "title": null });
    let x = |field: &str| json!({ "field": field, "type": "quantitative", "title": "candidate minus control, points" });
    json!({
        "data": { "values": values.collect::<Vec<_>>() },
        "width": 480,
        "layer": [
            { "mark": { "type": "rule", "color": "#5c6269" }, "encoding": { "x": { "datum": 0 } } },
            { "mark": "rule", "encoding": { "y": row, "x": x("low_points"), "x2": { "field": "high_points" } } },
            {
                "mark": { "type": "tick", "color": "#b14a00", "thickness": 2 },
                "encoding": { "y": row, "x": x("limit_points") },
            },
            {
                "mark": { "type": "point", "filled": true, "size": 70 },
                "encoding": {
                    "y": row,
                    "x": x("estimate_points"),
                    "shape": { "field": "status", "type": "nominal" },
                    "color": { "field": "status", "type": "nominal" },
                },
            },
        ],
    })
}

fn over_time(series: &Series, metrics: &[Metric]) -> Value {
    let metric = metrics.iter().find(|metric| metric.name == series.metric);
    let values = series.points.iter().map(|point| {
        json!({
            "day": point.day.to_string(),
            "n_users": point.n_users,
            "estimate_points": points(point.estimate),
            "fixed_low_points": points(point.fixed.map(|interval| interval.low)),
            "fixed_high_points": points(point.fixed.map(|interval| interval.high)),
            "anytime_low_points": points(point.anytime.map(|interval| interval.low)),
            "anytime_high_points": points(point.anytime.map(|interval| interval.high)),
            "limit_points": metric.and_then(limit),
        })
    });
    let day = json!({ "field": "day", "type": "temporal", "title": null });
    let y = |field: &str| json!({ "field": field, "type": "quantitative", "title": "difference, points" });
    let band = |low: &str, high: &str, opacity: f64| {
        json!({
            "mark": { "type": "area", "color": "#0072b2", "opacity": opacity },
            "encoding": { "x": day, "y": y(low), "y2": { "field": high } },
        })
    };
    json!({
        "title": metric.map_or(series.metric, |metric| metric.title),
        "data": { "values": values.collect::<Vec<_>>() },
        "width": 480,
        "layer": [
            band("anytime_low_points", "anytime_high_points", 0.2),
            band("fixed_low_points", "fixed_high_points", 0.35),
            { "mark": { "type": "rule", "color": "#5c6269" }, "encoding": { "y": { "datum": 0 } } },
            rule("y", "limit_points"),
            { "mark": { "type": "line", "color": "#1b1d20" }, "encoding": { "x": day, "y": y("estimate_points") } },
        ],
    })
}
