//! What users do about an answer, as feedback items. Everything depends on whether it satisfied them, on their habits,
//! and on chance.

use chrono::TimeDelta;
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use uuid::Builder;

use super::chance::{happens, logistic, normal};
use super::conversation::{Answer, Setting, moment};
use super::simulator::Traffic;
use super::texts::Task;
use crate::domain::clock::Timestamp;

/// The feedback of one session, numbered as a client numbers it.
pub(super) struct Reactions {
    session_id: String,
    seq: u64,
}

impl Reactions {
    pub(super) fn new(conversation_id: &str) -> Self {
        Self { session_id: format!("{conversation_id}-s"), seq: 0 }
    }

    /// Sends one item; `own` are the signal's own fields.
    fn send(
        &mut self,
        traffic: &mut Traffic,
        setting: &Setting,
        (answer, signal): (&Answer, &str),
        after: TimeDelta,
        own: Value,
    ) {
        let at = answer.at + after;
        let id = feedback_id(&answer.id, signal, self.seq, at);
        let mut item = json!({
            "id": id,
            "completion_id": answer.id,
            "signal": signal,
            "occurred_at": moment(at),
            "session_id": self.session_id,
            "seq": self.seq,
            "user": setting.person.id,
        });
        if let (Some(fields), Value::Object(own)) = (item.as_object_mut(), own) {
            fields.extend(own);
        }
        self.seq += 1;
        traffic.feedback.push(item);
    }

    pub(super) fn continuation(
        &mut self,
        traffic: &mut Traffic,
        setting: &Setting,
        answer: &Answer,
        (turn, next): (usize, &str),
        gap: TimeDelta,
    ) {
        let own = json!({"turn": turn, "gap_ms": gap.num_milliseconds(), "next_completion_id": next});
        self.send(traffic, setting, (answer, "continuation"), gap, own);
    }

    pub(super) fn regenerate(
        &mut self,
        traffic: &mut Traffic,
        setting: &Setting,
        answer: &Answer,
        next: &str,
        after: TimeDelta,
    ) {
        let reason = if answer.is_satisfying { "other_version" } else { setting.talk.fault() };
        let own = json!({"next_completion_id": next, "reason": reason});
        self.send(traffic, setting, (answer, "regenerate"), after, own);
    }
}

/// Makes an id as a client would, a UUIDv7, but from what it names: the same traffic has the same ids.
fn feedback_id(completion_id: &str, signal: &str, seq: u64, at: Timestamp) -> String {
    let hash = blake3::hash(format!("{completion_id}\0{signal}\0{seq}").as_bytes());
    let mut random = [0; 10];
    random.copy_from_slice(&hash.as_bytes()[..10]);
    let millis = u64::try_from(at.timestamp_millis()).unwrap_or_default();
    Builder::from_unix_timestamp_millis(millis, &random).into_uuid().to_string()
}

/// Reacts to an answer of a turn.
pub(super) fn to_answer(
    traffic: &mut Traffic,
    reactions: &mut Reactions,
    setting: &Setting,
    turn: usize,
    answer: &Answer,
    is_replaced: bool,
    rng: &mut ChaCha8Rng,
) {
    let is_good = answer.is_satisfying;
    see(traffic, reactions, setting, answer, rng);
    let base = match setting.task {
        Task::Support => -2.6,
        Task::Code => -0.5,
        Task::Writing => -0.2,
        Task::Summaries => -0.9,
    };
    let copies =
        !is_replaced && happens(logistic(base + setting.person.copying + if is_good { 0.6 } else { -1.0 }), rng);
    if copies {
        copy(traffic, reactions, setting, answer, rng);
        use_it(traffic, reactions, setting, turn, answer, rng);
    }
    rate(traffic, reactions, setting, answer, rng);
    if answer.is_solicited && happens(0.4, rng) {
        let mean = if is_good { 4.2 } else { 2.1 };
        let score = (mean + 0.8 * normal(rng)).round().clamp(1.0, 5.0);
        let own = json!({"value": {"score": score, "min": 1, "max": 5}});
        reactions.send(traffic, setting, (answer, "rating"), seconds(6.0, 30.0, rng), own);
    }
    if happens(if is_good { 0.002 } else { 0.015 }, rng) {
        let text = if is_good { "That saved me an hour.".to_owned() } else { setting.talk.complaint(rng) };
        reactions.send(traffic, setting, (answer, "comment"), seconds(20.0, 90.0, rng), json!({"text": text}));
    }
}

