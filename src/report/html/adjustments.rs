//! The same differences computed otherwise: like for like, with less noise, at the same load.

use super::figure::{self, Figure};
use super::rows::{self, Row, Rows, Standing};
use super::segments::{overall, pts};
use super::{numbers, words};
use crate::report::comparison::segments::Adjustment;
use crate::report::comparison::{Comparison, Metric};
use crate::report::markup::Element;

/// Makes the section, where anything was adjusted.
pub(super) fn section(comparison: &Comparison) -> Option<Element> {
    let mut section = figure::section("adjusted", "Like for like, is it the same?");
    let mut n_figures = 0;
    for metric in &comparison.metrics {
        let of: Vec<&Adjustment> =
            comparison.depth.adjustments.iter().filter(|adjustment| adjustment.metric == metric.name).collect();
        if !of.is_empty() {
            section = section.child(one(metric, &of, n_figures == 0));
            n_figures += 1;
        }
    }
    (n_figures > 0).then_some(section)
}

fn one(metric: &Metric, adjustments: &[&Adjustment], is_first: bool) -> Element {
    let id = format!("adjusted-{}", metric.name);
    let finding = finding(metric, adjustments);
    let key = is_first.then(|| {
        figure::reading(
            "The first row is the difference that decides. The others ask the same question otherwise; where they \
             disagree with it, the mix of work, of users or of load differs between the sides.",
        )
    });
    let mut all = vec![overall(metric, "As measured")];
    all.extend(adjustments.iter().map(|adjustment| row(metric, adjustment)));
    let rows = Rows {
        rows: &all,
        wall: rows::margin_points(metric).map(|margin| -margin),
        ways: ("← worse", "better →"),
        zero: "no difference",
    };
    Figure { id: &id, title: &format!("{}, computed otherwise", metric.title), finding: &finding, key }
        .half(|sheet| rows.draw(sheet), [table(&id, metric, adjustments)])
}

/// Returns what an adjustment does, in two or three words and in some more.
pub(super) fn kind_words(kind: &str) -> (&str, &str) {
    match kind {
        "cuped" => ("Less noise", "by the users’ own past"),
        "like_for_like" => ("Like for like", "same tasks and lengths"),
        "mantel_haenszel" => ("Cross-check", "Mantel–Haenszel"),
        "overlap" => ("Overlap weights", "where either was likely"),
        "same_load" => ("Same load", "cache use made alike"),
        "users_alike" => ("Users alike", "each counts the same"),
        other => (other, ""),
    }
}

fn finding(metric: &Metric, adjustments: &[&Adjustment]) -> String {
    let n_decimals = words::decimals_of(metric);
    let Some(measured) = metric.difference.estimate else {
        return format!("{}: nothing to compare with.", metric.title);
    };
    let turned: Vec<&str> = adjustments
        .iter()
        .filter(|adjustment| adjustment.estimate.is_some_and(|estimate| estimate * measured < 0.0))
        .map(|adjustment| kind_words(adjustment.kind).0)
        .collect();
    let told = words::points(measured, n_decimals);
    let mut out = if turned.is_empty() {
        format!("{}: {told} points as measured, and the same direction in every other way.", metric.title)
    } else {
        format!("{}: {told} points as measured, but the sign turns: {}.", metric.title, turned.join(", "))
    };
    let like = adjustments.iter().find(|adjustment| adjustment.kind == "like_for_like");
    if let Some(estimate) = like.and_then(|adjustment| adjustment.estimate) {
        out.extend([format!(" Like for like it is {}.", words::points(estimate, n_decimals))]);
    }
    out
}

fn row(metric: &Metric, adjustment: &Adjustment) -> Row {
    let n_decimals = words::decimals_of(metric);
    let interval = adjustment.interval.map(|interval| rows::place_interval(metric, interval));
    let (label, note) = kind_words(adjustment.kind);
    Row {
        label: label.to_owned(),
        note: note.to_owned(),
        estimate: adjustment.estimate.map(|value| rows::place(metric, value)),
        interval,
        standing: Standing::of(interval, rows::margin_points(metric)),
        radius: 5.5,
        value: adjustment.estimate.map_or(words::DASH.to_owned(), |value| pts(value, n_decimals)),
        ends: numbers::ends(adjustment.interval, |end| words::points(end, n_decimals)),
    }
}

fn table(id: &str, metric: &Metric, adjustments: &[&Adjustment]) -> Element {
    let n_decimals = words::decimals_of(metric);
    let write = |value: f64| words::points(value, n_decimals);
    let measured = Element::new("tr")
        .child(figure::row_header("As measured"))
        .child(figure::cell_with(metric.difference.estimate, metric.difference.interval, write))
        .child(figure::word_cell(words::DASH))
        .child(figure::word_cell(words::DASH));
    let rows = adjustments.iter().map(|adjustment| {
        let (label, note) = kind_words(adjustment.kind);
        Element::new("tr")
            .child(figure::row_header(label).child(Element::new("small").text(note)))
            .child(figure::cell_with(adjustment.estimate, adjustment.interval, write))
            .child(figure::cell(adjustment.variance_reduction, |share| words::percent(share, 1)))
            .child(figure::cell(adjustment.support, |share| words::percent(share, 1)))
    });
    let caption = format!("{}, difference in points", metric.title);
    let columns = ["Way", "Difference", "Variance taken away", "Share of turns used"];
    figure::folded_table(id, &caption, &columns, std::iter::once(measured).chain(rows))
}
