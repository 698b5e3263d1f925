//! Folders: looked into, deleted, and swept of what dead writers left there.
//!
//! In a local directory the file system itself is asked: `object_store` does not list the files that a writer had not
//! ended, and they are just what has to go.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path as FilePath, PathBuf};

use futures_util::TryStreamExt as _;
use object_store::path::Path;

use super::error::BlobError;
use super::key::{Folder, attempt_folder};
use super::{Blob, Kind};

/// What a sweep removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Files that no published export names.
    pub n_files: u64,
    /// Uploads that nobody would have ended.
    pub n_uploads: u64,
}

impl std::ops::AddAssign for Swept {
    fn add_assign(&mut self, other: Self) {
        self.n_files += other.n_files;
        self.n_uploads += other.n_uploads;
    }
}

/// Gives a file a second name, which spares copying it; returns its size. Nothing where that cannot be: the names lie on
/// two file systems, or there is such a file.
pub(super) async fn link(source: &FilePath, name: PathBuf) -> Option<u64> {
    let source = source.to_owned();
    let link = move || {
        fs::create_dir_all(name.parent()?).ok()?;
        fs::hard_link(&source, &name).ok()?;
        fs::metadata(&name).ok().map(|file| file.len())
    };
    tokio::task::spawn_blocking(link).await.ok()?
}

impl Blob {
    /// Deletes every file in a folder and below it, unfinished ones too; a folder that is absent is no error.
    pub async fn delete_folder(&self, folder: &Folder) -> Result<(), BlobError> {
        self.sweep(folder, None).await.map(|_| ())
    }

    /// Deletes everything in a folder but the attempt `kept`, and what its writer left unfinished in that.
    pub async fn sweep(&self, folder: &Folder, kept: Option<i32>) -> Result<Swept, BlobError> {
        let path = folder.to_path();
        let kept = kept.map(attempt_folder);
        if let Kind::Local(root) = &self.kind {
            let (root, folder) =
                (root.to_path_buf(), path.parts().fold(root.to_path_buf(), |path, part| path.join(part.as_ref())));
            let swept = tokio::task::spawn_blocking(move || sweep_local(&root, &folder, kept.as_deref())).await;
            return Ok(swept.map_err(|error| BlobError::Failed(Box::new(error)))??);
        }
        let path = self.below_prefix(&path);
        let mut swept = Swept::default();
        if let Kind::Bucket(bucket) = &self.kind {
            // First the uploads: one that ended in between would be a file that was not listed.
            swept.n_uploads = bucket.abort_uploads(&path).await?;
        }
        let kept: Option<Path> = kept.map(|attempt| path.clone().join(attempt));
        let found: Vec<_> = self.store.list(Some(&path)).try_collect().await?;
        for file in found {
            if kept.as_ref().is_some_and(|kept| file.location.prefix_matches(kept)) {
                continue;
            }
            self.delete_path(&file.location).await?;
            swept.n_files += 1;
        }
        Ok(swept)
    }
}

fn sweep_local(root: &FilePath, folder: &FilePath, kept: Option<&str>) -> io::Result<Swept> {
    let mut swept = Swept::default();
    for entry in entries(folder)? {
        let is_kept = kept.is_some_and(|kept| entry.file_name().is_some_and(|name| name == kept));
        swept += remove(&entry, is_kept)?;
    }
    if swept != Swept::default() {
        // The names must be as gone after a crash as before it.
        if let Ok(folder) = fs::File::open(folder) {
            folder.sync_all()?;
        }
    }
    let above = folder.ancestors().take_while(|above| above.starts_with(root) && *above != root);
    for empty in above {
        // One that holds something is not removed, and neither is any above it.
        if fs::remove_dir(empty).is_err() {
            break;
        }
    }
    Ok(swept)
}

/// Removes a file, or a folder with all that is in it; of a folder that is kept only what a writer has not ended.
fn remove(path: &FilePath, is_kept: bool) -> io::Result<Swept> {
    // A link is removed, not followed.
    if fs::symlink_metadata(path)?.is_dir() {
        let mut swept = Swept::default();
        for entry in entries(path)? {
            swept += remove(&entry, is_kept)?;
        }
        if !is_kept {
            absent_is_fine(fs::remove_dir(path))?;
        }
        return Ok(swept);
    }
    let unfinished = is_unfinished(path);
    if is_kept && !unfinished {
        return Ok(Swept::default());
    }
    absent_is_fine(fs::remove_file(path))?;
    Ok(if unfinished { Swept { n_files: 0, n_uploads: 1 } } else { Swept { n_files: 1, n_uploads: 0 } })
}

