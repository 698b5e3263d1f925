//! The watching of serving engines, against an engine of the tests' own on loopback.

#![cfg(test)]

mod check;
mod engine;
pub(crate) mod fleet;
mod join;
mod lengths;
mod recovery;
mod report;
mod samples;

use std::sync::Mutex;
use std::time::Duration;

use afterword::domain::clock::{Clock, Timestamp};
use afterword::engine::maps::{Engine, MetricMap};
use afterword::engine::target::{ModelNames, Target, TargetUrl};

/// A clock that a test sets.
#[derive(Debug)]
struct SetClock(Mutex<Timestamp>);

impl SetClock {
    /// Starts at a moment that begins an interval of five seconds and a minute.
    fn new() -> Self {
        Self(Mutex::new("2026-03-01T12:00:00Z".parse().unwrap()))
    }

    /// Moves it by so many seconds, and returns what it shows then.
    fn advance(&self, seconds: f64) -> Timestamp {
        let mut now = self.0.lock().unwrap();
        *now += chrono::TimeDelta::microseconds((seconds * 1e6) as i64);
        *now
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

fn target(name: &str, engine: Engine, url: &str) -> Target {
    Target {
        name: name.to_owned(),
        engine,
        map: MetricMap::of(engine),
        url: TargetUrl::parse(url).unwrap(),
        interval: Duration::from_secs(5),
        models: ModelNames::AsReported,
        instance: name.to_owned(),
    }
}

/// A page of vLLM's.
fn vllm(model: &str, kv: &str, n_waiting: u32, n_preempted: u32) -> String {
    format!(
        "vllm:num_requests_running{{engine=\"0\",model_name=\"{model}\"}} 4\n\
         vllm:num_requests_waiting{{engine=\"0\",model_name=\"{model}\"}} {n_waiting}\n\
         vllm:kv_cache_usage_perc{{engine=\"0\",model_name=\"{model}\"}} {kv}\n\
         vllm:num_preemptions_total{{engine=\"0\",model_name=\"{model}\"}} {n_preempted}\n"
    )
}
