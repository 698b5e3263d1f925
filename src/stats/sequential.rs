//! Looks every day at a stated error rate: multipliers, always-valid p, and the users a decision still needs.
//!
//! It must not know of calendars or of stored looks: the caller says how much information there is and whether the
//! one fixed look was used.

use super::Interval;
use super::distribution::{bisect, ln_normal_cdf, normal_upper_quantile, t_upper_quantile};
use super::ratio::mean_and_variance;

/// Gives `g(alpha) = -2 ln alpha + ln(1 - 2 ln alpha)`, which puts the tightest boundary at the planned information.
fn tuning(alpha: f64) -> f64 {
    -2.0 * alpha.ln() + (-2.0 * alpha.ln()).ln_1p()
}

/// Computes the approximate optimal mixture precision `g(alpha)/n_star` (Waudby-Smith et al. 2024, eq. 9).
///
/// Nothing for an error rate outside of 0..1 or without units.
pub fn rho2_approx(alpha: f64, n_star: f64) -> Option<f64> {
    (alpha > 0.0 && alpha < 1.0 && n_star > 0.0).then(|| tuning(alpha) / n_star)
}

/// Computes the optimal mixture precision `(-W₋₁(-alpha²/e) - 1)/n_star`, W₋₁ the lower branch of Lambert's function.
///
/// With `v = -W₋₁(-alpha²/e) - 1` it is the root of `v - ln(1+v) = -2 ln alpha`. Nothing for an error rate outside of
/// 0..1 or without units. Waudby-Smith et al. 2024 (drconfseq `best_rho2_exact`).
pub fn rho2_exact(alpha: f64, n_star: f64) -> Option<f64> {
    if !(alpha > 0.0 && alpha < 1.0 && n_star > 0.0) {
        return None;
    }
    let falls_short = |v: f64| v - v.ln_1p() < -2.0 * alpha.ln();
    let mut high = 1.0;
    while falls_short(high) {
        high *= 2.0;
    }
    Some(bisect(0.0, high, falls_short) / n_star)
}

/// Holds the multiplier of a confidence sequence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SequenceMultiplier {
    /// Mixture precision times information.
    pub eta: f64,
    /// Number of standard errors.
    pub c: f64,
}

/// Computes the multiplier that makes any interval valid at every look, at the two-sided level `alpha`.
///
/// `eta = g(alpha)·f` with the information fraction `f = I_t/I*`, `c = sqrt((1 + 1/eta) ln((1+eta)/alpha²))`. It
/// replaces z or t. Asymptotic (Robbins' normal mixture; Waudby-Smith et al. 2024). Nothing without information.
pub fn cs_multiplier(alpha: f64, info_fraction: f64) -> Option<SequenceMultiplier> {
    if !(info_fraction > 0.0 && info_fraction.is_finite() && alpha > 0.0 && alpha < 1.0) {
        return None;
    }
    let eta = tuning(alpha) * info_fraction;
    Some(SequenceMultiplier { eta, c: boundary(eta, alpha) })
}

fn boundary(eta: f64, alpha: f64) -> f64 {
    ((1.0 + 1.0 / eta) * (eta.ln_1p() - 2.0 * alpha.ln())).sqrt()
}

/// Says how the error rate is spent over the looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spending {
    /// One-sided error rate of the whole decision.
    pub alpha: f64,
    /// Share of it spent at every look; the rest buys one fixed look.
    pub alpha_seq_share: f64,
    /// Information now over the planned information.
    pub info_fraction: f64,
    /// Whether the one fixed look was used at an earlier time.
    pub fixed_look_used: bool,
}

/// Computes the multiplier of the present look under the hybrid rule.
///
/// The share `s` of alpha is always valid: `c` of [`cs_multiplier`] at the two-sided level `2·alpha·s`. The rest is
/// spent at one fixed look, when the information first reaches the plan: there the multiplier is
/// `min(c, z or t at one-sided alpha(1-s))`. Valid by the union bound, because information triggers the look and the
/// effect does not. `df` is that of the t, nothing for the normal.
pub fn look_multiplier(spending: &Spending, df: Option<f64>) -> Option<f64> {
    let Spending { alpha, alpha_seq_share, info_fraction, fixed_look_used } = *spending;
    let always_valid = cs_multiplier(2.0 * alpha * alpha_seq_share, info_fraction).map(|m| m.c);
    if info_fraction < 1.0 || fixed_look_used {
        return always_valid;
    }
    let tail = alpha * (1.0 - alpha_seq_share);
    let fixed = match df {
        Some(df) => t_upper_quantile(tail, df),
        None => normal_upper_quantile(tail),
    };
    match (always_valid, fixed) {
        (Some(c), Some(fixed)) => Some(c.min(fixed)),
        (c, fixed) => c.or(fixed),
    }
}

