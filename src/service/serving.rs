//! The load of serving engines: asked for, kept, and told to whoever looks. What it was for each completion is
//! [`super::serving_join`]'s.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::App;
use super::detached::detached;
use super::error::ServiceError;
use crate::domain::clock::Timestamp;
use crate::engine::exposition::MAX_PAGE_BYTES;
use crate::engine::load::LoadSample;
use crate::engine::maps::Signal;
use crate::engine::reading::{Reading, Readings, has_slots};
use crate::engine::recent::{Recent, SeriesKey};
use crate::engine::target::{Target, TargetUrl};
use crate::scrape::{ScrapeError, Scraper};
use crate::store::Access;
use crate::store::connection::Pool;
use crate::store::serving::{self, StoredSample};

/// How long samples are kept one by one.
const SAMPLES_KEPT: chrono::TimeDelta = chrono::TimeDelta::days(7);
/// How long the minutes that they are rolled up to are kept: a year can be laid beside the one before.
const MINUTES_KEPT: chrono::TimeDelta = chrono::TimeDelta::days(400);

/// How many samples wait to be kept while the database is away; the oldest give way. Two hundred engines of eight replicas
/// tell so many in five minutes.
const MAX_UNKEPT: usize = 100_000;
/// How many of them are written at once.
const N_ROWS_OF_STEP: usize = 5_000;
/// How many names of models are remembered: engines that make up new ones must not fill the memory.
const MAX_MODELS: usize = 10_000;

/// Why a target has no sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is no page.
    #[error(transparent)]
    Scrape(#[from] ScrapeError),
    /// The page has no series of such an engine: it is another one, tells nothing, or calls everything otherwise.
    #[error("the page has no series of such an engine")]
    NoSeries,
}

impl Fault {
    /// Returns the word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scrape(ScrapeError::Unreachable) => "unreachable",
            Self::Scrape(ScrapeError::Refused(_)) => "refused",
            Self::Scrape(ScrapeError::TooLong) => "too_long",
            Self::NoSeries => "no_series",
        }
    }
}

/// What is known of a target in this process.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TargetState {
    /// Pages that were read.
    pub n_samples: u64,
    /// Times that there was none.
    pub n_failures: u64,
    /// Lines of all pages that could not be read.
    pub n_skipped_lines: u64,
    /// When the last page was received.
    pub sampled_at: Option<Timestamp>,
    /// What was wrong the last time; nothing where it was well.
    pub fault: Option<Fault>,
    /// What the last page said.
    pub readings: Vec<Reading>,
}

/// The engines that are watched, and what was heard of them.
#[derive(Debug, Default)]
pub struct Serving {
    targets: Vec<Target>,
    scraper: Option<Scraper>,
    heard: Mutex<Heard>,
}

#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) recent: Recent,
    /// What completions call the models that any page named.
    pub(super) models: BTreeSet<String>,
    states: Vec<TargetState>,
    /// Samples that are not in the database yet, in the order of time.
    unkept: VecDeque<StoredSample>,
}

impl Serving {
    /// Prepares the watching of engines; a worker does it.
    pub fn watching(targets: Vec<Target>) -> Result<Self, ServiceError> {
        let scraper = if targets.is_empty() { None } else { Some(new_scraper()?) };
        let states = vec![TargetState::default(); targets.len()];
        Ok(Self { targets, scraper, heard: Mutex::new(Heard { states, ..Heard::default() }) })
    }

    /// Returns the engines that are watched.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Returns what is known of each, in the order of the targets.
    pub fn states(&self) -> Vec<TargetState> {
        self.heard().states.clone()
    }

    /// Returns the longest interval.
    pub fn longest_interval(&self) -> Duration {
        self.targets.iter().map(|target| target.interval).max().unwrap_or_default()
    }

