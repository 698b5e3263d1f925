//! Ratios of user totals and their differences, with the user as the independent unit.
//!
//! Right for continuous metrics (latency, cost, tokens); 0/1 metrics belong to `cluster`, whose intervals keep their
//! coverage for few users and few events.

use super::distribution::{normal_sf, normal_upper_quantile, t_sf};
use super::{Direction, Interval, Multiplier, Users};

/// Holds the ratio of one variant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// Users with a denominator.
    pub n_users: usize,
    /// Sum of the numerators.
    pub sum_y: f64,
    /// Sum of the denominators.
    pub sum_d: f64,
    /// `sum y / sum d`; nothing without a denominator.
    pub estimate: Option<f64>,
    /// Sum over users of `(y - estimate·d)²`.
    pub sum_squares: f64,
    /// Standard error; nothing for fewer than two users.
    pub se: Option<f64>,
}

impl Ratio {
    /// Computes the ratio and its standard error clustered by user (see [`ratio_diff`]).
    pub fn of(users: &Users) -> Self {
        let (n_users, sum_y, sum_d) =
            users.with_denominator().fold((0, 0.0, 0.0), |(k, y, d), (yi, di)| (k + 1, y + yi, d + di));
        let estimate = (n_users > 0).then(|| users.common_ratio().unwrap_or(sum_y / sum_d));
        let sum_squares =
            estimate.map_or(0.0, |r| users.with_denominator().map(|(y, d)| residual(y, r * d).powi(2)).sum());
        let k = n_users as f64;
        let se = (n_users > 1).then(|| (k / (k - 1.0) * sum_squares).sqrt() / sum_d);
        Self { n_users, sum_y, sum_d, estimate, sum_squares, se }
    }
}

impl Users<'_> {
    /// Gives the ratio that all users share, where they do: the rounding of the sums of many users would hide it.
    fn common_ratio(&self) -> Option<f64> {
        let (y, d) = self.with_denominator().next()?;
        let ratio = y / d;
        self.with_denominator().all(|(y, d)| residual(y, ratio * d).abs() <= 0.0).then_some(ratio)
    }
}

/// Subtracts, and calls a difference of a few rounding errors zero: equal users must give a variance of exactly 0,
/// which has no interval, and not one of 1e-34, which has a very narrow one.
pub(super) fn residual(y: f64, expected: f64) -> f64 {
    let difference = y - expected;
    if difference.abs() <= 4.0 * f64::EPSILON * y.abs().max(expected.abs()) { 0.0 } else { difference }
}

/// Holds a difference of two means or ratios with its t interval; nothing where the standard error is unknown or 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TDifference {
    /// `b - a`.
    pub difference: Option<f64>,
    /// Standard error.
    pub se: Option<f64>,
    /// Degrees of freedom of Welch and Satterthwaite.
    pub df: Option<f64>,
    /// `difference / se`.
    pub t: Option<f64>,
    /// Two-sided p of no difference.
    pub p_two_sided: Option<f64>,
    /// Interval of the difference.
    pub interval: Option<Interval>,
}

impl TDifference {
    /// Combines two independent estimates, each with its standard error and its number of units.
    fn welch(a: (Option<f64>, Option<f64>, usize), b: (Option<f64>, Option<f64>, usize), reach: Multiplier) -> Self {
        let difference = a.0.zip(b.0).map(|(a, b)| b - a);
        let variances = a.1.zip(b.1).map(|(a, b)| (a * a, b * b));
        let se = variances.map(|(v_a, v_b)| (v_a + v_b).sqrt());
        let spread = se.zip(variances).filter(|&(se, _)| se > 0.0 && se.is_finite());
        let df = spread.map(|(_, (v_a, v_b))| {
            (v_a + v_b).powi(2) / (v_a * v_a / (a.2 as f64 - 1.0) + v_b * v_b / (b.2 as f64 - 1.0))
        });
        let t = difference.zip(spread).map(|(difference, (se, _))| difference / se);
        let p_two_sided = t.zip(df).map(|(t, df)| 2.0 * t_sf(t.abs(), df));
        let half = df.zip(se).and_then(|(df, se)| Some(reach.under_t(df)? * se));
        let interval = difference.zip(half).and_then(|(difference, half)| Interval::around(difference, half));
        Self { difference, se, df, t, p_two_sided, interval }
    }
}

/// Holds the ratios of both variants and their difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RatioDifference {
    /// Control.
    pub a: Ratio,
    /// Candidate.
    pub b: Ratio,
    /// Candidate minus control.
    pub difference: TDifference,
}