/// Computes the information fraction `(se_star/se)²` of a standard error, `se_star = margin/(z_alpha + z_power)`.
///
/// Nothing for a standard error of 0: no spread is no information, not endless information.
pub fn information_fraction(se: f64, margin: f64, alpha: f64, power: f64) -> Option<f64> {
    let z = normal_upper_quantile(alpha)? + normal_upper_quantile(1.0 - power)?;
    (se > 0.0 && se.is_finite() && margin > 0.0 && z > 0.0).then(|| (margin / z / se).powi(2))
}

/// Holds an always-valid test of non-inferiority.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SequentialTest {
    /// Distance of the estimate from the limit in standard errors.
    pub z: f64,
    /// Logarithm of the evidence factor.
    pub ln_e: f64,
    /// Always-valid one-sided p, `min(1, 1/E)`.
    pub p: f64,
}

/// Computes the always-valid one-sided p of `estimate <= -margin`, improvement-oriented.
///
/// Half-normal mixture e-process: `E = 2/sqrt(1+eta) exp(z²eta/(2(1+eta))) Φ(z sqrt(eta/(1+eta)))`,
/// `z = (estimate + margin)/se`. Asymptotic; nothing without a standard error. Robbins 1970; Johari et al. 2022.
pub fn seq_noninferiority_p(estimate: f64, se: f64, margin: f64, eta: f64) -> Option<SequentialTest> {
    if !(se > 0.0 && se.is_finite() && eta > 0.0) {
        return None;
    }
    let z = (estimate + margin) / se;
    let shrink = eta / (1.0 + eta);
    let ln_e = std::f64::consts::LN_2 - 0.5 * eta.ln_1p() + 0.5 * z * z * shrink + ln_normal_cdf(z * shrink.sqrt());
    Some(SequentialTest { z, ln_e, p: (-ln_e).exp().min(1.0) })
}

/// Holds an asymptotic confidence sequence at one look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConfidenceSequence {
    /// Mixture precision times units.
    pub eta: f64,
    /// Half of the width.
    pub half: f64,
    /// The interval.
    pub interval: Interval,
    /// Always-valid two-sided p of no effect.
    pub p: f64,
}

/// Computes the asymptotic confidence sequence of an estimate with its clustered standard error.
///
/// `n` is the number of independent units of both variants and `n_star` the one it is tightest at;
/// `eta = n·rho2_approx`, `half = se sqrt((1+1/eta) ln((1+eta)/alpha²))`,
/// `p = min(1, sqrt(1+eta) exp(-z²eta/(2(1+eta))))`. Waudby-Smith et al. 2024.
pub fn asymp_cs(estimate: f64, se: f64, n: f64, n_star: f64, alpha: f64) -> Option<ConfidenceSequence> {
    let eta = n * rho2_approx(alpha, n_star)?;
    if !(se > 0.0 && eta > 0.0 && eta.is_finite()) {
        return None;
    }
    let half = se * boundary(eta, alpha);
    let z = estimate / se;
    let p = (0.5 * eta.ln_1p() - 0.5 * z * z * eta / (1.0 + eta)).exp().min(1.0);
    Some(ConfidenceSequence { eta, half, interval: Interval::around(estimate, half)?, p })
}

/// Holds two one-sided asymptotic confidence sequences at one look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OneSidedSequence {
    /// Mixture precision times units.
    pub eta: f64,
    /// Distance of either bound from the estimate.
    pub half: f64,
    /// Below this the effect is at no look, at the one-sided rate `alpha`.
    pub lower: f64,
    /// Above this the effect is at no look, at the one-sided rate `alpha`.
    pub upper: f64,
}

/// Computes the one-sided asymptotic confidence sequence of an estimate with its clustered standard error.
///
/// `n` and `n_star` as in [`asymp_cs`]; `eta = n·rho2_approx(2·alpha)`,
/// `half = se sqrt(2(1+1/eta) ln(1 + sqrt(1+eta)/(2·alpha)))`. Either bound holds at `alpha`, both together at
/// `2·alpha`. Nothing without a standard error or for `alpha` of one half and more. Waudby-Smith et al. 2024 (eq. 134).
pub fn asymp_cs_one_sided(estimate: f64, se: f64, n: f64, n_star: f64, alpha: f64) -> Option<OneSidedSequence> {
    let eta = n * rho2_approx(2.0 * alpha, n_star)?;
    if !(se > 0.0 && se.is_finite() && eta > 0.0 && eta.is_finite()) {
        return None;
    }
    let half = se * (2.0 * (1.0 + 1.0 / eta) * ((1.0 + eta).sqrt() / (2.0 * alpha)).ln_1p()).sqrt();
    Some(OneSidedSequence { eta, half, lower: estimate - half, upper: estimate + half })
}

