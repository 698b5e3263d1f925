//! The answer in words: where users begin to notice, and what capacity is left.
//!
//! It computes nothing: what it says stands in the report as numbers.

use crate::domain::bands::KV_USAGE;
use crate::report::count::{counted, thousands};
use crate::report::serving::{Measure, ServingReport, Usage, UsageSource};
use crate::service::compare::words::{join, percent};

/// Says what was found, the most important first.
pub(super) fn findings(report: &ServingReport) -> Vec<String> {
    if report.n_turns == 0 {
        return vec!["There are no completions of these models in this window.".to_owned()];
    }
    let mut findings: Vec<String> = report.quality.measures.iter().map(noticed).collect();
    match &report.usage {
        Some(usage) => findings.push(capacity(usage)),
        None => findings.push(
            "Nobody told how full the KV cache was: neither watched engines nor completions. What capacity is left is not \
             known."
                .to_owned(),
        ),
    }
    findings
}

/// Says where users begin to notice, or that they do not for certain.
fn noticed(measure: &Measure) -> String {
    let title = measure.title;
    let label = |band: usize| measure.bands.labels.get(band).copied().unwrap_or_default();
    let Some(base) = measure.base else {
        return format!("{title}: no band has enough users to be compared.");
    };
    let n_compared = measure.metrics.iter().flat_map(|it| &it.bands).filter(|it| it.difference.is_some()).count();
    match &measure.notice {
        Some(notice) => {
            let told: Vec<String> = measure
                .metrics
                .iter()
                .filter(|metric| notice.metrics.contains(&metric.name))
                .filter_map(|metric| Some((metric, metric.bands.get(notice.band)?.difference?)))
                .map(|(metric, gap)| format!("{} {}", metric.title.to_lowercase(), points(gap.estimate)))
                .collect();
            format!(
                "{title}: users begin to notice at {}: {}, beside {} and within {}.",
                label(notice.band),
                join(&told),
                label(base),
                measure.within,
            )
        }
        None if n_compared == 0 => format!("{title}: there is nothing to compare {} with yet.", label(base)),
        None => format!("{title}: no band is worse than {} for certain.", label(base)),
    }
}

/// Writes a difference in percentage points.
fn points(difference: f64) -> String {
    format!("{:+.1} points", difference * 100.0).replace('-', "−")
}

/// Says what capacity is left.
fn capacity(usage: &Usage) -> String {
    let mut below = 0.0;
    let told: Vec<String> = KV_USAGE
        .edges
        .iter()
        .zip(&usage.shares)
        .map(|(edge, share)| {
            below += share;
            format!("below {} for {}", percent(*edge, 0), percent(below, 1))
        })
        .collect();
    let of_what = match usage.source {
        UsageSource::Engines => "of the time",
        UsageSource::Completions => "of the turns",
    };
    let shares = format!("The KV cache was {} {of_what}", join(&told));
    let Some(p95) = usage.all.p95 else { return format!("{shares}.") };
    let words = format!("{shares}; its 95th percentile is {}.", percent(p95, 0));
    let room: Vec<String> = usage
        .headroom
        .iter()
        .filter_map(|headroom| {
            let more = headroom.more_traffic?;
            let limit = percent(headroom.limit, 0);
            Some(if more > 0.0 {
                format!("about {} more traffic until that is {limit}", percent(more, 0))
            } else {
                format!("none until {limit}, which it has reached")
            })
        })
        .collect();
    if room.is_empty() { words } else { format!("{words} Room: {}.", join(&room)) }
}

/// Says what a reader must know besides.
pub(super) fn notes(report: &ServingReport, n_without_load: u64) -> Vec<String> {
    let mut notes = Vec::new();
    if report.n_turns == 0 {
        return notes;
    }
    notes.push(
        "These are associations and no effects: nobody assigned load by chance. Busy hours have other users and other \
         questions; within model and length they are more alike, and not the same."
            .to_owned(),
    );
    notes.push(format!(
        "The intervals of the {} hold together: the chance that any of them is wrong is at most {}. They are clustered by \
         user.",
        counted(report.quality.n_differences, "difference"),
        percent(report.quality.alpha, 0),
    ));
    if report.usage.is_some() {
        notes.push(
            "Room assumes that the use of the cache grows with the traffic, at the same mix of lengths and as evenly spread \
             over the engines as now."
                .to_owned(),
        );
    }
    if report.usage.as_ref().is_some_and(|usage| usage.source == UsageSource::Completions) {
        notes.push(
            "No watched engine reported these models: the use of the cache is what completions tell of their ends, so that \
             busy times count as often as they have turns, and queues are not known."
                .to_owned(),
        );
    }
    if n_without_load > 0 {
        let share = percent(n_without_load as f64 / report.n_turns as f64, 1);
        notes.push(format!("{} ({share}) tell no load.", counted(n_without_load, "turn")));
    }
    if report.n_models > report.models.len() as u64 {
        let n_more = report.n_models - report.models.len() as u64;
        notes.push(format!("{} more models are counted and not named.", thousands(n_more)));
    }
    if report.n_bots > 0 {
        notes.push(format!("Left out of what users do, as no persons: {}.", counted(report.n_bots, "user")));
    }
    notes
}
