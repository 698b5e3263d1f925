//! The audit: written once, never changed.

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
