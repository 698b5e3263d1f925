//! `afterword export collect`: removes what exports left behind that were killed. The service does so by itself every
//! few minutes; this is for whoever does not want to wait.

use std::io::Write as _;
use std::process::ExitCode;

use super::connect::{self, Connected};
use crate::config::Config;
use crate::report::count::counted;
use crate::service::export_leftovers::{Collected, collect};

/// Arguments of `afterword export collect`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  afterword export collect
  afterword export collect --all

Files of exports that are queued, running or completed stay. The exit status is 1 if a place could not be looked into.")]
pub struct Args {
    /// Look also into the places of exports where nothing was left the last time.
    #[arg(long)]
    all: bool,
}

/// Runs the subcommand.
pub async fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    connect::with(config, async |connected: &Connected| {
        let Collected { n_exports, swept, n_scratch_folders, n_failed } = collect(&connected.app, args.all).await?;
        writeln!(
            std::io::stdout().lock(),
            "looked into {}: removed {}, {} and {}",
            counted(n_exports, "export"),
            counted(swept.n_files, "file"),
            counted(swept.n_uploads, "unfinished upload"),
            counted(n_scratch_folders, "scratch folder"),
        )?;
        if n_failed == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        writeln!(
            std::io::stderr().lock(),
            "error: {} could not be looked into; `afterword doctor` tells why",
            counted(n_failed, "export")
        )?;
        Ok(ExitCode::FAILURE)
    })
    .await
}
