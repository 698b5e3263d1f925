//! The command line: one file per subcommand, each parses its arguments and calls one use case.
//!
//! What a command makes goes to the standard output, everything else to the standard error. Exit status 0 means done,
//! 1 that it could not be done (one line says why), 2 that the arguments or the configuration make no sense.

mod background;
pub mod compare;
pub mod config;
pub mod connect;
pub mod demo;
pub mod doctor;
pub mod erase;
pub mod experiment;
pub mod export;
pub mod export_checks;
pub mod export_collect;
pub mod import;
pub mod key;
pub mod migrate;
pub mod plan;
pub mod postgres;
pub mod project;
pub mod recipe;
pub mod sdk;
pub mod serve;
pub mod serving;
mod serving_report;
pub mod token;
mod watch;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser as _;

use crate::config::{Config, ConfigError, environment};
use crate::telemetry;

/// Collects what people do after a language model has answered, and turns it into training sets and honest model
/// comparisons.
#[derive(Debug, clap::Parser)]
#[command(name = "afterword", version, after_help = EXAMPLES)]
struct Cli {
    /// Configuration file; what it leaves out keeps its default (see `afterword config template`).
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory for the private Postgres and for exports, in place of the configured one.
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  afterword demo                                    see it all at once, with simulated users
  afterword serve                                   start the service, with a private Postgres
  DATABASE_URL=postgres://… afterword serve         start it on a Postgres of yours
  KEY=$(afterword key create --role ingest)         make a key for a backend
  afterword compare --experiment llama-swap         say whether another model does as well
  afterword doctor                                  look for what is wrong";

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Start the service.
    Serve(serve::Args),
    /// See it all at once: simulated users, data sets, a comparison.
    Demo(demo::Args),
    /// Bring the database's schema up to date.
    Migrate(migrate::Args),
    /// Look for what is wrong with this installation.
    Doctor(doctor::Args),
    /// Print a configuration to start from, or the one in force, or check it.
    Config(config::Args),
    /// Make, list and revoke secret, publishable and signing keys.
    Key(key::Args),
    /// Mint and revoke feedback tokens.
    Token(token::Args),
    /// Reach or stop the private Postgres.
    Postgres(postgres::Args),
    /// Write a training set into a folder, look at those that there are, or remove what killed exports left behind.
    Export(Box<export::Args>),
    /// Bring in what other tools have exported.
    Import(Box<import::Args>),
    /// Remove everything of a user for good.
    Erase(erase::Args),
    /// Show projects, and declare what holds for them.
    Project(project::Args),
    /// List, show and check recipes of exports.
    Recipe(recipe::Args),
    /// Print the script element that loads the browser SDK.
    Sdk(sdk::Args),
    /// Declare and list experiments.
    Experiment(experiment::Args),
    /// Ask a serving engine for its load, and report on what was kept.
    Serving(serving::Args),
    /// Say whether another model does as well.
    Compare(Box<compare::Args>),
    /// Say how many users and days a comparison takes, before it starts.
    Plan(Box<plan::Args>),
}

/// Something in the arguments that makes no sense, found after clap accepted their form.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Runs the program and tells how it ended.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(answer) => return say(&answer),
    };
    run(cli).unwrap_or_else(|error| fail(&error))
}

