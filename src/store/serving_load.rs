//! What engines said of their load over time, counted. Samples are the operator's, and seen in a transaction of
//! [`super::Access::Serving`] alone; of engines nothing is told here but what they say of a model.

use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::connection::Tx;
use super::error::StoreError;
use crate::domain::clock::Timestamp;

/// Minutes of engines in one bin of time, with the same whole percent of the KV cache in use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadCount {
    /// Beginning of the bin.
    pub bin_at: Timestamp,
    /// Whole percents in use, 0 to 99; nothing where that is not known.
    pub percent: Option<i32>,
    /// Minutes of engines.
    pub n_minutes: i64,
    /// The uses of all of them, added up.
    pub usage_sum: f64,
    /// The largest use within any of them.
    pub usage_max: Option<f64>,
    /// Minutes that tell of a queue.
    pub n_waiting_known: i64,
    /// Those in which anybody waited.
    pub n_with_queue: i64,
    /// The longest queue.
    pub n_waiting_max: Option<f64>,
}

/// Counts the minutes of engines that served some models, by bins of time from `from` on; samples and rolled-up minutes alike.
pub async fn count(
    tx: &mut Tx,
    models: &[&str],
    (from, to): (Timestamp, Timestamp),
    bin: Duration,
) -> Result<Vec<LoadCount>, StoreError> {
    let rows = sqlx::query(include_str!("sql/serving_load.sql"))
        .bind(models)
        .bind(from)
        .bind(to)
        .bind(bin.as_secs_f64())
        .fetch_all(tx.connection())
        .await?;
    rows.iter().map(counted).collect()
}

fn counted(row: &PgRow) -> Result<LoadCount, StoreError> {
    Ok(LoadCount {
        bin_at: row.try_get("bin_at")?,
        percent: row.try_get("percent")?,
        n_minutes: row.try_get("n_minutes")?,
        usage_sum: row.try_get::<Option<f64>, _>("usage_sum")?.unwrap_or_default(),
        usage_max: row.try_get("usage_max")?,
        n_waiting_known: row.try_get("n_waiting_known")?,
        n_with_queue: row.try_get("n_with_queue")?,
        n_waiting_max: row.try_get("n_waiting_max")?,
    })
}
