//! A comparison as plain data: what every rendering is made of.

pub mod candidates;
pub mod costs;
pub mod over_time;
pub mod ratings;
pub mod segments;

use candidates::{Candidate, Tournament};
use costs::{Benefit, Chance, Index, Measure};
use over_time::{ExposureDay, Plan, Series};
use ratings::{Agreement, Disagreement, Solicited, UpShare};
use segments::{Adjustment, Load, Segmentation};

use crate::domain::clock::Timestamp;
use crate::domain::experiment::Unit;
use crate::domain::trust::TrustRule;
use crate::stats::Interval;
use crate::stats::verdict::{ComparisonMode, VerdictCode, VerdictReason};

/// A finished comparison of a candidate with the control.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The present model or variant.
    pub control: Side,
    /// The one that might replace it.
    pub candidate: Side,
    /// How the sides came about.
    pub mode: ComparisonMode,
    /// The experiment, where there is one.
    pub experiment: Option<ExperimentFacts>,
    /// What is randomised, and what every standard error clusters by.
    pub unit: Unit,
    /// One-sided error rate of the verdict; intervals are two-sided at twice this rate, or wider (sequential).
    pub alpha: f64,
    /// The conclusion.
    pub verdict: Conclusion,
    /// Must-pass metrics first, then secondary ones.
    pub metrics: Vec<Metric>,
    /// Validity checks, each a named line.
    pub checks: Vec<Check>,
    /// Direct choices between the two sides, where there are any.
    pub preference: Option<Preference>,
    /// What stands behind the verdict; where the numbers are withheld, all of it but the exposure is left out.
    pub depth: Depth,
    /// When the first and the last completion arrived.
    pub window: Option<(Timestamp, Timestamp)>,
    /// Days (UTC) with completions.
    pub n_days: i64,
    /// Whose reactions were counted, and why.
    pub trust: TrustRule,
    /// Reactions that nobody vouches for; they are left out unless everybody's count.
    pub n_unverified: i64,
    /// Filters over both sides, as words for the reader; empty where there are none.
    pub filters: Vec<(String, String)>,
    /// Margins that depart from what was planned: metric, planned, asked for.
    pub margin_departures: Vec<(String, f64, f64)>,
    /// When it was computed.
    pub computed_at: Timestamp,
}

/// What stands behind a verdict. Everything that the data do not hold is empty, never a default number.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Depth {
    /// Where the comparison stands in its plan.
    pub plan: Option<Plan>,
    /// Units by the day on which they were first exposed.
    pub exposure: Vec<ExposureDay>,
    /// The cumulative difference of each must-pass metric.
    pub series: Vec<Series>,
    /// The effect on the primary metrics by parts of the traffic.
    pub segmentations: Vec<Segmentation>,
    /// The same differences computed otherwise.
    pub adjustments: Vec<Adjustment>,
    /// Thumbs among those who answer.
    pub up_share: Option<UpShare>,
    /// Ratings that were asked for.
    pub solicited: Option<Solicited>,
    /// Which signals go together.
    pub agreement: Option<Agreement>,
    /// Latency, cost and lengths.
    pub measures: Vec<Measure>,
    /// Quality against money.
    pub benefit: Option<Benefit>,
    /// One number of several signals.
    pub index: Option<Index>,
    /// The bounds of the primary metrics in words for lay readers.
    pub chances: Vec<Chance>,
    /// How busy the machines were.
    pub load: Option<Load>,
    /// All candidates of the experiment, where there is more than one.
    pub candidates: Vec<Candidate>,
    /// Strengths from side-by-side choices, where there are more than two variants.
    pub tournament: Option<Tournament>,
    /// Sampled answers on which people reacted in opposite ways, for roles that may read texts.
    pub disagreements: Vec<Disagreement>,
    /// Why there are none, where somebody might look for them.
    pub disagreements_note: Option<&'static str>,
}

/// One side, with its funnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// Name of the variant, or of the model where there is no experiment.
    pub name: String,
    /// The model behind a variant, where it was declared.
    pub model: Option<String>,
    /// Units.
    pub n_users: u64,
    /// Completions, attempts included.
    pub n_completions: u64,
    /// Turns: a regeneration is an outcome of its turn, never a turn of its own.
    pub n_turns: u64,
    /// Turns known to have been shown.
    pub n_seen: u64,
    /// Turns with any reaction.
    pub n_any_signal: u64,
    /// Turns with an explicit reaction.
    pub n_explicit: u64,
    /// Turns with a comment or an edit.
    pub n_wrote: u64,
}

/// What an experiment declared before its data.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentFacts {
    /// Its key.
    pub key: String,
    /// When it was declared.
    pub declared_at: Timestamp,
    /// Planned shares of control and candidate, out of the two.
    pub planned_shares: (f64, f64),
}

