//! Group commit: whatever waits is written in one transaction, and each caller hears of its own items after the commit.
//!
//! The writers own every ingest transaction, so that no client that hangs up can cut one (ACK-1).

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use uuid::Uuid;

use super::chance::jitter;
use super::ingest::{Answer, Verdict, Verdicts};
use super::ingest_meter::IngestMeter;
use super::ingest_queue::{Queue, Room, Taken};
use crate::domain::clock::Timestamp;
use crate::domain::completion::NewCompletion;
use crate::domain::feedback::{NewFeedback, effective_at};
use crate::domain::grant::Grant;
use crate::domain::hash::ContentHash;
use crate::domain::ids::{ConversationId, ProjectId};
use crate::domain::principal::Trust;
use crate::store::completions::{self, CompletionRow};
use crate::store::connection::{Tx, WriterConnection};
use crate::store::error::Cause;
use crate::store::feedback::{self, FeedbackRow};
use crate::store::{Access, Inserted, Store, StoreError, Telling};

/// Enough to make the commit cheap for each item.
const MAX_BATCH_ITEMS: usize = 4_000;
/// Memory that a batch's items may take, about: a batch is in memory twice, as items and as it goes to the database.
const MAX_BATCH_BYTES: u64 = 8 << 20;
/// How long one attempt may take: longer than a server that answers takes with its statement and lock timeouts. Where the
/// network has gone silent, nothing else would ever end the wait.
const GIVE_UP_AFTER: Duration = Duration::from_secs(10);
const N_ATTEMPTS: u32 = 4;
/// Being told of every row costs a tenth of a batch, and doing a batch again costs all of it. Duplicates come in swarms:
/// after a batch that held one, this many are written carefully.
const N_CAREFUL_BATCHES: u32 = 100;
/// About how long a transaction that met another one waits before it is tried again, times the attempts so far.
const PAUSE: Duration = Duration::from_millis(5);

/// Verdicts in the order of a batch's items, or the failure of all of it.
type Outcome = Result<Vec<Verdict>, StoreError>;

/// The items of one request.
#[derive(Debug)]
pub(super) enum Items {
    /// Completions.
    Completions(Vec<NewCompletion>),
    /// Feedback.
    Feedback(Vec<NewFeedback>),
}

impl Items {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Completions(items) => items.len(),
            Self::Feedback(items) => items.len(),
        }
    }

    /// Returns about how much memory the items take.
    pub(super) fn n_bytes(&self) -> u64 {
        let n_bytes: usize = match self {
            Self::Completions(items) => items.iter().map(NewCompletion::n_bytes).sum(),
            Self::Feedback(items) => items.iter().map(NewFeedback::n_bytes).sum(),
        };
        n_bytes as u64
    }
}

/// A request that waits to be written.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) project_id: ProjectId,
    pub(super) trust: Trust,
    pub(super) grant: Option<Arc<Grant>>,
    pub(super) received_at: Timestamp,
    pub(super) items: Items,
    pub(super) reply: oneshot::Sender<Answer>,
    pub(super) room: Room,
}

/// One item of a batch, borrowed from its request.
#[derive(Debug, Clone, Copy)]
enum Item<'a> {
    Completion(CompletionRow<'a>),
    Feedback(FeedbackRow<'a>),
}

impl Item<'_> {
    fn project_id(&self) -> ProjectId {
        match self {
            Self::Completion(row) => row.project_id,
            Self::Feedback(row) => row.project_id,
        }
    }

    /// Returns table and signal, as they are counted.
    fn kind(&self) -> (&'static str, &'static str) {
        match self {
            Self::Completion(_) => ("completions", ""),
            Self::Feedback(row) => ("feedback", row.feedback.reaction.signal().as_str()),
        }
    }
}

/// Writes batches until the queue is closed and empty.
pub(super) struct Writer {
    store: Store,
    queue: Arc<Queue<Work>>,
    meter: Arc<IngestMeter>,
    max_requests: usize,
    /// Kept from batch to batch, until something fails on it.
    connection: Option<WriterConnection>,
    /// For so many batches more the database is asked which rows it stored, and not only how many.
    n_careful_batches: u32,
}

impl Writer {
    /// Makes a writer whose batches have up to so many requests.
    pub(super) fn new(store: &Store, queue: &Arc<Queue<Work>>, meter: &Arc<IngestMeter>, max_requests: usize) -> Self {
        let (queue, meter) = (Arc::clone(queue), Arc::clone(meter));
        Self { store: store.clone(), queue, meter, max_requests, connection: None, n_careful_batches: 0 }
    }

