//! What columns a config has: one table drives the Arrow schema, the rows and the card.
//!
//! Every column is non-null. Trainers, `datasets` and chat templates treat a null key in a message as a value, so that
//! an unknown is `""`, `1.0` or `unknown` instead.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use serde::Serialize;

use crate::dataset::example::{Body, Example, Turn};
use crate::domain::clock::Timestamp;
use crate::domain::hash::ContentHash;
use crate::domain::recipe::Format;

/// A config of a data set: what users type as the second argument of `load_dataset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Config {
    /// Prompt, chosen, rejected.
    Dpo,
    /// Whole conversations that end with the endorsed answer.
    Sft,
    /// Prompt and endorsed answer: TRL then learns the answer only.
    SftCompletion,
}

impl Config {
    /// Returns the configs that a format produces; the first is the folder's default.
    pub fn of(format: Format) -> &'static [Self] {
        match format {
            Format::Preference => &[Self::Dpo],
            // TRL trains on user turns too when it is given `messages` without further flags; the other shape cannot
            // go wrong, so it is what `load_dataset(folder)` returns.
            Format::Sft => &[Self::SftCompletion, Self::Sft],
        }
    }

    /// Returns the config's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dpo => "dpo",
            Self::Sft => "sft",
            Self::SftCompletion => "sft_completion",
        }
    }

    /// Tells whether an example has what the config's columns hold.
    pub(super) fn takes(self, example: &Example) -> bool {
        match &example.body {
            Body::Pair { .. } => self == Self::Dpo,
            Body::Endorsed { .. } => self != Self::Dpo,
        }
    }

    /// Returns the config's columns in their order.
    pub fn columns(self) -> Vec<Column> {
        let (core, provenance): (&[Column], &[Column]) = match self {
            Self::Dpo => (&[PROMPT, CHOSEN, REJECTED], PAIR_PROVENANCE),
            Self::Sft => (&[MESSAGES], ENDORSED_PROVENANCE),
            Self::SftCompletion => (&[PROMPT, COMPLETION], ENDORSED_PROVENANCE),
        };
        [&[ROW_ID, PROMPT_HASH, GROUP_ID, SIGNAL][..], provenance, &[LANG, CREATED_AT, METADATA]]
            .into_iter()
            .fold(core.to_vec(), |columns, more| [&columns, more].concat())
    }

    /// Returns the Arrow schema.
    pub fn schema(self) -> SchemaRef {
        let fields: Vec<Field> =
            self.columns().iter().map(|column| Field::new(column.name, column.kind.to_arrow(), false)).collect();
        Arc::new(Schema::new(fields))
    }

    /// Hashes the names and types of the columns: two exports with one fingerprint can be read as one.
    pub fn fingerprint(self) -> ContentHash {
        let lines: Vec<String> =
            self.columns().iter().map(|column| format!("{}: {}\n", column.name, column.kind.as_str())).collect();
        ContentHash::of_bytes("schema", lines.concat().as_bytes())
    }
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A list of messages, each with `role` and `content`.
    Messages,
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
            Self::Text => "string",
            Self::Bool => "bool",
            Self::Int32 => "int32",
            Self::Float64 => "float64",
            Self::Moment => "timestamp[us, tz=UTC]",
        }
    }

    fn to_arrow(self) -> DataType {
        match self {
            Self::Messages => DataType::List(message_field()),
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

/// An example with the split group that the plan gave it.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The example.
    pub example: &'a Example,
    /// The group that is never torn apart by a split.
    pub group: ContentHash,
}

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'a> {
    /// Messages, and an assistant's answer after them.
    Messages { before: &'a [Turn], answer: Option<&'a str> },
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

const PROMPT: Column = Column { name: "prompt", kind: Kind::Messages, cell: |row| only_messages(prompt(row)) };
const CHOSEN: Column = Column { name: "chosen", kind: Kind::Messages, cell: |row| only_answer(better(row)) };
const REJECTED: Column = Column { name: "rejected", kind: Kind::Messages, cell: |row| only_answer(worse(row)) };
const COMPLETION: Column = Column { name: "completion", kind: Kind::Messages, cell: |row| only_answer(better(row)) };
const MESSAGES: Column = Column {
    name: "messages",
    kind: Kind::Messages,
    cell: |row| Cell::Messages { before: prompt(row), answer: Some(better(row)) },
};

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

const PAIR_PROVENANCE: &[Column] = &[
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

const ENDORSED_PROVENANCE: &[Column] = &[
    Column { name: "model", kind: Kind::Text, cell: |row| text(&row.example.chosen_model) },
    CHOSEN_SOURCE,
    N_VOTES,
    AGREEMENT,
    SAMPLE_WEIGHT,
    PROMPT_CHARS,
    CHOSEN_CHARS,
];

fn prompt<'a>(row: &Row<'a>) -> &'a [Turn] {
    let (Body::Pair { prompt, .. } | Body::Endorsed { prompt, .. }) = &row.example.body;
    prompt
}

fn prompt_chars(row: &Row<'_>) -> usize {
    prompt(row).iter().map(|turn| turn.content.chars().count()).sum()
}

fn better<'a>(row: &Row<'a>) -> &'a str {
    let (Body::Pair { chosen: answer, .. } | Body::Endorsed { response: answer, .. }) = &row.example.body;
    answer
}

fn worse<'a>(row: &Row<'a>) -> &'a str {
    match &row.example.body {
        Body::Pair { rejected, .. } => rejected,
        Body::Endorsed { .. } => "",
    }
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
    feedback: Vec<String>,
}

fn metadata<'a>(row: &Row<'a>) -> Cell<'a> {
    let example = row.example;
    let proof = Proof {
        rule: example.rule,
        completion: example.chosen_id.as_str(),
        rejected_completion: example.rejected_id.as_ref().map(crate::domain::ids::CompletionId::as_str),
        feedback: example.feedback_ids.iter().map(ToString::to_string).collect(),
    };
    // A struct of strings always serialises.
    Cell::Text(Cow::Owned(serde_json::to_string(&proof).unwrap_or_default()))
}
