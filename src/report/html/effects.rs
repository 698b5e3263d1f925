//! The effects: forest plot, table of all metrics, and each metric in a sentence.

use super::figure::{self, Drawing, Figure, Sheet};
use super::{forest, words};
use crate::domain::experiment::Unit;
use crate::report::comparison::{Comparison, Metric, Rate, Role, Status};
use crate::report::markup::Element;
use crate::report::svg;
use crate::stats::Interval;

/// Room around the picture that stands alone.
const AIR: f64 = 20.0;
/// The style of the picture that stands alone: the figures' part of the page's style sheet, on paper.
const PICTURE_STYLE: &str = include_str!("picture.css");

/// Makes the section.
pub(super) fn section(comparison: &Comparison) -> Element {
    let section = Element::new("section")
        .with("aria-labelledby", "effects-heading")
        .child(Element::new("h2").with("id", "effects-heading").text("What would change for users"));
    if comparison.metrics.is_empty() {
        return section.child(Element::new("p").text("No metric was computed."));
    }
    if comparison.metrics.iter().all(|metric| metric.difference.estimate.is_none()) {
        let reason = comparison.metrics.first().map_or("", words::missing_words);
        let empty = format!("No difference can be computed, so there is nothing to draw: {reason}.");
        return section
            .child(Element::new("p").class("lead").text(empty))
            .child(table(comparison))
            .child(sentences(comparison));
    }
    let finding = finding(comparison);
    let figure = Figure {
        id: "forest",
        title: "Candidate minus control, per metric",
        finding: &finding,
        key: Some(key(comparison)),
    };
    section
        .child(figure.frame(|sheet| forest::draw(&comparison.metrics, sheet), [table(comparison)]))
        .child(sentences(comparison))
}

/// Draws the forest plot as a file of its own.
pub(super) fn picture(comparison: &Comparison) -> Option<Element> {
    if comparison.verdict.withholds_numbers || comparison.metrics.is_empty() {
        return None;
    }
    let Drawing { marks, height } = forest::draw(&comparison.metrics, Sheet::Wide);
    let width = Sheet::Wide.width();
    let picture = svg::drawing(
        "forest",
        "Candidate minus control, per metric",
        &finding(comparison),
        (-AIR, -AIR),
        (width + 2.0 * AIR, height + 2.0 * AIR),
    )
    .with("xmlns", "http://www.w3.org/2000/svg")
    .class("picture")
    .child(Element::style_sheet(PICTURE_STYLE))
    .child(svg::bar("paper", (-AIR, -AIR), (width + 2.0 * AIR, height + 2.0 * AIR)));
    Some(picture.children(marks))
}

/// States what the metrics that must pass say, and what the others do.
fn finding(comparison: &Comparison) -> String {
    let mut parts = Vec::new();
    for status in [Status::Worse, Status::Undecided, Status::NonInferior, Status::Better] {
        let titles: Vec<&str> = comparison
            .metrics
            .iter()
            .filter(|metric| metric.role == Role::MustPass && metric.status == status)
            .map(|metric| metric.title)
            .collect();
        if !titles.is_empty() {
            let lead = match status {
                Status::Worse => "Worse than the limit",
                Status::Undecided => "Still unclear",
                Status::NonInferior => "Within the limit",
                Status::Better => "Better than now",
            };
            parts.push(format!("{lead}: {}.", titles.join(", ")));
        }
    }
    if parts.is_empty() {
        parts.push("No metric has to pass.".to_owned());
    }
    parts.join(" ")
}

fn key(comparison: &Comparison) -> Element {
    let mut key = Element::new("ul").class("key");
    let words = ["better", "within the limit", "unclear", "worse"];
    for (status, word) in [Status::Better, Status::NonInferior, Status::Undecided, Status::Worse].into_iter().zip(words)
    {
        let sample = figure::sample(words::status_class(status), words::status_shape(status));
        key = key.child(Element::new("li").child(sample).text(word));
    }
    let mut reading = format!("Point and interval ({}) of candidate minus control. ", interval_words(comparison));
    if forest::is_any_limited(&comparison.metrics) {
        reading.push_str(
            "Each row with a limit is drawn in units of its own limit, so one dashed line serves them all: a metric \
             passes when its whole interval is right of that line, outside the shaded zone. ",
        );
    }
    if forest::is_any_mirrored(&comparison.metrics) {
        reading.push_str("Better is always to the right; where lower is better the row is mirrored. ");
    }
    if comparison.metrics.iter().any(|metric| !metric.is_judged) {
        reading
            .push_str("What is shown without a judgement has more to the right, which is neither better nor worse. ");
    }
    reading.push_str("Points are percentage points; n counts turns of control / candidate.");
    Element::new("div").child(key).child(Element::new("p").class("reading").text(reading))
}

fn interval_words(comparison: &Comparison) -> String {
    format!("{} or wider", words::short_percent(1.0 - 2.0 * comparison.alpha))
}

fn table(comparison: &Comparison) -> Element {
    let level = interval_words(comparison);
    let caption = format!("Rates per turn and their difference, candidate minus control, with intervals ({level})");
    let columns = ["Metric", "Control", "Candidate", "Difference in points", "Accepted loss in points", "Status"]
        .map(figure::column);
    figure::table(
        "forest",
        &caption,
        columns,
        comparison.metrics.iter().map(|metric| table_row(metric, comparison.unit)),
    )
}

