//! Checks an export's folder against what it says of itself: every byte, every count, every split. It reads and changes
//! nothing, and asks neither the database nor the service.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::export_card_read::read_card;
use super::export_files::MANIFEST;
use super::export_progress::{Phase, Progress};
use super::export_proofs::{for_each_line, parse};
use super::export_reading::{PartForm, Pass, ReadError, ReadManifest, ReadPart, open_part};
use crate::report::count::{counted, words_for};

/// Examples of what is wrong that a check tells.
const N_TOLD: usize = 3;
/// Bytes that are read together.
const CHUNK_BYTES: usize = 1 << 20;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// It is as it should be.
    Pass,
    /// It is not.
    Fail,
    /// There is nothing to look at.
    Skipped,
}

impl CheckStatus {
    /// Returns the status's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Skipped => "skipped",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name, a stable word.
    pub name: &'static str,
    /// How it ended.
    pub status: CheckStatus,
    /// What was found; names of files and hashes, no texts of rows.
    pub detail: String,
}

/// What was found of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// The export that the manifest names.
    pub export_id: String,
    /// Rows that the manifest promises.
    pub n_examples: u64,
    /// Every check, in a fixed order.
    pub checks: Vec<Check>,
}

impl Verification {
    /// Tells whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.checks.iter().all(|check| check.status != CheckStatus::Fail)
    }
}

/// Checks an export's folder. Progress counts bytes that are hashed.
pub fn verify(folder: &Path, progress: &Progress) -> Result<Verification, ReadError> {
    let manifest = ReadManifest::open(folder)?;
    progress.enter(Phase::Reading, manifest.files.iter().map(|file| file.bytes).sum());
    let verifier = Verifier { folder, manifest: &manifest, progress };
    let files = verifier.files();
    let is_whole = files.status == CheckStatus::Pass;
    let mut checks = vec![files, verifier.unlisted(), verifier.counts(), verifier.funnel()];
    // A file that is not what was written would only be called wrong a second time.
    if is_whole {
        let rest = [
            ("rows", verifier.rows()),
            ("provenance", verifier.provenance()),
            ("schema", verifier.schema()),
            ("leakage_of_rows", verifier.split_leakage("leakage_of_rows", "row_id")),
            ("leakage_of_prompts", verifier.split_leakage("leakage_of_prompts", "prompt_hash")),
            ("leakage_of_groups", verifier.split_leakage("leakage_of_groups", "group_id")),
            ("identical_answers", verifier.identical_answers()),
            ("label_classes", verifier.label_classes()),
            ("card", Ok(verifier.card())),
        ];
        for (name, check) in rest {
            checks.push(told(name, check)?);
        }
    }
    Ok(Verification { export_id: manifest.export_id.clone(), n_examples: manifest.n_examples, checks })
}

/// What is wrong, up to a few examples of it.
#[derive(Default)]
struct Faults {
    n_faults: u64,
    told: Vec<String>,
}

impl Faults {
    fn add(&mut self, fault: impl FnOnce() -> String) {
        self.n_faults += 1;
        if self.told.len() < N_TOLD {
            self.told.push(fault());
        }
    }

    /// Ends a check: `good` says what is right where nothing is wrong.
    fn check(self, name: &'static str, good: impl Into<String>) -> Check {
        if self.n_faults == 0 {
            return Check { name, status: CheckStatus::Pass, detail: good.into() };
        }
        let n_more = self.n_faults - self.told.len() as u64;
        let more = if n_more > 0 { format!("; and {n_more} more") } else { String::new() };
        Check { name, status: CheckStatus::Fail, detail: self.told.join("; ") + &more }
    }
}

/// Takes a line that is none for what it is: not a folder that cannot be read, but a check that fails.
fn told(name: &'static str, check: Result<Check, ReadError>) -> Result<Check, ReadError> {
    match check {
        Err(error @ (ReadError::NotALine | ReadError::Unproved)) => {
            Ok(Check { name, status: CheckStatus::Fail, detail: error.to_string() })
        }
        check => check,
    }
}

fn skipped(name: &'static str, why: &str) -> Check {
    Check { name, status: CheckStatus::Skipped, detail: why.to_owned() }
}

struct Verifier<'a> {
    folder: &'a Path,
    manifest: &'a ReadManifest,
    progress: &'a Progress,
}

