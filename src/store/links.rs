//! What was said through links: the last thumb of whom one was sent to.

use sqlx::Row;

use super::connection::Tx;
use super::error::StoreError;
use crate::domain::feedback::Thumb;
use crate::domain::ids::{CompletionId, FeedbackId, ProjectId, UserId};
use crate::domain::link::Recorded;

/// Returns the last thumb of a user on a completion, among those that somebody vouches for: what strangers write in a user's
/// name must not be shown to the user.
pub async fn last_thumb(
    tx: &mut Tx,
    project_id: ProjectId,
    completion_id: &CompletionId,
    user: &UserId,
) -> Result<Option<Recorded>, StoreError> {
    let row = sqlx::query(
        "-- store::links::last_thumb
         select feedback_id, thumb, reasons, comment
           from feedback
          where project_id = $1
            and completion_id = $2
            and user_id = $3
            and signal = 'thumb'
            and trust = 'verified'
            and granted_conversation_id is null
          order by effective_at desc, feedback_id desc
          limit 1",
    )
    .bind(project_id.0)
    .bind(completion_id.as_str())
    .bind(user.as_str())
    .fetch_optional(tx.connection())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let word: &str = row.try_get("thumb")?;
    let value = Thumb::WORDS.iter().find(|(known, _)| *known == word).map(|(_, value)| *value);
    Ok(Some(Recorded {
        id: FeedbackId(row.try_get("feedback_id")?),
        value: value.ok_or(StoreError::Inconsistent { table: "feedback", column: "thumb" })?,
        reasons: row.try_get::<Option<_>, _>("reasons")?.unwrap_or_default(),
        comment: row.try_get("comment")?,
    }))
}