/// Reacts to two answers to one prompt; tells whether the first of them is the one to go on with.
pub(super) fn to_pair(
    traffic: &mut Traffic,
    reactions: &mut Reactions,
    setting: &Setting,
    (own, other): (&Answer, &Answer),
    rng: &mut ChaCha8Rng,
) -> bool {
    see(traffic, reactions, setting, own, rng);
    see(traffic, reactions, setting, other, rng);
    let own_is_first = happens(0.5, rng);
    let pull = |is_satisfying: bool| if is_satisfying { 1.0 } else { -1.0 };
    // What is seen first has a small advantage.
    let advantage = if own_is_first { 0.15 } else { -0.15 };
    let own_is_better = happens(logistic(pull(own.is_satisfying) - pull(other.is_satisfying) + advantage), rng);
    let is_equal = own.is_satisfying == other.is_satisfying;
    let outcome = match (is_equal && happens(0.3, rng), own.is_satisfying, own_is_better) {
        (true, true, _) => "tie",
        (true, false, _) => "both_bad",
        (false, _, true) => "better",
        (false, _, false) => "worse",
    };
    let own_fields = json!({
        "against": other.id,
        "outcome": outcome,
        "shown_first": if own_is_first { "this" } else { "against" },
    });
    let later = (other.at - own.at).max(TimeDelta::zero());
    let after = later + seconds(8.0, 40.0, rng);
    if happens(0.9, rng) {
        reactions.send(traffic, setting, (own, "preference"), after, own_fields);
    }
    own_is_better
}

/// Sees the answer, for a while.
fn see(traffic: &mut Traffic, reactions: &mut Reactions, setting: &Setting, answer: &Answer, rng: &mut ChaCha8Rng) {
    if !happens(0.97, rng) {
        return;
    }
    reactions.send(traffic, setting, (answer, "impression"), seconds(0.1, 0.5, rng), json!({}));
    if happens(0.55, rng) {
        let reading_ms = 1_500.0 + answer.text.len() as f64 * 18.0 * (0.5 * normal(rng)).exp();
        let visible = TimeDelta::milliseconds(reading_ms.min(240_000.0) as i64);
        let own = json!({"visible_ms": visible.num_milliseconds()});
        reactions.send(traffic, setting, (answer, "dwell"), visible + TimeDelta::seconds(1), own);
    }
}

fn copy(traffic: &mut Traffic, reactions: &mut Reactions, setting: &Setting, answer: &Answer, rng: &mut ChaCha8Rng) {
    let n_total = answer.text.chars().count();
    let has_button = setting.task == Task::Code || happens(0.5, rng);
    let n_chars = if has_button { n_total } else { (n_total as f64 * rng.random_range(0.2..1.0)).ceil() as usize };
    let own = json!({
        "n_chars": n_chars,
        "n_total_chars": n_total,
        "method": if has_button { "button" } else { "selection" },
        "contains_code": answer.text.contains("```"),
    });
    reactions.send(traffic, setting, (answer, "copy"), seconds(3.0, 25.0, rng), own);
}

/// Puts a copied answer where it belongs, or changes it first.
fn use_it(
    traffic: &mut Traffic,
    reactions: &mut Reactions,
    setting: &Setting,
    turn: usize,
    answer: &Answer,
    rng: &mut ChaCha8Rng,
) {
    let is_own_text = matches!(setting.task, Task::Writing | Task::Code);
    if is_own_text && happens(if answer.is_satisfying { 0.1 } else { 0.3 }, rng) {
        let own = json!({"text": setting.talk.edited(turn, rng), "accepted": happens(0.88, rng)});
        reactions.send(traffic, setting, (answer, "edit"), seconds(40.0, 240.0, rng), own);
    } else if answer.is_satisfying && happens(0.2, rng) {
        let method = match setting.task {
            Task::Code => "apply",
            Task::Support => "insert",
            Task::Writing | Task::Summaries => "send",
        };
        reactions.send(traffic, setting, (answer, "accept"), seconds(10.0, 60.0, rng), json!({"method": method}));
    }
}

/// Presses a thumb, if this is somebody who does; the dissatisfied do it more often.
fn rate(traffic: &mut Traffic, reactions: &mut Reactions, setting: &Setting, answer: &Answer, rng: &mut ChaCha8Rng) {
    let is_good = answer.is_satisfying;
    if !happens(setting.person.vocal * if is_good { 1.0 } else { 1.7 }, rng) {
        return;
    }
    let pressed = seconds(4.0, 40.0, rng);
    let is_slip = happens(0.02, rng);
    let mut own = json!({"value": if is_good == is_slip { "down" } else { "up" }});
    if !is_good && !is_slip {
        own["reasons"] = json!([setting.talk.fault()]);
        if happens(0.45, rng) {
            own["comment"] = json!(setting.talk.complaint(rng));
        }
    } else if is_good && happens(0.08, rng) {
        own["comment"] = json!("Exactly what I needed");
    }
    reactions.send(traffic, setting, (answer, "thumb"), pressed, own);
    if is_slip {
        let later = pressed + seconds(1.0, 4.0, rng);
        reactions.send(traffic, setting, (answer, "thumb"), later, json!({"value": "none"}));
    }
}

fn seconds(from: f64, to: f64, rng: &mut ChaCha8Rng) -> TimeDelta {
    TimeDelta::milliseconds((1000.0 * rng.random_range(from..to)) as i64)
}
