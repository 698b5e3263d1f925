//! Reads a query string strictly: percent-encoded UTF-8, `+` for a space, names and values in their order. An address
//! that takes no parameters refuses every one, as the others refuse those that they do not know.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use super::error::Problem;
use super::problem;
use super::routes::takes_query;
use crate::domain::fields::{FieldCode, FieldError};

/// The most bytes that a query may have.
const MAX_QUERY_BYTES: usize = 16 << 10;

/// Parses `name=value` pairs joined by `&`.
pub(crate) fn parse(query: &str) -> Result<Vec<(String, String)>, Problem> {
    let malformed = || Problem::new(problem::QUERY_MALFORMED);
    if query.len() > MAX_QUERY_BYTES {
        return Err(malformed().detail(format!("a query may have {MAX_QUERY_BYTES} bytes")));
    }
    pairs(query).ok_or_else(malformed)
}

/// Takes apart what a query or the body of a form holds; nothing where it is not percent-encoded UTF-8.
pub(crate) fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decode(name)?, decode(value)?))
    });
    pairs.collect()
}

/// Refuses parameters where the address takes none. An address that takes some reads them itself.
pub(crate) fn check(request: &HttpRequest) -> Result<(), Problem> {
    let query = request.query_string();
    // Hardly any request has a query, and only then the address is looked for.
    if query.is_empty() || request.match_pattern().is_some_and(|pattern| takes_query(request.method(), &pattern)) {
        return Ok(());
    }
    if parse(query)?.is_empty() {
        return Ok(());
    }
    let detail = "there is a parameter that is not known here; no parameter is";
    Err(Problem::invalid_query(vec![FieldError::new("", FieldCode::UnknownField, detail)]))
}

/// That a request came without parameters, for handlers that know no caller; of all others it is asked once the caller
/// is known.
pub(crate) struct NoQuery;

impl FromRequest for NoQuery {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(check(request).map(|()| Self))
    }
}

fn decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (bytes.next()?, bytes.next()?);
                hex_digit(high)? << 4 | hex_digit(low)?
            }
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded_and_keep_their_order() {
        let pairs = parse("control=model%3Aa+b&candidate=model:b%C3%A9&&flag").unwrap();

        let expected = [("control", "model:a b"), ("candidate", "model:bé"), ("flag", "")];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn what_is_not_percent_encoded_utf8_is_refused() {
        for query in ["a=%", "a=%4", "a=%zz", "a=%ff", "%c3=1", &"a".repeat(MAX_QUERY_BYTES + 1)] {
            assert_eq!(parse(query).unwrap_err().kind().code, "query_malformed");
        }
        assert!(parse(&"a".repeat(MAX_QUERY_BYTES)).is_ok());
    }
}
