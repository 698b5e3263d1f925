//! `afterword config`: a configuration to start from, the one in force, and whether it makes sense.

use std::io::Write as _;
use std::process::ExitCode;

use crate::config::Config;

/// Arguments of `afterword config`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  afterword config template > afterword.toml
  AFTERWORD_LISTEN=0.0.0.0:80 afterword config print
  afterword --config /etc/afterword.toml config check")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print every key with its default and its description.
    #[command(after_help = "\
Examples:
  afterword config template > afterword.toml")]
    Template,
    /// Print the configuration in force; secrets are only said to be set.
    #[command(after_help = "\
Examples:
  afterword config print
  AFTERWORD_LISTEN=0.0.0.0:80 afterword config print")]
    Print,
    /// Say whether the configuration makes sense.
    #[command(after_help = "\
Examples:
  afterword --config /etc/afterword.toml config check")]
    Check,
}

/// Runs what must work even where the configuration in force does not.
pub(super) fn run_without_loading(args: &Args) -> Option<anyhow::Result<ExitCode>> {
    matches!(args.command, Command::Template).then(|| {
        std::io::stdout().lock().write_all(Config::template().as_bytes())?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Runs the subcommand; that the configuration was loaded is what `check` checks.
pub fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    let text = match args.command {
        Command::Template => Config::template().to_owned(),
        Command::Print => config.print(),
        Command::Check => "the configuration makes sense\n".to_owned(),
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
