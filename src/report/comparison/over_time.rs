//! How a difference came about, day by day.

use chrono::NaiveDate;

use crate::stats::Interval;

/// The cumulative difference of one metric: at each day, what the comparison said of all data up to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Name of the metric.
    pub metric: &'static str,
    /// Days (UTC) in their order; days without completions are left out.
    pub points: Vec<DayPoint>,
    /// First day on which the bounds that decide were wholly better than the margin, and stayed so since.
    pub passed_on: Option<NaiveDate>,
    /// The trend of the effects of single days; nothing with too few of them.
    pub trend: Option<DayTrend>,
}

/// One day of a [`Series`]; differences are candidate minus control, never flipped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DayPoint {
    /// The day.
    pub day: NaiveDate,
    /// Units up to the day's end, each once, also those on both sides.
    pub n_users: u64,
    /// The cumulative difference.
    pub estimate: Option<f64>,
    /// Plain interval, right for one look only.
    pub fixed: Option<Interval>,
    /// Interval that is right at every look; it is the wider one, and on the last day it is the metric's own (ST-1)
    /// unless the fixed look decided.
    pub anytime: Option<Interval>,
}

/// Whether the effect is changing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DayTrend {
    /// Change of the daily effect per day.
    pub slope_per_day: f64,
    /// Two-sided p of no change.
    pub p: f64,
    /// The effect over the last seven days alone, and its plain interval.
    pub last_week: Option<(f64, Option<Interval>)>,
}

/// Units that were first exposed on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExposureDay {
    /// The day (UTC).
    pub day: NaiveDate,
    /// Units first seen on the control's side.
    pub n_control: u64,
    /// Units first seen on the candidate's side.
    pub n_candidate: u64,
}

/// Where the comparison stands in its plan (the hybrid rule).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Information collected as a share of what was planned, the smallest over the must-pass metrics.
    pub info_fraction: f64,
    /// Share of alpha that is spent on all looks together; the rest is spent on the one fixed look. It is 1 where
    /// nothing remembers looks.
    pub sequential_share: f64,
    /// When the one fixed look was taken, and what it said; nothing before.
    pub fixed_look: Option<FixedLook>,
}

/// The one look that spends most of alpha.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FixedLook {
    /// When the planned information was first reached.
    pub taken_at: crate::domain::clock::Timestamp,
    /// Whether it found the candidate to be within every margin.
    pub passed: bool,
}
