//! What is known of serving engines, as people and programs look at it: every number, or why there is none.

use std::collections::BTreeMap;

use serde::Serialize;

use super::App;
use super::serving::{Fault, TargetState};
use crate::domain::clock::Timestamp;
use crate::engine::maps::Signal;
use crate::engine::reading::{Missing, Reading};
use crate::engine::target::{ModelNames, Target};
use crate::scrape::ScrapeError;

/// A target, without its address, which is nobody's business but the operator's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetView {
    /// Its name.
    pub name: String,
    /// The word of its engine.
    pub engine: &'static str,
    /// What completions call it.
    pub instance: String,
    /// How often it is asked, in seconds.
    pub interval_s: u64,
    /// `ok`, `not_asked_yet`, or what was wrong the last time.
    pub status: &'static str,
    /// The status that it answered with, where that was wrong.
    pub http_status: Option<u16>,
    /// When the last page was received.
    pub sampled_at: Option<Timestamp>,
    /// How long ago that is, in milliseconds.
    pub staleness_ms: Option<i64>,
    /// Pages that were read since the service started.
    pub n_samples: u64,
    /// Times that there was none.
    pub n_failures: u64,
    /// Lines of all pages that could not be read.
    pub n_skipped_lines: u64,
    /// What the last page said.
    pub readings: Vec<ReadingView>,
}

/// What an engine says of one model at one rank.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReadingView {
    /// What completions call the model; nothing where nobody says.
    pub model: Option<String>,
    /// What the engine calls it.
    pub reported_model: Option<String>,
    /// The replica within the engine; empty where there is one.
    pub rank: String,
    /// Numbers by name; null where there is none.
    pub values: BTreeMap<&'static str, Option<f64>>,
    /// Why there is none, by name.
    pub missing: BTreeMap<&'static str, &'static str>,
}

/// The numbers of a reading that are shown as they are.
const SHOWN: [Signal; 6] = [
    Signal::KvCacheUsage,
    Signal::KvReserved,
    Signal::KvCapacityTokens,
    Signal::NRunning,
    Signal::NWaiting,
    Signal::NPreempted,
];

/// The means since the engine started: name, sum, count, and what the mean is multiplied with.
const MEANS: [(&str, Signal, Signal, f64); 4] = [
    ("mean_input_tokens", Signal::InputTokens, Signal::NInputs, 1.0),
    ("mean_output_tokens", Signal::OutputTokens, Signal::NOutputs, 1.0),
    ("mean_ttft_ms", Signal::TtftSeconds, Signal::NTtft, 1e3),
    ("mean_itl_ms", Signal::ItlSeconds, Signal::NItl, 1e3),
];

impl ReadingView {
    /// Shows a reading, and what completions call its model.
    pub fn of(reading: &Reading, models: &ModelNames) -> Self {
        let plain = SHOWN.iter().map(|signal| (signal.as_str(), reading.value(*signal)));
        let means =
            MEANS.iter().map(|(name, sum, count, unit)| (*name, reading.mean(*sum, *count).map(|mean| mean * unit)));
        let all: Vec<(&'static str, Result<f64, Missing>)> = plain.chain(means).collect();
        Self {
            model: models.called(reading.model.as_deref()).map(str::to_owned),
            reported_model: reading.model.clone(),
            rank: reading.rank.clone(),
            values: all.iter().map(|(name, value)| (*name, value.ok())).collect(),
            missing: all.iter().filter_map(|(name, value)| Some((*name, value.err()?.as_str()))).collect(),
        }
    }
}

impl TargetView {
    fn of(target: &Target, state: &TargetState, now: Timestamp) -> Self {
        let status = match (state.fault, state.sampled_at) {
            (Some(fault), _) => fault.as_str(),
            (None, Some(_)) => "ok",
            (None, None) => "not_asked_yet",
        };
        let http_status = match state.fault {
            Some(Fault::Scrape(ScrapeError::Refused(status))) => Some(status),
            _ => None,
        };
        Self {
            name: target.name.clone(),
            engine: target.engine.as_str(),
            instance: target.instance.clone(),
            interval_s: target.interval.as_secs(),
            status,
            http_status,
            sampled_at: state.sampled_at,
            staleness_ms: state.sampled_at.map(|at| (now - at).num_milliseconds().max(0)),
            n_samples: state.n_samples,
            n_failures: state.n_failures,
            n_skipped_lines: state.n_skipped_lines,
            readings: state.readings.iter().map(|reading| ReadingView::of(reading, &target.models)).collect(),
        }
    }
}

/// Shows every target with what this process heard of it last.
pub fn list_targets(app: &App) -> Vec<TargetView> {
    let now = app.clock.now();
    let states = app.serving.states();
    app.serving.targets().iter().zip(&states).map(|(target, state)| TargetView::of(target, state, now)).collect()
}
