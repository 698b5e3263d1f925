//! All candidates of an experiment: each against the control, and quality against cost.

use super::figure::{self, Drawing, Figure, Sheet};
use super::plot::Plot;
use super::rows::{self, Row, Rows, Standing};
use super::segments::pts;
use super::{numbers, verdict, words};
use crate::report::comparison::candidates::Candidate;
use crate::report::comparison::{Comparison, Metric};
use crate::report::markup::Element;
use crate::report::svg::{self, Anchor, Shape};
use crate::stats::Interval;

/// Makes the section, where there is more than one candidate.
pub(super) fn section(comparison: &Comparison) -> Option<Element> {
    let candidates = &comparison.depth.candidates;
    let metric = primary(comparison).filter(|_| candidates.len() > 1)?;
    let finding = finding(candidates);
    let all: Vec<Row> = candidates.iter().map(|candidate| row(metric, candidate)).collect();
    let rows = Rows {
        rows: &all,
        wall: rows::margin_points(metric).map(|margin| -margin),
        ways: ("← worse", "better →"),
        zero: "no difference",
    };
    let key = figure::reading(
        "Each candidate against the control. p is that of being within every limit, valid at every look; beside it the \
         same corrected over all candidates (Holm).",
    );
    let title = format!("{} of every candidate against the control", metric.title);
    let figure = Figure { id: "candidates", title: &title, finding: &finding, key: Some(key) }
        .half(|sheet| rows.draw(sheet), [table(metric, candidates)]);
    Some(figure::section("all-candidates", "Which candidate?").child(figure))
}

/// Returns the metric that candidates are told by: the first that must pass.
fn primary(comparison: &Comparison) -> Option<&Metric> {
    numbers::metric_named(comparison, "good_turn").or_else(|| comparison.metrics.first())
}

fn finding(candidates: &[Candidate]) -> String {
    let told = candidates.iter().map(|candidate| {
        format!("{}: {}", numbers::isolated(&candidate.name), verdict::word(candidate.code).to_lowercase())
    });
    format!("{}.", told.collect::<Vec<_>>().join("; "))
}

fn row(metric: &Metric, candidate: &Candidate) -> Row {
    let n_decimals = words::decimals_of(metric);
    let interval = candidate.interval.map(|interval| rows::place_interval(metric, interval));
    Row {
        label: numbers::cut(&candidate.name, 18),
        note: verdict::word(candidate.code).to_owned(),
        estimate: candidate.estimate.map(|value| rows::place(metric, value)),
        interval,
        standing: Standing::of(interval, rows::margin_points(metric)),
        radius: 5.5,
        value: candidate.estimate.map_or(words::DASH.to_owned(), |value| pts(value, n_decimals)),
        ends: numbers::ends(candidate.interval, |end| words::points(end, n_decimals)),
    }
}

fn table(metric: &Metric, candidates: &[Candidate]) -> Element {
    let n_decimals = words::decimals_of(metric);
    let rows = candidates.iter().map(|candidate| {
        let model = candidate.model.as_ref().map(|model| Element::new("small").child(figure::name(model)));
        Element::new("tr")
            .child(Element::new("th").with("scope", "row").child(figure::name(&candidate.name)).children(model))
            .child(figure::word_cell(verdict::word(candidate.code)))
            .child(figure::count_cell(candidate.n_users))
            .child(figure::cell_with(candidate.estimate, candidate.interval, |value| words::points(value, n_decimals)))
            .child(figure::cell(candidate.p, words::p_value))
            .child(figure::cell(candidate.p_holm, words::p_value))
            .child(figure::cell_with(candidate.cost_difference, candidate.cost_interval, numbers::dollars))
            .child(figure::word_cell(if candidate.is_undominated { "undominated" } else { "dominated" }))
    });
    let columns =
        ["Candidate", "Verdict", "Units", "Difference in points", "p", "Holm’s p", "Cost of a turn", "Frontier"];
    let caption = format!("Every candidate against the control: {}, and the cost of a turn", metric.title);
    figure::folded_table("candidates", &caption, &columns, rows)
}

