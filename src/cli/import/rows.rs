//! Takes a file of JSON apart row by row, so that no more than one row of it is a tree in memory: a list, or one value after
//! the other.

use std::io::BufRead;

use serde::de::{Deserializer as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::domain::json::{Json, JsonError};

/// Why a file ends before its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum RowsError {
    /// What stands there is no JSON.
    #[error("not valid JSON near line {line}")]
    Syntax {
        /// Line, from 1.
        line: usize,
    },
    /// The file cannot be read.
    #[error("cannot be read")]
    Unreadable(#[source] std::io::Error),
}

impl From<serde_json::Error> for RowsError {
    /// Keeps the place and not the words, which quote the file.
    fn from(error: serde_json::Error) -> Self {
        if error.is_io() { Self::Unreadable(error.into()) } else { Self::Syntax { line: error.line() } }
    }
}

/// Hands over every row. One that is JSON but breaks a rule of ours, such as a key that comes twice, is handed over as an
/// error and the next is read.
pub(super) fn for_each(
    mut reader: impl BufRead,
    mut take: impl FnMut(Result<Json, JsonError>),
) -> Result<(), RowsError> {
    let is_list = first_byte(&mut reader)? == Some(b'[');
    let mut take = |row: &RawValue| take(Json::parse_foreign(row.get().as_bytes()));
    if is_list {
        let mut deserializer = serde_json::Deserializer::from_reader(reader);
        deserializer.deserialize_seq(Rows(&mut take))?;
        return Ok(deserializer.end()?);
    }
    for row in serde_json::Deserializer::from_reader(reader).into_iter::<Box<RawValue>>() {
        take(&row?);
    }
    Ok(())
}

/// Skips white space, and returns the byte behind it without taking it.
fn first_byte(reader: &mut impl BufRead) -> Result<Option<u8>, RowsError> {
    loop {
        let buffer = reader.fill_buf().map_err(RowsError::Unreadable)?;
        let Some(first) = buffer.first().copied() else { return Ok(None) };
        if !first.is_ascii_whitespace() {
            return Ok(Some(first));
        }
        reader.consume(1);
    }
}

/// Visits the items of a list one by one.
struct Rows<'a, F>(&'a mut F);

impl<'de, F: FnMut(&RawValue)> Visitor<'de> for Rows<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(row) = seq.next_element::<Box<RawValue>>()? {
            (self.0)(&row);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<Option<Json>>, Result<(), RowsError>) {
        let mut rows = Vec::new();
        let outcome = for_each(text.as_bytes(), |row| rows.push(row.ok()));
        (rows, outcome)
    }

    #[test]
    fn a_list_and_lines_hold_the_same_rows_and_a_bad_row_is_passed_over() {
        let rows = vec![Some(Json::Integer(1)), None, Some(Json::Array(vec![]))];
        for text in [" \n[1, {\"a\":1,\"a\":2}, []]\n", "1\n{\"a\":1,\"a\":2}\r\n[]"] {
            let (read, outcome) = read(text);
            assert_eq!((read, outcome.is_ok()), (rows.clone(), true), "{text}");
        }
        assert_eq!(read("").0, []);
    }

    #[test]
    fn a_file_that_breaks_off_is_told_by_its_line_and_not_by_what_stands_there() {
        for text in ["[1,\n{\"canary\":", "[1]\ncanary", "{\"a\":1}\ncanary"] {
            let (rows, outcome) = read(text);
            assert_eq!((rows.len(), outcome.unwrap_err().to_string()), (1, "not valid JSON near line 2".to_owned()));
        }
    }
}
