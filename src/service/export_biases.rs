//! What may bias the rows of an export, in numbers: wrong votes, position, length, a few busy users, and who gives
//! feedback at all. Sections of `stats.json` and of the card, with their warnings.
//!
//! Pure and exact: the same rows give the same numbers (DS-2).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::dataset::Opinion;
use crate::dataset::label_noise::{Disagreement, ERROR_RATE_TO_WARN, error_rate};
use crate::dataset::lengths::{self, PairLengths};
use crate::dataset::propensity::{Coverage, Propensity};
use crate::dataset::weights::EffectiveRows;
use crate::stats::proportion::wilson_ci;

/// Fewer of anything say nothing about a share.
pub(super) const N_TO_JUDGE: u64 = 30;
/// Error rate of the intervals.
const ALPHA: f64 = 0.05;
/// Above this ratio of the most to the least rated kind of answer, selection is worth a warning.
const RATES_APART: f64 = 3.0;

/// Shares and rates with the places after the point that they deserve; and 0.1 + 0.2 is then 0.3.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// Writes a name of the users' so that it can break out of no table, code or line.
pub(super) fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_control() || c == '`' || c == '|' { '?' } else { c }).collect()
}

/// A share with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// What it is a share of.
    pub n: u64,
    /// The share.
    pub share: f64,
    /// Lower end of Wilson's 95% interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Share {
    /// Computes `n_yes` of `n`; nothing for `n = 0`.
    pub fn of(n_yes: u64, n: u64) -> Option<Self> {
        let interval = wilson_ci(n_yes as f64, n as f64, ALPHA)?;
        let share = rounded(interval.estimate?);
        Some(Self { n, share, low: rounded(interval.low), high: rounded(interval.high) })
    }

    /// Tells whether the share is a tenth or more off one half, and its interval excludes one half.
    pub fn is_lopsided(&self) -> bool {
        self.n >= N_TO_JUDGE && (self.share - 0.5).abs() >= 0.1 && (self.low > 0.5 || self.high < 0.5)
    }
}

/// How often votes are wrong.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LabelNoise {
    /// Things on which two known users or more have voted.
    pub n_items: u64,
    /// How often two votes on one of them differ.
    pub disagreement: f64,
    /// The share of wrong votes that makes them differ so often.
    pub error_rate: f64,
    /// Lower end of its 95% interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl LabelNoise {
    /// Estimates the share of wrong votes; nothing where no two users have voted on one thing.
    ///
    /// The ends are those of Wilson's interval of the disagreement, carried through the same formula. It takes every item
    /// as one trial, whose variance none can exceed, so that the interval is rather too wide than too narrow.
    pub fn of(disagreement: &Disagreement) -> Option<Self> {
        let n_items = disagreement.n_items();
        let rate = disagreement.rate()?;
        let interval = wilson_ci(rate * n_items as f64, n_items as f64, ALPHA)?;
        Some(Self {
            n_items,
            disagreement: rounded(rate),
            error_rate: rounded(error_rate(rate)),
            low: rounded(error_rate(interval.low)),
            high: rounded(error_rate(interval.high)),
        })
    }

    /// Tells whether so many votes are wrong that nobody should train on them, however the loss is smoothed.
    pub fn is_too_high(&self) -> bool {
        self.n_items >= N_TO_JUDGE && self.error_rate > ERROR_RATE_TO_WARN
    }

    /// Returns what to smooth labels by, where enough was voted on twice to tell, there is something to smooth, and the
    /// rows may be trained on at all.
    pub fn label_smoothing(&self) -> Option<f64> {
        let smoothing = (self.error_rate * 100.0).round() / 100.0;
        (self.n_items >= N_TO_JUDGE && smoothing >= 0.01 && !self.is_too_high()).then_some(smoothing)
    }

    /// Warns of votes that are wrong too often.
    pub fn warning(&self) -> Option<String> {
        self.is_too_high().then(|| {
            format!(
                "Users disagree so often that about {:.0}% of the votes must be wrong (95% interval {:.0}% to \
                 {:.0}%, {} items with two votes or more): do not train on these rows, and no command for it is given. \
                 Ask for more votes (`min_votes`) or clearer questions first.",
                100.0 * self.error_rate,
                100.0 * self.low,
                100.0 * self.high,
                self.n_items
            )
        })
    }
}

