//! The files of a completed export. Only what its manifest names can be read, and the manifest itself.

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use serde::Deserialize;

use super::App;
use super::destinations::place;
use super::error::{Conflict, ServiceError};
use super::exports;
use crate::blob::{BlobError, ObjectKey};
use crate::domain::export::ExportStatus;
use crate::domain::ids::ExportId;
use crate::domain::principal::Principal;

/// Name of the file that lists the others.
pub const MANIFEST: &str = "manifest.json";

/// A file that is being read.
pub struct ExportFile {
    /// Its media type.
    pub content_type: &'static str,
    /// Its size.
    pub size_bytes: u64,
    /// Its bytes, in pieces.
    pub content: BoxStream<'static, Result<Bytes, ServiceError>>,
}

impl std::fmt::Debug for ExportFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExportFile")
            .field("content_type", &self.content_type)
            .field("size_bytes", &self.size_bytes)
            .finish_non_exhaustive()
    }
}

/// What reading needs of a manifest.
#[derive(Debug, Deserialize)]
struct Listing {
    attempt: i32,
    files: Vec<Listed>,
}

#[derive(Debug, Deserialize)]
struct Listed {
    path: String,
}

/// Opens a file of a completed export by the path that its manifest gives it.
pub async fn read(app: &App, principal: &Principal, id: ExportId, path: &str) -> Result<ExportFile, ServiceError> {
    let export = exports::show(app, principal, id).await?;
    match export.status {
        ExportStatus::Completed => (),
        ExportStatus::Queued | ExportStatus::Running => {
            return Err(ServiceError::Conflict(Conflict::ExportUnfinished));
        }
        ExportStatus::Failed | ExportStatus::Revoked => return Err(ServiceError::NotFound),
    }
    let manifest = export.manifest.ok_or(ServiceError::Internal("a completed export has no manifest"))?;
    let listing: Listing =
        serde_json::from_str(&manifest).map_err(|_| ServiceError::Internal("a manifest cannot be read"))?;
    if path != MANIFEST && !listing.files.iter().any(|file| file.path == path) {
        return Err(ServiceError::NotFound);
    }
    let key = ObjectKey::ExportFile {
        project_id: principal.project_id,
        directory: export.directory,
        export_id: id,
        attempt: listing.attempt,
        file: path.to_owned(),
    };
    let blob = place(app, export.destination.as_ref())?;
    let (size_bytes, content) = blob.read(&key).await.map_err(|error| match error {
        BlobError::NotFound => ServiceError::NotFound,
        error => ServiceError::Blob(error),
    })?;
    let content = content.map(|piece| piece.map_err(ServiceError::Blob)).boxed();
    Ok(ExportFile { content_type: key.content_type(), size_bytes, content })
}
