//! A selection: which completions a reader wants, and whose feedback on them. All but `trust` filter the completions
//! that feedback is tied to.

use serde::Serialize;

use super::clock::Timestamp;
use super::fields::{FieldCode, FieldError, Fields, list, one_of, short_text, timestamp};
use super::json::Json;
use super::trust::TrustFilter;

/// A filter over completions and the feedback on them; an empty list or an absent bound lets everything through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Selection {
    /// Models that answered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// Experiment that chose the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experiment: Option<String>,
    /// Variants of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<String>,
    /// Kinds of work.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<String>,
    /// Language tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<String>,
    /// Completions received at or after this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Completions received before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Whose feedback counts; where it is absent, the project decides ([`super::trust::TrustRule`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<TrustFilter>,
}

const MAX_WORDS: usize = 100;

impl Selection {
    /// Parses a selection that stands at `pointer`.
    pub fn from_json(value: Json, pointer: &str) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::open(value, pointer)?;
        let selection = Self::read(&mut fields);
        fields.finish()?;
        Ok(selection)
    }

    /// Lists the filters of completions that are set, by their names.
    pub fn filters(&self) -> Vec<&'static str> {
        let set = [
            ("models", !self.models.is_empty()),
            ("experiment", self.experiment.is_some()),
            ("variants", !self.variants.is_empty()),
            ("tasks", !self.tasks.is_empty()),
            ("languages", !self.languages.is_empty()),
            ("from", self.from.is_some()),
            ("to", self.to.is_some()),
        ];
        set.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name).collect()
    }

    /// Takes the members of a selection out of an object that may have others.
    pub fn read(fields: &mut Fields) -> Self {
        let selection = Self {
            models: fields.optional("models", list(MAX_WORDS, short_text)).unwrap_or_default(),
            experiment: fields.optional("experiment", short_text),
            variants: fields.optional("variants", list(MAX_WORDS, short_text)).unwrap_or_default(),
            tasks: fields.optional("tasks", list(MAX_WORDS, short_text)).unwrap_or_default(),
            languages: fields.optional("languages", list(MAX_WORDS, short_text)).unwrap_or_default(),
            from: fields.optional("from", timestamp),
            to: fields.optional("to", timestamp),
            trust: fields.optional("trust", one_of(TrustFilter::WORDS)),
        };
        if let (Some(from), Some(to)) = (selection.from, selection.to)
            && from >= to
        {
            fields.fail("to", FieldCode::Contradiction, "must be later than `from`");
        }
        selection
    }
}
