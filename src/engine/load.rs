//! The load while an answer was made: the samples of the engines that may have made it, joined with its time.

use std::time::Duration;

use crate::domain::clock::Timestamp;

/// How many intervals a sample may be away from the end to be the load at the end.
const INTERVALS_AT_END: u32 = 2;
/// How many intervals a sample may be away from the whole span to say anything about it.
pub const INTERVALS_AROUND: u32 = 3;

/// What an engine said of one model and rank, when it was heard.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadSample {
    /// When the page was received, by the service's clock.
    pub at: Timestamp,
    /// Share of the KV cache in use, 0 to 1.
    pub kv_cache_usage: Option<f64>,
    /// KV cache in tokens.
    pub kv_capacity_tokens: Option<f64>,
    /// Requests that were being answered.
    pub n_running: Option<f64>,
    /// Requests that waited.
    pub n_waiting: Option<f64>,
    /// Requests that were preempted since the engine started.
    pub n_preempted: Option<f64>,
}

/// When an answer was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// When the request reached the model.
    pub start: Timestamp,
    /// When the last token was out.
    pub end: Timestamp,
}

impl Span {
    /// The longest span: what took longer was not one answer.
    const LONGEST: Duration = Duration::from_hours(1);

    /// Works out a span from what a client tells, all of it optional, and from when we received it: no answer ends after it
    /// was received, whatever the client's clock says.
    pub fn of(
        started_at: Option<Timestamp>,
        latency_ms: Option<f64>,
        created_at: Option<Timestamp>,
        received_at: Timestamp,
    ) -> Self {
        let longest_us = Self::LONGEST.as_micros() as f64;
        let latency_us = latency_ms.map(|ms| (ms * 1e3).clamp(0.0, longest_us));
        let latency = Duration::from_micros(latency_us.unwrap_or_default() as u64);
        let end =
            started_at.filter(|_| latency_us.is_some()).and_then(|start| start.checked_add_signed(delta(latency)));
        let end = end.or(created_at).unwrap_or(received_at).min(received_at);
        let start = match started_at {
            Some(start) if start <= end && end - start <= delta(Self::LONGEST) => start,
            _ => end.checked_sub_signed(delta(latency)).unwrap_or(end),
        };
        Self { start, end }
    }

    /// Returns the time in which samples say something about the span.
    pub fn around(self, interval: Duration) -> (Timestamp, Timestamp) {
        let margin = delta(interval * INTERVALS_AROUND);
        let from = self.start.checked_sub_signed(margin).unwrap_or(self.start);
        (from, self.end.checked_add_signed(margin).unwrap_or(self.end))
    }

    /// Returns how far a moment is from the span; nothing inside it.
    fn distance(self, at: Timestamp) -> chrono::TimeDelta {
        (self.start - at).max(at - self.end).max(chrono::TimeDelta::zero())
    }
}

/// A span of time as `chrono` has it; intervals and margins are far from its bounds.
fn delta(duration: Duration) -> chrono::TimeDelta {
    chrono::TimeDelta::from_std(duration).unwrap_or(chrono::TimeDelta::MAX)
}

/// The samples of one engine, model and rank, in the order of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// How often it is sampled.
    pub interval: Duration,
    /// At least the samples of [`Span::around`].
    pub samples: Vec<LoadSample>,
}

/// The load while an answer was made; what nobody knows is absent and never 0.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Load {
    /// Share of the KV cache in use when the last token was out; over several engines the mean, weighted with the sizes
    /// of their caches where all of them tell.
    pub kv_at_end: Option<f64>,
    /// Mean over the span, weighted in the same way.
    pub kv_mean: Option<f64>,
    /// Largest share of any engine.
    pub kv_max: Option<f64>,
    /// Largest queue of any engine.
    pub n_waiting_max: Option<f64>,
    /// Whether any request was preempted meanwhile; of the engines that may have made the answer, any.
    pub preempted: Option<bool>,
    /// How far the sample of `kv_at_end` is from the end, in milliseconds; of several the farthest.
    pub staleness_ms: Option<i64>,
}

