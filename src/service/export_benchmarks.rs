//! Reads the benchmark files of a recipe: JSON lines, JSON, Parquet, and plain text for whatever else.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::error::ServiceError;
use super::outside::BenchmarkPlace;
use crate::columnar::ColumnarError;
use crate::columnar::texts::for_each_text;
use crate::dataset::decontaminate::{BenchmarkReader, Benchmarks, TooManySequences};
use crate::domain::fields::{FieldCode, FieldError};

/// The largest file in JSON, which is read whole, and the longest line of one in JSON lines.
const MAX_JSON_BYTES: u64 = 256 << 20;

/// A benchmark file as the manifest names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BenchmarkFile {
    /// Path as the recipe names it.
    pub path: String,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// Texts in it that are long enough to be looked for.
    pub n_texts: u64,
    /// Rows that repeat one, and were left out.
    pub n_rows: u64,
}

/// Why a file could not be used.
enum Unusable {
    Unreadable,
    TooLarge,
    NotJson,
    NotParquet,
    TooManySequences,
    NoTexts,
}

impl From<std::io::Error> for Unusable {
    fn from(_: std::io::Error) -> Self {
        Self::Unreadable
    }
}

impl From<TooManySequences> for Unusable {
    fn from(_: TooManySequences) -> Self {
        Self::TooManySequences
    }
}

impl From<ColumnarError> for Unusable {
    fn from(_: ColumnarError) -> Self {
        Self::NotParquet
    }
}

impl Unusable {
    fn words(self) -> &'static str {
        match self {
            Self::Unreadable => "cannot be read",
            Self::TooLarge => "is JSON, or has a line of JSON, that is larger than 256 MiB",
            Self::NotJson => "is not JSON, or not JSON lines, as its name says",
            Self::NotParquet => "is not Parquet, as its name says",
            Self::TooManySequences => "holds, with those before it, more than 16 million sequences of words",
            Self::NoTexts => "holds no text that is long enough to be looked for, so that it would leave nothing out",
        }
    }
}

/// Says what is wrong with the file at a place of the recipe's list.
fn fault(nth: usize, unusable: Unusable) -> ServiceError {
    let pointer = format!("/options/decontaminate/{nth}");
    ServiceError::Benchmark(FieldError::new(pointer, FieldCode::Malformed, unusable.words()))
}

/// Reads the files of a recipe; each is counted from here on by its place.
pub(super) fn read_benchmarks(
    paths: &[String],
    place: &BenchmarkPlace,
) -> Result<(Benchmarks, Vec<BenchmarkFile>), ServiceError> {
    let mut reader = BenchmarkReader::default();
    let mut files = Vec::new();
    for (nth, path) in paths.iter().enumerate() {
        let found = place.resolve(path).ok_or_else(|| fault(nth, Unusable::Unreadable))?;
        reader.begin_file();
        let sha256 = read_file(&found, &mut reader).map_err(|unusable| fault(nth, unusable))?;
        files.push(BenchmarkFile { path: path.clone(), sha256, n_texts: 0, n_rows: 0 });
    }
    let benchmarks = reader.finish();
    for (nth, (file, n_texts)) in files.iter_mut().zip(benchmarks.n_texts()).enumerate() {
        if *n_texts == 0 {
            return Err(fault(nth, Unusable::NoTexts));
        }
        file.n_texts = *n_texts;
    }
    Ok((benchmarks, files))
}

fn read_file(path: &Path, reader: &mut BenchmarkReader) -> Result<String, Unusable> {
    let sha256 = {
        let (mut file, mut hash) = (File::open(path)?, Sha256::new());
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer)? {
                0 => break hex::encode(hash.finalize()),
                n => hash.update(&buffer[..n]),
            }
        }
    };
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    let file = File::open(path)?;
    match extension.as_deref() {
        Some("parquet") => for_each_text(file, |text| Ok::<(), Unusable>(reader.add(text)?))?,
        Some("jsonl" | "ndjson") => read_json_lines(file, reader)?,
        Some("json") => {
            if file.metadata()?.len() > MAX_JSON_BYTES {
                return Err(Unusable::TooLarge);
            }
            let value = serde_json::from_reader(BufReader::new(file)).map_err(|_| Unusable::NotJson)?;
            add_texts(&value, reader)?;
        }
        _ => read_text(file, reader)?,
    }
    Ok(sha256)
}

