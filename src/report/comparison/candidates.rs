//! More than one candidate: each against the control, and all against each other.

use crate::stats::Interval;
use crate::stats::verdict::{VerdictCode, VerdictReason};

/// A variant of an experiment with more than one candidate.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Name of the variant.
    pub name: String,
    /// The model behind it, where declared.
    pub model: Option<String>,
    /// Units.
    pub n_users: u64,
    /// Its own verdict.
    pub code: VerdictCode,
    /// Why.
    pub reason: VerdictReason,
    /// Largest one-sided p of non-inferiority over its must-pass metrics, valid at every look.
    pub p: Option<f64>,
    /// The same, corrected over all candidates (Holm).
    pub p_holm: Option<f64>,
    /// Difference of the primary metric from the control.
    pub estimate: Option<f64>,
    /// Its interval.
    pub interval: Option<Interval>,
    /// Difference of the mean cost of a turn from the control, in US dollars.
    pub cost_difference: Option<f64>,
    /// Its interval.
    pub cost_interval: Option<Interval>,
    /// Whether no other variant is both better and cheaper.
    pub is_undominated: bool,
}

/// Strengths of all variants from side-by-side choices.
#[derive(Debug, Clone, PartialEq)]
pub struct Tournament {
    /// The variants, the strongest first.
    pub players: Vec<Player>,
    /// `n_wins[i][j]`: how often `players[i]` was preferred to `players[j]`; a tie counts a half to both.
    pub n_wins: Vec<Vec<f64>>,
    /// Whether everybody is tied to everybody by wins and losses; where not, strengths are held back by a penalty, and
    /// there are not enough comparisons.
    pub is_connected: bool,
    /// Effect of being shown first, on the log-odds scale, where positions were told.
    pub first_position: Option<f64>,
}

/// One variant of a [`Tournament`].
#[derive(Debug, Clone, PartialEq)]
pub struct Player {
    /// Name of the variant.
    pub name: String,
    /// Log-odds of being preferred to the control.
    pub strength: f64,
    /// Its interval, clustered by rater; nothing for the control, which is the reference.
    pub interval: Option<Interval>,
    /// Best and worst rank that the intervals allow, from 1.
    pub ranks: (u32, u32),
}
