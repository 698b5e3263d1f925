//! A client that resets its connection cannot cut a transaction: whatever is acknowledged is stored, and no connection
//! is left inside a transaction.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use afterword::domain::principal::Role;
use afterword::service::ids::new_id;
use afterword::store::PoolSizes;
use futures_util::future::join_all;
use rand::Rng as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::proxy::FaultProxy;
use super::size::{chance, sized};
use crate::support::TestService;

const LATENCY: Duration = Duration::from_millis(20);
const N_PLAIN: usize = 48;

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// Something that opens a transaction: a declaration, whose handler is dropped with its client, or a reaction, whose
/// transaction is a writer's.
#[derive(Debug, Clone)]
enum Write {
    Experiment(String),
    Feedback(String),
}

impl Write {
    fn next() -> Self {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        if n.is_multiple_of(4) { Self::Feedback(new_id().to_string()) } else { Self::Experiment(format!("k-{n}")) }
    }

    fn path(&self) -> &'static str {
        match self {
            Self::Experiment(_) => "/v1/experiments",
            Self::Feedback(_) => "/v1/feedback",
        }
    }

    fn body(&self) -> String {
        match self {
            Self::Experiment(key) => {
                let variants = json!([{"name": "a", "share": 0.5}, {"name": "b", "share": 0.5}]);
                json!({"key": key, "control": "a", "variants": variants}).to_string()
            }
            Self::Feedback(id) => json!({"id": id, "completion_id": "c", "signal": "impression"}).to_string(),
        }
    }
}

/// Sends a request and resets the connection after a while, unless the answer comes first. Tells whether it did.
async fn reset(service: &TestService, key: &str, after: Duration) -> Option<Write> {
    let write = Write::next();
    let (path, body) = (write.path(), write.body());
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
    (answered && &status[..10] == b"HTTP/1.1 2").then_some(write)
}

/// Sends a request until it is acknowledged, as a client does: what the storm left behind may keep the pool busy.
async fn acknowledged(service: &TestService, key: &str) -> Write {
    let write = Write::next();
    let started = Instant::now();
    loop {
        let answer = service.post_text(write.path(), key, write.body()).await;
        if answer.status < 300 {
            return write;
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

/// Counts those of the acknowledged writes that are not stored.
async fn n_lost(service: &TestService, writes: &[Write]) -> i64 {
    let list = |of: fn(&Write) -> Option<&String>| {
        let quoted: Vec<String> = writes.iter().filter_map(of).map(|id| format!("('{id}')")).collect();
        quoted.join(",")
    };
    let experiments = list(|write| if let Write::Experiment(key) = write { Some(key) } else { None });
    let feedback = list(|write| if let Write::Feedback(id) = write { Some(id) } else { None });
    let statement = format!(
        "select (select count(*) from (values {experiments}) sent (key)
                  where not exists (select from experiments e where e.experiment_key = sent.key))
              + (select count(*) from (values {feedback}) sent (id)
                  where not exists (select from feedback f where f.feedback_id = sent.id::uuid))"
    );
    service.query(&statement).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_resets_its_connection_cannot_cut_a_transaction() {
    let (n_resets, n_clients) = sized((60, 8), (5_000, 24));
    let sizes = PoolSizes { ingest: 2, reading: n_clients as u32, jobs: 1, lanes: 1 };
    let delayed = async |url: &str| FaultProxy::before_postgres(url, LATENCY).await.url(url);
    let service = TestService::start_behind(delayed, sizes).await;
    let key = service.key(Role::Admin).await;
    let mut chance = chance("reset");
    let started = Instant::now();

    // The connections are made, so that the storm meets transactions and no handshakes.
    let mut stored = join_all((0..2 * n_clients).map(|_| acknowledged(&service, &key))).await;
    let mut n_cut = 0;
    while n_cut < n_resets {
        // A `begin` is under way for the first 40 ms, which is where a cut does its harm; a commit much later.
        let mut after = || {
            let within_ms = if chance.random_ratio(1, 2) { 5..60 } else { 60..400 };
            Duration::from_millis(chance.random_range(within_ms))
        };
        let storm: Vec<_> = (0..n_clients).map(|_| reset(&service, &key, after())).collect();
        for answered in join_all(storm).await {
            match answered {
                Some(write) => stored.push(write),
                None => n_cut += 1,
            }
        }
        // The next round's transactions would end one that was left open, and hide it.
        wait_until_no_transaction_is_open(&service).await;
    }
    for _ in 0..N_PLAIN / 8 {
        stored.extend(join_all((0..8).map(|_| acknowledged(&service, &key))).await);
    }
    let n_lost = n_lost(&service, &stored).await;

    println!("reset: {n_cut} cut, {} acknowledged, {n_lost} lost, {:.1?}", stored.len(), started.elapsed());
    assert_eq!(n_lost, 0);
}