    /// No holder of the lock panics between two changes that belong together.
    pub(super) fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn new_scraper() -> Result<Scraper, ServiceError> {
    Scraper::new().map_err(|_| ServiceError::Internal("no client for serving engines can be made"))
}

/// Asks an engine once, without a service: what `afterword serving check` does.
pub async fn check(target: &Target) -> Result<Result<Readings, Fault>, ServiceError> {
    Ok(read(&new_scraper()?, target).await)
}

async fn read(scraper: &Scraper, target: &Target) -> Result<Readings, Fault> {
    let page = scraper.get(target.url.as_str(), MAX_PAGE_BYTES).await?;
    let mut readings = Readings::of_page(&page, &target.map).map_err(|_| ScrapeError::TooLong)?;
    if readings.readings.is_empty() {
        return Err(Fault::NoSeries);
    }
    if has_slots(target.engine) {
        let slots = scraper.get(slots_of(&target.url).as_str(), MAX_PAGE_BYTES).await;
        readings.add_slots(slots.as_deref().ok());
    }
    Ok(readings)
}

fn slots_of(url: &TargetUrl) -> TargetUrl {
    url.beside("/slots")
}

/// Asks a target for its load; tells what was wrong where it says nothing. What it says is in memory then, and in the database
/// after [`keep`].
pub async fn sample(app: &App, nth: usize) -> Result<Result<(), Fault>, ServiceError> {
    let watched = &app.serving;
    let (Some(target), Some(scraper)) = (watched.targets.get(nth), &watched.scraper) else {
        return Err(ServiceError::Internal("there is no such target"));
    };
    let read = read(scraper, target).await;
    let at = app.clock.now();
    let mut heard = watched.heard();
    let Heard { recent, models, states, unkept } = &mut *heard;
    let Some(state) = states.get_mut(nth) else { return Err(ServiceError::Internal("there is no such target")) };
    let readings = match read {
        Ok(readings) => readings,
        Err(fault) => {
            state.n_failures += 1;
            state.fault = Some(fault);
            return Ok(Err(fault));
        }
    };
    state.n_samples += 1;
    state.n_skipped_lines += readings.n_skipped as u64;
    (state.sampled_at, state.fault) = (Some(at), None);
    for row in rows(target, &readings.readings, at) {
        recent.push(key(&row), load(&row));
        if models.len() < MAX_MODELS {
            models.insert(row.model.clone());
        }
        if unkept.len() == MAX_UNKEPT {
            unkept.pop_front();
        }
        unkept.push_back(row);
    }
    state.readings = readings.readings;
    Ok(Ok(()))
}

/// Writes what was heard into the database, all targets together: hundreds of them cost a commit each second and not one
/// each. What cannot be written now stays for the next time. Returns how many samples were written.
pub async fn keep(app: &App) -> Result<u64, ServiceError> {
    let mut n_kept = 0;
    loop {
        let step: Vec<StoredSample> = app.serving.heard().unkept.iter().take(N_ROWS_OF_STEP).cloned().collect();
        let Some(last) = step.last().map(|row| row.at) else { return Ok(n_kept) };
        let (store, n_rows) = (app.store.clone(), step.len());
        n_kept += detached(async move {
            let mut tx = store.begin(Pool::Jobs, "serving.keep", Access::Serving).await?;
            let n_new = serving::insert_samples(&mut tx, &step).await?;
            tx.commit().await?;
            Ok(n_new)
        })
        .await?;
        // Some of them may have given way to newer ones meanwhile; those are before the last one, too.
        let mut heard = app.serving.heard();
        let n_written = heard.unkept.iter().take(n_rows).take_while(|row| row.at <= last).count();
        heard.unkept.drain(..n_written);
    }
}

/// Makes a row of each model and rank, as completions call the models. Of models that they call alike the busiest counts.
fn rows(target: &Target, readings: &[Reading], at: Timestamp) -> Vec<StoredSample> {
    let mut rows: BTreeMap<(String, String), StoredSample> = BTreeMap::new();
    for reading in readings {
        let model = target.models.called(reading.model.as_deref()).unwrap_or_default().to_owned();
        let row = StoredSample {
            target: target.name.clone(),
            model: model.clone(),
            rank: reading.rank.clone(),
            slot_at: beginning_of_slot(at, target.interval),
            at,
            kv_cache_usage: reading.value(Signal::KvCacheUsage).ok(),
            kv_reserved: reading.value(Signal::KvReserved).ok(),
            kv_capacity_tokens: reading.value(Signal::KvCapacityTokens).ok(),
            n_running: reading.value(Signal::NRunning).ok(),
            n_waiting: reading.value(Signal::NWaiting).ok(),
            n_preempted: reading.value(Signal::NPreempted).ok(),
        };
        rows.entry((model, reading.rank.clone())).and_modify(|kept| keep_largest(kept, &row)).or_insert(row);
    }
    rows.into_values().collect()
}

fn keep_largest(kept: &mut StoredSample, other: &StoredSample) {
    let largest = |one: Option<f64>, other: Option<f64>| one.into_iter().chain(other).reduce(f64::max);
    kept.kv_cache_usage = largest(kept.kv_cache_usage, other.kv_cache_usage);
    kept.kv_reserved = largest(kept.kv_reserved, other.kv_reserved);
    kept.kv_capacity_tokens = largest(kept.kv_capacity_tokens, other.kv_capacity_tokens);
    kept.n_running = largest(kept.n_running, other.n_running);
    kept.n_waiting = largest(kept.n_waiting, other.n_waiting);
    kept.n_preempted = largest(kept.n_preempted, other.n_preempted);
}

/// Returns whose load a row tells.
pub(super) fn key(row: &StoredSample) -> SeriesKey {
    SeriesKey { target: row.target.clone(), model: row.model.clone(), rank: row.rank.clone() }
}

/// Returns the load that a row tells.
pub(super) fn load(row: &StoredSample) -> LoadSample {
    LoadSample {
        at: row.at,
        kv_cache_usage: row.kv_cache_usage,
        kv_capacity_tokens: row.kv_capacity_tokens,
        n_running: row.n_running,
        n_waiting: row.n_waiting,
        n_preempted: row.n_preempted,
    }
}

/// Returns the beginning of the interval that a moment falls into, counted from 1970.
fn beginning_of_slot(at: Timestamp, interval: Duration) -> Timestamp {
    let interval_us = (interval.as_micros() as i64).max(1);
    let past_us = at.timestamp_micros().rem_euclid(interval_us);
    at - chrono::TimeDelta::microseconds(past_us)
}

/// Rolls up what is older than samples are kept, and deletes what is older than minutes are. Returns how many samples were
/// rolled up.
pub async fn roll_up(app: &App) -> Result<u64, ServiceError> {
    let app = app.clone();
    detached(async move {
        let now = app.clock.now();
        let before = beginning_of_slot(now - SAMPLES_KEPT, Duration::from_mins(1));
        let mut n_rolled_up = 0;
        loop {
            let mut tx = app.store.begin(Pool::Jobs, "serving.roll_up", Access::Serving).await?;
            let n_samples = serving::roll_up(&mut tx, before).await?;
            if n_samples == 0 {
                serving::delete_minutes(&mut tx, now - MINUTES_KEPT).await?;
            }
            tx.commit().await?;
            n_rolled_up += n_samples;
            if n_samples == 0 {
                return Ok(n_rolled_up);
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_begins_at_a_multiple_of_its_interval() {
        let at = |us| Timestamp::from_timestamp_micros(us).unwrap();

        assert_eq!(beginning_of_slot(at(1_790_000_004_999_999), Duration::from_secs(5)), at(1_790_000_000_000_000));
        assert_eq!(beginning_of_slot(at(1_790_000_005_000_000), Duration::from_secs(5)), at(1_790_000_005_000_000));
    }
}
