//! Cluster-adjusted Newcombe intervals: the intervals of every 0/1 metric.
//!
//! It must not decide anything: `verdict` does.

use super::distribution::{bisect, t_sf};
use super::proportion::{mover, wilson};
use super::ratio::Ratio;
use super::{Direction, Interval, Multiplier, Users};

/// Says where a design effect comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeffSource {
    /// Estimated from the residuals of the users of both variants.
    Pooled,
    /// Kish's worst case, in which a user's completions all agree: nothing could be estimated.
    KishIcc1,
}

impl DeffSource {
    /// Gives the name used in files and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pooled => "pooled",
            Self::KishIcc1 => "kish_icc1",
        }
    }
}

/// Holds two 0/1-per-completion rates with the effective counts of their clustered users.
///
/// With `K` users in both variants and `e = y - R d`:
/// `deff = max(1, [K/(K-2) Σe²] / [Σ n_v R_v (1-R_v)])`, `n_eff = n/deff`. Where the denominator is 0 (no events, or
/// only events) or `K <= 2` it is Kish's `Σd²/Σd`. Assumes independent users and a design effect common to both
/// variants, which is what keeps a small canary stable. Kish 1965; Franco et al. 2019 (Wilson on effective counts).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClusteredRates {
    /// Users of control.
    pub n_users_a: usize,
    /// Users of the candidate.
    pub n_users_b: usize,
    /// Completions of control.
    pub n_a: f64,
    /// Completions of the candidate.
    pub n_b: f64,
    /// Rate of control.
    pub rate_a: f64,
    /// Rate of the candidate.
    pub rate_b: f64,
    /// Design effect.
    pub deff: f64,
    /// Where the design effect comes from.
    pub deff_source: DeffSource,
    /// Effective completions of control.
    pub n_eff_a: f64,
    /// Effective completions of the candidate.
    pub n_eff_b: f64,
}

/// Holds a difference with its interval, un-flipped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClusteredDifference {
    /// `R_b - R_a`.
    pub difference: f64,
    /// Newcombe interval on effective counts; nothing for two users or fewer.
    pub interval: Option<Interval>,
}

/// Holds the contrast of a relative margin, improvement-oriented: positive means better than the margin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RelativeContrast {
    /// `R_b - (1-m)R_a` where higher is better, `(1+m)R_a - R_b` where lower is.
    pub contrast: f64,
    /// The margin in the units of the rate: `m R_a`.
    pub margin: f64,
    /// MOVER interval of the contrast; nothing for two users or fewer.
    pub interval: Option<Interval>,
}

impl RelativeContrast {
    /// Says whether the whole interval is better than the margin.
    pub fn is_non_inferior(&self) -> bool {
        self.interval.is_some_and(|interval| interval.low > 0.0)
    }

    /// Says whether the whole interval is worse than the margin.
    pub fn is_worse_than_margin(&self) -> bool {
        self.interval.is_some_and(|interval| interval.high < 0.0)
    }
}

impl ClusteredRates {
    /// Computes rates and effective counts; nothing where a variant has no completions or a rate leaves 0..=1.
    pub fn of(a: &Users, b: &Users) -> Option<Self> {
        let (of_a, of_b) = (Ratio::of(a), Ratio::of(b));
        let (rate_a, rate_b) = of_a.estimate.zip(of_b.estimate)?;
        if !(0.0..=1.0).contains(&rate_a) || !(0.0..=1.0).contains(&rate_b) {
            return None;
        }
        let (n_a, n_b) = (of_a.sum_d, of_b.sum_d);
        let k = (of_a.n_users + of_b.n_users) as f64;
        let binomial = n_a * rate_a * (1.0 - rate_a) + n_b * rate_b * (1.0 - rate_b);
        let (deff, deff_source) = if k > 2.0 && binomial > 0.0 {
            ((k / (k - 2.0) * (of_a.sum_squares + of_b.sum_squares) / binomial).max(1.0), DeffSource::Pooled)
        } else {
            let squares: f64 = a.with_denominator().chain(b.with_denominator()).map(|(_, d)| d * d).sum();
            (squares / (n_a + n_b), DeffSource::KishIcc1)
        };
        Some(Self {
            n_users_a: of_a.n_users,
            n_users_b: of_b.n_users,
            n_a,
            n_b,
            rate_a,
            rate_b,
            deff,
            deff_source,
            n_eff_a: n_a / deff,
            n_eff_b: n_b / deff,
        })
    }

