//! `afterword migrate`: brings the schema up to date, as the owner of the tables.

use std::io::Write as _;
use std::process::ExitCode;

use super::connect::Database;
use crate::config::Config;

/// Arguments of `afterword migrate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  DATABASE_URL=postgres://owner:…@db/afterword afterword migrate
  AFTERWORD_DATABASE_OWNER_URL=postgres://owner:…@db/afterword DATABASE_URL=postgres://login:…@db/afterword \\
      afterword migrate                             the owner migrates, the service logs in as another user
  afterword migrate                                 the private Postgres of the data directory")]
pub struct Args {}

/// Runs the subcommand.
pub async fn run(_args: Args, config: &Config) -> anyhow::Result<ExitCode> {
    let database = Database::reach(config).await?;
    let migrated = database.migrate().await?;
    database.leave().await?;
    let mut out = std::io::stdout().lock();
    if migrated.from == migrated.to {
        writeln!(out, "the schema is up to date at version {}", migrated.to)?;
    } else {
        writeln!(out, "migrated the schema from version {} to version {}", migrated.from, migrated.to)?;
    }
    Ok(ExitCode::SUCCESS)
}