impl Load {
    /// Joins a span with the engines that may have made the answer.
    pub fn during(span: Span, series: &[Series]) -> Self {
        let at_end: Vec<_> = series.iter().filter_map(|series| at_end(span, series)).collect();
        let near: Vec<Vec<LoadSample>> = series.iter().map(|series| meanwhile(span, series)).collect();
        let means: Vec<(f64, Option<f64>)> = near.iter().filter_map(|samples| mean(samples)).collect();
        let values = |of: fn(&LoadSample) -> Option<f64>| near.iter().flatten().filter_map(of).reduce(f64::max);
        let staleness = at_end.iter().map(|(_, distance)| distance.num_milliseconds()).max();
        let preempted: Vec<bool> = series.iter().filter_map(|series| has_preempted(span, series)).collect();
        let ends: Vec<_> = at_end.iter().map(|(sample, _)| (sample.0, sample.1)).collect();
        Self {
            kv_at_end: weighted_mean(&ends),
            kv_mean: weighted_mean(&means),
            kv_max: values(|sample| sample.kv_cache_usage),
            n_waiting_max: values(|sample| sample.n_waiting),
            preempted: (!preempted.is_empty()).then(|| preempted.contains(&true)),
            staleness_ms: staleness,
        }
    }

    /// Tells whether nothing is known.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// A use of the cache, and the size of that cache where it is known.
type Sized = (f64, Option<f64>);

/// Gives the sample nearest to the end; of two equally near the earlier, which the answer was still part of.
fn at_end(span: Span, series: &Series) -> Option<(Sized, chrono::TimeDelta)> {
    let known = series.samples.iter().filter_map(|sample| {
        let usage = sample.kv_cache_usage?;
        Some(((usage, sample.kv_capacity_tokens), (sample.at - span.end).abs()))
    });
    known
        .min_by_key(|(_, distance)| *distance)
        .filter(|(_, distance)| *distance <= delta(series.interval * INTERVALS_AT_END))
}

/// Gives the samples within the span; for one that lies between two samples the nearest, if it is near enough.
fn meanwhile(span: Span, series: &Series) -> Vec<LoadSample> {
    let inside = |sample: &&LoadSample| (span.start..=span.end).contains(&sample.at);
    let within: Vec<LoadSample> = series.samples.iter().filter(inside).copied().collect();
    if !within.is_empty() {
        return within;
    }
    let nearest = series.samples.iter().min_by_key(|sample| span.distance(sample.at));
    let nearest = nearest.filter(|sample| span.distance(sample.at) <= delta(series.interval * INTERVALS_AROUND));
    nearest.copied().into_iter().collect()
}

fn mean(samples: &[LoadSample]) -> Option<Sized> {
    let known: Vec<f64> = samples.iter().filter_map(|sample| sample.kv_cache_usage).collect();
    let capacity = samples.iter().find_map(|sample| sample.kv_capacity_tokens);
    (!known.is_empty()).then(|| (known.iter().sum::<f64>() / known.len() as f64, capacity))
}

/// Weights each use with the size of its cache; all of them equally where the size of one is unknown.
fn weighted_mean(values: &[Sized]) -> Option<f64> {
    let are_sized = values.iter().all(|(_, capacity)| capacity.is_some_and(|tokens| tokens > 0.0));
    let weight = |capacity: &Option<f64>| if are_sized { capacity.unwrap_or(1.0) } else { 1.0 };
    let total: f64 = values.iter().map(|(_, capacity)| weight(capacity)).sum();
    (total > 0.0).then(|| {
        let mean = values.iter().map(|(value, capacity)| value * weight(capacity)).sum::<f64>() / total;
        mean.clamp(0.0, 1.0)
    })
}

/// Tells whether the count of preemptions rose between the last sample before the span and the first one after it. A count
/// that falls began anew with its engine and says nothing by itself; fewer than two samples say nothing at all.
fn has_preempted(span: Span, series: &Series) -> Option<bool> {
    let known = || series.samples.iter().filter_map(|sample| Some((sample.at, sample.n_preempted?)));
    let (from, until) = span.around(series.interval);
    let first = known().map(|(at, _)| at).rfind(|at| (from..=span.start).contains(at));
    let last = known().map(|(at, _)| at).find(|at| (span.end..=until).contains(at));
    let (first, last) = (first?, last?);
    let counts: Vec<f64> = known().filter(|(at, _)| (first..=last).contains(at)).map(|(_, count)| count).collect();
    (counts.len() > 1).then(|| counts.windows(2).any(|pair| pair[1] > pair[0]))
}
