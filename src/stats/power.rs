//! How many completions an experiment needs, and what a given number can show.
//!
//! It must not know of looks: the sequential rule adds its price in `sequential::users_needed`.

use super::Direction;
use super::distribution::{normal_cdf, normal_upper_quantile};

/// Says which hypothesis is planned for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Hypothesis {
    /// Non-inferiority: one-sided, with an absolute margin.
    NonInferior {
        /// Absolute margin.
        margin: f64,
        /// Which way the metric improves.
        direction: Direction,
    },
    /// A difference in either direction.
    Different,
}

impl Hypothesis {
    /// Gives the distance to the limit and the level of one tail.
    fn distance_and_tail(self, difference: f64, alpha: f64) -> (f64, f64) {
        match self {
            Self::NonInferior { margin, direction } => (direction.improvement(difference) + margin, alpha),
            Self::Different => (difference.abs(), alpha / 2.0),
        }
    }
}

/// Holds the plan of an experiment on two proportions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Rate of control.
    pub p_a: f64,
    /// Rate of the candidate that is planned for.
    pub p_b: f64,
    /// Hypothesis.
    pub hypothesis: Hypothesis,
    /// Error rate: of the one side, or of both together.
    pub alpha: f64,
    /// Chance to show it.
    pub power: f64,
    /// Completions of the candidate per completion of control.
    pub ratio: f64,
    /// Design effect of users.
    pub deff: f64,
    /// Completions per user.
    pub completions_per_user: f64,
}

/// Holds how many completions and users a plan needs, unrounded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleSize {
    /// Completions of control.
    pub n_a: f64,
    /// Completions of the candidate.
    pub n_b: f64,
    /// Users of control.
    pub users_a: f64,
}

/// Computes the completions per variant:
/// `n_a = deff (z_tail + z_power)² [p_a(1-p_a) + p_b(1-p_b)/ratio] / dist²`, `n_b = ratio·n_a`.
///
/// Unpooled normal approximation (Farrington & Manning 1990 without the restriction). Nothing where the planned
/// difference is beyond the margin: no number suffices.
pub fn sample_size_two_prop(plan: &Plan) -> Option<SampleSize> {
    let (distance, tail) = plan.hypothesis.distance_and_tail(plan.p_b - plan.p_a, plan.alpha);
    if distance <= 0.0 {
        return None;
    }
    let z = normal_upper_quantile(tail)? + normal_upper_quantile(1.0 - plan.power)?;
    let variance = plan.p_a * (1.0 - plan.p_a) + plan.p_b * (1.0 - plan.p_b) / plan.ratio;
    let n_a = plan.deff * (z / distance).powi(2) * variance;
    Some(SampleSize { n_a, n_b: plan.ratio * n_a, users_a: n_a / plan.completions_per_user })
}

/// Holds two rates as they might be, with the completions they are observed on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TwoRates {
    /// Rate of control.
    pub p_a: f64,
    /// Completions of control.
    pub n_a: f64,
    /// Rate of the candidate.
    pub p_b: f64,
    /// Completions of the candidate.
    pub n_b: f64,
    /// Design effect of users.
    pub deff: f64,
}

/// Computes the chance to show a hypothesis with given counts, by the same approximation.
///
/// `se = sqrt(deff (p_a(1-p_a)/n_a + p_b(1-p_b)/n_b))`; one-sided `Φ(dist/se - z_alpha)`, two-sided
/// `Φ(|d|/se - z) + Φ(-|d|/se - z)`. Nothing without spread.
pub fn power_two_prop(rates: &TwoRates, hypothesis: Hypothesis, alpha: f64) -> Option<f64> {
    let TwoRates { p_a, n_a, p_b, n_b, deff } = *rates;
    let se = (deff * (p_a * (1.0 - p_a) / n_a + p_b * (1.0 - p_b) / n_b)).sqrt();
    if !(se > 0.0 && se.is_finite()) {
        return None;
    }
    let (distance, tail) = hypothesis.distance_and_tail(p_b - p_a, alpha);
    let z = normal_upper_quantile(tail)?;
    let near = normal_cdf(distance / se - z);
    Some(match hypothesis {
        Hypothesis::NonInferior { .. } => near,
        Hypothesis::Different => near + normal_cdf(-distance / se - z),
    })
}

/// Computes the smallest absolute difference that can be detected two-sided with both variances at the baseline.
///
/// `(z_{alpha/2} + z_power) sqrt(deff p(1-p)(1/n_a + 1/n_b))`; also the margin that can be proved at a true
/// difference of 0 with a one-sided error rate of `alpha/2`.
pub fn mde_two_prop(p: f64, n_a: f64, n_b: f64, deff: f64, alpha: f64, power: f64) -> Option<f64> {
    if n_a <= 0.0 || n_b <= 0.0 {
        return None;
    }
    let z = normal_upper_quantile(alpha / 2.0)? + normal_upper_quantile(1.0 - power)?;
    Some(z * (deff * p * (1.0 - p) * (1.0 / n_a + 1.0 / n_b)).sqrt())
}
