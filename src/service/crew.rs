//! Tasks that work side by side until they end by themselves; one that panics is made anew. It knows nothing of what
//! they do.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio_util::task::TaskTracker;

use super::detached::spawn;

/// How long after a panic the task is made anew: what made it panic may come again at once, and must not take a whole
/// processor. Callers that were cut off come back after a second.
const PAUSE: Duration = Duration::from_millis(100);

/// A number of tasks of one kind.
#[derive(Debug)]
pub(super) struct Crew {
    tasks: TaskTracker,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    n_living: AtomicU64,
    n_panics: AtomicU64,
}

/// Counts a task as living until it is dropped, by a panic as well.
struct Living(Arc<Counts>);

impl Living {
    fn begin(counts: &Arc<Counts>) -> Self {
        counts.n_living.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(counts))
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        self.0.n_living.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Crew {
    /// Starts so many tasks on the present runtime. `name` is what the log calls one.
    pub(super) fn start<F>(
        name: &'static str,
        n_tasks: u32,
        make: impl Fn() -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (tasks, counts) = (TaskTracker::new(), Arc::<Counts>::default());
        for _ in 0..n_tasks {
            // Counted before it first runs, so that a service that has just started is not taken for a broken one.
            let living = Living::begin(&counts);
            spawn(tasks.track_future(run(name, living, make.clone())));
        }
        tasks.close();
        Self { tasks, counts }
    }

    /// Returns how many tasks live: neither ended nor, after a panic, about to be made anew.
    pub(super) fn n_living(&self) -> u64 {
        self.counts.n_living.load(Ordering::Acquire)
    }

    /// Returns how many panics there were.
    pub(super) fn n_panics(&self) -> u64 {
        self.counts.n_panics.load(Ordering::Relaxed)
    }

    /// Waits until every task has ended by itself.
    pub(super) async fn wait(&self) {
        self.tasks.wait().await;
    }
}

/// Runs what is made until it ends by itself. Whatever a panic cuts off is dropped with it: nothing of it is used again.
async fn run<F>(name: &'static str, mut living: Living, make: impl Fn() -> F)
where
    F: Future<Output = ()>,
{
    let counts = Arc::clone(&living.0);
    // The making may panic as well as what is made.
    while AssertUnwindSafe(async { make().await }).catch_unwind().await.is_err() {
        drop(living);
        counts.n_panics.fetch_add(1, Ordering::Relaxed);
        // The words of a panic may quote what a user sent; the place is told by the hook of `telemetry`.
        tracing::error!(task = name, "a task panicked and is made anew");
        tokio::time::sleep(PAUSE).await;
        living = Living::begin(&counts);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::{Notify, oneshot};

    use super::super::ingest_meter::IngestMeter;
    use super::super::ingest_queue::Queue;
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_made_anew_until_it_ends_by_itself() {
        let n_runs = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&n_runs);

        let crew = Crew::start("test", 1, move || {
            let n_runs = Arc::clone(&counted);
            async move { assert!(n_runs.fetch_add(1, Ordering::Relaxed) >= 2, "the first two runs panic") }
        });
        crew.wait().await;

        assert_eq!((n_runs.load(Ordering::Relaxed), crew.n_panics(), crew.n_living()), (3, 2, 0));
    }

    #[tokio::test]
    async fn nobody_lives_between_a_panic_and_the_next_run() {
        let (began, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (tell, told) = (Arc::clone(&began), Arc::clone(&go_on));
        let crew = Crew::start("test", 1, move || {
            let (tell, told) = (Arc::clone(&tell), Arc::clone(&told));
            async move {
                tell.notify_one();
                told.notified().await;
                panic!("as it is told");
            }
        });
        let before_the_first_run = crew.n_living();
        began.notified().await;

        go_on.notify_one();
        while crew.n_panics() == 0 {
            tokio::task::yield_now().await;
        }
        let after_the_panic = crew.n_living();
        began.notified().await;

        assert_eq!((before_the_first_run, after_the_panic, crew.n_living()), (1, 0, 1));
    }

    /// One of the requests that wait, as far as the queue is concerned.
    struct Waiting {
        hurts: bool,
        reply: oneshot::Sender<()>,
    }

    #[tokio::test]
    async fn what_waits_is_taken_by_the_writer_that_follows_one_that_panicked() {
        let queue = Arc::new(Queue::<Waiting>::new(100, Arc::new(IngestMeter::default())));
        let taken = Arc::new(Mutex::new(0));
        let (source, n_taken) = (Arc::clone(&queue), Arc::clone(&taken));
        // The only writer: nobody else would take its share.
        let crew = Crew::start("test", 1, move || {
            let (queue, n_taken) = (Arc::clone(&source), Arc::clone(&n_taken));
            async move {
                // One at a time.
                while let Some(mut taken) = queue.take(|_| false).await {
                    *n_taken.lock().unwrap() += 1;
                    assert!(!taken.values[0].hurts, "a batch that hurts");
                    for work in std::mem::take(&mut taken.values) {
                        work.reply.send(()).unwrap();
                    }
                }
            }
        });

        let answers: Vec<_> = [true, false, true, false, false]
            .into_iter()
            .map(|hurts| {
                let (reply, answer) = oneshot::channel();
                queue.push(Waiting { hurts, reply }, 1);
                answer
            })
            .collect();
        let answered: Vec<bool> = futures_util::future::join_all(answers).await.iter().map(Result::is_ok).collect();
        queue.close();
        crew.wait().await;

        assert_eq!(answered, [false, true, false, true, true], "only those of the batches that hurt are cut off");
        assert_eq!((*taken.lock().unwrap(), crew.n_panics()), (5, 2));
    }
}
