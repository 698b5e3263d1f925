//! One chat of an export: a tree of messages, read into the answers in it and what was asked before each.

use std::collections::HashMap;

use super::super::wire::{Object, epoch_seconds, message, text_of};
use crate::domain::clock::Timestamp;
use crate::domain::json::Json;

/// A chat as a row holds it.
pub(super) struct Chat<'a> {
    id: Option<&'a str>,
    messages: &'a [(String, Json)],
    by_id: HashMap<&'a str, &'a Json>,
    rated: &'a str,
    /// The model of the rated message, where the message itself does not name one.
    rated_model: Option<&'a str>,
}

/// An answer of a model's.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    /// Id of the message.
    pub(super) id: &'a str,
    /// Id of the message that it answers.
    pub(super) parent: &'a str,
    /// The chat.
    pub(super) chat_id: Option<&'a str>,
    /// The model.
    pub(super) model: Option<&'a str>,
    /// What the model wrote.
    pub(super) text: &'a str,
    /// What a user made of it.
    pub(super) edited: Option<&'a str>,
    /// The messages before it, from the first.
    pub(super) prompt: Vec<Json>,
    /// How many questions came before the one that it answers.
    pub(super) turn_index: usize,
    /// The latest earlier answer of the same model to the same message.
    pub(super) replaces: Option<&'a str>,
    /// Tokens, where the engine told.
    pub(super) usage: Object,
    /// When it was made.
    pub(super) at: Option<Timestamp>,
}

impl<'a> Chat<'a> {
    /// Takes the chat of a row; one without messages is a chat without answers.
    pub(super) fn new(chat: &'a Json, id: Option<&'a str>, rated: &'a str, rated_model: Option<&'a str>) -> Self {
        let messages =
            chat.get("chat").and_then(|inner| inner.get("history")).and_then(|history| history.get("messages"));
        let messages = match messages {
            Some(Json::Object(entries)) => entries.as_slice(),
            _ => &[],
        };
        let by_id = messages.iter().map(|(id, message)| (id.as_str(), message)).collect();
        Self { id: id.or_else(|| text_of(chat, "id")), messages, by_id, rated, rated_model }
    }

    /// Returns the answers in it, and how many messages of models hold none.
    pub(super) fn answers(&self) -> (Vec<Answer<'a>>, usize) {
        let of_models = self.messages.iter().filter(|(_, message)| text_of(message, "role") == Some("assistant"));
        let (mut answers, mut n_unanswered) = (Vec::new(), 0);
        for (id, message) in of_models {
            match self.answer(id, message) {
                Some(answer) => answers.push(answer),
                None => n_unanswered += 1,
            }
        }
        for place in 0..answers.len() {
            answers[place].replaces = replaced(&answers, &answers[place]);
        }
        (answers, n_unanswered)
    }

    fn answer(&self, id: &'a str, message: &'a Json) -> Option<Answer<'a>> {
        let content = text_of(message, "content")?;
        let has_failed = message.get("error").is_some_and(|error| !matches!(error, Json::Null | Json::Bool(false)));
        if has_failed || message.get("done") == Some(&Json::Bool(false)) {
            return None;
        }
        let original = text_of(message, "originalContent");
        let parent = text_of(message, "parentId")?;
        let (prompt, n_questions) = self.path_to(parent)?;
        let named = text_of(message, "selectedModelId").or_else(|| text_of(message, "model"));
        Some(Answer {
            id,
            parent,
            chat_id: self.id,
            model: named.or_else(|| self.rated_model.filter(|_| id == self.rated)),
            text: original.unwrap_or(content),
            edited: original.filter(|original| *original != content).map(|_| content),
            prompt,
            turn_index: n_questions.saturating_sub(1),
            replaces: None,
            usage: usage(message),
            at: epoch_seconds(message.get("timestamp")),
        })
    }

    /// Returns the messages from the first to this one, and how many of them are the user's; nothing where the way to the
    /// first is broken, runs in a circle, or holds no question.
    fn path_to(&self, last: &str) -> Option<(Vec<Json>, usize)> {
        let (mut path, mut n_questions, mut next) = (Vec::new(), 0, Some(last));
        while let Some(id) = next {
            if path.len() >= self.messages.len() {
                return None;
            }
            let step = self.by_id.get(id)?;
            let role = text_of(step, "role").filter(|role| matches!(*role, "system" | "user" | "assistant"))?;
            n_questions += usize::from(role == "user");
            path.push(message(role, step.get("content").and_then(Json::as_str).unwrap_or_default()));
            next = text_of(step, "parentId");
        }
        path.reverse();
        (n_questions > 0).then_some((path, n_questions))
    }
}

/// Finds the latest answer of the same model to the same message that was made before this one.
fn replaced<'a>(answers: &[Answer<'a>], answer: &Answer<'a>) -> Option<&'a str> {
    let is_earlier = |other: &&Answer<'a>| {
        other.parent == answer.parent
            && other.model.is_some()
            && other.model == answer.model
            && other.at.zip(answer.at).is_some_and(|(before, at)| before < at)
    };
    answers.iter().filter(is_earlier).max_by_key(|other| (other.at, other.id)).map(|other| other.id)
}

fn usage(message: &Json) -> Object {
    let usage = message.get("usage").unwrap_or(&Json::Null);
    let count = |name: &str| usage.get(name).filter(|count| matches!(count, Json::Integer(0..=0x7fff_ffff))).cloned();
    Object::default().put("input_tokens", count("prompt_tokens")).put("output_tokens", count("completion_tokens"))
}
