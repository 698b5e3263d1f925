//! The parent of an export that is a job: checked when it is asked for, brought from its place when the job runs, and
//! compared with the new rows before these are published. At the command line both are folders already.

use std::fs;
use std::path::{Path, PathBuf};

use futures_util::TryStreamExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio_util::sync::CancellationToken;

use super::App;
use super::destinations::place;
use super::error::{Conflict, ServiceError};
use super::export_files::MANIFEST;
use super::export_leftovers::published_attempt;
use super::export_lineage::{Lineage, LineageError, lineage};
use super::export_manifest::{ListedFile, Manifest};
use super::export_reading::ReadManifest;
use super::export_run::{RunError, blocking};
use crate::blob::{BlobError, ObjectKey};
use crate::domain::export::{Export, ExportStatus};
use crate::domain::ids::{ExportId, ProjectId};
use crate::store::connection::Tx;
use crate::store::exports;

/// Folders of a run's own that hold what is compared.
const PARENT: &str = "parent";
const CHILD: &str = "child";

/// Finds a parent whose rows can be read: one that is completed, or that an erasure revoked and left the files of.
pub(super) async fn find(tx: &mut Tx, project: ProjectId, id: ExportId) -> Result<Export, ServiceError> {
    let (export, has_files) = exports::find_with_files(tx, project, id).await?.ok_or(ServiceError::NotFound)?;
    match export.status {
        ExportStatus::Queued | ExportStatus::Running => Err(ServiceError::Conflict(Conflict::ExportUnfinished)),
        _ if has_files => Ok(export),
        _ => Err(ServiceError::Conflict(Conflict::ParentGone)),
    }
}

/// Brings what proves the rows of a parent into a folder below `scratch`. Files that are gone meanwhile are
/// [`Conflict::ParentGone`].
pub(super) async fn fetch(
    app: &App,
    parent: &Export,
    scratch: &Path,
    stop: &CancellationToken,
) -> Result<PathBuf, RunError> {
    let unreadable = || ServiceError::Internal("the stored manifest of a parent cannot be read");
    let text = parent.manifest.as_deref().ok_or_else(unreadable)?;
    let manifest = ReadManifest::parse(text.as_bytes()).map_err(|_| unreadable())?;
    let attempt = published_attempt(parent)?;
    let gone = || ServiceError::Conflict(Conflict::ParentGone);
    let blob = place(app, parent.destination.as_ref()).map_err(|_| gone())?;
    let folder = scratch.join(PARENT);
    for file in manifest.files_that_prove() {
        let key = ObjectKey::ExportFile {
            project_id: parent.project_id,
            directory: parent.directory.clone(),
            export_id: parent.id,
            attempt,
            file: file.path.clone(),
        };
        let local = file.place(&folder).ok_or_else(unreadable)?;
        tokio::fs::create_dir_all(local.parent().unwrap_or(&folder)).await?;
        let (_, mut pieces) = blob.read(&key).await.map_err(|error| match error {
            BlobError::NotFound => gone(),
            error => ServiceError::Blob(error),
        })?;
        let mut local = tokio::fs::File::create(local).await?;
        while let Some(piece) = pieces.try_next().await? {
            if stop.is_cancelled() {
                return Err(RunError::Stopped);
            }
            local.write_all(&piece).await?;
        }
        local.flush().await?;
    }
    tokio::fs::create_dir_all(&folder).await?;
    tokio::fs::write(folder.join(MANIFEST), text).await?;
    Ok(folder)
}

/// Says what became of the rows of a parent in an export whose files still lie in the run's own folder.
pub(super) async fn follow(
    app: &App,
    project_id: ProjectId,
    parent: &Path,
    manifest: &Manifest,
    files: Vec<(ListedFile, PathBuf)>,
) -> Result<Lineage, RunError> {
    let child = parent.with_file_name(CHILD);
    let (folder, text) = (child.clone(), manifest.to_json());
    blocking(move || {
        for (file, local) in files {
            let name = folder.join(&file.path);
            fs::create_dir_all(name.parent().unwrap_or(&folder))?;
            // A second name spares copying it.
            fs::hard_link(local, name)?;
        }
        Ok(fs::write(folder.join(MANIFEST), text)?)
    })
    .await?;
    lineage(app, project_id, parent.to_owned(), child).await.map_err(|error| match error {
        LineageError::Failed(error) => RunError::Failed(error),
        LineageError::Read(error) => {
            tracing::warn!(error = %error, "what proves the rows of a parent cannot be read");
            RunError::Failed(ServiceError::Conflict(Conflict::ParentGone))
        }
    })
}
