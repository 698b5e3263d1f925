//! What can be said where nobody was assigned by chance: weighting to like users, and how strong a hidden cause must be.
//!
//! It must not decide whether the variants overlap enough to be compared.

use super::Interval;
use super::jackknife::Variant;
use super::ratio::residual;

/// Holds one unit, completion or user, of a comparison that nobody randomised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed {
    /// Variant that served it.
    pub variant: Variant,
    /// Outcome.
    pub y: f64,
    /// Chance of being served by the candidate, given what is known of it; within 0..=1.
    pub propensity: f64,
}

/// Holds a difference of weighted means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OverlapDifference {
    /// Candidate minus control among the units that either could have served.
    pub difference: f64,
    /// Standard error with the propensity taken as known; nothing for fewer than two weighted units in a variant.
    pub se: Option<f64>,
}

/// Computes the difference of means with overlap weights: units count by how likely the other variant was.
///
/// `w = 1 - e` for the candidate's units and `e` for control's;
/// `Δ = Σwty/Σwt - Σw(1-t)y/Σw(1-t)`, `se = sqrt(Σ_v Σw²(y - mean_v)²/(Σw)²)`. It needs no trimming and balances the
/// means of what a logistic propensity knows. Assumes independent units and no hidden cause of both choice and outcome:
/// see [`e_value`]. Nothing where a variant has no weight or a propensity is none. Li, Morgan & Zaslavsky 2018.
pub fn overlap_weighted_diff(units: &[Observed]) -> Option<OverlapDifference> {
    if !units.iter().all(|unit| (0.0..=1.0).contains(&unit.propensity)) {
        return None;
    }
    let of_variant = |variant: Variant| {
        let weighted = || {
            let units = units.iter().filter(move |unit| unit.variant == variant);
            units.map(Observed::weighted).filter(|&(weight, _)| weight > 0.0)
        };
        let total: f64 = weighted().map(|(weight, _)| weight).sum();
        // The sums of many equal outcomes are rounded, so that they would seem to vary about their mean.
        let first = weighted().next()?.1;
        let are_equal = weighted().all(|(_, y)| residual(y, first).abs() <= 0.0);
        let mean = if are_equal { first } else { weighted().map(|(weight, y)| weight * y).sum::<f64>() / total };
        let squares: f64 = weighted().map(|(weight, y)| (weight * residual(y, mean)).powi(2)).sum();
        let variance = (weighted().count() > 1).then(|| squares / (total * total));
        Some((mean, variance))
    };
    let ((mean_a, variance_a), (mean_b, variance_b)) = (of_variant(Variant::A)?, of_variant(Variant::B)?);
    let se = variance_a.zip(variance_b).map(|(a, b)| (a + b).sqrt());
    Some(OverlapDifference { difference: residual(mean_b, mean_a), se })
}

impl Observed {
    fn weighted(&self) -> (f64, f64) {
        match self.variant {
            Variant::A => (self.propensity, self.y),
            Variant::B => (1.0 - self.propensity, self.y),
        }
    }
}

/// Holds how strong a hidden cause would have to be to explain an effect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EValue {
    /// For the estimate; 1 says that nothing needs explaining.
    pub of_estimate: f64,
    /// For the end of the interval that is nearer to no effect; 1 where the interval covers it.
    pub of_interval: f64,
}

/// Computes the E-value of a risk ratio: how many times as likely a hidden factor must make both the choice of the
/// variant and the outcome, to explain the whole of the effect.
///
/// `E = RR + sqrt(RR(RR - 1))` for `RR >= 1`, of `1/RR` below. Assumes a risk ratio; for a common outcome an odds ratio
/// is none. Nothing for a ratio that is not positive. VanderWeele & Ding 2017.
pub fn e_value(risk_ratio: f64, interval: Interval) -> Option<EValue> {
    let is_ratio = |ratio: f64| ratio > 0.0 && ratio.is_finite();
    if !(is_ratio(risk_ratio) && interval.low <= interval.high) {
        return None;
    }
    let of_ratio = |ratio: f64| ratio + (ratio * (ratio - 1.0)).sqrt();
    let (of_estimate, nearest) = if risk_ratio >= 1.0 {
        (of_ratio(risk_ratio), interval.low)
    } else {
        (of_ratio(1.0 / risk_ratio), 1.0 / interval.high)
    };
    // An end beyond no effect, which for a lower one includes 0, leaves nothing to explain.
    let of_interval = if nearest > 1.0 { of_ratio(nearest) } else { 1.0 };
    of_interval.is_finite().then_some(EValue { of_estimate, of_interval })
}
