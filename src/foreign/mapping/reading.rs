//! How one field of ours is read out of a row: by a path or as a constant, and as which kind of value.

use chrono::{DateTime, NaiveDateTime, SecondsFormat};

use super::path::Path;
use crate::domain::clock::Timestamp;
use crate::domain::fields::{FieldCode, FieldError};
use crate::domain::json::Json;
use crate::foreign::wire::without_nulls;

/// What a field of ours takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text; a number is written as one.
    Text,
    /// A number; a text that is one, as tables without types have, is read as such.
    Number,
    /// A truth value.
    Boolean,
    /// A moment.
    Moment,
    /// Messages, an object or a list, as they are; or a text.
    Tree,
}

/// How a moment is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Form {
    /// RFC 3339.
    Rfc3339,
    /// So many of these in a second since 1970.
    Unix(f64),
    /// By a pattern of `strftime`, in UTC unless the pattern says otherwise.
    Pattern(String),
}

impl Form {
    pub(super) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "rfc3339" => Self::Rfc3339,
            "unix_s" => Self::Unix(1.0),
            "unix_ms" => Self::Unix(1e3),
            "unix_us" => Self::Unix(1e6),
            "unix_ns" => Self::Unix(1e9),
            pattern if is_pattern(pattern) => Self::Pattern(pattern.to_owned()),
            _ => return None,
        })
    }

    fn read(&self, value: &Json) -> Option<Timestamp> {
        match self {
            Self::Rfc3339 => DateTime::parse_from_rfc3339(value.as_str()?.trim()).ok().map(|at| at.to_utc()),
            Self::Unix(per_second) => {
                let micros = (number(value)? / per_second * 1e6).round();
                // Until the end of the year 9999.
                (0.0..253_402_300_800e6).contains(&micros).then(|| DateTime::from_timestamp_micros(micros as i64))?
            }
            Self::Pattern(pattern) => {
                let text = value.as_str()?.trim();
                let with_zone = DateTime::parse_from_str(text, pattern).map(|at| at.to_utc());
                with_zone.ok().or_else(|| Some(NaiveDateTime::parse_from_str(text, pattern).ok()?.and_utc()))
            }
        }
    }
}

fn is_pattern(text: &str) -> bool {
    use chrono::format::{Item, StrftimeItems};
    text.contains('%') && !StrftimeItems::new(text).any(|item| matches!(item, Item::Error))
}

/// Where a field's value comes from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Origin {
    /// Out of the row.
    At(Path),
    /// The same in every row.
    Constant(Json),
}

/// How a field is read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reading {
    pub(super) origin: Origin,
    pub(super) kind: Kind,
    pub(super) form: Form,
    /// Whether a text there is JSON itself, as cells of tables hold it.
    pub(super) is_json: bool,
}

impl Reading {
    /// Gives the same in every row.
    pub(super) fn constant(value: Json, kind: Kind) -> Self {
        Self { origin: Origin::Constant(value), kind, form: Form::Rfc3339, is_json: false }
    }

    /// Reads the field; nothing where the row has nothing there. `pointer` names the field in a fault.
    pub(super) fn read(&self, row: &Json, pointer: &str) -> Result<Option<Json>, FieldError> {
        let wrong = |code, detail: &str| Err(FieldError::new(pointer, code, detail));
        let Some(found) = self.raw(row) else { return Ok(None) };
        let value = match self.kind {
            Kind::Text => text(found).map(Json::String),
            Kind::Number => number(found).map(|number| whole(number).unwrap_or(Json::Float(number))),
            Kind::Boolean => boolean(found).map(Json::Bool),
            Kind::Moment => match self.form.read(found) {
                Some(at) => Some(Json::String(at.to_rfc3339_opts(SecondsFormat::Micros, true))),
                None => return wrong(FieldCode::Malformed, "is no moment of the form that the mapping names"),
            },
            Kind::Tree => match (found, self.is_json) {
                (Json::String(text), true) => match Json::parse_foreign(text.as_bytes()) {
                    Ok(tree) => Some(tidied(&tree)),
                    Err(_) => return wrong(FieldCode::Malformed, "is no JSON, which the mapping says that it is"),
                },
                (tree, _) => Some(tidied(tree)),
            },
        };
        match value {
            Some(value) => Ok(Some(value)),
            None => wrong(FieldCode::WrongType, "is of another kind than the field takes"),
        }
    }

    /// Returns what stands there, as it is.
    pub(super) fn raw<'a>(&'a self, row: &'a Json) -> Option<&'a Json> {
        match &self.origin {
            Origin::At(path) => path.find(row),
            Origin::Constant(value) => Some(value),
        }
    }

