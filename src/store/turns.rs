//! Every turn of the two sides, compactly: what all views of a comparison are counted from.
//!
//! It must not know what is made of them.

mod answers;
mod chains;
mod read;

use super::tallies::UnitTally;

pub use read::{ModelsQuery, Reading, read, read_models};

/// Reads the answers of a lane.
const ANSWERS: &str = include_str!("sql/answers.sql");
/// Finds out what was thought of some of them in the end.
const LAST_WORDS: &str = include_str!("sql/last_words.sql");

/// What came of a turn, one bit for each outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Outcomes(u16);

impl Outcomes {
    /// Copied or accepted.
    pub const TOOK: Self = Self(1);
    /// Copied.
    pub const COPIED: Self = Self(2);
    /// Liked.
    pub const UP: Self = Self(4);
    /// Disliked.
    pub const DOWN: Self = Self(8);
    /// Regenerated.
    pub const REGENERATED: Self = Self(16);
    /// Carried on from.
    pub const CONTINUED: Self = Self(32);
    /// Known to have been shown.
    pub const SEEN: Self = Self(64);
    /// With any reaction.
    pub const ANY_SIGNAL: Self = Self(128);
    /// With an explicit reaction.
    pub const EXPLICIT: Self = Self(256);
    /// With a comment or an edit.
    pub const WROTE: Self = Self(512);
    /// Accepted.
    pub const ACCEPTED: Self = Self(1024);
    /// Edited.
    pub const EDITED: Self = Self(2048);

    /// Every outcome.
    const ALL: u16 = 4095;

    /// Tells whether any of some outcomes came of the turn.
    pub fn has(self, any_of: Self) -> bool {
        self.0 & any_of.0 != 0
    }

    /// Returns the outcomes of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Copied, accepted or liked, and neither regenerated nor disliked.
    pub fn is_good(self) -> bool {
        self.has(Self::TOOK.and(Self::UP)) && !self.is_bad()
    }

    /// Regenerated or disliked.
    pub fn is_bad(self) -> bool {
        self.has(Self::REGENERATED.and(Self::DOWN))
    }

    /// Liked or disliked.
    pub fn is_rated(self) -> bool {
        self.has(Self::UP.and(Self::DOWN))
    }

    /// Copied or accepted, and not regenerated, whatever was said of it.
    pub fn is_taken(self) -> bool {
        self.has(Self::TOOK) && !self.has(Self::REGENERATED)
    }
}

/// A number that may not have been told, in four bytes.
#[derive(Debug, Clone, Copy)]
pub struct Told(f32);

impl Told {
    /// Keeps a number; one that is none counts as not told.
    pub fn of(number: Option<f32>) -> Self {
        Self(number.unwrap_or(f32::NAN))
    }

    /// Returns the number, where it was told.
    pub fn get(self) -> Option<f64> {
        self.0.is_finite().then(|| f64::from(self.0))
    }
}

/// One turn.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    /// Its unit, as a place in [`Turns::units`].
    pub unit: u32,
    /// What was randomised with it, as a number from 0 below [`Turns::n_randomised`].
    pub randomised: u32,
    /// Its conversation, as a place in [`Turns::conversations`].
    pub conversation: u32,
    /// The model that answered, as a place in [`Turns::models`]; 0 where sides are read.
    pub model: u16,
    /// When the answer was made, in milliseconds since 1970 (UTC).
    pub made_at_ms: i64,
    /// Whether the client told that time; else it is that of the arrival.
    pub has_own_time: bool,
    /// Whether this is the candidate's side.
    pub is_candidate: bool,
    /// Whether the engine gave up.
    pub is_error: bool,
    /// What came of it.
    pub outcomes: Outcomes,
    /// Completions, attempts included.
    pub n_completions: u16,
    /// Completions that the model declared for the other side answered.
    pub n_by_other_model: u16,
    /// Tokens of the prompt.
    pub input_tokens: Told,
    /// Tokens of the answer.
    pub output_tokens: Told,
    /// Milliseconds to the last token.
    pub latency_ms: Told,
    /// Milliseconds to the first token.
    pub ttft_ms: Told,
    /// US dollars, attempts included.
    pub cost_usd: Told,
    /// Share of the cache in use when the answer ended, in 0..1: what was joined, else what the client said.
    pub kv_cache_usage: Told,
    /// Probability with which a rating was asked for, where it was.
    pub solicit_prob: Told,
}

impl Turn {
    /// Returns the day (UTC) as days since 1970.
    pub fn day(&self) -> i64 {
        self.made_at_ms.div_euclid(86_400_000)
    }
}

