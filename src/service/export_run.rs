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
use super::export_card::{CardFacts, sentence, to_card};
use super::export_files::MANIFEST;
use super::export_manifest::{
    ListedFile, MANIFEST_VERSION, Manifest, Part, by_config, commands, part_path, top_exclusions,
};
use super::export_progress::{Phase, Progress};
use super::export_read::{Gathered, WhatWasRead, gather};
use super::export_scratch::{Hashed, HashedFile};
use super::export_spill::Spill;
use super::export_stats::Stats;
use crate::blob::{Blob, BlobError, ObjectKey};
use crate::columnar::ColumnarError;
use crate::columnar::columns::{Config, Row};
use crate::columnar::parts::{PartSizes, PartsWriter};
use crate::dataset::Plan;
use crate::dataset::example::Split;
use crate::dataset::exclusion::UNTRUSTED;
use crate::domain::clock::Timestamp;
use crate::domain::export::ExportProblem;
use crate::domain::ids::{ExportId, ProjectId};
use crate::domain::recipe::{Format, Recipe};
use crate::store::StoreError;

/// Rows between two looks at whether the run is to stop.
const N_ROWS_BETWEEN_LOOKS: usize = 1_000;

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
    /// Nothing was left to export; the problem says why.
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
        Self::Failed(ServiceError::Blob(error))
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
    let gathered = gather(app, production, &scratch.join("spill"), progress, stop).await?;
    let Gathered { spill, plan, holders, read } = gathered;
    if plan.placements.is_empty() {
        return Err(RunError::NoExamples(no_examples(&read)));
    }
    let groups = (plan.n_groups, plan.n_rows_largest_group);
    let writing = Writing {
        format: production.recipe.format,
        folder: scratch.to_owned(),
        progress: Arc::clone(progress),
        stop: stop.clone(),
        stats: Stats::default(),
    };
    let (parts, stats) = blocking(move || writing.write(spill, &plan)).await?;
    progress.enter(Phase::Publishing, 0);
    let manifest = publish(production, created_at, read, groups, parts, stats, stop).await?;
    Ok(Manifest { holders, ..manifest })
}

