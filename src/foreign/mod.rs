//! Other tools' records, turned into completions and feedback in our own wire form: one file per tool.
//!
//! What comes out goes the way of everything else: the wire form's own parser has the last word on every bound, so that no
//! tool can bring in what a client could not. Members that we do not know are let pass, because these tools gain some with
//! every release. This module knows no I/O and no clock: files in, values out.

mod derived;
pub mod langfuse;
pub mod litellm;
pub mod mapping;
pub mod meaning;
pub mod mlflow;
pub mod open_webui;
pub mod openai;
pub mod otlp;
mod parts;
pub mod phoenix;
mod wire;

use crate::domain::fields::{FieldCode, FieldError};

/// Makes the fault of a whole record; it never quotes what the record holds.
fn fault(code: FieldCode, detail: &str) -> FieldError {
    FieldError::new("", code, detail)
}
