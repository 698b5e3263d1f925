//! What a span or a log record says of itself, by name, and the values that are structured.

use std::cell::Cell;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::messages::{AnyValue, Event, KeyValue, Value};
use crate::domain::json::{Json, MAX_VALUES};

/// How many values may come out of texts that hold JSON, in all records of a request together.
#[derive(Debug)]
pub(super) struct TextBudget {
    n_left: Cell<usize>,
    is_spent: Cell<bool>,
}

impl Default for TextBudget {
    fn default() -> Self {
        Self { n_left: Cell::new(MAX_VALUES), is_spent: Cell::new(false) }
    }
}

impl TextBudget {
    /// Tells whether some text was left unread.
    pub(super) fn is_spent(&self) -> bool {
        self.is_spent.get()
    }

    fn parse(&self, text: &str) -> Option<Json> {
        let value = Json::parse_foreign(text.as_bytes()).ok()?;
        let Some(n_left) = self.n_left.get().checked_sub(n_values(&value)) else {
            self.is_spent.set(true);
            return None;
        };
        self.n_left.set(n_left);
        Some(value)
    }
}

fn n_values(value: &Json) -> usize {
    1 + match value {
        Json::Array(items) => items.iter().map(n_values).sum(),
        Json::Object(entries) => entries.iter().map(|(_, value)| n_values(value)).sum(),
        _ => 0,
    }
}

/// Attributes by name: those of a record, and those of an event of it that says more.
#[derive(Debug, Clone)]
pub(super) struct Attributes<'a> {
    lists: Vec<&'a [KeyValue]>,
    budget: &'a TextBudget,
}

impl<'a> Attributes<'a> {
    /// Takes one list.
    pub(super) fn of(list: &'a [KeyValue], budget: &'a TextBudget) -> Self {
        Self { lists: vec![list], budget }
    }

    /// Adds another list, of which the first has the word.
    pub(super) fn and(mut self, list: &'a [KeyValue]) -> Self {
        self.lists.push(list);
        self
    }

    /// Returns those of an event, within the same budget.
    pub(super) fn of_event(&self, event: &'a Event) -> Self {
        Self::of(&event.attributes, self.budget)
    }

    /// Returns a value that is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        let mut pairs = self.lists.iter().flat_map(|list| list.iter());
        pairs.find(|pair| pair.key == name)?.value.as_ref()?.value.as_ref()
    }

    /// Returns a text that is there and not empty.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(text_of)
    }

    /// Returns the first of several that is a text.
    pub(super) fn first_text(&self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| self.text(name))
    }

    /// Returns a finite number; some senders write numbers as texts.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        number_of(self.get(name)?)
    }

    /// Returns the first of several that is a count which our wire form takes.
    pub(super) fn count(&self, names: &[&str]) -> Option<Json> {
        let counts = names.iter().filter_map(|name| self.number(name));
        counts.map(|number| number as i128).find(|count| (0..=0x7fff_ffff).contains(count)).map(Json::Integer)
    }

    /// Returns a structured value, or the JSON that a text holds.
    pub(super) fn structured(&self, name: &str) -> Option<Json> {
        match self.get(name)? {
            Value::String(text) => self.parse(text),
            value => Some(to_json(value)),
        }
    }

    /// Returns the same, or a text that holds no JSON as it is.
    pub(super) fn structured_or_text(&self, name: &str) -> Option<Json> {
        self.structured(name).or_else(|| self.text(name).map(|text| Json::String(text.to_owned())))
    }

    /// Returns the items of a structured list, none where it is no list.
    pub(super) fn structured_list(&self, name: &str) -> Vec<Json> {
        match self.structured(name) {
            Some(Json::Array(items)) => items,
            _ => Vec::new(),
        }
    }

    /// Reads a text that holds JSON.
    pub(super) fn parse(&self, text: &str) -> Option<Json> {
        self.budget.parse(text)
    }

    /// Returns the members of a list that was flattened into names such as `prefix.0.member`, in the order of the numbers.
    pub(super) fn indexed(&self, prefix: &str) -> Vec<Members<'a>> {
        let pairs = self.lists.iter().flat_map(|list| list.iter());
        let pairs = pairs.filter_map(|pair| Some((pair.key.as_str(), pair.value.as_ref()?.value.as_ref()?)));
        grouped(pairs, prefix)
    }
}

/// What stands under one number of a flattened list.
#[derive(Debug, Clone, Default)]
pub(super) struct Members<'a>(Vec<(&'a str, &'a Value)>);

impl<'a> Members<'a> {
    /// Returns a value.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// Returns a text that is there and not empty.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(text_of)
    }

    /// Returns the members of a list within.
    pub(super) fn indexed(&self, prefix: &str) -> Vec<Members<'a>> {
        grouped(self.0.iter().copied(), prefix)
    }
}

fn grouped<'a>(pairs: impl Iterator<Item = (&'a str, &'a Value)>, prefix: &str) -> Vec<Members<'a>> {
    let mut groups: BTreeMap<u64, Members<'a>> = BTreeMap::new();
    for (key, value) in pairs {
        let Some(rest) = key.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.')) else { continue };
        let Some((number, member)) = rest.split_once('.') else { continue };
        if let Ok(number) = number.parse() {
            groups.entry(number).or_default().0.push((member, value));
        }
    }
    groups.into_values().collect()
}

/// Returns a text that is not empty.
fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

/// Returns a finite number.
pub(super) fn number_of(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Int(number) => *number as f64,
        Value::Double(number) => *number,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// Turns a value into JSON: bytes as base64, numbers that JSON has not as null, of two members with one name the first.
fn to_json(value: &Value) -> Json {
    let inner = |value: &AnyValue| value.value.as_ref().map_or(Json::Null, to_json);
    match value {
        Value::String(text) => Json::String(text.clone()),
        Value::Bool(is_true) => Json::Bool(*is_true),
        Value::Int(number) => Json::Integer(i128::from(*number)),
        Value::Double(number) if number.is_finite() => Json::Float(*number),
        Value::Double(_) => Json::Null,
        Value::Bytes(bytes) => Json::String(STANDARD.encode(bytes)),
        Value::Array(list) => Json::Array(list.values.iter().map(inner).collect()),
        Value::KvList(map) => {
            let mut entries = BTreeMap::new();
            for pair in &map.values {
                entries.entry(pair.key.clone()).or_insert_with(|| pair.value.as_ref().map_or(Json::Null, inner));
            }
            Json::Object(entries.into_iter().collect())
        }
    }
}
