//! Reads what other tools write, tolerantly, and writes our own wire form.

use chrono::{DateTime, SecondsFormat};

use super::derived::{Source, derived_id};
use crate::domain::clock::Timestamp;
use crate::domain::feedback::Signal;
use crate::domain::json::Json;

/// An object on its way into the wire form; what is absent is left out.
#[derive(Debug, Clone, Default)]
pub(super) struct Object(Vec<(String, Json)>);

impl Object {
    /// Takes members as they are.
    pub(super) fn of(members: Vec<(String, Json)>) -> Self {
        Self(members)
    }

    /// Adds a member, where there is one.
    pub(super) fn put(mut self, name: &str, value: Option<Json>) -> Self {
        self.0.extend(value.map(|value| (name.to_owned(), value)));
        self
    }

    /// Adds a text, where there is one.
    pub(super) fn text(self, name: &str, text: Option<&str>) -> Self {
        self.put(name, text.map(|text| Json::String(text.to_owned())))
    }

    /// Adds a moment, where there is one.
    pub(super) fn moment(self, name: &str, at: Option<Timestamp>) -> Self {
        self.put(name, at.map(|at| Json::String(at.to_rfc3339_opts(SecondsFormat::Micros, true))))
    }

    /// Adds an object, unless it is empty.
    pub(super) fn object(self, name: &str, object: Self) -> Self {
        self.put(name, (!object.0.is_empty()).then_some(Json::Object(object.0)))
    }

    /// Adds every member of another object.
    pub(super) fn all(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Ends it.
    pub(super) fn build(self) -> Json {
        Json::Object(self.0)
    }
}

/// A message of one role with a text.
pub(super) fn message(role: &str, content: &str) -> Json {
    Object::default().text("role", Some(role)).text("content", Some(content)).build()
}

/// What a reaction is about, and who had it when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances<'a> {
    /// The record that it stands in.
    pub(super) source: Source<'a>,
    /// The completion, by its id or an alias.
    pub(super) completion_id: &'a str,
    /// Who reacted.
    pub(super) user: Option<&'a str>,
    /// When.
    pub(super) at: Option<Timestamp>,
}

/// Makes an item of feedback, with an id that follows from its source and its content.
pub(super) fn reaction(of: Circumstances<'_>, signal: Signal, own: Object) -> Json {
    let item = Object::default()
        .text("completion_id", Some(of.completion_id))
        .text("signal", Some(signal.as_str()))
        .text("user", of.user)
        .moment("occurred_at", of.at)
        .all(own);
    let id = derived_id(of.source, of.at, &Json::Object(item.0.clone()));
    Object::default().text("id", Some(&id.to_string())).all(item).build()
}

/// Returns a text that is there and not empty; these tools write both for absence.
pub(super) fn text_of<'a>(value: &'a Json, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// Returns a member that is there and not null.
pub(super) fn member<'a>(value: &'a Json, name: &str) -> Option<&'a Json> {
    value.get(name).filter(|member| **member != Json::Null)
}

/// Returns the items of a list, none where it is no list.
pub(super) fn items_of<'a>(value: &'a Json, name: &str) -> &'a [Json] {
    match value.get(name) {
        Some(Json::Array(items)) => items,
        _ => &[],
    }
}

/// Returns a number.
pub(super) fn number_of(value: &Json) -> Option<f64> {
    match value {
        Json::Integer(number) => Some(*number as f64),
        Json::Float(number) => Some(*number),
        _ => None,
    }
}

/// Reads a moment from seconds since 1970, whole or not, to the microsecond.
pub(super) fn epoch_seconds(value: Option<&Json>) -> Option<Timestamp> {
    let seconds =
        number_of(value?).filter(|seconds| seconds.is_finite() && (0.0..253_402_300_800.0).contains(seconds))?;
    DateTime::from_timestamp_micros((seconds * 1e6).round() as i64)
}

/// Reads a moment from RFC 3339.
pub(super) fn rfc3339(value: Option<&Json>) -> Option<Timestamp> {
    DateTime::parse_from_rfc3339(value?.as_str()?).ok().map(|at| at.to_utc())
}

/// Returns the milliseconds from one moment to a later one.
pub(super) fn milliseconds(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<Json> {
    let took = (to? - from?).num_microseconds().filter(|took| *took >= 0)?;
    Some(Json::Float(took as f64 / 1e3))
}

/// Returns a copy of a message without the members that are null.
pub(super) fn without_nulls(message: &Json) -> Json {
    match message {
        Json::Object(entries) => {
            Json::Object(entries.iter().filter(|(_, value)| *value != Json::Null).cloned().collect())
        }
        other => other.clone(),
    }
}
