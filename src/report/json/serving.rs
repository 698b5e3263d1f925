//! A serving report in its wire form. It computes nothing: every number is one of the report's own.

use serde_json::{Map, Value, json};

use super::moment;
use crate::domain::bands::Bands;
use crate::report::serving::{
    Banded, BandedMetric, Gap, LengthMap, Measure, Percentiles, Quality, ServingReport, Usage, UsagePoint, Week,
};
use crate::stats::Interval;

/// Writes a report as it goes over the wire.
pub fn to_json(report: &ServingReport) -> Value {
    let filters: Map<String, Value> = report.filters.iter().map(|(name, words)| (name.clone(), json!(words))).collect();
    let models: Vec<Value> =
        report.models.iter().map(|(name, n_turns)| json!({ "model": name, "n_turns": n_turns })).collect();
    json!({
        "from": moment(report.from),
        "to": moment(report.to),
        "filters": filters,
        "trust": report.trust,
        "n_turns": report.n_turns,
        "n_users": report.n_users,
        "n_bots": report.n_bots,
        "models": models,
        "n_models": report.n_models,
        "findings": report.findings,
        "usage": report.usage.as_ref().map(usage),
        "lengths": report.lengths.as_ref().map(lengths),
        "weeks": report.weeks.iter().map(week).collect::<Vec<_>>(),
        "quality": quality(&report.quality),
        "notes": report.notes,
        "computed_at": moment(report.computed_at),
    })
}

fn interval(interval: Interval) -> Value {
    json!({ "low": interval.low, "high": interval.high })
}

/// Writes bands with what is told of each.
fn bands(bands: &Bands, told: impl Fn(usize) -> Value) -> Value {
    let band = |place: usize| {
        let (low, high) = bands.ends(place);
        let mut band = json!({ "label": bands.labels.get(place), "low": low, "high": high });
        if let (Some(band), Value::Object(told)) = (band.as_object_mut(), told(place)) {
            band.extend(told);
        }
        band
    };
    Value::Array((0..bands.n()).map(band).collect())
}

fn usage(usage: &Usage) -> Value {
    let headroom: Vec<Value> = usage
        .headroom
        .iter()
        .map(|headroom| json!({ "limit": headroom.limit, "more_traffic": headroom.more_traffic }))
        .collect();
    json!({
        "source": usage.source.as_str(),
        "bin_s": usage.bin_s,
        "points": usage.points.iter().map(usage_point).collect::<Vec<_>>(),
        "all": usage_point(&usage.all),
        "bands": bands(&crate::domain::bands::KV_USAGE, |place| json!({ "share": usage.shares.get(place) })),
        "headroom": headroom,
    })
}

fn usage_point(point: &UsagePoint) -> Value {
    json!({
        "at": moment(point.at),
        "n": point.n,
        "mean": point.mean,
        "p95": point.p95,
        "max": point.max,
        "n_waiting_known": point.n_waiting_known,
        "waiting_share": point.waiting_share,
        "n_waiting_max": point.n_waiting_max,
    })
}

fn lengths(map: &LengthMap) -> Value {
    json!({
        "n_turns": map.n_turns,
        "input_bins": bands(&map.input, |_| json!({})),
        "output_bins": bands(&map.output, |_| json!({})),
        "n": map.n,
    })
}

fn week(week: &Week) -> Value {
    let percentiles = |found: &Percentiles| json!({ "n": found.n, "p50": found.p50, "p95": found.p95, "p95_change": found.p95_change });
    json!({
        "monday": week.monday.to_string(),
        "n_turns": week.n_turns,
        "input_tokens": week.input.as_ref().map(percentiles),
        "output_tokens": week.output.as_ref().map(percentiles),
    })
}

fn quality(quality: &Quality) -> Value {
    json!({
        "alpha": quality.alpha,
        "n_differences": quality.n_differences,
        "measures": quality.measures.iter().map(measure).collect::<Vec<_>>(),
    })
}

fn measure(measure: &Measure) -> Value {
    let notice = measure.notice.as_ref().map(|notice| json!({ "band": notice.band, "metrics": notice.metrics }));
    json!({
        "name": measure.bands.name,
        "title": measure.title,
        "within": measure.within,
        "n_turns": measure.n_turns,
        "base_band": measure.base,
        "notice": notice,
        "metrics": measure.metrics.iter().map(|it| metric(measure, it)).collect::<Vec<_>>(),
    })
}

fn metric(measure: &Measure, metric: &BandedMetric) -> Value {
    let told = |place: usize| metric.bands.get(place).map_or_else(|| json!({}), |band| banded(metric, band));
    json!({
        "name": metric.name,
        "title": metric.title,
        "higher_is_better": metric.higher_is_better,
        "bands": bands(&measure.bands, told),
    })
}

fn banded(metric: &BandedMetric, band: &Banded) -> Value {
    let difference = |gap: &Gap| {
        json!({
            "estimate": gap.estimate,
            "interval": interval(gap.interval),
            "p": gap.p,
            "support": gap.support,
            "standing": gap.standing(metric.higher_is_better).as_str(),
        })
    };
    json!({
        "n_turns": band.rate.n,
        "n_users": band.rate.n_users,
        "n_events": band.n_events,
        "rate": band.rate.estimate,
        "interval": band.rate.interval.map(interval),
        "difference": band.difference.as_ref().map(difference),
    })
}
