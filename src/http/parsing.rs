//! Where bodies are parsed: small ones at once, large ones on threads of their own, so that the others on the same thread
//! that serves need not wait for them. It knows neither JSON nor items.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::budget::Share;
use super::error::Problem;
use super::problem;
use crate::service::detached::blocking_on;

/// Bodies up to this size are parsed where they were read: that takes less than a millisecond, and to hand them over
/// would take a good part of it.
const AT_ONCE_BYTES: usize = 64 << 10;

/// The threads that parse large bodies.
#[derive(Debug)]
pub(crate) struct Parsers {
    seats: Arc<Semaphore>,
    runtime: Handle,
}

impl Parsers {
    /// Lets so many large bodies be parsed at a time, on threads of `runtime`.
    pub(crate) fn new(n_at_once: usize, runtime: Handle) -> Self {
        Self { seats: Arc::new(Semaphore::new(n_at_once.max(1))), runtime }
    }

    /// Parses a body of so many bytes, and returns what came of it with the memory that it may take.
    ///
    /// The share goes where the body goes: a client that hangs up meanwhile does not end the parsing, and what is still
    /// in memory must stay counted.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        n_bytes: usize,
        share: Share,
        parse: impl FnOnce() -> T + Send + 'static,
    ) -> Result<(T, Share), Problem> {
        if n_bytes <= AT_ONCE_BYTES {
            return Ok((parse(), share));
        }
        let failed = || Problem::new(problem::INTERNAL_ERROR);
        let seat = Arc::clone(&self.seats).acquire_owned().await.map_err(|_| failed())?;
        let parsing = blocking_on(&self.runtime, move || {
            let parsed = parse();
            drop(seat);
            (parsed, share)
        });
        Ok(parsing.await?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::super::budget::{BodyBudget, FREE_BYTES};
    use super::*;

    const LARGE_BYTES: usize = AT_ONCE_BYTES + 1;

    fn parsers() -> Parsers {
        Parsers::new(1, Handle::current())
    }

    #[tokio::test]
    async fn a_small_body_is_parsed_on_the_spot_and_a_large_one_elsewhere() {
        let (parsers, budget) = (parsers(), BodyBudget::new(1 << 20));
        let here = thread::current().id();

        let (small, _) = parsers.run(AT_ONCE_BYTES, budget.share(), || thread::current().id()).await.unwrap();
        let (large, _) = parsers.run(LARGE_BYTES, budget.share(), || thread::current().id()).await.unwrap();

        assert_eq!(small, here);
        assert_ne!(large, here);
    }

    #[tokio::test]
    async fn other_requests_of_a_thread_are_answered_while_a_large_body_is_parsed() {
        let (parsers, budget) = (parsers(), BodyBudget::new(1 << 20));
        let (answered, is_answered) = mpsc::channel();

        // The large one ends only after the small one, which the same thread takes later.
        let large = parsers.run(LARGE_BYTES, budget.share(), move || is_answered.recv().is_ok());
        let small = parsers.run(1, budget.share(), move || answered.send(()).is_ok());
        let (large, small) = tokio::join!(large, small);

        assert!(large.unwrap().0 && small.unwrap().0);
    }

    #[tokio::test]
    async fn a_body_whose_client_hung_up_stays_counted_until_it_is_parsed() {
        let (parsers, budget) = (parsers(), BodyBudget::new(1 << 20));
        let mut share = budget.share();
        share.grow_to(FREE_BYTES + (1 << 20)).await.unwrap();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let mut parsing = Box::pin(parsers.run(LARGE_BYTES, share, move || may_go_on.recv().is_ok()));
        assert!(futures_util::poll!(&mut parsing).is_pending());

        drop(parsing);
        let mut next = budget.share();
        assert!(!next.try_grow_to(FREE_BYTES + 1), "the body is still there");
        go_on.send(()).unwrap();

        assert!(next.grow_to(FREE_BYTES + 1).await.is_ok());
    }

    #[tokio::test]
    async fn large_bodies_are_parsed_so_many_at_a_time_and_no_more() {
        let (parsers, budget) = (parsers(), BodyBudget::new(1 << 20));
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let mut first = Box::pin(parsers.run(LARGE_BYTES, budget.share(), move || may_go_on.recv().is_ok()));
        assert!(futures_util::poll!(&mut first).is_pending());

        let mut second = Box::pin(parsers.run(LARGE_BYTES, budget.share(), || true));
        assert!(futures_util::poll!(&mut second).is_pending() && parsers.seats.available_permits() == 0);
        go_on.send(()).unwrap();

        assert!(first.await.unwrap().0 && second.await.unwrap().0);
    }
}
