//! Intervals and tests for one and for two independent proportions.
//!
//! It must not know of clusters: counts are taken as independent, or already divided by a design effect.

use super::Interval;
use super::distribution::{beta_quantile, normal_sf, normal_upper_quantile};

/// Holds a proportion with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Proportion {
    /// `x / n`; nothing for `n = 0`.
    pub estimate: Option<f64>,
    /// Lower end; 0 for `n = 0`.
    pub low: f64,
    /// Upper end; 1 for `n = 0`.
    pub high: f64,
}

/// Holds events and trials of both variants; either may be fractional.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TwoCounts {
    /// Events of control.
    pub x_a: f64,
    /// Trials of control.
    pub n_a: f64,
    /// Events of the candidate.
    pub x_b: f64,
    /// Trials of the candidate.
    pub n_b: f64,
}

impl TwoCounts {
    /// Says whether the counts can be: no fewer events than none and no more than trials.
    pub fn are_possible(&self) -> bool {
        let are = |x: f64, n: f64| n.is_finite() && (0.0..=n).contains(&x);
        are(self.x_a, self.n_a) && are(self.x_b, self.n_b)
    }
}

/// Holds the difference of two proportions with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProportionDifference {
    /// `x_b / n_b - x_a / n_a`.
    pub difference: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Holds a z statistic with its two-sided p.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ZTest {
    /// The statistic.
    pub z: f64,
    /// Two-sided p.
    pub p: f64,
}

/// Computes Wilson's score interval from a proportion, a possibly effective count and a multiplier.
///
/// `centre = (p + z²/2n)/(1 + z²/n)`, `half = z/(1 + z²/n) sqrt(p(1-p)/n + z²/4n²)`; exactly 0 below no events and
/// exactly 1 above only events; `[0, 1]` for `n = 0`. Wilson 1927; on an effective count Franco et al. 2019.
pub fn wilson(p: f64, n: f64, z: f64) -> Interval {
    if n <= 0.0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let shrink = 1.0 + z * z / n;
    let centre = (p + z * z / (2.0 * n)) / shrink;
    let half = z / shrink * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    Interval {
        low: if p <= 0.0 { 0.0 } else { (centre - half).clamp(0.0, p.min(1.0)) },
        high: if p >= 1.0 { 1.0 } else { (centre + half).clamp(p.max(0.0), 1.0) },
    }
}

/// Computes Wilson's interval of `x` out of `n` (either may be fractional) at the two-sided error rate `alpha`.
///
/// See [`wilson`]; assumes independent trials, keeps its coverage for few events, never has zero width.
pub fn wilson_ci(x: f64, n: f64, alpha: f64) -> Option<Proportion> {
    let z = normal_upper_quantile(alpha / 2.0)?;
    let estimate = (n > 0.0).then(|| x / n);
    let Interval { low, high } = wilson(estimate.unwrap_or(0.0), n, z);
    Some(Proportion { estimate, low, high })
}

/// Computes the exact interval of Clopper and Pearson (1934): ends are beta quantiles, coverage at least nominal.
///
/// `low = BetaInv(alpha/2; x, n-x+1)`, 0 for no events; `high = BetaInv(1-alpha/2; x+1, n-x)`, 1 for only events.
pub fn clopper_pearson_ci(x: f64, n: f64, alpha: f64) -> Interval {
    Interval {
        low: if x <= 0.0 { 0.0 } else { beta_quantile(alpha / 2.0, x, n - x + 1.0) },
        high: if x >= n { 1.0 } else { beta_quantile(1.0 - alpha / 2.0, x + 1.0, n - x) },
    }
}

/// Combines two intervals into one of the difference `b - scale·a` (MOVER, Zou & Donner 2008).
///
/// `low = d - sqrt((p_b-l_b)² + scale²(u_a-p_a)²)`, `high = d + sqrt((u_b-p_b)² + scale²(p_a-l_a)²)`. With Wilson
/// intervals and scale 1 it is Newcombe's (1998) method 10. Needs no variance, hence no minimum count.
pub fn mover(p_a: f64, around_a: Interval, p_b: f64, around_b: Interval, scale: f64) -> Interval {
    let difference = p_b - scale * p_a;
    Interval {
        low: difference - (p_b - around_b.low).hypot(scale * (around_a.high - p_a)),
        high: difference + (around_b.high - p_b).hypot(scale * (p_a - around_a.low)),
    }
}

/// Computes Newcombe's (1998, method 10) interval of the difference of two independent proportions.
///
/// Nothing where a variant has no trials.
pub fn newcombe_diff_ci(x_a: f64, n_a: f64, x_b: f64, n_b: f64, alpha: f64) -> Option<ProportionDifference> {
    if n_a <= 0.0 || n_b <= 0.0 {
        return None;
    }
    let z = normal_upper_quantile(alpha / 2.0)?;
    let (p_a, p_b) = (x_a / n_a, x_b / n_b);
    let Interval { low, high } = mover(p_a, wilson(p_a, n_a, z), p_b, wilson(p_b, n_b, z), 1.0);
    Some(ProportionDifference { difference: p_b - p_a, low, high })
}

/// Tests two independent proportions for equality with the pooled z test.
///
/// `z = (p_b - p_a)/sqrt(p(1-p)(1/n_a + 1/n_b))` with the pooled p; nothing where it is 0 or 1. Assumes independent
/// trials and expected counts of about 5.
pub fn two_prop_ztest(x_a: f64, n_a: f64, x_b: f64, n_b: f64) -> Option<ZTest> {
    if n_a <= 0.0 || n_b <= 0.0 {
        return None;
    }
    let pooled = (x_a + x_b) / (n_a + n_b);
    let variance = pooled * (1.0 - pooled) * (1.0 / n_a + 1.0 / n_b);
    if variance <= 0.0 {
        return None;
    }
    let z = (x_b / n_b - x_a / n_a) / variance.sqrt();
    Some(ZTest { z, p: 2.0 * normal_sf(z.abs()) })
}
