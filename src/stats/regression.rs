//! The difference of two ratios as a regression on completions, and cross-checks that come with it.
//!
//! It must not know of covariates: `cuped` does.

use super::Users;
use super::ratio::Ratio;

/// Holds the coefficient of the variant in a regression on completions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClusterOls {
    /// `R_b - R_a`: the coefficient of the variant.
    pub coefficient: f64,
    /// Cluster-robust standard error; nothing for fewer than two users or three completions.
    pub se: Option<f64>,
    /// Completions of both variants.
    pub n_completions: f64,
    /// Users of both variants.
    pub n_users: usize,
}

/// Computes the coefficient of the variant in ordinary least squares of a completion's outcome on `[1, variant]`.
///
/// CR1 covariance clustered by user: `se² = G/(G-1) (N-1)/(N-2) Σ_v Σ_i e_i²/D_v²`, `e_i = y_i - R_v d_i`, with `G`
/// users and `N` completions of both variants: what regression packages print, and the estimate of
/// [`super::ratio::ratio_diff`]. A variant with one user adds nothing to the error, so that a decision never rests on
/// it. Assumes independent users. Nothing where a variant has no completions. Liang & Zeger 1986; Cameron & Miller 2015.
pub fn cluster_ols(a: &Users, b: &Users) -> Option<ClusterOls> {
    let (a, b) = (Ratio::of(a), Ratio::of(b));
    let coefficient = b.estimate? - a.estimate?;
    let n_users = a.n_users + b.n_users;
    let n_completions = a.sum_d + b.sum_d;
    let (g, n) = (n_users as f64, n_completions);
    let squares = a.sum_squares / (a.sum_d * a.sum_d) + b.sum_squares / (b.sum_d * b.sum_d);
    let se = (n_users > 1 && n > 2.0).then(|| (g / (g - 1.0) * (n - 1.0) / (n - 2.0) * squares).sqrt());
    Some(ClusterOls { coefficient, se, n_completions, n_users })
}
