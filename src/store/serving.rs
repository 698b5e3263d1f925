//! What engines said of their load, and the load of each completion. Samples are the operator's, and seen in a transaction
//! of [`super::Access::Serving`] alone; facts are a project's.

use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::completions::key_part;
use super::connection::Tx;
use super::error::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{CompletionId, ProjectId};

/// A sample as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSample {
    /// Name of the target.
    pub target: String,
    /// What completions call the model; empty where nobody says.
    pub model: String,
    /// The replica within the engine.
    pub rank: String,
    /// Beginning of the interval that it falls into.
    pub slot_at: Timestamp,
    /// When the page was received.
    pub at: Timestamp,
    /// Share of the KV cache in use.
    pub kv_cache_usage: Option<f64>,
    /// Share of the token budget that is reserved.
    pub kv_reserved: Option<f64>,
    /// KV cache in tokens.
    pub kv_capacity_tokens: Option<f64>,
    /// Requests that were being answered.
    pub n_running: Option<f64>,
    /// Requests that waited.
    pub n_waiting: Option<f64>,
    /// Requests that were preempted since the engine started.
    pub n_preempted: Option<f64>,
}

/// Keeps samples. Of services that ask one engine, the first in an interval keeps its sample.
pub async fn insert_samples(tx: &mut Tx, samples: &[StoredSample]) -> Result<u64, StoreError> {
    let texts = |of: fn(&StoredSample) -> &str| -> Vec<&str> { samples.iter().map(of).collect() };
    let numbers = |of: fn(&StoredSample) -> Option<f64>| -> Vec<Option<f64>> { samples.iter().map(of).collect() };
    let done = sqlx::query(
        "-- store::serving::insert_samples
         insert into serving_samples (target, model, slot_at, rank, sampled_at, kv_cache_usage, kv_reserved,
                                      kv_capacity_tokens, n_running, n_waiting, n_preempted)
         select s.target, s.model, s.slot_at, s.rank, s.sampled_at, s.kv_cache_usage, s.kv_reserved, s.kv_capacity_tokens,
                s.n_running, s.n_waiting, s.n_preempted
           from unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::float8[], $7::float8[], $8::float8[],
                       $9::float8[], $10::float8[], $11::float8[])
                as s (slot_at, target, model, rank, sampled_at, kv_cache_usage, kv_reserved, kv_capacity_tokens, n_running,
                      n_waiting, n_preempted)
         on conflict (target, model, slot_at, rank) do nothing",
    )
    .bind(samples.iter().map(|sample| sample.slot_at).collect::<Vec<_>>())
    .bind(texts(|sample| &sample.target))
    .bind(texts(|sample| &sample.model))
    .bind(texts(|sample| &sample.rank))
    .bind(samples.iter().map(|sample| sample.at).collect::<Vec<_>>())
    .bind(numbers(|sample| sample.kv_cache_usage))
    .bind(numbers(|sample| sample.kv_reserved))
    .bind(numbers(|sample| sample.kv_capacity_tokens))
    .bind(numbers(|sample| sample.n_running))
    .bind(numbers(|sample| sample.n_waiting))
    .bind(numbers(|sample| sample.n_preempted))
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected())
}

/// Lists the samples of one model at some targets from one moment to another, in the order of target, rank and time.
///
/// `margin` is the longest interval: a sample's row is found by the beginning of the interval that it falls into.
pub async fn list_samples(
    tx: &mut Tx,
    targets: &[&str],
    model: &str,
    (from, until): (Timestamp, Timestamp),
    margin: Duration,
) -> Result<Vec<StoredSample>, StoreError> {
    let rows = sqlx::query(
        "-- store::serving::list_samples
         select target, model, rank, slot_at, sampled_at, kv_cache_usage, kv_reserved, kv_capacity_tokens, n_running, n_waiting,
                n_preempted
           from serving_samples
          where target = any ($1)
            and model = $2
            and slot_at between $3::timestamptz - make_interval(secs => $5) and $4
            and sampled_at between $3 and $4
          order by target, rank, sampled_at",
    )
    .bind(targets)
    .bind(model)
    .bind(from)
    .bind(until)
    .bind(margin.as_secs_f64())
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(sample).collect()
}

fn sample(row: &PgRow) -> Result<StoredSample, StoreError> {
    Ok(StoredSample {
        target: row.try_get("target")?,
        model: row.try_get("model")?,
        rank: row.try_get("rank")?,
        slot_at: row.try_get("slot_at")?,
        at: row.try_get("sampled_at")?,
        kv_cache_usage: row.try_get("kv_cache_usage")?,
        kv_reserved: row.try_get("kv_reserved")?,
        kv_capacity_tokens: row.try_get("kv_capacity_tokens")?,
        n_running: row.try_get("n_running")?,
        n_waiting: row.try_get("n_waiting")?,
        n_preempted: row.try_get("n_preempted")?,
    })
}

/// Rolls up an hour of the samples that are older than a moment, which begins a minute; returns how many samples there were.
pub async fn roll_up(tx: &mut Tx, before: Timestamp) -> Result<u64, StoreError> {
    let row = sqlx::query(include_str!("sql/roll_up_samples.sql")).bind(before).fetch_one(tx.connection()).await?;
    Ok(row.try_get::<i64, _>("n_samples")? as u64)
}

/// Deletes the minutes that are older than a moment; returns how many there were.
pub async fn delete_minutes(tx: &mut Tx, before: Timestamp) -> Result<u64, StoreError> {
    let done = sqlx::query("-- store::serving::delete_minutes\ndelete from serving_minutes where minute_at < $1")
        .bind(before)
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected())
}

