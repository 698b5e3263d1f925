//! The columns that there are: one table drives the Arrow schema, the rows, the lines and the card.
//!
//! Every column is non-null. Trainers, `datasets` and chat templates treat a null key in a message as a value, so that
//! an unknown is `""`, `1.0` or `unknown` instead.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use serde::Serialize;

use crate::dataset::example::{Body, Example, FirstShown, RowKind, Split, Turn};
use crate::domain::clock::Timestamp;
use crate::domain::hash::ContentHash;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A list of messages, each with `role` and `content`.
    Messages,
    /// One message.
    Message,
    /// The ranks of answers, 0 for the best, each with its messages.
    Ranked,
    /// How a reward is found: in which style, and what the right answer is.
    RewardModel,
    /// The split, and the row's place in it.
    Extra,
    /// A list of messages, each a JSON object: it may call tools, and no key of it is null.
    JsonMessages,
    /// UTF-8 text.
    Text,
    /// True or false.
    Bool,
    /// A 32-bit integer.
    Int32,
    /// A 64-bit float.
    Float64,
    /// A moment in UTC, in microseconds.
    Moment,
}

impl Kind {
    /// Returns the type's name as `datasets` writes it in a card; messages are a list there.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Message => "message",
            Self::Ranked => "ranked messages",
            Self::RewardModel => "reward model",
            Self::Extra => "split and index",
            Self::JsonMessages => "json messages",
            Self::Text => "string",
            Self::Bool => "bool",
            Self::Int32 => "int32",
            Self::Float64 => "float64",
            Self::Moment => "timestamp[us, tz=UTC]",
        }
    }

    pub(super) fn to_arrow(self) -> DataType {
        match self {
            Self::Messages => DataType::List(message_field()),
            Self::Message => DataType::Struct(message_fields()),
            Self::Ranked => DataType::List(ranked_field()),
            Self::RewardModel => DataType::Struct(reward_model_fields()),
            Self::Extra => DataType::Struct(extra_fields()),
            Self::JsonMessages => DataType::List(json_field()),
            Self::Text => DataType::Utf8,
            Self::Bool => DataType::Boolean,
            Self::Int32 => DataType::Int32,
            Self::Float64 => DataType::Float64,
            Self::Moment => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }
}

/// Returns the fields of a message.
pub(super) fn message_fields() -> Fields {
    Fields::from(vec![Field::new("role", DataType::Utf8, false), Field::new("content", DataType::Utf8, false)])
}

/// Returns the element of a list of messages.
pub(super) fn message_field() -> Arc<Field> {
    Arc::new(Field::new("element", DataType::Struct(message_fields()), false))
}

/// Returns the fields of a ranked answer.
pub(super) fn ranked_fields() -> Fields {
    let completion = DataType::List(message_field());
    Fields::from(vec![Field::new("rank", DataType::Int64, false), Field::new("completion", completion, false)])
}

/// Returns the element of a list of ranked answers.
pub(super) fn ranked_field() -> Arc<Field> {
    Arc::new(Field::new("element", DataType::Struct(ranked_fields()), false))
}

/// Returns the fields of a reward model.
pub(super) fn reward_model_fields() -> Fields {
    Fields::from(vec![Field::new("style", DataType::Utf8, false), Field::new("ground_truth", DataType::Utf8, false)])
}

/// Returns the fields of a row's place.
pub(super) fn extra_fields() -> Fields {
    Fields::from(vec![Field::new("split", DataType::Utf8, false), Field::new("index", DataType::Int64, false)])
}

/// Returns the element of a list of JSON messages: text that says of itself that it is JSON, the way that Arrow and
/// Parquet say it.
pub(super) fn json_field() -> Arc<Field> {
    let metadata = [("ARROW:extension:name", "arrow.json"), ("ARROW:extension:metadata", "")];
    Arc::new(Field::new("element", DataType::Utf8, false).with_metadata(metadata))
}

