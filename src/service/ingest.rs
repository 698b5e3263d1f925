//! Recording completions and feedback: every item is accepted, a duplicate, or rejected with a reason (ACK-3).

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::oneshot;

use super::App;
use super::authenticate_token::note_token_use;
use super::crew::Crew;
use super::error::ServiceError;
use super::ingest_queue::Queue;
use super::ingest_writer::{Items, Work, Writer};
use crate::domain::clock::Timestamp;
use crate::domain::completion::NewCompletion;
use crate::domain::feedback::NewFeedback;
use crate::domain::fields::FieldError;
use crate::domain::principal::Principal;
use crate::store::error::Cause;
use crate::store::{Store, StoreError};

pub use super::ingest_meter::{Distribution, Histogram, IngestMeter, VerdictCount};

const N_WRITERS: u32 = 2;
/// Items that the second writer does not keep waiting while the first writes. Each statement has a price of its own, so
/// that two small ones at a time cost more than one larger one after the other.
const N_ENOUGH_ITEMS: usize = 256;
/// How long a caller waits for its verdicts; with it a client hears within two seconds that it has to come back. The
/// write goes on without the caller; a retry is then a duplicate.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_500);

/// What became of one item that was well-formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Stored now.
    Accepted,
    /// The same content was stored before under this id.
    Duplicate,
    /// Other content was stored before under this id.
    Conflict,
    /// The database refuses the item for what it holds.
    Unstorable,
    /// The user, or the completion that it is about, was erased (PRIV-1).
    Erased,
}

impl Verdict {
    /// Returns the verdict's word: for a rejection, its code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::Unstorable => "unstorable",
            Self::Erased => "erased",
        }
    }
}

/// An item that was not stored, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// Place in the request, from 0.
    pub index: usize,
    /// The client's id of the item, where it could be read.
    pub id: Option<String>,
    /// The stable code.
    pub code: &'static str,
    /// A sentence that helps.
    pub detail: String,
    /// Everything that is wrong with the item.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// What became of a request's items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// Items stored now.
    pub accepted: usize,
    /// Items that were stored before.
    pub duplicate: usize,
    /// Items that were not stored, in the order of the request.
    pub rejected: Vec<Rejected>,
}

/// An item as parsing left it: its id where it could be read, and either the item or what is wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed<T> {
    /// The client's id, where it could be read and is storable.
    pub id: Option<String>,
    /// The outcome.
    pub outcome: Result<T, Vec<FieldError>>,
}

/// How what is recorded gets into the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    /// What waits shares statements and commits. Two writers: while one waits for its commit, the other collects.
    Together,
    /// Every request has a transaction of its own; what group commit is measured against.
    Alone {
        /// Transactions at a time.
        n_writers: u32,
    },
    /// Nothing is written and everything is called accepted; what the rest of the service is measured with.
    Nowhere,
}

/// The way to the ingest writers.
#[derive(Debug, Clone)]
pub struct IngestQueue {
    entrance: Arc<Entrance>,
    meter: Arc<IngestMeter>,
}

/// Closes the queue when nobody can add to it any more.
#[derive(Debug)]
struct Entrance {
    queue: Arc<Queue<Work>>,
    writers: Crew,
    is_written: bool,
}

impl Drop for Entrance {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl IngestQueue {
    /// Starts the writers; they end once every clone of the queue is gone and what waits is written.
    pub fn start(store: &Store, writing: Writing) -> Self {
        let meter = Arc::new(IngestMeter::default());
        let (n_writers, max_requests, n_enough) = match writing {
            Writing::Together => (N_WRITERS, usize::MAX, N_ENOUGH_ITEMS),
            Writing::Alone { n_writers } => (n_writers, 1, 1),
            Writing::Nowhere => (0, 0, 1),
        };
        let queue = Arc::new(Queue::new(n_enough, Arc::clone(&meter)));
        // Each writer keeps a connection, so that there are never more of them than of these.
        let n_writers = n_writers.min(store.n_ingest_connections());
        let (store, source, counts) = (store.clone(), Arc::clone(&queue), Arc::clone(&meter));
        let writers = Crew::start("an ingest writer", n_writers, move || {
            Writer::new(&store, &source, &counts, max_requests).run()
        });
        let is_written = writing != Writing::Nowhere;
        Self { entrance: Arc::new(Entrance { queue, writers, is_written }), meter }
    }

    /// Takes nothing more, and waits until what was taken is written and the writers have given their connections back,
    /// whoever else still holds a clone of the queue.
    pub async fn close(&self) {
        self.entrance.queue.close();
        self.entrance.writers.wait().await;
    }

    /// Tells whether anybody writes what is taken in. Between the panic of the only writer and the start of the next one
    /// nobody does.
    pub fn is_served(&self) -> bool {
        !self.entrance.is_written || self.n_writers() > 0
    }

    /// Returns how many writers live.
    pub fn n_writers(&self) -> u64 {
        self.entrance.writers.n_living()
    }

    /// Returns how many writers ended by a panic and were replaced.
    pub fn n_writer_panics(&self) -> u64 {
        self.entrance.writers.n_panics()
    }

    /// Returns what the ingest path counts of itself.
    pub fn meter(&self) -> &IngestMeter {
        &self.meter
    }