/// Publishes the parts, the card, the statistics and, last, the manifest (DS-3).
async fn publish(
    production: &Production,
    created_at: Timestamp,
    read: WhatWasRead,
    (n_groups, n_rows_largest_group): (u64, u64),
    local_parts: Vec<LocalPart>,
    stats: Stats,
    stop: &CancellationToken,
) -> Result<Manifest, RunError> {
    let (format, funnel) = (production.recipe.format, read.funnel);
    let mut recipe = production.recipe.clone();
    recipe.selection.trust = Some(read.trust.filter);
    let (mut files, mut parts) = (Vec::new(), Vec::new());
    for (part, local) in local_parts {
        if stop.is_cancelled() {
            return Err(RunError::Stopped);
        }
        production.destination.blob().put_file(&production.key(&part.file.path), &local).await?;
        files.push(part.file.clone());
        parts.push(part);
    }
    let mut warnings = stats.warnings();
    warnings.extend(group_warning(n_rows_largest_group, funnel.n_examples));
    let facts = CardFacts {
        recipe: &recipe,
        trust: read.trust,
        funnel,
        exclusions: &read.exclusions,
        feedback_left_out: &read.feedback_left_out,
        parts: &parts,
        warnings: &warnings,
    };
    files.push(put_text(production, "README.md", to_card(&facts)).await?);
    files.push(put_text(production, "stats.json", stats.to_json()).await?);
    let manifest = Manifest {
        manifest_version: MANIFEST_VERSION,
        afterword_version: env!("CARGO_PKG_VERSION"),
        export_id: production.export_id,
        attempt: production.attempt,
        created_at,
        snapshot: read.snapshot,
        format,
        default_config: Config::of(format)[0].as_str(),
        recipe,
        trust: read.trust,
        consent_default: read.consent_default,
        funnel,
        n_examples: funnel.n_examples,
        n_exclusions: read.exclusions.0,
        n_feedback_left_out: read.feedback_left_out.0,
        splits: stats.splits,
        n_groups,
        n_rows_largest_group,
        schema: Config::of(format).iter().map(|config| (config.as_str(), config.fingerprint().to_hex())).collect(),
        files,
        configs: by_config(&parts),
        warnings,
        commands: commands(format, "."),
        parent: None,
        holders: Vec::new(),
    };
    put_text(production, MANIFEST, manifest.to_json()).await?;
    Ok(manifest)
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

/// The second pass: rows in their final order, into the parts of every config and split.
struct Writing {
    format: Format,
    folder: PathBuf,
    progress: Arc<Progress>,
    stop: CancellationToken,
    stats: Stats,
}

/// A part with the local file that holds it.
type LocalPart = (Part, PathBuf);

impl Writing {
    fn write(mut self, mut spill: Spill, plan: &Plan) -> Result<(Vec<LocalPart>, Stats), RunError> {
        self.progress.enter(Phase::Writing, plan.placements.len() as u64);
        let mut parts = Vec::new();
        for split in Split::ALL {
            parts.extend(self.write_split(&mut spill, plan, split)?);
        }
        // Configs in their order, and within a config the splits: the order of the manifest.
        parts.sort_by_key(|(part, _)| (part.config, part.split));
        Ok((parts, self.stats))
    }

    fn write_split(&mut self, spill: &mut Spill, plan: &Plan, split: Split) -> Result<Vec<LocalPart>, RunError> {
        let mut writers = Vec::new();
        for &config in Config::of(self.format) {
            let folder = self.folder.clone();
            let open = move |number: usize| {
                HashedFile::create(folder.join(format!("{}-{}-{number}", config.as_str(), split.as_str())))
            };
            writers.push((config, PartsWriter::new(config, PartSizes::default(), open)?));
        }
        for (place, placement) in plan.placements.iter().filter(|placement| placement.split == split).enumerate() {
            if place % N_ROWS_BETWEEN_LOOKS == 0 && self.stop.is_cancelled() {
                return Err(RunError::Stopped);
            }
            let example = spill.read(placement.index)?;
            self.stats.add(&example, split);
            for (_, writer) in &mut writers {
                writer.push(&Row { example: &example, group: placement.group })?;
            }
            self.progress.advance(1);
        }
        let mut parts = Vec::new();
        for (config, writer) in writers {
            let written = writer.finish()?;
            let n_parts = written.len();
            for (number, part) in written.into_iter().enumerate() {
                let Hashed { path, n_bytes, sha256 } = part.sink.finish()?;
                let name = part_path(config, self.format, split, number, n_parts);
                let file = ListedFile { path: name, rows: part.n_rows, bytes: n_bytes, sha256 };
                parts.push((Part { config, split, uncompressed_bytes: part.uncompressed_bytes, file }, path));
            }
        }
        Ok(parts)
    }
}

/// Explains an export without rows by what was left out.
fn no_examples(read: &WhatWasRead) -> ExportProblem {
    let (exclusions, funnel) = (&read.exclusions, read.funnel);
    let n_untrusted = read.feedback_left_out.0.get(UNTRUSTED).copied().unwrap_or_default();
    let detail = if funnel.n_feedback == 0 {
        "no completion that the selection lets through has feedback, so there is nothing to export".to_owned()
    } else if funnel.n_candidates == 0 {
        format!(
            "the {} items of feedback on {} prompts hold nothing that this format can use, so there is nothing to export",
            funnel.n_feedback, funnel.n_prompts
        )
    } else {
        let reasons: Vec<String> = top_exclusions(exclusions)
            .iter()
            .take(3)
            .map(|(reason, n)| format!("{reason} {n} ({})", sentence(reason).trim_end_matches('.')))
            .collect();
        format!("all {} candidates were left out: {}", funnel.n_candidates, reasons.join("; "))
    };
    let detail = if n_untrusted > 0 {
        format!("{detail}; nothing vouches for {n_untrusted} of the items, and only verified feedback counts (`trust`)")
    } else {
        detail
    };
    let n_exclusions: BTreeMap<String, u64> =
        exclusions.0.iter().map(|(reason, n)| ((*reason).to_owned(), *n)).collect();
    ExportProblem { code: ExportProblem::NO_EXAMPLES.to_owned(), detail, n_exclusions }
}

fn group_warning(n_rows_largest_group: u64, n_examples: u64) -> Option<String> {
    (n_examples >= 30 && n_rows_largest_group * 5 > n_examples).then(|| {
        format!(
            "One group holds {n_rows_largest_group} of {n_examples} rows: shared prompts, conversations and users tie \
             them together, so that they all lie in one split."
        )
    })
}
