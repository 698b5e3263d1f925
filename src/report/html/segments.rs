//! The effect by parts of the traffic: whether the average hides a loser.

use super::figure::{self, Figure};
use super::rows::{self, Row, Rows, Standing};
use super::{numbers, words};
use crate::report::comparison::segments::{Heterogeneity, Segment, Segmentation};
use crate::report::comparison::{Comparison, Metric};
use crate::report::markup::Element;
use crate::report::svg::Shape;

/// Share of the turns below which a segment is drawn in grey.
const SMALL: f64 = 0.05;

/// Makes the section, where there are segments.
pub(super) fn section(comparison: &Comparison) -> Option<Element> {
    let drawn: Vec<(&Segmentation, &Metric)> = comparison
        .depth
        .segmentations
        .iter()
        .filter(|segmentation| !segmentation.segments.is_empty())
        .filter_map(|segmentation| Some((segmentation, numbers::metric_named(comparison, segmentation.metric)?)))
        .collect();
    if drawn.is_empty() {
        return None;
    }
    let mut section = figure::section("segments", "Does the average hide somebody?");
    for (index, (segmentation, metric)) in drawn.into_iter().enumerate() {
        section = section.child(one(segmentation, metric, index));
    }
    Some(section)
}

fn one(segmentation: &Segmentation, metric: &Metric, index: usize) -> Element {
    let id = format!("segments-{index}");
    let finding = finding(segmentation, metric);
    let key = (index == 0).then(|| {
        figure::reading(
            "Difference within each segment with its interval, better to the right. The area of a point grows with the \
             turns behind it; segments with less than a twentieth of the turns are grey. The last row is all traffic. q \
             is the share of false alarms among segments that are called different at this value.",
        )
    });
    let all_rows = rows_of(segmentation, metric);
    let rows = Rows {
        rows: &all_rows,
        wall: rows::margin_points(metric).map(|margin| -margin),
        ways: ("← worse", "better →"),
        zero: "no difference",
    };
    Figure { id: &id, title: &format!("{} by {}", metric.title, by_words(segmentation)), finding: &finding, key }
        .half(|sheet| rows.draw(sheet), [table(&id, segmentation, metric)])
}

fn by_words(segmentation: &Segmentation) -> String {
    numbers::signal_words(segmentation.by)
}

fn finding(segmentation: &Segmentation, metric: &Metric) -> String {
    let harmed: Vec<String> = segmentation
        .segments
        .iter()
        .filter(|segment| segment.is_harmed)
        .map(|segment| numbers::isolated(&segment.value))
        .collect();
    let by = by_words(segmentation);
    let mut out = if harmed.is_empty() {
        format!("{} by {by}: no segment is beyond the limit for certain.", metric.title)
    } else {
        format!("{} by {by}: harmed beyond the limit: {}.", metric.title, harmed.join(", "))
    };
    if let Some(Heterogeneity { p, i2, sign_change_p }) = segmentation.heterogeneity {
        let p_words = words::p_value(p);
        let i2 = words::percent(i2, 0);
        out.extend([if p < 0.05 {
            format!(" The segments differ more than chance explains ({p_words}; I² {i2}).")
        } else {
            format!(" Chance explains the differences between the segments ({p_words}; I² {i2}).")
        }]);
        if sign_change_p < 0.05 {
            let p = words::p_value(sign_change_p);
            out.extend([format!(" The effect changes its sign: good for some, bad for others ({p}).")]);
        }
    }
    out
}

fn rows_of(segmentation: &Segmentation, metric: &Metric) -> Vec<Row> {
    let n = |segment: &Segment| (segment.n_control + segment.n_candidate) as f64;
    let n_all: f64 = segmentation.segments.iter().map(n).sum();
    let margin = rows::margin_points(metric);
    let n_decimals = words::decimals_of(metric);
    let mut all: Vec<Row> = segmentation
        .segments
        .iter()
        .map(|segment| {
            let share = if n_all > 0.0 { n(segment) / n_all } else { 0.0 };
            let interval = segment.interval.map(|interval| rows::place_interval(metric, interval));
            let standing = if segment.is_harmed {
                Standing { class: "bad", shape: Shape::TriangleDown, word: "harmed" }
            } else {
                Standing::of(interval, margin)
            };
            let class = if share < SMALL { "open" } else { standing.class };
            let (control, candidate) = (words::count(segment.n_control), words::count(segment.n_candidate));
            Row {
                label: numbers::cut(&segment.value, 18),
                note: format!("n {control} / {candidate}"),
                estimate: segment.estimate.map(|value| rows::place(metric, value)),
                interval,
                standing: Standing { class, ..standing },
                radius: 3.0 + 6.5 * share.sqrt(),
                value: segment.estimate.map_or(words::DASH.to_owned(), |value| pts(value, n_decimals)),
                ends: numbers::ends(segment.interval, |end| words::points(end, n_decimals)),
            }
        })
        .collect();
    all.push(overall(metric, "All turns"));
    all
}

/// Makes the row of the metric itself.
pub(super) fn overall(metric: &Metric, label: &str) -> Row {
    let n_decimals = words::decimals_of(metric);
    let (control, candidate) = (words::count(metric.control.n), words::count(metric.candidate.n));
    Row {
        label: label.to_owned(),
        note: format!("n {control} / {candidate}"),
        estimate: metric.difference.estimate.map(|value| rows::place(metric, value)),
        interval: metric.difference.interval.map(|interval| rows::place_interval(metric, interval)),
        standing: Standing {
            class: words::status_class(metric.status),
            shape: words::status_shape(metric.status),
            word: words::status_word(metric),
        },
        radius: 7.0,
        value: metric.difference.estimate.map_or(words::DASH.to_owned(), |value| pts(value, n_decimals)),
        ends: numbers::ends(metric.difference.interval, |end| words::points(end, n_decimals)),
    }
}

/// Writes a difference with its unit.
pub(super) fn pts(value: f64, n_decimals: usize) -> String {
    format!("{} pts", words::points(value, n_decimals))
}

fn table(id: &str, segmentation: &Segmentation, metric: &Metric) -> Element {
    let n_decimals = words::decimals_of(metric);
    let write = |value: f64| words::points(value, n_decimals);
    let caption = format!("{} by {}, difference in points", metric.title, by_words(segmentation));
    let rows = segmentation.segments.iter().map(|segment| {
        Element::new("tr")
            .child(Element::new("th").with("scope", "row").child(figure::name(&segment.value)))
            .child(figure::count_cell(segment.n_control))
            .child(figure::count_cell(segment.n_candidate))
            .child(figure::cell_with(segment.estimate, segment.interval, write))
            .child(figure::cell(segment.q, |q| words::unsigned(q, 4)))
            .child(figure::word_cell(if segment.is_harmed { "harmed" } else { "not for certain" }))
    });
    let columns = ["Segment", "Turns, control", "Turns, candidate", "Difference", "q", "Beyond the limit"];
    figure::folded_table(id, &caption, &columns, rows)
}
