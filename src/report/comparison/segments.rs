//! The same difference for parts of the traffic, and with the mix of work made alike.

use crate::stats::Interval;

/// The effect on one metric by the values of one property of turns.
#[derive(Debug, Clone, PartialEq)]
pub struct Segmentation {
    /// What divides the turns, such as `task`, `language` or `prompt_length`.
    pub by: &'static str,
    /// Name of the metric.
    pub metric: &'static str,
    /// Segments with at least 5 % of the turns, the largest first; smaller ones are told together as `(others)`.
    pub segments: Vec<Segment>,
    /// Difference of the effects; nothing with fewer than two segments that have one.
    pub heterogeneity: Option<Heterogeneity>,
}

/// One segment; differences are candidate minus control, never flipped.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// The property's value.
    pub value: String,
    /// Turns of the control.
    pub n_control: u64,
    /// Turns of the candidate.
    pub n_candidate: u64,
    /// The difference within the segment.
    pub estimate: Option<f64>,
    /// Its interval, right at every look.
    pub interval: Option<Interval>,
    /// Whether the whole interval is worse than the metric's margin.
    pub is_harmed: bool,
    /// Benjamini-Hochberg's q over all segments of the comparison; nothing where there is no p.
    pub q: Option<f64>,
}

/// Whether the segments differ more than chance explains.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heterogeneity {
    /// Cochran's p of equal effects.
    pub p: f64,
    /// Share of the spread of effects that chance does not explain, in 0..1.
    pub i2: f64,
    /// Gail and Simon's p of effects of one sign.
    pub sign_change_p: f64,
}

/// One metric's difference computed otherwise; candidate minus control, never flipped.
#[derive(Debug, Clone, PartialEq)]
pub struct Adjustment {
    /// Name of the metric.
    pub metric: &'static str,
    /// `cuped` (less noise by the users' own past), `like_for_like` (task and prompt length made alike),
    /// `mantel_haenszel` (its cross-check), `overlap` (weighted by how likely either model was),
    /// `same_load` (cache use made alike) or `users_alike` (every user counts the same).
    pub kind: &'static str,
    /// The adjusted difference.
    pub estimate: Option<f64>,
    /// Its interval, with the multiplier of the comparison's own.
    pub interval: Option<Interval>,
    /// Share of the variance that the adjustment took away, in 0..1, where that is its purpose.
    pub variance_reduction: Option<f64>,
    /// Share of the turns that it could use, in 0..1, where it cannot use all.
    pub support: Option<f64>,
}

/// How busy the machines behind the sides were.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// Upper ends of the bins of cache use, in 0..1.
    pub bin_ends: Vec<f64>,
    /// Share of the control's turns in each bin.
    pub control: Vec<f64>,
    /// Share of the candidate's turns in each bin.
    pub candidate: Vec<f64>,
    /// Sum over the bins of the smaller share, in 0..1.
    pub overlap: f64,
}
