//! One budget of memory for all bodies together: a body asks for room before it grows, waits a moment where there is
//! none, and is turned away where none comes. The memory itself is lent in equal pieces that are used again. It knows bytes,
//! and neither requests nor encodings.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::Problem;
use super::problem;

/// What every body may take beside the budget, so that small ones pass while large ones hold all of it. The number of
/// requests at once bounds the sum.
pub(crate) const FREE_BYTES: usize = 64 << 10;
/// The budget is counted in pieces of this size.
const PIECE_BYTES: usize = 1 << 10;
/// How long a body waits for room. It holds what it has meanwhile, so that the wait is also what ends a standstill
/// where every body waits for the others.
const PATIENCE: Duration = Duration::from_secs(1);
/// The pieces that bodies are kept in.
pub(crate) const LENT_BYTES: usize = 64 << 10;
/// How many pieces are kept for the next body when none is lent.
const N_KEPT: usize = 16;

/// The memory that bodies share.
#[derive(Debug, Clone)]
pub(crate) struct BodyBudget {
    pieces: Arc<Semaphore>,
    max_bytes: usize,
    stock: Stock,
}

impl BodyBudget {
    /// Makes a budget of so many bytes.
    pub(crate) fn new(max_bytes: usize) -> Self {
        let pieces = Arc::new(Semaphore::new(max_bytes.div_ceil(PIECE_BYTES)));
        Self { pieces, max_bytes, stock: Stock::default() }
    }

    /// Returns where the memory comes from.
    pub(crate) fn stock(&self) -> &Stock {
        &self.stock
    }

    /// Begins a share with what is free.
    pub(crate) fn share(&self) -> Share {
        Share { budget: self.clone(), n_bytes: FREE_BYTES, held: None }
    }
}

/// Pieces of memory, lent to whichever thread asks and kept for the next one.
///
/// An allocator keeps for each thread what the thread has freed, and holds a page of it for as long as one block of the
/// page is in use: bodies of a budget of 24 MiB, on two threads, left it holding 90 MB.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stock(Arc<Mutex<Spare>>);

#[derive(Debug, Default)]
struct Spare {
    pieces: Vec<Vec<u8>>,
    n_lent: usize,
}

/// A piece of memory, empty at first; it goes back when this is dropped.
#[derive(Debug)]
pub(crate) struct Piece {
    bytes: Vec<u8>,
    stock: Stock,
}

