//! The audit: written once, never changed.

use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::connection::Tx;
use super::error::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::ids::ProjectId;

/// One thing that somebody did.
#[derive(Debug, Clone)]
pub struct AuditEntry<'a> {
    /// Project that it concerns.
    pub project_id: ProjectId,
    /// Id of the entry.
    pub audit_id: Uuid,
    /// When.
    pub at: Timestamp,
    /// Id of the key, or `operator`.
    pub actor: &'a str,
    /// What was done.
    pub action: &'static str,
    /// What it was done to.
    pub subject: &'a str,
    /// Numbers and names that explain it, as a JSON object.
    pub details: String,
}

/// Writes an entry.
pub async fn insert(tx: &mut Tx, entry: &AuditEntry<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "-- store::audit::insert
         insert into audit (project_id, audit_id, at, actor, action, subject, details)
         values ($1, $2, $3, $4, $5, $6, $7::jsonb)",
    )
    .bind(entry.project_id.0)
    .bind(entry.audit_id)
    .bind(entry.at)
    .bind(entry.actor)
    .bind(entry.action)
    .bind(entry.subject)
    .bind(&entry.details)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// An entry as it is read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAuditEntry {
    /// Id of the entry; later ones are greater.
    pub audit_id: Uuid,
    /// When.
    pub at: Timestamp,
    /// Id of the key, or `operator`.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// What it was done to.
    pub subject: String,
    /// Numbers and names that explain it, as a JSON object.
    pub details: String,
}

/// Lists a project's entries, newest first, those before `before` only.
pub async fn list(
    tx: &mut Tx,
    project: ProjectId,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<StoredAuditEntry>, StoreError> {
    let rows = sqlx::query(
        "-- store::audit::list
         select audit_id, at, actor, action, subject, details::text as details
           from audit
          where project_id = $1
            and ($2::uuid is null or audit_id < $2)
          order by audit_id desc
          limit $3",
    )
    .bind(project.0)
    .bind(before)
    .bind(limit)
    .fetch_all(tx.connection())
    .await?;
    let entry = |row: &PgRow| {
        Ok(StoredAuditEntry {
            audit_id: row.try_get("audit_id")?,
            at: row.try_get("at")?,
            actor: row.try_get("actor")?,
            action: row.try_get("action")?,
            subject: row.try_get("subject")?,
            details: row.try_get("details")?,
        })
    };
    rows.iter().map(entry).collect()
}
