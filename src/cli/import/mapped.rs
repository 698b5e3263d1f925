//! Rows of any origin: read record by record, sent batch by batch, so that a file may be larger than memory and what was
//! acknowledged stays when it breaks off.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use indicatif::ProgressBar;

use super::closing::{Brought, Closing, Note};
use super::records::Records;
use super::sender::{Kind, Sender};
use super::{Destination, bar};
use crate::cli::UsageError;
use crate::domain::batch::MAX_ITEMS;
use crate::domain::json::Json;
use crate::foreign::mapping::{Mapping, Said};
use crate::foreign::openai;

/// A batch is sent once its items take about so much memory.
const MAX_BATCH_BYTES: usize = 8 << 20;
/// The longest mapping file.
const MAX_MAPPING_BYTES: u64 = 1 << 20;
/// Columns that are named at the end.
const MAX_NAMED: usize = 20;

pub(super) const EXAMPLES: &str = "\
The mapping says which column is which field, and which values mean what; `afterword import mapping` prints one to begin with.
A record that breaks the file ends the import with its number; what was sent before stays, and the import may be run again.

Examples:
  afterword import jsonl rows.jsonl --mapping mapping.toml --dry-run
  afterword import jsonl rows.jsonl --mapping mapping.toml --skip 10000";

/// Arguments of an import by a mapping.
#[derive(Debug, clap::Args)]
pub(super) struct Table {
    /// File to import.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What its columns and values mean.
    #[arg(long, value_name = "FILE")]
    mapping: PathBuf,
    #[command(flatten)]
    more: More,
}

/// Arguments of an import of stored completions.
#[derive(Debug, clap::Args)]
pub(super) struct Stored {
    /// File to import: JSON lines.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    more: More,
}

#[derive(Debug, clap::Args)]
struct More {
    #[command(flatten)]
    destination: Destination,
    /// Records to pass over at the beginning of the file.
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip: u64,
    /// Say of every answer that it may be used for training; you vouch for it.
    #[arg(long, value_name = "FOR", value_parser = ["training"])]
    consent: Option<String>,
}

/// What becomes of a record: items by kind, and what else there is to tell.
trait Reader {
    fn take(&mut self, row: &Json, batch: &mut Batch, brought: &mut Brought);
    fn notes(&self) -> Vec<Note>;
}

#[derive(Default)]
struct Batch {
    completions: Vec<Json>,
    feedback: Vec<Json>,
    n_bytes: usize,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.completions.len().max(self.feedback.len()) >= MAX_ITEMS || self.n_bytes >= MAX_BATCH_BYTES
    }

    fn put(&mut self, kind: Kind, item: Json) {
        self.n_bytes += item.n_bytes();
        if kind == Kind::Completions { self.completions.push(item) } else { self.feedback.push(item) }
    }
}

/// Imports a table by the mapping that stands in a file.
pub(super) async fn from_table(args: &Table) -> anyhow::Result<ExitCode> {
    let path = args.mapping.display();
    let n_bytes = std::fs::metadata(&args.mapping).with_context(|| path.to_string())?.len();
    if n_bytes > MAX_MAPPING_BYTES {
        return Err(UsageError(format!("--mapping: {path} is longer than {MAX_MAPPING_BYTES} bytes")).into());
    }
    let text = std::fs::read(&args.mapping).with_context(|| path.to_string())?;
    let text = String::from_utf8(text).map_err(|_| UsageError(format!("--mapping: {path} is not UTF-8")))?;
    let mapping = Mapping::parse(&text).map_err(|error| UsageError(format!("--mapping: {path}: {error}")))?;
    let mapping = if args.more.consent.is_some() { mapping.with_consent() } else { mapping };
    let sender = args.more.destination.sender("mapping")?;
    import(&args.file, args.more.skip, &sender, &mut ByMapping::new(mapping)).await
}

/// Imports completions that OpenAI stored.
pub(super) async fn from_openai(args: &Stored) -> anyhow::Result<ExitCode> {
    let mapping = openai::mapping()?;
    let mapping = if args.more.consent.is_some() { mapping.with_consent() } else { mapping };
    let sender = args.more.destination.sender("openai")?;
    import(&args.file, args.more.skip, &sender, &mut OfOpenai(mapping)).await
}

async fn import(
    file: &Path,
    n_skipped: u64,
    sender: &Sender,
    reader: &mut (dyn Reader + Send),
) -> anyhow::Result<ExitCode> {
    let bar = bar(0, "importing", "{bytes} of {total_bytes}");
    let named = || file.display().to_string();
    let mut records = Records::open(file, &bar).with_context(named)?;
    let mut closing = Closing::new(Brought::default(), sender);
    let outcome = run(&mut records, n_skipped, sender, reader, &mut closing).await;
    close(&bar, closing, reader, outcome.with_context(named))
}

