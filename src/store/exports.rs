//! Exports: asked for once, run by whoever holds their job, published last.

use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::connection::Tx;
use super::error::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::destination::DestinationName;
use crate::domain::export::{Export, ExportProblem, ExportStatus};
use crate::domain::ids::{ExportId, ProjectId};

/// The columns that an [`Export`] is read from.
macro_rules! export_columns {
    () => {
        "export_id, project_id, status, recipe, destination, directory, parent_id, n_done, n_total, problem,
                manifest, created_at, finished_at"
    };
}

/// An export that is asked for.
#[derive(Debug, Clone)]
pub struct NewExport<'a> {
    /// Project whose rows it will hold.
    pub project_id: ProjectId,
    /// Its id.
    pub id: ExportId,
    /// The fully resolved recipe as JSON.
    pub recipe: &'a str,
    /// The operator's destination that it goes to.
    pub destination: Option<&'a str>,
    /// Folder below the project's root.
    pub directory: Option<&'a str>,
    /// The earlier export whose rows its manifest will follow.
    pub parent: Option<ExportId>,
    /// The client's `Idempotency-Key`.
    pub idempotency_key: Option<&'a str>,
    /// Hash of the request.
    pub request_hash: &'a [u8],
    /// Id of the key that asks.
    pub created_by: &'a str,
    /// When.
    pub created_at: Timestamp,
}

/// Queues an export unless its idempotency key is taken; tells whether it did.
pub async fn insert(tx: &mut Tx, export: &NewExport<'_>) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "-- store::exports::insert
         insert into exports (project_id, export_id, status, recipe, directory, n_done, n_total, idempotency_key,
                              request_hash, created_by, created_at, destination, parent_id)
         values ($1, $2, 'queued', $3, $4, 0, 0, $5, $6, $7, $8, $9, $10)
         on conflict (project_id, idempotency_key) do nothing",
    )
    .bind(export.project_id.0)
    .bind(export.id.0)
    .bind(export.recipe)
    .bind(export.directory)
    .bind(export.idempotency_key)
    .bind(export.request_hash)
    .bind(export.created_by)
    .bind(export.created_at)
    .bind(export.destination)
    .bind(export.parent.map(|id| id.0))
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// An export that was written into a folder of an operator's, without a job.
#[derive(Debug, Clone)]
pub struct WrittenExport<'a> {
    /// Project whose rows it holds.
    pub project_id: ProjectId,
    /// Its id.
    pub id: ExportId,
    /// The fully resolved recipe as JSON.
    pub recipe: &'a str,
    /// Its manifest as JSON.
    pub manifest: &'a str,
    /// Prompts that were read.
    pub n_prompts: u64,
    /// When it was written.
    pub now: Timestamp,
}

/// Records an export whose files the service does not keep.
pub async fn insert_written(tx: &mut Tx, export: &WrittenExport<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "-- store::exports::insert_written
         insert into exports (project_id, export_id, status, recipe, n_done, n_total, manifest, request_hash, created_by,
                              created_at, started_at, finished_at, written_to)
         values ($1, $2, 'completed', $3, $4, $4, $5, '', 'operator', $6, $6, $6, 'folder')",
    )
    .bind(export.project_id.0)
    .bind(export.id.0)
    .bind(export.recipe)
    .bind(export.n_prompts as i64)
    .bind(export.manifest)
    .bind(export.now)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Finds the export that an idempotency key made, with the hash of the request that made it.
pub async fn find_by_idempotency_key(
    tx: &mut Tx,
    project: ProjectId,
    key: &str,
) -> Result<Option<(Export, Vec<u8>)>, StoreError> {
    sqlx::query(concat!(
        "-- store::exports::find_by_idempotency_key
         select ",
        export_columns!(),
        ", request_hash
           from exports
          where project_id = $1
            and idempotency_key = $2",
    ))
    .bind(project.0)
    .bind(key)
    .fetch_optional(tx.connection())
    .await?
    .map(|row| Ok((from_row(&row)?, row.try_get("request_hash")?)))
    .transpose()
}

