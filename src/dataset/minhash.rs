//! MinHash: a text as 128 small numbers of which two texts share about as many as their sets of shingles overlap.
//!
//! A shingle is five words in a row (`dataset::words`); a text of fewer words is one shingle. Under each of 128 random
//! orders of all shingles, the first shingle of a text is noted. Two texts note the same one with probability
//! J = |A ∩ B| / |A ∪ B|, the Jaccard similarity of their sets (Broder, "On the resemblance and containment of
//! documents", 1997), so that the share of equal notes estimates J with a standard error of sqrt(J (1 - J) / 128).
//!
//! The 128 orders are drawn by fast similarity sketching (Dahlgaard, Knudsen, Thorup, FOCS 2017, Algorithm 1): shingles
//! are thrown into 128 bins round by round until every bin has one, and a bin keeps its smallest. That is about
//! n + 128 ln 128 hashes in place of 128 n, with the same expectation and the same concentration. Of each note eight
//! bits are kept (Li and König, "b-Bit minwise hashing", WWW 2010), and what two different notes then share by chance,
//! 1/256, is taken out of the estimate.

use super::example::Turn;
use super::words::{mix, ngrams, push_words};
use crate::domain::hash::ContentHash;

/// Words of a shingle.
const N_WORDS_OF_SHINGLE: usize = 5;
/// With fewer shingles one other word at an end already leaves less than 0.85 of them in common: 12/14.
const N_SHINGLES_OF_LIKENESS: usize = 13;
/// Notes of a signature.
pub(super) const N_NOTES: usize = 128;
/// Notes in one word of a signature, which also is a band of it.
const N_NOTES_OF_BAND: usize = 8;
/// Bands of a signature.
pub(super) const N_BANDS: usize = N_NOTES / N_NOTES_OF_BAND;
/// Two different notes look the same in eight bits as often as this.
const BY_CHANCE: f64 = 1.0 / 256.0;
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
const LOW_BITS: u64 = (1 << 48) - 1;

/// What is kept of a text: 128 notes of eight bits, eight to a band.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature([u64; N_BANDS]);

impl Signature {
    /// Returns a band: texts that share it are candidates.
    pub(super) fn band(&self, nth: usize) -> u64 {
        self.0[nth]
    }

    /// Estimates the Jaccard similarity of two texts' shingles, 0 to 1.
    pub fn similarity(&self, other: &Self) -> f64 {
        let share = f64::from(self.n_equal(other)) / N_NOTES as f64;
        ((share - BY_CHANCE) / (1.0 - BY_CHANCE)).max(0.0)
    }

    /// Counts equal notes: bytes of the exclusive or that are zero.
    fn n_equal(&self, other: &Self) -> u32 {
        const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
        let of_band = |left: u64, right: u64| {
            let difference = left ^ right;
            (!(((difference & LOW) + LOW) | difference | LOW)).count_ones()
        };
        self.0.iter().zip(&other.0).map(|(left, right)| of_band(*left, *right)).sum()
    }
}

/// The standard error of an estimate where the similarity is `similarity`.
pub(super) fn standard_error(similarity: f64) -> f64 {
    (similarity * (1.0 - similarity) / N_NOTES as f64).sqrt()
}

/// Makes signatures under one salt; those of two salts have nothing to do with each other.
#[derive(Debug, Clone)]
pub struct Sketcher {
    seed: u64,
    words: Vec<u64>,
    shingles: Vec<u64>,
}

impl Sketcher {
    /// Draws the orders from a salt.
    pub fn new(salt: &str) -> Self {
        let hash = ContentHash::of_bytes("minhash", salt.as_bytes());
        let seed = hash.0.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte));
        Self { seed, words: Vec::new(), shingles: Vec::new() }
    }

    /// Takes the signature of a text that comes in parts; the parts follow each other.
    pub fn of_parts<'a>(&mut self, parts: impl IntoIterator<Item = &'a str>) -> Signature {
        self.words.clear();
        for part in parts {
            push_words(part, &mut self.words);
        }
        self.shingles.clear();
        if self.words.len() < N_WORDS_OF_SHINGLE {
            self.shingles.push(whole(&self.words));
        } else {
            self.shingles.extend(ngrams(&self.words, N_WORDS_OF_SHINGLE));
        }
        sketch(&self.shingles, self.seed)
    }

    /// Takes the signature of a prompt: of all its turns but the system's, which is the application's and the same from
    /// prompt to prompt. Where these are so short that any other word makes another text, the prompt is like another one
    /// only if all words of both are the same, those of the system's turns included.
    pub fn of_prompt(&mut self, prompt: &[Turn]) -> Signature {
        let others = prompt.iter().filter(|turn| turn.role != "system");
        let signature = self.of_parts(others.map(|turn| turn.content.as_str()));
        if self.shingles.len() >= N_SHINGLES_OF_LIKENESS {
            return signature;
        }
        self.words.clear();
        for turn in prompt {
            push_words(&turn.content, &mut self.words);
        }
        sketch(&[whole(&self.words)], self.seed)
    }
}

fn whole(words: &[u64]) -> u64 {
    // A text without words is like every other one without: their number, zero, is all there is.
    ngrams(words, words.len()).next().unwrap_or(GOLDEN)
}

