//! What stands behind the verdict, for a terminal: segments, other ways to compute, candidates, costs, ratings, load.

use super::forest::{Axis, LABEL, Position, STATUS};
use super::layout::{Page, Paint, columns, pad, pad_left, signed};
use super::{Comparison, Metric, heat, per};
use crate::report::comparison::costs::{Benefit, Index, Measure};
use crate::report::count::thousands;
use crate::stats::Interval;

/// Writes what belongs to the effects.
pub(super) fn effects(page: &mut Page, comparison: &Comparison) {
    segments(page, comparison);
    adjustments(page, comparison);
    candidates(page, comparison);
}

/// Writes what the effects are paid with and rest on.
pub(super) fn grounds(page: &mut Page, comparison: &Comparison) {
    let depth = &comparison.depth;
    if let Some(index) = &depth.index {
        index_line(page, index);
    }
    if let Some(benefit) = &depth.benefit {
        benefit_line(page, benefit);
    }
    measures(page, &depth.measures);
    ratings(page, comparison);
    heat::draw(page, comparison);
    load(page, comparison);
}

fn metric_named<'a>(comparison: &'a Comparison, name: &str) -> Option<&'a Metric> {
    comparison.metrics.iter().find(|metric| metric.name == name)
}

/// The most columns of a label, so that something is left to draw in on the narrowest page.
const MAX_LABEL: usize = 17;

/// A row of a forest: label, estimate, interval, and a word where one is due.
type Row<'a> = (String, Option<f64>, Option<Interval>, Option<(&'a str, Paint)>);

