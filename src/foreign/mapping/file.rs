//! The mapping file: TOML, read strictly, because a misspelt key would leave a column out without a word.

use toml::{Table, Value};

use super::path::Path;
use super::reaction::{Own, ReactionMap, Words};
use super::reading::{Form, Kind, Origin, Reading, text};
use super::{CompletionMap, FIELDS, Mapping, REQUIRED};
use crate::domain::feedback::{Outcome, Thumb};
use crate::domain::json::Json;

/// What is wrong with a mapping file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// It is no TOML.
    #[error("not valid TOML near line {line}")]
    Syntax {
        /// Line, from 1.
        line: usize,
    },
    /// Something in it makes no sense.
    #[error("{place}: {detail}")]
    Invalid {
        /// The key, as it is written in the file.
        place: String,
        /// What is expected.
        detail: &'static str,
    },
}

fn invalid<T>(place: impl Into<String>, detail: &'static str) -> Result<T, MappingError> {
    Err(MappingError::Invalid { place: place.into(), detail })
}

pub(super) fn parse(text: &str) -> Result<Mapping, MappingError> {
    let table = text.parse::<Table>().map_err(|error| {
        let at = error.span().map_or(0, |span| span.start.min(text.len()));
        MappingError::Syntax { line: 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count() }
    })?;
    let mut top = Keys::new("", table);
    let source = match top.take("source") {
        Some(Value::String(source)) if (1..=64).contains(&source.len()) => source,
        None => return invalid("source", "is required: a name for where the rows come from"),
        Some(_) => return invalid("source", "must be a text of 1 to 64 bytes"),
    };
    let completion = match top.take("completion") {
        Some(Value::Table(fields)) => Some(completion(&fields)?),
        None => None,
        Some(_) => return invalid("completion", "must be a table: [completion]"),
    };
    let feedback = match top.take("feedback") {
        Some(Value::Array(items)) => {
            items.into_iter().enumerate().map(|(place, item)| reaction(place + 1, item)).collect::<Result<_, _>>()?
        }
        None => Vec::new(),
        Some(_) => return invalid("feedback", "must be a list of tables: [[feedback]]"),
    };
    top.finish()?;
    if completion.is_none() && feedback.is_empty() {
        return invalid("completion", "there must be a [completion], a [[feedback]], or both");
    }
    Ok(Mapping { source, completion, feedback })
}

/// The keys of a table, taken out by name; what is left at the end is unknown.
struct Keys {
    place: String,
    table: Table,
}

impl Keys {
    fn new(place: impl Into<String>, table: Table) -> Self {
        Self { place: place.into(), table }
    }

    fn at(&self, name: &str) -> String {
        if self.place.is_empty() { name.to_owned() } else { format!("{}.{name}", self.place) }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.table.remove(name)
    }

    fn reading(&mut self, name: &str, kind: Kind) -> Result<Option<Reading>, MappingError> {
        let place = self.at(name);
        self.take(name).map(|value| reading(&place, value, kind)).transpose()
    }

    fn required(&mut self, name: &str, kind: Kind) -> Result<Reading, MappingError> {
        match self.reading(name, kind)? {
            Some(reading) => Ok(reading),
            None => invalid(self.at(name), "is required"),
        }
    }

    fn finish(self) -> Result<(), MappingError> {
        match self.table.keys().next() {
            Some(name) => {
                invalid(self.at(name), "is not known here; `afterword import mapping --example` has every key")
            }
            None => Ok(()),
        }
    }
}

/// Gives `usage = { input_tokens = "…" }` the names that the fields have, `usage.input_tokens`.
fn flattened(fields: &Table) -> Vec<(String, Value)> {
    let mut flat = Vec::new();
    for (name, value) in fields {
        match value {
            Value::Table(members) if !members.contains_key("path") && !members.contains_key("value") => {
                flat.extend(members.iter().map(|(member, value)| (format!("{name}.{member}"), value.clone())));
            }
            _ => flat.push((name.clone(), value.clone())),
        }
    }
    flat
}