/// A completion whose load is to be joined.
#[derive(Debug, Clone, PartialEq)]
pub struct Joinable {
    /// Its id.
    pub id: CompletionId,
    /// The model that answered.
    pub model: String,
    /// The instance that answered, where the client told it.
    pub served_by: Option<String>,
    /// The client's own word for the use of the KV cache.
    pub kv_cache_usage: Option<f64>,
    /// When the request reached the model.
    pub started_at: Option<Timestamp>,
    /// Milliseconds from request to last token.
    pub latency_ms: Option<f64>,
    /// The client's time of the answer.
    pub created_at: Option<Timestamp>,
    /// Our time of arrival.
    pub received_at: Timestamp,
}

/// A place in the order in which completions arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrival {
    /// The time of arrival.
    pub received_at: Timestamp,
    /// The completion, of those that arrived at that time; all of them where it is absent.
    pub id: Option<CompletionId>,
}

/// The load of a completion.
#[derive(Debug, Clone, PartialEq)]
pub struct ServingFacts {
    /// The completion.
    pub id: CompletionId,
    /// Share of the KV cache in use when the last token was out.
    pub kv_at_end: Option<f64>,
    /// Mean of the share while the answer was made.
    pub kv_mean: Option<f64>,
    /// The largest share.
    pub kv_max: Option<f64>,
    /// The longest queue.
    pub n_waiting_max: Option<i32>,
    /// Whether any request was preempted meanwhile.
    pub preempted: Option<bool>,
    /// `client` or `scraper`: where `kv_at_end` is from.
    pub kv_source: &'static str,
    /// `instance` or `model`: whom the rest tells of.
    pub kv_scope: &'static str,
    /// How far the sample is from the end, in milliseconds.
    pub kv_staleness_ms: Option<i32>,
}

/// Takes the place up to which a project's completions are joined, held to the end of the transaction, and makes it where
/// there is none yet; nothing where another service holds it.
pub async fn take_progress(tx: &mut Tx, project: ProjectId, first: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    sqlx::query(
        "-- store::serving::take_progress
         insert into serving_progress (project_id, received_through) values ($1, $2) on conflict (project_id) do nothing",
    )
    .bind(project.0)
    .bind(first)
    .execute(tx.connection())
    .await?;
    let row = sqlx::query(
        "-- store::serving::take_progress
         select received_through from serving_progress where project_id = $1 for update skip locked",
    )
    .bind(project.0)
    .fetch_optional(tx.connection())
    .await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Says up to which time of arrival a project's completions are joined.
pub async fn set_progress(tx: &mut Tx, project: ProjectId, through: Timestamp) -> Result<(), StoreError> {
    sqlx::query(
        "-- store::serving::set_progress
         update serving_progress set received_through = $2 where project_id = $1",
    )
    .bind(project.0)
    .bind(through)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Lists completions of some models that have no facts yet, by their arrival.
pub async fn list_joinable(
    tx: &mut Tx,
    project: ProjectId,
    models: &[&str],
    after: &Arrival,
    until: Timestamp,
    limit: i64,
) -> Result<Vec<Joinable>, StoreError> {
    let rows = sqlx::query(
        "-- store::serving::list_joinable
         select c.completion_id, c.model, c.served_by, c.kv_cache_usage, c.started_at, c.latency_ms, c.created_at,
                c.received_at
           from completions c
          where c.project_id = $1
            and c.model = any ($2)
            and c.received_at >= $3
            and (c.received_at > $3 or c.completion_id > $6)
            and c.received_at <= $4
            and not exists (
                    select
                      from serving_facts f
                     where f.project_id = c.project_id
                       and f.completion_id = c.completion_id
                    -- A look-up for each: facts of all time are not read for those of a minute.
                    offset 0
                )
          order by c.received_at, c.completion_id
          limit $5",
    )
    .bind(project.0)
    .bind(models)
    .bind(after.received_at)
    .bind(until)
    .bind(limit)
    .bind(after.id.as_ref().map_or("", CompletionId::as_str))
    .fetch_all(tx.connection())
    .await?;
    let joinable = |row: &PgRow| {
        Ok(Joinable {
            id: key_part(row, 0)?,
            model: row.try_get("model")?,
            served_by: row.try_get("served_by")?,
            kv_cache_usage: row.try_get("kv_cache_usage")?,
            started_at: row.try_get("started_at")?,
            latency_ms: row.try_get("latency_ms")?,
            created_at: row.try_get("created_at")?,
            received_at: row.try_get("received_at")?,
        })
    };
    rows.iter().map(joinable).collect()
}

/// Keeps facts; what is there already stays as it is. A completion that is erased in the same moment refuses all of them, by
/// the foreign key.
pub async fn insert_facts(tx: &mut Tx, project: ProjectId, facts: &[ServingFacts]) -> Result<u64, StoreError> {
    let shares = |of: fn(&ServingFacts) -> Option<f64>| -> Vec<Option<f64>> { facts.iter().map(of).collect() };
    let counts = |of: fn(&ServingFacts) -> Option<i32>| -> Vec<Option<i32>> { facts.iter().map(of).collect() };
    let done = sqlx::query(include_str!("sql/insert_serving_facts.sql"))
        .bind(project.0)
        .bind(facts.iter().map(|fact| fact.id.as_str()).collect::<Vec<_>>())
        .bind(shares(|fact| fact.kv_at_end))
        .bind(shares(|fact| fact.kv_mean))
        .bind(shares(|fact| fact.kv_max))
        .bind(counts(|fact| fact.n_waiting_max))
        .bind(facts.iter().map(|fact| fact.preempted).collect::<Vec<_>>())
        .bind(facts.iter().map(|fact| fact.kv_source).collect::<Vec<_>>())
        .bind(facts.iter().map(|fact| fact.kv_scope).collect::<Vec<_>>())
        .bind(counts(|fact| fact.kv_staleness_ms))
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected())
}
