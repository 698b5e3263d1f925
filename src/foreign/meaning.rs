//! What scores of other tools mean. A score has a name and a value, and only the name says whether 1 is praise.
//!
//! A name that nobody explained means nothing, unless it is one of those that these tools' own guides use for thumbs: a
//! guess would be silent damage, as `hallucinated = 1` shows.

use std::collections::BTreeMap;

use super::fault;
use super::wire::Object;
use crate::domain::feedback::Signal;
use crate::domain::fields::{FieldCode, FieldError};
use crate::domain::json::Json;

/// Names under which a boolean, or plus or minus one, is a thumb.
const THUMB_NAMES: [&str; 6] = ["user_feedback", "user-feedback", "thumb", "thumbs", "thumbs_up", "like"];

/// What a name means.
#[derive(Debug, Clone, PartialEq)]
pub enum Meaning {
    /// A thumb; a label is one of the two words, a number 1 for up and 0 or -1 for down.
    Thumb {
        /// The label that is a thumb up.
        up: String,
        /// The label that is a thumb down.
        down: String,
    },
    /// A rating between these two.
    Rating {
        /// The lowest.
        min: f64,
        /// The highest.
        max: f64,
    },
    /// Free text.
    Comment,
    /// The user's own better answer.
    Edit,
}

/// What names mean, as somebody declared it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Meanings(BTreeMap<String, Meaning>);

/// A declaration that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be NAME=thumb, NAME=thumb:UP:DOWN with two labels, NAME=rating:MIN:MAX with two numbers, NAME=comment or NAME=edit"
)]
pub struct MeaningError;

impl Meanings {
    /// Declares one more, such as `quality=rating:1:5`.
    pub fn declare(&mut self, declaration: &str) -> Result<(), MeaningError> {
        let (name, meaning) = declaration.rsplit_once('=').ok_or(MeaningError)?;
        let parts: Vec<&str> = meaning.split(':').collect();
        let bound = |text: &str| text.parse::<f64>().ok().filter(|bound| bound.is_finite()).ok_or(MeaningError);
        let meaning = match parts[..] {
            ["thumb"] => Meaning::Thumb { up: "up".to_owned(), down: "down".to_owned() },
            ["thumb", up, down] if !up.is_empty() && !down.is_empty() && up != down => {
                Meaning::Thumb { up: up.to_owned(), down: down.to_owned() }
            }
            ["rating", min, max] => match (bound(min)?, bound(max)?) {
                (min, max) if min < max => Meaning::Rating { min, max },
                _ => return Err(MeaningError),
            },
            ["comment"] => Meaning::Comment,
            ["edit"] => Meaning::Edit,
            _ => return Err(MeaningError),
        };
        if name.is_empty() {
            return Err(MeaningError);
        }
        self.0.insert(name.to_owned(), meaning);
        Ok(())
    }

    /// Tells whether a name stands for what people say: because somebody declared it, or as one for thumbs.
    pub(super) fn are_of_people(&self, name: &str) -> bool {
        self.0.contains_key(name) || THUMB_NAMES.contains(&name)
    }
}

/// The value of a score, by the kind that its tool gave it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    /// Yes or no.
    Boolean(bool),
    /// A number on a scale that only the name may tell.
    Number(f64),
    /// One of a few words.
    Label(&'a str),
    /// Free text.
    Text(&'a str),
    /// A better answer.
    Correction(&'a str),
}

/// A score that a person gave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Score<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Its value.
    pub(super) value: Value<'a>,
    /// What was written beside it.
    pub(super) comment: Option<&'a str>,
}

/// A signal and its own fields.
pub(super) type Own = (Signal, Object);

impl Score<'_> {
    /// Says it in signals of ours: one, or two where a comment stands beside what has none of its own.
    pub(super) fn to_signals(self, meanings: &Meanings) -> Result<Vec<Own>, FieldError> {
        let own = match meanings.0.get(self.name) {
            Some(meaning) => self.declared_signal(meaning)?,
            None => self.plain_signal()?,
        };
        let mut signals = vec![own];
        if let (Some(comment), false) = (self.comment, signals[0].0 == Signal::Thumb) {
            signals.push(comment_of(comment));
        }
        Ok(signals)
    }

    fn declared_signal(self, meaning: &Meaning) -> Result<Own, FieldError> {
        let misfit = || fault(FieldCode::WrongType, "the value is not of the kind that its name was declared to have");
        match (meaning, self.value) {
            (Meaning::Thumb { .. }, Value::Boolean(is_up)) => Ok(self.thumb(is_up)),
            (Meaning::Thumb { .. }, Value::Number(number)) => match number {
                1.0 => Ok(self.thumb(true)),
                0.0 | -1.0 => Ok(self.thumb(false)),
                _ => Err(fault(FieldCode::OutOfRange, "a thumb is 1, 0 or -1")),
            },
            (Meaning::Thumb { up, down }, Value::Label(label) | Value::Text(label)) => match label {
                label if label == up => Ok(self.thumb(true)),
                label if label == down => Ok(self.thumb(false)),
                _ => Err(fault(FieldCode::NotOneOf, "the label is neither of the two that were declared")),
            },
            (Meaning::Rating { min, max }, Value::Number(score)) => Ok(rating(score, *min, *max)),
            (Meaning::Comment, Value::Text(text) | Value::Label(text)) => Ok(comment_of(text)),
            (Meaning::Edit, Value::Text(text) | Value::Label(text) | Value::Correction(text)) => Ok(edit(text)),
            _ => Err(misfit()),
        }
    }

    fn plain_signal(self) -> Result<Own, FieldError> {
        let is_thumb = THUMB_NAMES.contains(&self.name);
        match self.value {
            Value::Text(text) => Ok(comment_of(text)),
            Value::Correction(text) => Ok(edit(text)),
            Value::Boolean(is_up) if is_thumb => Ok(self.thumb(is_up)),
            Value::Number(1.0) if is_thumb => Ok(self.thumb(true)),
            Value::Number(-1.0) if is_thumb => Ok(self.thumb(false)),
            Value::Number(_) => Err(fault(
                FieldCode::RangeUnknown,
                "nobody declared the scale of this score; declare it, or send a boolean under a name for thumbs",
            )),
            Value::Boolean(_) | Value::Label(_) => {
                Err(fault(FieldCode::UnknownSignal, "nobody declared what a score of this name means"))
            }
        }
    }

    fn thumb(self, is_up: bool) -> Own {
        let value = if is_up { "up" } else { "down" };
        (Signal::Thumb, Object::default().text("value", Some(value)).text("comment", self.comment))
    }
}

