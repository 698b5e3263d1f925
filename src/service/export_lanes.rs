//! Reads the prompts of a snapshot over several connections at once, and gives what is made of them in their order.
//!
//! Every lane is a transaction that sees the one snapshot. It claims the next stretch of prompts, fetches it, works on it
//! and claims again; the claims are queued, so that whoever consumes takes the results in the order of the prompts,
//! whichever lane was quicker. What comes out therefore does not depend on the number of lanes. The queue is as long as
//! there are lanes: none runs further ahead.

use std::ops::Range;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::App;
use super::detached::spawn;
use super::error::ServiceError;
use super::export_run::RunError;
use crate::domain::hash::ContentHash;
use crate::domain::ids::ProjectId;
use crate::domain::recipe::{Recipe, ToolCalls};
use crate::store::StoreError;
use crate::store::Tx;
use crate::store::groups::{self, Group, Wanted};

/// Bytes of prompts and answers that a page is to hold: lanes have several in hand.
const PAGE_BYTES: u64 = 2 << 20;
/// Prompts of the first page, when nothing is known of their size.
const N_PROMPTS_OF_FIRST_PAGE: u64 = 32;
/// Prompts of a page at most.
const MAX_PROMPTS_OF_PAGE: u64 = 256;
/// Lanes at most: beyond that one consumer does not keep up.
const MAX_LANES: usize = 8;
/// How often the server hears of a transaction that waits for hooks; it ends one that was idle for a minute.
const STAY_EVERY: Duration = Duration::from_secs(5);

/// What is read, whichever lane reads it.
pub(super) struct Prompts {
    pub(super) project_id: ProjectId,
    pub(super) recipe: Recipe,
    pub(super) hashes: Vec<ContentHash>,
}

impl Prompts {
    async fn fetch(&self, tx: &mut Tx, range: Range<usize>) -> Result<Vec<Group>, StoreError> {
        let options = &self.recipe.options;
        let wanted = Wanted { tools: options.tool_calls != ToolCalls::Exclude, safety_label: &options.safety_label };
        let hashes = self.hashes.get(range).unwrap_or_default();
        groups::list(tx, self.project_id, &self.recipe.selection, hashes, wanted).await
    }
}

/// Transactions that see one snapshot.
pub(super) struct Lanes(Vec<Tx>);

impl Lanes {
    /// Opens as many lanes as there are processors, beside the transaction that tells the snapshot, which is one of them;
    /// fewer where other exports hold the connections.
    pub(super) async fn open(app: &App, mut first: Tx, project_id: ProjectId) -> Result<Self, StoreError> {
        let n_processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let snapshot = first.share_snapshot().await?;
        groups::read_by_index(&mut first).await?;
        let mut lanes = vec![first];
        // One more than processors: while one waits for the server, all of them have something to do.
        while lanes.len() < (n_processors + 1).min(MAX_LANES) {
            match app.store.join_snapshot("export.lane", project_id, &snapshot).await {
                Ok(Some(mut lane)) => {
                    groups::read_by_index(&mut lane).await?;
                    lanes.push(lane);
                }
                Ok(None) => break,
                // Another export was quicker, or the server has no more; the lanes that there are do the work.
                Err(error) if error.is_retryable() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(Self(lanes))
    }

    /// Starts to read: `work` makes something of the groups of each page.
    pub(super) fn walk<T, W>(self, prompts: &Arc<Prompts>, work: W) -> Pages<T>
    where
        T: Send + 'static,
        W: AsyncWork<T>,
    {
        let (order, pages) = mpsc::channel(self.0.len());
        let cursor = Cursor { next: 0, n_prompts_of_page: N_PROMPTS_OF_FIRST_PAGE, order };
        let walk = Arc::new(Walk { prompts: Arc::clone(prompts), cursor: Mutex::new(cursor), work });
        let lanes = self.0.into_iter().map(|tx| spawn(lane(tx, Arc::clone(&walk)))).collect();
        Pages { pages, lanes }
    }

    /// Ends every transaction.
    pub(super) async fn close(self) -> Result<(), StoreError> {
        for tx in self.0 {
            tx.commit().await?;
        }
        Ok(())
    }
}

/// What is done with a page, on whichever lane.
pub(super) trait AsyncWork<T>: Send + Sync + 'static {
    /// Makes something of the groups.
    fn work_on(&self, groups: Vec<Group>) -> impl Future<Output = Result<T, RunError>> + Send;
}

/// A page as it is promised: the number of its prompts, and what was made of them.
type Promise<T> = oneshot::Receiver<Result<(u64, T), RunError>>;

/// What all lanes share.
struct Walk<T, W> {
    prompts: Arc<Prompts>,
    cursor: Mutex<Cursor<T>>,
    work: W,
}

struct Cursor<T> {
    next: usize,
    n_prompts_of_page: u64,
    order: mpsc::Sender<Promise<T>>,
}

/// What the lanes give, page by page.
pub(super) struct Pages<T> {
    pages: mpsc::Receiver<Promise<T>>,
    lanes: Vec<JoinHandle<Result<Tx, StoreError>>>,
}

impl<T> Pages<T> {
    /// Waits for the next page; nothing after the last one.
    pub(super) async fn next(&mut self, stop: &CancellationToken) -> Result<Option<(u64, T)>, RunError> {
        let next = async {
            let Some(page) = self.pages.recv().await else { return Ok(None) };
            let broken = |_| RunError::Failed(ServiceError::Internal("a lane of an export ended without a page"));
            page.await.map_err(broken)?.map(Some)
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => Err(RunError::Stopped),
            page = next => page,
        }
    }

