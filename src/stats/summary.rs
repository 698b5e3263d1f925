//! Tests and lay statements from an estimate and its standard error alone.
//!
//! It must not know how the estimate was made.

use super::distribution::{normal_cdf, normal_density, normal_sf, t_sf};
use super::{Direction, Interval, Multiplier};

/// Holds an estimate of `b - a` as another function made it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The difference, un-flipped.
    pub difference: f64,
    /// Its standard error.
    pub se: f64,
    /// Degrees of freedom; nothing for the normal.
    pub df: Option<f64>,
}

/// Holds the tests of one estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SummaryTests {
    /// Interval of the difference, un-flipped.
    pub interval: Interval,
    /// p of no difference.
    pub p_two_sided: f64,
    /// p of being worse than the margin, one-sided.
    pub p_noninferior: f64,
    /// p of being within the margin, one-sided: small means worse by more than the margin.
    pub p_worse_than_margin: f64,
    /// p of differing by more than the margin in either direction (two one-sided tests, Schuirmann 1987).
    pub p_equivalent: f64,
    /// Chance of being within the margin under a flat prior.
    pub prob_noninferior_flat_prior: f64,
}

/// Computes the Wald or t tests of an estimate; nothing for a standard error of 0.
///
/// With the improvement-oriented estimate e: `p_noninferior = P(D > (e+margin)/se)`,
/// `p_equivalent = max(p_noninferior, P(D < (e-margin)/se))`. Assumes a normal (or t) estimate.
pub fn summary_tests(estimate: &Estimate, margin: f64, alpha: f64, direction: Direction) -> Option<SummaryTests> {
    let Estimate { difference, se, df } = *estimate;
    if !(se > 0.0 && se.is_finite()) {
        return None;
    }
    let above = |z: f64| df.map_or_else(|| normal_sf(z), |df| t_sf(z, df));
    let reach = match df {
        Some(df) => Multiplier::Alpha(alpha).under_t(df)?,
        None => Multiplier::Alpha(alpha).under_normal()?,
    };
    let improvement = direction.improvement(difference);
    let from_margin = (improvement + margin) / se;
    let p_noninferior = above(from_margin);
    Some(SummaryTests {
        interval: Interval::around(difference, reach * se)?,
        p_two_sided: 2.0 * above((difference / se).abs()),
        p_noninferior,
        p_worse_than_margin: above(-from_margin),
        p_equivalent: p_noninferior.max(above((margin - improvement) / se)),
        prob_noninferior_flat_prior: normal_cdf(from_margin),
    })
}

/// Holds what is believed of an improvement after the data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Posterior {
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub sd: f64,
    /// Chance of being better.
    pub p_better: f64,
    /// Chance of being within the margin.
    pub p_noninferior: f64,
    /// Expected loss of switching, `E max(0, -D)`.
    pub expected_loss: f64,
}

/// Computes the normal posterior of an improvement; the same evidence as the interval, in words for lay readers.
///
/// Data `N(estimate, se²)`, prior `N(mean, sd²)` or flat; `expected_loss = s φ(m/s) - m Φ(-m/s)`.
pub fn bayes_normal(estimate: f64, se: f64, prior: Option<(f64, f64)>, margin: f64) -> Option<Posterior> {
    if !(se > 0.0 && se.is_finite()) {
        return None;
    }
    let data_precision = 1.0 / (se * se);
    let (mean, sd) = match prior {
        Some((prior_mean, prior_sd)) => {
            let prior_precision = 1.0 / (prior_sd * prior_sd);
            let precision = data_precision + prior_precision;
            ((estimate * data_precision + prior_mean * prior_precision) / precision, 1.0 / precision.sqrt())
        }
        None => (estimate, se),
    };
    Some(Posterior {
        mean,
        sd,
        p_better: normal_cdf(mean / sd),
        p_noninferior: normal_cdf((mean + margin) / sd),
        expected_loss: sd * normal_density(mean / sd) - mean * normal_cdf(-mean / sd),
    })
}
