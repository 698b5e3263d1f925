//! A client that costs little: raw HTTP/1.1 over sockets that stay open, requests made before the clock runs, one request
//! under way on each connection.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use super::Result;

/// What came of sending requests.
pub(super) struct Outcome {
    /// From the first request to the last answer.
    pub(super) elapsed: Duration,
    /// How long each answer took, sorted.
    latencies: Vec<Duration>,
}

impl Outcome {
    /// Returns answers per second.
    pub(super) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// Returns the time within which such a share of the answers came.
    pub(super) fn quantile(&self, share: f64) -> Duration {
        let place = (self.latencies.len() as f64 * share) as usize;
        self.latencies.get(place.min(self.latencies.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

/// How fast requests are sent.
#[derive(Clone, Copy)]
pub(super) enum Pace {
    /// As fast as the answers come.
    Saturated,
    /// So many a second, whether or not the answers keep up.
    PerSecond(f64),
}

/// Sends requests over so many connections; every answer must be a 200.
pub(super) async fn send(
    address: SocketAddr,
    requests: &'static [Vec<u8>],
    n_connections: usize,
    pace: Pace,
) -> Result<Outcome> {
    // A thread of its own with a runtime of one thread: connections share their state without locks.
    let sending = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, send_here(address, requests, n_connections, pace))
    });
    tokio::task::spawn_blocking(move || sending.join().map_err(|_| "the load generator ended")?).await?
}

async fn send_here(
    address: SocketAddr,
    requests: &'static [Vec<u8>],
    n_connections: usize,
    pace: Pace,
) -> Result<Outcome> {
    let mut streams = Vec::new();
    for _ in 0..n_connections {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let shared = std::rc::Rc::new(Shared {
        requests,
        next: Cell::new(0),
        latencies: RefCell::new(Vec::with_capacity(requests.len())),
        began: Instant::now(),
        pace,
    });
    let connections: Vec<_> =
        streams.into_iter().map(|stream| tokio::task::spawn_local(shared.clone().converse(stream))).collect();
    for connection in connections {
        connection.await??;
    }
    let elapsed = shared.began.elapsed();
    let mut latencies = shared.latencies.take();
    latencies.sort_unstable();
    Ok(Outcome { elapsed, latencies })
}

struct Shared {
    requests: &'static [Vec<u8>],
    next: Cell<usize>,
    latencies: RefCell<Vec<Duration>>,
    began: Instant,
    pace: Pace,
}

impl Shared {
    async fn converse(self: std::rc::Rc<Self>, mut stream: TcpStream) -> Result<()> {
        let mut answer = Vec::with_capacity(4096);
        while let Some(request) = self.requests.get(self.next.get()) {
            let began = self.wait_for_turn().await;
            stream.write_all(request).await?;
            read_answer(&mut stream, &mut answer).await?;
            if !answer.starts_with(b"HTTP/1.1 200") {
                return Err(format!("not accepted: {}", String::from_utf8_lossy(&answer)).into());
            }
            self.latencies.borrow_mut().push(began.elapsed());
        }
        Ok(())
    }

    /// Takes the next request and returns the moment from which its latency counts: when it was due, if no connection
    /// was free then, so that a service that stalls is not asked less.
    async fn wait_for_turn(&self) -> Instant {
        let place = self.next.replace(self.next.get() + 1);
        let Pace::PerSecond(rate) = self.pace else { return Instant::now() };
        let due = self.began + Duration::from_secs_f64(place as f64 / rate);
        if due <= Instant::now() {
            return due;
        }
        tokio::time::sleep_until(due.into()).await;
        Instant::now()
    }
}

/// Reads one whole answer; returns where its body begins.
pub(super) async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) -> Result<usize> {
    answer.clear();
    let mut body = None;
    loop {
        if stream.read_buf(answer).await? == 0 {
            return Err("the service closed the connection".into());
        }
        if body.is_none() {
            let head = answer.windows(4).position(|window| window == b"\r\n\r\n");
            body = head.map(|end| (end + 4, n_body_bytes(answer)));
        }
        if let Some((start, n_bytes)) = body
            && answer.len() >= start + n_bytes
        {
            return Ok(start);
        }
    }
}

fn n_body_bytes(head: &[u8]) -> usize {
    const NAME: &[u8] = b"content-length: ";
    let Some(at) = head.windows(NAME.len()).position(|window| window.eq_ignore_ascii_case(NAME)) else { return 0 };
    let digits = head[at + NAME.len()..].iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'))
}