    /// Waits until every lane has ended, whether or not all pages were taken, and gives the transactions back.
    pub(super) async fn end(self) -> Result<Lanes, RunError> {
        // Whoever still works on a page hears that nobody wants it.
        drop(self.pages);
        let mut lanes = Vec::with_capacity(self.lanes.len());
        for lane in self.lanes {
            let broken = |_| RunError::Failed(ServiceError::Internal("a lane of an export ended without a result"));
            lanes.push(lane.await.map_err(broken)??);
        }
        Ok(Lanes(lanes))
    }
}

/// Claims page after page until none is left, or nobody wants more.
async fn lane<T: Send + 'static, W: AsyncWork<T>>(mut tx: Tx, walk: Arc<Walk<T, W>>) -> Result<Tx, StoreError> {
    while let Some((range, mut reply)) = claim(&mut tx, &walk).await? {
        let page = make(&mut tx, &walk, range, reply.closed()).await;
        let Some(page) = page.transpose() else { break };
        let failed = page.is_err();
        // Where nobody waits for it, it is not wanted any more.
        let _ = reply.send(page);
        if failed {
            break;
        }
    }
    Ok(tx)
}

/// A stretch of prompts, and where what is made of them is waited for.
type Claim<T> = (Range<usize>, oneshot::Sender<Result<(u64, T), RunError>>);

/// Claims the next stretch as soon as there is room for it; nothing where none is left, or nobody wants more.
async fn claim<T: Send, W>(tx: &mut Tx, walk: &Walk<T, W>) -> Result<Option<Claim<T>>, StoreError> {
    let order = lock(&walk.cursor).order.clone();
    let Ok(permit) = attend(tx, order.reserve()).await? else { return Ok(None) };
    let mut cursor = lock(&walk.cursor);
    let (start, n_left) = (cursor.next, walk.prompts.hashes.len() - cursor.next);
    if n_left == 0 {
        return Ok(None);
    }
    let range = start..start + n_left.min(cursor.n_prompts_of_page as usize);
    cursor.next = range.end;
    let (reply, page) = oneshot::channel();
    // Under the lock, so that pages are queued in the order of the prompts.
    permit.send(page);
    Ok(Some((range, reply)))
}

/// Makes a page; nothing where nobody wants it any more. The statement that fetches it is waited for in any case: one that is
/// given up leaves its connection in the middle of an answer.
async fn make<T, W: AsyncWork<T>>(
    tx: &mut Tx,
    walk: &Walk<T, W>,
    range: Range<usize>,
    unwanted: impl Future<Output = ()>,
) -> Result<Option<(u64, T)>, RunError> {
    let groups = walk.prompts.fetch(tx, range).await?;
    let n_prompts = groups.len() as u64;
    let n_bytes: u64 = groups.iter().map(|group| group.n_bytes).sum();
    if n_prompts > 0 {
        lock(&walk.cursor).n_prompts_of_page = n_prompts_of_page(n_prompts, n_bytes);
    }
    let working = async {
        tokio::select! {
            made = walk.work.work_on(groups) => made.map(Some),
            () = unwanted => Ok(None),
        }
    };
    Ok(attend(tx, working).await??.map(|made| (n_prompts, made)))
}

/// Returns how many prompts the next page may have, given what the last one was like.
fn n_prompts_of_page(n_prompts: u64, n_bytes: u64) -> u64 {
    (PAGE_BYTES * n_prompts / n_bytes.max(1)).clamp(1, MAX_PROMPTS_OF_PAGE)
}

/// Waits for something that is not the server, and keeps the transaction alive meanwhile.
async fn attend<T>(tx: &mut Tx, waiting: impl Future<Output = T>) -> Result<T, StoreError> {
    let mut waiting = pin!(waiting);
    loop {
        match tokio::time::timeout(STAY_EVERY, &mut waiting).await {
            Ok(done) => return Ok(done),
            Err(_) => groups::stay(tx).await?,
        }
    }
}

fn lock<T>(cursor: &Mutex<Cursor<T>>) -> std::sync::MutexGuard<'_, Cursor<T>> {
    // What it holds is true after every statement.
    cursor.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_shrinks_where_texts_are_long_and_grows_where_they_are_short() {
        assert_eq!(n_prompts_of_page(32, 32 * 16_384), 128);
        assert_eq!(n_prompts_of_page(256, 1_000), MAX_PROMPTS_OF_PAGE);
        assert_eq!(n_prompts_of_page(1, 64 << 20), 1, "one prompt is read however long it is");
        assert_eq!(n_prompts_of_page(3, 0), MAX_PROMPTS_OF_PAGE);
    }
}
