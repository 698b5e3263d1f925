//! What proves the rows of an export, wherever its layout keeps it: in columns of the Parquet parts, or in the lines of
//! `provenance/` beside parts that have no room for it.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use serde_json::{Map, Value};

use super::export_manifest::provenance_of;
use super::export_reading::{PartForm, Pass, ReadError, ReadFile, ReadManifest, open_part};
use crate::domain::hash::ContentHash;

/// Bytes that are read together.
const CHUNK_BYTES: usize = 1 << 20;

/// What proves some rows of one config and split.
#[derive(Debug)]
pub(super) struct Proofs<'a> {
    folder: &'a Path,
    pub(super) split: &'a str,
    source: Source<'a>,
}

#[derive(Debug)]
enum Source<'a> {
    /// Columns of a Parquet part.
    Columns(&'a ReadFile),
    /// Lines beside the lines of some parts.
    Lines { parts: &'a [ReadFile], provenance: &'a ReadFile },
}

/// A config and split whose rows nothing proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unproved;

impl ReadManifest {
    /// Lists what proves the rows of every config.
    pub(super) fn proofs<'a>(&'a self, folder: &'a Path) -> Vec<Proofs<'a>> {
        self.configs.keys().filter_map(|config| self.proofs_of(folder, config).ok()).flatten().collect()
    }

    /// Hands out the keys of a pass that a column holds, each with its split and its text; returns in how many places the
    /// column was found.
    pub(super) fn keys<'a>(
        &'a self,
        folder: &'a Path,
        column: &'static str,
        pass: Pass,
        mut each: impl FnMut(&'a str, u128, &str),
    ) -> Result<u64, ReadError> {
        let mut n_places = 0;
        for proofs in self.proofs(folder) {
            if proofs.has(column)? {
                n_places += 1;
                proofs.texts(column, |text| {
                    if let Some(key) = pass.take(text) {
                        each(proofs.split, key, text);
                    }
                })?;
            }
        }
        Ok(n_places)
    }

    /// Lists what proves the rows of a config, which may be absent.
    pub(super) fn proofs_of<'a>(&'a self, folder: &'a Path, config: &str) -> Result<Vec<Proofs<'a>>, Unproved> {
        let mut found = Vec::new();
        for (split, parts) in self.configs.get(config).into_iter().flatten() {
            if parts.iter().all(|part| part.form() == Some(PartForm::Parquet)) {
                found.extend(parts.iter().map(|part| Proofs { folder, split, source: Source::Columns(part) }));
                continue;
            }
            let provenance = self.provenance(config, split).ok_or(Unproved)?;
            if !parts.iter().all(|part| part.form() == Some(PartForm::JsonLines)) {
                return Err(Unproved);
            }
            found.push(Proofs { folder, split, source: Source::Lines { parts, provenance } });
        }
        Ok(found)
    }

    /// Lists the splits whose rows are lines, with their parts.
    pub(super) fn splits_of_lines(&self) -> impl Iterator<Item = (&str, &str, &[ReadFile])> {
        let is_line = |part: &ReadFile| part.form() == Some(PartForm::JsonLines);
        let splits = self.configs.iter().flat_map(|(config, splits)| {
            splits.iter().map(move |(split, parts)| (config.as_str(), split.as_str(), parts.as_slice()))
        });
        splits.filter(move |(_, _, parts)| parts.iter().any(is_line))
    }

    /// Lists the files that hold what proves rows.
    pub(super) fn files_that_prove(&self) -> impl Iterator<Item = &ReadFile> {
        let columns = self.parts().map(|part| part.file).filter(|file| file.form() == Some(PartForm::Parquet));
        columns.chain(self.splits_of_lines().filter_map(|(config, split, _)| self.provenance(config, split)))
    }

    /// Finds the file whose lines prove a split of lines.
    pub(super) fn provenance(&self, config: &str, split: &str) -> Option<&ReadFile> {
        let path = provenance_of(config, split);
        self.files.iter().find(|file| file.path == path)
    }
}

