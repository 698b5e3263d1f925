//! The statistics of a model comparison: `f64` in, `f64` out, `None` where a quantity is undefined.
//!
//! It knows numbers only: nothing of signals, models, rows, time or rendering. Control is `a`, candidate is `b`, and
//! every difference is `b - a`. "Improvement-oriented" means that the sign is flipped where lower is better, so that
//! positive is good. No function returns an interval of zero width: where the data hold no spread there is no interval.

pub mod balance;
pub mod bands;
pub mod benefit;
pub mod bradley_terry;
pub mod cluster;
pub mod composite;
pub mod cuped;
pub mod distribution;
pub mod heterogeneity;
pub mod jackknife;
pub mod multiple;
pub mod observational;
pub mod planning;
pub mod power;
pub mod preference;
pub mod proportion;
pub mod ratio;
pub mod regression;
pub mod response;
pub mod score;
pub mod sequential;
pub mod srm;
pub mod strata;
pub mod summary;
pub mod surrogate;
pub mod trend;
pub mod verdict;

/// Holds, per user, the numerator and the denominator of one metric in one variant.
///
/// `y[i]` and `d[i]` belong to the same user; a user with `d[i] <= 0` took no part and is left out. Where the slices
/// differ in length the surplus is ignored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Users<'a> {
    /// Sum of the outcome over the user's completions.
    pub y: &'a [f64],
    /// Number of the user's completions.
    pub d: &'a [f64],
}

impl Users<'_> {
    /// Yields `(y, d)` of every user with a denominator.
    pub fn with_denominator(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.y.iter().copied().zip(self.d.iter().copied()).filter(|&(_, d)| d > 0.0)
    }
}

/// Says which way a metric improves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// More is better, as for copied answers.
    HigherIsBetter,
    /// Less is better, as for regenerated answers.
    LowerIsBetter,
}

impl Direction {
    /// Turns a difference `b - a` into one in which positive is good.
    pub fn improvement(self, difference: f64) -> f64 {
        match self {
            Self::HigherIsBetter => difference,
            Self::LowerIsBetter => -difference,
        }
    }

    /// Turns an interval of `b - a` into one in which positive is good; the ends change places with the sign.
    pub fn improvement_interval(self, interval: Interval) -> Interval {
        match self {
            Self::HigherIsBetter => interval,
            Self::LowerIsBetter => Interval { low: -interval.high, high: -interval.low },
        }
    }
}

/// Holds the two ends of an interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Builds `centre ± half`, or nothing where the half-width is zero or not a number.
    pub fn around(centre: f64, half: f64) -> Option<Self> {
        (half > 0.0 && half.is_finite() && centre.is_finite())
            .then_some(Self { low: centre - half, high: centre + half })
    }
}

/// Says how many standard errors an interval reaches.
///
/// A fixed-sample interval names its two-sided error rate and gets the quantile of its own reference distribution; a
/// sequential one brings its multiplier (see [`sequential::look_multiplier`]), which replaces that quantile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Multiplier {
    /// Two-sided error rate of a fixed-sample interval.
    Alpha(f64),
    /// Multiplier used as it is.
    Value(f64),
}

impl Multiplier {
    /// Gives the number of standard errors under a t distribution with `df` degrees of freedom.
    pub fn under_t(self, df: f64) -> Option<f64> {
        self.finite(|alpha| distribution::t_upper_quantile(alpha / 2.0, df))
    }

    /// Gives the number of standard errors under the normal distribution.
    pub fn under_normal(self) -> Option<f64> {
        self.finite(|alpha| distribution::normal_upper_quantile(alpha / 2.0))
    }

    fn finite(self, quantile: impl Fn(f64) -> Option<f64>) -> Option<f64> {
        let multiplier = match self {
            Self::Alpha(alpha) => quantile(alpha)?,
            Self::Value(value) => value,
        };
        (multiplier > 0.0 && multiplier.is_finite()).then_some(multiplier)
    }
}
