//! Numbers of telephones and payment cards: digits in groups.
//!
//! A number is read from the begin of a group of digits on, at most [`MAX_DIGITS`] of them; what is none is passed group
//! by group, so that ever so long a row of digits is gone through a bounded number of times.

use super::scan::{is_of_word, span};
use super::{CARD, PHONE, Span};

/// Digits of the longest card number; telephone numbers have 15 at most (ITU-T E.164) and two zeros before them.
const MAX_DIGITS: usize = 19;
const MAX_GROUPS: usize = 9;

/// Digits without a break.
#[derive(Debug, Clone, Copy, Default)]
struct Digits {
    start: usize,
    end: usize,
}

/// Groups of digits that follow each other.
struct Groups<'a> {
    bytes: &'a [u8],
    groups: [Digits; MAX_GROUPS],
    n_groups: usize,
}

/// Finds a card or a telephone number that begins here, with a digit, a plus or a parenthesis.
pub(super) fn find(bytes: &[u8], at: usize) -> Option<Span> {
    // Behind a decimal point or a thousands' comma there are digits of something else.
    let is_fraction = at >= 2 && b".,".contains(&bytes[at - 1]) && bytes[at - 2].is_ascii_digit();
    if is_fraction {
        return None;
    }
    let has_plus = bytes[at] == b'+';
    let mut first = at + usize::from(has_plus);
    let in_parentheses = bytes.get(first) == Some(&b'(');
    first += usize::from(in_parentheses);
    let groups = Groups::read(bytes, first)?;
    // A parenthesis is a part of the number only around its first group.
    if in_parentheses && (groups.n_groups == 1 || bytes[groups.groups[0].end] != b')') {
        return None;
    }
    if bytes[at].is_ascii_digit()
        && let Some(end) = groups.card()
    {
        return Some(span(at, end, CARD));
    }
    let end = if has_plus { groups.international() } else { groups.national() }?;
    Some(span(at, end, PHONE))
}

impl<'a> Groups<'a> {
    /// Reads groups until something else than a separator or too many digits come; the last group ends a word.
    fn read(bytes: &'a [u8], first: usize) -> Option<Self> {
        let mut read = Self { bytes, groups: [Digits::default(); MAX_GROUPS], n_groups: 0 };
        let (mut start, mut n_digits) = (first, 0);
        while read.n_groups < MAX_GROUPS {
            let n = bytes[start..].iter().take(MAX_DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
            n_digits += n;
            let end = start + n;
            if n == 0 || n_digits > MAX_DIGITS || bytes.get(end).is_some_and(|next| is_of_word(*next)) {
                break;
            }
            read.groups[read.n_groups] = Digits { start, end };
            read.n_groups += 1;
            start = end + separator(&bytes[end..]);
            if start == end {
                break;
            }
        }
        (read.n_groups > 0).then_some(read)
    }

    fn all(&self) -> &[Digits] {
        &self.groups[..self.n_groups]
    }

    /// Digits of the first `n_groups` groups.
    fn digits(&self, n_groups: usize) -> impl DoubleEndedIterator<Item = u8> {
        let groups = self.groups[..n_groups].iter();
        groups.flat_map(|group| self.bytes[group.start..group.end].iter().map(|byte| byte - b'0'))
    }

    fn n_digits(&self, n_groups: usize) -> usize {
        self.all()[..n_groups].iter().map(|group| group.end - group.start).sum()
    }

    fn digit(&self, nth: usize) -> Option<u8> {
        self.digits(self.n_groups).nth(nth)
    }

    /// What stands between two groups.
    fn between(&self, nth: usize) -> &[u8] {
        &self.bytes[self.groups[nth].end..self.groups[nth + 1].start]
    }

    fn lengths(&self) -> Vec<usize> {
        self.all().iter().map(|group| group.end - group.start).collect()
    }

    /// The most usual lengths come first: a security code behind the number is not a part of it.
    fn card(&self) -> Option<usize> {
        if !(2..=6).contains(&self.digit(0)?) {
            return None;
        }
        [16, 15, 14, 13, 19, 18, 17].into_iter().find_map(|n_digits| {
            let n_groups = (1..=self.n_groups).find(|n_groups| self.n_digits(*n_groups) == n_digits)?;
            let is_grouped = n_groups == 1 || self.groups[0].end - self.groups[0].start == 4;
            let is_parted =
                (1..n_groups).all(|nth| [b" ", b"-" as &[u8], NO_BREAK_SPACE].contains(&self.between(nth - 1)));
            let is_card = is_grouped && is_parted && luhn(self.digits(n_groups));
            is_card.then_some(self.groups[n_groups - 1].end)
        })
    }

    /// As many groups as an international number may have digits.
    fn international(&self) -> Option<usize> {
        let n_groups = (1..=self.n_groups).rev().find(|n_groups| self.n_digits(*n_groups) <= 15)?;
        (self.n_digits(n_groups) >= 7 && self.digit(0) != Some(0)).then_some(self.groups[n_groups - 1].end)
    }

    fn national(&self) -> Option<usize> {
        let lengths = self.lengths();
        let end = |n_groups: usize| Some(self.groups[n_groups - 1].end);
        let (first, second) = (self.digit(0)?, self.digit(1));
        if first == 0 {
            return self.with_leading_zero(&lengths);
        }
        match (first, lengths.as_slice()) {
            // North America, with or without the 1 of the country.
            (2..=9, [3, 3, 4, ..]) => end(3),
            (1, [1, 3, 3, 4, ..]) if self.digit(1).is_some_and(|digit| digit >= 2) => end(4),
            // Mobile numbers of China, also in one group; a North American number with its 1 looks the same.
            (1, [3, 4, 4, ..]) if second >= Some(3) => end(3),
            (1, [11, ..]) if second >= Some(3) => end(1),
            // Mobile numbers of India.
            (6..=9, [5, 5, ..]) => end(2),
            _ => None,
        }
    }

    /// Numbers as they are dialled inside of most countries, and international ones after 00.
    fn with_leading_zero(&self, lengths: &[usize]) -> Option<usize> {
        if self.digit(1) == Some(0) {
            let is_international = (1..=9).contains(&self.digit(2)?);
            let n_groups = (1..=self.n_groups).rev().find(|n_groups| self.n_digits(*n_groups) <= 17)?;
            return (is_international && self.n_digits(n_groups) >= 10).then_some(self.groups[n_groups - 1].end);
        }
        let is_area = (2..=6).contains(&lengths[0]) || lengths.len() == 1;
        let is_date = matches!(lengths, [2, 2, 4 | 2, ..]) && self.between(0) == self.between(1) && lengths.len() < 5;
        let n_groups = (1..=self.n_groups).rev().find(|n_groups| self.n_digits(*n_groups) <= 12)?;
        let n_digits = self.n_digits(n_groups);
        let is_enough = if n_groups == 1 { (10..=11).contains(&n_digits) } else { n_digits >= 8 };
        let is_whole = lengths[1..n_groups].iter().all(|length| *length >= 2);
        (is_area && !is_date && is_enough && is_whole).then_some(self.groups[n_groups - 1].end)
    }
}

const NO_BREAK_SPACE: &[u8] = "\u{a0}".as_bytes();
/// What may stand between two groups: one of these, parentheses, or one on either side of a parenthesis.
const SEPARATORS: &[&[u8]] =
    &[b" ", b"-", b".", b"/", NO_BREAK_SPACE, "\u{202f}".as_bytes(), "\u{2011}".as_bytes(), "\u{2013}".as_bytes()];

/// Returns the length of the separator that the bytes begin with, 0 where a digit does not follow it.
fn separator(bytes: &[u8]) -> usize {
    let one = |at: usize| {
        SEPARATORS.iter().find(|separator| bytes[at..].starts_with(separator)).map_or(0, |separator| separator.len())
    };
    let closes = |at: usize| usize::from(bytes.get(at) == Some(&b')'));
    let mut n = closes(0);
    n += one(n);
    n += usize::from(bytes.get(n) == Some(&b'('));
    if bytes.get(n).is_some_and(u8::is_ascii_digit) { n } else { 0 }
}

/// The check digit of ISO/IEC 7812-1.
fn luhn(digits: impl DoubleEndedIterator<Item = u8>) -> bool {
    let sum: u32 = digits
        .rev()
        .enumerate()
        .map(|(nth, digit)| if nth % 2 == 0 { u32::from(digit) } else { u32::from(digit * 2 / 10 + digit * 2 % 10) })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<(&str, String)> {
        find(text.as_bytes(), 0).map(|span| (&text[span.start..span.end], span.kind.into_owned()))
    }

    #[test]
    fn card_numbers_are_found_by_their_check_digit() {
        for number in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "5555-5555-5555-4444",
            "378282246310005",
            "3782 822463 10005",
            "6011\u{a0}1111\u{a0}1111\u{a0}1117",
            "30569309025904",
            "6304000000000000",
        ] {
            let (text, with_code) = (format!("{number}, yes"), format!("{number} 123"));

            assert_eq!(found(&text), Some((number, CARD.to_owned())));
            assert_eq!(found(&with_code), Some((number, CARD.to_owned())), "without the security code");
        }
        for text in
            ["4111111111111112", "4111 1111 1111 111", "41111111111111111111", "1700000000000", "4111.1111.1111.1111"]
        {
            assert_eq!(found(text).filter(|(_, kind)| kind == CARD), None, "{text}");
        }
    }

