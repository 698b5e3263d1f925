//! Exports as their users see them: asked for, looked at, cancelled, withdrawn. `export_jobs` carries them out.

use super::App;
use super::destinations::{place, place_asked_for};
use super::detached::detached;
use super::error::{Conflict, ServiceError};
use super::export_checks::check_selection;
use super::ids::new_id;
use super::outside::BenchmarkPlace;
use super::{erase, export_parent, recipes};
use crate::blob::Folder;
use crate::domain::destination::DestinationName;
use crate::domain::export::{Export, ExportProblem, ExportStatus};
use crate::domain::fields::FieldError;
use crate::domain::ids::{ExportId, JobId, UserId};
use crate::domain::json::Json;
use crate::domain::principal::Principal;
use crate::domain::recipe::{ExportRequest, Recipe};
use crate::store::Access;
use crate::store::audit::{self, AuditEntry};
use crate::store::connection::Pool;
use crate::store::exports::{self, NewExport};
use crate::store::{holders, jobs};

/// The most exports that one page lists.
pub const MAX_PAGE: i64 = 200;

/// A request that may be repeated: the client's key, and a hash of the request that it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The client's `Idempotency-Key`.
    pub key: String,
    /// Hash of the whole request.
    pub request_hash: Vec<u8>,
}

/// Finds a shipped recipe by its name or an alias, parsed.
pub fn shipped(name: &str) -> Option<Recipe> {
    recipes::parse_toml(recipes::find_shipped(name)?.text).ok()
}

/// Reads the recipe of an export back as it was stored.
pub(super) fn parse_recipe(stored: &str) -> Result<Recipe, ServiceError> {
    let unreadable = ServiceError::Internal("a stored recipe cannot be read");
    let Ok(value) = Json::parse(stored.as_bytes()) else { return Err(unreadable) };
    Recipe::from_stored(value).ok_or(unreadable)
}

/// Lists the names of the shipped recipes.
pub fn shipped_names() -> Vec<&'static str> {
    recipes::shipped_recipes().iter().map(|shipped| shipped.name).collect()
}

/// Asks for an export: the export, its job and the audit entry are written in one transaction. Tells whether it is new;
/// the same request under the same idempotency key gives the export that the first one made. A destination that there is
/// not, or that cannot be written into now, is an error before anything is written.
pub async fn request(
    app: &App,
    principal: &Principal,
    request: ExportRequest,
    idempotency: Option<Idempotency>,
) -> Result<(Export, bool), ServiceError> {
    let place = BenchmarkPlace::Below(app.outside.benchmarks_dir.clone());
    let faults = app.outside.check(&request.recipe.options, &place);
    if !faults.is_empty() {
        return Err(ServiceError::Invalid(faults));
    }
    let (app, principal) = (app.clone(), principal.clone());
    detached(async move {
        place_asked_for(&app, request.destination.as_ref()).await?;
        let unselected = check_selection(&app, principal.project_id, &request.recipe.selection).await?;
        insert(&app, &principal, &request, idempotency.as_ref(), unselected).await
    })
    .await
}

async fn insert(
    app: &App,
    principal: &Principal,
    request: &ExportRequest,
    idempotency: Option<&Idempotency>,
    unselected: Option<FieldError>,
) -> Result<(Export, bool), ServiceError> {
    let (project_id, id, now) = (principal.project_id, ExportId(new_id()), app.clock.now());
    let recipe =
        serde_json::to_string(&request.recipe).map_err(|_| ServiceError::Internal("a recipe does not serialise"))?;
    let new = NewExport {
        project_id,
        id,
        recipe: &recipe,
        destination: request.destination.as_ref().map(DestinationName::as_str),
        directory: request.directory.as_deref(),
        parent: request.parent,
        idempotency_key: idempotency.map(|given| given.key.as_str()),
        request_hash: idempotency.map_or(&[], |given| &given.request_hash),
        created_by: principal.credential.as_str(),
        created_at: now,
    };
    let mut tx = app.store.begin(Pool::Reading, "export.request", Access::Projects(&[project_id])).await?;
    let is_new = exports::insert(&mut tx, &new).await?;
    if !is_new {
        let key = idempotency.ok_or(ServiceError::Internal("an export without a key was a repetition"))?;
        let found = exports::find_by_idempotency_key(&mut tx, project_id, &key.key).await?;
        tx.commit().await?;
        let (export, request_hash) = found.ok_or(ServiceError::Internal("a repeated export is gone"))?;
        let same = request_hash == key.request_hash;
        return if same { Ok((export, false)) } else { Err(ServiceError::Conflict(Conflict::IdempotencyKey)) };
    }
    // A repetition is answered as the first request was; whatever is new must have something to export.
    if let Some(fault) = unselected {
        return Err(ServiceError::Invalid(vec![fault]));
    }
    if let Some(parent) = request.parent {
        // Behind the insert: a request that is repeated gives its export, whatever became of the parent meanwhile.
        export_parent::find(&mut tx, project_id, parent).await?;
    }
    jobs::insert_export(&mut tx, JobId(new_id()), project_id, id, now).await?;
    let entry = AuditEntry {
        project_id,
        audit_id: new_id(),
        at: now,
        actor: principal.credential.as_str(),
        action: "export.requested",
        subject: &id.to_string(),
        details: format!("{{\"formats\":\"{}\"}}", request.recipe.formats.words()),
    };
    audit::insert(&mut tx, &entry).await?;
    let export = exports::find(&mut tx, project_id, id).await?;
    tx.commit().await?;
    app.new_job.notify_one();
    Ok((export.ok_or(ServiceError::Internal("a new export is gone"))?, true))
}

