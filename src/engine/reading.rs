//! What a page says of each model and rank: numbers, and for every number that is missing why.

use std::collections::BTreeMap;

use super::exposition::{Page, PageTooLong, Sample};
use super::maps::{Engine, MetricMap, Signal};
use super::selector::{Selector, Term};
use super::slots;

/// How many models and ranks of a page are read; engines have a handful.
const MAX_READINGS: usize = 64;
/// The longest name of a model or a rank, in bytes; a series with a longer one is not read.
const MAX_NAME_BYTES: usize = 256;

/// Why there is no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Missing {
    /// The engine has no such number.
    #[error("the engine does not tell it")]
    NotExported,
    /// The page could have it, and has not: nothing was counted yet, it is switched off, or it has got another name.
    #[error("there is no such series on the page")]
    Absent,
    /// It is NaN or infinite.
    #[error("the value is not a number")]
    NotANumber,
    /// It is less than nothing.
    #[error("the value is negative")]
    Negative,
    /// It is a share and more than the whole.
    #[error("the share is above 1")]
    AboveOne,
    /// What would hold it could not be read.
    #[error("the answer that would hold it cannot be read")]
    Unreadable,
}

impl Missing {
    /// Returns the word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotExported => "not_exported",
            Self::Absent => "absent",
            Self::NotANumber => "not_a_number",
            Self::Negative => "negative",
            Self::AboveOne => "above_one",
            Self::Unreadable => "unreadable",
        }
    }
}

/// What an engine says of one model at one rank.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The model, where the engine says which.
    pub model: Option<String>,
    /// The replica within the engine; empty where there is one.
    pub rank: String,
    values: BTreeMap<Signal, Result<f64, Missing>>,
}

impl Reading {
    /// Returns a number, or why there is none.
    pub fn value(&self, signal: Signal) -> Result<f64, Missing> {
        self.values.get(&signal).copied().unwrap_or(Err(Missing::NotExported))
    }

    /// Returns the mean of what a sum and a count tell since the engine started.
    pub fn mean(&self, sum: Signal, count: Signal) -> Result<f64, Missing> {
        let (sum, n) = (self.value(sum)?, self.value(count)?);
        if n > 0.0 { Ok(sum / n) } else { Err(Missing::Absent) }
    }
}

/// The readings of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Readings {
    /// One for each model and rank, in their order.
    pub readings: Vec<Reading>,
    /// Lines that could not be read.
    pub n_skipped: usize,
    /// Models and ranks beyond the number that is read.
    pub n_left_out: usize,
}

type Group<'a> = (Option<&'a str>, &'a str);

impl Readings {
    /// Reads a page of an engine. A page without a series of the engine gives no reading.
    pub fn of_page(bytes: &[u8], map: &MetricMap) -> Result<Self, PageTooLong> {
        let page = Page::parse(bytes, |name| map.is_wanted(name))?;
        let mut groups: BTreeMap<Group<'_>, Vec<&Sample<'_>>> = BTreeMap::new();
        let is_capacity = |sample: &Sample<'_>| map.capacity.is_some_and(|(name, _)| sample.name == name);
        for sample in page.samples.iter().filter(|sample| !is_capacity(sample)) {
            let group =
                (first_label(sample, map.model_labels), first_label(sample, map.rank_labels).unwrap_or_default());
            if group.0.unwrap_or_default().len().max(group.1.len()) <= MAX_NAME_BYTES {
                groups.entry(group).or_default().push(sample);
            }
        }
        let n_left_out = groups.len().saturating_sub(MAX_READINGS);
        let read = |((model, rank), samples): (Group<'_>, Vec<&Sample<'_>>)| {
            let mut values: BTreeMap<_, _> =
                map.terms.iter().map(|(signal, terms)| (*signal, value(*signal, terms, &samples))).collect();
            if map.capacity.is_some() {
                let of_rank = page.samples.iter().filter(|sample| is_capacity(sample));
                let of_rank = of_rank.filter(|sample| first_label(sample, map.rank_labels).unwrap_or_default() == rank);
                values.insert(Signal::KvCapacityTokens, capacity(map, of_rank));
            }
            Reading { model: model.map(str::to_owned), rank: rank.to_owned(), values }
        };
        let readings = groups.into_iter().take(MAX_READINGS).map(read).collect();
        Ok(Self { readings, n_skipped: page.n_skipped, n_left_out })
    }

    /// Adds what llama.cpp's `/slots` says: the use of the cache of the one model that such a server has. `None` says that
    /// it gave no answer to be read.
    pub fn add_slots(&mut self, body: Option<&[u8]>) {
        let usage = body.ok_or(Missing::Unreadable).and_then(slots::kv_cache_usage);
        for reading in &mut self.readings {
            reading.values.insert(Signal::KvCacheUsage, usage);
        }
    }
}

/// Tells whether the use of an engine's cache is found at `/slots` beside its page.
pub fn has_slots(engine: Engine) -> bool {
    engine == Engine::Llamacpp
}

fn first_label<'a>(sample: &'a Sample<'_>, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| sample.label(name)).filter(|value| !value.is_empty())
}

/// Gives the value of the first term that has a series.
fn value(signal: Signal, terms: &[Term], samples: &[&Sample<'_>]) -> Result<f64, Missing> {
    let found = terms.iter().find_map(|term| match term {
        Term::Value(selector) => largest(selector, samples),
        Term::Quotient(part, whole) => Some(quotient(largest(part, samples)?, largest(whole, samples)?)),
    });
    let value = found.unwrap_or(Err(Missing::Absent))?;
    if signal.is_share() && value > 1.0 { Err(Missing::AboveOne) } else { Ok(value) }
}

/// Gives the largest possible value of the series of one selector, or what is wrong with the first one.
fn largest(selector: &Selector, samples: &[&Sample<'_>]) -> Option<Result<f64, Missing>> {
    let values = samples.iter().filter(|sample| selector.selects(sample)).map(|sample| possible(sample.value));
    values.reduce(|kept, next| match (kept, next) {
        (Ok(kept), Ok(next)) => Ok(kept.max(next)),
        (Ok(kept), Err(_)) => Ok(kept),
        (Err(_), Ok(next)) => Ok(next),
        (Err(kept), Err(_)) => Err(kept),
    })
}

fn possible(value: f64) -> Result<f64, Missing> {
    match value {
        value if !value.is_finite() => Err(Missing::NotANumber),
        value if value < 0.0 => Err(Missing::Negative),
        value => Ok(value),
    }
}

fn quotient(part: Result<f64, Missing>, whole: Result<f64, Missing>) -> Result<f64, Missing> {
    let (part, whole) = (part?, whole?);
    if whole > 0.0 { Ok(part / whole) } else { Err(Missing::NotANumber) }
}

/// Multiplies the labels that tell how large the cache is.
fn capacity<'a>(map: &MetricMap, mut series: impl Iterator<Item = &'a Sample<'a>>) -> Result<f64, Missing> {
    let (_, factors) = map.capacity.ok_or(Missing::NotExported)?;
    let series = series.next().ok_or(Missing::Absent)?;
    let mut product = 1.0;
    for label in factors {
        let factor: f64 = series.label(label).ok_or(Missing::Absent)?.parse().map_err(|_| Missing::NotANumber)?;
        product *= possible(factor)?;
    }
    if product > 0.0 { Ok(product) } else { Err(Missing::Absent) }
}
