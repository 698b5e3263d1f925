//! A network that forgets its connections without a word: what was sent over them is never answered, and nothing resets
//! them. New ones work.

use std::time::{Duration, Instant};

use afterword::domain::principal::Role;
use afterword::store::PoolSizes;

use super::proxy::FaultProxy;
use crate::routes::thumb;
use crate::support::TestService;

/// Longer than one attempt of a writer may take, and the waits for pools besides.
const RECOVERY: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn writing_goes_on_over_new_connections_where_the_old_ones_have_gone_silent() {
    let mut proxy = None;
    let behind = async |url: &str| {
        let proxy = proxy.insert(FaultProxy::before_postgres(url, Duration::ZERO).await);
        proxy.url(url)
    };
    let service = TestService::start_behind(behind, PoolSizes::default()).await;
    let key = service.key(Role::Ingest).await;
    for _ in 0..20 {
        // Two at a time, so that both writers have a connection.
        let (one, other) = (thumb("c-1"), thumb("c-1"));
        let answers =
            tokio::join!(service.post("/v1/feedback", &key, &one), service.post("/v1/feedback", &key, &other));
        assert_eq!((answers.0.status, answers.1.status), (200, 200));
    }

    proxy.unwrap().forget_connections();

    let (last, silent_since) = (thumb("c-1"), Instant::now());
    loop {
        let answer = service.post("/v1/feedback", &key, &last).await;
        if answer.status == 200 {
            break;
        }
        assert_eq!(answer.status, 503, "{}", answer.text);
        assert!(silent_since.elapsed() < RECOVERY, "no write since the connections went silent");
    }
    assert_eq!(service.post("/v1/feedback", &key, &last).await.json()["duplicate"], 1);
}
