//! One conversation: turns, attempts at them, and now and then two answers side by side.
//!
//! Who the user is and what the models are worth is decided elsewhere; what a reaction looks like, too.

use chrono::{SecondsFormat, TimeDelta};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

use super::chance::{happens, normal};
use super::reactions::{self, Reactions};
use super::serving::{Model, Served, serve};
use super::simulator::{EXPERIMENT, Person, Traffic};
use super::texts::{Corpus, Talk, Task};
use crate::domain::clock::Timestamp;

/// Share of the turns that show both models' answers side by side.
const SIDE_BY_SIDE: f64 = 0.05;
/// Share of the turns whose rating is asked for at random.
pub(super) const SOLICITED: f64 = 0.05;
/// Regenerations of one turn at most.
const MAX_ATTEMPTS: u32 = 3;

/// An answer that a user has before them.
pub(super) struct Answer {
    pub(super) id: String,
    pub(super) text: String,
    /// What nobody can see.
    pub(super) is_satisfying: bool,
    pub(super) is_solicited: bool,
    /// When its last token came.
    pub(super) at: Timestamp,
}

/// What stays the same while a conversation goes on.
pub(super) struct Setting<'a> {
    pub(super) person: &'a Person,
    pub(super) talk: Talk<'a>,
    pub(super) task: Task,
    pub(super) id: String,
}

/// How one completion came about.
struct Making<'a> {
    id: String,
    model: &'a Model,
    parent: Option<String>,
    attempt: u32,
    /// Whether the experiment chose the model.
    is_assigned: bool,
}

/// Plays the `nth` conversation of a person.
pub(super) fn play(
    traffic: &mut Traffic,
    corpus: &Corpus,
    person: &Person,
    nth: u32,
    task: Task,
    at: Timestamp,
    rng: &mut ChaCha8Rng,
) {
    let Some(talk) = Talk::draw(corpus, task, rng) else { return };
    let setting = Setting { person, talk, task, id: format!("{}-c{nth:02}", person.id) };
    let mut messages = vec![json!({"role": "system", "content": setting.talk.system()})];
    let mut reactions = Reactions::new(&setting.id);
    let mut now = at;
    let mut is_pair = happens(SIDE_BY_SIDE, rng);
    for turn in 0..setting.talk.n_turns() {
        messages.push(json!({"role": "user", "content": setting.talk.question(turn, rng)}));
        let mut stage = Stage { setting: &setting, traffic, messages: &messages, turn, reactions: &mut reactions };
        let answer = if is_pair { stage.side_by_side(now, rng) } else { stage.turn(now, rng) };
        let goes_on = turn + 1 < setting.talk.n_turns() && happens(if answer.is_satisfying { 0.55 } else { 0.3 }, rng);
        if !goes_on {
            return;
        }
        let gap = TimeDelta::milliseconds((20_000.0 * (0.9 * normal(rng)).exp()).min(900_000.0) as i64);
        is_pair = happens(SIDE_BY_SIDE, rng);
        let kind = if is_pair { person.model.variant } else { "a1" };
        let next = format!("{}-t{}-{kind}", setting.id, turn + 1);
        reactions.continuation(traffic, &setting, &answer, (turn + 1, &next), gap);
        now = answer.at + gap;
        messages.push(json!({"role": "assistant", "content": answer.text}));
    }
}

/// One turn of a conversation, with all that was said before it.
struct Stage<'s, 'a> {
    setting: &'s Setting<'a>,
    traffic: &'s mut Traffic,
    messages: &'s [Value],
    turn: usize,
    reactions: &'s mut Reactions,
}

impl Stage<'_, '_> {
    /// Answers a turn, again and again while the user asks for another attempt; returns the answer that stands.
    fn turn(&mut self, at: Timestamp, rng: &mut ChaCha8Rng) -> Answer {
        let (setting, turn) = (self.setting, self.turn);
        let mut now = at;
        let mut parent: Option<Answer> = None;
        let mut attempt = 1;
        loop {
            let id = format!("{}-t{turn}-a{attempt}", setting.id);
            let making = Making {
                id,
                model: setting.person.model,
                parent: parent.as_ref().map(|answer| answer.id.clone()),
                attempt,
                is_assigned: true,
            };
            let answer = self.complete(&making, parent.as_ref().map(|answer| answer.text.as_str()), now, rng);
            let dislikes = if answer.is_satisfying { 0.015 } else { 0.2 };
            let again = attempt < MAX_ATTEMPTS && happens(dislikes, rng);
            reactions::to_answer(self.traffic, self.reactions, setting, turn, &answer, again, rng);
            if !again {
                return answer;
            }
            let next = format!("{}-t{turn}-a{}", setting.id, attempt + 1);
            let waited = TimeDelta::milliseconds(rng.random_range(4_000..30_000));
            self.reactions.regenerate(self.traffic, setting, &answer, &next, waited);
            now = answer.at + waited;
            parent = Some(answer);
            attempt += 1;
        }
    }

