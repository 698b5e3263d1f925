//! Which completions make up two sides, and what is counted of them beside their turns.

use sqlx::Row;

use super::connection::Tx;
use super::error::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::ids::ProjectId;
use crate::domain::selection::Selection;
use crate::domain::trust::TrustFilter;

/// Which completions make up the two sides, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TallyQuery<'a> {
    /// The project.
    pub project_id: ProjectId,
    /// The experiment whose variants the names are; without it they are models.
    pub experiment: Option<&'a str>,
    /// Name of the control.
    pub control: &'a str,
    /// Name of the candidate.
    pub candidate: &'a str,
    /// Model behind the control variant, where it was declared: its answers in the other variant are fallbacks.
    pub control_model: Option<&'a str>,
    /// Model behind the candidate variant, where it was declared.
    pub candidate_model: Option<&'a str>,
    /// Whose reactions count.
    pub trust: TrustFilter,
    /// Filters over both sides; only tasks, languages and the window are read.
    pub selection: &'a Selection,
}

/// One unit on one side: its turns, and how many of them had which outcome.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnitTally {
    /// Whether this is the candidate's side.
    pub is_candidate: bool,
    /// The unit, with a prefix that tells what it is.
    pub unit: String,
    /// Completions, attempts included.
    pub n_completions: i64,
    /// Completions that the model declared for the other side answered.
    pub n_by_other_model: i64,
    /// Turns.
    pub n_turns: i64,
    /// Copied, accepted or liked, and neither regenerated nor disliked.
    pub n_good: i64,
    /// Regenerated or disliked.
    pub n_bad: i64,
    /// Liked.
    pub n_up: i64,
    /// Disliked.
    pub n_down: i64,
    /// Liked or disliked.
    pub n_rated: i64,
    /// Copied or accepted, and not regenerated, whatever was said of them.
    pub n_taken: i64,
    /// Copied.
    pub n_copied: i64,
    /// Regenerated.
    pub n_regenerated: i64,
    /// Carried on from.
    pub n_continued: i64,
    /// Known to have been shown.
    pub n_seen: i64,
    /// With any reaction.
    pub n_any_signal: i64,
    /// With an explicit reaction.
    pub n_explicit: i64,
    /// With a comment or an edit.
    pub n_wrote: i64,
}

/// What a comparison stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// When the first completion was made, by its own account; its arrival where it gives none.
    pub first_at: Option<Timestamp>,
    /// When the last completion was made, likewise.
    pub last_at: Option<Timestamp>,
    /// Days (UTC) with completions.
    pub n_days: i64,
    /// Days (UTC) with completions of both sides.
    pub n_days_both: i64,
    /// Reactions that nobody vouches for, whether they count or not.
    pub n_unverified: i64,
    /// Reactions under an alias of theirs that other completions carry, too; they count for none.
    pub n_ambiguous: i64,
}

/// Direct choices, told from the candidate's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choices {
    /// The candidate's answer was preferred.
    pub n_wins: i64,
    /// The control's answer was preferred.
    pub n_losses: i64,
    /// Neither was.
    pub n_ties: i64,
}

/// Prepares a transaction for [`preferences`], and for [`super::votes::list`].
///
/// They join sets of rows that the planner cannot count, above all right after a load: a nested loop
/// over two such sets takes minutes, and a hash of as many rows as it then expects begins with a million empty files. Merge
/// joins cost what the rows cost. Compiling the statement would take longer than running it. A statement that takes longer
/// than three minutes is given up, so that it cannot hold a connection for ever.
pub async fn prepare(tx: &mut Tx) -> Result<(), StoreError> {
    sqlx::query(
        "-- store::tallies::prepare
         select set_config('enable_nestloop', 'off', true),
                set_config('enable_hashjoin', 'off', true),
                set_config('work_mem', '64MB', true),
                set_config('jit', 'off', true),
                set_config('statement_timeout', '180s', true)",
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Counts the reactions that are filed under an alias which several completions carry, where one of them is compared.
pub(super) async fn count_ambiguous(tx: &mut Tx, query: &TallyQuery<'_>) -> Result<i64, StoreError> {
    let row = bind_query(sqlx::query(include_str!("sql/ambiguous.sql")), query).fetch_one(tx.connection()).await?;
    Ok(row.try_get(0)?)
}

/// Counts the direct choices between the two sides.
pub async fn preferences(tx: &mut Tx, query: &TallyQuery<'_>) -> Result<Choices, StoreError> {
    let row = bind_query(sqlx::query(include_str!("sql/preferences.sql")), query)
        .bind(query.control_model.map(str::to_owned))
        .bind(query.candidate_model.map(str::to_owned))
        .bind(query.trust == TrustFilter::Any)
        .fetch_one(tx.connection())
        .await?;
    Ok(Choices { n_wins: row.try_get("n_wins")?, n_losses: row.try_get("n_losses")?, n_ties: row.try_get("n_ties")? })
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

fn bind_query<'q>(statement: Query<'q>, query: &TallyQuery<'_>) -> Query<'q> {
    statement
        .bind(query.project_id.0)
        .bind(query.experiment.map(str::to_owned))
        .bind(query.control.to_owned())
        .bind(query.candidate.to_owned())
        .bind(words(&query.selection.tasks))
        .bind(words(&query.selection.languages))
        .bind(query.selection.from)
        .bind(query.selection.to)
}

pub(super) fn words(list: &[String]) -> Option<Vec<String>> {
    (!list.is_empty()).then(|| list.to_vec())
}
