//! Exports read back from their folder, whichever version wrote them: the manifest, and the keys of the rows in bounded
//! memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::export_files::MANIFEST;
use super::export_manifest::MANIFEST_VERSION;
use crate::columnar::ColumnarError;
use crate::columnar::reader::PartReader;
use crate::domain::hash::ContentHash;

/// Keys that are held at a time; a folder with more rows is read several times.
const MAX_KEYS: u64 = 1_000_000;

/// A folder that cannot be read as an export.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no manifest that could be read. What the system says is in the sentence, and no cause behind it: whoever
    /// tells causes, too, would say it twice.
    #[error("there is no `manifest.json` to read there, so that it is no finished export: {}", .0.kind())]
    NoManifest(io::Error),
    /// The manifest is none.
    #[error("its `manifest.json` is not the manifest of an export")]
    NotAManifest,
    /// A later version wrote it.
    #[error("its manifest is of version {0}, which only a newer afterword reads")]
    TooNew(u32),
    /// A file cannot be opened.
    #[error("a file of the export cannot be opened: {}", .0.kind())]
    Unopenable(io::Error),
    /// A line is none of an export's.
    #[error("a line of the export is no JSON object with what it should hold")]
    NotALine,
    /// Rows and what proves them are not the same number of lines.
    #[error("the lines of `provenance/` are not those of the rows, line for line")]
    Unproved,
    /// A part cannot be read.
    #[error(transparent)]
    Part(#[from] ColumnarError),
}

/// What is read of a manifest.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ReadManifest {
    pub(super) export_id: String,
    pub(super) n_examples: u64,
    #[serde(default)]
    pub(super) n_exclusions: BTreeMap<String, u64>,
    #[serde(default)]
    pub(super) funnel: Value,
    #[serde(default)]
    pub(super) splits: BTreeMap<String, u64>,
    #[serde(default)]
    pub(super) by_format: BTreeMap<String, ReadCounts>,
    #[serde(default)]
    pub(super) schema: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) recipe: Value,
    pub(super) files: Vec<ReadFile>,
    pub(super) configs: BTreeMap<String, BTreeMap<String, Vec<ReadFile>>>,
}

/// What became of the candidates of one format.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ReadCounts {
    pub(super) n_candidates: u64,
    pub(super) n_examples: u64,
    #[serde(default)]
    pub(super) n_exclusions: BTreeMap<String, u64>,
}

/// A file as a manifest names it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct ReadFile {
    pub(super) path: String,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// A part of an export with where it belongs.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadPart<'a> {
    pub(super) config: &'a str,
    pub(super) split: &'a str,
    pub(super) file: &'a ReadFile,
}

/// How a part is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PartForm {
    /// Parquet, whose columns can be read.
    Parquet,
    /// One row in each line, without the columns that prove it.
    JsonLines,
}

impl ReadFile {
    /// Tells how a part is written, by its name; nothing where that is unknown here.
    pub(super) fn form(&self) -> Option<PartForm> {
        match self.path.rsplit_once('.').map(|(_, ending)| ending) {
            Some("parquet") => Some(PartForm::Parquet),
            Some("jsonl") => Some(PartForm::JsonLines),
            _ => None,
        }
    }

    /// Returns where the file lies; nothing where its path leads out of the folder.
    pub(super) fn place(&self, folder: &Path) -> Option<PathBuf> {
        let path = Path::new(&self.path);
        let is_inside = path.components().all(|part| matches!(part, Component::Normal(_)));
        (is_inside && !self.path.is_empty()).then(|| folder.join(path))
    }
}

/// Looks whether a folder has the manifest of an export.
pub fn look(folder: &Path) -> Result<(), ReadError> {
    ReadManifest::open(folder).map(|_| ())
}

impl ReadManifest {
    /// Reads the manifest of a folder.
    pub(super) fn open(folder: &Path) -> Result<Self, ReadError> {
        let text = std::fs::read(folder.join(MANIFEST)).map_err(ReadError::NoManifest)?;
        Self::parse(&text)
    }