fn table_row(metric: &Metric, unit: Unit) -> Element {
    let n_decimals = words::decimals_of(metric);
    let way = if metric.higher_is_better { "" } else { "; lower is better" };
    let header = figure::row_header(metric.title)
        .child(Element::new("small").text(format_args!("{}{way}", words::role_words(metric.role))));
    Element::new("tr")
        .child(header)
        .child(rate_cell(metric, &metric.control, unit))
        .child(rate_cell(metric, &metric.candidate, unit))
        .child(difference_cell(metric, n_decimals))
        .child(margin_cell(metric, n_decimals))
        .child(
            Element::new("td")
                .class("whole")
                .child(figure::sample(words::status_class(metric.status), words::status_shape(metric.status)))
                .text(words::status_word(metric))
                .children(metric.note.map(|note| Element::new("small").class("note").text(note))),
        )
}

fn rate_cell(metric: &Metric, rate: &Rate, unit: Unit) -> Element {
    let n_decimals = words::decimals_of(metric);
    let cell = Element::new("td");
    let cell = match rate.estimate {
        Some(estimate) => cell.child(figure::number(estimate, words::percent(estimate, n_decimals))),
        None => cell.text(words::DASH),
    };
    let cell = match rate.interval {
        Some(interval) => {
            cell.child(interval_element(interval, |end| words::unsigned(end * 100.0, n_decimals)).text("%"))
        }
        None if rate.n == 0 => cell.child(Element::new("small").text("no turns yet")),
        None => cell.child(Element::new("small").text(format_args!("no interval: {}", words::missing_words(metric)))),
    };
    let counted = |n: u64, noun: &str| {
        let plural = if n == 1 { "" } else { "s" };
        Element::new("small")
            .class("whole")
            .child(figure::number(n, words::count(n)))
            .text(format_args!(" {noun}{plural}"))
    };
    cell.child(counted(rate.n, "turn")).child(counted(rate.n_users, unit.as_str()))
}

fn difference_cell(metric: &Metric, n_decimals: usize) -> Element {
    let cell = Element::new("td");
    let cell = match metric.difference.estimate {
        Some(estimate) => cell.child(figure::number(estimate, words::points(estimate, n_decimals))),
        None => cell.text(words::DASH),
    };
    match metric.difference.interval {
        Some(interval) => cell.child(interval_element(interval, |end| words::points(end, n_decimals))),
        None => cell.child(Element::new("small").text(words::missing_words(metric))),
    }
}

fn interval_element(interval: Interval, write: impl Fn(f64) -> String) -> Element {
    Element::new("small")
        .class("whole")
        .child(figure::number(interval.low, write(interval.low)))
        .text(" to ")
        .child(figure::number(interval.high, write(interval.high)))
}

fn margin_cell(metric: &Metric, n_decimals: usize) -> Element {
    let cell = Element::new("td");
    let Some(margin) = metric.margin else {
        return cell.text(words::DASH).child(Element::new("small").text("no limit"));
    };
    let written = words::unsigned(margin.absolute * 100.0, n_decimals);
    let relative = figure::number(margin.relative, words::short_percent(margin.relative));
    let origin = if margin.below_floor {
        Element::new("small").child(relative).text(" is too small to be provable, so this floor is used")
    } else {
        Element::new("small").child(relative).text(" of the control’s rate")
    };
    cell.child(figure::number(margin.absolute, written)).child(origin)
}

fn sentences(comparison: &Comparison) -> Element {
    let mut list = Element::new("dl").class("sentences");
    for metric in &comparison.metrics {
        list = list.child(Element::new("dt").text(metric.title)).child(Element::new("dd").text(format_args!(
            "{} {}",
            metric.definition,
            sentence(metric)
        )));
    }
    Element::new("details").child(Element::new("summary").text("Each metric in words")).child(list)
}

/// Tells a metric in words: rates, difference, interval, limit, and what follows.
fn sentence(metric: &Metric) -> String {
    let n_decimals = words::decimals_of(metric);
    let rate = |rate: &Rate| rate.estimate.map_or(words::DASH.to_owned(), |rate| words::percent(rate, n_decimals));
    let mut out = format!("Candidate {}, control {}", rate(&metric.candidate), rate(&metric.control));
    let Some(estimate) = metric.difference.estimate else {
        out.extend([format!("; the difference cannot be computed: {}.", words::missing_words(metric))]);
        return out;
    };
    out.extend([format!("; difference {} points", words::points(estimate, n_decimals))]);
    let Some(interval) = metric.difference.interval else {
        out.extend([format!(", without an interval: {}.", words::missing_words(metric))]);
        return out;
    };
    out.extend([format!(", interval {}. ", words::points_interval(interval, n_decimals))]);
    if let Some(limit) = words::limit_words(metric) {
        out.extend([format!("Accepted: {limit}. ")]);
    }
    out.push_str(reading(metric, interval));
    out
}

fn reading(metric: &Metric, interval: Interval) -> &'static str {
    let wall = metric.margin.map_or(0.0, |margin| -margin.absolute);
    let interval = words::direction(metric).improvement_interval(interval);
    match metric.status {
        Status::Better => "The whole interval is better than no difference.",
        Status::NonInferior => "The whole interval stays within the limit.",
        Status::Worse if metric.margin.is_some() => "The whole interval is beyond the limit.",
        Status::Worse => "The whole interval is worse than no difference.",
        Status::Undecided if interval.low <= wall && interval.high >= wall && metric.margin.is_some() => {
            "The interval reaches over the limit, so it is unclear on which side the truth lies."
        }
        Status::Undecided if words::differs_unjudged(metric) => {
            "It differs for certain, but that is neither better nor worse by itself."
        }
        Status::Undecided if metric.margin.is_none() => {
            "The interval holds no difference, so either side may be better."
        }
        Status::Undecided => "It is left undecided; the checks say why.",
    }
}