impl Stock {
    /// Lends a piece.
    pub(crate) fn lend(&self) -> Piece {
        let spare = {
            let mut stock = self.lock();
            stock.n_lent += 1;
            stock.pieces.pop()
        };
        Piece { bytes: spare.unwrap_or_else(|| Vec::with_capacity(LENT_BYTES)), stock: self.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Spare> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Piece {
    /// Returns what is in it.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes what fits of some bytes; returns how many that are.
    pub(crate) fn fill(&mut self, bytes: &[u8]) -> usize {
        let n_fitting = bytes.len().min(LENT_BYTES - self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..n_fitting]);
        n_fitting
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        let mut stock = self.stock.lock();
        stock.n_lent -= 1;
        stock.pieces.push(bytes);
        if stock.n_lent == 0 && stock.pieces.len() > N_KEPT {
            let freed = stock.pieces.split_off(N_KEPT);
            drop(stock);
            drop(freed);
        }
    }
}

/// What one body may take; it goes back when this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: BodyBudget,
    n_bytes: usize,
    held: Option<OwnedSemaphorePermit>,
}

impl Share {
    /// Returns how many bytes the body may take.
    pub(crate) fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// Enlarges the share to so many bytes, waiting for others to give back theirs.
    pub(crate) async fn grow_to(&mut self, n_bytes: usize) -> Result<(), Problem> {
        if n_bytes <= self.n_bytes {
            return Ok(());
        }
        let n_pieces = self.n_missing(n_bytes);
        let busy = || {
            Problem::new(problem::BUSY).detail(
                "the bodies of other requests take all the memory there is for them; nothing was stored, send the \
                 request again a little later",
            )
        };
        if n_bytes - FREE_BYTES > self.budget.max_bytes {
            return Err(busy());
        }
        let asked = Arc::clone(&self.budget.pieces).acquire_many_owned(n_pieces);
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(more)) => self.take(more, n_pieces),
            _ => return Err(busy()),
        }
        Ok(())
    }

    /// Enlarges the share to so many bytes if nobody needs to be waited for, and tells whether it did.
    pub(crate) fn try_grow_to(&mut self, n_bytes: usize) -> bool {
        if n_bytes <= self.n_bytes {
            return true;
        }
        let n_pieces = self.n_missing(n_bytes);
        let asked = Arc::clone(&self.budget.pieces).try_acquire_many_owned(n_pieces);
        asked.map(|more| self.take(more, n_pieces)).is_ok()
    }

    fn n_missing(&self, n_bytes: usize) -> u32 {
        u32::try_from((n_bytes - self.n_bytes).div_ceil(PIECE_BYTES)).unwrap_or(u32::MAX)
    }

    fn take(&mut self, more: OwnedSemaphorePermit, n_pieces: u32) {
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        self.n_bytes += n_pieces as usize * PIECE_BYTES;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_share_grows_within_the_budget_and_gives_it_back() {
        let budget = BodyBudget::new(1 << 20);
        let mut large = budget.share();
        large.grow_to(FREE_BYTES + (1 << 20)).await.unwrap();
        let mut other = budget.share();

        assert!(other.grow_to(FREE_BYTES).await.is_ok(), "a small body needs no room");
        let refused = other.grow_to(FREE_BYTES + 1).await.unwrap_err();
        assert_eq!((refused.kind().code, other.n_bytes()), ("busy", FREE_BYTES));
        drop(large);
        assert!(other.grow_to(2 * FREE_BYTES).await.is_ok());
        assert_eq!(budget.pieces.available_permits() * PIECE_BYTES, (1 << 20) - FREE_BYTES);
    }

    #[test]
    fn pieces_are_used_again_and_given_up_when_none_is_lent() {
        let stock = Stock::default();
        let mut lent: Vec<Piece> = (0..2 * N_KEPT).map(|_| stock.lend()).collect();
        assert_eq!(lent[0].fill(&vec![7; LENT_BYTES - 1]), LENT_BYTES - 1);
        assert_eq!((lent[0].fill(b"ab"), lent[0].bytes()[LENT_BYTES - 1]), (1, b'a'));
        let places: Vec<*const u8> = lent.iter().map(|piece| piece.bytes.as_ptr()).collect();

        let kept = lent.pop();
        drop(lent);
        let again = stock.lend();

        assert!(places.contains(&again.bytes.as_ptr()) && again.bytes().is_empty());
        assert_eq!(stock.lock().pieces.len(), 2 * N_KEPT - 2);
        drop((kept, again));
        assert_eq!(stock.lock().pieces.len(), N_KEPT);
    }

    #[tokio::test]
    async fn a_body_that_waits_gets_the_room_that_another_gives_back() {
        let budget = BodyBudget::new(1 << 20);
        let (mut first, mut second) = (budget.share(), budget.share());
        first.grow_to(1 << 20).await.unwrap();

        let (grown, ()) = tokio::join!(second.grow_to(1 << 20), async {
            tokio::task::yield_now().await;
            drop(first);
        });

        assert!(grown.is_ok());
    }

    #[tokio::test]
    async fn what_the_whole_budget_cannot_hold_is_not_waited_for() {
        let started = tokio::time::Instant::now();

        let refused = BodyBudget::new(1 << 20).share().grow_to(2 << 20).await;

        assert!(refused.is_err() && started.elapsed() < PATIENCE);
    }
}
