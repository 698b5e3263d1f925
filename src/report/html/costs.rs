//! What the sides cost and how fast they are, and at which price of a lost good turn switching pays.

use super::bars::{self, Pair};
use super::figure::{self, Drawing, Figure, Sheet};
use super::plot::Plot;
use super::{candidates, numbers, words};
use crate::report::comparison::Comparison;
use crate::report::comparison::costs::{Benefit, Measure};
use crate::report::markup::Element;
use crate::report::svg::{self, Anchor};
use crate::stats::Interval;

/// Makes the section, where anything was measured.
pub(super) fn section(comparison: &Comparison) -> Option<Element> {
    let depth = &comparison.depth;
    let measures = (!depth.measures.is_empty()).then(|| measured(&depth.measures));
    let benefit = depth.benefit.as_ref().map(curve);
    let frontier = candidates::frontier(comparison);
    let figures: Vec<Element> = [benefit, frontier, measures].into_iter().flatten().collect();
    (!figures.is_empty()).then(|| figure::section("costs", "Is it worth it?").children(figures))
}

fn measured(measures: &[Measure]) -> Element {
    let finding = measures_finding(measures);
    let key = figure::key(
        &[("control", "control, upper bar"), ("candidate", "candidate, lower bar")],
        "Median and 95% quantile; each quantity has its own scale, so that bars are compared within a quantity only.",
    );
    Figure { id: "measures", title: "Latency, cost and lengths of both sides", finding: &finding, key: Some(key) }
        .half(|sheet| bars::draw(&pairs(measures), sheet), [measures_table(measures)])
}

fn measures_finding(measures: &[Measure]) -> String {
    let told = measures.iter().filter_map(|measure| {
        let (control, candidate) = (measure.control.p50?, measure.candidate.p50?);
        let (control, candidate) = (numbers::quantity(measure, control), numbers::quantity(measure, candidate));
        Some(format!("{}: {candidate} against {control}", measure.title))
    });
    let told: Vec<String> = told.take(3).collect();
    if told.is_empty() {
        return "Nothing was measured on both sides.".to_owned();
    }
    format!("Medians of candidate and control. {}.", told.join("; "))
}

fn pairs(measures: &[Measure]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for measure in measures {
        let p95 = [measure.control.p95, measure.candidate.p95];
        let p50 = [measure.control.p50, measure.candidate.p50];
        let full = p95.into_iter().chain(p50).flatten().fold(0.0, f64::max);
        for (label, note, values) in [(measure.title, "median", p50), ("", "95% quantile", p95)] {
            pairs.push(Pair {
                label: label.to_owned(),
                note: note.to_owned(),
                values,
                intervals: [None, None],
                written: values
                    .map(|value| value.map_or(words::DASH.to_owned(), |value| numbers::quantity(measure, value))),
                full,
            });
        }
    }
    pairs
}

fn measures_table(measures: &[Measure]) -> Element {
    let mut rows = Vec::new();
    for measure in measures {
        for (side, quantiles) in [("control", measure.control), ("candidate", measure.candidate)] {
            let write = |value: f64| numbers::quantity(measure, value);
            let difference = if side == "candidate" {
                figure::cell_with(measure.difference, measure.interval, write).children(
                    measure.outliers_matter.then(|| Element::new("small").text("told otherwise with the outliers")),
                )
            } else {
                Element::new("td")
            };
            rows.push(
                Element::new("tr")
                    .child(figure::row_header(measure.title).child(Element::new("small").text(side)))
                    .child(figure::count_cell(quantiles.n))
                    .child(figure::cell(quantiles.mean, write))
                    .child(figure::cell(quantiles.p50, write))
                    .child(figure::cell(quantiles.p95, write))
                    .child(difference),
            );
        }
    }
    let columns = ["Quantity", "Turns", "Mean", "Median", "95% quantile", "Difference of the means"];
    figure::folded_table("measures", "Measured quantities per turn; the means are winsorised", &columns, rows)
}

fn curve(benefit: &Benefit) -> Element {
    let finding = benefit_finding(benefit);
    let key = figure::reading(
        "Chance that switching pays, by what one lost good turn costs you: read off at your own price. Above one half \
         switching is the better bet.",
    );
    Figure { id: "benefit", title: "Chance that switching pays", finding: &finding, key: Some(key) }
        .half(|sheet| draw_curve(benefit, sheet), [benefit_table(benefit)])
}

