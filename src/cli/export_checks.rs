//! `afterword export verify`, `diff` and `affected`: looks at exports that there are.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use comfy_table::{Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::Value;

use super::connect::{self, Connected};
use crate::config::Config;
use crate::domain::ids::UserId;
use crate::report::count::counted;
use crate::service::erase::{self, AffectedExport};
use crate::service::export_diff::{self, Diff, Difference, SplitDiff};
use crate::service::export_progress::Progress;
use crate::service::export_reading::{self, ReadError};
use crate::service::export_verify::{self, Verification};

/// How often the progress bar looks at a check.
const TICK: Duration = Duration::from_millis(100);
/// Row ids that a comparison lists where nobody says how many.
const N_LISTED: usize = 10;
/// Characters of a value that a comparison shows; `--json` has all of them.
const MAX_VALUE_CHARS: usize = 60;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  afterword export verify pairs
  afterword export verify pairs --json

It needs the folder and nothing else: neither database nor service. The exit status is 1 where a check fails.")]
pub(super) struct Verify {
    /// The export's folder.
    #[arg(value_name = "DIR", value_parser = folder)]
    folder: PathBuf,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  afterword export diff pairs-1 pairs-2
  afterword export diff pairs answers            before you train on one and evaluate on the other
  afterword export diff pairs-1 pairs-2 --list 100 --json

The exit status is 1 where a row has moved from one split to another, or where a prompt or a group that one of the two
trains on is evaluated on by the other.")]
pub(super) struct DiffArgs {
    /// The earlier export's folder.
    #[arg(value_name = "A", value_parser = folder)]
    a: PathBuf,
    /// The later export's folder.
    #[arg(value_name = "B", value_parser = folder)]
    b: PathBuf,
    /// How many row ids, prompts, groups and statistics of each kind are listed.
    #[arg(long, value_name = "N", default_value_t = N_LISTED)]
    list: usize,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  afterword export affected --user u-1
  afterword export affected --user u-1 --project support --json")]
pub(super) struct Affected {
    /// The user's id, as completions and feedback name it.
    #[arg(long, value_name = "USER", value_parser = user)]
    user: UserId,
    /// Project of the user; not needed where there is only one.
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

/// Reads the path of a folder. What begins as an address does is none that could be looked into from here.
pub(super) fn folder(text: &str) -> Result<PathBuf, &'static str> {
    let is_scheme = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_alphabetic())
            && word.chars().all(|letter| letter.is_ascii_alphanumeric() || "+.-".contains(letter))
    };
    if text.split_once("://").is_some_and(|(word, _)| is_scheme(word)) {
        return Err(
            "is an address and no folder; copy it from its bucket first: `aws s3 sync ADDRESS DIR`, then name DIR",
        );
    }
    Ok(PathBuf::from(text))
}

/// Reads a user's id.
pub(super) fn user(text: &str) -> Result<UserId, &'static str> {
    UserId::parse(text).map_err(|_| "must be 1 to 256 bytes")
}

