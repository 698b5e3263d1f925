//! Whether an effect changes over the days: novelty, learning, drift.
//!
//! It must not know of dates: a day is a number.

use super::distribution::normal_sf;

/// Holds the effect of one day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DailyEffect {
    /// Day, counted from any origin.
    pub day: f64,
    /// Difference on that day.
    pub estimate: f64,
    /// Its standard error.
    pub se: f64,
}

/// Holds the slope of an effect over days.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// Change of the effect per day.
    pub slope: f64,
    /// Its standard error.
    pub se: f64,
    /// `slope / se`.
    pub z: f64,
    /// Two-sided p of no change.
    pub p: f64,
}

/// Computes the slope of daily effects by least squares weighted with `1/se²`.
///
/// `slope = Σw(d-d̄)(e-ē)/Σw(d-d̄)²`, `se = 1/sqrt(Σw(d-d̄)²)`, normal p. Assumes known standard errors and
/// independent days; users active on several days make it somewhat too eager. Days without a standard error are left
/// out; nothing for fewer than three days or where all are the same day.
pub fn effect_trend(effects: &[DailyEffect]) -> Option<Trend> {
    let known = || effects.iter().filter(|e| e.se > 0.0 && e.se.is_finite());
    let first = known().next()?.day;
    let any_spread = known().any(|e| (e.day - first).abs() > 0.0);
    if known().count() < 3 || !any_spread {
        return None;
    }
    let weight = |e: &DailyEffect| 1.0 / (e.se * e.se);
    let total: f64 = known().map(weight).sum();
    let mean_day = known().map(|e| weight(e) * e.day).sum::<f64>() / total;
    let mean_effect = known().map(|e| weight(e) * e.estimate).sum::<f64>() / total;
    let spread: f64 = known().map(|e| weight(e) * (e.day - mean_day).powi(2)).sum();
    let covariation: f64 = known().map(|e| weight(e) * (e.day - mean_day) * (e.estimate - mean_effect)).sum();
    let (slope, se) = (covariation / spread, 1.0 / spread.sqrt());
    let z = slope / se;
    Some(Trend { slope, se, z, p: 2.0 * normal_sf(z.abs()) })
}
