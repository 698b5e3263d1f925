//! `afterword experiment`: declares experiments before their data, and lists them.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use comfy_table::{Table, presets};

use super::UsageError;
use super::connect::{self, Connected};
use crate::config::Config;
use crate::domain::experiment::Experiment;
use crate::domain::json::Json;
use crate::service::experiments;

/// Arguments of `afterword experiment`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  afterword experiment declare llama-swap.toml
  afterword experiment list

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
    let (is_new, declared_at) = experiments::declare(&connected.app, &project.operator(), experiment)
        .await
        .with_context(|| format!("cannot declare `{key}`"))?;
    let when = declared_at.format("%Y-%m-%d %H:%MZ");
    let note = if is_new { "declared" } else { "was declared already, with the same content," };
    writeln!(io::stderr().lock(), "`{key}` {note} at {when}; compare it with `afterword compare --experiment {key}`")?;
    Ok(())
}

async fn list(connected: &Connected, project: Option<&str>) -> anyhow::Result<()> {
    let project = connected.project(project).await?;
    let declared = experiments::list(&connected.app, &project.operator())
        .await
        .map_err(|error| anyhow!(error).context("cannot list the experiments"))?;
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["KEY", "CONTROL", "VARIANTS", "UNIT", "DECLARED"]);
    for (experiment, declared_at) in declared {
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
            &declared_at.format("%Y-%m-%d %H:%MZ").to_string(),
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
