//! Ordinary traffic at an even pace: single reactions, batches of them, completions; some of it sent twice, some of it
//! wrong. What is told of every answer is enough to know afterwards which rows must be there.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use super::load::read_answer;
use super::{Result, items};

/// So many requests of a kind pass between two that are sent again, and between two that hold a wrong item.
const REPEATS_EVERY: usize = 20;
const WRONG_EVERY: usize = 50;
/// How long after a 503, or a connection that broke, the same request is sent again.
const COME_BACK_AFTER: Duration = Duration::from_millis(500);
const GIVE_UP_AFTER: Duration = Duration::from_mins(1);

/// What a stream of requests is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One item of feedback a request.
    Single,
    /// A hundred.
    Batch,
    /// Twenty-five completions of 8 KB.
    Completions,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Single, Self::Batch, Self::Completions];

    fn n_items(self) -> usize {
        match self {
            Self::Single => 1,
            Self::Batch => 100,
            Self::Completions => 25,
        }
    }

    fn n_connections(self) -> usize {
        match self {
            Self::Single => 256,
            Self::Batch => 8,
            Self::Completions => 4,
        }
    }

    /// Returns how many requests a second there are of the kind, of so many items in all.
    fn requests_per_s(self, items_per_s: f64) -> f64 {
        let share = match self {
            Self::Single => 0.5,
            Self::Batch => 0.45,
            Self::Completions => 0.05,
        };
        items_per_s * share / self.n_items() as f64
    }

    /// Makes the request of a place; the first item of a wrong one is refused for what it holds.
    fn request(self, place: usize, is_wrong: bool) -> Vec<u8> {
        let first = place * self.n_items();
        let mut all: Vec<Value> = (first..first + self.n_items())
            .map(|n| match self {
                Self::Single => items::reaction("single", n),
                Self::Batch => items::reaction("batch", n),
                Self::Completions => items::completion("soak", n),
            })
            .collect();
        if is_wrong {
            all[0]["user"] = json!([7]);
        }
        match self {
            Self::Single => items::post("/v1/feedback", &all[0].to_string()),
            Self::Batch => items::post("/v1/feedback", &json!({"feedback": all}).to_string()),
            Self::Completions => items::post("/v1/completions", &json!({"completions": all}).to_string()),
        }
    }
}

/// What was acknowledged so far; shared with whoever watches.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<Counts>);

/// Counts of a span of time.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    /// Rows of feedback and of completions that must be there: items that were accepted, and those that were told to be
    /// duplicates when their request was sent again because its answer had not come.
    pub(super) n_feedback: u64,
    pub(super) n_completions: u64,
    /// Items that were told to be duplicates of what had been acknowledged before.
    pub(super) n_duplicates: u64,
    /// Items that were refused, as they had to be.
    pub(super) n_refused: u64,
    /// Requests that were told to come back, and connections that broke.
    pub(super) n_put_off: u64,
    /// How long the single items took, in microseconds.
    pub(super) latencies_us: Vec<u32>,
}

impl Counts {
    /// Returns the items that were answered for good.
    pub(super) fn n_acknowledged(&self) -> u64 {
        self.n_feedback + self.n_completions + self.n_duplicates + self.n_refused
    }

    /// Adds the counts of a later span, without its latencies.
    pub(super) fn add(&mut self, later: &Self) {
        self.n_feedback += later.n_feedback;
        self.n_completions += later.n_completions;
        self.n_duplicates += later.n_duplicates;
        self.n_refused += later.n_refused;
        self.n_put_off += later.n_put_off;
    }
}

