//! A private Postgres without any set-up: found or fetched, made at the first start, started and stopped with the
//! processes that use it.
//!
//! Every process that uses a cluster holds a lock on it, which the system takes back however the process ends. The
//! first one starts the server, later ones join it, and the last one to leave stops it. So a command can run beside
//! the service or without it, and a server that a killed service left behind is joined and stopped like any other.
//!
//! This module runs programs and arranges files. It speaks no SQL beyond creating the empty database, and knows
//! nothing of what will be in it.

mod account;
mod binaries;
mod error;
mod package;
mod place;
mod server;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Child;

pub use binaries::{Binaries, MIN_MAJOR, Search};
pub use error::PostgresError;

use account::Account;
use place::Place;
use server::Postmaster;

/// Name of the database.
pub const DATABASE: &str = "afterword";
/// The role that owns the database.
const OWNER: &str = "afterword_owner";
/// The role that the service logs in as.
pub const SERVICE: &str = "afterword";

/// How a cluster is found and where its short-lived files go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where to look for the server programs.
    pub search: Search,
    /// A directory of the caller's own with a short name, for sockets.
    pub runtime_dir: Option<PathBuf>,
}

impl Settings {
    /// Takes the usual places; `env` reads an environment variable.
    pub fn usual(bin_dir: Option<PathBuf>, env: &dyn Fn(&str) -> Option<String>) -> Self {
        Self { search: Search::usual(bin_dir, env), runtime_dir: env("XDG_RUNTIME_DIR").map(PathBuf::from) }
    }
}

/// How an attempt to stop a cluster ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It was running, and is no more.
    Stopped,
    /// A process uses it.
    InUse,
    /// It was not running.
    NotRunning,
}

/// A running private Postgres, started by this process or found running on its data directory.
pub struct Cluster {
    place: Place,
    settings: Settings,
    child: Option<Child>,
    in_use: Option<File>,
    owner_url: String,
    service_url: String,
}

impl Cluster {
    /// Starts the Postgres of a data directory, or joins the one that runs there; the first start makes it.
    pub async fn start(data_dir: &Path) -> Result<Self, PostgresError> {
        Self::start_with(data_dir, Settings::usual(None, &crate::config::environment)).await
    }

    /// Starts or joins as [`Cluster::start`] does, with the server programs looked for as the settings say.
    pub async fn start_with(data_dir: &Path, settings: Settings) -> Result<Self, PostgresError> {
        let data_dir = data_dir.to_owned();
        blocking(move || Self::start_blocking(&data_dir, &settings)).await
    }

    fn start_blocking(data_dir: &Path, settings: &Settings) -> Result<Self, PostgresError> {
        let (place, account) = Place::prepare(data_dir)?;
        let _gate = place.enter()?;
        let (socket_dir, child) = match server::wait_for_other(&place)? {
            Some(running) => (running.socket_dir, None),
            None => Self::launch(&place, account, settings)?,
        };
        Self::enter(place, settings.clone(), child, &socket_dir)
    }

    /// Notes the use of a running cluster; only called inside the gate.
    fn enter(place: Place, settings: Settings, child: Option<Child>, socket_dir: &Path) -> Result<Self, PostgresError> {
        let url = |role: &str, password: &str| {
            format!("postgres://{role}:{password}@localhost:5432/{DATABASE}?host={}", percent_encode(socket_dir))
        };
        Ok(Self {
            owner_url: url(OWNER, &place.password(OWNER)?),
            service_url: url(SERVICE, &place.password(SERVICE)?),
            in_use: Some(place.note_use()?),
            settings,
            child,
            place,
        })
    }

    /// Joins the Postgres that runs on a data directory; starts none.
    pub async fn join(data_dir: &Path) -> Result<Option<Self>, PostgresError> {
        let data_dir = data_dir.to_owned();
        blocking(move || {
            let Some(place) = Place::existing(&data_dir)? else {
                return Ok(None);
            };
            let _gate = place.enter()?;
            let running = server::wait_for_other(&place)?;
            let settings = Settings::usual(None, &crate::config::environment);
            running.map(|running| Self::enter(place, settings, None, &running.socket_dir)).transpose()
        })
        .await
    }

    /// Tells whether a data directory has a cluster, running or not.
    pub fn exists(data_dir: &Path) -> Result<bool, PostgresError> {
        Ok(Place::existing(data_dir)?.is_some_and(|place| place.cluster().exists()))
    }

    /// Finds the server programs that a start on this data directory would use, without fetching any.
    pub fn find_binaries(data_dir: &Path, settings: &Settings) -> Result<Binaries, PostgresError> {
        let place = Place::existing(data_dir)?;
        let cluster = place.map_or_else(|| data_dir.join("postgres/data"), |place| place.cluster());
        let search = Search { npm: None, ..settings.search.clone() };
        Binaries::find(&search, Account::choose(&cluster)?, read_major(&cluster))
    }

