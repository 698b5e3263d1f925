//! Background work as rows: claimed with `skip locked`, held by a lease, deleted when done.

use sqlx::Row;
use uuid::Uuid;

use super::connection::Tx;
use super::error::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ExportId, JobId, ProjectId};

/// A job that a worker holds until its lease ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimedJob {
    /// The job.
    pub id: JobId,
    /// Project that the work is for.
    pub project_id: ProjectId,
    /// The export to be produced.
    pub export_id: ExportId,
    /// Token that the holder shows whenever it renews, publishes or ends.
    pub lease_token: Uuid,
    /// How often it was taken, this time included.
    pub n_attempts: i32,
    /// How often it was given back because its worker was asked to stop.
    pub n_stops: i32,
}

/// How many jobs there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobCounts {
    /// Jobs that nobody holds.
    pub n_waiting: i64,
    /// Jobs under a lease.
    pub n_held: i64,
}

/// Counts the jobs that the transaction sees; they are few, since a job is deleted when it is done.
pub async fn count(tx: &mut Tx) -> Result<JobCounts, StoreError> {
    let row = sqlx::query(
        "-- store::jobs::count
         select count(*) filter (where leased_until is null or leased_until < clock_timestamp()) as n_waiting,
                count(*) filter (where leased_until >= clock_timestamp()) as n_held
           from jobs",
    )
    .fetch_one(tx.connection())
    .await?;
    Ok(JobCounts { n_waiting: row.try_get("n_waiting")?, n_held: row.try_get("n_held")? })
}

/// Queues the production of an export.
pub async fn insert_export(
    tx: &mut Tx,
    id: JobId,
    project: ProjectId,
    export: ExportId,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "-- store::jobs::insert_export
         insert into jobs (job_id, project_id, kind, subject_id, n_attempts, run_at, created_at)
         values ($1, $2, 'export', $3, 0, clock_timestamp(), $4)",
    )
    .bind(id.0)
    .bind(project.0)
    .bind(export.0)
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Claims the oldest job that nobody holds, for `lease_s` seconds by the database's clock.
pub async fn claim(tx: &mut Tx, lease_token: Uuid, lease_s: f64) -> Result<Option<ClaimedJob>, StoreError> {
    let row = sqlx::query(include_str!("sql/claim_job.sql"))
        .bind(lease_token)
        .bind(lease_s)
        .fetch_optional(tx.connection())
        .await?;
    row.map(|row| {
        Ok(ClaimedJob {
            id: JobId(row.try_get("job_id")?),
            project_id: ProjectId(row.try_get("project_id")?),
            export_id: ExportId(row.try_get("subject_id")?),
            lease_token,
            n_attempts: row.try_get("n_attempts")?,
            n_stops: row.try_get("n_stops")?,
        })
    })
    .transpose()
}

/// Renews a lease; tells whether the caller still held it.
pub async fn renew(tx: &mut Tx, job: &ClaimedJob, lease_s: f64) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "-- store::jobs::renew
         update jobs
            set leased_until = clock_timestamp() + make_interval(secs => $3)
          where job_id = $1
            and lease_token = $2",
    )
    .bind(job.id.0)
    .bind(job.lease_token)
    .bind(lease_s)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends a job; tells whether the caller still held it. Its row is gone afterwards.
pub async fn complete(tx: &mut Tx, job: &ClaimedJob) -> Result<bool, StoreError> {
    let done = sqlx::query("-- store::jobs::complete\ndelete from jobs where job_id = $1 and lease_token = $2")
        .bind(job.id.0)
        .bind(job.lease_token)
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes the job of an export away from whoever holds it; tells whether there was one. Its token is worth nothing from
/// the commit on.
pub async fn delete_of_export(tx: &mut Tx, project: ProjectId, export: ExportId) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "-- store::jobs::delete_of_export
         delete from jobs where project_id = $1 and kind = 'export' and subject_id = $2",
    )
    .bind(project.0)
    .bind(export.0)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives a job back, to be taken again after `delay_s` seconds; with `stopped` the attempt does not count as a failed one.
pub async fn release(tx: &mut Tx, job: &ClaimedJob, delay_s: f64, stopped: bool) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "-- store::jobs::release
         update jobs
            set lease_token = null, leased_until = null, run_at = clock_timestamp() + make_interval(secs => $3),
                n_stops = n_stops + $4
          where job_id = $1
            and lease_token = $2",
    )
    .bind(job.id.0)
    .bind(job.lease_token)
    .bind(delay_s)
    .bind(i32::from(stopped))
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}
