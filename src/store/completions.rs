//! Completions: stored in batches, checked against what is stored under the same id.

use std::collections::HashMap;

use sqlx::Row;

use super::connection::Tx;
use super::error::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::completion::NewCompletion;
use crate::domain::hash::ContentHash;
use crate::domain::ids::{CompletionId, ConversationId, ProjectId, UserId};
use crate::domain::json::Json;

/// A completion on its way into the table.
#[derive(Debug, Clone, Copy)]
pub struct CompletionRow<'a> {
    /// Project of the key that sent it.
    pub project_id: ProjectId,
    /// The parsed item.
    pub completion: &'a NewCompletion,
    /// Our time of arrival.
    pub received_at: Timestamp,
}

/// What identifies a completion on the instance.
pub type CompletionKey = (ProjectId, CompletionId);

/// Stores those rows whose key is free and returns their keys; `rows` must be sorted by key, without repeats.
pub async fn insert(tx: &mut Tx, rows: &[CompletionRow<'_>]) -> Result<Vec<CompletionKey>, StoreError> {
    let inserted = sqlx::query(include_str!("sql/insert_completions.sql"))
        .bind(column(rows, |row| row.project_id.0))
        .bind(column(rows, |row| row.completion.id.as_str()))
        .bind(column(rows, |row| &row.completion.content_hash.0[..]))
        .bind(column(rows, |row| &row.completion.prompt_hash.0[..]))
        .bind(column(rows, |row| row.completion.model.as_str()))
        .bind(column(rows, |row| row.completion.requested_model.as_deref()))
        .bind(column(rows, |row| prompt_text(row.completion)))
        .bind(column(rows, |row| row.completion.response.value().to_text()))
        .bind(column(rows, |row| row.completion.tools.as_ref().map(Json::to_text)))
        .bind(column(rows, |row| row.completion.params.as_ref().map(Json::to_text)))
        .bind(column(rows, |row| row.completion.finish_reason.as_deref()))
        .bind(column(rows, |row| row.completion.conversation_id.as_ref().map(ConversationId::as_str)))
        .bind(column(rows, |row| row.completion.turn_index))
        .bind(column(rows, |row| row.completion.parent_completion_id.as_ref().map(CompletionId::as_str)))
        .bind(column(rows, |row| row.completion.attempt))
        .bind(column(rows, |row| row.completion.user.as_ref().map(UserId::as_str)))
        .bind(column(rows, |row| row.completion.experiment.as_deref()))
        .bind(column(rows, |row| row.completion.variant.as_deref()))
        .bind(column(rows, |row| row.completion.task.as_deref()))
        .bind(column(rows, |row| row.completion.language.as_deref()))
        .bind(column(rows, |row| row.completion.tags.as_ref().map(Json::to_text)))
        .bind(column(rows, |row| row.completion.usage.input_tokens))
        .bind(column(rows, |row| row.completion.usage.output_tokens))
        .bind(column(rows, |row| row.completion.usage.cached_input_tokens))
        .bind(column(rows, |row| row.completion.usage.reasoning_tokens))
        .bind(column(rows, |row| row.completion.timing.started_at))
        .bind(column(rows, |row| row.completion.timing.ttft_ms))
        .bind(column(rows, |row| row.completion.timing.itl_ms))
        .bind(column(rows, |row| row.completion.timing.latency_ms))
        .bind(column(rows, |row| row.completion.timing.queue_ms))
        .bind(column(rows, |row| row.completion.cost_usd))
        .bind(column(rows, |row| row.completion.serving.served_by.as_deref()))
        .bind(column(rows, |row| row.completion.serving.kv_cache_usage))
        .bind(column(rows, |row| row.completion.serving.n_waiting))
        .bind(column(rows, |row| row.completion.serving.max_model_len))
        .bind(column(rows, |row| row.completion.consent_training))
        .bind(column(rows, |row| row.completion.rating_solicited))
        .bind(column(rows, |row| row.completion.solicit_prob))
        .bind(column(rows, |row| text_list(row.completion.aliases.iter().map(CompletionId::as_str))))
        .bind(column(rows, |row| row.completion.created_at))
        .bind(column(rows, |row| row.received_at))
        .fetch_all(tx.connection())
        .await?;
    insert_exposures(tx, rows).await?;
    inserted.iter().map(|row| Ok((ProjectId(row.try_get(0)?), key_part(row, 1)?))).collect()
}

/// Records which units were seen in which variant, with the completion that showed it to them.
async fn insert_exposures(tx: &mut Tx, rows: &[CompletionRow<'_>]) -> Result<(), StoreError> {
    let mut seen: Vec<(ProjectId, &str, &str, &str, Timestamp)> = rows
        .iter()
        .filter_map(|row| {
            let completion = row.completion;
            let unit = completion.user.as_ref().map(UserId::as_str);
            let unit = unit.or(completion.conversation_id.as_ref().map(ConversationId::as_str))?;
            let (experiment, variant) = (completion.experiment.as_deref()?, completion.variant.as_deref()?);
            Some((row.project_id, experiment, unit, variant, row.received_at))
        })
        .collect();
    if seen.is_empty() {
        return Ok(());
    }
    seen.sort_unstable();
    seen.dedup_by(|later, earlier| {
        (later.0, later.1, later.2, later.3) == (earlier.0, earlier.1, earlier.2, earlier.3)
    });
    sqlx::query(include_str!("sql/insert_exposures.sql"))
        .bind(seen.iter().map(|row| row.0.0).collect::<Vec<_>>())
        .bind(seen.iter().map(|row| row.1).collect::<Vec<_>>())
        .bind(seen.iter().map(|row| row.2).collect::<Vec<_>>())
        .bind(seen.iter().map(|row| row.3).collect::<Vec<_>>())
        .bind(seen.iter().map(|row| row.4).collect::<Vec<_>>())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Returns the content hashes that are stored under these keys.
pub async fn list_hashes(
    tx: &mut Tx,
    keys: &[CompletionKey],
) -> Result<HashMap<CompletionKey, ContentHash>, StoreError> {
    let rows = sqlx::query(
        "-- store::completions::list_hashes
         -- Key by key: `offset 0` keeps it a look-up by primary key on a table that has no statistics yet.
         select r.project_id, r.completion_id, r.content_hash
           from unnest($1::uuid[], $2::text[]) as k (project_id, completion_id)
          cross join lateral (
                    select *
                      from completions s
                     where s.project_id = k.project_id
                       and s.completion_id = k.completion_id
                    offset 0
                ) r",
    )
    .bind(keys.iter().map(|key| key.0.0).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.1.as_str()).collect::<Vec<_>>())
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(|row| Ok(((ProjectId(row.try_get(0)?), key_part(row, 1)?), hash_part(row, 2)?))).collect()
}

pub(super) fn key_part(row: &sqlx::postgres::PgRow, index: usize) -> Result<CompletionId, StoreError> {
    let text: &str = row.try_get(index)?;
    CompletionId::parse(text).map_err(|_| StoreError::Inconsistent { table: "completions", column: "completion_id" })
}

pub(super) fn hash_part(row: &sqlx::postgres::PgRow, index: usize) -> Result<ContentHash, StoreError> {
    let bytes: &[u8] = row.try_get(index)?;
    bytes
        .try_into()
        .map(ContentHash)
        .map_err(|_| StoreError::Inconsistent { table: "completions", column: "content_hash" })
}

/// One column of a batch.
pub(super) fn column<'a, R, T>(rows: &'a [R], value: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

/// A list as JSON text, since `unnest` would flatten an array of arrays; null where it is empty.
pub(super) fn text_list<'a>(items: impl Iterator<Item = &'a str>) -> Option<String> {
    let items: Vec<Json> = items.map(|item| Json::String(item.to_owned())).collect();
    (!items.is_empty()).then(|| Json::Array(items).to_text())
}

fn prompt_text(completion: &NewCompletion) -> String {
    let mut text = String::from("[");
    for (index, message) in completion.prompt.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&message.value().to_text());
    }
    text.push(']');
    text
}