/// Draws rows in units of the metric's limit, and the same in numbers.
fn rows(page: &mut Page, metric: &Metric, all: &[Row<'_>]) {
    let placed: Vec<Position> =
        all.iter().filter_map(|(_, estimate, interval, _)| Position::against(metric, *estimate, *interval)).collect();
    if placed.len() != all.len() {
        return;
    }
    let value = 24;
    let longest = all.iter().map(|(label, ..)| columns(label) + 1).max().unwrap_or_default();
    let name = longest.clamp(LABEL, MAX_LABEL);
    let axis = Axis::over(placed.iter(), page.width() - name - STATUS - value + 10);
    page.line(format!("{}{}", pad("", name), axis.header()).trim_end());
    for ((label, estimate, interval, word), position) in all.iter().zip(&placed) {
        let unit = per(metric);
        let told = match (estimate, interval) {
            (Some(estimate), Some(Interval { low, high })) => {
                format!("{} [{}, {}]", signed(estimate * unit), signed(low * unit), signed(high * unit))
            }
            (Some(estimate), None) => format!("{} [no spread]", signed(estimate * unit)),
            _ => "–".to_owned(),
        };
        let mark = word.map_or_else(String::new, |(word, paint)| format!(" {}", page.paint(word, paint)));
        let line = format!("{}{} {}{mark}", pad(label, name), axis.row(position), pad(&told, value - 1));
        page.line(line.trim_end());
    }
}

fn segments(page: &mut Page, comparison: &Comparison) {
    for segmentation in &comparison.depth.segmentations {
        let Some(metric) = metric_named(comparison, segmentation.metric) else { continue };
        page.blank();
        page.strong(&format!("{} /{:.0} by {}", metric.title, per(metric), segmentation.by));
        let all: Vec<Row<'_>> = segmentation
            .segments
            .iter()
            .map(|segment| {
                let word = segment.is_harmed.then_some(("HARM", Paint::Bad));
                (segment.value.clone(), segment.estimate, segment.interval, word)
            })
            .collect();
        rows(page, metric, &all);
        if let Some(found) = segmentation.heterogeneity {
            let told = format!(
                "Segments differ by chance alone with p = {:.4}; I² {:.0}%; one sign for all with p = {:.4}.",
                found.p,
                found.i2 * 100.0,
                found.sign_change_p
            );
            page.wrap("  ", &told);
        }
    }
}

fn adjustments(page: &mut Page, comparison: &Comparison) {
    for metric in &comparison.metrics {
        let of = comparison.depth.adjustments.iter().filter(|adjustment| adjustment.metric == metric.name);
        let adjusted: Vec<Row<'_>> = of
            .map(|adjustment| (adjustment.kind.replace('_', " "), adjustment.estimate, adjustment.interval, None))
            .collect();
        if adjusted.is_empty() {
            continue;
        }
        page.blank();
        page.strong(&format!("{} /{:.0} computed otherwise", metric.title, per(metric)));
        let measured = ("as measured".to_owned(), metric.difference.estimate, metric.difference.interval, None);
        rows(page, metric, &std::iter::once(measured).chain(adjusted).collect::<Vec<_>>());
    }
}

fn candidates(page: &mut Page, comparison: &Comparison) {
    if comparison.depth.candidates.len() < 2 {
        return;
    }
    let with_cost = page.width() >= 76;
    page.blank();
    let cost_head = if with_cost { pad_left("$ per turn", 13) } else { String::new() };
    page.strong(&format!(
        "{}{}{}{}{cost_head}",
        pad("Candidates", 18),
        pad("verdict", 17),
        pad_left("p (Holm)", 10),
        pad_left("points", 9)
    ));
    let number = |value: Option<f64>, n_decimals: usize| {
        value.map_or_else(|| "–".to_owned(), |value| format!("{value:.n_decimals$}").replace('-', "−"))
    };
    for candidate in &comparison.depth.candidates {
        let cost = pad_left(&number(candidate.cost_difference, 4), 13);
        let best = if candidate.is_undominated { "  best" } else { "" };
        let line = format!(
            "{}{}{}{}",
            pad(&candidate.name, 17) + " ",
            pad(&candidate.code.as_str().replace('_', " "), 17),
            pad_left(&number(candidate.p_holm, 4), 10),
            pad_left(&candidate.estimate.map_or_else(|| "–".to_owned(), |value| signed(value * 100.0)), 9)
        );
        page.line(&if with_cost { format!("{line}{cost}{best}") } else { line });
    }
}

fn index_line(page: &mut Page, index: &Index) {
    let ends = index
        .interval
        .map_or_else(String::new, |Interval { low, high }| format!(" [{}, {}]", signed(low), signed(high)));
    let told = format!(
        "{:.2} for the candidate, {:.2} for the control: {}{ends}; told the same under {:.0}% of {} weightings.",
        index.candidate,
        index.control,
        signed(index.estimate),
        index.agreeing_share * 100.0,
        index.n_weightings
    );
    page.blank();
    page.wrap("Index: ", &told);
}

fn benefit_line(page: &mut Page, benefit: &Benefit) {
    let mut told = format!("saves ${:.2} per 1000 turns", benefit.saving_per_1000).replace("$-", "−$");
    if let Some(Interval { low, high }) = benefit.saving_interval {
        told.extend([format!(" [{low:.2}, {high:.2}]").replace('-', "−")]);
    }
    if let Some(price) = benefit.breaks_even_at {
        told.extend([format!("; pays where a lost good turn costs less than ${price:.2}")]);
    }
    if let Some(price) = benefit.surely_pays_below {
        told.extend([format!(", surely below ${price:.2}")]);
    }
    if let Some(n_fewer) = benefit.worst_case_per_10_000 {
        told.extend([format!("; at worst {n_fewer:.0} good turns fewer in 10,000")]);
    }
    page.blank();
    page.wrap("Money: ", &format!("{told}."));
}

fn measures(page: &mut Page, measures: &[Measure]) {
    if measures.is_empty() {
        return;
    }
    page.blank();
    let cell = 12;
    let head = ["p50 now", "p50 then", "p95 now", "p95 then"].map(|name| pad_left(name, cell));
    page.strong(&format!("{}{}", pad("", page.width() - 4 * cell), head.concat()));
    for measure in measures {
        let number = |value: Option<f64>| {
            value.map_or_else(
                || "–".to_owned(),
                |value| match value {
                    value if value >= 100.0 => thousands(value.round() as u64),
                    value if value >= 1.0 => format!("{value:.1}"),
                    value => format!("{value:.5}"),
                },
            )
        };
        let cells = [measure.control.p50, measure.candidate.p50, measure.control.p95, measure.candidate.p95]
            .map(|value| pad_left(&number(value), cell));
        page.line(&format!("{}{}", pad(measure.title, page.width() - 4 * cell), cells.concat()));
    }
}

fn ratings(page: &mut Page, comparison: &Comparison) {
    let Some(share) = comparison.depth.up_share else { return };
    let percent = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{:.1}%", value * 100.0));
    let mut told = format!(
        "{} of the control's thumbs are up and {} of the candidate's; odds ratio {:.2}",
        percent(share.control),
        percent(share.candidate),
        share.odds_ratio
    );
    if let Some(Interval { low, high }) = share.interval {
        told.extend([format!(" [{low:.2}, {high:.2}]")]);
    }
    if let Some(factor) = share.tipping_factor {
        told.extend([format!("; explained away only if critics of one side were {factor:.2} times as loud")]);
    }
    page.blank();
    page.wrap("Thumbs: ", &format!("{told}."));
}

fn load(page: &mut Page, comparison: &Comparison) {
    let Some(load) = &comparison.depth.load else { return };
    page.blank();
    page.strong(&format!("Cache use while answering: overlap {:.0}%", load.overlap * 100.0));
    let room = (page.width() - 26) / 2;
    let bar = |share: f64| pad(&"█".repeat((share * room as f64).round() as usize), room);
    for ((end, control), candidate) in load.bin_ends.iter().zip(&load.control).zip(&load.candidate) {
        let percent = |share: f64| pad_left(&format!("{:.1}%", share * 100.0), 7);
        let to = pad_left(&format!("to {:.0}%", end * 100.0), 9);
        page.line(
            format!("{to}{} {}{} {}", percent(*control), bar(*control), percent(*candidate), bar(*candidate))
                .trim_end(),
        );
    }
}
