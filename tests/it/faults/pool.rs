//! No connection is free: the request hears so within two seconds, the instance stays ready, and as soon as one is
//! free everything goes on.

use std::time::{Duration, Instant};

use afterword::domain::principal::Role;
use afterword::store::connection::Pool;
use afterword::store::{Access, PoolSizes, Tx};
use serde_json::json;

use super::size::sized;
use crate::support::TestService;
use crate::support::service::Answer;

const SIZES: PoolSizes = PoolSizes { ingest: 2, reading: 2, jobs: 1, lanes: 1 };
const REFUSED_WITHIN: Duration = Duration::from_secs(2);
const RECOVERY: Duration = Duration::from_secs(10);

fn impression(n: usize) -> String {
    let id = format!("01900000-0000-7000-8000-{n:012}");
    json!({"id": id, "completion_id": "c", "signal": "impression"}).to_string()
}

/// Takes every connection of a pool, as work that hangs would.
async fn exhaust(service: &TestService, pool: Pool, n_connections: u32) -> Vec<Tx> {
    let mut held = Vec::new();
    for _ in 0..n_connections {
        held.push(service.app().store.begin(pool, "held", Access::Projects(&[])).await.unwrap());
    }
    held
}

async fn assert_refused(service: &TestService, key: &str, body: &str) {
    let sent_at = Instant::now();
    let answer = service.post_text("/v1/feedback", key, body.to_owned()).await;

    assert!(sent_at.elapsed() < REFUSED_WITHIN, "{:?}: {}", sent_at.elapsed(), answer.text);
    assert_eq!(answer.problem().0, 503, "{}", answer.text);
    assert_eq!((answer.header("retry-after"), &answer.json()["retryable"]), ("1", &json!(true)));
}

/// Sends until the write is answered with 200, as a client does.
async fn written(service: &TestService, key: &str, body: &str) -> Answer {
    let started = Instant::now();
    loop {
        let answer = service.post_text("/v1/feedback", key, body.to_owned()).await;
        if answer.status == 200 {
            return answer;
        }
        assert!(answer.status == 503 && started.elapsed() < RECOVERY, "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_connection_of_a_pool_is_free_a_write_is_refused_soon_and_the_instance_stays_ready() {
    for round in 0..sized(1, 10) {
        let service = TestService::start_behind(async |url| url.to_owned(), SIZES).await;
        let key = service.key(Role::Ingest).await;
        let held = exhaust(&service, Pool::Ingest, SIZES.ingest).await;

        assert_refused(&service, &key, &impression(round)).await;
        assert_eq!(service.get("/readyz", "").await.status, 200);
        drop(held);

        written(&service, &key, &impression(round)).await;
        assert_eq!(service.count("feedback").await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_with_every_connection_keeps_no_write_waiting() {
    let service = TestService::start_behind(async |url| url.to_owned(), SIZES).await;
    let key = service.key(Role::Ingest).await;
    let _held = exhaust(&service, Pool::Reading, SIZES.reading).await;

    let answer = service.post_text("/v1/feedback", &key, impression(0)).await;

    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_server_has_no_connection_left_a_write_is_refused_soon() {
    const CUT: &str = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                        where datname = current_database() and pid <> pg_backend_pid()";
    let service = TestService::start_behind(async |url| url.to_owned(), SIZES).await;
    let key = service.key(Role::Ingest).await;
    let limit = async |n_connections: i32| {
        let database: String = service.query("select current_database()::text").await;
        service.execute(&format!("alter database {database} connection limit {n_connections}")).await;
    };
    for round in 0..sized(1, 10) {
        written(&service, &key, &impression(2 * round)).await;
        limit(0).await;
        assert!(service.query::<i64>(CUT).await > 0);

        assert_refused(&service, &key, &impression(2 * round + 1)).await;
        limit(-1).await;

        written(&service, &key, &impression(2 * round + 1)).await;
    }
    assert_eq!(service.count("feedback").await, sized(2, 20));
}
