//! Open WebUI: the feedback that an administrator exports, each row with the whole chat as it was when it was rated.
//!
//! Read as version 0.12 writes it. A chat is a tree: several answers to one message of the user's are siblings, by one
//! model one after the other or by several models side by side. All of them become completions of one prompt, so that
//! pairs come of what was rated among them.

mod chat;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::derived::Source;
use super::fault;
use super::meaning::{Own, comment_of, edit, rating};
use super::wire::{Circumstances, Object, epoch_seconds, number_of, reaction, text_of};
use crate::domain::clock::Timestamp;
use crate::domain::feedback::Signal;
use crate::domain::fields::{FieldCode, FieldError};
use crate::domain::json::Json;
use chat::{Answer, Chat};

const SYSTEM: &str = "open-webui";
/// The ends of the scale that people rate on beside their thumb.
const SCALE: (f64, f64) = (1.0, 10.0);
const MAX_REASON_BYTES: usize = 64;

/// What is wanted of an import.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// A thumb in an arena says that the answer is better, or worse, than those of the other models beside it.
    pub arena_preference: bool,
    /// The answers may be used for training: whoever imports vouches for it.
    pub consent_training: bool,
}

/// When a row was made and its id: of several that show one message, the least of these has the word.
type Age = (Option<Timestamp>, String);

/// The rows of an export, gathered: each answer once, whatever number of rows shows its chat.
#[derive(Debug, Default)]
pub struct Gathered {
    options: Options,
    answers: BTreeMap<String, Kept>,
    /// Texts that users made of an answer, by its id and the text.
    edits: BTreeMap<(String, String), Edited>,
    reactions: Vec<Json>,
    rated: BTreeSet<String>,
    n_unanswered: usize,
}

/// An answer as the oldest row shows it.
#[derive(Debug)]
struct Kept {
    age: Age,
    text: String,
    completion: Json,
    /// What replacing an earlier answer says of that.
    regeneration: Option<Json>,
    is_contested: bool,
}

#[derive(Debug)]
struct Edited {
    age: Age,
    original: String,
    reaction: Json,
}

/// What there is to send, and what was noticed on the way.
#[derive(Debug, PartialEq)]
pub struct Import {
    /// Completions in our wire form.
    pub completions: Vec<Json>,
    /// Feedback in our wire form.
    pub feedback: Vec<Json>,
    /// Answers that rows show with different texts; the oldest was kept.
    pub n_contested: usize,
    /// Messages of models that hold no answer: failed, stopped before a word, or without a question before them.
    pub n_unanswered: usize,
    /// Rated messages that no row shows; their feedback waits for the completion.
    pub n_unseen: usize,
}

impl Gathered {
    /// Begins with nothing.
    pub fn new(options: Options) -> Self {
        Self { options, ..Self::default() }
    }

    /// Takes a row. One that is refused says nothing, and its chat is not looked at either.
    pub fn add(&mut self, row: &Json) -> Result<(), FieldError> {
        let row = Row::read(row)?;
        let chat = row.chat();
        let (answers, n_unanswered) = chat.answers();
        self.n_unanswered += n_unanswered;
        let signals = row.signals(self.options, &answers)?;
        for (signal, own) in signals {
            self.reactions.push(reaction(row.of(row.message_id, row.at, row.id), signal, own));
        }
        self.rated.insert(row.message_id.to_owned());
        for answer in &answers {
            self.keep(&row, answer);
        }
        Ok(())
    }

    fn keep(&mut self, row: &Row<'_>, answer: &Answer<'_>) {
        if let Some(text) = answer.edited {
            let item = reaction(row.of(answer.id, row.at, answer.id), Signal::Edit, edit(text).1);
            let edited = Edited { age: row.age(), original: answer.text.to_owned(), reaction: item };
            let key = (answer.id.to_owned(), text.to_owned());
            put_older(self.edits.entry(key), edited, |edited| &edited.age);
        }
        let regeneration = answer.replaces.map(|replaced| {
            let own = Object::default().text("next_completion_id", Some(answer.id));
            reaction(row.of(replaced, answer.at, answer.id), Signal::Regenerate, own)
        });
        let kept = Kept {
            age: row.age(),
            text: answer.text.to_owned(),
            completion: answer.completion(row, self.options),
            regeneration,
            is_contested: false,
        };
        match self.answers.entry(answer.id.to_owned()) {
            Entry::Vacant(place) => {
                place.insert(kept);
            }
            Entry::Occupied(mut place) => {
                let is_contested = place.get().is_contested || place.get().text != kept.text;
                if kept.age < place.get().age {
                    place.insert(kept);
                }
                place.get_mut().is_contested = is_contested;
            }
        }
    }

