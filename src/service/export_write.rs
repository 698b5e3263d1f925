//! The second pass of an export: rows in their final order, into local parts of every config and split.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_util::sync::CancellationToken;

use super::error::ServiceError;
use super::export_manifest::{ListedFile, Part, part_path, provenance_path};
use super::export_progress::{Phase, Progress};
use super::export_run::RunError;
use super::export_scratch::{Hashed, HashedFile};
use super::export_spill::Spill;
use super::export_stats::ExportStats;
use crate::columnar::ColumnarError;
use crate::columnar::columns::Row;
use crate::columnar::lines::{Lines, LinesWriter};
use crate::columnar::parts::{PartSizes, PartsWriter, WrittenPart};
use crate::columnar::shape::Shape;
use crate::dataset::Plan;
use crate::dataset::example::{Example, RowKind, Split};
use crate::domain::recipe::Layout;

/// Rows between two looks at whether the run is to stop.
const N_ROWS_BETWEEN_LOOKS: usize = 1_000;
/// Configs that are written at once, at most: the encoder of each holds a row group of 100 MB.
const MAX_THREADS: usize = 3;

/// What the second pass needs.
pub(super) struct Writing {
    pub(super) shapes: Vec<Shape>,
    pub(super) folder: PathBuf,
    pub(super) progress: Arc<Progress>,
    pub(super) stop: CancellationToken,
}

/// What the second pass gives.
#[derive(Default)]
pub(super) struct Written {
    /// The parts, configs in their order and within a config the splits, with the local files that hold them.
    pub(super) parts: Vec<(Part, PathBuf)>,
    /// The files that prove the rows, where parts have no room for that.
    pub(super) provenance: Vec<(ListedFile, PathBuf)>,
    /// Numbers of the rows.
    pub(super) stats: ExportStats,
}

impl Written {
    /// Returns every file with the local one that holds it: the parts, then what proves them.
    pub(super) fn files(&self) -> impl Iterator<Item = (&ListedFile, &PathBuf)> {
        let parts = self.parts.iter().map(|(part, local)| (&part.file, local));
        parts.chain(self.provenance.iter().map(|(file, local)| (file, local)))
    }
}

/// What one thread writes: a config in all of its splits. The first of a kind of rows counts them, too.
#[derive(Clone, Copy)]
struct Unit {
    kind: RowKind,
    shape: Option<Shape>,
    counts: bool,
}

impl Writing {
    /// Writes the configs side by side, as many at once as there are processors, and no more than a few: each holds a row
    /// group. What each writes depends on the rows alone.
    pub(super) fn write(self, spill: &Spill, plan: &Plan) -> Result<Written, RunError> {
        let units = self.units(plan);
        let n_rows = |unit: &Unit| plan.placements.iter().filter(|row| row.kind == unit.kind).count() as u64;
        self.progress.enter(Phase::Writing, units.iter().map(n_rows).sum());
        let n_processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let n_threads = n_processors.min(MAX_THREADS).min(units.len());
        let (next, halt) = (AtomicUsize::new(0), self.stop.child_token());
        let outcomes: Vec<Result<Vec<(usize, Written)>, RunError>> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..n_threads).map(|_| scope.spawn(|| self.write_units(&units, (&next, &halt), spill, plan))).collect();
            let broken = || ServiceError::Internal("a thread that wrote an export ended without a result").into();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(broken()))).collect()
        });
        let mut parts_of_units = Vec::new();
        let mut stopped = None;
        for outcome in outcomes {
            match outcome {
                Ok(of_thread) => parts_of_units.extend(of_thread),
                // Where one failed the others were stopped; what they say is not why.
                Err(RunError::Stopped) => stopped = Some(RunError::Stopped),
                Err(error) => return Err(error),
            }
        }
        if let Some(stopped) = stopped {
            return Err(stopped);
        }
        parts_of_units.sort_by_key(|(nth, _)| *nth);
        let mut written = Written::default();
        for (_, of_unit) in parts_of_units {
            written.parts.extend(of_unit.parts);
            written.provenance.extend(of_unit.provenance);
            written.stats.extend(of_unit.stats);
        }
        written.parts.sort_by_key(|(part, _)| (part.shape, part.split));
        written.provenance.sort_by(|(left, _), (right, _)| left.path.cmp(&right.path));
        Ok(written)
    }

    /// Lists the units of the kinds that have rows.
    fn units(&self, plan: &Plan) -> Vec<Unit> {
        let has_rows = |kind: &RowKind| plan.placements.iter().any(|row| row.kind == *kind);
        let of_kind = |kind: RowKind| {
            let shapes = self.shapes.iter().filter(|shape| shape.config.kind() == kind).map(|shape| Some(*shape));
            let shapes: Vec<Option<Shape>> = shapes.collect();
            let shapes = if shapes.is_empty() { vec![None] } else { shapes };
            shapes.into_iter().enumerate().map(move |(nth, shape)| Unit { kind, shape, counts: nth == 0 })
        };
        RowKind::ALL.into_iter().filter(has_rows).flat_map(of_kind).collect()
    }

    /// Takes unit after unit until none is left. One that fails stops the others.
    fn write_units(
        &self,
        units: &[Unit],
        (next, halt): (&AtomicUsize, &CancellationToken),
        spill: &Spill,
        plan: &Plan,
    ) -> Result<Vec<(usize, Written)>, RunError> {
        let mut done = Vec::new();
        loop {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            let Some(unit) = units.get(nth) else { return Ok(done) };
            let mut written = Written::default();
            for split in Split::ALL {
                if let Err(error) = self.write_rows(&mut written, (*unit, split), spill, plan, halt) {
                    halt.cancel();
                    return Err(error);
                }
            }
            done.push((nth, written));
        }
    }

    fn write_rows(
        &self,
        written: &mut Written,
        (unit, split): (Unit, Split),
        spill: &Spill,
        plan: &Plan,
        halt: &CancellationToken,
    ) -> Result<(), RunError> {
        let open = |shape| Writer::open(&self.folder, shape, split);
        let mut writer: Option<Writer> = unit.shape.map(open).transpose()?;
        let mut buffer = Vec::new();
        let rows = plan.placements.iter().filter(|row| row.kind == unit.kind && row.split == split);
        for (place, placement) in rows.enumerate() {
            if place % N_ROWS_BETWEEN_LOOKS == 0 && halt.is_cancelled() {
                return Err(RunError::Stopped);
            }
            let example = Example { sample_weight: placement.weight, ..spill.read(placement.index, &mut buffer)? };
            if unit.counts {
                written.stats.add(&example, split);
            }
            let row = Row { example: &example, group: placement.group, split, index: place as u64 };
            if let Some(writer) = writer.as_mut().filter(|writer| writer.shape.takes(&example)) {
                writer.push(&row)?;
            }
            self.progress.advance(1);
        }
        match writer {
            Some(writer) => writer.finish(written, split, self.shapes.len()),
            None => Ok(()),
        }
    }
}

