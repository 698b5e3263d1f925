//! Whether a row repeats what a benchmark asks: overlap of 13 words in a row (Brown et al., "Language models are few-shot
//! learners", 2020, appendix C, whose n is 8 to 13).
//!
//! Texts are compared as words (`dataset::words`), so that case, punctuation and spacing do not hide a copy. A text of a
//! benchmark that is shorter than 13 words is looked for as a whole, from 8 words on anywhere in a row, from 4 on only as
//! all that a user says in a turn; of fewer words it is too common to mean anything.
//!
//! What is kept of a benchmark is eight bytes for every word, sorted, behind a filter of bits that lets nearly all words
//! of a row pass without a look-up.

use super::words::{ngrams, push_words};

/// Words in a row that a row may not share with a benchmark.
pub const N_WORDS_OF_OVERLAP: usize = 13;
/// Shorter texts of a benchmark are looked for inside of a row down to this length,
const MIN_WORDS_INSIDE: usize = 8;
/// and as a whole turn of the user's down to this one.
const MIN_WORDS_OF_TURN: usize = 4;
/// Word sequences that all benchmarks together may have: 128 MB of them, and 32 MB of the filter.
pub const MAX_SEQUENCES: usize = 16_000_000;
/// Bits of the filter for each sequence; about one in sixteen strangers passes it.
const N_BITS_OF_SEQUENCE: usize = 16;

/// More than a look-up may hold in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the benchmark files hold more than {MAX_SEQUENCES} word sequences")]
pub struct TooManySequences;

/// The texts of benchmark files, as they are read.
#[derive(Debug, Default)]
pub struct BenchmarkReader {
    files: Vec<Vec<u64>>,
    n_texts: Vec<u64>,
    words: Vec<u64>,
    n_sequences: usize,
    /// By number of words: whether a text is looked for in sequences of that length.
    lengths: [bool; N_WORDS_OF_OVERLAP + 1],
}

impl BenchmarkReader {
    /// Begins a file; what is added from here on is its.
    pub fn begin_file(&mut self) {
        self.files.push(Vec::new());
        self.n_texts.push(0);
    }

    /// Adds a text of the present file: a question, an answer, a paragraph.
    pub fn add(&mut self, text: &str) -> Result<(), TooManySequences> {
        let (Some(file), Some(n_texts)) = (self.files.last_mut(), self.n_texts.last_mut()) else { return Ok(()) };
        self.words.clear();
        push_words(text, &mut self.words);
        let n_before = file.len();
        let n_words = self.words.len().min(N_WORDS_OF_OVERLAP);
        match n_words {
            0..MIN_WORDS_OF_TURN => return Ok(()),
            MIN_WORDS_OF_TURN..MIN_WORDS_INSIDE => file.extend(whole_turn(&self.words)),
            _ => file.extend(ngrams(&self.words, n_words)),
        }
        self.lengths[n_words] = true;
        *n_texts += 1;
        self.n_sequences += file.len() - n_before;
        if self.n_sequences > MAX_SEQUENCES { Err(TooManySequences) } else { Ok(()) }
    }

    /// Makes the texts ready to be looked for.
    pub fn finish(mut self) -> Benchmarks {
        for file in &mut self.files {
            file.sort_unstable();
            file.dedup();
            file.shrink_to_fit();
        }
        let n_sequences: usize = self.files.iter().map(Vec::len).sum();
        let n_words = (n_sequences * N_BITS_OF_SEQUENCE).div_ceil(64).next_power_of_two();
        let mut filter = vec![0_u64; n_words];
        for sequence in self.files.iter().flatten() {
            let (word, bit) = place(*sequence, n_words);
            filter[word] |= bit;
        }
        let lengths = (MIN_WORDS_INSIDE..=N_WORDS_OF_OVERLAP).filter(|n| self.lengths[*n]).collect();
        Benchmarks { files: self.files, n_texts: self.n_texts, filter, lengths }
    }
}

/// A turn that is all of a short text; told apart from the same words inside of a longer one.
fn whole_turn(words: &[u64]) -> Option<u64> {
    ngrams(words, words.len()).next().map(|hash| !hash)
}

fn place(sequence: u64, n_words: usize) -> (usize, u64) {
    // The hashes are spread evenly: the low bits choose the word, the high ones the bit.
    (sequence as usize & (n_words - 1), 1 << (sequence >> 58))
}

/// Benchmark files, ready to be looked for in rows.
#[derive(Debug, Default)]
pub struct Benchmarks {
    files: Vec<Vec<u64>>,
    n_texts: Vec<u64>,
    filter: Vec<u64>,
    /// Lengths of the sequences that are looked for inside of a row.
    lengths: Vec<usize>,
}

impl Benchmarks {
    /// Returns how many texts of each file are long enough to be looked for, in the order in which they were begun.
    pub fn n_texts(&self) -> &[u64] {
        &self.n_texts
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.files.iter().all(Vec::is_empty)
    }

