//! Erasures carried out: every step can be repeated, so that whoever takes the job up again goes on where it was left.
//!
//! The order is what keeps the promise (PRIV-1). First everything is refused that could bring a row back, then whoever was
//! writing meanwhile is waited for, then the exports that hold rows are revoked, then the rows go. What tells which rows
//! are the user's goes last: answers without a user before those of the user, whose conversations name them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::App;
use super::destinations::place;
use super::detached::detached;
use super::erase::{holder_hashes, names_of, record};
use super::erase_hashes::{IdHasher, hasher_in};
use super::error::ServiceError;
use super::ids::{new_id, new_token};
use crate::blob::Folder;
use crate::domain::erasure::{ErasedCounts, Erasure, ErasureStatus, IdHash, IdKind};
use crate::domain::ids::{ErasureId, UserId};
use crate::store::Access;
use crate::store::audit::{self, AuditEntry};
use crate::store::connection::{Pool, Tx};
use crate::store::erased_rows::{self, Doomed};
use crate::store::erasures::{self, ClaimedErasure};
use crate::store::error::Cause;
use crate::store::{StoreError, holders, kept_comparisons};

/// How long a job is held without a sign of life, by the database's clock. Looking through a large table takes its time.
const LEASE: Duration = Duration::from_mins(15);
/// Ids that one statement refuses, or whose rows it deletes.
const N_IDS_OF_STEP: usize = 1_000;
/// How often it is looked whether those who were writing are done, and how long at most.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const WAIT_AT_MOST: Duration = Duration::from_mins(2);
/// How long a job rests after a failure, times the attempts so far, and at most.
const DELAY_S: f64 = 5.0;
const MAX_DELAY_S: f64 = 300.0;
/// Who acts where no key does.
const ACTOR: &str = "worker";

/// Claims the oldest job of an erasure that nobody holds, or that of one erasure.
pub async fn claim(app: &App, only: Option<ErasureId>) -> Result<Option<ClaimedErasure>, ServiceError> {
    let app = app.clone();
    detached(async move {
        let mut tx = app.store.begin(Pool::Reading, "erasure.claim", Access::Worker).await?;
        let claimed = erasures::claim(&mut tx, only, new_token(), LEASE.as_secs_f64()).await?;
        tx.commit().await?;
        Ok(claimed)
    })
    .await
}

/// Carries an erasure out to its end, or gives its job back to be tried again; in a task that nobody cancels.
pub async fn carry_out(app: &App, job: &ClaimedErasure) -> Result<(), ServiceError> {
    let (app, job) = (app.clone(), *job);
    detached(async move {
        let outcome = Eraser { app: &app, job }.run().await;
        if let Err(error) = &outcome {
            tracing::warn!(erasure.id = %job.erasure_id, attempt = job.n_attempts, error = %error, "an erasure is given back");
            let mut tx = app.store.begin(Pool::Jobs, "erasure.release", Access::Projects(&[job.project_id])).await?;
            let delay_s = (DELAY_S * f64::from(job.n_attempts)).min(MAX_DELAY_S);
            erasures::release(&mut tx, &job, delay_s).await?;
            tx.commit().await?;
        }
        outcome
    })
    .await
}

/// One run of a job.
struct Eraser<'a> {
    app: &'a App,
    job: ClaimedErasure,
}