/// A rating on a scale.
pub(super) fn rating(score: f64, min: f64, max: f64) -> Own {
    let points = [("score", score), ("min", min), ("max", max)];
    let points =
        points.into_iter().fold(Object::default(), |points, (name, value)| points.put(name, Some(Json::Float(value))));
    (Signal::Rating, Object::default().object("value", points))
}

/// Free text.
pub(super) fn comment_of(text: &str) -> Own {
    (Signal::Comment, Object::default().text("text", Some(text)))
}

/// The user's own better answer, which the source kept.
pub(super) fn edit(text: &str) -> Own {
    (Signal::Edit, Object::default().text("text", Some(text)).put("accepted", Some(Json::Bool(true))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str, value: Value<'_>, declared: &str) -> Result<Vec<(Signal, String)>, FieldCode> {
        let mut meanings = Meanings::default();
        if !declared.is_empty() {
            meanings.declare(declared).unwrap();
        }
        let score = Score { name, value, comment: Some("so") };
        let signals = score.to_signals(&meanings).map_err(|error| error.code)?;
        Ok(signals.into_iter().map(|(signal, own)| (signal, own.build().to_text())).collect())
    }

    #[test]
    fn a_name_that_nobody_explained_means_nothing_unless_it_is_one_for_thumbs() {
        let up = vec![(Signal::Thumb, r#"{"value":"up","comment":"so"}"#.to_owned())];
        for (name, value, expected) in [
            ("user-feedback", Value::Boolean(true), Ok(up.clone())),
            ("thumb", Value::Number(1.0), Ok(up)),
            ("thumb", Value::Number(0.0), Err(FieldCode::RangeUnknown)),
            ("thumb", Value::Number(0.8), Err(FieldCode::RangeUnknown)),
            ("hallucinated", Value::Number(1.0), Err(FieldCode::RangeUnknown)),
            ("hallucinated", Value::Boolean(true), Err(FieldCode::UnknownSignal)),
            ("tone", Value::Label("warm"), Err(FieldCode::UnknownSignal)),
        ] {
            assert_eq!(said(name, value, ""), expected, "{name} {value:?}");
        }
    }

    #[test]
    fn a_declared_name_means_what_was_declared_and_nothing_else() {
        let rating = r#"{"value":{"score":4.0,"min":1.0,"max":5.0}}"#.to_owned();
        let comment = (Signal::Comment, r#"{"text":"so"}"#.to_owned());
        let down = vec![(Signal::Thumb, r#"{"value":"down","comment":"so"}"#.to_owned())];
        for (value, declared, expected) in [
            (Value::Number(4.0), "q=rating:1:5", Ok(vec![(Signal::Rating, rating), comment])),
            (Value::Label("good"), "q=rating:1:5", Err(FieldCode::WrongType)),
            (Value::Number(0.0), "q=thumb", Ok(down.clone())),
            (Value::Number(2.0), "q=thumb", Err(FieldCode::OutOfRange)),
            (Value::Label("bad"), "q=thumb:good:bad", Ok(down)),
            (Value::Label("so-so"), "q=thumb:good:bad", Err(FieldCode::NotOneOf)),
        ] {
            assert_eq!(said("q", value, declared), expected, "{value:?} {declared}");
        }
    }

    #[test]
    fn a_declaration_that_makes_no_sense_is_refused() {
        for wrong in
            ["", "q", "q=", "=thumb", "q=rating", "q=rating:5:1", "q=rating:1:x", "q=rating:nan:1", "q=thumb:a:a"]
        {
            assert_eq!(Meanings::default().declare(wrong), Err(MeaningError), "{wrong}");
        }
        assert_eq!(Meanings::default().declare("a=b=comment"), Ok(()), "a name may hold a sign of equality");
    }
}
