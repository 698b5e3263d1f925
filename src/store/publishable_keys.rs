//! Publishable keys: what a browser may hold, with the origins that it may come from.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::connection::Tx;
use super::error::StoreError;
use super::key_life::{self, life_columns};
use crate::domain::clock::Timestamp;
use crate::domain::credential::KeyId;
use crate::domain::ids::ProjectId;
use crate::domain::key_life::KeyLife;
use crate::domain::origin::Origin;

/// A publishable key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPublishableKey {
    /// Its id.
    pub key_id: KeyId,
    /// Project that it acts on.
    pub project_id: ProjectId,
    /// Origins that it may come from.
    pub origins: Vec<Origin>,
    /// Its name and its times.
    pub life: KeyLife,
}

/// Stores a new key.
pub async fn insert(tx: &mut Tx, key: &StoredPublishableKey) -> Result<(), StoreError> {
    sqlx::query(
        "-- store::publishable_keys::insert
         insert into publishable_keys (key_id, project_id, name, origins, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(key.key_id.as_str())
    .bind(key.project_id.0)
    .bind(&key.life.name)
    .bind(key.origins.iter().map(Origin::as_str).collect::<Vec<_>>())
    .bind(key.life.created_at)
    .bind(key.life.expires_at)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Finds a key by its id.
pub async fn find(tx: &mut Tx, key_id: &KeyId) -> Result<Option<StoredPublishableKey>, StoreError> {
    sqlx::query(concat!(
        "-- store::publishable_keys::find
         select key_id, project_id, origins, ",
        life_columns!(),
        " from publishable_keys
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
pub async fn list(tx: &mut Tx, project: ProjectId) -> Result<Vec<StoredPublishableKey>, StoreError> {
    sqlx::query(concat!(
        "-- store::publishable_keys::list
         select key_id, project_id, origins, ",
        life_columns!(),
        " from publishable_keys
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

/// Lists every origin of a project's live keys.
pub async fn list_origins(tx: &mut Tx, project: ProjectId, now: Timestamp) -> Result<Vec<Origin>, StoreError> {
    let rows = sqlx::query(
        "-- store::publishable_keys::list_origins
         select distinct unnest(origins) as origin
           from publishable_keys
          where project_id = $1
            and (revoked_at is null or revoked_at > $2)
            and (expires_at is null or expires_at > $2)
          order by origin",
    )
    .bind(project.0)
    .bind(now)
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(|row| origin(row.try_get::<&str, _>(0)?)).collect()
}

/// Tells whether a live key of any project names the origin.
pub async fn is_origin_known(tx: &mut Tx, origin: &Origin, now: Timestamp) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "-- store::publishable_keys::is_origin_known
         select exists (
             select
               from publishable_keys
              where origins @> array[$1]
                and (revoked_at is null or revoked_at > $2)
                and (expires_at is null or expires_at > $2))",
    )
    .bind(origin.as_str())
    .bind(now)
    .fetch_one(tx.connection())
    .await?;
    Ok(row.try_get(0)?)
}

fn origin(text: &str) -> Result<Origin, StoreError> {
    Origin::parse(text).map_err(|_| StoreError::Inconsistent { table: "publishable_keys", column: "origins" })
}

fn from_row(row: &PgRow) -> Result<StoredPublishableKey, StoreError> {
    let key_id: String = row.try_get("key_id")?;
    let origins: Vec<String> = row.try_get("origins")?;
    Ok(StoredPublishableKey {
        key_id: KeyId::parse(&key_id)
            .ok_or(StoreError::Inconsistent { table: "publishable_keys", column: "key_id" })?,
        project_id: ProjectId(row.try_get("project_id")?),
        origins: origins.iter().map(|text| origin(text)).collect::<Result<_, _>>()?,
        life: key_life::read(row)?,
    })
}