/// How reliable voters are, told from how they agree with each other.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Reliability {
    /// Things with three votes or more, of which it was told.
    pub n_items: u64,
    /// Things with fewer votes, which make no rows.
    pub n_items_below: u64,
    /// Voters.
    pub n_voters: u64,
    /// Share of the things that are good answers; 1/2 for pairs.
    pub prevalence: f64,
    /// Quartiles of the voters' shares of right votes.
    pub quartiles: [f64; 3],
}

impl Reliability {
    /// Sums up a panel's opinion; nothing where it has met nobody.
    pub fn of(opinion: &Opinion) -> Option<Self> {
        let n_voters = opinion.n_voters() as u64;
        let quartiles = opinion.quartiles().unwrap_or([0.5; 3]).map(rounded);
        let Opinion { n_items, n_items_below, prevalence, .. } = *opinion;
        let prevalence = rounded(prevalence);
        (n_items + n_items_below > 0).then_some(Self { n_items, n_items_below, n_voters, prevalence, quartiles })
    }

    /// Warns where there is too little overlap to tell anything.
    pub fn warning(&self) -> Option<String> {
        (self.n_items < N_TO_JUDGE).then(|| {
            format!(
                "`aggregate = \"dawid_skene\"` needs three votes or more on one thing: {} things have them and {} have \
                 fewer, so that how reliable users are is little more than a guess.",
                self.n_items, self.n_items_below
            )
        })
    }
}

/// Which answer wins by where it was shown: by experiment, "" for rows of none.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Position(pub BTreeMap<String, Share>);

/// Counts of what was seen first and won, by experiment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PositionCounts(BTreeMap<String, (u64, u64)>);

impl PositionCounts {
    /// Counts a row of which it is known which answer was seen first.
    pub fn add(&mut self, experiment: &str, first_won: bool) {
        if !self.0.contains_key(experiment) {
            self.0.insert(experiment.to_owned(), (0, 0));
        }
        if let Some((n_first_won, n)) = self.0.get_mut(experiment) {
            *n_first_won += u64::from(first_won);
            *n += 1;
        }
    }

    /// Computes the shares.
    pub fn finish(&self) -> Position {
        let shares = self
            .0
            .iter()
            .filter_map(|(experiment, (n_first_won, n))| Some((experiment.clone(), Share::of(*n_first_won, *n)?)));
        Position(shares.collect())
    }
}

impl Position {
    /// Warns of every experiment in which a position is favoured.
    pub fn warnings(&self) -> Vec<String> {
        let lopsided = self.0.iter().filter(|(_, share)| share.is_lopsided());
        let warning = |(experiment, share): (&String, &Share)| {
            let place =
                if experiment.is_empty() { String::new() } else { format!(" of experiment `{}`", plain(experiment)) };
            format!(
                "The answer that was seen first is the better one in {:.0}% of {} pairs{place} (95% interval {:.0}% to \
                 {:.0}%). Voters favour a position: randomise which answer is shown first, and see `position` and \
                 `drop_unrandomised`.",
                100.0 * share.share,
                share.n,
                100.0 * share.low,
                100.0 * share.high
            )
        };
        lopsided.map(warning).collect()
    }
}

/// Whether the better answers are the longer ones.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LengthBias {
    /// Share of the pairs of unequal length whose better answer is the longer one.
    pub chosen_longer: Option<Share>,
    /// Mean length of the better answers, in characters.
    pub mean_chosen_chars: f64,
    /// Mean length of the worse answers, in characters.
    pub mean_rejected_chars: f64,
    /// Median over the pairs of better over worse length.
    pub median_ratio: f64,
    /// Probability that a better answer is longer than a worse one of any pair; 0.5 where length says nothing.
    pub auc_longer: f64,
}

