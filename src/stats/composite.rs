//! One number of several metrics, and whether it hangs on one of them.
//!
//! It must not know what the metrics are, nor who chose the weights.

/// Holds a weighted sum of estimates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeightedSum {
    /// The sum.
    pub estimate: f64,
    /// Its standard error; nothing for covariances that cannot be together.
    pub se: Option<f64>,
}

/// Holds a composite with what it is without each of its metrics.
#[derive(Debug, Clone, PartialEq)]
pub struct Composite {
    /// The composite of all metrics.
    pub all: WeightedSum,
    /// The composite without each metric in turn; nothing where no weight is left.
    pub without: Vec<Option<WeightedSum>>,
}

/// Computes a weighted sum of improvement-oriented estimates with their covariance.
///
/// `est = w'd`, `se = sqrt(w'Σw)` with the covariance of the estimates clustered by user. Without one metric the other
/// weights are divided by their sum. Assumes weights that were chosen before the data, and that add up to 1. Nothing
/// without metrics, or unless the covariance has a row and a column for each.
pub fn composite(estimates: &[f64], covariance: &[Vec<f64>], weights: &[f64]) -> Option<Composite> {
    let n = estimates.len();
    let fits = weights.len() == n && covariance.len() == n && covariance.iter().all(|row| row.len() == n);
    if n == 0 || !fits {
        return None;
    }
    let without = |left_out: usize| {
        let of_others = || weights.iter().enumerate().map(|(i, &w)| if i == left_out { 0.0 } else { w });
        let total: f64 = of_others().sum();
        let scaled: Vec<f64> = of_others().map(|w| w / total).collect();
        (total > 0.0).then(|| weighted_sum(estimates, covariance, &scaled))
    };
    Some(Composite { all: weighted_sum(estimates, covariance, weights), without: (0..n).map(without).collect() })
}

fn weighted_sum(estimates: &[f64], covariance: &[Vec<f64>], weights: &[f64]) -> WeightedSum {
    let estimate = weights.iter().zip(estimates).map(|(w, d)| w * d).sum();
    let of_row = |row: &[f64]| weights.iter().zip(row).map(|(w, c)| w * c).sum::<f64>();
    let variance: f64 = weights.iter().zip(covariance).map(|(w, row)| w * of_row(row)).sum();
    WeightedSum { estimate, se: (variance >= 0.0).then(|| variance.sqrt()) }
}
