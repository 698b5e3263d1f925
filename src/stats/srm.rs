//! Sample ratio mismatch: whether the variants got the shares of units they were planned to get.
//!
//! It must not know the alarm level: `verdict` does.

use super::distribution::{chi2_sf, ln_gamma};

/// Holds Pearson's test of the planned shares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SrmChi2 {
    /// The statistic.
    pub chi2: f64,
    /// Variants minus one.
    pub df: u32,
    /// p of the planned shares.
    pub p: f64,
}

/// Tests counts of randomised units against planned weights with Pearson's chi-square; a variant without units counts.
///
/// Assumes independently randomised units and one look. Nothing for fewer than two variants, unequal lengths or a
/// weight that is not positive. No units at all: p = 1.
pub fn srm_chi2(counts: &[f64], weights: &[f64]) -> Option<SrmChi2> {
    let shares = shares(counts, weights)?;
    let total: f64 = counts.iter().sum();
    let df = u32::try_from(counts.len() - 1).ok()?;
    if total <= 0.0 {
        return Some(SrmChi2 { chi2: 0.0, df, p: 1.0 });
    }
    let chi2 = counts.iter().zip(&shares).map(|(n, share)| (n - total * share).powi(2) / (total * share)).sum();
    Some(SrmChi2 { chi2, df, p: chi2_sf(chi2, df) })
}

/// Holds the anytime-valid test of the planned shares at one look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SrmSequential {
    /// Logarithm of the Bayes factor against the planned shares.
    pub ln_bayes_factor: f64,
    /// `min(1, 1/BF)`; the running minimum over looks is the p to report.
    pub p: f64,
}

/// Tests counts against planned weights so that it may be looked at every day (Lindon & Malek 2022).
///
/// Dirichlet-multinomial Bayes factor with prior `alpha_j = concentration·theta_j`:
/// `ln BF = lnΓ(conc) - lnΓ(conc+n) + Σ[lnΓ(alpha_j+n_j) - lnΓ(alpha_j)] - Σ n_j ln theta_j`. The reciprocal is a
/// valid p at every look at once, by Ville's inequality. Assumes independently randomised units.
pub fn srm_sequential(counts: &[f64], weights: &[f64], concentration: f64) -> Option<SrmSequential> {
    let shares = shares(counts, weights)?;
    if concentration <= 0.0 {
        return None;
    }
    let total: f64 = counts.iter().sum();
    let per_variant: f64 = counts
        .iter()
        .zip(&shares)
        .map(|(n, share)| {
            let prior = concentration * share;
            ln_gamma(prior + n) - ln_gamma(prior) - n * share.ln()
        })
        .sum();
    let ln_bayes_factor = ln_gamma(concentration) - ln_gamma(concentration + total) + per_variant;
    Some(SrmSequential { ln_bayes_factor, p: (-ln_bayes_factor).exp().min(1.0) })
}

fn shares(counts: &[f64], weights: &[f64]) -> Option<Vec<f64>> {
    let total: f64 = weights.iter().sum();
    let usable = counts.len() == weights.len()
        && counts.len() > 1
        && weights.iter().all(|&w| w > 0.0 && w.is_finite())
        && counts.iter().all(|&n| n >= 0.0 && n.is_finite());
    usable.then(|| weights.iter().map(|w| w / total).collect())
}
