//! A stored reaction in its wire form. Whoever may not read text gets none.

use serde_json::{Map, Value, json};

use crate::domain::clock::Timestamp;
use crate::domain::feedback::{Outcome, Reaction};
use crate::domain::ids::{CompletionId, UserId};
use crate::service::pages::FeedbackRecord;

/// Writes an item.
pub(super) fn feedback_item(record: &FeedbackRecord, may_read_text: bool) -> Map<String, Value> {
    let feedback = &record.feedback;
    let mut members = own_fields(&feedback.reaction, may_read_text);
    members.extend([
        ("id", json!(feedback.id.0)),
        ("completion_id", json!(feedback.completion_id.as_str())),
        ("signal", json!(feedback.reaction.signal().as_str())),
        ("user", json!(feedback.user.as_ref().map(UserId::as_str))),
        ("session_id", json!(feedback.session_id)),
        ("seq", json!(feedback.seq)),
        ("supersedes", json!(feedback.supersedes.map(|id| id.0))),
        ("weight", json!(record.weight)),
        ("occurred_at", json!(record.occurred_at.map(moment))),
        ("age_ms", json!(record.age_ms)),
        ("sent_at", json!(record.sent_at.map(moment))),
        ("effective_at", json!(moment(feedback.effective_at))),
        ("received_at", json!(moment(feedback.received_at))),
        ("sdk", json!(record.sdk)),
        ("trust", json!(feedback.trust.as_str())),
        ("granted_conversation_id", json!(record.granted_conversation_id)),
    ]);
    if record.name != feedback.completion_id.as_str() {
        members.push(("alias", json!(record.name)));
    }
    members.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)).collect()
}

fn moment(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

fn own_fields(reaction: &Reaction, may_read_text: bool) -> Vec<(&'static str, Value)> {
    let text = |text: &str| if may_read_text { json!(text) } else { Value::Null };
    let next = |id: &Option<CompletionId>| json!(id.as_ref().map(CompletionId::as_str));
    match reaction {
        Reaction::Thumb { value, reasons, comment } => vec![
            ("value", json!(value.as_str())),
            ("reasons", if reasons.is_empty() { Value::Null } else { json!(reasons) }),
            ("comment", comment.as_deref().map_or(Value::Null, text)),
        ],
        Reaction::Rating { value, points: None } => vec![("value", json!(value))],
        Reaction::Rating { points: Some(points), .. } => {
            vec![("value", json!({"score": points.score, "min": points.min, "max": points.max}))]
        }
        Reaction::Preference { against, outcome, strength, shown_first } => vec![
            ("against", json!(against.as_str())),
            ("outcome", json!(Outcome::as_str(*outcome))),
            ("strength", json!(strength)),
            ("shown_first", json!(shown_first.as_str())),
        ],
        Reaction::Edit { text: edited, accepted, truncated } => {
            vec![("text", text(edited)), ("accepted", json!(accepted)), ("truncated", json!(truncated))]
        }
        Reaction::Regenerate { next_completion_id, reason } => {
            vec![("next_completion_id", next(next_completion_id)), ("reason", json!(reason))]
        }
        Reaction::Continuation { turn, gap_ms, next_completion_id } => {
            vec![("turn", json!(turn)), ("gap_ms", json!(gap_ms)), ("next_completion_id", next(next_completion_id))]
        }
        Reaction::Copy { n_chars, n_total_chars, method, contains_code } => vec![
            ("n_chars", json!(n_chars)),
            ("n_total_chars", json!(n_total_chars)),
            ("method", json!(method)),
            ("contains_code", json!(contains_code)),
        ],
        Reaction::Accept { method } => vec![("method", json!(method))],
        Reaction::Comment { text: comment } => vec![("text", text(comment))],
        Reaction::Impression => Vec::new(),
        Reaction::Dwell { visible_ms } => vec![("visible_ms", json!(visible_ms))],
    }
}
