//! A strict JSON tree: the door through which every request body comes in.
//!
//! serde_json alone keeps the last of two equal keys, nests 128 deep, rounds an integer that does not fit 64 bits and
//! quotes the offending value in its errors. This reader refuses duplicate keys, such integers, nesting beyond
//! [`MAX_DEPTH`] and more than [`MAX_VALUES`] values, and its errors carry a kind and a position, never a value.

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 32;
/// How deep they may nest in what other tools write: messages with the arguments of tool calls as objects reach 36.
pub const MAX_FOREIGN_DEPTH: usize = 64;
/// How many values one text may hold. A value of two bytes takes up to a hundred in the tree, so that a bound on the
/// bytes alone would let a small body take a large memory.
pub const MAX_VALUES: usize = 500_000;

/// A parsed JSON value; objects keep the order of their keys.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without fraction or exponent that fits 64 bits.
    Integer(i128),
    /// Any other number; always finite.
    Float(f64),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object, its keys unique and in the order in which they came.
    Object(Vec<(String, Json)>),
}

/// Why a text is not acceptable JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text is not JSON, or not UTF-8.
    #[error("not valid JSON near line {line}, column {column}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// An object has the same key twice.
    #[error("an object has the same key twice, near line {line}, column {column}")]
    DuplicateKey {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// Arrays and objects nest deeper than they may.
    #[error("arrays and objects nest deeper than {max_depth} levels")]
    TooDeep {
        /// How deep they may nest.
        max_depth: usize,
    },
    /// There are more than [`MAX_VALUES`] values.
    #[error("there are more than {MAX_VALUES} values; send fewer items in one request")]
    TooManyValues,
    /// An integer does not fit 64 bits.
    #[error("an integer does not fit 64 bits; write it as a string")]
    IntegerTooLarge,
}

impl Json {
    /// Parses a whole text as one JSON value.
    pub fn parse(text: &[u8]) -> Result<Self, JsonError> {
        Self::parse_within(text, MAX_DEPTH)
    }

    /// Parses a whole text of another tool's as one JSON value, which may nest up to [`MAX_FOREIGN_DEPTH`].
    pub fn parse_foreign(text: &[u8]) -> Result<Self, JsonError> {
        Self::parse_within(text, MAX_FOREIGN_DEPTH)
    }

    fn parse_within(text: &[u8], max_depth: usize) -> Result<Self, JsonError> {
        let course = Course::up_to(max_depth);
        let mut reader = serde_json::Deserializer::from_slice(text);
        let outcome = Tree::read(&course, &mut reader).and_then(|value| reader.end().map(|()| value));
        let value = outcome.map_err(|error| course.explain(&error))?;
        course.check_integers(text)?;
        Ok(value)
    }

    /// Parses a text of another tool's that holds one JSON value after the other, in lines or not; their bounds hold for
    /// all of them together. The text of no value is an error of syntax.
    pub fn parse_stream(text: &[u8]) -> Result<Vec<Self>, JsonError> {
        let course = Course::up_to(MAX_FOREIGN_DEPTH);
        let mut reader = serde_json::Deserializer::from_slice(text);
        let mut values = Vec::new();
        loop {
            values.push(Tree::read(&course, &mut reader).map_err(|error| course.explain(&error))?);
            if reader.end().is_ok() {
                break;
            }
        }
        course.check_integers(text)?;
        Ok(values)
    }

    /// Returns the value under a key, where this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Returns the text, where this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Tells whether a string or key anywhere in the value holds U+0000, which Postgres cannot store.
    pub fn contains_nul(&self) -> bool {
        match self {
            Self::String(text) => text.contains('\0'),
            Self::Array(items) => items.iter().any(Self::contains_nul),
            Self::Object(entries) => entries.iter().any(|(key, value)| key.contains('\0') || value.contains_nul()),
            _ => false,
        }
    }

