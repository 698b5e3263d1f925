//! What is asked of the serving report: of which completions.

use super::clock::Timestamp;
use super::fields::{FieldCode, FieldError};
use super::query::Query;
use super::selection::Selection;

/// The window where none is asked for: four weeks show drift.
const USUAL_WINDOW: chrono::TimeDelta = chrono::TimeDelta::days(28);
/// The longest one: what is asked is answered by one pass over its completions.
const LONGEST_WINDOW: chrono::TimeDelta = chrono::TimeDelta::days(92);

/// The form of a report where the query names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportForm {
    /// The wire form of the API.
    Json,
    /// A page that stands by itself.
    Html,
    /// For a terminal.
    Text,
}

impl ReportForm {
    /// The words of the forms.
    pub const WORDS: &[(&str, Self)] = &[("json", Self::Json), ("html", Self::Html), ("text", Self::Text)];
}

/// A question about serving.
#[derive(Debug, Clone, PartialEq)]
pub struct ServingQuery {
    /// Models, tasks, languages and trust; both bounds of the window are set.
    pub selection: Selection,
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// The form of the answer; nothing where `Accept` decides.
    pub form: Option<ReportForm>,
}

impl ServingQuery {
    /// Parses query parameters, already decoded. The window ends now where nobody says when.
    pub fn from_query(pairs: &[(String, String)], now: Timestamp) -> Result<Self, Vec<FieldError>> {
        let mut query = Query::new(pairs);
        let form = query.one("format").and_then(|word| query.word("format", &word, ReportForm::WORDS));
        let given = Selection { models: query.all("model"), ..query.selection() };
        let to = given.to.unwrap_or_else(|| given.from.map_or(now, |from| now.max(from)));
        let from = given.from.unwrap_or_else(|| to.checked_sub_signed(USUAL_WINDOW).unwrap_or(to));
        if to - from > LONGEST_WINDOW {
            query.fail("from", FieldCode::OutOfRange, "must be at most 92 days before `to`");
        }
        query.refuse_unknown();
        let selection = Selection { from: Some(from), to: Some(to), ..given };
        if query.errors.is_empty() { Ok(Self { selection, from, to, form }) } else { Err(query.errors) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<ServingQuery, Vec<FieldCode>> {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        ServingQuery::from_query(&pairs, "2026-03-29T00:00:00Z".parse().unwrap())
            .map_err(|errors| errors.iter().map(|error| error.code).collect())
    }

    #[test]
    fn a_window_is_the_last_four_weeks_where_nobody_says_another() {
        let usual = parse(&[("model", "a"), ("model", "b"), ("format", "html")]).unwrap();

        assert_eq!(usual.from, "2026-03-01T00:00:00Z".parse::<Timestamp>().unwrap());
        assert_eq!((usual.selection.models.len(), usual.form), (2, Some(ReportForm::Html)));
        assert_eq!(usual.selection.to, Some(usual.to));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (pairs, expected) in [
            (vec![("format", "xml")], FieldCode::NotOneOf),
            (vec![("from", "2025-01-01T00:00:00Z")], FieldCode::OutOfRange),
            (vec![("from", "2026-03-02T00:00:00Z"), ("to", "2026-03-01T00:00:00Z")], FieldCode::Contradiction),
            (vec![("model", "")], FieldCode::Empty),
            (vec![("experiment", "a")], FieldCode::UnknownField),
        ] {
            assert_eq!(parse(&pairs).unwrap_err(), [expected], "{pairs:?}");
        }
    }
}
