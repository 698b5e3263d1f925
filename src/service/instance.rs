//! An instance of the service: its schema brought up to date, its database checked and opened, and closed again.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::App;
use super::chance::jitter;
use super::destinations::{Named, open_directory};
use super::error::ServiceError;
use crate::domain::clock::Clock;
use crate::store::connection::ServerReport;
use crate::store::error::Cause;
use crate::store::migrations::{self, SchemaVersion};
use crate::store::{Store, StoreError};

pub use crate::store::PoolSizes;

/// The largest difference between our clock and the database's that is no fault, in seconds.
const MAX_SKEW_SECONDS: i64 = 2;

/// How long the database may take to let go of its connections when an instance is closed.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// How often, and how many times, a server that is starting is looked at: half a minute.
const LOOK_AT_START_EVERY: Duration = Duration::from_millis(100);
const N_LOOKS_AT_START: usize = 300;
const N_MIGRATION_ATTEMPTS: u32 = 5;

/// What a migration did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// Version before; 0 for an empty database.
    pub from: i64,
    /// Version after.
    pub to: i64,
}

/// Applies every migration that is missing, as the owner, and lets a login role work as the service's.
pub async fn migrate(owner_url: &str, login: Option<&str>) -> Result<Migrated, ServiceError> {
    let before = migrations::version(owner_url).await?;
    let mut attempt = 1;
    let after = loop {
        match migrations::migrate(owner_url, login).await {
            // Roles belong to all databases of a server, and a lock to one of them: two that are migrated at the same
            // moment can meet there. What was begun is rolled back, and what is done is not done twice.
            Err(error) if attempt < N_MIGRATION_ATTEMPTS && has_met_another(&error) => {
                tokio::time::sleep(jitter(LOOK_AT_START_EVERY * attempt)).await;
                attempt += 1;
            }
            done => break done?,
        }
    };
    Ok(Migrated { from: before.found, to: after.found })
}

/// Tells whether a migration failed because another session changed or made the same role or grant at that moment.
fn has_met_another(error: &StoreError) -> bool {
    match error {
        StoreError::Contended(_) => true,
        StoreError::Migration(Cause::Server { code, .. })
        | StoreError::Unavailable(Cause::Server { code, .. })
        | StoreError::Refused(Cause::Server { code, .. }) => {
            ["23505", "40001", "40P01", "42710", "XX000"].contains(&code.as_str())
        }
        _ => false,
    }
}

/// Waits for a server that runs and takes no connections yet, such as one that replays its log after a crash. A service
/// that is started again after the same crash would otherwise end at once. Every other failure is left to the next step.
pub async fn wait_until_started(url: &str) {
    for _ in 0..N_LOOKS_AT_START {
        match migrations::version(url).await {
            Err(StoreError::Unavailable(Cause::Server { code, .. })) if code == "57P03" => (),
            _ => return,
        }
        tokio::time::sleep(LOOK_AT_START_EVERY).await;
    }
}

/// Brings an older schema up to date where the role may, and refuses one that it may not touch, or a newer one.
///
/// A database with a login of ours gets its grants again: whoever migrated it may have been killed before them.
pub async fn migrate_if_allowed(url: &str, login: Option<&str>) -> Result<Migrated, ServiceError> {
    let SchemaVersion { found, supported } = migrations::settled_version(url).await?;
    if found > supported || (found == supported && login.is_none()) {
        SchemaVersion { found, supported }.check()?;
        return Ok(Migrated { from: found, to: found });
    }
    match migrate(url, login).await {
        Err(ServiceError::Store(error)) if is_forbidden(&error) => {
            Err(StoreError::SchemaTooOld { found, supported }.into())
        }
        done => done,
    }
}

/// Where an instance keeps files.
#[derive(Debug)]
pub struct Places<'a> {
    /// Directory of the exports that name no destination.
    pub exports: &'a Path,
    /// Directory for scratch files; the system's where it is absent.
    pub scratch: Option<&'a Path>,
    /// The operator's destinations.
    pub destinations: Named,
}

/// Opens an instance whose schema is up to date: checks that the server is one that keeps what it acknowledges, opens
/// the directory of exports and starts the ingest writers.
pub async fn open(url: &str, sizes: PoolSizes, places: Places<'_>, clock: Arc<dyn Clock>) -> Result<App, ServiceError> {
    migrations::version(url).await?.check()?;
    let store = Store::connect(url, sizes)?;
    let report = store.check_server().await?;
    if let Err(words) = check_version(&report.version) {
        tracing::warn!(version = report.version, "the database server is {words}");
    }
    if report.login_is_powerful {
        tracing::warn!("{}", powerful_login(&report));
    }
    let blob = open_directory(places.exports)?;
    if let Some(scratch) = places.scratch {
        DirBuilder::new().recursive(true).mode(0o700).create(scratch).map_err(ServiceError::File)?;
    }
    Ok(App::start(store, blob, clock).with_places(places.destinations, places.scratch))
}

/// Closes an instance once every use case has ended. A database that does not answer cannot keep the program: what it
/// acknowledged is committed, and nobody waits for the rest any more.
pub async fn close(app: App) {
    if tokio::time::timeout(CLOSE_WITHIN, app.close()).await.is_err() {
        tracing::warn!("the database did not let go of its connections in time");
    }
}

