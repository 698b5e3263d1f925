//! `afterword project`: lists projects and declares what holds for them.

use std::io::{self, Write as _};
use std::process::ExitCode;

use comfy_table::{Table, presets};

use super::connect::{self, Connected, Project};
use crate::config::Config;
use crate::domain::consent::ConsentDefault;
use crate::service::{bootstrap, projects};

/// Arguments of `afterword project`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  afterword project list
  afterword project set --consent-default granted")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the projects with what they declare.
    #[command(after_help = "\
Examples:
  afterword project list")]
    List,
    /// Declare what holds for a project.
    #[command(after_help = "\
Examples:
  afterword project set --consent-default granted
  afterword project set --project support --consent-default none")]
    Set(Set),
}

#[derive(Debug, clap::Args)]
struct Set {
    /// The project; not needed where there is only one.
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// Whether completions that say nothing of consent may be used for training, those already stored included: granted,
    /// refused, or none to declare nothing.
    #[arg(long, value_name = "WORD", value_parser = consent_default)]
    consent_default: ConsentDefault,
}

/// Runs the subcommand.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<ExitCode> {
    connect::with(config, async |connected: &Connected| match args.command {
        Command::List => list(connected).await,
        Command::Set(args) => set(connected, args).await,
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}

async fn list(connected: &Connected) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["PROJECT", "ID", "CREATED", "CONSENT DEFAULT"]);
    for (name, id) in bootstrap::list_projects(&connected.app).await? {
        let operator = Project { id, name: name.clone() }.operator();
        let project = projects::show(&connected.app, &operator).await?;
        let created = project.created_at.format("%Y-%m-%d %H:%MZ").to_string();
        table.add_row([name.as_str(), &id.to_string(), &created, project.consent_default.as_str()]);
    }
    writeln!(io::stdout().lock(), "{}", table.trim_fmt())?;
    Ok(())
}

async fn set(connected: &Connected, args: Set) -> anyhow::Result<()> {
    let project = connected.project(args.project.as_deref()).await?;
    projects::set_consent_default(&connected.app, &project.operator(), args.consent_default).await?;
    let word = args.consent_default.as_str();
    writeln!(io::stderr().lock(), "project `{}`: consent default is {word}", project.name)?;
    Ok(())
}

fn consent_default(word: &str) -> Result<ConsentDefault, &'static str> {
    let found = ConsentDefault::WORDS.iter().find(|(known, _)| *known == word).map(|(_, default)| *default);
    found.ok_or("must be granted, refused or none")
}