fn completion(fields: &Table) -> Result<CompletionMap, MappingError> {
    let mut map = CompletionMap { fields: Vec::new(), all_tags: None, aliases: Vec::new() };
    for (name, value) in flattened(fields) {
        let place = format!("completion.{name}");
        if name == "tags" {
            map.all_tags = Some(reading(&place, value, Kind::Tree)?);
        } else if name == "aliases" {
            let Value::Array(items) = value else { return invalid(place, "must be a list of paths") };
            map.aliases = items.into_iter().map(|item| reading(&place, item, Kind::Text)).collect::<Result<_, _>>()?;
        } else if name.starts_with("tags.") {
            map.fields.push((name, reading(&place, value, Kind::Text)?));
        } else if let Some((_, kind)) = FIELDS.iter().find(|(known, _)| *known == name) {
            map.fields.push((name, reading(&place, value, *kind)?));
        } else {
            return invalid(place, "is no field of a completion; `afterword import mapping --example` has all of them");
        }
    }
    match REQUIRED.iter().find(|name| !map.fields.iter().any(|(known, _)| known == *name)) {
        Some(missing) => invalid(format!("completion.{missing}"), "is required"),
        None => Ok(map),
    }
}

/// Reads `"path"`, or `{ path = "…", form = "…", json = true }`, or `{ value = … }`.
fn reading(place: &str, value: Value, kind: Kind) -> Result<Reading, MappingError> {
    let (mut keys, path) = match value {
        Value::String(path) => (Keys::new(place, Table::new()), Some(Value::String(path))),
        Value::Table(table) => {
            let mut keys = Keys::new(place, table);
            let path = keys.take("path");
            (keys, path)
        }
        _ => return invalid(place, "must be a path, or a table with `path` or `value`"),
    };
    let origin = match (path, keys.take("value")) {
        (Some(Value::String(path)), None) => match Path::parse(&path) {
            Some(path) => Origin::At(path),
            None => return invalid(place, "is no path: names joined by dots"),
        },
        (None, Some(value)) => match constant(&value) {
            Some(value) => Origin::Constant(value),
            None => return invalid(place, "`value` must be a text, a number or a truth value"),
        },
        _ => return invalid(place, "must have either `path` or `value`"),
    };
    let form = match keys.take("form") {
        None => Some(Form::Rfc3339),
        Some(Value::String(word)) if kind == Kind::Moment => Form::parse(&word),
        Some(_) => None,
    };
    let Some(form) = form else {
        return invalid(
            keys.at("form"),
            "is for moments: rfc3339, unix_s, unix_ms, unix_us, unix_ns, or a pattern such as %Y-%m-%d %H:%M:%S",
        );
    };
    let is_json = match keys.take("json") {
        None => false,
        Some(Value::Boolean(is_json)) if kind == Kind::Tree => is_json,
        Some(_) => return invalid(keys.at("json"), "is true or false, for fields that hold messages or objects"),
    };
    keys.finish()?;
    Ok(Reading { origin, kind, form, is_json })
}

fn constant(value: &Value) -> Option<Json> {
    Some(match value {
        Value::String(text) => Json::String(text.clone()),
        Value::Integer(number) => Json::Integer(i128::from(*number)),
        Value::Float(number) if number.is_finite() => Json::Float(*number),
        Value::Boolean(is_true) => Json::Bool(*is_true),
        _ => return None,
    })
}