    /// Ends it: every completion once, in the order of their ids.
    pub fn finish(self) -> Import {
        let Self { answers, edits, reactions, rated, n_unanswered, .. } = self;
        let mut feedback = reactions;
        // What was made of another text than the one that is kept says nothing about that.
        let fits = |((id, _), edited): &(&(String, String), &Edited)| {
            answers.get(id).is_some_and(|answer| answer.text == edited.original)
        };
        feedback.extend(edits.iter().filter(fits).map(|(_, edited)| edited.reaction.clone()));
        let n_unseen = rated.iter().filter(|id| !answers.contains_key(*id)).count();
        let n_contested = answers.values().filter(|answer| answer.is_contested).count();
        let mut completions = Vec::with_capacity(answers.len());
        for answer in answers.into_values() {
            completions.push(answer.completion);
            feedback.extend(answer.regeneration);
        }
        Import { completions, feedback, n_contested, n_unanswered, n_unseen }
    }
}

fn put_older<K: Ord, V>(entry: Entry<'_, K, V>, value: V, age: impl Fn(&V) -> &Age) {
    match entry {
        Entry::Vacant(place) => {
            place.insert(value);
        }
        Entry::Occupied(mut place) if age(&value) < age(place.get()) => {
            place.insert(value);
        }
        Entry::Occupied(_) => {}
    }
}

/// A row of the export.
struct Row<'a> {
    value: &'a Json,
    id: &'a str,
    user: Option<&'a str>,
    message_id: &'a str,
    /// When the rating was given, or last changed.
    at: Option<Timestamp>,
    made_at: Option<Timestamp>,
}