fn benefit_finding(benefit: &Benefit) -> String {
    let saving = numbers::dollars(benefit.saving_per_1000.abs());
    let way = if benefit.saving_per_1000 < 0.0 { "costs" } else { "saves" };
    let ends = benefit
        .saving_interval
        .map_or_else(String::new, |interval| format!(" (saving {})", numbers::ends(Some(interval), numbers::dollars)));
    let mut out = format!("Switching {way} {saving} per thousand turns{ends}.");
    if let Some(price) = benefit.breaks_even_at {
        out.extend([format!(" It pays if a lost good turn costs you less than {}", numbers::dollars(price))]);
        if let Some(sure) = benefit.surely_pays_below {
            out.extend([format!(", for certain below {}", numbers::dollars(sure))]);
        }
        out.push('.');
    }
    if let Some(n_fewer) = benefit.worst_case_per_10_000 {
        out.extend([format!(" At worst {} good turns fewer in ten thousand.", words::unsigned(n_fewer, 0))]);
    }
    out
}

fn draw_curve(benefit: &Benefit, sheet: Sheet) -> Drawing {
    let last = benefit.acceptability.last().map_or(1.0, |&(price, _)| price);
    let plot = Plot::new(sheet, (22.0, 150.0), (0.0, last), (0.0, 1.0));
    let mut marks = plot.rules(|tick| words::percent(tick, 0));
    let (left, right) = plot.x.range();
    let (top, bottom) = plot.span();
    let half = plot.level(0.5);
    marks.push(svg::line("zero", (left, half), (right, half)));
    let line: Vec<(f64, f64)> =
        benefit.acceptability.iter().map(|&(price, chance)| (plot.x.place(price), plot.level(chance))).collect();
    marks.push(svg::polyline("good-line", &line));
    for (price, words) in [(benefit.breaks_even_at, "breaks even"), (benefit.surely_pays_below, "sure below")] {
        if let Some(price) = price.filter(|&price| plot.x.holds(price)) {
            let x = plot.x.place(price);
            marks.push(svg::line("wall-ink", (x, top), (x, bottom)));
            let anchor = if x > right - 90.0 { Anchor::End } else { Anchor::Start };
            let at = if anchor == Anchor::End { x - 4.0 } else { x + 4.0 };
            let y = if words == "breaks even" { top + 12.0 } else { bottom - 8.0 };
            marks.push(svg::text("small", (at, y), anchor, format!("{words} {}", numbers::dollars(price))));
        }
    }
    let title =
        sheet.pick("Chance that switching pays, by the price of a lost good turn", "By the price of a lost good turn");
    marks.push(svg::text("note", (0.0, 12.0), Anchor::Start, title));
    let ticks = plot.x.ticks(sheet.pick(6, 3)).into_iter().map(|price| (plot.x.place(price), numbers::dollars(price)));
    marks.extend(plot.feet(ticks));
    Drawing { marks, height: plot.height() }
}

fn benefit_table(benefit: &Benefit) -> Element {
    let fact = |name: &str, cell: Element| Element::new("tr").child(figure::row_header(name)).child(cell);
    let Interval { low, high } = benefit.saving_interval.unwrap_or(Interval { low: f64::NAN, high: f64::NAN });
    let end = |value: f64| figure::cell(Some(value).filter(|value| value.is_finite()), numbers::dollars);
    let mut rows = vec![
        fact("Saved per thousand turns", figure::cell(Some(benefit.saving_per_1000), numbers::dollars)),
        fact("at least", end(low)),
        fact("at most", end(high)),
        fact("Breaks even at a price of", figure::cell(benefit.breaks_even_at, numbers::dollars)),
        fact("Surely pays below", figure::cell(benefit.surely_pays_below, numbers::dollars)),
        fact(
            "Good turns fewer in ten thousand, at worst",
            figure::cell(benefit.worst_case_per_10_000, |n| words::unsigned(n, 0)),
        ),
    ];
    for place in numbers::thinned(benefit.acceptability.len(), 8) {
        if let Some(&(price, chance)) = benefit.acceptability.get(place) {
            let name = format!("Chance that it pays at {}", numbers::dollars(price));
            rows.push(fact(&name, figure::cell(Some(chance), |chance| words::percent(chance, 1))));
        }
    }
    figure::folded_table("benefit", "Quality against money", &["Question", "Answer"], rows)
}
