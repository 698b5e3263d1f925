//! Secret keys: found by their public id, never by their secret.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::connection::Tx;
use super::error::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::ids::ProjectId;
use crate::domain::principal::Role;

/// A key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Public part.
    pub key_id: String,
    /// Project that it acts on.
    pub project_id: ProjectId,
    /// What the operator calls it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// SHA-256 of the secret part.
    pub secret_hash: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// When it was last accepted.
    pub last_used_at: Option<Timestamp>,
    /// From when on it is refused because somebody said so.
    pub revoked_at: Option<Timestamp>,
}

/// Stores a key unless its id is taken; tells whether it did.
pub async fn insert(tx: &mut Tx, key: &StoredKey) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "-- store::keys::insert
         insert into keys (key_id, project_id, name, role, secret_hash, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (key_id) do nothing",
    )
    .bind(&key.key_id)
    .bind(key.project_id.0)
    .bind(&key.name)
    .bind(key.role.as_str())
    .bind(&key.secret_hash)
    .bind(key.created_at)
    .bind(key.expires_at)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Finds a key by its public id.
pub async fn find(tx: &mut Tx, key_id: &str) -> Result<Option<StoredKey>, StoreError> {
    sqlx::query(
        "-- store::keys::find
         select key_id, project_id, name, role, secret_hash, created_at, expires_at, last_used_at, revoked_at
           from keys
          where key_id = $1",
    )
    .bind(key_id)
    .fetch_optional(tx.connection())
    .await?
    .as_ref()
    .map(from_row)
    .transpose()
}

/// Lists a project's keys, oldest first.
pub async fn list(tx: &mut Tx, project: ProjectId) -> Result<Vec<StoredKey>, StoreError> {
    sqlx::query(
        "-- store::keys::list
         select key_id, project_id, name, role, secret_hash, created_at, expires_at, last_used_at, revoked_at
           from keys
          where project_id = $1
          order by created_at, key_id",
    )
    .bind(project.0)
    .fetch_all(tx.connection())
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// Revokes a key of a project; tells whether it was live.
pub async fn revoke(tx: &mut Tx, project: ProjectId, key_id: &str, now: Timestamp) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "-- store::keys::revoke
         update keys set revoked_at = $3 where project_id = $1 and key_id = $2 and revoked_at is null",
    )
    .bind(project.0)
    .bind(key_id)
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Records that a key was used.
pub async fn touch(tx: &mut Tx, key_id: &str, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query("-- store::keys::touch\nupdate keys set last_used_at = $2 where key_id = $1")
        .bind(key_id)
        .bind(now)
        .execute(tx.connection())
        .await?;
    Ok(())
}

fn from_row(row: &PgRow) -> Result<StoredKey, StoreError> {
    let role: String = row.try_get("role")?;
    Ok(StoredKey {
        key_id: row.try_get("key_id")?,
        project_id: ProjectId(row.try_get("project_id")?),
        name: row.try_get("name")?,
        role: Role::parse(&role).ok_or(StoreError::Inconsistent { table: "keys", column: "role" })?,
        secret_hash: row.try_get("secret_hash")?,
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
        last_used_at: row.try_get("last_used_at")?,
        revoked_at: row.try_get("revoked_at")?,
    })
}
