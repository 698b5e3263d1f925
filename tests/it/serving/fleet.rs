//! A fleet of our own, played by a seed: a curve of load over the day, users who differ, prompts that are longer when it is busy and
//! please less, and an effect of load that is known.

use std::f64::consts::TAU;

use afterword::domain::bands::KV_USAGE;
use afterword::domain::clock::Timestamp;
use afterword::domain::serving_query::ServingQuery;
use afterword::domain::trust::TrustRule;
use afterword::service::serving_report::Evidence;
use afterword::store::serving_load::LoadCount;
use afterword::store::turns::{Before, Opening, Outcomes, Told, Turn, Turns};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Good turns at rest, and how many fewer there are in each band of load where load has an effect.
pub(crate) const GOOD: f64 = 0.42;
pub(crate) const LOST: [f64; 4] = [0.0, 0.0, 0.08, 0.16];
/// Fewer good turns where the prompt is long, which it is more often when it is busy.
const LOST_TO_LENGTH: f64 = 0.15;
const MINUTES: i64 = 14 * 24 * 60;

/// What is played.
#[derive(Clone, Copy)]
pub(crate) struct Fleet {
    pub(crate) seed: u64,
    pub(crate) n_users: u32,
    pub(crate) n_turns_per_user: u32,
    pub(crate) has_effect: bool,
}

/// Use of the cache at a minute, without noise: lowest at midnight, highest at noon.
pub(crate) fn curve(minute: i64) -> f64 {
    0.55 - 0.35 * (TAU * minute as f64 / 1440.0).cos()
}

pub(crate) fn beginning() -> Timestamp {
    "2026-03-02T00:00:00Z".parse().unwrap()
}

pub(crate) fn query() -> ServingQuery {
    let pairs = [("from", "2026-03-02T00:00:00Z"), ("to", "2026-03-16T00:00:00Z")];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    ServingQuery::from_query(&pairs, beginning()).unwrap()
}

impl Fleet {
    /// Plays it.
    pub(crate) fn play(self) -> Evidence {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut rows = Vec::new();
        for unit in 0..self.n_users {
            let own: f64 = rng.random_range(-0.12..0.12);
            let model = u16::from(rng.random_range(0.0..1.0) < 0.3);
            for _ in 0..self.n_turns_per_user {
                rows.push(self.turn(unit, model, own, &mut rng));
            }
        }
        rows.sort_by_key(|turn| (turn.unit, turn.made_at_ms));
        let opening = Opening { task: None, language: None, prompt_tokens: Told::of(None), order: (0, 0) };
        let turns = Turns {
            units: (0..self.n_users).map(|unit| format!("u:{unit:06}")).collect(),
            before: vec![Before::default(); self.n_users as usize],
            models: vec!["river-14b".to_owned(), "sea-70b".to_owned()],
            tasks: Vec::new(),
            languages: Vec::new(),
            conversations: vec![opening; self.n_users as usize],
            rows,
            n_randomised: self.n_users as usize,
        };
        Evidence { query: query(), trust: TrustRule::settle(None, None), turns, engines: engines(self.seed) }
    }

    fn turn(self, unit: u32, model: u16, own: f64, rng: &mut ChaCha8Rng) -> Turn {
        let minute = rng.random_range(0..MINUTES);
        let kv = (curve(minute) + rng.random_range(-0.08..0.08)).clamp(0.0, 1.0);
        let is_long = rng.random_range(0.0..1.0) < 0.15 + 0.6 * kv;
        let input = if is_long { rng.random_range(2100.0..7900.0) } else { rng.random_range(40.0..500.0) };
        let output: f64 = rng.random_range(20.0..900.0);
        let latency = output * (12.0 + 30.0 * kv * kv);
        let lost = if self.has_effect { LOST[KV_USAGE.place(kv)] } else { 0.0 };
        let of_length = if is_long { LOST_TO_LENGTH } else { 0.0 };
        let of_model = if model == 1 { 0.05 } else { 0.0 };
        let happens = |p: f64, rng: &mut ChaCha8Rng| rng.random_range(0.0..1.0) < p;
        let mut outcomes = Outcomes::default();
        if happens(GOOD + own + of_model - lost - of_length, rng) {
            outcomes = outcomes.and(Outcomes::TOOK).and(Outcomes::COPIED);
        } else if happens(0.06 + lost / 2.0, rng) {
            outcomes = outcomes.and(Outcomes::DOWN).and(Outcomes::EXPLICIT);
        }
        if happens(0.5, rng) {
            outcomes = outcomes.and(Outcomes::CONTINUED);
        }
        let none = Told::of(None);
        Turn {
            unit,
            randomised: unit,
            conversation: unit,
            model,
            made_at_ms: beginning().timestamp_millis() + minute * 60_000 + rng.random_range(0..60_000),
            has_own_time: true,
            is_candidate: false,
            is_error: false,
            outcomes,
            n_completions: 1,
            n_by_other_model: 0,
            input_tokens: Told::of(Some(input as f32)),
            output_tokens: Told::of(Some(output as f32)),
            latency_ms: Told::of(Some(latency as f32)),
            ttft_ms: none,
            cost_usd: none,
            kv_cache_usage: Told::of(Some(kv as f32)),
            solicit_prob: none,
        }
    }
}

/// What two engines say minute by minute, counted in bins of six hours.
fn engines(seed: u64) -> Vec<LoadCount> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5eed);
    let mut counts: std::collections::BTreeMap<(i64, i32), LoadCount> = std::collections::BTreeMap::new();
    for minute in 0..MINUTES {
        for _ in 0..2 {
            let usage = (curve(minute) + rng.random_range(-0.05..0.05)).clamp(0.0, 1.0);
            let bin = minute.div_euclid(360);
            let percent = ((usage * 100.0).floor() as i32).min(99);
            let n_waiting = if usage > 0.85 { (usage * 40.0).floor() } else { 0.0 };
            let count = counts.entry((bin, percent)).or_insert(LoadCount {
                bin_at: beginning() + chrono::TimeDelta::minutes(bin * 360),
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
            count.n_waiting_known += 1;
            count.n_with_queue += i64::from(n_waiting > 0.0);
            count.n_waiting_max = Some(count.n_waiting_max.map_or(n_waiting, |most| most.max(n_waiting)));
        }
    }
    counts.into_values().collect()
}

/// The true difference of good turns between two bands, like for like.
pub(crate) fn true_difference(base: usize, band: usize) -> f64 {
    LOST[base] - LOST[band]
}