/// The verdict with the words that it is told in.
#[derive(Debug, Clone, PartialEq)]
pub struct Conclusion {
    /// What is concluded.
    pub code: VerdictCode,
    /// Which line of the rule fired.
    pub reason: VerdictReason,
    /// The answer in one sentence or two, with its limit and its numbers.
    pub sentence: String,
    /// The rule that fired, in words.
    pub rule: String,
    /// What would change the verdict, where something would.
    pub next: Option<String>,
    /// Whether the numbers must be withheld (`INVALID`).
    pub withholds_numbers: bool,
}

/// What a verdict comes to, whether or not it only leans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The candidate can replace the control.
    Switch,
    /// The control stays.
    Keep,
    /// Not yet decided, and it will be in time.
    KeepCollecting,
    /// Not decided, and it will not be in time.
    CannotTell,
    /// The numbers must not be read.
    Invalid,
}

impl Conclusion {
    /// Returns what the verdict comes to.
    pub fn decision(&self) -> Decision {
        match self.code {
            VerdictCode::Switch | VerdictCode::LeanSwitch => Decision::Switch,
            VerdictCode::Keep | VerdictCode::LeanKeep => Decision::Keep,
            VerdictCode::KeepCollecting => Decision::KeepCollecting,
            VerdictCode::CannotTell => Decision::CannotTell,
            VerdictCode::Invalid => Decision::Invalid,
        }
    }
}

/// Whether a metric can block a switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It must pass.
    MustPass,
    /// It is shown only.
    Secondary,
}

impl Role {
    /// Returns the role's word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MustPass => "must_pass",
            Self::Secondary => "secondary",
        }
    }
}

/// What a metric's interval says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The whole interval is better than the margin.
    NonInferior,
    /// The whole interval is worse than the margin (or, without a margin, worse than no difference).
    Worse,
    /// The whole interval is better than no difference.
    Better,
    /// None of these.
    Undecided,
}

impl Status {
    /// Returns the status's word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NonInferior => "non_inferior",
            Self::Worse => "worse",
            Self::Better => "better",
            Self::Undecided => "undecided",
        }
    }
}

/// Rate of one side; proportions in 0..1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Turns that it is a rate of.
    pub n: u64,
    /// Units behind them.
    pub n_users: u64,
    /// The rate; nothing where there are no turns.
    pub estimate: Option<f64>,
    /// Its interval.
    pub interval: Option<Interval>,
}

/// One metric of both sides. Differences are candidate minus control, never flipped.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Stable name, such as `good_turn`.
    pub name: &'static str,
    /// What a reader calls it, such as `Good turns`.
    pub title: &'static str,
    /// One sentence that defines it.
    pub definition: &'static str,
    /// Whether it can block a switch.
    pub role: Role,
    /// Whether more or less of it is better at all; where not, `higher_is_better` means nothing.
    pub is_judged: bool,
    /// Which way it improves.
    pub higher_is_better: bool,
    /// The control's rate.
    pub control: Rate,
    /// The candidate's rate.
    pub candidate: Rate,
    /// Candidate minus control, with the bounds that decide and are drawn (ST-1).
    pub difference: Difference,
    /// The loss that is accepted; nothing for a metric that is shown only.
    pub margin: Option<Margin>,
    /// What the interval says.
    pub status: Status,
    /// Why the metric is not judged, or counts otherwise than usual; nothing where it is and does not.
    pub note: Option<&'static str>,
}

/// Candidate minus control.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The estimate.
    pub estimate: Option<f64>,
    /// The interval that decides; nothing where the data hold no spread.
    pub interval: Option<Interval>,
    /// How the interval was made, such as `cluster_newcombe_relative`.
    pub method: &'static str,
}

/// The loss that is accepted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margin {
    /// As declared: a share of the control's rate.
    pub relative: f64,
    /// The same in the units of the rate, at the control's present rate; not negative.
    pub absolute: f64,
    /// Whether it is too small to be provable.
    pub below_floor: bool,
}

/// Outcome of a validity check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckStatus {
    /// Nothing to see.
    Pass,
    /// Read with care.
    Warn,
    /// Stands against the verdict.
    Fail,
}

impl CheckStatus {
    /// Returns the status's word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// A validity check with its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Stable name, such as `sample_ratio`.
    pub name: &'static str,
    /// What a reader calls it.
    pub title: &'static str,
    /// Its outcome.
    pub status: CheckStatus,
    /// The numbers, in a sentence.
    pub detail: String,
}

/// Direct choices, told from the candidate's side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preference {
    /// The candidate's answer was preferred.
    pub n_wins: u64,
    /// The control's answer was preferred.
    pub n_losses: u64,
    /// Neither was.
    pub n_ties: u64,
    /// Share of the candidate, a tie counting half.
    pub share: Option<f64>,
    /// Its interval.
    pub interval: Option<Interval>,
    /// Exact two-sided p of equal strength.
    pub p: Option<f64>,
}
