//! Which answers get feedback: rates by model, language and length, over all answers and not only the rated ones.
//!
//! Counts only. Who counts them, and what counts as feedback, is for the caller to say.

use std::collections::{BTreeMap, HashMap};

/// Answers whose rate is taken to be the overall one, for each cell, besides the real ones: a cell with three answers
/// must not decide a weight.
const N_IMAGINED_ANSWERS: f64 = 20.0;
/// Largest weight, and one over the smallest: beyond it a handful of rows would stand for everybody.
pub const MAX_WEIGHT: f64 = 5.0;
/// Buckets of length within an octave, hence steps of 9 per cent; deciles are made of them.
const BUCKETS_PER_OCTAVE: f64 = 8.0;
const N_BUCKETS: usize = 161;
/// Parts that lengths are divided into.
const N_DECILES: usize = 10;

/// Returns the lower bounds of the buckets of length, in bytes, ascending: of these a store counts how many a length
/// reaches. Up to about a megabyte; what is longer falls into the last.
pub fn bounds_bytes() -> Vec<i32> {
    let mut bounds: Vec<i32> = (0..N_BUCKETS).map(|n| (n as f64 / BUCKETS_PER_OCTAVE).exp2().floor() as i32).collect();
    bounds.dedup();
    bounds
}

/// Answers that are alike, and how many of them have feedback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The model that answered.
    pub model: String,
    /// Language tag; empty where it is unknown.
    pub language: String,
    /// How many of [`bounds_bytes`] the answer's length reaches.
    pub bucket: u32,
    /// Answers.
    pub n_completions: u64,
    /// Of these, answers with feedback.
    pub n_with_feedback: u64,
}

/// Cells with numbers: answers are counted into them one by one, and rows keep the numbers of theirs.
#[derive(Debug)]
pub struct Cells {
    bounds: Vec<i32>,
    cells: Vec<Cell>,
    /// The number of a cell by model, language and bucket.
    numbers: HashMap<String, HashMap<String, BTreeMap<u32, u32>>>,
}

impl Default for Cells {
    fn default() -> Self {
        Self { bounds: bounds_bytes(), cells: Vec::new(), numbers: HashMap::new() }
    }
}

impl Cells {
    /// Returns the number of the cell of an answer of `n_bytes`.
    pub fn number(&mut self, model: &str, language: &str, n_bytes: u32) -> u32 {
        let bucket = self.bounds.partition_point(|bound| u32::try_from(*bound).is_ok_and(|bound| bound <= n_bytes));
        self.number_of(model, language, bucket as u32)
    }

    /// Counts answers, whether they have feedback or not.
    pub fn add_completions(&mut self, model: &str, language: &str, bucket: u32, n_completions: u64) {
        let number = self.number_of(model, language, bucket);
        self.cells[number as usize].n_completions += n_completions;
    }

    /// Counts an answer of a cell that has feedback.
    pub fn add_feedback(&mut self, number: u32) {
        self.cells[number as usize].n_with_feedback += 1;
    }

    /// Adds the counts of other cells, and returns by their numbers there which numbers they have here.
    pub fn absorb(&mut self, others: &Self) -> Vec<u32> {
        let absorb_one = |other: &Cell| {
            let number = self.number_of(&other.model, &other.language, other.bucket);
            let cell = &mut self.cells[number as usize];
            cell.n_completions += other.n_completions;
            cell.n_with_feedback += other.n_with_feedback;
            number
        };
        others.cells.iter().map(absorb_one).collect()
    }

    /// Returns the cells by their numbers.
    pub fn list(&self) -> &[Cell] {
        &self.cells
    }

    fn number_of(&mut self, model: &str, language: &str, bucket: u32) -> u32 {
        let known = self.numbers.get(model).and_then(|of_model| of_model.get(language)?.get(&bucket));
        if let Some(number) = known {
            return *number;
        }
        let number = self.cells.len() as u32;
        let (model, language) = (model.to_owned(), language.to_owned());
        let of_model = self.numbers.entry(model.clone()).or_default();
        of_model.entry(language.clone()).or_default().insert(bucket, number);
        self.cells.push(Cell { model, language, bucket, n_completions: 0, n_with_feedback: 0 });
        number
    }
}

/// Answers and how many of them have feedback.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Answers.
    pub n_completions: u64,
    /// Of these, answers with feedback.
    pub n_with_feedback: u64,
}

impl Coverage {
    fn add(&mut self, cell: &Cell) {
        self.n_completions += cell.n_completions;
        self.n_with_feedback += cell.n_with_feedback;
    }

    /// Returns the share with feedback; 0 for no answers.
    pub fn rate(self) -> f64 {
        self.n_with_feedback as f64 / (self.n_completions.max(1) as f64)
    }
}