impl Eraser<'_> {
    async fn run(&self) -> Result<(), ServiceError> {
        let mut tx = self.begin("erasure.open").await?;
        let (project_id, id) = (self.job.project_id, self.job.erasure_id);
        let hasher = hasher_in(&mut tx, project_id).await?;
        let erasure = erasures::find(&mut tx, project_id, id).await?;
        tx.commit().await?;
        let erasure = erasure.ok_or(ServiceError::Internal("a job has no erasure"))?;
        let Some(user) = erasure.user.clone().filter(|_| erasure.status == ErasureStatus::Running) else {
            return Err(ServiceError::Internal("an erasure with a job has ended"));
        };
        let doomed = self.refuse_all(&hasher, &erasure, &user).await?;
        self.revoke_exports(&hasher, &erasure, &user).await?;
        self.delete_rows(&user, &doomed).await?;
        self.delete_files().await?;
        self.complete(&erasure).await
    }

    /// Refuses whatever belongs to the user, until nothing turns up that was not refused before; returns it.
    async fn refuse_all(
        &self,
        hasher: &IdHasher,
        erasure: &Erasure,
        user: &UserId,
    ) -> Result<Vec<Doomed>, ServiceError> {
        let project_id = self.job.project_id;
        loop {
            self.wait_for_writers().await?;
            let mut tx = self.begin("erasure.find").await?;
            let doomed = erased_rows::list_completions(&mut tx, project_id, user).await?;
            let conversations = erased_rows::list_conversations(&mut tx, project_id, user).await?;
            tx.commit().await?;
            let conversations: Vec<IdHash> =
                conversations.iter().map(|id| hasher.hash(IdKind::Conversation, id)).collect();
            let completions: Vec<IdHash> =
                doomed.iter().flat_map(names_of).map(|name| hasher.hash(IdKind::Completion, name)).collect();
            let n_new = self.refuse(IdKind::Conversation, &conversations, erasure.user_hash).await?
                + self.refuse(IdKind::Completion, &completions, erasure.user_hash).await?;
            if n_new == 0 {
                return Ok(doomed);
            }
        }
    }

    async fn refuse(&self, kind: IdKind, hashes: &[IdHash], user: IdHash) -> Result<u64, ServiceError> {
        let mut n_new = 0;
        for hashes in hashes.chunks(N_IDS_OF_STEP) {
            let mut tx = self.begin("erasure.refuse").await?;
            let now = self.app.clock.now();
            n_new += erasures::insert_tombstones(&mut tx, self.job.project_id, kind, hashes, user, now).await?;
            tx.commit().await?;
        }
        Ok(n_new)
    }

    /// Waits until every transaction has ended that may have looked before the last tombstone was there.
    async fn wait_for_writers(&self) -> Result<(), ServiceError> {
        let mut waited_for: BTreeSet<String> = self.writers().await?.into_iter().collect();
        let since = Instant::now();
        while !waited_for.is_empty() {
            if since.elapsed() > WAIT_AT_MOST {
                let cause = Cause::Connection("a transaction that writes does not end");
                return Err(StoreError::Unavailable(cause).into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
            let writing: BTreeSet<String> = self.writers().await?.into_iter().collect();
            waited_for.retain(|transaction| writing.contains(transaction));
        }
        Ok(())
    }

    async fn writers(&self) -> Result<Vec<String>, ServiceError> {
        let mut tx = self.begin("erasure.wait").await?;
        let writers = erasures::list_writers(&mut tx).await?;
        tx.commit().await?;
        Ok(writers)
    }

    /// Revokes every completed export that holds rows of the user: from the commit on nobody can read its files.
    async fn revoke_exports(&self, hasher: &IdHasher, erasure: &Erasure, user: &UserId) -> Result<(), ServiceError> {
        let project_id = self.job.project_id;
        let mut tx = self.begin("erasure.revoke").await?;
        // Their conversations are among the tombstones by now.
        let hashes = holder_hashes(&mut tx, hasher, project_id, user, &[]).await?;
        let holding: Vec<_> =
            holders::list_exports(&mut tx, project_id, &hashes).await?.iter().map(|export| export.id).collect();
        let revoked = holders::revoke(&mut tx, project_id, erasure.id, &holding).await?;
        for export in &revoked {
            let entry = AuditEntry {
                project_id,
                audit_id: new_id(),
                at: self.app.clock.now(),
                actor: ACTOR,
                action: "export.revoked",
                subject: &export.to_string(),
                details: format!("{{\"erasure\":\"{}\"}}", erasure.id),
            };
            audit::insert(&mut tx, &entry).await?;
        }
        let counts = ErasedCounts { n_exports: revoked.len() as i64, ..ErasedCounts::default() };
        erasures::add(&mut tx, project_id, erasure.id, counts).await?;
        Ok(tx.commit().await?)
    }

    async fn delete_rows(&self, user: &UserId, doomed: &[Doomed]) -> Result<(), ServiceError> {
        for names_user in [false, true] {
            let of_kind: Vec<&Doomed> = doomed.iter().filter(|row| row.names_user == names_user).collect();
            for step in of_kind.chunks(N_IDS_OF_STEP) {
                self.delete_completions(step).await?;
            }
        }
        let project_id = self.job.project_id;
        let mut tx = self.begin("erasure.delete").await?;
        let counts = ErasedCounts {
            n_feedback: erased_rows::delete_feedback_of(&mut tx, project_id, user).await? as i64,
            n_exposures: erased_rows::delete_exposures(&mut tx, project_id, &[user.as_str()]).await? as i64,
            ..ErasedCounts::default()
        };
        erasures::add(&mut tx, project_id, self.job.erasure_id, counts).await?;
        // Their numbers count the user; while an erasure runs, none is kept anew.
        kept_comparisons::delete_all(&mut tx, project_id).await?;
        Ok(tx.commit().await?)
    }

    async fn delete_completions(&self, step: &[&Doomed]) -> Result<(), ServiceError> {
        let project_id = self.job.project_id;
        let ids: Vec<&str> = step.iter().map(|row| row.id.as_str()).collect();
        let names: Vec<&str> = step.iter().copied().flat_map(names_of).collect();
        // Where a completion names no user, its conversation is what an experiment saw.
        let units: BTreeSet<&str> =
            step.iter().filter(|row| !row.names_user).filter_map(|row| row.conversation_id.as_deref()).collect();
        let units: Vec<&str> = units.into_iter().collect();
        let mut tx = self.begin("erasure.delete").await?;
        let counts = ErasedCounts {
            n_feedback: erased_rows::delete_feedback_on(&mut tx, project_id, &names).await? as i64,
            n_completions: erased_rows::delete_completions(&mut tx, project_id, &ids).await? as i64,
            n_exposures: erased_rows::delete_exposures(&mut tx, project_id, &units).await? as i64,
            n_exports: 0,
        };
        erasures::add(&mut tx, project_id, self.job.erasure_id, counts).await?;
        Ok(tx.commit().await?)
    }

    /// Deletes the files of the exports that were revoked, where that was asked for, also since the job began. A folder
    /// of an operator's is theirs to delete. Files whose destination was taken out of the configuration are left, and told:
    /// waiting for it would keep the user's id here for as long (PRIV-4). Whoever collects leftovers deletes them once it
    /// is configured again.
    async fn delete_files(&self) -> Result<(), ServiceError> {
        let (project_id, id) = (self.job.project_id, self.job.erasure_id);
        let mut tx = self.begin("erasure.files").await?;
        let erasure = erasures::find(&mut tx, project_id, id).await?;
        let exports = holders::list_revoked_by(&mut tx, project_id, id).await?;
        tx.commit().await?;
        if erasure.is_none_or(|erasure| !erasure.delete_files) {
            return Ok(());
        }
        for export in exports.into_iter().filter(|export| !export.is_folder && !export.has_no_files) {
            let folder = Folder::Export { project_id, directory: export.directory, export_id: export.id };
            let place = place(self.app, export.destination.as_ref());
            if let Ok(blob) = place {
                blob.delete_folder(&folder).await?;
            }
            let mut tx = self.begin("erasure.files").await?;
            if place.is_ok() {
                holders::mark_files_deleted(&mut tx, project_id, export.id, self.app.clock.now()).await?;
            } else {
                tracing::warn!(erasure.id = %id, export.id = %export.id, "the files of an export are left: its destination is not configured");
                holders::leave_files(&mut tx, project_id, export.id).await?;
            }
            tx.commit().await?;
        }
        Ok(())
    }

    /// Ends the erasure, forgets who it was and writes into the audit that it is done.
    async fn complete(&self, erasure: &Erasure) -> Result<(), ServiceError> {
        let (project_id, id, now) = (self.job.project_id, self.job.erasure_id, self.app.clock.now());
        let mut tx = self.begin("erasure.complete").await?;
        if !erasures::complete(&mut tx, project_id, id, now).await? {
            return Err(ServiceError::LeaseLost);
        }
        erasures::delete_job(&mut tx, &self.job).await?;
        let ErasedCounts { n_completions, n_feedback, n_exposures, n_exports } =
            erasures::find(&mut tx, project_id, id).await?.map(|erasure| erasure.counts).unwrap_or_default();
        let details = format!(
            "{{\"erasure\":\"{id}\",\"n_completions\":{n_completions},\"n_feedback\":{n_feedback},\
             \"n_exposures\":{n_exposures},\"n_exports\":{n_exports}}}"
        );
        record(&mut tx, project_id, ACTOR, "user.erased", erasure.user_hash, details, now).await?;
        Ok(tx.commit().await?)
    }

    /// Begins a transaction in which rows may be deleted, and holds on to the job.
    async fn begin(&self, name: &'static str) -> Result<Tx, ServiceError> {
        let mut tx = self.app.store.begin(Pool::Jobs, name, Access::Erasure(self.job.project_id)).await?;
        if erasures::renew(&mut tx, &self.job, LEASE.as_secs_f64()).await? {
            return Ok(tx);
        }
        Err(ServiceError::LeaseLost)
    }
}
