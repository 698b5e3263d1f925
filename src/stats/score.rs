//! Score intervals and tests for the difference of two independent proportions.
//!
//! The usual reference of regulators for non-inferiority, and the cross-check of `cluster`, whose intervals decide. It
//! must not know of clusters: counts are taken as independent, or already divided by a design effect.

use super::Direction;
use super::distribution::{bisect, normal_sf, normal_upper_quantile};
use super::proportion::{ProportionDifference, TwoCounts};

/// Says which variance a score statistic has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoreVariance {
    /// Times `N/(N-1)` with the trials `N` of both variants (Miettinen & Nurminen 1985).
    Corrected,
    /// As it is (Mee 1984; as a test Farrington & Manning 1990).
    Plain,
}

/// Holds a one-sided score test of non-inferiority.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreTest {
    /// Distance of the estimate from the limit in standard errors, improvement-oriented.
    pub z: f64,
    /// One-sided p of being worse than the margin.
    pub p: f64,
}

/// Computes the score interval of `p_b - p_a`: every difference that the score test does not refute.
///
/// All `δ` with `|z(δ)| <= z_{alpha/2}`, `z(δ) = (p_b - p_a - δ)/sqrt(V(δ))`,
/// `V(δ) = c [p̃_a(1-p̃_a)/n_a + p̃_b(1-p̃_b)/n_b]` at the rates `p̃` that are likeliest among those with
/// `p̃_b - p̃_a = δ`. It lies within -1..=1. Assumes independent trials; needs no minimum count. Nothing for a variant
/// without trials or counts that are none. Miettinen & Nurminen 1985; Mee 1984.
pub fn mn_diff_ci(counts: &TwoCounts, variance: ScoreVariance, alpha: f64) -> Option<ProportionDifference> {
    let reach = normal_upper_quantile(alpha / 2.0).filter(|&reach| reach > 0.0)?;
    let difference = difference(counts)?;
    let scale = scale(counts, variance)?;
    // Both distances shrink on the way to the estimate, where the statistic is 0.
    let too_far = |delta: f64| (difference - delta).abs() > reach * (scale * restricted_variance(counts, delta)).sqrt();
    let low = bisect(-1.0, difference, too_far);
    let high = -bisect(-1.0, -difference, |delta| too_far(-delta));
    Some(ProportionDifference { difference, low, high })
}

/// Tests whether a rate is worse than an absolute margin, with the variance at the margin.
///
/// Higher is better: `z = (p_b - p_a + margin)/sqrt(V(-margin))`; lower is better:
/// `z = (margin - (p_b - p_a))/sqrt(V(margin))`; `p = 1 - Φ(z)`, `V` as in [`mn_diff_ci`]. Assumes independent trials.
/// Nothing where the variance is 0, or for a margin that no two rates can differ by. Farrington & Manning 1990.
pub fn mn_noninferiority(
    counts: &TwoCounts,
    margin: f64,
    direction: Direction,
    variance: ScoreVariance,
) -> Option<ScoreTest> {
    if !(margin > -1.0 && margin < 1.0) {
        return None;
    }
    let from_margin = direction.improvement(difference(counts)?) + margin;
    let limit = direction.improvement(-margin);
    let spread = (scale(counts, variance)? * restricted_variance(counts, limit)).sqrt();
    (spread > 0.0).then(|| ScoreTest { z: from_margin / spread, p: normal_sf(from_margin / spread) })
}

fn difference(counts: &TwoCounts) -> Option<f64> {
    let TwoCounts { x_a, n_a, x_b, n_b } = *counts;
    (counts.are_possible() && n_a > 0.0 && n_b > 0.0).then(|| x_b / n_b - x_a / n_a)
}

fn scale(counts: &TwoCounts, variance: ScoreVariance) -> Option<f64> {
    let total = counts.n_a + counts.n_b;
    match variance {
        ScoreVariance::Corrected => (total > 1.0).then(|| total / (total - 1.0)),
        ScoreVariance::Plain => Some(1.0),
    }
}

/// Gives `p̃_a(1-p̃_a)/n_a + p̃_b(1-p̃_b)/n_b` at the likeliest rates that differ by `delta`, which is within -1..=1.
///
/// The derivative of the likelihood falls with the smaller rate, so that its root is bisected: the closed form, a
/// cubic, loses its digits at few events, and is often copied wrongly.
fn restricted_variance(counts: &TwoCounts, delta: f64) -> f64 {
    let TwoCounts { x_a, n_a, x_b, n_b } = *counts;
    let (x, n, x_other, n_other) = if delta >= 0.0 { (x_a, n_a, x_b, n_b) } else { (x_b, n_b, x_a, n_a) };
    let shift = delta.abs();
    if shift <= 0.0 {
        let pooled = (x + x_other) / (n + n_other);
        return pooled * (1.0 - pooled) * (1.0 / n + 1.0 / n_other);
    }
    let room = 1.0 - shift;
    let rises = |p: f64| x / p + x_other / (p + shift) > (n - x) / (1.0 - p) + (n_other - x_other) / (room - p);
    let smaller = bisect(0.0, room, rises);
    smaller * (1.0 - smaller) / n + (smaller + shift) * (room - smaller).max(0.0) / n_other
}
