//! Like for like: the difference of two rates where the variants served different mixes of work.
//!
//! It must not know what the strata are, and they must have been known before the assignment.

use std::collections::BTreeMap;

use super::jackknife::Variant;
use super::proportion::TwoCounts;
use super::ratio::residual;

/// Holds a risk difference over strata of independent trials.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MhRiskDifference {
    /// The common difference `p_b - p_a`.
    pub difference: f64,
    /// Standard error of Greenland and Robins.
    pub se_greenland_robins: f64,
    /// Standard error of Sato, for few large as for many small strata; nothing where its variance comes out negative.
    pub se_sato: Option<f64>,
    /// The difference without strata; nothing where a variant has no trials.
    pub crude: Option<f64>,
    /// Whether the two have opposite signs.
    pub is_reversed: bool,
}

/// Computes the difference of two rates over strata with Mantel and Haenszel's weights.
///
/// `w = n_a n_b/N`, `rd = Σw(p_b - p_a)/Σw`; variance of Greenland & Robins 1985
/// `Σ[(x_b(n_b-x_b)n_a³ + x_a(n_a-x_a)n_b³)/(n_a n_b N²)]/(Σw)²`; of Sato 1989 `(rd ΣP + ΣQ)/(Σw)²`,
/// `P = (n_b²x_a - n_a²x_b + n_a n_b(n_a-n_b)/2)/N²`, `Q = (x_b(n_a-x_a) + x_a(n_b-x_b))/(2N)`. Strata that one variant
/// has no trials in are left out of it, and kept in the crude difference. Assumes independent trials and one difference
/// in all strata: a cross-check of [`poststrat_cluster`]. Nothing without a stratum in both, or for counts that cannot be.
pub fn mh_risk_difference(strata: &[TwoCounts]) -> Option<MhRiskDifference> {
    let (mut weight, mut weighted, mut greenland_robins, mut sum_p, mut sum_q) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for &TwoCounts { x_a, n_a, x_b, n_b } in strata.iter().filter(|s| s.n_a > 0.0 && s.n_b > 0.0) {
        let n = n_a + n_b;
        let of_stratum = n_a * n_b / n;
        weight += of_stratum;
        weighted += of_stratum * residual(x_b / n_b, x_a / n_a);
        greenland_robins += (x_b * (n_b - x_b) * n_a.powi(3) + x_a * (n_a - x_a) * n_b.powi(3)) / (n_a * n_b * n * n);
        sum_p += (n_b * n_b * x_a - n_a * n_a * x_b + n_a * n_b * (n_a - n_b) / 2.0) / (n * n);
        sum_q += (x_b * (n_a - x_a) + x_a * (n_b - x_b)) / (2.0 * n);
    }
    if weight <= 0.0 || !strata.iter().all(TwoCounts::are_possible) {
        return None;
    }
    let difference = weighted / weight;
    let sato = difference * sum_p + sum_q;
    let sum = |part: fn(&TwoCounts) -> f64| strata.iter().map(part).sum::<f64>();
    let crude = difference_of((sum(|s| s.x_a), sum(|s| s.n_a)), (sum(|s| s.x_b), sum(|s| s.n_b)));
    Some(MhRiskDifference {
        difference,
        se_greenland_robins: greenland_robins.sqrt() / weight,
        se_sato: (sato >= 0.0).then(|| sato.sqrt() / weight),
        crude,
        is_reversed: crude.is_some_and(|crude| crude * difference < 0.0),
    })
}

/// Holds what one user did in one stratum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Number of the stratum, from any origin.
    pub stratum: usize,
    /// Sum of the outcome over the user's completions in the stratum.
    pub y: f64,
    /// Number of the user's completions in the stratum.
    pub d: f64,
}

/// Holds a user with completions in any number of strata.
#[derive(Debug, Clone, PartialEq)]
pub struct StratifiedUser {
    /// Variant that served the user.
    pub variant: Variant,
    /// What the user did; a cell without a denominator does not count.
    pub cells: Vec<Cell>,
}

