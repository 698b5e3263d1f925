//! Every text of a Parquet file, whoever wrote it and whatever its columns are.

use arrow::array::{Array, AsArray as _};
use arrow::datatypes::DataType;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::reader::ChunkReader;

use super::ColumnarError;

/// Rows that are decoded at once.
const N_ROWS_OF_BATCH: usize = 1_024;

/// Hands over every text of a file: of columns of texts, and of lists and structures that hold some.
pub fn for_each_text<E: From<ColumnarError>>(
    file: impl ChunkReader + 'static,
    mut take: impl FnMut(&str) -> Result<(), E>,
) -> Result<(), E> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let unreadable = |_| ColumnarError::Read;
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(unreadable)?;
    let reader = reader.with_batch_size(N_ROWS_OF_BATCH).build().map_err(unreadable)?;
    for batch in reader {
        let batch = batch.map_err(|_| ColumnarError::Read)?;
        for column in batch.columns() {
            visit(column, &mut take)?;
        }
    }
    Ok(())
}

fn visit<E>(column: &dyn Array, take: &mut impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().iter().flatten().try_for_each(take),
        DataType::LargeUtf8 => column.as_string::<i64>().iter().flatten().try_for_each(take),
        DataType::Utf8View => column.as_string_view().iter().flatten().try_for_each(take),
        DataType::Dictionary(..) => visit(column.as_any_dictionary().values(), take),
        DataType::List(_) => visit(column.as_list::<i32>().values(), take),
        DataType::LargeList(_) => visit(column.as_list::<i64>().values(), take),
        DataType::Struct(_) => column.as_struct().columns().iter().try_for_each(|column| visit(column, take)),
        DataType::Map(..) => visit(column.as_map().entries(), take),
        _ => Ok(()),
    }
}
