//! The rows that an erasure finds and deletes. Every delete finds something only in a transaction of an erasure's.

use std::collections::HashSet;

use sqlx::Row;
use uuid::Uuid;

use super::completions::key_part;
use super::connection::Tx;
use super::error::StoreError;
use crate::domain::erasure::ErasurePreview;
use crate::domain::ids::{CompletionId, ProjectId, UserId};

/// A completion that is to be erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doomed {
    /// Its id.
    pub id: CompletionId,
    /// Other ids under which feedback may name it.
    pub aliases: Vec<String>,
    /// Whether it names the user; otherwise it lies in a conversation of theirs and names nobody.
    pub names_user: bool,
    /// Its conversation.
    pub conversation_id: Option<String>,
}

/// Lists the completions of a user, and those without a user in conversations of theirs.
pub async fn list_completions(tx: &mut Tx, project: ProjectId, user: &UserId) -> Result<Vec<Doomed>, StoreError> {
    let rows = sqlx::query(include_str!("sql/erased_completions_of_user.sql"))
        .bind(project.0)
        .bind(user.as_str())
        .fetch_all(tx.connection())
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Doomed {
                id: key_part(row, 0)?,
                aliases: row.try_get("aliases")?,
                names_user: row.try_get("names_user")?,
                conversation_id: row.try_get("conversation_id")?,
            })
        })
        .collect()
}

/// Lists the conversations of a user: those that their completions belong to, and those that their tokens vouched for.
pub async fn list_conversations(tx: &mut Tx, project: ProjectId, user: &UserId) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query(
        "-- store::erased_rows::list_conversations
         select conversation_id
           from completions
          where project_id = $1
            and user_id = $2
            and conversation_id is not null
          union
         select granted_conversation_id
           from feedback
          where project_id = $1
            and user_id = $2
            and granted_conversation_id is not null",
    )
    .bind(project.0)
    .bind(user.as_str())
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Counts what an erasure would delete or leave beside the completions: feedback of the user, feedback of others on these
/// `names`, and completions of others in these conversations.
pub async fn count(
    tx: &mut Tx,
    project: ProjectId,
    user: &UserId,
    names: &[&str],
    conversations: &[String],
) -> Result<ErasurePreview, StoreError> {
    let row = sqlx::query(
        "-- store::erased_rows::count
         select count(*) filter (where f.user_id = $2)                as n_feedback,
                count(*) filter (where f.user_id is distinct from $2) as n_feedback_of_others,
                (select count(*)
                   from completions c
                  where c.project_id = $1
                    and c.user_id <> $2
                    and c.conversation_id = any ($4))                 as n_completions_of_others
           from feedback f
          where f.project_id = $1
            and (f.user_id = $2 or f.completion_id = any ($3))",
    )
    .bind(project.0)
    .bind(user.as_str())
    .bind(names)
    .bind(conversations)
    .fetch_one(tx.connection())
    .await?;
    Ok(ErasurePreview {
        n_feedback: row.try_get("n_feedback")?,
        n_feedback_of_others: row.try_get("n_feedback_of_others")?,
        n_completions_of_others: row.try_get("n_completions_of_others")?,
        ..ErasurePreview::default()
    })
}

/// What there is of some completions and of the feedback on them.
#[derive(Debug, Clone, Default)]
pub struct Present {
    /// Ids of completions.
    pub completions: HashSet<String>,
    /// Ids of feedback.
    pub feedback: HashSet<Uuid>,
}

/// Lists which of these completions there are, and all feedback on them, under their ids and aliases.
pub async fn list_present(tx: &mut Tx, project: ProjectId, ids: &[&str]) -> Result<Present, StoreError> {
    let rows = sqlx::query(
        "-- store::erased_rows::list_present
         select c.completion_id,
                array(
                    select f.feedback_id
                      from feedback f
                     where f.project_id = $1
                       and f.completion_id = any (array_append(c.aliases, c.completion_id))
                ) as feedback
           from completions c
          where c.project_id = $1
            and c.completion_id = any ($2)",
    )
    .bind(project.0)
    .bind(ids)
    .fetch_all(tx.connection())
    .await?;
    let mut present = Present::default();
    for row in &rows {
        present.completions.insert(row.try_get("completion_id")?);
        present.feedback.extend(row.try_get::<Vec<Uuid>, _>("feedback")?);
    }
    Ok(present)
}

/// Deletes completions by their ids; returns how many there were.
pub async fn delete_completions(tx: &mut Tx, project: ProjectId, ids: &[&str]) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "-- store::erased_rows::delete_completions
         delete from completions where project_id = $1 and completion_id = any ($2)",
    )
    .bind(project.0)
    .bind(ids)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected())
}

/// Deletes everybody's feedback on completions, by their ids and aliases; returns how much there was.
pub async fn delete_feedback_on(tx: &mut Tx, project: ProjectId, names: &[&str]) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "-- store::erased_rows::delete_feedback_on
         delete from feedback where project_id = $1 and completion_id = any ($2)",
    )
    .bind(project.0)
    .bind(names)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected())
}

/// Deletes a user's feedback on anything; returns how much there was.
pub async fn delete_feedback_of(tx: &mut Tx, project: ProjectId, user: &UserId) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "-- store::erased_rows::delete_feedback_of
         delete from feedback where project_id = $1 and user_id = $2",
    )
    .bind(project.0)
    .bind(user.as_str())
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected())
}

/// Deletes where experiments had seen these units; returns in how many places.
pub async fn delete_exposures(tx: &mut Tx, project: ProjectId, units: &[&str]) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "-- store::erased_rows::delete_exposures
         delete from exposures where project_id = $1 and unit_id = any ($2)",
    )
    .bind(project.0)
    .bind(units)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected())
}
