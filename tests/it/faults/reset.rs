//! A client that hangs up cannot cut a transaction: whatever is acknowledged afterwards is stored, and no connection is
//! left inside a transaction.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use afterword::domain::principal::Role;
use afterword::service::ids::new_id;
use afterword::store::PoolSizes;
use futures_util::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::proxy::FaultProxy;
use crate::support::TestService;

const N_ROUNDS: usize = 12;
const N_CLIENTS: usize = 8;
const N_PLAIN: usize = 48;

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// The body of a request that opens a transaction, and the path it goes to.
fn request() -> (&'static str, String) {
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    if n.is_multiple_of(4) {
        let id = new_id().to_string();
        ("/v1/feedback", json!({"id": id, "completion_id": "c", "signal": "impression"}).to_string())
    } else {
        let variants = json!([{"name": "a", "share": 0.5}, {"name": "b", "share": 0.5}]);
        ("/v1/experiments", json!({"key": format!("k-{n}"), "control": "a", "variants": variants}).to_string())
    }
}

/// Sends a request and resets the connection after a while, unless the answer comes first. Tells whether it did.
async fn hang_up(service: &TestService, key: &str, after: Duration) -> Option<&'static str> {
    let (path, body) = request();
    let mut stream = TcpStream::connect(service.server().address()).await.unwrap();
    stream.set_zero_linger().unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    let answered = tokio::time::timeout(after, stream.read_exact(&mut status)).await.is_ok_and(|read| read.is_ok());
    (answered && &status[..10] == b"HTTP/1.1 2").then_some(path)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_cannot_cut_a_transaction() {
    let sizes = PoolSizes { ingest: 2, reading: N_CLIENTS as u32, jobs: 1 };
    let delayed = async |url: &str| FaultProxy::before_postgres(url, Duration::from_millis(20)).await.url(url);
    let service = TestService::start_behind(delayed, sizes).await;
    let key = service.key(Role::Admin).await;
    let (mut n_experiments, mut n_feedback, mut n_cut) = (0, 0, 0);

    // The connections are made, so that the storm meets transactions and no handshakes.
    for path in join_all((0..2 * N_CLIENTS).map(|_| acknowledged(&service, &key))).await {
        if path == "/v1/experiments" { n_experiments += 1 } else { n_feedback += 1 }
    }

    for round in 0..N_ROUNDS {
        let storm = (0..N_CLIENTS).map(|client| {
            // A `begin` is under way for the first 40 ms, which is where a cut does its harm.
            let after = Duration::from_millis(5 + (round * 31 + client * 17) as u64 % 120);
            hang_up(&service, &key, after)
        });
        for answered in join_all(storm).await {
            match answered {
                Some("/v1/experiments") => n_experiments += 1,
                Some(_) => n_feedback += 1,
                None => n_cut += 1,
            }
        }
        // The next round's transactions would end one that was left open, and hide it.
        wait_until_no_transaction_is_open(&service).await;
    }
    assert!(n_cut > N_ROUNDS, "hardly a request was cut: {n_cut}");

    let mut n_acknowledged = 0;
    for _ in 0..N_PLAIN / N_CLIENTS {
        let plain = (0..N_CLIENTS).map(|_| acknowledged(&service, &key));
        for path in join_all(plain).await {
            n_acknowledged += 1;
            if path == "/v1/experiments" { n_experiments += 1 } else { n_feedback += 1 }
        }
    }

    assert_eq!(n_acknowledged, N_PLAIN);
    // What was cut may be stored as well; what was acknowledged must be.
    assert!(service.count("experiments").await >= n_experiments);
    assert!(service.count("feedback").await >= n_feedback);
}

/// Sends a request until it is acknowledged, as a client does: what the storm left behind may keep the pool busy.
async fn acknowledged(service: &TestService, key: &str) -> &'static str {
    let (path, body) = request();
    let started = Instant::now();
    loop {
        let answer = service.post_text(path, key, body.clone()).await;
        if answer.status < 300 {
            return path;
        }
        assert!(answer.status == 503 && started.elapsed() < Duration::from_secs(30), "{}", answer.text);
    }
}

async fn wait_until_no_transaction_is_open(service: &TestService) {
    const OPEN: &str = "select count(*) from pg_stat_activity \
                        where datname = current_database() and state like 'idle in transaction%'";
    let started = Instant::now();
    while service.query::<i64>(OPEN).await > 0 {
        assert!(started.elapsed() < Duration::from_secs(10), "a connection stays inside a transaction");
    }
}