/// Holds a difference of ratios at one mix of work for both variants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PostStratified {
    /// `Σ w_s (R_bs - R_as)`.
    pub difference: f64,
    /// Standard error clustered by user; nothing for fewer than two users in a variant.
    pub se: Option<f64>,
    /// Share of all completions in strata that both variants have.
    pub support: f64,
    /// The difference without strata, of all completions.
    pub crude: f64,
    /// Whether the two have opposite signs: Simpson's paradox.
    pub is_reversed: bool,
}

/// Computes the difference of two user-level ratios at the pooled mix of strata; users may span several.
///
/// `w_s` is the share of stratum s among the completions of both variants, over strata that both have;
/// `difference = Σ w_s(R_bs - R_as)`, influence of a user `ψ = Σ_s w_s(y_s - R_vs d_s)/D_vs`,
/// `var = Σ_v K_v/(K_v - 1) Σψ²` over all `K_v` users of the variant, also those outside of the common strata. With one
/// stratum it is [`super::ratio::ratio_diff`]. Assumes independent users, and takes the weights as fixed. Nothing
/// without a common stratum. Holt & Smith 1979; Miratrix et al. 2013.
pub fn poststrat_cluster(users: &[StratifiedUser]) -> Option<PostStratified> {
    let mut totals: BTreeMap<usize, [(f64, f64); 2]> = BTreeMap::new();
    for user in users {
        for cell in user.with_denominator() {
            let (y, d) = &mut totals.entry(cell.stratum).or_default()[of(user.variant)];
            *y += cell.y;
            *d += cell.d;
        }
    }
    let n_in = |sides: &[(f64, f64); 2]| sides[0].1 + sides[1].1;
    let n_all: f64 = totals.values().map(n_in).sum();
    let sum = |side: usize| totals.values().fold((0.0, 0.0), |(y, d), s| (y + s[side].0, d + s[side].1));
    let crude = difference_of(sum(0), sum(1))?;
    totals.retain(|_, sides| sides.iter().all(|&(_, d)| d > 0.0));
    let n_common: f64 = totals.values().map(n_in).sum();
    if n_common <= 0.0 {
        return None;
    }
    let difference =
        totals.values().map(|s| n_in(s) / n_common * residual(s[1].0 / s[1].1, s[0].0 / s[0].1)).sum::<f64>();

    let (mut n_users, mut squares) = ([0.0; 2], [0.0; 2]);
    for user in users.iter().filter(|user| user.with_denominator().next().is_some()) {
        let side = of(user.variant);
        let influence: f64 = user
            .with_denominator()
            .filter_map(|cell| totals.get(&cell.stratum).map(|sides| (cell, n_in(sides) / n_common, sides[side])))
            .map(|(cell, weight, (y, d))| weight * residual(cell.y, y / d * cell.d) / d)
            .sum();
        n_users[side] += 1.0;
        squares[side] += influence * influence;
    }
    let variance = |side: usize| n_users[side] / (n_users[side] - 1.0) * squares[side];
    let se = n_users.iter().all(|&k| k > 1.0).then(|| (variance(0) + variance(1)).sqrt());
    Some(PostStratified { difference, se, support: n_common / n_all, crude, is_reversed: crude * difference < 0.0 })
}

impl StratifiedUser {
    fn with_denominator(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(|cell| cell.d > 0.0)
    }
}

fn of(variant: Variant) -> usize {
    match variant {
        Variant::A => 0,
        Variant::B => 1,
    }
}

/// Gives the difference of two ratios `(numerator, denominator)`; nothing where one has no denominator.
fn difference_of(a: (f64, f64), b: (f64, f64)) -> Option<f64> {
    (a.1 > 0.0 && b.1 > 0.0).then(|| residual(b.0 / b.1, a.0 / a.1))
}
