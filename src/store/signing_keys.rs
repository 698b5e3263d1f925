//! Signing keys: found by the `kid` of a token, and the tokens that were taken back.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::connection::Tx;
use super::error::StoreError;
use super::key_life::{self, life_columns};
use crate::domain::clock::Timestamp;
use crate::domain::credential::KeyId;
use crate::domain::ids::ProjectId;
use crate::domain::key_life::KeyLife;
use crate::domain::signing::{Algorithm, PublicKey, SigningSecret, VerifyingKey};

/// A signing key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSigningKey {
    /// The `kid` of its tokens.
    pub key_id: KeyId,
    /// Project that its tokens act on.
    pub project_id: ProjectId,
    /// What checks its tokens.
    pub key: VerifyingKey,
    /// Its name and its times; once it is refused, its tokens are.
    pub life: KeyLife,
}

/// Stores a new key.
pub async fn insert(tx: &mut Tx, stored: &StoredSigningKey) -> Result<(), StoreError> {
    let (secret, public_key) = match &stored.key {
        VerifyingKey::Hs256(secret) => (Some(secret.reveal()), None),
        VerifyingKey::EdDsa(public_key) => (None, Some(&public_key.0[..])),
    };
    sqlx::query(
        "-- store::signing_keys::insert
         insert into signing_keys (key_id, project_id, name, algorithm, secret, public_key, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(stored.key_id.as_str())
    .bind(stored.project_id.0)
    .bind(&stored.life.name)
    .bind(stored.key.algorithm().as_str())
    .bind(secret)
    .bind(public_key)
    .bind(stored.life.created_at)
    .bind(stored.life.expires_at)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Finds a key by its id.
pub async fn find(tx: &mut Tx, key_id: &KeyId) -> Result<Option<StoredSigningKey>, StoreError> {
    sqlx::query(concat!(
        "-- store::signing_keys::find
         select key_id, project_id, algorithm, secret, public_key, ",
        life_columns!(),
        " from signing_keys
          where key_id = $1",
    ))
    .bind(key_id.as_str())
    .fetch_optional(tx.connection())
    .await?
    .as_ref()
    .map(from_row)
    .transpose()
}

/// Lists a project's keys, oldest first.
pub async fn list(tx: &mut Tx, project: ProjectId) -> Result<Vec<StoredSigningKey>, StoreError> {
    sqlx::query(concat!(
        "-- store::signing_keys::list
         select key_id, project_id, algorithm, secret, public_key, ",
        life_columns!(),
        " from signing_keys
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

/// Takes a token back until `forget_at`; tells whether it was not taken back before.
pub async fn insert_revoked_token(
    tx: &mut Tx,
    project: ProjectId,
    token_id: &str,
    now: Timestamp,
    forget_at: Timestamp,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "-- store::signing_keys::insert_revoked_token
         insert into revoked_tokens (project_id, token_id, revoked_at, forget_at)
         values ($1, $2, $3, $4)
         on conflict (project_id, token_id) do nothing",
    )
    .bind(project.0)
    .bind(token_id)
    .bind(now)
    .bind(forget_at)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Forgets the tokens of a project that have expired, and counts those that are left.
pub async fn prune_revoked_tokens(tx: &mut Tx, project: ProjectId, now: Timestamp) -> Result<i64, StoreError> {
    sqlx::query(
        "-- store::signing_keys::prune_revoked_tokens
         delete from revoked_tokens where project_id = $1 and forget_at <= $2",
    )
    .bind(project.0)
    .bind(now)
    .execute(tx.connection())
    .await?;
    let row = sqlx::query("-- store::signing_keys::count\nselect count(*) from revoked_tokens where project_id = $1")
        .bind(project.0)
        .fetch_one(tx.connection())
        .await?;
    Ok(row.try_get(0)?)
}

/// Lists the ids of a project's tokens that were taken back.
pub async fn list_revoked_tokens(tx: &mut Tx, project: ProjectId) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query(
        "-- store::signing_keys::list_revoked_tokens
         select token_id from revoked_tokens where project_id = $1",
    )
    .bind(project.0)
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

fn from_row(row: &PgRow) -> Result<StoredSigningKey, StoreError> {
    let wrong = |column| StoreError::Inconsistent { table: "signing_keys", column };
    let key_id: String = row.try_get("key_id")?;
    let algorithm: String = row.try_get("algorithm")?;
    let key = match Algorithm::parse(&algorithm).ok_or(wrong("algorithm"))? {
        Algorithm::Hs256 => {
            let secret: String = row.try_get("secret")?;
            VerifyingKey::Hs256(SigningSecret::parse(&secret).ok_or(wrong("secret"))?)
        }
        Algorithm::EdDsa => {
            let public_key: Vec<u8> = row.try_get("public_key")?;
            VerifyingKey::EdDsa(PublicKey(public_key.try_into().map_err(|_| wrong("public_key"))?))
        }
    };
    Ok(StoredSigningKey {
        key_id: KeyId::parse(&key_id).ok_or(wrong("key_id"))?,
        project_id: ProjectId(row.try_get("project_id")?),
        key,
        life: key_life::read(row)?,
    })
}
