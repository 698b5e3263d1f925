//! What waits to be written: bounded by items and by bytes, taken by the writers in the order of arrival. It knows
//! nothing of the database.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::ingest_meter::IngestMeter;

/// Items that may wait; beyond it callers are told to come back.
const MAX_WAITING_ITEMS: u64 = 50_000;
/// Memory that what waits may take, about; one request of the largest size always fits an empty queue.
const MAX_WAITING_BYTES: u64 = 64 << 20;

/// How long items may wait for a transaction under way, where they are too few to be worth one of their own beside it.
const PATIENCE: Duration = Duration::from_millis(2);

/// A queue between requests and writers.
#[derive(Debug)]
pub(super) struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    /// Told when there may be something to take for a writer that waits.
    news: Notify,
    n_enough: usize,
    meter: Arc<IngestMeter>,
}

#[derive(Debug)]
struct Waiting<T> {
    entries: VecDeque<Entry<T>>,
    n_items: usize,
    n_busy_writers: usize,
    is_closed: bool,
}

#[derive(Debug)]
struct Entry<T> {
    value: T,
    n_items: usize,
}

/// What a writer has taken; while it is held, the writer counts as busy.
#[derive(Debug)]
pub(super) struct Taken<'a, T> {
    pub(super) values: Vec<T>,
    queue: &'a Queue<T>,
}

impl<T> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        let mut waiting = self.queue.lock();
        waiting.n_busy_writers -= 1;
        if !waiting.entries.is_empty() {
            self.queue.news.notify_one();
        }
    }
}

/// A share of the queue's room, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Room {
    meter: Arc<IngestMeter>,
    n_items: u64,
    n_bytes: u64,
}

impl Room {
    pub(super) fn n_bytes(&self) -> u64 {
        self.n_bytes
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.meter.n_waiting_items.fetch_sub(self.n_items, Ordering::AcqRel);
        self.meter.n_waiting_bytes.fetch_sub(self.n_bytes, Ordering::AcqRel);
    }
}

impl<T> Queue<T> {
    /// Makes a queue where `n_enough` items are worth a transaction beside one that is under way; fewer wait for its end.
    pub(super) fn new(n_enough: usize, meter: Arc<IngestMeter>) -> Self {
        let waiting = Waiting { entries: VecDeque::new(), n_items: 0, n_busy_writers: 0, is_closed: false };
        Self { waiting: Mutex::new(waiting), news: Notify::new(), n_enough, meter }
    }

    /// Takes room for a request, or nothing where too much is waiting.
    pub(super) fn reserve(&self, n_items: u64, n_bytes: u64) -> Option<Room> {
        // Taken first and given back by dropping, so that two callers at once cannot both have the last of it.
        let n_items_before = self.meter.n_waiting_items.fetch_add(n_items, Ordering::AcqRel);
        let n_bytes_before = self.meter.n_waiting_bytes.fetch_add(n_bytes, Ordering::AcqRel);
        let room = Room { meter: Arc::clone(&self.meter), n_items, n_bytes };
        let fits = !self.lock().is_closed
            && n_items_before + n_items <= MAX_WAITING_ITEMS
            && (n_bytes_before == 0 || n_bytes_before + n_bytes <= MAX_WAITING_BYTES);
        if !fits {
            self.meter.n_turned_away.fetch_add(1, Ordering::Relaxed);
        }
        fits.then_some(room)
    }

    /// Adds an entry of so many items at the end.
    pub(super) fn push(&self, value: T, n_items: usize) {
        let mut waiting = self.lock();
        // A writer that lets a small batch grow need not be told of every entry.
        let is_news = waiting.entries.is_empty() || waiting.n_busy_writers == 0;
        let n_before = waiting.n_items;
        waiting.n_items += n_items;
        waiting.entries.push_back(Entry { value, n_items });
        let is_enough = n_before < self.n_enough && waiting.n_items >= self.n_enough;
        drop(waiting);
        if is_news || is_enough {
            self.news.notify_one();
        }
    }

