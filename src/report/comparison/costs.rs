//! What the sides cost and how fast they are, and whether a saving is worth a loss.

use crate::stats::Interval;

/// A measured quantity of both sides, such as latency; differences are candidate minus control.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// Stable name: `latency_ms`, `ttft_ms`, `cost_usd`, `input_tokens`, `output_tokens` or `error_rate`.
    pub name: &'static str,
    /// What a reader calls it, with its unit.
    pub title: &'static str,
    /// The control's.
    pub control: Quantiles,
    /// The candidate's.
    pub candidate: Quantiles,
    /// Difference of the means, winsorised at the pooled 99.5 % quantile, clustered by unit.
    pub difference: Option<f64>,
    /// Its interval.
    pub interval: Option<Interval>,
    /// Whether the difference without winsorising would be told otherwise (its sign, or whether it is certain).
    pub outliers_matter: bool,
}

/// The distribution of a [`Measure`] on one side.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Quantiles {
    /// Turns that have a value.
    pub n: u64,
    /// The mean.
    pub mean: Option<f64>,
    /// The median.
    pub p50: Option<f64>,
    /// The 95 % quantile.
    pub p95: Option<f64>,
}

/// Quality against money.
#[derive(Debug, Clone, PartialEq)]
pub struct Benefit {
    /// Saved US dollars per 1000 turns, positive where the candidate is cheaper.
    pub saving_per_1000: f64,
    /// Its interval.
    pub saving_interval: Option<Interval>,
    /// Price of one lost good turn, in US dollars, below which switching pays; nothing where it always or never pays.
    pub breaks_even_at: Option<f64>,
    /// The same at the 95 % bound.
    pub surely_pays_below: Option<f64>,
    /// Price of a lost good turn (US dollars) and chance that switching pays, by rising price.
    pub acceptability: Vec<(f64, f64)>,
    /// At most so many good turns fewer in 10,000.
    pub worst_case_per_10_000: Option<f64>,
}

/// One number of several signals, 0..100.
#[derive(Debug, Clone, PartialEq)]
pub struct Index {
    /// The control's.
    pub control: f64,
    /// The candidate's.
    pub candidate: f64,
    /// Difference.
    pub estimate: f64,
    /// Its interval.
    pub interval: Option<Interval>,
    /// The signals, their weights, and the difference without each of them.
    pub parts: Vec<IndexPart>,
    /// Share of the weightings tried, in 0..1, under which it is told the same (better, worse or neither).
    pub agreeing_share: f64,
    /// Weightings tried.
    pub n_weightings: u32,
}

/// One signal of an [`Index`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IndexPart {
    /// The signal.
    pub signal: &'static str,
    /// Its weight.
    pub weight: f64,
    /// The index's difference if this signal is left out.
    pub without: f64,
}

/// The same evidence in words for lay readers: a flat prior, no further information.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chance {
    /// Name of the metric.
    pub metric: &'static str,
    /// Chance that the loss is within the margin, in 0..1.
    pub p_acceptable: f64,
    /// Expected loss of switching, in the unit of the rate.
    pub expected_loss: f64,
}
