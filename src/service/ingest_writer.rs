//! Group commit: whatever waits is written in one transaction, and each caller hears of its own items after the commit.
//!
//! The writers own every ingest transaction, so that no client that hangs up can cut one (ACK-1).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::sync::oneshot;

use super::ingest::{Answer, Verdict};
use super::ingest_meter::IngestMeter;
use super::ingest_queue::{Queue, Room};
use crate::domain::clock::Timestamp;
use crate::domain::completion::NewCompletion;
use crate::domain::feedback::{NewFeedback, effective_at};
use crate::domain::grant::Grant;
use crate::domain::hash::ContentHash;
use crate::domain::ids::{ConversationId, ProjectId};
use crate::domain::principal::Trust;
use crate::store::completions::{self, CompletionRow};
use crate::store::connection::{Pool, Tx};
use crate::store::error::Cause;
use crate::store::feedback::{self, FeedbackRow};
use crate::store::{Access, Store, StoreError};

/// Enough to make the commit cheap for each item.
const MAX_BATCH_ITEMS: usize = 4_000;
/// Memory that a batch's items may take, about: a batch is in memory twice, as items and as it goes to the database.
const MAX_BATCH_BYTES: u64 = 8 << 20;
const N_ATTEMPTS: usize = 4;

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

/// Writes batches of up to so many requests until the queue is closed and empty.
pub(super) async fn run_writer(store: Store, queue: Arc<Queue<Work>>, meter: Arc<IngestMeter>, max_requests: usize) {
    while let Some(batch) = next_batch(&queue, max_requests).await {
        let items: Vec<Item<'_>> = batch.iter().flat_map(items_of).collect();
        let began = Instant::now();
        let answer = write(&store, &items).await;
        meter.batch_items.observe(items.len() as u64);
        match &answer {
            Ok(verdicts) => {
                meter.commit_us.observe(began.elapsed().as_micros() as u64);
                meter.count(items.iter().zip(verdicts).map(|(item, verdict)| {
                    let (table, signal) = item.kind();
                    (table, signal, verdict.as_str())
                }));
            }
            Err(error) => {
                meter.n_failed_batches.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(error = %error, n_items = items.len(), "a batch was not written");
            }
        }
        drop(items);
        reply(batch, answer);
    }
}

