//! The REST interface over real HTTP on a real Postgres; the files mirror the addresses.

#![cfg(test)]

mod adapters;
mod authentication;
mod bad_bodies;
mod bad_input;
mod bodies;
mod comparisons;
mod completions;
mod cors;
mod credentials;
mod erasure;
mod experiments;
mod exports;
mod feedback;
mod health;
mod links;
mod matrix;
mod metrics;
mod openapi;
mod otlp;
mod pages;
mod plans;
mod presence;
mod queries;
mod quotas;
mod reading;
mod sdk;
mod smuggling;

use serde_json::{Value, json};
use uuid::Uuid;

/// Makes a completion with what is required.
fn completion(id: &str) -> Value {
    json!({"id": id, "model": "m", "prompt": "Why?", "response": {"role": "assistant", "content": "Because."}})
}

/// Makes a thumb up with an id of its own.
pub(crate) fn thumb(completion_id: &str) -> Value {
    json!({"id": feedback_id(), "completion_id": completion_id, "signal": "thumb", "value": "up"})
}

/// Makes an id as a client would.
#[expect(clippy::disallowed_methods, reason = "a test is its own client")]
fn feedback_id() -> String {
    Uuid::now_v7().to_string()
}

/// Returns a copy of an object with one member replaced.
fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut changed = object.clone();
    changed[name] = value;
    changed
}