/// Algorithm 1 of fast similarity sketching: `shingles` must hold at least one.
fn sketch(shingles: &[u64], seed: u64) -> Signature {
    let mut notes = [u64::MAX; N_NOTES];
    let mut n_empty = N_NOTES;
    for round in 0..2 * N_NOTES as u64 {
        let seed_of_round = mix(seed.wrapping_add(round.wrapping_mul(GOLDEN)));
        for shingle in shingles {
            let hash = mix(shingle ^ seed_of_round);
            // From the second half on every bin has a round of its own, so that none stays empty.
            let bin = if round < N_NOTES as u64 { (hash >> 57) as usize } else { round as usize - N_NOTES };
            let note = round << 48 | hash & LOW_BITS;
            n_empty -= usize::from(notes[bin] == u64::MAX);
            notes[bin] = notes[bin].min(note);
        }
        if n_empty == 0 {
            break;
        }
    }
    let mut bands = [0; N_BANDS];
    for (bin, note) in notes.iter().enumerate() {
        let eight_bits = mix(note.wrapping_add((bin as u64).wrapping_mul(GOLDEN))) >> 56;
        bands[bin / N_NOTES_OF_BAND] |= eight_bits << (8 * (bin % N_NOTES_OF_BAND));
    }
    Signature(bands)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn words(numbers: impl IntoIterator<Item = usize>) -> String {
        numbers.into_iter().map(|number| format!("w{number}")).collect::<Vec<_>>().join(" ")
    }

    fn exact(left: &str, right: &str) -> f64 {
        let shingles = |text: &str| -> BTreeSet<Vec<String>> {
            let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            words.windows(5).map(<[String]>::to_vec).collect()
        };
        let (left, right) = (shingles(left), shingles(right));
        left.intersection(&right).count() as f64 / left.union(&right).count() as f64
    }

    fn similarity(left: &str, right: &str, salt: &str) -> f64 {
        let mut sketcher = Sketcher::new(salt);
        sketcher.of_parts([left]).similarity(&sketcher.of_parts([right]))
    }

    #[test]
    fn the_estimate_has_the_mean_and_the_spread_of_128_independent_orders() {
        for (n_words, n_changed) in [(40, 2), (200, 10), (200, 60), (2_000, 300), (12, 4)] {
            let left = words(0..n_words);
            let right = words((0..n_words - n_changed).chain(9_000..9_000 + n_changed));
            let truth = exact(&left, &right);

            let estimates: Vec<f64> = (0..400).map(|salt| similarity(&left, &right, &salt.to_string())).collect();

            let mean = estimates.iter().sum::<f64>() / 400.0;
            let variance = estimates.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / 399.0;
            let expected = truth * (1.0 - truth) / 128.0;
            // Five standard errors of a mean of 400; the eight bits add a little to the spread.
            assert!((mean - truth).abs() < 5.0 * (expected / 400.0).sqrt() + 1e-3, "{n_words}: {mean} for {truth}");
            assert!(variance < 1.5 * expected + 1e-4, "{n_words}: {variance} for {expected}");
        }
    }

    #[test]
    fn equal_words_are_alike_and_strangers_are_not() {
        assert!((similarity("", "\u{1F600}!", "s") - 1.0).abs() < 1e-12, "no words at all are like no words");
        assert!((similarity("Short one", "short, one!", "s") - 1.0).abs() < 1e-12);
        assert!(similarity("short one", "short two", "s") < 0.1);
        assert!(similarity(&words(0..100), &words(200..300), "s") < 0.05);
        let backwards: String = words((0..100).rev());
        assert!(similarity(&words(0..100), &backwards, "s") < 0.05, "the order of words counts");
    }

    #[test]
    fn a_signature_is_the_same_for_ever() {
        let mut sketcher = Sketcher::new("afterword");

        let signature = sketcher.of_parts(["The quick brown fox", "jumps over the lazy dog"]);

        // A golden value: a change of it moves rows of data sets that people have trained on.
        assert_eq!(format!("{:016x}{:016x}", signature.band(0), signature.band(15)), GOLDEN_BANDS);
        assert_eq!(signature, sketcher.of_parts(["The quick brown fox jumps over the lazy dog"]));
    }

    const GOLDEN_BANDS: &str = "db531834add91322729234c61574a669";

    #[test]
    fn a_megabyte_without_a_space_is_one_word() {
        let mut sketcher = Sketcher::new("s");
        let (long, other) = ("a".repeat(1 << 20), "a".repeat((1 << 20) - 1));

        assert!(sketcher.of_parts([long.as_str()]).similarity(&sketcher.of_parts([other.as_str()])) < 0.1);
    }

    #[test]
    fn a_prompt_is_what_is_asked_and_not_what_the_application_says() {
        let mut sketcher = Sketcher::new("s");
        let mut of = |system: &str, user: &str| {
            let turn = |role, content: &str| Turn { role, content: content.to_owned() };
            sketcher.of_prompt(&[turn("system", system), turn("user", user)])
        };
        let (manual, other_manual, question) = (words(0..500), words(1_000..1_200), words(5_000..5_040));

        assert_eq!(of(&manual, &question), of(&other_manual, &question), "one question under two system prompts");
        assert!(of(&manual, &question).similarity(&of(&manual, &words(6_000..6_040))) < 0.1);
        assert_eq!(of(&manual, "Who was it?"), of(&manual, "who was it"));
        assert!(of(&manual, "Who was it?").similarity(&of(&manual, "Who was she?")) < 0.1);
        assert!(of(&manual, "Go on.").similarity(&of(&other_manual, "Go on.")) < 0.1, "the system's turn says what");
    }

    proptest! {
        #[test]
        fn a_text_is_like_itself_and_likeness_is_mutual(left in "[a-c ]{0,60}", right in "[a-c ]{0,60}") {
            let mut sketcher = Sketcher::new("s");
            let (left, right) = (sketcher.of_parts([left.as_str()]), sketcher.of_parts([right.as_str()]));

            prop_assert!((left.similarity(&left) - 1.0).abs() < 1e-12);
            prop_assert!((left.similarity(&right) - right.similarity(&left)).abs() < 1e-12);
            prop_assert!((0.0..=1.0).contains(&left.similarity(&right)));
        }
    }
}
