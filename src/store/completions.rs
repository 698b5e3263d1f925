//! Completions: stored in batches, checked against what is stored under the same id.

use std::collections::{HashMap, HashSet};

use sqlx::Row;

use super::composite::{Inserted, Members, Telling, composite};
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

composite!(CompletionRow, "completion_in", "_completion_in");

/// Stores those rows whose key is free and tells of it; `rows` must be sorted by key, without repeats.
pub async fn insert(
    tx: &mut Tx,
    rows: &[CompletionRow<'_>],
    telling: Telling,
) -> Result<Inserted<CompletionKey>, StoreError> {
    if telling == Telling::Count {
        let inserted =
            sqlx::query(include_str!("sql/insert_completions.sql")).bind(rows).execute(tx.connection()).await?;
        if inserted.rows_affected() != rows.len() as u64 {
            return Ok(Inserted::Fewer);
        }
        insert_exposures(tx, rows).await?;
        insert_aliases(tx, rows).await?;
        return Ok(Inserted::All);
    }
    let statement = concat!(include_str!("sql/insert_completions.sql"), "returning project_id, completion_id");
    let inserted = sqlx::query(statement).bind(rows).fetch_all(tx.connection()).await?;
    let keys = inserted.iter().map(|row| Ok((ProjectId(row.try_get(0)?), key_part(row, 1)?)));
    let keys: HashSet<CompletionKey> = keys.collect::<Result<_, StoreError>>()?;
    // A rejected completion was shown to nobody as far as we know: its unit is not exposed to its variant.
    let is_new = |row: &&CompletionRow<'_>| keys.contains(&(row.project_id, row.completion.id.clone()));
    let stored: Vec<CompletionRow<'_>> = rows.iter().filter(is_new).copied().collect();
    insert_exposures(tx, &stored).await?;
    insert_aliases(tx, &stored).await?;
    Ok(Inserted::Only(keys))
}

/// Returns which of these rows are not taken because they, or whom they are of, were erased (PRIV-1).
pub async fn list_erased(tx: &mut Tx, rows: &[CompletionRow<'_>]) -> Result<HashSet<CompletionKey>, StoreError> {
    let erased = sqlx::query(include_str!("sql/erased_completions.sql")).bind(rows).fetch_all(tx.connection()).await?;
    erased.iter().map(|row| Ok((ProjectId(row.try_get(0)?), key_part(row, 1)?))).collect()
}

impl CompletionRow<'_> {
    /// Writes the members of `completion_in`.
    fn write(&self, members: &mut Members<'_>) {
        let completion = self.completion;
        members
            .uuid(Some(self.project_id.0))
            .text(Some(completion.id.as_str()))
            .bytes(&completion.content_hash.0)
            .bytes(&completion.prompt_hash.0)
            .text(Some(completion.model.as_str()))
            .text(completion.requested_model.as_deref())
            .json_text(Some(|buffer: &mut Vec<u8>| write_prompt(completion, buffer)))
            .json_text(json(Some(completion.response.value())))
            .json_text(json(completion.tools.as_ref()))
            .json_text(json(completion.params.as_ref()))
            .text(completion.finish_reason.as_deref())
            .text(completion.conversation_id.as_ref().map(ConversationId::as_str))
            .int4(completion.turn_index)
            .text(completion.parent_completion_id.as_ref().map(CompletionId::as_str))
            .int4(completion.attempt)
            .text(completion.user.as_ref().map(UserId::as_str))
            .text(completion.experiment.as_deref())
            .text(completion.variant.as_deref())
            .text(completion.task.as_deref())
            .text(completion.language.as_deref())
            .jsonb(completion.tags.as_ref());
        self.write_measures(members);
    }

    /// Writes the numbers, and what comes after them.
    fn write_measures(&self, members: &mut Members<'_>) {
        let completion = self.completion;
        members
            .int4(completion.usage.input_tokens)
            .int4(completion.usage.output_tokens)
            .int4(completion.usage.cached_input_tokens)
            .int4(completion.usage.reasoning_tokens)
            .time(completion.timing.started_at)
            .float(completion.timing.ttft_ms)
            .float(completion.timing.itl_ms)
            .float(completion.timing.latency_ms)
            .float(completion.timing.queue_ms)
            .float(completion.cost_usd)
            .text(completion.serving.served_by.as_deref())
            .float(completion.serving.kv_cache_usage)
            .int4(completion.serving.n_waiting)
            .int4(completion.serving.max_model_len)
            .boolean(completion.consent_training)
            .boolean(completion.rating_solicited)
            .float(completion.solicit_prob)
            .texts(completion.aliases.iter().map(CompletionId::as_str))
            .time(completion.created_at)
            .time(Some(self.received_at));
    }
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

/// Records which completions carry an alias, of completions that were stored a moment ago.
async fn insert_aliases(tx: &mut Tx, rows: &[CompletionRow<'_>]) -> Result<(), StoreError> {
    let mut carried: Vec<(ProjectId, &str, &str)> = Vec::new();
    for row in rows {
        let aliases = row.completion.aliases.iter();
        carried.extend(aliases.map(|alias| (row.project_id, alias.as_str(), row.completion.id.as_str())));
    }
    if carried.is_empty() {
        return Ok(());
    }
    carried.sort_unstable();
    carried.dedup();
    sqlx::query(include_str!("sql/insert_aliases.sql"))
        .bind(carried.iter().map(|row| row.0.0).collect::<Vec<_>>())
        .bind(carried.iter().map(|row| row.1).collect::<Vec<_>>())
        .bind(carried.iter().map(|row| row.2).collect::<Vec<_>>())
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

fn json(value: Option<&Json>) -> Option<impl FnOnce(&mut Vec<u8>)> {
    value.map(|value| |buffer: &mut Vec<u8>| value.write_text(buffer))
}

/// Writes the messages as one JSON list.
fn write_prompt(completion: &NewCompletion, buffer: &mut Vec<u8>) {
    buffer.push(b'[');
    for (index, message) in completion.prompt.iter().enumerate() {
        if index > 0 {
            buffer.push(b',');
        }
        message.value().write_text(buffer);
    }
    buffer.push(b']');
}
