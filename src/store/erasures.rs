//! Erasures, their jobs, and the ids that are refused for good.

use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::connection::Tx;
use super::error::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::erasure::{ErasedCounts, Erasure, ErasureStatus, IdHash, IdKind};
use crate::domain::ids::{ErasureId, JobId, ProjectId, UserId};

/// The two keyed blocks of a project's HMAC.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyBlocks {
    /// The inner one.
    pub inner: [u8; 64],
    /// The outer one.
    pub outer: [u8; 64],
}

impl std::fmt::Debug for KeyBlocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyBlocks(…)")
    }
}

/// Finds the secret with which a project's ids are hashed.
pub async fn find_key(tx: &mut Tx, project: ProjectId) -> Result<Option<KeyBlocks>, StoreError> {
    let row = sqlx::query(
        "-- store::erasures::find_key
         select inner_block, outer_block from erasure_keys where project_id = $1",
    )
    .bind(project.0)
    .fetch_optional(tx.connection())
    .await?;
    let block = |row: &PgRow, column: &'static str| -> Result<[u8; 64], StoreError> {
        let bytes: &[u8] = row.try_get(column)?;
        bytes.try_into().map_err(|_| StoreError::Inconsistent { table: "erasure_keys", column })
    };
    row.map(|row| Ok(KeyBlocks { inner: block(&row, "inner_block")?, outer: block(&row, "outer_block")? })).transpose()
}

/// Stores the secret of a project, unless it has one.
pub async fn insert_key(tx: &mut Tx, project: ProjectId, blocks: &KeyBlocks) -> Result<(), StoreError> {
    sqlx::query(
        "-- store::erasures::insert_key
         insert into erasure_keys (project_id, inner_block, outer_block, created_at)
         values ($1, $2, $3, clock_timestamp())
         on conflict (project_id) do nothing",
    )
    .bind(project.0)
    .bind(&blocks.inner[..])
    .bind(&blocks.outer[..])
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// An erasure that is asked for.
#[derive(Debug)]
pub struct NewErasure<'a> {
    /// The project of the user.
    pub project_id: ProjectId,
    /// Its id.
    pub id: ErasureId,
    /// Its job.
    pub job_id: JobId,
    /// The user.
    pub user: &'a UserId,
    /// Keyed hash of the user's id.
    pub user_hash: IdHash,
    /// Whether the files of revoked exports go, too.
    pub delete_files: bool,
    /// Id of the key that asks.
    pub requested_by: &'a str,
    /// When.
    pub created_at: Timestamp,
}

/// Stores an erasure, unless one of the same user is running; tells whether it did.
pub async fn insert(tx: &mut Tx, new: &NewErasure<'_>) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "-- store::erasures::insert
         insert into erasures (project_id, erasure_id, user_hash, user_id, status, delete_files, n_completions,
                               n_feedback, n_exposures, n_exports, requested_by, created_at)
         values ($1, $2, $3, $4, 'running', $5, 0, 0, 0, 0, $6, $7)
         on conflict (project_id, user_hash) where status = 'running' do nothing",
    )
    .bind(new.project_id.0)
    .bind(new.id.0)
    .bind(&new.user_hash.0[..])
    .bind(new.user.as_str())
    .bind(new.delete_files)
    .bind(new.requested_by)
    .bind(new.created_at)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Queues the job of an erasure, unless it has one.
