//! A text as the sequence of its words, each as a number: what near duplicates and benchmark overlap are found by.
//!
//! A word is a run of letters, digits and combining marks, in Unicode form NFKC and lower case; everything else parts
//! words and is gone. Scripts that are written without spaces (Han, kana, Thai, Lao, Khmer, Burmese) have no such runs:
//! there every character is a word. One pass, no allocation for ASCII.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

const LOWER_CASE: u64 = 0x2020_2020_2020_2020;
const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

/// Spreads a number over all its bits (the finaliser of MurmurHash3, a bijection).
pub(super) fn mix(mut number: u64) -> u64 {
    number ^= number >> 33;
    number = number.wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    number ^= number >> 33;
    number = number.wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    number ^ number >> 33
}

/// Appends the words of a text.
pub(super) fn push_words(text: &str, words: &mut Vec<u64>) {
    let bytes = text.as_bytes();
    let mut folded = String::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        while at < bytes.len() && bytes[at].is_ascii_alphanumeric() {
            at += 1;
        }
        if bytes.get(at).is_none_or(u8::is_ascii) {
            if at > start {
                words.push(hash_word(&bytes[start..at], LOWER_CASE));
            } else {
                at += 1;
            }
            continue;
        }
        // A word that is not ASCII, or an ASCII word with something else right behind it.
        let (end, alone) = end_of_word(text, start, at);
        if end > start {
            fold_word(&text[start..end], &mut folded);
            words.push(hash_word(folded.as_bytes(), 0));
        }
        if let Some(alone) = alone {
            let mut next = end + alone.len_utf8();
            if has_no_spaces(alone) && !is_combining_mark(alone) {
                next += text[next..].chars().take_while(|c| is_combining_mark(*c)).map(char::len_utf8).sum::<usize>();
                fold_word(&text[end..next], &mut folded);
                words.push(hash_word(folded.as_bytes(), 0));
            }
            at = next;
        } else {
            at = end;
        }
    }
}

/// Finds where a word ends that began at `start` and goes on at `at`, and the character that ends it where that is not
/// ASCII. No word begins with a combining mark.
fn end_of_word(text: &str, start: usize, at: usize) -> (usize, Option<char>) {
    for (offset, character) in text[at..].char_indices() {
        let end = at + offset;
        if character.is_ascii() {
            if !character.is_ascii_alphanumeric() {
                return (end, None);
            }
            continue;
        }
        // A mark belongs to what it stands behind, whatever its script: where Unicode reorders marks, it may stand between
        // a letter and the accent of that letter.
        let goes_on = if is_combining_mark(character) {
            end > start
        } else {
            character.is_alphanumeric() && !has_no_spaces(character)
        };
        if !goes_on {
            return (end, Some(character));
        }
    }
    (text.len(), None)
}

fn fold_word(word: &str, folded: &mut String) {
    folded.clear();
    folded.extend(word.nfkc().flat_map(char::to_lowercase));
}

/// Scripts whose words are not parted by spaces, by the blocks that hold their letters and marks.
fn has_no_spaces(character: char) -> bool {
    matches!(character,
        '\u{0E00}'..='\u{0EFF}'     // Thai, Lao
        | '\u{1000}'..='\u{109F}'   // Burmese
        | '\u{1780}'..='\u{17FF}'   // Khmer
        | '\u{3005}'..='\u{3007}'
        | '\u{3041}'..='\u{30FF}'   // Hiragana, Katakana
        | '\u{31F0}'..='\u{31FF}'
        | '\u{3400}'..='\u{4DBF}'   // Han
        | '\u{4E00}'..='\u{9FFF}'
        | '\u{AA60}'..='\u{AA7F}'
        | '\u{F900}'..='\u{FAFF}'
        | '\u{FF66}'..='\u{FF9D}'   // half-width Katakana
        | '\u{20000}'..='\u{323AF}'
    )
}

/// Hashes a word eight bytes at a time; `case` is or-ed into every byte, which lowers ASCII letters and keeps digits.
fn hash_word(word: &[u8], case: u64) -> u64 {
    let mut hash = word.len() as u64;
    let mut chunks = word.chunks_exact(8);
    for chunk in &mut chunks {
        let mut eight = [0; 8];
        eight.copy_from_slice(chunk);
        hash = absorb(hash, u64::from_le_bytes(eight) | case);
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        let mut eight = [0; 8];
        eight[..rest.len()].copy_from_slice(rest);
        let filled = u64::MAX >> (64 - 8 * rest.len());
        hash = absorb(hash, u64::from_le_bytes(eight) | case & filled);
    }
    mix(hash)
}