/// Runs `afterword export verify`.
pub(super) async fn verify(args: Verify) -> anyhow::Result<ExitCode> {
    let (progress, folder) = (Arc::new(Progress::default()), args.folder.clone());
    let bar = ProgressBar::no_length();
    let mut check = {
        let progress = Arc::clone(&progress);
        tokio::task::spawn_blocking(move || export_verify::verify(&folder, &progress))
    };
    let mut tick = tokio::time::interval(TICK);
    let verified = loop {
        tokio::select! {
            verified = &mut check => break verified,
            _ = tick.tick() => show(&bar, &progress),
        }
    };
    bar.finish_and_clear();
    let verification = verified?.map_err(|error| unreadable(&args.folder, error))?;
    if args.json {
        print_json(&verification)?;
    } else {
        print_checks(&verification)?;
    }
    Ok(if verification.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Shows how many bytes are hashed; once they all are, that the rows are looked at.
fn show(bar: &ProgressBar, progress: &Progress) {
    let look = progress.look();
    let template = if look.n_done < look.n_total {
        "{spinner} hashing {wide_bar} {bytes} of {total_bytes}, {eta} left"
    } else {
        "{spinner} looking at the rows"
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_length(look.n_total);
    bar.set_position(look.n_done);
}

fn print_checks(verification: &Verification) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["CHECK", "STATUS", "WHAT WAS FOUND"]);
    for check in &verification.checks {
        table.add_row([check.name, check.status.as_str(), &check.detail]);
    }
    let mut out = io::stdout().lock();
    writeln!(out, "export {}, {}\n", verification.export_id, counted(verification.n_examples, "row"))?;
    writeln!(out, "{}", table.trim_fmt())
}

/// Runs `afterword export diff`.
pub(super) async fn diff(args: DiffArgs) -> anyhow::Result<ExitCode> {
    let (a, b, n_listed) = (args.a.clone(), args.b.clone(), args.list);
    for folder in [&a, &b] {
        export_reading::look(folder).map_err(|error| unreadable(folder, error))?;
    }
    let compared = tokio::task::spawn_blocking(move || export_diff::diff(&a, &b, n_listed)).await?;
    let names = format!("{} or {}", args.a.display(), args.b.display());
    let diff = compared.map_err(|error| anyhow::Error::new(error).context(names))?;
    if args.json {
        print_json(&diff)?;
    } else {
        write!(io::stdout().lock(), "{}", told(&diff, args.list))?;
    }
    Ok(if diff.is_safe() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tells a comparison as text.
fn told(diff: &Diff, n_listed: usize) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _written = write_diff(&mut text, diff, n_listed);
    text
}

fn write_diff(text: &mut String, diff: &Diff, n_listed: usize) -> std::fmt::Result {
    use std::fmt::Write as _;
    for (name, side) in [("A", &diff.a), ("B", &diff.b)] {
        writeln!(text, "{name}  export {}, {}", side.export_id, counted(side.n_examples, "row"))?;
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["CONFIG", "SPLIT", "SAME", "ADDED", "REMOVED", "CHANGED"]);
    for (config, splits) in &diff.configs {
        for (split, rows) in splits {
            let counts = [rows.n_same, rows.n_added, rows.n_removed, rows.n_changed].map(|n| n.to_string());
            table.add_row([config.as_str(), split.as_str()].into_iter().chain(counts.iter().map(String::as_str)));
        }
    }
    writeln!(text, "\n{}", table.trim_fmt())?;
    for config in &diff.not_compared {
        writeln!(text, "{config}: nothing there tells the ids of its rows, so that they are not compared")?;
    }
    for (config, splits) in &diff.configs {
        for (split, rows) in splits {
            write_ids(text, config, split, rows)?;
        }
    }
    if diff.n_moved > 0 {
        writeln!(text, "\n{} MOVED from one split to another:", counted(diff.n_moved, "row"))?;
        for row in &diff.moved {
            writeln!(text, "  {} {} from {} to {}", row.config, row.row_id, row.from, row.to)?;
        }
    }
    for (noun, crossing) in [("prompt", &diff.prompts), ("group", &diff.groups)] {
        write_crossing(text, noun, ("A", "B"), crossing.n_trained_in_a, &crossing.trained_in_a)?;
        write_crossing(text, noun, ("B", "A"), crossing.n_trained_in_b, &crossing.trained_in_b)?;
    }
    write_values(text, "recipe", &diff.recipe, usize::MAX)?;
    write_values(text, "statistics", &diff.stats, n_listed)
}

/// Tells what one side trains on and the other evaluates on.
fn write_crossing(
    text: &mut String,
    noun: &str,
    (trained, evaluated): (&str, &str),
    n_crossing: u64,
    keys: &[String],
) -> std::fmt::Result {
    use std::fmt::Write as _;
    if n_crossing == 0 {
        return Ok(());
    }
    let are = if n_crossing == 1 { "is" } else { "are" };
    let crossing = counted(n_crossing, noun);
    writeln!(
        text,
        "\n{crossing} of the train split of {trained} {are} in the validation or test split of {evaluated}: DO NOT evaluate on \
         {evaluated} what was trained on {trained}:"
    )?;
    write_keys(text, n_crossing, keys)
}

fn write_ids(text: &mut String, config: &str, split: &str, rows: &SplitDiff) -> std::fmt::Result {
    use std::fmt::Write as _;
    for (what, n_rows, ids) in [
        ("added", rows.n_added, &rows.added),
        ("removed", rows.n_removed, &rows.removed),
        ("changed", rows.n_changed, &rows.changed),
    ] {
        if n_rows == 0 {
            continue;
        }
        writeln!(text, "\n{config} {split}: {n_rows} {what}")?;
        write_keys(text, n_rows, ids)?;
    }
    Ok(())
}

fn write_keys(text: &mut String, n_keys: u64, listed: &[String]) -> std::fmt::Result {
    use std::fmt::Write as _;
    for key in listed {
        writeln!(text, "  {key}")?;
    }
    match n_keys - listed.len() as u64 {
        0 => Ok(()),
        n_more => writeln!(text, "  and {n_more} more, which --list shows"),
    }
}

/// Tells what differs, a value a line.
fn write_values(text: &mut String, what: &str, differences: &[Difference], n_listed: usize) -> std::fmt::Result {
    use std::fmt::Write as _;
    if differences.is_empty() {
        return writeln!(text, "\nthe same {what}");
    }
    writeln!(text, "\nother {what}:")?;
    for Difference { pointer, a, b } in differences.iter().take(n_listed) {
        let name = pointer.trim_start_matches("/options").trim_start_matches('/').replace('/', ".");
        writeln!(text, "  {}: {} → {}", name.replace("~1", "/").replace("~0", "~"), short(a), short(b))?;
    }
    match differences.len().saturating_sub(n_listed) {
        0 => Ok(()),
        n_more => writeln!(text, "  and {n_more} more, which --list shows"),
    }
}

/// Writes a value so that two of them fit into a line.
fn short(value: &Value) -> String {
    let text = match value {
        Value::Null => "absent".to_owned(),
        Value::String(word) if !word.is_empty() => word.replace(char::is_control, " "),
        value => value.to_string(),
    };
    if text.chars().count() <= MAX_VALUE_CHARS {
        return text;
    }
    text.chars().take(MAX_VALUE_CHARS - 1).chain(['…']).collect()
}

/// An export that holds rows of a user, as it is printed.
#[derive(Serialize)]
struct AffectedItem {
    id: String,
    status: &'static str,
    written_to: &'static str,
    created_at: String,
}

impl From<&AffectedExport> for AffectedItem {
    fn from(export: &AffectedExport) -> Self {
        Self {
            id: export.id.to_string(),
            status: export.status.as_str(),
            written_to: if export.is_folder { "folder" } else { "service" },
            created_at: export.created_at.format("%Y-%m-%d %H:%MZ").to_string(),
        }
    }
}

/// Runs `afterword export affected`.
pub(super) async fn affected(args: Affected, config: &Config) -> anyhow::Result<ExitCode> {
    let exports = connect::with(config, async |connected: &Connected| {
        let project = connected.project(args.project.as_deref()).await?;
        Ok(erase::affected(&connected.app, &project.operator(), &args.user).await?)
    })
    .await?;
    let items: Vec<AffectedItem> = exports.iter().map(AffectedItem::from).collect();
    if args.json {
        print_json(&items)?;
    } else {
        print_affected(&items)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print_affected(items: &[AffectedItem]) -> io::Result<()> {
    if items.is_empty() {
        return writeln!(io::stdout().lock(), "no export holds rows of this user");
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["EXPORT", "STATUS", "WRITTEN TO", "CREATED"]);
    for item in items {
        table.add_row([item.id.as_str(), item.status, item.written_to, &item.created_at]);
    }
    writeln!(io::stdout().lock(), "{}", table.trim_fmt())
}

fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    writeln!(io::stdout().lock(), "{text}")?;
    Ok(())
}

fn unreadable(folder: &Path, error: ReadError) -> anyhow::Error {
    anyhow::Error::new(error).context(folder.display().to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_address_is_no_folder_and_a_path_with_a_colon_is_one() {
        for address in ["s3://bucket/pairs", "gs://b", "https://host/x", "file:///tmp"] {
            assert!(folder(address).is_err_and(|words| words.contains("copy it from its bucket first")), "{address}");
        }
        for path in ["pairs", "./s3:/x", "a b://c", "/data/p://q"] {
            assert_eq!(folder(path), Ok(PathBuf::from(path)));
        }
    }

    #[test]
    fn what_recipes_differ_in_is_an_option_a_line() {
        let difference = |pointer: &str, a: Value, b: Value| Difference { pointer: pointer.to_owned(), a, b };
        let differences = [
            difference("/options/min_votes", json!(1), json!(2)),
            difference("/selection/models", json!([]), json!(["m".repeat(99)])),
            difference("/options/pii_url", json!(""), Value::Null),
        ];
        let mut text = String::new();

        write_values(&mut text, "recipe", &differences, 3).unwrap();

        let long = format!("[\"{}…", "m".repeat(57));
        assert_eq!(
            text,
            format!("\nother recipe:\n  min_votes: 1 → 2\n  selection.models: [] → {long}\n  pii_url: \"\" → absent\n")
        );
    }
}