/// Finds an export.
pub async fn find(tx: &mut Tx, project: ProjectId, id: ExportId) -> Result<Option<Export>, StoreError> {
    sqlx::query(concat!(
        "-- store::exports::find
         select ",
        export_columns!(),
        " from exports
          where project_id = $1
            and export_id = $2",
    ))
    .bind(project.0)
    .bind(id.0)
    .fetch_optional(tx.connection())
    .await?
    .map(|row| from_row(&row))
    .transpose()
}

/// Finds an export, and tells whether the service still has the files that it published.
pub async fn find_with_files(
    tx: &mut Tx,
    project: ProjectId,
    id: ExportId,
) -> Result<Option<(Export, bool)>, StoreError> {
    sqlx::query(concat!(
        "-- store::exports::find_with_files
         select ",
        export_columns!(),
        ", written_to = 'service'
                and files_deleted_at is null
                and (status = 'completed' or status = 'revoked' and erasure_id is not null) as has_files
           from exports
          where project_id = $1
            and export_id = $2",
    ))
    .bind(project.0)
    .bind(id.0)
    .fetch_optional(tx.connection())
    .await?
    .map(|row| Ok((from_row(&row)?, row.try_get("has_files")?)))
    .transpose()
}

/// Lists a project's exports, newest first, those before `before` and those in `only` alone where these say something.
pub async fn list(
    tx: &mut Tx,
    project: ProjectId,
    only: Option<&[ExportId]>,
    before: Option<ExportId>,
    limit: i64,
) -> Result<Vec<Export>, StoreError> {
    sqlx::query(concat!(
        "-- store::exports::list
         select ",
        export_columns!(),
        " from exports
          where project_id = $1
            and ($2::uuid is null or export_id < $2)
            and ($4::uuid[] is null or export_id = any ($4))
          order by export_id desc
          limit $3",
    ))
    .bind(project.0)
    .bind(before.map(|id| id.0))
    .bind(limit)
    .bind(only.map(|ids| ids.iter().map(|id| id.0).collect::<Vec<_>>()))
    .fetch_all(tx.connection())
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// Marks an export as running.
pub async fn start(tx: &mut Tx, project: ProjectId, id: ExportId, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query(
        "-- store::exports::start
         update exports
            set status = 'running', started_at = coalesce(started_at, $3)
          where project_id = $1
            and export_id = $2
            and status in ('queued', 'running')",
    )
    .bind(project.0)
    .bind(id.0)
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Records how far an export is.
pub async fn progress(
    tx: &mut Tx,
    project: ProjectId,
    id: ExportId,
    n_done: i64,
    n_total: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "-- store::exports::progress
         update exports
            set n_done = $3, n_total = $4
          where project_id = $1
            and export_id = $2
            and status = 'running'",
    )
    .bind(project.0)
    .bind(id.0)
    .bind(n_done)
    .bind(n_total)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Publishes an export: its manifest becomes visible in the same transaction that ends its job.
pub async fn complete(
    tx: &mut Tx,
    project: ProjectId,
    id: ExportId,
    manifest: &str,
    n_total: i64,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "-- store::exports::complete
         update exports
            set status = 'completed', manifest = $3, n_done = $4, n_total = $4, finished_at = $5
          where project_id = $1
            and export_id = $2
            and status = 'running'",
    )
    .bind(project.0)
    .bind(id.0)
    .bind(manifest)
    .bind(n_total)
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends an export without a manifest.
pub async fn fail(
    tx: &mut Tx,
    project: ProjectId,
    id: ExportId,
    problem: &ExportProblem,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let wrong = |_| StoreError::Inconsistent { table: "exports", column: "problem" };
    let problem = serde_json::to_string(problem).map_err(wrong)?;
    let done = sqlx::query(
        "-- store::exports::fail
         update exports
            set status = 'failed', problem = $3, finished_at = $4
          where project_id = $1
            and export_id = $2
            and status in ('queued', 'running')",
    )
    .bind(project.0)
    .bind(id.0)
    .bind(problem)
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Withdraws a completed export; its files are deleted by whoever called.
pub async fn revoke(tx: &mut Tx, project: ProjectId, id: ExportId) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "-- store::exports::revoke
         update exports
            set status = 'revoked'
          where project_id = $1
            and export_id = $2
            and status = 'completed'",
    )
    .bind(project.0)
    .bind(id.0)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) fn status_part(row: &PgRow) -> Result<ExportStatus, StoreError> {
    let status: &str = row.try_get("status")?;
    let status = ExportStatus::WORDS.iter().find(|(word, _)| *word == status).map(|(_, status)| *status);
    status.ok_or(StoreError::Inconsistent { table: "exports", column: "status" })
}

pub(super) fn destination_part(row: &PgRow) -> Result<Option<DestinationName>, StoreError> {
    let name: Option<&str> = row.try_get("destination")?;
    let wrong = StoreError::Inconsistent { table: "exports", column: "destination" };
    name.map(|name| DestinationName::parse(name).ok_or(wrong)).transpose()
}

/// What an export's published files are to a sweep of its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SweptFor {
    /// No erasure revoked it.
    Itself,
    /// An erasure revoked it, and nobody asked to delete its files, or they are deleted.
    Erasure,
    /// An erasure that has ended revoked it and was to delete its files, which it could not reach.
    LeftFiles,
}