/// Computes the difference of two user-level ratios.
///
/// Per variant over users with `d > 0`: `R = Σy/Σd`, `e = y - R d`, `se = sqrt(K/(K-1) Σe²)/Σd`: the delta method of
/// the ratio, which is the cluster-robust (CR1) error of a regression on completions. Welch's degrees of freedom,
/// t interval. Assumes independent users, enough of them for the mean to be normal. Deng et al. 2018.
pub fn ratio_diff(a: &Users, b: &Users, reach: Multiplier) -> RatioDifference {
    let (a, b) = (Ratio::of(a), Ratio::of(b));
    let difference = TDifference::welch((a.estimate, a.se, a.n_users), (b.estimate, b.se, b.n_users), reach);
    RatioDifference { a, b, difference }
}

/// Computes Welch's t of two samples: `se = sqrt(s²_a/n_a + s²_b/n_b)` with the degrees of freedom of Satterthwaite.
///
/// Assumes independent units and roughly normal means. Fewer than two units in a sample, or no spread: no interval.
/// Welch 1947.
pub fn welch_t(a: &[f64], b: &[f64], reach: Multiplier) -> TDifference {
    let summary = |x: &[f64]| {
        let (mean, variance) = mean_and_variance(x);
        (mean, variance.map(|v| (v / x.len() as f64).sqrt()), x.len())
    };
    TDifference::welch(summary(a), summary(b), reach)
}

/// Gives the mean, and the variance with `n - 1` below the line.
pub fn mean_and_variance(x: &[f64]) -> (Option<f64>, Option<f64>) {
    if x.is_empty() {
        return (None, None);
    }
    let n = x.len() as f64;
    // The sum of many equal values is rounded, so that the mean would differ from each and they would seem to vary.
    let are_equal = x.iter().all(|&v| residual(v, x[0]).abs() <= 0.0);
    let mean = if are_equal { x[0] } else { x.iter().sum::<f64>() / n };
    let squares: f64 = x.iter().map(|&v| residual(v, mean).powi(2)).sum();
    (Some(mean), (x.len() > 1).then(|| squares / (n - 1.0)))
}

/// Holds a relative difference with two intervals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lift {
    /// `(R_b - R_a)/|R_a|`.
    pub lift: Option<f64>,
    /// Delta-method standard error.
    pub se: Option<f64>,
    /// Delta-method t interval.
    pub interval: Option<Interval>,
    /// Fieller's interval; nothing where the control ratio cannot be told from 0.
    pub fieller: Option<Interval>,
}

/// Computes the relative difference of two user-level ratios.
///
/// Delta method: `se = sqrt(v_b/R_a² + v_a R_b²/R_a⁴)` with the t of [`ratio_diff`]. Fieller (1954): the roots of
/// `(R_a² - z²v_a)ρ² - 2R_aR_b ρ + (R_b² - z²v_b) = 0`, minus 1. The first is poor for a noisy control; a decision
/// uses the contrast of `cluster` or [`ni_relative`], which divide by nothing.
pub fn ratio_lift(a: &Users, b: &Users, alpha: f64) -> Lift {
    let RatioDifference { a, b, difference } = ratio_diff(a, b, Multiplier::Alpha(alpha));
    let ratios = a.estimate.zip(b.estimate).filter(|&(r_a, _)| r_a.abs() > 0.0);
    let lift = ratios.map(|(r_a, r_b)| (r_b - r_a) / r_a.abs());
    let variances = a.se.zip(b.se).map(|(a, b)| (a * a, b * b));
    let se = ratios.zip(variances).map(|((r_a, r_b), (v_a, v_b))| {
        let square = r_a * r_a;
        (v_b / square + v_a * r_b * r_b / (square * square)).sqrt()
    });
    let spread = se.filter(|&se| se > 0.0);
    let interval = spread.zip(difference.df).zip(lift).and_then(|((se, df), lift)| {
        let t = Multiplier::Alpha(alpha).under_t(df)?;
        Interval::around(lift, t * se)
    });
    let fieller = spread.and(ratios.zip(variances)).and_then(|(ratios, variances)| fieller(ratios, variances, alpha));
    Lift { lift, se, interval, fieller }
}

