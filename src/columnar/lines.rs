//! Writes rows as lines of JSON: those that a fine-tuning service takes, which hold nothing but its keys, and beside them
//! those that prove the rows, line for line.

use std::io::Write;

use chrono::SecondsFormat;
use serde::Serialize;
use serde_json::{Map, Number, Value};

use super::ColumnarError;
use super::columns::{Cell, Row, better, prompt, worse};
use super::parts::WrittenPart;
use super::shape::{Config, Shape};
use crate::dataset::example::Turn;
use crate::domain::recipe::Layout;

/// What the lines hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// What the trainer reads.
    Rows,
    /// What proves each row, in the same order.
    Provenance,
}

/// Writes one config of one split. Sinks are opened when they are needed, so that no part is ever empty.
pub struct LinesWriter<W: Write, F> {
    shape: Shape,
    lines: Lines,
    part_bytes: usize,
    open: F,
    current: Option<WrittenPart<W>>,
    written: Vec<WrittenPart<W>>,
}

impl<W: Write, F> std::fmt::Debug for LinesWriter<W, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinesWriter").field("shape", &self.shape).field("lines", &self.lines).finish_non_exhaustive()
    }
}

impl<W, F> LinesWriter<W, F>
where
    W: Write,
    F: FnMut(usize) -> std::io::Result<W>,
{
    /// Prepares to write parts of at most `part_bytes`, or of one line; `open` gives the sink of the part with a number,
    /// from 0.
    pub fn new(shape: Shape, lines: Lines, part_bytes: usize, open: F) -> Self {
        Self { shape, lines, part_bytes, open, current: None, written: Vec::new() }
    }

    /// Appends a row.
    pub fn push(&mut self, row: &Row<'_>) -> Result<(), ColumnarError> {
        if !self.shape.takes(row.example) {
            return Err(ColumnarError::WrongFormat);
        }
        let mut line = match self.lines {
            Lines::Rows => of_row(self.shape, row)?,
            Lines::Provenance => of_provenance(self.shape, row)?,
        };
        line.push(b'\n');
        let n_bytes = line.len() as u64;
        if self.current.as_ref().is_some_and(|part| part.uncompressed_bytes + n_bytes > self.part_bytes as u64) {
            self.written.extend(self.current.take());
        }
        let part = match &mut self.current {
            Some(part) => part,
            none => none.insert(WrittenPart {
                sink: (self.open)(self.written.len()).map_err(ColumnarError::Open)?,
                n_rows: 0,
                uncompressed_bytes: 0,
            }),
        };
        part.sink.write_all(&line).map_err(ColumnarError::Line)?;
        part.n_rows += 1;
        part.uncompressed_bytes += n_bytes;
        Ok(())
    }

    /// Returns the parts in their order; their sinks are not flushed.
    pub fn finish(mut self) -> Vec<WrittenPart<W>> {
        self.written.extend(self.current);
        self.written
    }
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'a str,
    content: &'a str,
    /// 0 where nobody endorsed the turn; services train on every other turn of the assistant's.
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<u8>,
}

#[derive(Serialize)]
struct Conversation<'a> {
    messages: Vec<Message<'a>>,
}

#[derive(Serialize)]
struct Comparison<'a> {
    input: Input<'a>,
    preferred_output: [Message<'a>; 1],
    non_preferred_output: [Message<'a>; 1],
}

#[derive(Serialize)]
struct Input<'a> {
    messages: Vec<Message<'a>>,
    tools: [Value; 0],
    parallel_tool_calls: bool,
}

/// Writes what the trainer reads.
fn of_row(shape: Shape, row: &Row<'_>) -> Result<Vec<u8>, ColumnarError> {
    let said = |turn: &'_ Turn| -> Option<u8> {
        (shape.layout == Layout::OpenaiJsonl && turn.role == "assistant" && shape.config == Config::Sft).then_some(0)
    };
    let messages = prompt(row)
        .iter()
        .map(|turn| Message { role: turn.role, content: &turn.content, weight: said(turn) })
        .collect::<Vec<_>>();
    let line = match shape.config {
        Config::Sft => {
            let messages = messages.into_iter().chain([answer(better(row))]).collect();
            serde_json::to_vec(&Conversation { messages })
        }
        Config::Dpo => serde_json::to_vec(&Comparison {
            input: Input { messages, tools: [], parallel_tool_calls: true },
            preferred_output: [answer(better(row))],
            non_preferred_output: [answer(worse(row))],
        }),
        _ => return Err(ColumnarError::WrongFormat),
    };
    line.map_err(|error| ColumnarError::Line(error.into()))
}

fn answer(text: &str) -> Message<'_> {
    Message { role: "assistant", content: text, weight: None }
}

/// Writes what proves a row, under the names that the columns have elsewhere.
fn of_provenance(shape: Shape, row: &Row<'_>) -> Result<Vec<u8>, ColumnarError> {
    let mut members = Map::new();
    for column in shape.provenance() {
        let value = match (column.cell)(row) {
            Cell::Text(text) => Value::String(text.into_owned()),
            Cell::Bool(value) => Value::Bool(value),
            Cell::Int32(value) => Value::Number(value.into()),
            Cell::Float64(value) => Number::from_f64(value).map_or(Value::Null, Value::Number),
            Cell::Moment(moment) => Value::String(moment.to_rfc3339_opts(SecondsFormat::Micros, true)),
            Cell::Messages { .. } | Cell::Ranked { .. } | Cell::RewardModel { .. } | Cell::Extra { .. } => {
                return Err(ColumnarError::WrongFormat);
            }
        };
        members.insert(column.name.to_owned(), value);
    }
    serde_json::to_vec(&Value::Object(members)).map_err(|error| ColumnarError::Line(error.into()))
}
