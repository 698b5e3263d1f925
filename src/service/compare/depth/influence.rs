//! How much each unit moves a difference of two ratios: what lets differences of several quantities be held together.
//!
//! It must not know what the quantities are.

use super::super::sample::Column;

/// A difference of ratios with the influence of every unit on it.
#[derive(Debug)]
pub(super) struct Influences {
    /// Ratio of the control.
    pub(super) rate_a: f64,
    /// Candidate minus control.
    pub(super) difference: f64,
    /// Influence of each unit, in the order of the column.
    psi: Vec<f64>,
    /// Units with a denominator.
    n_units: f64,
}

impl Influences {
    /// Computes `ψ = (y_b − R_b d_b)/D_b − (y_a − R_a d_a)/D_a` of each unit; nothing where a side has no denominator.
    pub(super) fn of(column: &Column) -> Option<Self> {
        let totals = column.paired.iter().fold((0.0, 0.0, 0.0, 0.0), |sums, unit| {
            (sums.0 + unit.y_a, sums.1 + unit.d_a, sums.2 + unit.y_b, sums.3 + unit.d_b)
        });
        let (y_a, d_a, y_b, d_b) = totals;
        if d_a <= 0.0 || d_b <= 0.0 {
            return None;
        }
        let (rate_a, rate_b) = (y_a / d_a, y_b / d_b);
        let psi = column
            .paired
            .iter()
            .map(|unit| (unit.y_b - rate_b * unit.d_b) / d_b - (unit.y_a - rate_a * unit.d_a) / d_a)
            .collect();
        let n_units = column.paired.iter().filter(|unit| unit.d_a + unit.d_b > 0.0).count() as f64;
        Some(Self { rate_a, difference: rate_b - rate_a, psi, n_units })
    }

    /// Computes the covariance of two differences over the same units, `K/(K − 1) Σ ψφ`; nothing for fewer than two.
    pub(super) fn covariance(&self, other: &Self) -> Option<f64> {
        let k = self.n_units.max(other.n_units);
        let sum: f64 = self.psi.iter().zip(&other.psi).map(|(psi, phi)| psi * phi).sum();
        (k > 1.0).then(|| k / (k - 1.0) * sum)
    }
}
