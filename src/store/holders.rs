//! Whose rows an export holds, as keyed hashes, and which exports hold the rows of somebody.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::connection::Tx;
use super::error::StoreError;
use super::exports::{destination_part, status_part};
use crate::domain::clock::Timestamp;
use crate::domain::erasure::{AffectedExport, IdHash};
use crate::domain::ids::{ErasureId, ExportId, ProjectId};

/// Records whose rows an export holds; `hashes` must be sorted, without repeats.
pub async fn insert(tx: &mut Tx, project: ProjectId, export: ExportId, hashes: &[IdHash]) -> Result<(), StoreError> {
    for bucket in hashes.chunk_by(|left, right| left.0[0] == right.0[0]) {
        sqlx::query(
            "-- store::holders::insert
             insert into export_holders (project_id, bucket, export_id, id_hashes) values ($1, $2, $3, $4)",
        )
        .bind(project.0)
        .bind(i16::from(bucket[0].0[0]))
        .bind(export.0)
        .bind(bucket.iter().map(|hash| &hash.0[..]).collect::<Vec<_>>())
        .execute(tx.connection())
        .await?;
    }
    Ok(())
}

/// Tells whether an export, whose holders this transaction has recorded, holds rows of somebody who was erased.
pub async fn has_erased(tx: &mut Tx, project: ProjectId, export: ExportId) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "-- store::holders::has_erased
         select exists (
                    select
                      from tombstones t
                      join export_holders h
                        on h.project_id = t.project_id
                       and h.bucket = get_byte(t.id_hash, 0)
                       and h.export_id = $2
                       and t.id_hash = any (h.id_hashes)
                     where t.project_id = $1
                       and t.kind in ('user', 'conversation')
                )",
    )
    .bind(project.0)
    .bind(export.0)
    .fetch_one(tx.connection())
    .await?;
    Ok(row.try_get(0)?)
}

/// Lists the completed and revoked exports that hold rows of any of these, newest first.
pub async fn list_exports(
    tx: &mut Tx,
    project: ProjectId,
    hashes: &[IdHash],
) -> Result<Vec<AffectedExport>, StoreError> {
    sqlx::query(
        "-- store::holders::list_exports
         select e.export_id, e.status, e.destination, e.directory, e.written_to, e.files_deleted_at, e.created_at
           from exports e
          where e.project_id = $1
            and e.export_id in (
                    select h.export_id
                      from unnest($2::bytea[]) as sought (id_hash)
                      join export_holders h
                        on h.project_id = $1
                       and h.bucket = get_byte(sought.id_hash, 0)
                       and sought.id_hash = any (h.id_hashes)
                )
          order by e.export_id desc",
    )
    .bind(project.0)
    .bind(hashes.iter().map(|hash| &hash.0[..]).collect::<Vec<_>>())
    .fetch_all(tx.connection())
    .await?
    .iter()
    .map(affected_from_row)
    .collect()
}

/// Revokes those of some exports that are completed, for an erasure; returns which.
pub async fn revoke(
    tx: &mut Tx,
    project: ProjectId,
    erasure: ErasureId,
    exports: &[ExportId],
) -> Result<Vec<ExportId>, StoreError> {
    let rows = sqlx::query(
        "-- store::holders::revoke
         update exports
            set status = 'revoked', erasure_id = $2
          where project_id = $1
            and export_id = any ($3)
            and status = 'completed'
         returning export_id",
    )
    .bind(project.0)
    .bind(erasure.0)
    .bind(exports.iter().map(|id| id.0).collect::<Vec<_>>())
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(|row| Ok(ExportId(row.try_get(0)?))).collect()
}

/// Lists the exports that an erasure revoked, newest first.
pub async fn list_revoked_by(
    tx: &mut Tx,
    project: ProjectId,
    erasure: ErasureId,
) -> Result<Vec<AffectedExport>, StoreError> {
    sqlx::query(
        "-- store::holders::list_revoked_by
         select export_id, status, destination, directory, written_to, files_deleted_at, created_at
           from exports
          where project_id = $1
            and erasure_id = $2
          order by export_id desc",
    )
    .bind(project.0)
    .bind(erasure.0)
    .fetch_all(tx.connection())
    .await?
    .iter()
    .map(affected_from_row)
    .collect()
}

/// Records that the files of an export are deleted, for the erasure that revoked it or for whoever withdrew it.
pub async fn mark_files_deleted(
    tx: &mut Tx,
    project: ProjectId,
    export: ExportId,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "-- store::holders::mark_files_deleted
         update exports
            set files_deleted_at = coalesce(files_deleted_at, $3)
          where project_id = $1
            and export_id = $2",
    )
    .bind(project.0)
    .bind(export.0)
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Has the files of an export looked for again, which an erasure could not reach.
pub async fn leave_files(tx: &mut Tx, project: ProjectId, export: ExportId) -> Result<(), StoreError> {
    sqlx::query(
        "-- store::holders::leave_files
         update exports
            set swept_at = null
          where project_id = $1
            and export_id = $2",
    )
    .bind(project.0)
    .bind(export.0)
    .execute(tx.connection())
    .await?;
    Ok(())
}

fn affected_from_row(row: &PgRow) -> Result<AffectedExport, StoreError> {
    Ok(AffectedExport {
        id: ExportId(row.try_get("export_id")?),
        status: status_part(row)?,
        destination: destination_part(row)?,
        directory: row.try_get("directory")?,
        is_folder: row.try_get::<&str, _>("written_to")? == "folder",
        has_no_files: row.try_get::<Option<Timestamp>, _>("files_deleted_at")?.is_some(),
        created_at: row.try_get("created_at")?,
    })
}