impl LengthBias {
    /// Describes pairs; nothing where there are none.
    pub fn of(pairs: &[PairLengths]) -> Option<Self> {
        let report = lengths::report(pairs)?;
        let n_longer = pairs.iter().filter(|pair| pair.chosen > pair.rejected).count() as u64;
        let n_shorter = pairs.iter().filter(|pair| pair.chosen < pair.rejected).count() as u64;
        Some(Self {
            chosen_longer: Share::of(n_longer, n_longer + n_shorter),
            mean_chosen_chars: rounded(report.mean_chosen_chars),
            mean_rejected_chars: rounded(report.mean_rejected_chars),
            median_ratio: rounded(report.median_ratio),
            auc_longer: rounded(report.auc_longer),
        })
    }

    /// Warns where length alone nearly tells the better answer.
    pub fn warning(&self) -> Option<String> {
        let share = self.chosen_longer.filter(Share::is_lopsided)?;
        Some(format!(
            "The better answer is the longer one in {:.0}% of {} pairs (95% interval {:.0}% to {:.0}%; on average {:.0} \
             characters against {:.0}). DPO would learn the length: consider a length-aware loss (TRL: ld_alpha or \
             sigmoid_norm), `length = \"match\"` or `length = \"max_ratio\"`.",
            100.0 * share.share,
            share.n,
            100.0 * share.low,
            100.0 * share.high,
            self.mean_chosen_chars,
            self.mean_rejected_chars
        ))
    }
}

/// How many answers have feedback.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FeedbackRate {
    /// Answers that the selection lets through.
    pub n_completions: u64,
    /// Of these, answers with feedback that says something.
    pub n_with_feedback: u64,
    /// The share.
    pub rate: f64,
}

impl From<Coverage> for FeedbackRate {
    fn from(coverage: Coverage) -> Self {
        let Coverage { n_completions, n_with_feedback } = coverage;
        Self { n_completions, n_with_feedback, rate: rounded(coverage.rate()) }
    }
}

/// How many answers of one length have feedback.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RateOfLength {
    /// The shortest of them has at least this many bytes, as it is stored.
    pub from_bytes: u32,
    /// How many have feedback.
    #[serde(flatten)]
    pub rate: FeedbackRate,
}

/// Who gives feedback: rates over all answers of the selection, and not only the rated ones.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SelectionBias {
    /// Over all.
    pub all: FeedbackRate,
    /// By model.
    pub models: BTreeMap<String, FeedbackRate>,
    /// By language tag; empty where it is unknown.
    pub languages: BTreeMap<String, FeedbackRate>,
    /// By length, in tenths, shortest first.
    pub length_deciles: Vec<RateOfLength>,
}

impl SelectionBias {
    /// Describes the rates.
    pub fn of(propensity: &Propensity) -> Self {
        let rates = |counts: &BTreeMap<String, Coverage>| {
            counts.iter().map(|(word, coverage)| (word.clone(), FeedbackRate::from(*coverage))).collect()
        };
        let of_length = propensity.lengths.iter();
        Self {
            all: propensity.total.into(),
            models: rates(&propensity.models),
            languages: rates(&propensity.languages),
            length_deciles: of_length
                .map(|decile| RateOfLength { from_bytes: decile.from_bytes, rate: decile.coverage.into() })
                .collect(),
        }
    }