/// One thing that was looked at, and what was found: words for a person, good or bad.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub subject: &'static str,
    /// What was found.
    pub found: Result<String, String>,
}

/// Looks at a database without changing anything: whether it answers, keeps what it acknowledges, holds the service's
/// role by row-level security, has this program's schema and the same time.
pub async fn examine(url: &str, clock: &dyn Clock) -> Vec<Finding> {
    let schema = match migrations::version(url).await {
        Ok(version) => version,
        Err(error) => return vec![Finding { subject: "database", found: Err(explain(&error)) }],
    };
    let mut findings = vec![Finding {
        subject: "schema",
        found: schema.check().map(|()| format!("version {}", schema.found)).map_err(|error| error.to_string()),
    }];
    if schema.found == 0 {
        return findings;
    }
    match check_server(url).await {
        Ok(report) => {
            let version = format!("Postgres {}", report.version);
            let found = check_version(&report.version)
                .map(|()| version.clone())
                .map_err(|words| format!("{version} is {words}"));
            findings.push(Finding { subject: "database", found });
            findings.push(Finding {
                subject: "durability",
                found: Ok("fsync, synchronous_commit and full_page_writes are on".into()),
            });
            let role = format!("{}, held by row-level security", report.role);
            findings.push(Finding {
                subject: "role",
                found: if report.login_is_powerful { Err(powerful_login(&report)) } else { Ok(role) },
            });
            findings.push(Finding { subject: "clock", found: compare_clocks(&report, clock) });
        }
        Err(error) => {
            let subject = match error {
                StoreError::NotDurable { .. } => "durability",
                StoreError::TooPowerful(_) => "role",
                _ => "database",
            };
            findings.push(Finding { subject, found: Err(explain(&error)) });
        }
    }
    findings
}

/// Says what is wrong with a login that owns the tables or is a superuser. The service works all the same: it takes the
/// role that row-level security holds. But that is then one wall and not two.
fn powerful_login(report: &ServerReport) -> String {
    format!(
        "the login {} is a superuser, bypasses row-level security or owns the tables; the service works as {}, but give it \
         a login of its own (docs/operations.md)",
        report.login, report.role
    )
}

async fn check_server(url: &str) -> Result<ServerReport, StoreError> {
    let store = Store::connect(url, PoolSizes { ingest: 1, reading: 1, jobs: 1, lanes: 1 })?;
    let report = store.check_server().await;
    store.close().await;
    report
}

/// The first release of each major version that keeps statistics of rows from whom row-level security hides the rows
/// (CVE-2025-8713).
const SAFE_RELEASES: [(u32, u32); 3] = [(15, 14), (16, 10), (17, 6)];

/// Checks the version that a server gives itself, such as `15.18 (Debian 15.18-0+deb12u1)`.
fn check_version(version: &str) -> Result<(), &'static str> {
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse::<u32>().unwrap_or(0));
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if major < SAFE_RELEASES[0].0 {
        return Err("older than 15, the oldest version that the schema works with");
    }
    match SAFE_RELEASES.iter().find(|(known, _)| *known == major) {
        Some((_, safe)) if minor < *safe => Err("a release with known holes in row-level security: update it"),
        _ => Ok(()),
    }
}

fn compare_clocks(report: &ServerReport, clock: &dyn Clock) -> Result<String, String> {
    let skew = (clock.now() - report.now).num_milliseconds();
    let text = format!("{:.1} s from the database's", skew as f64 / 1000.0);
    if skew.abs() <= MAX_SKEW_SECONDS * 1000 { Ok(text) } else { Err(text) }
}

/// Tells a database's failure with what an operator can do about it.
pub fn explain(error: &StoreError) -> String {
    let (StoreError::Unavailable(cause) | StoreError::Migration(cause)) = error else {
        return error.to_string();
    };
    let advice = match cause {
        Cause::Server { code, .. } => match code.as_str() {
            "28P01" | "28000" => "the database does not accept this user and password",
            "3D000" => "there is no such database on this server",
            "42501" => {
                "the user may not do this: the service's user needs `grant afterword_app to …`; who migrates must own \
                 the database, with CREATEROLE for the first time"
            }
            "53300" => "the server has no free connection",
            "57P03" => "the server is starting or stopping",
            _ => return error.to_string(),
        },
        Cause::Connection(_) => "is it running, and are host, port and TLS right?",
    };
    format!("{error}: {advice}")
}

fn is_forbidden(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Unavailable(Cause::Server { code, .. }) | StoreError::Migration(Cause::Server { code, .. })
            if code == "42501"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_servers_and_releases_with_known_holes_are_told_apart() {
        for (version, is_good) in [
            ("14.19", false),
            ("15.13 (Debian 15.13-0+deb12u1)", false),
            ("15.18 (Debian 15.18-0+deb12u1)", true),
            ("17.10", true),
            ("17.5", false),
            ("18beta1", true),
        ] {
            assert_eq!(check_version(version).is_ok(), is_good, "{version}");
        }
    }
}