/// An example with the split group that the plan gave it.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The example.
    pub example: &'a Example,
    /// The group that is never torn apart by a split.
    pub group: ContentHash,
    /// The part of the data set that it lies in.
    pub split: Split,
    /// Its place there, from 0.
    pub index: u64,
}

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'a> {
    /// Messages, and an assistant's answer after them.
    Messages { before: &'a [Turn], answer: Option<&'a str> },
    /// A better and a worse answer.
    Ranked { better: &'a str, worse: &'a str },
    /// The words of a reward model: its style, and the right answer.
    RewardModel { style: &'static str, ground_truth: &'static str },
    /// The split, and the row's place in it.
    Extra { split: &'static str, index: i64 },
    /// Text.
    Text(Cow<'a, str>),
    /// True or false.
    Bool(bool),
    /// A 32-bit integer.
    Int32(i32),
    /// A 64-bit float.
    Float64(f64),
    /// A moment.
    Moment(Timestamp),
}

/// A column: its name, its type and where its values come from.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Takes the value out of a row.
    pub(super) cell: for<'a> fn(&Row<'a>) -> Cell<'a>,
}

pub(super) const PROMPT: Column =
    Column { name: "prompt", kind: Kind::Messages, cell: |row| only_messages(prompt(row)) };
pub(super) const CHOSEN: Column = Column { name: "chosen", kind: Kind::Messages, cell: |row| only_answer(better(row)) };
pub(super) const REJECTED: Column =
    Column { name: "rejected", kind: Kind::Messages, cell: |row| only_answer(worse(row)) };
pub(super) const COMPLETION: Column =
    Column { name: "completion", kind: Kind::Messages, cell: |row| only_answer(better(row)) };
pub(super) const MESSAGES: Column = Column {
    name: "messages",
    kind: Kind::Messages,
    cell: |row| Cell::Messages { before: prompt(row), answer: Some(better(row)) },
};

pub(super) const LABEL: Column =
    Column { name: "label", kind: Kind::Bool, cell: |row| Cell::Bool(row.example.body.label().unwrap_or_default()) };
pub(super) const MARGIN: Column =
    Column { name: "margin", kind: Kind::Float64, cell: |row| float(row.example.preference_strength) };

pub(super) const FIRST: Column = Column { name: "first", ..CHOSEN };
pub(super) const SECOND: Column = Column { name: "second", ..REJECTED };
pub(super) const VERDICT: Column = Column {
    name: "verdict",
    kind: Kind::Text,
    cell: |row| text(if matches!(row.example.body, Body::Tie { both_bad: true, .. }) { "both_bad" } else { "tie" }),
};
pub(super) const TOOLS: Column =
    Column { name: "tools", kind: Kind::Text, cell: |row| text(row.example.tools.as_deref().unwrap_or_default()) };

// Implicit: each answer with everything before it.
pub(super) const CHOSEN_WHOLE: Column = Column { name: "chosen", ..MESSAGES };
pub(super) const REJECTED_WHOLE: Column = Column {
    name: "rejected",
    kind: Kind::Messages,
    cell: |row| Cell::Messages { before: prompt(row), answer: Some(worse(row)) },
};

// LLaMA-Factory: the conversation so far, and each answer as one message.
pub(super) const CONVERSATION: Column = Column { name: "messages", ..PROMPT };
pub(super) const CHOSEN_MESSAGE: Column = Column { kind: Kind::Message, ..CHOSEN };
pub(super) const REJECTED_MESSAGE: Column = Column { kind: Kind::Message, ..REJECTED };

// NeMo-RL: the conversation so far, and the answers by rank.
pub(super) const CONTEXT: Column = Column { name: "context", ..PROMPT };
pub(super) const RANKED: Column = Column {
    name: "completions",
    kind: Kind::Ranked,
    cell: |row| Cell::Ranked { better: better(row), worse: worse(row) },
};

// verl: beside the prompt, where it is from and how it is to be rewarded. Nobody knows a right answer, so that a model
// must judge.
pub(super) const DATA_SOURCE: Column = Column { name: "data_source", kind: Kind::Text, cell: |_| text("afterword") };
pub(super) const ABILITY: Column = Column { name: "ability", kind: Kind::Text, cell: |_| text("chat") };
pub(super) const REWARD_MODEL: Column = Column {
    name: "reward_model",
    kind: Kind::RewardModel,
    cell: |_| Cell::RewardModel { style: "model", ground_truth: "" },
};
pub(super) const EXTRA: Column = Column {
    name: "extra_info",
    kind: Kind::Extra,
    cell: |row| Cell::Extra { split: row.split.as_str(), index: i64::try_from(row.index).unwrap_or(i64::MAX) },
};

