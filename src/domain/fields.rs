//! Reads the members of a JSON object one by one and collects everything that is wrong with them.
//!
//! An error names a place (a JSON Pointer made of our own field names) and a code; it never holds a value, nor a
//! key that the client made up.

use std::fmt;

use chrono::{DateTime, Datelike as _, SubsecRound, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::clock::Timestamp;
pub use super::field_code::FieldCode;
use super::json::Json;
use super::nearest::nearest;

/// One thing that is wrong with an input: where, what, and a sentence that helps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// A JSON Pointer (RFC 6901) into the body, made of names that we chose.
    pub pointer: String,
    /// The stable code.
    pub code: FieldCode,
    /// A sentence that says what is expected; it never quotes the input.
    pub detail: String,
    /// Of an object with members that it does not have, the names of those that it has: for whoever can show the text.
    #[serde(skip)]
    pub known: Vec<&'static str>,
}

impl FieldError {
    /// Makes an error at a place.
    pub fn new(pointer: impl Into<String>, code: FieldCode, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into(), known: Vec::new() }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pointer.is_empty() { f.write_str(&self.detail) } else { write!(f, "{}: {}", self.pointer, self.detail) }
    }
}

/// How many faults of one item are told. Whoever has so many at once has sent something else altogether, and the answer
/// must not grow with the input.
pub const MAX_ERRORS: usize = 20;

/// The members of one object, taken out by name; what is left at the end is unknown.
#[derive(Debug)]
pub struct Fields {
    pointer: String,
    entries: Vec<(String, Json)>,
    known: Vec<&'static str>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// Opens an object that stands at `pointer`.
    pub fn open(value: Json, pointer: impl Into<String>) -> Result<Self, Vec<FieldError>> {
        let pointer = pointer.into();
        match value {
            Json::Object(entries) => Ok(Self { pointer, entries, known: Vec::with_capacity(24), errors: Vec::new() }),
            _ => Err(vec![FieldError::new(pointer, FieldCode::WrongType, "must be an object")]),
        }
    }

    /// Returns the pointer of a member.
    pub fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.pointer)
    }

    /// Tells whether a member is present and not null, without taking it.
    pub fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|(key, value)| key == name && *value != Json::Null)
    }

    /// Returns a member as it is, without taking it.
    pub fn at_value(&self, name: &str) -> Option<&Json> {
        self.entries.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Records something wrong with a member.
    pub fn fail(&mut self, name: &str, code: FieldCode, detail: impl Into<String>) {
        let pointer = if name.is_empty() { self.pointer.clone() } else { self.at(name) };
        self.record(FieldError::new(pointer, code, detail));
    }

    /// Tells whether as many errors are recorded as are told; there is no use in looking for more.
    pub fn is_full(&self) -> bool {
        self.errors.len() >= MAX_ERRORS
    }

    fn record(&mut self, error: FieldError) {
        if !self.is_full() {
            self.errors.push(error);
        }
    }

    /// Takes a member as it is; null counts as absent.
    pub fn take(&mut self, name: &'static str) -> Option<Json> {
        self.known.push(name);
        let index = self.entries.iter().position(|(key, _)| key == name)?;
        match self.entries.swap_remove(index).1 {
            Json::Null => None,
            value => Some(value),
        }
    }

    /// Takes an optional member through `parse`, recording what is wrong with it.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&Json) -> Result<T, (FieldCode, String)>,
    ) -> Option<T> {
        let value = self.take(name)?;
        match parse(&value) {
            Ok(parsed) => Some(parsed),
            Err((code, detail)) => {
                self.fail(name, code, detail);
                None
            }
        }
    }

    /// Takes a required member through `parse`, recording what is wrong with it or that it is absent.
    pub fn required<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&Json) -> Result<T, (FieldCode, String)>,
    ) -> Option<T> {
        if self.has(name) {
            return self.optional(name, parse);
        }
        self.take(name);
        self.fail(name, FieldCode::Required, format!("`{name}` is required"));
        None
    }

    /// Takes an optional list of at most `max_items` items, each through `parse`; what is wrong with one of them is
    /// recorded at its place.
    pub fn items<T>(
        &mut self,
        name: &'static str,
        max_items: usize,
        parse: impl Fn(&Json) -> Result<T, (FieldCode, String)>,
    ) -> Option<Vec<T>> {
        let items = self.optional(name, list(max_items, |item| Ok(item.clone())))?;
        let mut parsed = Vec::with_capacity(items.len());
        for (place, item) in items.iter().enumerate() {
            match parse(item) {
                Ok(item) => parsed.push(item),
                Err((code, detail)) => self.fail(&format!("{name}/{place}"), code, detail),
            }
        }
        (parsed.len() == items.len()).then_some(parsed)
    }

    /// Takes an optional member that is an object of its own through `parse`, which is given its fields.
    pub fn nested<T>(&mut self, name: &'static str, parse: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let value = self.take(name)?;
        match Self::open(value, self.at(name)) {
            Ok(mut inner) => {
                let parsed = parse(&mut inner);
                if let Err(errors) = inner.finish() {
                    self.extend(errors);
                }
                Some(parsed)
            }
            Err(errors) => {
                self.extend(errors);
                None
            }
        }
    }

    /// Records errors that were found elsewhere.
    pub fn extend(&mut self, errors: Vec<FieldError>) {
        for error in errors {
            self.record(error);
        }
    }

    /// Takes every member that was not asked for; they are then not unknown.
    pub fn take_rest(&mut self) -> Vec<(String, Json)> {
        std::mem::take(&mut self.entries)
    }

    /// Ends the reading: everything that was recorded, and an error if members are left that nobody asked for.
    pub fn finish(mut self) -> Result<(), Vec<FieldError>> {
        if !self.entries.is_empty() {
            let mut known = std::mem::take(&mut self.known);
            known.sort_unstable();
            known.dedup();
            // One field is told apart from others by what it may mean; several are not, since they cannot be named.
            let meant = match &self.entries[..] {
                [(name, _)] => nearest(name, &known),
                _ => None,
            };
            let what = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("known are: {}", known.join(", ")),
            };
            let detail = format!("holds a field that is not known here; {what}");
            let error = FieldError::new(self.pointer.as_str(), FieldCode::UnknownField, detail);
            self.record(FieldError { known, ..error });
        }
        if self.errors.is_empty() { Ok(()) } else { Err(self.errors) }
    }
}

