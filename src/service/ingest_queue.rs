//! What waits to be written: bounded by items and by bytes, taken by the writers in the order of arrival. It knows
//! nothing of the database.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::ingest_meter::IngestMeter;

/// Items that may wait; beyond it callers are told to come back.
const MAX_WAITING_ITEMS: u64 = 50_000;
/// Memory that what waits may take, about; one request of the largest size always fits an empty queue.
const MAX_WAITING_BYTES: u64 = 64 << 20;

/// A queue between requests and writers.
#[derive(Debug)]
pub(super) struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    arrived: Notify,
    meter: Arc<IngestMeter>,
}

#[derive(Debug)]
struct Waiting<T> {
    entries: VecDeque<T>,
    is_closed: bool,
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
    pub(super) fn new(meter: Arc<IngestMeter>) -> Self {
        let waiting = Mutex::new(Waiting { entries: VecDeque::new(), is_closed: false });
        Self { waiting, arrived: Notify::new(), meter }
    }

    /// Takes room for a request, or nothing where too much is waiting.
    pub(super) fn reserve(&self, n_items: u64, n_bytes: u64) -> Option<Room> {
        // Taken first and given back by dropping, so that two callers at once cannot both have the last of it.
        let n_items_before = self.meter.n_waiting_items.fetch_add(n_items, Ordering::AcqRel);
        let n_bytes_before = self.meter.n_waiting_bytes.fetch_add(n_bytes, Ordering::AcqRel);
        let room = Room { meter: Arc::clone(&self.meter), n_items, n_bytes };
        let fits = n_items_before + n_items <= MAX_WAITING_ITEMS
            && (n_bytes_before == 0 || n_bytes_before + n_bytes <= MAX_WAITING_BYTES);
        if !fits {
            self.meter.n_turned_away.fetch_add(1, Ordering::Relaxed);
        }
        fits.then_some(room)
    }

    /// Adds an entry at the end.
    pub(super) fn push(&self, entry: T) {
        self.lock().entries.push_back(entry);
        self.arrived.notify_one();
    }

    /// Waits until something is there, then takes it from the front for as long as `may_take` says so of the next entry;
    /// returns nothing once the queue is closed and empty.
    pub(super) async fn take(&self, mut may_take: impl FnMut(&T) -> bool) -> Option<Vec<T>> {
        loop {
            let arrived = self.arrived.notified();
            {
                let mut waiting = self.lock();
                let n_taken = waiting.entries.iter().take_while(|entry| may_take(entry)).count();
                if !waiting.entries.is_empty() {
                    // The first is taken however large it is, or it would wait for ever.
                    let taken = waiting.entries.drain(..n_taken.max(1)).collect();
                    if !waiting.entries.is_empty() || waiting.is_closed {
                        self.arrived.notify_one();
                    }
                    return Some(taken);
                }
                if waiting.is_closed {
                    // The wake of a closed queue is handed on, because every writer has to end.
                    self.arrived.notify_one();
                    return None;
                }
            }
            arrived.await;
        }
    }

    /// Lets the writers end once everything that waits is taken.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.arrived.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> Queue<u64> {
        Queue::new(Arc::default())
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

    #[tokio::test]
    async fn entries_are_taken_in_order_up_to_where_a_batch_is_full() {
        let queue = queue();
        for entry in 1..=5 {
            queue.push(entry);
        }
        let mut sum = 0;
        let mut up_to_six = |entry: &u64| {
            sum += entry;
            sum <= 6
        };

        assert_eq!(queue.take(&mut up_to_six).await, Some(vec![1, 2, 3]));
        assert_eq!(queue.take(|_| false).await, Some(vec![4]), "one is taken however large it is");
        assert_eq!(queue.take(|_| true).await, Some(vec![5]));
    }

    #[tokio::test]
    async fn a_closed_queue_is_emptied_and_then_ends_for_every_writer() {
        let queue = queue();
        queue.push(7);
        queue.close();

        assert_eq!(queue.take(|_| true).await, Some(vec![7]));
        let ends = tokio::join!(queue.take(|_| true), queue.take(|_| true));

        assert_eq!(ends, (None, None));
    }
}
