//! The wire form of feedback, read into [`NewFeedback`].

use super::feedback::{NewFeedback, Outcome, Points, Reaction, ShownFirst, Signal, Thumb};
use super::fields::{
    FieldCode, FieldError, Fields, boolean, count, id, integer, list, number, short_text, text, timestamp, uuid,
};
use super::hash::ContentHash;
use super::ids::{CompletionId, FeedbackId, UserId};
use super::json::Json;

/// The longest comment.
pub(crate) const MAX_COMMENT_BYTES: usize = 16 << 10;
/// The longest edited answer.
pub(crate) const MAX_EDIT_BYTES: usize = 1 << 20;
/// The most reasons of one thumb.
pub(crate) const MAX_REASONS: usize = 20;
/// The furthest from zero that points and strengths may lie.
pub(crate) const MAX_SCORE: f64 = 1e6;
/// The largest weight: one in a million was kept.
pub(crate) const MAX_WEIGHT: f64 = 1e6;
/// A year: an age beyond it is a broken clock, not a late reaction.
pub(crate) const MAX_AGE_MS: i64 = 366 * 24 * 3600 * 1000;
/// How a text can have been copied.
pub(crate) const COPY_METHODS: &[(&str, &str)] = &[("selection", "selection"), ("button", "button")];
/// How a text can have been taken over.
pub(crate) const ACCEPT_METHODS: &[(&str, &str)] = &[("insert", "insert"), ("apply", "apply"), ("send", "send")];

pub(super) fn parse(value: Json, pointer: &str) -> Result<NewFeedback, Vec<FieldError>> {
    let content_hash = content_hash(&value);
    let mut fields = Fields::open(value, pointer)?;

    let feedback_id = fields.required("id", uuid).map(FeedbackId);
    let completion_id = fields.required("completion_id", id(CompletionId::parse));
    let signal = signal(&mut fields);
    let occurred_at = fields.optional("occurred_at", timestamp);
    let age_ms = fields.optional("age_ms", integer(0, MAX_AGE_MS));
    let session_id = fields.optional("session_id", short_text);
    let seq = fields.optional("seq", integer(0, i64::MAX));
    let user = fields.optional("user", id(UserId::parse));
    let supersedes = fields.optional("supersedes", uuid).map(FeedbackId);
    let weight = fields.optional("weight", number(1.0, MAX_WEIGHT)).unwrap_or(1.0);
    if weight > 1.0 && signal.is_some_and(Signal::is_explicit) {
        fields.fail("weight", FieldCode::Contradiction, "must be 1 for an explicit signal, which is never sampled");
    }
    if supersedes.is_some() && supersedes == feedback_id {
        fields.fail("supersedes", FieldCode::Contradiction, "must not be the item's own id");
    }
    let Some(signal) = signal else {
        // Which of the other fields belong here depends on the signal, so that none can be called unknown.
        fields.take_rest();
        return fields.finish().and(Err(Vec::new()));
    };
    let reaction = reaction(signal, &mut fields, completion_id.as_ref());

    fields.finish()?;
    let (Some(id), Some(completion_id), Some(reaction)) = (feedback_id, completion_id, reaction) else {
        return Err(vec![FieldError::new(pointer, FieldCode::Required, "a required field is absent")]);
    };
    Ok(NewFeedback {
        id,
        completion_id,
        content_hash,
        reaction,
        occurred_at,
        age_ms,
        sent_at: None,
        session_id,
        seq,
        user,
        supersedes,
        weight,
        sdk: None,
    })
}

/// `age_ms` is measured when the item is sent, so that a retry of the same item may carry another one; `id` is the key
/// that contents are compared under, and a UUID has more than one spelling.
fn content_hash(value: &Json) -> ContentHash {
    ContentHash::of_canonical("feedback", |text| value.write_canonical(text, |key| key != "age_ms" && key != "id"))
}

fn signal(fields: &mut Fields) -> Option<Signal> {
    fields.required("signal", |value| match value {
        Json::String(word) => {
            Signal::WORDS.iter().find(|(known, _)| known == word).map(|(_, signal)| *signal).ok_or_else(|| {
                let words: Vec<&str> = Signal::WORDS.iter().map(|(word, _)| *word).collect();
                (FieldCode::UnknownSignal, format!("must be one of: {}", words.join(", ")))
            })
        }
        _ => Err((FieldCode::WrongType, "must be a string".to_owned())),
    })
}

