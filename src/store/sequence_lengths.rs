//! How long prompts and answers are, by model and task. Numbers alone: no text is read.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::connection::Tx;
use super::error::StoreError;
use super::groups::Words;
use crate::domain::ids::ProjectId;
use crate::domain::selection::Selection;

/// The lengths of one kind, in tokens, of the completions that tell them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Lengths {
    /// Completions that tell it.
    pub n: i64,
    /// All of them together.
    pub sum: i64,
    /// The median, and the 90th, 95th and 99th of a hundred; values that occur.
    pub quantiles: Option<[i32; 4]>,
    /// The longest.
    pub max: Option<i32>,
}

/// What there is of one model and task.
#[derive(Debug, Clone, PartialEq)]
pub struct SequenceLengths {
    /// The model that answered.
    pub model: String,
    /// The kind of work; nothing where nobody said, or where tasks are not told apart.
    pub task: Option<String>,
    /// Completions.
    pub n: i64,
    /// Their prompts.
    pub input: Lengths,
    /// Their answers.
    pub output: Lengths,
    /// Tokens of prompts and of answers, of completions that tell both and answered something.
    pub of_both: (i64, i64),
    /// The median of their quotients.
    pub median_ratio: Option<f64>,
    /// Tokens of prompts that a cache held, and all of these prompts'.
    pub cached: (i64, i64),
    /// Completions that tell both lengths and the model's.
    pub n_with_context: i64,
    /// Those of them that fill more than four fifths of it.
    pub n_nearly_full: i64,
    /// Completions that tell why they ended.
    pub n_finish_known: i64,
    /// Those that were cut off.
    pub n_truncated: i64,
    /// Those of them that filled the model's length.
    pub n_at_context: i64,
    /// Those of them that did not, and so met the request's own limit.
    pub n_at_limit: i64,
    /// Mean of the milliseconds to the first token.
    pub mean_ttft_ms: Option<f64>,
    /// Mean of the mean milliseconds between tokens.
    pub mean_itl_ms: Option<f64>,
}

/// Lists at most so many models and tasks, those with most completions first.
pub async fn list(
    tx: &mut Tx,
    project: ProjectId,
    selection: &Selection,
    by_task: bool,
    limit: i64,
) -> Result<Vec<SequenceLengths>, StoreError> {
    let statement = sqlx::query(include_str!("sql/sequence_lengths.sql")).bind(project.0);
    let rows = Words::of(selection).bind(statement).bind(by_task).bind(limit).fetch_all(tx.connection()).await?;
    rows.iter().map(lengths_from_row).collect()
}

fn lengths_from_row(row: &PgRow) -> Result<SequenceLengths, StoreError> {
    let sum = |column: &str| Ok::<i64, StoreError>(row.try_get::<Option<i64>, _>(column)?.unwrap_or_default());
    let lengths = |n: &str, total: &str, quantiles: &'static str, max: &str| {
        let found: Option<Vec<Option<i32>>> = row.try_get(quantiles)?;
        let found: Option<Vec<i32>> = found.and_then(|values| values.into_iter().collect());
        let found = found.map(TryInto::try_into).transpose();
        let found = found.map_err(|_| StoreError::Inconsistent { table: "completions", column: quantiles })?;
        Ok::<_, StoreError>(Lengths { n: row.try_get(n)?, sum: sum(total)?, quantiles: found, max: row.try_get(max)? })
    };
    Ok(SequenceLengths {
        model: row.try_get("model")?,
        task: row.try_get("task")?,
        n: row.try_get("n")?,
        input: lengths("n_input", "input_tokens", "input_quantiles", "input_max")?,
        output: lengths("n_output", "output_tokens", "output_quantiles", "output_max")?,
        of_both: (sum("input_of_both")?, sum("output_of_both")?),
        median_ratio: row.try_get("median_ratio")?,
        cached: (sum("cached_tokens")?, sum("input_of_cached")?),
        n_with_context: row.try_get("n_with_context")?,
        n_nearly_full: row.try_get("n_nearly_full")?,
        n_finish_known: row.try_get("n_finish_known")?,
        n_truncated: row.try_get("n_truncated")?,
        n_at_context: row.try_get("n_at_context")?,
        n_at_limit: row.try_get("n_at_limit")?,
        mean_ttft_ms: row.try_get("mean_ttft_ms")?,
        mean_itl_ms: row.try_get("mean_itl_ms")?,
    })
}
