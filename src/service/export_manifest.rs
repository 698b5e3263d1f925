//! The manifest: what an export holds and how it came about. It is written last; readers trust only what it names
//! (DS-3).

use std::collections::BTreeMap;

use serde::Serialize;

use super::export_lineage::Lineage;
use crate::columnar::columns::Config;
use crate::dataset::example::{Exclusions, Split};
use crate::domain::clock::Timestamp;
use crate::domain::consent::ConsentDefault;
use crate::domain::erasure::IdHash;
use crate::domain::ids::ExportId;
use crate::domain::recipe::{Format, Recipe};
use crate::domain::trust::TrustRule;

/// Version of the manifest's form.
pub const MANIFEST_VERSION: u32 = 1;

/// What an export holds and how it came about.
#[derive(Debug, Clone, Serialize)]
pub struct Manifest {
    /// Version of this form.
    pub manifest_version: u32,
    /// Version of the program.
    pub afterword_version: &'static str,
    /// The export.
    pub export_id: ExportId,
    /// Which attempt at it wrote the files, from 1.
    pub attempt: i32,
    /// When its rows were read.
    pub created_at: Timestamp,
    /// The snapshot that was read, in Postgres's own form.
    pub snapshot: String,
    /// Kind of data set.
    pub format: Format,
    /// The config that `load_dataset` returns where none is named.
    pub default_config: &'static str,
    /// The recipe with every option.
    pub recipe: Recipe,
    /// Whose feedback was counted, and why.
    pub trust: TrustRule,
    /// What held for completions that say nothing of consent.
    pub consent_default: ConsentDefault,
    /// How many of what went in, from completions to rows.
    pub funnel: ManifestFunnel,
    /// Rows.
    pub n_examples: u64,
    /// Candidates that became no row, by reason; with the rows they are all candidates (DS-5).
    pub n_exclusions: BTreeMap<&'static str, u64>,
    /// Items of feedback that were not counted, by reason.
    pub n_feedback_left_out: BTreeMap<&'static str, u64>,
    /// Rows by split.
    pub splits: BTreeMap<&'static str, u64>,
    /// Groups that no split tears apart (DS-1).
    pub n_groups: u64,
    /// Rows of the largest of them.
    pub n_rows_largest_group: u64,
    /// Hash of each config's columns.
    pub schema: BTreeMap<&'static str, String>,
    /// Every file but this one.
    pub files: Vec<ListedFile>,
    /// The parts by config and split.
    pub configs: BTreeMap<&'static str, BTreeMap<&'static str, Vec<ListedFile>>>,
    /// What whoever trains on it should know.
    pub warnings: Vec<String>,
    /// Commands to copy, run inside the folder.
    pub commands: Vec<String>,
    /// What became of the rows of an earlier export, where one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<Lineage>,
    /// Whose rows it holds, as keyed hashes, sorted: for the database, not for the file.
    #[serde(skip)]
    pub holders: Vec<IdHash>,
}

/// How many of what went in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ManifestFunnel {
    /// Prompts with a selected answer, and feedback on any of their answers.
    pub n_prompts: u64,
    /// Their answers.
    pub n_completions: u64,
    /// The feedback on these.
    pub n_feedback: u64,
    /// What could have become a row: rows and exclusions.
    pub n_candidates: u64,
    /// Rows.
    pub n_examples: u64,
}

/// A file as the manifest names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedFile {
    /// Path inside the export's folder.
    pub path: String,
    /// Rows; 0 for files that hold none.
    pub rows: u64,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

/// A part as it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its config.
    pub config: Config,
    /// Its split.
    pub split: Split,
    /// Its size before encoding and compression.
    pub uncompressed_bytes: u64,
    /// Its entry in the manifest.
    pub file: ListedFile,
}

impl Manifest {
    /// Writes the manifest as it is stored and published.
    pub fn to_json(&self) -> String {
        // A struct of numbers, strings and maps with string keys always serialises.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

/// Returns the folder of a config's parts: its name, or `data` in an export that has no other.
pub fn folder(config: Config, format: Format) -> &'static str {
    if Config::of(format).len() == 1 { "data" } else { config.as_str() }
}

/// Returns a part's path inside the export, as `datasets` expects it.
pub fn part_path(config: Config, format: Format, split: Split, number: usize, n_parts: usize) -> String {
    format!("{}/{}-{number:05}-of-{n_parts:05}.parquet", folder(config, format), split.as_str())
}

/// Lists the parts by config and split.
pub fn by_config(parts: &[Part]) -> BTreeMap<&'static str, BTreeMap<&'static str, Vec<ListedFile>>> {
    let mut configs: BTreeMap<&str, BTreeMap<&str, Vec<ListedFile>>> = BTreeMap::new();
    for part in parts {
        let splits = configs.entry(part.config.as_str()).or_default();
        splits.entry(part.split.as_str()).or_default().push(part.file.clone());
    }
    configs
}

/// Lists exclusions from the most frequent reason down; equal counts by name.
pub fn top_exclusions(exclusions: &Exclusions) -> Vec<(&'static str, u64)> {
    let mut listed: Vec<(&str, u64)> = exclusions.0.iter().map(|(reason, n)| (*reason, *n)).collect();
    listed.sort_by_key(|(reason, n)| (std::cmp::Reverse(*n), *reason));
    listed
}

/// Returns the commands that train on an export that lies in `folder`.
pub fn commands(format: Format, folder: &str) -> Vec<String> {
    let (trainer, config) = match format {
        Format::Preference => ("dpo", Config::Dpo),
        Format::Sft => ("sft", Config::SftCompletion),
    };
    vec![format!(
        "trl {trainer} --dataset_name {folder} --dataset_config {} --model_name_or_path YOUR_MODEL --output_dir OUTPUT",
        config.as_str()
    )]
}
