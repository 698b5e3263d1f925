//! TX: a transaction that has begun ends by itself, whether or not anybody still waits for it.

use std::time::{Duration, Instant};

use afterword::domain::experiment::Experiment;
use afterword::domain::json::Json;
use afterword::service::experiments;

use super::{app_on, caller_in};
use crate::support::TestDatabase;

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_leaves_its_transaction_to_be_committed() {
    let database = TestDatabase::new().await;
    let app = app_on(&database);
    let caller = caller_in(&app, "p").await;
    let declaration = br#"{"key":"k","control":"a","variants":[{"name":"a","share":0.5},{"name":"b","share":0.5}]}"#;
    let experiment = Experiment::from_json(Json::parse(declaration).unwrap()).unwrap();

    // Polled once, which is no more than beginning; then the caller is gone, as a handler is whose client hung up.
    let mut call = Box::pin(experiments::declare(&app, &caller, experiment));
    let is_pending = futures_util::poll!(&mut call).is_pending();
    drop(call);

    assert!(is_pending, "nothing was left to be cut");
    let deadline = Instant::now() + Duration::from_secs(20);
    while experiments::list(&app, &caller).await.unwrap().is_empty() {
        assert!(Instant::now() < deadline, "the transaction was cut");
        tokio::task::yield_now().await;
    }
}
