//! Side-by-side preferences between two models.
//!
//! It must not know who was asked: votes are taken as independent.

use super::distribution::beta_regularised;
use super::proportion::{Proportion, wilson_ci};

/// Holds the votes between two models.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignTest {
    /// Exact two-sided p of equal strength.
    pub p: f64,
    /// Share of the candidate with its Wilson interval, a tie counting half.
    pub share_b: Proportion,
}

/// Tests whether two models are preferred equally often: the exact binomial test of the decisive votes.
///
/// `p = min(1, 2 P(X <= min(wins)))` with `X ~ Binomial(decisive, 1/2)`; `share_b = (wins_b + ties/2)/total` with
/// Wilson's interval. Without decisive votes p = 1. Assumes independent votes. Dixon & Mood 1946.
pub fn sign_test(wins_b: u64, wins_a: u64, ties: u64, alpha: f64) -> Option<SignTest> {
    let (wins_b, wins_a, ties) = (wins_b as f64, wins_a as f64, ties as f64);
    let (fewer, more) = (wins_a.min(wins_b), wins_a.max(wins_b));
    // P(X <= k) of n fair tosses is I_{1/2}(n - k, k + 1).
    let tail = if more > 0.0 { beta_regularised(more, fewer + 1.0, 0.5, 0.5) } else { 1.0 };
    let share_b = wilson_ci(wins_b + ties / 2.0, wins_a + wins_b + ties, alpha)?;
    Some(SignTest { p: (2.0 * tail).min(1.0), share_b })
}
