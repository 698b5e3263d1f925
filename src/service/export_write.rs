//! The second pass of an export: rows in their final order, into local parts of every config and split.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

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
use crate::dataset::example::{Example, RowKind, Split};
use crate::dataset::{Placement, Plan};
use crate::domain::recipe::Layout;

/// Rows between two looks at whether the run is to stop.
const N_ROWS_BETWEEN_LOOKS: usize = 1_000;

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

impl Writing {
    /// Writes one kind of row after the other, so that no more row groups are open at once than a kind has configs: two,
    /// or four where conversations with tools have configs of their own.
    pub(super) fn write(self, mut spill: Spill, plan: &Plan) -> Result<Written, RunError> {
        self.progress.enter(Phase::Writing, plan.placements.len() as u64);
        let mut written = Written::default();
        for kind in RowKind::ALL {
            for split in Split::ALL {
                let rows = plan.placements.iter().filter(|row| row.kind == kind && row.split == split);
                self.write_rows(&mut written, &mut spill, rows, kind, split)?;
            }
        }
        written.parts.sort_by_key(|(part, _)| (part.shape, part.split));
        written.provenance.sort_by(|(left, _), (right, _)| left.path.cmp(&right.path));
        Ok(written)
    }

    fn write_rows<'p>(
        &self,
        written: &mut Written,
        spill: &mut Spill,
        rows: impl Iterator<Item = &'p Placement>,
        kind: RowKind,
        split: Split,
    ) -> Result<(), RunError> {
        let shapes = self.shapes.iter().filter(|shape| shape.config.kind() == kind);
        let mut writers: Vec<Writer> =
            shapes.map(|shape| Writer::open(&self.folder, *shape, split)).collect::<Result<_, _>>()?;
        for (place, placement) in rows.enumerate() {
            if place % N_ROWS_BETWEEN_LOOKS == 0 && self.stop.is_cancelled() {
                return Err(RunError::Stopped);
            }
            let example = Example { sample_weight: placement.weight, ..spill.read(placement.index)? };
            written.stats.add(&example, split);
            let row = Row { example: &example, group: placement.group, split, index: place as u64 };
            for writer in writers.iter_mut().filter(|writer| writer.shape.takes(&example)) {
                writer.push(&row)?;
            }
            self.progress.advance(1);
        }
        for writer in writers {
            writer.finish(written, split, self.shapes.len())?;
        }
        Ok(())
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
