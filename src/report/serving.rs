//! The serving report as plain data: how busy engines were, how long prompts and answers are, and how both go together with
//! what users do.

use super::comparison::Rate;
use crate::domain::bands::Bands;
use crate::domain::clock::Timestamp;
use crate::domain::trust::TrustRule;
use crate::stats::Interval;

/// A finished report. What nobody told is absent and never 0.
#[derive(Debug, Clone, PartialEq)]
pub struct ServingReport {
    /// Completions that were received from then on.
    pub from: Timestamp,
    /// And before then.
    pub to: Timestamp,
    /// Filters, as words for the reader.
    pub filters: Vec<(String, String)>,
    /// Whose reactions are counted.
    pub trust: TrustRule,
    /// Turns: answers, each with the attempts that go back to it.
    pub n_turns: u64,
    /// Units with turns: users, and conversations of nobody known.
    pub n_users: u64,
    /// Units that no person can be, which quality leaves out.
    pub n_bots: u64,
    /// Models with their turns, those with most first; at most [`MAX_MODELS`].
    pub models: Vec<(String, u64)>,
    /// Models.
    pub n_models: u64,
    /// The answer in a few sentences.
    pub findings: Vec<String>,
    /// How busy the engines were, where anybody told.
    pub usage: Option<Usage>,
    /// Lengths, where anybody told.
    pub lengths: Option<LengthMap>,
    /// Lengths by week.
    pub weeks: Vec<Week>,
    /// What users do, by load, length and latency.
    pub quality: Quality,
    /// What a reader must know besides.
    pub notes: Vec<String>,
    /// When it was computed.
    pub computed_at: Timestamp,
}

/// The most models that are named.
pub const MAX_MODELS: usize = 20;

/// Who told how busy the engines were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageSource {
    /// The engines, minute by minute.
    Engines,
    /// Completions, each at its end: busy times count as often as they have turns.
    Completions,
}

impl UsageSource {
    /// Returns its word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Engines => "engines",
            Self::Completions => "completions",
        }
    }

    /// Returns what is counted, in the plural.
    pub fn many(self) -> &'static str {
        match self {
            Self::Engines => "engine minutes",
            Self::Completions => "turns",
        }
    }
}

/// Use of the KV cache in the window.
#[derive(Debug, Clone, PartialEq)]
pub struct Usage {
    /// Who told it.
    pub source: UsageSource,
    /// Length of a bin in seconds.
    pub bin_s: i64,
    /// Bins in which anything was told, in their order.
    pub points: Vec<UsagePoint>,
    /// What was told of the whole window.
    pub all: UsagePoint,
    /// Shares of the bands of [`crate::domain::bands::KV_USAGE`]; of what is known they sum up to 1.
    pub shares: Vec<f64>,
    /// What may be added until the 95th percentile is at 80 and 95%.
    pub headroom: Vec<Headroom>,
}

/// What was told in a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UsagePoint {
    /// Its beginning.
    pub at: Timestamp,
    /// Engine minutes or turns that tell the use.
    pub n: u64,
    /// Mean use, 0 to 1.
    pub mean: Option<f64>,
    /// The 95th percentile, rounded up to a whole percent.
    pub p95: Option<f64>,
    /// The largest.
    pub max: Option<f64>,
    /// Engine minutes that tell of a queue.
    pub n_waiting_known: u64,
    /// Of them, the share in which anybody waited.
    pub waiting_share: Option<f64>,
    /// The longest queue of an engine.
    pub n_waiting_max: Option<f64>,
}

/// What may be added.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Headroom {
    /// Use that the 95th percentile may reach.
    pub limit: f64,
    /// Traffic that may be added as a share of the present one; negative where the limit is passed, nothing where no use was
    /// seen.
    pub more_traffic: Option<f64>,
}

