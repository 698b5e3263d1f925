//! What an export is while it runs and once it is done.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::clock::Timestamp;
use super::destination::DestinationName;
use super::ids::{ExportId, ProjectId};

/// Where an export stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportStatus {
    /// Waits for a worker.
    Queued,
    /// A worker is on it.
    Running,
    /// The manifest is written.
    Completed,
    /// It ended without a manifest.
    Failed,
    /// Its files were withdrawn.
    Revoked,
}

impl ExportStatus {
    /// Every status with its word in the database and on the wire.
    pub const WORDS: &'static [(&'static str, Self)] = &[
        ("queued", Self::Queued),
        ("running", Self::Running),
        ("completed", Self::Completed),
        ("failed", Self::Failed),
        ("revoked", Self::Revoked),
    ];

    /// Returns the status's word.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, status)| *status == self).map_or("", |(word, _)| word)
    }
}

/// Why an export failed, as it is stored and shown; it holds no user data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportProblem {
    /// The stable code, one of [`ExportProblem::CODES`].
    pub code: String,
    /// A sentence that helps.
    pub detail: String,
    /// What was left out of an export that would have been empty, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub n_exclusions: BTreeMap<String, u64>,
}

impl ExportProblem {
    /// Nothing was left to export.
    pub const NO_EXAMPLES: &'static str = "no_examples";
    /// Labelled rows are all good or all bad.
    pub const ONE_CLASS: &'static str = "one_class";
    /// The place for files failed again and again.
    pub const STORAGE_FAILED: &'static str = "storage_failed";
    /// The database failed again and again.
    pub const DATABASE_FAILED: &'static str = "database_failed";
    /// Workers took the job again and again and did not come back.
    pub const ATTEMPTS_EXHAUSTED: &'static str = "attempts_exhausted";
    /// The destination does not take the files, and will not before an operator has changed something.
    pub const DESTINATION_REFUSED: &'static str = "destination_refused";
    /// Somebody cancelled it.
    pub const CANCELLED: &'static str = "cancelled";
    /// A hook of the recipe failed again and again.
    pub const HOOK_FAILED: &'static str = "hook_failed";
    /// What the recipe asks for is not there, or not allowed any more.
    pub const RECIPE_REFUSED: &'static str = "recipe_refused";
    /// The files of the parent export are gone.
    pub const PARENT_GONE: &'static str = "parent_gone";
    /// Again and again somebody was erased while it ran.
    pub const ERASED_MEANWHILE: &'static str = "erased_meanwhile";
    /// A bug of ours.
    pub const INTERNAL: &'static str = "internal";

    /// Every code, for the documentation and its test.
    pub const CODES: &'static [&'static str] = &[
        Self::NO_EXAMPLES,
        Self::ONE_CLASS,
        Self::STORAGE_FAILED,
        Self::DESTINATION_REFUSED,
        Self::DATABASE_FAILED,
        Self::ATTEMPTS_EXHAUSTED,
        Self::HOOK_FAILED,
        Self::RECIPE_REFUSED,
        Self::PARENT_GONE,
        Self::CANCELLED,
        Self::ERASED_MEANWHILE,
        Self::INTERNAL,
    ];

    /// Makes a problem that counts nothing.
    pub fn new(code: &str, detail: &str) -> Self {
        Self { code: code.to_owned(), detail: detail.to_owned(), n_exclusions: BTreeMap::new() }
    }
}

/// One run that produces data-set files, as it stands in the database.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// Its id.
    pub id: ExportId,
    /// The project whose rows it holds.
    pub project_id: ProjectId,
    /// Where it stands.
    pub status: ExportStatus,
    /// The fully resolved recipe, as JSON text.
    pub recipe: String,
    /// The operator's destination that it goes to; the service's own directory where it is absent.
    pub destination: Option<DestinationName>,
    /// Folder below the project's root, where one was asked for.
    pub directory: Option<String>,
    /// The earlier export whose rows the manifest follows, where the request named one.
    pub parent: Option<ExportId>,
    /// Prompts read so far.
    pub n_done: i64,
    /// Prompts to read; 0 until it is known.
    pub n_total: i64,
    /// What went wrong, for a failed export.
    pub problem: Option<ExportProblem>,
    /// The manifest, as JSON text, once completed.
    pub manifest: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}
