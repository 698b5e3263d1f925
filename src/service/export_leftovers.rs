//! What dead runs left behind is collected: files and uploads in the places of exports that have ended, and scratch
//! folders on this machine.
//!
//! Only the folders of exports that the database knows are looked into, so that several instances can share a bucket.
//! An export that has ended is swept until some time has passed since: whoever was overtaken may still be writing.

use chrono::TimeDelta;

use super::App;
use super::bootstrap::list_projects;
use super::destinations::place;
use super::detached::detached;
use super::error::ServiceError;
use super::export_jobs::SCRATCH_PREFIX;
use super::export_scratch::remove_leftovers;
use super::exports::whole_folder;
use crate::blob::Swept;
use crate::domain::export::{Export, ExportStatus};
use crate::domain::ids::{ExportId, ProjectId};
use crate::store::Access;
use crate::store::connection::Pool;
use crate::store::exports::{self, SweptFor};
use crate::store::holders;

/// How long after the end of an export nobody can be writing for it any more. A run whose lease was lost stops at its
/// next sign of life, within seconds of its process running again.
const QUIET_AFTER: TimeDelta = TimeDelta::hours(1);
/// Exports that one transaction lists.
const PAGE: i64 = 100;

/// What was collected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Exports whose places were looked into.
    pub n_exports: u64,
    /// What was removed there.
    pub swept: Swept,
    /// Scratch folders of this machine that were removed.
    pub n_scratch_folders: u64,
    /// Exports whose places could not be looked into; they come again.
    pub n_failed: u64,
}

impl Collected {
    /// Tells whether there is nothing to tell.
    pub fn is_nothing(&self) -> bool {
        self.swept == Swept::default() && self.n_scratch_folders == 0 && self.n_failed == 0
    }
}

/// Collects what nobody published, in every project; with `all` also where all was collected before.
pub async fn collect(app: &App, all: bool) -> Result<Collected, ServiceError> {
    let mut collected = Collected { n_scratch_folders: remove_scratch(app).await?, ..Collected::default() };
    for (_, project_id) in list_projects(app).await? {
        let mut after = None;
        loop {
            let page = list(app, project_id, after, all).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.id);
            for (export, swept_for) in &page {
                collected.n_exports += 1;
                match sweep(app, export, *swept_for).await {
                    Ok(swept) => collected.swept += swept,
                    Err(error) => {
                        tracing::warn!(export.id = %export.id, error = %error, "an export's place could not be swept");
                        collected.n_failed += 1;
                    }
                }
            }
        }
    }
    Ok(collected)
}

/// Removes the scratch folders of runs on this machine that are no more.
async fn remove_scratch(app: &App) -> Result<u64, ServiceError> {
    let parent = std::sync::Arc::clone(&app.scratch);
    let removed = tokio::task::spawn_blocking(move || remove_leftovers(&parent, SCRATCH_PREFIX)).await;
    removed
        .map_err(|_| ServiceError::Internal("removing scratch folders ended without a result"))?
        .map_err(ServiceError::File)
}

async fn list(
    app: &App,
    project: ProjectId,
    after: Option<ExportId>,
    all: bool,
) -> Result<Vec<(Export, SweptFor)>, ServiceError> {
    let app = app.clone();
    detached(async move {
        let mut tx = app.store.begin(Pool::Jobs, "export.collect", Access::Projects(&[project])).await?;
        let found = exports::list_unswept(&mut tx, project, after, all, PAGE).await?;
        tx.commit().await?;
        Ok(found)
    })
    .await
}

/// Sweeps the place of an export that has ended: all of it, or all but the attempt that was published. Where an erasure
/// revoked the export, that one stays, too: whether its files go was said with the erasure, which sees to it, but for files
/// whose destination was not configured then.
async fn sweep(app: &App, export: &Export, swept_for: SweptFor) -> Result<Swept, ServiceError> {
    let (app, export) = (app.clone(), export.clone());
    detached(async move {
        let kept = match (export.status, swept_for) {
            (ExportStatus::Completed, _) | (ExportStatus::Revoked, SweptFor::Erasure) => {
                Some(published_attempt(&export)?)
            }
            (ExportStatus::Failed | ExportStatus::Revoked, _) => None,
            (ExportStatus::Queued | ExportStatus::Running, _) => return Ok(Swept::default()),
        };
        let swept = place(&app, export.destination.as_ref())?.sweep(&whole_folder(&export), kept).await?;
        let now = app.clock.now();
        if swept_for == SweptFor::LeftFiles {
            let access = [export.project_id];
            let mut tx = app.store.begin(Pool::Jobs, "erasure.files", Access::Projects(&access)).await?;
            holders::mark_files_deleted(&mut tx, export.project_id, export.id, now).await?;
            tx.commit().await?;
        }
        if export.finished_at.is_some_and(|finished_at| now - finished_at >= QUIET_AFTER) {
            let access = [export.project_id];
            let mut tx = app.store.begin(Pool::Jobs, "export.swept", Access::Projects(&access)).await?;
            exports::mark_swept(&mut tx, export.project_id, export.id, now).await?;
            tx.commit().await?;
        }
        Ok(swept)
    })
    .await
}

/// Returns the attempt whose files an export has published.
pub(super) fn published_attempt(export: &Export) -> Result<i32, ServiceError> {
    #[derive(serde::Deserialize)]
    struct Numbered {
        attempt: i32,
    }
    let unreadable = ServiceError::Internal("a stored manifest names no attempt");
    let manifest = export.manifest.as_deref().unwrap_or_default();
    serde_json::from_str::<Numbered>(manifest).map(|found| found.attempt).map_err(|_| unreadable)
}
