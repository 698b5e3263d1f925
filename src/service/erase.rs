//! Erasing a user: counted beforehand, asked for, looked at. `erase_jobs` carries it out.

use super::App;
use super::detached::detached;
use super::erase_hashes::{IdHasher, hasher, hasher_in};
use super::error::ServiceError;
use super::ids::new_id;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ErasureId, JobId, ProjectId, UserId};
use crate::domain::principal::Principal;
use crate::store::Access;
use crate::store::audit::{self, AuditEntry};
use crate::store::connection::{Pool, Tx};
use crate::store::erased_rows::{self, Doomed};
use crate::store::erasures::{self, NewErasure};
use crate::store::holders;

pub use crate::domain::erasure::{
    AffectedExport, ErasedCounts, Erasure, ErasurePreview, ErasureStatus, FilesFate, IdHash, IdKind,
};

/// An erasure with what it did to exports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasureReport {
    /// The erasure.
    pub erasure: Erasure,
    /// The exports that it revoked, newest first.
    pub exports: Vec<AffectedExport>,
}

/// Counts what an erasure would do, and does nothing.
pub async fn preview(app: &App, principal: &Principal, user: &UserId) -> Result<ErasurePreview, ServiceError> {
    let (app, project_id, user) = (app.clone(), principal.project_id, user.clone());
    let hasher = hasher(&app, project_id).await?;
    detached(async move {
        let mut tx = begin_reading(&app, "erasure.preview", project_id).await?;
        let doomed = erased_rows::list_completions(&mut tx, project_id, &user).await?;
        let conversations = erased_rows::list_conversations(&mut tx, project_id, &user).await?;
        let names: Vec<&str> = doomed.iter().flat_map(names_of).collect();
        let counted = erased_rows::count(&mut tx, project_id, &user, &names, &conversations).await?;
        let hashes = holder_hashes(&mut tx, &hasher, project_id, &user, &conversations).await?;
        let exports = holders::list_exports(&mut tx, project_id, &hashes).await?;
        tx.commit().await?;
        let n_named = doomed.iter().filter(|completion| completion.names_user).count();
        let is_completed = |export: &&AffectedExport| export.status == crate::domain::export::ExportStatus::Completed;
        Ok(ErasurePreview {
            n_completions: n_named as i64,
            n_completions_without_user: (doomed.len() - n_named) as i64,
            n_exports: exports.iter().filter(is_completed).count() as i64,
            ..counted
        })
    })
    .await
}

/// Asks for an erasure: from the commit on nothing of the user's is taken, and a job deletes what there is. Tells whether
/// it is new; a user whose erasure has not ended has one only.
pub async fn request(
    app: &App,
    principal: &Principal,
    user: &UserId,
    delete_files: bool,
) -> Result<(Erasure, bool), ServiceError> {
    let (app, principal, user) = (app.clone(), principal.clone(), user.clone());
    detached(async move {
        let (project_id, now) = (principal.project_id, app.clock.now());
        let mut tx = app.store.begin(Pool::Reading, "erasure.request", Access::Projects(&[project_id])).await?;
        let user_hash = hasher_in(&mut tx, project_id).await?.hash(IdKind::User, user.as_str());
        let new = NewErasure {
            project_id,
            id: ErasureId(new_id()),
            job_id: JobId(new_id()),
            user: &user,
            user_hash,
            delete_files,
            requested_by: principal.credential.as_str(),
            created_at: now,
        };
        let is_new = erasures::insert(&mut tx, &new).await?;
        let running = erasures::find_running(&mut tx, project_id, user_hash).await?;
        let mut erasure = running.ok_or(ServiceError::Internal("a running erasure is gone"))?;
        // A worker of an older version may have taken the job of one that runs for an export's, and ended it.
        erasures::insert_job(&mut tx, &new, erasure.id).await?;
        if is_new {
            erasures::insert_tombstones(&mut tx, project_id, IdKind::User, &[user_hash], user_hash, now).await?;
            let details = format!("{{\"erasure\":\"{}\",\"delete_files\":{delete_files}}}", new.id);
            record(&mut tx, project_id, principal.credential.as_str(), "user.erasing", user_hash, details, now).await?;
        } else if delete_files && !erasure.delete_files {
            erasures::want_files_deleted(&mut tx, project_id, erasure.id).await?;
            erasure.delete_files = true;
        }
        tx.commit().await?;
        app.new_erasure.notify_one();
        Ok((erasure, is_new))
    })
    .await
}

/// Shows an erasure with the exports that it revoked.
pub async fn show(app: &App, principal: &Principal, id: ErasureId) -> Result<ErasureReport, ServiceError> {
    let (app, project_id) = (app.clone(), principal.project_id);
    detached(async move {
        let mut tx = app.store.begin(Pool::Reading, "erasure.show", Access::Projects(&[project_id])).await?;
        let erasure = erasures::find(&mut tx, project_id, id).await?.ok_or(ServiceError::NotFound)?;
        let exports = holders::list_revoked_by(&mut tx, project_id, id).await?;
        tx.commit().await?;
        Ok(ErasureReport { erasure, exports })
    })
    .await
}

/// Lists the exports that hold rows of a user, or held them until they were revoked, newest first.
pub async fn affected(app: &App, principal: &Principal, user: &UserId) -> Result<Vec<AffectedExport>, ServiceError> {
    let (app, project_id, user) = (app.clone(), principal.project_id, user.clone());
    let hasher = hasher(&app, project_id).await?;
    detached(async move {
        let mut tx = begin_reading(&app, "erasure.affected", project_id).await?;
        let conversations = erased_rows::list_conversations(&mut tx, project_id, &user).await?;
        let hashes = holder_hashes(&mut tx, &hasher, project_id, &user, &conversations).await?;
        let exports = holders::list_exports(&mut tx, project_id, &hashes).await?;
        tx.commit().await?;
        Ok(exports)
    })
    .await
}

/// Hashes everything under which an export may hold rows of a user, what was erased included.
pub(super) async fn holder_hashes(
    tx: &mut Tx,
    hasher: &IdHasher,
    project_id: ProjectId,
    user: &UserId,
    conversations: &[String],
) -> Result<Vec<IdHash>, ServiceError> {
    let user = hasher.hash(IdKind::User, user.as_str());
    let mut hashes = erasures::list_conversation_hashes(tx, project_id, user).await?;
    hashes.push(user);
    hashes.extend(conversations.iter().map(|id| hasher.hash(IdKind::Conversation, id)));
    hashes.sort_unstable();
    hashes.dedup();
    Ok(hashes)
}

/// Returns every name under which feedback may be on a completion.
pub(super) fn names_of(completion: &Doomed) -> impl Iterator<Item = &str> {
    std::iter::once(completion.id.as_str()).chain(completion.aliases.iter().map(String::as_str))
}

/// Begins a transaction that may look at every row of a project: from the pool whose statements may take their time.
async fn begin_reading(app: &App, name: &'static str, project_id: ProjectId) -> Result<Tx, ServiceError> {
    Ok(app.store.begin(Pool::Jobs, name, Access::Projects(&[project_id])).await?)
}

/// Writes into the audit what was done to a user, who is named by a hash only.
pub(super) async fn record(
    tx: &mut Tx,
    project_id: ProjectId,
    actor: &str,
    action: &'static str,
    user_hash: IdHash,
    details: String,
    at: Timestamp,
) -> Result<(), ServiceError> {
    let subject = user_hash.to_hex();
    let entry = AuditEntry { project_id, audit_id: new_id(), at, actor, action, subject: &subject, details };
    Ok(audit::insert(tx, &entry).await?)
}
