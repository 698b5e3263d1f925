//! Examples as Arrow columns and Parquet files, in the exact shapes that the trainers load unchanged.
//!
//! It knows examples and `impl Write`: nothing of databases, folders, names of files or time. The same examples in the
//! same order give the same bytes (DS-2).

pub mod columns;
pub mod lines;
pub mod parts;
pub mod reader;
mod rows;
pub mod shape;
pub mod texts;

/// A data-set file that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ColumnarError {
    /// The rows do not fit their columns: a bug of ours.
    #[error("the rows do not fit the columns")]
    Rows(#[source] arrow::error::ArrowError),
    /// Encoding or writing failed.
    #[error("a part could not be written")]
    Write(#[source] parquet::errors::ParquetError),
    /// A part could not be opened.
    #[error("a part could not be opened")]
    Open(#[source] std::io::Error),
    /// A file is no part, or a broken one.
    #[error("a part cannot be read")]
    Unreadable(#[source] parquet::errors::ParquetError),
    /// A part has other columns than it should.
    #[error("a part lacks the column `{0}`, or it is of another type")]
    OtherColumn(&'static str),
    /// A line could not be written.
    #[error("a line could not be written")]
    Line(#[source] std::io::Error),
    /// A file of somebody else's could not be read.
    #[error("a Parquet file could not be read")]
    Read,
    /// The example is of another format than the columns.
    #[error("the example has no such column")]
    WrongFormat,
}

impl ColumnarError {
    /// Returns the failure of the place that was written to, where that is what went wrong.
    pub fn as_io(&self) -> Option<&std::io::Error> {
        match self {
            Self::Open(error) | Self::Line(error) => Some(error),
            Self::Write(parquet::errors::ParquetError::External(source)) => source.downcast_ref(),
            _ => None,
        }
    }
}