    /// Writes the value as compact JSON with keys sorted and `null` members left out, so that equal contents are equal
    /// texts; members of the outermost object that `is_kept` refuses are left out as well.
    pub fn write_canonical(&self, buffer: &mut Vec<u8>, is_kept: impl Fn(&str) -> bool) {
        match self {
            Self::Object(entries) => {
                let mut kept: Vec<&(String, Self)> =
                    entries.iter().filter(|(key, value)| *value != Self::Null && is_kept(key)).collect();
                kept.sort_unstable_by(|left, right| left.0.cmp(&right.0));
                buffer.push(b'{');
                for (place, (key, value)) in kept.into_iter().enumerate() {
                    if place > 0 {
                        buffer.push(b',');
                    }
                    write_string(key, buffer);
                    buffer.push(b':');
                    value.write_canonical_whole(buffer);
                }
                buffer.push(b'}');
            }
            Self::Array(items) => {
                buffer.push(b'[');
                for (place, item) in items.iter().enumerate() {
                    if place > 0 {
                        buffer.push(b',');
                    }
                    item.write_canonical_whole(buffer);
                }
                buffer.push(b']');
            }
            Self::String(text) => write_string(text, buffer),
            other => other.write_text(buffer),
        }
    }

    /// Writes the whole value as [`Json::write_canonical`] does; a function of its own, because the recursion needs one
    /// type.
    pub fn write_canonical_whole(&self, buffer: &mut Vec<u8>) {
        self.write_canonical(buffer, keep_all as fn(&str) -> bool);
    }

    /// Returns about how much memory the value takes.
    pub fn n_bytes(&self) -> usize {
        let inner: usize = match self {
            Self::String(text) => text.len(),
            Self::Array(items) => items.iter().map(Self::n_bytes).sum(),
            Self::Object(entries) => {
                entries.iter().map(|(key, value)| size_of::<String>() + key.len() + value.n_bytes()).sum()
            }
            _ => 0,
        };
        size_of::<Self>() + inner
    }

    /// Writes the value as compact JSON.
    pub fn to_text(&self) -> String {
        // A tree of strings, finite numbers and unique string keys always serialises.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Writes the value as compact JSON at the end of a buffer.
    pub fn write_text(&self, buffer: &mut Vec<u8>) {
        // As above; and a vector takes whatever is written to it.
        let _always = serde_json::to_writer(buffer, self);
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => match (u64::try_from(*value), i64::try_from(*value)) {
                (Ok(unsigned), _) => serializer.serialize_u64(unsigned),
                (_, Ok(signed)) => serializer.serialize_i64(signed),
                _ => serializer.serialize_i128(*value),
            },
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(value),
            serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(integer), _) => Self::Integer(integer.into()),
                (_, Some(integer)) => Self::Integer(integer.into()),
                _ => number.as_f64().map_or(Self::Null, Self::Float),
            },
            serde_json::Value::String(text) => Self::String(text),
            serde_json::Value::Array(items) => Self::Array(items.into_iter().map(Self::from).collect()),
            serde_json::Value::Object(entries) => {
                Self::Object(entries.into_iter().map(|(key, value)| (key, Self::from(value))).collect())
            }
        }
    }
}

fn keep_all(_: &str) -> bool {
    true
}

fn write_string(text: &str, buffer: &mut Vec<u8>) {
    // Text always serialises, and a vector takes whatever is written to it.
    let _always = serde_json::to_writer(buffer, text);
}

