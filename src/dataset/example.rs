//! What a row of a data set is, before it has columns.

use std::collections::{BTreeMap, BTreeSet};

use super::feedback_text::FeedbackText;
use crate::domain::clock::Timestamp;
use crate::domain::consent::Ground;
use crate::domain::feedback::Signal;
use crate::domain::hash::ContentHash;
use crate::domain::ids::{CompletionId, ConversationId, FeedbackId, UserId};
use crate::domain::recipe::{Format, Recipe, Ties};

/// One message as the trainers take it: who speaks (`system`, `user`, `assistant` or `tool`) and plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks.
    pub role: &'static str,
    /// What is said, byte for byte as it was recorded.
    pub content: String,
}

/// Kind of row: what its body holds. A format's configs hold rows of one kind; two formats may share a kind, whose rows
/// are then made once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKind {
    /// Two answers to one prompt (formats `preference` and `reward`).
    Pair,
    /// One answer with a label (format `unpaired`).
    Labelled,
    /// One endorsed answer (format `sft`).
    Endorsed,
    /// A prompt alone (format `prompts`).
    Prompt,
    /// Two answers that nobody preferred (the side file of `preference` and `reward`).
    Tie,
}

impl RowKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Pair, Self::Labelled, Self::Endorsed, Self::Prompt, Self::Tie];

    /// Returns the kind of a format's rows.
    pub fn of(format: Format) -> Self {
        match format {
            Format::Preference | Format::Reward => Self::Pair,
            Format::Unpaired => Self::Labelled,
            Format::Sft => Self::Endorsed,
            Format::Prompts => Self::Prompt,
        }
    }

    /// Returns the kinds that a recipe asks for.
    pub fn asked_for(recipe: &Recipe) -> BTreeSet<Self> {
        let mut kinds: BTreeSet<Self> = recipe.formats.iter().map(Self::of).collect();
        if recipe.options.ties == Ties::SideFile && kinds.contains(&Self::Pair) {
            kinds.insert(Self::Tie);
        }
        kinds
    }

    /// Returns the word that is a part of every row's id.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pair => Format::Preference.as_str(),
            Self::Labelled => Format::Unpaired.as_str(),
            Self::Endorsed => Format::Sft.as_str(),
            Self::Prompt => Format::Prompts.as_str(),
            Self::Tie => "ties",
        }
    }
}

/// The text of an example; an answer is always one assistant turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Two answers to one prompt.
    Pair {
        /// Everything before the answers.
        prompt: Vec<Turn>,
        /// The better answer.
        chosen: String,
        /// The worse answer.
        rejected: String,
    },
    /// One answer that is good or bad.
    Labelled {
        /// Everything before the answer.
        prompt: Vec<Turn>,
        /// The answer.
        completion: String,
        /// Whether it is good.
        label: bool,
    },
    /// One endorsed answer.
    Endorsed {
        /// Everything before the answer.
        prompt: Vec<Turn>,
        /// The answer.
        response: String,
    },
    /// A prompt without an answer.
    Prompt {
        /// The prompt.
        prompt: Vec<Turn>,
    },
    /// Two answers to one prompt that nobody preferred.
    Tie {
        /// Everything before the answers.
        prompt: Vec<Turn>,
        /// The one answer.
        first: String,
        /// The other answer.
        second: String,
        /// Whether both were called bad; else they were called equally good.
        both_bad: bool,
    },
}

impl Body {
    /// Returns what kind of row it makes.
    pub fn kind(&self) -> RowKind {
        match self {
            Self::Pair { .. } => RowKind::Pair,
            Self::Labelled { .. } => RowKind::Labelled,
            Self::Endorsed { .. } => RowKind::Endorsed,
            Self::Prompt { .. } => RowKind::Prompt,
            Self::Tie { .. } => RowKind::Tie,
        }
    }

    /// Returns everything before the answers.
    pub fn prompt(&self) -> &[Turn] {
        match self {
            Self::Pair { prompt, .. }
            | Self::Labelled { prompt, .. }
            | Self::Endorsed { prompt, .. }
            | Self::Prompt { prompt }
            | Self::Tie { prompt, .. } => prompt,
        }
    }

    /// Returns the better, first or only answer.
    pub fn answer(&self) -> Option<&str> {
        match self {
            Self::Pair { chosen: answer, .. }
            | Self::Labelled { completion: answer, .. }
            | Self::Endorsed { response: answer, .. }
            | Self::Tie { first: answer, .. } => Some(answer),
            Self::Prompt { .. } => None,
        }
    }

    /// Returns the worse or second of two answers.
    pub fn worse_answer(&self) -> Option<&str> {
        match self {
            Self::Pair { rejected: answer, .. } | Self::Tie { second: answer, .. } => Some(answer),
            _ => None,
        }
    }

    /// Returns the answer's label.
    pub fn label(&self) -> Option<bool> {
        match self {
            Self::Labelled { label, .. } => Some(*label),
            _ => None,
        }
    }
}

/// Where the better answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChosenSource {
    /// A model wrote it.
    Model,
    /// A user edited a model's answer into it.
    HumanEdit,
}