impl<'a> Row<'a> {
    fn read(value: &'a Json) -> Result<Self, FieldError> {
        if !matches!(value, Json::Object(_)) {
            return Err(fault(FieldCode::WrongType, "must be an object"));
        }
        if text_of(value, "type").is_some_and(|kind| kind != "rating") {
            return Err(FieldError::new("/type", FieldCode::UnknownSignal, "only rows of the type `rating` are known"));
        }
        let required = |pointer: &str, found: Option<&'a str>| {
            found.ok_or_else(|| FieldError::new(pointer, FieldCode::Required, "a required member is absent"))
        };
        let made_at = epoch_seconds(value.get("created_at"));
        Ok(Self {
            value,
            id: required("/id", text_of(value, "id"))?,
            user: text_of(value, "user_id"),
            message_id: required("/meta/message_id", value.get("meta").and_then(|meta| text_of(meta, "message_id")))?,
            at: epoch_seconds(value.get("updated_at")).or(made_at),
            made_at,
        })
    }

    fn age(&self) -> Age {
        (self.made_at, self.id.to_owned())
    }

    fn of<'b>(&'b self, completion_id: &'b str, at: Option<Timestamp>, key: &'b str) -> Circumstances<'b> {
        Circumstances { source: Source { system: SYSTEM, key }, completion_id, user: self.user, at }
    }

    fn chat(&self) -> Chat<'a> {
        let chat = self.value.get("snapshot").and_then(|snapshot| snapshot.get("chat")).unwrap_or(&Json::Null);
        let rated_model =
            ["data", "meta"].iter().find_map(|name| text_of(self.value.get(name).unwrap_or(&Json::Null), "model_id"));
        let meta = self.value.get("meta").unwrap_or(&Json::Null);
        Chat::new(chat, text_of(meta, "chat_id"), self.message_id, rated_model)
    }

    /// What the row says: a thumb or preferences, points beside them, or a comment alone.
    fn signals(&self, options: Options, answers: &[Answer<'_>]) -> Result<Vec<Own>, FieldError> {
        let data = self.value.get("data").unwrap_or(&Json::Null);
        let wrong = |pointer: &str, code, detail: &str| Err(FieldError::new(pointer, code, detail));
        let is_up = match data.get("rating").filter(|rating| **rating != Json::Null) {
            None => None,
            Some(given) => match number_of(given) {
                Some(1.0) => Some(true),
                Some(-1.0) => Some(false),
                Some(_) => return wrong("/data/rating", FieldCode::OutOfRange, "must be 1 or -1"),
                None => return wrong("/data/rating", FieldCode::WrongType, "must be a number"),
            },
        };
        let points = data.get("details").and_then(|details| details.get("rating")).and_then(number_of);
        let comment = text_of(data, "comment").filter(|comment| !comment.trim().is_empty());
        let is_arena = self.value.get("meta").and_then(|meta| meta.get("arena")) == Some(&Json::Bool(true));
        let mut signals: Vec<Own> = Vec::new();
        if let Some(is_up) = is_up {
            let preferences =
                if is_arena && options.arena_preference { self.preferences(is_up, answers) } else { vec![] };
            if preferences.is_empty() {
                signals.push(thumb(is_up, text_of(data, "reason"), comment));
            } else {
                signals.extend(preferences);
                signals.extend(comment.map(comment_of));
            }
        } else {
            signals.extend(comment.map(comment_of));
        }
        signals.extend(points.map(|points| rating(points, SCALE.0, SCALE.1)));
        if signals.is_empty() {
            return wrong("/data/rating", FieldCode::Required, "the row holds no rating and no comment");
        }
        Ok(signals)
    }

    /// In an arena the answers of other models stand beside the one that was rated.
    fn preferences(&self, is_up: bool, answers: &[Answer<'_>]) -> Vec<Own> {
        let Some(rated) = answers.iter().find(|answer| answer.id == self.message_id) else { return Vec::new() };
        let is_rival = |answer: &&Answer<'_>| {
            answer.parent == rated.parent && answer.id != rated.id && answer.model != rated.model
        };
        let outcome = if is_up { "better" } else { "worse" };
        let preference = |rival: &Answer<'_>| {
            let own = Object::default().text("against", Some(rival.id)).text("outcome", Some(outcome));
            (Signal::Preference, own)
        };
        answers.iter().filter(is_rival).map(preference).collect()
    }
}

fn thumb(is_up: bool, reason: Option<&str>, comment: Option<&str>) -> Own {
    let reasons = reason.map(reason_code).filter(|code| !code.is_empty());
    let own = Object::default()
        .text("value", Some(if is_up { "up" } else { "down" }))
        .put("reasons", reasons.map(|code| Json::Array(vec![Json::String(code)])))
        .text("comment", comment);
    (Signal::Thumb, own)
}

/// Writes a reason as a stable code: those of Open WebUI are codes already, those of other versions may be phrases.
fn reason_code(reason: &str) -> String {
    let code = reason.trim().chars().map(|character| match character.to_ascii_lowercase() {
        kept @ ('a'..='z' | '0'..='9' | '_' | '.' | '-') => kept,
        _ => '_',
    });
    code.take(MAX_REASON_BYTES).collect()
}

impl Answer<'_> {
    fn completion(&self, row: &Row<'_>, options: Options) -> Json {
        let consent = Object::default().put("training", options.consent_training.then_some(Json::Bool(true)));
        Object::default()
            .text("id", Some(self.id))
            .text("model", self.model)
            .put("prompt", Some(Json::Array(self.prompt.clone())))
            .text("response", Some(self.text))
            .text("conversation_id", self.chat_id)
            .put("turn_index", Some(Json::Integer(self.turn_index as i128)))
            .text("parent_completion_id", self.replaces)
            .text("user", row.user)
            .object("usage", self.usage.clone())
            .object("consent", consent)
            .moment("created_at", self.at)
            .build()
    }
}

#[cfg(test)]
mod tests;