pub async fn insert_job(tx: &mut Tx, new: &NewErasure<'_>, erasure: ErasureId) -> Result<(), StoreError> {
    sqlx::query(
        "-- store::erasures::insert_job
         insert into jobs (job_id, project_id, kind, subject_id, n_attempts, run_at, created_at)
         select $1, $2, 'erase', $3, 0, clock_timestamp(), $4
          where not exists (
                    select
                      from jobs
                     where project_id = $2
                       and kind = 'erase'
                       and subject_id = $3
                )",
    )
    .bind(new.job_id.0)
    .bind(new.project_id.0)
    .bind(erasure.0)
    .bind(new.created_at)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Finds an erasure.
pub async fn find(tx: &mut Tx, project: ProjectId, id: ErasureId) -> Result<Option<Erasure>, StoreError> {
    sqlx::query(
        "-- store::erasures::find
         select * from erasures where project_id = $1 and erasure_id = $2",
    )
    .bind(project.0)
    .bind(id.0)
    .fetch_optional(tx.connection())
    .await?
    .map(|row| from_row(&row))
    .transpose()
}

/// Finds the erasure of a user that has not ended.
pub async fn find_running(tx: &mut Tx, project: ProjectId, user: IdHash) -> Result<Option<Erasure>, StoreError> {
    sqlx::query(
        "-- store::erasures::find_running
         select * from erasures where project_id = $1 and user_hash = $2 and status = 'running'",
    )
    .bind(project.0)
    .bind(&user.0[..])
    .fetch_optional(tx.connection())
    .await?
    .map(|row| from_row(&row))
    .transpose()
}

/// Has a running erasure delete files, too.
pub async fn want_files_deleted(tx: &mut Tx, project: ProjectId, id: ErasureId) -> Result<(), StoreError> {
    sqlx::query(
        "-- store::erasures::want_files_deleted
         update erasures set delete_files = true where project_id = $1 and erasure_id = $2 and status = 'running'",
    )
    .bind(project.0)
    .bind(id.0)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Adds to what an erasure has removed.
pub async fn add(tx: &mut Tx, project: ProjectId, id: ErasureId, counts: ErasedCounts) -> Result<(), StoreError> {
    sqlx::query(
        "-- store::erasures::add
         update erasures
            set n_completions = n_completions + $3,
                n_feedback = n_feedback + $4,
                n_exposures = n_exposures + $5,
                n_exports = n_exports + $6
          where project_id = $1
            and erasure_id = $2",
    )
    .bind(project.0)
    .bind(id.0)
    .bind(counts.n_completions)
    .bind(counts.n_feedback)
    .bind(counts.n_exposures)
    .bind(counts.n_exports)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Ends an erasure and forgets whose it was; tells whether it was still running.
pub async fn complete(tx: &mut Tx, project: ProjectId, id: ErasureId, now: Timestamp) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "-- store::erasures::complete
         update erasures
            set status = 'completed', user_id = null, finished_at = $3
          where project_id = $1
            and erasure_id = $2
            and status = 'running'",
    )
    .bind(project.0)
    .bind(id.0)
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Refuses ids of one kind from now on; returns how many were not refused before.
pub async fn insert_tombstones(
    tx: &mut Tx,
    project: ProjectId,
    kind: IdKind,
    hashes: &[IdHash],
    user: IdHash,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "-- store::erasures::insert_tombstones
         insert into tombstones (project_id, id_hash, kind, user_hash, created_at)
         select $1, i.id_hash, $3, $4, $5
           from unnest($2::bytea[]) as i (id_hash)
             on conflict (project_id, id_hash) do nothing",
    )
    .bind(project.0)
    .bind(hashes.iter().map(|hash| &hash.0[..]).collect::<Vec<_>>())
    .bind(kind.as_str())
    .bind(&user.0[..])
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected())
}

/// Lists the hashes of a user's erased conversations.
pub async fn list_conversation_hashes(
    tx: &mut Tx,
    project: ProjectId,
    user: IdHash,
) -> Result<Vec<IdHash>, StoreError> {
    let rows = sqlx::query(
        "-- store::erasures::list_conversation_hashes
         select id_hash
           from tombstones
          where project_id = $1
            and user_hash = $2
            and kind = 'conversation'",
    )
    .bind(project.0)
    .bind(&user.0[..])
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(|row| id_hash(row, "id_hash")).collect()
}

/// Lists the transactions that are writing rows, or the holders of an export, at this moment. One that began to before a
/// tombstone was committed may not have seen it; it holds its lock since before it looked.
pub async fn list_writers(tx: &mut Tx) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query(
        "-- store::erasures::list_writers
         select distinct virtualtransaction
           from pg_locks
          where locktype = 'relation'
            and database = (select oid from pg_database where datname = current_database())
            and relation in ('completions'::regclass, 'feedback'::regclass, 'export_holders'::regclass,
                            'kept_comparisons'::regclass)
            and mode = 'RowExclusiveLock'
            and pid <> pg_backend_pid()",
    )
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// The job of an erasure, held until its lease ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimedErasure {
    /// The job.
    pub job_id: JobId,
    /// The project.
    pub project_id: ProjectId,
    /// The erasure.
    pub erasure_id: ErasureId,
    /// Token that the holder shows.
    pub lease_token: Uuid,
    /// How often it was taken, this time included.
    pub n_attempts: i32,
}