/// A tenth of the answers, by length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decile {
    /// The shortest of them has at least this many bytes.
    pub from_bytes: u32,
    /// How many there are and have feedback.
    pub coverage: Coverage,
}

/// Rates of feedback over all answers of a selection.
#[derive(Debug, Clone, Default)]
pub struct Propensity {
    bounds: Vec<i32>,
    /// The decile of every bucket.
    deciles: Vec<usize>,
    /// By language and decile, within a model.
    cells: HashMap<String, BTreeMap<(String, usize), Coverage>>,
    /// All answers.
    pub total: Coverage,
    /// By model.
    pub models: BTreeMap<String, Coverage>,
    /// By language tag; empty where it is unknown.
    pub languages: BTreeMap<String, Coverage>,
    /// By length, shortest first; equal lengths are never torn apart, so that there may be fewer than ten.
    pub lengths: Vec<Decile>,
}

impl Propensity {
    /// Gathers cells, in whatever order.
    pub fn new(cells: &[Cell]) -> Self {
        let bounds = bounds_bytes();
        let mut propensity = Self { bounds, ..Self::default() };
        let mut buckets = vec![Coverage::default(); propensity.bounds.len() + 1];
        for cell in cells {
            propensity.total.add(cell);
            propensity.models.entry(cell.model.clone()).or_default().add(cell);
            propensity.languages.entry(cell.language.clone()).or_default().add(cell);
            let last = buckets.len() - 1;
            buckets[(cell.bucket as usize).min(last)].add(cell);
        }
        propensity.divide(&buckets);
        for cell in cells {
            let decile = propensity.decile(cell.bucket as usize);
            let of_model = propensity.cells.entry(cell.model.clone()).or_default();
            of_model.entry((cell.language.clone(), decile)).or_default().add(cell);
        }
        propensity
    }

    /// Divides the buckets into tenths: a bucket belongs to the one that its middle answer falls into.
    fn divide(&mut self, buckets: &[Coverage]) {
        let n_all = self.total.n_completions.max(1);
        let mut n_before = 0;
        let mut current = None;
        for (bucket, coverage) in buckets.iter().enumerate() {
            let n = coverage.n_completions;
            let decile = ((2 * n_before + n) * N_DECILES as u64 / (2 * n_all)).min(N_DECILES as u64 - 1) as usize;
            self.deciles.push(decile);
            n_before += n;
            if n == 0 {
                continue;
            }
            if current != Some(decile) {
                current = Some(decile);
                let from_bytes = bucket.checked_sub(1).and_then(|at| self.bounds.get(at)).map_or(0, |at| *at as u32);
                self.lengths.push(Decile { from_bytes, coverage: Coverage::default() });
            }
            if let Some(last) = self.lengths.last_mut() {
                last.coverage.n_completions += n;
                last.coverage.n_with_feedback += coverage.n_with_feedback;
            }
        }
    }

    fn decile(&self, bucket: usize) -> usize {
        self.deciles.get(bucket).or(self.deciles.last()).copied().unwrap_or_default()
    }