/// Tells whether a name is one under which `object_store` writes a file before it is whole: the file's own with `#` and
/// a number behind it.
fn is_unfinished(path: &FilePath) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.rsplit_once('#')
        .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn entries(folder: &FilePath) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn absent_is_fine(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

/// Looks whether a file can be written into a directory.
pub(super) async fn check(root: &FilePath) -> Result<(), BlobError> {
    let root = root.to_owned();
    let written = tokio::task::spawn_blocking(move || fs::create_dir_all(&root).and_then(|()| write_and_remove(&root)));
    Ok(written.await.map_err(|error| BlobError::Failed(Box::new(error)))??)
}

/// Writes and removes a file. Two looks at once may share its name: neither minds what the other does to it.
fn write_and_remove(root: &FilePath) -> io::Result<()> {
    let probe = root.join(format!(".afterword-probe-{}", std::process::id()));
    fs::write(&probe, b"probe")?;
    absent_is_fine(fs::remove_file(&probe))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use bytes::Bytes;
    use uuid::Uuid;

    use super::super::ObjectKey;
    use super::*;
    use crate::domain::ids::{ExportId, ProjectId};

    fn key(attempt: i32, file: &str) -> ObjectKey {
        let (project_id, export_id) = (ProjectId(Uuid::from_u128(1)), ExportId(Uuid::from_u128(2)));
        ObjectKey::ExportFile { project_id, directory: Some("d".to_owned()), export_id, attempt, file: file.to_owned() }
    }

    fn export() -> Folder {
        let (project_id, export_id) = (ProjectId(Uuid::from_u128(1)), ExportId(Uuid::from_u128(2)));
        Folder::Export { project_id, directory: Some("d".to_owned()), export_id }
    }

    async fn is_there(blob: &Blob, key: &ObjectKey) -> bool {
        blob.read(key).await.is_ok()
    }

    #[tokio::test]
    async fn a_sweep_keeps_one_attempt_and_takes_the_others() {
        let root = tempfile::tempdir().unwrap();
        for blob in [Blob::memory(), Blob::local(root.path()).unwrap()] {
            for attempt in 1..=3 {
                blob.put(&key(attempt, "data/part"), Bytes::from_static(b"x")).await.unwrap();
            }

            let swept = blob.sweep(&export(), Some(2)).await.unwrap();

            assert_eq!(swept, Swept { n_files: 2, n_uploads: 0 }, "{blob:?}");
            for (attempt, stays) in [(1, false), (2, true), (3, false)] {
                assert_eq!(is_there(&blob, &key(attempt, "data/part")).await, stays, "{blob:?} {attempt}");
            }
            assert_eq!(blob.sweep(&export(), Some(2)).await.unwrap(), Swept::default());
        }
    }

    #[tokio::test]
    async fn what_a_killed_writer_had_not_ended_goes_too_and_so_do_empty_folders() {
        let root = tempfile::tempdir().unwrap();
        let blob = Blob::local(root.path()).unwrap();
        blob.put(&key(1, "data/part"), Bytes::from_static(b"x")).await.unwrap();
        let attempt = root.path().join(format!("{}/d/{}/attempt-1", Uuid::from_u128(1), Uuid::from_u128(2)));
        fs::write(attempt.join("data/other#3"), b"half").unwrap();

        let kept = blob.sweep(&export(), Some(1)).await.unwrap();
        assert_eq!(kept, Swept { n_files: 0, n_uploads: 1 });
        assert!(is_there(&blob, &key(1, "data/part")).await);

        blob.delete_folder(&export()).await.unwrap();
        blob.delete_folder(&export()).await.unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_link_is_removed_and_not_followed() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("theirs"), b"x").unwrap();
        let blob = Blob::local(root.path()).unwrap();
        blob.put(&key(1, "part"), Bytes::from_static(b"x")).await.unwrap();
        let attempt = root.path().join(format!("{}/d/{}/attempt-1", Uuid::from_u128(1), Uuid::from_u128(2)));
        std::os::unix::fs::symlink(outside.path(), attempt.join("link")).unwrap();

        blob.delete_folder(&export()).await.unwrap();

        assert!(outside.path().join("theirs").exists());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_name_is_given_once_and_the_same_content_again_is_no_conflict() {
        let root = tempfile::tempdir().unwrap();
        for blob in [Blob::memory(), Blob::local(root.path()).unwrap()] {
            let content = Bytes::from_static(b"manifest");

            blob.create(&key(1, "manifest.json"), content.clone()).await.unwrap();
            blob.create(&key(1, "manifest.json"), content).await.unwrap();
            let other = blob.create(&key(1, "manifest.json"), Bytes::from_static(b"other")).await;

            assert!(matches!(other, Err(BlobError::Taken)), "{other:?}");
        }
    }

    #[tokio::test]
    async fn a_copy_that_is_stopped_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let source = root.path().join("source");
        fs::write(&source, vec![7; 20 << 20]).unwrap();
        let blob = Blob::local(&root.path().join("place")).unwrap();

        let stopped = blob.copy_file(&key(1, "part"), &source, async {}, |_| ()).await;
        let n_bytes = std::cell::Cell::new(0);
        let (whole, count) = (key(2, "part"), |n| n_bytes.set(n_bytes.get() + n));
        blob.copy_file(&whole, &source, std::future::pending(), count).await.unwrap();

        assert!(matches!(stopped, Err(BlobError::Stopped)));
        assert!(!is_there(&blob, &key(1, "part")).await && is_there(&blob, &key(2, "part")).await);
        assert_eq!(n_bytes.get(), 20 << 20);
        assert_eq!(blob.sweep(&export(), Some(2)).await.unwrap(), Swept::default());
    }

    #[tokio::test]
    async fn a_file_on_the_file_system_of_its_place_is_published_without_a_copy() {
        let root = tempfile::tempdir().unwrap();
        let source = root.path().join("source");
        fs::write(&source, b"rows").unwrap();
        let blob = Blob::local(&root.path().join("place")).unwrap();
        let n_bytes = std::cell::Cell::new(0);

        blob.put_file(&key(1, "part"), &source, std::future::pending(), |n| n_bytes.set(n)).await.unwrap();

        assert_eq!((n_bytes.get(), fs::metadata(&source).unwrap().nlink()), (4, 2));
        fs::remove_file(&source).unwrap();
        assert!(is_there(&blob, &key(1, "part")).await);
    }

    #[tokio::test]
    async fn a_place_is_looked_at_and_left_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        let blob = Blob::local(&root.path().join("place")).unwrap();

        blob.check().await.unwrap();

        assert_eq!(fs::read_dir(root.path().join("place")).unwrap().count(), 0);
        fs::remove_dir(root.path().join("place")).unwrap();
        fs::write(root.path().join("place"), b"a file").unwrap();
        assert!(matches!(blob.check().await, Err(BlobError::Failed(_))));
    }
}