    /// Waits until something is there that is worth a transaction, then takes it from the front for as long as `may_take`
    /// says so of the next entry; returns nothing once the queue is closed and empty.
    ///
    /// Without another transaction under way, whatever is there is taken at once.
    pub(super) async fn take(&self, mut may_take: impl FnMut(&T) -> bool) -> Option<Taken<'_, T>> {
        let mut is_patient = true;
        loop {
            let news = self.news.notified();
            let is_empty = {
                let mut waiting = self.lock();
                let is_worth_it = waiting.n_busy_writers == 0 || waiting.n_items >= self.n_enough || !is_patient;
                if !waiting.entries.is_empty() && (is_worth_it || waiting.is_closed) {
                    return Some(self.take_from(&mut waiting, &mut may_take));
                }
                if waiting.is_closed {
                    // The news of the end is handed on, because every writer has to end.
                    self.news.notify_one();
                    return None;
                }
                waiting.entries.is_empty()
            };
            if is_empty {
                news.await;
                is_patient = true;
            } else {
                is_patient = tokio::time::timeout(PATIENCE, news).await.is_ok();
            }
        }
    }

    fn take_from(&self, waiting: &mut Waiting<T>, mut may_take: impl FnMut(&T) -> bool) -> Taken<'_, T> {
        let n_taken = waiting.entries.iter().take_while(|entry| may_take(&entry.value)).count();
        // The first is taken however large it is, or it would wait for ever.
        let taken: Vec<Entry<T>> = waiting.entries.drain(..n_taken.max(1)).collect();
        waiting.n_items -= taken.iter().map(|entry| entry.n_items).sum::<usize>();
        waiting.n_busy_writers += 1;
        if !waiting.entries.is_empty() || waiting.is_closed {
            self.news.notify_one();
        }
        Taken { values: taken.into_iter().map(|entry| entry.value).collect(), queue: self }
    }

    /// Lets the writers end once everything that waits is taken.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.news.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> Queue<u64> {
        Queue::new(100, Arc::default())
    }

    #[test]
    fn the_queue_refuses_beyond_its_items_and_beyond_its_bytes() {
        let queue = queue();
        let first = queue.reserve(MAX_WAITING_ITEMS - 1, 1).unwrap();

        assert!(queue.reserve(2, 1).is_none());
        assert!(queue.reserve(1, MAX_WAITING_BYTES).is_none());
        let last = queue.reserve(1, MAX_WAITING_BYTES - 1).unwrap();
        assert!(queue.reserve(0, 1).is_none());
        drop((first, last));

        assert!(queue.reserve(MAX_WAITING_ITEMS, MAX_WAITING_BYTES).is_some());
        assert_eq!(queue.meter.n_waiting_items.load(Ordering::Relaxed), 0);
        assert_eq!(queue.meter.n_waiting_bytes.load(Ordering::Relaxed), 0);
        assert_eq!(queue.meter.n_turned_away.load(Ordering::Relaxed), 3);
    }

    async fn values(queue: &Queue<u64>, may_take: impl FnMut(&u64) -> bool) -> Option<Vec<u64>> {
        queue.take(may_take).await.map(|mut taken| std::mem::take(&mut taken.values))
    }

    #[tokio::test]
    async fn entries_are_taken_in_order_up_to_where_a_batch_is_full() {
        let queue = queue();
        for entry in 1..=5 {
            queue.push(entry, 1);
        }
        let mut sum = 0;
        let up_to_six = |entry: &u64| {
            sum += entry;
            sum <= 6
        };

        assert_eq!(values(&queue, up_to_six).await, Some(vec![1, 2, 3]));
        assert_eq!(values(&queue, |_| false).await, Some(vec![4]), "one is taken however large it is");
        assert_eq!(values(&queue, |_| true).await, Some(vec![5]));
    }

    #[tokio::test]
    async fn a_closed_queue_is_emptied_and_then_ends_for_every_writer() {
        let queue = queue();
        queue.push(7, 1);
        queue.close();

        assert_eq!(values(&queue, |_| true).await, Some(vec![7]));
        let ends = tokio::join!(values(&queue, |_| true), values(&queue, |_| true));

        assert_eq!(ends, (None, None));
        assert!(queue.reserve(1, 1).is_none(), "nobody would take it");
    }

    #[tokio::test]
    async fn a_small_batch_waits_for_the_one_under_way_and_a_large_one_does_not() {
        let queue = queue();
        queue.push(1, 1);
        let under_way = queue.take(|_| true).await.unwrap();
        queue.push(2, 1);

        let mut second = Box::pin(values(&queue, |_| true));
        assert!(futures_util::poll!(&mut second).is_pending(), "there is little, and a transaction is under way");
        queue.push(3, 99);
        assert_eq!(second.await, Some(vec![2, 3]), "now there is enough");

        queue.push(4, 1);
        let mut third = Box::pin(values(&queue, |_| true));
        assert!(futures_util::poll!(&mut third).is_pending());
        drop(under_way);
        assert_eq!(third.await, Some(vec![4]), "nothing is under way any more");
    }

    #[tokio::test]
    async fn a_small_batch_does_not_wait_for_a_transaction_that_hangs() {
        let queue = queue();
        queue.push(1, 1);
        let _hanging = queue.take(|_| true).await.unwrap();
        queue.push(2, 1);

        let began = tokio::time::Instant::now();
        assert_eq!(values(&queue, |_| true).await, Some(vec![2]));

        assert!(began.elapsed() >= PATIENCE, "it was patient first");
    }
}
