//! What people say beside what they do: how many rate, what they say, and which signals go together.

use super::bars::{self, Pair};
use super::figure::{self, Drawing, Figure, Sheet};
use super::{heat, numbers, words};
use crate::report::comparison::Comparison;
use crate::report::comparison::ratings::{Agreement, SignalPair, Solicited, UpShare};
use crate::report::markup::Element;
use crate::report::svg::{self, Anchor};
use crate::stats::Interval;

/// Makes the section, where ratings are told.
pub(super) fn section(comparison: &Comparison) -> Option<Element> {
    let depth = &comparison.depth;
    let agreement = depth.agreement.as_ref().filter(|agreement| agreement.signals.len() > 1).map(agreement);
    let shares = (depth.up_share.is_some() || depth.solicited.is_some()).then(|| shares(comparison));
    let figures: Vec<Element> = [shares, agreement].into_iter().flatten().collect();
    (!figures.is_empty()).then(|| figure::section("ratings", "Can the thumbs be believed?").children(figures))
}

fn shares(comparison: &Comparison) -> Element {
    let finding = finding(comparison);
    let pairs = pairs(comparison);
    let key = figure::key(
        &[("control", "control, upper bar"), ("candidate", "candidate, lower bar")],
        "Each bar fills the width at the largest value of its row, shares of thumbs at one whole. An odds ratio above one \
         means more thumbs up for each thumb down under the candidate, however loud its audience is.",
    );
    Figure { id: "response", title: "Who rates, and what they say", finding: &finding, key: Some(key) }
        .half(|sheet| bars::draw(&pairs, sheet), [table(comparison)])
}

fn finding(comparison: &Comparison) -> String {
    let depth = &comparison.depth;
    let mut parts = Vec::new();
    if let Some(rated) = numbers::metric_named(comparison, "rated")
        && let (Some(control), Some(candidate)) = (rated.control.estimate, rated.candidate.estimate)
    {
        let is_certain = rated.difference.interval.is_some_and(|Interval { low, high }| low > 0.0 || high < 0.0);
        let said = if is_certain { "one audience is louder" } else { "no audience is louder for certain" };
        parts.push(format!(
            "{} of the control’s turns and {} of the candidate’s are rated: {said}.",
            words::share(control),
            words::share(candidate)
        ));
    }
    if let Some(share) = depth.up_share {
        let ends = numbers::ends(share.interval, |end| words::unsigned(end, 2));
        parts.push(format!("Odds ratio of thumbs up {} ({ends}).", words::unsigned(share.odds_ratio, 2)));
        if let Some(factor) = share.tipping_factor {
            parts.push(format!(
                "Critics of one side would have to be {} times as loud as those of the other to explain it all.",
                words::unsigned(factor, 2)
            ));
        }
    }
    if let Some(Solicited { difference: Some((difference, interval)), .. }) = depth.solicited {
        let ends = numbers::ends(interval, |end| words::points(end, 1));
        parts.push(format!("Among those who were asked by chance, {} points ({ends}).", words::points(difference, 1)));
    }
    parts.join(" ")
}

fn pairs(comparison: &Comparison) -> Vec<Pair> {
    let mut pairs = Vec::new();
    let written = |values: [Option<f64>; 2]| values.map(|value| value.map_or(words::DASH.to_owned(), words::share));
    if let Some(rated) = numbers::metric_named(comparison, "rated") {
        let rates = [&rated.control, &rated.candidate];
        let ends = rates.iter().filter_map(|rate| rate.interval).map(|interval| interval.high);
        pairs.push(Pair {
            label: "Rated turns".to_owned(),
            note: "of all turns".to_owned(),
            values: rates.map(|rate| rate.estimate),
            intervals: rates.map(|rate| rate.interval),
            written: written(rates.map(|rate| rate.estimate)),
            full: ends.chain(rates.iter().filter_map(|rate| rate.estimate)).fold(0.0, f64::max),
        });
    }
    let mut share = |label: &str, note: &str, values: [Option<f64>; 2]| {
        pairs.push(Pair {
            label: label.to_owned(),
            note: note.to_owned(),
            values,
            intervals: [None, None],
            written: written(values),
            full: 1.0,
        });
    };
    if let Some(UpShare { control, candidate, .. }) = comparison.depth.up_share {
        share("Thumbs up", "of volunteered thumbs", [control, candidate]);
    }
    if let Some(Solicited { up_share: (control, candidate), .. }) = comparison.depth.solicited {
        share("Thumbs up", "of those asked by chance", [control, candidate]);
    }
    pairs
}

fn table(comparison: &Comparison) -> Element {
    let mut rows = Vec::new();
    let mut row = |name: &str, cells: [Element; 3]| {
        rows.push(Element::new("tr").child(figure::row_header(name)).children(cells));
    };
    let share = |value: Option<f64>| figure::cell(value, words::share);
    let none = || figure::word_cell(words::DASH);
    if let Some(rated) = numbers::metric_named(comparison, "rated") {
        let side =
            |rate: &crate::report::comparison::Rate| figure::cell_with(rate.estimate, rate.interval, words::share);
        let write = |value: f64| words::points(value, words::decimals_of(rated));
        let difference = figure::cell_with(rated.difference.estimate, rated.difference.interval, write);
        row("Rated turns", [side(&rated.control), side(&rated.candidate), difference]);
    }
    if let Some(up) = comparison.depth.up_share {
        row("Thumbs up of volunteered thumbs", [share(up.control), share(up.candidate), none()]);
        let odds = figure::cell_with(Some(up.odds_ratio), up.interval, |value| words::unsigned(value, 3));
        row("Odds ratio of thumbs up", [none(), none(), odds]);
        let tipping = figure::cell(up.tipping_factor, |value| words::unsigned(value, 2));
        row("Times as loud that critics would have to be", [none(), none(), tipping]);
    }
    if let Some(asked) = comparison.depth.solicited {
        let counts = |(control, candidate)| [figure::count_cell(control), figure::count_cell(candidate), none()];
        row("Turns asked about by chance", counts(asked.n_asked));
        row("of these rated", counts(asked.n_rated));
        let (estimate, interval) =
            asked.difference.map_or((None, None), |(estimate, interval)| (Some(estimate), interval));
        let difference = figure::cell_with(estimate, interval, |value| words::points(value, 1));
        row("Thumbs up of these", [share(asked.up_share.0), share(asked.up_share.1), difference]);
    }
    let columns = ["Quantity", "Control", "Candidate", "Candidate against control"];
    figure::folded_table("response", "Who rates, and what they say", &columns, rows)
}

