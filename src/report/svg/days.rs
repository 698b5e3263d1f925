//! The time axis: days to places, with ticks on days that are whole steps apart.

use chrono::{Days as Span, NaiveDate};

use super::Linear;

/// Steps between ticks, in days.
const STEPS: [u32; 9] = [1, 2, 4, 7, 14, 28, 56, 112, 364];

/// Maps days to places.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Days {
    first: NaiveDate,
    n_days: i64,
    scale: Linear,
}

impl Days {
    /// Makes an axis from the first to the last day; a single day stands in the middle.
    pub(crate) fn new(first: NaiveDate, last: NaiveDate, range: (f64, f64)) -> Self {
        let n_days = (last - first).num_days().max(0);
        Self { first, n_days, scale: Linear::new((0.0, n_days as f64), range) }
    }

    /// Returns the place of a day.
    pub(crate) fn place(&self, day: NaiveDate) -> f64 {
        self.scale.place((day - self.first).num_days() as f64)
    }

    /// Returns at most about as many days as asked for, from the first on, evenly apart.
    pub(crate) fn ticks(&self, n_wanted: u32) -> Vec<NaiveDate> {
        let n_days = u32::try_from(self.n_days).unwrap_or(u32::MAX);
        let step = STEPS.into_iter().find(|step| n_days / step < n_wanted.max(1)).unwrap_or(n_days / n_wanted.max(1));
        let step = step.max(1);
        (0..=n_days / step)
            .filter_map(|index| self.first.checked_add_days(Span::new(u64::from(index) * u64::from(step))))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_weeks_apart_over_a_month_and_never_too_many() {
        let first = NaiveDate::from_ymd_opt(2026, 1, 5).unwrap();
        for n_days in [0, 1, 6, 27, 90, 400, 4_000] {
            let axis = Days::new(first, first + Span::new(n_days), (0.0, 100.0));

            let ticks = axis.ticks(5);

            assert!((1..=6).contains(&ticks.len()), "{n_days} days: {ticks:?}");
            assert!(ticks.iter().all(|&day| (0.0..=100.0).contains(&axis.place(day))), "{n_days} days");
        }
        let month = Days::new(first, first + Span::new(27), (0.0, 100.0)).ticks(5);
        assert_eq!(month[1] - month[0], chrono::TimeDelta::days(7));
    }
}
