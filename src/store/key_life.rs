//! What the tables of keys have in common. What is special to a kind stands in the module of the kind.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::connection::Tx;
use super::error::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::ids::ProjectId;
use crate::domain::key_life::KeyLife;

/// The columns that [`read`] reads.
macro_rules! life_columns {
    () => {
        "name, created_at, expires_at, last_used_at, revoked_at"
    };
}
pub(super) use life_columns;

/// A table of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyTable {
    /// Secret keys.
    Secret,
    /// Publishable keys.
    Publishable,
    /// Signing keys.
    Signing,
}

impl KeyTable {
    /// Every table of keys.
    pub const ALL: [Self; 3] = [Self::Secret, Self::Publishable, Self::Signing];
}

/// Chooses between one statement on each of the tables.
macro_rules! on_table {
    ($table:expr, $before:literal, $after:literal) => {
        match $table {
            KeyTable::Secret => concat!($before, "keys", $after),
            KeyTable::Publishable => concat!($before, "publishable_keys", $after),
            KeyTable::Signing => concat!($before, "signing_keys", $after),
        }
    };
}

/// Reads the columns of a key's life.
pub(super) fn read(row: &PgRow) -> Result<KeyLife, StoreError> {
    Ok(KeyLife {
        name: row.try_get("name")?,
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
        last_used_at: row.try_get("last_used_at")?,
        revoked_at: row.try_get("revoked_at")?,
    })
}

/// Revokes a key of a project; tells whether it was live.
pub async fn revoke(
    tx: &mut Tx,
    table: KeyTable,
    project: ProjectId,
    key_id: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let statement = on_table!(
        table,
        "-- store::key_life::revoke\nupdate ",
        " set revoked_at = $3 where project_id = $1 and key_id = $2 and revoked_at is null"
    );
    let done = sqlx::query(statement).bind(project.0).bind(key_id).bind(now).execute(tx.connection()).await?;
    Ok(done.rows_affected() == 1)
}

/// Records that a key, or a token of it, was accepted.
pub async fn touch(tx: &mut Tx, table: KeyTable, key_id: &str, now: Timestamp) -> Result<(), StoreError> {
    let statement = on_table!(table, "-- store::key_life::touch\nupdate ", " set last_used_at = $2 where key_id = $1");
    sqlx::query(statement).bind(key_id).bind(now).execute(tx.connection()).await?;
    Ok(())
}
