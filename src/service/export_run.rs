//! One run of an export: one snapshot is read prompt by prompt, the rows are planned over small keys, written in their
//! final order and published, the manifest last (DS-3).
//!
//! The worker and the command line share it; they differ in where the files go and in who looks at the progress.
//! Memory is bounded: rows wait on a local disk, and only their keys, their offsets and one row group are held.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::App;
use super::error::ServiceError;
use super::export_card::{CardFacts, to_card};
use super::export_collect::{Gathered, WhatWasRead};
use super::export_consent::ConsentOfRows;
use super::export_failure::{empty_formats, refuse};
use super::export_files::MANIFEST;
use super::export_llamafactory::{DATASET_INFO, dataset_info};
use super::export_manifest::{
    FormatCounts, ListedFile, MANIFEST_VERSION, Manifest, ManifestFunnel, Part, by_config, command,
};
use super::export_parent::follow;
use super::export_progress::{Phase, Progress};
use super::export_read::gather;
use super::export_stats::ExportStats;
use super::export_write::{Writing, Written};
use super::outside::BenchmarkPlace;
use crate::blob::{Blob, BlobError, ObjectKey};
use crate::columnar::ColumnarError;
use crate::columnar::shape::{Config, Shape};
use crate::dataset::example::{RowKind, Split};
use crate::domain::clock::Timestamp;
use crate::domain::export::ExportProblem;
use crate::domain::ids::{ExportId, ProjectId};
use crate::domain::recipe::{Format, Layout, Recipe};
use crate::store::StoreError;

/// What is produced, for whom, and where it goes.
#[derive(Debug, Clone)]
pub struct Production {
    /// Project whose rows are read.
    pub project_id: ProjectId,
    /// The export.
    pub export_id: ExportId,
    /// Which attempt at it this is, from 1.
    pub attempt: i32,
    /// What is produced, fully resolved.
    pub recipe: Recipe,
    /// Where the files go.
    pub destination: Destination,
    /// Where the benchmark files of the recipe lie.
    pub benchmarks: BenchmarkPlace,
    /// Folder with what proves the rows of an earlier export, which the manifest is to follow; beside it there is room.
    pub parent: Option<PathBuf>,
}

/// Where the files of a run go.
#[derive(Debug, Clone)]
pub enum Destination {
    /// Into the service's place for files, below the project, in the attempt's own folder.
    Service {
        /// The place.
        blob: Blob,
        /// Folder that was asked for.
        directory: Option<String>,
    },
    /// Right into the root of a place of the caller's.
    Own(Blob),
}

/// A run that ended without a manifest.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Nothing was left to export, or nothing that could be trained on; the problem says why.
    #[error("{}", .0.detail)]
    NoExamples(ExportProblem),
    /// The run was told to stop.
    #[error("the export was stopped")]
    Stopped,
    /// Something failed.
    #[error(transparent)]
    Failed(ServiceError),
}

impl From<ServiceError> for RunError {
    fn from(error: ServiceError) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for RunError {
    fn from(error: StoreError) -> Self {
        Self::Failed(ServiceError::Store(error))
    }
}

impl From<BlobError> for RunError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Stopped => Self::Stopped,
            error => Self::Failed(ServiceError::Blob(error)),
        }
    }
}

impl From<std::io::Error> for RunError {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(ServiceError::File(error))
    }
}

impl From<ColumnarError> for RunError {
    fn from(error: ColumnarError) -> Self {
        Self::Failed(ServiceError::Columnar(error))
    }
}

/// Runs an export and publishes its files; `scratch` is an empty local folder of the run's own.
///
/// The caller must let it end by itself (`stop` asks for that): it holds a transaction.
pub async fn run(
    app: &App,
    production: &Production,
    scratch: &Path,
    progress: &Arc<Progress>,
    stop: &CancellationToken,
) -> Result<Manifest, RunError> {
    let created_at = app.clock.now();
    let spill = scratch.join("spill");
    // The collector is large, and passes through every await of the first pass.
    let gathered = Box::pin(gather(app, production, &spill, progress, stop)).await?;
    let Gathered { spill, plan, holders, read } = gathered;
    if let Some(problem) = refuse(&read, &plan) {
        return Err(RunError::NoExamples(problem));
    }
    let groups = (plan.n_groups, plan.n_rows_largest_group);
    let writing = Writing {
        shapes: Shape::of(&production.recipe),
        folder: scratch.to_owned(),
        progress: Arc::clone(progress),
        stop: stop.clone(),
    };
    let users = plan.users.clone();
    let mut written = blocking(move || writing.write(&spill, &plan)).await?;
    written.stats.close(&read.found, &users);
    progress.enter(Phase::Publishing, written.files().map(|(file, _)| file.bytes).sum());
    let manifest = publish(app, production, created_at, read, groups, written, (progress.as_ref(), stop)).await?;
    Ok(Manifest { holders, ..manifest })
}

