//! Reads parts back, a few columns and a few rows at a time: what checks and comparisons of exports look at.
//!
//! It takes whatever columns a part has, so that parts of other layouts and versions can be read.

use std::fs::File;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, Schema, TimeUnit};
use arrow::row::{RowConverter, SortField};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};

use super::ColumnarError;
use super::columns::Kind;
use crate::domain::hash::ContentHash;

/// Rows of small columns that are held at a time.
const N_ROWS_OF_KEYS: usize = 8_192;
/// Rows with their texts that are held at a time.
const N_ROWS_OF_TEXTS: usize = 128;

/// A part that is read.
#[derive(Debug)]
pub struct PartReader {
    file: File,
    metadata: ArrowReaderMetadata,
}

impl PartReader {
    /// Opens a part; the file may be anything.
    pub fn open(file: File) -> Result<Self, ColumnarError> {
        let metadata =
            ArrowReaderMetadata::load(&file, ArrowReaderOptions::default()).map_err(ColumnarError::Unreadable)?;
        Ok(Self { file, metadata })
    }

    /// Returns how many rows it has.
    pub fn n_rows(&self) -> u64 {
        self.metadata.metadata().file_metadata().num_rows().max(0) as u64
    }

    /// Tells whether it has a column.
    pub fn has(&self, column: &str) -> bool {
        self.schema().column_with_name(column).is_some()
    }

    /// Names every column with its type: two parts with one description can be read as one.
    pub fn describe(&self) -> String {
        let lines = self.schema().fields().iter().map(|field| {
            let nulls = if field.is_nullable() { " or null" } else { "" };
            format!("{}: {}{nulls}\n", field.name(), field.data_type())
        });
        lines.collect()
    }

    /// Hashes names and types of the columns as a config does; `None` where a type is none of a config's.
    pub fn fingerprint(&self) -> Option<ContentHash> {
        let lines: Option<Vec<String>> = self
            .schema()
            .fields()
            .iter()
            .map(|field| Some(format!("{}: {}\n", field.name(), kind_of(field.data_type())?.as_str())))
            .collect();
        Some(ContentHash::of_bytes("schema", lines?.concat().as_bytes()))
    }

    /// Tells the texts of a column one by one.
    pub fn texts(&self, column: &'static str, mut each: impl FnMut(&str)) -> Result<(), ColumnarError> {
        for batch in self.read(&[column], N_ROWS_OF_KEYS)? {
            let batch = batch.map_err(ColumnarError::Rows)?;
            let texts = batch.column(0).as_string_opt::<i32>().ok_or(ColumnarError::OtherColumn(column))?;
            texts.iter().for_each(|text| each(text.unwrap_or_default()));
        }
        Ok(())
    }

    /// Counts the values of a column of truth values: those that are true, and those that are false.
    pub fn count_bools(&self, column: &'static str) -> Result<(u64, u64), ColumnarError> {
        let (mut n_true, mut n_false) = (0, 0);
        for batch in self.read(&[column], N_ROWS_OF_KEYS)? {
            let batch = batch.map_err(ColumnarError::Rows)?;
            let values = batch.column(0).as_boolean_opt().ok_or(ColumnarError::OtherColumn(column))?;
            n_true += values.true_count() as u64;
            n_false += values.false_count() as u64;
        }
        Ok((n_true, n_false))
    }

    /// Returns the places of the rows, from 0, whose values in two columns are the same.
    pub fn equal_rows(&self, left: &'static str, right: &'static str) -> Result<Vec<u64>, ColumnarError> {
        let (mut equal, mut n_rows) = (Vec::new(), 0);
        for batch in self.read(&[left, right], N_ROWS_OF_TEXTS)? {
            let batch = batch.map_err(ColumnarError::Rows)?;
            let [one, other] = [left, right].map(|name| batch.column_by_name(name));
            let (Some(one), Some(other)) = (one, other) else { return Err(ColumnarError::OtherColumn(left)) };
            let is_equal = |row: &usize| one.slice(*row, 1).as_ref() == other.slice(*row, 1).as_ref();
            equal.extend((0..batch.num_rows()).filter(is_equal).map(|row| n_rows + row as u64));
            n_rows += batch.num_rows() as u64;
        }
        Ok(equal)
    }

