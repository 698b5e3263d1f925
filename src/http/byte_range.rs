//! `Range` of a request for a file (RFC 9110, section 14): one range of bytes is answered with these, so that a download
//! goes on where it broke off and a reader of Parquet fetches the columns that it wants.

use std::ops::Range;

/// What a request wants of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of it.
    Whole,
    /// These bytes, of which there is one at least.
    Part(Range<u64>),
    /// Bytes that it does not have.
    Nothing,
}

/// Reads `Range` and `If-Range` for a file of so many bytes under an entity tag.
///
/// What is malformed, in another unit, or asks for several ranges at once is answered with the whole file, as the
/// standard lets a server do; so is a range of another content than there is.
pub(crate) fn wanted(range: Option<&str>, if_range: Option<&str>, size_bytes: u64, etag: &str) -> Wanted {
    // A date never matches: files have none.
    if if_range.is_some_and(|known| known.trim() != etag) {
        return Wanted::Whole;
    }
    let Some((first, last)) = range.and_then(parse) else { return Wanted::Whole };
    let part = match (first, last) {
        (Some(first), Some(last)) if last < first => return Wanted::Whole,
        (Some(first), last) => first..last.map_or(size_bytes, |last| last.saturating_add(1).min(size_bytes)),
        (None, Some(n_last)) => size_bytes.saturating_sub(n_last)..size_bytes,
        (None, None) => return Wanted::Whole,
    };
    if part.is_empty() { Wanted::Nothing } else { Wanted::Part(part) }
}

/// Reads one range of bytes: its two numbers, of which either may be absent.
fn parse(range: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, set) = range.split_once('=')?;
    let (first, last) = set.trim().split_once('-')?;
    let number = |text: &str| match text {
        "" => Some(None),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            // More than any file has is still a number.
            Some(Some(digits.parse().unwrap_or(u64::MAX)))
        }
        _ => None,
    };
    unit.trim().eq_ignore_ascii_case("bytes").then_some((number(first.trim())?, number(last.trim())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ETAG: &str = "\"e\"";

    #[test]
    fn one_range_is_taken_as_far_as_the_file_goes() {
        let of_ten = |range: &str| wanted(Some(range), None, 10, ETAG);

        for (range, part) in [
            ("bytes=0-0", 0..1),
            ("bytes=2-5", 2..6),
            ("bytes=2-", 2..10),
            ("bytes=9-99999999999999999999999", 9..10),
            ("bytes=-3", 7..10),
            ("bytes=-30", 0..10),
            ("Bytes = 1-1", 1..2),
        ] {
            assert_eq!(of_ten(range), Wanted::Part(part), "{range}");
        }
        for range in ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(of_ten(range), Wanted::Nothing, "{range}");
        }
        assert_eq!(wanted(Some("bytes=0-"), None, 0, ETAG), Wanted::Nothing, "an empty file has no byte");
    }

    #[test]
    fn what_is_no_single_range_of_bytes_is_answered_whole() {
        for range in
            ["", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b", "bytes=+1-2"]
        {
            assert_eq!(wanted(Some(range), None, 10, ETAG), Wanted::Whole, "{range}");
        }
        assert_eq!(wanted(None, None, 10, ETAG), Wanted::Whole);
    }

    #[test]
    fn a_range_of_other_content_is_answered_whole() {
        let with = |if_range: &str| wanted(Some("bytes=1-"), Some(if_range), 10, ETAG);

        assert_eq!(with(ETAG), Wanted::Part(1..10));
        for other in ["\"f\"", "W/\"e\"", "e", "Sat, 28 Nov 2026 10:00:00 GMT"] {
            assert_eq!(with(other), Wanted::Whole, "{other}");
        }
    }
}
