//! Feedback: stored in batches, checked against what is stored under the same key. No completion is looked up.

use std::collections::{HashMap, HashSet};

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::completions::{hash_part, key_part};
use super::composite::{Inserted, Members, Telling, composite};
use super::connection::Tx;
use super::error::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::feedback::{NewFeedback, Points, Reaction};
use crate::domain::hash::ContentHash;
use crate::domain::ids::{CompletionId, FeedbackId, ProjectId, UserId};
use crate::domain::principal::Trust;

/// A reaction on its way into the table.
#[derive(Debug, Clone, Copy)]
pub struct FeedbackRow<'a> {
    /// Project of the credential that sent it.
    pub project_id: ProjectId,
    /// The parsed item.
    pub feedback: &'a NewFeedback,
    /// How much it can be trusted.
    pub trust: Trust,
    /// Conversation that a token limits it to.
    pub granted_conversation_id: Option<&'a str>,
    /// Time used for ordering.
    pub effective_at: Timestamp,
    /// Our time of arrival.
    pub received_at: Timestamp,
}

/// What identifies a reaction on the instance (KEY-1).
pub type FeedbackKey = (ProjectId, CompletionId, FeedbackId);

composite!(FeedbackRow, "feedback_in", "_feedback_in");

/// Stores those rows whose key is free and tells of it; `rows` must be sorted by key, without repeats.
pub async fn insert(
    tx: &mut Tx,
    rows: &[FeedbackRow<'_>],
    telling: Telling,
) -> Result<Inserted<FeedbackKey>, StoreError> {
    if telling == Telling::Count {
        let inserted = sqlx::query(include_str!("sql/insert_feedback.sql")).bind(rows).execute(tx.connection()).await?;
        let is_all = inserted.rows_affected() == rows.len() as u64;
        return Ok(if is_all { Inserted::All } else { Inserted::Fewer });
    }
    let statement =
        concat!(include_str!("sql/insert_feedback.sql"), "returning project_id, completion_id, feedback_id");
    let inserted = sqlx::query(statement).bind(rows).fetch_all(tx.connection()).await?;
    inserted.iter().map(key_of).collect::<Result<_, _>>().map(Inserted::Only)
}

/// Returns which of these rows are not taken because they, or what they are about, were erased (PRIV-1).
pub async fn list_erased(tx: &mut Tx, rows: &[FeedbackRow<'_>]) -> Result<HashSet<FeedbackKey>, StoreError> {
    let erased = sqlx::query(include_str!("sql/erased_feedback.sql")).bind(rows).fetch_all(tx.connection()).await?;
    erased.iter().map(key_of).collect()
}

impl FeedbackRow<'_> {
    /// Writes the members of `feedback_in`.
    fn write(&self, members: &mut Members<'_>) {
        let feedback = self.feedback;
        members
            .uuid(Some(self.project_id.0))
            .text(Some(feedback.completion_id.as_str()))
            .uuid(Some(feedback.id.0))
            .bytes(&feedback.content_hash.0)
            .text(Some(feedback.reaction.signal().as_str()))
            .text(Some(self.trust.as_str()))
            .text(self.granted_conversation_id)
            .text(feedback.user.as_ref().map(UserId::as_str))
            .text(feedback.session_id.as_deref())
            .int8(feedback.seq)
            .uuid(feedback.supersedes.map(|id| id.0))
            .float(Some(feedback.weight))
            .time(feedback.occurred_at)
            .int8(feedback.age_ms)
            .time(feedback.sent_at)
            .time(Some(self.effective_at))
            .time(Some(self.received_at))
            .text(feedback.sdk.as_deref());
        own_fields(&feedback.reaction).write(members);
    }
}

/// Returns the content hashes that are stored under these keys.
pub async fn list_hashes(tx: &mut Tx, keys: &[FeedbackKey]) -> Result<HashMap<FeedbackKey, ContentHash>, StoreError> {
    let rows = sqlx::query(
        "-- store::feedback::list_hashes
         -- Key by key: `offset 0` keeps it a look-up by primary key on a table that has no statistics yet.
         select r.project_id, r.completion_id, r.feedback_id, r.content_hash
           from unnest($1::uuid[], $2::text[], $3::uuid[]) as k (project_id, completion_id, feedback_id)
          cross join lateral (
                    select *
                      from feedback s
                     where s.project_id = k.project_id
                       and s.completion_id = k.completion_id
                       and s.feedback_id = k.feedback_id
                    offset 0
                ) r",
    )
    .bind(keys.iter().map(|key| key.0.0).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.1.as_str()).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.2.0).collect::<Vec<_>>())
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(|row| Ok((key_of(row)?, hash_part(row, 3)?))).collect()
}

