//! Exports as jobs: claimed with a lease, carried out, published under the lease, or given back.
//!
//! The lease token is checked inside the transaction that publishes (fencing), and every attempt writes into a folder
//! of its own: a worker that was overtaken can neither publish nor touch what its successor published.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::App;
use super::destinations::place;
use super::detached::detached;
use super::error::{Conflict, ServiceError};
use super::export_files::MANIFEST;
use super::export_holders;
use super::export_manifest::Manifest;
use super::export_parent;
use super::export_progress::Progress;
use super::export_run::{Destination, Production, RunError, blocking, run};
use super::export_scratch::{Scratch, remove_leftovers};
use super::exports::{parse_recipe, whole_folder};
use super::ids::{new_id, new_token};
use super::outside::BenchmarkPlace;
use crate::blob::{Blob, BlobError, Folder, ObjectKey};
use crate::domain::export::{Export, ExportProblem};
use crate::store::Access;
use crate::store::audit::{self, AuditEntry};
use crate::store::connection::{Pool, Tx};
use crate::store::exports;
use crate::store::jobs::{self, ClaimedJob};

/// How often a job is tried before its export fails.
pub const MAX_ATTEMPTS: i32 = 5;
/// How long a job rests after its first failed attempt; twice as long after every further one.
const FIRST_DELAY_S: f64 = 5.0;
/// What the names of runs' scratch folders begin with.
pub(super) const SCRATCH_PREFIX: &str = "afterword-export-";
/// Who acts where no key does.
const ACTOR: &str = "worker";

/// A job that this process holds until its lease ends.
#[derive(Debug, Clone, Copy)]
pub struct ExportJob {
    job: ClaimedJob,
    lease: Duration,
}

impl ExportJob {
    /// Returns the export that is to be produced, for logs.
    pub fn export_id(&self) -> String {
        self.job.export_id.to_string()
    }

    /// Returns which attempt this is, from 1.
    pub fn attempt(&self) -> i32 {
        self.job.n_attempts
    }

    /// Counts the attempts that failed or may yet fail, this one included: those that a stopping worker gave back did not.
    fn n_tries(&self) -> i32 {
        self.job.n_attempts - self.job.n_stops
    }
}

/// Claims the oldest job that nobody holds.
pub async fn claim(app: &App, lease: Duration) -> Result<Option<ExportJob>, ServiceError> {
    let app = app.clone();
    detached(async move {
        let mut tx = app.store.begin(Pool::Jobs, "job.claim", Access::Worker).await?;
        let claimed = jobs::claim(&mut tx, new_token(), lease.as_secs_f64()).await?;
        tx.commit().await?;
        Ok(claimed.map(|job| ExportJob { job, lease }))
    })
    .await
}

/// Renews the lease and records the progress; tells whether the job is still ours.
pub async fn renew(app: &App, held: &ExportJob, progress: &Progress) -> Result<bool, ServiceError> {
    let (app, held) = (app.clone(), *held);
    let (n_done, n_total) = progress.look().prompts();
    detached(async move {
        // Not from the workers' pool: the export's own snapshot may hold the last connection of that.
        let access = Access::Projects(&[held.job.project_id]);
        let mut tx = app.store.begin(Pool::Reading, "job.renew", access).await?;
        let is_ours = jobs::renew(&mut tx, &held.job, held.lease.as_secs_f64()).await?;
        if is_ours {
            let (project_id, export_id) = (held.job.project_id, held.job.export_id);
            exports::progress(&mut tx, project_id, export_id, n_done as i64, n_total as i64).await?;
        }
        tx.commit().await?;
        Ok(is_ours)
    })
    .await
}

/// Carries a job out to its end: completed, failed or given back. What went wrong is told by the export.
///
/// Runs in a task that nobody cancels; `stop` asks it to give the job back soon.
pub async fn carry_out(app: &App, held: &ExportJob, progress: &Arc<Progress>, stop: &CancellationToken) {
    let outcome = match open(app, held).await {
        Ok(export) => attempt(app, held, &export, progress, stop).await,
        Err(error) => Err(RunError::Failed(error)),
    };
    let settled = match outcome {
        Ok(manifest) => {
            tracing::info!(
                export.id = %held.job.export_id,
                n_examples = manifest.n_examples,
                "an export is completed"
            );
            return;
        }
        Err(error) => settle(app, held, &error).await,
    };
    if let Err(error) = settled {
        // The lease ends by itself; then another worker takes the job.
        tracing::warn!(export.id = %held.job.export_id, error = %error, "a job could not be given back");
    }
}

