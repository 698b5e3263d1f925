//! Numbers of bank accounts: ISO 13616, check digits by ISO 7064 (mod 97-10).

/// Length of an IBAN by country, from the registry of SWIFT (release 99).
const LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

/// Returns where the IBAN ends that begins at a word's begin, if one does.
pub(super) fn end(bytes: &[u8], at: usize) -> Option<usize> {
    let head: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    if !(head[..2].iter().all(u8::is_ascii_alphabetic) && head[2..].iter().all(u8::is_ascii_digit)) {
        return None;
    }
    let country = [head[0].to_ascii_uppercase(), head[1].to_ascii_uppercase()];
    let place = LENGTHS.binary_search_by_key(&country, |(country, _)| **country).ok()?;
    let n_characters = LENGTHS[place].1;
    let mut characters = [0; 34];
    let (mut n_read, mut end) = (0, at);
    while n_read < n_characters {
        match *bytes.get(end)? {
            byte if byte.is_ascii_alphanumeric() => {
                characters[n_read] = byte.to_ascii_uppercase();
                n_read += 1;
            }
            // One space or hyphen between groups.
            b' ' | b'-' if bytes[end - 1].is_ascii_alphanumeric() => {}
            _ => return None,
        }
        end += 1;
    }
    let is_whole = bytes.get(end).is_none_or(|next| !super::scan::is_of_word(*next));
    (is_whole && remainder(&characters[..n_characters]) == 1).then_some(end)
}

/// Returns the number modulo 97, the first four characters moved to the end and letters read as 10 to 35.
fn remainder(characters: &[u8]) -> u32 {
    characters[4..].iter().chain(&characters[..4]).fold(0, |remainder, character| match character {
        digit @ b'0'..=b'9' => (remainder * 10 + u32::from(digit - b'0')) % 97,
        letter => (remainder * 100 + u32::from(letter - b'A') + 10) % 97,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(LENGTHS.is_sorted_by_key(|(country, _)| **country));
        assert!(LENGTHS.iter().all(|(_, n_characters)| (15..=34).contains(n_characters)));
    }

    #[test]
    fn examples_of_the_registry_are_found_to_their_end() {
        for number in [
            "DE89370400440532013000",
            "DE89 3704 0044 0532 0130 00",
            "gb29 nwbk 6016 1331 9268 19",
            "GB29-NWBK-6016-1331-9268-19",
            "FR14 2004 1010 0505 0001 3M02 606",
            "NO93 8601 1117 947",
            "CH93 0076 2011 6238 5295 7",
            "NL91 ABNA 0417 1643 00",
            "MT84 MALT 0110 0001 2345 MTLC AST0 01S",
        ] {
            let text = format!("{number} please");

            assert_eq!(end(text.as_bytes(), 0), Some(number.len()), "{number}");
        }
    }

    #[test]
    fn a_wrong_digit_a_wrong_length_or_an_unknown_country_is_no_iban() {
        for text in [
            "DE89370400440532013001",
            "DE8937040044053201300",
            "DE893704004405320130001",
            "XX89370400440532013000",
            "DE89  3704 0044 0532 0130 00",
            "DE8",
            "DEAB",
        ] {
            assert_eq!(end(text.as_bytes(), 0), None, "{text}");
        }
    }
}
