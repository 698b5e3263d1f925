//! `afterword plan`: how many users and days a comparison takes, before it starts.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use super::UsageError;
use super::compare::{Filters, USUAL_WIDTH, is_coloured, query_pairs, terminal_width, usage};
use super::connect::{self, Connected};
use crate::config::Config;
use crate::domain::clock::{Clock as _, SystemClock};
use crate::domain::plan::{Basis, PlanSpec};
use crate::report::plan::Plan;
use crate::report::{json, text};
use crate::service::ServiceError;
use crate::service::compare::plan;

/// Arguments of `afterword plan`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  afterword plan --control model:llama-3-70b
  afterword plan --control model:llama-3-70b --metric good_turn --margin good_turn=0.02 --share 0.1
  afterword plan --baseline 0.32 --users-per-day 40 --turns-per-user 12 --icc 0.2 --days 60

With --control the plan looks at what users of that model did; with --baseline it asks no database. Users and days are
those until a candidate that is truly equal is shown to be within the limits.")]
pub struct Args {
    /// The present model, as `model:NAME`: its traffic of the last 28 days is planned with.
    #[arg(long, value_name = "model:NAME", conflicts_with = "baseline", required_unless_present = "baseline")]
    control: Option<String>,
    /// Rate of the present model where there is no traffic yet, such as 0.32.
    #[arg(long, value_name = "RATE")]
    baseline: Option<String>,
    /// New users a day, both sides together; without it days are not known.
    #[arg(long, value_name = "N")]
    users_per_day: Option<String>,
    /// Turns of a user; by default 1.
    #[arg(long, value_name = "N")]
    turns_per_user: Option<String>,
    /// How far the outcomes of two turns of one user are correlated, 0 to 1.
    #[arg(long, value_name = "RHO")]
    icc: Option<String>,
    /// In place of --icc: standard deviation of the users' own rates.
    #[arg(long, value_name = "SD")]
    sd: Option<String>,
    /// What to plan for: good_turn, bad_turn, thumb_up or thumb_down; may be given several times. By default all that must
    /// pass, or with --baseline good_turn.
    #[arg(long, value_name = "METRIC")]
    metric: Vec<String>,
    /// Accepted loss as a share of the control's rate, such as good_turn=0.05; may be given several times.
    #[arg(long, value_name = "METRIC=SHARE")]
    margin: Vec<String>,
    /// Share of the users that get the candidate; by default 0.5.
    #[arg(long, value_name = "SHARE")]
    share: Option<String>,
    /// One-sided error rate of the verdict; by default 0.025.
    #[arg(long, value_name = "RATE")]
    alpha: Option<String>,
    /// Chance to show a candidate that is truly equal; by default 0.8.
    #[arg(long, value_name = "CHANCE")]
    power: Option<String>,
    /// Days after which to tell what limit can be proved; by default 30.
    #[arg(long, value_name = "N")]
    days: Option<String>,
    /// Only answers received at or after this day or moment (UTC).
    #[arg(long, value_name = "DATE|TIME")]
    from: Option<String>,
    /// Only answers received before this day or moment (UTC).
    #[arg(long, value_name = "DATE|TIME")]
    to: Option<String>,
    #[command(flatten)]
    filters: Filters,
    /// Form of the plan.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Project to plan in; not needed where there is only one.
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
}

/// Form of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For a terminal.
    Text,
    /// The wire form of the API.
    Json,
}

impl Args {
    /// Returns the query parameters that the arguments stand for.
    fn to_query(&self) -> Result<Vec<(String, String)>, UsageError> {
        query_pairs(
            &[
                ("control", &self.control),
                ("baseline", &self.baseline),
                ("users_per_day", &self.users_per_day),
                ("turns_per_user", &self.turns_per_user),
                ("icc", &self.icc),
                ("sd", &self.sd),
                ("share", &self.share),
                ("alpha", &self.alpha),
                ("power", &self.power),
                ("days", &self.days),
            ],
            &self.margin,
            [("from", &self.from), ("to", &self.to)],
            &[("metric", &self.metric)],
            &self.filters,
        )
    }

    fn to_spec(&self) -> Result<PlanSpec, UsageError> {
        PlanSpec::from_query(&self.to_query()?).map_err(|errors| usage(&errors))
    }
}

/// Runs the subcommand.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<ExitCode> {
    let spec = args.to_spec()?;
    let planned = match &spec.basis {
        Basis::Numbers(numbers) => plan::of_numbers(&spec, numbers, SystemClock.now())?,
        Basis::Traffic { .. } => {
            connect::with(config, async |connected: &Connected| {
                let project = connected.project(args.project.as_deref()).await?;
                plan::plan(&connected.app, &project.operator(), spec).await.map_err(explain)
            })
            .await?
        }
    };
    io::stdout().lock().write_all(render(&planned, args.format)?.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn render(planned: &Plan, format: Format) -> anyhow::Result<String> {
    let is_terminal = io::stdout().is_terminal();
    Ok(match format {
        Format::Text => {
            let width = if is_terminal { terminal_width() } else { USUAL_WIDTH };
            text::plan::to_text(planned, width, is_terminal && is_coloured())
        }
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&json::plan::to_json(planned))?),
    })
}

/// Says in one line why there is no plan.
fn explain(error: ServiceError) -> anyhow::Error {
    match error {
        ServiceError::Invalid(errors) => usage(&errors).into(),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::domain::plan::Numbers;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parse(words: &[&str]) -> Result<PlanSpec, String> {
        let line = Line::try_parse_from([&["plan"], words].concat()).map_err(|error| error.kind().to_string())?;
        line.args.to_spec().map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_asks_the_same_question_as_the_query() {
        let numbers = parse(&["--baseline", "0.3", "--users-per-day", "40", "--turns-per-user", "5", "--icc", "0.1"]);
        let traffic = parse(&["--control", "model:old", "--margin", "bad_turn=0.2", "--from", "2026-01-31"]).unwrap();

        let expected = Numbers { baseline: 0.3, users_per_day: Some(40.0), turns_per_user: 5.0, icc: 0.1 };
        assert_eq!(numbers.unwrap().basis, Basis::Numbers(expected));
        assert_eq!(traffic.margins, [("bad_turn".to_owned(), 0.2)]);
        let Basis::Traffic { control, selection } = traffic.basis else { panic!("it has a control") };
        assert_eq!(
            (control.as_str(), selection.from.unwrap().to_rfc3339().as_str()),
            ("old", "2026-01-31T00:00:00+00:00")
        );
    }

    #[test]
    fn arguments_that_make_no_sense_are_named() {
        for (words, expected) in [
            (["--control", "old"].as_slice(), "--control: must have the form `model:NAME`"),
            (&["--baseline", "2"], "--baseline: must be between"),
            (&["--baseline", "0.3", "--turns-per-user", "4"], "--icc: is required"),
            (&["--baseline", "0.3", "--users-per-day", "many"], "--users-per-day: must be a number"),
            (&["--baseline", "0.3", "--margin", "good_turn"], "--margin must have the form METRIC=SHARE"),
            (&["--baseline", "0.3", "--task", "chat"], "--task: chooses among the traffic"),
        ] {
            let error = parse(words).unwrap_err();

            assert!(error.contains(expected), "{words:?}: {error}");
        }
        assert!(parse(&[]).is_err() && parse(&["--control", "model:a", "--baseline", "0.1"]).is_err());
    }
}
