//! Weights of rows: how they fade with age, and how they become rows.
//!
//! Numbers only. No stock trainer reads a column of weights, so that leaving rows out is how weights reach one.

/// Returns the weight of a row that is `age_days` older than the newest: it halves with every half-life.
pub fn of_age(age_days: f64, half_life_days: f64) -> f64 {
    (-std::f64::consts::LN_2 * age_days.max(0.0) / half_life_days).exp()
}

/// Tells of each row whether it stays, so that the rows that do are what the weights would have made of all.
///
/// Rows are given by weight and a number in (0, 1) of their own; one stays with the probability `weight / largest
/// weight` (Poisson sampling). Nothing is repeated: a repeated row would have the same name, would be counted twice, and
/// would be learned by heart.
pub fn resampled(rows: &[(f64, f64)]) -> Vec<bool> {
    let largest = rows.iter().map(|(weight, _)| *weight).fold(0.0, f64::max);
    rows.iter().map(|(weight, uniform)| largest <= 0.0 || *uniform < weight / largest).collect()
}

/// How many equally weighted rows say as much as weighted ones: `(Σw)² / Σw²` (Kish 1965).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct EffectiveRows {
    sum: f64,
    sum_of_squares: f64,
}

impl EffectiveRows {
    /// Counts a row.
    pub fn add(&mut self, weight: f64) {
        self.sum += weight;
        self.sum_of_squares += weight * weight;
    }

    /// Returns the number; nothing where no row weighs anything.
    pub fn number(&self) -> Option<f64> {
        (self.sum_of_squares > 0.0).then(|| self.sum * self.sum / self.sum_of_squares)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_halves_with_every_half_life_and_never_exceeds_one() {
        for (age, want) in [(0.0, 1.0), (30.0, 0.5), (60.0, 0.25), (-5.0, 1.0)] {
            assert!((of_age(age, 30.0) - want).abs() < 1e-12, "{age}");
        }
    }

    #[test]
    fn rows_stay_in_proportion_to_their_weights_and_all_stay_where_these_are_equal() {
        let uniform = |row: usize| (row as f64 + 0.5) / 100.0;
        let rows: Vec<(f64, f64)> =
            (0..200).map(|row| (if row < 100 { 2.0 } else { 0.5 }, uniform(row % 100))).collect();

        let stay = resampled(&rows);

        let n = |range: std::ops::Range<usize>| stay[range].iter().filter(|stays| **stays).count();
        assert_eq!((n(0..100), n(100..200)), (100, 25));
        assert_eq!(resampled(&[(0.3, 0.9), (0.3, 0.1)]), [true, true]);
    }

    #[test]
    fn effective_rows_are_the_rows_where_weights_are_equal_and_fewer_where_not() {
        let of = |weights: &[f64]| {
            let mut rows = EffectiveRows::default();
            for weight in weights {
                rows.add(*weight);
            }
            rows.number()
        };

        assert!((of(&[2.0; 4]).unwrap() - 4.0).abs() < 1e-12);
        assert!((of(&[1.0, 3.0]).unwrap() - 1.6).abs() < 1e-12);
        assert_eq!(of(&[]), None);
    }
}
