//! `afterword export`: runs a recipe and writes the data set into a folder, with a progress bar and a summary.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;

use super::connect::{self, Connected};
use super::serve::Signals;
use super::{UsageError, export_checks, export_collect, recipe};
use crate::config::Config;
use crate::domain::clock::Timestamp;
use crate::domain::fields::short_text;
use crate::domain::ids::ProjectId;
use crate::domain::json::Json;
use crate::domain::recipe::{Layout, Recipe};
use crate::domain::selection::Selection;
use crate::domain::trust::TrustFilter;
use crate::report::count::counted;
use crate::service::App;
use crate::service::export_card::sentence;
use crate::service::export_folder::{FolderError, Target, export_to};
use crate::service::export_manifest::Manifest;
use crate::service::export_progress::{Look, Phase, Progress};
use crate::service::export_run::RunError;

/// How often the progress bar looks at the run.
const TICK: Duration = Duration::from_millis(100);
/// Reasons that the summary shows; the card has all of them.
const N_REASONS: usize = 8;

/// Arguments of `afterword export`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "\
Examples:
  afterword export --recipe dpo --out pairs
  afterword export --recipe sft --out answers --model llama-3-70b --from 2026-01-01
  afterword export --recipe sft --layout llamafactory --out answers
  afterword export --recipe mine.toml --out pairs --force
  afterword export verify pairs                  check a folder that there is
  afterword export diff pairs pairs-2            what a second export differs in
  afterword export affected --user u-1           which exports hold rows of a user
  afterword export collect                       remove what exports left that were killed",
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    write: Option<WriteArgs>,
    // Beside and not inside: clap takes a group that has another within for absent, whatever is given.
    #[command(flatten)]
    selection: SelectionArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check a folder against its manifest: hashes, counts, schemas, leaks between splits.
    Verify(export_checks::Verify),
    /// Say what two folders differ in: rows, splits, recipes, statistics.
    Diff(export_checks::DiffArgs),
    /// List the exports that hold rows of a user.
    Affected(export_checks::Affected),
    /// Remove what exports left behind that were killed: files, uploads and scratch folders that nobody published.
    Collect(export_collect::Args),
}

/// What is exported, and where to.
#[derive(Debug, clap::Args)]
struct WriteArgs {
    /// A shipped recipe (`afterword recipe list`) or the path of a recipe file.
    #[arg(long, value_name = "NAME|FILE")]
    recipe: String,
    /// The folder to write; it must be absent or empty, and be named without `..`.
    #[arg(long, value_name = "DIR", value_parser = out)]
    out: PathBuf,
    /// Replace an earlier export in the folder.
    #[arg(long)]
    force: bool,
    /// An earlier export's folder: the manifest then tells which of its rows left, and which because of an erasure.
    #[arg(long, value_name = "DIR", value_parser = export_checks::folder)]
    parent: Option<PathBuf>,
    /// Names and shapes of the columns, in place of the recipe's: trl, implicit, llamafactory, nemo_rl, verl,
    /// openai_jsonl or mlx_jsonl.
    #[arg(long, value_name = "LAYOUT", value_parser = layout)]
    layout: Option<Layout>,
    /// Export this project; not needed where there is only one.
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
}

/// What takes the place of the recipe's selection, part by part.
#[derive(Debug, Default, clap::Args)]
struct SelectionArgs {
    /// Only answers of this model; may be given several times.
    #[arg(long, value_name = "MODEL", value_parser = word)]
    model: Vec<String>,
    /// Only answers that this experiment chose the model of.
    #[arg(long, value_name = "KEY", value_parser = word)]
    experiment: Option<String>,
    /// Only answers of this variant; may be given several times.
    #[arg(long, value_name = "VARIANT", value_parser = word)]
    variant: Vec<String>,
    /// Only this kind of work; may be given several times.
    #[arg(long, value_name = "TASK", value_parser = word)]
    task: Vec<String>,
    /// Only this language; may be given several times.
    #[arg(long, value_name = "TAG", value_parser = word)]
    language: Vec<String>,
    /// Only answers received at or after this day or moment (UTC).
    #[arg(long, value_name = "DATE|TIME", value_parser = moment)]
    from: Option<Timestamp>,
    /// Only answers received before this day or moment (UTC).
    #[arg(long, value_name = "DATE|TIME", value_parser = moment)]
    to: Option<Timestamp>,
    /// Whose feedback counts: verified or any; without it, verified where the project has ever used feedback tokens.
    #[arg(long, value_name = "FILTER", value_parser = trust)]
    trust: Option<TrustFilter>,
}