/// A point of the plane of saving and quality.
struct Spot {
    label: String,
    saving: f64,
    saving_interval: Option<Interval>,
    quality: f64,
    quality_interval: Option<Interval>,
    is_undominated: bool,
}

/// Draws quality against cost, where the cost of a turn is known.
pub(super) fn frontier(comparison: &Comparison) -> Option<Element> {
    let metric = primary(comparison)?;
    let spots = spots(comparison, metric);
    if spots.is_empty() {
        return None;
    }
    let finding = frontier_finding(&spots, metric);
    let key = figure::reading(
        "Each candidate against the control, which stands at the crossing of the solid lines: cheaper to the right, better \
         up, intervals on both axes. A filled circle is undominated: nothing else is both better and cheaper. The stair \
         joins these.",
    );
    let title = format!("{} against the cost of a turn", metric.title);
    Some(
        Figure { id: "frontier", title: &title, finding: &finding, key: Some(key) }
            .half(|sheet| draw(&spots, metric, sheet), [frontier_table(comparison, metric)]),
    )
}

/// Returns the candidates that have a cost; one alone is told by what was measured.
fn spots(comparison: &Comparison, metric: &Metric) -> Vec<Spot> {
    told(comparison, metric)
        .into_iter()
        .filter_map(|(name, estimate, interval, cost, cost_interval, is_undominated)| {
            Some(Spot {
                label: numbers::cut(name, 24),
                saving: -1000.0 * cost?,
                saving_interval: cost_interval
                    .map(|Interval { low, high }| Interval { low: -1000.0 * high, high: -1000.0 * low }),
                quality: rows::place(metric, estimate?),
                quality_interval: interval.map(|interval| rows::place_interval(metric, interval)),
                is_undominated,
            })
        })
        .collect()
}

type Told<'a> = (&'a str, Option<f64>, Option<Interval>, Option<f64>, Option<Interval>, bool);

fn told<'a>(comparison: &'a Comparison, metric: &Metric) -> Vec<Told<'a>> {
    if comparison.depth.candidates.is_empty() {
        let cost = comparison.depth.measures.iter().find(|measure| measure.name == "cost_usd");
        let name = comparison.candidate.name.as_str();
        let Metric { difference, .. } = metric;
        let row = |cost: &crate::report::comparison::costs::Measure| {
            (name, difference.estimate, difference.interval, cost.difference, cost.interval, true)
        };
        return cost.map(row).into_iter().collect();
    }
    let row = |candidate: &'a Candidate| {
        (
            candidate.name.as_str(),
            candidate.estimate,
            candidate.interval,
            candidate.cost_difference,
            candidate.cost_interval,
            candidate.is_undominated,
        )
    };
    comparison.depth.candidates.iter().map(row).collect()
}

fn frontier_finding(spots: &[Spot], metric: &Metric) -> String {
    let told = spots.iter().map(|spot| {
        let way = if spot.saving >= 0.0 { "saves" } else { "costs" };
        let money = numbers::dollars(spot.saving.abs());
        let gain = words::direction(metric).improvement(spot.quality / 100.0);
        format!(
            "{} {way} {money} per thousand turns at {} points",
            spot.label,
            words::points(gain, words::decimals_of(metric))
        )
    });
    format!("{}: {}.", metric.title, told.collect::<Vec<_>>().join("; "))
}

fn extent(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    let air = 0.12 * (high - low);
    (low - air, high + air)
}