    /// Shows both models' answers; the user says which is better. They belong to no variant: nothing was assigned.
    fn side_by_side(&mut self, at: Timestamp, rng: &mut ChaCha8Rng) -> Answer {
        let model = self.setting.person.model;
        let making = |model: &'static Model| Making {
            id: format!("{}-t{}-{}", self.setting.id, self.turn, model.variant),
            model,
            parent: None,
            attempt: 1,
            is_assigned: false,
        };
        let (own, other) = (making(model), making(model.other()));
        let own = self.complete(&own, None, at, rng);
        let other = self.complete(&other, Some(&own.text), at, rng);
        let own_is_kept = reactions::to_pair(self.traffic, self.reactions, self.setting, (&own, &other), rng);
        if own_is_kept { own } else { other }
    }

    /// Makes an answer, different from one that it is to be compared with, and sends it.
    fn complete(
        &mut self,
        making: &Making<'static>,
        unlike: Option<&str>,
        at: Timestamp,
        rng: &mut ChaCha8Rng,
    ) -> Answer {
        let Setting { person, talk, task, .. } = self.setting;
        let model = making.model;
        let is_satisfying = person.is_satisfied(model, *task, making.attempt, rng);
        let is_good = happens(if is_satisfying { 0.94 } else { 0.12 }, rng);
        let mut text = talk.answer(self.turn, is_good, model.style, rng);
        for _ in 0..8 {
            if unlike != Some(text.as_str()) {
                break;
            }
            text = talk.answer(self.turn, is_good, model.style, rng);
        }
        let is_cut = happens(0.02, rng);
        if is_cut {
            text = text.chars().take(text.chars().count() * 3 / 5).collect();
        }
        let chars = |messages: &[Value]| -> usize {
            messages.iter().filter_map(|message| message["content"].as_str()).map(str::len).sum()
        };
        let n_known_chars = if self.turn == 0 { 0 } else { chars(&self.messages[..self.messages.len() - 1]) };
        let served = serve(model, at, chars(self.messages), n_known_chars, text.len(), rng);
        let ended_at = at + TimeDelta::milliseconds(served.latency_ms as i64);
        let is_solicited = making.is_assigned && happens(SOLICITED, rng);
        let answer = Answer { id: making.id.clone(), text, is_satisfying, is_solicited, at: ended_at };
        let item = self.item(making, &answer, &served, at, is_cut);
        self.traffic.completions.push(item);
        answer
    }

    fn item(&self, making: &Making, answer: &Answer, served: &Served, at: Timestamp, is_cut: bool) -> Value {
        let Setting { person, task, .. } = self.setting;
        let mut item = json!({
            "id": making.id,
            "model": making.model.name,
            "prompt": self.messages,
            "response": {"role": "assistant", "content": answer.text},
            "params": {"temperature": 0.7, "top_p": 0.95},
            "finish_reason": if is_cut { "length" } else { "stop" },
            "conversation_id": self.setting.id,
            "turn_index": self.turn,
            "attempt": making.attempt,
            "user": person.id,
            "task": task.as_str(),
            "language": "en",
            "tags": {"client": person.client},
            "usage": {
                "input_tokens": served.n_input_tokens,
                "output_tokens": served.n_output_tokens,
                "cached_input_tokens": served.n_cached_tokens,
            },
            "timing": {
                "started_at": moment(at),
                "ttft_ms": served.ttft_ms,
                "itl_ms": served.itl_ms,
                "latency_ms": served.latency_ms,
                "queue_ms": served.queue_ms,
            },
            "cost_usd": served.cost_usd,
            "serving": {
                "served_by": served.instance,
                "kv_cache_usage": served.kv_cache_usage,
                "n_waiting": served.n_waiting,
                "max_model_len": served.max_model_len,
            },
            "rating_solicited": answer.is_solicited,
            "solicit_prob": if making.is_assigned { SOLICITED } else { 0.0 },
            "created_at": moment(answer.at),
        });
        if let Some(fields) = item.as_object_mut() {
            add_what_is_known(fields, making, person);
        }
        item
    }
}

fn add_what_is_known(fields: &mut Map<String, Value>, making: &Making, person: &Person) {
    if making.is_assigned {
        fields.insert("experiment".to_owned(), json!(EXPERIMENT));
        fields.insert("variant".to_owned(), json!(making.model.variant));
    }
    if let Some(parent) = &making.parent {
        fields.insert("parent_completion_id".to_owned(), json!(parent));
    }
    if let Some(training) = person.consent {
        fields.insert("consent".to_owned(), json!({"training": training}));
    }
}

/// Writes a moment as clients do.
pub(super) fn moment(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