    async fn write(
        &self,
        principal: &Principal,
        received_at: Timestamp,
        items: Items,
    ) -> Result<Verdicts, ServiceError> {
        let queue = &self.entrance.queue;
        let room = queue.reserve(items.len() as u64, items.n_bytes()).ok_or(ServiceError::Overloaded)?;
        if !self.entrance.is_written {
            return Ok(Verdicts::all_of(vec![Verdict::Accepted; items.len()]));
        }
        let (reply, answer) = oneshot::channel();
        let n_items = items.len();
        let work = Work {
            project_id: principal.project_id,
            trust: principal.trust,
            grant: principal.grant.clone(),
            received_at,
            items,
            reply,
            room,
        };
        queue.push(work, n_items);
        match tokio::time::timeout(ANSWER_WITHIN, answer).await {
            // The items come back with their verdicts: memory is cheapest to give back on the thread that took it.
            Ok(Ok((verdicts, _items))) => verdicts.map_err(ServiceError::Store),
            // The writer panicked, before its commit or after it: the caller comes back with the same ids.
            Ok(Err(_)) => {
                Err(ServiceError::Store(StoreError::Unavailable(Cause::Connection("an ingest writer ended"))))
            }
            Err(_) => Err(ServiceError::TimedOut),
        }
    }
}

/// Records completions.
pub async fn record_completions(
    app: &App,
    principal: &Principal,
    parsed: Vec<Parsed<NewCompletion>>,
) -> Result<Receipt, ServiceError> {
    record(app, principal, parsed, "completions", Items::Completions).await
}

/// Counts records of another tool's that hold nothing to store, under the word for why; none is an item (ACK-3).
pub fn count_ignored(app: &App, why: &'static str, n_records: usize) {
    app.ingest.meter.count((0..n_records).map(|_| ("completions", "", why)));
}

/// Records feedback, which was held to the principal's grant when it was parsed; no completion is looked up (LATE-1).
pub async fn record_feedback(
    app: &App,
    principal: &Principal,
    parsed: Vec<Parsed<NewFeedback>>,
) -> Result<Receipt, ServiceError> {
    if principal.grant.is_some() && parsed.iter().any(|item| item.outcome.is_ok()) {
        // Boxed, so that only what comes with a token takes the room of it.
        Box::pin(note_token_use(app, principal)).await?;
    }
    record(app, principal, parsed, "feedback", Items::Feedback).await
}

async fn record<T>(
    app: &App,
    principal: &Principal,
    parsed: Vec<Parsed<T>>,
    table: &'static str,
    to_items: impl FnOnce(Vec<T>) -> Items,
) -> Result<Receipt, ServiceError> {
    let mut receipt = Receipt { accepted: 0, duplicate: 0, rejected: Vec::new() };
    let (mut places, mut good) = (Vec::new(), Vec::new());
    for (index, item) in parsed.into_iter().enumerate() {
        match item.outcome {
            Ok(value) => {
                places.push((index, item.id));
                good.push(value);
            }
            Err(errors) => receipt.rejected.push(invalid(index, item.id, errors)),
        }
    }
    app.ingest.meter.count(receipt.rejected.iter().map(|rejected| (table, "", rejected.code)));
    if good.is_empty() {
        return Ok(receipt);
    }
    let verdicts = app.ingest.write(principal, app.clock.now(), to_items(good)).await?;
    for ((index, id), verdict) in places.into_iter().zip(verdicts.iter()) {
        match verdict {
            Verdict::Accepted => receipt.accepted += 1,
            Verdict::Duplicate => receipt.duplicate += 1,
            Verdict::Conflict => {
                receipt.rejected.push(refused(index, id, verdict, "other content is stored under this id"));
            }
            Verdict::Unstorable => {
                receipt.rejected.push(refused(index, id, verdict, "the database refuses what the item holds"));
            }
            Verdict::Erased => {
                receipt.rejected.push(refused(index, id, verdict, "its user or its completion was erased"));
            }
        }
    }
    receipt.rejected.sort_by_key(|rejected| rejected.index);
    Ok(receipt)
}

fn refused(index: usize, id: Option<String>, verdict: Verdict, detail: &str) -> Rejected {
    Rejected { index, id, code: verdict.as_str(), detail: detail.to_owned(), errors: Vec::new() }
}

fn invalid(index: usize, id: Option<String>, errors: Vec<FieldError>) -> Rejected {
    let (code, detail) = errors
        .first()
        .map_or(("invalid", "the item is invalid".to_owned()), |error| (error.code.as_str(), error.to_string()));
    Rejected { index, id, code, detail, errors }
}

/// The verdicts on a request's items, in their order: a part of those of its batch, which all its requests share.
#[derive(Debug, Clone)]
pub(super) struct Verdicts {
    batch: Arc<[Verdict]>,
    places: Range<usize>,
}

impl Verdicts {
    /// Takes the verdicts of a batch of one request.
    pub(super) fn all_of(batch: Vec<Verdict>) -> Self {
        let places = 0..batch.len();
        Self { batch: batch.into(), places }
    }

    /// Returns the next request's part, of so many items.
    pub(super) fn take(&mut self, n_items: usize) -> Self {
        let end = (self.places.start + n_items).min(self.places.end);
        let places = self.places.start..end;
        self.places.start = end;
        Self { batch: Arc::clone(&self.batch), places }
    }

    fn iter(&self) -> impl Iterator<Item = Verdict> {
        self.batch[self.places.clone()].iter().copied()
    }
}

/// What a caller is told: verdicts in the order of its items, or the failure of the whole batch; and its items.
pub(super) type Answer = (Result<Verdicts, StoreError>, Items);
