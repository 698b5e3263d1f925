//! A sample of answers of both sides, to look at.
//!
//! It must not know what makes an answer worth looking at.

use sqlx::Row as _;

use super::connection::Tx;
use super::error::StoreError;
use super::tallies::{TallyQuery, words};
use crate::domain::clock::Timestamp;

/// An answer that may be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sampled {
    /// Its completion.
    pub completion_id: String,
    /// Whether it is the candidate's.
    pub is_candidate: bool,
}

/// Finds when the first and the last completion of the two sides arrived, whatever the filters; nothing without any.
pub async fn window(tx: &mut Tx, query: &TallyQuery<'_>) -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
    let row = sqlx::query(
        "-- store::examples::window
         select min(w.first_at) as first_at, max(w.last_at) as last_at
           from (select min(received_at) as first_at, max(received_at) as last_at
                   from completions
                  where $2::text is not null
                    and project_id = $1
                    and experiment = $2
                  union all
                 select s.first_at, s.last_at
                   from unnest(array[$3::text, $4::text]) as side (model)
                  cross join lateral (
                            select min(received_at) as first_at, max(received_at) as last_at
                              from completions
                             where $2::text is null
                               and project_id = $1
                               and model = side.model
                        ) s) w",
    )
    .bind(query.project_id.0)
    .bind(query.experiment)
    .bind(query.control)
    .bind(query.candidate)
    .fetch_one(tx.connection())
    .await?;
    let (first, last): (Option<Timestamp>, Option<Timestamp>) = (row.try_get("first_at")?, row.try_get("last_at")?);
    Ok(first.zip(last))
}

/// Lists answers that arrived around some moments, at most `n_each` for each of them and side, by their ids. Call
/// [`super::pages::prepare`] first.
pub async fn list(
    tx: &mut Tx,
    query: &TallyQuery<'_>,
    moments: &[Timestamp],
    n_each: i64,
) -> Result<Vec<Sampled>, StoreError> {
    let rows = sqlx::query(include_str!("sql/examples.sql"))
        .bind(query.project_id.0)
        .bind(query.experiment)
        .bind(query.control)
        .bind(query.candidate)
        .bind(words(&query.selection.tasks))
        .bind(words(&query.selection.languages))
        .bind(query.selection.from)
        .bind(query.selection.to)
        .bind(moments)
        .bind(n_each)
        .fetch_all(tx.connection())
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Sampled { completion_id: row.try_get("completion_id")?, is_candidate: row.try_get("is_candidate")? })
        })
        .collect()
}
