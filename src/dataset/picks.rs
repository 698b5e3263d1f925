//! Which of the rows that could stay do, and what each weighs: decided over all rows of one kind together.
//!
//! Nothing here looks at texts, and nothing is left to chance or to the order of the input: where rows are picked, the
//! lottery of the recipe's salt picks them. In this order: rows whose order of presentation was not random, rows beyond a
//! user's share, rows that make the better answers the longer ones, and rows that their weights leave out.

use std::collections::HashMap;

use super::caps;
use super::example::Split;
use super::exclusion::{LENGTHS_MATCHED, ORDER_NOT_RANDOM, ORDER_UNKNOWN, RESAMPLED, TOO_MANY_ROWS_OF_USER};
use super::lengths::{self, PairLengths};
use super::lottery::{Purpose, ticket, uniform};
use super::position::Shown;
use super::text::Reason;
use super::weights;
use crate::domain::hash::ContentHash;
use crate::domain::recipe::{LengthRule, Options, PositionRule, Weights};

const MICROSECONDS_OF_DAY: f64 = 86_400_000_000.0;

/// How rows are picked.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the recipe of its own")]
pub(super) struct Rules {
    /// Salt of the lottery.
    pub(super) salt: String,
    /// Rows that one user may decide; 0 for any number.
    pub(super) max_rows_per_user: u32,
    /// Share of all rows that one user may decide; 1 for any share.
    pub(super) max_user_share: f64,
    /// Whether rows without a random order of presentation leave.
    pub(super) drop_unrandomised: bool,
    /// Whether rows are weighted so that both positions win equally often.
    pub(super) reweight_position: bool,
    /// Whether rows leave until better and worse answers are equally long on average.
    pub(super) match_lengths: bool,
    /// Days after which a row weighs half; 0 for never.
    pub(super) half_life_days: f64,
    /// Whether weights are turned into rows.
    pub(super) resample: bool,
}

impl Rules {
    /// Takes what a recipe says.
    pub(super) fn of(options: &Options) -> Self {
        Self {
            salt: options.split_salt.clone(),
            max_rows_per_user: u32::try_from(options.max_rows_per_user).unwrap_or(u32::MAX),
            max_user_share: options.max_user_share,
            drop_unrandomised: options.drop_unrandomised,
            reweight_position: options.position == PositionRule::Reweight,
            match_lengths: options.length == LengthRule::Match,
            half_life_days: options.recency_half_life_days,
            resample: options.weights == Weights::Resample,
        }
    }
}

/// What is known of the order in which a pair was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presentation {
    /// The row does not come from a choice between two answers.
    NotAChoice,
    /// It does, and nobody recorded which was seen first.
    Unknown,
    /// It does, and it is recorded.
    Known {
        /// Rows of one experiment between the same two models.
        stratum: u32,
        /// Whether the better answer was seen first.
        chosen_first: bool,
        /// Whether the model whose name sorts first was, where there are two.
        lead_first: Option<bool>,
    },
}

/// A row, as far as picking needs it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pickable<'a> {
    pub(super) id: ContentHash,
    pub(super) split: Split,
    pub(super) created_at_us: i64,
    /// What it weighs before any rule.
    pub(super) weight: f64,
    /// Numbers of the users whose votes made it.
    pub(super) voters: &'a [u32],
    pub(super) lengths: Option<PairLengths>,
    pub(super) presentation: Presentation,
}

/// Returns what becomes of each of `n_rows` rows: its weight, or why it leaves. Rows are looked at one by one, so that an
/// export of many millions is not held twice.
pub(super) fn pick<'a>(
    n_rows: usize,
    row: &dyn Fn(usize) -> Pickable<'a>,
    n_voters: usize,
    rules: &Rules,
) -> Vec<Result<f64, Reason>> {
    let mut picks = Picks { row, rules, fates: (0..n_rows).map(|nth| Ok(row(nth).weight)).collect() };
    if rules.drop_unrandomised {
        picks.drop_unrandomised();
    }
    picks.cap_users(n_voters);
    if rules.match_lengths {
        for split in Split::ALL {
            picks.match_lengths(split);
        }
    }
    picks.weigh();
    if rules.resample {
        picks.resample();
    }
    picks.fates
}

struct Picks<'r, 'a> {
    row: &'r dyn Fn(usize) -> Pickable<'a>,
    rules: &'r Rules,
    fates: Vec<Result<f64, Reason>>,
}

impl Picks<'_, '_> {
    /// Returns the rows that have not left.
    fn standing(&self) -> Vec<usize> {
        (0..self.fates.len()).filter(|row| self.fates[*row].is_ok()).collect()
    }

    fn drop(&mut self, rows: &[usize], stay: &[bool], reason: Reason) {
        for (row, _) in rows.iter().zip(stay).filter(|(_, stays)| !**stays) {
            self.fates[*row] = Err(reason);
        }
    }

    fn uniform(&self, row: usize, purpose: Purpose) -> f64 {
        uniform(ticket(&self.rules.salt, purpose, (self.row)(row).id))
    }

