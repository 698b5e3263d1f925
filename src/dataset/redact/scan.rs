//! One pass over a text for digits and `@`, and one for the prefixes of secrets.

use std::borrow::Cow;

use super::{EMAIL, IBAN, IP, KEY, Span, iban, network, numbers, secrets, without_overlaps};

/// Characters of the part of an address before the `@`, by RFC 5321.
const MAX_LOCAL_CHARS: usize = 64;
/// Bytes of a domain name, by RFC 1035.
const MAX_DOMAIN_BYTES: usize = 255;

/// Finds personal data and secrets that have a form, in order and without overlaps.
///
/// All but the secrets hold a digit or an `@`, and most of a text is neither: it is passed many bytes at a time.
pub fn find(text: &str) -> Vec<Span> {
    let bytes = text.as_bytes();
    let mut spans: Vec<Span> = Vec::new();
    let mut at = 0;
    while let Some(trigger) = next_trigger(bytes, at) {
        let found = if bytes[trigger] == b'@' { email(text, trigger, &mut spans) } else { number(bytes, trigger, at) };
        at = match found {
            Some(span) => {
                let end = span.end;
                spans.push(span);
                end
            }
            None if bytes[trigger] == b'@' => trigger + 1,
            None => trigger + bytes[trigger..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count(),
        };
    }
    let secrets = secrets::find(bytes);
    if secrets.is_empty() {
        return spans;
    }
    spans.extend(secrets.into_iter().map(|(start, end)| span(start, end, KEY)));
    without_overlaps(spans)
}

/// Finds the next digit or `@`.
fn next_trigger(bytes: &[u8], from: usize) -> Option<usize> {
    const N_BYTES_AT_ONCE: usize = 32;
    let is_trigger = |byte: &u8| byte.is_ascii_digit() || *byte == b'@';
    let mut at = from;
    // Without a way out of the inner loop, the compiler compares many bytes with one instruction.
    for chunk in bytes[from..].chunks(N_BYTES_AT_ONCE) {
        if chunk.iter().fold(false, |found, byte| found | is_trigger(byte)) {
            return Some(at + chunk.iter().position(is_trigger)?);
        }
        at += chunk.len();
    }
    None
}

pub(super) fn span(start: usize, end: usize, kind: &'static str) -> Span {
    Span { start, end, kind: Cow::Borrowed(kind) }
}

/// Whether a word can begin here: nothing that belongs to one stands before.
pub(super) fn begins(bytes: &[u8], at: usize) -> bool {
    at.checked_sub(1).is_none_or(|before| !is_of_word(bytes[before]))
}

/// Letters, digits and `_` of ASCII. Other letters part words: Chinese stands right beside a number.
pub(super) fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Looks at a digit that no digit stands before, and at what belongs to it on its left, not before `from`.
fn number(bytes: &[u8], at: usize, from: usize) -> Option<Span> {
    if let Some((start, end)) = network::version_6(bytes, at, from) {
        return Some(span(start, end, IP));
    }
    if begins(bytes, at) {
        if let Some(end) = network::version_4(bytes, at) {
            return Some(span(at, end, IP));
        }
        let before = |n: usize| at.checked_sub(n).filter(|start| *start >= from && begins(bytes, *start));
        let starts_with = |start: &usize| matches!(&bytes[*start..at], b"+" | b"(" | b"+(");
        let introduced = [before(2), before(1)].into_iter().flatten().find(starts_with);
        return introduced.and_then(|start| numbers::find(bytes, start)).or_else(|| numbers::find(bytes, at));
    }
    let start = at.checked_sub(2).filter(|start| *start >= from && begins(bytes, *start))?;
    iban::end(bytes, start).map(|end| span(start, end, IBAN))
}

/// Looks around an `@`. What was taken for something else on its left is a part of the address.
fn email(text: &str, at: usize, spans: &mut Vec<Span>) -> Option<Span> {
    let is_local = |c: char| c.is_ascii_alphanumeric() || "._%+-'".contains(c) || is_european(c);
    let local = text[..at].chars().rev().take(MAX_LOCAL_CHARS).take_while(|c| is_local(*c));
    let mut start = at - local.map(char::len_utf8).sum::<usize>();
    // A full stop or a quotation mark before the address is the sentence's.
    start += text[start..at].bytes().take_while(|byte| b".'-".contains(byte)).count();
    let end = at + 1 + domain(&text[at + 1..])?;
    if start >= at {
        return None;
    }
    while let Some(last) = spans.pop_if(|last| last.end > start) {
        start = start.min(last.start);
    }
    Some(span(start, end, EMAIL))
}

/// Returns the length of the domain name that a text begins with: labels of which the last one has no digits.
fn domain(text: &str) -> Option<usize> {
    let is_label = |c: char| c.is_ascii_alphanumeric() || c == '-' || is_european(c);
    let text = &text[..text.floor_char_boundary(MAX_DOMAIN_BYTES)];
    let (mut n_bytes, mut end, mut n_labels) = (0, None, 0);
    for label in text.split_inclusive('.') {
        let name = label.strip_suffix('.').unwrap_or(label);
        let n_of_label: usize = name.chars().take_while(|c| is_label(*c)).map(char::len_utf8).sum();
        if n_of_label == 0 {
            break;
        }
        let found = name[..n_of_label].trim_end_matches('-');
        let is_top =
            found.chars().count() >= 2 && (found.starts_with("xn--") || found.chars().all(char::is_alphabetic));
        n_labels += 1;
        if n_labels > 1 && is_top {
            end = Some(n_bytes + found.len());
        }
        if n_of_label < label.len() - 1 || !label.ends_with('.') {
            break;
        }
        n_bytes += label.len();
    }
    end
}

/// Letters of Latin, Greek and Cyrillic beyond ASCII, which addresses and domain names may hold.
fn is_european(character: char) -> bool {
    matches!(character, '\u{C0}'..='\u{52F}') && character.is_alphabetic()
}
