//! Collects rows column by column, and hands them over as one Arrow batch.

use std::sync::Arc;

use arrow::array::{
    ArrayBuilder as _, ArrayRef, BooleanBuilder, Float64Builder, Int32Builder, Int64Array, Int64Builder, ListArray,
    RecordBatch, StringArray, StringBuilder, StructArray, TimestampMicrosecondBuilder,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::SchemaRef;

use super::ColumnarError;
use super::columns::{
    Cell, Column, Kind, Row, extra_fields, json_field, message_field, message_fields, ranked_field, ranked_fields,
    reward_model_fields,
};
use super::shape::Shape;

/// What a value costs besides its own bytes: the length that Parquet stores before every text.
const LENGTH_BYTES: usize = 4;

/// Who speaks in an answer.
const ANSWERING: &str = "assistant";

/// Rows that are not written yet.
pub(super) struct Rows {
    schema: SchemaRef,
    columns: Vec<Column>,
    values: Vec<Values>,
    count: usize,
    size_bytes: usize,
}

impl Rows {
    pub(super) fn new(shape: Shape) -> Self {
        let columns = shape.columns();
        let values = columns.iter().map(|column| Values::new(column.kind)).collect();
        Self { schema: shape.schema(), columns, values, count: 0, size_bytes: 0 }
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
    Message { roles: StringBuilder, contents: StringBuilder },
    Ranked { contents: StringBuilder, count: usize },
    RewardModel { styles: StringBuilder, truths: StringBuilder },
    Extra { splits: StringBuilder, indexes: Int64Builder },
    JsonMessages { texts: StringBuilder, lengths: Vec<usize> },
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
            Kind::Message => Self::Message { roles: StringBuilder::new(), contents: StringBuilder::new() },
            Kind::Ranked => Self::Ranked { contents: StringBuilder::new(), count: 0 },
            Kind::RewardModel => Self::RewardModel { styles: StringBuilder::new(), truths: StringBuilder::new() },
            Kind::Extra => Self::Extra { splits: StringBuilder::new(), indexes: Int64Builder::new() },
            Kind::JsonMessages => Self::JsonMessages { texts: StringBuilder::new(), lengths: Vec::new() },
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
                for (role, content) in turns.chain(answer.map(|answer| (ANSWERING, answer))) {
                    roles.append_value(role);
                    contents.append_value(content);
                    size_bytes += role.len() + content.len() + 2 * LENGTH_BYTES;
                    n_messages += 1;
                }
                lengths.push(n_messages);
                size_bytes
            }
            (Self::Message { roles, contents }, Cell::Messages { answer: Some(answer), .. }) => {
                roles.append_value(ANSWERING);
                contents.append_value(answer);
                ANSWERING.len() + answer.len() + 2 * LENGTH_BYTES
            }
            (Self::Ranked { contents, count }, Cell::Ranked { better, worse }) => {
                contents.append_value(better);
                contents.append_value(worse);
                *count += 1;
                better.len() + worse.len() + 2 * (ANSWERING.len() + size_of::<i64>() + 3 * LENGTH_BYTES)
            }
            (Self::RewardModel { styles, truths }, Cell::RewardModel { style, ground_truth }) => {
                styles.append_value(style);
                truths.append_value(ground_truth);
                style.len() + ground_truth.len() + 2 * LENGTH_BYTES
            }
            (Self::Extra { splits, indexes }, Cell::Extra { split, index }) => {
                splits.append_value(split);
                indexes.append_value(*index);
                split.len() + LENGTH_BYTES + size_of::<i64>()
            }
            (Self::JsonMessages { texts, lengths }, Cell::Messages { before, answer }) => {
                let mut size_bytes = LENGTH_BYTES;
                let mut n_messages = 0;
                for text in before.iter().map(|turn| turn.content.as_str()).chain(*answer) {
                    texts.append_value(text);
                    size_bytes += text.len() + LENGTH_BYTES;
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
                let messages =
                    StructArray::new(message_fields(), vec![Arc::new(taken(roles)), Arc::new(taken(contents))], None);
                let offsets = OffsetBuffer::from_lengths(std::mem::take(lengths));
                Arc::new(ListArray::new(message_field(), offsets, Arc::new(messages), None))
            }
            Self::Message { roles, contents } => {
                let columns: Vec<ArrayRef> = vec![Arc::new(taken(roles)), Arc::new(taken(contents))];
                Arc::new(StructArray::new(message_fields(), columns, None))
            }
            Self::Ranked { contents, count } => ranked(contents, std::mem::take(count)),
            Self::RewardModel { styles, truths } => {
                let columns: Vec<ArrayRef> = vec![Arc::new(styles.finish()), Arc::new(truths.finish())];
                Arc::new(StructArray::new(reward_model_fields(), columns, None))
            }
            Self::Extra { splits, indexes } => {
                let columns: Vec<ArrayRef> = vec![Arc::new(splits.finish()), Arc::new(indexes.finish())];
                Arc::new(StructArray::new(extra_fields(), columns, None))
            }
            Self::JsonMessages { texts, lengths } => {
                let offsets = OffsetBuffer::from_lengths(std::mem::take(lengths));
                Arc::new(ListArray::new(json_field(), offsets, Arc::new(taken(texts)), None))
            }
            Self::Text(values) => Arc::new(taken(values)),
            Self::Bool(values) => Arc::new(values.finish()),
            Self::Int32(values) => Arc::new(values.finish()),
            Self::Float64(values) => Arc::new(values.finish()),
            Self::Moment(values) => Arc::new(values.finish()),
        }
    }
}

/// Takes the texts of a batch, and makes room for as many and a little more: the next batch is about as large, and a buffer
/// that starts empty would copy all of it once while it grows.
fn taken(texts: &mut StringBuilder) -> StringArray {
    let (n_texts, n_bytes) = (texts.len(), texts.values_slice().len());
    let array = texts.finish();
    *texts = StringBuilder::with_capacity(n_texts + n_texts / 8, n_bytes + n_bytes / 8);
    array
}

/// Builds `n_rows` lists of two ranked answers each, from their texts in turn.
fn ranked(contents: &mut StringBuilder, n_rows: usize) -> ArrayRef {
    let n_answers = 2 * n_rows;
    let roles = StringArray::from_iter_values(std::iter::repeat_n(ANSWERING, n_answers));
    let messages = StructArray::new(message_fields(), vec![Arc::new(roles), Arc::new(taken(contents))], None);
    let one_each = OffsetBuffer::from_lengths(std::iter::repeat_n(1, n_answers));
    let completions = ListArray::new(message_field(), one_each, Arc::new(messages), None);
    let ranks = Int64Array::from_iter_values((0..n_rows).flat_map(|_| [0, 1]));
    let answers = StructArray::new(ranked_fields(), vec![Arc::new(ranks), Arc::new(completions)], None);
    let two_each = OffsetBuffer::from_lengths(std::iter::repeat_n(2, n_rows));
    Arc::new(ListArray::new(ranked_field(), two_each, Arc::new(answers), None))
}
