//! What became of an earlier export's rows: which left, and which of these because somebody was erased. It compares two
//! folders by their row ids, and asks the database only about rows that left.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::App;
use super::detached::detached;
use super::error::ServiceError;
use super::export_reading::{Pass, ReadError, ReadManifest};
use crate::domain::ids::ProjectId;
use crate::store::Access;
use crate::store::connection::{Pool, Tx};
use crate::store::erased_rows;

/// Ids of rows that left without an erasure which a manifest lists; `export diff` lists all.
const MAX_LISTED: usize = 10_000;
/// Rows that the database is asked about at once.
const N_ROWS_OF_QUESTION: usize = 500;

/// What became of the rows of an earlier export, its parent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Lineage {
    /// The parent.
    pub export_id: String,
    /// Rows of both, whichever the config.
    pub n_kept: u64,
    /// Rows that are new.
    pub n_added: u64,
    /// Rows that left.
    pub n_removed: u64,
    /// Rows that lie in another split than before; under one salt there are none.
    pub n_moved: u64,
    /// Rows that left because what they were made of was erased.
    pub n_erased: u64,
    /// The ids of all of these, sorted.
    pub erased: Vec<String>,
    /// The ids of others that left, sorted; the first of them where they are many.
    pub removed: Vec<String>,
}

/// A row that left, with what it was made of.
#[derive(Debug, Clone)]
struct Gone {
    row_id: String,
    proof: Proof,
}

/// What proves a row, as its `metadata` tells it.
#[derive(Debug, Clone, Default, Deserialize)]
struct Proof {
    #[serde(default)]
    completion: String,
    rejected_completion: Option<String>,
    #[serde(default)]
    feedback: Vec<Uuid>,
}

/// What two folders have in common and what not.
#[derive(Default)]
struct Compared {
    lineage: Lineage,
    gone: BTreeMap<String, Proof>,
}

/// Compares an export with its parent, both in folders.
pub(super) async fn lineage(
    app: &App,
    project_id: ProjectId,
    parent: PathBuf,
    child: PathBuf,
) -> Result<Lineage, LineageError> {
    let compared = tokio::task::spawn_blocking(move || compare(&parent, &child)).await;
    let Compared { mut lineage, gone } =
        compared.map_err(|_| ServiceError::Internal("a comparison of exports ended without a result"))??;
    let gone: Vec<Gone> = gone.into_iter().map(|(row_id, proof)| Gone { row_id, proof }).collect();
    let app = app.clone();
    let (erased, removed) = detached(async move {
        let mut tx = app.store.begin(Pool::Jobs, "export.lineage", Access::Projects(&[project_id])).await?;
        let (mut erased, mut removed) = (Vec::new(), Vec::new());
        for rows in gone.chunks(N_ROWS_OF_QUESTION) {
            let is_erased = look_for(&mut tx, project_id, rows).await?;
            for (row, is_erased) in rows.iter().zip(is_erased) {
                let list = if is_erased { &mut erased } else { &mut removed };
                list.push(row.row_id.clone());
            }
        }
        tx.commit().await?;
        Ok((erased, removed))
    })
    .await?;
    (lineage.n_erased, lineage.erased, lineage.removed) = (erased.len() as u64, erased, removed);
    lineage.removed.truncate(MAX_LISTED);
    Ok(lineage)
}

/// An earlier export that cannot be compared with.
#[derive(Debug, thiserror::Error)]
pub enum LineageError {
    /// One of the two folders cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Something else failed.
    #[error(transparent)]
    Failed(#[from] ServiceError),
}

/// Tells of each row whether something that it was made of is gone: nothing but an erasure deletes.
async fn look_for(tx: &mut Tx, project_id: ProjectId, rows: &[Gone]) -> Result<Vec<bool>, ServiceError> {
    let completions = |row: &Gone| {
        std::iter::once(row.proof.completion.clone()).chain(row.proof.rejected_completion.clone()).collect::<Vec<_>>()
    };
    let ids: BTreeSet<String> = rows.iter().flat_map(completions).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let there = erased_rows::list_present(tx, project_id, &ids).await?;
    let is_there = |row: &Gone| {
        completions(row).iter().all(|id| there.completions.contains(id))
            && row.proof.feedback.iter().all(|id| there.feedback.contains(id))
    };
    Ok(rows.iter().map(|row| !is_there(row)).collect())
}

fn compare(parent: &Path, child: &Path) -> Result<Compared, ReadError> {
    let (before, after) = (ReadManifest::open(parent)?, ReadManifest::open(child)?);
    let mut compared = Compared::default();
    compared.lineage.export_id.clone_from(&before.export_id);
    for pass in Pass::all(&[&before, &after]) {
        // Two configs may hold the same rows; a row counts once.
        let mut now: HashMap<u128, &str> = HashMap::new();
        for proofs in after.proofs(child) {
            proofs.texts("row_id", |row_id| {
                if let Some(key) = pass.take(row_id) {
                    now.insert(key, proofs.split);
                }
            })?;
        }
        let mut seen: HashSet<u128> = HashSet::new();
        for proofs in before.proofs(parent) {
            proofs.pairs(["row_id", "metadata"], |row_id, proof| {
                let Some(key) = pass.take(row_id).filter(|key| seen.insert(*key)) else { return };
                if let Some(split) = now.get(&key) {
                    compared.lineage.n_kept += 1;
                    compared.lineage.n_moved += u64::from(*split != proofs.split);
                } else {
                    compared.lineage.n_removed += 1;
                    compared.gone.insert(row_id.to_owned(), serde_json::from_str(proof).unwrap_or_default());
                }
            })?;
        }
        compared.lineage.n_added += now.keys().filter(|key| !seen.contains(key)).count() as u64;
    }
    Ok(compared)
}
