//! Query parameters, already decoded, read one by one; what is wrong with them is collected. It knows no address.

use super::clock::Timestamp;
use super::fields::{FieldCode, FieldError};
use super::selection::Selection;
use super::trust::TrustFilter;

/// The most bytes of a usual value.
const MAX_VALUE_BYTES: usize = super::ids::MAX_ID_BYTES;

/// The parameters of a request, in the order in which they came.
pub(super) struct Query<'a> {
    pairs: &'a [(String, String)],
    pub(super) errors: Vec<FieldError>,
    used: Vec<String>,
}

impl<'a> Query<'a> {
    pub(super) fn new(pairs: &'a [(String, String)]) -> Self {
        Self { pairs, errors: Vec::new(), used: Vec::new() }
    }

    pub(super) fn fail(&mut self, name: &str, code: FieldCode, detail: impl Into<String>) {
        self.errors.push(FieldError::new(name, code, detail));
    }

    pub(super) fn all(&mut self, name: &str) -> Vec<String> {
        self.all_up_to(name, MAX_VALUE_BYTES)
    }

    fn all_up_to(&mut self, name: &str, max_bytes: usize) -> Vec<String> {
        self.used.push(name.to_owned());
        let values: Vec<String> =
            self.pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect();
        for value in &values {
            let code = if value.is_empty() {
                FieldCode::Empty
            } else if value.len() > max_bytes {
                FieldCode::TooLong
            } else if value.contains('\0') {
                FieldCode::NulCharacter
            } else {
                continue;
            };
            self.fail(name, code, format!("must be 1 to {max_bytes} bytes without U+0000"));
            return Vec::new();
        }
        values
    }

    pub(super) fn one(&mut self, name: &str) -> Option<String> {
        self.one_up_to(name, MAX_VALUE_BYTES)
    }

    pub(super) fn one_up_to(&mut self, name: &str, max_bytes: usize) -> Option<String> {
        let mut values = self.all_up_to(name, max_bytes);
        if values.len() > 1 {
            self.fail(name, FieldCode::Contradiction, "must be given once");
            return None;
        }
        values.pop()
    }

    /// Tells whether a parameter was given at all.
    pub(super) fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(key, _)| key == name)
    }

    pub(super) fn number(&mut self, name: &str, text: &str, min: f64, max: f64) -> Option<f64> {
        match text.parse::<f64>() {
            Ok(number) if (min..=max).contains(&number) => Some(number),
            Ok(_) => {
                self.fail(name, FieldCode::OutOfRange, format!("must be between {min} and {max}"));
                None
            }
            Err(_) => {
                self.fail(name, FieldCode::WrongType, "must be a number");
                None
            }
        }
    }

    pub(super) fn count(&mut self, name: &str, min: i64, max: i64) -> Option<i64> {
        let text = self.one(name)?;
        let number = text.parse::<i64>().ok().filter(|number| (min..=max).contains(number));
        if number.is_none() {
            let is_number = text.parse::<i64>().is_ok();
            let code = if is_number { FieldCode::OutOfRange } else { FieldCode::WrongType };
            self.fail(name, code, format!("must be a whole number between {min} and {max}"));
        }
        number
    }

    pub(super) fn word<T: Copy>(&mut self, name: &str, text: &str, words: &[(&str, T)]) -> Option<T> {
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let list: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.fail(name, FieldCode::NotOneOf, format!("must be one of: {}", list.join(", ")));
        }
        found
    }

    /// Reads the filters over completions and feedback that every reader understands.
    pub(super) fn selection(&mut self) -> Selection {
        let (from, to) = (self.moment("from"), self.moment("to"));
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            self.fail("to", FieldCode::Contradiction, "must be later than `from`");
        }
        let trust = self.one("trust").and_then(|word| self.word("trust", &word, TrustFilter::WORDS));
        Selection { tasks: self.all("task"), languages: self.all("language"), from, to, trust, ..Selection::default() }
    }

    fn moment(&mut self, name: &str) -> Option<Timestamp> {
        let text = self.one(name)?;
        match super::fields::timestamp(&super::json::Json::String(text)) {
            Ok(moment) => Some(moment),
            Err((code, detail)) => {
                self.fail(name, code, detail);
                None
            }
        }
    }

    pub(super) fn refuse_unknown(&mut self) {
        if self.pairs.iter().any(|(name, _)| !self.used.contains(name)) {
            let mut known = self.used.clone();
            known.sort();
            known.dedup();
            let detail = format!("there is a parameter that is not known here; known are: {}", known.join(", "));
            self.fail("", FieldCode::UnknownField, detail);
        }
    }
}