/// Waits for a request, then takes what else is waiting, without any delay.
async fn next_batch(queue: &Queue<Work>, max_requests: usize) -> Option<Vec<Work>> {
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

fn reply(batch: Vec<Work>, answer: Answer) {
    match answer {
        Ok(verdicts) => {
            let mut verdicts = verdicts.into_iter();
            for work in batch {
                // A caller that no longer waits has hung up; its items are written all the same.
                let _gone = work.reply.send(Ok(verdicts.by_ref().take(work.items.len()).collect()));
            }
        }
        Err(_) => {
            for work in batch {
                let failure = StoreError::Unavailable(Cause::Connection("the batch was not written"));
                let _gone = work.reply.send(Err(failure));
            }
        }
    }
}

/// Writes items in one transaction. Where the database refuses a row for what it holds, the batch is halved until the
/// row stands alone; every other failure is the whole batch's.
async fn write(store: &Store, items: &[Item<'_>]) -> Answer {
    let mut attempt = 1;
    loop {
        match write_once(store, items).await {
            Err(StoreError::Contended(_)) if attempt < N_ATTEMPTS => attempt += 1,
            Err(StoreError::Refused(_)) if items.len() == 1 => return Ok(vec![Verdict::Unstorable]),
            Err(StoreError::Refused(_)) => {
                let (left, right) = items.split_at(items.len() / 2);
                let mut verdicts = Box::pin(write(store, left)).await?;
                verdicts.extend(Box::pin(write(store, right)).await?);
                return Ok(verdicts);
            }
            other => return other,
        }
    }
}

async fn write_once(store: &Store, items: &[Item<'_>]) -> Answer {
    let mut projects: Vec<ProjectId> = items.iter().map(Item::project_id).collect();
    projects.sort_unstable();
    projects.dedup();
    let mut tx = store.begin(Pool::Ingest, "ingest", Access::Projects(&projects)).await?;
    let mut verdicts = vec![Verdict::Unstorable; items.len()];
    write_completions(&mut tx, items, &mut verdicts).await?;
    write_feedback(&mut tx, items, &mut verdicts).await?;
    tx.commit().await?;
    Ok(verdicts)
}

async fn write_completions(tx: &mut Tx, items: &[Item<'_>], verdicts: &mut [Verdict]) -> Result<(), StoreError> {
    let rows: Vec<(usize, CompletionRow<'_>)> = items
        .iter()
        .enumerate()
        .filter_map(|(place, item)| if let Item::Completion(row) = item { Some((place, *row)) } else { None })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let key = |row: &CompletionRow<'_>| (row.project_id, row.completion.id.clone());
    let entries = Entries::of(&rows, key, |row| row.completion.content_hash);
    let firsts: Vec<CompletionRow<'_>> = entries.firsts.iter().map(|index| rows[*index].1).collect();
    let inserted: HashSet<_> = completions::insert(tx, &firsts).await?.into_iter().collect();
    let missing = entries.keys_besides(&inserted);
    let stored = if missing.is_empty() { HashMap::new() } else { completions::list_hashes(tx, &missing).await? };
    entries.judge(&inserted, &stored, verdicts)
}

async fn write_feedback(tx: &mut Tx, items: &[Item<'_>], verdicts: &mut [Verdict]) -> Result<(), StoreError> {
    let rows: Vec<(usize, FeedbackRow<'_>)> = items
        .iter()
        .enumerate()
        .filter_map(|(place, item)| if let Item::Feedback(row) = item { Some((place, *row)) } else { None })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let key = |row: &FeedbackRow<'_>| (row.project_id, row.feedback.completion_id.clone(), row.feedback.id);
    let entries = Entries::of(&rows, key, |row| row.feedback.content_hash);
    let firsts: Vec<FeedbackRow<'_>> = entries.firsts.iter().map(|index| rows[*index].1).collect();
    let inserted: HashSet<_> = feedback::insert(tx, &firsts).await?.into_iter().collect();
    let missing = entries.keys_besides(&inserted);
    let stored = if missing.is_empty() { HashMap::new() } else { feedback::list_hashes(tx, &missing).await? };
    entries.judge(&inserted, &stored, verdicts)
}

/// The items of one table in a batch, sorted by key; the first of each key is the one that is inserted.
struct Entries<K> {
    /// Key, place in the batch, content, in the order of the keys and, within a key, of the batch.
    sorted: Vec<(K, usize, ContentHash)>,
    /// Indexes, into the rows that were given, of the first of each key.
    firsts: Vec<usize>,
}

impl<K: Clone + Ord + std::hash::Hash> Entries<K> {
    fn of<R>(rows: &[(usize, R)], key: impl Fn(&R) -> K, hash: impl Fn(&R) -> ContentHash) -> Self {
        let mut order: Vec<(K, usize)> = rows.iter().enumerate().map(|(index, (_, row))| (key(row), index)).collect();
        order.sort();
        let firsts = order
            .iter()
            .enumerate()
            .filter(|(at, (key, _))| *at == 0 || order[at - 1].0 != *key)
            .map(|(_, (_, index))| *index)
            .collect();
        let sorted = order.into_iter().map(|(key, index)| (key, rows[index].0, hash(&rows[index].1))).collect();
        Self { sorted, firsts }
    }

    fn keys_besides(&self, inserted: &HashSet<K>) -> Vec<K> {
        let mut keys: Vec<K> =
            self.sorted.iter().map(|(key, ..)| key).filter(|key| !inserted.contains(*key)).cloned().collect();
        keys.dedup();
        keys
    }

    /// Fills in the verdicts: the first of an inserted key is accepted; everything else is measured against what the
    /// table holds under its key now.
    fn judge(
        &self,
        inserted: &HashSet<K>,
        stored: &HashMap<K, ContentHash>,
        verdicts: &mut [Verdict],
    ) -> Result<(), StoreError> {
        let mut held: Option<(&K, ContentHash)> = None;
        for (key, place, content) in &self.sorted {
            let is_first = held.is_none_or(|(held_key, _)| held_key != key);
            if is_first && inserted.contains(key) {
                held = Some((key, *content));
                verdicts[*place] = Verdict::Accepted;
                continue;
            }
            if is_first {
                // A row that stood in the way a moment ago and is gone now: somebody deleted it, so try again.
                let content =
                    stored.get(key).copied().ok_or(StoreError::Contended(Cause::Connection("a row vanished")))?;
                held = Some((key, content));
            }
            let same = held.is_some_and(|(_, held)| held == *content);
            verdicts[*place] = if same { Verdict::Duplicate } else { Verdict::Conflict };
        }
        Ok(())
    }
}