/// Marks the export as running and removes what earlier attempts left. They can no longer publish: the claim has
/// replaced their token.
async fn open(app: &App, held: &ExportJob) -> Result<Export, ServiceError> {
    let job = held.job;
    let (app, held) = (app.clone(), *held);
    detached(async move {
        let mut tx = begin(&app, "export.start", &held).await?;
        if !jobs::renew(&mut tx, &job, held.lease.as_secs_f64()).await? {
            return Err(ServiceError::LeaseLost);
        }
        exports::start(&mut tx, job.project_id, job.export_id, app.clock.now()).await?;
        let export = exports::find(&mut tx, job.project_id, job.export_id).await?;
        tx.commit().await?;
        let export = export.ok_or(ServiceError::Internal("a job has no export"))?;
        for attempt in 1..job.n_attempts {
            place(&app, export.destination.as_ref())?.delete_folder(&folder(&export, attempt)).await?;
        }
        Ok(export)
    })
    .await
}

async fn attempt(
    app: &App,
    held: &ExportJob,
    export: &Export,
    progress: &Arc<Progress>,
    stop: &CancellationToken,
) -> Result<Manifest, RunError> {
    if held.n_tries() > MAX_ATTEMPTS {
        return Err(RunError::Failed(ServiceError::Internal("no attempt is left")));
    }
    let blob = place(app, export.destination.as_ref())?.clone();
    let mut production = Production {
        project_id: export.project_id,
        export_id: export.id,
        attempt: held.job.n_attempts,
        recipe: parse_recipe(&export.recipe)?,
        destination: Destination::Service { blob: blob.clone(), directory: export.directory.clone() },
        benchmarks: BenchmarkPlace::Below(app.outside.benchmarks_dir.clone()),
        parent: None,
    };
    // The operator may have taken back what was allowed when the export was asked for.
    let faults = app.outside.check(&production.recipe.options, &production.benchmarks);
    if !faults.is_empty() {
        return Err(RunError::Failed(ServiceError::Invalid(faults)));
    }
    if blob.holds(&manifest_key(export, held.job.n_attempts)).await? {
        return Err(BlobError::Taken.into());
    }
    let parent = Arc::clone(&app.scratch);
    let name = format!("{SCRATCH_PREFIX}{}-{}", export.id, held.job.lease_token);
    let scratch = blocking(move || {
        // A process that was killed left the texts of its run behind.
        remove_leftovers(&parent, SCRATCH_PREFIX)?;
        Ok(Scratch::create(&parent.join(name))?)
    })
    .await?;
    let outcome = match fetch_parent(app, held, export, scratch.path(), stop).await {
        Ok(parent) => {
            production.parent = parent;
            run(app, &production, scratch.path(), progress, stop).await
        }
        Err(error) => Err(error),
    };
    drop(scratch);
    match outcome {
        Ok(manifest) => match publish(app, held, &manifest).await {
            Ok(()) => Ok(manifest),
            Err(error) => {
                // Any other failure may have come after the commit; then the files are published and must stay. If
                // they are not, the next attempt removes them.
                if matches!(error, ServiceError::LeaseLost | ServiceError::ErasedMeanwhile) {
                    remove_own_files(&blob, held, export).await;
                }
                Err(RunError::Failed(error))
            }
        },
        // The files are another's: of a run that had this number before the database was set back.
        Err(error @ RunError::Failed(ServiceError::Blob(BlobError::Taken))) => Err(error),
        Err(error) => {
            remove_own_files(&blob, held, export).await;
            Err(error)
        }
    }
}

/// Brings the rows of the parent, where the export has one; they may have gone since it was asked for.
async fn fetch_parent(
    app: &App,
    held: &ExportJob,
    export: &Export,
    scratch: &Path,
    stop: &CancellationToken,
) -> Result<Option<PathBuf>, RunError> {
    let Some(id) = export.parent else { return Ok(None) };
    let (found_by, found_for) = (app.clone(), *held);
    let parent = detached(async move {
        let mut tx = begin(&found_by, "export.parent", &found_for).await?;
        let parent = export_parent::find(&mut tx, found_for.job.project_id, id).await?;
        tx.commit().await?;
        Ok(parent)
    })
    .await?;
    export_parent::fetch(app, &parent, scratch, stop).await.map(Some)
}

