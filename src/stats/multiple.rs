//! Adjusted p-values for several tests at once, in input order.
//!
//! It must not know which tests belong together.

/// Adjusts p-values by Holm's (1979) step-down Bonferroni: controls the chance of any false claim, under any dependence.
///
/// The i-th smallest is multiplied by `m - i + 1`; monotone, capped at 1.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let order = ascending(p);
    let mut adjusted = vec![0.0; p.len()];
    let mut largest: f64 = 0.0;
    for (rank, &index) in order.iter().enumerate() {
        largest = largest.max(p[index] * (p.len() - rank) as f64).min(1.0);
        adjusted[index] = largest;
    }
    adjusted
}

/// Adjusts p-values by Benjamini and Hochberg (1995): controls the expected share of false claims.
///
/// The i-th smallest is multiplied by `m / i`; monotone from above, capped at 1. Assumes independence or positive
/// dependence.
pub fn bh(p: &[f64]) -> Vec<f64> {
    let order = ascending(p);
    let mut adjusted = vec![0.0; p.len()];
    let mut smallest: f64 = 1.0;
    for (rank, &index) in order.iter().enumerate().rev() {
        smallest = smallest.min(p[index] * p.len() as f64 / (rank + 1) as f64);
        adjusted[index] = smallest;
    }
    adjusted
}

fn ascending(p: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&i, &j| p[i].total_cmp(&p[j]));
    order
}
