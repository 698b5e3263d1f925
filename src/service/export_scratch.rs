//! Local files of one run: a folder that only we can read and that is gone when the run ends, however it ends; and
//! files that know their hash once they are written.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// A folder that is removed with everything in it when it is dropped.
///
/// It is locked for as long as its process lives, so that others can tell a folder in use from one that a process left
/// that was killed. The lock is the kernel's and dies with the process.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    _lock: File,
}

impl Scratch {
    /// Creates the folder, which must not exist; nobody but the present user can look into it.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path)?;
        let lock = File::open(path)?;
        lock.lock()?;
        if std::fs::symlink_metadata(path).is_err() {
            // Somebody who removes leftovers came between the two; the next attempt meets nobody.
            return Err(io::Error::from(io::ErrorKind::ResourceBusy));
        }
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Returns the folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Lists the folders below `parent` whose names start with `prefix` and that no living process has locked, each with a
/// lock that keeps it so.
pub(super) fn leftovers(parent: &Path, prefix: &str) -> io::Result<Vec<(PathBuf, File)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(parent)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(prefix) || !entry.file_type()?.is_dir() {
            continue;
        }
        // What cannot be opened is another user's.
        if let Ok(folder) = File::open(entry.path())
            && folder.try_lock().is_ok()
        {
            found.push((entry.path(), folder));
        }
    }
    Ok(found)
}

/// Removes the folders below `parent` whose names start with `prefix` and that nobody uses: those of runs that could not
/// remove their own. Returns how many there were.
pub(super) fn remove_leftovers(parent: &Path, prefix: &str) -> io::Result<u64> {
    let found = leftovers(parent, prefix)?;
    let mut n_removed = 0;
    for (path, _lock) in found {
        match std::fs::remove_dir_all(path) {
            Ok(()) => n_removed += 1,
            Err(error) if error.kind() == io::ErrorKind::NotFound => (),
            Err(error) => return Err(error),
        }
    }
    Ok(n_removed)
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(kind = %error.kind(), "a scratch folder was not removed");
        }
    }
}

/// A file that counts and hashes what is written into it.
#[derive(Debug)]
pub(super) struct HashedFile {
    path: PathBuf,
    file: BufWriter<File>,
    hash: Sha256,
    n_bytes: u64,
}

/// A file that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hashed {
    pub(super) path: PathBuf,
    pub(super) n_bytes: u64,
    pub(super) sha256: String,
}

impl HashedFile {
    pub(super) fn create(path: PathBuf) -> io::Result<Self> {
        let file = BufWriter::with_capacity(1 << 20, File::create_new(&path)?);
        Ok(Self { path, file, hash: Sha256::new(), n_bytes: 0 })
    }

    pub(super) fn finish(mut self) -> io::Result<Hashed> {
        self.file.flush()?;
        Ok(Hashed { path: self.path, n_bytes: self.n_bytes, sha256: hex::encode(self.hash.finalize()) })
    }
}

impl Write for HashedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n_bytes = self.file.write(bytes)?;
        self.hash.update(&bytes[..n_bytes]);
        self.n_bytes += n_bytes as u64;
        Ok(n_bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_use_is_left_alone_and_one_that_a_dead_run_left_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::create(&parent.path().join("run-1")).unwrap();
        std::fs::create_dir_all(parent.path().join("run-2/deep")).unwrap();
        std::fs::create_dir(parent.path().join("another")).unwrap();
        std::fs::write(parent.path().join("run-3"), b"a file").unwrap();

        assert_eq!(remove_leftovers(parent.path(), "run-").unwrap(), 1);
        assert!(scratch.path().exists() && parent.path().join("another").exists());
        drop(scratch);
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 2);
    }
}
