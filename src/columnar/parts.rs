//! Writes rows into Parquet parts of bounded size, one after the other.

use std::io::Write;

use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{CdcOptions, WriterProperties};

use super::ColumnarError;
use super::columns::Row;
use super::rows::Rows;
use super::shape::Shape;

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
    shape: Shape,
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
        f.debug_struct("PartsWriter").field("shape", &self.shape).field("sizes", &self.sizes).finish_non_exhaustive()
    }
}

impl<W, F> PartsWriter<W, F>
where
    W: Write + Send,
    F: FnMut(usize) -> std::io::Result<W>,
{
    /// Prepares to write; `open` gives the sink of the part with a number, from 0.
    pub fn new(shape: Shape, sizes: PartSizes, open: F) -> Result<Self, ColumnarError> {
        Ok(Self {
            shape,
            sizes,
            properties: properties(sizes)?,
            open,
            rows: Rows::new(shape),
            current: None,
            written: Vec::new(),
        })
    }

    /// Appends a row.
    pub fn push(&mut self, row: &Row<'_>) -> Result<(), ColumnarError> {
        if !self.shape.takes(row.example) {
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
            none => none.insert(Current::open(&self.properties, self.shape, &mut self.open, self.written.len())?),
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
        shape: Shape,
        open: &mut impl FnMut(usize) -> std::io::Result<W>,
        number: usize,
    ) -> Result<Self, ColumnarError> {
        let sink = open(number).map_err(ColumnarError::Open)?;
        let writer = ArrowWriter::try_new(sink, shape.schema(), Some(properties.clone()));
        Ok(Self { writer: writer.map_err(ColumnarError::Write)?, n_rows: 0, group_bytes: 0, part_bytes: 0 })
    }
}

/// Measured in ADR 0029: level 3 takes twice the time for a few hundredths of the size.
const ZSTD_LEVEL: i32 = 1;

/// The page index is written by default. Chunks are cut where the content says so: erasing a few rows then leaves most
/// pages of a new export equal to those of the old one.
fn properties(sizes: PartSizes) -> Result<WriterProperties, ColumnarError> {
    let level = ZstdLevel::try_new(ZSTD_LEVEL).map_err(ColumnarError::Write)?;
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(None)
        .set_max_row_group_bytes(Some(sizes.row_group_bytes))
        .set_content_defined_chunking(Some(CdcOptions::default()))
        .set_coerce_types(true)
        .build())
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array as _, AsArray as _, RecordBatch};
    use bytes::Bytes;
    use chrono::DateTime;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::file::metadata::ParquetMetaData;
    use uuid::Uuid;

    use super::super::shape::Config;
    use super::*;
    use crate::dataset::example::{Body, ChosenSource, Example, FirstShown, RowKind, Split, Turn};
    use crate::dataset::feedback_text::FeedbackText;
    use crate::domain::consent::Ground;
    use crate::domain::feedback::Signal;
    use crate::domain::hash::ContentHash;
    use crate::domain::ids::{CompletionId, FeedbackId};
    use crate::domain::recipe::Layout;

    const SMALL: PartSizes = PartSizes { batch_bytes: 2_000, row_group_bytes: 10_000, part_bytes: 30_000 };

    fn example(number: u8, body: Body) -> Example {
        Example {
            row_id: ContentHash([number; 16]),
            prompt_hash: ContentHash([0xab; 16]),
            body,
            feedback_text: FeedbackText::default(),
            tools: None,
            signal: Signal::Preference,
            rule: "preference",
            chosen_id: CompletionId::parse("better \"one\"").unwrap(),
            rejected_id: Some(CompletionId::parse("worse").unwrap()),
            feedback_ids: vec![FeedbackId(Uuid::from_u128(7))],
            chosen_model: "m".to_owned(),
            rejected_model: Some("m".to_owned()),
            chosen_source: ChosenSource::Model,
            n_votes: 3,
            agreement: 2.0 / 3.0,
            preference_strength: 1.0,
            sample_weight: 0.5,
            consent: Ground::Presumed,
            shown_first: FirstShown::Unknown,
            language: String::new(),
            experiment: None,
            created_at: DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap(),
            conversations: Vec::new(),
            users: Vec::new(),
            voters: Vec::new(),
            ties: Vec::new(),
        }
    }

    fn pair(number: u8) -> Example {
        let prompt = vec![
            Turn { role: "system", content: " \r\n\u{1F600}é ".to_owned() },
            Turn { role: "user", content: format!("question {number}") },
        ];
        let chosen = format!("good {number} {}", "x".repeat(500));
        example(number, Body::Pair { prompt, chosen, rejected: "bad".to_owned() })
    }

    fn endorsed() -> Example {
        let prompt = vec![Turn { role: "user", content: "q".to_owned() }];
        example(1, Body::Endorsed { prompt, response: "a".to_owned() })
    }

    fn row(example: &Example, group: u8) -> Row<'_> {
        Row { example, group: ContentHash([group; 16]), split: Split::Train, index: 7 }
    }

    fn of_kind(kind: RowKind) -> Example {
        let prompt = || vec![Turn { role: "user", content: "q".to_owned() }];
        match kind {
            RowKind::Pair => pair(1),
            RowKind::Labelled => {
                example(1, Body::Labelled { prompt: prompt(), completion: "a".to_owned(), label: false })
            }
            RowKind::Endorsed => endorsed(),
            RowKind::Prompt => example(1, Body::Prompt { prompt: prompt() }),
            RowKind::Tie => {
                let (first, second) = ("a".to_owned(), "b".to_owned());
                example(1, Body::Tie { prompt: prompt(), first, second, both_bad: true })
            }
        }
    }

    fn shape(config: Config) -> Shape {
        Shape {
            config,
            layout: Layout::Trl,
            has_tools: false,
            has_margin: config == Config::Reward,
            has_comments: true,
        }
    }

    fn write(config: Config, sizes: PartSizes, examples: &[Example]) -> Vec<WrittenPart<Vec<u8>>> {
        let mut writer = PartsWriter::new(shape(config), sizes, |_| Ok(Vec::new())).unwrap();
        for example in examples {
            writer.push(&row(example, 0xcd)).unwrap();
        }
        writer.finish().unwrap()
    }

    fn read(part: &WrittenPart<Vec<u8>>) -> (ParquetMetaData, RecordBatch) {
        let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(part.sink.clone())).unwrap();
        let metadata = builder.metadata().as_ref().clone();
        let schema = builder.schema().clone();
        let batches: Vec<RecordBatch> =
            builder.with_batch_size(10_000).build().unwrap().map(|batch| batch.unwrap()).collect();
        (metadata, arrow::compute::concat_batches(&schema, &batches).unwrap())
    }

    fn text<'a>(batch: &'a RecordBatch, column: &str, row: usize) -> &'a str {
        batch.column_by_name(column).unwrap().as_string::<i32>().value(row)
    }

    fn messages(batch: &RecordBatch, column: &str, row: usize) -> Vec<(String, String)> {
        let list = batch.column_by_name(column).unwrap().as_list::<i32>().value(row);
        let messages = list.as_struct();
        let part = |name: &str| messages.column_by_name(name).unwrap().as_string::<i32>().clone();
        let (roles, contents) = (part("role"), part("content"));
        (0..messages.len()).map(|i| (roles.value(i).to_owned(), contents.value(i).to_owned())).collect()
    }

    #[test]
    fn texts_and_provenance_come_back_byte_for_byte() {
        let parts = write(Config::Dpo, PartSizes::default(), &[pair(1), pair(2)]);

        let (_, batch) = read(&parts[0]);

        assert_eq!((parts.len(), parts[0].n_rows, batch.num_rows()), (1, 2, 2));
        let message = |role: &str, content: &str| (role.to_owned(), content.to_owned());
        assert_eq!(
            messages(&batch, "prompt", 1),
            [message("system", " \r\n\u{1F600}é "), message("user", "question 2")]
        );
        assert_eq!(messages(&batch, "chosen", 0), [message("assistant", &format!("good 1 {}", "x".repeat(500)))]);
        assert_eq!(messages(&batch, "rejected", 0), [message("assistant", "bad")]);
        assert_eq!(text(&batch, "row_id", 0), "01".repeat(16));
        assert_eq!(text(&batch, "group_id", 0), "cd".repeat(16));
        assert_eq!(
            text(&batch, "metadata", 0),
            r#"{"rule":"preference","completion":"better \"one\"","rejected_completion":"worse","feedback":["00000000-0000-0000-0000-000000000007"]}"#
        );
        let moments = batch.column_by_name("created_at").unwrap();
        let moments = moments.as_primitive::<arrow::datatypes::TimestampMicrosecondType>();
        assert_eq!(moments.value(0), 1_700_000_000_123_456);
        assert!(batch.column_by_name("same_policy").unwrap().as_boolean().value(0));
    }

    #[test]
    fn the_two_shapes_of_an_endorsed_answer_hold_the_same_messages() {
        let (_, whole) = read(&write(Config::Sft, PartSizes::default(), &[endorsed()])[0]);
        let (_, split) = read(&write(Config::SftCompletion, PartSizes::default(), &[endorsed()])[0]);

        let joined = [messages(&split, "prompt", 0), messages(&split, "completion", 0)].concat();
        assert_eq!(messages(&whole, "messages", 0), joined);
        assert!(whole.column_by_name("prompt").is_none(), "SFT trainers take the other branch on a `prompt`");
    }

    #[test]
    fn a_label_is_a_bool_and_a_margin_a_number_that_is_there_only_on_request() {
        let (_, labelled) = read(&write(Config::Kto, PartSizes::default(), &[of_kind(RowKind::Labelled)])[0]);
        let (_, reward) = read(&write(Config::Reward, PartSizes::default(), &[pair(1)])[0]);

        assert!(!labelled.column_by_name("label").unwrap().as_boolean().value(0));
        assert_eq!(messages(&labelled, "completion", 0), [("assistant".to_owned(), "a".to_owned())]);
        let margins = reward.column_by_name("margin").unwrap().as_primitive::<arrow::datatypes::Float64Type>();
        assert!((margins.value(0) - 1.0).abs() < 1e-12);
        let plain = Shape { has_margin: false, ..shape(Config::Reward) };
        assert_eq!(plain.schema(), shape(Config::Dpo).schema(), "trainers subtract a margin wherever they find one");
    }

    #[test]
    fn messages_with_tools_are_a_list_of_json_that_every_reader_can_tell_from_text() {
        let call = r#"{"role":"assistant","content":"","tool_calls":[{"type":"function","function":{"name":"f","arguments":{"a":1}}}]}"#;
        let asked = r#"{"role":"user","content":"q"}"#;
        let body = Body::Pair {
            prompt: vec![Turn { role: "user", content: asked.to_owned() }],
            chosen: call.to_owned(),
            rejected: r#"{"role":"assistant","content":"no"}"#.to_owned(),
        };
        let called = Example { tools: Some("[]".to_owned()), ..example(1, body) };
        let shape = shape(Config::Dpo).with_tools(true);
        let mut writer = PartsWriter::new(shape, PartSizes::default(), |_| Ok(Vec::new())).unwrap();
        let refused = writer.push(&row(&pair(1), 0));
        writer.push(&row(&called, 0)).unwrap();

        let (metadata, batch) = read(&writer.finish().unwrap()[0]);

        assert!(matches!(refused, Err(ColumnarError::WrongFormat)));
        assert_eq!((shape.name(), batch.schema()), ("dpo_tools", shape.schema()));
        let chosen = batch.column_by_name("chosen").unwrap().as_list::<i32>().value(0);
        assert_eq!(chosen.as_string::<i32>().iter().collect::<Vec<_>>(), [Some(call)]);
        assert_eq!(text(&batch, "tools", 0), "[]");
        let columns = metadata.file_metadata().schema_descr();
        let prompt = columns.columns().iter().find(|column| column.path().string() == "prompt.list.element").unwrap();
        assert_eq!(prompt.logical_type_ref(), Some(&parquet::basic::LogicalType::Json));
    }

    #[test]
    fn no_column_and_no_message_can_be_null() {
        for config in [
            Config::Dpo,
            Config::Kto,
            Config::Sft,
            Config::SftCompletion,
            Config::Reward,
            Config::Prompts,
            Config::Ties,
        ] {
            let example = of_kind(config.kind());
            let (_, batch) = read(&write(config, PartSizes::default(), &[example])[0]);

            let schema = batch.schema();
            assert_eq!(schema, shape(config).schema(), "what is read back is what was declared");
            assert!(schema.fields().iter().all(|field| !field.is_nullable()), "{config:?}");
        }
    }

    #[test]
    fn parts_and_row_groups_are_bounded_and_hold_every_row_in_order() {
        let examples: Vec<Example> = (0..120).map(pair).collect();

        let parts = write(Config::Dpo, SMALL, &examples);

        assert!(parts.len() > 2, "{}", parts.len());
        let mut ids = Vec::new();
        for part in &parts {
            let (metadata, batch) = read(part);
            assert_eq!(part.n_rows, batch.num_rows() as u64);
            assert!(part.uncompressed_bytes <= SMALL.part_bytes as u64);
            assert!(metadata.num_row_groups() > 1);
            for group in metadata.row_groups() {
                assert!(group.total_byte_size() <= SMALL.row_group_bytes as i64, "{}", group.total_byte_size());
                assert!(group.columns().iter().all(|column| column.offset_index_offset().is_some()), "page index");
                assert!(group.columns().iter().all(|column| matches!(column.compression(), Compression::ZSTD(_))));
            }
            ids.extend((0..batch.num_rows()).map(|row| text(&batch, "row_id", row).to_owned()));
        }
        assert_eq!(ids, examples.iter().map(|example| example.row_id.to_hex()).collect::<Vec<_>>());
    }

    #[test]
    fn the_same_rows_give_the_same_bytes() {
        let examples: Vec<Example> = (0..50).map(pair).collect();

        let sinks = || write(Config::Dpo, SMALL, &examples).into_iter().map(|part| part.sink).collect::<Vec<_>>();

        assert_eq!(sinks(), sinks());
    }

    #[test]
    fn no_rows_give_no_part_and_rows_of_another_format_are_refused() {
        assert!(write(Config::Dpo, PartSizes::default(), &[]).is_empty());

        let mut writer = PartsWriter::new(shape(Config::Dpo), SMALL, |_| Ok(Vec::new())).unwrap();
        let refused = writer.push(&row(&endorsed(), 0));

        assert!(matches!(refused, Err(ColumnarError::WrongFormat)));
    }

    #[test]
    fn a_full_disk_is_told_apart_from_a_bug() {
        let full = |_| Err::<Vec<u8>, _>(std::io::Error::from(std::io::ErrorKind::StorageFull));
        let mut writer = PartsWriter::new(shape(Config::Dpo), PartSizes::default(), full).unwrap();
        writer.push(&row(&pair(1), 0)).unwrap();

        let error = writer.finish().map(|parts| parts.len()).unwrap_err();

        assert_eq!(error.as_io().map(std::io::Error::kind), Some(std::io::ErrorKind::StorageFull));
    }
}