type Parsed<T> = Result<T, (FieldCode, String)>;

fn wrong_type<T>(expected: &str) -> Parsed<T> {
    Err((FieldCode::WrongType, format!("must be {expected}")))
}

/// Parses text of at most `max_bytes` bytes without U+0000; it may be empty.
pub fn text(max_bytes: usize) -> impl Fn(&Json) -> Parsed<String> {
    move |value| match value {
        Json::String(text) if text.len() > max_bytes => {
            Err((FieldCode::TooLong, format!("must be at most {max_bytes} bytes long")))
        }
        Json::String(text) if text.contains('\0') => {
            Err((FieldCode::NulCharacter, "must not contain U+0000".to_owned()))
        }
        Json::String(text) => Ok(text.clone()),
        _ => wrong_type("a string"),
    }
}

/// Parses text of 1 to 256 bytes without U+0000.
pub fn short_text(value: &Json) -> Parsed<String> {
    let text = text(super::ids::MAX_ID_BYTES)(value)?;
    if text.is_empty() { Err((FieldCode::Empty, "must not be empty".to_owned())) } else { Ok(text) }
}

/// Parses a client-given id with the id type's own `parse`.
pub fn id<T>(parse: impl Fn(&str) -> Result<T, FieldCode>) -> impl Fn(&Json) -> Parsed<T> {
    move |value| match value {
        Json::String(text) => parse(text)
            .map_err(|code| (code, format!("must be an id of 1 to {} bytes without U+0000", super::ids::MAX_ID_BYTES))),
        _ => wrong_type("a string"),
    }
}

/// Parses one of a fixed list of words.
pub fn one_of<T: Copy>(words: &'static [(&'static str, T)]) -> impl Fn(&Json) -> Parsed<T> {
    move |value| match value {
        Json::String(text) => words.iter().find(|(word, _)| word == text).map(|(_, parsed)| *parsed).ok_or_else(|| {
            let list: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            (FieldCode::NotOneOf, format!("must be one of: {}", list.join(", ")))
        }),
        _ => wrong_type("a string"),
    }
}

/// Up to here, 2^53, a float holds every integer exactly.
const MAX_EXACT_FLOAT: f64 = 9_007_199_254_740_992.0;

/// Parses an integer in a closed range. `5.0` is one: JSON has one kind of number, and some clients write every number
/// with a fraction.
pub fn integer(min: i64, max: i64) -> impl Fn(&Json) -> Parsed<i64> {
    move |value| {
        let number = match value {
            Json::Integer(number) => i64::try_from(*number).ok(),
            Json::Float(number) if number.fract() == 0.0 => {
                Some(*number as i64).filter(|_| number.abs() <= MAX_EXACT_FLOAT)
            }
            _ => return wrong_type("an integer"),
        };
        number
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| (FieldCode::OutOfRange, format!("must be between {min} and {max}")))
    }
}

/// Parses an integer between 0 and 2^31 - 1, the range of the counts that we store.
pub fn count(value: &Json) -> Parsed<i32> {
    integer(0, i32::MAX.into())(value).map(|number| number as i32)
}

/// Parses a finite number in a closed range.
pub fn number(min: f64, max: f64) -> impl Fn(&Json) -> Parsed<f64> {
    move |value| {
        let number = match value {
            Json::Integer(number) => *number as f64,
            Json::Float(number) => *number,
            _ => return wrong_type("a number"),
        };
        if (min..=max).contains(&number) {
            Ok(number)
        } else {
            Err((FieldCode::OutOfRange, format!("must be between {min} and {max}")))
        }
    }
}

/// Parses `true` or `false`.
pub fn boolean(value: &Json) -> Parsed<bool> {
    match value {
        Json::Bool(value) => Ok(*value),
        _ => wrong_type("true or false"),
    }
}