    /// Counts what was shown first, stratum by stratum, over the rows that have not left.
    fn strata(&self) -> HashMap<u32, Shown> {
        let mut strata: HashMap<u32, Shown> = HashMap::new();
        for row in self.standing() {
            if let Presentation::Known { stratum, chosen_first, lead_first } = (self.row)(row).presentation {
                strata.entry(stratum).or_default().add(chosen_first, lead_first);
            }
        }
        strata
    }

    fn drop_unrandomised(&mut self) {
        let strata = self.strata();
        for (nth, fate) in self.fates.iter_mut().enumerate() {
            match (self.row)(nth).presentation {
                Presentation::Unknown => *fate = Err(ORDER_UNKNOWN),
                Presentation::Known { stratum, .. } if strata.get(&stratum).is_some_and(|of| !of.is_randomised()) => {
                    *fate = Err(ORDER_NOT_RANDOM);
                }
                Presentation::Known { .. } | Presentation::NotAChoice => {}
            }
        }
    }

    fn cap_users(&mut self, n_voters: usize) {
        let rows = self.standing();
        let (max_rows, max_share) = (self.rules.max_rows_per_user, self.rules.max_user_share);
        let Some(limit) = caps::limit(max_rows, max_share, rows.len() as u64) else { return };
        let named = |row: usize| ticket(&self.rules.salt, Purpose::Cap, (self.row)(row).id);
        let mut drawn: Vec<(u64, usize)> = rows.into_iter().map(|row| (named(row), row)).collect();
        drawn.sort_unstable_by(|left, right| {
            left.0.cmp(&right.0).then_with(|| (self.row)(left.1).id.cmp(&(self.row)(right.1).id))
        });
        let rows: Vec<usize> = drawn.into_iter().map(|(_, row)| row).collect();
        let stay = caps::stay(rows.iter().map(|&row| (self.row)(row).voters), n_voters, limit);
        self.drop(&rows, &stay, TOO_MANY_ROWS_OF_USER);
    }

    fn match_lengths(&mut self, split: Split) {
        let mut rows = self.standing();
        rows.retain(|&row| (self.row)(row).split == split);
        let gap = |row: usize| {
            let lengths = (self.row)(row).lengths?;
            let gap = i64::from(lengths.chosen) - i64::from(lengths.rejected);
            Some(gap.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32)
        };
        let gaps: Vec<(i32, f64)> =
            rows.iter().map(|&row| (gap(row).unwrap_or(0), self.uniform(row, Purpose::Length))).collect();
        let stay = lengths::matched(&gaps);
        self.drop(&rows, &stay, LENGTHS_MATCHED);
    }

    fn weigh(&mut self) {
        let rules = self.rules;
        let strata = if rules.reweight_position { self.strata() } else { HashMap::new() };
        let newest_us = self.standing().into_iter().map(|row| (self.row)(row).created_at_us).max().unwrap_or_default();
        for (nth, fate) in self.fates.iter_mut().enumerate() {
            let Ok(weight) = fate else { continue };
            let row = (self.row)(nth);
            if rules.half_life_days > 0.0 {
                let age_days = (newest_us - row.created_at_us) as f64 / MICROSECONDS_OF_DAY;
                *weight *= weights::of_age(age_days, rules.half_life_days);
            }
            if let Presentation::Known { stratum, chosen_first, .. } = row.presentation
                && let Some(shown) = strata.get(&stratum)
            {
                *weight *= shown.weight(chosen_first);
            }
        }
    }

    /// Turns weights into rows; what stays then weighs 1, or the weight would count twice.
    fn resample(&mut self) {
        let rows = self.standing();
        let weighted: Vec<(f64, f64)> = rows
            .iter()
            .map(|&row| (self.fates[row].unwrap_or_default(), self.uniform(row, Purpose::Resample)))
            .collect();
        let stay = weights::resampled(&weighted);
        self.drop(&rows, &stay, RESAMPLED);
        for weight in self.fates.iter_mut().flatten() {
            *weight = 1.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(rows: &[Pickable], n_voters: usize, rules: &Rules) -> Vec<Result<f64, Reason>> {
        super::pick(rows.len(), &|nth| rows[nth], n_voters, rules)
    }

    const ALICE: &[u32] = &[0];
    const NOBODY: &[u32] = &[];

    fn rules() -> Rules {
        Rules {
            salt: "salt".to_owned(),
            max_rows_per_user: 0,
            max_user_share: 1.0,
            drop_unrandomised: false,
            reweight_position: false,
            match_lengths: false,
            half_life_days: 0.0,
            resample: false,
        }
    }

    fn row(number: u16) -> Pickable<'static> {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&number.to_le_bytes());
        Pickable {
            id: ContentHash(id),
            split: Split::Train,
            created_at_us: 0,
            weight: 1.0,
            voters: NOBODY,
            lengths: None,
            presentation: Presentation::NotAChoice,
        }
    }

    fn shown(number: u16, chosen_first: bool, lead_first: bool) -> Pickable<'static> {
        let presentation = Presentation::Known { stratum: 0, chosen_first, lead_first: Some(lead_first) };
        Pickable { presentation, ..row(number) }
    }

