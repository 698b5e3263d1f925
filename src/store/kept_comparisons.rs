//! Comparisons that were computed and are kept, in every form in which they are told.
//!
//! It must not know how they are computed.

use sqlx::Row as _;

use super::completions::hash_part;
use super::connection::Tx;
use super::error::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::hash::ContentHash;
use crate::domain::ids::ProjectId;

/// Kept questions of a project at most; of more, those go that were not asked for the longest.
const MAX_KEPT: i64 = 100;
/// A question that nobody asked for this many days is not kept any longer.
const N_DAYS_KEPT: i32 = 7;
/// A comparison is computed again after this many seconds at the soonest.
const MIN_AGE_S: f64 = 600.0;
/// And after this many times of what it took, so that no question takes more than a twentieth of a processor.
const MIN_AGE_OF_TIMES: f64 = 20.0;
/// Seconds after which another worker may compute what one has claimed.
const LEASE_S: f64 = 900.0;

/// One comparison in every form in which it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forms {
    /// The wire form of the API.
    pub json: String,
    /// The page.
    pub page: String,
    /// Text for a terminal.
    pub text: String,
    /// A specification to plot.
    pub plot: String,
}

/// A comparison to be kept.
#[derive(Debug, Clone)]
pub struct NewKept<'a> {
    /// The project.
    pub project_id: ProjectId,
    /// Hash of the question.
    pub question_hash: ContentHash,
    /// The question as a JSON list of query parameters.
    pub question: &'a str,
    /// What is told.
    pub forms: &'a Forms,
    /// As of when.
    pub computed_at: Timestamp,
    /// Milliseconds that it took.
    pub took_ms: i64,
    /// Erasures of the project that had ended before its snapshot was taken.
    pub n_erasures: i64,
}

/// A kept question that is to be asked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The project.
    pub project_id: ProjectId,
    /// Hash of the question.
    pub question_hash: ContentHash,
    /// The question as a JSON list of query parameters.
    pub question: String,
}

/// Finds what is kept of a question that was computed at or after a moment.
pub async fn find(
    tx: &mut Tx,
    project: ProjectId,
    question: ContentHash,
    not_before: Timestamp,
) -> Result<Option<Forms>, StoreError> {
    let row = sqlx::query(
        "-- store::kept_comparisons::find
         select json, page, plain, plot
           from kept_comparisons
          where project_id = $1
            and question_hash = $2
            and computed_at >= $3",
    )
    .bind(project.0)
    .bind(&question.0[..])
    .bind(not_before)
    .fetch_optional(tx.connection())
    .await?;
    row.map(|row| {
        Ok(Forms { json: row.try_get(0)?, page: row.try_get(1)?, text: row.try_get(2)?, plot: row.try_get(3)? })
    })
    .transpose()
}

/// Notes that a kept question was asked, once an hour: it stays kept.
pub async fn note_asked(
    tx: &mut Tx,
    project: ProjectId,
    question: ContentHash,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "-- store::kept_comparisons::note_asked
         update kept_comparisons
            set asked_at = $3
          where project_id = $1
            and question_hash = $2
            and asked_at < $3 - interval '1 hour'",
    )
    .bind(project.0)
    .bind(&question.0[..])
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Counts the erasures of a project that have ended.
pub async fn count_erasures(tx: &mut Tx, project: ProjectId) -> Result<i64, StoreError> {
    Ok(sqlx::query(
        "-- store::kept_comparisons::count_erasures
         select count(*) from erasures where project_id = $1 and status = 'completed'",
    )
    .bind(project.0)
    .fetch_one(tx.connection())
    .await?
    .try_get(0)?)
}

/// Keeps a comparison in the place of an older one; not where an erasure runs, or has ended since its snapshot: it may count
/// somebody who is to be forgotten. Whoever erases waits for this statement, as for those that write rows.
pub async fn keep(tx: &mut Tx, new: &NewKept<'_>) -> Result<bool, StoreError> {
    let done = sqlx::query(include_str!("sql/keep_comparison.sql"))
        .bind(new.project_id.0)
        .bind(&new.question_hash.0[..])
        .bind(new.question)
        .bind(&new.forms.json)
        .bind(&new.forms.page)
        .bind(&new.forms.text)
        .bind(&new.forms.plot)
        .bind(new.computed_at)
        .bind(new.took_ms)
        .bind(new.n_erasures)
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Forgets what is kept beyond the bounds of a project.
pub async fn delete_surplus(tx: &mut Tx, project: ProjectId) -> Result<(), StoreError> {
    sqlx::query(
        "-- store::kept_comparisons::delete_surplus
         delete from kept_comparisons
          where project_id = $1
            and question_hash in (
                    select question_hash
                      from kept_comparisons
                     where project_id = $1
                     order by asked_at desc, question_hash
                    offset $2
                )",
    )
    .bind(project.0)
    .bind(MAX_KEPT)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Forgets one question.
pub async fn delete(tx: &mut Tx, project: ProjectId, question: ContentHash) -> Result<(), StoreError> {
    sqlx::query(
        "-- store::kept_comparisons::delete
         delete from kept_comparisons where project_id = $1 and question_hash = $2",
    )
    .bind(project.0)
    .bind(&question.0[..])
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Forgets everything of a project.
pub async fn delete_all(tx: &mut Tx, project: ProjectId) -> Result<(), StoreError> {
    sqlx::query("-- store::kept_comparisons::delete_all\ndelete from kept_comparisons where project_id = $1")
        .bind(project.0)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Claims the kept question of any project that has been waiting longest to be asked again, and forgets those that nobody
/// asks any more.
pub async fn claim_due(tx: &mut Tx, now: Timestamp) -> Result<Option<Due>, StoreError> {
    sqlx::query(
        "-- store::kept_comparisons::delete_forgotten
         delete from kept_comparisons where asked_at < $1 - make_interval(days => $2)",
    )
    .bind(now)
    .bind(N_DAYS_KEPT)
    .execute(tx.connection())
    .await?;
    let row = sqlx::query(include_str!("sql/claim_comparison.sql"))
        .bind(now)
        .bind(MIN_AGE_S)
        .bind(MIN_AGE_OF_TIMES)
        .bind(LEASE_S)
        .fetch_optional(tx.connection())
        .await?;
    row.map(|row| {
        Ok(Due {
            project_id: ProjectId(row.try_get(0)?),
            question_hash: hash_part(&row, 1)?,
            question: row.try_get(2)?,
        })
    })
    .transpose()
}
