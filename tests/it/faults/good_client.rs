//! Clients that do nothing wrong while others do: they post a thumb again and again and take the time of each.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use afterword::service::ids::new_id;
use futures_util::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const N_CLIENTS: usize = 8;
/// Between two requests of a client, so that the clients alone do not fill the machine.
const PAUSE: Duration = Duration::from_millis(20);

/// Sends requests for a while from several connections, and returns how long each took, in order.
pub(super) async fn latencies(address: SocketAddr, key: &str, time: Duration) -> Vec<Duration> {
    let end = Instant::now() + time;
    let clients = (0..N_CLIENTS).map(|_| async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut taken = Vec::new();
        let mut pause = tokio::time::interval(PAUSE);
        while Instant::now() < end {
            pause.tick().await;
            let started = Instant::now();
            post_thumb(&mut stream, key).await;
            taken.push(started.elapsed());
        }
        taken
    });
    let mut all: Vec<Duration> = join_all(clients).await.into_iter().flatten().collect();
    all.sort();
    all
}

/// Returns the time within which 99 of 100 were answered.
pub(super) fn p99(latencies: &[Duration]) -> Duration {
    latencies[latencies.len() * 99 / 100]
}

async fn post_thumb(stream: &mut TcpStream, key: &str) {
    let id = new_id().to_string();
    let item = json!({"id": id, "completion_id": "c", "signal": "thumb", "value": "up"}).to_string();
    let request = format!(
        "POST /v1/feedback HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{item}",
        item.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = read_answer(stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

/// Reads one answer that says how long it is.
async fn read_answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    loop {
        let n_bytes = stream.read_buf(&mut answer).await.unwrap();
        let text = String::from_utf8_lossy(&answer).into_owned();
        assert_ne!(n_bytes, 0, "the connection was closed after {text:?}");
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if length.is_some_and(|length: usize| body.len() >= length) {
            return text;
        }
    }
}