/// What every row begins to prove itself with, and ends with.
pub(super) const NAMES: &[Column] = &[ROW_ID, PROMPT_HASH, GROUP_ID, SIGNAL];
pub(super) const ENDS: &[Column] = &[LANG, CREATED_AT, METADATA];

const ROW_ID: Column = Column { name: "row_id", kind: Kind::Text, cell: |row| hex(row.example.row_id) };
const PROMPT_HASH: Column = Column { name: "prompt_hash", kind: Kind::Text, cell: |row| hex(row.example.prompt_hash) };
const GROUP_ID: Column = Column { name: "group_id", kind: Kind::Text, cell: |row| hex(row.group) };
const SIGNAL: Column = Column { name: "signal", kind: Kind::Text, cell: |row| text(row.example.signal.as_str()) };
const CHOSEN_SOURCE: Column =
    Column { name: "chosen_source", kind: Kind::Text, cell: |row| text(row.example.chosen_source.as_str()) };
const N_VOTES: Column = Column { name: "n_votes", kind: Kind::Int32, cell: |row| count(row.example.n_votes as usize) };
const AGREEMENT: Column = Column { name: "agreement", kind: Kind::Float64, cell: |row| float(row.example.agreement) };
const SAMPLE_WEIGHT: Column =
    Column { name: "sample_weight", kind: Kind::Float64, cell: |row| float(row.example.sample_weight) };
const PROMPT_CHARS: Column = Column { name: "prompt_chars", kind: Kind::Int32, cell: |row| count(prompt_chars(row)) };
const CHOSEN_CHARS: Column =
    Column { name: "chosen_chars", kind: Kind::Int32, cell: |row| count(better(row).chars().count()) };
const LANG: Column = Column { name: "lang", kind: Kind::Text, cell: |row| text(&row.example.language) };
const CREATED_AT: Column =
    Column { name: "created_at", kind: Kind::Moment, cell: |row| Cell::Moment(row.example.created_at) };
const METADATA: Column = Column { name: "metadata", kind: Kind::Text, cell: metadata };

const MODEL: Column = Column { name: "model", kind: Kind::Text, cell: |row| text(&row.example.chosen_model) };

pub(super) const PAIR_PROVENANCE: &[Column] = &[
    Column { name: "chosen_model", kind: Kind::Text, cell: |row| text(&row.example.chosen_model) },
    Column { name: "rejected_model", kind: Kind::Text, cell: |row| text(rejected_model(row)) },
    CHOSEN_SOURCE,
    Column {
        name: "same_policy",
        kind: Kind::Bool,
        cell: |row| Cell::Bool(row.example.chosen_model == rejected_model(row)),
    },
    N_VOTES,
    AGREEMENT,
    Column { name: "preference_strength", kind: Kind::Float64, cell: |row| float(row.example.preference_strength) },
    SAMPLE_WEIGHT,
    PROMPT_CHARS,
    CHOSEN_CHARS,
    Column { name: "rejected_chars", kind: Kind::Int32, cell: |row| count(worse(row).chars().count()) },
    Column { name: "shown_first", kind: Kind::Text, cell: |row| text(row.example.shown_first.as_str()) },
];

pub(super) const ENDORSED_PROVENANCE: &[Column] =
    &[MODEL, CHOSEN_SOURCE, N_VOTES, AGREEMENT, SAMPLE_WEIGHT, PROMPT_CHARS, CHOSEN_CHARS];

pub(super) const LABELLED_PROVENANCE: &[Column] = &[
    MODEL,
    CHOSEN_SOURCE,
    N_VOTES,
    AGREEMENT,
    SAMPLE_WEIGHT,
    PROMPT_CHARS,
    // The answer may be a bad one.
    Column { name: "completion_chars", ..CHOSEN_CHARS },
];

