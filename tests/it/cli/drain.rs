//! Stopping under load, with the real program: not ready at once, nothing cut off, nothing lost, and soon gone.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use afterword::service::detached::spawn;
use afterword::service::ids::new_id;
use reqwest::header::CONNECTION;
use reqwest::{Client, StatusCode};
use rustix::process::Signal;
use serde_json::json;
use sqlx::{Connection as _, PgConnection, Row as _};

use crate::support::TestDatabase;
use crate::support::program::{Running, afterword};

const N_ROUNDS: usize = 4;
const N_CLIENTS: usize = 16;
/// What the issue allows.
const GONE_WITHIN: Duration = Duration::from_secs(30);

/// What one client saw until the service was gone.
#[derive(Default)]
struct Seen {
    acknowledged: Vec<String>,
    others: Vec<String>,
}

/// Sends feedback over one connection that it keeps, until nobody listens any more.
async fn send_until_gone(url: String, key: String, n_answers: Arc<AtomicUsize>) -> Seen {
    let client = Client::builder().no_proxy().pool_max_idle_per_host(1).timeout(GONE_WITHIN).build().unwrap();
    let mut seen = Seen::default();
    let mut is_kept = false;
    loop {
        let id = new_id().to_string();
        let thumb = json!({"id": id, "completion_id": "c-1", "signal": "thumb", "value": "up"});
        let request = client.post(format!("{url}/v1/feedback")).bearer_auth(&key);
        match request.header("content-type", "application/json").body(thumb.to_string()).send().await {
            Ok(answer) if answer.status() == StatusCode::OK => {
                is_kept = answer.headers().get(CONNECTION).is_none_or(|value| value != "close");
                match answer.bytes().await {
                    Ok(_) => {
                        seen.acknowledged.push(id);
                        n_answers.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(error) => seen.others.push(format!("{error:?}")),
                }
            }
            Ok(answer) => seen.others.push(answer.status().to_string()),
            // Nobody listens any more; or the kernel had taken a new connection that the service never saw.
            Err(error) if error.is_connect() || !is_kept => return seen,
            // A connection that the service had said it would keep was cut.
            Err(error) => seen.others.push(format!("{error:?}")),
        }
    }
}

/// Begins a request whose body is not whole yet.
fn begin_slow_request(url: &str, key: &str, body: &str) -> TcpStream {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(GONE_WITHIN)).unwrap();
    let head = format!(
        "POST /v1/feedback HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body.as_bytes()[..20]).unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_fails_no_request_and_loses_nothing() {
    let database = TestDatabase::new().await;
    let mut key = String::new();
    for round in 0..N_ROUNDS {
        let service = Running::start(afterword(&["serve"]).env("DATABASE_URL", database.service_url()));
        if let Some(shown) = service.greeting.last() {
            shown.trim().clone_into(&mut key);
        }
        let n_answers = Arc::new(AtomicUsize::new(0));
        let client = |_| spawn(send_until_gone(service.url.clone(), key.clone(), Arc::clone(&n_answers)));
        let clients: Vec<_> = (0..N_CLIENTS).map(client).collect();
        while n_answers.load(Ordering::Relaxed) < 20 * N_CLIENTS {
            tokio::task::yield_now().await;
        }
        let slow = json!({"id": new_id(), "completion_id": "c-1", "signal": "impression"}).to_string();
        let mut stream = begin_slow_request(&service.url, &key, &slow);

        let asked = Instant::now();
        service.signal(Signal::TERM);
        while service.status("/readyz").await != 503 {
            assert!(asked.elapsed() < Duration::from_secs(1), "round {round}: still ready");
        }
        let n_before_end = n_answers.load(Ordering::Relaxed);
        let mut lost: Vec<String> = Vec::new();
        for client in clients {
            let seen = client.await.unwrap();
            assert_eq!(seen.others, Vec::<String>::new(), "round {round}");
            lost.extend(seen.acknowledged);
        }
        // The listener is closed by now; the request that was under way goes on.
        stream.write_all(&slow.as_bytes()[20..]).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let outcome = tokio::task::spawn_blocking(|| service.wait()).await.unwrap();

        let took = asked.elapsed();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"accepted\":1"), "round {round}: {answer}");
        assert_eq!(outcome, (Some(0), String::new()), "round {round}");
        assert!(took < GONE_WITHIN, "round {round}: {took:?}");
        assert!(n_answers.load(Ordering::Relaxed) > n_before_end, "round {round}: nobody was served while it drained");
        let stored = stored_ids(&database).await;
        lost.retain(|id| !stored.contains(id));
        assert_eq!(lost, Vec::<String>::new(), "round {round}: acknowledged, and not there");
        println!("round {round}: {} answers, gone after {took:?}", n_answers.load(Ordering::Relaxed));
    }
}

async fn stored_ids(database: &TestDatabase) -> std::collections::HashSet<String> {
    let mut connection = PgConnection::connect(database.owner_url()).await.unwrap();
    let rows = sqlx::query("select feedback_id::text as id from feedback").fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    rows.iter().map(|row| row.get("id")).collect()
}