    /// Returns the places of the files that a row repeats, in order; mostly none. Of each of its texts comes whether it is
    /// a user's turn; `words` is scratch.
    pub fn repeated_by<'a>(
        &self,
        texts: impl IntoIterator<Item = (bool, &'a str)>,
        words: &mut Vec<u64>,
    ) -> Vec<usize> {
        let mut found = Vec::new();
        if self.filter.is_empty() {
            return found;
        }
        for (is_users, text) in texts {
            self.look_for(text, is_users, words, &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn look_for(&self, text: &str, is_users: bool, words: &mut Vec<u64>, found: &mut Vec<usize>) {
        words.clear();
        push_words(text, words);
        if is_users && words.len() < MIN_WORDS_INSIDE {
            found.extend(whole_turn(words).into_iter().flat_map(|sequence| self.files_with(sequence)));
        }
        for n_words in &self.lengths {
            for sequence in ngrams(words, *n_words) {
                let (word, bit) = place(sequence, self.filter.len());
                if self.filter[word] & bit != 0 {
                    found.extend(self.files_with(sequence));
                }
            }
        }
    }

    fn files_with(&self, sequence: u64) -> impl Iterator<Item = usize> {
        let holds = move |file: &Vec<u64>| file.binary_search(&sequence).is_ok();
        self.files.iter().enumerate().filter(move |(_, file)| holds(file)).map(|(place, _)| place)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn benchmarks(files: &[&[&str]]) -> Benchmarks {
        let mut reader = BenchmarkReader::default();
        for file in files {
            reader.begin_file();
            for text in *file {
                reader.add(text).unwrap();
            }
        }
        reader.finish()
    }

    fn repeated(benchmarks: &Benchmarks, texts: [&str; 4]) -> Vec<usize> {
        let [system, user, chosen, rejected] = texts;
        let texts = [(false, system), (true, user), (false, chosen), (false, rejected)];
        benchmarks.repeated_by(texts, &mut Vec::new())
    }

    const LONG: &str =
        "Natalia sold clips to forty-eight of her friends in April, and then she sold half as many clips in May.";
    const SHORT: &str = "What happens to you if you eat watermelon seeds?";
    const SHORTER: &str = "Who really caused 9/11?";

    #[test]
    fn thirteen_words_in_a_row_are_found_wherever_a_row_holds_them() {
        let benchmarks =
            benchmarks(&[&[LONG], &["Quite another text that is of no interest at all to anybody who reads this."]]);
        let hidden = "so: SOLD clips  to forty eight of her friends in april\u{2014}and then she went home";

        for texts in [["", hidden, "a", "b"], ["", "q", hidden, "b"], ["", "q", "a", hidden], [hidden, "q", "a", "b"]] {
            assert_eq!(repeated(&benchmarks, texts), [0]);
        }
        let twelve = "sold clips to forty-eight of her friends in April and then he";
        assert_eq!(repeated(&benchmarks, ["", twelve, "a", "b"]), Vec::<usize>::new());
        let across = ["", "Natalia sold clips to forty-eight of her friends", "in April, and then she sold half", "b"];
        assert_eq!(repeated(&benchmarks, across), Vec::<usize>::new(), "not across turns");
    }

    #[test]
    fn short_questions_are_found_as_a_whole() {
        let benchmarks = benchmarks(&[&[SHORT, "Yes", "No", "the answer is B"], &[SHORTER, SHORT]]);

        assert_eq!(benchmarks.n_texts(), [2, 2]);
        let inside = ["", "Question: what happens to you if you eat watermelon seeds? Answer:", "a", "b"];
        assert_eq!(repeated(&benchmarks, inside), [0, 1]);
        assert_eq!(repeated(&benchmarks, ["", "Who really caused 9 11", "a", "b"]), [1]);
        let mentioned = ["", "Tell me who really caused 9/11?", SHORTER, "b"];
        assert_eq!(repeated(&benchmarks, mentioned), Vec::<usize>::new(), "too short to mean anything inside");
        assert_eq!(repeated(&benchmarks, ["", "Yes", "No", "b"]), Vec::<usize>::new());
        assert_eq!(repeated(&Benchmarks::default(), inside), Vec::<usize>::new());
    }

    #[test]
    fn scripts_without_spaces_are_compared_by_characters() {
        let question = "\u{6B27}\u{6D32}\u{6700}\u{957F}\u{7684}\u{6CB3}\u{6D41}\u{662F}\u{54EA}\u{4E00}\u{6761}";
        let benchmarks = benchmarks(&[&[question]]);

        assert_eq!(repeated(&benchmarks, ["", &format!("\u{8BF7}\u{95EE}\u{FF0C}{question}\u{FF1F}"), "a", "b"]), [0]);
    }

    proptest! {
        #[test]
        fn a_copy_of_any_size_from_any_place_is_found(
            numbers in prop::collection::vec(0..50_u8, 13..60),
            start in 0..40_usize,
            around in "[a-z ]{0,30}",
        ) {
            let text: Vec<String> = numbers.iter().map(|number| format!("w{number}")).collect();
            let benchmarks = benchmarks(&[&[&text.join(" ")]]);
            let start = start.min(text.len() - 13);

            let copied = format!("{around}, {} - {around}", text[start..start + 13].join(" "));

            prop_assert_eq!(repeated(&benchmarks, ["", &copied, "a", "b"]), [0]);
            prop_assert_eq!(repeated(&benchmarks, ["", &around, "a", "b"]), Vec::<usize>::new());
        }
    }
}
