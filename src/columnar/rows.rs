//! Collects rows column by column, and hands them over as one Arrow batch.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int32Builder, ListArray, RecordBatch, StringBuilder, StructArray,
    TimestampMicrosecondBuilder,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::SchemaRef;

use super::ColumnarError;
use super::columns::{Cell, Column, Config, Kind, Row, message_field, message_fields};

/// What a value costs besides its own bytes: the length that Parquet stores before every text.
const LENGTH_BYTES: usize = 4;

/// Rows that are not written yet.
pub(super) struct Rows {
    schema: SchemaRef,
    columns: Vec<Column>,
    values: Vec<Values>,
    count: usize,
    size_bytes: usize,
}

impl Rows {
    pub(super) fn new(config: Config) -> Self {
        let columns = config.columns();
        let values = columns.iter().map(|column| Values::new(column.kind)).collect();
        Self { schema: config.schema(), columns, values, count: 0, size_bytes: 0 }
    }

    pub(super) fn push(&mut self, row: &Row<'_>) -> Result<(), ColumnarError> {
        for (column, values) in self.columns.iter().zip(&mut self.values) {
            self.size_bytes += values.push(&(column.cell)(row)).ok_or(ColumnarError::WrongFormat)?;
        }
        self.count += 1;
        Ok(())
    }

    pub(super) fn n_rows(&self) -> usize {
        self.count
    }

    /// Returns the size of the values before encoding and compression.
    pub(super) fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// Returns everything that was pushed, and starts anew.
    pub(super) fn take(&mut self) -> Result<RecordBatch, ColumnarError> {
        let arrays = self.values.iter_mut().map(Values::take).collect();
        (self.count, self.size_bytes) = (0, 0);
        RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(ColumnarError::Rows)
    }
}

/// The values of one column.
enum Values {
    Messages { roles: StringBuilder, contents: StringBuilder, lengths: Vec<usize> },
    Text(StringBuilder),
    Bool(BooleanBuilder),
    Int32(Int32Builder),
    Float64(Float64Builder),
    Moment(TimestampMicrosecondBuilder),
}

impl Values {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Messages => {
                Self::Messages { roles: StringBuilder::new(), contents: StringBuilder::new(), lengths: Vec::new() }
            }
            Kind::Text => Self::Text(StringBuilder::new()),
            Kind::Bool => Self::Bool(BooleanBuilder::new()),
            Kind::Int32 => Self::Int32(Int32Builder::new()),
            Kind::Float64 => Self::Float64(Float64Builder::new()),
            Kind::Moment => Self::Moment(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
        }
    }

    /// Appends a value and returns its size in bytes; `None` where it is of another type.
    fn push(&mut self, cell: &Cell<'_>) -> Option<usize> {
        Some(match (self, cell) {
            (Self::Messages { roles, contents, lengths }, Cell::Messages { before, answer }) => {
                let turns = before.iter().map(|turn| (turn.role, turn.content.as_str()));
                let mut size_bytes = LENGTH_BYTES;
                let mut n_messages = 0;
                for (role, content) in turns.chain(answer.map(|answer| ("assistant", answer))) {
                    roles.append_value(role);
                    contents.append_value(content);
                    size_bytes += role.len() + content.len() + 2 * LENGTH_BYTES;
                    n_messages += 1;
                }
                lengths.push(n_messages);
                size_bytes
            }
            (Self::Text(texts), Cell::Text(text)) => {
                texts.append_value(text);
                text.len() + LENGTH_BYTES
            }
            (Self::Bool(values), Cell::Bool(value)) => {
                values.append_value(*value);
                1
            }
            (Self::Int32(values), Cell::Int32(value)) => {
                values.append_value(*value);
                size_of::<i32>()
            }
            (Self::Float64(values), Cell::Float64(value)) => {
                values.append_value(*value);
                size_of::<f64>()
            }
            (Self::Moment(values), Cell::Moment(moment)) => {
                values.append_value(moment.timestamp_micros());
                size_of::<i64>()
            }
            _ => return None,
        })
    }

    fn take(&mut self) -> ArrayRef {
        match self {
            Self::Messages { roles, contents, lengths } => {
                let messages = StructArray::new(
                    message_fields(),
                    vec![Arc::new(roles.finish()), Arc::new(contents.finish())],
                    None,
                );
                let offsets = OffsetBuffer::from_lengths(std::mem::take(lengths));
                Arc::new(ListArray::new(message_field(), offsets, Arc::new(messages), None))
            }
            Self::Text(values) => Arc::new(values.finish()),
            Self::Bool(values) => Arc::new(values.finish()),
            Self::Int32(values) => Arc::new(values.finish()),
            Self::Float64(values) => Arc::new(values.finish()),
            Self::Moment(values) => Arc::new(values.finish()),
        }
    }
}