fn reaction(signal: Signal, fields: &mut Fields, completion_id: Option<&CompletionId>) -> Option<Reaction> {
    let next_completion_id = |fields: &mut Fields| fields.optional("next_completion_id", id(CompletionId::parse));
    match signal {
        Signal::Thumb => {
            let reasons = fields.optional("reasons", list(MAX_REASONS, reason_code)).unwrap_or_default();
            let comment = fields.optional("comment", text(MAX_COMMENT_BYTES));
            let value = fields.required("value", super::fields::one_of(Thumb::WORDS))?;
            Some(Reaction::Thumb { value, reasons, comment })
        }
        Signal::Rating => rating(fields),
        Signal::Preference => preference(fields, completion_id),
        Signal::Edit => {
            let accepted = fields.optional("accepted", boolean).unwrap_or(false);
            let truncated = fields.optional("truncated", boolean).unwrap_or(false);
            let text = fields.required("text", text(MAX_EDIT_BYTES))?;
            Some(Reaction::Edit { text, accepted, truncated })
        }
        Signal::Regenerate => Some(Reaction::Regenerate {
            next_completion_id: next_completion_id(fields),
            reason: fields.optional("reason", reason_code),
        }),
        Signal::Continuation => Some(Reaction::Continuation {
            turn: fields.optional("turn", count),
            gap_ms: fields.optional("gap_ms", integer(0, MAX_AGE_MS)),
            next_completion_id: next_completion_id(fields),
        }),
        Signal::Copy => Some(copy(fields)),
        Signal::Accept => {
            Some(Reaction::Accept { method: fields.optional("method", super::fields::one_of(ACCEPT_METHODS)) })
        }
        Signal::Comment => {
            let text = fields.required("text", text(MAX_COMMENT_BYTES))?;
            if text.trim().is_empty() {
                fields.fail("text", FieldCode::Empty, "must not be empty");
            }
            Some(Reaction::Comment { text })
        }
        Signal::Impression => Some(Reaction::Impression),
        Signal::Dwell => {
            let visible_ms = fields.required("visible_ms", integer(0, MAX_AGE_MS))?;
            Some(Reaction::Dwell { visible_ms })
        }
    }
}

/// `value` is 0..1, or `{score, min, max}`.
fn rating(fields: &mut Fields) -> Option<Reaction> {
    if matches!(fields.at_value("value"), Some(Json::Object(_))) {
        let points = fields.nested("value", |inner| {
            let bound = || number(-MAX_SCORE, MAX_SCORE);
            let score = inner.required("score", bound());
            let min = inner.required("min", bound());
            let max = inner.required("max", bound());
            let points = Points { score: score?, min: min?, max: max? };
            if points.min >= points.max {
                inner.fail("max", FieldCode::OutOfRange, "must be greater than `min`");
                return None;
            }
            if !(points.min..=points.max).contains(&points.score) {
                inner.fail("score", FieldCode::OutOfRange, "must be between `min` and `max`");
                return None;
            }
            Some(points)
        })??;
        let value = (points.score - points.min) / (points.max - points.min);
        return Some(Reaction::Rating { value, points: Some(points) });
    }
    let value = fields.required("value", number(0.0, 1.0))?;
    Some(Reaction::Rating { value, points: None })
}

fn preference(fields: &mut Fields, completion_id: Option<&CompletionId>) -> Option<Reaction> {
    let strength = fields.optional("strength", number(0.0, MAX_SCORE));
    let shown_first =
        fields.optional("shown_first", super::fields::one_of(ShownFirst::WORDS)).unwrap_or(ShownFirst::Unknown);
    let outcome = fields.required("outcome", super::fields::one_of(Outcome::WORDS));
    let against = fields.required("against", id(CompletionId::parse));
    if against.is_some() && against.as_ref() == completion_id {
        fields.fail("against", FieldCode::SelfPreference, "must be another completion than `completion_id`");
    }
    Some(Reaction::Preference { against: against?, outcome: outcome?, strength, shown_first })
}

fn copy(fields: &mut Fields) -> Reaction {
    let n_chars = fields.optional("n_chars", count);
    let n_total_chars = fields.optional("n_total_chars", count);
    if let (Some(n_chars), Some(n_total_chars)) = (n_chars, n_total_chars)
        && n_chars > n_total_chars
    {
        fields.fail("n_chars", FieldCode::OutOfRange, "must not be greater than `n_total_chars`");
    }
    Reaction::Copy {
        n_chars,
        n_total_chars,
        method: fields.optional("method", super::fields::one_of(COPY_METHODS)),
        contains_code: fields.optional("contains_code", boolean),
    }
}

/// A stable code: 1 to 64 characters of `[a-z0-9_.-]`.
fn reason_code(value: &Json) -> Result<String, (FieldCode, String)> {
    let code = short_text(value)?;
    let well_formed = code.len() <= 64
        && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte));
    if well_formed {
        Ok(code)
    } else {
        Err((FieldCode::Malformed, "must be a code of 1 to 64 characters from a-z, 0-9, `_`, `.` and `-`".to_owned()))
    }
}
