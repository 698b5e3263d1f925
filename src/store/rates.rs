//! Counts all answers, with feedback or without: the denominator of every rate of feedback.

use sqlx::Row as _;

use super::connection::Tx;
use super::error::StoreError;
use super::groups::Words;
use crate::domain::ids::ProjectId;
use crate::domain::selection::Selection;

/// How many answers of one model, language and length there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerCount {
    /// The model.
    pub model: String,
    /// Language tag; empty where it is unknown.
    pub language: String,
    /// How many of the bounds the length in bytes reaches.
    pub bucket: u32,
    /// Answers.
    pub n_completions: u64,
}

/// Counts the answers that a selection lets through by model, language and bucket of length; `bounds` are the lower
/// bounds of the buckets in bytes, ascending.
pub async fn count(
    tx: &mut Tx,
    project: ProjectId,
    selection: &Selection,
    bounds: &[i32],
) -> Result<Vec<AnswerCount>, StoreError> {
    let words = Words::of(selection);
    let query = words.bind(sqlx::query(include_str!("sql/count_answers.sql")).bind(project.0)).bind(bounds);
    let rows = query.fetch_all(tx.connection()).await?;
    let number = |row: &sqlx::postgres::PgRow, column| -> Result<u64, StoreError> {
        let wrong = StoreError::Inconsistent { table: "completions", column };
        u64::try_from(row.try_get::<i64, _>(column)?).map_err(|_| wrong)
    };
    rows.iter()
        .map(|row| {
            Ok(AnswerCount {
                model: row.try_get("model")?,
                language: row.try_get("language")?,
                bucket: number(row, "bucket")? as u32,
                n_completions: number(row, "n_completions")?,
            })
        })
        .collect()
}
