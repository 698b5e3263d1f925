//! What is asked about lengths of prompts and answers: of which completions, and in which form.

use super::clock::Timestamp;
use super::fields::{FieldCode, FieldError};
use super::query::Query;
use super::selection::Selection;

/// The window where none is asked for, and the longest one: what is asked is answered by one pass over its completions.
const USUAL_WINDOW: chrono::TimeDelta = chrono::TimeDelta::days(7);
const LONGEST_WINDOW: chrono::TimeDelta = chrono::TimeDelta::days(92);

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SequenceForm {
    /// By model and task, with everything that is known.
    #[default]
    Full,
    /// By model, with what a planner of capacity such as Dynamo's reads.
    Dynamo,
}

/// A question about lengths.
#[derive(Debug, Clone, PartialEq)]
pub struct SequenceQuery {
    /// Which completions; both bounds of the window are set.
    pub selection: Selection,
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// The form of the answer.
    pub form: SequenceForm,
}

impl SequenceQuery {
    /// Parses query parameters, already decoded. The window ends now where nobody says when.
    pub fn from_query(pairs: &[(String, String)], now: Timestamp) -> Result<Self, Vec<FieldError>> {
        let mut query = Query::new(pairs);
        let form =
            query.one("format").and_then(|word| query.word("format", &word, &[("dynamo", SequenceForm::Dynamo)]));
        let given = Selection {
            models: query.all("model"),
            experiment: query.one("experiment"),
            variants: query.all("variant"),
            ..query.selection()
        };
        if given.trust.is_some() {
            query.fail("trust", FieldCode::Contradiction, "is about feedback; lengths have none");
        }
        let to = given.to.unwrap_or_else(|| given.from.map_or(now, |from| now.max(from)));
        let from = given.from.unwrap_or(to - USUAL_WINDOW);
        if to - from > LONGEST_WINDOW {
            query.fail("from", FieldCode::OutOfRange, "must be at most 92 days before `to`");
        }
        query.refuse_unknown();
        let selection = Selection { from: Some(from), to: Some(to), ..given };
        if query.errors.is_empty() {
            Ok(Self { selection, from, to, form: form.unwrap_or_default() })
        } else {
            Err(query.errors)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<SequenceQuery, Vec<FieldCode>> {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        SequenceQuery::from_query(&pairs, "2026-03-08T00:00:00Z".parse().unwrap())
            .map_err(|errors| errors.iter().map(|error| error.code).collect())
    }

    #[test]
    fn a_window_is_the_last_week_where_nobody_says_another() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };

        let usual = parse(&[]).unwrap();
        let until = parse(&[("to", "2026-02-08T00:00:00Z"), ("format", "dynamo"), ("model", "a")]).unwrap();
        let since = parse(&[("from", "2026-03-01T12:00:00Z")]).unwrap();

        assert_eq!((usual.from, usual.to), (at("2026-03-01T00:00:00Z"), at("2026-03-08T00:00:00Z")));
        assert_eq!((until.from, until.form), (at("2026-02-01T00:00:00Z"), SequenceForm::Dynamo));
        assert_eq!((since.from, since.to), (at("2026-03-01T12:00:00Z"), usual.to));
        assert_eq!(until.selection.models, ["a"]);
        assert_eq!(until.selection.from, Some(until.from));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (pairs, expected) in [
            (vec![("format", "xml")], FieldCode::NotOneOf),
            (vec![("trust", "any")], FieldCode::Contradiction),
            (vec![("from", "2025-01-01T00:00:00Z")], FieldCode::OutOfRange),
            (vec![("from", "2026-03-01T00:00:00Z"), ("to", "2026-02-01T00:00:00Z")], FieldCode::Contradiction),
            (vec![("page", "1")], FieldCode::UnknownField),
        ] {
            assert_eq!(parse(&pairs).unwrap_err(), [expected], "{pairs:?}");
        }
    }
}