/// Tells whether valid JSON holds a number without fraction and exponent that does not fit 64 bits.
fn has_large_integer(text: &[u8]) -> bool {
    let (mut place, mut in_string) = (0, false);
    while let Some(byte) = text.get(place) {
        match byte {
            b'\\' if in_string => place += 1,
            b'"' => in_string = !in_string,
            b'-' | b'0'..=b'9' if !in_string => {
                let is_part = |byte: &&u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
                let length = text[place..].iter().take_while(is_part).count();
                let literal = std::str::from_utf8(&text[place..place + length]).unwrap_or_default();
                let is_integer = !literal.contains(['.', 'e', 'E']);
                if is_integer && literal.parse::<u64>().is_err() && literal.parse::<i64>().is_err() {
                    return true;
                }
                place += length;
                continue;
            }
            _ => {}
        }
        place += 1;
    }
    false
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    DuplicateKey,
    TooDeep,
    TooManyValues,
}

/// What the reading of one text has met so far; it carries our own reasons past serde's stringly error type.
#[derive(Debug)]
struct Course {
    max_depth: usize,
    fault: Cell<Option<Fault>>,
    n_values: Cell<usize>,
    has_large_float: Cell<bool>,
}

impl Course {
    fn up_to(max_depth: usize) -> Self {
        Self { max_depth, fault: Cell::default(), n_values: Cell::default(), has_large_float: Cell::default() }
    }

    /// Says in words of ours why the reading ended.
    fn explain(&self, error: &serde_json::Error) -> JsonError {
        let (line, column) = (error.line(), error.column());
        match self.fault.get() {
            Some(Fault::DuplicateKey) => JsonError::DuplicateKey { line, column },
            Some(Fault::TooDeep) => JsonError::TooDeep { max_depth: self.max_depth },
            Some(Fault::TooManyValues) => JsonError::TooManyValues,
            None => JsonError::Syntax { line, column },
        }
    }

    /// serde_json hands over an integer beyond 64 bits as a float, which only the text can tell from one.
    fn check_integers(&self, text: &[u8]) -> Result<(), JsonError> {
        if self.has_large_float.get() && has_large_integer(text) { Err(JsonError::IntegerTooLarge) } else { Ok(()) }
    }

    fn refuse<E: de::Error>(&self, fault: Fault) -> E {
        self.fault.set(Some(fault));
        E::custom("refused")
    }
}

/// Builds the tree.
struct Tree<'a> {
    depth: usize,
    course: &'a Course,
}

impl<'a> Tree<'a> {
    /// Reads the next value of a text.
    fn read<'de>(
        course: &'a Course,
        reader: &mut serde_json::Deserializer<serde_json::de::SliceRead<'de>>,
    ) -> Result<Json, serde_json::Error> {
        Self { depth: 0, course }.deserialize(reader)
    }

    /// Goes on to a value inside this one.
    fn deeper<E: de::Error>(&self) -> Result<Tree<'_>, E> {
        if self.depth >= self.course.max_depth {
            return Err(self.course.refuse(Fault::TooDeep));
        }
        Ok(Tree { depth: self.depth + 1, course: self.course })
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Json;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        let n_values = self.course.n_values.get() + 1;
        if n_values > MAX_VALUES {
            return Err(self.course.refuse(Fault::TooManyValues));
        }
        self.course.n_values.set(n_values);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Integer(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        // 2^63: whatever is nearer to zero fits 64 bits.
        if value.abs() >= 9_223_372_036_854_775_808.0 {
            self.course.has_large_float.set(true);
        }
        Ok(Json::Float(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self.deeper()?)? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut entries: Vec<(String, Json)> = Vec::new();
        // Most objects are small, where a scan beats hashing; large ones must not be quadratic.
        let mut seen: HashSet<String> = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            let inner = self.deeper()?;
            let repeated = if entries.len() < 16 {
                entries.iter().any(|(name, _)| *name == key)
            } else {
                if seen.is_empty() {
                    seen.extend(entries.iter().map(|(name, _)| name.clone()));
                }
                !seen.insert(key.clone())
            };
            if repeated {
                return Err(self.course.refuse(Fault::DuplicateKey));
            }
            entries.push((key, map.next_value_seed(inner)?));
        }
        Ok(Json::Object(entries))
    }
}

#[cfg(test)]
mod tests;
