//! A plan of an experiment as plain data: how much traffic it needs, and what that traffic could show.

use super::comparison::Margin;
use crate::domain::clock::Timestamp;
use crate::domain::trust::TrustRule;

/// A finished plan. Every need is that of a candidate which is truly equal.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What the traffic is known by.
    pub basis: PlanBasis,
    /// Share of the users that get the candidate.
    pub share: f64,
    /// One-sided error rate.
    pub alpha: f64,
    /// Chance to show an equal candidate on all metrics together.
    pub power: f64,
    /// The answer in a few sentences.
    pub sentence: String,
    /// What the answer rests on and a reader must know.
    pub notes: Vec<String>,
    /// Every metric that is planned for.
    pub metrics: Vec<PlannedMetric>,
    /// Name of the one that takes longest; nothing where one of them is never shown.
    pub longest: Option<&'static str>,
    /// Days until all of them are shown, with the evidence that a switch takes besides; nothing where days are not known.
    pub n_days: Option<f64>,
    /// When it was computed.
    pub computed_at: Timestamp,
}

/// What a plan stands on.
#[derive(Debug, Clone, PartialEq)]
pub enum PlanBasis {
    /// What users of a model did.
    Traffic {
        /// The present model.
        control: String,
        /// When the first and the last of the completions was made.
        window: (Timestamp, Timestamp),
        /// Days between them.
        n_days: f64,
        /// Users.
        n_users: u64,
        /// Turns.
        n_turns: u64,
        /// Whose reactions were counted.
        trust: TrustRule,
        /// Filters, as words for the reader.
        filters: Vec<(String, String)>,
    },
    /// Numbers that were given.
    Numbers {
        /// New users a day.
        users_per_day: Option<f64>,
        /// Turns of a user.
        turns_per_user: f64,
        /// Correlation within a user.
        icc: f64,
    },
}

/// What one metric needs.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedMetric {
    /// Stable name, such as `good_turn`.
    pub name: &'static str,
    /// What a reader calls it.
    pub title: &'static str,
    /// Turns that its rate is told per.
    pub per: u32,
    /// Which way it improves.
    pub higher_is_better: bool,
    /// Rate of the present model.
    pub baseline: f64,
    /// Design effect of users: how many times as many turns it takes because those of a user resemble each other.
    pub deff: f64,
    /// The loss that would be accepted.
    pub margin: Margin,
    /// Chance to show it that is planned for: that of the whole plan, shared by its metrics.
    pub power: f64,
    /// What it takes where people look at any time; nothing where no number of users would do.
    pub at_every_look: Option<Needed>,
    /// What it takes with a single look whose day is fixed beforehand.
    pub at_one_look: Option<Needed>,
    /// What could be shown after some numbers of days; empty where days are not known.
    pub ahead: Vec<Ahead>,
}

/// Traffic that suffices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Needed {
    /// Users of both sides.
    pub n_users: u64,
    /// Users of the candidate among them.
    pub n_users_candidate: u64,
    /// Turns of both sides.
    pub n_turns: u64,
    /// Days until they have come; nothing where that is not known.
    pub n_days: Option<f64>,
    /// Whether that is further ahead than what the traffic tells of.
    pub is_extrapolated: bool,
}

/// What could be shown after some days.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ahead {
    /// Days.
    pub n_days: i64,
    /// Users of both sides by then.
    pub n_users: u64,
    /// Smallest loss that could be excluded where people look at any time, in the units of the rate; nothing where none.
    pub provable_at_every_look: Option<f64>,
    /// The same with a single look.
    pub provable_at_one_look: Option<f64>,
    /// Chance to have shown the planned margin by then where people look at any time; a lower bound.
    pub power_at_every_look: Option<f64>,
    /// The same with a single look.
    pub power_at_one_look: Option<f64>,
}
