//! What can keep a private Postgres from running, each with what to do about it.

use std::path::PathBuf;

/// No private Postgres can be had.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// No server program was found and none could be fetched.
    #[error(
        "no Postgres {wanted} was found on this machine, and none could be fetched ({reason}). Do one of these:\n  \
         1. install it:         apt install postgresql          (macOS: brew install postgresql@17)\n  \
         2. use one that runs:  export DATABASE_URL=postgres://user:password@host:5432/database\n  \
         3. let npm fetch it:   apt install npm                 (macOS: brew install node), then start again"
    )]
    NotFound {
        /// Which versions would do, such as `15 or newer`.
        wanted: String,
        /// Why none could be fetched.
        reason: String,
    },
    /// The directory that the configuration names holds no usable server.
    #[error("postgres.bin_dir is {}, but it holds no usable `initdb` and `postgres` of version {wanted}", path.display())]
    BinDir {
        /// The configured directory.
        path: PathBuf,
        /// Which versions would do.
        wanted: String,
    },
    /// A directory or file could not be made, read or handed over.
    #[error("{} could not be {action}: {}", path.display(), error.kind())]
    File {
        /// The directory or file.
        path: PathBuf,
        /// What was tried, as a past participle.
        action: &'static str,
        /// Why it failed.
        error: std::io::Error,
    },
    /// A program could not be started or ended with an error.
    #[error("`{program}` failed: {reason}")]
    Program {
        /// Its name.
        program: &'static str,
        /// The first line of its error that says something.
        reason: String,
    },
    /// The fetched package is not the one that this program was made with.
    #[error("the fetched package {package} has another content than expected; nothing of it was used")]
    WrongContent {
        /// Name and version.
        package: String,
    },
    /// Postgres refuses to run as root, and no other user can run it.
    #[error(
        "Postgres does not run as root, and this process cannot switch to the user `postgres` or `nobody`: \
         start afterword as an ordinary user, or set DATABASE_URL"
    )]
    NoUnprivilegedUser,
    /// What a process still uses was to be removed.
    #[error("another process uses the Postgres in {}: stop it first", path.display())]
    InUse {
        /// The directory of the cluster.
        path: PathBuf,
    },
    /// Another process holds the cluster's gate.
    #[error("another process is starting or stopping the Postgres in {} and does not get done", path.display())]
    Busy {
        /// Where the cluster lives.
        path: PathBuf,
    },
    /// The server ended, or did not get ready in time.
    #[error("Postgres did not get ready: {reason} (see {})", log.display())]
    NotReady {
        /// Its last words, or that there were none in time.
        reason: String,
        /// Its log.
        log: PathBuf,
    },
    /// The server did not end in time.
    #[error("Postgres (process {pid}) did not stop in time")]
    NotStopped {
        /// Its process id.
        pid: i32,
    },
    /// The blocking part of the work ended without a result.
    #[error("internal error: the task that runs Postgres ended without a result")]
    Internal,
}

impl PostgresError {
    /// Makes the error of a file that could not be `action`.
    pub(super) fn file(path: impl Into<PathBuf>, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |error| Self::File { path, action, error }
    }
}
