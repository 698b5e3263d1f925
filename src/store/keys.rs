//! Secret keys: found by their public id, never by their secret.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::connection::Tx;
use super::error::StoreError;
use super::key_life::{self, life_columns};
use crate::domain::ids::ProjectId;
use crate::domain::key_life::KeyLife;
use crate::domain::principal::Role;

/// A key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Public part.
    pub key_id: String,
    /// Project that it acts on.
    pub project_id: ProjectId,
    /// What it may do.
    pub role: Role,
    /// SHA-256 of the secret part.
    pub secret_hash: Vec<u8>,
    /// Its name and its times.
    pub life: KeyLife,
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
    .bind(&key.life.name)
    .bind(key.role.as_str())
    .bind(&key.secret_hash)
    .bind(key.life.created_at)
    .bind(key.life.expires_at)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Finds a key by its public id.
pub async fn find(tx: &mut Tx, key_id: &str) -> Result<Option<StoredKey>, StoreError> {
    sqlx::query(concat!(
        "-- store::keys::find
         select key_id, project_id, role, secret_hash, ",
        life_columns!(),
        " from keys
          where key_id = $1",
    ))
    .bind(key_id)
    .fetch_optional(tx.connection())
    .await?
    .as_ref()
    .map(from_row)
    .transpose()
}

/// Lists a project's keys, oldest first.
pub async fn list(tx: &mut Tx, project: ProjectId) -> Result<Vec<StoredKey>, StoreError> {
    sqlx::query(concat!(
        "-- store::keys::list
         select key_id, project_id, role, secret_hash, ",
        life_columns!(),
        " from keys
          where project_id = $1
          order by created_at, key_id",
    ))
    .bind(project.0)
    .fetch_all(tx.connection())
    .await?
    .iter()
    .map(from_row)
    .collect()
}

fn from_row(row: &PgRow) -> Result<StoredKey, StoreError> {
    let role: String = row.try_get("role")?;
    Ok(StoredKey {
        key_id: row.try_get("key_id")?,
        project_id: ProjectId(row.try_get("project_id")?),
        role: Role::parse(&role).ok_or(StoreError::Inconsistent { table: "keys", column: "role" })?,
        secret_hash: row.try_get("secret_hash")?,
        life: key_life::read(row)?,
    })
}
