//! One number of several signals, and whether it hangs on their weights.
//!
//! It must not decide: nobody can prove weights.

use rand::RngCore as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

use super::super::question::Question;
use super::super::sample::Column;
use super::View;
use super::influence::Influences;
use crate::domain::hash::ContentHash;
use crate::report::comparison::costs::{Index, IndexPart};
use crate::stats::Interval;
use crate::stats::composite::{WeightedSum, composite};
use crate::stats::distribution::normal_upper_quantile;
use crate::store::turns::Outcomes;

/// Weightings that are tried beside the usual one.
const N_WEIGHTINGS: u32 = 200;
/// How near to the usual one they are: a Dirichlet distribution of this times the weights.
const CONCENTRATION: f64 = 8.0;

/// Signals with their weights; a negative one counts against the answer. They add up to 4, which an index of 0..100 is a
/// share of.
const SIGNALS: [(&str, f64, Outcomes); 6] = [
    ("thumb_up", 1.0, Outcomes::UP),
    ("thumb_down", -1.0, Outcomes::DOWN),
    ("copy", 0.5, Outcomes::COPIED),
    ("accept", 0.5, Outcomes::ACCEPTED),
    ("regenerate", -0.75, Outcomes::REGENERATED),
    ("edit", -0.25, Outcomes::EDITED),
];
const TOTAL_WEIGHT: f64 = 4.0;
const HALF_WEIGHT: f64 = 2.0;

/// Computes the index; nothing where nobody reacted.
pub(super) fn index(view: &View<'_>) -> Option<Index> {
    let any = SIGNALS.iter().fold(Outcomes::default(), |all, (.., outcome)| all.and(*outcome));
    if !view.turns.rows.iter().any(|turn| turn.outcomes.has(any)) {
        return None;
    }
    let influences: Vec<Influences> = SIGNALS
        .iter()
        .map(|(.., outcome)| {
            Influences::of(&Column::of_turns(view.turns.rows.iter(), |turn| {
                Some(f64::from(u8::from(turn.outcomes.has(*outcome))))
            }))
        })
        .collect::<Option<_>>()?;
    let sign = |place: usize| SIGNALS[place].1.signum();
    let estimates: Vec<f64> =
        influences.iter().enumerate().map(|(place, it)| 100.0 * sign(place) * it.difference).collect();
    let covariance: Vec<Vec<f64>> = influences
        .iter()
        .enumerate()
        .map(|(row, left)| {
            let cell = |(column, right)| Some(1e4 * sign(row) * sign(column) * left.covariance(right)?);
            influences.iter().enumerate().map(cell).collect::<Option<Vec<f64>>>()
        })
        .collect::<Option<_>>()?;
    let weights: Vec<f64> = SIGNALS.iter().map(|(_, weight, _)| weight.abs() / TOTAL_WEIGHT).collect();
    let usual = composite(&estimates, &covariance, &weights)?;
    let reach = view.multiplier()?;
    let level: f64 = influences.iter().zip(SIGNALS).map(|(it, (_, weight, _))| weight * it.rate_a).sum();
    let control = 100.0 * (level + HALF_WEIGHT) / TOTAL_WEIGHT;
    let mut chance = ChaCha8Rng::seed_from_u64(seed(view.question));
    let n_agreeing = (0..N_WEIGHTINGS)
        .filter(|_| {
            let other = dirichlet(&mut chance, &weights);
            composite(&estimates, &covariance, &other).is_some_and(|it| told(&it.all, reach) == told(&usual.all, reach))
        })
        .count();
    let parts = SIGNALS
        .iter()
        .zip(&usual.without)
        .filter_map(|((signal, weight, _), without)| {
            Some(IndexPart { signal, weight: *weight, without: without.as_ref()?.estimate })
        })
        .collect();
    Some(Index {
        control,
        candidate: control + usual.all.estimate,
        estimate: usual.all.estimate,
        interval: usual.all.se.and_then(|se| Interval::around(usual.all.estimate, reach * se)),
        parts,
        agreeing_share: n_agreeing as f64 / f64::from(N_WEIGHTINGS),
        n_weightings: N_WEIGHTINGS,
    })
}

/// How a difference would be told: better, worse or neither.
fn told(sum: &WeightedSum, reach: f64) -> i8 {
    let half = reach * sum.se.unwrap_or(f64::INFINITY);
    i8::from(sum.estimate - half > 0.0) - i8::from(sum.estimate + half < 0.0)
}

/// The same question gets the same weightings, so that it gets the same answer.
fn seed(question: &Question) -> u64 {
    let experiment = question.experiment.as_ref().map_or("", |facts| facts.key.as_str());
    let text = [experiment, &question.control.name, &question.candidate.name].join("\n");
    let ContentHash(bytes) = ContentHash::of_bytes("index-weightings", text.as_bytes());
    bytes.iter().take(8).fold(0, |seed, byte| (seed << 8) | u64::from(*byte))
}

/// Draws weights that add up to 1 from the Dirichlet distribution about some weights.
fn dirichlet(chance: &mut ChaCha8Rng, weights: &[f64]) -> Vec<f64> {
    let drawn: Vec<f64> = weights.iter().map(|weight| gamma(chance, CONCENTRATION * weight)).collect();
    let total: f64 = drawn.iter().sum();
    drawn.iter().map(|value| value / total).collect()
}

fn uniform(chance: &mut ChaCha8Rng) -> f64 {
    // 53 bits, and never 0.
    ((chance.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

/// Draws from the gamma distribution by the method of Marsaglia & Tsang (2000).
fn gamma(chance: &mut ChaCha8Rng, shape: f64) -> f64 {
    if shape < 1.0 {
        let boost = uniform(chance).powf(1.0 / shape);
        return gamma(chance, shape + 1.0) * boost;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let z = normal_upper_quantile(uniform(chance)).unwrap_or(0.0);
        let v = (1.0 + c * z).powi(3);
        if v > 0.0 && uniform(chance).ln() < 0.5 * z * z + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

#[cfg(test)]
#[test]
fn weightings_add_up_and_centre_on_the_usual_one() {
    let weights = [0.25, 0.25, 0.125, 0.125, 0.1875, 0.0625];
    let mut chance = ChaCha8Rng::seed_from_u64(7);
    let mut mean = [0.0; 6];
    for _ in 0..4000 {
        let drawn = dirichlet(&mut chance, &weights);
        assert!((drawn.iter().sum::<f64>() - 1.0).abs() < 1e-12 && drawn.iter().all(|weight| *weight >= 0.0));
        mean.iter_mut().zip(&drawn).for_each(|(sum, weight)| *sum += weight / 4000.0);
    }
    // The spread of a mean of 4,000 is below 0.0025.
    assert!(mean.iter().zip(&weights).all(|(mean, weight)| (mean - weight).abs() < 0.01), "{mean:?}");
}
