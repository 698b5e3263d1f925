//! Declared experiments.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::connection::Tx;
use super::error::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::experiment::Experiment;
use crate::domain::ids::ProjectId;
use crate::domain::json::Json;

/// An experiment as it is held.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// What was declared.
    pub experiment: Experiment,
    /// When it was declared.
    pub declared_at: Timestamp,
    /// When it was stopped, if it was.
    pub stopped_at: Option<Timestamp>,
}

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

/// Stops an experiment unless it was stopped before; tells whether it did.
pub async fn stop(tx: &mut Tx, project: ProjectId, key: &str, now: Timestamp) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "-- store::experiments::stop
         update experiments
            set stopped_at = $3
          where project_id = $1
            and experiment_key = $2
            and stopped_at is null",
    )
    .bind(project.0)
    .bind(key)
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Finds an experiment.
pub async fn find(tx: &mut Tx, project: ProjectId, key: &str) -> Result<Option<Held>, StoreError> {
    let row = sqlx::query(
        "-- store::experiments::find
         select declaration::text, created_at, stopped_at
           from experiments
          where project_id = $1
            and experiment_key = $2",
    )
    .bind(project.0)
    .bind(key)
    .fetch_optional(tx.connection())
    .await?;
    row.as_ref().map(held).transpose()
}

/// Lists a project's experiments, newest first, at most `limit`.
pub async fn list(tx: &mut Tx, project: ProjectId, limit: i64) -> Result<Vec<Held>, StoreError> {
    let rows = sqlx::query(
        "-- store::experiments::list
         select declaration::text, created_at, stopped_at
           from experiments
          where project_id = $1
          order by created_at desc, experiment_key
          limit $2",
    )
    .bind(project.0)
    .bind(limit)
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(held).collect()
}

fn held(row: &PgRow) -> Result<Held, StoreError> {
    Ok(Held { experiment: from_text(row.try_get(0)?)?, declared_at: row.try_get(1)?, stopped_at: row.try_get(2)? })
}

fn from_text(text: &str) -> Result<Experiment, StoreError> {
    Json::parse(text.as_bytes())
        .ok()
        .and_then(|value| Experiment::from_json(value).ok())
        .ok_or(StoreError::Inconsistent { table: "experiments", column: "declaration" })
}
