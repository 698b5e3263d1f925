//! Sixty-four bodies at a time that would unpack to 200 MB, or that stop just before their bounds: the service's memory
//! hardly grows, and good clients hardly notice.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::Pid;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::good_client::{latencies, p99};
use super::size::sized;
use crate::support::TestDatabase;
use crate::support::program::{Running, afterword};

const N_BOMBS: usize = 64;
const MAX_GROWTH_KIB: u64 = 64 << 10;
const KEY: &str = "aw_sec_bombs00000000001_sssssssssssssssssssssssssssssssssssssssssss";

/// A body that hurts, and how it is sent.
struct Bomb {
    encoding: &'static str,
    wire: Vec<u8>,
    /// How many bytes of the end are never sent.
    n_withheld: usize,
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// A JSON text of so many bytes that compresses about sixty times: below the bound on the ratio.
fn dense_text(n_bytes: usize) -> Vec<u8> {
    let mut text = b"[\"".to_vec();
    let mut state = 1_u32;
    while text.len() < n_bytes {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.extend_from_slice(format!("{state:08x}").as_bytes());
        text.extend_from_slice(&[b'a'; 400]);
    }
    text.extend_from_slice(b"\"]");
    text
}

fn bombs() -> Vec<Arc<Bomb>> {
    let letters = vec![b'a'; 200 << 20];
    let dense = dense_text(15 << 20);
    let zstd = |text: &[u8]| zstd::stream::encode_all(text, 3).unwrap();
    let of = |encoding, wire, n_withheld| Arc::new(Bomb { encoding, wire, n_withheld });
    vec![
        of("gzip", gzip(&letters), 0),
        of("gzip", gzip(&dense), 8),
        of("zstd", zstd(&letters), 0),
        of("zstd", zstd(&dense), 8),
        of("identity", dense[..7 << 20].to_vec(), 8),
    ]
}

/// Sends bombs, one after the other, as fast as they are answered, until it is dropped.
async fn throw(address: SocketAddr, bombs: Vec<Arc<Bomb>>, first: usize, n_answered: Arc<AtomicUsize>) {
    for bomb in bombs.iter().cycle().skip(first) {
        let Ok(mut stream) = TcpStream::connect(address).await else { continue };
        let head = format!(
            "POST /v1/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n\
             Content-Encoding: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            bomb.encoding,
            bomb.wire.len()
        );
        let sent = &bomb.wire[..bomb.wire.len() - bomb.n_withheld];
        if stream.write_all(head.as_bytes()).await.is_err() || stream.write_all(sent).await.is_err() {
            continue;
        }
        // The status is enough; a server that refused reads on for a while, so that its client sees the answer.
        let mut status = [0; 12];
        if stream.read_exact(&mut status).await.is_ok() {
            let status = String::from_utf8_lossy(&status);
            assert!(matches!(&*status, "HTTP/1.1 413" | "HTTP/1.1 503" | "HTTP/1.1 408"), "{status}");
            n_answered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Reads a figure of the process's, in KiB.
fn memory_kib(pid: Pid, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn bombs_hardly_move_the_memory_and_the_good_clients() {
    let database = TestDatabase::new().await;
    let mut command = afterword(&["serve"]);
    command.env("DATABASE_URL", database.service_url()).env("AFTERWORD_INIT_SECRET_KEY", KEY);
    let running = tokio::task::spawn_blocking(move || Running::start(&mut command)).await.unwrap();
    let address: SocketAddr = running.url.strip_prefix("http://").unwrap().parse().unwrap();
    let bombs = tokio::task::spawn_blocking(bombs).await.unwrap();
    let time = Duration::from_secs(sized(2, 10));
    latencies(address, KEY, time / 2).await;
    let (mut before, mut during) = (Vec::new(), Vec::new());
    let n_answered = Arc::new(AtomicUsize::new(0));
    let rss_kib = memory_kib(running.pid(), "VmRSS");

    for round in 1..=sized(1, 5) {
        before.push(p99(&latencies(address, KEY, time).await));
        let mut throwers = JoinSet::new();
        for first in 0..N_BOMBS {
            throwers.spawn(throw(address, bombs.clone(), first, Arc::clone(&n_answered)));
        }
        during.push(p99(&latencies(address, KEY, time).await));
        // On a busy machine that was too short for them.
        let waiting_since = std::time::Instant::now();
        while n_answered.load(Ordering::Relaxed) < round * N_BOMBS / 8 {
            assert!(waiting_since.elapsed() < Duration::from_mins(1), "the bombs did not arrive");
            latencies(address, KEY, time / 10).await;
        }
        throwers.abort_all();
        while throwers.join_next().await.is_some_and(|ended| ended.is_err_and(|error| error.is_cancelled())) {}
    }

    let grown_kib = memory_kib(running.pid(), "VmHWM").saturating_sub(rss_kib);
    before.sort();
    during.sort();
    let (alone, beside) = (before[before.len() / 2], during[during.len() / 2]);
    let n_answered = n_answered.load(Ordering::Relaxed);
    println!(
        "bombs: {n_answered} answered, memory grew by {grown_kib} KiB from {rss_kib}, p99 {alone:?} -> {beside:?}"
    );
    assert!(n_answered >= sized(N_BOMBS / 8, 4 * N_BOMBS), "hardly any bombs were answered");
    assert!(grown_kib <= MAX_GROWTH_KIB, "memory grew by {grown_kib} KiB");
    // A small run on a busy machine measures the machine; the campaign has rounds enough to say more.
    let bound = sized(Duration::from_secs(1), (2 * alone).max(Duration::from_millis(20)));
    assert!(beside <= bound, "p99 {alone:?} -> {beside:?}");
    tokio::task::spawn_blocking(|| running.stop()).await.unwrap();
}