    /// Warns where some answers get feedback far more often than others.
    pub fn warnings(&self, is_weighted: bool) -> Vec<String> {
        let lengths = self.length_deciles.iter().map(|of| (format!("from {} bytes", of.from_bytes), of.rate));
        let named = |rates: &BTreeMap<String, FeedbackRate>| {
            rates.iter().map(|(word, rate)| (format!("`{}`", plain(word)), *rate)).collect::<Vec<_>>()
        };
        let groups = [
            ("model", named(&self.models)),
            ("language", named(&self.languages)),
            ("length", lengths.collect::<Vec<_>>()),
        ];
        let advice = if is_weighted {
            "The column `sample_weight` evens this out, as far as these explain it."
        } else {
            "The rows speak for those who react: see `selection_bias = \"ipw\"`."
        };
        groups.into_iter().filter_map(|(by, rates)| apart(by, rates, advice)).collect()
    }
}

fn apart(by: &str, rates: Vec<(String, FeedbackRate)>, advice: &str) -> Option<String> {
    let enough: Vec<(String, FeedbackRate)> =
        rates.into_iter().filter(|(_, of)| of.n_completions >= 10 * N_TO_JUDGE).collect();
    let (most, least) = (
        enough.iter().max_by(|(_, left), (_, right)| left.rate.total_cmp(&right.rate))?,
        enough.iter().min_by(|(_, left), (_, right)| left.rate.total_cmp(&right.rate))?,
    );
    // A handful of ratings is not told from another handful.
    let is_apart = most.1.n_with_feedback >= N_TO_JUDGE && most.1.rate > RATES_APART * least.1.rate;
    is_apart.then(|| {
        format!(
            "Feedback depends on the {by}: {:.1}% of the answers {} have some, and {:.1}% of those {}. {advice}",
            100.0 * most.1.rate,
            most.0,
            100.0 * least.1.rate,
            least.0
        )
    })
}

/// What the weights of the rows come to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WeightSummary {
    /// How many equally weighted rows say as much.
    pub n_effective_rows: f64,
    /// The smallest weight.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl WeightSummary {
    /// Reminds of a column that no stock trainer reads.
    pub fn warning(&self) -> Option<String> {
        // One over the number of a prompt's pairs is a third at worst by default; what is below comes from an option.
        (self.max > 4.0 * self.min).then(|| {
            format!(
                "Rows weigh {:.2} to {:.2} in `sample_weight`, which no stock trainer reads: see `weights = \"resample\"`.",
                self.min, self.max
            )
        })
    }
}

/// Gathers weights.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WeightCounts {
    effective: EffectiveRows,
    range: Option<(f64, f64)>,
}

impl WeightCounts {
    /// Counts a row.
    pub fn add(&mut self, weight: f64) {
        self.effective.add(weight);
        let (min, max) = self.range.unwrap_or((weight, weight));
        self.range = Some((min.min(weight), max.max(weight)));
    }