impl ChosenSource {
    /// Returns the word of the column `chosen_source`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::HumanEdit => "human_edit",
        }
    }
}

/// Which of a pair's answers the voter saw first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FirstShown {
    /// The better one.
    Chosen,
    /// The worse one.
    Rejected,
    /// Nobody recorded it, or the voters saw different orders.
    Unknown,
}

impl FirstShown {
    /// Returns the word of the column `shown_first`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chosen => "chosen",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
        }
    }
}

/// A row of a data set with everything that proves it (DS-4).
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// Stable hash of what makes the row the row it is: the format, the completions and the rule, not the votes.
    pub row_id: ContentHash,
    /// Hash of the prompt.
    pub prompt_hash: ContentHash,
    /// The texts.
    pub body: Body,
    /// What users wrote about its answers; nothing else of the row depends on it.
    pub feedback_text: FeedbackText,
    /// For a conversation with tools whose messages are written as JSON, the tools as a JSON list: every text of the body
    /// is then a whole message as a JSON object.
    pub tools: Option<String>,
    /// The signal that made it.
    pub signal: Signal,
    /// The rule that made it, a stable word such as `preference`, `edit_accepted`, `thumb_up_down`.
    pub rule: &'static str,
    /// The completion behind the better (or only) answer.
    pub chosen_id: CompletionId,
    /// The completion behind the worse answer; the edited one for an edit.
    pub rejected_id: Option<CompletionId>,
    /// The feedback that made it, sorted.
    pub feedback_ids: Vec<FeedbackId>,
    /// Model behind the better (or only) answer.
    pub chosen_model: String,
    /// Model behind the worse answer.
    pub rejected_model: Option<String>,
    /// Where the better answer comes from.
    pub chosen_source: ChosenSource,
    /// Votes that were counted.
    pub n_votes: u32,
    /// Share of the votes that agree with the row, 0.5 to 1.
    pub agreement: f64,
    /// How strongly it was preferred; 1 where nobody said.
    pub preference_strength: f64,
    /// Weight for trainers that read one.
    pub sample_weight: f64,
    /// What consent it rests on: the worse ground of its answers.
    pub consent: Ground,
    /// Which answer was seen first.
    pub shown_first: FirstShown,
    /// Language tag of the better answer; empty where it is unknown.
    pub language: String,
    /// The experiment in which its answers were given, where they are of one.
    pub experiment: Option<String>,
    /// When the first feedback behind it arrived: later votes never move the row.
    pub created_at: Timestamp,
    /// The conversations that its completions belong to, sorted, without repeats.
    pub conversations: Vec<ConversationId>,
    /// Everyone who asked for or voted on its answers, sorted, without repeats.
    pub users: Vec<UserId>,
    /// The users whose feedback made it, sorted, without repeats.
    pub voters: Vec<UserId>,
    /// What ties the row to others, the prompt first: rows that share a key belong to one split (DS-1).
    pub ties: Vec<Tie>,
}

/// A key that a row shares with others, since a moment that later feedback cannot change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tie {
    /// Hash of a prompt, a conversation or a user.
    pub key: ContentHash,
    /// Since when the row has been tied to it. Whoever has once voted on a row stays tied to it.
    pub at: Timestamp,
}

/// Part of the data set that a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Split {
    /// For training.
    Train,
    /// For choosing between trained models.
    Validation,
    /// For the last word.
    Test,
}

impl Split {
    /// Every split, in the order in which they are listed.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// Returns the split's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// Candidates that became no example, counted by reason (DS-5).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exclusions(pub BTreeMap<&'static str, u64>);

impl Exclusions {
    /// Counts one more candidate under a reason.
    pub fn add(&mut self, reason: &'static str) {
        *self.0.entry(reason).or_default() += 1;
    }

    /// Adds the counts of another part of the data.
    pub fn extend(&mut self, other: &Self) {
        for (reason, n) in &other.0 {
            *self.0.entry(reason).or_default() += n;
        }
    }

    /// Returns how many candidates were left out in all.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

/// An example around a body, for the tests of what is done to texts.
#[cfg(test)]
pub(super) fn example_of(body: Body) -> Example {
    let id = |name: &str| CompletionId::parse(name).expect("a short id");
    Example {
        row_id: ContentHash([1; 16]),
        prompt_hash: ContentHash([2; 16]),
        body,
        feedback_text: FeedbackText::default(),
        tools: None,
        signal: Signal::Preference,
        rule: "preference",
        chosen_id: id("better"),
        rejected_id: Some(id("worse")),
        feedback_ids: Vec::new(),
        chosen_model: "m".to_owned(),
        rejected_model: None,
        chosen_source: ChosenSource::Model,
        n_votes: 1,
        agreement: 1.0,
        preference_strength: 1.0,
        sample_weight: 1.0,
        consent: Ground::Recorded,
        shown_first: FirstShown::Unknown,
        language: String::new(),
        experiment: None,
        created_at: Timestamp::UNIX_EPOCH,
        conversations: Vec::new(),
        users: Vec::new(),
        voters: Vec::new(),
        ties: Vec::new(),
    }
}
