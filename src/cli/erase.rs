//! `afterword erase`: removes everything of a user for good, after it has said what that is.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::anyhow;

use super::UsageError;
use super::connect::{self, Connected};
use super::export_checks::user;
use crate::config::Config;
use crate::domain::ids::UserId;
use crate::domain::principal::Principal;
use crate::report::count::words_for;
use crate::service::erase::{self, ErasurePreview, ErasureReport, FilesFate};
use crate::service::{App, erase_jobs};

/// Arguments of `afterword erase`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Deletes the user's completions and feedback, everybody's feedback on these completions, and completions without a user in
conversations of theirs. Revokes every export that holds rows of them. From then on nothing of the user's is taken.
An erasure that broke off goes on where it was left, by a service that runs or by the same command.

Examples:
  afterword erase --user u-1 --dry-run
  afterword erase --user u-1 --project shop --yes --delete-files")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command of its own")]
pub struct Args {
    /// The user's id, as completions and feedback name it.
    #[arg(long, value_name = "USER", value_parser = user)]
    user: UserId,
    /// Project of the user; not needed where there is only one.
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// Only count what would go.
    #[arg(long)]
    dry_run: bool,
    /// Delete the files of the revoked exports that the service keeps, too.
    #[arg(long)]
    delete_files: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Print JSON instead of text; needs --yes or --dry-run.
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<ExitCode> {
    if !args.yes && !args.dry_run && (args.json || !io::stdin().is_terminal()) {
        let words = "nobody can be asked here: --yes erases without asking, --dry-run counts";
        return Err(UsageError(words.to_owned()).into());
    }
    connect::with(config, async |connected: &Connected| {
        let project = connected.project(args.project.as_deref()).await?;
        let operator = project.operator();
        let preview = erase::preview(&connected.app, &operator, &args.user).await?;
        if args.dry_run && args.json {
            writeln!(io::stdout().lock(), "{}", serde_json::to_string_pretty(&preview)?)?;
            return Ok(());
        }
        if !args.json {
            write!(io::stdout().lock(), "{}", told(&preview))?;
        }
        if args.dry_run || !(args.yes || is_confirmed(&project.name)?) {
            return Ok(());
        }
        let report = carry_out(&connected.app, &operator, &args).await?;
        print(&report, args.json)
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}

/// Asks for the erasure and carries it out at once, or goes on with one that broke off.
async fn carry_out(app: &App, operator: &Principal, args: &Args) -> anyhow::Result<ErasureReport> {
    let (erasure, _is_new) = erase::request(app, operator, &args.user, args.delete_files).await?;
    if let Some(job) = erase_jobs::claim(app, Some(erasure.id)).await? {
        erase_jobs::carry_out(app, &job).await?;
    } else {
        let words = "a service is at it already, or it rests after a failure: nothing of the user's is taken any more";
        return Err(anyhow!("{words}; erasure {}", erasure.id));
    }
    Ok(erase::show(app, operator, erasure.id).await?)
}

fn is_confirmed(project: &str) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    write!(out, "\nThis cannot be undone. Erase the user in project `{project}`? Type yes: ")?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

/// Says what an erasure would do.
fn told(preview: &ErasurePreview) -> String {
    let completions = |n| words_for(n, "completion", "completions");
    let items = |n| words_for(n, "item", "items");
    let (n_own, n_unnamed) = (preview.n_completions, preview.n_completions_without_user);
    let (n_said, n_said_of) = (preview.n_feedback, preview.n_feedback_of_others);
    let (n_exports, n_staying) = (preview.n_exports, preview.n_completions_of_others);
    let exports = words_for(n_exports, "export that holds", "exports that hold");
    let mut lines = vec![
        (n_own, format!("{} of the user", completions(n_own))),
        (n_unnamed, format!("{} without a user in conversations of theirs", completions(n_unnamed))),
        (n_said, format!("{} of feedback of the user", items(n_said))),
        (n_said_of, format!("{} of feedback of others on these completions", items(n_said_of))),
        (n_exports, format!("{exports} rows of the user, to be revoked")),
    ];
    if n_staying > 0 {
        let stay = words_for(n_staying, "STAYS", "STAY");
        lines.push((n_staying, format!("{} of others in these conversations, which {stay}", completions(n_staying))));
    }
    lines.iter().map(|(n, what)| format!("{n:>8}  {what}\n")).collect::<Vec<_>>().concat()
}

fn print(report: &ErasureReport, as_json: bool) -> anyhow::Result<()> {
    let (erasure, counts) = (&report.erasure, report.erasure.counts);
    let exports: Vec<String> = report.exports.iter().map(|export| export.id.to_string()).collect();
    let mut out = io::stdout().lock();
    if as_json {
        let item = serde_json::json!({
            "id": erasure.id, "status": erasure.status, "user_hash": erasure.user_hash.to_hex(),
            "n_completions": counts.n_completions, "n_feedback": counts.n_feedback,
            "n_exposures": counts.n_exposures, "n_exports": counts.n_exports, "exports": exports,
        });
        return Ok(writeln!(out, "{}", serde_json::to_string_pretty(&item)?)?);
    }
    writeln!(
        out,
        "\nerased: {} {}, {} {} of feedback, {} {}; {} {} revoked",
        counts.n_completions,
        words_for(counts.n_completions, "completion", "completions"),
        counts.n_feedback,
        words_for(counts.n_feedback, "item", "items"),
        counts.n_exposures,
        words_for(counts.n_exposures, "exposure", "exposures"),
        counts.n_exports,
        words_for(counts.n_exports, "export", "exports"),
    )?;
    for export in &report.exports {
        let place = match FilesFate::of(export, erasure.delete_files) {
            FilesFate::Folder => "in a folder of yours, which you delete",
            FilesFate::Kept => "in the place for exports",
            FilesFate::Left => "LEFT: its destination is not configured; its files go once it is again",
            FilesFate::Deleted => "deleted",
        };
        writeln!(out, "  {}  {place}", export.id)?;
    }
    Ok(())
}
