//! Pages of completions and of feedback, for people and programs that look.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::connection::Tx;
use super::error::StoreError;
use super::groups::Words;
use super::reading::feedback_from_row;
use crate::domain::clock::Timestamp;
use crate::domain::feedback::Feedback;
use crate::domain::ids::{CompletionId, FeedbackId, ProjectId};
use crate::domain::selection::Selection;
use crate::domain::trust::TrustFilter;

/// Texts of a page, in bytes. A page ends behind the item that reaches it.
const MAX_TEXT_BYTES: i64 = 8 << 20;
/// Reactions that are read for one name of a completion.
pub const MAX_FEEDBACK_OF_NAME: i64 = 500;

/// A completion as it is looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct CompletionRecord {
    /// Its id.
    pub id: CompletionId,
    /// The conversation that it belongs to.
    pub conversation_id: Option<String>,
    /// Its id and those of its aliases that name it and nothing else (LATE-3).
    pub names: Vec<String>,
    /// Everything about it but texts, as the JSON object that goes over the wire.
    pub facts: String,
    /// Its texts by their names on the wire, as JSON; empty where they were not asked for.
    pub texts: Vec<(&'static str, String)>,
}

/// A reaction as it is looked at, with what the client said of time.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedbackRecord {
    /// The reaction, under its completion's own id where that is known.
    pub feedback: Feedback,
    /// The name under which it was filed.
    pub name: String,
    /// The client's time of it, as sent.
    pub occurred_at: Option<Timestamp>,
    /// The client's monotonic age of it, as sent.
    pub age_ms: Option<i64>,
    /// The client's time of sending, as sent.
    pub sent_at: Option<Timestamp>,
    /// One over the client's sampling rate.
    pub weight: f64,
    /// The client's library and version.
    pub sdk: Option<String>,
    /// The conversation that its token vouched for.
    pub granted_conversation_id: Option<String>,
}

/// Which completions of a project are read.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The project.
    pub project_id: ProjectId,
    /// Filters.
    pub selection: &'a Selection,
    /// The most items.
    pub limit: i64,
}

