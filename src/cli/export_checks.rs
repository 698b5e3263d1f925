//! `afterword export verify`, `diff` and `affected`: looks at exports that there are.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use comfy_table::{Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::connect::{self, Connected};
use crate::config::Config;
use crate::domain::ids::UserId;
use crate::service::erase::{self, AffectedExport};
use crate::service::export_diff::{self, Diff, Difference, SplitDiff};
use crate::service::export_progress::Progress;
use crate::service::export_reading::ReadError;
use crate::service::export_verify::{self, Verification};

/// How often the progress bar looks at a check.
const TICK: Duration = Duration::from_millis(100);
/// Row ids that a comparison lists where nobody says how many.
const N_LISTED: usize = 10;

#[derive(Debug, clap::Args)]
#[command(after_help = "Exit status 1 where a check fails.")]
pub(super) struct Verify {
    /// The export's folder.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Exit status 1 where a row has moved from one split to another.")]
pub(super) struct DiffArgs {
    /// The earlier export's folder.
    #[arg(value_name = "A")]
    a: PathBuf,
    /// The later export's folder.
    #[arg(value_name = "B")]
    b: PathBuf,
    /// How many row ids of each kind are listed.
    #[arg(long, value_name = "N", default_value_t = N_LISTED)]
    list: usize,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
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
    writeln!(out, "export {}, {} rows\n", verification.export_id, verification.n_examples)?;
    writeln!(out, "{}", table.trim_fmt())
}

/// Runs `afterword export diff`.
pub(super) async fn diff(args: DiffArgs) -> anyhow::Result<ExitCode> {
    let (a, b, n_listed) = (args.a.clone(), args.b.clone(), args.list);
    let compared = tokio::task::spawn_blocking(move || export_diff::diff(&a, &b, n_listed)).await?;
    let names = format!("{} or {}", args.a.display(), args.b.display());
    let diff = compared.map_err(|error| anyhow::Error::new(error).context(names))?;
    if args.json {
        print_json(&diff)?;
    } else {
        write!(io::stdout().lock(), "{}", told(&diff))?;
    }
    Ok(if diff.n_moved == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tells a comparison as text.
fn told(diff: &Diff) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _written = write_diff(&mut text, diff);
    text
}

fn write_diff(text: &mut String, diff: &Diff) -> std::fmt::Result {
    use std::fmt::Write as _;
    for (name, side) in [("A", &diff.a), ("B", &diff.b)] {
        writeln!(text, "{name}  export {}, {} rows", side.export_id, side.n_examples)?;
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
        writeln!(text, "{config}: its parts hold no row ids, so that its rows are not compared")?;
    }
    for (config, splits) in &diff.configs {
        for (split, rows) in splits {
            write_ids(text, config, split, rows)?;
        }
    }
    if diff.n_moved > 0 {
        writeln!(text, "\n{} rows MOVED from one split to another:", diff.n_moved)?;
        for row in &diff.moved {
            writeln!(text, "  {} {} from {} to {}", row.config, row.row_id, row.from, row.to)?;
        }
    }
    write_values(text, "recipe", &diff.recipe)?;
    write_values(text, "statistics", &diff.stats)
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
        for id in ids {
            writeln!(text, "  {id}")?;
        }
        let n_more = n_rows - ids.len() as u64;
        if n_more > 0 {
            writeln!(text, "  and {n_more} more, which --list shows")?;
        }
    }
    Ok(())
}

fn write_values(text: &mut String, what: &str, differences: &[Difference]) -> std::fmt::Result {
    use std::fmt::Write as _;
    if differences.is_empty() {
        return writeln!(text, "\nthe same {what}");
    }
    writeln!(text, "\nother {what}:")?;
    for Difference { pointer, a, b } in differences {
        writeln!(text, "  {pointer}: {a} -> {b}")?;
    }
    Ok(())
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
