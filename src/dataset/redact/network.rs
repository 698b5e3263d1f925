//! Addresses of the Internet Protocol.

use std::net::Ipv6Addr;

use super::scan::is_of_word;

/// Characters of the longest address of version 6, with one of version 4 at its end.
const MAX_CHARS: usize = 45;

/// Returns where an address of version 4 ends that begins here: four numbers up to 255, and no fifth around them.
pub(super) fn version_4(bytes: &[u8], at: usize) -> Option<usize> {
    if at.checked_sub(1).is_some_and(|before| bytes[before] == b'.') {
        return None;
    }
    let mut end = at;
    for nth in 0..4 {
        if nth > 0 {
            end = (bytes.get(end) == Some(&b'.')).then_some(end + 1)?;
        }
        let n_digits = bytes[end..].iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
        let digits = &bytes[end..end + n_digits];
        let number = digits.iter().fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0'));
        let has_leading_zero = n_digits > 1 && digits[0] == b'0';
        if !(1..=3).contains(&n_digits) || number > 255 || has_leading_zero {
            return None;
        }
        end += n_digits;
    }
    let goes_on = match bytes.get(end) {
        Some(b'.') => bytes.get(end + 1).is_some_and(u8::is_ascii_digit),
        Some(next) => is_of_word(*next),
        None => false,
    };
    (!goes_on).then_some(end)
}

/// Returns where an address of version 6 begins and ends whose first digit is at `digit`; it begins at `from` at the
/// earliest. It must hold a group of three or four characters, so that neither a time of day nor `c::1` is one.
pub(super) fn version_6(bytes: &[u8], digit: usize, from: usize) -> Option<(usize, usize)> {
    let is_part = |byte: &&u8| byte.is_ascii_hexdigit() || **byte == b':';
    let at = digit - bytes[from..digit].iter().rev().take(MAX_CHARS).take_while(is_part).count();
    let head = &bytes[at..bytes.len().min(at + 5)];
    let n_head = head.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let may_begin = match n_head {
        0 => head.starts_with(b"::"),
        1..=4 => head.get(n_head) == Some(&b':'),
        _ => false,
    };
    let is_inside = at.checked_sub(1).is_some_and(|before| is_of_word(bytes[before]) || bytes[before] == b'.');
    if !may_begin || is_inside {
        return None;
    }
    let is_address = |byte: &&u8| byte.is_ascii_hexdigit() || b":.".contains(byte);
    let mut n = bytes[at..].iter().take(MAX_CHARS + 1).take_while(is_address).count();
    // A colon or a full stop behind it is the sentence's.
    while n > 0
        && (bytes[at + n - 1] == b'.' || bytes[at..at + n].ends_with(b":") && !bytes[at..at + n].ends_with(b"::"))
    {
        n -= 1;
    }
    if n > MAX_CHARS || bytes.get(at + n).is_some_and(|next| is_of_word(*next)) {
        return None;
    }
    let text = std::str::from_utf8(&bytes[at..at + n]).ok()?;
    let is_telling = at + n > digit && text.split(':').any(|group| group.len() >= 3);
    (is_telling && text.parse::<Ipv6Addr>().is_ok()).then_some((at, at + n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_to_their_end() {
        for (text, address) in [
            ("192.0.2.7", "192.0.2.7"),
            ("10.0.0.1:8080", "10.0.0.1"),
            ("203.0.113.255.", "203.0.113.255"),
            ("2001:db8::1", "2001:db8::1"),
            ("2001:0DB8:0000:0000:0000:ff00:0042:8329, and", "2001:0DB8:0000:0000:0000:ff00:0042:8329"),
            ("fe80::1.", "fe80::1"),
            ("::ffff:192.0.2.7 x", "::ffff:192.0.2.7"),
            ("2001:db8::1: yes", "2001:db8::1"),
        ] {
            let found = version_4(text.as_bytes(), 0).or_else(|| {
                let digit = text.bytes().position(|byte| byte.is_ascii_digit())?;
                version_6(text.as_bytes(), digit, 0).map(|(_, end)| end)
            });

            assert_eq!(found, Some(address.len()), "{text}");
        }
    }

    #[test]
    fn versions_times_and_paths_are_none() {
        for text in [
            "1.2.3",
            "1.2.3.4.5",
            "256.1.1.1",
            "1.2.3.4a",
            "01.2.3.4",
            "12:34:56",
            "a::b",
            "std::fmt",
            "::",
            "dead::1beef:x",
            "00:1a:2b:3c:4d:5e",
            "bad::add",
            "1::2",
        ] {
            let found = version_4(text.as_bytes(), 0).or_else(|| {
                let digit = text.bytes().position(|byte| byte.is_ascii_digit())?;
                version_6(text.as_bytes(), digit, 0).map(|(_, end)| end)
            });

            assert_eq!(found, None, "{text}");
        }
        assert_eq!(version_4(b"1.2.3.4.5", 2), None, "not from its second number on either");
    }
}
