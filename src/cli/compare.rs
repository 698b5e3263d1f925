//! `afterword compare`: whether another model does as well, as text, JSON, a page or a specification to plot.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};

use super::UsageError;
use super::connect::{self, Connected};
use super::watch::{self, Watch};
use crate::config::{Config, environment};
use crate::domain::comparison::ComparisonSpec;
use crate::domain::fields::FieldError;
use crate::domain::principal::Principal;
use crate::report::comparison::Comparison;
use crate::report::{html, json, text, vega_lite};
use crate::service::compare::{self, examples};
use crate::service::{App, ServiceError};

/// Columns of the text where nobody says how many there are.
pub(super) const USUAL_WIDTH: usize = 80;

/// Arguments of `afterword compare`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  afterword compare --experiment llama-swap
  afterword compare --control model:llama-3-70b --candidate model:llama-3-8b --task support
  afterword compare --experiment llama-swap --out report.html
  afterword compare --experiment llama-swap --watch=5m
  afterword compare --experiment llama-swap --watch=1h --until-verdict && deploy

The answer is SWITCH, KEEP, KEEP_COLLECTING, CANNOT_TELL or INVALID; without an experiment it only leans. Looking
every day costs nothing: the intervals hold at every look.

With --until-verdict the exit status tells the verdict: 0 SWITCH, 3 KEEP, 4 CANNOT_TELL, 5 INVALID, and 130 where Ctrl-C
ended it before. Else Ctrl-C ends --watch with 0.")]
pub struct Args {
    /// Compare the variants of this experiment.
    #[arg(long, value_name = "KEY", conflicts_with = "control", required_unless_present = "control")]
    experiment: Option<String>,
    /// The present model, as `model:NAME`.
    #[arg(long, value_name = "model:NAME", requires = "candidate")]
    control: Option<String>,
    /// The model that might replace it, as `model:NAME`; with --experiment the name of a variant.
    #[arg(long, value_name = "model:NAME|VARIANT")]
    candidate: Option<String>,
    /// What intervals cluster by: user or conversation.
    #[arg(long, value_name = "UNIT")]
    unit: Option<String>,
    /// One-sided error rate of the verdict.
    #[arg(long, value_name = "RATE")]
    alpha: Option<String>,
    /// Accepted loss as a share of the control's rate, such as good_turn=0.05; may be given several times.
    #[arg(long, value_name = "METRIC=SHARE")]
    margin: Vec<String>,
    /// Only answers received at or after this day or moment (UTC).
    #[arg(long, value_name = "DATE|TIME")]
    from: Option<String>,
    /// Only answers received before this day or moment (UTC).
    #[arg(long, value_name = "DATE|TIME")]
    to: Option<String>,
    #[command(flatten)]
    filters: Filters,
    /// Form of the report; by default that of the file's extension, else text.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write the report to this file instead of the standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Look again and again, every minute or as often as is said (30s, 5m, 1h), and tell what moved since the last look.
    /// With --format json a line for each look; with --out the file is written anew.
    #[arg(long, value_name = "PAUSE", num_args = 0..=1, require_equals = true, default_missing_value = "1m")]
    watch: Option<String>,
    /// End the watch with the first verdict other than KEEP_COLLECTING.
    #[arg(long, requires = "watch")]
    until_verdict: bool,
    /// Project to compare in; not needed where there is only one.
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
}

/// Form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For a terminal.
    Text,
    /// The wire form of the API.
    Json,
    /// A page that stands by itself.
    Html,
    /// A Vega-Lite specification with the plotted numbers, to plot again.
    VegaLite,
}

impl Args {
    /// Returns the query parameters that the arguments stand for.
    fn to_query(&self) -> Result<Vec<(String, String)>, UsageError> {
        query_pairs(
            &[
                ("experiment", &self.experiment),
                ("control", &self.control),
                ("candidate", &self.candidate),
                ("unit", &self.unit),
                ("alpha", &self.alpha),
            ],
            &self.margin,
            [("from", &self.from), ("to", &self.to)],
            &[],
            &self.filters,
        )
    }

    fn to_spec(&self) -> Result<ComparisonSpec, UsageError> {
        ComparisonSpec::from_query(&self.to_query()?).map_err(|errors| usage(&errors))
    }

    /// Returns how the comparison is watched, where it is.
    fn to_watch(&self) -> Result<Option<Watch>, UsageError> {
        let watch = self.watch.as_deref().map(|pause| Watch::parse(pause, self.until_verdict)).transpose()?;
        if watch.is_some() && self.out.is_none() && matches!(self.format(), Format::Html | Format::VegaLite) {
            return Err(UsageError("--watch: a report of this form needs a file, give --out".into()));
        }
        Ok(watch)
    }

