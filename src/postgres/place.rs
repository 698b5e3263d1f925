//! Where a cluster lives on the disk, and the locks through which processes agree on it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use rustix::fs::{FlockOperation, flock};

use super::account::Account;
use super::error::PostgresError;

/// The longest path of a socket that every system takes, in bytes.
const MAX_SOCKET_PATH_BYTES: usize = 103;
/// How long a start waits for another process that starts or stops the same cluster.
const GATE_PATIENCE: Duration = Duration::from_mins(3);
/// Where clusters go whose data directory the account of Postgres cannot enter.
const SHARED_ROOT: &str = "/var/lib/afterword";

/// The directory of one cluster: the data, the sockets, the passwords, the log and the locks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    root: PathBuf,
}

impl Place {
    /// Finds the place of a data directory and the account that it belongs to, making both where they are absent.
    pub(super) fn prepare(data_dir: &Path) -> Result<(Self, Account), PostgresError> {
        let is_root = rustix::process::geteuid().is_root();
        // Root's Postgres runs as somebody else, who must be able to pass through, but not to look around.
        make_dir(data_dir, if is_root { 0o711 } else { 0o700 })?;
        // Relative paths mean nothing to processes that start elsewhere.
        let data_dir = &data_dir.canonicalize().map_err(PostgresError::file(data_dir, "found"))?;
        let found = Self::find(data_dir)?;
        let account = Account::choose(&found.cluster())?;
        let place = if found.cluster().exists() || account == Account::Caller || account.can_enter(data_dir) {
            found
        } else {
            make_dir(Path::new(SHARED_ROOT), 0o755)?;
            // Two first starts at the same moment must not choose two places.
            let _lock = wait_for_lock(Path::new(SHARED_ROOT), "choice.lock")?;
            let chosen = Self::find(data_dir)?;
            if chosen == found { Self::elsewhere(data_dir)? } else { chosen }
        };
        make_dir(&place.root, if is_root { 0o711 } else { 0o700 })?;
        Ok((place, account))
    }

    /// Finds the place of a data directory, if there is one already.
    pub(super) fn existing(data_dir: &Path) -> Result<Option<Self>, PostgresError> {
        if !data_dir.exists() {
            return Ok(None);
        }
        let data_dir = data_dir.canonicalize().map_err(PostgresError::file(data_dir, "found"))?;
        Ok(Some(Self::find(&data_dir)?).filter(|place| place.root.exists()))
    }

