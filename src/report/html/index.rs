//! All signals in one number, and what becomes of it without each of them.

use super::figure::{self, Figure};
use super::rows::{Row, Rows, Standing};
use super::{numbers, words};
use crate::report::comparison::Comparison;
use crate::report::comparison::costs::{Chance, Index};
use crate::report::markup::Element;

/// Makes the section, where there is an index or a chance.
pub(super) fn section(comparison: &Comparison) -> Option<Element> {
    let index = comparison.depth.index.as_ref().map(one);
    let chances = (!comparison.depth.chances.is_empty()).then(|| chances(comparison));
    let parts: Vec<Element> = [index, chances].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| figure::section("in-one-number", "All in one number").children(parts))
}

fn one(index: &Index) -> Element {
    let ends = numbers::ends(index.interval, |end| numbers::signed(end, 2));
    let finding = format!(
        "Index of all signals, from nothing to a hundred: {} for the candidate, {} for the control; difference {} ({ends}). It \
         is told the same under {} of {} weightings tried.",
        words::unsigned(index.candidate, 1),
        words::unsigned(index.control, 1),
        numbers::signed(index.estimate, 2),
        words::percent(index.agreeing_share, 0),
        index.n_weightings
    );
    let key = figure::reading(
        "The first row is the difference of the index; the others are the same without one signal. A verdict that hangs \
         on one signal’s weight is none.",
    );
    let rows_drawn = rows_of(index);
    let rows = Rows { rows: &rows_drawn, wall: None, ways: ("← worse", "better →"), zero: "no difference" };
    Figure { id: "index", title: "The index and its parts", finding: &finding, key: Some(key) }
        .half(|sheet| rows.draw(sheet), [table(index)])
}

fn rows_of(index: &Index) -> Vec<Row> {
    let whole = Row {
        label: "All signals".to_owned(),
        note: String::new(),
        estimate: Some(index.estimate),
        interval: index.interval,
        standing: Standing::of(index.interval, None),
        radius: 6.5,
        value: numbers::signed(index.estimate, 2),
        ends: numbers::ends(index.interval, |end| numbers::signed(end, 2)),
    };
    let parts = index.parts.iter().map(|part| Row {
        label: format!("Without {}", numbers::signal_words(part.signal)),
        note: format!("weight {}", numbers::signed(part.weight, 2)),
        estimate: Some(part.without),
        interval: None,
        standing: Standing::unjudged(if part.without * index.estimate < 0.0 { "sign turns" } else { "same sign" }),
        radius: 5.0,
        value: numbers::signed(part.without, 2),
        ends: String::new(),
    });
    std::iter::once(whole).chain(parts).collect()
}

fn table(index: &Index) -> Element {
    let write = |value: f64| numbers::signed(value, 2);
    let row = |name: String, weight: Option<f64>, cell: Element| {
        Element::new("tr").child(figure::row_header(name)).child(figure::cell(weight, write)).child(cell)
    };
    let whole = [
        row("Control".to_owned(), None, figure::cell(Some(index.control), |value| words::unsigned(value, 2))),
        row("Candidate".to_owned(), None, figure::cell(Some(index.candidate), |value| words::unsigned(value, 2))),
        row("Difference".to_owned(), None, figure::cell_with(Some(index.estimate), index.interval, write)),
        row(
            "Share of weightings that agree".to_owned(),
            None,
            figure::cell(Some(index.agreeing_share), |share| words::percent(share, 1)),
        ),
    ];
    let parts = index.parts.iter().map(|part| {
        let name = format!("Difference without {}", numbers::signal_words(part.signal));
        row(name, Some(part.weight), figure::cell(Some(part.without), write))
    });
    figure::folded_table(
        "index",
        "The index and its parts",
        &["Quantity", "Weight", "Value"],
        whole.into_iter().chain(parts),
    )
}

fn chances(comparison: &Comparison) -> Element {
    let rows = comparison.depth.chances.iter().map(|chance| {
        let Chance { metric, p_acceptable, expected_loss } = *chance;
        let title = numbers::metric_named(comparison, metric).map_or(metric, |metric| metric.title);
        Element::new("tr")
            .child(figure::row_header(title))
            .child(figure::cell(Some(p_acceptable), |p| words::percent(p, 2)))
            .child(figure::cell(Some(expected_loss), |loss| words::unsigned(loss * 100.0, 3)))
    });
    let columns = ["Metric", "Chance that the loss is within the limit", "Expected loss in points"];
    let caption = "The same evidence in other words (a flat prior), and no further evidence";
    figure::table("chances", caption, columns.map(figure::column), rows)
}
