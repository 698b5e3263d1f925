//! What an export's rows look like in numbers: for `stats.json`, and for the warnings that go with an export.
//!
//! Pure and exact: the same rows in the same order give the same text (DS-2).

use std::collections::BTreeMap;

use serde::Serialize;

use super::export_bias_counts::{Biases, Found};
use crate::dataset::example::{Example, FirstShown, RowKind, Split};
use crate::dataset::label_balance::{LabelWeights, label_weights};
use crate::dataset::plan::UserRows;
use crate::dataset::redact::Redacted;
use crate::domain::recipe::{Format, Formats, Options, Recipe};

/// Token limits that trainers apply by default or that users set, and the characters that a token takes on average.
const TOKEN_LIMITS: [u64; 4] = [1024, 2048, 4096, 8192];
const CHARS_PER_TOKEN: u64 = 4;
/// Fewer rows say nothing about a share.
const N_ROWS_TO_JUDGE: u64 = 30;

/// Numbers of an export, for each kind of row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExportStats(BTreeMap<RowKind, Stats>);

impl ExportStats {
    /// Counts a row.
    pub fn add(&mut self, example: &Example, split: Split) {
        self.0.entry(example.body.kind()).or_default().add(example, split);
    }

    /// Takes in the numbers of other kinds of rows.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Sums up what may bias the rows, once all are counted.
    pub fn close(&mut self, found: &Found, users: &BTreeMap<RowKind, UserRows>) {
        for (kind, stats) in &mut self.0 {
            stats.biases.close(*kind, found, users.get(kind).copied());
        }
    }

    /// Returns the numbers of a format's rows, where it has some.
    pub fn of(&self, format: Format) -> Option<&Stats> {
        self.of_kind(RowKind::of(format))
    }

    /// Returns the numbers of a kind of rows, where there are some.
    pub fn of_kind(&self, kind: RowKind) -> Option<&Stats> {
        self.0.get(&kind)
    }

    /// Writes `stats.json`: the numbers of the only format, or those of each under its word, and what was replaced.
    pub fn to_json(&self, formats: &Formats, pii: &Redacted) -> String {
        #[derive(Serialize)]
        struct One<'a> {
            #[serde(flatten)]
            rows: Option<&'a Stats>,
            pii: &'a Redacted,
        }
        #[derive(Serialize)]
        struct Several<'a> {
            formats: BTreeMap<&'static str, &'a Stats>,
            pii: &'a Redacted,
        }
        let text = if let Some(format) = formats.only() {
            serde_json::to_string_pretty(&One { rows: self.of(format), pii })
        } else {
            let rows = formats.iter().filter_map(|format| Some((format.as_str(), self.of(format)?)));
            serde_json::to_string_pretty(&Several { formats: rows.collect(), pii })
        };
        // Structs of finite numbers and maps with string keys always serialise.
        text.unwrap_or_default() + "\n"
    }

    /// Says what whoever trains on the rows should know; what is true of two formats with the same rows is said once.
    pub fn warnings(&self, recipe: &Recipe) -> Vec<String> {
        let formats = &recipe.formats;
        let mut told = Vec::new();
        for (kind, stats) in &self.0 {
            // Ties are of no format: they lie beside one.
            if *kind == RowKind::Tie {
                continue;
            }
            let words: Vec<String> = formats
                .iter()
                .filter(|format| RowKind::of(*format) == *kind)
                .map(|format| format!("`{}`", format.as_str()))
                .collect();
            let of = if formats.only().is_some() { String::new() } else { format!("{}: ", words.join(" and ")) };
            told.extend(stats.warnings(&recipe.options).into_iter().map(|warning| format!("{of}{warning}")));
        }
        told
    }
}

/// Numbers of the rows of one kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Stats {
    /// Rows in all.
    pub n_examples: u64,
    /// Rows by split.
    pub splits: BTreeMap<&'static str, u64>,
    /// Rows by the signal that made them.
    pub signals: BTreeMap<&'static str, u64>,
    /// Rows by the rule that made them.
    pub rules: BTreeMap<&'static str, u64>,
    /// Rows by the source of the better answer.
    pub chosen_sources: BTreeMap<&'static str, u64>,
    /// Rows by model, as the better and as the worse side.
    pub models: BTreeMap<String, ModelCounts>,
    /// Rows by language tag; empty where it is unknown.
    pub languages: BTreeMap<String, u64>,
    /// Votes behind the rows.
    pub votes: Votes,
    /// Rows by the consent that they rest on: `recorded`, `presumed` or `none`.
    pub consent: BTreeMap<&'static str, u64>,
    /// Lengths in characters.
    pub lengths: Lengths,
    /// For pairs only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairs: Option<Pairs>,
    /// What may bias the rows.
    pub biases: Biases,
    /// For labelled answers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Labels>,
}