impl Verifier<'_> {
    /// Every file that is named is there, of its size and with its hash.
    fn files(&self) -> Check {
        let mut faults = Faults::default();
        for file in &self.manifest.files {
            let Some(place) = file.place(self.folder) else {
                faults.add(|| "a path leads out of the folder".to_owned());
                continue;
            };
            match self.hash(&place) {
                Err(error) => faults.add(|| format!("{}: {}", file.path, error.kind())),
                Ok((n_bytes, _)) if n_bytes != file.bytes => {
                    faults.add(|| format!("{}: {n_bytes} bytes, not {}", file.path, file.bytes));
                }
                Ok((_, sha256)) if sha256 != file.sha256 => {
                    faults.add(|| format!("{}: its SHA-256 is another one", file.path));
                }
                Ok(_) => (),
            }
        }
        let listed: BTreeSet<&str> = self.manifest.files.iter().map(|file| file.path.as_str()).collect();
        for part in self.manifest.parts().filter(|part| !listed.contains(part.file.path.as_str())) {
            faults.add(|| format!("{}: a part that is not among the files", part.file.path));
        }
        faults.check("files", format!("{} files have their size and SHA-256", self.manifest.files.len()))
    }

    fn hash(&self, place: &Path) -> io::Result<(u64, String)> {
        let (mut file, mut hash, mut n_bytes) = (File::open(place)?, Sha256::new(), 0);
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let n_read = file.read(&mut chunk)?;
            if n_read == 0 {
                return Ok((n_bytes, hex::encode(hash.finalize())));
            }
            hash.update(&chunk[..n_read]);
            n_bytes += n_read as u64;
            self.progress.advance(n_read as u64);
        }
    }

    /// No part lies there that the manifest does not name: a loader would read it with the others.
    fn unlisted(&self) -> Check {
        let known: BTreeSet<&str> = self.manifest.files.iter().map(|file| file.path.as_str()).collect();
        let (mut faults, mut n_others) = (Faults::default(), 0);
        for path in files_below(self.folder, "") {
            if path == MANIFEST || known.contains(path.as_str()) {
                continue;
            }
            n_others += 1;
            let extension = Path::new(&path).extension();
            if extension.is_some_and(|word| word.eq_ignore_ascii_case("parquet") || word.eq_ignore_ascii_case("jsonl"))
            {
                faults.add(|| format!("{path}: the manifest does not name it"));
            }
        }
        faults.check("unlisted_files", format!("no part beside those of the manifest, {n_others} other files"))
    }

    /// The manifest's numbers of rows agree with each other.
    fn counts(&self) -> Check {
        let mut faults = Faults::default();
        let mut by_split: BTreeMap<&str, u64> = BTreeMap::new();
        for ReadPart { config, split, file } in self.manifest.parts() {
            *by_split.entry(split).or_default() += file.rows;
            if self.manifest.files.iter().all(|listed| listed != file) {
                faults.add(|| format!("{}: told otherwise among the files than under `{config}`", file.path));
            }
        }
        let told: u64 = self.manifest.splits.values().sum();
        if told != self.manifest.n_examples {
            faults.add(|| format!("the splits hold {told} rows, not {}", self.manifest.n_examples));
        }
        for (split, told) in &self.manifest.splits {
            let held = by_split.get(split.as_str()).copied().unwrap_or(0);
            // A format may have several configs with the same rows.
            if held < *told {
                faults.add(|| format!("{split}: the parts hold {held} rows, not {told}"));
            }
        }
        faults.check("counts", {
            let (n_rows, n_splits) = (self.manifest.n_examples, self.manifest.splits.len() as u64);
            format!("{} in {}", counted(n_rows, "row"), counted(n_splits, "split"))
        })
    }

    /// Rows and exclusions are all candidates (DS-5).
    fn funnel(&self) -> Check {
        let mut faults = Faults::default();
        let Some(n_candidates) = self.manifest.funnel.get("n_candidates").and_then(serde_json::Value::as_u64) else {
            return skipped("funnel", "the manifest counts no candidates");
        };
        let mut add_up = |what: &str, n_candidates: u64, n_examples: u64, exclusions: &BTreeMap<String, u64>| {
            let n_excluded: u64 = exclusions.values().sum();
            if n_candidates != n_examples + n_excluded {
                faults.add(|| {
                    format!("{what}: {n_examples} rows and {n_excluded} exclusions are not {n_candidates} candidates")
                });
            }
        };
        add_up("all", n_candidates, self.manifest.n_examples, &self.manifest.n_exclusions);
        for (format, counts) in &self.manifest.by_format {
            add_up(format, counts.n_candidates, counts.n_examples, &counts.n_exclusions);
        }
        let n_excluded: u64 = self.manifest.n_exclusions.values().sum();
        let good = format!("{n_candidates} candidates = {} rows + {n_excluded} exclusions", self.manifest.n_examples);
        faults.check("funnel", good)
    }

    /// Every part has the rows that the manifest tells.
    fn rows(&self) -> Result<Check, ReadError> {
        let (mut faults, mut n_parts) = (Faults::default(), 0);
        for ReadPart { file, .. } in self.manifest.parts() {
            let n_rows = match file.form() {
                Some(PartForm::Parquet) => open_part(self.folder, file)?.n_rows(),
                Some(PartForm::JsonLines) => self.count_lines(file)?,
                None => continue,
            };
            n_parts += 1;
            if n_rows != file.rows {
                faults.add(|| format!("{}: {n_rows} rows, not {}", file.path, file.rows));
            }
            if n_rows == 0 {
                faults.add(|| format!("{}: no rows, which no loader takes", file.path));
            }
        }
        Ok(faults.check("rows", format!("{n_parts} {} rows", words_for(n_parts, "part has its", "parts have their"))))
    }

    /// Where parts have no room for it, a file beside them proves their rows, line for line (DS-4).
    fn provenance(&self) -> Result<Check, ReadError> {
        let (mut faults, mut n_files) = (Faults::default(), 0);
        for (config, split, parts) in self.manifest.splits_of_lines() {
            n_files += 1;
            let n_rows: u64 = parts.iter().map(|part| part.rows).sum();
            match self.manifest.provenance(config, split) {
                None => faults.add(|| format!("{config} {split}: no file of `provenance/` proves its rows")),
                Some(file) => {
                    let n_lines = self.count_lines(file)?;
                    if n_lines != n_rows || file.rows != n_rows {
                        faults.add(|| format!("{}: {n_lines} lines for {n_rows} rows", file.path));
                    }
                }
            }
        }
        if n_files == 0 {
            return Ok(skipped("provenance", "the parts prove their rows themselves"));
        }
        Ok(faults.check("provenance", format!("{n_files} files prove the rows, line for line")))
    }

    fn count_lines(&self, file: &super::export_reading::ReadFile) -> Result<u64, ReadError> {
        let place = file.place(self.folder).ok_or(ReadError::NotAManifest)?;
        let mut reader = BufReader::with_capacity(CHUNK_BYTES, File::open(place).map_err(ReadError::Unopenable)?);
        let mut n_lines = 0;
        loop {
            let chunk = reader.fill_buf().map_err(ReadError::Unopenable)?;
            if chunk.is_empty() {
                return Ok(n_lines);
            }
            n_lines += chunk.split(|byte| *byte == b'\n').count() as u64 - 1;
            let n_read = chunk.len();
            reader.consume(n_read);
        }
    }

    /// The parts of a config have one schema, and it is the one that the manifest promises.
    fn schema(&self) -> Result<Check, ReadError> {
        let mut faults = Faults::default();
        let mut known: BTreeMap<&str, String> = BTreeMap::new();
        for ReadPart { config, file, .. } in self.parquet() {
            let part = open_part(self.folder, file)?;
            let description = part.describe();
            if let (Some(promised), Some(found)) = (self.manifest.schema.get(config), part.fingerprint())
                && *promised != found.to_hex()
            {
                faults.add(|| format!("{}: not the columns that the manifest promises", file.path));
            }
            if *known.entry(config).or_insert_with(|| description.clone()) != description {
                faults.add(|| format!("{}: other columns than the first part of `{config}`", file.path));
            }
        }
        let mut keys: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for ReadPart { config, file, .. } in self.lines() {
            let mut nth = 0;
            for_each_line(self.folder, file, |line| {
                nth += 1;
                let found: BTreeSet<String> = parse(line)?.into_iter().map(|(name, _)| name).collect();
                if *keys.entry(config).or_insert_with(|| found.clone()) != found {
                    faults
                        .add(|| format!("{}: line {nth} has other keys than the first line of `{config}`", file.path));
                }
                Ok(())
            })?;
        }
        Ok(faults.check("schema", format!("{} configs with one schema each", known.len() + keys.len())))
    }

    /// No key lies in two splits, whichever the config (DS-1).
    fn split_leakage(&self, name: &'static str, column: &'static str) -> Result<Check, ReadError> {
        let splits: Vec<&str> =
            self.manifest.parts().map(|part| part.split).collect::<BTreeSet<_>>().into_iter().collect();
        let (mut faults, mut n_keys, mut n_parts) = (Faults::default(), 0, 0);
        for pass in Pass::all(&[self.manifest]) {
            let mut seen: HashMap<u128, u8> = HashMap::new();
            n_parts = self.manifest.keys(self.folder, column, pass, |split, key, text| {
                let number = splits.iter().position(|known| *known == split).unwrap_or(0) as u8;
                let first = *seen.entry(key).or_insert(number);
                if first != number {
                    faults.add(|| format!("{text} is in {} and in {split}", splits[usize::from(first)]));
                }
            })?;
            n_keys += seen.len();
        }
        if n_parts == 0 {
            return Ok(skipped(name, "no part has the column"));
        }
        Ok(faults.check(name, format!("{n_keys} values of {column}, each in one split")))
    }

    /// No pair prefers a text to itself.
    fn identical_answers(&self) -> Result<Check, ReadError> {
        let (mut faults, mut n_rows) = (Faults::default(), 0);
        for ReadPart { file, .. } in self.parquet() {
            let part = open_part(self.folder, file)?;
            if part.has("chosen") && part.has("rejected") {
                n_rows += part.n_rows();
                for row in part.equal_rows("chosen", "rejected")? {
                    faults.add(|| format!("{}: row {row} has one text on both sides", file.path));
                }
            }
        }
        for ReadPart { file, .. } in self.lines() {
            let mut nth = 0;
            for_each_line(self.folder, file, |line| {
                nth += 1;
                let row = parse(line)?;
                if let Some(better) = row.get("preferred_output") {
                    n_rows += 1;
                    if row.get("non_preferred_output") == Some(better) {
                        faults.add(|| format!("{}: line {nth} has one text on both sides", file.path));
                    }
                }
                Ok(())
            })?;
        }
        if n_rows == 0 {
            return Ok(skipped("identical_answers", "no config holds pairs"));
        }
        Ok(faults.check("identical_answers", format!("{n_rows} pairs of two different texts")))
    }

    /// Where answers are labelled, the training split has both labels: trainers learn nothing from one, and say nothing.
    fn label_classes(&self) -> Result<Check, ReadError> {
        let mut counted: BTreeMap<(&str, &str), (u64, u64)> = BTreeMap::new();
        for ReadPart { config, split, file } in self.parquet() {
            let part = open_part(self.folder, file)?;
            if part.has("label") {
                let (n_true, n_false) = part.count_bools("label")?;
                let sum = counted.entry((config, split)).or_default();
                *sum = (sum.0 + n_true, sum.1 + n_false);
            }
        }
        if counted.is_empty() {
            return Ok(skipped("label_classes", "no config holds labels"));
        }
        let mut faults = Faults::default();
        let mut told = Vec::new();
        for ((config, split), (n_true, n_false)) in counted {
            told.push(format!("{config} {split}: {n_true} true, {n_false} false"));
            if split == "train" && (n_true == 0 || n_false == 0) {
                faults.add(|| format!("{config} {split}: {n_true} true, {n_false} false"));
            }
        }
        Ok(faults.check("label_classes", told.join("; ")))
    }

    /// The card promises the rows and splits that there are: loaders refuse a folder by it.
    fn card(&self) -> Check {
        let Ok(text) = std::fs::read_to_string(self.folder.join("README.md")) else {
            return Check { name: "card", status: CheckStatus::Fail, detail: "there is no README.md".to_owned() };
        };
        let promised = read_card(&text);
        let mut held: BTreeMap<(String, String), u64> = BTreeMap::new();
        for ReadPart { config, split, file } in self.manifest.parts() {
            *held.entry((config.to_owned(), split.to_owned())).or_default() += file.rows;
        }
        let mut faults = Faults::default();
        for (key, n_rows) in &held {
            match promised.get(key) {
                None => faults.add(|| format!("{} {}: the card does not declare it", key.0, key.1)),
                Some(told) if told != n_rows => {
                    faults.add(|| format!("{} {}: the card says {told} rows, not {n_rows}", key.0, key.1));
                }
                Some(_) => (),
            }
        }
        for key in promised.keys().filter(|key| !held.contains_key(key)) {
            faults.add(|| format!("{} {}: the card declares it and it has no part", key.0, key.1));
        }
        faults.check("card", format!("{} splits as the manifest has them", held.len()))
    }

    fn parquet(&self) -> impl Iterator<Item = ReadPart<'_>> {
        self.manifest.parts().filter(|part| part.file.form() == Some(PartForm::Parquet))
    }

    fn lines(&self) -> impl Iterator<Item = ReadPart<'_>> {
        self.manifest.parts().filter(|part| part.file.form() == Some(PartForm::JsonLines))
    }
}

/// Lists the files below a folder with their paths inside it; what cannot be looked into holds none.
fn files_below(folder: &Path, prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files_below(&entry.path(), &format!("{path}/"))),
            _ => found.push(path),
        }
    }
    found.sort();
    found
}
