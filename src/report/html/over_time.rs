//! The cumulative difference day by day, inside the band that is right for one look and the one that is right for all.

use chrono::NaiveDate;

use super::figure::{self, Drawing, Figure, Sheet};
use super::plot::Plot;
use super::{numbers, rows, words};
use crate::report::comparison::over_time::{DayPoint, Plan, Series};
use crate::report::comparison::{Comparison, Metric};
use crate::report::markup::Element;
use crate::report::svg::{self, Anchor, Days, Shape};
use crate::stats::Interval;

/// Days that a table shows at most; the data block holds them all.
const MOST_ROWS: usize = 6;

/// Makes the section, where there is a series.
pub(super) fn section(comparison: &Comparison) -> Option<Element> {
    let drawn: Vec<(&Series, &Metric)> = comparison
        .depth
        .series
        .iter()
        .filter(|series| series.points.iter().any(|point| point.estimate.is_some()))
        .filter_map(|series| Some((series, numbers::metric_named(comparison, series.metric)?)))
        .collect();
    if drawn.is_empty() {
        return None;
    }
    let lead = comparison.depth.plan.map(|plan| Element::new("p").class("lead").text(plan_words(plan)));
    let mut section = figure::section("over-time", "How the difference came about").children(lead);
    for (index, (series, metric)) in drawn.into_iter().enumerate() {
        section = section.child(one(series, metric, index == 0));
    }
    Some(section)
}

/// Tells where the comparison stands in its plan.
pub(super) fn plan_words(plan: Plan) -> String {
    let information = format!("{} of the planned information is collected.", words::progress(plan.info_fraction));
    let looks = if plan.sequential_share >= 1.0 {
        "The whole error rate is spent on all looks together, so that one may look every day.".to_owned()
    } else {
        let share = words::short_percent(plan.sequential_share);
        format!(
            "{share} of the error rate is spent on all looks together, the rest on one look at the planned information."
        )
    };
    let fixed = plan.fixed_look.map_or_else(String::new, |look| {
        let said = if look.passed { "found every limit kept" } else { "did not find every limit kept" };
        format!(" That look was taken on {} and {said}.", words::minute(look.taken_at))
    });
    format!("{information} {looks}{fixed}")
}

fn one(series: &Series, metric: &Metric, is_first: bool) -> Element {
    let id = format!("over-time-{}", metric.name);
    let finding = finding(series, metric);
    let key = is_first.then(|| {
        figure::key(
            &[("anytime", "right at every look: this one decides"), ("fixed", "right for one look only")],
            "The line is the difference of all data up to the day, candidate minus control, in percentage points; up is \
             better, and the written numbers keep their sign. The dashed line is the limit: a metric passes when the wide \
             band is wholly above it.",
        )
    });
    Figure { id: &id, title: &format!("{}, cumulative difference by day", metric.title), finding: &finding, key }
        .half(|sheet| draw(series, metric, sheet), [table(&id, series, metric)])
}

fn finding(series: &Series, metric: &Metric) -> String {
    let n_days = series.points.len();
    let mut out = match (series.passed_on, metric.margin) {
        (Some(day), _) => {
            let nth = series.points.iter().position(|point| point.day == day).map_or(0, |index| index + 1);
            format!(
                "{}: wholly within the limit since {}, day {nth} of {n_days}, and at every look since.",
                metric.title,
                day.format("%-d %b %Y")
            )
        }
        (None, Some(_)) => {
            format!("{}: after {n_days} days the band that decides still reaches over the limit.", metric.title)
        }
        (None, None) => format!("{}: {n_days} days, without a limit.", metric.title),
    };
    if let Some(trend) = series.trend {
        let is_changing = trend.p < 0.05;
        let slope = words::points(trend.slope_per_day, 3);
        let p = words::p_value(trend.p);
        out.extend([if is_changing {
            format!(" The effect is changing by {slope} points a day ({p}).")
        } else {
            format!(" No trend of the daily effect is seen ({slope} points a day, {p}).")
        }]);
        if let Some((estimate, interval)) = trend.last_week {
            let n_decimals = words::decimals_of(metric);
            let write = |value: f64| words::points(value, n_decimals);
            let ends = numbers::ends(interval, write);
            out.extend([format!(" The last seven days alone: {} points ({ends}).", write(estimate))]);
        }
    }
    out
}

/// Returns the ends of the upright axis in points: the first days may be cut off, the limit and the last days never.
fn extent(series: &Series, metric: &Metric) -> (f64, f64) {
    let settled = series.points.len() / 4;
    let ends = series
        .points
        .iter()
        .skip(settled)
        .filter_map(|point| point.anytime)
        .map(|interval| rows::place_interval(metric, interval))
        .flat_map(|interval| [interval.low, interval.high]);
    let estimates = series.points.iter().filter_map(|point| point.estimate).map(|value| rows::place(metric, value));
    let margin = rows::margin_points(metric).map(|margin| -1.25 * margin);
    let (low, high) = ends
        .chain(estimates)
        .chain(margin)
        .filter(|place| place.is_finite())
        .fold((0.0_f64, 0.0_f64), |(low, high), place| (low.min(place), high.max(place)));
    let air = 0.05 * (high - low);
    (low - air, high + air)
}

