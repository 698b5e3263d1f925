//! A program that is started while Postgres still recovers waits for it.

use std::time::Duration;

use super::proxy::FaultProxy;
use crate::support::TestDatabase;
use crate::support::program::{afterword, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_program_waits_for_a_server_that_is_starting() {
    let database = TestDatabase::new().await;
    let proxy = FaultProxy::before_postgres(database.service_url(), Duration::ZERO).await;
    let url = proxy.url(database.service_url());
    proxy.refuse_next(3);

    let listed = tokio::task::spawn_blocking(move || run(afterword(&["experiment", "list"]).env("DATABASE_URL", url)));
    let listed = listed.await.unwrap();

    assert_eq!(listed.status, Some(2), "{listed:?}");
    assert!(listed.err.contains("no project yet"), "{listed:?}");
}
