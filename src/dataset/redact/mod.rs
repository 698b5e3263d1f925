//! Personal data and secrets in a row, replaced by typed placeholders: `<EMAIL_1>`, `<PHONE_2>`.
//!
//! One value has one placeholder in the whole row, so that prompt and answers still fit together. What is found here is
//! what has a form: e-mail addresses, telephone and card numbers, IBANs, IP addresses, keys. Names and street addresses
//! have none; a hook can add their places ([`Span`]). Everything is one pass over the bytes with bounded looks back and
//! ahead, whatever the text.

mod iban;
mod network;
mod numbers;
mod scan;
mod secrets;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::example::{Body, Example};
use super::feedback_text::FeedbackText;
use crate::domain::json::Json;

pub use scan::find;

/// An e-mail address.
pub const EMAIL: &str = "EMAIL";
/// A telephone number.
pub const PHONE: &str = "PHONE";
/// The number of a payment card.
pub const CARD: &str = "CARD";
/// The number of a bank account.
pub const IBAN: &str = "IBAN";
/// An address of the Internet Protocol, version 4 or 6.
pub const IP: &str = "IP";
/// A key, a token or a password that software authenticates with.
pub const KEY: &str = "KEY";

/// The kinds that are found without a hook, with what they are.
pub const KINDS: &[(&str, &str)] = &[
    (EMAIL, "e-mail addresses"),
    (PHONE, "telephone numbers: international, with a leading zero, or grouped as in North America, China or India"),
    (CARD, "numbers of payment cards, 13 to 19 digits whose check digit is right (Luhn)"),
    (IBAN, "numbers of bank accounts whose length and check digits are right (ISO 13616)"),
    (IP, "addresses of IPv4 and IPv6"),
    (KEY, "API keys and tokens with a known prefix, JWTs, bearer tokens, private keys in PEM form"),
];

/// Longest name of a kind that a hook may give.
const MAX_KIND_CHARS: usize = 32;
/// Digits of a placeholder's number that are looked for in a text.
const MAX_DIGITS: usize = 6;

/// A place in a text that must not leave as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Byte at which it begins, at the edge of a character.
    pub start: usize,
    /// Byte behind its last one, at the edge of a character.
    pub end: usize,
    /// What it is, in capitals.
    pub kind: Cow<'static, str>,
}

impl Span {
    /// Makes a span from what a hook said, in characters (Unicode scalar values) of the text; `None` where it is no part
    /// of the text. `edges` are the byte offsets of the characters, with the length of the text at the end.
    pub fn of_characters(start: usize, end: usize, kind: &str, edges: &[usize]) -> Option<Self> {
        if start >= end {
            return None;
        }
        let (start, end) = (*edges.get(start)?, *edges.get(end)?);
        let mut name: String = kind
            .chars()
            .take(MAX_KIND_CHARS)
            .map(|c| if c.is_ascii_alphabetic() { c.to_ascii_uppercase() } else { '_' })
            .collect();
        if !name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            "PII".clone_into(&mut name);
        }
        Some(Self { start, end, kind: Cow::Owned(name) })
    }
}

/// Lists the byte offsets of a text's characters, and its length at the end.
pub fn edges(text: &str) -> Vec<usize> {
    text.char_indices().map(|(at, _)| at).chain([text.len()]).collect()
}

/// How much was replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Redacted {
    /// Rows in which something was.
    pub n_rows: u64,
    /// Places, by kind.
    pub n_places: BTreeMap<String, u64>,
}

impl Redacted {
    /// Adds the counts of other rows.
    pub fn extend(&mut self, other: &Self) {
        self.n_rows += other.n_rows;
        for (kind, n) in &other.n_places {
            *self.n_places.entry(kind.clone()).or_default() += n;
        }
    }
}

/// Lists the texts of a row in the order in which placeholders are numbered: the prompt's turns, the better answer, the
/// worse one, then what users wrote about either. Of messages that are written as JSON, these are the texts and numbers in
/// them.
pub fn texts(example: &Example) -> Vec<String> {
    let FeedbackText { better, worse, .. } = &example.feedback_text;
    let written = [better.clone(), worse.clone()];
    if example.tools.is_none() {
        return bodies(&example.body).into_iter().map(str::to_owned).chain(written).collect();
    }
    let mut messages = messages(&example.body);
    let mut texts = Vec::new();
    for message in &mut messages {
        push_texts(message, &mut texts);
    }
    texts.into_iter().map(|text| text.clone()).chain(written).collect()
}

fn bodies(body: &Body) -> Vec<&str> {
    let answers = [body.answer(), body.worse_answer()].into_iter().flatten();
    body.prompt().iter().map(|turn| turn.content.as_str()).chain(answers).collect()
}

fn bodies_mut(body: &mut Body) -> Vec<&mut String> {
    let (prompt, answers) = match body {
        Body::Pair { prompt, chosen: first, rejected: second } | Body::Tie { prompt, first, second, .. } => {
            (prompt, vec![first, second])
        }
        Body::Labelled { prompt, completion: answer, .. } | Body::Endorsed { prompt, response: answer } => {
            (prompt, vec![answer])
        }
        Body::Prompt { prompt } => (prompt, Vec::new()),
    };
    prompt.iter_mut().map(|turn| &mut turn.content).chain(answers).collect()
}

/// Reads messages that are written as JSON; numbers that are personal data become texts.
fn messages(body: &Body) -> Vec<Json> {
    let read = |text: &str| Json::parse(text.as_bytes()).unwrap_or_else(|_| Json::String(text.to_owned()));
    let mut messages: Vec<Json> = bodies(body).into_iter().map(read).collect();
    messages.iter_mut().for_each(open_numbers);
    messages
}

