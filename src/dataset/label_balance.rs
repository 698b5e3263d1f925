//! How much good and bad answers must weigh against each other in KTO's loss.

/// The range in which Kahneman–Tversky optimisation wants the weight of the good answers over that of the bad ones.
const RATIO: (f64, f64) = (1.0, 4.0 / 3.0);

/// Weights of one good and of one bad answer; one of them is 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelWeights {
    /// TRL's `desirable_weight`.
    pub desirable: f64,
    /// TRL's `undesirable_weight`.
    pub undesirable: f64,
}

/// Weighs `n_good` good answers against `n_bad` bad ones; nothing where there are none of either.
///
/// The ratio `r = (n_good · w_good) / (n_bad · w_bad)` must lie in \[1, 4/3\] (Ethayarajh et al. 2024, arXiv 2402.01306,
/// eq. 8). Where the counts alone are in that range, both weights are 1; else the class that falls short is weighted up
/// to its middle, 7/6, rounded to two decimals, which keeps it inside.
pub fn label_weights(n_good: u64, n_bad: u64) -> Option<LabelWeights> {
    if n_good == 0 || n_bad == 0 {
        return None;
    }
    let ratio = n_good as f64 / n_bad as f64;
    let middle = f64::midpoint(RATIO.0, RATIO.1);
    let rounded = |weight: f64| (weight * 100.0).round() / 100.0;
    Some(if ratio < RATIO.0 {
        LabelWeights { desirable: rounded(middle / ratio), undesirable: 1.0 }
    } else if ratio > RATIO.1 {
        LabelWeights { desirable: 1.0, undesirable: rounded(ratio / middle) }
    } else {
        LabelWeights { desirable: 1.0, undesirable: 1.0 }
    })
}

/// Returns how many of each class stay so that KTO needs no weights: as many as can. One class alone stays whole.
pub(super) fn balanced(n_good: usize, n_bad: usize) -> (usize, usize) {
    match (n_good, n_bad) {
        (_, 0) | (0, _) => (n_good, n_bad),
        _ if n_good < n_bad => (n_good, n_good),
        _ => (n_good.min(n_bad.saturating_mul(4) / 3), n_bad),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weighted_ratio_of_good_to_bad_lies_between_one_and_four_thirds() {
        for (n_good, n_bad) in
            [(1, 1), (4, 3), (5, 4), (3, 4), (1, 100), (100, 1), (135, 100), (99, 100), (7, 1_000_000)]
        {
            let weights = label_weights(n_good, n_bad).unwrap();

            let ratio = n_good as f64 * weights.desirable / (n_bad as f64 * weights.undesirable);
            assert!((1.0..=4.0 / 3.0 + 1e-9).contains(&ratio), "{n_good} {n_bad} {weights:?}");
            assert!(weights.desirable.min(weights.undesirable).total_cmp(&1.0).is_eq());
        }
        for (n_good, n_bad, stay) in [
            (10, 3, (4, 3)),
            (4, 3, (4, 3)),
            (3, 10, (3, 3)),
            (2, 1, (1, 1)),
            (5, 5, (5, 5)),
            (7, 0, (7, 0)),
            (0, 7, (0, 7)),
        ] {
            assert_eq!(balanced(n_good, n_bad), stay, "{n_good} {n_bad}");
        }
        assert_eq!(label_weights(4, 3), Some(LabelWeights { desirable: 1.0, undesirable: 1.0 }));
        assert_eq!(label_weights(1, 0), None);
        assert_eq!(label_weights(0, 1), None);
    }
}