fn reaction(number: usize, item: Value) -> Result<ReactionMap, MappingError> {
    let place = format!("feedback[{number}]");
    let Value::Table(table) = item else { return invalid(place, "must be a table: [[feedback]]") };
    let mut keys = Keys::new(place, table);
    let when = match keys.take("when") {
        None => None,
        Some(Value::Table(table)) => Some(condition(&keys.at("when"), table)?),
        Some(_) => return invalid(keys.at("when"), "must be { path = \"…\", is = [ … ] }"),
    };
    let own = match keys.take("signal").as_ref().and_then(Value::as_str) {
        Some("thumb") => {
            let (value, words) = words(&mut keys, "value", Thumb::WORDS)?;
            let (reason, comment) = (keys.reading("reason", Kind::Text)?, keys.reading("comment", Kind::Text)?);
            Own::Thumb { value, words, reason, comment }
        }
        Some("rating") => scale(&mut keys)?,
        Some("preference") => {
            let against = keys.required("against", Kind::Text)?;
            let (outcome, words) = words(&mut keys, "outcome", Outcome::WORDS)?;
            Own::Preference { against, outcome, words }
        }
        Some("edit") => Own::Edit { text: keys.required("text", Kind::Text)? },
        Some("comment") => Own::Comment { text: keys.required("text", Kind::Text)? },
        _ => return invalid(keys.at("signal"), "must be one of: thumb, rating, preference, edit, comment"),
    };
    let map = ReactionMap {
        when,
        completion_id: keys.required("completion_id", Kind::Text)?,
        key: keys.reading("key", Kind::Text)?,
        user: keys.reading("user", Kind::Text)?,
        at: keys.reading("at", Kind::Moment)?,
        own,
    };
    keys.finish()?;
    Ok(map)
}

fn condition(place: &str, mut table: Table) -> Result<(Reading, Vec<String>), MappingError> {
    let values = values(&format!("{place}.is"), table.remove("is"))?;
    Ok((reading(place, Value::Table(table), Kind::Text)?, values))
}

/// Reads a list of values, as the texts that they are compared as.
fn values(place: &str, value: Option<Value>) -> Result<Vec<String>, MappingError> {
    let Some(Value::Array(items)) = value else { return invalid(place, "must be a list of values") };
    let texts: Option<Vec<String>> = items.iter().map(|item| text(&constant(item)?)).collect();
    match texts {
        Some(texts) if !texts.is_empty() => Ok(texts),
        _ => invalid(place, "must be a list of texts, numbers or truth values"),
    }
}

/// Reads `{ path = "…", up = [ … ], down = [ … ] }`: which values mean which of our words.
fn words<T>(keys: &mut Keys, name: &str, known: &[(&'static str, T)]) -> Result<(Reading, Words), MappingError> {
    let place = keys.at(name);
    let Some(Value::Table(mut table)) = keys.take(name) else {
        return invalid(place, "is required: { path = \"…\" } with a list of values for each word");
    };
    let mut words = Words::new();
    for (word, _) in known {
        if let Some(list) = table.remove(*word) {
            words.push((word, values(&format!("{place}.{word}"), Some(list))?));
        }
    }
    if words.is_empty() {
        return invalid(place, "must say which values mean what, such as up = [\"good\", 1]");
    }
    let all: Vec<&String> = words.iter().flat_map(|(_, values)| values).collect();
    if all.iter().enumerate().any(|(index, value)| all[..index].contains(value)) {
        return invalid(place, "one value means two words");
    }
    Ok((reading(&place, Value::Table(table), Kind::Text)?, words))
}

/// Reads `{ path = "…", min = 1, max = 5 }`.
fn scale(keys: &mut Keys) -> Result<Own, MappingError> {
    let place = keys.at("value");
    let Some(Value::Table(mut table)) = keys.take("value") else {
        return invalid(place, "is required: { path = \"…\", min = 1, max = 5 }");
    };
    let mut bound = |name: &str| match table.remove(name) {
        Some(Value::Integer(bound)) => Some(bound as f64),
        Some(Value::Float(bound)) if bound.is_finite() => Some(bound),
        _ => None,
    };
    match (bound("min"), bound("max")) {
        (Some(min), Some(max)) if min < max => {
            Ok(Own::Rating { value: reading(&place, Value::Table(table), Kind::Number)?, min, max })
        }
        _ => invalid(place, "needs `min` and `max`, the ends of the scale: a guess would make praise of what is none"),
    }
}