    /// Reads a manifest.
    pub(super) fn parse(text: &[u8]) -> Result<Self, ReadError> {
        let value: Value = serde_json::from_slice(text).map_err(|_| ReadError::NotAManifest)?;
        let version = value.get("manifest_version").and_then(Value::as_u64);
        match version.map(|version| u32::try_from(version).unwrap_or(u32::MAX)) {
            Some(version) if version > MANIFEST_VERSION => Err(ReadError::TooNew(version)),
            _ => serde_json::from_value(value).map_err(|_| ReadError::NotAManifest),
        }
    }

    /// Lists the parts, config by config and split by split.
    pub(super) fn parts(&self) -> impl Iterator<Item = ReadPart<'_>> {
        self.configs.iter().flat_map(|(config, splits)| {
            splits.iter().flat_map(move |(split, files)| files.iter().map(move |file| ReadPart { config, split, file }))
        })
    }

    /// Returns how many rows the parts of the largest config hold.
    fn n_rows(&self) -> u64 {
        let of_config =
            |splits: &BTreeMap<String, Vec<ReadFile>>| splits.values().flatten().map(|file| file.rows).sum();
        self.configs.values().map(of_config).max().unwrap_or(0)
    }
}

/// Opens a part of a folder.
pub(super) fn open_part(folder: &Path, file: &ReadFile) -> Result<PartReader, ReadError> {
    let place = file.place(folder).ok_or(ReadError::NotAManifest)?;
    Ok(PartReader::open(File::open(place).map_err(ReadError::Unopenable)?)?)
}

/// A share of all keys that fits into memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pass {
    number: u64,
    of: u64,
}

impl Pass {
    /// Divides the keys of some manifests into passes.
    pub(super) fn all(manifests: &[&ReadManifest]) -> impl Iterator<Item = Self> + use<> {
        let n_rows = manifests.iter().map(|manifest| manifest.n_rows()).max().unwrap_or(0);
        let of = n_rows.div_ceil(MAX_KEYS).max(1);
        (0..of).map(move |number| Self { number, of })
    }

    /// Returns a key as a number, if it belongs to the pass. Keys are 32 hexadecimal digits; anything else is hashed.
    pub(super) fn take(self, key: &str) -> Option<u128> {
        let is_ours = key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        let number = if is_ours { u128::from_str_radix(key, 16).ok() } else { None };
        let number = number.unwrap_or_else(|| u128::from_be_bytes(ContentHash::of_bytes("key", key.as_bytes()).0));
        (number % u128::from(self.of) == u128::from(self.number)).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leads_out_of_the_folder_has_no_place_in_it() {
        let file = |path: &str| ReadFile { path: path.to_owned(), rows: 0, bytes: 0, sha256: String::new() };

        assert_eq!(file("data/a.parquet").place(Path::new("/x")), Some(PathBuf::from("/x/data/a.parquet")));
        for path in ["", "../a", "data/../../a", "/etc/passwd", "./a"] {
            assert!(file(path).place(Path::new("/x")).is_none_or(|place| place == Path::new("/x/a")), "{path}");
        }
    }

    #[test]
    fn every_key_belongs_to_one_pass_and_keeps_its_number() {
        let passes: Vec<Pass> = (0..3).map(|number| Pass { number, of: 3 }).collect();

        for key in ["0123456789abcdef0123456789abcdef", "other", ""] {
            let taken: Vec<u128> = passes.iter().filter_map(|pass| pass.take(key)).collect();
            assert_eq!(taken.len(), 1, "{key}");
        }
        let whole = Pass { number: 0, of: 1 };
        assert_eq!(whole.take("0000000000000000000000000000000f"), Some(15));
        assert_ne!(whole.take("f"), Some(15));
    }

    #[test]
    fn a_manifest_of_a_later_version_is_refused_and_one_that_is_none_too() {
        let newer = format!("{{\"manifest_version\":{}}}", MANIFEST_VERSION + 1);

        assert!(matches!(ReadManifest::parse(newer.as_bytes()), Err(ReadError::TooNew(_))));
        assert!(matches!(ReadManifest::parse(b"{}"), Err(ReadError::NotAManifest)));
        assert!(matches!(ReadManifest::parse(b"nothing"), Err(ReadError::NotAManifest)));
    }
}
