//! The files of a completed export. Only what its manifest names can be read, and the manifest itself.

use std::ops::Range;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::App;
use super::destinations::place;
use super::error::{Conflict, ServiceError};
use super::exports;
use crate::blob::{Blob, BlobError, ObjectKey};
use crate::domain::export::ExportStatus;
use crate::domain::ids::ExportId;
use crate::domain::principal::Principal;

/// Name of the file that lists the others.
pub const MANIFEST: &str = "manifest.json";

/// A file that can be read.
#[derive(Debug, Clone)]
pub struct ExportFile {
    /// Its media type.
    pub content_type: &'static str,
    /// Its size.
    pub size_bytes: u64,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
    blob: Blob,
    key: ObjectKey,
}

/// Bytes in pieces.
pub type Content = BoxStream<'static, Result<Bytes, ServiceError>>;

/// What reading needs of a manifest.
#[derive(Debug, Deserialize)]
struct Listing {
    attempt: i32,
    files: Vec<Listed>,
}

#[derive(Debug, Deserialize)]
struct Listed {
    path: String,
    bytes: u64,
    sha256: String,
}

/// Finds a file of a completed export by the path that its manifest gives it.
pub async fn find(app: &App, principal: &Principal, id: ExportId, path: &str) -> Result<ExportFile, ServiceError> {
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
    let (size_bytes, sha256) = if path == MANIFEST {
        // The file is the text that is stored, byte for byte.
        (manifest.len() as u64, hex::encode(Sha256::digest(manifest.as_bytes())))
    } else {
        let file = listing.files.into_iter().find(|file| file.path == path).ok_or(ServiceError::NotFound)?;
        (file.bytes, file.sha256)
    };
    let key = ObjectKey::ExportFile {
        project_id: principal.project_id,
        directory: export.directory,
        export_id: id,
        attempt: listing.attempt,
        file: path.to_owned(),
    };
    let blob = place(app, export.destination.as_ref())?.clone();
    Ok(ExportFile { content_type: key.content_type(), size_bytes, sha256, blob, key })
}

impl ExportFile {
    /// Opens the file, or a range of it that it has: how many bytes come, and the bytes, unless only their number is wanted.
    pub async fn open(
        &self,
        range: Option<Range<u64>>,
        is_size_only: bool,
    ) -> Result<(u64, Option<Content>), ServiceError> {
        let n_bytes = range.as_ref().map_or(self.size_bytes, |range| range.end - range.start);
        if is_size_only {
            let is_there = self.blob.holds(&self.key).await?;
            return if is_there { Ok((n_bytes, None)) } else { Err(ServiceError::NotFound) };
        }
        let opened = match range {
            Some(range) => self.blob.read_range(&self.key, range).await.map(|content| (n_bytes, content)),
            None => self.blob.read(&self.key).await,
        };
        let (n_bytes, content) = opened.map_err(|error| match error {
            BlobError::NotFound => ServiceError::NotFound,
            error => ServiceError::Blob(error),
        })?;
        Ok((n_bytes, Some(content.map(|piece| piece.map_err(ServiceError::Blob)).boxed())))
    }
}