fn open_numbers(value: &mut Json) {
    match value {
        Json::Integer(number) => {
            let text = number.to_string();
            if !find(&text).is_empty() {
                *value = Json::String(text);
            }
        }
        Json::Array(items) => items.iter_mut().for_each(open_numbers),
        Json::Object(members) => members.iter_mut().for_each(|(_, member)| open_numbers(member)),
        _ => {}
    }
}

fn push_texts<'a>(value: &'a mut Json, texts: &mut Vec<&'a mut String>) {
    match value {
        Json::String(text) => texts.push(text),
        Json::Array(items) => items.iter_mut().for_each(|item| push_texts(item, texts)),
        Json::Object(members) => members.iter_mut().for_each(|(_, member)| push_texts(member, texts)),
        _ => {}
    }
}

/// Replaces in a row what [`find`] finds and what `others` names for each of its [`texts`]; `others` may be empty.
pub fn redact(example: &mut Example, others: Vec<Vec<Span>>) -> Redacted {
    let mut row =
        Redacting { names: Placeholders::default(), others: others.into_iter(), redacted: Redacted::default() };
    if example.tools.is_none() {
        row.replace(bodies_mut(&mut example.body));
    } else {
        let mut messages = messages(&example.body);
        let mut texts = Vec::new();
        for message in &mut messages {
            push_texts(message, &mut texts);
        }
        if row.replace(texts) {
            for (body, message) in bodies_mut(&mut example.body).into_iter().zip(messages) {
                *body = message.to_text();
            }
        }
    }
    // After the rest, so that no placeholder there depends on what somebody wrote about the row.
    row.replace(vec![&mut example.feedback_text.better, &mut example.feedback_text.worse]);
    row.redacted
}

/// A row in which places are replaced, some texts after others.
struct Redacting {
    names: Placeholders,
    /// What a hook has found in the texts that are still to come.
    others: std::vec::IntoIter<Vec<Span>>,
    redacted: Redacted,
}

impl Redacting {
    /// Replaces what is found in the next texts; tells whether anything was.
    fn replace(&mut self, texts: Vec<&mut String>) -> bool {
        self.names.stand_behind(texts.iter().map(|text| text.as_str()));
        let mut spans: Vec<Vec<Span>> = Vec::with_capacity(texts.len());
        for text in &texts {
            let mut found = find(text);
            found.extend(self.others.next().unwrap_or_default());
            spans.push(without_overlaps(found));
        }
        if spans.iter().all(Vec::is_empty) {
            return false;
        }
        self.redacted.n_rows = 1;
        for (text, spans) in texts.into_iter().zip(spans).filter(|(_, spans)| !spans.is_empty()) {
            let mut replaced = String::with_capacity(text.len());
            let mut at = 0;
            for span in spans {
                replaced.push_str(&text[at..span.start]);
                replaced.push_str(&self.names.of(&span.kind, &text[span.start..span.end]));
                at = span.end;
                *self.redacted.n_places.entry(span.kind.into_owned()).or_default() += 1;
            }
            replaced.push_str(&text[at..]);
            *text = replaced;
        }
        true
    }
}

/// Joins spans that overlap, so that nothing of either is left; the longer one says what it is.
fn without_overlaps(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by(|left, right| (left.start, right.end).cmp(&(right.start, left.end)));
    let mut apart: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match apart.last_mut() {
            Some(last) if span.start < last.end => {
                if span.end - span.start > last.end - last.start {
                    last.kind = span.kind;
                }
                last.end = last.end.max(span.end);
            }
            _ => apart.push(span),
        }
    }
    apart
}

/// Placeholders of one row.
#[derive(Default)]
struct Placeholders {
    /// By kind and value.
    given: HashMap<(String, String), u64>,
    /// By kind, the highest number in use.
    highest: HashMap<String, u64>,
}

impl Placeholders {
    /// Goes on behind the placeholders that somebody has written into the texts before.
    fn stand_behind<'a>(&mut self, texts: impl Iterator<Item = &'a str>) {
        for (kind, number) in texts.flat_map(written) {
            let known = self.highest.entry(kind.to_owned()).or_default();
            *known = number.max(*known);
        }
    }

    fn of(&mut self, kind: &str, value: &str) -> String {
        let number = self.given.entry((kind.to_owned(), normal(kind, value))).or_insert_with(|| {
            let highest = self.highest.entry(kind.to_owned()).or_default();
            *highest += 1;
            *highest
        });
        format!("<{kind}_{number}>")
    }
}

/// Finds what looks like a placeholder.
fn written(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.match_indices('<').filter_map(|(at, _)| {
        let rest = &text.as_bytes()[at + 1..];
        let head = &rest[..rest.len().min(MAX_KIND_CHARS + MAX_DIGITS + 2)];
        let n_name = head.iter().take_while(|byte| byte.is_ascii_uppercase() || **byte == b'_').count();
        let n_digits = head[n_name..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let is_closed = head.get(n_name + n_digits) == Some(&b'>') && (1..=MAX_DIGITS).contains(&n_digits);
        let kind = text[at + 1..at + 1 + n_name].strip_suffix('_').filter(|kind| is_closed && !kind.is_empty())?;
        Some((kind, text[at + 1 + n_name..at + 1 + n_name + n_digits].parse().ok()?))
    })
}

/// Folds the ways in which one value is written.
fn normal(kind: &str, value: &str) -> String {
    match kind {
        PHONE | CARD => value.chars().filter(char::is_ascii_digit).collect(),
        IBAN => value.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect(),
        KEY => value.to_owned(),
        _ => value.to_lowercase(),
    }
}

#[cfg(test)]
mod tests;