fn fieller((r_a, r_b): (f64, f64), (v_a, v_b): (f64, f64), alpha: f64) -> Option<Interval> {
    let z = normal_upper_quantile(alpha / 2.0)?;
    let quadratic = r_a * r_a - z * z * v_a;
    if quadratic <= 0.0 {
        return None;
    }
    let middle = r_a * r_b;
    let constant = r_b * r_b - z * z * v_b;
    let root = (middle * middle - quadratic * constant).max(0.0).sqrt();
    (root > 0.0).then(|| Interval { low: (middle - root) / quadratic - 1.0, high: (middle + root) / quadratic - 1.0 })
}

/// Holds a test of non-inferiority.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NonInferiority {
    /// Improvement-oriented estimate minus its limit: positive is good.
    pub contrast: f64,
    /// Standard error of the contrast.
    pub se: Option<f64>,
    /// `contrast / se`; nothing where that is 0.
    pub z: Option<f64>,
    /// One-sided p of being worse than the margin.
    pub p: Option<f64>,
}

/// Tests non-inferiority with a relative margin as a linear contrast, without division.
///
/// Higher is better: `c = R_b - (1-m)R_a`; lower is better: `c = (1+m)R_a - R_b`; `se = sqrt(v_b + (1∓m)²v_a)`,
/// `p = 1 - Φ(c/se)`. Assumes independent users, enough of them for a normal contrast.
pub fn ni_relative(a: &Users, b: &Users, margin_relative: f64, direction: Direction) -> Option<NonInferiority> {
    let (a, b) = (Ratio::of(a), Ratio::of(b));
    let (r_a, r_b) = a.estimate.zip(b.estimate)?;
    let (scale, contrast) = match direction {
        Direction::HigherIsBetter => (1.0 - margin_relative, r_b - (1.0 - margin_relative) * r_a),
        Direction::LowerIsBetter => (1.0 + margin_relative, (1.0 + margin_relative) * r_a - r_b),
    };
    let se = a.se.zip(b.se).map(|(se_a, se_b)| se_b.hypot(scale * se_a));
    let z = se.filter(|&se| se > 0.0).map(|se| contrast / se);
    Some(NonInferiority { contrast, se, z, p: z.map(normal_sf) })
}

/// Holds the totals of one user in both variants; zero denominators where the user was not served by one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedUser {
    /// Numerator in control.
    pub y_a: f64,
    /// Denominator in control.
    pub d_a: f64,
    /// Numerator in the candidate.
    pub y_b: f64,
    /// Denominator in the candidate.
    pub d_b: f64,
}

/// Holds a difference of ratios where users may be in both variants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedDifference {
    /// Users with a denominator in either variant.
    pub n_users: usize,
    /// `R_b - R_a`.
    pub difference: Option<f64>,
    /// Standard error with the covariance within users.
    pub se: Option<f64>,
    /// Standard error that ignores it, for comparison.
    pub se_independent: Option<f64>,
    /// Normal interval.
    pub interval: Option<Interval>,
}

/// Computes the difference of two ratios where users may be in both variants.
///
/// Influence of user u: `ψ = (y_b - R_b d_b)/D_b - (y_a - R_a d_a)/D_a`; `se = sqrt(K/(K-1) Σψ²)` over all users of
/// either variant. Right for randomisation by conversation and under cross-over. Assumes independent users.
pub fn ratio_diff_paired(users: &[PairedUser], reach: Multiplier) -> PairedDifference {
    let present = || users.iter().filter(|u| u.d_a + u.d_b > 0.0);
    let n_users = present().count();
    let sum = |part: fn(&PairedUser) -> f64| present().map(part).sum::<f64>();
    let (total_a, total_b) = (sum(|u| u.d_a), sum(|u| u.d_b));
    if total_a <= 0.0 || total_b <= 0.0 {
        return PairedDifference { n_users, difference: None, se: None, se_independent: None, interval: None };
    }
    let (r_a, r_b) = (sum(|u| u.y_a) / total_a, sum(|u| u.y_b) / total_b);
    let k = n_users as f64;
    let (mut paired, mut independent) = (0.0, 0.0);
    for user in present() {
        let from_a = residual(user.y_a, r_a * user.d_a) / total_a;
        let from_b = residual(user.y_b, r_b * user.d_b) / total_b;
        paired += residual(from_b, from_a).powi(2);
        independent += from_a * from_a + from_b * from_b;
    }
    let difference = r_b - r_a;
    let error = |squares: f64| (n_users > 1).then(|| (k / (k - 1.0) * squares).sqrt());
    let se = error(paired);
    let interval = se.zip(reach.under_normal()).and_then(|(se, z)| Interval::around(difference, z * se));
    PairedDifference { n_users, difference: Some(difference), se, se_independent: error(independent), interval }
}