    fn n(fates: &[Result<f64, Reason>], reason: Reason) -> usize {
        fates.iter().filter(|fate| **fate == Err(reason)).count()
    }

    #[test]
    fn without_rules_every_row_stays_with_its_weight() {
        let rows = [row(1), Pickable { weight: 2.5, ..row(2) }];

        assert_eq!(pick(&rows, 0, &rules()), [Ok(1.0), Ok(2.5)]);
    }

    #[test]
    fn a_user_with_many_rows_keeps_those_that_the_lottery_picks_whatever_their_order() {
        let rows: Vec<Pickable> = (0..300).map(|number| Pickable { voters: ALICE, ..row(number) }).collect();
        let reversed: Vec<Pickable> = rows.iter().rev().copied().collect();
        let rules = Rules { max_rows_per_user: 50, ..rules() };

        let fates = pick(&rows, 1, &rules);
        let mut other = pick(&reversed, 1, &rules);

        other.reverse();
        assert_eq!(n(&fates, TOO_MANY_ROWS_OF_USER), 250);
        assert_eq!(fates, other);
        let n_early = fates[..150].iter().filter(|fate| fate.is_ok()).count();
        assert!((12..=38).contains(&n_early), "picked by chance, not by time: {n_early}");
        let more: Vec<Pickable> = (0..330).map(|number| Pickable { voters: ALICE, ..row(number) }).collect();
        let kept =
            pick(&more, 1, &rules)[..300].iter().zip(&fates).filter(|(new, old)| new.is_ok() && old.is_ok()).count();
        assert!(kept >= 38, "a tenth more rows displaces about a tenth: {kept}");
    }

    #[test]
    fn rows_whose_order_was_not_random_or_not_recorded_leave_on_request() {
        let fixed: Vec<Pickable> = (0..40).map(|number| shown(number, number % 2 == 0, true)).collect();
        let random: Vec<Pickable> = (0..40).map(|number| shown(number, number < 30, number % 2 == 0)).collect();
        let others = [Pickable { presentation: Presentation::Unknown, ..row(50) }, row(51)];
        let rules = Rules { drop_unrandomised: true, ..rules() };

        assert_eq!(n(&pick(&fixed, 0, &rules), ORDER_NOT_RANDOM), 40);
        assert!(pick(&random, 0, &rules).iter().all(Result::is_ok));
        assert_eq!(pick(&others, 0, &rules), [Err(ORDER_UNKNOWN), Ok(1.0)]);
    }

    #[test]
    fn weights_make_both_positions_win_equally_often_and_fade_with_age() {
        let mut rows: Vec<Pickable> = (0..40).map(|number| shown(number, number < 30, number % 2 == 0)).collect();
        rows[0].created_at_us = -20 * MICROSECONDS_OF_DAY as i64;
        let rules = Rules { reweight_position: true, half_life_days: 10.0, ..rules() };

        let fates = pick(&rows, 0, &rules);

        let weight = |row: usize| fates[row].unwrap();
        assert!((weight(1) - 40.0 / 60.0).abs() < 1e-12 && (weight(39) - 2.0).abs() < 1e-12);
        assert!((weight(0) - weight(1) / 4.0).abs() < 1e-12);
    }

    #[test]
    fn resampling_leaves_rows_out_by_weight_and_what_stays_weighs_one() {
        let rows: Vec<Pickable> =
            (0..400).map(|number| Pickable { weight: if number < 200 { 4.0 } else { 1.0 }, ..row(number) }).collect();

        let fates = pick(&rows, 0, &Rules { resample: true, ..rules() });

        assert!(fates[..200].iter().all(|fate| *fate == Ok(1.0)));
        let n_light = fates[200..].iter().filter(|fate| **fate == Ok(1.0)).count();
        assert!((30..=70).contains(&n_light), "{n_light}");
        assert_eq!(n(&fates, RESAMPLED), 200 - n_light);
    }

    #[test]
    fn lengths_are_matched_within_each_split() {
        let of = |number: u16, split, chosen, rejected| Pickable {
            split,
            lengths: Some(PairLengths { chosen, rejected }),
            ..row(number)
        };
        let mut rows: Vec<Pickable> = (0..60).map(|number| of(number, Split::Train, 20, 10)).collect();
        rows.extend((60..100).map(|number| of(number, Split::Train, 10, 20)));
        rows.push(of(100, Split::Test, 10, 20));

        let fates = pick(&rows, 0, &Rules { match_lengths: true, ..rules() });

        assert_eq!(n(&fates, LENGTHS_MATCHED), 21, "twenty of train, and the one of test, which nothing balances");
        assert!(fates[60..100].iter().all(Result::is_ok));
    }
}
