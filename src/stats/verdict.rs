//! The verdict: one decision rule over bounds that were already computed.
//!
//! The bounds that decide are the bounds that are drawn (ST-1): [`MetricBounds`] is the only thing the rule reads. It
//! must not know how the bounds were made, nor the words they are told in.

use super::cluster::{ClusteredDifference, RelativeContrast};
use super::sequential::{Spending, look_multiplier};
use super::{Direction, Interval};

/// Below this p the planned shares of the variants are not believed.
pub const SRM_ALARM_P: f64 = 0.001;
/// Above this share of users in both variants the assignment is not believed.
pub const MAX_CROSSOVER_SHARE: f64 = 0.05;

/// Says what a comparison concludes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerdictCode {
    /// The candidate can replace control.
    Switch,
    /// Control stays.
    Keep,
    /// Not yet decided, and it will be in time.
    KeepCollecting,
    /// Not decided, and it will not be in time.
    CannotTell,
    /// The numbers must not be read.
    Invalid,
    /// As `Switch`, without randomisation.
    LeanSwitch,
    /// As `Keep`, without randomisation.
    LeanKeep,
}

impl VerdictCode {
    /// Gives the name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Switch => "SWITCH",
            Self::Keep => "KEEP",
            Self::KeepCollecting => "KEEP_COLLECTING",
            Self::CannotTell => "CANNOT_TELL",
            Self::Invalid => "INVALID",
            Self::LeanSwitch => "LEAN_SWITCH",
            Self::LeanKeep => "LEAN_KEEP",
        }
    }
}

/// Says which line of the rule fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerdictReason {
    /// The variants did not get their planned shares.
    SampleRatioMismatch,
    /// Too many users were served by both variants.
    Crossover,
    /// Some metric is worse than its margin.
    WorseThanMargin,
    /// Within every margin, and a primary metric is better.
    Better,
    /// Within every margin, and some metric is worse than before.
    SmallCost,
    /// Within every margin.
    NonInferior,
    /// Within every margin but in one part of the traffic, which stays with control. The rule below does not give it: it
    /// sees no parts.
    ExceptSegment,
    /// The planned information is there and some estimate is at or beyond its margin.
    NotShown,
    /// More days are needed than are allowed.
    TooLong,
    /// Nobody can say how many days are needed.
    DurationUnknown,
    /// Within every margin, on too few users or events.
    TooLittleEvidence,
    /// Some bound still reaches its margin.
    Undecided,
}

impl VerdictReason {
    /// Gives the name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SampleRatioMismatch => "sample_ratio_mismatch",
            Self::Crossover => "crossover",
            Self::WorseThanMargin => "worse_than_margin",
            Self::Better => "better",
            Self::SmallCost => "small_cost",
            Self::NonInferior => "non_inferior",
            Self::ExceptSegment => "except_segment",
            Self::NotShown => "not_shown",
            Self::TooLong => "too_long",
            Self::DurationUnknown => "duration_unknown",
            Self::TooLittleEvidence => "too_little_evidence",
            Self::Undecided => "undecided",
        }
    }
}

/// Says how the variants came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComparisonMode {
    /// Units were assigned by chance.
    Randomised,
    /// Nothing was assigned: the verdict only leans.
    Observational,
}

/// Says what a must-pass metric can do beyond blocking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricRole {
    /// May show that the candidate is better.
    Primary,
    /// May only block.
    Guardrail,
}

/// Holds the numbers of one must-pass metric, improvement-oriented; `None` is undecided and neither passes nor fails.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricBounds {
    /// Role.
    pub role: MetricRole,
    /// Improvement of the candidate over control.
    pub estimate: Option<f64>,
    /// Lower bound of the improvement: the one that is drawn and that must be above `-margin`.
    pub low: Option<f64>,
    /// Upper bound of the improvement: the one that is drawn and that must not be below `-margin`.
    pub high: Option<f64>,
    /// Loss that is accepted, in the units of the metric, not negative.
    pub margin: f64,
    /// Bounds of the plain difference, where `low` and `high` come from the contrast of a relative margin.
    ///
    /// The contrast has a smaller (or larger) share of control's variance than the difference, so a claim about 0
    /// has to hold in both.
    pub difference: Option<Interval>,
}

impl MetricBounds {
    /// Takes an absolute margin and the un-flipped interval of the difference `b - a`.
    pub fn absolute(
        role: MetricRole,
        difference: f64,
        interval: Option<Interval>,
        margin: f64,
        direction: Direction,
    ) -> Self {
        let interval = interval.map(|interval| direction.improvement_interval(interval));
        Self {
            role,
            estimate: Some(direction.improvement(difference)),
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
            margin,
            difference: None,
        }
    }

    /// Takes a relative margin as its contrast, moved by the margin so that it reads as a difference.
    ///
    /// `low > -margin` is then exactly "the contrast is above 0": picture and verdict follow one rule.
    pub fn relative(
        role: MetricRole,
        contrast: &RelativeContrast,
        plain: &ClusteredDifference,
        direction: Direction,
    ) -> Self {
        let margin = contrast.margin;
        Self {
            role,
            estimate: Some(direction.improvement(plain.difference)),
            low: contrast.interval.map(|interval| interval.low - margin),
            high: contrast.interval.map(|interval| interval.high - margin),
            margin,
            difference: plain.interval.map(|interval| direction.improvement_interval(interval)),
        }
    }

    /// Says whether the whole interval is better than the margin.
    pub fn is_non_inferior(&self) -> bool {
        self.low.is_some_and(|low| low > -self.margin)
    }

    /// Says whether the whole interval is worse than the margin.
    pub fn is_worse_than_margin(&self) -> bool {
        self.high.is_some_and(|high| high < -self.margin)
    }