    fn find(data_dir: &Path) -> Result<Self, PostgresError> {
        let root = match std::fs::read_to_string(pointer(data_dir)) {
            Ok(path) => PathBuf::from(path.trim()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => data_dir.join("postgres"),
            Err(error) => return Err(PostgresError::file(pointer(data_dir), "read")(error)),
        };
        Ok(Self { root })
    }

    /// Chooses a place that everybody can pass through, and leaves a pointer to it in the data directory.
    fn elsewhere(data_dir: &Path) -> Result<Self, PostgresError> {
        let root = Path::new(SHARED_ROOT).join(new_password()?.replace(['-', '_'], "x").get(..16).unwrap_or("cluster"));
        tracing::info!(place = %root.display(), "the user that runs Postgres cannot enter the data directory");
        make_dir(&root, 0o711)?;
        write_private(&root.join("belongs-to"), data_dir.display().to_string().as_bytes())?;
        write_private(&pointer(data_dir), root.display().to_string().as_bytes())?;
        Ok(Self { root })
    }

    /// Returns the directory that holds everything.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the directory that Postgres calls PGDATA.
    pub(super) fn cluster(&self) -> PathBuf {
        self.root.join("data")
    }

    /// Returns the server's log.
    pub(super) fn log(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    /// Reads a role's password, making one at the first call.
    pub(super) fn password(&self, role: &str) -> Result<String, PostgresError> {
        let path = self.root.join(format!("{role}.password"));
        match std::fs::read_to_string(&path) {
            Ok(password) => Ok(password),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let password = new_password()?;
                write_private(&path, password.as_bytes())?;
                Ok(password)
            }
            Err(error) => Err(PostgresError::file(path, "read")(error)),
        }
    }

    /// Makes the directory of the sockets: inside the place, or under a short name where the place's is too long.
    pub(super) fn make_socket_dir(
        &self,
        account: Account,
        runtime_dir: Option<&Path>,
    ) -> Result<PathBuf, PostgresError> {
        let hash = blake3::hash(self.root.as_os_str().as_bytes()).to_hex();
        let short = runtime_dir.filter(|_| account == Account::Caller).unwrap_or(Path::new("/tmp"));
        let short = (0..10).map(|n| short.join(format!("afterword-{}-{n}", &hash[..12])));
        let mut candidates = std::iter::once(self.root.join("run"))
            .chain(short)
            .filter(|dir| dir.join(".s.PGSQL.5432").as_os_str().len() <= MAX_SOCKET_PATH_BYTES);
        let made = candidates.find_map(|dir| {
            // A directory of somebody else's under a name that can be guessed is not used.
            match DirBuilder::new().mode(0o700).create(&dir) {
                Ok(()) => account.give(&dir).is_ok().then_some(dir),
                Err(_) => account.owns(&dir).then_some(dir),
            }
        });
        made.ok_or_else(|| PostgresError::file(self.root.join("run"), "made")(std::io::ErrorKind::Other.into()))
    }

    /// Waits until no other process starts or stops this cluster; dropping the answer lets the next one in.
    pub(super) fn enter(&self) -> Result<File, PostgresError> {
        wait_for_lock(&self.root, "gate.lock")
    }

    /// Enters only if nobody is inside.
    pub(super) fn try_enter(&self) -> Option<File> {
        let gate = open_lock(&self.root, "gate.lock").ok()?;
        flock(&gate, FlockOperation::NonBlockingLockExclusive).ok().map(|()| gate)
    }

    /// Notes that this process uses the cluster, until the answer is dropped or the process ends in any way.
    pub(super) fn note_use(&self) -> Result<File, PostgresError> {
        let users = open_lock(&self.root, "users.lock")?;
        flock(&users, FlockOperation::LockShared)
            .map_err(|error| PostgresError::file(self.root.join("users.lock"), "locked")(error.into()))?;
        Ok(users)
    }

    /// Tells whether any process uses the cluster; only meaningful inside the gate.
    pub(super) fn is_used(&self) -> Result<bool, PostgresError> {
        let users = open_lock(&self.root, "users.lock")?;
        Ok(flock(&users, FlockOperation::NonBlockingLockExclusive).is_err())
    }

    /// Removes the cluster with everything in it, and the pointer to it.
    pub(super) fn remove(&self, data_dir: &Path) -> Result<(), PostgresError> {
        for result in [std::fs::remove_dir_all(&self.root), std::fs::remove_file(pointer(data_dir))] {
            match result {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(PostgresError::file(&self.root, "removed")(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn open_lock(dir: &Path, name: &str) -> Result<File, PostgresError> {
    let path = dir.join(name);
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600);
    options.open(&path).map_err(PostgresError::file(path, "opened"))
}

/// Waits for a lock that processes share; the system takes it back however its holder ends.
fn wait_for_lock(dir: &Path, name: &str) -> Result<File, PostgresError> {
    let lock = open_lock(dir, name)?;
    let deadline = Instant::now() + GATE_PATIENCE;
    while flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        if Instant::now() > deadline {
            return Err(PostgresError::Busy { path: dir.to_owned() });
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(lock)
}

fn pointer(data_dir: &Path) -> PathBuf {
    data_dir.join("postgres.location")
}

/// Makes a directory, and those above it; one that exists keeps its mode.
fn make_dir(path: &Path, mode: u32) -> Result<(), PostgresError> {
    DirBuilder::new().recursive(true).mode(mode).create(path).map_err(PostgresError::file(path, "made"))
}

/// Writes a file that only its owner can read; it is there whole or not at all.
pub(super) fn write_private(path: &Path, content: &[u8]) -> Result<(), PostgresError> {
    let temporary = path.with_extension("new");
    let write = || {
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().map_err(PostgresError::file(path, "written"))
}

/// Makes a password of 192 random bits that needs no quoting in a URL or in SQL.
fn new_password() -> Result<String, PostgresError> {
    let mut bytes = [0_u8; 24];
    OsRng
        .try_fill_bytes(&mut bytes)
        .map_err(|_| PostgresError::Program { program: "getrandom", reason: "the system has no randomness".into() })?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
