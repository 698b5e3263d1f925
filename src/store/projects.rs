//! Projects by name and by id.

use sqlx::Row;

use super::connection::Tx;
use super::error::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::consent::ConsentDefault;
use crate::domain::ids::ProjectId;

/// Creates a project unless there is one of that name; returns the id that the name now has.
pub async fn insert(tx: &mut Tx, id: ProjectId, name: &str, now: Timestamp) -> Result<ProjectId, StoreError> {
    insert_new(tx, id, name, now).await?;
    find(tx, name).await?.ok_or(StoreError::Inconsistent { table: "projects", column: "name" })
}

/// Creates a project unless there is one of that name, which the transaction need not see; tells whether it did.
pub async fn insert_new(tx: &mut Tx, id: ProjectId, name: &str, now: Timestamp) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "-- store::projects::insert_new
         insert into projects (project_id, name, created_at) values ($1, $2, $3) on conflict (name) do nothing",
    )
    .bind(id.0)
    .bind(name)
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Finds a project by its name.
pub async fn find(tx: &mut Tx, name: &str) -> Result<Option<ProjectId>, StoreError> {
    let row = sqlx::query("-- store::projects::find\nselect project_id from projects where name = $1")
        .bind(name)
        .fetch_optional(tx.connection())
        .await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.map(ProjectId))
}

/// Returns when feedback of a token was first accepted in a project.
pub async fn token_used_at(tx: &mut Tx, id: ProjectId) -> Result<Option<Timestamp>, StoreError> {
    let row =
        sqlx::query("-- store::projects::token_used_at\nselect token_used_at from projects where project_id = $1")
            .bind(id.0)
            .fetch_optional(tx.connection())
            .await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.flatten())
}

/// Returns what a project declares of completions that say nothing of consent.
pub async fn consent_default(tx: &mut Tx, id: ProjectId) -> Result<ConsentDefault, StoreError> {
    let row =
        sqlx::query("-- store::projects::consent_default\nselect consent_default from projects where project_id = $1")
            .bind(id.0)
            .fetch_optional(tx.connection())
            .await?;
    Ok(ConsentDefault::from_stored(row.map(|row| row.try_get(0)).transpose()?.flatten()))
}

/// Declares what holds for completions that say nothing of consent.
pub async fn set_consent_default(tx: &mut Tx, id: ProjectId, default: ConsentDefault) -> Result<(), StoreError> {
    sqlx::query(
        "-- store::projects::set_consent_default
         update projects set consent_default = $2 where project_id = $1",
    )
    .bind(id.0)
    .bind(default.to_stored())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Lists every project's name and id, by name.
pub async fn list(tx: &mut Tx) -> Result<Vec<(String, ProjectId)>, StoreError> {
    let rows = sqlx::query("-- store::projects::list\nselect name, project_id from projects order by name")
        .fetch_all(tx.connection())
        .await?;
    rows.into_iter().map(|row| Ok((row.try_get(0)?, ProjectId(row.try_get(1)?)))).collect()
}

/// A project as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredProject {
    /// Its id, which is the issuer of its feedback tokens.
    pub id: ProjectId,
    /// Its name.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When feedback of a token was first accepted.
    pub token_used_at: Option<Timestamp>,
    /// What holds for completions that say nothing of consent.
    pub consent_default: ConsentDefault,
}

/// Finds a project by its id.
pub async fn show(tx: &mut Tx, id: ProjectId) -> Result<Option<StoredProject>, StoreError> {
    let row = sqlx::query(
        "-- store::projects::show
         select name, created_at, token_used_at, consent_default from projects where project_id = $1",
    )
    .bind(id.0)
    .fetch_optional(tx.connection())
    .await?;
    row.map(|row| {
        Ok(StoredProject {
            id,
            name: row.try_get("name")?,
            created_at: row.try_get("created_at")?,
            token_used_at: row.try_get("token_used_at")?,
            consent_default: ConsentDefault::from_stored(row.try_get("consent_default")?),
        })
    })
    .transpose()
}

/// Records that feedback of a token was accepted, the first time only.
pub async fn mark_token_used(tx: &mut Tx, id: ProjectId, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query(
        "-- store::projects::mark_token_used
         update projects set token_used_at = $2 where project_id = $1 and token_used_at is null",
    )
    .bind(id.0)
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(())
}