/// Parses an RFC 3339 timestamp with its offset, between the years 1970 and 9999.
pub fn timestamp(value: &Json) -> Parsed<Timestamp> {
    let Json::String(text) = value else { return wrong_type("a string") };
    let malformed = || {
        (FieldCode::Malformed, "must be an RFC 3339 timestamp with an offset, such as 2026-01-31T12:00:00Z".to_owned())
    };
    let parsed = DateTime::parse_from_rfc3339(text).map_err(|_| malformed())?.with_timezone(&Utc).trunc_subsecs(6);
    // An offset can carry the moment over either end.
    if !(1970..=9999).contains(&parsed.year()) {
        return Err((FieldCode::OutOfRange, "must lie between the years 1970 and 9999".to_owned()));
    }
    Ok(parsed)
}

/// Parses a UUID.
pub fn uuid(value: &Json) -> Parsed<Uuid> {
    match value {
        Json::String(text) => Uuid::try_parse(text).map_err(|_| (FieldCode::Malformed, "must be a UUID".to_owned())),
        _ => wrong_type("a string"),
    }
}

/// Parses a list of at most `max_items` items, each through `parse`.
pub fn list<T>(max_items: usize, parse: impl Fn(&Json) -> Parsed<T>) -> impl Fn(&Json) -> Parsed<Vec<T>> {
    move |value| match value {
        Json::Array(items) if items.len() > max_items => {
            Err((FieldCode::TooLong, format!("must have at most {max_items} items")))
        }
        Json::Array(items) => items.iter().map(&parse).collect(),
        _ => wrong_type("an array"),
    }
}

/// Parses any object, refusing U+0000 in it and a JSON text longer than `max_bytes`.
pub fn free_object(max_bytes: usize) -> impl Fn(&Json) -> Parsed<Json> {
    move |value| {
        if !matches!(value, Json::Object(_)) {
            return wrong_type("an object");
        }
        storable(value, max_bytes)
    }
}

/// Takes a value that can be stored as JSON text of at most `max_bytes` bytes.
pub fn storable(value: &Json, max_bytes: usize) -> Parsed<Json> {
    check_storable(value, max_bytes).map(|()| value.clone())
}

/// Checks that a value can be stored as JSON text of at most `max_bytes` bytes.
pub fn check_storable(value: &Json, max_bytes: usize) -> Parsed<()> {
    /// A control character of one byte is escaped as six; no other value's text is longer than this many times its memory.
    const MOST_TEXT_PER_BYTE: usize = 6;
    if value.contains_nul() {
        return Err((FieldCode::NulCharacter, "must not contain U+0000".to_owned()));
    }
    // Most values are far from the bound, and only those that are not need to be written out to be measured.
    if value.n_bytes().saturating_mul(MOST_TEXT_PER_BYTE) > max_bytes && value.to_text().len() > max_bytes {
        return Err((FieldCode::TooLong, format!("must be at most {max_bytes} bytes of JSON")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_field_is_told_by_what_it_may_mean_and_never_quoted() {
        let said = |text: &str| {
            let mut fields = Fields::open(Json::parse(text.as_bytes()).unwrap(), "/options").unwrap();
            fields.take("min_votes");
            fields.take("margin");
            fields.finish().unwrap_err().remove(0)
        };

        let near = said(r#"{"min_votez":1}"#);
        assert_eq!((near.pointer.as_str(), near.code), ("/options", FieldCode::UnknownField));
        assert_eq!(near.detail, "holds a field that is not known here; did you mean `min_votes`?");
        assert_eq!(near.known, ["margin", "min_votes"]);
        for strange in [r#"{"canary":1}"#, r#"{"min_votez":1,"canary":1}"#] {
            assert_eq!(said(strange).detail, "holds a field that is not known here; known are: margin, min_votes");
        }
    }

    #[test]
    fn an_item_of_a_list_is_faulted_at_its_place() {
        let mut fields = Fields::open(Json::parse(br#"{"l":["a","",7]}"#).unwrap(), "").unwrap();

        assert_eq!(fields.items("l", 3, short_text), None);
        let errors = fields.finish().unwrap_err();
        let found: Vec<(&str, FieldCode)> = errors.iter().map(|error| (error.pointer.as_str(), error.code)).collect();
        assert_eq!(found, [("/l/1", FieldCode::Empty), ("/l/2", FieldCode::WrongType)]);
    }

    #[test]
    fn an_integer_may_be_written_with_a_fraction_of_zero_as_far_as_it_is_exact() {
        let read = |text: &str| integer(-5, i64::MAX)(&Json::parse(text.as_bytes()).unwrap()).map_err(|(code, _)| code);

        for (text, expected) in [
            ("7.0", Ok(7)),
            ("-0.0", Ok(0)),
            ("1e3", Ok(1000)),
            ("9007199254740992.0", Ok(9_007_199_254_740_992)),
            ("9007199254740994.0", Err(FieldCode::OutOfRange)),
            ("1e300", Err(FieldCode::OutOfRange)),
            ("-6.0", Err(FieldCode::OutOfRange)),
            ("7.5", Err(FieldCode::WrongType)),
            ("\"7\"", Err(FieldCode::WrongType)),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
