//! `afterword serving report`: how busy engines were, how long prompts and answers are, and what users do then.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

use super::UsageError;
use super::compare::{Filters, USUAL_WIDTH, is_coloured, query_pairs, terminal_width, usage};
use super::connect::{self, Connected};
use crate::config::Config;
use crate::domain::clock::{Clock as _, SystemClock};
use crate::domain::serving_query::{ReportForm, ServingQuery};
use crate::report::serving::ServingReport;
use crate::report::{html, json, text};
use crate::service::serving_report;

/// Arguments of `afterword serving report`.
#[derive(Debug, clap::Args)]
pub(super) struct ReportArgs {
    /// Only this model; may be given several times.
    #[arg(long, value_name = "MODEL")]
    model: Vec<String>,
    /// Only answers received at or after this day or moment (UTC); by default four weeks before --to.
    #[arg(long, value_name = "DATE|TIME")]
    from: Option<String>,
    /// Only answers received before this day or moment (UTC); by default now.
    #[arg(long, value_name = "DATE|TIME")]
    to: Option<String>,
    #[command(flatten)]
    filters: Filters,
    /// Form of the report: text, json or html; by default what the name of the file says, else text.
    #[arg(long, value_name = "FORM")]
    format: Option<String>,
    /// File for the report, in place of the terminal.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Project to report on; not needed where there is only one.
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
}

impl ReportArgs {
    fn to_query(&self) -> Result<ServingQuery, UsageError> {
        let pairs = query_pairs(
            &[("format", &self.format)],
            &[],
            [("from", &self.from), ("to", &self.to)],
            &[("model", &self.model)],
            &self.filters,
        )?;
        ServingQuery::from_query(&pairs, SystemClock.now()).map_err(|errors| usage(&errors))
    }

    fn form_of_file(&self) -> ReportForm {
        match self.out.as_deref().and_then(Path::extension).and_then(|extension| extension.to_str()) {
            Some("html" | "htm") => ReportForm::Html,
            Some("json") => ReportForm::Json,
            _ => ReportForm::Text,
        }
    }
}

/// Reports on a project of the configured database.
pub(super) async fn run(args: ReportArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let query = args.to_query()?;
    let form = query.form.unwrap_or_else(|| args.form_of_file());
    let report = connect::with(config, async |connected: &Connected| {
        let project = connected.project(args.project.as_deref()).await?;
        Ok(serving_report::report(&connected.app, &project.operator(), query).await?)
    })
    .await?;
    let written = render(&report, form, args.out.is_none() && io::stdout().is_terminal())?;
    if let Some(out) = &args.out {
        std::fs::write(out, written).with_context(|| format!("cannot write {}", out.display()))?;
        writeln!(io::stderr().lock(), "wrote {}", out.display())?;
    } else {
        io::stdout().lock().write_all(written.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn render(report: &ServingReport, form: ReportForm, is_terminal: bool) -> anyhow::Result<String> {
    Ok(match form {
        ReportForm::Text => {
            let width = if is_terminal { terminal_width() } else { USUAL_WIDTH };
            text::serving::to_text(report, width, is_terminal && is_coloured())
        }
        ReportForm::Json => format!("{}\n", serde_json::to_string_pretty(&json::serving::to_json(report))?),
        ReportForm::Html => html::serving::to_html(report),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: ReportArgs,
    }

    fn args(words: &[&str]) -> ReportArgs {
        Line::try_parse_from([&["report"], words].concat()).unwrap().args
    }

    #[test]
    fn the_command_line_asks_the_same_question_as_the_query() {
        let args =
            args(&["--model", "a", "--model", "b", "--from", "2026-01-31", "--to", "2026-02-10", "--out", "r.html"]);

        let query = args.to_query().unwrap();

        assert_eq!(query.selection.models, ["a", "b"]);
        assert_eq!(query.from.to_rfc3339(), "2026-01-31T00:00:00+00:00");
        assert_eq!((query.form, args.form_of_file()), (None, ReportForm::Html));
    }

    #[test]
    fn arguments_that_make_no_sense_are_named() {
        for (words, expected) in [
            (["--format", "pdf"].as_slice(), "--format: must be one of: json, html, text"),
            (&["--from", "2026-02-10", "--to", "2026-02-01"], "--to: must be later"),
            (&["--from", "2025-01-01", "--to", "2026-02-01"], "--from: must be at most 92 days"),
            (&["--model", ""], "--model: must be 1 to"),
        ] {
            let error = args(words).to_query().unwrap_err().to_string();

            assert!(error.contains(expected), "{words:?}: {error}");
        }
    }
}