/// Says what clap answers in place of arguments: help and version as they are, a fault in one line.
fn say(answer: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind;
    let is_help = matches!(
        answer.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    if is_help {
        let _unprinted = answer.print();
    } else {
        let _unwritten = writeln!(std::io::stderr().lock(), "{}", in_one_line(&answer.to_string()));
    }
    ExitCode::from(u8::try_from(answer.exit_code()).unwrap_or(2))
}

/// Keeps what is wrong and the tip of a fault, without the usage that follows them.
fn in_one_line(answer: &str) -> String {
    let paragraphs = answer.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    let kept = paragraphs.enumerate().filter(|(index, text)| *index == 0 || text.starts_with("tip: "));
    kept.map(|(_, text)| text).collect::<Vec<_>>().join("; ")
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let Cli { config: file, data_dir, command } = cli;
    if let Command::Config(args) = &command
        && let Some(done) = config::run_without_loading(args)
    {
        return done;
    }
    let listen = match &command {
        Command::Serve(args) => args.listen.clone(),
        Command::Demo(args) => args.listen.clone(),
        _ => None,
    };
    let is_demo = matches!(command, Command::Demo(_));
    let env = |name: &str| match name {
        // A demo must not be poured into a real instance because its directory is configured.
        "AFTERWORD_DATA_DIR" if is_demo => data_dir.clone().or_else(|| Some(demo::DATA_DIR.to_owned())),
        "AFTERWORD_LOG_LEVEL" if is_demo => environment(name).or_else(|| Some("warn,sqlx=error".to_owned())),
        "AFTERWORD_DATA_DIR" => data_dir.clone().or_else(|| environment(name)),
        "AFTERWORD_LISTEN" => listen.clone().or_else(|| environment(name)),
        _ => environment(name),
    };
    let config = Config::load(file.as_deref(), &env)?;
    telemetry::start(&config.log);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let background = if matches!(command, Command::Serve(_)) { Some(background::start()?) } else { None };
    let jobs = background.as_ref().unwrap_or(&runtime).handle();
    let ended = runtime.block_on(async {
        match command {
            Command::Serve(args) => Box::pin(serve::run(args, &config, jobs)).await,
            Command::Demo(args) => Box::pin(demo::run(args, &config)).await,
            Command::Migrate(args) => Box::pin(migrate::run(args, &config)).await,
            Command::Doctor(args) => Box::pin(doctor::run(args, &config)).await,
            Command::Config(args) => config::run(&args, &config),
            Command::Key(args) => Box::pin(key::run(args, &config)).await,
            Command::Token(args) => Box::pin(token::run(args, &config)).await,
            Command::Postgres(args) => Box::pin(postgres::run(args, &config)).await,
            Command::Export(args) => Box::pin(export::run(*args, &config)).await,
            Command::Import(args) => Box::pin(import::run(*args)).await,
            Command::Erase(args) => Box::pin(erase::run(args, &config)).await,
            Command::Project(args) => Box::pin(project::run(args, &config)).await,
            Command::Recipe(args) => recipe::run(&args, &config),
            Command::Sdk(args) => sdk::run(&args),
            Command::Experiment(args) => Box::pin(experiment::run(args, &config)).await,
            Command::Serving(args) => Box::pin(serving::run(args, &config)).await,
            Command::Compare(args) => Box::pin(compare::run(*args, &config)).await,
            Command::Plan(args) => Box::pin(plan::run(*args, &config)).await,
        }
    });
    // A job that was not given back by now is one that its signal gave no time for.
    if let Some(background) = background {
        background.shutdown_background();
    }
    ended
}

/// Says in one line what went wrong, with its causes, and chooses the exit status.
fn fail(error: &anyhow::Error) -> ExitCode {
    let is_pipe_closed = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe);
    if is_pipe_closed {
        // Whoever read our output has seen enough.
        return ExitCode::SUCCESS;
    }
    let _unwritten = writeln!(std::io::stderr().lock(), "error: {error:#}");
    let is_usage = error.is::<UsageError>() || error.is::<ConfigError>();
    ExitCode::from(if is_usage { 2 } else { 1 })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// Lists the subcommands below one that have none themselves, with their words.
    fn leaves(command: &clap::Command, words: &str) -> Vec<(String, String)> {
        let words = format!("{words} {}", command.get_name());
        let below: Vec<(String, String)> = command.get_subcommands().flat_map(|below| leaves(below, &words)).collect();
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        if below.is_empty() { vec![(words, help)] } else { below }
    }

    #[test]
    fn the_help_of_every_subcommand_shows_how_it_is_used() {
        let leaves = leaves(&Cli::command(), "");

        assert!(leaves.len() > 25, "{leaves:?}");
        for (words, help) in leaves {
            let shown = help.split_once("Examples:\n").map(|(_, examples)| examples).unwrap_or_default();
            assert!(
                shown.contains(words.trim()) || shown.contains(words.trim_start_matches(" afterword")),
                "{words}: {help}"
            );
        }
    }
}