/// Claims the oldest job of an erasure that nobody holds, or that of one erasure.
pub async fn claim(
    tx: &mut Tx,
    only: Option<ErasureId>,
    lease_token: Uuid,
    lease_s: f64,
) -> Result<Option<ClaimedErasure>, StoreError> {
    let row = sqlx::query(include_str!("sql/claim_erasure.sql"))
        .bind(lease_token)
        .bind(lease_s)
        .bind(only.map(|id| id.0))
        .fetch_optional(tx.connection())
        .await?;
    row.map(|row| {
        Ok(ClaimedErasure {
            job_id: JobId(row.try_get("job_id")?),
            project_id: ProjectId(row.try_get("project_id")?),
            erasure_id: ErasureId(row.try_get("subject_id")?),
            lease_token,
            n_attempts: row.try_get("n_attempts")?,
        })
    })
    .transpose()
}

/// Renews the lease; tells whether the caller still held it.
pub async fn renew(tx: &mut Tx, job: &ClaimedErasure, lease_s: f64) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "-- store::erasures::renew
         update jobs
            set leased_until = clock_timestamp() + make_interval(secs => $3)
          where job_id = $1
            and lease_token = $2",
    )
    .bind(job.job_id.0)
    .bind(job.lease_token)
    .bind(lease_s)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives the job back, to be taken again after `delay_s` seconds.
pub async fn release(tx: &mut Tx, job: &ClaimedErasure, delay_s: f64) -> Result<(), StoreError> {
    sqlx::query(
        "-- store::erasures::release
         update jobs
            set lease_token = null, leased_until = null, run_at = clock_timestamp() + make_interval(secs => $3)
          where job_id = $1
            and lease_token = $2",
    )
    .bind(job.job_id.0)
    .bind(job.lease_token)
    .bind(delay_s)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Ends the job; its row is gone afterwards.
pub async fn delete_job(tx: &mut Tx, job: &ClaimedErasure) -> Result<(), StoreError> {
    sqlx::query("-- store::erasures::delete_job\ndelete from jobs where job_id = $1 and lease_token = $2")
        .bind(job.job_id.0)
        .bind(job.lease_token)
        .execute(tx.connection())
        .await?;
    Ok(())
}

fn id_hash(row: &PgRow, column: &'static str) -> Result<IdHash, StoreError> {
    let bytes: &[u8] = row.try_get(column)?;
    bytes.try_into().map(IdHash).map_err(|_| StoreError::Inconsistent { table: "tombstones", column })
}

fn from_row(row: &PgRow) -> Result<Erasure, StoreError> {
    let wrong = |column| StoreError::Inconsistent { table: "erasures", column };
    let (user, status): (Option<&str>, &str) = (row.try_get("user_id")?, row.try_get("status")?);
    let status = ErasureStatus::WORDS.iter().find(|(word, _)| *word == status).map(|(_, status)| *status);
    Ok(Erasure {
        id: ErasureId(row.try_get("erasure_id")?),
        project_id: ProjectId(row.try_get("project_id")?),
        user_hash: id_hash(row, "user_hash")?,
        user: user.map(UserId::parse).transpose().map_err(|_| wrong("user_id"))?,
        status: status.ok_or_else(|| wrong("status"))?,
        delete_files: row.try_get("delete_files")?,
        counts: ErasedCounts {
            n_completions: row.try_get("n_completions")?,
            n_feedback: row.try_get("n_feedback")?,
            n_exposures: row.try_get("n_exposures")?,
            n_exports: row.try_get("n_exports")?,
        },
        created_at: row.try_get("created_at")?,
        finished_at: row.try_get("finished_at")?,
    })
}
