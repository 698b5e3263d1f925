//! `afterword import`: brings in what other tools have exported, through the REST interface of a service that runs.
//!
//! It goes the way of any client, so that whoever imports needs a key and no access to the database, and what is wrong with
//! an item is told in the same words. A run that broke off is run again: what was stored is then a duplicate.

mod assessed;
mod closing;
mod mapped;
mod records;
mod rows;
mod sender;

use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};

use super::UsageError;
use crate::domain::json::Json;
use crate::domain::principal::{SecretKey, Trust};
use crate::foreign::meaning::Meanings;
use crate::foreign::{langfuse, mapping, open_webui};
use closing::{Brought, Closing, Note};
use sender::{Kind, Sender};

/// Arguments of `afterword import`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  afterword import open-webui feedback.json --url https://afterword.example
  afterword import langfuse scores.jsonl --score quality=rating:1:5
  afterword import mapping > mapping.toml
  afterword import jsonl votes.jsonl --mapping mapping.toml --dry-run")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Import the feedback that an administrator of Open WebUI exports, with its chats.
    #[command(after_help = "\
Answers become completions: those beside each other are answers to one prompt, so that pairs come of what was rated among
them. A thumb stays with the answer that was rated, and what users edited becomes an edit.

Examples:
  afterword import open-webui feedback.json
  afterword import open-webui feedback.json --consent training --trust verified --arena-preference")]
    OpenWebui(OpenWebui),
    /// Import scores that Langfuse exports, on completions that are recorded by another way.
    #[command(after_help = "\
Only scores of people become feedback. Their traces or observations are aliases or ids of completions.

Examples:
  afterword import langfuse scores.jsonl
  afterword import langfuse scores.jsonl --score quality=rating:1:5 --score verdict=thumb:good:bad")]
    Langfuse(Langfuse),
    /// Import JSON lines of any origin by a mapping file.
    #[command(after_help = mapped::EXAMPLES)]
    Jsonl(mapped::Table),
    /// Print a mapping file to begin with.
    #[command(after_help = "\
Examples:
  afterword import mapping > mapping.toml")]
    Mapping,
    /// Import chat completions that OpenAI stored, as JSON lines with their messages.
    #[command(after_help = "\
Each line is a stored completion as the API lists it, with the list of its messages beside it under `messages`.

Examples:
  afterword import openai completions.jsonl --consent training --dry-run")]
    Openai(mapped::Stored),
    /// Import spans of Phoenix and what people annotated on them.
    #[command(after_help = "\
Rows are spans or annotations, as the client's frames or the REST API hold them; each tells by itself which it is. Only what
people annotated becomes feedback. Import spans first or last, as you like.

Examples:
  afterword import phoenix spans.jsonl
  afterword import phoenix annotations.jsonl --score quality=rating:1:5 --score verdict=thumb:good:bad")]
    Phoenix(assessed::Traces),
    /// Import traces of MLflow with the assessments in them.
    #[command(after_help = "\
Calls of models become completions; the one that ended last has the trace's id. Only what people assessed becomes feedback.

Examples:
  afterword import mlflow traces.jsonl --score quality=rating:1:5 --consent training")]
    Mlflow(assessed::Traces),
}

#[derive(Debug, clap::Args)]
struct Target {
    /// File to import: a JSON list, or JSON lines.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    destination: Destination,
}

#[derive(Debug, clap::Args)]
struct Destination {
    /// Where the service is.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8787", value_parser = url)]
    url: String,
    /// Secret key of role ingest; in the environment others do not see it.
    #[arg(
        long,
        value_name = "KEY",
        env = "AFTERWORD_KEY",
        hide_env_values = true,
        required_unless_present = "dry_run"
    )]
    key: Option<String>,
    /// Whether you vouch for whose reactions these are: verified, or unverified, since the tool let any client write them.
    #[arg(long, value_name = "WORD", default_value = "unverified", value_parser = trust)]
    trust: Trust,
    /// Send nothing; say what would be made of the file.
    #[arg(long)]
    dry_run: bool,
}

impl Destination {
    /// Makes a client of the service. The key is read here and not by clap, which would show a wrong one.
    fn sender(&self, system: &str) -> anyhow::Result<Sender> {
        if self.dry_run {
            return Ok(Sender::dry(self.trust));
        }
        let words = "--key: must be a secret key, aw_sec_…; `afterword key create` makes one";
        let key = self.key.as_deref().and_then(SecretKey::parse).ok_or_else(|| UsageError(words.to_owned()))?;
        Ok(Sender::new(&self.url, &key, self.trust, system)?)
    }
}

#[derive(Debug, clap::Args)]
struct OpenWebui {
    #[command(flatten)]
    target: Target,
    /// Say of every answer that it may be used for training; you vouch for it.
    #[arg(long, value_name = "FOR", value_parser = ["training"])]
    consent: Option<String>,
    /// Take a thumb in an arena as a preference over the other answers, and not as a thumb.
    #[arg(long)]
    arena_preference: bool,
}