/// What is known of labelled answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Labels {
    /// Rows whose answer is good.
    pub n_desirable: u64,
    /// Rows whose answer is bad.
    pub n_undesirable: u64,
    /// Of the rows to train on, those whose answer is good.
    pub n_train_desirable: u64,
    /// Of the rows to train on, those whose answer is bad.
    pub n_train_undesirable: u64,
    /// What a good answer of the train split must weigh for KTO.
    pub desirable_weight: f64,
    /// What a bad one must weigh.
    pub undesirable_weight: f64,
}

impl Labels {
    fn add(&mut self, label: bool, split: Split) {
        let is_train = u64::from(split == Split::Train);
        if label {
            self.n_desirable += 1;
            self.n_train_desirable += is_train;
        } else {
            self.n_undesirable += 1;
            self.n_train_undesirable += is_train;
        }
        let weights = label_weights(self.n_train_desirable, self.n_train_undesirable);
        (self.desirable_weight, self.undesirable_weight) =
            weights.map_or((1.0, 1.0), |weights| (weights.desirable, weights.undesirable));
    }

    fn warning(self) -> Option<String> {
        let Self { n_train_desirable: n_good, n_train_undesirable: n_bad, .. } = self;
        if n_good == 0 && n_bad == 0 {
            return None;
        }
        if n_good == 0 || n_bad == 0 {
            return Some(format!(
                "The train split holds {n_good} good answers and {n_bad} bad ones: KTO needs both, and trains on one \
                 class without a word."
            ));
        }
        let is_balanced = label_weights(n_good, n_bad)? == LabelWeights { desirable: 1.0, undesirable: 1.0 };
        (!is_balanced).then(|| {
            format!("The train split holds {n_good} good answers and {n_bad} bad ones: give KTO{}.", self.flags())
        })
    }

    /// Returns the flags that give TRL's KTO trainer the weights.
    pub fn flags(self) -> String {
        format!(" --desirable_weight {} --undesirable_weight {}", self.desirable_weight, self.undesirable_weight)
    }
}

/// How often a model is on either side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ModelCounts {
    /// Rows whose better (or only) answer it wrote.
    pub n_chosen: u64,
    /// Rows whose worse answer it wrote.
    pub n_rejected: u64,
}

/// Votes behind the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Votes {
    /// Votes in all.
    pub n_votes: u64,
    /// Rows with more than one vote.
    pub n_rows_with_several: u64,
    /// Of these, rows on which all agree.
    pub n_unanimous: u64,
    /// Mean agreement of these; nothing where there are none.
    pub mean_agreement: Option<f64>,
    #[serde(skip)]
    sum_agreement: f64,
}

/// Lengths of the rows, in characters (Unicode scalar values).
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Lengths {
    /// Of prompts.
    pub prompt: Histogram,
    /// Of better (or only) answers.
    #[serde(skip_serializing_if = "Histogram::is_empty")]
    pub chosen: Histogram,
    /// Of worse answers.
    #[serde(skip_serializing_if = "Histogram::is_empty")]
    pub rejected: Histogram,
    /// Rows whose prompt and longest answer together exceed a number of tokens, at four characters each.
    pub over_tokens: Vec<OverTokens>,
}

/// Rows that exceed a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OverTokens {
    /// The limit in tokens.
    pub n_tokens: u64,
    /// Rows beyond it.
    pub n_rows: u64,
}

/// Counts by length.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Histogram {
    /// The longest.
    pub max_chars: u64,
    /// Sum of all lengths.
    pub total_chars: u64,
    /// Counts by power of two, shortest first; empty buckets are left out.
    pub buckets: Vec<Bucket>,
}

/// A bucket of a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// Upper bound, inclusive.
    pub up_to_chars: u64,
    /// Texts in it.
    pub n: u64,
}

/// What is known of pairs as pairs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Pairs {
    /// The better answer is the longer one.
    pub n_chosen_longer: u64,
    /// The worse answer is the longer one.
    pub n_rejected_longer: u64,
    /// Both answers are of one model.
    pub n_same_policy: u64,
    /// It is recorded which answer was seen first.
    pub n_position_known: u64,
    /// Of these, the answer that was seen first is the better one.
    pub n_first_chosen: u64,
}

impl Histogram {
    fn add(&mut self, n_chars: u64) {
        self.max_chars = self.max_chars.max(n_chars);
        self.total_chars += n_chars;
        let up_to_chars = n_chars.max(32).next_power_of_two();
        match self.buckets.binary_search_by_key(&up_to_chars, |bucket| bucket.up_to_chars) {
            Ok(place) => self.buckets[place].n += 1,
            Err(place) => self.buckets.insert(place, Bucket { up_to_chars, n: 1 }),
        }
    }

    fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }
}

impl Stats {
    /// Counts a row.
    pub fn add(&mut self, example: &Example, split: Split) {
        self.n_examples += 1;
        *self.splits.entry(split.as_str()).or_default() += 1;
        *self.signals.entry(example.signal.as_str()).or_default() += 1;
        *self.rules.entry(example.rule).or_default() += 1;
        *self.chosen_sources.entry(example.chosen_source.as_str()).or_default() += 1;
        if let Some(word) = example.consent.word() {
            *self.consent.entry(word).or_default() += 1;
        }
        count(&mut self.languages, &example.language, |n| *n += 1);
        count(&mut self.models, &example.chosen_model, |counts| counts.n_chosen += 1);
        if let Some(model) = &example.rejected_model {
            count(&mut self.models, model, |counts| counts.n_rejected += 1);
        }
        if let Some(label) = example.body.label() {
            self.labels.get_or_insert_default().add(label, split);
        }
        self.votes.add(example);
        self.biases.add(example);
        self.add_texts(example);
    }

    fn add_texts(&mut self, example: &Example) {
        let n_chars = |text: &str| text.chars().count() as u64;
        let n_prompt: u64 = example.body.prompt().iter().map(|turn| n_chars(&turn.content)).sum();
        self.lengths.prompt.add(n_prompt);
        let n_chosen = example.body.answer().map_or(0, n_chars);
        if example.body.answer().is_some() {
            self.lengths.chosen.add(n_chosen);
        }
        let mut n_longest = n_chosen;
        if let Some(rejected) = example.body.worse_answer() {
            let n_rejected = n_chars(rejected);
            self.lengths.rejected.add(n_rejected);
            n_longest = n_longest.max(n_rejected);
            let pairs = self.pairs.get_or_insert_default();
            pairs.n_chosen_longer += u64::from(n_chosen > n_rejected);
            pairs.n_rejected_longer += u64::from(n_rejected > n_chosen);
            pairs.n_same_policy += u64::from(example.rejected_model.as_ref() == Some(&example.chosen_model));
            pairs.n_position_known += u64::from(example.shown_first != FirstShown::Unknown);
            pairs.n_first_chosen += u64::from(example.shown_first == FirstShown::Chosen);
        }
        if self.lengths.over_tokens.is_empty() {
            self.lengths.over_tokens = TOKEN_LIMITS.map(|n_tokens| OverTokens { n_tokens, n_rows: 0 }).to_vec();
        }
        for over in &mut self.lengths.over_tokens {
            over.n_rows += u64::from(n_prompt + n_longest > over.n_tokens * CHARS_PER_TOKEN);
        }
    }

    /// Returns the flags for texts that trainers would drop or cut: the smallest limit that nearly all rows keep.
    pub fn length_flags(&self) -> String {
        let over = &self.lengths.over_tokens;
        let fits = |limit: &&OverTokens| limit.n_rows * 100 <= self.n_examples;
        match over.iter().find(fits).or(over.last()) {
            Some(limit) if limit.n_tokens > TOKEN_LIMITS[0] => format!(" --max_length {}", limit.n_tokens),
            _ => String::new(),
        }
    }

    /// Returns the flags for votes that are wrong at times: the unbiased loss of Chowdhury et al. 2024 (rDPO).
    pub fn noise_flags(&self) -> String {
        let smoothing = self.biases.label_noise.and_then(|noise| noise.label_smoothing());
        smoothing.map_or_else(String::new, |e| format!(" --loss_type robust --label_smoothing {e}"))
    }

    fn warnings(&self, options: &Options) -> Vec<String> {
        let mut warnings = Vec::new();
        let n = self.n_examples;
        if n < N_ROWS_TO_JUDGE {
            warnings.push(format!("With {n} rows this is enough to try a pipeline, not to train a model."));
        }
        if let Some(over) = self.lengths.over_tokens.first()
            && over.n_rows * 100 > n
        {
            warnings.push(format!(
                "About {} of {n} rows exceed {} tokens, which TRL's trainers drop or cut by default: set max_length.",
                over.n_rows, over.n_tokens
            ));
        }
        warnings.extend(self.labels.and_then(Labels::warning));
        warnings.extend(self.biases.warnings(options));
        warnings
    }
}

