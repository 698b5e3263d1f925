//! Rates by bands of a measure that every user can meet all of, such as load: each by itself, and against a base band, like for
//! like.
//!
//! It must not know what is measured.

use std::collections::BTreeMap;

use super::distribution::t_sf;
use super::proportion::wilson;
use super::ratio::{Ratio, residual};
use super::{Interval, Multiplier, Users};

/// What one user did in one band and stratum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BandCell {
    /// The band.
    pub band: usize,
    /// The stratum.
    pub stratum: usize,
    /// Numerator.
    pub y: f64,
    /// Denominator.
    pub d: f64,
}

/// A rate of 0/1 outcomes with the interval of its clustered users.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BandRate {
    /// Users.
    pub n_users: usize,
    /// Denominator.
    pub n: f64,
    /// Numerator.
    pub n_events: f64,
    /// `n_events / n`; nothing without a denominator.
    pub rate: Option<f64>,
    /// Wilson's interval on the effective count; nothing for fewer than two users.
    pub interval: Option<Interval>,
}

/// Computes a rate and Wilson's interval on its effective count.
///
/// With `K` users and `e = y - R d`: `deff = max(1, [K/(K-1) Σe²] / [n R (1-R)])`, `n_eff = n/deff`, t of `K - 1`. Where all or
/// none are events it is Kish's `Σd²/Σd`. Assumes independent users. Kish 1965; Franco et al. 2019.
pub fn band_rate(users: &Users, reach: Multiplier) -> BandRate {
    let ratio = Ratio::of(users);
    let k = ratio.n_users as f64;
    let interval = ratio.estimate.filter(|rate| k > 1.0 && (0.0..=1.0).contains(rate)).and_then(|rate| {
        let binomial = ratio.sum_d * rate * (1.0 - rate);
        let deff = if binomial > 0.0 {
            (k / (k - 1.0) * ratio.sum_squares / binomial).max(1.0)
        } else {
            users.with_denominator().map(|(_, d)| d * d).sum::<f64>() / ratio.sum_d
        };
        Some(wilson(rate, ratio.sum_d / deff, reach.under_t(k - 1.0)?))
    });
    BandRate { n_users: ratio.n_users, n: ratio.sum_d, n_events: ratio.sum_y, rate: ratio.estimate, interval }
}

/// A difference between two bands at one mix of strata.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BandDifference {
    /// `Σ w_s (R_s,band - R_s,base)`.
    pub difference: f64,
    /// Standard error clustered by user; nothing for fewer than two users, or without spread.
    pub se: Option<f64>,
    /// Degrees of freedom: users of the band with fewer of them, minus one.
    pub df: f64,
    /// Share of the denominators of both bands in strata that both have.
    pub support: f64,
}

impl BandDifference {
    /// Gives the t interval.
    pub fn interval(&self, reach: Multiplier) -> Option<Interval> {
        Interval::around(self.difference, reach.under_t(self.df)? * self.se?)
    }

    /// Gives the two-sided p of no difference.
    pub fn p_two_sided(&self) -> Option<f64> {
        Some((2.0 * t_sf((self.difference / self.se?).abs(), self.df)).min(1.0))
    }
}

/// Computes the difference of a band to a base band at the pooled mix of strata, over users who may be in both.
///
/// `w_s` is the share of stratum s among the denominators of both bands, over strata in which both have at least `min_users` users (and
/// at least two). What a user changes:
/// `ψ = Σ_s w_s [(y_bs - R_bs d_bs)/(D_bs - d_bs) - (y_as - R_as d_as)/(D_as - d_as)]`, `se = sqrt((K-1)/K Σψ²)` over the
/// `K` users of either band: the delete-one-user jackknife of a regression of the outcome on band by stratum, saturated. The
/// plain sandwich divides by `D` and is too small where a cell has few users, most of all far out in the tails, where
/// corrections for many differences look. Assumes independent users, and takes the weights as fixed. Nothing without a
/// common stratum. Holt & Smith 1979; Bell & McCaffrey 2002.
pub fn band_difference(users: &[Vec<BandCell>], base: usize, band: usize, min_users: usize) -> Option<BandDifference> {
    let side = |cell: &BandCell| [base, band].iter().position(|it| *it == cell.band).filter(|_| cell.d > 0.0);
    let mut totals: BTreeMap<usize, [(f64, f64, usize); 2]> = BTreeMap::new();
    for (cell, side) in users.iter().flatten().filter_map(|cell| Some((cell, side(cell)?))) {
        let (y, d, n) = &mut totals.entry(cell.stratum).or_default()[side];
        *y += cell.y;
        *d += cell.d;
        *n += 1;
    }
    let n_in = |sides: &[(f64, f64, usize); 2]| sides[0].1 + sides[1].1;
    let n_all: f64 = totals.values().map(n_in).sum();
    totals.retain(|_, sides| sides.iter().all(|&(.., n)| n >= min_users.max(2)));
    let n_common: f64 = totals.values().map(n_in).sum();
    if n_common <= 0.0 || base == band {
        return None;
    }
    let difference = totals.values().map(|s| n_in(s) / n_common * residual(s[1].0 / s[1].1, s[0].0 / s[0].1)).sum();
    let (mut n_users, mut n_of_side, mut squares) = (0.0_f64, [0.0_f64; 2], 0.0);
    for user in users {
        let mut is_there = [false; 2];
        let mut influence = 0.0;
        for (cell, side) in user.iter().filter_map(|cell| Some((cell, side(cell)?))) {
            is_there[side] = true;
            let Some(sides) = totals.get(&cell.stratum) else { continue };
            let (y, d, _) = sides[side];
            let sign = if side == 1 { 1.0 } else { -1.0 };
            influence += sign * n_in(sides) / n_common * residual(cell.y, y / d * cell.d) / (d - cell.d);
        }
        for side in [0, 1] {
            n_of_side[side] += f64::from(u8::from(is_there[side]));
        }
        n_users += f64::from(u8::from(is_there[0] || is_there[1]));
        squares += influence * influence;
    }
    let se = (n_users > 1.0).then(|| ((n_users - 1.0) / n_users * squares).sqrt()).filter(|se| *se > 0.0);
    Some(BandDifference { difference, se, df: n_of_side[0].min(n_of_side[1]) - 1.0, support: n_common / n_all })
}
