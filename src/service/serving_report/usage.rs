//! How busy engines were over time, and what may be added.
//!
//! It must not know what users did.

use std::collections::BTreeMap;

use crate::domain::bands::KV_USAGE;
use crate::domain::clock::Timestamp;
use crate::domain::serving_query::ServingQuery;
use crate::report::serving::{Headroom, Usage, UsagePoint, UsageSource};
use crate::store::serving_load::LoadCount;
use crate::store::turns::Turn;

/// Lengths of bins in seconds.
const BINS_S: [i64; 8] = [300, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400];
/// The most bins of a window.
const MAX_BINS: i64 = 96;
/// Uses that the 95th percentile may be wanted below: from the first on queues begin, from the second on preemptions.
const LIMITS: [f64; 2] = [0.8, 0.95];

/// Returns the length of a bin of a window, in seconds.
pub(super) fn bin_of(from: Timestamp, to: Timestamp) -> i64 {
    let window_s = (to - from).num_seconds();
    BINS_S.into_iter().find(|bin_s| window_s <= bin_s * MAX_BINS).unwrap_or(BINS_S[BINS_S.len() - 1])
}

/// Returns where the first bin begins: minutes are told as wholes.
pub(super) fn beginning(from: Timestamp) -> Timestamp {
    Timestamp::from_timestamp(from.timestamp().div_euclid(60) * 60, 0).unwrap_or(from)
}

/// Adds up what engines said; nothing where none of them told its use.
pub(super) fn of_engines(counts: &[LoadCount], query: &ServingQuery) -> Option<Usage> {
    put_together(UsageSource::Engines, counts, query)
}

/// Adds up what completions tell, each of the moment at its end; nothing where none of them does.
pub(super) fn of_turns(turns: &[Turn], query: &ServingQuery) -> Option<Usage> {
    let bin_ms = bin_of(query.from, query.to) * 1000;
    let first_ms = beginning(query.from).timestamp_millis();
    let mut counts: BTreeMap<(i64, i32), LoadCount> = BTreeMap::new();
    for turn in turns {
        let Some(usage) = turn.kv_cache_usage.get() else { continue };
        let bin_at_ms = first_ms + (turn.made_at_ms - first_ms).div_euclid(bin_ms) * bin_ms;
        let percent = ((usage * 100.0).floor() as i32).clamp(0, 99);
        let Some(bin_at) = Timestamp::from_timestamp_millis(bin_at_ms) else { continue };
        let count = counts.entry((bin_at_ms, percent)).or_insert(LoadCount {
            bin_at,
            percent: Some(percent),
            n_minutes: 0,
            usage_sum: 0.0,
            usage_max: None,
            n_waiting_known: 0,
            n_with_queue: 0,
            n_waiting_max: None,
        });
        count.n_minutes += 1;
        count.usage_sum += usage;
        count.usage_max = Some(count.usage_max.map_or(usage, |most| most.max(usage)));
    }
    put_together(UsageSource::Completions, &counts.into_values().collect::<Vec<_>>(), query)
}

fn put_together(source: UsageSource, counts: &[LoadCount], query: &ServingQuery) -> Option<Usage> {
    if counts.iter().all(|count| count.percent.is_none()) {
        return None;
    }
    let points = counts.chunk_by(|left, right| left.bin_at == right.bin_at);
    let points = points.map(|of_bin| point(of_bin[0].bin_at, of_bin)).collect();
    let all = point(query.from, counts);
    let mut shares = vec![0.0; KV_USAGE.n()];
    for count in counts {
        if let Some(percent) = count.percent {
            shares[KV_USAGE.place(f64::from(percent) / 100.0)] += count.n_minutes as f64 / all.n as f64;
        }
    }
    let more = |limit: f64| all.p95.filter(|p95| *p95 > 0.0).map(|p95| limit / p95 - 1.0);
    let headroom = LIMITS.map(|limit| Headroom { limit, more_traffic: more(limit) }).to_vec();
    Some(Usage { source, bin_s: bin_of(query.from, query.to), points, all, shares, headroom })
}

/// Adds the counts of one time up.
fn point(at: Timestamp, counts: &[LoadCount]) -> UsagePoint {
    let known = || counts.iter().filter(|count| count.percent.is_some());
    let n: i64 = known().map(|count| count.n_minutes).sum();
    let sum: f64 = known().map(|count| count.usage_sum).sum();
    let n_waiting_known: i64 = counts.iter().map(|count| count.n_waiting_known).sum();
    let n_with_queue: i64 = counts.iter().map(|count| count.n_with_queue).sum();
    UsagePoint {
        at,
        n: n as u64,
        mean: (n > 0).then(|| sum / n as f64),
        p95: percentile_95(known(), n),
        max: known().filter_map(|count| count.usage_max).reduce(f64::max),
        n_waiting_known: n_waiting_known as u64,
        waiting_share: (n_waiting_known > 0).then(|| n_with_queue as f64 / n_waiting_known as f64),
        n_waiting_max: counts.iter().filter_map(|count| count.n_waiting_max).reduce(f64::max),
    }
}

/// Returns the upper end of the whole percent that holds the 95th percentile.
fn percentile_95<'a>(counts: impl Iterator<Item = &'a LoadCount>, n: i64) -> Option<f64> {
    let mut of_percent: BTreeMap<i32, i64> = BTreeMap::new();
    for count in counts {
        *of_percent.entry(count.percent?).or_default() += count.n_minutes;
    }
    let mut n_so_far = 0;
    of_percent.into_iter().find_map(|(percent, n_there)| {
        n_so_far += n_there;
        (n_so_far * 100 >= n * 95).then(|| f64::from(percent + 1) / 100.0)
    })
}
