//! `afterword postgres`: the way into the private Postgres for psql and pg_dump, and its end where a killed service
//! left it running.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::bail;

use crate::config::Config;
use crate::postgres::{Cluster, Ending};

/// Arguments of `afterword postgres`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  psql \"$(afterword postgres url)\"
  pg_dump --format=custom --file=afterword.dump \"$(afterword postgres url)\"
  afterword postgres stop")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print the owner's URL of the private Postgres that runs on the data directory, password included.
    #[command(after_help = "\
Examples:
  psql \"$(afterword postgres url)\"
  pg_dump --format=custom --file=afterword.dump \"$(afterword postgres url)\"")]
    Url,
    /// Stop the private Postgres of the data directory, unless a process uses it.
    #[command(after_help = "\
Examples:
  afterword postgres stop")]
    Stop,
}

/// Runs the subcommand.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<ExitCode> {
    let data_dir = config.data_dir.display();
    match args.command {
        Command::Url => {
            let Some(cluster) = Cluster::join(&config.data_dir).await? else {
                bail!("no private Postgres runs on {data_dir}: start `afterword serve` first");
            };
            let url = cluster.owner_url().to_owned();
            cluster.leave();
            writeln!(std::io::stdout().lock(), "{url}")?;
        }
        Command::Stop => match Cluster::stop_if_unused(&config.data_dir).await? {
            Ending::Stopped => writeln!(std::io::stderr().lock(), "stopped the private Postgres of {data_dir}")?,
            Ending::NotRunning => writeln!(std::io::stderr().lock(), "no private Postgres runs on {data_dir}")?,
            Ending::InUse => bail!("a process uses the private Postgres of {data_dir}: stop that first"),
        },
    }
    Ok(ExitCode::SUCCESS)
}
