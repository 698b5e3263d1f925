//! Less noise by what was known before: adjustment for a covariate measured before the assignment.
//!
//! It must not know which covariate it is. One that the variant can change takes away the effect that is asked about.

use super::Users;
use super::ratio::{Ratio, mean_and_variance, residual};

/// Holds the units of one variant with an outcome and a covariate measured before the assignment.
///
/// `y[i]` and `x[i]` belong to the same unit. Where the slices differ in length the surplus is ignored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Covaried<'a> {
    /// Outcome.
    pub y: &'a [f64],
    /// Covariate.
    pub x: &'a [f64],
}

/// Holds the users of one variant with a ratio metric and a covariate measured before the assignment.
///
/// As [`super::Users`], with the covariate of the same user in `x[i]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CovariedUsers<'a> {
    /// Sum of the outcome over the user's completions.
    pub y: &'a [f64],
    /// Number of the user's completions; a user without any is left out.
    pub d: &'a [f64],
    /// Covariate.
    pub x: &'a [f64],
}

/// Says how the slope of the outcome on the covariate is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slope {
    /// About the means of the variants: analysis of covariance, the coefficient of least squares on variant and `x`.
    WithinVariant,
    /// About the means of all units, as GrowthBook does: it takes part of the effect for a slope.
    Grand,
}

/// Holds a difference of means adjusted for a covariate, beside what it is without.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adjusted {
    /// Slope of the outcome on the covariate; 0 where the covariate does not vary.
    pub theta: f64,
    /// Adjusted mean or ratio of control.
    pub a: f64,
    /// Adjusted mean or ratio of the candidate.
    pub b: f64,
    /// `b - a`.
    pub difference: f64,
    /// Standard error of the adjusted difference; nothing for fewer than two units in a variant.
    pub se: Option<f64>,
    /// Standard error without adjustment.
    pub se_unadjusted: Option<f64>,
    /// Share of the variance that the adjustment removes, `1 - (se/se_unadjusted)²`; below 0 where it adds some.
    pub variance_reduction: Option<f64>,
}

/// Computes the difference of two means adjusted for a covariate (CUPED).
///
/// `theta = S_xy/S_xx` by [`Slope`]; adjusted mean `ȳ_v - theta(x̄_v - x̄)` with the mean `x̄` of all units;
/// `var_v = Σ((y - ȳ_v) - theta(x - x̄_v))²/(n_v(n_v - 1))`. Assumes independent units and a covariate from before the
/// assignment; it need not be linear in the outcome. Nothing for a variant without units. Deng et al. 2013; Lin 2013.
pub fn cuped(a: &Covaried, b: &Covaried, slope: Slope) -> Option<Adjusted> {
    let (a, b) = (Points::of(a), Points::of(b));
    let (means_a, means_b) = (a.means()?, b.means()?);
    let mut both = a.clone();
    both.0.extend_from_slice(&b.0);
    let (_, mean_x) = both.means()?;
    let theta = match slope {
        Slope::WithinVariant => slope_of(&[a.centred(means_a), b.centred(means_b)]),
        Slope::Grand => slope_of(&[both.centred(both.means()?)]),
    };
    let adjusted = |(y, x): (f64, f64)| y - theta * (x - mean_x);
    let errors = |theta: f64| a.centred(means_a).error(theta).zip(b.centred(means_b).error(theta));
    Some(Adjusted::of(theta, (adjusted(means_a), adjusted(means_b)), errors(theta), errors(0.0)))
}

