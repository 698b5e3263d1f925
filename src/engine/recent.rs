//! The last quarter of an hour of every engine, in memory.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::load::LoadSample;
use crate::domain::clock::Timestamp;

/// How long a sample is kept.
pub const KEPT: Duration = Duration::from_mins(15);
/// How many samples one series has at most: one each second.
const MAX_SAMPLES: usize = 900;
/// How many series are kept at most. Engines have a handful each; one whose ranks change names with every page must not
/// fill the memory.
const MAX_SERIES: usize = 16_384;

/// Whose load a series tells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    /// Name of the target.
    pub target: String,
    /// What completions call the model; empty where nobody says.
    pub model: String,
    /// The replica within the engine.
    pub rank: String,
}

/// A ring of samples for each series.
#[derive(Debug, Clone, Default)]
pub struct Recent {
    series: BTreeMap<SeriesKey, VecDeque<LoadSample>>,
    /// The time of the first sample; what came before was never here.
    since: Option<Timestamp>,
    /// The time of the last one.
    until: Option<Timestamp>,
}

impl Recent {
    /// Adds a sample and drops what is too old beside it. One that is not later than the last of its series changes
    /// nothing: a clock that was set back must not disorder a series.
    pub fn push(&mut self, key: SeriesKey, sample: LoadSample) {
        self.since.get_or_insert(sample.at);
        self.until = self.until.max(Some(sample.at));
        self.drop_older_than(sample.at - KEPT);
        if !self.series.contains_key(&key) && self.series.len() >= MAX_SERIES {
            // From here on it is not whole.
            self.since = Some(sample.at);
            return;
        }
        let ring = self.series.entry(key).or_default();
        if ring.back().is_some_and(|last| last.at >= sample.at) {
            return;
        }
        if ring.len() == MAX_SAMPLES {
            ring.pop_front();
        }
        ring.push_back(sample);
    }

    fn drop_older_than(&mut self, oldest: Timestamp) {
        self.series.retain(|_, ring| {
            while ring.front().is_some_and(|sample| sample.at < oldest) {
                ring.pop_front();
            }
            !ring.is_empty()
        });
    }

    /// Tells whether everything that was sampled since a moment is here.
    pub fn covers(&self, from: Timestamp) -> bool {
        let is_kept = self.until.is_some_and(|until| until - KEPT <= from);
        is_kept && self.since.is_some_and(|since| since <= from)
    }

    /// Returns the samples of a series from one moment to another, both included.
    pub fn between(&self, key: &SeriesKey, from: Timestamp, until: Timestamp) -> Vec<LoadSample> {
        let ring = self.series.get(key).into_iter().flatten();
        ring.filter(|sample| (from..=until).contains(&sample.at)).copied().collect()
    }

    /// Lists the series.
    pub fn keys(&self) -> impl Iterator<Item = &SeriesKey> {
        self.series.keys()
    }

    /// Returns the last sample of a series.
    pub fn last(&self, key: &SeriesKey) -> Option<&LoadSample> {
        self.series.get(key)?.back()
    }
}
