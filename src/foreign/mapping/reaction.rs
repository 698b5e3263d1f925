//! How a row becomes a reaction: who reacted to which completion, and which of its values means what.

use super::Said;
use super::reading::{Reading, number, text};
use crate::domain::feedback::Signal;
use crate::domain::fields::{FieldCode, FieldError};
use crate::domain::json::Json;
use crate::foreign::derived::Source;
use crate::foreign::meaning::{comment_of, edit, rating};
use crate::foreign::wire::{Circumstances, Object, reaction, rfc3339};

/// Words of ours, each with the values that mean it.
pub(super) type Words = Vec<(&'static str, Vec<String>)>;

/// A reaction that rows may hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ReactionMap {
    /// Which rows hold it, where not all of them do.
    pub(super) when: Option<(Reading, Vec<String>)>,
    pub(super) completion_id: Reading,
    pub(super) key: Option<Reading>,
    pub(super) user: Option<Reading>,
    pub(super) at: Option<Reading>,
    pub(super) own: Own,
}

/// What belongs to one signal.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Own {
    Thumb { value: Reading, words: Words, reason: Option<Reading>, comment: Option<Reading> },
    Rating { value: Reading, min: f64, max: f64 },
    Preference { against: Reading, outcome: Reading, words: Words },
    Edit { text: Reading },
    Comment { text: Reading },
}

impl ReactionMap {
    pub(super) fn signal(&self) -> Signal {
        match self.own {
            Own::Thumb { .. } => Signal::Thumb,
            Own::Rating { .. } => Signal::Rating,
            Own::Preference { .. } => Signal::Preference,
            Own::Edit { .. } => Signal::Edit,
            Own::Comment { .. } => Signal::Comment,
        }
    }

    pub(super) fn readings(&self) -> impl Iterator<Item = &Reading> {
        let own: Vec<Option<&Reading>> = match &self.own {
            Own::Thumb { value, reason, comment, .. } => vec![Some(value), reason.as_ref(), comment.as_ref()],
            Own::Rating { value, .. } => vec![Some(value)],
            Own::Preference { against, outcome, .. } => vec![Some(against), Some(outcome)],
            Own::Edit { text } | Own::Comment { text } => vec![Some(text)],
        };
        let about = [self.when.as_ref().map(|(reading, _)| reading), Some(&self.completion_id)];
        let whose = [self.key.as_ref(), self.user.as_ref(), self.at.as_ref()];
        about.into_iter().chain(whose).chain(own).flatten()
    }

    /// Reads the reaction out of a row; most rows hold none.
    pub(super) fn read(&self, row: &Json, source: &str) -> Said {
        let holds = self.when.as_ref().is_none_or(|(reading, values)| {
            reading.raw(row).and_then(text).is_some_and(|value| values.contains(&value))
        });
        if !holds {
            return Said::Nothing;
        }
        match self.own(row).and_then(|own| own.map(|own| self.item(row, source, own)).transpose()) {
            Ok(Some(item)) => Said::Item(item),
            Ok(None) => Said::Nothing,
            Err(fault) => Said::Fault(fault),
        }
    }

    fn item(&self, row: &Json, source: &str, own: Object) -> Result<Json, FieldError> {
        let completion_id = text_at(Some(&self.completion_id), row, "/completion_id")?
            .ok_or_else(|| FieldError::new("/completion_id", FieldCode::Required, "the row names no completion"))?;
        let (key, user) = (text_at(self.key.as_ref(), row, "/key")?, text_at(self.user.as_ref(), row, "/user")?);
        let at = self.at.as_ref().map(|reading| reading.read(row, "/occurred_at")).transpose()?.flatten();
        let of = Circumstances {
            source: Source { system: source, key: key.as_deref().unwrap_or_default() },
            completion_id: &completion_id,
            user: user.as_deref(),
            at: rfc3339(at.as_ref()),
        };
        Ok(reaction(of, self.signal(), own))
    }

    fn own(&self, row: &Json) -> Result<Option<Object>, FieldError> {
        match &self.own {
            Own::Thumb { value, words, reason, comment } => {
                let Some(word) = meant(value, words, row, "/value")? else { return Ok(None) };
                let reason = text_at(reason.as_ref(), row, "/reasons")?;
                let comment = text_at(comment.as_ref(), row, "/comment")?;
                let reasons = reason.map(|reason| Json::Array(vec![Json::String(reason)]));
                let own = Object::default().text("value", Some(word)).put("reasons", reasons);
                Ok(Some(own.text("comment", comment.as_deref())))
            }
            Own::Rating { value, min, max } => {
                let Some(found) = value.raw(row) else { return Ok(None) };
                let wrong = || FieldError::new("/value", FieldCode::WrongType, "a rating is a number");
                Ok(Some(rating(number(found).ok_or_else(wrong)?, *min, *max).1))
            }
            Own::Preference { against, outcome, words } => {
                let Some(word) = meant(outcome, words, row, "/outcome")? else { return Ok(None) };
                let Some(against) = text_at(Some(against), row, "/against")? else { return Ok(None) };
                Ok(Some(Object::default().text("against", Some(&against)).text("outcome", Some(word))))
            }
            Own::Edit { text } => Ok(text_at(Some(text), row, "/text")?.map(|text| edit(&text).1)),
            Own::Comment { text } => Ok(text_at(Some(text), row, "/text")?.map(|text| comment_of(&text).1)),
        }
    }
}

fn text_at(reading: Option<&Reading>, row: &Json, pointer: &str) -> Result<Option<String>, FieldError> {
    let Some(reading) = reading else { return Ok(None) };
    match reading.read(row, pointer)? {
        Some(Json::String(text)) => Ok(Some(text)),
        _ => Ok(None),
    }
}

/// Returns the word of ours that a value was declared to mean. A value that nobody declared is a fault and no guess.
fn meant(reading: &Reading, words: &Words, row: &Json, pointer: &str) -> Result<Option<&'static str>, FieldError> {
    let Some(found) = reading.raw(row) else { return Ok(None) };
    let found = text(found);
    let meant = words.iter().find(|(_, values)| found.as_ref().is_some_and(|found| values.contains(found)));
    match meant {
        Some((word, _)) => Ok(Some(word)),
        None => Err(FieldError::new(pointer, FieldCode::NotOneOf, "the mapping does not say what this value means")),
    }
}
