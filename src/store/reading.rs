//! Turns stored rows back into reactions.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::error::StoreError;
use crate::domain::feedback::{Feedback, Outcome, Points, Reaction, ShownFirst, Signal, Thumb};
use crate::domain::ids::{CompletionId, ConversationId, FeedbackId, UserId};
use crate::domain::principal::Trust;

/// Reads one row of the table `feedback`.
pub(super) fn feedback_from_row(row: &PgRow) -> Result<Feedback, StoreError> {
    let completion_id: &str = row.try_get("completion_id")?;
    let user: Option<&str> = row.try_get("user_id")?;
    let trust: &str = row.try_get("trust")?;
    let granted: Option<&str> = row.try_get("granted_conversation_id")?;
    Ok(Feedback {
        id: FeedbackId(row.try_get("feedback_id")?),
        completion_id: CompletionId::parse(completion_id).map_err(|_| wrong("completion_id"))?,
        reaction: reaction(row)?,
        trust: word(Trust::WORDS, trust).ok_or(wrong("trust"))?,
        granted: granted.map(ConversationId::parse).transpose().map_err(|_| wrong("granted_conversation_id"))?,
        user: user.map(UserId::parse).transpose().map_err(|_| wrong("user_id"))?,
        session_id: row.try_get("session_id")?,
        seq: row.try_get("seq")?,
        supersedes: row.try_get::<Option<uuid::Uuid>, _>("supersedes")?.map(FeedbackId),
        effective_at: row.try_get("effective_at")?,
        received_at: row.try_get("received_at")?,
    })
}

fn wrong(column: &'static str) -> StoreError {
    StoreError::Inconsistent { table: "feedback", column }
}

fn word<T: Copy>(words: &[(&str, T)], text: &str) -> Option<T> {
    words.iter().find(|(known, _)| *known == text).map(|(_, value)| *value)
}

fn reaction(row: &PgRow) -> Result<Reaction, StoreError> {
    let signal: &str = row.try_get("signal")?;
    Ok(match word(Signal::WORDS, signal).ok_or(wrong("signal"))? {
        Signal::Thumb => Reaction::Thumb {
            value: word(Thumb::WORDS, row.try_get("thumb")?).ok_or(wrong("thumb"))?,
            reasons: row.try_get::<Option<Vec<String>>, _>("reasons")?.unwrap_or_default(),
            comment: row.try_get("comment")?,
        },
        Signal::Rating => Reaction::Rating { value: row.try_get("rating")?, points: points(row)? },
        Signal::Preference => Reaction::Preference {
            against: CompletionId::parse(row.try_get("against")?).map_err(|_| wrong("against"))?,
            outcome: word(Outcome::WORDS, row.try_get("outcome")?).ok_or(wrong("outcome"))?,
            strength: row.try_get("strength")?,
            shown_first: row
                .try_get::<Option<&str>, _>("shown_first")?
                .and_then(|text| word(ShownFirst::WORDS, text))
                .unwrap_or(ShownFirst::Unknown),
        },
        Signal::Edit => Reaction::Edit {
            text: row.try_get("edited_text")?,
            accepted: row.try_get::<Option<bool>, _>("edit_accepted")?.unwrap_or(false),
            truncated: row.try_get::<Option<bool>, _>("edit_truncated")?.unwrap_or(false),
        },
        Signal::Regenerate => {
            Reaction::Regenerate { next_completion_id: next_completion_id(row)?, reason: row.try_get("reason")? }
        }
        Signal::Continuation => Reaction::Continuation {
            turn: row.try_get("turn")?,
            gap_ms: row.try_get("gap_ms")?,
            next_completion_id: next_completion_id(row)?,
        },
        Signal::Copy => Reaction::Copy {
            n_chars: row.try_get("n_chars")?,
            n_total_chars: row.try_get("n_total_chars")?,
            method: method(row)?,
            contains_code: row.try_get("contains_code")?,
        },
        Signal::Accept => Reaction::Accept { method: method(row)? },
        Signal::Comment => Reaction::Comment { text: row.try_get("comment")? },
        Signal::Impression => Reaction::Impression,
        Signal::Dwell => Reaction::Dwell { visible_ms: row.try_get("visible_ms")? },
    })
}

fn points(row: &PgRow) -> Result<Option<Points>, StoreError> {
    let score: Option<f64> = row.try_get("rating_score")?;
    let (min, max): (Option<f64>, Option<f64>) = (row.try_get("rating_min")?, row.try_get("rating_max")?);
    Ok(match (score, min, max) {
        (Some(score), Some(min), Some(max)) => Some(Points { score, min, max }),
        _ => None,
    })
}

fn next_completion_id(row: &PgRow) -> Result<Option<CompletionId>, StoreError> {
    let id: Option<&str> = row.try_get("next_completion_id")?;
    id.map(CompletionId::parse).transpose().map_err(|_| wrong("next_completion_id"))
}

fn method(row: &PgRow) -> Result<Option<&'static str>, StoreError> {
    let text: Option<&str> = row.try_get("method")?;
    Ok(text
        .and_then(|text| ["selection", "button", "insert", "apply", "send"].into_iter().find(|known| *known == text)))
}