    #[test]
    fn telephone_numbers_are_found_as_they_are_written() {
        for number in [
            "+49 30 1234567",
            "+49 (0)30 1234567",
            "+1 (555) 123-4567",
            "+15551234567",
            "+44 20 7946 0958",
            "+33 1 23 45 67 89",
            "+86 138 1234 5678",
            "0049 30 1234567",
            "004930123456",
            "030 1234567",
            "030/1234567",
            "(030) 1234567",
            "0151-23456789",
            "01512345678",
            "06 12 34 56 78",
            "06.12.34.56.78",
            "020 7946 0958",
            "07700 900123",
            "(555) 123-4567",
            "555-123-4567",
            "555.123.4567",
            "1-800-555-0199",
            "138 1234 5678",
            "13812345678",
            "090-1234-5678",
            "98765 43210",
        ] {
            let text = format!("{number}.");

            assert_eq!(found(&text), Some((number, PHONE.to_owned())), "{number}");
        }
    }

    #[test]
    fn dates_amounts_and_measures_are_no_telephone_numbers() {
        for text in [
            "2024-01-31",
            "01.02.2024",
            "01-02-2024 15:00",
            "01.02.2024 15",
            "2024",
            "12 345 678",
            "1,234,567.89",
            "0.123456789",
            "3.14159265358979",
            "100 200 300",
            "1700000000",
            "00:00:00",
            "+5",
            "+1 2",
            "0001",
            "192 168",
            "10-15",
            "007",
            "555-0199",
            "20240131123456",
            "+0123456789",
            "0815",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
        assert_eq!(find(b"3.14159265359 x", 2), None, "digits behind a decimal point");
    }

    #[test]
    fn the_check_digit_is_that_of_the_standard() {
        assert!(luhn([7, 9, 9, 2, 7, 3, 9, 8, 7, 1, 3].into_iter()));
        assert!((0..10).filter(|last| luhn([7, 9, 9, 2, 7, 3, 9, 8, 7, 1, *last].into_iter())).eq([3]));
    }
}