fn read_json_lines(file: File, reader: &mut BenchmarkReader) -> Result<(), Unusable> {
    let mut lines = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        if lines.by_ref().take(MAX_JSON_BYTES).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.len() as u64 == MAX_JSON_BYTES {
            return Err(Unusable::TooLarge);
        }
        if !line.trim_ascii().is_empty() {
            add_texts(&serde_json::from_slice(&line).map_err(|_| Unusable::NotJson)?, reader)?;
        }
    }
}

fn add_texts(value: &serde_json::Value, reader: &mut BenchmarkReader) -> Result<(), Unusable> {
    match value {
        serde_json::Value::String(text) => Ok(reader.add(text)?),
        serde_json::Value::Array(items) => items.iter().try_for_each(|item| add_texts(item, reader)),
        serde_json::Value::Object(members) => members.values().try_for_each(|member| add_texts(member, reader)),
        _ => Ok(()),
    }
}

/// Adds every line, and every paragraph of several lines: a line may be a question, or a part of a text that was wrapped.
fn read_text(file: File, reader: &mut BenchmarkReader) -> Result<(), Unusable> {
    let mut lines = BufReader::new(file);
    let (mut line, mut paragraph, mut n_lines) = (Vec::new(), String::new(), 0);
    loop {
        line.clear();
        let n_bytes = lines.by_ref().take(MAX_JSON_BYTES).read_until(b'\n', &mut line)?;
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        // A paragraph that does not end is cut, so that memory has a bound.
        if text.is_empty() || paragraph.len() as u64 > MAX_JSON_BYTES {
            if n_lines > 1 {
                reader.add(&paragraph)?;
            }
            paragraph.clear();
            n_lines = 0;
        }
        if n_bytes == 0 {
            return Ok(());
        }
        if !text.is_empty() {
            reader.add(text)?;
            paragraph.push_str(text);
            paragraph.push('\n');
            n_lines += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: &str = "What happens to you if you eat watermelon seeds?";

    fn repeats(benchmarks: &Benchmarks, text: &str) -> bool {
        !benchmarks.repeated_by([(true, text)], &mut Vec::new()).is_empty()
    }

    #[test]
    fn every_form_of_file_gives_its_texts() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| {
            std::fs::write(root.path().join(name), content).unwrap();
            root.path().join(name).to_string_lossy().into_owned()
        };
        let question = serde_json::to_string(QUESTION).unwrap();
        for path in [
            write("a.jsonl", &format!("{{\"n\":1}}\n\n{{\"q\":{{\"text\":[{question}]}}}}\n")),
            write("a.json", &format!("[{{\"q\":{question}}}]")),
            write("a.txt", &format!("First line.\r\n{QUESTION}\r\n")),
            write("wrapped.md", "x\n\nWhat happens to you\nif you eat\nwatermelon seeds?"),
        ] {
            let (benchmarks, files) = read_benchmarks(std::slice::from_ref(&path), &BenchmarkPlace::Anywhere).unwrap();

            assert!(repeats(&benchmarks, QUESTION), "{path}");
            assert_eq!((files[0].path.as_str(), files[0].sha256.len()), (path.as_str(), 64));
            assert!(files[0].n_texts > 0);
        }
        let good = write("good.txt", QUESTION);
        for (path, words) in [
            (write("b.jsonl", "{"), "is not JSON"),
            (write("b.json", "x"), "is not JSON"),
            (write("b.parquet", "x"), "is not Parquet"),
            (write("empty.jsonl", ""), "holds no text"),
            (write("short.txt", "Two words\n"), "holds no text"),
            ("/nowhere".to_owned(), "cannot be read"),
        ] {
            let error = read_benchmarks(&[good.clone(), path], &BenchmarkPlace::Anywhere).unwrap_err();

            let ServiceError::Benchmark(fault) = error else { panic!("{error}") };
            assert_eq!(fault.pointer, "/options/decontaminate/1");
            assert!(fault.detail.starts_with(words), "{fault:?}");
        }
        let (none, _) = read_benchmarks(&[], &BenchmarkPlace::Anywhere).unwrap();
        assert!(!repeats(&none, QUESTION));
    }
}
