//! Rows of any origin, read by a mapping that their owner wrote: which column is which field of ours, and which values mean
//! what. What comes out is our wire form, as with every other tool.

mod file;
pub(in crate::foreign) mod path;
mod reaction;
mod reading;

use super::wire::Object;
use crate::domain::fields::FieldError;
use crate::domain::json::Json;
use reaction::ReactionMap;
use reading::{Kind, Reading};

pub use file::MappingError;

/// A mapping to begin with: every key, commented.
pub const EXAMPLE: &str = include_str!("example.toml");

/// Every field of a completion, with what it takes. `tags` and `aliases` have forms of their own.
const FIELDS: &[(&str, Kind)] = &[
    ("id", Kind::Text),
    ("model", Kind::Text),
    ("requested_model", Kind::Text),
    ("prompt", Kind::Tree),
    ("response", Kind::Tree),
    ("tools", Kind::Tree),
    ("params", Kind::Tree),
    ("finish_reason", Kind::Text),
    ("conversation_id", Kind::Text),
    ("turn_index", Kind::Number),
    ("parent_completion_id", Kind::Text),
    ("attempt", Kind::Number),
    ("user", Kind::Text),
    ("experiment", Kind::Text),
    ("variant", Kind::Text),
    ("task", Kind::Text),
    ("language", Kind::Text),
    ("usage.input_tokens", Kind::Number),
    ("usage.output_tokens", Kind::Number),
    ("usage.cached_input_tokens", Kind::Number),
    ("usage.reasoning_tokens", Kind::Number),
    ("timing.started_at", Kind::Moment),
    ("timing.ttft_ms", Kind::Number),
    ("timing.itl_ms", Kind::Number),
    ("timing.latency_ms", Kind::Number),
    ("timing.queue_ms", Kind::Number),
    ("cost_usd", Kind::Number),
    ("serving.served_by", Kind::Text),
    ("consent.training", Kind::Boolean),
    ("created_at", Kind::Moment),
];
const CONSENT: &str = "consent.training";
/// Those without which a row holds no completion.
const REQUIRED: [&str; 4] = ["id", "model", "prompt", "response"];

/// What rows mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    source: String,
    completion: Option<CompletionMap>,
    feedback: Vec<ReactionMap>,
}

#[derive(Debug, Clone, PartialEq)]
struct CompletionMap {
    fields: Vec<(String, Reading)>,
    /// An object whose members are tags.
    all_tags: Option<Reading>,
    aliases: Vec<Reading>,
}

/// What one part of a mapping came to in one row.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// The row has nothing there.
    Nothing,
    /// An item in our wire form.
    Item(Json),
    /// Something that cannot be used.
    Fault(FieldError),
}

/// What a row came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// The completion; nothing where the mapping has none.
    pub completion: Said,
    /// The reactions, one for each of the mapping's.
    pub feedback: Vec<Said>,
}

impl Mapping {
    /// Reads a mapping file.
    pub fn parse(text: &str) -> Result<Self, MappingError> {
        file::parse(text)
    }

    /// Says of every completion that it may be used for training: whoever imports vouches for it.
    #[must_use]
    pub fn with_consent(mut self) -> Self {
        if let Some(map) = &mut self.completion {
            map.fields.retain(|(name, _)| name != CONSENT);
            map.fields.push((CONSENT.to_owned(), Reading::constant(Json::Bool(true), Kind::Boolean)));
        }
        self
    }

    /// Names the parts of the mapping that make feedback, such as `thumb` or `comment (2)`, for people.
    pub fn names_of_feedback(&self) -> Vec<String> {
        let words: Vec<&str> = self.feedback.iter().map(|map| map.signal().as_str()).collect();
        let name = |(place, word): (usize, &&str)| {
            let n_before = words[..place].iter().filter(|before| before == &word).count();
            if n_before == 0 { (*word).to_owned() } else { format!("{word} ({})", n_before + 1) }
        };
        words.iter().enumerate().map(name).collect()
    }

    /// Tells whether rows hold completions.
    pub fn has_completion(&self) -> bool {
        self.completion.is_some()
    }

    /// Reads a row.
    pub fn read(&self, row: &Json) -> Mapped {
        Mapped {
            completion: self.completion.as_ref().map_or(Said::Nothing, |map| map.read(row)),
            feedback: self.feedback.iter().map(|map| map.read(row, &self.source)).collect(),
        }
    }

    /// Names the columns of a row that the mapping does not look at.
    pub fn unused<'a>(&'a self, row: &'a Json) -> impl Iterator<Item = &'a str> {
        let members = if let Json::Object(members) = row { members.as_slice() } else { &[] };
        let is_used = |column: &str| self.readings().any(|reading| reading.uses(column));
        members.iter().map(|(name, _)| name.as_str()).filter(move |name| !is_used(name))
    }

    fn readings(&self) -> impl Iterator<Item = &Reading> {
        let of_completion = self
            .completion
            .iter()
            .flat_map(|map| map.fields.iter().map(|(_, reading)| reading).chain(&map.all_tags).chain(&map.aliases));
        of_completion.chain(self.feedback.iter().flat_map(ReactionMap::readings))
    }
}

impl CompletionMap {
    fn read(&self, row: &Json) -> Said {
        let mut found: Vec<(&str, Json)> = Vec::new();
        for (name, reading) in &self.fields {
            match reading.read(row, &format!("/{}", name.replace('.', "/"))) {
                Ok(Some(value)) => found.push((name, value)),
                Ok(None) => {}
                Err(fault) => return Said::Fault(fault),
            }
        }
        // A row of a table that holds other things as well.
        if !found.iter().any(|(name, _)| matches!(*name, "id" | "prompt" | "response")) {
            return Said::Nothing;
        }
        let mut aliases = Vec::new();
        for reading in &self.aliases {
            match reading.read(row, "/aliases") {
                Ok(alias) => aliases.extend(alias),
                Err(fault) => return Said::Fault(fault),
            }
        }
        let tags = self.all_tags.as_ref().and_then(|reading| reading.raw(row));
        Said::Item(assembled(found, tags, aliases))
    }
}

/// Puts fields with dots in their names into the objects that they are members of.
fn assembled(found: Vec<(&str, Json)>, all_tags: Option<&Json>, aliases: Vec<Json>) -> Json {
    let mut plain = Object::default();
    let mut groups: Vec<(&str, Object)> = Vec::new();
    if let Some(Json::Object(members)) = all_tags {
        let tags = members
            .iter()
            .fold(Object::default(), |tags, (name, value)| tags.put(name, reading::text(value).map(Json::String)));
        groups.push(("tags", tags));
    }
    for (name, value) in found {
        match name.split_once('.') {
            None => plain = plain.put(name, Some(value)),
            Some((group, member)) => match groups.iter_mut().find(|(known, _)| *known == group) {
                Some((_, members)) => *members = std::mem::take(members).put(member, Some(value)),
                None => groups.push((group, Object::default().put(member, Some(value)))),
            },
        }
    }
    let aliases = (!aliases.is_empty()).then_some(Json::Array(aliases));
    groups.into_iter().fold(plain, |item, (name, members)| item.object(name, members)).put("aliases", aliases).build()
}

#[cfg(test)]
mod tests;
