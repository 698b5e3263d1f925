//! Direct choices between the variants of an experiment, vote by vote.
//!
//! It must not know what strengths follow from them.

use sqlx::Row as _;

use super::connection::Tx;
use super::error::StoreError;
use super::tallies::words;
use crate::domain::ids::ProjectId;
use crate::domain::selection::Selection;
use crate::domain::trust::TrustFilter;

/// Which answers were held against each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoteQuery<'a> {
    /// The project.
    pub project_id: ProjectId,
    /// The experiment.
    pub experiment: &'a str,
    /// Names of its variants.
    pub variants: Vec<String>,
    /// The models behind them in the same order, by which answers that carry no variant are told; empty where two variants
    /// have one model, or one has none.
    pub models: Vec<String>,
    /// Whose votes count.
    pub trust: TrustFilter,
    /// Filters over the answers; only tasks, languages and the window are read.
    pub selection: &'a Selection,
}

/// One choice of one rater.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// Who chose; votes of one rater are alike.
    pub rater: String,
    /// The variant that was voted on, as a place in the query's list.
    pub variant: usize,
    /// The variant that it was held against.
    pub against: usize,
    /// Whether the first was preferred; nothing where neither was.
    pub is_better: Option<bool>,
    /// Whether the first was shown first, where that was told.
    pub was_first: Option<bool>,
}

/// Lists the votes, pair by pair. Call [`super::tallies::prepare`] first.
pub async fn list(tx: &mut Tx, query: &VoteQuery<'_>) -> Result<Vec<Vote>, StoreError> {
    let rows = sqlx::query(include_str!("sql/votes.sql"))
        .bind(query.project_id.0)
        .bind(query.experiment)
        .bind(&query.variants)
        .bind(&query.models)
        .bind(words(&query.selection.tasks))
        .bind(words(&query.selection.languages))
        .bind(query.selection.from)
        .bind(query.selection.to)
        .bind(query.trust == TrustFilter::Any)
        .fetch_all(tx.connection())
        .await?;
    rows.iter()
        .map(|row| {
            let (variant, against): (i32, i32) = (row.try_get(1)?, row.try_get(2)?);
            let outcome: &str = row.try_get(3)?;
            let shown_first: Option<&str> = row.try_get(4)?;
            Ok(Vote {
                rater: row.try_get(0)?,
                variant: variant as usize,
                against: against as usize,
                is_better: match outcome {
                    "better" => Some(true),
                    "worse" => Some(false),
                    _ => None,
                },
                was_first: match shown_first {
                    Some("this") => Some(true),
                    Some("against") => Some(false),
                    _ => None,
                },
            })
        })
        .collect()
}