/// Lists exports that have ended and whose places may hold files that nobody published, by their ids, those after
/// `after` only; with `all` also those that were swept before. Tells of each what an erasure has to do with its files.
pub async fn list_unswept(
    tx: &mut Tx,
    project: ProjectId,
    after: Option<ExportId>,
    all: bool,
    limit: i64,
) -> Result<Vec<(Export, SweptFor)>, StoreError> {
    sqlx::query(concat!(
        "-- store::exports::list_unswept
         select ",
        export_columns!(),
        ", erasure_id is not null as is_of_erasure,
            coalesce((select e.status = 'completed' and e.delete_files
                        from erasures e
                       where e.project_id = exports.project_id
                         and e.erasure_id = exports.erasure_id) and files_deleted_at is null, false) as is_left
           from exports
          where project_id = $1
            and written_to = 'service'
            and status in ('completed', 'failed', 'revoked')
            and (swept_at is null or $3)
            and ($2::uuid is null or export_id > $2)
          order by export_id
          limit $4",
    ))
    .bind(project.0)
    .bind(after.map(|id| id.0))
    .bind(all)
    .bind(limit)
    .fetch_all(tx.connection())
    .await?
    .iter()
    .map(|row| {
        let swept_for = match (row.try_get("is_of_erasure")?, row.try_get("is_left")?) {
            (_, true) => SweptFor::LeftFiles,
            (true, false) => SweptFor::Erasure,
            (false, false) => SweptFor::Itself,
        };
        Ok((from_row(row)?, swept_for))
    })
    .collect()
}

/// Records that an export's place holds nothing that nobody published, and that nobody is left who could add to it.
pub async fn mark_swept(tx: &mut Tx, project: ProjectId, id: ExportId, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query(
        "-- store::exports::mark_swept
         update exports
            set swept_at = $3
          where project_id = $1
            and export_id = $2",
    )
    .bind(project.0)
    .bind(id.0)
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(())
}

fn from_row(row: &PgRow) -> Result<Export, StoreError> {
    let wrong = |column| StoreError::Inconsistent { table: "exports", column };
    let problem: Option<&str> = row.try_get("problem")?;
    Ok(Export {
        id: ExportId(row.try_get("export_id")?),
        project_id: ProjectId(row.try_get("project_id")?),
        status: status_part(row)?,
        recipe: row.try_get("recipe")?,
        destination: destination_part(row)?,
        directory: row.try_get("directory")?,
        parent: row.try_get::<Option<Uuid>, _>("parent_id")?.map(ExportId),
        n_done: row.try_get("n_done")?,
        n_total: row.try_get("n_total")?,
        problem: problem.map(serde_json::from_str).transpose().map_err(|_| wrong("problem"))?,
        manifest: row.try_get("manifest")?,
        created_at: row.try_get("created_at")?,
        finished_at: row.try_get("finished_at")?,
    })
}
