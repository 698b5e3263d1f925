//! The records of a table, asked for one by one, as JSON lines. A record that breaks the file ends it, told by its
//! number; one that is whole but breaks a rule of ours is handed over as an error, and the next is read.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use indicatif::{ProgressBar, ProgressBarIter};

use crate::domain::json::{Json, JsonError};

/// The longest record: a service's largest body by its defaults. Without a bound a file of one line would be read whole.
const MAX_RECORD_BYTES: u64 = 16 << 20;
const BUFFER_BYTES: usize = 1 << 16;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Why a file ends before its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum BrokenOff {
    /// Before its first record.
    #[error("{0}")]
    AtOnce(Cause),
    /// In a record.
    #[error("record {number}: {cause}")]
    Within {
        /// The record, from 1.
        number: u64,
        /// What is wrong with it.
        cause: Cause,
    },
}

/// What breaks a file; never with anything that stands in it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cause {
    #[error("is not valid JSON")]
    Json,
    #[error("is not UTF-8")]
    NotUtf8,
    #[error("is longer than {} MiB", MAX_RECORD_BYTES >> 20)]
    TooLong,
    #[error("cannot be read")]
    Unreadable(#[source] io::Error),
}

/// The records of an opened file: a JSON value in each line.
pub(super) struct Records {
    reader: BufReader<ProgressBarIter<File>>,
    n_read: u64,
    has_ended: bool,
}

impl Records {
    /// Opens a file; the bar moves with what is read of it.
    pub(super) fn open(path: &Path, bar: &ProgressBar) -> Result<Self, BrokenOff> {
        let broken = BrokenOff::AtOnce;
        let file = File::open(path).map_err(|error| broken(Cause::Unreadable(error)))?;
        let n_bytes = file.metadata().map_err(|error| broken(Cause::Unreadable(error)))?.len();
        bar.set_length(n_bytes);
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, bar.wrap_read(file));
        skip_mark(&mut reader).map_err(|error| broken(Cause::Unreadable(error)))?;
        Ok(Self { reader, n_read: 0, has_ended: false })
    }

    /// Returns how many records were read.
    pub(super) fn n_read(&self) -> u64 {
        self.n_read
    }
}

impl Iterator for Records {
    type Item = Result<Result<Json, JsonError>, BrokenOff>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let Some(record) = next_line(&mut self.reader).transpose() else {
            self.has_ended = true;
            return None;
        };
        self.n_read += 1;
        Some(record.map_err(|cause| {
            self.has_ended = true;
            BrokenOff::Within { number: self.n_read, cause }
        }))
    }
}

fn skip_mark(reader: &mut impl BufRead) -> io::Result<()> {
    if reader.fill_buf()?.starts_with(BYTE_ORDER_MARK) {
        reader.consume(BYTE_ORDER_MARK.len());
    }
    Ok(())
}

/// Reads the next line that holds anything.
fn next_line(reader: &mut impl BufRead) -> Result<Option<Result<Json, JsonError>>, Cause> {
    loop {
        let mut line = Vec::new();
        reader.by_ref().take(MAX_RECORD_BYTES + 1).read_until(b'\n', &mut line).map_err(Cause::Unreadable)?;
        if line.len() as u64 > MAX_RECORD_BYTES {
            return Err(Cause::TooLong);
        }
        if line.is_empty() {
            return Ok(None);
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if std::str::from_utf8(&line).is_err() {
            return Err(Cause::NotUtf8);
        }
        return match Json::parse_foreign(&line) {
            Err(JsonError::Syntax { .. }) => Err(Cause::Json),
            record => Ok(Some(record)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a file of these bytes: how many records came whole, the rows among them, and how it ended.
    fn read(bytes: &[u8]) -> (Vec<Option<String>>, Option<String>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let mut rows = Vec::new();
        let records = match Records::open(file.path(), &ProgressBar::hidden()) {
            Ok(records) => records,
            Err(broken) => return (rows, Some(broken.to_string())),
        };
        for record in records {
            match record {
                Ok(row) => rows.push(row.ok().map(|row| row.to_text())),
                Err(broken) => return (rows, Some(broken.to_string())),
            }
        }
        (rows, None)
    }

    #[test]
    fn lines_are_read_one_by_one_and_a_row_that_breaks_a_rule_is_passed_over() {
        let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
        let text = format!("\u{feff}{{\"a\":1}}\r\n\n  \n{{\"a\":1,\"a\":2}}\n{deep}\n{{\"a\":\"\\u0000\"}}");

        let (rows, end) = read(text.as_bytes());

        assert_eq!(
            rows,
            [Some("{\"a\":1}"), None, None, Some("{\"a\":\"\\u0000\"}")].map(|row| row.map(str::to_owned))
        );
        assert_eq!(end, None);
        assert_eq!(read(b""), (vec![], None));
    }

    #[test]
    fn a_line_that_breaks_the_file_ends_it_by_its_number_and_is_not_quoted() {
        let long = [b"1\n\"".as_slice(), &vec![b'x'; MAX_RECORD_BYTES as usize], b"\"\n3"].concat();
        for (bytes, words) in [
            (b"1\n{\"CANARY\":\n3".as_slice(), "record 2: is not valid JSON"),
            (b"1\n\"\xff CANARY\"\n3", "record 2: is not UTF-8"),
            (b"1\n2 CANARY\n3", "record 2: is not valid JSON"),
            (&long, "record 2: is longer than 16 MiB"),
        ] {
            assert_eq!(read(bytes), (vec![Some("1".to_owned())], Some(words.to_owned())));
        }
    }
}