type Open = Box<dyn FnMut(usize) -> std::io::Result<HashedFile> + Send>;

/// Writes one config of one split in the form of its layout.
struct Writer {
    shape: Shape,
    form: Form,
}

enum Form {
    Parquet(Box<PartsWriter<HashedFile, Open>>),
    Lines { rows: Box<LinesWriter<HashedFile, Open>>, provenance: Box<LinesWriter<HashedFile, Open>> },
}

impl Writer {
    fn open(folder: &std::path::Path, shape: Shape, split: Split) -> Result<Self, ColumnarError> {
        let files = |what: &'static str| -> Open {
            let start = folder.join(format!("{what}-{}-{}", shape.name(), split.as_str()));
            Box::new(move |number| HashedFile::create(PathBuf::from(format!("{}-{number}", start.display()))))
        };
        let sizes = PartSizes::default();
        let form = if shape.layout.is_lines() {
            // MLX looks for one file of each split.
            let part_bytes = if shape.layout == Layout::MlxJsonl { usize::MAX } else { sizes.part_bytes };
            Form::Lines {
                rows: Box::new(LinesWriter::new(shape, Lines::Rows, part_bytes, files("rows"))),
                provenance: Box::new(LinesWriter::new(shape, Lines::Provenance, usize::MAX, files("provenance"))),
            }
        } else {
            Form::Parquet(Box::new(PartsWriter::new(shape, sizes, files("rows"))?))
        };
        Ok(Self { shape, form })
    }

    fn push(&mut self, row: &Row<'_>) -> Result<(), ColumnarError> {
        match &mut self.form {
            Form::Parquet(writer) => writer.push(row),
            Form::Lines { rows, provenance } => {
                rows.push(row)?;
                provenance.push(row)
            }
        }
    }

    fn finish(self, written: &mut Written, split: Split, n_configs: usize) -> Result<(), RunError> {
        let (parts, provenance) = match self.form {
            Form::Parquet(writer) => (writer.finish()?, Vec::new()),
            Form::Lines { rows, provenance } => (rows.finish(), provenance.finish()),
        };
        let n_parts = parts.len();
        for (number, part) in parts.into_iter().enumerate() {
            let (uncompressed_bytes, path) =
                (part.uncompressed_bytes, part_path(self.shape, n_configs, split, number, n_parts));
            let (file, local) = listed(part, path)?;
            written.parts.push((Part { shape: self.shape, split, uncompressed_bytes, file }, local));
        }
        for part in provenance {
            written.provenance.push(listed(part, provenance_path(self.shape, split))?);
        }
        Ok(())
    }
}

fn listed(part: WrittenPart<HashedFile>, path: String) -> Result<(ListedFile, PathBuf), RunError> {
    let rows = part.n_rows;
    let Hashed { path: local, n_bytes, sha256 } = part.sink.finish()?;
    Ok((ListedFile { path, rows, bytes: n_bytes, sha256 }, local))
}
