//! `afterword doctor`: looks at everything that the service needs, changes nothing, and says what is wrong.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::connect::{Database, postgres_settings};
use crate::config::{Config, environment};
use crate::domain::clock::SystemClock;
use crate::postgres::{Cluster, PostgresError};
use crate::service::destinations;
use crate::service::instance::{self, Finding};
use crate::service::outside::{self, Outside};

/// Below this much free space a disk counts as full, in bytes.
const MIN_FREE_BYTES: u64 = 1 << 30;

/// Arguments of `afterword doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  afterword doctor
  DATABASE_URL=postgres://… afterword --config /etc/afterword.toml doctor

The exit status is 1 if anything is wrong.")]
pub struct Args {}

/// Runs the subcommand.
pub async fn run(_args: Args, config: &Config) -> anyhow::Result<ExitCode> {
    let mut findings = vec![Finding { subject: "configuration", found: Ok("makes sense".to_owned()) }];
    findings.extend(examine_database(config).await);
    findings.push(Finding { subject: "disk", found: examine_disk(&config.data_dir) });
    findings.push(Finding { subject: "exports", found: examine_directory(&config.exports.directory) });
    for (name, found) in destinations::examine(&config.exports.destinations, &environment).await {
        let told = |words| format!("`{name}` {words}");
        findings.push(Finding {
            subject: "destination",
            found: found.map(told).map_err(|words| format!("`{name}`: {words}")),
        });
    }
    let outside = Outside {
        hook_urls: config.exports.hook_urls.clone(),
        benchmarks_dir: config.exports.benchmarks_directory.clone(),
    };
    let reached = outside::examine(&outside).await;
    findings.extend(reached.into_iter().map(|(subject, found)| Finding { subject, found }));
    findings.push(Finding { subject: "port", found: examine_port(config.listen).await });

    let mut out = std::io::stdout().lock();
    for Finding { subject, found } in &findings {
        let (mark, Ok(words) | Err(words)) = (if found.is_ok() { '✓' } else { '✗' }, found);
        writeln!(out, "{mark} {subject:13} {}", words.replace('\n', "\n                "))?;
    }
    let n_wrong = findings.iter().filter(|finding| finding.found.is_err()).count();
    if n_wrong == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "\n{n_wrong} of {} checks failed", findings.len())?;
    Ok(ExitCode::FAILURE)
}

async fn examine_database(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if config.database.url.is_none() {
        let found = find_postgres(config);
        let is_found = found.is_ok();
        findings.push(Finding { subject: "postgres", found });
        match Cluster::exists(&config.data_dir) {
            Ok(true) if is_found => {}
            Ok(true) => return findings,
            Ok(false) => {
                let words = "none yet; the first `afterword serve` makes it".to_owned();
                findings.push(Finding { subject: "database", found: Ok(words) });
                return findings;
            }
            Err(error) => {
                findings.push(Finding { subject: "database", found: Err(error.to_string()) });
                return findings;
            }
        }
    }
    match Database::reach(config).await {
        Ok(database) => {
            findings.extend(instance::examine(database.service_url(), &SystemClock).await);
            if let Err(error) = database.leave().await {
                findings.push(Finding { subject: "postgres", found: Err(format!("{error:#}")) });
            }
        }
        Err(error) => findings.push(Finding { subject: "database", found: Err(format!("{error:#}")) }),
    }
    findings
}

/// Finds the programs of the private Postgres, or says that they will be fetched: doctor itself fetches nothing.
fn find_postgres(config: &Config) -> Result<String, String> {
    match Cluster::find_binaries(&config.data_dir, &postgres_settings(config)) {
        Ok(found) => Ok(format!("{} in {}", found.version, found.bin_dir.display())),
        Err(PostgresError::NotFound { .. }) if has_npm() => {
            Ok("not on this machine; the first `afterword serve` lets npm fetch it".to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

fn has_npm() -> bool {
    std::process::Command::new("npm").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Looks at the file system of a directory, or of the nearest one above it that exists.
fn examine_disk(directory: &Path) -> Result<String, String> {
    let existing = existing_part(directory);
    let found = rustix::fs::statvfs(&existing).map_err(|error| error.to_string())?;
    let (free, total) = (found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize);
    let words = format!(
        "{:.1} of {:.1} GiB free at {}",
        free as f64 / f64::from(1 << 30),
        total as f64 / f64::from(1 << 30),
        existing.display()
    );
    if free >= MIN_FREE_BYTES { Ok(words) } else { Err(words) }
}

fn existing_part(directory: &Path) -> PathBuf {
    let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    absolute.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/")).to_owned()
}

/// Tells whether files can be written into a directory, or whether it can be made.
fn examine_directory(directory: &Path) -> Result<String, String> {
    let existing = existing_part(directory);
    let probe = existing.join(format!(".afterword-doctor-{}", std::process::id()));
    let written = std::fs::write(&probe, b"probe").and_then(|()| std::fs::remove_file(&probe));
    match written {
        Ok(()) if directory.exists() => Ok(format!("{} can be written", directory.display())),
        Ok(()) => Ok(format!("{} can be made", directory.display())),
        Err(error) => Err(format!("{} cannot be written: {}", existing.display(), error.kind())),
    }
}

/// Tells whether the port is free, or whether it is this service that listens on it.
async fn examine_port(listen: SocketAddr) -> Result<String, String> {
    match TcpListener::bind(listen) {
        Ok(_) => Ok(format!("{listen} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            let asked = async {
                let client =
                    reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(Duration::from_secs(2)).build()?;
                client.get(format!("http://{listen}/livez")).send().await?.error_for_status()
            };
            match asked.await {
                Ok(_) => Ok(format!("a service answers on {listen}")),
                Err(_) => Err(format!("another program listens on {listen}")),
            }
        }
        Err(error) => Err(format!("{listen} cannot be listened on: {}", error.kind())),
    }
}