fn key_of(row: &PgRow) -> Result<FeedbackKey, StoreError> {
    Ok((ProjectId(row.try_get(0)?), key_part(row, 1)?, FeedbackId(row.try_get(2)?)))
}

/// The columns that belong to one signal or another; all empty but those of the reaction's own.
#[derive(Default)]
struct OwnFields<'a> {
    thumb: Option<&'static str>,
    reasons: &'a [String],
    comment: Option<&'a str>,
    rating: Option<f64>,
    points: Option<Points>,
    against: Option<&'a str>,
    outcome: Option<&'static str>,
    strength: Option<f64>,
    shown_first: Option<&'static str>,
    edited_text: Option<&'a str>,
    edit_accepted: Option<bool>,
    edit_truncated: Option<bool>,
    next_completion_id: Option<&'a str>,
    reason: Option<&'a str>,
    turn: Option<i32>,
    gap_ms: Option<i64>,
    n_chars: Option<i32>,
    n_total_chars: Option<i32>,
    method: Option<&'static str>,
    contains_code: Option<bool>,
    visible_ms: Option<i64>,
}

impl OwnFields<'_> {
    fn write(&self, members: &mut Members<'_>) {
        members
            .text(self.thumb)
            .texts(self.reasons.iter().map(String::as_str))
            .text(self.comment)
            .float(self.rating)
            .float(self.points.map(|points| points.score))
            .float(self.points.map(|points| points.min))
            .float(self.points.map(|points| points.max))
            .text(self.against)
            .text(self.outcome)
            .float(self.strength)
            .text(self.shown_first)
            .text(self.edited_text)
            .boolean(self.edit_accepted)
            .boolean(self.edit_truncated)
            .text(self.next_completion_id)
            .text(self.reason)
            .int4(self.turn)
            .int8(self.gap_ms)
            .int4(self.n_chars)
            .int4(self.n_total_chars)
            .text(self.method)
            .boolean(self.contains_code)
            .int8(self.visible_ms);
    }
}

fn own_fields(reaction: &Reaction) -> OwnFields<'_> {
    let mut own = OwnFields::default();
    match reaction {
        Reaction::Thumb { value, reasons, comment } => {
            (own.thumb, own.reasons, own.comment) = (Some(value.as_str()), reasons, comment.as_deref());
        }
        Reaction::Rating { value, points } => (own.rating, own.points) = (Some(*value), *points),
        Reaction::Preference { against, outcome, strength, shown_first } => {
            (own.against, own.outcome) = (Some(against.as_str()), Some(outcome.as_str()));
            (own.strength, own.shown_first) = (*strength, Some(shown_first.as_str()));
        }
        Reaction::Edit { text, accepted, truncated } => {
            own.edited_text = Some(text);
            (own.edit_accepted, own.edit_truncated) = (Some(*accepted), Some(*truncated));
        }
        Reaction::Regenerate { next_completion_id, reason } => {
            own.next_completion_id = next_completion_id.as_ref().map(CompletionId::as_str);
            own.reason = reason.as_deref();
        }
        Reaction::Continuation { turn, gap_ms, next_completion_id } => {
            (own.turn, own.gap_ms) = (*turn, *gap_ms);
            own.next_completion_id = next_completion_id.as_ref().map(CompletionId::as_str);
        }
        Reaction::Copy { n_chars, n_total_chars, method, contains_code } => {
            (own.n_chars, own.n_total_chars) = (*n_chars, *n_total_chars);
            (own.method, own.contains_code) = (*method, *contains_code);
        }
        Reaction::Accept { method } => own.method = *method,
        Reaction::Comment { text } => own.comment = Some(text),
        Reaction::Impression => {}
        Reaction::Dwell { visible_ms } => own.visible_ms = Some(*visible_ms),
    }
    own
}
