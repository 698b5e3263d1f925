//! What the database itself promises: its schema, the wall between projects, the writing of batches, the queue of jobs.

#![cfg(test)]

mod aliases;
mod detached;
mod ingest;
mod isolation;
mod jobs;
mod schema;
mod writing;

use std::sync::Arc;

use afterword::blob::Blob;
use afterword::domain::clock::SystemClock;
use afterword::domain::completion::NewCompletion;
use afterword::domain::feedback::NewFeedback;
use afterword::domain::ids::ProjectId;
use afterword::domain::json::Json;
use afterword::domain::principal::{CredentialId, CredentialKind, Principal, Role};
use afterword::service::ingest::Parsed;
use afterword::service::{App, bootstrap};
use sqlx::{Connection, PgConnection};

use crate::support::TestDatabase;

/// Starts an app without HTTP on a database of its own.
fn app_on(database: &TestDatabase) -> App {
    App::start(database.store().clone(), Blob::memory(), Arc::new(SystemClock))
}

/// Creates a project and returns a caller that may do everything in it.
async fn caller_in(app: &App, project: &str) -> Principal {
    let project_id = bootstrap::ensure(app, project, None).await.expect("the project is created");
    Principal::of_backend(project_id, CredentialId::new(CredentialKind::SecretKey, "testtesttesttest"), Role::Admin)
}

/// Reads completions as the HTTP layer would.
fn completions(items: &[serde_json::Value]) -> Vec<Parsed<NewCompletion>> {
    items
        .iter()
        .map(|item| Parsed {
            id: item["id"].as_str().map(str::to_owned),
            outcome: NewCompletion::from_json(Json::from(item.clone()), ""),
        })
        .collect()
}

/// Reads feedback as the HTTP layer would.
fn feedback(items: &[serde_json::Value]) -> Vec<Parsed<NewFeedback>> {
    items
        .iter()
        .map(|item| Parsed {
            id: item["id"].as_str().map(str::to_owned),
            outcome: NewFeedback::from_json(Json::from(item.clone()), ""),
        })
        .collect()
}

/// A completion that is as small as it can be.
fn small_completion(id: &str) -> serde_json::Value {
    serde_json::json!({"id": id, "model": "m", "prompt": "What is 2 + 2?", "response": "4"})
}

/// A thumb with an id made of one number.
fn thumb(n: u128, completion_id: &str, value: &str) -> serde_json::Value {
    serde_json::json!({
        "id": uuid::Uuid::from_u128(n), "completion_id": completion_id, "signal": "thumb", "value": value, "user": "u",
    })
}

/// Connects as the owner, who sees past row-level security.
async fn owner_of(database: &TestDatabase) -> PgConnection {
    PgConnection::connect(database.owner_url()).await.expect("the owner may connect")
}

/// Counts the rows of a table that a project has, past row-level security.
async fn n_rows(database: &TestDatabase, table: &'static str, project: ProjectId) -> i64 {
    let statement = match table {
        "completions" => "select count(*) from completions where project_id = $1",
        "feedback" => "select count(*) from feedback where project_id = $1",
        other => panic!("no statement for the table {other}"),
    };
    let mut owner = owner_of(database).await;
    sqlx::query_scalar(statement).bind(project.0).fetch_one(&mut owner).await.expect("the rows are counted")
}