/// Shows an export.
pub async fn show(app: &App, principal: &Principal, id: ExportId) -> Result<Export, ServiceError> {
    let (app, project_id) = (app.clone(), principal.project_id);
    detached(async move {
        let mut tx = app.store.begin(Pool::Reading, "export.show", Access::Projects(&[project_id])).await?;
        let found = exports::find(&mut tx, project_id, id).await?;
        tx.commit().await?;
        found.ok_or(ServiceError::NotFound)
    })
    .await
}

/// Lists the project's exports, newest first, those before `before` only, at most `limit` and [`MAX_PAGE`].
pub async fn list(
    app: &App,
    principal: &Principal,
    before: Option<ExportId>,
    limit: i64,
) -> Result<Vec<Export>, ServiceError> {
    list_of(app, principal, None, before, limit).await
}

/// Lists the exports that hold rows of a user, or held them until they were revoked; otherwise as [`list`] does.
pub async fn list_affected(
    app: &App,
    principal: &Principal,
    user: &UserId,
    before: Option<ExportId>,
    limit: i64,
) -> Result<Vec<Export>, ServiceError> {
    let ids: Vec<ExportId> = erase::affected(app, principal, user).await?.iter().map(|export| export.id).collect();
    list_of(app, principal, Some(ids), before, limit).await
}

async fn list_of(
    app: &App,
    principal: &Principal,
    only: Option<Vec<ExportId>>,
    before: Option<ExportId>,
    limit: i64,
) -> Result<Vec<Export>, ServiceError> {
    let (app, project_id) = (app.clone(), principal.project_id);
    detached(async move {
        let mut tx = app.store.begin(Pool::Reading, "export.list", Access::Projects(&[project_id])).await?;
        let found = exports::list(&mut tx, project_id, only.as_deref(), before, limit.clamp(1, MAX_PAGE)).await?;
        tx.commit().await?;
        Ok(found)
    })
    .await
}

/// Withdraws an export: from the commit on nobody can read its files, then they are deleted; the manifest stays as a
/// record of what was handed out. Withdrawing again deletes what an earlier try left behind.
pub async fn revoke(app: &App, principal: &Principal, id: ExportId) -> Result<(), ServiceError> {
    let (app, principal) = (app.clone(), principal.clone());
    detached(async move {
        let (project_id, now) = (principal.project_id, app.clock.now());
        let mut tx = app.store.begin(Pool::Reading, "export.revoke", Access::Projects(&[project_id])).await?;
        let export = exports::find(&mut tx, project_id, id).await?.ok_or(ServiceError::NotFound)?;
        if exports::revoke(&mut tx, project_id, id).await? {
            let entry = AuditEntry {
                project_id,
                audit_id: new_id(),
                at: now,
                actor: principal.credential.as_str(),
                action: "export.revoked",
                subject: &id.to_string(),
                details: "{}".to_owned(),
            };
            audit::insert(&mut tx, &entry).await?;
        } else if matches!(export.status, ExportStatus::Queued | ExportStatus::Running) {
            return Err(ServiceError::Conflict(Conflict::ExportUnfinished));
        }
        tx.commit().await?;
        place(&app, export.destination.as_ref())?.delete_folder(&whole_folder(&export)).await?;
        let mut tx = app.store.begin(Pool::Reading, "export.withdrawn", Access::Projects(&[project_id])).await?;
        holders::mark_files_deleted(&mut tx, project_id, id, now).await?;
        Ok(tx.commit().await?)
    })
    .await
}

/// Cancels an export that has not ended: its job is taken away from whoever holds it, in the transaction that ends the
/// export, so that nobody can publish it any more. The worker finds that out at its next sign of life, stops and removes
/// what it has written; what it cannot remove is collected. Cancelling again changes nothing.
pub async fn cancel(app: &App, principal: &Principal, id: ExportId) -> Result<Export, ServiceError> {
    let (app, principal) = (app.clone(), principal.clone());
    detached(async move {
        let (project_id, now) = (principal.project_id, app.clock.now());
        let mut tx = app.store.begin(Pool::Reading, "export.cancel", Access::Projects(&[project_id])).await?;
        // The job first, as everybody does who ends one: two that end the same cannot wait for each other.
        jobs::delete_of_export(&mut tx, project_id, id).await?;
        let problem = ExportProblem::new(ExportProblem::CANCELLED, "the export was cancelled before it had ended");
        let is_cancelled = exports::fail(&mut tx, project_id, id, &problem, now).await?;
        let export = exports::find(&mut tx, project_id, id).await?.ok_or(ServiceError::NotFound)?;
        if is_cancelled {
            let entry = AuditEntry {
                project_id,
                audit_id: new_id(),
                at: now,
                actor: principal.credential.as_str(),
                action: "export.cancelled",
                subject: &id.to_string(),
                details: "{}".to_owned(),
            };
            audit::insert(&mut tx, &entry).await?;
        } else if export.problem.as_ref().is_none_or(|problem| problem.code != ExportProblem::CANCELLED) {
            return Err(ServiceError::Conflict(Conflict::ExportEnded));
        }
        tx.commit().await?;
        Ok(export)
    })
    .await
}

/// Returns the folder of everything that any attempt at an export wrote.
pub(super) fn whole_folder(export: &Export) -> Folder {
    Folder::Export { project_id: export.project_id, directory: export.directory.clone(), export_id: export.id }
}
