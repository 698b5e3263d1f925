//! What people say beside what they do: who answers, and which signals go together.

use crate::stats::Interval;

/// Thumbs among those who answer at all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UpShare {
    /// Share of thumbs up among the control's rated turns.
    pub control: Option<f64>,
    /// Share of thumbs up among the candidate's rated turns.
    pub candidate: Option<f64>,
    /// Odds ratio of up to down, candidate to control.
    pub odds_ratio: f64,
    /// Its interval.
    pub interval: Option<Interval>,
    /// How many times less willing to rate the candidate's unhappy users would have to be than the control's, to overturn
    /// that the up share is within 3 points; nothing where the ratings do not show that at all.
    pub tipping_factor: Option<f64>,
}

/// Ratings that were asked for by chance, which nobody chose to give or not to give.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Solicited {
    /// Turns that were asked about: control, candidate.
    pub n_asked: (u64, u64),
    /// Turns of these that were rated: control, candidate.
    pub n_rated: (u64, u64),
    /// Weighted share of thumbs up: control, candidate.
    pub up_share: (Option<f64>, Option<f64>),
    /// Difference of the shares, candidate minus control, with its interval.
    pub difference: Option<(f64, Option<Interval>)>,
}

/// How often two signals meet on one turn of one side, the lower triangle of a symmetric table.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    /// The signals, in the order of rows and columns, such as `thumb_up`, `copy`.
    pub signals: Vec<&'static str>,
    /// Rows below the diagonal for the control: row `i` holds entries for columns `0..i`.
    pub control: Vec<Vec<SignalPair>>,
    /// The same for the candidate.
    pub candidate: Vec<Vec<SignalPair>>,
}

/// Two signals on the same turns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignalPair {
    /// Turns with both.
    pub n_both: u64,
    /// Correlation of having one and having the other (phi), in -1..1; nothing where one of them never or always is.
    pub phi: Option<f64>,
}

/// Answers on which people reacted in opposite ways, of both sides to prompts of one task, or of one side where what was said
/// of it and what was done with it disagree; only for roles that may read texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    /// The prompt's task, where it has one.
    pub task: Option<String>,
    /// The control's answer.
    pub control: Option<Answer>,
    /// The candidate's answer.
    pub candidate: Option<Answer>,
}

/// One answer of a [`Disagreement`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its completion.
    pub completion_id: String,
    /// What was asked, cut to an excerpt.
    pub prompt: String,
    /// What was answered, cut to an excerpt.
    pub response: String,
    /// How people reacted, such as `copy` or `thumb down`.
    pub reactions: Vec<&'static str>,
}