fn draw(spots: &[Spot], metric: &Metric, sheet: Sheet) -> Drawing {
    let ends = |interval: Option<Interval>| interval.into_iter().flat_map(|Interval { low, high }| [low, high]);
    let across = extent(spots.iter().flat_map(|spot| ends(spot.saving_interval).chain([spot.saving])));
    let margin = rows::margin_points(metric);
    let upward = spots.iter().flat_map(|spot| ends(spot.quality_interval).chain([spot.quality]));
    let plot = Plot::new(sheet, (22.0, 210.0), across, extent(upward.chain(margin.map(|margin| -margin))));
    let direction = words::direction(metric);
    let mut marks = plot.rules(|tick| words::points(direction.improvement(tick / 100.0), 1));
    let (left, right) = plot.x.range();
    let (top, bottom) = plot.span();
    if let Some(wall) = margin.map(|margin| plot.level(-margin)) {
        marks.push(svg::bar("zone", (left, wall), (right - left, bottom - wall)));
        marks.push(svg::line("wall", (left, wall), (right, wall)));
        marks.push(svg::text("bad small", (left + 4.0, wall + 14.0), Anchor::Start, "limit"));
    }
    let (x, y) = (plot.x.place(0.0), plot.level(0.0));
    marks.push(svg::line("zero", (left, y), (right, y)));
    marks.push(svg::line("zero", (x, top), (x, bottom)));
    let mut edge: Vec<(f64, f64)> = spots
        .iter()
        .filter(|spot| spot.is_undominated)
        .map(|spot| (plot.x.place(spot.saving), plot.level(spot.quality)))
        .collect();
    edge.sort_by(|a, b| a.0.total_cmp(&b.0));
    marks.extend((edge.len() > 1).then(|| svg::staircase("good-line", &edge)));
    // Names of spots at one height would cover each other: each stands at least a line below the one before.
    let mut by_height: Vec<&Spot> = spots.iter().collect();
    by_height.sort_by(|a, b| b.quality.total_cmp(&a.quality));
    let mut lowest = f64::NEG_INFINITY;
    for spot in by_height {
        lowest = (plot.level(spot.quality) - 7.0).max(lowest + 15.0);
        mark(spot, lowest, &plot, &mut marks);
    }
    marks.push(svg::text(
        "note",
        (0.0, 12.0),
        Anchor::Start,
        sheet.pick("difference in points; up is better", "points; up is better"),
    ));
    marks.push(svg::text(
        "note",
        (sheet.width(), 12.0),
        Anchor::End,
        sheet.pick("saved per thousand turns; cheaper →", "saved per 1000 →"),
    ));
    let ticks = plot.x.ticks(sheet.pick(6, 3)).into_iter().map(|tick| (plot.x.place(tick), numbers::dollars(tick)));
    marks.extend(plot.feet(ticks));
    Drawing { marks, height: plot.height() }
}

fn mark(spot: &Spot, label_y: f64, plot: &Plot, marks: &mut Vec<Element>) {
    let at = (plot.x.place(spot.saving), plot.level(spot.quality));
    let class = if spot.is_undominated { "good" } else { "open" };
    if let Some(Interval { low, high }) = spot.saving_interval {
        marks.push(svg::whisker(class, (plot.x.place(low), plot.x.place(high)), at.1, (true, true)));
    }
    if let Some(Interval { low, high }) = spot.quality_interval {
        marks.push(svg::upright(class, at.0, (plot.level(low), plot.level(high))));
    }
    let shape = if spot.is_undominated { Shape::Circle } else { Shape::Diamond };
    marks.push(svg::mark(class, shape, at, 6.0));
    let is_right = at.0 > f64::midpoint(plot.x.range().0, plot.x.range().1);
    let (x, anchor) = if is_right { (at.0 - 10.0, Anchor::End) } else { (at.0 + 10.0, Anchor::Start) };
    marks.push(svg::text("strong small", (x, label_y), anchor, &spot.label));
}

fn frontier_table(comparison: &Comparison, metric: &Metric) -> Element {
    let n_decimals = words::decimals_of(metric);
    let rows = told(comparison, metric).into_iter().map(|(name, estimate, interval, cost, cost_interval, best)| {
        Element::new("tr")
            .child(Element::new("th").with("scope", "row").child(figure::name(name)))
            .child(figure::cell_with(estimate, interval, |value| words::points(value, n_decimals)))
            .child(figure::cell_with(cost, cost_interval, numbers::dollars))
            .child(figure::word_cell(if best { "undominated" } else { "dominated" }))
    });
    let columns = ["Candidate", "Difference in points", "Cost of a turn, difference", "Frontier"];
    figure::folded_table("frontier", &format!("{} against the cost of a turn", metric.title), &columns, rows)
}
