//! The demo's own directory: what marks it as one, the key, and when each simulation ended.
//!
//! Nothing but a directory that carries the mark is ever filled or wiped.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::UsageError;
use crate::domain::clock::Timestamp;
use crate::domain::principal::SecretKey;
use crate::postgres::Cluster;
use crate::service::chance::new_secret_key;

const MARK: &str = "demo.json";

/// What a demo remembers from run to run.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct State {
    key: String,
    /// When the traffic of a seed ended. It is part of every item, so that a later run sends the same again.
    ended_at: BTreeMap<u64, Timestamp>,
    #[serde(skip)]
    data_dir: PathBuf,
}

impl State {
    /// Opens the directory of a demo, making it where it is absent or empty.
    pub(super) fn open(data_dir: &Path) -> anyhow::Result<Self> {
        let path = data_dir.join(MARK);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::create(data_dir),
            Err(error) => return Err(unusable(&path, &error)),
        };
        let read: Option<Self> = serde_json::from_slice(&text).ok();
        let state = read.filter(|state| SecretKey::parse(&state.key).is_some());
        let unreadable = || UsageError(format!("{} is damaged; --reset starts anew", path.display()));
        Ok(Self { data_dir: data_dir.to_owned(), ..state.ok_or_else(unreadable)? })
    }

    fn create(data_dir: &Path) -> anyhow::Result<Self> {
        if fs::read_dir(data_dir).is_ok_and(|mut entries| entries.next().is_some()) {
            let place = data_dir.display();
            let told = format!("{place} holds something other than a demo; give another directory with --data-dir");
            return Err(UsageError(told).into());
        }
        // The account of a Postgres that root starts must be able to pass through.
        DirBuilder::new().recursive(true).mode(0o711).create(data_dir).map_err(|error| unusable(data_dir, &error))?;
        let state = Self { key: new_secret_key()?.reveal(), ended_at: BTreeMap::new(), data_dir: data_dir.to_owned() };
        state.save()?;
        Ok(state)
    }

    /// Returns the key of the demo's project; nothing where the file was tampered with.
    pub(super) fn key(&self) -> Option<SecretKey> {
        SecretKey::parse(&self.key)
    }

    /// Returns when the traffic of a seed ends: `now` at the first run, the same ever after.
    pub(super) fn end_of(&mut self, seed: u64, now: Timestamp) -> anyhow::Result<Timestamp> {
        if let Some(ended_at) = self.ended_at.get(&seed) {
            return Ok(*ended_at);
        }
        self.ended_at.insert(seed, now);
        self.save()?;
        Ok(now)
    }

    fn save(&self) -> anyhow::Result<()> {
        let path = self.data_dir.join(MARK);
        let temporary = path.with_extension("new");
        let text = serde_json::to_vec_pretty(self)?;
        let write = || {
            let mut options = OpenOptions::new();
            let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)
        };
        write().map_err(|error| unusable(&path, &error))
    }
}

/// Removes a demo with everything in it; tells whether there was one.
pub(super) async fn wipe(data_dir: &Path) -> anyhow::Result<bool> {
    let is_empty = fs::read_dir(data_dir).map_or(true, |mut entries| entries.next().is_none());
    if is_empty {
        return Ok(false);
    }
    if !data_dir.join(MARK).is_file() {
        let place = data_dir.display();
        let told = format!("{place} holds something other than a demo and is left as it is; --reset wipes demos only");
        return Err(UsageError(told).into());
    }
    Cluster::remove(data_dir).await?;
    fs::remove_dir_all(data_dir).map_err(|error| unusable(data_dir, &error))?;
    Ok(true)
}

fn unusable(path: &Path, error: &io::Error) -> anyhow::Error {
    anyhow::anyhow!("{}: {}", path.display(), error.kind())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_demo_is_found_again_with_its_key_and_the_end_of_its_traffic() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("demo");
        let (first, later) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH + chrono::TimeDelta::days(3));
        let mut made = State::open(&place).unwrap();
        made.end_of(7, first).unwrap();

        let mut found = State::open(&place).unwrap();

        assert_eq!(found.key().unwrap().reveal(), made.key().unwrap().reveal());
        assert_eq!((found.end_of(7, later).unwrap(), found.end_of(8, later).unwrap()), (first, later));
        let mode = fs::metadata(place.join(MARK)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "others could read the key");
    }

    #[tokio::test]
    async fn a_directory_that_holds_something_else_is_neither_filled_nor_wiped() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.tex"), "years of work").unwrap();

        let refusals = [State::open(folder.path()).unwrap_err(), wipe(folder.path()).await.unwrap_err()];

        assert!(refusals.iter().all(anyhow::Error::is::<UsageError>), "{refusals:?}");
        assert!(folder.path().join("thesis.tex").exists() && !folder.path().join(MARK).exists());
    }

    #[tokio::test]
    async fn a_damaged_mark_is_told_and_can_be_wiped() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("demo");
        State::open(&place).unwrap();
        fs::write(place.join(MARK), "{").unwrap();

        let told = State::open(&place).unwrap_err().to_string();

        assert!(told.ends_with("is damaged; --reset starts anew"), "{told}");
        assert!(wipe(&place).await.unwrap());
        assert!(!place.exists() && !wipe(&place).await.unwrap());
    }
}
