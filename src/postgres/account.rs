//! The user that Postgres runs as: the caller, or somebody unprivileged where the caller is root.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::error::PostgresError;

/// Whom the processes and files of a cluster belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Account {
    /// The caller, who is not root.
    Caller,
    /// Somebody else, because the caller is root and Postgres refuses that.
    Switched {
        /// Numeric user id.
        uid: u32,
        /// Numeric group id.
        gid: u32,
    },
}

impl Account {
    /// Chooses the account: as root the owner of a cluster that exists, else `postgres`, else `nobody`.
    pub(super) fn choose(cluster: &Path) -> Result<Self, PostgresError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Caller);
        }
        if let Ok(found) = std::fs::metadata(cluster)
            && found.uid() != 0
        {
            return Ok(Self::Switched { uid: found.uid(), gid: found.gid() });
        }
        ["postgres", "nobody"]
            .into_iter()
            .filter_map(|name| Some(Self::Switched { uid: ask_id("-u", name)?, gid: ask_id("-g", name)? }))
            .find(|account| account.command(Path::new("/bin/sh")).args(["-c", ":"]).status().is_ok_and(|s| s.success()))
            .ok_or(PostgresError::NoUnprivilegedUser)
    }

    /// Prepares a program that runs as this account, knows nothing of our environment and hears no Ctrl-C of ours.
    pub(super) fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        // A PGDATA or PGOPTIONS of the caller's must not reach a cluster of ours, and the working directory may be one
        // that the account cannot enter.
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C").current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.process_group(0);
        if let Self::Switched { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Hands a file or directory over to the account.
    pub(super) fn give(self, path: &Path) -> Result<(), PostgresError> {
        match self {
            Self::Caller => Ok(()),
            Self::Switched { uid, gid } => {
                chown(path, Some(uid), Some(gid)).map_err(PostgresError::file(path, "handed over"))
            }
        }
    }

    /// Tells whether the account can get into a directory.
    pub(super) fn can_enter(self, directory: &Path) -> bool {
        let mut probe = self.command(Path::new("/bin/sh"));
        probe.args(["-c", "cd \"$1\"", "sh"]).arg(directory).status().is_ok_and(|status| status.success())
    }

    /// Tells whether a directory belongs to the account.
    pub(super) fn owns(self, directory: &Path) -> bool {
        let uid = match self {
            Self::Caller => rustix::process::geteuid().as_raw(),
            Self::Switched { uid, .. } => uid,
        };
        std::fs::symlink_metadata(directory).is_ok_and(|found| found.is_dir() && found.uid() == uid)
    }
}

/// Asks the system for the number of a user or of its group; a directory service may know more than /etc/passwd.
fn ask_id(which: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([which, name]).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().parse().ok())?
}
