//! Direct choices between the two answers: how often the candidate's was preferred.

use super::figure::{self, Drawing, Figure, Sheet};
use super::words;
use crate::report::comparison::{Comparison, Preference};
use crate::report::markup::Element;
use crate::report::svg::{self, Anchor, Linear, Shape};

/// Makes the section, where there are any choices.
pub(super) fn section(comparison: &Comparison) -> Option<Element> {
    let preference = comparison.preference.filter(|preference| total(preference) > 0)?;
    let finding = finding(&preference);
    let figure = Figure {
        id: "preference",
        title: "Choices between an answer of the candidate and one of the control",
        finding: &finding,
        key: Some(Element::new("p").class("reading").text(
            "Share of the candidate with its interval below the bar; a tie counts half, and 50% is equal strength.",
        )),
    };
    Some(
        figure::section("preference", "Which answer people chose")
            .child(figure.half(|sheet| draw(&preference, sheet), [table(&preference)])),
    )
}

fn total(preference: &Preference) -> u64 {
    preference.n_wins + preference.n_losses + preference.n_ties
}

fn finding(preference: &Preference) -> String {
    let mut out = format!(
        "In {} the candidate’s answer was preferred {} times, the control’s {} times, neither {} times",
        words::counted(total(preference), "choice"),
        words::count(preference.n_wins),
        words::count(preference.n_losses),
        words::count(preference.n_ties)
    );
    if let Some(share) = preference.share {
        out.extend([format!(": a share of {} for the candidate", words::percent(share, 1))]);
    }
    if let Some(interval) = preference.interval {
        out.extend([format!(" ({})", words::percent_interval(interval, 1))]);
    }
    out.push('.');
    out
}

fn draw(preference: &Preference, sheet: Sheet) -> Drawing {
    let width = sheet.width();
    let n = total(preference) as f64;
    let scale = Linear::new((0.0, n), (0.0, width));
    let (wins, ties) = (preference.n_wins as f64, preference.n_ties as f64);
    let (wins_end, ties_end) = (scale.place(wins), scale.place(wins + ties));
    let labels = sheet.pick(("candidate preferred", "ties", "control preferred"), ("candidate", "ties", "control"));
    let label = |x: f64, anchor: Anchor, word: &str, n: u64| {
        [svg::text("strong", (x, 14.0), anchor, words::count(n)), svg::text("note", (x, 30.0), anchor, word)]
    };
    let mut marks = Vec::new();
    marks.extend(label(0.0, Anchor::Start, labels.0, preference.n_wins));
    marks.extend(label(width / 2.0, Anchor::Middle, labels.1, preference.n_ties));
    marks.extend(label(width, Anchor::End, labels.2, preference.n_losses));
    marks.push(svg::bar("candidate", (0.0, 38.0), (wins_end, 26.0)));
    marks.push(svg::bar("tie", (wins_end, 38.0), (ties_end - wins_end, 26.0)));
    marks.push(svg::bar("against", (ties_end, 38.0), (width - ties_end, 26.0)));
    let height = draw_share(preference, sheet, &mut marks);
    Drawing { marks, height }
}

fn draw_share(preference: &Preference, sheet: Sheet, marks: &mut Vec<Element>) -> f64 {
    let scale = Linear::new((0.0, 1.0), (8.0, sheet.width() - 8.0));
    let (top, centre, bottom) = (74.0, 90.0, 106.0);
    marks.push(svg::line("rule", (scale.place(0.0), bottom), (scale.place(1.0), bottom)));
    marks.push(svg::line("zero", (scale.place(0.5), top), (scale.place(0.5), bottom)));
    for (share, anchor) in [(0.0, Anchor::Start), (0.5, Anchor::Middle), (1.0, Anchor::End)] {
        let x = match anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => scale.place(share),
            Anchor::End => sheet.width(),
        };
        marks.push(svg::text("note", (x, bottom + 15.0), anchor, words::short_percent(share)));
    }
    if let Some(interval) = preference.interval {
        marks.push(svg::whisker("ink", (scale.place(interval.low), scale.place(interval.high)), centre, (true, true)));
    }
    if let Some(share) = preference.share {
        marks.push(svg::mark("ink", Shape::Circle, (scale.place(share), centre), 5.0));
    }
    bottom + 20.0
}

fn table(preference: &Preference) -> Element {
    let row = |name: &str, cell: Element| Element::new("tr").child(figure::row_header(name)).child(cell);
    let counted = |n: u64| Element::new("td").child(figure::number(n, words::count(n)));
    let share = match preference.share {
        Some(share) => Element::new("td").child(figure::number(share, words::percent(share, 1))),
        None => Element::new("td").text(words::DASH),
    };
    let share = match preference.interval {
        Some(interval) => share.child(
            Element::new("small")
                .child(figure::number(interval.low, words::unsigned(interval.low * 100.0, 1)))
                .text(" to ")
                .child(figure::number(interval.high, words::percent(interval.high, 1))),
        ),
        None => share.child(Element::new("small").text("no interval")),
    };
    let p = match preference.p {
        Some(p) => Element::new("td").child(figure::number(p, words::p_value(p))),
        None => Element::new("td").text(words::DASH),
    };
    figure::table(
        "preference",
        "Direct choices between the two sides",
        ["Outcome", "Choices"].map(figure::column),
        [
            row("Candidate preferred", counted(preference.n_wins)),
            row("Tie", counted(preference.n_ties)),
            row("Control preferred", counted(preference.n_losses)),
            row("Share of the candidate, ties half", share),
            row("Exact two-sided test of equal strength", p),
        ],
    )
}
