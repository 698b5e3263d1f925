//! Where exports go: a local directory, or memory in tests, through `object_store`.
//!
//! Keys are an enum: no path comes from a client, and every part of one that does has been parsed.

use std::fmt;
use std::path::Path as FilePath;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload, WriteMultipart};

use crate::domain::ids::{ExportId, ProjectId};

/// A file that the product keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectKey {
    /// A file of an export that belongs to a project.
    ExportFile {
        /// The project.
        project_id: ProjectId,
        /// Folder that was asked for.
        directory: Option<String>,
        /// The export.
        export_id: ExportId,
        /// Which attempt at the export wrote it, from 1. Every attempt has a folder of its own, so that a worker
        /// that was overtaken cannot write over what its successor published.
        attempt: i32,
        /// Path inside the export's folder, as the manifest names it.
        file: String,
    },
    /// A file of an export that was asked for at the command line, right below the place's root.
    OwnFile {
        /// Path inside the folder, as the manifest names it.
        file: String,
    },
}

impl ObjectKey {
    fn to_path(&self) -> Path {
        match self {
            Self::ExportFile { project_id, directory, export_id, attempt, file } => {
                let folder = Folder::Attempt {
                    project_id: *project_id,
                    directory: directory.clone(),
                    export_id: *export_id,
                    attempt: *attempt,
                };
                file.split('/').fold(folder.to_path(), Path::join)
            }
            Self::OwnFile { file } => file.split('/').collect(),
        }
    }

    /// Returns the media type that the file is served with.
    pub fn content_type(&self) -> &'static str {
        let (Self::ExportFile { file, .. } | Self::OwnFile { file }) = self;
        match file.rsplit_once('.').map(|(_, extension)| extension) {
            Some("parquet") => "application/vnd.apache.parquet",
            Some("json") => "application/json",
            Some("jsonl") => "application/jsonl",
            Some("md") => "text/markdown; charset=utf-8",
            _ => "application/octet-stream",
        }
    }
}

/// Files that are deleted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folder {
    /// Everything that any attempt at an export wrote.
    Export {
        /// The project.
        project_id: ProjectId,
        /// Folder that was asked for.
        directory: Option<String>,
        /// The export.
        export_id: ExportId,
    },
    /// What one attempt wrote.
    Attempt {
        /// The project.
        project_id: ProjectId,
        /// Folder that was asked for.
        directory: Option<String>,
        /// The export.
        export_id: ExportId,
        /// The attempt, from 1.
        attempt: i32,
    },
}

impl Folder {
    fn to_path(&self) -> Path {
        let (Self::Export { project_id, directory, export_id }
        | Self::Attempt { project_id, directory, export_id, .. }) = self;
        let project = project_id.to_string();
        let export = export_id.to_string();
        let folder = directory.as_deref().unwrap_or_default();
        let parts = std::iter::once(project.as_str())
            .chain(folder.split('/').filter(|part| !part.is_empty()))
            .chain(std::iter::once(export.as_str()));
        let export: Path = parts.collect();
        match self {
            Self::Export { .. } => export,
            Self::Attempt { attempt, .. } => export.join(format!("attempt-{attempt}")),
        }
    }
}

/// A failure of the place for files; the place's own words stay in the log.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is no such file.
    #[error("there is no such file")]
    NotFound,
    /// Reading or writing failed.
    #[error("reading or writing a file failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<object_store::Error> for BlobError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::NotFound,
            other => Self::Failed(Box::new(other)),
        }
    }
}

/// A place for files.
#[derive(Clone)]
pub struct Blob(Arc<dyn ObjectStore>);

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({})", self.0)
    }
}

impl Blob {
    /// Opens a directory, creating it where it is absent; files are on the disk before a write returns.
    pub fn local(root: &FilePath) -> Result<Self, BlobError> {
        std::fs::create_dir_all(root).map_err(|error| BlobError::Failed(Box::new(error)))?;
        let store = LocalFileSystem::new_with_prefix(root)?.with_fsync(true).with_automatic_cleanup(true);
        Ok(Self(Arc::new(store)))
    }

    /// Opens a place that forgets everything when it is dropped.
    pub fn memory() -> Self {
        Self(Arc::new(InMemory::new()))
    }

    /// Writes a small file whole.
    pub async fn put(&self, key: &ObjectKey, content: Bytes) -> Result<(), BlobError> {
        self.0.put(&key.to_path(), PutPayload::from_bytes(content)).await?;
        Ok(())
    }

    /// Copies a local file; it is seen under its key only when it is whole.
    pub async fn put_file(&self, key: &ObjectKey, source: &FilePath) -> Result<(), BlobError> {
        const CHUNK_BYTES: usize = 4 << 20;
        let failed = |error: std::io::Error| BlobError::Failed(Box::new(error));
        let mut file = tokio::fs::File::open(source).await.map_err(failed)?;
        let mut writer =
            WriteMultipart::new_with_chunk_size(self.0.put_multipart(&key.to_path()).await?, 2 * CHUNK_BYTES);
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let n_bytes = tokio::io::AsyncReadExt::read(&mut file, &mut chunk).await.map_err(failed)?;
            if n_bytes == 0 {
                break;
            }
            writer.wait_for_capacity(4).await?;
            writer.write(&chunk[..n_bytes]);
        }
        writer.finish().await?;
        Ok(())
    }

    /// Reads a file in pieces, with its size in bytes.
    pub async fn read(
        &self,
        key: &ObjectKey,
    ) -> Result<(u64, BoxStream<'static, Result<Bytes, BlobError>>), BlobError> {
        let found = self.0.get(&key.to_path()).await?;
        let size_bytes = found.meta.size;
        Ok((size_bytes, Box::pin(found.into_stream().map_err(BlobError::from))))
    }

    /// Deletes a file; one that is absent is no error.
    pub async fn delete(&self, key: &ObjectKey) -> Result<(), BlobError> {
        match self.0.delete(&key.to_path()).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes every file in a folder and below it; a folder that is absent is no error.
    pub async fn delete_folder(&self, folder: &Folder) -> Result<(), BlobError> {
        let path = folder.to_path();
        let found: Vec<_> = self.0.list(Some(&path)).try_collect().await?;
        for file in found {
            match self.0.delete(&file.location).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => (),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