/// Holds the mean of the first values of a stream with how far its confidence sequence reaches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanInTime {
    /// Mean of the values so far.
    pub mean: f64,
    /// Half of the width of the confidence sequence. It is 0, and no interval, where the values so far are all equal.
    pub half: f64,
}

/// Computes the asymptotic confidence sequence of a mean at times `t`, each after the first `t` values.
///
/// `half = sqrt(var_t) sqrt(2(t rho2 + 1) ln(sqrt(t rho2 + 1)/alpha)/(t² rho2))`, `rho2 = rho2_exact(alpha, t_opt)`.
/// Assumes independent values, and many of them: the first times are shown and decide nothing. Nothing at a time
/// before the second value or after the last. Waudby-Smith et al. 2024 (drconfseq `asymptotic_confseq`).
pub fn asymp_cs_mean(x: &[f64], times: &[usize], t_opt: f64, alpha: f64) -> Vec<Option<MeanInTime>> {
    let at = |&time: &usize| {
        let (mean, variance) = mean_and_variance(x.get(..time)?);
        let t = time as f64;
        let eta = t * rho2_exact(alpha, t_opt)?;
        let reach = (2.0 * (eta + 1.0) * (0.5 * eta.ln_1p() - alpha.ln()) / (t * eta)).sqrt();
        Some(MeanInTime { mean: mean?, half: variance?.sqrt() * reach })
    };
    times.iter().map(at).collect()
}

/// Says which rule of looks the needed users are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookRule {
    /// One look at the end.
    Fixed,
    /// The hybrid rule of [`look_multiplier`].
    Hybrid,
    /// Always-valid looks only.
    Sequential,
}

/// Holds what the number of users still needed depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UsersNeededInput {
    /// Standard error of the difference now.
    pub se_now: f64,
    /// Users now, both variants.
    pub k_now: f64,
    /// Absolute margin.
    pub margin: f64,
    /// One-sided error rate.
    pub alpha: f64,
    /// Chance of a decision to aim for.
    pub power: f64,
    /// True difference to plan for, improvement-oriented.
    pub true_diff: f64,
    /// Rule of looks.
    pub rule: LookRule,
    /// Share of alpha spent at every look, for the hybrid rule.
    pub alpha_seq_share: f64,
    /// New users per day, both variants.
    pub users_per_day: f64,
}

/// Holds the users that a decision needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UsersNeeded {
    /// Standard error that gives the power.
    pub se_target: f64,
    /// Users in all, both variants.
    pub users_total: f64,
    /// Users beyond those present.
    pub users_additional: f64,
    /// Days until then; nothing where nobody arrives.
    pub days: Option<f64>,
}

/// Computes how many users a proof of non-inferiority needs.
///
/// `dist = margin + true_diff`. Fixed: `se* = dist/(z_alpha + z_power)`; hybrid: with `z` at `alpha(1 - share)`;
/// sequential: solves `s(c(eta(s), 2alpha) + z_power) = dist`, `eta(s) = g(2alpha)/(s² I*)`. Then
/// `users = k_now (se_now/se*)²`, which assumes that new users are like the present ones. Nothing where
/// `dist <= 0` (no number of users proves it), without a margin, or where the standard error is unknown.
pub fn users_needed(input: &UsersNeededInput) -> Option<UsersNeeded> {
    let UsersNeededInput { se_now, k_now, margin, alpha, power, true_diff, rule, alpha_seq_share, users_per_day } =
        *input;
    let distance = margin + true_diff;
    if !(distance > 0.0 && margin > 0.0 && se_now > 0.0 && se_now.is_finite()) {
        return None;
    }
    let z_power = normal_upper_quantile(1.0 - power)?;
    let se_target = match rule {
        LookRule::Fixed => distance / (normal_upper_quantile(alpha)? + z_power),
        LookRule::Hybrid => distance / (normal_upper_quantile(alpha * (1.0 - alpha_seq_share))? + z_power),
        LookRule::Sequential => {
            let se_star = margin / (normal_upper_quantile(alpha)? + z_power);
            let reach = |se: f64| {
                let eta = tuning(2.0 * alpha) * (se_star / se).powi(2);
                se * (boundary(eta, 2.0 * alpha) + z_power)
            };
            let mut high = distance;
            while reach(high) < distance {
                high *= 2.0;
            }
            bisect(0.0, high, |se| reach(se) < distance)
        }
    };
    let users_total = k_now * (se_now / se_target).powi(2);
    let users_additional = (users_total - k_now).max(0.0);
    let days = if users_additional <= 0.0 {
        Some(0.0)
    } else {
        (users_per_day > 0.0).then(|| users_additional / users_per_day)
    };
    Some(UsersNeeded { se_target, users_total, users_additional, days })
}
