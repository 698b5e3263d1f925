//! The cumulative difference in characters: the band that is right at every look, and inside it that for one look.

use super::Comparison;
use super::layout::{Page, pad_left, signed};
use super::per;
use crate::report::comparison::Metric;
use crate::report::comparison::over_time::{DayPoint, Series};
use crate::stats::{Direction, Interval};

const N_ROWS: usize = 9;
const LABEL: usize = 8;
/// Columns are at most this many, so that the picture keeps its shape on wide screens.
const MOST_COLUMNS: usize = 64;

/// Draws the series of the first metric, which decides most, and tells the others in a line each.
pub(super) fn draw(page: &mut Page, comparison: &Comparison) {
    let named = |series: &'_ Series| comparison.metrics.iter().find(|metric| metric.name == series.metric);
    let known: Vec<(&Series, &Metric)> = comparison
        .depth
        .series
        .iter()
        .filter(|series| series.points.len() > 1)
        .filter_map(|series| Some((series, named(series)?)))
        .collect();
    let Some(&(first, metric)) = known.first() else { return };
    page.blank();
    let unit = per(metric);
    page.strong(&format!("{} /{unit:.0} day by day; up is better", metric.title));
    chart(page, first, metric);
    page.wrap("        ", "● difference, ▒ right for one look, ░ right at every look: it decides");
    for (series, metric) in known {
        page.wrap("  ", &told(series, metric));
    }
}

fn told(series: &Series, metric: &Metric) -> String {
    let passed = match series.passed_on {
        Some(day) => format!("wholly within the limit since {day}"),
        None if metric.margin.is_some() => "the band still reaches over the limit".to_owned(),
        None => "no limit".to_owned(),
    };
    let trend = series.trend.map_or_else(String::new, |trend| format!("; trend p = {:.4}", trend.p));
    format!("{}: {passed}{trend}.", metric.title)
}

fn chart(page: &mut Page, series: &Series, metric: &Metric) {
    let direction = if metric.higher_is_better { Direction::HigherIsBetter } else { Direction::LowerIsBetter };
    let n_columns = (page.width() - LABEL - 2).min(MOST_COLUMNS);
    let levels = Levels::of(series, metric, direction);
    for row in 0..N_ROWS {
        let label = levels.label(row, direction, per(metric), metric.margin.map(|margin| -margin.absolute));
        let mut line = format!("{} ┤", pad_left(&label, LABEL - 1));
        for column in 0..n_columns {
            let place = column * (series.points.len() - 1) / (n_columns - 1);
            line.push(
                series.points.get(place).map_or(' ', |point| {
                    levels.mark(row, point, direction, metric.margin.map(|margin| -margin.absolute))
                }),
            );
        }
        page.line(line.trim_end());
    }
    if let (Some(first), Some(last)) = (series.points.first(), series.points.last()) {
        let gap = n_columns.saturating_sub(20);
        page.line(&format!("{}{}{}{}", " ".repeat(LABEL + 1), first.day, " ".repeat(gap), last.day));
    }
}

/// The values that rows stand for, the highest first.
struct Levels {
    low: f64,
    high: f64,
}

impl Levels {
    fn of(series: &Series, metric: &Metric, direction: Direction) -> Self {
        let settled = series.points.len() / 4;
        let bounds = series.points.iter().skip(settled).filter_map(|point| point.anytime);
        let ends = bounds.map(|interval| direction.improvement_interval(interval)).flat_map(|i| [i.low, i.high]);
        let estimates = series.points.iter().skip(settled).filter_map(|point| point.estimate);
        let (low, high) = ends
            .chain(estimates.map(|estimate| direction.improvement(estimate)))
            .chain(metric.margin.map(|margin| -1.2 * margin.absolute))
            .filter(|value| value.is_finite())
            .fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        Self { low, high }
    }

    /// Returns the row of a value; nothing where it lies outside.
    fn row(&self, value: f64) -> Option<usize> {
        if !(self.low..=self.high).contains(&value) || self.high <= self.low {
            return None;
        }
        let share = (self.high - value) / (self.high - self.low);
        Some((share * (N_ROWS - 1) as f64).round() as usize)
    }

    fn mark(&self, row: usize, point: &DayPoint, direction: Direction, wall: Option<f64>) -> char {
        let middle = self.high - (self.high - self.low) * row as f64 / (N_ROWS - 1) as f64;
        let is_inside = |interval: Option<Interval>| {
            let interval = interval.map(|interval| direction.improvement_interval(interval));
            interval.is_some_and(|Interval { low, high }| (low..=high).contains(&middle))
        };
        let is_at = |value: Option<f64>| value.and_then(|value| self.row(value)) == Some(row);
        if is_at(point.estimate.map(|estimate| direction.improvement(estimate))) {
            '●'
        } else if is_at(wall) {
            '┄'
        } else if is_at(Some(0.0)) {
            '─'
        } else if is_inside(point.fixed) {
            '▒'
        } else if is_inside(point.anytime) {
            '░'
        } else {
            ' '
        }
    }

    /// Names the rows that matter; a written number keeps its sign.
    fn label(&self, row: usize, direction: Direction, per: f64, wall: Option<f64>) -> String {
        let is_at = |value: Option<f64>| value.and_then(|value| self.row(value)) == Some(row);
        if is_at(wall) {
            "limit".to_owned()
        } else if is_at(Some(0.0)) {
            "0".to_owned()
        } else if row == 0 {
            signed(direction.improvement(self.high) * per)
        } else if row == N_ROWS - 1 {
            signed(direction.improvement(self.low) * per)
        } else {
            String::new()
        }
    }
}