/// Computes the difference of two user-level ratios adjusted for a covariate of the user.
///
/// Influence of a user `l = (y - R_v d)/d̄_v`; `theta = ΣΣ l(x - x̄_v)/ΣΣ(x - x̄_v)²` over both variants;
/// `R_adj = R_v - theta(x̄_v - x̄)`, `se_v = sqrt(Σ(l - theta(x - x̄_v))²/(K(K-1)))`. With a covariate that does not vary
/// it is [`super::ratio::ratio_diff`]. Assumes independent users, enough of them for the ratio to be nearly linear, and
/// a covariate from before the assignment. Nothing where a variant has no denominator. Deng et al. 2013 (appendix B).
pub fn cuped_ratio(a: &CovariedUsers, b: &CovariedUsers) -> Option<Adjusted> {
    let ((r_a, a), (r_b, b)) = (influences(a)?, influences(b)?);
    let ((_, x_a), (_, x_b)) = (a.means()?, b.means()?);
    let (k_a, k_b) = (a.0.len() as f64, b.0.len() as f64);
    let mean_x = (k_a * x_a + k_b * x_b) / (k_a + k_b);
    // Influences add up to 0, so that only the covariate needs a centre.
    let (a, b) = (a.centred((0.0, x_a)), b.centred((0.0, x_b)));
    let errors = |theta: f64| a.error(theta).zip(b.error(theta));
    let theta = slope_of(&[a.clone(), b.clone()]);
    let adjusted = (r_a - theta * (x_a - mean_x), r_b - theta * (x_b - mean_x));
    Some(Adjusted::of(theta, adjusted, errors(theta), errors(0.0)))
}

impl Adjusted {
    fn of(theta: f64, (a, b): (f64, f64), errors: Option<(f64, f64)>, unadjusted: Option<(f64, f64)>) -> Self {
        let together = |(a, b): (f64, f64)| f64::hypot(a, b);
        let (se, se_unadjusted) = (errors.map(together), unadjusted.map(together));
        let variance_reduction = se
            .zip(se_unadjusted)
            .filter(|&(_, without)| without > 0.0)
            .map(|(with, without)| 1.0 - (with / without).powi(2));
        Self { theta, a, b, difference: b - a, se, se_unadjusted, variance_reduction }
    }
}

/// Holds outcome (or influence) and covariate of each unit of one variant.
#[derive(Debug, Clone)]
struct Points(Vec<(f64, f64)>);

impl Points {
    fn of(units: &Covaried) -> Self {
        Self(units.y.iter().copied().zip(units.x.iter().copied()).collect())
    }

    /// Gives the means of outcome and covariate; nothing without units.
    fn means(&self) -> Option<(f64, f64)> {
        let (ys, xs): (Vec<f64>, Vec<f64>) = self.0.iter().copied().unzip();
        mean_and_variance(&ys).0.zip(mean_and_variance(&xs).0)
    }

    fn centred(&self, (mean_y, mean_x): (f64, f64)) -> Self {
        Self(self.0.iter().map(|&(y, x)| (residual(y, mean_y), residual(x, mean_x))).collect())
    }

    /// Gives the standard error of the mean of `y - theta x` of centred points; nothing for fewer than two.
    fn error(&self, theta: f64) -> Option<f64> {
        let n = self.0.len() as f64;
        let squares: f64 = self.0.iter().map(|&(y, x)| residual(y, theta * x).powi(2)).sum();
        (self.0.len() > 1).then(|| (squares / (n * (n - 1.0))).sqrt())
    }
}

/// Gives `Σxy/Σx²` over centred points; 0 where the covariate does not vary.
fn slope_of(variants: &[Points]) -> f64 {
    let points = || variants.iter().flat_map(|variant| &variant.0);
    let spread: f64 = points().map(|(_, x)| x * x).sum();
    if spread > 0.0 { points().map(|(y, x)| y * x).sum::<f64>() / spread } else { 0.0 }
}

/// Gives the ratio of one variant and each user's influence on it, with the covariate beside.
fn influences(users: &CovariedUsers) -> Option<(f64, Points)> {
    let n = users.y.len().min(users.d.len()).min(users.x.len());
    let (y, d, x) = (&users.y[..n], &users.d[..n], &users.x[..n]);
    let whole = Ratio::of(&Users { y, d });
    let ratio = whole.estimate?;
    let mean_d = whole.sum_d / whole.n_users as f64;
    let present = y.iter().zip(d).zip(x).map(|((&y, &d), &x)| (y, d, x)).filter(|&(_, d, _)| d > 0.0);
    Some((ratio, Points(present.map(|(y, d, x)| (residual(y, ratio * d) / mean_d, x)).collect())))
}