/// What is known of a conversation by its first turn, before any answer could change it.
#[derive(Debug, Clone, Copy)]
pub struct Opening {
    /// Its task, as a place in [`Turns::tasks`].
    pub task: Option<u16>,
    /// Its language, as a place in [`Turns::languages`].
    pub language: Option<u16>,
    /// Tokens of the first prompt.
    pub prompt_tokens: Told,
    /// Place of the turn in its conversation, and when it was answered: the smallest is the first.
    pub order: (i32, i64),
}

/// What a unit did in the week before it was first exposed, in turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Before {
    /// Turns.
    pub n_turns: u32,
    /// Good ones.
    pub n_good: u32,
    /// Bad ones.
    pub n_bad: u32,
    /// Those copied or accepted and not regenerated.
    pub n_taken: u32,
    /// Regenerated ones.
    pub n_regenerated: u32,
    /// Liked ones.
    pub n_up: u32,
    /// Disliked ones.
    pub n_down: u32,
}

/// All turns of both sides.
#[derive(Debug, Clone, Default)]
pub struct Turns {
    /// Names of the units with a prefix that tells what they are, in their order.
    pub units: Vec<String>,
    /// What each unit did before, by its place.
    pub before: Vec<Before>,
    /// Names of the models, in their order; none where sides are read.
    pub models: Vec<String>,
    /// Names of the tasks, in their order.
    pub tasks: Vec<String>,
    /// Tags of the languages, in their order.
    pub languages: Vec<String>,
    /// How the conversations began.
    pub conversations: Vec<Opening>,
    /// The turns: by unit, side and time.
    pub rows: Vec<Turn>,
    /// How many units were randomised.
    pub n_randomised: usize,
}

impl Before {
    fn add(&mut self, outcomes: Outcomes) {
        self.n_turns += 1;
        self.n_good += u32::from(outcomes.is_good());
        self.n_bad += u32::from(outcomes.is_bad());
        self.n_taken += u32::from(outcomes.is_taken());
        self.n_regenerated += u32::from(outcomes.has(Outcomes::REGENERATED));
        self.n_up += u32::from(outcomes.has(Outcomes::UP));
        self.n_down += u32::from(outcomes.has(Outcomes::DOWN));
    }
}

impl Turns {
    /// Adds all turns up, by side and unit.
    pub fn tallies(&self) -> Vec<UnitTally> {
        self.tallies_where(|_| true)
    }

    /// Adds some turns up, by side and unit.
    pub fn tallies_where(&self, holds: impl Fn(&Turn) -> bool) -> Vec<UnitTally> {
        let mut tallies: Vec<UnitTally> = Vec::new();
        let mut last = None;
        for turn in self.rows.iter().filter(|turn| holds(turn)) {
            let key = Some((turn.unit, turn.is_candidate));
            if last != key {
                let unit = self.units.get(turn.unit as usize).cloned().unwrap_or_default();
                tallies.push(UnitTally { is_candidate: turn.is_candidate, unit, ..UnitTally::default() });
                last = key;
            }
            if let Some(tally) = tallies.last_mut() {
                tally.add(turn);
            }
        }
        tallies.sort_by_key(|tally| tally.is_candidate);
        tallies
    }

    /// Returns how a turn's conversation began.
    pub fn opening(&self, turn: &Turn) -> Option<&Opening> {
        self.conversations.get(turn.conversation as usize)
    }

    /// Leaves some units out.
    pub fn remove_units(&mut self, leaves: impl Fn(u32) -> bool) {
        self.rows.retain(|turn| !leaves(turn.unit));
    }
}

impl UnitTally {
    fn add(&mut self, turn: &Turn) {
        let outcomes = turn.outcomes;
        self.n_completions += i64::from(turn.n_completions);
        self.n_by_other_model += i64::from(turn.n_by_other_model);
        self.n_turns += 1;
        self.n_good += i64::from(outcomes.is_good());
        self.n_bad += i64::from(outcomes.is_bad());
        self.n_up += i64::from(outcomes.has(Outcomes::UP));
        self.n_down += i64::from(outcomes.has(Outcomes::DOWN));
        self.n_rated += i64::from(outcomes.is_rated());
        self.n_taken += i64::from(outcomes.is_taken());
        self.n_copied += i64::from(outcomes.has(Outcomes::COPIED));
        self.n_regenerated += i64::from(outcomes.has(Outcomes::REGENERATED));
        self.n_continued += i64::from(outcomes.has(Outcomes::CONTINUED));
        self.n_seen += i64::from(outcomes.has(Outcomes::SEEN));
        self.n_any_signal += i64::from(outcomes.has(Outcomes::ANY_SIGNAL));
        self.n_explicit += i64::from(outcomes.has(Outcomes::EXPLICIT));
        self.n_wrote += i64::from(outcomes.has(Outcomes::WROTE));
    }
}