/// Prepares a transaction for the statements below.
///
/// They follow primary keys and stop early. Without statistics, as on tables that were filled a moment ago, the planner
/// would read and sort a whole project for a page.
pub async fn prepare(tx: &mut Tx) -> Result<(), StoreError> {
    sqlx::query(
        "-- store::pages::prepare
         select set_config('enable_seqscan', 'off', true),
                set_config('enable_bitmapscan', 'off', true),
                set_config('enable_sort', 'off', true),
                set_config('jit', 'off', true)",
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Lists completions by id, and tells whether there are more. Call [`prepare`] first, here and below.
pub async fn list_completions(
    tx: &mut Tx,
    wanted: Wanted<'_>,
    after: Option<&CompletionId>,
    with_texts: bool,
) -> Result<(Vec<CompletionRecord>, bool), StoreError> {
    let statement = sqlx::query(include_str!("sql/page_of_completions.sql")).bind(wanted.project_id.0);
    let rows = Words::of(wanted.selection)
        .bind(statement)
        .bind(after.map(|id| id.as_str().to_owned()))
        .bind(wanted.limit + 1)
        .fetch_all(tx.connection())
        .await?;
    let n_taken = if with_texts { n_that_fit(&rows, wanted.limit)? } else { rows.len().min(wanted.limit as usize) };
    let ids: Vec<&str> = rows[..n_taken].iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let records = find_completions(tx, wanted.project_id, &ids, with_texts).await?;
    Ok((records, n_taken < rows.len()))
}

/// Finds completions by their ids, in the order of the ids.
pub async fn find_completions(
    tx: &mut Tx,
    project: ProjectId,
    ids: &[&str],
    with_texts: bool,
) -> Result<Vec<CompletionRecord>, StoreError> {
    let rows = sqlx::query(include_str!("sql/records_of_completions.sql"))
        .bind(project.0)
        .bind(ids)
        .bind(with_texts)
        .fetch_all(tx.connection())
        .await?;
    rows.iter().map(completion_record).collect()
}

/// Counts the rows that make a page: up to the one whose texts reach `MAX_TEXT_BYTES`.
fn n_that_fit(rows: &[PgRow], limit: i64) -> Result<usize, StoreError> {
    let mut n_bytes = 0;
    for (nth, row) in rows.iter().take(limit as usize).enumerate() {
        n_bytes += i64::from(row.try_get::<i32, _>("n_bytes")?);
        if n_bytes >= MAX_TEXT_BYTES {
            return Ok(nth + 1);
        }
    }
    Ok(rows.len().min(limit as usize))
}

fn completion_record(row: &PgRow) -> Result<CompletionRecord, StoreError> {
    let id: &str = row.try_get("completion_id")?;
    let mut texts = Vec::new();
    for name in ["prompt", "response", "tools", "params"] {
        if let Some(text) = row.try_get::<Option<String>, _>(name)? {
            texts.push((name, text));
        }
    }
    Ok(CompletionRecord {
        id: CompletionId::parse(id)
            .map_err(|_| StoreError::Inconsistent { table: "completions", column: "completion_id" })?,
        conversation_id: row.try_get("conversation_id")?,
        names: row.try_get("names")?,
        facts: row.try_get("facts")?,
        texts,
    })
}

/// Lists the feedback on some names, by name and id: of each name the first [`MAX_FEEDBACK_OF_NAME`] and one more, so
/// that a reader can tell whether that is all, and of all together what `MAX_TEXT_BYTES` leave room for.
pub async fn list_feedback_of(
    tx: &mut Tx,
    project: ProjectId,
    names: &[&str],
) -> Result<Vec<FeedbackRecord>, StoreError> {
    let rows = sqlx::query(include_str!("sql/feedback_of_page.sql"))
        .bind(project.0)
        .bind(names)
        .bind(MAX_FEEDBACK_OF_NAME + 1)
        .bind(MAX_TEXT_BYTES)
        .fetch_all(tx.connection())
        .await?;
    rows.iter().map(feedback_record).collect()
}

/// Counts the feedback that is filed under each of some names, up to one more than [`list_feedback_of`] reads.
pub async fn count_feedback_of(tx: &mut Tx, project: ProjectId, names: &[&str]) -> Result<Vec<i64>, StoreError> {
    let rows = sqlx::query(
        "-- store::pages::count_feedback_of
         select (select count(*)
                   from (select
                           from feedback r
                          where r.project_id = $1
                            and r.completion_id = named.completion_id
                          limit $3) some_of_them) as n
           from unnest($2::text[]) with ordinality as named (completion_id, nth)
          order by named.nth",
    )
    .bind(project.0)
    .bind(names)
    .bind(MAX_FEEDBACK_OF_NAME + 1)
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(|row| Ok(row.try_get("n")?)).collect()
}

/// Lists feedback by completion and id, and tells whether there is more.
pub async fn list_feedback(
    tx: &mut Tx,
    wanted: Wanted<'_>,
    after: Option<&(CompletionId, FeedbackId)>,
) -> Result<(Vec<FeedbackRecord>, bool), StoreError> {
    let selection = wanted.selection;
    let filters_completions = Selection { trust: None, ..selection.clone() } != Selection::default();
    let statement = if filters_completions {
        Words::of(selection)
            .bind(sqlx::query(include_str!("sql/page_of_selected_feedback.sql")).bind(wanted.project_id.0))
    } else {
        sqlx::query(include_str!("sql/page_of_feedback.sql")).bind(wanted.project_id.0)
    };
    let keys = statement
        .bind(after.map(|(completion, _)| completion.as_str().to_owned()))
        .bind(after.map(|(_, feedback)| feedback.0))
        .bind(wanted.limit + 1)
        .bind(selection.trust == Some(TrustFilter::Verified))
        .fetch_all(tx.connection())
        .await?;
    let n_taken = n_that_fit(&keys, wanted.limit)?;
    let completions: Vec<&str> = keys[..n_taken].iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let ids: Vec<uuid::Uuid> = keys[..n_taken].iter().map(|row| row.try_get(1)).collect::<Result<_, _>>()?;
    let rows = sqlx::query(include_str!("sql/records_of_feedback.sql"))
        .bind(wanted.project_id.0)
        .bind(&completions)
        .bind(&ids)
        .fetch_all(tx.connection())
        .await?;
    let records = rows.iter().map(|row| {
        let mut record = feedback_record(row)?;
        let its_conversation: Option<&str> = row.try_get("its_conversation_id")?;
        record.feedback.trust =
            record.feedback.trust.within(record.granted_conversation_id.as_deref(), its_conversation);
        Ok(record)
    });
    Ok((records.collect::<Result<_, StoreError>>()?, n_taken < keys.len()))
}

fn feedback_record(row: &PgRow) -> Result<FeedbackRecord, StoreError> {
    Ok(FeedbackRecord {
        feedback: feedback_from_row(row)?,
        name: row.try_get("completion_id")?,
        occurred_at: row.try_get("occurred_at")?,
        age_ms: row.try_get("age_ms")?,
        sent_at: row.try_get("sent_at")?,
        weight: row.try_get("weight")?,
        sdk: row.try_get("sdk")?,
        granted_conversation_id: row.try_get("granted_conversation_id")?,
    })
}