fn absorb(hash: u64, eight: u64) -> u64 {
    (hash.rotate_left(29) ^ eight).wrapping_mul(MULTIPLIER)
}

/// Returns a hash of every `n` words in a row, in order; nothing where there are fewer. One multiplication for a word
/// that comes and one for a word that goes, whatever `n` is.
pub(super) fn ngrams(words: &[u64], n: usize) -> impl Iterator<Item = u64> {
    let n_windows = if n == 0 { 0 } else { (words.len() + 1).saturating_sub(n) };
    let leading = (1..n).fold(1_u64, |power, _| power.wrapping_mul(MULTIPLIER));
    let mut sum = words.iter().take(n.saturating_sub(1)).fold(0_u64, |sum, word| append(sum, *word));
    (0..n_windows).map(move |start| {
        sum = append(sum, words[start + n - 1]);
        let hash = mix(sum);
        sum = sum.wrapping_sub(words[start].wrapping_mul(leading));
        hash
    })
}

fn append(sum: u64, word: u64) -> u64 {
    sum.wrapping_mul(MULTIPLIER).wrapping_add(word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<u64> {
        let mut words = Vec::new();
        push_words(text, &mut words);
        words
    }

    #[test]
    fn case_punctuation_and_unicode_form_make_no_difference() {
        for (left, right) in [
            ("Hello, World!", "hello world"),
            ("  A\r\nlong-winded  answer\t", "a long winded answer"),
            ("Caf\u{e9} au lait", "CAFE\u{301} au lait"),
            ("\u{ff21}\u{ff22}\u{ff23}", "abc"),
            ("stra\u{df}e 12", "Stra\u{df}e\u{2014}12"),
            ("\u{1F600} yes \u{1F469}\u{200D}\u{1F52C}", "yes"),
            ("eightchr longerthaneight", "EIGHTCHR LongerThanEight"),
        ] {
            assert_eq!(words(left), words(right), "{left} and {right}");
        }
        assert_ne!(words("cafe"), words("caf\u{e9}"));
        assert_ne!(words("ab c"), words("a bc"));
        assert_eq!(words("\u{1F600} \u{2026} !?"), Vec::<u64>::new());
    }

    #[test]
    fn every_character_is_a_word_where_a_script_has_no_spaces() {
        assert_eq!(words("\u{6771}\u{4EAC}\u{3068}\u{3044}\u{3046}").len(), 5);
        assert_eq!(words("\u{E01}\u{E34}\u{E19}").len(), 2, "a mark belongs to its character");
        assert_eq!(words("\u{304B}\u{3099}"), words("\u{304C}"));
        assert_eq!(words("\u{3A5}\u{E38}\u{314}\u{300}"), words("\u{1F5B}\u{E38}"), "marks change their places");
        assert_eq!(words("\u{1FED}\u{EC8}"), words(""), "no word begins with a mark");
        assert_eq!(words("\u{D55C}\u{AD6D}\u{C5B4} \u{BB38}\u{C7A5}").len(), 2, "Korean is written with spaces");
        assert_eq!(words("\u{915}\u{94D}\u{92F}\u{93E} hai").len(), 2, "and to its word");
        assert_eq!(words("iPhone\u{3092}\u{8CB7}\u{3046}"), words("iphone \u{3092} \u{8CB7} \u{3046}"));
    }

    #[test]
    fn ngrams_are_those_of_every_window() {
        let sequence = words("one two three four five one two three");

        let found: Vec<u64> = ngrams(&sequence, 3).collect();

        assert_eq!(found.len(), 6);
        assert_eq!(found[0], found[5], "the same words give the same hash wherever they stand");
        for (start, hash) in found.iter().enumerate() {
            assert_eq!(ngrams(&sequence[start..start + 3], 3).collect::<Vec<_>>(), [*hash]);
        }
        assert_ne!(ngrams(&words("a b c"), 3).next(), ngrams(&words("c b a"), 3).next(), "order counts");
        assert_eq!(ngrams(&sequence, 9).count() + ngrams(&[], 5).count() + ngrams(&sequence, 0).count(), 0);
    }

    proptest! {
        #[test]
        fn any_text_has_the_words_of_its_parts(left in "\\PC{0,40}", right in "\\PC{0,40}") {
            let mut parts = words(&left);
            parts.extend(words(&right));

            prop_assert_eq!(words(&format!("{left} \n {right}")), parts);
            prop_assert_eq!(words(&left.nfd().collect::<String>()), words(&left.nfc().collect::<String>()));
        }
    }
}
