//! `afterword experiment`: declares experiments before their data, shows, assigns and stops them.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use comfy_table::{Table, presets};
use serde_json::json;

use super::UsageError;
use super::connect::{self, Connected};
use crate::config::Config;
use crate::domain::clock::Timestamp;
use crate::domain::experiment::Experiment;
use crate::domain::json::Json;
use crate::service::ServiceError;
use crate::service::experiments::{self, Held};

/// Arguments of `afterword experiment`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  afterword experiment declare llama-swap.toml
  afterword experiment list
  afterword experiment assign llama-swap user-42
  afterword experiment stop llama-swap

A declaration is JSON or TOML:
  key = \"llama-swap\"
  control = \"current\"
  variants = [
    { name = \"current\", model = \"llama-3-70b\", share = 0.5 },
    { name = \"small\", model = \"llama-3-8b\", share = 0.5 },
  ]
  margins = { good_turn = 0.05 }          # accepted loss, fixed before the data")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Declare an experiment; to declare the same again changes nothing.
    #[command(after_help = "\
Examples:
  afterword experiment declare llama-swap.toml
  afterword experiment declare llama-swap.json --project support")]
    Declare {
        /// The declaration, .json or .toml.
        file: PathBuf,
        /// Project of the experiment; not needed where there is only one.
        #[arg(long, value_name = "NAME")]
        project: Option<String>,
    },
    /// Show what was declared, as JSON.
    #[command(after_help = "\
Examples:
  afterword experiment show llama-swap
  afterword experiment show llama-swap | jq .margins")]
    Show {
        /// The experiment's key.
        key: String,
        /// Project of the experiment; not needed where there is only one.
        #[arg(long, value_name = "NAME")]
        project: Option<String>,
    },
    /// Tell the variant of a user or conversation; nothing is recorded.
    #[command(after_help = "\
Examples:
  afterword experiment assign llama-swap user-42
  afterword experiment assign llama-swap user-42 user-43      # one line for each")]
    Assign {
        /// The experiment's key.
        key: String,
        /// Ids of users or conversations.
        #[arg(required = true)]
        units: Vec<String>,
        /// Project of the experiment; not needed where there is only one.
        #[arg(long, value_name = "NAME")]
        project: Option<String>,
    },
    /// Stop an experiment: completions that arrive later are not compared.
    #[command(after_help = "\
Examples:
  afterword experiment stop llama-swap")]
    Stop {
        /// The experiment's key.
        key: String,
        /// Project of the experiment; not needed where there is only one.
        #[arg(long, value_name = "NAME")]
        project: Option<String>,
    },
    /// List the declared experiments, newest first.
    #[command(after_help = "\
Examples:
  afterword experiment list")]
    List {
        /// Project of the experiments; not needed where there is only one.
        #[arg(long, value_name = "NAME")]
        project: Option<String>,
    },
}

/// Runs the subcommand.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Declare { file, project } => {
            let experiment = read(&file)?;
            connect::with(config, async |connected: &Connected| {
                declare(connected, project.as_deref(), experiment).await
            })
            .await?;
        }
        Command::Show { key, project } => {
            connect::with(config, async |connected: &Connected| show(connected, project.as_deref(), &key).await)
                .await?;
        }
        Command::Assign { key, units, project } => {
            connect::with(config, async |connected: &Connected| {
                assign(connected, project.as_deref(), &key, &units).await
            })
            .await?;
        }
        Command::Stop { key, project } => {
            connect::with(config, async |connected: &Connected| stop(connected, project.as_deref(), &key).await)
                .await?;
        }
        Command::List { project } => {
            connect::with(config, async |connected: &Connected| list(connected, project.as_deref()).await).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads a declaration; what is wrong with it is said without quoting it.
fn read(file: &Path) -> anyhow::Result<Experiment> {
    let name = file.display();
    let text =
        std::fs::read_to_string(file).map_err(|error| UsageError(format!("cannot read {name}: {}", error.kind())))?;
    let is_toml = file.extension().is_some_and(|extension| extension == "toml");
    parse(&text, is_toml).map_err(|what| UsageError(format!("{name}: {what}")).into())
}

fn parse(text: &str, is_toml: bool) -> Result<Experiment, String> {
    let text = if is_toml {
        let value: toml::Table = toml::from_str(text).map_err(|error| {
            let line = error.span().and_then(|span| text.get(..span.start)).map_or(1, |before| before.lines().count());
            format!("is no valid TOML near line {}", line.max(1))
        })?;
        serde_json::to_string(&value).map_err(|_| "holds a value that JSON does not have".to_owned())?
    } else {
        text.to_owned()
    };
    let value = Json::parse(text.as_bytes()).map_err(|error| error.to_string())?;
    Experiment::from_json(value).map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

async fn declare(connected: &Connected, project: Option<&str>, experiment: Experiment) -> anyhow::Result<()> {
    let project = connected.project(project).await?;
    let key = experiment.key.clone();
    let (is_new, held) = experiments::declare(&connected.app, &project.operator(), experiment)
        .await
        .with_context(|| format!("cannot declare `{key}`"))?;
    let when = minute(held.declared_at);
    let note = if is_new { "declared" } else { "was declared already, with the same content," };
    writeln!(io::stderr().lock(), "`{key}` {note} at {when}; compare it with `afterword compare --experiment {key}`")?;
    Ok(())
}

async fn held(connected: &Connected, project: Option<&str>, key: &str) -> anyhow::Result<Held> {
    let project = connected.project(project).await?;
    match experiments::show(&connected.app, &project.operator(), key).await {
        Err(ServiceError::NotFound) => Err(unknown().into()),
        other => other.context("cannot read the experiment"),
    }
}

/// The key is not repeated: it may hold whatever was typed.
fn unknown() -> UsageError {
    UsageError(
        "no experiment was declared under this key; `afterword experiment list` shows those that were".to_owned(),
    )
}

async fn show(connected: &Connected, project: Option<&str>, key: &str) -> anyhow::Result<()> {
    let Held { experiment, declared_at, stopped_at } = held(connected, project, key).await?;
    let mut shown = serde_json::to_value(&experiment)?;
    shown["declared_at"] = json!(declared_at);
    if let Some(stopped_at) = stopped_at {
        shown["stopped_at"] = json!(stopped_at);
    }
    writeln!(io::stdout().lock(), "{}", serde_json::to_string_pretty(&shown)?)?;
    Ok(())
}

async fn assign(connected: &Connected, project: Option<&str>, key: &str, units: &[String]) -> anyhow::Result<()> {
    let Held { experiment, .. } = held(connected, project, key).await?;
    let mut out = io::stdout().lock();
    for unit in units {
        let variant = experiment.assign(unit).ok_or_else(|| anyhow!("the experiment has no variants"))?;
        writeln!(out, "{unit}\t{}", variant.name)?;
    }
    Ok(())
}

async fn stop(connected: &Connected, project: Option<&str>, key: &str) -> anyhow::Result<()> {
    let project = connected.project(project).await?;
    let held = match experiments::stop(&connected.app, &project.operator(), key).await {
        Err(ServiceError::NotFound) => return Err(unknown().into()),
        other => other.context("cannot stop the experiment")?,
    };
    let when = held.stopped_at.map(minute).unwrap_or_default();
    writeln!(io::stderr().lock(), "stopped at {when}; what arrives later is not compared")?;
    Ok(())
}

/// Tells a moment to the minute.
fn minute(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%MZ").to_string()
}

async fn list(connected: &Connected, project: Option<&str>) -> anyhow::Result<()> {
    let project = connected.project(project).await?;
    let declared = experiments::list(&connected.app, &project.operator())
        .await
        .map_err(|error| anyhow!(error).context("cannot list the experiments"))?;
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["KEY", "CONTROL", "VARIANTS", "UNIT", "DECLARED", "STOPPED"]);
    for Held { experiment, declared_at, stopped_at } in declared {
        let variants: Vec<String> = experiment
            .variants
            .iter()
            .map(|variant| format!("{} {:.0}%", variant.name, variant.share * 100.0))
            .collect();
        table.add_row([
            &experiment.key,
            &experiment.control,
            &variants.join(", "),
            experiment.unit.as_str(),
            &minute(declared_at),
            &stopped_at.map(minute).unwrap_or_default(),
        ]);
    }
    writeln!(io::stdout().lock(), "{}", table.trim_fmt())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_is_the_same_in_json_and_in_toml() {
        let json = r#"{"key":"swap","control":"a","margins":{"good_turn":0.04},
            "variants":[{"name":"a","model":"m","share":0.5},{"name":"b","share":0.5}]}"#;
        let toml = "key = 'swap'\ncontrol = 'a'\nmargins = { good_turn = 0.04 }\n[[variants]]\nname = 'a'\n\
                    model = 'm'\nshare = 0.5\n[[variants]]\nname = 'b'\nshare = 0.5\n";

        assert_eq!(parse(json, false).unwrap(), parse(toml, true).unwrap());
    }

    #[test]
    fn what_is_wrong_with_a_declaration_is_said_without_quoting_it() {
        let shares = r#"{"key":"secret","control":"a","variants":[{"name":"a","share":0.5},{"name":"b","share":0.4}]}"#;

        assert!(parse(shares, false).unwrap_err().contains("shares that add up to 1"));
        assert_eq!(parse("key = 'secret'\nsecret =", true).unwrap_err(), "is no valid TOML near line 2");
        assert!(!parse("{\"secret\": ", false).unwrap_err().contains("secret"));
    }
}
