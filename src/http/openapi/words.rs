//! The words that schemas are made of, one for each parser of `domain::fields`. It knows no address.

use serde_json::{Map, Value, json};

use crate::domain::ids::MAX_ID_BYTES;

/// A member of an object: its name, its schema, and whether it must be there.
pub(super) type Member = (&'static str, Value, Presence);

/// Whether a member must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// It must, and is never null.
    Required,
    /// It may be absent, and null counts as absent.
    Optional,
}

/// A member that must be there.
pub(super) fn required(name: &'static str, schema: Value) -> Member {
    (name, schema, Presence::Required)
}

/// A member that may be absent or null.
pub(super) fn optional(name: &'static str, schema: Value) -> Member {
    (name, schema, Presence::Optional)
}

/// An object of these members and no others: what a request may hold.
pub(super) fn closed(members: Vec<Member>) -> Value {
    let mut schema = object(members);
    schema["additionalProperties"] = json!(false);
    schema
}

/// An object that may get further members in a later version: what an answer holds.
pub(super) fn object(members: Vec<Member>) -> Value {
    let required: Vec<&str> =
        members.iter().filter(|(.., presence)| *presence == Presence::Required).map(|(name, ..)| *name).collect();
    let properties: Map<String, Value> = members
        .into_iter()
        .map(|(name, schema, presence)| match presence {
            Presence::Required => (name.to_owned(), schema),
            Presence::Optional => (name.to_owned(), nullable(schema)),
        })
        .collect();
    let mut schema = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// The same, or null.
pub(super) fn nullable(mut schema: Value) -> Value {
    let Some(Value::String(kind)) = schema.get("type").cloned() else {
        return json!({ "anyOf": [schema, { "type": "null" }] });
    };
    if kind == "null" {
        return schema;
    }
    schema["type"] = json!([kind, "null"]);
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        words.push(Value::Null);
    }
    schema
}

/// What stands under a name among the components.
pub(super) fn named(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// Adds a sentence.
pub(super) fn described(mut schema: Value, description: &str) -> Value {
    schema["description"] = json!(description);
    schema
}

/// Text of 1 to 256 bytes of UTF-8 without U+0000; JSON Schema counts characters, so that the format says the rest.
pub(super) fn short_text() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": MAX_ID_BYTES, "format": "utf8-256" })
}

/// Text of at most so many bytes of UTF-8, without U+0000.
pub(super) fn text(max_bytes: usize) -> Value {
    json!({ "type": "string", "maxLength": max_bytes, "format": "utf8" })
}

/// A UUID.
pub(super) fn uuid() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

/// A moment with its offset, in the years 1970 to 9999.
pub(super) fn timestamp() -> Value {
    json!({ "type": "string", "format": "date-time", "pattern": "^(19[789]|[2-9][0-9][0-9])[0-9]-" })
}

/// A moment as an answer holds it.
pub(super) fn moment() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

/// One of these words.
pub(super) fn one_of<T>(words: &[(&'static str, T)]) -> Value {
    words_of(words.iter().map(|(word, _)| *word))
}

/// One of these words.
pub(super) fn words_of<'a>(words: impl IntoIterator<Item = &'a str>) -> Value {
    let words: Vec<&str> = words.into_iter().collect();
    json!({ "type": "string", "enum": words })
}

/// An integer in a closed range.
pub(super) fn integer(min: i64, max: i64) -> Value {
    json!({ "type": "integer", "minimum": min, "maximum": max })
}

/// A count as it is stored.
pub(super) fn count() -> Value {
    integer(0, i32::MAX.into())
}

/// A number of things in an answer.
pub(super) fn total() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

/// A finite number in a closed range.
pub(super) fn number(min: f64, max: f64) -> Value {
    json!({ "type": "number", "minimum": min, "maximum": max })
}

/// A number in an answer.
pub(super) fn estimate() -> Value {
    json!({ "type": ["number", "null"] })
}

/// `true` or `false`.
pub(super) fn boolean() -> Value {
    json!({ "type": "boolean" })
}

/// A list of at most so many items.
pub(super) fn list(max_items: usize, items: &Value) -> Value {
    json!({ "type": "array", "maxItems": max_items, "items": items })
}

/// A list in an answer.
pub(super) fn all(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}
