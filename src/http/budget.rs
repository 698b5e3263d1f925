//! One budget of memory for all bodies together: a body asks for room before it grows, waits a moment where there is
//! none, and is turned away where none comes. It knows bytes, and neither requests nor encodings.

use std::sync::Arc;
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

/// The memory that bodies share.
#[derive(Debug, Clone)]
pub(crate) struct BodyBudget {
    pieces: Arc<Semaphore>,
    max_bytes: usize,
}

impl BodyBudget {
    /// Makes a budget of so many bytes.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { pieces: Arc::new(Semaphore::new(max_bytes.div_ceil(PIECE_BYTES))), max_bytes }
    }

    /// Begins a share with what is free.
    pub(crate) fn share(&self) -> Share {
        Share { budget: self.clone(), n_bytes: FREE_BYTES, held: None }
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