/// Publishes: the manifest becomes visible, the job ends and the audit says so, all at once and only under the lease.
async fn publish(app: &App, held: &ExportJob, manifest: &Manifest) -> Result<(), ServiceError> {
    let job = held.job;
    let now = app.clock.now();
    let mut tx = begin(app, "export.publish", held).await?;
    if !jobs::complete(&mut tx, &job).await? {
        return Err(ServiceError::LeaseLost);
    }
    let n_prompts = manifest.funnel.n_prompts as i64;
    let text = manifest.to_json();
    if !exports::complete(&mut tx, job.project_id, job.export_id, &text, n_prompts, now).await? {
        return Err(ServiceError::Internal("an export with a job was not running"));
    }
    export_holders::record(&mut tx, job.project_id, job.export_id, &manifest.holders).await?;
    let details = format!("{{\"n_examples\":{},\"attempt\":{}}}", manifest.n_examples, manifest.attempt);
    record(&mut tx, app, held, "export.completed", details).await?;
    Ok(tx.commit().await?)
}

/// Ends an attempt that produced nothing: the job is given back to be tried again, or its export fails for good.
async fn settle(app: &App, held: &ExportJob, error: &RunError) -> Result<(), ServiceError> {
    let job = held.job;
    match judge(error, held.n_tries()) {
        Judgement::NotOurs => {
            tracing::warn!(export.id = %job.export_id, "another worker took an export over");
            Ok(())
        }
        Judgement::GiveBack { delay_s } => {
            let mut tx = begin(app, "job.release", held).await?;
            let was_ours = jobs::release(&mut tx, &job, delay_s, matches!(error, RunError::Stopped)).await?;
            tx.commit().await?;
            let said = if was_ours { "an export is given back" } else { "an export was cancelled or taken over" };
            tracing::warn!(export.id = %job.export_id, attempt = job.n_attempts, error = %error, delay_s, "{said}");
            Ok(())
        }
        Judgement::Fail(problem) => {
            tracing::warn!(export.id = %job.export_id, error = %error, code = problem.code, "an export failed");
            fail(app, held, &problem).await
        }
    }
}

/// Ends the job and its export for good, and removes what any attempt has written.
async fn fail(app: &App, held: &ExportJob, problem: &ExportProblem) -> Result<(), ServiceError> {
    let job = held.job;
    let mut tx = begin(app, "export.fail", held).await?;
    if !jobs::complete(&mut tx, &job).await? {
        return Err(ServiceError::LeaseLost);
    }
    exports::fail(&mut tx, job.project_id, job.export_id, problem, app.clock.now()).await?;
    record(&mut tx, app, held, "export.failed", format!("{{\"code\":\"{}\"}}", problem.code)).await?;
    let export = exports::find(&mut tx, job.project_id, job.export_id).await?;
    tx.commit().await?;
    if let Some(export) = export
        && let Ok(blob) = place(app, export.destination.as_ref())
        && let Err(error) = blob.delete_folder(&whole_folder(&export)).await
    {
        // The export has failed all the same; what is left is collected.
        tracing::warn!(export.id = %export.id, error = %error, "the files of a failed export were not removed");
    }
    Ok(())
}

/// What follows from an error.
#[derive(Debug, PartialEq)]
enum Judgement {
    /// The job is another worker's now.
    NotOurs,
    /// The job may be tried again.
    GiveBack { delay_s: f64 },
    /// It is no use to try again.
    Fail(ExportProblem),
}