    /// Gives the degrees of freedom of the t multiplier: users minus two.
    pub fn df(&self) -> f64 {
        (self.n_users_a + self.n_users_b) as f64 - 2.0
    }

    /// Gives the number of standard errors of an interval; nothing for two users or fewer.
    fn reach(&self, multiplier: Multiplier) -> Option<f64> {
        if self.df() > 0.0 { multiplier.under_t(self.df()) } else { None }
    }

    /// Gives Wilson's interval of control on its effective count.
    pub fn interval_a(&self, multiplier: Multiplier) -> Option<Interval> {
        Some(wilson(self.rate_a, self.n_eff_a, self.reach(multiplier)?))
    }

    /// Gives Wilson's interval of the candidate on its effective count.
    pub fn interval_b(&self, multiplier: Multiplier) -> Option<Interval> {
        Some(wilson(self.rate_b, self.n_eff_b, self.reach(multiplier)?))
    }

    /// Computes the interval of `R_b - R_a`: Newcombe's on the effective counts with the t of `K - 2`.
    pub fn difference(&self, multiplier: Multiplier) -> ClusteredDifference {
        let interval = self.reach(multiplier).map(|z| self.newcombe(z));
        ClusteredDifference { difference: self.rate_b - self.rate_a, interval }
    }

    /// Computes the contrast of a relative margin `m` (MOVER of a linear contrast, Zou & Donner 2008).
    ///
    /// Higher is better: `R_b - (1-m)R_a`; lower is better: `(1+m)R_a - R_b`. It divides by nothing and counts the
    /// uncertainty of the control rate in the margin.
    pub fn relative(&self, margin_relative: f64, direction: Direction, multiplier: Multiplier) -> RelativeContrast {
        let (scale, sign) = match direction {
            Direction::HigherIsBetter => (1.0 - margin_relative, 1.0),
            Direction::LowerIsBetter => (1.0 + margin_relative, -1.0),
        };
        let interval = self.reach(multiplier).map(|z| {
            let (a, b) = (wilson(self.rate_a, self.n_eff_a, z), wilson(self.rate_b, self.n_eff_b, z));
            direction.improvement_interval(mover(self.rate_a, a, self.rate_b, b, scale))
        });
        RelativeContrast {
            contrast: sign * (self.rate_b - scale * self.rate_a),
            margin: margin_relative * self.rate_a,
            interval,
        }
    }

    /// Computes the one-sided p of being worse than an absolute margin, by inverting the interval.
    ///
    /// It is `P(T > z)` for the z at which the lower limit meets `-margin` (improvement-oriented), or `P(T < z)` for
    /// the z at which the upper one does, where the estimate itself is beyond the margin.
    pub fn p_noninferior(&self, margin: f64, direction: Direction) -> Option<f64> {
        if self.df() <= 0.0 {
            return None;
        }
        let limits = |z: f64| direction.improvement_interval(self.newcombe(z));
        let passes = direction.improvement(self.rate_b - self.rate_a) >= -margin;
        let excludes = |z: f64| if passes { limits(z).low > -margin } else { limits(z).high < -margin };
        let mut far = 1.0;
        while excludes(far) {
            far *= 2.0;
            // Beyond this the margin is outside of what any two rates can differ by.
            if far > 1e8 {
                return Some(if passes { 0.0 } else { 1.0 });
            }
        }
        let tail = t_sf(bisect(0.0, far, excludes), self.df());
        Some(if passes { tail } else { 1.0 - tail })
    }

    fn newcombe(&self, z: f64) -> Interval {
        let (a, b) = (wilson(self.rate_a, self.n_eff_a, z), wilson(self.rate_b, self.n_eff_b, z));
        mover(self.rate_a, a, self.rate_b, b, 1.0)
    }
}

/// Computes the cluster-adjusted Newcombe interval of `R_b - R_a`; see [`ClusteredRates`].
pub fn cluster_newcombe(a: &Users, b: &Users, multiplier: Multiplier) -> Option<ClusteredDifference> {
    Some(ClusteredRates::of(a, b)?.difference(multiplier))
}

/// Computes the contrast of a relative margin; see [`ClusteredRates::relative`].
pub fn cluster_newcombe_relative(
    a: &Users,
    b: &Users,
    margin_relative: f64,
    direction: Direction,
    multiplier: Multiplier,
) -> Option<RelativeContrast> {
    Some(ClusteredRates::of(a, b)?.relative(margin_relative, direction, multiplier))
}
