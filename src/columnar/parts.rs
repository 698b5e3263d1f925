//! Writes rows into Parquet parts of bounded size, one after the other.

use std::io::Write;

use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{CdcOptions, WriterProperties};

use super::ColumnarError;
use super::columns::{Config, Row};
use super::rows::Rows;

/// Bounds of what is written, in bytes before encoding and compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartSizes {
    /// Rows that are handed to the encoder together.
    pub batch_bytes: usize,
    /// A row group: `datasets` reads one whole, and the encoder holds one whole.
    pub row_group_bytes: usize,
    /// A part.
    pub part_bytes: usize,
}

impl Default for PartSizes {
    fn default() -> Self {
        Self { batch_bytes: 4_000_000, row_group_bytes: 100_000_000, part_bytes: 500_000_000 }
    }
}

/// A part that is whole.
#[derive(Debug)]
pub struct WrittenPart<W> {
    /// Where it was written.
    pub sink: W,
    /// Its rows; never 0.
    pub n_rows: u64,
    /// Its size before encoding and compression.
    pub uncompressed_bytes: u64,
}

/// Writes one config of one split. Sinks are opened when they are needed, so that no part is ever empty.
pub struct PartsWriter<W: Write + Send, F> {
    config: Config,
    sizes: PartSizes,
    properties: WriterProperties,
    open: F,
    rows: Rows,
    current: Option<Current<W>>,
    written: Vec<WrittenPart<W>>,
}

struct Current<W: Write + Send> {
    writer: ArrowWriter<W>,
    n_rows: u64,
    group_bytes: usize,
    part_bytes: usize,
}

impl<W: Write + Send, F> std::fmt::Debug for PartsWriter<W, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PartsWriter").field("config", &self.config).field("sizes", &self.sizes).finish_non_exhaustive()
    }
}

impl<W, F> PartsWriter<W, F>
where
    W: Write + Send,
    F: FnMut(usize) -> std::io::Result<W>,
{
    /// Prepares to write; `open` gives the sink of the part with a number, from 0.
    pub fn new(config: Config, sizes: PartSizes, open: F) -> Result<Self, ColumnarError> {
        Ok(Self {
            config,
            sizes,
            properties: properties(sizes)?,
            open,
            rows: Rows::new(config),
            current: None,
            written: Vec::new(),
        })
    }

    /// Appends a row.
    pub fn push(&mut self, row: &Row<'_>) -> Result<(), ColumnarError> {
        if !self.config.takes(row.example) {
            return Err(ColumnarError::WrongFormat);
        }
        self.rows.push(row)?;
        if self.rows.size_bytes() >= self.sizes.batch_bytes {
            self.write_batch()?;
        }
        Ok(())
    }

    /// Writes what is left and returns the parts in their order.
    pub fn finish(mut self) -> Result<Vec<WrittenPart<W>>, ColumnarError> {
        self.write_batch()?;
        self.close_part()?;
        Ok(self.written)
    }

    fn write_batch(&mut self) -> Result<(), ColumnarError> {
        let (n_rows, size_bytes) = (self.rows.n_rows(), self.rows.size_bytes());
        if n_rows == 0 {
            return Ok(());
        }
        if self.current.as_ref().is_some_and(|part| part.part_bytes + size_bytes > self.sizes.part_bytes) {
            self.close_part()?;
        }
        let part = match &mut self.current {
            Some(part) => part,
            none => none.insert(Current::open(&self.properties, self.config, &mut self.open, self.written.len())?),
        };
        if part.group_bytes > 0 && part.group_bytes + size_bytes > self.sizes.row_group_bytes {
            part.writer.flush().map_err(ColumnarError::Write)?;
            part.group_bytes = 0;
        }
        part.writer.write(&self.rows.take()?).map_err(ColumnarError::Write)?;
        part.n_rows += n_rows as u64;
        part.group_bytes += size_bytes;
        part.part_bytes += size_bytes;
        Ok(())
    }

    fn close_part(&mut self) -> Result<(), ColumnarError> {
        if let Some(Current { writer, n_rows, part_bytes, .. }) = self.current.take() {
            // `into_inner` writes the footer and flushes.
            let sink = writer.into_inner().map_err(ColumnarError::Write)?;
            self.written.push(WrittenPart { sink, n_rows, uncompressed_bytes: part_bytes as u64 });
        }
        Ok(())
    }
}

impl<W: Write + Send> Current<W> {
    fn open(
        properties: &WriterProperties,
        config: Config,
        open: &mut impl FnMut(usize) -> std::io::Result<W>,
        number: usize,
    ) -> Result<Self, ColumnarError> {
        let sink = open(number).map_err(ColumnarError::Open)?;
        let writer = ArrowWriter::try_new(sink, config.schema(), Some(properties.clone()));
        Ok(Self { writer: writer.map_err(ColumnarError::Write)?, n_rows: 0, group_bytes: 0, part_bytes: 0 })
    }
}

/// The page index is written by default. Chunks are cut where the content says so: erasing a few rows then leaves most
/// pages of a new export equal to those of the old one.
fn properties(sizes: PartSizes) -> Result<WriterProperties, ColumnarError> {
    let level = ZstdLevel::try_new(3).map_err(ColumnarError::Write)?;
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(None)
        .set_max_row_group_bytes(Some(sizes.row_group_bytes))
        .set_content_defined_chunking(Some(CdcOptions::default()))
        .set_coerce_types(true)
        .build())
}