impl Tally {
    /// Returns what was counted since the last call.
    pub(super) fn take(&self) -> Counts {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn count(&self, count: impl FnOnce(&mut Counts)) {
        count(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Sends all kinds side by side for a while, on a thread of its own.
pub(super) async fn send(address: SocketAddr, items_per_s: f64, time: Duration, tally: Arc<Tally>) -> Result<()> {
    let sending = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, send_here(address, items_per_s, time, &tally))
    });
    tokio::task::spawn_blocking(move || sending.join().map_err(|_| "the load generator ended")?).await?
}

async fn send_here(address: SocketAddr, items_per_s: f64, time: Duration, tally: &Arc<Tally>) -> Result<()> {
    let began = Instant::now();
    let mut conversations = Vec::new();
    for kind in Kind::ALL {
        let requests_per_s = kind.requests_per_s(items_per_s);
        let stream = Rc::new(Stream {
            kind,
            address,
            requests_per_s,
            began,
            time,
            next: Cell::new(0),
            tally: Arc::clone(tally),
        });
        for _ in 0..kind.n_connections() {
            conversations.push(tokio::task::spawn_local(Rc::clone(&stream).converse()));
        }
    }
    for conversation in conversations {
        conversation.await??;
    }
    Ok(())
}

/// Requests of one kind, spread over its connections.
struct Stream {
    kind: Kind,
    address: SocketAddr,
    requests_per_s: f64,
    began: Instant,
    time: Duration,
    next: Cell<usize>,
    tally: Arc<Tally>,
}

/// A request that is sent until it is answered for good.
struct Question {
    request: Vec<u8>,
    /// It was answered before, so that every good item of it must be there.
    is_repeat: bool,
    n_wrong: u64,
}

/// A connection that is made anew when it breaks.
#[derive(Default)]
struct Line {
    stream: Option<TcpStream>,
    answer: Vec<u8>,
}

impl Stream {
    async fn converse(self: Rc<Self>) -> Result<()> {
        let (mut line, mut last) = (Line::default(), None::<Question>);
        loop {
            let place = self.next.replace(self.next.get() + 1);
            let due = Duration::from_secs_f64(place as f64 / self.requests_per_s);
            if due >= self.time {
                return Ok(());
            }
            let question = match last.take() {
                Some(last) if place % REPEATS_EVERY == REPEATS_EVERY - 1 => Question { is_repeat: true, ..last },
                _ => {
                    let is_wrong = place % WRONG_EVERY == WRONG_EVERY / 2;
                    let request = self.kind.request(place, is_wrong);
                    Question { request, is_repeat: false, n_wrong: u64::from(is_wrong) }
                }
            };
            // Late counts from when it was due, so that a service that stalls is not asked less.
            let mut asked = self.began + due;
            if asked > Instant::now() {
                tokio::time::sleep_until(asked.into()).await;
                asked = Instant::now();
            }
            self.ask(&mut line, &question).await?;
            if self.kind == Kind::Single {
                let took = u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX);
                self.tally.count(|counts| counts.latencies_us.push(took));
            }
            last = Some(question);
        }
    }

    /// Sends a request until it is answered for good, and counts the answer.
    async fn ask(&self, line: &mut Line, question: &Question) -> Result<()> {
        let began = Instant::now();
        let mut n_attempts = 0;
        while began.elapsed() < GIVE_UP_AFTER {
            if n_attempts > 0 {
                self.tally.count(|counts| counts.n_put_off += 1);
                tokio::time::sleep(COME_BACK_AFTER).await;
            }
            n_attempts += 1;
            match line.exchange(self.address, &question.request).await {
                Ok((200 | 207 | 422, body)) => return self.count(question, n_attempts == 1, &body),
                Ok((408 | 429 | 503, _)) => (),
                Ok((status, body)) => return Err(format!("answered {status}: {body}").into()),
                Err(_) => line.stream = None,
            }
        }
        Err("the service does not come back".into())
    }

    fn count(&self, question: &Question, is_first_attempt: bool, body: &Value) -> Result<()> {
        let [accepted, duplicate] = ["accepted", "duplicate"].map(|name| body[name].as_u64().unwrap_or(0));
        let n_refused = body["rejected"].as_array().map_or(0, Vec::len) as u64;
        let n_items = self.kind.n_items() as u64;
        let is_expected = accepted + duplicate + n_refused == n_items
            && n_refused == question.n_wrong
            && (!question.is_repeat || accepted == 0)
            && (question.is_repeat || !is_first_attempt || duplicate == 0);
        if !is_expected {
            let what = if question.is_repeat { "sent again" } else { "sent" };
            return Err(format!("{n_items} items {what}, {} of them wrong: {body}", question.n_wrong).into());
        }
        self.tally.count(|counts| {
            counts.n_refused += n_refused;
            match (question.is_repeat, self.kind) {
                (true, _) => counts.n_duplicates += duplicate,
                (false, Kind::Completions) => counts.n_completions += accepted + duplicate,
                (false, _) => counts.n_feedback += accepted + duplicate,
            }
        });
        Ok(())
    }
}

impl Line {
    /// Sends a request and returns the status and the body of its answer.
    async fn exchange(&mut self, address: SocketAddr, request: &[u8]) -> Result<(u16, Value)> {
        let stream = if let Some(stream) = &mut self.stream {
            stream
        } else {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            self.stream.insert(stream)
        };
        stream.write_all(request).await?;
        let body = read_answer(stream, &mut self.answer).await?;
        let status = std::str::from_utf8(&self.answer[9..12])?.parse()?;
        Ok((status, serde_json::from_slice(&self.answer[body..])?))
    }
}
