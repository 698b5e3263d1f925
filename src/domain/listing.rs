//! What a page of completions or feedback is asked for: filters, where to go on, how many.

use super::fields::{FieldCode, FieldError};
use super::ids::{CompletionId, FeedbackId, MAX_ID_BYTES};
use super::query::Query;
use super::selection::Selection;

/// The most items of a page.
pub const MAX_PAGE: i64 = 200;
/// The items of a page where nobody says how many.
const DEFAULT_PAGE: i64 = 50;
/// A feedback id in its usual form, and the dot behind it.
const FEEDBACK_PREFIX_BYTES: usize = 37;

/// A question for a page, whose place is told by a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<C> {
    /// Filters.
    pub selection: Selection,
    /// Where the page before ended.
    pub after: Option<C>,
    /// The most items.
    pub limit: i64,
}

/// Where a page ended, in the form in which clients give it back.
pub trait Cursor: Sized {
    /// Reads the form.
    fn parse(text: &str) -> Option<Self>;

    /// Writes it.
    fn to_text(&self) -> String;
}

impl Cursor for CompletionId {
    fn parse(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }

    fn to_text(&self) -> String {
        self.as_str().to_owned()
    }
}

impl Cursor for (CompletionId, FeedbackId) {
    fn parse(text: &str) -> Option<Self> {
        let (feedback, completion) = text.split_once('.')?;
        Some((CompletionId::parse(completion).ok()?, FeedbackId(feedback.parse().ok()?)))
    }

    fn to_text(&self) -> String {
        format!("{}.{}", self.1.0, self.0.as_str())
    }
}

impl<C: Cursor> Listing<C> {
    /// Parses query parameters, already decoded.
    pub fn from_query(pairs: &[(String, String)]) -> Result<Self, Vec<FieldError>> {
        let mut query = Query::new(pairs);
        let after = query.one_up_to("cursor", FEEDBACK_PREFIX_BYTES + MAX_ID_BYTES).and_then(|text| {
            let cursor = C::parse(&text);
            if cursor.is_none() {
                query.fail("cursor", FieldCode::Malformed, "must be the `next_cursor` of a page");
            }
            cursor
        });
        let limit = query.count("limit", 1, MAX_PAGE).unwrap_or(DEFAULT_PAGE);
        let selection = Selection {
            models: query.all("model"),
            experiment: query.one("experiment"),
            variants: query.all("variant"),
            ..query.selection()
        };
        query.refuse_unknown();
        if query.errors.is_empty() { Ok(Self { selection, after, limit }) } else { Err(query.errors) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_page_is_asked_for_with_the_words_of_a_selection() {
        let asked =
            [("model", "a"), ("model", "b"), ("task", "t"), ("trust", "any"), ("limit", "200"), ("cursor", "c 1")];

        let listing = Listing::<CompletionId>::from_query(&pairs(&asked)).unwrap();

        assert_eq!((listing.selection.models.len(), listing.limit), (2, 200));
        assert_eq!(listing.after.unwrap().as_str(), "c 1");
        assert_eq!(Listing::<CompletionId>::from_query(&[]).unwrap().limit, DEFAULT_PAGE);
    }

    #[test]
    fn what_is_wrong_is_told_by_parameter() {
        for (name, value) in
            [("limit", "0"), ("limit", "201"), ("limit", "x"), ("cursor", "x"), ("trust", "some"), ("from", "now")]
        {
            let errors = Listing::<(CompletionId, FeedbackId)>::from_query(&pairs(&[(name, value)])).unwrap_err();

            assert_eq!(errors[0].pointer, name, "{errors:?}");
        }
        assert!(Listing::<CompletionId>::from_query(&pairs(&[("page", "2")])).is_err());
    }

    #[test]
    fn a_cursor_reads_back_whatever_the_id_holds() {
        let id = CompletionId::parse(&"é.".repeat(85)).unwrap();
        let cursor = (id.clone(), FeedbackId("01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap()));

        assert_eq!(<(CompletionId, FeedbackId)>::parse(&cursor.to_text()), Some(cursor));
        assert_eq!(<CompletionId as Cursor>::parse(&id.to_text()), Some(id));
    }
}
