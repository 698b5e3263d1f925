//! The two models of the demo and how they are served: tokens, times, load, price.
//!
//! It knows nothing of users; what a model is worth to them is a number here and nothing else.

use chrono::Timelike as _;
use rand::Rng;

use super::chance::normal;
use super::texts::{Style, Task};
use crate::domain::clock::Timestamp;

/// Characters of one token, about.
const CHARS_PER_TOKEN: f64 = 4.0;

/// A model as the demo serves it.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) name: &'static str,
    pub(super) variant: &'static str,
    pub(super) style: Style,
    instances: [&'static str; 2],
    /// Added to the log-odds that a user is satisfied, by task in the order of [`Task::ALL`].
    skill: [f64; 4],
    tokens_per_s: f64,
    ttft_ms: f64,
    kv_cache_usage: f64,
    usd_per_million: (f64, f64),
    max_model_len: u32,
}

/// The model in use.
pub(super) static CONTROL: Model = Model {
    name: "llama-3.3-70b",
    variant: "control",
    style: Style::Thorough,
    instances: ["vllm-70b-0", "vllm-70b-1"],
    skill: [0.0, 0.0, 0.0, 0.0],
    tokens_per_s: 42.0,
    ttft_ms: 380.0,
    kv_cache_usage: 0.62,
    usd_per_million: (0.59, 0.79),
    max_model_len: 32_768,
};

/// The model that might replace it: as good at most things and clearly weaker at code.
pub(super) static CANDIDATE: Model = Model {
    name: "llama-3.1-8b",
    variant: "candidate",
    style: Style::Brief,
    instances: ["vllm-8b-0", "vllm-8b-1"],
    skill: [-0.05, -0.6, -0.1, -0.15],
    tokens_per_s: 135.0,
    ttft_ms: 120.0,
    kv_cache_usage: 0.36,
    usd_per_million: (0.05, 0.08),
    max_model_len: 32_768,
};

impl Model {
    /// Returns the other of the two models.
    pub(super) fn other(&self) -> &'static Self {
        if self.variant == CONTROL.variant { &CANDIDATE } else { &CONTROL }
    }

    /// Returns the log-odds of a satisfied user with a task.
    pub(super) fn worth(&self, task: Task) -> f64 {
        const BASE: [f64; 4] = [0.9, 0.6, 0.8, 1.2];
        let place = Task::ALL.iter().position(|other| *other == task).unwrap_or_default();
        BASE[place] + self.skill[place]
    }
}

/// How one answer was served.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) instance: &'static str,
    pub(super) n_input_tokens: u32,
    pub(super) n_cached_tokens: u32,
    pub(super) n_output_tokens: u32,
    pub(super) ttft_ms: f64,
    pub(super) itl_ms: f64,
    pub(super) latency_ms: f64,
    pub(super) queue_ms: f64,
    pub(super) cost_usd: f64,
    pub(super) kv_cache_usage: f64,
    pub(super) n_waiting: u32,
    pub(super) max_model_len: u32,
}

/// Serves an answer: the fuller the cache, the longer the queue and the slower the tokens.
pub(super) fn serve(
    model: &Model,
    at: Timestamp,
    n_prompt_chars: usize,
    n_known_chars: usize,
    n_answer_chars: usize,
    rng: &mut impl Rng,
) -> Served {
    let hour = f64::from(at.hour()) + f64::from(at.minute()) / 60.0;
    let daily = (std::f64::consts::TAU * (hour - 8.0) / 24.0).sin();
    let usage = (model.kv_cache_usage * (1.0 + 0.35 * daily) + 0.07 * normal(rng)).clamp(0.02, 0.99);
    let pressure = (usage - 0.75).max(0.0);
    let tokens = |n_chars: usize| (n_chars as f64 / CHARS_PER_TOKEN).ceil().max(1.0);
    let (input, output) = (tokens(n_prompt_chars), tokens(n_answer_chars));
    let queue_ms = 2.0 + 4000.0 * pressure * rng.random::<f64>();
    let ttft_ms = queue_ms + model.ttft_ms * (1.0 + input / 3000.0) * (0.15 * normal(rng)).exp();
    let itl_ms = 1000.0 / model.tokens_per_s * (1.0 + 3.0 * pressure) * (0.08 * normal(rng)).exp();
    Served {
        instance: model.instances[usize::from(rng.random_bool(0.5))],
        n_input_tokens: input as u32,
        n_cached_tokens: if n_known_chars == 0 { 0 } else { tokens(n_known_chars).min(input) as u32 },
        n_output_tokens: output as u32,
        ttft_ms: tenths(ttft_ms),
        itl_ms: tenths(itl_ms),
        latency_ms: tenths(ttft_ms + itl_ms * (output - 1.0)),
        queue_ms: tenths(queue_ms),
        cost_usd: (input * model.usd_per_million.0 + output * model.usd_per_million.1).round() / 1e6,
        kv_cache_usage: (usage * 1000.0).round() / 1000.0,
        n_waiting: (40.0 * pressure * rng.random::<f64>()) as u32,
        max_model_len: model.max_model_len,
    }
}

fn tenths(milliseconds: f64) -> f64 {
    (milliseconds * 10.0).round() / 10.0
}