    /// Returns the weight of an answer with feedback: one over the rate at which answers like it get any, relative to
    /// the overall rate, so that rows weigh about 1 on average.
    ///
    /// `w = r / r_cell`, `r_cell = (k + r m) / (n + m)` with `k` of the cell's `n` answers rated and `m` imagined ones,
    /// clipped to 1/5 and 5. Inverse propensity weighting (Horvitz & Thompson 1952) by post-stratification. It mends
    /// only what model, language and length explain: whether somebody was annoyed it does not know.
    pub fn weight(&self, of: &Cell) -> f64 {
        let rate = self.total.rate();
        if rate <= 0.0 {
            return 1.0;
        }
        let decile = self.decile(of.bucket as usize);
        let cell = self.cells.get(&of.model).and_then(|cells| cells.get(&(of.language.clone(), decile)));
        let cell = cell.copied().unwrap_or_default();
        let n_rated = cell.n_with_feedback as f64 + rate * N_IMAGINED_ANSWERS;
        let of_cell = n_rated / (cell.n_completions as f64 + N_IMAGINED_ANSWERS);
        (rate / of_cell).clamp(1.0 / MAX_WEIGHT, MAX_WEIGHT)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cell(model: &str, language: &str, n_bytes: i32, n_completions: u64, n_with_feedback: u64) -> Cell {
        let bucket = bounds_bytes().partition_point(|bound| *bound <= n_bytes) as u32;
        Cell { model: model.to_owned(), language: language.to_owned(), bucket, n_completions, n_with_feedback }
    }

    #[test]
    fn bounds_ascend_from_one_byte_to_a_megabyte_in_small_steps() {
        let bounds = bounds_bytes();

        assert_eq!((bounds[0], *bounds.last().unwrap()), (1, 1 << 20));
        for pair in bounds.windows(2) {
            assert!(
                pair[0] < pair[1] && (pair[1] < 16 || f64::from(pair[1]) < 1.1 * f64::from(pair[0]) + 1.0),
                "{pair:?}"
            );
        }
    }

    #[test]
    fn answers_are_counted_into_the_cell_of_their_kind() {
        let mut cells = Cells::default();
        let hundred = cell("a", "en", 100, 0, 0);

        cells.add_completions("a", "en", hundred.bucket, 7);
        let (number, other) = (cells.number("a", "en", 100), cells.number("a", "en", 200));
        cells.add_feedback(number);
        cells.add_feedback(number);

        assert_eq!((number, other, cells.number("a", "en", 101)), (0, 1, 0));
        assert_eq!(cells.list()[0], Cell { n_completions: 7, n_with_feedback: 2, ..hundred });
        assert_eq!((cells.list()[1].n_completions, cells.list()[1].n_with_feedback), (0, 0));
    }

    #[test]
    fn rates_are_told_by_model_language_and_length() {
        let cells = [
            cell("a", "en", 100, 500, 50),
            cell("a", "de", 1_000, 300, 3),
            cell("b", "en", 1_000, 200, 10),
            cell("b", "", 0, 0, 0),
        ];

        let propensity = Propensity::new(&cells);

        assert_eq!(propensity.total, Coverage { n_completions: 1_000, n_with_feedback: 63 });
        assert_eq!(propensity.models["a"], Coverage { n_completions: 800, n_with_feedback: 53 });
        assert_eq!(propensity.languages["en"], Coverage { n_completions: 700, n_with_feedback: 60 });
        let lengths: Vec<(bool, u64)> =
            propensity.lengths.iter().map(|of| (of.from_bytes > 100, of.coverage.n_completions)).collect();
        assert_eq!(lengths, [(false, 500), (true, 500)]);
        assert!((propensity.models["b"].rate() - 0.05).abs() < 1e-12);
    }

    #[test]
    fn deciles_hold_about_a_tenth_each_where_lengths_allow_it() {
        let cells: Vec<Cell> = (0..4_000).map(|n| cell("a", "en", 50 + n, 1, u64::from(n % 10 == 0))).collect();

        let propensity = Propensity::new(&cells);

        assert_eq!(propensity.lengths.len(), 10);
        for decile in &propensity.lengths {
            // The longest bucket holds 9% of all lengths: a decile is a tenth, give or take half of that.
            assert!((200..=600).contains(&decile.coverage.n_completions), "{decile:?}");
        }
    }

    #[test]
    fn answers_that_seldom_get_feedback_weigh_more_within_bounds() {
        let propensity = Propensity::new(&[
            cell("a", "en", 100, 10_000, 1_000),
            cell("a", "de", 100, 10_000, 100),
            cell("b", "en", 100, 10_000, 1),
            cell("c", "en", 100, 3, 3),
        ]);

        let weight = |model, language| propensity.weight(&cell(model, language, 100, 0, 0));

        assert!((0.3..0.5).contains(&weight("a", "en")), "{}", weight("a", "en"));
        assert!((3.0..4.0).contains(&weight("a", "de")), "{}", weight("a", "de"));
        assert!((weight("b", "en") - MAX_WEIGHT).abs() < 1e-12);
        assert!((0.2..0.5).contains(&weight("c", "en")), "three answers do not say much: {}", weight("c", "en"));
        assert!((weight("unheard of", "en") - 1.0).abs() < 1e-12);
        assert!((Propensity::new(&[]).weight(&cell("a", "en", 5, 0, 0)) - 1.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn no_answer_is_lost_between_the_ways_of_counting(
            cells in proptest::collection::vec(("[ab]", "[ed]", 0_u32..200, 0_u64..50, 0_u64..50), 0..30),
        ) {
            let cells: Vec<Cell> = cells
                .into_iter()
                .map(|(model, language, bucket, n, more)| {
                    Cell { model, language, bucket, n_completions: n + more, n_with_feedback: n }
                })
                .collect();

            let propensity = Propensity::new(&cells);

            let n: u64 = cells.iter().map(|cell| cell.n_completions).sum();
            let sum = |counts: &BTreeMap<String, Coverage>| counts.values().map(|of| of.n_completions).sum::<u64>();
            prop_assert_eq!(propensity.total.n_completions, n);
            prop_assert_eq!(sum(&propensity.models), n);
            prop_assert_eq!(sum(&propensity.languages), n);
            prop_assert_eq!(propensity.lengths.iter().map(|of| of.coverage.n_completions).sum::<u64>(), n);
            for cell in &cells {
                let weight = propensity.weight(cell);
                prop_assert!((1.0 / MAX_WEIGHT..=MAX_WEIGHT).contains(&weight));
            }
        }
    }
}