/// Reads a word of the selection as a recipe's are read: an empty one lets nothing through, and means nothing.
fn word(text: &str) -> Result<String, String> {
    short_text(&Json::String(text.to_owned())).map_err(|(_, detail)| detail)
}

/// Reads a day (its midnight, UTC) or an RFC 3339 moment.
fn moment(text: &str) -> Result<Timestamp, String> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|day| day.and_time(NaiveTime::MIN).and_utc());
    day.or_else(|_| DateTime::parse_from_rfc3339(text).map(|moment| moment.with_timezone(&Utc)))
        .map_err(|_| "expected a day such as 2026-01-31 or a moment such as 2026-01-31T12:00:00Z".to_owned())
}

/// Reads the folder to write. An address would become a folder of that name, which nobody means.
fn out(text: &str) -> Result<PathBuf, &'static str> {
    export_checks::folder(text)
        .map_err(|_| "is an address and no folder; into a bucket exports go over REST, with a `destination`")
}

/// Reads whose feedback counts.
fn trust(text: &str) -> Result<TrustFilter, String> {
    let found = TrustFilter::WORDS.iter().find(|(word, _)| *word == text).map(|(_, filter)| *filter);
    found.ok_or_else(|| "expected verified or any".to_owned())
}

/// Reads a layout's word.
fn layout(text: &str) -> Result<Layout, String> {
    let found = Layout::WORDS.iter().find(|(word, _)| *word == text).map(|(_, layout)| *layout);
    let words: Vec<&str> = Layout::WORDS.iter().map(|(word, _)| *word).collect();
    found.ok_or_else(|| format!("expected one of: {}", words.join(", ")))
}

impl SelectionArgs {
    fn apply(&self, selection: &mut Selection) -> Result<(), &'static str> {
        for (given, kept) in [
            (&self.model, &mut selection.models),
            (&self.variant, &mut selection.variants),
            (&self.task, &mut selection.tasks),
            (&self.language, &mut selection.languages),
        ] {
            if !given.is_empty() {
                kept.clone_from(given);
            }
        }
        selection.experiment = self.experiment.clone().or(selection.experiment.take());
        selection.from = self.from.or(selection.from);
        selection.to = self.to.or(selection.to);
        selection.trust = self.trust.or(selection.trust);
        match (selection.from, selection.to) {
            (Some(from), Some(to)) if from >= to => Err("--to must be later than --from"),
            _ => Ok(()),
        }
    }
}

impl WriteArgs {
    /// Returns the recipe that was asked for; the error is one line for the person at the command line.
    fn recipe(&self, selection: &SelectionArgs) -> Result<Recipe, String> {
        let mut recipe = recipe::choose(&self.recipe).map_err(|error| error.to_string())?;
        selection.apply(&mut recipe.selection)?;
        if let Some(layout) = self.layout {
            recipe.layout = layout;
            if let Some((_, detail)) = recipe.contradictions().first() {
                return Err(format!("--layout: {detail}"));
            }
        }
        Ok(recipe)
    }
}

/// Runs the subcommand.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<ExitCode> {
    match args {
        Args { command: Some(command), .. } => match command {
            Command::Verify(args) => export_checks::verify(args).await,
            Command::Diff(args) => export_checks::diff(args).await,
            Command::Affected(args) => export_checks::affected(args, config).await,
            Command::Collect(args) => export_collect::run(&args, config).await,
        },
        Args { command: None, write: Some(args), selection } => write(&args, &selection, config).await,
        Args { command: None, write: None, .. } => {
            Err(UsageError("say what to export: --recipe and --out".to_owned()).into())
        }
    }
}