    /// Returns the project that was named.
    pub(super) fn project(&self) -> Option<&str> {
        self.project.as_deref()
    }

    /// Returns the file that the report goes into.
    pub(super) fn out(&self) -> Option<&Path> {
        self.out.as_deref()
    }

    pub(super) fn format(&self) -> Format {
        let extension = self.out.as_deref().and_then(Path::extension).and_then(|extension| extension.to_str());
        self.format.unwrap_or(match extension {
            Some("html" | "htm") => Format::Html,
            Some("json") => Format::Json,
            _ => Format::Text,
        })
    }
}

/// Runs the subcommand.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<ExitCode> {
    let spec = args.to_spec()?;
    if let Some(watch) = args.to_watch()? {
        return watch::run(&args, spec, watch, config).await;
    }
    let comparison = connect::with(config, async |connected: &Connected| {
        let project = connected.project(args.project()).await?;
        // Only these forms show answers.
        let with_answers = matches!(args.format(), Format::Html | Format::Json);
        look(&connected.app, &project.operator(), spec, with_answers).await.map_err(explain)
    })
    .await?;
    let is_terminal = args.out.is_none() && io::stdout().is_terminal();
    let report = render(&comparison, args.format(), is_terminal)?;
    if let Some(out) = &args.out {
        std::fs::write(out, report).with_context(|| format!("cannot write {}", out.display()))?;
        writeln!(io::stderr().lock(), "{}: wrote {}", comparison.verdict.code.as_str(), out.display())?;
    } else {
        io::stdout().lock().write_all(report.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Takes one look, with sampled answers or without.
pub(super) async fn look(
    app: &App,
    principal: &Principal,
    spec: ComparisonSpec,
    with_answers: bool,
) -> Result<Comparison, ServiceError> {
    if with_answers {
        examples::compare_with_examples(app, principal, spec).await
    } else {
        compare::compare(app, principal, spec).await
    }
}

/// Writes a report in one of its forms.
pub(super) fn render(comparison: &Comparison, format: Format, is_terminal: bool) -> anyhow::Result<String> {
    Ok(match format {
        Format::Text => {
            let width = if is_terminal { terminal_width() } else { USUAL_WIDTH };
            text::to_text(comparison, width, is_terminal && is_coloured())
        }
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&json::to_json(comparison))?),
        Format::Html => html::to_html(comparison),
        Format::VegaLite => format!("{}\n", serde_json::to_string_pretty(&vega_lite::to_vega_lite(comparison))?),
    })
}

/// Which answers are looked at, and whose reactions to them: the same wherever turns are read.
#[derive(Debug, clap::Args)]
pub(super) struct Filters {
    /// Only this kind of work; may be given several times.
    #[arg(long, value_name = "TASK")]
    task: Vec<String>,
    /// Only this language; may be given several times.
    #[arg(long, value_name = "TAG")]
    language: Vec<String>,
    /// Whose reactions count: verified or any; without it, verified where the project has ever used feedback tokens.
    #[arg(long, value_name = "FILTER")]
    trust: Option<String>,
}

/// Puts arguments together as the query parameters that they stand for; what was not given is left out.
pub(super) fn query_pairs(
    single: &[(&str, &Option<String>)],
    margins: &[String],
    window: [(&str, &Option<String>); 2],
    several: &[(&str, &Vec<String>)],
    filters: &Filters,
) -> Result<Vec<(String, String)>, UsageError> {
    let given = |(name, value): &(&str, &Option<String>)| Some(((*name).to_owned(), (*value).clone()?));
    let trust = [("trust", &filters.trust)];
    let mut pairs: Vec<_> = single.iter().chain(&trust).filter_map(given).collect();
    for margin in margins {
        pairs.push(split_margin(margin)?);
    }
    pairs.extend(window.iter().filter_map(given).map(|(name, value)| (name, moment(&value))));
    let filters = [("task", &filters.task), ("language", &filters.language)];
    for (name, values) in several.iter().chain(&filters) {
        pairs.extend(values.iter().map(|value| ((*name).to_owned(), value.clone())));
    }
    Ok(pairs)
}

/// Reads `METRIC=SHARE` as the parameter that it stands for.
fn split_margin(margin: &str) -> Result<(String, String), UsageError> {
    let (metric, share) = margin
        .split_once('=')
        .ok_or_else(|| UsageError("--margin must have the form METRIC=SHARE, such as good_turn=0.05".into()))?;
    Ok((format!("margin.{metric}"), share.to_owned()))
}

