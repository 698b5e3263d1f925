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
    /// Its id and those of its aliases that are nobody's id.
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

/// Lists completions by id, and tells whether there are more; `only` names a single one.
pub async fn list_completions(
    tx: &mut Tx,
    wanted: Wanted<'_>,
    after: Option<&CompletionId>,
    only: Option<&CompletionId>,
    with_texts: bool,
) -> Result<(Vec<CompletionRecord>, bool), StoreError> {
    let statement = sqlx::query(include_str!("sql/page_of_completions.sql")).bind(wanted.project_id.0);
    let rows = Words::of(wanted.selection)
        .bind(statement)
        .bind(after.map(|id| id.as_str().to_owned()))
        .bind(only.map(|id| id.as_str().to_owned()))
        .bind(wanted.limit + 1)
        .bind(with_texts)
        .bind(MAX_TEXT_BYTES)
        .fetch_all(tx.connection())
        .await?;
    page(rows, wanted.limit, completion_record)
}

/// Cuts what was read to a page, and tells whether there is more.
fn page<T>(
    mut rows: Vec<PgRow>,
    limit: i64,
    read: impl Fn(&PgRow) -> Result<T, StoreError>,
) -> Result<(Vec<T>, bool), StoreError> {
    let n_found: i64 = rows.first().map(|row| row.try_get("n_found")).transpose()?.unwrap_or(0);
    rows.truncate(limit as usize);
    let items = rows.iter().map(read).collect::<Result<Vec<T>, _>>()?;
    let has_more = n_found > items.len() as i64;
    Ok((items, has_more))
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
/// that a reader can tell whether that is all, and of all together what [`MAX_TEXT_BYTES`] leave room for.
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
    let rows = Words::of(selection)
        .bind(sqlx::query(include_str!("sql/page_of_feedback.sql")).bind(wanted.project_id.0))
        .bind(after.map(|(completion, _)| completion.as_str().to_owned()))
        .bind(after.map(|(_, feedback)| feedback.0))
        .bind(wanted.limit + 1)
        .bind(filters_completions)
        .bind(selection.trust == Some(TrustFilter::Verified))
        .bind(MAX_TEXT_BYTES)
        .fetch_all(tx.connection())
        .await?;
    page(rows, wanted.limit, |row| {
        let mut record = feedback_record(row)?;
        let its_conversation: Option<&str> = row.try_get("its_conversation_id")?;
        record.feedback.trust =
            record.feedback.trust.within(record.granted_conversation_id.as_deref(), its_conversation);
        Ok(record)
    })
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
