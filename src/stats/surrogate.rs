//! The mean of a rating that few give, with the help of a prediction that everybody has.
//!
//! It must not know where the prediction comes from. It must have been made without the ratings that are averaged here.

use std::collections::BTreeMap;

use super::Interval;
use super::distribution::normal_upper_quantile;
use super::ratio::{mean_and_variance, residual};

/// Holds predictions for rated and for unrated completions, and the ratings.
///
/// `y[i]` and `f_rated[i]` belong to the same completion. Where the slices differ in length the surplus is ignored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampled<'a> {
    /// Ratings.
    pub y: &'a [f64],
    /// Predictions of the rated completions.
    pub f_rated: &'a [f64],
    /// Predictions of the others.
    pub f_unrated: &'a [f64],
}

/// Holds a mean of ratings that leans on predictions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PpiMean {
    /// How much the predictions count, 0..=1.
    pub lambda: f64,
    /// The mean.
    pub estimate: f64,
    /// Its standard error.
    pub se: f64,
    /// Normal interval; nothing for a standard error of 0.
    pub interval: Option<Interval>,
}

/// Computes a mean of ratings that were asked for at random, helped by predictions (PPI++).
///
/// `est = λ mean(f_u) + mean(y - λf)`, `se = sqrt(var₀(λf_u)/N + var₀(y - λf)/n)` with `n` rated and `N` unrated. Unless
/// given, `λ = clip(cov₀(y,f)/((1 + n/N) var₁(all f)), 0, 1)`, 0 for predictions that do not vary. Unbiased whatever the
/// predictions are worth, provided that chance chose who was asked: volunteered ratings belong to [`aipw_mean`].
/// Nothing for fewer than two rated completions or without an unrated one. Angelopoulos et al. 2023 (PPI++).
pub fn ppi_mean(sampled: &Sampled, lambda: Option<f64>, alpha: f64) -> Option<PpiMean> {
    let rated = || sampled.y.iter().copied().zip(sampled.f_rated.iter().copied());
    let n_rated = rated().count();
    if n_rated < 2 {
        return None;
    }
    let mean = |x: &[f64]| mean_and_variance(x).0;
    let (mean_y, mean_f) = mean(&sampled.y[..n_rated]).zip(mean(&sampled.f_rated[..n_rated]))?;
    let mean_unrated = mean(sampled.f_unrated)?;
    let (n, n_unrated) = (n_rated as f64, sampled.f_unrated.len() as f64);
    let lambda = lambda.unwrap_or_else(|| {
        let covariance = rated().map(|(y, f)| residual(y, mean_y) * residual(f, mean_f)).sum::<f64>() / n;
        let all: Vec<f64> = rated().map(|(_, f)| f).chain(sampled.f_unrated.iter().copied()).collect();
        let spread = mean_and_variance(&all).1.unwrap_or(0.0) * (1.0 + n / n_unrated);
        if spread > 0.0 { (covariance / spread).clamp(0.0, 1.0) } else { 0.0 }
    });
    let of_unrated: f64 = sampled.f_unrated.iter().map(|&f| (lambda * residual(f, mean_unrated)).powi(2)).sum();
    let of_rated: f64 = rated().map(|(y, f)| residual(residual(y, mean_y), lambda * residual(f, mean_f)).powi(2)).sum();
    let estimate = lambda * mean_unrated + mean_y - lambda * mean_f;
    let se = (of_unrated / (n_unrated * n_unrated) + of_rated / (n * n)).sqrt();
    let interval = Interval::around(estimate, normal_upper_quantile(alpha / 2.0)? * se);
    Some(PpiMean { lambda, estimate, se, interval })
}

/// Holds one completion that was rated or not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rateable {
    /// Prediction of its rating.
    pub prediction: f64,
    /// Chance that it is rated, given what is known of it; above 0 and at most 1.
    pub propensity: f64,
    /// Its rating, if it was rated.
    pub rating: Option<f64>,
    /// Whose completion it is, as any number.
    pub user: usize,
}

/// Holds a mean over all completions, rated or not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AipwMean {
    /// The mean.
    pub estimate: f64,
    /// Standard error, completions taken as independent; nothing for fewer than two.
    pub se: Option<f64>,
    /// Standard error clustered by user; nothing for fewer than two users.
    pub se_clustered: Option<f64>,
}

/// Computes the mean of all ratings, given and missing, by augmented inverse propensity weighting.
///
/// `ψ = f + r/π (y - f)`, the estimate is its mean; `se = sqrt(Σ(ψ - mean)²/(n(n-1)))`, clustered
/// `sqrt(G/(G-1) Σ_c (Σ_{i in c} (ψ - mean))²)/n`. Right if the propensity or the prediction is, and ratings are missing
/// at random given what they know. Nothing without completions or for a propensity outside of 0..=1, 0 excluded.
/// Robins, Rotnitzky & Zhao 1994.
pub fn aipw_mean(completions: &[Rateable]) -> Option<AipwMean> {
    if !completions.iter().all(|c| c.propensity > 0.0 && c.propensity <= 1.0) {
        return None;
    }
    let psi = |c: &Rateable| c.prediction + c.rating.map_or(0.0, |y| (y - c.prediction) / c.propensity);
    let psis: Vec<f64> = completions.iter().map(psi).collect();
    let (estimate, variance) = mean_and_variance(&psis);
    let (estimate, n) = (estimate?, completions.len() as f64);
    let mut of_users: BTreeMap<usize, f64> = BTreeMap::new();
    for (completion, psi) in completions.iter().zip(&psis) {
        *of_users.entry(completion.user).or_default() += residual(*psi, estimate);
    }
    let g = of_users.len() as f64;
    let between: f64 = of_users.values().map(|sum| sum * sum).sum();
    Some(AipwMean {
        estimate,
        se: variance.map(|variance| (variance / n).sqrt()),
        se_clustered: (of_users.len() > 1).then(|| (g / (g - 1.0) * between).sqrt() / n),
    })
}