    /// Tells each row's text in one column, with the hash of everything that the row holds.
    pub fn contents(&self, key: &'static str, mut each: impl FnMut(&str, ContentHash)) -> Result<(), ColumnarError> {
        let fields = self.schema().fields().iter().map(|field| SortField::new(field.data_type().clone())).collect();
        let converter = RowConverter::new(fields).map_err(ColumnarError::Rows)?;
        let names: Vec<&str> = self.schema().fields().iter().map(|field| field.name().as_str()).collect();
        for batch in self.read(&names, N_ROWS_OF_TEXTS)? {
            let batch = batch.map_err(ColumnarError::Rows)?;
            let keys = text_column(&batch, key)?;
            let rows = converter.convert_columns(batch.columns()).map_err(ColumnarError::Rows)?;
            for (place, row) in rows.iter().enumerate() {
                each(keys.as_string::<i32>().value(place), ContentHash::of_bytes("row", row.as_ref()));
            }
        }
        Ok(())
    }

    /// Tells the texts of two columns, row by row.
    pub fn pairs(&self, columns: [&'static str; 2], mut each: impl FnMut(&str, &str)) -> Result<(), ColumnarError> {
        for batch in self.read(&columns, N_ROWS_OF_KEYS)? {
            let batch = batch.map_err(ColumnarError::Rows)?;
            let (left, right) = (text_column(&batch, columns[0])?, text_column(&batch, columns[1])?);
            let (left, right) = (left.as_string::<i32>(), right.as_string::<i32>());
            (0..batch.num_rows()).for_each(|row| each(left.value(row), right.value(row)));
        }
        Ok(())
    }

    fn schema(&self) -> &Schema {
        self.metadata.schema()
    }

    /// Reads some columns, so many rows at a time; they come in the order of the file.
    fn read(&self, columns: &[&str], n_rows: usize) -> Result<ParquetRecordBatchReader, ColumnarError> {
        let is_wanted = |field: &&std::sync::Arc<arrow::datatypes::Field>| columns.contains(&field.name().as_str());
        let places: Vec<usize> =
            self.schema().fields().iter().enumerate().filter(|(_, field)| is_wanted(field)).map(|(at, _)| at).collect();
        if places.len() != columns.len() {
            return Err(ColumnarError::OtherColumn("a column that is looked for"));
        }
        let file = self.file.try_clone().map_err(ColumnarError::Open)?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
        let mask = ProjectionMask::roots(builder.parquet_schema(), places);
        builder.with_projection(mask).with_batch_size(n_rows).build().map_err(ColumnarError::Unreadable)
    }
}

fn text_column<'a>(batch: &'a RecordBatch, name: &'static str) -> Result<&'a ArrayRef, ColumnarError> {
    let column = batch.column_by_name(name).ok_or(ColumnarError::OtherColumn(name))?;
    if *column.data_type() == DataType::Utf8 { Ok(column) } else { Err(ColumnarError::OtherColumn(name)) }
}

/// Returns the kind that a column of a config has with this type.
fn kind_of(data_type: &DataType) -> Option<Kind> {
    Some(match data_type {
        DataType::List(item) => match item.data_type() {
            DataType::Struct(fields) => {
                let is_message = fields.len() == 2
                    && fields[0].name() == "role"
                    && fields[1].name() == "content"
                    && fields.iter().all(|field| *field.data_type() == DataType::Utf8);
                is_message.then_some(Kind::Messages)?
            }
            _ => return None,
        },
        DataType::Utf8 => Kind::Text,
        DataType::Boolean => Kind::Bool,
        DataType::Int32 => Kind::Int32,
        DataType::Float64 => Kind::Float64,
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if &**zone == "UTC" => Kind::Moment,
        _ => return None,
    })
}
