//! Whether two variants were alike before anything happened.
//!
//! It must not know which covariate it looks at.

use super::ratio::mean_and_variance;

/// Computes the standardised mean difference `(mean_b - mean_a)/sqrt((s²_a + s²_b)/2)`.
///
/// 0 where nothing varies and the means agree; nothing where they differ without spread, or for fewer than two
/// units in a variant. Above 0.1 is a warning by convention (Austin 2009).
pub fn balance(a: &[f64], b: &[f64]) -> Option<f64> {
    let ((mean_a, variance_a), (mean_b, variance_b)) = (mean_and_variance(a), mean_and_variance(b));
    let difference = mean_b? - mean_a?;
    let spread = f64::midpoint(variance_a?, variance_b?).sqrt();
    if spread > 0.0 {
        return Some(difference / spread);
    }
    (difference.abs() <= 0.0).then_some(0.0)
}

/// Computes Kish's (1965) effective sample size `(Σw)²/Σw²`; nothing without weight.
pub fn kish_ess(weights: &[f64]) -> Option<f64> {
    let squares: f64 = weights.iter().map(|w| w * w).sum();
    (squares > 0.0).then(|| weights.iter().sum::<f64>().powi(2) / squares)
}