    /// Tells whether the server runs, whoever started it.
    pub fn is_running(&mut self) -> bool {
        let has_ended = self.child.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None)));
        !has_ended && Postmaster::find(&self.place).is_some()
    }

    /// Starts the server again that ended under its users, unless another process did so meanwhile. The URLs stay valid.
    pub async fn revive(&mut self) -> Result<(), PostgresError> {
        let (place, settings) = (self.place.clone(), self.settings.clone());
        self.child = blocking(move || {
            let _gate = place.enter()?;
            if server::wait_for_other(&place)?.is_some() {
                return Ok(None);
            }
            let account = Account::choose(&place.cluster())?;
            Ok(Self::launch(&place, account, &settings)?.1)
        })
        .await?;
        Ok(())
    }

    fn launch(place: &Place, account: Account, settings: &Settings) -> Result<(PathBuf, Option<Child>), PostgresError> {
        let binaries = Binaries::find(&settings.search, account, read_major(&place.cluster()))?;
        tracing::debug!(version = binaries.version, bin_dir = %binaries.bin_dir.display(), "starting Postgres");
        server::initialise(place, account, &binaries)?;
        let socket_dir = place.make_socket_dir(account, settings.runtime_dir.as_deref())?;
        let child = server::start(place, account, &binaries, &socket_dir)?;
        Ok((socket_dir, Some(child)))
    }

    /// Returns the URL of the database's owner, a superuser: for migrations and for making databases.
    pub fn owner_url(&self) -> &str {
        &self.owner_url
    }

    /// Returns the URL of the service's login role, which owns nothing.
    pub fn service_url(&self) -> &str {
        &self.service_url
    }

    /// Tells whether this process started the server, and did not join one.
    pub fn was_started_here(&self) -> bool {
        self.child.is_some()
    }

    /// Leaves the cluster; the last process to leave stops the server and waits for its end.
    pub async fn stop(mut self) -> Result<(), PostgresError> {
        blocking(move || {
            let _gate = self.place.enter()?;
            self.in_use = None;
            stop_unless_used(&self.place, self.child.as_mut()).map(|_| ())
        })
        .await
    }

    /// Leaves the cluster and lets it run, even if nobody else uses it.
    pub fn leave(mut self) {
        self.in_use = None;
    }

    /// Stops the cluster of a data directory that a killed process left running, unless a process uses it.
    pub async fn stop_if_unused(data_dir: &Path) -> Result<Ending, PostgresError> {
        let data_dir = data_dir.to_owned();
        blocking(move || {
            let Some(place) = Place::existing(&data_dir)? else {
                return Ok(Ending::NotRunning);
            };
            let _gate = place.enter()?;
            stop_unless_used(&place, None)
        })
        .await
    }

    /// Removes the cluster of a data directory for good, with all that is in it, unless a process uses it.
    pub async fn remove(data_dir: &Path) -> Result<(), PostgresError> {
        let data_dir = data_dir.to_owned();
        blocking(move || {
            let Some(place) = Place::existing(&data_dir)? else {
                return Ok(());
            };
            let _gate = place.enter()?;
            if stop_unless_used(&place, None)? == Ending::InUse {
                return Err(PostgresError::InUse { path: place.root().to_owned() });
            }
            place.remove(&data_dir)
        })
        .await
    }
}

/// Runs work that waits for processes and files where that holds nobody up.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PostgresError> + Send + 'static,
) -> Result<T, PostgresError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| PostgresError::Internal)?
}

fn stop_unless_used(place: &Place, child: Option<&mut Child>) -> Result<Ending, PostgresError> {
    if place.is_used()? {
        return Ok(Ending::InUse);
    }
    match Postmaster::find(place) {
        Some(running) => server::stop(place, &running, child).map(|()| Ending::Stopped),
        None => Ok(Ending::NotRunning),
    }
}

/// Reads the major version that a cluster was made by.
fn read_major(cluster: &Path) -> Option<u32> {
    std::fs::read_to_string(cluster.join("PG_VERSION")).ok()?.trim().parse().ok()
}

impl Drop for Cluster {
    /// Leaves a cluster that nobody stopped, such as after an error: the last to leave asks the server to stop.
    fn drop(&mut self) {
        if self.in_use.take().is_none() {
            return;
        }
        if let Some(_gate) = self.place.try_enter()
            && self.place.is_used().is_ok_and(|used| !used)
            && let Some(running) = Postmaster::find(&self.place)
        {
            running.ask_to_stop();
        }
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Writes a path as the value of a URL's query parameter.
fn percent_encode(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    path.as_os_str()
        .as_bytes()
        .iter()
        .map(|&byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_directory_with_odd_letters_survives_the_url() {
        assert_eq!(percent_encode(Path::new("/tmp/a b&c=ü")), "/tmp/a%20b%26c%3D%C3%BC");
    }
}
