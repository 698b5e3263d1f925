//! Declared experiments.

use sqlx::Row;

use super::connection::Tx;
use super::error::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::experiment::Experiment;
use crate::domain::ids::ProjectId;
use crate::domain::json::Json;

/// Declares an experiment unless its key is taken; tells whether it did.
pub async fn insert(
    tx: &mut Tx,
    project: ProjectId,
    experiment: &Experiment,
    declaration: &str,
    actor: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "-- store::experiments::insert
         insert into experiments (project_id, experiment_key, declaration, created_at, created_by)
         values ($1, $2, $3::jsonb, $4, $5)
         on conflict (project_id, experiment_key) do nothing",
    )
    .bind(project.0)
    .bind(&experiment.key)
    .bind(declaration)
    .bind(now)
    .bind(actor)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Finds an experiment and when it was declared.
pub async fn find(tx: &mut Tx, project: ProjectId, key: &str) -> Result<Option<(Experiment, Timestamp)>, StoreError> {
    let row = sqlx::query(
        "-- store::experiments::find
         select declaration::text, created_at
           from experiments
          where project_id = $1
            and experiment_key = $2",
    )
    .bind(project.0)
    .bind(key)
    .fetch_optional(tx.connection())
    .await?;
    row.map(|row| Ok((from_text(row.try_get(0)?)?, row.try_get(1)?))).transpose()
}

/// Lists a project's experiments, newest first, at most `limit`.
pub async fn list(tx: &mut Tx, project: ProjectId, limit: i64) -> Result<Vec<(Experiment, Timestamp)>, StoreError> {
    sqlx::query(
        "-- store::experiments::list
         select declaration::text, created_at
           from experiments
          where project_id = $1
          order by created_at desc, experiment_key
          limit $2",
    )
    .bind(project.0)
    .bind(limit)
    .fetch_all(tx.connection())
    .await?
    .into_iter()
    .map(|row| Ok((from_text(row.try_get(0)?)?, row.try_get(1)?)))
    .collect()
}

fn from_text(text: &str) -> Result<Experiment, StoreError> {
    Json::parse(text.as_bytes())
        .ok()
        .and_then(|value| Experiment::from_json(value).ok())
        .ok_or(StoreError::Inconsistent { table: "experiments", column: "declaration" })
}
