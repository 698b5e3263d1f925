//! Distributions that the simulated users are drawn from. The randomness itself is an argument.

use rand::Rng;

/// Draws from the standard normal distribution (Box and Muller).
pub(super) fn normal(rng: &mut impl Rng) -> f64 {
    // 1 - x is never 0, whose logarithm does not exist.
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

/// Turns log-odds into a probability.
pub(super) fn logistic(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// Says yes with a probability, which may lie a little outside 0 to 1.
pub(super) fn happens(probability: f64, rng: &mut impl Rng) -> bool {
    rng.random::<f64>() < probability
}

/// Draws a place by weight; the last one where the weights add up to nothing.
pub(super) fn weighted<const N: usize>(weights: [f64; N], rng: &mut impl Rng) -> usize {
    let mut left = rng.random::<f64>() * weights.iter().sum::<f64>();
    for (place, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return place;
        }
    }
    N.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn draws_have_the_mean_and_the_spread_that_they_claim() {
        const N: usize = 20_000;
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let draws: Vec<f64> = (0..N).map(|_| normal(&mut rng)).collect();
        let n_last = (0..N).filter(|_| weighted([1.0, 0.0, 3.0], &mut rng) == 2).count();

        let mean = draws.iter().sum::<f64>() / N as f64;
        let variance = draws.iter().map(|draw| draw * draw).sum::<f64>() / N as f64;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
        assert!((n_last as f64 / N as f64 - 0.75).abs() < 0.02, "{n_last}");
        assert!((logistic(0.0) - 0.5).abs() < 1e-12);
    }
}