fn judge(error: &RunError, n_tries: i32) -> Judgement {
    let failed = match error {
        RunError::NoExamples(problem) => return Judgement::Fail(problem.clone()),
        RunError::Stopped => return Judgement::GiveBack { delay_s: 0.0 },
        RunError::Failed(ServiceError::LeaseLost) => return Judgement::NotOurs,
        RunError::Failed(error) => error,
    };
    let (code, detail) = match failed {
        _ if n_tries > MAX_ATTEMPTS => (
            ExportProblem::ATTEMPTS_EXHAUSTED,
            "workers took the export again and again and did not come back from it; see the log",
        ),
        ServiceError::TimedOut => (ExportProblem::DATABASE_FAILED, "the database failed at every attempt"),
        ServiceError::ErasedMeanwhile => {
            (ExportProblem::ERASED_MEANWHILE, "at every attempt somebody was erased whose rows it would have held")
        }
        ServiceError::Store(error) if error.is_retryable() => {
            (ExportProblem::DATABASE_FAILED, "the database failed at every attempt")
        }
        ServiceError::Blob(error) if error.is_refusal() => (
            ExportProblem::DESTINATION_REFUSED,
            "the destination does not take the files: its address, its bucket or its key is wrong; see the log",
        ),
        error if is_storage_failure(error) => (
            ExportProblem::STORAGE_FAILED,
            "files could not be written at any attempt; is the disk full, or the storage server away?",
        ),
        ServiceError::HookAway { .. } => (
            ExportProblem::HOOK_FAILED,
            "a hook of the recipe did not answer as documented, before anything was read; see the log",
        ),
        ServiceError::Hook(_) => (
            ExportProblem::HOOK_FAILED,
            "a hook of the recipe failed at every attempt, and nothing leaves without its answer; see the log",
        ),
        ServiceError::Conflict(Conflict::ParentGone) => (
            ExportProblem::PARENT_GONE,
            "the files of the export that `parent` names were deleted, or cannot be read; ask again with another one, or none",
        ),
        ServiceError::Benchmark(_) | ServiceError::Invalid(_) => (
            ExportProblem::RECIPE_REFUSED,
            "a benchmark file cannot be used, or a file or a URL of the recipe is not allowed any more; see the log",
        ),
        _ => (ExportProblem::INTERNAL, "the export failed for a reason of ours; see the log"),
    };
    // A hook that is away from the very start was never there; one that goes away meanwhile is waited for.
    let was_never_there = matches!(failed, ServiceError::HookAway { .. }) && n_tries <= 1;
    let finals = [
        ExportProblem::INTERNAL,
        ExportProblem::DESTINATION_REFUSED,
        ExportProblem::RECIPE_REFUSED,
        ExportProblem::PARENT_GONE,
    ];
    let is_final = was_never_there || finals.contains(&code);
    if n_tries < MAX_ATTEMPTS && !is_final {
        return Judgement::GiveBack { delay_s: FIRST_DELAY_S * 2_f64.powi(n_tries - 1) };
    }
    Judgement::Fail(ExportProblem::new(code, detail))
}

fn is_storage_failure(error: &ServiceError) -> bool {
    match error {
        ServiceError::Blob(_) | ServiceError::File(_) | ServiceError::DestinationGone => true,
        ServiceError::Columnar(error) => error.as_io().is_some(),
        _ => false,
    }
}

/// Removes what this attempt wrote; it has not published, and no other attempt shares its folder.
async fn remove_own_files(blob: &Blob, held: &ExportJob, export: &Export) {
    if let Err(error) = blob.delete_folder(&folder(export, held.job.n_attempts)).await {
        tracing::warn!(export.id = %export.id, error = %error, "the files of a failed attempt were not removed");
    }
}

fn manifest_key(export: &Export, attempt: i32) -> ObjectKey {
    ObjectKey::ExportFile {
        project_id: export.project_id,
        directory: export.directory.clone(),
        export_id: export.id,
        attempt,
        file: MANIFEST.to_owned(),
    }
}

fn folder(export: &Export, attempt: i32) -> Folder {
    Folder::Attempt {
        project_id: export.project_id,
        directory: export.directory.clone(),
        export_id: export.id,
        attempt,
    }
}

async fn begin(app: &App, name: &'static str, held: &ExportJob) -> Result<Tx, ServiceError> {
    Ok(app.store.begin(Pool::Jobs, name, Access::Projects(&[held.job.project_id])).await?)
}

