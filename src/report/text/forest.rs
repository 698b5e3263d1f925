//! The forest plot in characters: each must-pass metric with its interval, the line of no difference, and its limit.
//!
//! Better is to the right on every row, and every row is drawn in units of its own limit, so that the limits stand
//! below each other: an interval that stays right of the limit has passed.

use super::layout::{Page, Paint, pad};
use super::{Comparison, Metric, Role};
use crate::report::comparison::Status;
use crate::stats::{Direction, Interval};

pub(super) const LABEL: usize = 13;
pub(super) const STATUS: usize = 16;
/// Columns show at least and at most this many limits on either side.
const EXTENT: (f64, f64) = (1.5, 4.0);

/// Draws the must-pass metrics that have a limit.
pub(super) fn draw(page: &mut Page, comparison: &Comparison) {
    let rows: Vec<(&Metric, Position)> =
        comparison.metrics.iter().filter_map(|metric| Some((metric, Position::of(metric)?))).collect();
    if rows.is_empty() {
        return;
    }
    let axis = Axis::over(rows.iter().map(|(_, position)| position), page.width() - LABEL - STATUS);
    page.blank();
    page.strong(&format!("{}{}", pad("", LABEL), axis.header()));
    for (metric, position) in rows {
        let (mark, paint) = match metric.status {
            Status::Better => ("▲ better", Paint::Good),
            Status::NonInferior => ("✓ within limit", Paint::Good),
            Status::Worse => ("▼ beyond limit", Paint::Bad),
            Status::Undecided => ("? undecided", Paint::Strong),
        };
        let status = page.paint(mark, paint);
        page.line(&format!("{}{}  {status}", pad(metric.title, LABEL), axis.row(&position)));
    }
}

/// A metric's estimate and interval in units of its limit; positive is better.
pub(super) struct Position {
    estimate: Option<f64>,
    interval: Option<Interval>,
}

impl Position {
    fn of(metric: &Metric) -> Option<Self> {
        metric.margin.filter(|_| metric.role == Role::MustPass)?;
        Self::against(metric, metric.difference.estimate, metric.difference.interval)
    }

    /// Places any difference of a metric in units of the metric's limit.
    pub(super) fn against(metric: &Metric, estimate: Option<f64>, interval: Option<Interval>) -> Option<Self> {
        let unit = metric.margin?.absolute;
        if unit <= 0.0 {
            return None;
        }
        let direction = if metric.higher_is_better { Direction::HigherIsBetter } else { Direction::LowerIsBetter };
        let interval = interval.map(|interval| direction.improvement_interval(interval));
        Some(Self {
            estimate: estimate.map(|estimate| direction.improvement(estimate) / unit),
            interval: interval.map(|interval| Interval { low: interval.low / unit, high: interval.high / unit }),
        })
    }

    fn furthest(&self) -> f64 {
        self.interval.map_or(0.0, |interval| interval.low.abs().max(interval.high.abs()))
    }
}

pub(super) struct Axis {
    extent: f64,
    n_columns: usize,
}

impl Axis {
    /// Makes an axis that reaches as far as the positions, within bounds.
    pub(super) fn over<'a>(positions: impl Iterator<Item = &'a Position>, n_columns: usize) -> Self {
        Self { extent: positions.map(Position::furthest).fold(EXTENT.0, f64::max).min(EXTENT.1), n_columns }
    }

    /// Returns the column of a position, which may lie outside.
    fn column(&self, position: f64) -> isize {
        let last = (self.n_columns - 1) as f64;
        (f64::midpoint(position / self.extent, 1.0) * last).round() as isize
    }

    pub(super) fn header(&self) -> String {
        let mut cells = vec![' '; self.n_columns];
        let mut write = |words: &str, centre: isize| {
            let start = centre - words.chars().count() as isize / 2;
            for (offset, letter) in words.chars().enumerate() {
                if let Ok(place) = usize::try_from(start + offset as isize)
                    && let Some(cell) = cells.get_mut(place)
                {
                    *cell = letter;
                }
            }
        };
        write("limit", self.column(-1.0));
        write("0", self.column(0.0));
        write("better →", self.n_columns as isize - 4);
        cells.into_iter().collect::<String>().trim_end().to_owned()
    }

    pub(super) fn row(&self, position: &Position) -> String {
        let mut cells = vec![' '; self.n_columns];
        let last = self.n_columns as isize - 1;
        let mut set = |column: isize, mark: char| {
            if let Ok(place) = usize::try_from(column)
                && let Some(cell) = cells.get_mut(place)
            {
                *cell = mark;
            }
        };
        if let Some(interval) = position.interval {
            let (low, high) = (self.column(interval.low), self.column(interval.high));
            for column in low.max(0)..=high.min(last) {
                set(column, '─');
            }
            set(low, '├');
            set(high, '┤');
            // An interval that leaves the picture ends in an arrow.
            if low < 0 {
                set(0, '◀');
            }
            if high > last {
                set(last, '▶');
            }
        }
        set(self.column(-1.0), '┊');
        set(self.column(0.0), '│');
        if let Some(estimate) = position.estimate {
            set(self.column(estimate).clamp(0, last), '●');
        }
        cells.into_iter().collect()
    }
}