/// Reads a day as its first moment (UTC), and anything else as it is.
fn moment(text: &str) -> String {
    let is_day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok();
    if is_day { format!("{text}T00:00:00Z") } else { text.to_owned() }
}

/// Tells whether nobody has asked for text without colours.
pub(super) fn is_coloured() -> bool {
    environment("NO_COLOR").is_none_or(|value| value.is_empty())
}

pub(super) fn terminal_width() -> usize {
    rustix::termios::tcgetwinsize(io::stdout())
        .ok()
        .map(|size| usize::from(size.ws_col))
        .filter(|&n_columns| n_columns > 0)
        .unwrap_or(USUAL_WIDTH)
}

/// Says in one line why there is no comparison.
pub(super) fn explain(error: ServiceError) -> anyhow::Error {
    match error {
        ServiceError::Invalid(errors) => usage(&errors).into(),
        ServiceError::NotFound => anyhow!("there is no such experiment; see `afterword experiment list`"),
        other => other.into(),
    }
}

/// Names the argument that is wrong: the parameters of the query are those of the command line.
pub(super) fn usage(errors: &[FieldError]) -> UsageError {
    let lines: Vec<String> = errors
        .iter()
        .map(|error| match error.pointer.strip_prefix("margin.") {
            Some(metric) => format!("--margin {metric}: {}", error.detail),
            None if error.pointer.is_empty() => "--margin: there is no metric of this name to give a margin for".into(),
            None => format!("--{}: {}", error.pointer.replace('_', "-"), error.detail),
        })
        .collect();
    UsageError(lines.join("; "))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::domain::comparison::Sides;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parse(words: &[&str]) -> Result<ComparisonSpec, String> {
        let line = Line::try_parse_from([&["compare"], words].concat()).map_err(|error| error.kind().to_string())?;
        line.args.to_spec().map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_asks_the_same_question_as_the_query() {
        let spec = parse(&[
            "--experiment",
            "swap",
            "--candidate",
            "small",
            "--margin",
            "good_turn=0.1",
            "--from",
            "2026-01-31",
            "--task",
            "code",
            "--task",
            "chat",
            "--alpha",
            "0.05",
        ])
        .unwrap();

        assert_eq!(spec.sides, Sides::Experiment { key: "swap".to_owned(), candidate: Some("small".to_owned()) });
        assert_eq!((spec.margins, spec.alpha), (vec![("good_turn".to_owned(), 0.1)], Some(0.05)));
        assert_eq!(spec.selection.tasks, ["code", "chat"]);
        assert_eq!(spec.selection.from.unwrap().to_rfc3339(), "2026-01-31T00:00:00+00:00");
    }

    #[test]
    fn arguments_that_make_no_sense_are_named() {
        let models = ["--control", "model:a", "--candidate", "model:b"];
        for (words, expected) in [
            (["--control", "model:a", "--candidate", "model:a"].as_slice(), "--candidate: must be another model"),
            (&["--control", "a", "--candidate", "model:b"], "--control: must have the form `model:NAME`"),
            (&[&models[..], &["--margin", "good_turn"]].concat(), "--margin must have the form METRIC=SHARE"),
            (&[&models[..], &["--margin", "good_turn=7"]].concat(), "--margin good_turn: must be between"),
            (&[&models[..], &["--margin", "nice=0.1"]].concat(), "--margin: there is no metric"),
            (&[&models[..], &["--unit", "country"]].concat(), "--unit: must be one of: user, conversation"),
            (&[&models[..], &["--from", "yesterday"]].concat(), "--from: "),
        ] {
            let error = parse(words).unwrap_err();

            assert!(error.contains(expected), "{words:?}: {error}");
        }
        assert!(parse(&[]).is_err() && parse(&["--control", "model:a"]).is_err());
        assert!(parse(&[&models[..], &["--experiment", "swap"]].concat()).is_err());
    }

    #[test]
    fn the_form_follows_the_files_extension_unless_it_is_said() {
        let format = |words: &[&str]| {
            Line::try_parse_from([&["compare", "--experiment", "e"], words].concat()).unwrap().args.format()
        };

        assert_eq!(format(&[]), Format::Text);
        assert_eq!(format(&["--out", "a/report.html"]), Format::Html);
        assert_eq!(format(&["--out", "report.json"]), Format::Json);
        assert_eq!(format(&["--out", "report.html", "--format", "text"]), Format::Text);
        assert_eq!(format(&["--out", "plot.json", "--format", "vega-lite"]), Format::VegaLite);
    }
}
