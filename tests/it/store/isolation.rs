//! TEN-1: row-level security as the second wall. Every statement here leaves its `where` out on purpose.

use std::sync::Arc;

use afterword::blob::Blob;
use afterword::domain::clock::SystemClock;
use afterword::domain::ids::ProjectId;
use afterword::domain::principal::Principal;
use afterword::service::{App, ingest};
use afterword::store::{PoolSizes, Store};
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
async fn a_reach_of_two_projects_lets_rows_of_the_two_in_and_none_of_a_third() {
    let database = TestDatabase::new().await;
    let app = app_on(&database);
    let callers = [caller_in(&app, "one").await, caller_in(&app, "two").await, caller_in(&app, "three").await];
    let [one, two, three] = callers.map(|caller| caller.project_id);
    let mut connection = service_connection(&database).await;
    let statement = "insert into exposures (project_id, experiment_key, unit_id, variant, first_exposed_at)
                     select project_id, 'k', 'u', 'v', clock_timestamp() from unnest($1::uuid[]) as t (project_id)";

    let mut outcomes = Vec::new();
    for projects in [vec![one, two], vec![three], vec![one, two, three]] {
        let mut tx = connection.begin().await.unwrap();
        sqlx::query("select set_config('app.project_ids', $1, true)")
            .bind(format!("{one},{two}"))
            .execute(&mut *tx)
            .await
            .unwrap();
        let ids: Vec<uuid::Uuid> = projects.iter().map(|project| project.0).collect();
        let outcome = sqlx::query(statement).bind(ids).execute(&mut *tx).await;
        let refused = |error: sqlx::Error| error.as_database_error().and_then(DatabaseError::code).map(String::from);
        outcomes.push(outcome.map(|done| done.rows_affected()).map_err(refused));
        tx.rollback().await.unwrap();
    }

    let refused = Err(Some("42501".to_owned()));
    assert_eq!(outcomes, [Ok(2), refused.clone(), refused]);
}

/// Waits until so many sessions wait for a lock.
async fn until_waiting(owner: &mut PgConnection, n_sessions: i64) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(1);
    let waiting =
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut *owner).await.unwrap() < n_sessions {
        assert!(std::time::Instant::now() < deadline, "nobody waits for the lock");
    }
}

#[tokio::test]
async fn two_projects_that_wait_together_are_written_in_one_batch() {
    let database = TestDatabase::new().await;
    let sizes = PoolSizes { ingest: 1, reading: 2, jobs: 1, lanes: 1 };
    let store = Store::connect(database.service_url(), sizes).unwrap();
    // One connection for it makes one writer.
    let app = App::start(store, Blob::memory(), Arc::new(SystemClock));
    let (ours, theirs) = (caller_in(&app, "ours").await, caller_in(&app, "theirs").await);
    let mut owner = super::owner_of(&database).await;
    let mut lock = super::owner_of(&database).await;
    sqlx::query("begin").execute(&mut lock).await.unwrap();
    sqlx::query("lock table completions in access exclusive mode").execute(&mut lock).await.unwrap();
    let record = |caller: &Principal, id: &str| {
        let (app, caller, items) = (app.clone(), caller.clone(), completions(&[small_completion(id)]));
        async move { ingest::record_completions(&app, &caller, items).await.unwrap() }
    };

    // The first batch hangs, and whatever comes meanwhile waits for the second.
    let mut first = Box::pin(record(&ours, "first"));
    assert!(futures_util::poll!(&mut first).is_pending());
    until_waiting(&mut owner, 1).await;
    let mut together = Box::pin(async { tokio::join!(record(&ours, "same"), record(&theirs, "same")) });
    assert!(futures_util::poll!(&mut together).is_pending());
    sqlx::query("rollback").execute(&mut lock).await.unwrap();
    let (first, (our_receipt, their_receipt)) = tokio::join!(first, together);

    assert_eq!([first.accepted, our_receipt.accepted, their_receipt.accepted], [1, 1, 1]);
    let batches = app.ingest.meter().batch_items.read();
    assert_eq!((batches.n_values, batches.sum), (2, 3), "one batch of one item, and one of two");
    assert_eq!(super::n_rows(&database, "completions", ours.project_id).await, 2);
    assert_eq!(super::n_rows(&database, "completions", theirs.project_id).await, 1);
}

#[tokio::test]
async fn items_of_two_projects_under_the_same_ids_are_written_where_their_keys_belong() {
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