    /// Tells whether a column of the row is read.
    pub(super) fn uses(&self, column: &str) -> bool {
        matches!(&self.origin, Origin::At(path) if path.begins_at(column))
    }
}

/// Messages of other tools have members that are null and mean nothing.
fn tidied(tree: &Json) -> Json {
    match tree {
        Json::Array(items) => Json::Array(items.iter().map(without_nulls).collect()),
        other => without_nulls(other),
    }
}

/// Writes a single value as text, the same whether its source has types or not: 1 and 1.0 are `1`.
pub(super) fn text(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Bool(is_true) => Some(is_true.to_string()),
        Json::Integer(number) => Some(number.to_string()),
        Json::Float(number) => Some(whole(*number).unwrap_or(Json::Float(*number)).to_text()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

pub(super) fn number(value: &Json) -> Option<f64> {
    match value {
        Json::Integer(number) => Some(*number as f64),
        Json::Float(number) => Some(*number),
        Json::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

fn boolean(value: &Json) -> Option<bool> {
    match text(value)?.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn whole(number: f64) -> Option<Json> {
    // Beyond 2⁵³ not every whole number has a float of its own.
    (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(Json::Integer(number as i128))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: Kind, form: &str, is_json: bool, value: &str) -> Result<String, FieldCode> {
        let origin = Origin::Constant(Json::parse(value.as_bytes()).unwrap());
        let reading = Reading { origin, kind, form: Form::parse(form).unwrap(), is_json };
        reading.read(&Json::Null, "/x").map(|value| value.unwrap().to_text()).map_err(|error| error.code)
    }

    #[test]
    fn cells_without_types_are_read_as_what_the_field_takes() {
        for (kind, value, expected) in [
            (Kind::Text, "7", Ok("\"7\"")),
            (Kind::Text, "7.0", Ok("\"7\"")),
            (Kind::Text, "[]", Err(FieldCode::WrongType)),
            (Kind::Number, "\" 812 \"", Ok("812")),
            (Kind::Number, "\"0.5\"", Ok("0.5")),
            (Kind::Number, "\"many\"", Err(FieldCode::WrongType)),
            (Kind::Number, "\"inf\"", Err(FieldCode::WrongType)),
            (Kind::Boolean, "\"True\"", Ok("true")),
            (Kind::Boolean, "0", Ok("false")),
            (Kind::Boolean, "\"perhaps\"", Err(FieldCode::WrongType)),
            (Kind::Tree, r#"[{"role":"user","content":"x","name":null}]"#, Ok(r#"[{"role":"user","content":"x"}]"#)),
        ] {
            assert_eq!(read(kind, "rfc3339", false, value), expected.map(str::to_owned), "{kind:?} {value}");
        }
        assert_eq!(read(Kind::Tree, "rfc3339", true, r#""[{\"a\":1}]""#), Ok(r#"[{"a":1}]"#.to_owned()));
        assert_eq!(read(Kind::Tree, "rfc3339", true, "\"[{\""), Err(FieldCode::Malformed));
    }

    #[test]
    fn a_moment_is_read_by_the_form_that_was_named_and_no_other() {
        let noon = || Ok("\"2026-01-31T12:00:00.250000Z\"".to_owned());
        for (form, value) in [
            ("rfc3339", "\"2026-01-31T13:00:00.25+01:00\""),
            ("unix_s", "1769860800.25"),
            ("unix_ms", "1769860800250"),
            ("unix_ms", "\"1769860800250\""),
            ("unix_us", "1769860800250000"),
            ("unix_ns", "1769860800250000000"),
            ("%Y-%m-%d %H:%M:%S%.f", "\"2026-01-31 12:00:00.25\""),
            ("%d.%m.%Y %H:%M:%S%.f %z", "\"31.01.2026 13:00:00.25 +0100\""),
        ] {
            assert_eq!(read(Kind::Moment, form, false, value), noon(), "{form} {value}");
        }
        for (form, value) in [
            ("rfc3339", "\"2026-01-31\""),
            ("rfc3339", "1769860800"),
            ("unix_s", "-1"),
            ("unix_s", "1769860800250"),
            ("unix_s", "\"soon\""),
            ("%Y-%m-%d", "\"31.01.2026\""),
        ] {
            assert_eq!(read(Kind::Moment, form, false, value), Err(FieldCode::Malformed), "{form} {value}");
        }
        for wrong in ["", "unix", "noon", "%Q"] {
            assert_eq!(Form::parse(wrong), None, "{wrong}");
        }
    }
}
