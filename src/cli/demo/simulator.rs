//! Simulated users of an assistant that two models take turns to answer for. Pure: the same scenario gives the same
//! traffic, byte for byte, and further users change nothing of earlier ones.
//!
//! What drives everything is hidden, as in life: whether an answer satisfied. It decides how good the text is that the
//! user sees, and shifts the odds of every reaction; nobody reports it, and few people press a thumb.
//!
//! It must not know the service: what it makes is the JSON that a client would send.

use chrono::TimeDelta;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::chance::{happens, logistic, normal, weighted};
use super::conversation;
use super::serving::{CANDIDATE, CONTROL, Model};
use super::texts::{Corpus, Task};
use crate::domain::clock::Timestamp;

/// Key of the experiment.
pub(super) const EXPERIMENT: &str = "assistant-model";
/// Days that the traffic covers.
const N_DAYS: i64 = 14;
/// Conversations of one user at most: somebody has to sleep.
const MAX_CONVERSATIONS: f64 = 36.0;

/// What is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scenario {
    /// Where all chance comes from.
    pub(super) seed: u64,
    /// How many users there are.
    pub(super) n_users: u32,
    /// When the traffic ends; it begins two weeks before.
    pub(super) until: Timestamp,
}

/// What the users' clients send.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Traffic {
    /// Bodies for `POST /v1/completions`, oldest first.
    pub(super) completions: Vec<Value>,
    /// Bodies for `POST /v1/feedback`, oldest first.
    pub(super) feedback: Vec<Value>,
}

/// Somebody with habits.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) id: String,
    /// Added to the log-odds of being satisfied.
    pub(super) mood: f64,
    /// Added to the log-odds of copying.
    pub(super) copying: f64,
    /// Probability of rating an answer at all.
    pub(super) vocal: f64,
    /// What became of the question whether answers may train a model.
    pub(super) consent: Option<bool>,
    pub(super) client: &'static str,
    /// The model that the experiment keeps this person on.
    pub(super) model: &'static Model,
    tasks: [f64; 4],
    n_conversations: u32,
}

/// Returns the declaration of the experiment, for `POST /v1/experiments`. Its margins are wider than the usual ones: two
/// weeks of a few hundred people cannot prove those.
pub(super) fn experiment() -> Value {
    json!({
        "key": EXPERIMENT,
        "control": CONTROL.variant,
        "variants": [
            {"name": CONTROL.variant, "model": CONTROL.name, "share": 0.5},
            {"name": CANDIDATE.variant, "model": CANDIDATE.name, "share": 0.5},
        ],
        "unit": "user",
        "margins": {"good_turn": 0.15, "bad_turn": 0.3, "thumb_up": 0.45, "thumb_down": 0.45},
    })
}

/// Plays two weeks of users.
pub(super) fn simulate(scenario: &Scenario, corpus: &Corpus) -> Traffic {
    let mut traffic = Traffic::default();
    for number in 0..scenario.n_users {
        let mut rng = ChaCha8Rng::seed_from_u64(scenario.seed);
        // A stream of its own for everybody.
        rng.set_stream(u64::from(number) + 1);
        let person = Person::draw(scenario.seed, number, &mut rng);
        for nth in 0..person.n_conversations {
            let at = moment(scenario.until, &mut rng);
            let task = Task::ALL[weighted(person.tasks, &mut rng)];
            conversation::play(&mut traffic, corpus, &person, nth, task, at, &mut rng);
        }
    }
    traffic.completions.sort_by(|left, right| order(left, "created_at").cmp(&order(right, "created_at")));
    traffic.feedback.sort_by(|left, right| order(left, "occurred_at").cmp(&order(right, "occurred_at")));
    traffic
}

fn order<'a>(item: &'a Value, moment: &str) -> (Option<&'a str>, Option<&'a str>) {
    (item[moment].as_str(), item["id"].as_str())
}

impl Person {
    fn draw(seed: u64, number: u32, rng: &mut ChaCha8Rng) -> Self {
        let id = format!("demo{seed}-u{number:04}");
        // Few people do most of the work.
        let n_conversations = (1.9 * (0.85 * normal(rng)).exp()).clamp(1.0, MAX_CONVERSATIONS) as u32;
        let taste = [1.0, 0.9, 0.8, 0.6];
        Self {
            mood: 0.7 * normal(rng),
            copying: 0.8 * normal(rng),
            vocal: logistic(-2.4 + 0.5 * normal(rng)),
            consent: [Some(true), Some(false), None][weighted([0.94, 0.04, 0.02], rng)],
            client: ["web", "ios", "android", "slack"][weighted([0.6, 0.15, 0.15, 0.1], rng)],
            model: assign(&id),
            tasks: taste.map(|weight| weight * (0.8 * normal(rng)).exp()),
            n_conversations,
            id,
        }
    }

    /// Says whether an attempt at a turn, from 1, satisfies; who asks again gets what was missing more often than not.
    pub(super) fn is_satisfied(&self, model: &Model, task: Task, attempt: u32, rng: &mut ChaCha8Rng) -> bool {
        let again = if attempt > 1 { 0.8 } else { 0.0 };
        happens(logistic(model.worth(task) + self.mood + again), rng)
    }
}

/// Keeps a user on one variant: the first bit of a hash of experiment and user.
fn assign(user: &str) -> &'static Model {
    let hash = blake3::hash(format!("{EXPERIMENT}\0{user}").as_bytes());
    if hash.as_bytes()[0].is_multiple_of(2) { &CONTROL } else { &CANDIDATE }
}

/// Draws when a conversation begins: more by day than by night, and early enough to end before the traffic does.
fn moment(until: Timestamp, rng: &mut ChaCha8Rng) -> Timestamp {
    let day = rng.random_range(1..=N_DAYS);
    let minute = loop {
        let hour = 13.0 + 4.2 * normal(rng);
        if (0.0..24.0).contains(&hour) {
            break (hour * 60.0) as i64;
        }
    };
    // Whole days and minutes before the end, so that the last conversation has hours to go on.
    let start = until - TimeDelta::days(day) - TimeDelta::hours(3) + TimeDelta::minutes(minute);
    start.min(until - TimeDelta::hours(3)) + TimeDelta::milliseconds(rng.random_range(0..60_000))
}

#[cfg(test)]
mod tests;