/// Reads and sends by turns, to the end or to whatever is in the way.
async fn run(
    records: &mut Records,
    n_skipped: u64,
    sender: &Sender,
    reader: &mut (dyn Reader + Send),
    closing: &mut Closing,
) -> anyhow::Result<()> {
    loop {
        let (n_settled, mut batch, mut broken) = (records.n_read(), Batch::default(), None);
        let has_ended = loop {
            match records.next() {
                None => break true,
                Some(Err(broken_off)) => {
                    broken = Some(broken_off);
                    break true;
                }
                Some(Ok(_)) if records.n_read() <= n_skipped => {}
                Some(Ok(Ok(row))) => reader.take(&row, &mut batch, closing.brought()),
                Some(Ok(Err(_))) => closing.brought().refuse("json_malformed"),
            }
            if batch.is_full() {
                break false;
            }
        };
        closing.look_at(&batch.completions);
        let go_on = || format!("the import broke off; run it again to go on, with --skip {n_settled} if you like");
        for (kind, items) in [(Kind::Completions, &batch.completions), (Kind::Feedback, &batch.feedback)] {
            sender.send(kind, items, closing.tally(kind), |_| ()).await.with_context(go_on)?;
        }
        match broken {
            // The records before it were sent, so that they need not be read again.
            Some(broken) => return Err(broken.into()),
            None if has_ended => return Ok(()),
            None => {}
        }
    }
}

fn close(
    bar: &ProgressBar,
    mut closing: Closing,
    reader: &(dyn Reader + Send),
    outcome: anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    bar.finish_and_clear();
    closing.brought().notes = reader.notes();
    write!(io::stdout().lock(), "{closing}")?;
    outcome?;
    Ok(if closing.is_all_refused() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Reads by a mapping, and counts what each of its parts came to.
struct ByMapping {
    mapping: Mapping,
    names: Vec<String>,
    /// How many items each part made: the completion, then the reactions in the order of the mapping.
    n_made: Vec<usize>,
    /// How many records have a column that the mapping does not look at.
    unused: BTreeMap<String, usize>,
}

impl ByMapping {
    fn new(mapping: Mapping) -> Self {
        let of_completion = mapping.has_completion().then(|| "completion".to_owned());
        let names: Vec<String> = of_completion.into_iter().chain(mapping.names_of_feedback()).collect();
        Self { n_made: vec![0; names.len()], mapping, names, unused: BTreeMap::new() }
    }
}

impl Reader for ByMapping {
    fn take(&mut self, row: &Json, batch: &mut Batch, brought: &mut Brought) {
        brought.n_read += 1;
        let mapped = self.mapping.read(row);
        let of_completion = self.mapping.has_completion().then_some((Kind::Completions, mapped.completion));
        let all = of_completion.into_iter().chain(mapped.feedback.into_iter().map(|said| (Kind::Feedback, said)));
        for (place, (kind, said)) in all.enumerate() {
            match said {
                Said::Nothing => {}
                Said::Item(item) => {
                    self.n_made[place] += 1;
                    batch.put(kind, item);
                }
                Said::Fault(fault) => {
                    brought.refuse(&format!("{}{}: {}", self.names[place], fault.pointer, fault.code.as_str()));
                }
            }
        }
        for column in self.mapping.unused(row) {
            if let Some(n_records) = self.unused.get_mut(column) {
                *n_records += 1;
            } else if self.unused.len() < MAX_NAMED {
                // A file whose every record has names of its own must not fill the memory.
                self.unused.insert(column.to_owned(), 1);
            }
        }
    }

    fn notes(&self) -> Vec<Note> {
        let made = self.names.iter().zip(&self.n_made);
        let mut notes: Vec<Note> =
            made.map(|(name, n_made)| Note::new(*n_made, format!("made by the mapping's {name}"), "item")).collect();
        let empty: Vec<&str> =
            self.names.iter().zip(&self.n_made).filter(|(_, n)| **n == 0).map(|(name, _)| name.as_str()).collect();
        notes.push(Note::new(empty.len(), format!("of the mapping made nothing: {}", empty.join(", ")), "part"));
        let columns: Vec<&str> = self.unused.keys().map(String::as_str).collect();
        notes.push(Note::new(
            columns.len(),
            format!("that the mapping does not look at: {}", columns.join(", ").escape_debug()),
            "column",
        ));
        notes
    }
}

/// Reads stored completions of OpenAI.
struct OfOpenai(Mapping);

impl Reader for OfOpenai {
    fn take(&mut self, row: &Json, batch: &mut Batch, brought: &mut Brought) {
        match openai::completion(row, &self.0) {
            Said::Item(item) => {
                brought.n_read += 1;
                batch.put(Kind::Completions, item);
            }
            Said::Nothing => brought.n_read += 1,
            Said::Fault(fault) => brought.refuse(fault.code.as_str()),
        }
    }

    fn notes(&self) -> Vec<Note> {
        Vec::new()
    }
}