/// Publishes the parts, the card, the statistics and, last, the manifest (DS-3).
async fn publish(
    app: &App,
    production: &Production,
    created_at: Timestamp,
    read: WhatWasRead,
    (n_groups, n_rows_largest_group): (u64, u64),
    written: Written,
    (progress, stop): (&Progress, &CancellationToken),
) -> Result<Manifest, RunError> {
    let mut files = Vec::new();
    for (file, local) in written.files() {
        if stop.is_cancelled() {
            return Err(RunError::Stopped);
        }
        let (key, copied) = (production.key(&file.path), |n_bytes| progress.advance(n_bytes));
        production.destination.blob().put_file(&key, local, stop.cancelled(), copied).await?;
        files.push(file.clone());
    }
    let local: Vec<(ListedFile, PathBuf)> = written.files().map(|(file, at)| (file.clone(), at.clone())).collect();
    let Written { parts, stats, .. } = written;
    let parts: Vec<Part> = parts.into_iter().map(|(part, _)| part).collect();
    let formats = production.recipe.formats.clone();
    let mut manifest = describe(production, created_at, read, &stats, &parts);
    (manifest.n_groups, manifest.n_rows_largest_group) = (n_groups, n_rows_largest_group);
    manifest.warnings.extend(group_warning(n_rows_largest_group, manifest.n_examples));
    files.push(put_text(production, "README.md", to_card(&CardFacts { manifest: &manifest, parts: &parts })).await?);
    if production.recipe.layout == Layout::Llamafactory {
        files.push(put_text(production, DATASET_INFO, dataset_info(&parts)).await?);
    }
    files.push(put_text(production, "stats.json", stats.to_json(&formats, &manifest.pii)).await?);
    manifest.files = files;
    if let Some(parent) = &production.parent {
        manifest.parent = Some(follow(app, production.project_id, parent, &manifest, local).await?);
    }
    // Last, and only where there is none: a folder that has a manifest is never changed.
    let (key, text) = (production.key(MANIFEST), Bytes::from(manifest.to_json()));
    production.destination.blob().create(&key, text).await?;
    Ok(manifest)
}

