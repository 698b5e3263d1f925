//! What the ingest path counts of itself: plain atomics that any thread may read. It knows no format of metrics and holds
//! nothing that a user sent.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Upper bounds of the buckets of [`IngestMeter::batch_items`].
const ITEM_BOUNDS: &[u64] = &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000];
/// Upper bounds of the buckets of [`IngestMeter::commit_us`].
const US_BOUNDS: &[u64] =
    &[500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000];

/// What the ingest path counts of itself.
#[derive(Debug)]
pub struct IngestMeter {
    /// Items that were taken in and are not answered yet.
    pub n_waiting_items: AtomicU64,
    /// Bytes that these items take, about.
    pub n_waiting_bytes: AtomicU64,
    /// Requests that were turned away because too much was waiting.
    pub n_turned_away: AtomicU64,
    /// Batches that were not written, whose callers were told to come back.
    pub n_failed_batches: AtomicU64,
    /// Items of a batch.
    pub batch_items: Histogram,
    /// Microseconds from the beginning of a batch's transaction to the end of its commit, repetitions included.
    pub commit_us: Histogram,
    verdicts: Mutex<BTreeMap<Group, u64>>,
}

/// Table, signal and code.
type Group = (&'static str, &'static str, &'static str);

/// How many items of one kind got one verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerdictCount {
    /// `completions` or `feedback`.
    pub table: &'static str,
    /// The signal; empty for completions and where it could not be read.
    pub signal: &'static str,
    /// `accepted`, `duplicate`, or the code of the rejection.
    pub code: &'static str,
    /// Items since the start.
    pub n_items: u64,
}

impl Default for IngestMeter {
    fn default() -> Self {
        Self {
            n_waiting_items: AtomicU64::new(0),
            n_waiting_bytes: AtomicU64::new(0),
            n_turned_away: AtomicU64::new(0),
            n_failed_batches: AtomicU64::new(0),
            batch_items: Histogram::new(ITEM_BOUNDS),
            commit_us: Histogram::new(US_BOUNDS),
            verdicts: Mutex::default(),
        }
    }
}

impl IngestMeter {
    /// Returns the verdicts so far, sorted.
    pub fn verdicts(&self) -> Vec<VerdictCount> {
        let verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        verdicts
            .iter()
            .map(|((table, signal, code), n_items)| VerdictCount { table, signal, code, n_items: *n_items })
            .collect()
    }

    /// Counts a request's verdicts, given one by one; the lock is taken once, and every word is one of ours.
    pub(super) fn count(&self, groups: impl Iterator<Item = Group>) {
        let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        for group in groups {
            *verdicts.entry(group).or_default() += 1;
        }
    }
}

/// Counts of values by upper bound.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One for each bound, and one for what is beyond the last.
    counts: Vec<AtomicU64>,
    sum: AtomicU64,
}

/// A histogram as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// Upper bounds, each with the number of values up to it.
    pub buckets: Vec<(u64, u64)>,
    /// Number of values.
    pub n_values: u64,
    /// Their sum.
    pub sum: u64,
}

impl Histogram {
    fn new(bounds: &'static [u64]) -> Self {
        Self { bounds, counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(), sum: AtomicU64::new(0) }
    }

    pub(super) fn observe(&self, value: u64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Reads the counts; values that come in meanwhile may be in some of them.
    pub fn read(&self) -> Distribution {
        let mut n_values = 0;
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let cumulative: Vec<u64> = counts
            .map(|count| {
                n_values += count;
                n_values
            })
            .collect();
        let buckets = self.bounds.iter().copied().zip(cumulative).collect();
        Distribution { buckets, n_values, sum: self.sum.load(Ordering::Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_up_to_every_bound_that_it_does_not_pass() {
        let histogram = Histogram::new(&[1, 10]);
        for value in [0, 1, 2, 10, 11, 400] {
            histogram.observe(value);
        }

        let read = histogram.read();

        assert_eq!(read, Distribution { buckets: vec![(1, 2), (10, 4)], n_values: 6, sum: 424 });
    }

    #[test]
    fn verdicts_are_counted_by_table_signal_and_code() {
        let meter = IngestMeter::default();
        meter.count([("feedback", "thumb", "accepted"), ("completions", "", "conflict")].into_iter());
        meter.count(std::iter::once(("feedback", "thumb", "accepted")));

        let told: Vec<_> = meter.verdicts().iter().map(|it| (it.table, it.signal, it.code, it.n_items)).collect();

        assert_eq!(told, [("completions", "", "conflict", 1), ("feedback", "thumb", "accepted", 2)]);
    }
}