async fn write(args: &WriteArgs, selection: &SelectionArgs, config: &Config) -> anyhow::Result<ExitCode> {
    // What makes no sense is said before a database is started for it.
    let recipe = args.recipe(selection).map_err(UsageError)?;
    if args.out.components().any(|part| part == Component::ParentDir) {
        let words = "--out: name the folder without `..`, by an absolute path or one below the present directory";
        return Err(UsageError(words.to_owned()).into());
    }
    connect::with(config, async |connected: &Connected| {
        let project = connected.project(args.project.as_deref()).await?;
        export(&connected.app, project.id, &recipe, args).await
    })
    .await
}

/// Runs the export in the project and says what came of it.
async fn export(app: &App, project_id: ProjectId, recipe: &Recipe, args: &WriteArgs) -> anyhow::Result<ExitCode> {
    let (progress, stop) = (Arc::new(Progress::default()), CancellationToken::new());
    let bar = ProgressBar::no_length();
    let outcome = {
        let target = Target { out: &args.out, force: args.force, parent: args.parent.as_deref() };
        let run = export_to(app, project_id, recipe, &target, &progress, &stop);
        let mut run = std::pin::pin!(run);
        let mut signals = Signals::catch()?;
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                outcome = &mut run => break outcome,
                _ = tick.tick() => show(&bar, progress.look()),
                // The run is asked to stop, not cut off: it removes what it has written.
                () = signals.next() => stop.cancel(),
            }
        }
    };
    bar.finish_and_clear();
    match outcome {
        Ok(manifest) => {
            write!(io::stdout().lock(), "{}", summary(&manifest, &args.out))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            let line = match &error {
                FolderError::Run(RunError::NoExamples(problem)) => format!("{}: {}", problem.code, problem.detail),
                FolderError::Run(error) => with_cause(error),
                FolderError::Recipe(_) => error.to_string(),
                FolderError::Parent(error) => format!("--parent: {error}"),
                error => format!("{}: {error}", args.out.display()),
            };
            writeln!(io::stderr().lock(), "error: {line}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Adds what the operating system says, such as that the disk is full, where it is behind the failure.
fn with_cause(error: &RunError) -> String {
    let mut cause = std::error::Error::source(error);
    while let Some(error_behind) = cause {
        if let Some(io) = error_behind.downcast_ref::<io::Error>() {
            return format!("{error}: {}", io.kind());
        }
        cause = error_behind.source();
    }
    error.to_string()
}

fn show(bar: &ProgressBar, look: Look) {
    let (what, of) = match look.phase {
        Phase::Reading => ("reading", "prompts"),
        Phase::Writing => ("writing", "rows"),
        Phase::Publishing => ("copying", "bytes"),
    };
    let template = if look.n_total == 0 {
        format!("{{spinner}} {what}")
    } else {
        format!("{{spinner}} {what} {{wide_bar}} {{human_pos}} of {{human_len}} {of}, {{eta}} left")
    };
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar.set_length(look.n_total);
    bar.set_position(look.n_done);
}

/// Says what an export holds, what it left out, where it is, and what to do with it.
fn summary(manifest: &Manifest, out: &Path) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _written = write_summary(&mut text, manifest, out);
    text
}

fn write_summary(text: &mut String, manifest: &Manifest, out: &Path) -> std::fmt::Result {
    let folder = out.display().to_string();
    writeln!(text, "{} written to {folder}\n", counted(manifest.n_examples, "row"))?;
    for (config, splits) in &manifest.configs {
        for (split, files) in splits {
            let n_rows: u64 = files.iter().map(|file| file.rows).sum();
            let n_bytes: u64 = files.iter().map(|file| file.bytes).sum();
            let (rows, bytes) = (HumanCount(n_rows).to_string(), HumanBytes(n_bytes).to_string());
            let noun = if n_rows == 1 { "row" } else { "rows" };
            writeln!(text, "  {config:15} {split:11} {rows:>12} {noun:4} {bytes:>12}")?;
        }
    }
    let n_excluded: u64 = manifest.n_exclusions.values().sum();
    if n_excluded > 0 {
        let (left_out, all) = (HumanCount(n_excluded), counted(manifest.funnel.n_candidates, "candidate"));
        writeln!(text, "\n{left_out} of {all} left out:")?;
        let mut reasons: Vec<_> = manifest.n_exclusions.iter().collect();
        reasons.sort_by_key(|(reason, n)| (std::cmp::Reverse(**n), **reason));
        for (reason, n) in reasons.iter().take(N_REASONS) {
            writeln!(text, "  {:>8}  {reason}: {}", HumanCount(**n).to_string(), sentence(reason))?;
        }
        if reasons.len() > N_REASONS {
            let more = counted((reasons.len() - N_REASONS) as u64, "more reason");
            writeln!(text, "  and {more}, see README.md there")?;
        }
    }
    if let Some(parent) = &manifest.parent {
        let kept = counted(parent.n_kept, "row");
        let (added, removed) = (HumanCount(parent.n_added), HumanCount(parent.n_removed));
        let erased = HumanCount(parent.n_erased);
        writeln!(text, "\nparent: {kept} kept, {added} added, {removed} removed, {erased} of these erased")?;
    }
    writeln!(text, "\n{}", manifest.trust.sentence())?;
    for (place, warning) in manifest.warnings.iter().enumerate() {
        writeln!(text, "{}warning: {warning}", if place == 0 { "\n" } else { "" })?;
    }
    let config = manifest.default_config;
    writeln!(text, "\nload   datasets.load_dataset({folder:?}, \"{config}\")")?;
    for command in &manifest.commands {
        writeln!(text, "train  {}", command.line(&shell_quoted(&folder)))?;
    }
    Ok(())
}

/// Quotes a path for a POSIX shell where that is needed.
fn shell_quoted(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+,:@%=".contains(&byte);
    if path.bytes().all(is_plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_takes_the_place_of_the_recipes_selection() {
        let mut selection = Selection {
            models: vec!["old".to_owned()],
            experiment: Some("e".to_owned()),
            to: Some(moment("2026-01-02").unwrap()),
            ..Selection::default()
        };
        let given = SelectionArgs {
            model: vec!["a".to_owned(), "b".to_owned()],
            from: Some(moment("2026-01-01T06:00:00+06:00").unwrap()),
            ..SelectionArgs::default()
        };

        given.apply(&mut selection).unwrap();

        assert_eq!((selection.models.clone(), selection.experiment.as_deref()), (given.model.clone(), Some("e")));
        assert_eq!(selection.from, Some(moment("2026-01-01").unwrap()));
        assert_eq!(selection.trust, None);
        let open = SelectionArgs { trust: Some(trust("any").unwrap()), ..SelectionArgs::default() };
        open.apply(&mut selection).unwrap();
        assert_eq!(selection.trust, Some(TrustFilter::Any));
        assert!(trust("some").is_err());
        let late = SelectionArgs { from: Some(moment("2026-01-02").unwrap()), ..SelectionArgs::default() };
        let mut bounded = Selection { to: Some(moment("2026-01-02").unwrap()), ..Selection::default() };
        assert_eq!(late.apply(&mut bounded), Err("--to must be later than --from"));
        assert!(moment("yesterday").is_err());
        assert_eq!((word("m").as_deref(), word("")), (Ok("m"), Err("must not be empty".to_owned())));
        assert!(word(&"m".repeat(257)).is_err());
    }

    #[test]
    fn a_path_is_quoted_only_where_a_shell_needs_it() {
        assert_eq!(shell_quoted("/data/dpo-1"), "/data/dpo-1");
        assert_eq!(shell_quoted("my data"), "'my data'");
        assert_eq!(shell_quoted("it's"), r"'it'\''s'");
    }
}