    pub(super) async fn run(mut self) {
        let queue = Arc::clone(&self.queue);
        while let Some(mut taken) = next_batch(&queue, self.max_requests).await {
            let items: Vec<Item<'_>> = taken.values.iter().flat_map(items_of).collect();
            let began = Instant::now();
            let answer = self.write(&items).await;
            self.meter.batch_items.observe(items.len() as u64);
            match &answer {
                Ok(verdicts) => {
                    self.meter.commit_us.observe(began.elapsed().as_micros() as u64);
                    self.meter.count(items.iter().zip(verdicts).map(|(item, verdict)| {
                        let (table, signal) = item.kind();
                        (table, signal, verdict.as_str())
                    }));
                }
                Err(error) => {
                    self.meter.n_failed_batches.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(error = %error, n_items = items.len(), "a batch was not written");
                }
            }
            drop(items);
            let batch = std::mem::take(&mut taken.values);
            drop(taken);
            reply(batch, answer);
        }
    }

    /// Writes items in one transaction. Where the database refuses a row for what it holds, the batch is halved until the
    /// row stands alone; every other failure is the whole batch's.
    async fn write(&mut self, items: &[Item<'_>]) -> Outcome {
        let (mut attempt, mut is_parted) = (1, false);
        loop {
            // The connection is no pool's: a cut attempt closes it, and the server rolls back or has committed.
            let writing =
                async { if is_parted { self.write_parted(items).await } else { self.write_once(items).await } };
            let once = tokio::time::timeout(GIVE_UP_AFTER, writing).await;
            match once.unwrap_or(Err(StoreError::Unavailable(Cause::Connection("no answer came in time")))) {
                Err(StoreError::Contended(_)) if attempt < N_ATTEMPTS => {
                    tokio::time::sleep(jitter(PAUSE * attempt)).await;
                    attempt += 1;
                }
                Err(StoreError::Refused(_)) if items.len() == 1 => return Ok(vec![Verdict::Unstorable]),
                Err(StoreError::Refused(_)) if !is_parted => is_parted = true,
                other => return other,
            }
        }
    }

    /// Writes items in one transaction around those that the database refuses: all that it takes, or nothing.
    async fn write_parted(&mut self, items: &[Item<'_>]) -> Outcome {
        let mut tx = self.begin(&projects_of(items)).await?;
        let verdicts = write_part(&mut tx, items).await?;
        self.connection = tx.commit_and_keep().await?;
        Ok(verdicts)
    }

    async fn write_once(&mut self, items: &[Item<'_>]) -> Outcome {
        let projects = projects_of(items);
        self.n_careful_batches = self.n_careful_batches.saturating_sub(1);
        loop {
            let telling = if self.n_careful_batches > 0 { Telling::Keys } else { Telling::Count };
            let mut tx = self.begin(&projects).await?;
            match write_in(&mut tx, items, telling).await {
                Ok(Some(verdicts)) => {
                    self.connection = tx.commit_and_keep().await?;
                    return Ok(verdicts);
                }
                Ok(None) => {
                    self.connection = tx.roll_back_and_keep().await?;
                    self.n_careful_batches = N_CAREFUL_BATCHES;
                }
                Err(error @ (StoreError::Refused(_) | StoreError::Contended(_))) => {
                    self.connection = tx.roll_back_and_keep().await.unwrap_or_default();
                    return Err(error);
                }
                // Nobody knows what state the connection is in; dropped, it is closed.
                Err(error) => return Err(error),
            }
        }
    }

    /// Begins on the connection that is kept, or else on one from the pool.
    async fn begin(&mut self, projects: &[ProjectId]) -> Result<Tx, StoreError> {
        if let Some(kept) = self.connection.take()
            && let Ok(tx) = kept.begin("ingest", Access::Projects(projects)).await
        {
            return Ok(tx);
        }
        // A server that was restarted meanwhile is noticed above, where nothing has been asked of it yet.
        self.store.writer_connection().await?.begin("ingest", Access::Projects(projects)).await
    }
}

fn projects_of(items: &[Item<'_>]) -> Vec<ProjectId> {
    let mut projects: Vec<ProjectId> = items.iter().map(Item::project_id).collect();
    projects.sort_unstable();
    projects.dedup();
    projects
}

/// Writes a part of a batch behind a savepoint; where the database refuses a row of it, its halves.
async fn write_part(tx: &mut Tx, items: &[Item<'_>]) -> Outcome {
    tx.set_savepoint().await?;
    match write_in(tx, items, Telling::Keys).await {
        Ok(verdicts) => {
            tx.release_savepoint().await?;
            verdicts.ok_or(StoreError::Unavailable(Cause::Connection("the keys were not told")))
        }
        Err(StoreError::Refused(_)) => {
            tx.roll_back_to_savepoint().await?;
            if items.len() == 1 {
                return Ok(vec![Verdict::Unstorable]);
            }
            let (left, right) = items.split_at(items.len() / 2);
            let mut verdicts = Box::pin(write_part(tx, left)).await?;
            verdicts.extend(Box::pin(write_part(tx, right)).await?);
            Ok(verdicts)
        }
        Err(error) => Err(error),
    }
}

/// Waits for a request, then takes what else is waiting.
async fn next_batch(queue: &Queue<Work>, max_requests: usize) -> Option<Taken<'_, Work>> {
    let (mut n_requests, mut n_items, mut n_bytes) = (0, 0, 0);
    queue
        .take(|work| {
            n_requests += 1;
            n_items += work.items.len();
            n_bytes += work.room.n_bytes();
            n_requests <= max_requests && n_items <= MAX_BATCH_ITEMS && n_bytes <= MAX_BATCH_BYTES
        })
        .await
}

fn items_of(work: &Work) -> Vec<Item<'_>> {
    let (project_id, received_at, trust) = (work.project_id, work.received_at, work.trust);
    let granted_conversation_id =
        work.grant.as_ref().and_then(|grant| grant.conversation()).map(ConversationId::as_str);
    match &work.items {
        Items::Completions(items) => items
            .iter()
            .map(|completion| Item::Completion(CompletionRow { project_id, completion, received_at }))
            .collect(),
        Items::Feedback(items) => items
            .iter()
            .map(|feedback| {
                let effective_at = effective_at(feedback, received_at);
                Item::Feedback(FeedbackRow {
                    project_id,
                    feedback,
                    trust,
                    granted_conversation_id,
                    effective_at,
                    received_at,
                })
            })
            .collect(),
    }
}

fn reply(batch: Vec<Work>, outcome: Outcome) {
    let mut verdicts = outcome.ok().map(Verdicts::all_of);
    for work in batch {
        let failure = || StoreError::Unavailable(Cause::Connection("the batch was not written"));
        let told = verdicts.as_mut().map(|verdicts| verdicts.take(work.items.len())).ok_or_else(failure);
        // A caller that no longer waits has hung up; its items are written all the same.
        let _gone = work.reply.send((told, work.items));
    }
}

/// Writes items; returns nothing where not all were new and nobody asked which.
async fn write_in(tx: &mut Tx, items: &[Item<'_>], telling: Telling) -> Result<Option<Vec<Verdict>>, StoreError> {
    let mut verdicts = vec![Verdict::Unstorable; items.len()];
    let is_told = write_completions(tx, items, telling, &mut verdicts).await?
        && write_feedback(tx, items, telling, &mut verdicts).await?;
    Ok(is_told.then_some(verdicts))
}

async fn write_completions(
    tx: &mut Tx,
    items: &[Item<'_>],
    telling: Telling,
    verdicts: &mut [Verdict],
) -> Result<bool, StoreError> {
    let rows = items.iter().enumerate().filter_map(|(place, item)| match item {
        Item::Completion(row) => Some(Entry {
            key: (row.project_id, row.completion.id.as_str(), Uuid::nil()),
            place,
            content: row.completion.content_hash,
            row: *row,
        }),
        Item::Feedback(_) => None,
    });
    let entries = sorted(rows);
    if entries.is_empty() {
        return Ok(true);
    }
    let owned = |row: &CompletionRow<'_>| (row.project_id, row.completion.id.clone());
    let firsts: Vec<CompletionRow<'_>> = firsts(&entries).map(|entry| entry.row).collect();
    let inserted = completions::insert(tx, &firsts, telling).await?;
    let Some(missing) = missing(&firsts, &inserted, owned) else { return Ok(false) };
    let stored = if missing.is_empty() { HashMap::new() } else { completions::list_hashes(tx, &missing).await? };
    let absent: Vec<CompletionRow<'_>> = absent(&firsts, &missing, &stored, owned);
    let erased = if absent.is_empty() { HashSet::new() } else { completions::list_erased(tx, &absent).await? };
    let missing = Missing { keys: missing.into_iter().collect(), stored, erased };
    judge(&entries, &missing, owned, verdicts).map(|()| true)
}

async fn write_feedback(
    tx: &mut Tx,
    items: &[Item<'_>],
    telling: Telling,
    verdicts: &mut [Verdict],
) -> Result<bool, StoreError> {
    let rows = items.iter().enumerate().filter_map(|(place, item)| match item {
        Item::Feedback(row) => Some(Entry {
            key: (row.project_id, row.feedback.completion_id.as_str(), row.feedback.id.0),
            place,
            content: row.feedback.content_hash,
            row: *row,
        }),
        Item::Completion(_) => None,
    });
    let entries = sorted(rows);
    if entries.is_empty() {
        return Ok(true);
    }
    let owned = |row: &FeedbackRow<'_>| (row.project_id, row.feedback.completion_id.clone(), row.feedback.id);
    let firsts: Vec<FeedbackRow<'_>> = firsts(&entries).map(|entry| entry.row).collect();
    let inserted = feedback::insert(tx, &firsts, telling).await?;
    let Some(missing) = missing(&firsts, &inserted, owned) else { return Ok(false) };
    let stored = if missing.is_empty() { HashMap::new() } else { feedback::list_hashes(tx, &missing).await? };
    let absent: Vec<FeedbackRow<'_>> = absent(&firsts, &missing, &stored, owned);
    let erased = if absent.is_empty() { HashSet::new() } else { feedback::list_erased(tx, &absent).await? };
    let missing = Missing { keys: missing.into_iter().collect(), stored, erased };
    judge(&entries, &missing, owned, verdicts).map(|()| true)
}

/// An item of one table on its way.
struct Entry<'a, R> {
    /// Project, completion and, for feedback, its own id.
    key: (ProjectId, &'a str, Uuid),
    /// Place in the batch.
    place: usize,
    content: ContentHash,
    row: R,
}

/// Sorts by key and, within a key, by place: the first of each key is the one that is inserted.
fn sorted<'a, R>(entries: impl Iterator<Item = Entry<'a, R>>) -> Vec<Entry<'a, R>> {
    let mut entries: Vec<_> = entries.collect();
    entries.sort_unstable_by(|left, right| (left.key, left.place).cmp(&(right.key, right.place)));
    entries
}

fn firsts<'e, 'a, R>(entries: &'e [Entry<'a, R>]) -> impl Iterator<Item = &'e Entry<'a, R>> {
    entries
        .iter()
        .enumerate()
        .filter(|(at, entry)| *at == 0 || entries[at - 1].key != entry.key)
        .map(|(_, entry)| entry)
}

/// Returns the keys of the rows that were not inserted, where that is known.
fn missing<R, K: Eq + Hash>(rows: &[R], inserted: &Inserted<K>, owned: impl Fn(&R) -> K) -> Option<Vec<K>> {
    match inserted {
        Inserted::All => Some(Vec::new()),
        Inserted::Only(keys) => Some(rows.iter().map(owned).filter(|key| !keys.contains(key)).collect()),
        Inserted::Fewer => None,
    }
}

/// Returns the rows that were not inserted though nothing is stored under their key.
fn absent<R: Copy, K: Eq + Hash>(
    rows: &[R],
    missing: &[K],
    stored: &HashMap<K, ContentHash>,
    owned: impl Fn(&R) -> K,
) -> Vec<R> {
    if missing.len() == stored.len() {
        return Vec::new();
    }
    let absent: HashSet<&K> = missing.iter().filter(|key| !stored.contains_key(*key)).collect();
    rows.iter().filter(|row| absent.contains(&owned(row))).copied().collect()
}

/// What is known of the rows that were not inserted.
struct Missing<K> {
    keys: HashSet<K>,
    /// Those under whose keys something is stored.
    stored: HashMap<K, ContentHash>,
    /// Those that may not come back.
    erased: HashSet<K>,
}

/// Fills in the verdicts: the first of an inserted key is accepted; everything else is measured against what the table
/// holds under its key now.
fn judge<R, K: Eq + Hash>(
    entries: &[Entry<'_, R>],
    missing: &Missing<K>,
    owned: impl Fn(&R) -> K,
    verdicts: &mut [Verdict],
) -> Result<(), StoreError> {
    let mut held: Option<&Entry<'_, R>> = None;
    let (mut held_content, mut same) = (ContentHash([0; 16]), Verdict::Duplicate);
    for entry in entries {
        if held.is_none_or(|held| held.key != entry.key) {
            held = Some(entry);
            (held_content, same) = (entry.content, Verdict::Duplicate);
            let key = (!missing.keys.is_empty()).then(|| owned(&entry.row)).filter(|key| missing.keys.contains(key));
            let Some(key) = key else {
                verdicts[entry.place] = Verdict::Accepted;
                continue;
            };
            match missing.stored.get(&key) {
                Some(stored) => held_content = *stored,
                None if missing.erased.contains(&key) => same = Verdict::Erased,
                // A row that stood in the way a moment ago and is gone now: somebody deleted it, so try again.
                None => return Err(StoreError::Contended(Cause::Connection("a row vanished"))),
            }
        }
        verdicts[entry.place] = if held_content == entry.content { same } else { Verdict::Conflict };
    }
    Ok(())
}