impl Proofs<'_> {
    /// Tells whether the rows have a column; lines of another version may lack it, which reading them then tells.
    pub(super) fn has(&self, column: &str) -> Result<bool, ReadError> {
        match self.source {
            Source::Columns(part) => Ok(open_part(self.folder, part)?.has(column)),
            Source::Lines { .. } => Ok(true),
        }
    }

    /// Tells the texts of a column, row by row.
    pub(super) fn texts(&self, column: &'static str, mut each: impl FnMut(&str)) -> Result<(), ReadError> {
        match self.source {
            Source::Columns(part) => Ok(open_part(self.folder, part)?.texts(column, each)?),
            Source::Lines { provenance, .. } => for_each_line(self.folder, provenance, |line| {
                each(text(&parse(line)?, column)?);
                Ok(())
            }),
        }
    }

    /// Tells the texts of two columns, row by row.
    pub(super) fn pairs(&self, columns: [&'static str; 2], mut each: impl FnMut(&str, &str)) -> Result<(), ReadError> {
        match self.source {
            Source::Columns(part) => Ok(open_part(self.folder, part)?.pairs(columns, each)?),
            Source::Lines { provenance, .. } => for_each_line(self.folder, provenance, |line| {
                let members = parse(line)?;
                each(text(&members, columns[0])?, text(&members, columns[1])?);
                Ok(())
            }),
        }
    }

    /// Tells each row's id, with the hash of everything that the row holds and that proves it.
    pub(super) fn contents(&self, mut each: impl FnMut(&str, ContentHash)) -> Result<(), ReadError> {
        let (parts, provenance) = match self.source {
            Source::Columns(part) => return Ok(open_part(self.folder, part)?.contents("row_id", each)?),
            Source::Lines { parts, provenance } => (parts, provenance),
        };
        let mut rows = Lines::open(self.folder, parts);
        for_each_line(self.folder, provenance, |proof| {
            if !rows.advance()? {
                return Err(ReadError::Unproved);
            }
            let both = [proof, &rows.line].concat();
            each(text(&parse(proof)?, "row_id")?, ContentHash::of_bytes("row", &both));
            Ok(())
        })?;
        if rows.advance()? { Err(ReadError::Unproved) } else { Ok(()) }
    }
}

/// Hands out the lines of a file, each with its end.
pub(super) fn for_each_line(
    folder: &Path,
    file: &ReadFile,
    mut each: impl FnMut(&[u8]) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let mut lines = Lines::open(folder, std::slice::from_ref(file));
    while lines.advance()? {
        each(&lines.line)?;
    }
    Ok(())
}

/// Reads a line as an object.
pub(super) fn parse(line: &[u8]) -> Result<Map<String, Value>, ReadError> {
    serde_json::from_slice(line).map_err(|_| ReadError::NotALine)
}

fn text<'m>(members: &'m Map<String, Value>, name: &str) -> Result<&'m str, ReadError> {
    members.get(name).and_then(Value::as_str).ok_or(ReadError::NotALine)
}

/// The lines of some files, one behind the other.
struct Lines<'a> {
    folder: &'a Path,
    files: std::slice::Iter<'a, ReadFile>,
    reader: Option<BufReader<File>>,
    line: Vec<u8>,
}

impl<'a> Lines<'a> {
    fn open(folder: &'a Path, files: &'a [ReadFile]) -> Self {
        Self { folder, files: files.iter(), reader: None, line: Vec::new() }
    }

    /// Reads the next line; tells whether there is one.
    fn advance(&mut self) -> Result<bool, ReadError> {
        self.line.clear();
        loop {
            if let Some(reader) = &mut self.reader
                && reader.read_until(b'\n', &mut self.line).map_err(ReadError::Unopenable)? > 0
            {
                return Ok(true);
            }
            let Some(file) = self.files.next() else { return Ok(false) };
            let place = file.place(self.folder).ok_or(ReadError::NotAManifest)?;
            let file = File::open(place).map_err(ReadError::Unopenable)?;
            self.reader = Some(BufReader::with_capacity(CHUNK_BYTES, file));
        }
    }
}