    /// Says whether the whole interval is above 0.
    pub fn is_better(&self) -> bool {
        self.low.is_some_and(|low| low > 0.0) && self.difference.is_none_or(|difference| difference.low > 0.0)
    }

    /// Says whether the whole interval is below 0.
    pub fn is_worse(&self) -> bool {
        self.high.is_some_and(|high| high < 0.0) || self.difference.is_some_and(|difference| difference.high < 0.0)
    }

    /// Says whether the estimate itself is at or beyond the margin.
    pub fn estimate_is_beyond_margin(&self) -> bool {
        self.estimate.is_some_and(|estimate| estimate <= -self.margin)
    }
}

/// Holds all that the decision rule reads.
#[derive(Debug, Clone, PartialEq)]
pub struct VerdictInput {
    /// How the variants came about.
    pub mode: ComparisonMode,
    /// p of the planned shares; nothing where none were planned.
    pub srm_p: Option<f64>,
    /// Share of users served by both variants.
    pub crossover_share: f64,
    /// Information now over the planned information, the smallest over the metrics.
    pub info_fraction: f64,
    /// Whether there are users, events and weekdays enough for a switch.
    pub enough_evidence: bool,
    /// Days until a decision; nothing where they are unknown.
    pub days_more: Option<f64>,
    /// Days that are allowed.
    pub max_days: f64,
    /// Every must-pass metric.
    pub metrics: Vec<MetricBounds>,
}

/// Holds the conclusion and the line of the rule that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// What is concluded.
    pub code: VerdictCode,
    /// Why.
    pub reason: VerdictReason,
}

/// Decides. The first line that applies wins:
///
/// 1. `INVALID`: SRM p < 0.001 or crossover > 5%.
/// 2. `KEEP`: some upper bound is below its `-margin`.
/// 3. `SWITCH`: every lower bound is above its `-margin` and there is evidence enough; `better` if a primary lower
///    bound is above 0, else `small_cost` if some upper bound is below 0, else `non_inferior`.
/// 4. `KEEP`: the planned information is reached and some estimate is at or beyond its margin.
/// 5. `CANNOT_TELL`: more days are needed than allowed, or unknown.
/// 6. `KEEP_COLLECTING`.
///
/// All metrics must pass (intersection-union, Berger 1982), so none of them needs a correction of alpha; Schultzberg
/// et al. 2024. A comparison without metrics is never a switch.
pub fn decide(input: &VerdictInput) -> Verdict {
    let (code, reason) = rule(input);
    let code = match (input.mode, code) {
        (ComparisonMode::Observational, VerdictCode::Switch) => VerdictCode::LeanSwitch,
        (ComparisonMode::Observational, VerdictCode::Keep) => VerdictCode::LeanKeep,
        (_, code) => code,
    };
    Verdict { code, reason }
}

fn rule(input: &VerdictInput) -> (VerdictCode, VerdictReason) {
    let metrics = &input.metrics;
    if input.srm_p.is_some_and(|p| p < SRM_ALARM_P) {
        return (VerdictCode::Invalid, VerdictReason::SampleRatioMismatch);
    }
    if input.crossover_share > MAX_CROSSOVER_SHARE {
        return (VerdictCode::Invalid, VerdictReason::Crossover);
    }
    if metrics.iter().any(MetricBounds::is_worse_than_margin) {
        return (VerdictCode::Keep, VerdictReason::WorseThanMargin);
    }
    let all_pass = !metrics.is_empty() && metrics.iter().all(MetricBounds::is_non_inferior);
    if all_pass && input.enough_evidence {
        return (VerdictCode::Switch, reason_to_switch(metrics));
    }
    if input.info_fraction >= 1.0 && metrics.iter().any(MetricBounds::estimate_is_beyond_margin) {
        return (VerdictCode::Keep, VerdictReason::NotShown);
    }
    match input.days_more {
        None => (VerdictCode::CannotTell, VerdictReason::DurationUnknown),
        Some(days) if days > input.max_days => (VerdictCode::CannotTell, VerdictReason::TooLong),
        Some(_) if all_pass => (VerdictCode::KeepCollecting, VerdictReason::TooLittleEvidence),
        Some(_) => (VerdictCode::KeepCollecting, VerdictReason::Undecided),
    }
}

fn reason_to_switch(metrics: &[MetricBounds]) -> VerdictReason {
    if metrics.iter().any(|metric| metric.role == MetricRole::Primary && metric.is_better()) {
        VerdictReason::Better
    } else if metrics.iter().any(MetricBounds::is_worse) {
        VerdictReason::SmallCost
    } else {
        VerdictReason::NonInferior
    }
}

/// Holds a must-pass metric as an estimate with its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricSummary {
    /// Role.
    pub role: MetricRole,
    /// `b - a`, un-flipped.
    pub difference: f64,
    /// Standard error; nothing where it is unknown.
    pub se: Option<f64>,
    /// Degrees of freedom; nothing for the normal.
    pub df: Option<f64>,
    /// Absolute margin.
    pub margin: f64,
    /// Which way the metric improves.
    pub direction: Direction,
}

/// Computes the bounds of a metric at the present look: `estimate ± multiplier·se`; see [`look_multiplier`].
///
/// An unknown or zero standard error leaves the metric undecided.
pub fn bounds_of(metric: &MetricSummary, spending: &Spending) -> MetricBounds {
    let half = metric.se.zip(look_multiplier(spending, metric.df)).map(|(se, multiplier)| multiplier * se);
    let interval = half.and_then(|half| Interval::around(metric.difference, half));
    MetricBounds::absolute(metric.role, metric.difference, interval, metric.margin, metric.direction)
}