pub(super) const TIE_PROVENANCE: &[Column] = &[
    Column { name: "first_model", kind: Kind::Text, cell: |row| text(&row.example.chosen_model) },
    Column { name: "second_model", kind: Kind::Text, cell: |row| text(rejected_model(row)) },
    N_VOTES,
    AGREEMENT,
    SAMPLE_WEIGHT,
    PROMPT_CHARS,
    Column { name: "first_chars", ..CHOSEN_CHARS },
    Column { name: "second_chars", kind: Kind::Int32, cell: |row| count(worse(row).chars().count()) },
    Column {
        name: "shown_first",
        kind: Kind::Text,
        cell: |row| {
            text(match row.example.shown_first {
                FirstShown::Chosen => "first",
                FirstShown::Rejected => "second",
                FirstShown::Unknown => "unknown",
            })
        },
    },
];

pub(super) const PROMPT_PROVENANCE: &[Column] = &[MODEL, SAMPLE_WEIGHT, PROMPT_CHARS];

// What users wrote about the answers.
const FEEDBACK_TEXT: Column =
    Column { name: "feedback_text", kind: Kind::Text, cell: |row| text(&row.example.feedback_text.better) };
const OTHER_FEEDBACK_TEXT: Column = Column { cell: |row| text(&row.example.feedback_text.worse), ..FEEDBACK_TEXT };

pub(super) const ANSWER_FEEDBACK: &[Column] = &[FEEDBACK_TEXT];
pub(super) const PAIR_FEEDBACK: &[Column] = &[
    Column { name: "chosen_feedback_text", ..FEEDBACK_TEXT },
    Column { name: "rejected_feedback_text", ..OTHER_FEEDBACK_TEXT },
];
pub(super) const TIE_FEEDBACK: &[Column] = &[
    Column { name: "first_feedback_text", ..FEEDBACK_TEXT },
    Column { name: "second_feedback_text", ..OTHER_FEEDBACK_TEXT },
];

pub(super) fn prompt<'a>(row: &Row<'a>) -> &'a [Turn] {
    row.example.body.prompt()
}

fn prompt_chars(row: &Row<'_>) -> usize {
    prompt(row).iter().map(|turn| turn.content.chars().count()).sum()
}

pub(super) fn better<'a>(row: &Row<'a>) -> &'a str {
    row.example.body.answer().unwrap_or_default()
}

pub(super) fn worse<'a>(row: &Row<'a>) -> &'a str {
    row.example.body.worse_answer().unwrap_or_default()
}

fn rejected_model<'a>(row: &Row<'a>) -> &'a str {
    row.example.rejected_model.as_deref().unwrap_or_default()
}

fn only_messages(before: &[Turn]) -> Cell<'_> {
    Cell::Messages { before, answer: None }
}

fn only_answer(answer: &str) -> Cell<'_> {
    Cell::Messages { before: &[], answer: Some(answer) }
}

fn text(value: &str) -> Cell<'_> {
    Cell::Text(Cow::Borrowed(value))
}

fn hex(hash: ContentHash) -> Cell<'static> {
    Cell::Text(Cow::Owned(hash.to_hex()))
}

fn count(n: usize) -> Cell<'static> {
    Cell::Int32(i32::try_from(n).unwrap_or(i32::MAX))
}

fn float(value: f64) -> Cell<'static> {
    Cell::Float64(value)
}

/// What proves a row (DS-4): the rule, the completions and the feedback that made it.
#[derive(Serialize)]
struct Proof<'a> {
    rule: &'a str,
    completion: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_completion: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    other_completion: Option<&'a str>,
    feedback: Vec<String>,
}

fn metadata<'a>(row: &Row<'a>) -> Cell<'a> {
    let example = row.example;
    let other = example.rejected_id.as_ref().map(crate::domain::ids::CompletionId::as_str);
    let is_tie = example.body.kind() == RowKind::Tie;
    let proof = Proof {
        rule: example.rule,
        completion: example.chosen_id.as_str(),
        rejected_completion: other.filter(|_| !is_tie),
        other_completion: other.filter(|_| is_tie),
        feedback: example.feedback_ids.iter().map(ToString::to_string).collect(),
    };
    // A struct of strings always serialises.
    Cell::Text(Cow::Owned(serde_json::to_string(&proof).unwrap_or_default()))
}