/// Puts together what the manifest says of the rows; the groups and the files are the caller's to add.
fn describe(
    production: &Production,
    created_at: Timestamp,
    read: WhatWasRead,
    stats: &ExportStats,
    parts: &[Part],
) -> Manifest {
    let mut recipe = production.recipe.clone();
    recipe.selection.trust = Some(read.trust.filter);
    let formats = recipe.formats.clone();
    let counts = |kind: RowKind| {
        let counts = read.kinds.get(&kind)?;
        Some(FormatCounts {
            n_candidates: counts.n_candidates,
            n_examples: counts.n_examples,
            n_exclusions: counts.exclusions.0.clone(),
            splits: stats.of_kind(kind).map(|stats| stats.splits.clone()).unwrap_or_default(),
        })
    };
    let by_format: BTreeMap<&'static str, FormatCounts> =
        formats.iter().filter_map(|format| Some((format.as_str(), counts(RowKind::of(format))?))).collect();
    let biases = |format: Format| Some((format.as_str(), stats.of(format)?.biases.clone()));
    let biases = formats.iter().filter_map(biases).collect();
    let ties = counts(RowKind::Tie);
    let total = FormatCounts::total(by_format.values());
    let mut warnings = empty_formats(&read, &formats);
    let consent = ConsentOfRows::of(&recipe, stats);
    warnings.extend(without_train_rows(parts));
    warnings.extend(consent.warning());
    warnings.extend(stats.warnings(&recipe));
    let shapes: Vec<Shape> =
        Shape::of(&recipe).into_iter().filter(|shape| parts.iter().any(|part| part.shape == *shape)).collect();
    Manifest {
        manifest_version: MANIFEST_VERSION,
        afterword_version: env!("CARGO_PKG_VERSION"),
        export_id: production.export_id,
        attempt: production.attempt,
        created_at,
        snapshot: read.snapshot,
        format: formats.only(),
        layout: recipe.layout,
        default_config: shapes.first().map_or("", |shape| shape.name()),
        trust: read.trust,
        consent_default: read.consent_default,
        consent,
        funnel: ManifestFunnel {
            n_prompts: read.funnel.n_prompts,
            n_completions: read.funnel.n_completions,
            n_feedback: read.funnel.n_feedback,
            n_candidates: total.n_candidates,
            n_examples: total.n_examples,
        },
        n_examples: total.n_examples,
        n_exclusions: total.n_exclusions,
        n_feedback_left_out: read.funnel.feedback_left_out.0,
        splits: total.splits,
        by_format,
        biases,
        ties,
        pii: read.redacted,
        benchmarks: read.benchmarks,
        n_held_out_prompts: read.n_held_out_prompts,
        n_groups: 0,
        n_rows_largest_group: 0,
        schema: shapes.iter().map(|shape| (shape.name(), shape.fingerprint().to_hex())).collect(),
        files: Vec::new(),
        configs: by_config(parts),
        warnings,
        commands: formats.iter().filter_map(|format| command(format, &recipe, stats.of(format)?, parts)).collect(),
        formats,
        recipe,
        parent: None,
        holders: Vec::new(),
    }
}

impl Production {
    /// Returns the key of a file of this run.
    fn key(&self, file: &str) -> ObjectKey {
        let file = file.to_owned();
        match &self.destination {
            Destination::Service { directory, .. } => ObjectKey::ExportFile {
                project_id: self.project_id,
                directory: directory.clone(),
                export_id: self.export_id,
                attempt: self.attempt,
                file,
            },
            Destination::Own(_) => ObjectKey::OwnFile { file },
        }
    }
}

impl Destination {
    fn blob(&self) -> &Blob {
        let (Self::Service { blob, .. } | Self::Own(blob)) = self;
        blob
    }
}

/// Runs a unit of computing and local files beside the tasks that wait.
pub(super) async fn blocking<T: Send + 'static>(
    unit: impl FnOnce() -> Result<T, RunError> + Send + 'static,
) -> Result<T, RunError> {
    let outcome = tokio::task::spawn_blocking(unit).await;
    outcome.map_err(|_| ServiceError::Internal("a blocking unit of an export ended without a result"))?
}

async fn put_text(production: &Production, path: &str, text: String) -> Result<ListedFile, RunError> {
    let content = Bytes::from(text);
    let file = ListedFile {
        path: path.to_owned(),
        rows: 0,
        bytes: content.len() as u64,
        sha256: hex::encode(Sha256::digest(&content)),
    };
    production.destination.blob().put(&production.key(path), content).await?;
    Ok(file)
}

/// Says which configs have nothing to train on: where groups are few, chance puts all of them elsewhere.
fn without_train_rows(parts: &[Part]) -> Vec<String> {
    let mut trained: BTreeMap<&'static str, bool> = BTreeMap::new();
    for part in parts.iter().filter(|part| part.shape.config != Config::Ties) {
        *trained.entry(part.shape.name()).or_default() |= part.split == Split::Train;
    }
    let without = trained.into_iter().filter(|(_, is_trained)| !is_trained);
    let said = |(config, _)| {
        format!(
            "`{config}` has no train split: every group of its rows fell into validation or test. Collect more \
             conversations, or lower `validation_share` and `test_share`."
        )
    };
    without.map(said).collect()
}

fn group_warning(n_rows_largest_group: u64, n_examples: u64) -> Option<String> {
    (n_examples >= 30 && n_rows_largest_group * 5 > n_examples).then(|| {
        format!(
            "One group holds {n_rows_largest_group} of {n_examples} rows: shared prompts, conversations and users tie \
             them together, so that they all lie in one split."
        )
    })
}