/// Turns by length of prompt and answer.
#[derive(Debug, Clone, PartialEq)]
pub struct LengthMap {
    /// Bins of the prompt.
    pub input: Bands,
    /// Bins of the answer.
    pub output: Bands,
    /// Turns by bin of the prompt, and of the answer.
    pub n: Vec<Vec<u64>>,
    /// All of them.
    pub n_turns: u64,
}

/// Lengths of a week.
#[derive(Debug, Clone, PartialEq)]
pub struct Week {
    /// Its Monday (UTC).
    pub monday: chrono::NaiveDate,
    /// Turns.
    pub n_turns: u64,
    /// Of prompts.
    pub input: Option<Percentiles>,
    /// Of answers.
    pub output: Option<Percentiles>,
}

/// Percentiles of lengths in tokens; lengths that occur.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Percentiles {
    /// Turns that tell it.
    pub n: u64,
    /// The median.
    pub p50: f64,
    /// The 95th percentile.
    pub p95: f64,
    /// By which share the 95th percentile differs from that of the week before.
    pub p95_change: Option<f64>,
}

/// What users do, by band.
#[derive(Debug, Clone, PartialEq)]
pub struct Quality {
    /// Chance of any false claim on the whole page.
    pub alpha: f64,
    /// Differences that share it.
    pub n_differences: u64,
    /// By load, length and latency.
    pub measures: Vec<Measure>,
}

/// What users do, by the bands of one measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// The measure.
    pub bands: Bands,
    /// What a reader calls it.
    pub title: &'static str,
    /// What differences are within.
    pub within: &'static str,
    /// Turns that tell it.
    pub n_turns: u64,
    /// The lightest band with enough evidence, which the others are held against.
    pub base: Option<usize>,
    /// What was counted.
    pub metrics: Vec<BandedMetric>,
    /// Where users begin to notice; nothing where no band differs for the worse for certain.
    pub notice: Option<Notice>,
}

/// The first band in which something is worse for certain.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// The band.
    pub band: usize,
    /// Names of the metrics that are worse there.
    pub metrics: Vec<&'static str>,
}

/// A metric by band.
#[derive(Debug, Clone, PartialEq)]
pub struct BandedMetric {
    /// Stable name, such as `good_turn`.
    pub name: &'static str,
    /// What a reader calls it.
    pub title: &'static str,
    /// Which way it improves; nothing where more is neither good nor bad.
    pub higher_is_better: Option<bool>,
    /// Each band.
    pub bands: Vec<Banded>,
}

/// A metric in a band.
#[derive(Debug, Clone, PartialEq)]
pub struct Banded {
    /// Turns in which it happened.
    pub n_events: u64,
    /// The share of the turns.
    pub rate: Rate,
    /// The difference to the base band, like for like; nothing for that band, and where there is too little of it.
    pub difference: Option<Gap>,
}

/// A difference to the base band.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gap {
    /// Band minus base, at one mix of models and lengths.
    pub estimate: f64,
    /// The interval that holds for all differences of the page together.
    pub interval: Interval,
    /// Two-sided p of this difference alone.
    pub p: f64,
    /// Share of the turns that have a like in the other band.
    pub support: f64,
}

/// What a difference says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Better for certain.
    Better,
    /// Worse for certain.
    Worse,
    /// Differs for certain; nobody says whether that is good.
    Differs,
    /// The interval holds 0.
    Unclear,
}

impl Standing {
    /// Returns its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Differs => "differs",
            Self::Unclear => "unclear",
        }
    }
}

impl Gap {
    /// Says on which side of 0 the whole interval is.
    pub fn standing(&self, higher_is_better: Option<bool>) -> Standing {
        let (is_above, is_below) = (self.interval.low > 0.0, self.interval.high < 0.0);
        match higher_is_better {
            _ if !is_above && !is_below => Standing::Unclear,
            None => Standing::Differs,
            Some(higher_is_better) if higher_is_better == is_above => Standing::Better,
            Some(_) => Standing::Worse,
        }
    }
}