fn agreement(agreement: &Agreement) -> Element {
    let finding = agreement_finding(agreement);
    let key = figure::reading(
        "Correlation (phi) of having one signal and having the other on the same turn: blue with a plus where they go \
         together, orange with a minus where they exclude each other, a dash where one never or always occurs.",
    );
    Figure { id: "agreement", title: "Which signals go together, per side", finding: &finding, key: Some(key) }
        .half(|sheet| draw(agreement, sheet), [agreement_table(agreement)])
}

/// Returns the pair of two signals on one side; `row` comes after `column`.
fn pair(rows: &[Vec<SignalPair>], row: usize, column: usize) -> Option<SignalPair> {
    rows.get(row)?.get(column).copied()
}

fn agreement_finding(agreement: &Agreement) -> String {
    let n = agreement.signals.len();
    let mut widest: Option<(f64, String)> = None;
    for (row, column) in (0..n).flat_map(|row| (0..row).map(move |column| (row, column))) {
        let phi = |side: &[Vec<SignalPair>]| pair(side, row, column).and_then(|pair| pair.phi);
        if let (Some(control), Some(candidate)) = (phi(&agreement.control), phi(&agreement.candidate))
            && widest.as_ref().is_none_or(|(gap, _)| (candidate - control).abs() > *gap)
        {
            let (one, other) = (agreement.signals[row], agreement.signals[column]);
            let told = format!(
                "The sides differ most in {} with {}: {} against {}.",
                numbers::signal_words(one),
                numbers::signal_words(other),
                numbers::signed(candidate, 2),
                numbers::signed(control, 2)
            );
            widest = Some(((candidate - control).abs(), told));
        }
    }
    widest.map_or_else(|| "No two signals occur on both sides.".to_owned(), |(_, told)| told)
}

fn draw(agreement: &Agreement, sheet: Sheet) -> Drawing {
    let n = agreement.signals.len();
    let (cell_width, cell_height, label) = sheet.pick((52.0, 34.0, 96.0), (46.0, 32.0, 84.0));
    let block_height = 40.0 + cell_height * (n - 1) as f64 + 24.0;
    let mut marks = Vec::new();
    for (index, (name, rows)) in
        [("Control", &agreement.control), ("Candidate", &agreement.candidate)].into_iter().enumerate()
    {
        let left = sheet.pick(390.0 * index as f64, 0.0);
        let top = sheet.pick(0.0, (block_height + 14.0) * index as f64);
        marks.push(svg::text("strong", (left, top + 14.0), Anchor::Start, name));
        for row in 1..n {
            let y = top + 26.0 + cell_height * (row - 1) as f64;
            let words = numbers::signal_words(agreement.signals[row]);
            marks.push(svg::text("small", (left, y + cell_height / 2.0 + 3.0), Anchor::Start, words));
            for column in 0..row {
                let phi = pair(rows, row, column).and_then(|pair| pair.phi);
                let written = phi.map_or(words::DASH.to_owned(), |phi| numbers::signed(phi, 2));
                let at = (left + label + cell_width * column as f64, y);
                marks.extend(heat::cell(phi, at, (cell_width, cell_height), &written));
            }
        }
        // The name of a column stands below its own last cell, two rows deep so that neighbours do not touch.
        for column in 0..n - 1 {
            let x = left + label + cell_width * (column as f64 + 0.5);
            let y = top + 26.0 + cell_height * (n - 1) as f64 + if column % 2 == 0 { 13.0 } else { 27.0 };
            marks.push(svg::text("note", (x, y), Anchor::Middle, numbers::signal_words(agreement.signals[column])));
        }
    }
    let height = sheet.pick(block_height, 2.0 * block_height + 14.0);
    Drawing { marks, height }
}

fn agreement_table(agreement: &Agreement) -> Element {
    let n = agreement.signals.len();
    let rows = (0..n).flat_map(|row| (0..row).map(move |column| (row, column))).map(|(row, column)| {
        let (one, other) = (agreement.signals[row], agreement.signals[column]);
        let name = format!("{} with {}", numbers::signal_words(one), numbers::signal_words(other));
        let mut out = Element::new("tr").child(figure::row_header(name));
        for side in [&agreement.control, &agreement.candidate] {
            let pair = pair(side, row, column);
            out = out
                .child(pair.map_or_else(|| figure::word_cell(words::DASH), |pair| figure::count_cell(pair.n_both)))
                .child(figure::cell(pair.and_then(|pair| pair.phi), |phi| numbers::signed(phi, 2)));
        }
        out
    });
    let columns =
        ["Signals", "Control, turns with both", "Control, phi", "Candidate, turns with both", "Candidate, phi"];
    figure::folded_table("agreement", "Which signals go together", &columns, rows)
}