fn draw(series: &Series, metric: &Metric, sheet: Sheet) -> Drawing {
    let (Some(first), Some(last)) = (series.points.first(), series.points.last()) else {
        return Drawing { marks: Vec::new(), height: 1.0 };
    };
    let plot = Plot::new(sheet, (22.0, sheet.pick(170.0, 150.0)), (0.0, 1.0), extent(series, metric));
    let days = Days::new(first.day, last.day, plot.x.range());
    let (left, right) = plot.x.range();
    let direction = words::direction(metric);
    let label = |tick: f64| words::points(direction.improvement(tick / 100.0), tick_decimals(&plot));
    let mut marks = plot.rules(label);
    let bottom = plot.span().1;
    if let Some(wall) = rows::margin_points(metric).map(|margin| plot.level(-margin)) {
        marks.push(svg::bar("zone", (left, wall), (right - left, bottom - wall)));
    }
    for (class, interval) in [("anytime", anytime as fn(&DayPoint) -> Option<Interval>), ("fixed", fixed)] {
        for run in runs(&series.points, interval) {
            let ends: Vec<(f64, f64, f64)> = run
                .into_iter()
                .map(|(day, interval)| (days.place(day), rows::place_interval(metric, interval)))
                .map(|(x, interval)| (x, plot.level(interval.high), plot.level(interval.low)))
                .collect();
            marks.push(svg::band(class, &ends));
        }
    }
    let line: Vec<(f64, f64)> = series
        .points
        .iter()
        .filter_map(|point| Some((days.place(point.day), plot.level(rows::place(metric, point.estimate?)))))
        .collect();
    let zero = plot.level(0.0);
    marks.push(svg::line("zero", (left, zero), (right, zero)));
    if let Some(wall) = rows::margin_points(metric).map(|margin| plot.level(-margin)) {
        marks.push(svg::line("wall", (left, wall), (right, wall)));
        marks.push(svg::text("bad small", (right, wall + 14.0), Anchor::End, "limit"));
    }
    marks.push(svg::polyline("ink-line", &line));
    marks.extend(line.last().map(|&at| svg::mark("ink", Shape::Circle, at, 3.5)));
    marks.extend(series.passed_on.into_iter().flat_map(|day| passing(&plot, days.place(day))));
    marks.push(svg::text("strong", (0.0, 12.0), Anchor::Start, metric.title));
    marks.push(svg::text("note", (sheet.width(), 12.0), Anchor::End, "points; up is better"));
    let ticks = days.ticks(sheet.pick(6, 4)).into_iter().map(|day| (days.place(day), numbers::short_day(day)));
    marks.extend(plot.feet(ticks));
    Drawing { marks, height: plot.height() }
}

fn anytime(point: &DayPoint) -> Option<Interval> {
    point.anytime
}

fn fixed(point: &DayPoint) -> Option<Interval> {
    point.fixed
}

/// Returns the stretches of days that have an interval; a gap in the data stays a gap.
fn runs(points: &[DayPoint], interval: fn(&DayPoint) -> Option<Interval>) -> Vec<Vec<(NaiveDate, Interval)>> {
    points
        .split(|point| interval(point).is_none())
        .map(|run| run.iter().filter_map(|point| Some((point.day, interval(point)?))).collect::<Vec<_>>())
        .filter(|run| !run.is_empty())
        .collect()
}

/// Marks the day of passing with a line, a shape and words.
fn passing(plot: &Plot, x: f64) -> Vec<Element> {
    let (top, bottom) = plot.span();
    let (left, right) = plot.x.range();
    let is_late = x > f64::midpoint(left, right);
    let (at, anchor) = if is_late { (x - 9.0, Anchor::End) } else { (x + 9.0, Anchor::Start) };
    vec![
        svg::line("good-line", (x, top), (x, bottom)),
        svg::mark("good", Shape::Circle, (x, bottom - 8.0), 4.0),
        svg::text("good strong small", (at, bottom - 4.0), anchor, "passed here"),
    ]
}

fn tick_decimals(plot: &Plot) -> usize {
    let (low, high) = plot.y.domain();
    match high - low {
        extent if extent >= 4.0 => 0,
        extent if extent >= 0.4 => 1,
        _ => 2,
    }
}

fn table(id: &str, series: &Series, metric: &Metric) -> Element {
    let n_decimals = words::decimals_of(metric);
    let write = |value: f64| words::points(value, n_decimals);
    let shown = numbers::thinned(series.points.len(), MOST_ROWS);
    let caption = if shown.len() < series.points.len() {
        format!("{}, difference in points; some days of {}, all of them in the data", metric.title, series.points.len())
    } else {
        format!("{}, difference in points", metric.title)
    };
    let rows = shown.into_iter().filter_map(|place| series.points.get(place)).map(|point| {
        let interval = |interval: Option<Interval>| {
            let cell = Element::new("td").class("whole");
            match interval {
                Some(Interval { low, high }) => {
                    cell.child(figure::number(low, write(low))).text(" to ").child(figure::number(high, write(high)))
                }
                None => cell.text(words::DASH),
            }
        };
        Element::new("tr")
            .child(figure::row_header(point.day))
            .child(figure::count_cell(point.n_users))
            .child(figure::cell(point.estimate, write))
            .child(interval(point.anytime))
            .child(interval(point.fixed))
    });
    figure::folded_table(
        id,
        &caption,
        &["Day", "Units", "Difference", "Right at every look", "Right for one look"],
        rows,
    )
}