    /// Sums up; nothing where all rows weigh the same.
    pub fn finish(&self) -> Option<WeightSummary> {
        let (min, max) = self.range.filter(|(min, max)| min < max)?;
        let n_effective_rows = rounded(self.effective.number()?);
        Some(WeightSummary { n_effective_rows, min: rounded(min), max: rounded(max) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::propensity::{Cell, bounds_bytes};

    #[test]
    fn noise_is_told_with_an_interval_and_recommends_a_smoothing_where_enough_was_voted_on_twice() {
        let of = |n_unanimous: u32, n_split: u32| {
            let mut disagreement = Disagreement::default();
            (0..n_unanimous).for_each(|_| disagreement.add(2, 0));
            (0..n_split).for_each(|_| disagreement.add(1, 1));
            LabelNoise::of(&disagreement)
        };

        let noise = of(80, 20).unwrap();
        // d = 0.2: e = (1 - sqrt(0.6)) / 2; Wilson's interval of 20 of 100 is 0.1334 to 0.2888.
        assert!((noise.error_rate - 0.112_702).abs() < 1e-6, "{noise:?}");
        assert!((noise.low - 0.071_8).abs() < 1e-3 && (noise.high - 0.175_0).abs() < 1e-3, "{noise:?}");
        assert_eq!(noise.label_smoothing(), Some(0.11));
        assert_eq!(noise.warning(), None);
        assert_eq!(of(0, 0), None);
        assert_eq!(of(20, 5).unwrap().label_smoothing(), None, "too few to tell");
        assert_eq!(of(100, 0).unwrap().label_smoothing(), None, "nothing to smooth");
        let noisy = of(50, 50).unwrap();
        assert!(noisy.warning().unwrap().contains("do not train on these rows"), "{noisy:?}");
        assert_eq!(noisy.label_smoothing(), None, "votes say nothing");
        // d = 0.45: e = (1 - sqrt(0.1)) / 2 = 0.342, which a loss could smooth, but nobody should.
        let bad = of(55, 45).unwrap();
        assert!((bad.error_rate - 0.341_886).abs() < 1e-6 && bad.is_too_high(), "{bad:?}");
        assert_eq!((bad.label_smoothing(), bad.warning().is_some()), (None, true), "one piece of advice");
    }

    #[test]
    fn position_is_told_by_experiment_and_warned_about_where_it_wins() {
        let mut counts = PositionCounts::default();
        for row in 0..100 {
            counts.add("fair", row % 2 == 0);
            counts.add("steep", row % 10 != 0);
        }

        let position = counts.finish();

        assert!((position.0["fair"].share - 0.5).abs() < 1e-9);
        assert!(position.0["steep"].low > 0.8, "{position:?}");
        let warnings = position.warnings();
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("`steep`") && warnings[0].contains("90% of 100 pairs"), "{warnings:?}");
    }

    #[test]
    fn lengths_are_warned_about_where_the_longer_answer_wins() {
        let pairs = |n_longer: usize| -> Vec<PairLengths> {
            let longer = |row| if row < n_longer { (200, 100) } else { (100, 200) };
            (0..100).map(longer).map(|(chosen, rejected)| PairLengths { chosen, rejected }).collect()
        };

        assert_eq!(LengthBias::of(&[]), None);
        assert_eq!(LengthBias::of(&pairs(50)).unwrap().warning(), None);
        let lopsided = LengthBias::of(&pairs(90)).unwrap();
        assert!((lopsided.mean_chosen_chars - 190.0).abs() < 1e-9 && (lopsided.median_ratio - 2.0).abs() < 1e-9);
        assert!((lopsided.auc_longer - 0.9).abs() < 1e-9, "{lopsided:?}");
        assert!(lopsided.warning().unwrap().starts_with("The better answer is the longer one in 90% of 100 pairs"));
    }

    #[test]
    fn rates_far_apart_are_warned_about_with_what_can_be_done() {
        let cell = |model: &str, n_completions, n_with_feedback| Cell {
            model: model.to_owned(),
            language: "en".to_owned(),
            bucket: bounds_bytes().len() as u32 / 2,
            n_completions,
            n_with_feedback,
        };
        let even = SelectionBias::of(&Propensity::new(&[cell("a", 1_000, 100), cell("b", 1_000, 90)]));
        let uneven =
            SelectionBias::of(&Propensity::new(&[cell("a", 1_000, 100), cell("b", 1_000, 9), cell("c", 9, 9)]));

        assert_eq!(even.warnings(false), Vec::<String>::new());
        let warnings = uneven.warnings(false);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with("Feedback depends on the model: 10.0% of the answers `a`"), "{warnings:?}");
        assert!(warnings[0].contains("ipw") && !uneven.warnings(true)[0].contains("ipw"));
    }

    #[test]
    fn weights_are_summed_up_only_where_they_differ() {
        let of = |weights: &[f64]| {
            let mut counts = WeightCounts::default();
            for weight in weights {
                counts.add(*weight);
            }
            counts.finish()
        };

        assert_eq!(of(&[1.0, 1.0]), None);
        assert_eq!(of(&[1.0, 3.0]), Some(WeightSummary { n_effective_rows: 1.6, min: 1.0, max: 3.0 }));
    }
}