#[derive(Debug, clap::Args)]
struct Langfuse {
    #[command(flatten)]
    target: Target,
    /// What scores of a name mean: NAME=thumb, NAME=thumb:UP:DOWN, NAME=rating:MIN:MAX, NAME=comment or NAME=edit; may be
    /// repeated.
    #[arg(long = "score", value_name = "MEANING")]
    scores: Vec<String>,
}

/// Runs the subcommand; no database is opened for it.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::OpenWebui(args) => from_open_webui(&args).await,
        Command::Langfuse(args) => from_langfuse(&args).await,
        Command::Jsonl(args) => mapped::from_table(&args).await,
        Command::Phoenix(args) => assessed::from_phoenix(&args).await,
        Command::Mlflow(args) => assessed::from_mlflow(&args).await,
        Command::Openai(args) => mapped::from_openai(&args).await,
        Command::Mapping => {
            io::stdout().lock().write_all(mapping::EXAMPLE.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn from_open_webui(args: &OpenWebui) -> anyhow::Result<ExitCode> {
    let options =
        open_webui::Options { arena_preference: args.arena_preference, consent_training: args.consent.is_some() };
    let sender = args.target.destination.sender("open-webui")?;
    let (mut gathered, mut brought) = (open_webui::Gathered::new(options), Brought::default());
    read(&args.target.file, &mut brought, |row| gathered.add(row).map_err(|error| error.code.as_str()))?;
    let import = gathered.finish();
    brought.notes = vec![
        Note::new(
            import.n_contested,
            "shown with different texts by several rows; the oldest row's was taken",
            "answer",
        ),
        Note::new(
            import.n_unanswered,
            "without an answer: failed, stopped, or with no question before them",
            "message",
        ),
        Note::new(import.n_unseen, "rated, but shown by no row: the feedback waits for the completion", "message"),
    ];
    send(&sender, import.completions, import.feedback, brought).await
}

async fn from_langfuse(args: &Langfuse) -> anyhow::Result<ExitCode> {
    let meanings = meanings_of(&args.scores)?;
    let sender = args.target.destination.sender("langfuse")?;
    let (mut feedback, mut brought) = (Vec::new(), Brought::default());
    read(&args.target.file, &mut brought, |row| {
        feedback.extend(langfuse::score(row, &meanings).map_err(|error| error.code.as_str())?);
        Ok(())
    })?;
    send(&sender, Vec::new(), feedback, brought).await
}

fn meanings_of(declarations: &[String]) -> Result<Meanings, UsageError> {
    let mut meanings = Meanings::default();
    for declaration in declarations {
        meanings.declare(declaration).map_err(|error| UsageError(format!("--score: {error}")))?;
    }
    Ok(meanings)
}

/// Reads the file row by row.
fn read(
    file: &Path,
    brought: &mut Brought,
    mut take: impl FnMut(&Json) -> Result<(), &'static str>,
) -> anyhow::Result<()> {
    let named = || file.display().to_string();
    let opened = File::open(file).with_context(named)?;
    let bar = bar(opened.metadata().with_context(named)?.len(), "reading", "{bytes} of {total_bytes}");
    let reader = BufReader::with_capacity(1 << 16, bar.wrap_read(opened));
    let outcome = rows::for_each(reader, |row| match row.map_err(|_| "json_malformed").and_then(|row| take(&row)) {
        Ok(()) => brought.n_read += 1,
        Err(code) => brought.refuse(code),
    });
    bar.finish_and_clear();
    outcome.with_context(named)
}

/// Sends everything, completions first, and says what came of it.
async fn send(
    sender: &Sender,
    completions: Vec<Json>,
    feedback: Vec<Json>,
    brought: Brought,
) -> anyhow::Result<ExitCode> {
    let bar = bar((completions.len() + feedback.len()) as u64, "sending", "{human_pos} of {human_len}, {eta} left");
    let mut closing = Closing::new(brought, sender);
    closing.look_at(&completions);
    for (kind, items) in [(Kind::Completions, completions), (Kind::Feedback, feedback)] {
        let tally = closing.tally(kind);
        if let Err(error) = sender.send(kind, &items, tally, |n_items| bar.inc(n_items as u64)).await {
            bar.finish_and_clear();
            write!(io::stdout().lock(), "{closing}")?;
            return Err(error).context("the import broke off; run it again to go on");
        }
    }
    bar.finish_and_clear();
    write!(io::stdout().lock(), "{closing}")?;
    Ok(if closing.is_all_refused() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn bar(n_total: u64, what: &str, counts: &str) -> ProgressBar {
    let bar = ProgressBar::new(n_total);
    if let Ok(style) = ProgressStyle::with_template(&format!("{{spinner}} {what} {{wide_bar}} {counts}")) {
        bar.set_style(style);
    }
    bar
}

pub(super) fn url(text: &str) -> Result<String, &'static str> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    // What stands before an `@` would be sent on every request beside the key.
    let is_good = rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['@', '?', '#', ' ']));
    if is_good { Ok(text.trim_end_matches('/').to_owned()) } else { Err("must be http:// or https:// and a host") }
}

fn trust(word: &str) -> Result<Trust, &'static str> {
    let found = Trust::WORDS.iter().find(|(known, _)| *known == word).map(|(_, trust)| *trust);
    found.ok_or("must be verified or unverified")
}