impl Votes {
    fn add(&mut self, example: &Example) {
        self.n_votes += u64::from(example.n_votes);
        if example.n_votes > 1 {
            self.n_rows_with_several += 1;
            self.n_unanimous += u64::from(example.agreement >= 1.0);
            self.sum_agreement += example.agreement;
            self.mean_agreement = Some(self.sum_agreement / self.n_rows_with_several as f64);
        }
    }
}

/// Changes the entry of a key, copying the key only where it is new.
fn count<V: Default>(counts: &mut BTreeMap<String, V>, key: &str, change: impl FnOnce(&mut V)) {
    if let Some(value) = counts.get_mut(key) {
        change(value);
    } else {
        change(counts.entry(key.to_owned()).or_default());
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::dataset::example::{Body, ChosenSource, Turn};
    use crate::dataset::feedback_text::FeedbackText;
    use crate::domain::clock::Timestamp;
    use crate::domain::consent::Ground;
    use crate::domain::feedback::Signal;
    use crate::domain::hash::ContentHash;
    use crate::domain::ids::{CompletionId, FeedbackId};

    fn pair(chosen: &str, rejected: &str, shown_first: FirstShown) -> Example {
        let prompt = vec![Turn { role: "user", content: "é".repeat(100) }];
        Example {
            row_id: ContentHash([1; 16]),
            prompt_hash: ContentHash([2; 16]),
            body: Body::Pair { prompt, chosen: chosen.to_owned(), rejected: rejected.to_owned() },
            feedback_text: FeedbackText::default(),
            tools: None,
            signal: Signal::Preference,
            rule: "preference",
            chosen_id: CompletionId::parse("a").unwrap(),
            rejected_id: Some(CompletionId::parse("b").unwrap()),
            feedback_ids: vec![FeedbackId(Uuid::nil())],
            chosen_model: "m".to_owned(),
            rejected_model: Some("n".to_owned()),
            chosen_source: ChosenSource::Model,
            n_votes: 2,
            agreement: 0.75,
            preference_strength: 1.0,
            sample_weight: 1.0,
            consent: Ground::Recorded,
            shown_first,
            language: "de".to_owned(),
            experiment: None,
            created_at: Timestamp::UNIX_EPOCH,
            conversations: Vec::new(),
            users: Vec::new(),
            voters: Vec::new(),
            ties: Vec::new(),
        }
    }

    fn stats(examples: impl IntoIterator<Item = Example>) -> Stats {
        let mut stats = Stats::default();
        for example in examples {
            stats.add(&example, Split::Train);
        }
        stats.biases.close(RowKind::Pair, &Found::default(), None);
        stats
    }

    #[test]
    fn rows_are_counted_by_everything_that_is_asked_about_them() {
        let stats = stats([
            pair("longer", "short", FirstShown::Chosen),
            pair("a", "longer", FirstShown::Rejected),
            pair("same", "same", FirstShown::Unknown),
        ]);

        assert_eq!((stats.n_examples, stats.splits["train"], stats.signals["preference"]), (3, 3, 3));
        assert_eq!(stats.models["m"], ModelCounts { n_chosen: 3, n_rejected: 0 });
        assert_eq!(stats.models["n"], ModelCounts { n_chosen: 0, n_rejected: 3 });
        let pairs = stats.pairs.unwrap();
        assert_eq!((pairs.n_chosen_longer, pairs.n_rejected_longer, pairs.n_same_policy), (1, 1, 0));
        assert_eq!((pairs.n_position_known, pairs.n_first_chosen), (2, 1));
        assert_eq!((stats.votes.n_votes, stats.votes.mean_agreement), (6, Some(0.75)));
        assert_eq!(stats.lengths.prompt.buckets, [Bucket { up_to_chars: 128, n: 3 }], "characters, not bytes");
    }

    #[test]
    fn a_lopsided_set_is_warned_about_and_a_balanced_one_is_not() {
        let long = "x".repeat(5_000);
        let lopsided = stats((0..40).map(|_| pair(&long, "short", FirstShown::Chosen))).warnings(&Options::default());
        let balanced = stats((0..40).map(|n| {
            let (chosen, rejected) = if n % 2 == 0 { ("longer", "short") } else { ("short", "longer") };
            pair(chosen, rejected, if n % 2 == 0 { FirstShown::Chosen } else { FirstShown::Rejected })
        }));

        assert_eq!(balanced.warnings(&Options::default()), Vec::<String>::new());
        let starts = [
            "About 40 of 40 rows exceed 1024 tokens",
            "The better answer is the longer one",
            "The answer that was seen first",
        ];
        assert_eq!(lopsided.len(), starts.len(), "{lopsided:?}");
        for (warning, start) in lopsided.iter().zip(starts) {
            assert!(warning.starts_with(start), "{warning}");
        }
    }
}
