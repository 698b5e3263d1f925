//! TEN-1: row-level security as the second wall. Every statement here leaves its `where` out on purpose.

use afterword::domain::ids::ProjectId;
use afterword::domain::principal::Principal;
use afterword::service::ingest;
use sqlx::error::DatabaseError;
use sqlx::{Connection, PgConnection};

use super::{app_on, caller_in, completions, small_completion};
use crate::support::TestDatabase;

/// Opens a connection that works as the service's role, as the pools do.
async fn service_connection(database: &TestDatabase) -> PgConnection {
    let mut connection = PgConnection::connect(database.service_url()).await.unwrap();
    sqlx::query("set role afterword_app").execute(&mut connection).await.unwrap();
    connection
}

/// Reads the ids of all completions that a transaction with this reach can see.
async fn seen_with(connection: &mut PgConnection, reach: &[ProjectId]) -> Vec<String> {
    let list: Vec<String> = reach.iter().map(ToString::to_string).collect();
    let mut tx = connection.begin().await.unwrap();
    sqlx::query("select set_config('app.project_ids', $1, true)").bind(list.join(",")).execute(&mut *tx).await.unwrap();
    let ids = sqlx::query_scalar("select completion_id from completions order by 1").fetch_all(&mut *tx).await.unwrap();
    tx.rollback().await.unwrap();
    ids
}

/// Creates two projects with a completion each: `a` in ours, `b` in theirs.
async fn two_projects(database: &TestDatabase) -> (Principal, Principal) {
    let app = app_on(database);
    let (ours, theirs) = (caller_in(&app, "ours").await, caller_in(&app, "theirs").await);
    ingest::record_completions(&app, &ours, completions(&[small_completion("a")])).await.unwrap();
    ingest::record_completions(&app, &theirs, completions(&[small_completion("b")])).await.unwrap();
    (ours, theirs)
}

#[tokio::test]
async fn a_statement_without_a_where_sees_only_the_projects_of_its_transaction() {
    let database = TestDatabase::new().await;
    let (ours, theirs) = two_projects(&database).await;
    let mut connection = service_connection(&database).await;

    assert_eq!(seen_with(&mut connection, &[ours.project_id]).await, ["a"]);
    assert_eq!(seen_with(&mut connection, &[theirs.project_id]).await, ["b"]);
    assert_eq!(seen_with(&mut connection, &[ours.project_id, theirs.project_id]).await, ["a", "b"]);
    assert_eq!(seen_with(&mut connection, &[]).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_reach_of_a_transaction_ends_with_it() {
    let database = TestDatabase::new().await;
    let (ours, theirs) = two_projects(&database).await;
    let mut connection = service_connection(&database).await;

    // Prepared statements are reused on the connection, so that a plan made for one project serves the other.
    for _ in 0..200 {
        assert_eq!(seen_with(&mut connection, &[ours.project_id]).await, ["a"]);
        assert_eq!(seen_with(&mut connection, &[theirs.project_id]).await, ["b"]);
    }
    let n_seen: i64 = sqlx::query_scalar("select count(*) from completions").fetch_one(&mut connection).await.unwrap();
    assert_eq!(n_seen, 0);
}

#[tokio::test]
async fn a_transaction_cannot_write_for_a_project_outside_its_reach() {
    let database = TestDatabase::new().await;
    let app = app_on(&database);
    let (ours, theirs) = (caller_in(&app, "ours").await, caller_in(&app, "theirs").await);
    let mut connection = service_connection(&database).await;
    let mut tx = connection.begin().await.unwrap();
    sqlx::query("select set_config('app.project_ids', $1, true)")
        .bind(ours.project_id.to_string())
        .execute(&mut *tx)
        .await
        .unwrap();

    let refused = sqlx::query(
        "insert into exposures (project_id, experiment_key, unit_id, variant, first_exposed_at)
         values ($1, 'k', 'u', 'v', clock_timestamp())",
    )
    .bind(theirs.project_id.0)
    .execute(&mut *tx)
    .await
    .unwrap_err();

    assert_eq!(refused.as_database_error().and_then(DatabaseError::code).as_deref(), Some("42501"));
}

#[tokio::test]
async fn one_batch_of_two_projects_writes_each_item_where_its_key_belongs() {
    let database = TestDatabase::new().await;
    let app = app_on(&database);
    let (ours, theirs) = (caller_in(&app, "ours").await, caller_in(&app, "theirs").await);

    // Many callers at once, so that the writers find several projects in one batch; all use the same ids.
    let calls = (0..40).map(|n| {
        let (app, caller) = (app.clone(), if n % 2 == 0 { ours.clone() } else { theirs.clone() });
        async move {
            let items = completions(&[small_completion(&format!("c{}", n / 2))]);
            ingest::record_completions(&app, &caller, items).await.unwrap()
        }
    });
    let receipts = futures_util::future::join_all(calls).await;

    assert!(receipts.iter().all(|receipt| receipt.accepted == 1 && receipt.duplicate == 0));
    assert_eq!(super::n_rows(&database, "completions", ours.project_id).await, 20);
    assert_eq!(super::n_rows(&database, "completions", theirs.project_id).await, 20);
}