async fn record(
    tx: &mut Tx,
    app: &App,
    held: &ExportJob,
    action: &'static str,
    details: String,
) -> Result<(), ServiceError> {
    let entry = AuditEntry {
        project_id: held.job.project_id,
        audit_id: new_id(),
        at: app.clock.now(),
        actor: ACTOR,
        action,
        subject: &held.job.export_id.to_string(),
        details,
    };
    Ok(audit::insert(tx, &entry).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columnar::ColumnarError;
    use crate::domain::fields::{FieldCode, FieldError};
    use crate::hook::HookError;
    use crate::store::StoreError;
    use crate::store::error::Cause;

    #[test]
    fn what_may_pass_is_tried_again_and_what_cannot_is_not() {
        let full = || std::io::Error::from(std::io::ErrorKind::StorageFull);
        let unavailable = || ServiceError::Store(StoreError::Unavailable(Cause::Connection("the connection broke")));
        let inconsistent = || ServiceError::Store(StoreError::Inconsistent { table: "t", column: "c" });
        for (error, code, is_tried_again) in [
            (unavailable(), ExportProblem::DATABASE_FAILED, true),
            (ServiceError::TimedOut, ExportProblem::DATABASE_FAILED, true),
            (ServiceError::ErasedMeanwhile, ExportProblem::ERASED_MEANWHILE, true),
            (ServiceError::File(full()), ExportProblem::STORAGE_FAILED, true),
            (ServiceError::Blob(BlobError::NotFound), ExportProblem::STORAGE_FAILED, true),
            (ServiceError::Blob(BlobError::Unreachable), ExportProblem::STORAGE_FAILED, true),
            (ServiceError::DestinationGone, ExportProblem::STORAGE_FAILED, true),
            (ServiceError::Blob(BlobError::Refused), ExportProblem::DESTINATION_REFUSED, false),
            (ServiceError::Columnar(ColumnarError::Open(full())), ExportProblem::STORAGE_FAILED, true),
            (ServiceError::Columnar(ColumnarError::WrongFormat), ExportProblem::INTERNAL, false),
            (inconsistent(), ExportProblem::INTERNAL, false),
            (ServiceError::Internal("a bug"), ExportProblem::INTERNAL, false),
        ] {
            let error = RunError::Failed(error);

            let (first, last, beyond) =
                (judge(&error, 1), judge(&error, MAX_ATTEMPTS), judge(&error, MAX_ATTEMPTS + 1));

            let code_of = |judgement: &Judgement| match judgement {
                Judgement::Fail(problem) => Some(problem.code.clone()),
                _ => None,
            };
            assert_eq!(first == Judgement::GiveBack { delay_s: FIRST_DELAY_S }, is_tried_again, "{error:?}");
            assert_eq!(code_of(&last).as_deref(), Some(code), "{error:?}");
            assert_eq!(code_of(&beyond).as_deref(), Some(ExportProblem::ATTEMPTS_EXHAUSTED), "{error:?}");
        }
    }

    #[test]
    fn the_delay_doubles_and_a_stopped_or_lost_job_needs_none() {
        let error = RunError::Failed(ServiceError::TimedOut);
        let delays: Vec<Judgement> = (1..MAX_ATTEMPTS).map(|attempt| judge(&error, attempt)).collect();

        assert!(matches!(
            judge(&RunError::Failed(ServiceError::Benchmark(FieldError::new("/x", FieldCode::Malformed, "x"))), 1),
            Judgement::Fail(problem) if problem.code == ExportProblem::RECIPE_REFUSED
        ));
        let away = ServiceError::HookAway { name: "pii_url", error: HookError::Unreachable };
        let away = RunError::Failed(away);
        assert!(matches!(judge(&away, 1), Judgement::Fail(problem) if problem.code == ExportProblem::HOOK_FAILED));
        assert_eq!(judge(&away, 2), Judgement::GiveBack { delay_s: 10.0 }, "it was there before");
        let refused = RunError::Failed(ServiceError::Hook(HookError::Unreachable));
        assert_eq!(judge(&refused, 1), Judgement::GiveBack { delay_s: 5.0 });
        assert!(matches!(
            judge(&refused, MAX_ATTEMPTS),
            Judgement::Fail(problem) if problem.code == ExportProblem::HOOK_FAILED
        ));
        assert_eq!(delays, [5.0, 10.0, 20.0, 40.0].map(|delay_s| Judgement::GiveBack { delay_s }));
        assert_eq!(judge(&RunError::Stopped, MAX_ATTEMPTS), Judgement::GiveBack { delay_s: 0.0 });
        assert_eq!(judge(&RunError::Failed(ServiceError::LeaseLost), 1), Judgement::NotOurs);
    }
}
