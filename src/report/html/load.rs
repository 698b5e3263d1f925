//! How busy the machines behind the sides were: whether both were tried under the same load.

use super::bars::{self, Pair};
use super::figure::{self, Figure};
use super::words;
use crate::report::comparison::Comparison;
use crate::report::comparison::segments::Load;
use crate::report::markup::Element;

/// Overlap below which the sides were not tried under the same load.
const ENOUGH: f64 = 0.8;

/// Makes the section, where cache use was recorded.
pub(super) fn section(comparison: &Comparison) -> Option<Element> {
    let load = comparison.depth.load.as_ref().filter(|load| !load.bin_ends.is_empty())?;
    let overlap = words::percent(load.overlap, 0);
    let finding = if load.overlap < ENOUGH {
        format!(
            "The sides were not tried under the same load: their cache use overlaps by {overlap}. Under the load of \
             production latency may differ, and so may what people do."
        )
    } else {
        format!("Both sides were tried under much the same load: their cache use overlaps by {overlap}.")
    };
    let key = figure::key(
        &[("control", "control, upper bar"), ("candidate", "candidate, lower bar")],
        "Share of each side’s turns by how full the key-value cache was. The overlap is the sum of the smaller shares.",
    );
    let pairs = pairs(load);
    let figure = Figure { id: "load", title: "Cache use while answering", finding: &finding, key: Some(key) }
        .half(|sheet| bars::draw(&pairs, sheet), [table(load)]);
    Some(figure::section("busy", "Under the same load?").child(figure))
}

fn bins(load: &Load) -> impl Iterator<Item = (String, [Option<f64>; 2])> {
    let starts = std::iter::once(0.0).chain(load.bin_ends.iter().copied());
    starts.zip(&load.bin_ends).enumerate().map(|(index, (start, end))| {
        let name = format!("{} to {}", words::percent(start, 0), words::percent(*end, 0));
        (name, [load.control.get(index).copied(), load.candidate.get(index).copied()])
    })
}

fn pairs(load: &Load) -> Vec<Pair> {
    let full = load.control.iter().chain(&load.candidate).copied().fold(0.0, f64::max);
    bins(load)
        .map(|(label, values)| Pair {
            label,
            note: "cache use".to_owned(),
            values,
            intervals: [None, None],
            written: values.map(|value| value.map_or(words::DASH.to_owned(), words::share)),
            full,
        })
        .collect()
}

fn table(load: &Load) -> Element {
    let rows = bins(load).map(|(name, values)| {
        Element::new("tr")
            .child(figure::row_header(name))
            .children(values.map(|value| figure::cell(value, words::share)))
    });
    figure::folded_table("load", "Share of turns by cache use", &["Cache use", "Control", "Candidate"], rows)
}
