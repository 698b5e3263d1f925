//! How often votes are wrong, told from how often two votes on one thing differ.
//!
//! Counts and numbers only. Whether votes are independent, and what they are about, is for the caller to see to.

use std::collections::BTreeMap;

use super::effective::Voter;
use super::poll::Side;

/// Above this error rate, training on pairs teaches little but noise.
pub const ERROR_RATE_TO_WARN: f64 = 0.3;

/// How items with two votes or more were voted on; the counts of several parts of the data add up in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Disagreement {
    /// Items by the votes of the smaller and of the larger camp: exact, and few entries however many items.
    items: BTreeMap<(u32, u32), u64>,
}

impl Disagreement {
    /// Counts an item with `n_left` votes for one side and `n_right` for the other; a single vote says nothing.
    pub fn add(&mut self, n_left: u32, n_right: u32) {
        if n_left + n_right >= 2 {
            *self.items.entry((n_left.min(n_right), n_left.max(n_right))).or_default() += 1;
        }
    }

    /// Counts an item by who voted for which side. Only users whom we know count: of others it cannot be told whether they
    /// are two.
    pub(super) fn add_cast(&mut self, cast: &[(Voter, Side)]) {
        let known = |wanted: Side| {
            let for_it = |(voter, side): &&(Voter, Side)| matches!(voter, Voter::User(_)) && *side == wanted;
            cast.iter().filter(for_it).count() as u32
        };
        self.add(known(Side::Left), known(Side::Right));
    }

    /// Adds the counts of another part of the data.
    pub fn extend(&mut self, other: &Self) {
        for (camps, n) in &other.items {
            *self.items.entry(*camps).or_default() += n;
        }
    }

    /// Returns how many items have two votes or more.
    pub fn n_items(&self) -> u64 {
        self.items.values().sum()
    }

    /// Returns the mean, over items, of the share of the pairs of votes on an item that differ:
    /// `d = mean of 2lr / (n(n-1))`. Every item counts the same, so that one popular item does not decide.
    pub fn rate(&self) -> Option<f64> {
        let differing = |(few, many): (u32, u32)| {
            let (few, many) = (f64::from(few), f64::from(many));
            2.0 * few * many / ((few + many) * (few + many - 1.0))
        };
        let sum: f64 = self.items.iter().map(|(camps, n)| differing(*camps) * *n as f64).sum();
        let n_items = self.n_items();
        (n_items > 0).then(|| sum / n_items as f64)
    }
}

/// Returns the share of wrong votes `e` at which two independent votes on one thing differ at the rate `d`.
///
/// Each is wrong with probability `e`, whatever the truth: `d = 2e(1-e)`, hence `e = (1 - sqrt(1 - 2d)) / 2`; 1/2 from
/// `d = 1/2` on, where votes say nothing. Assumes that voters err independently and equally often.
pub fn error_rate(d: f64) -> f64 {
    (1.0 - (1.0 - 2.0 * d).max(0.0).sqrt()) / 2.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_rate_is_the_mean_over_items_of_the_pairs_that_differ() {
        let mut disagreement = Disagreement::default();
        for (n_left, n_right) in [(1, 0), (2, 0), (1, 1), (1, 2), (0, 5)] {
            disagreement.add(n_left, n_right);
        }

        assert_eq!(disagreement.n_items(), 4, "a single vote says nothing");
        // 0, 1, 2 of 3 pairs, 0.
        assert!((disagreement.rate().unwrap() - (1.0 + 2.0 / 3.0) / 4.0).abs() < 1e-12);
        assert_eq!(Disagreement::default().rate(), None);
    }

    #[test]
    fn the_error_rate_is_the_inverse_of_what_it_makes_two_votes_differ_by() {
        for e in [0.0, 0.05, 0.12, 0.3, 0.5] {
            assert!((error_rate(2.0 * e * (1.0 - e)) - e).abs() < 1e-7, "{e}");
        }
        assert!((error_rate(0.8) - 0.5).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn parts_add_up_in_any_order(camps in proptest::collection::vec((0_u32..4, 0_u32..4), 0..20), cut in 0_usize..20) {
            let of = |camps: &[(u32, u32)]| {
                let mut disagreement = Disagreement::default();
                for (left, right) in camps {
                    disagreement.add(*left, *right);
                }
                disagreement
            };
            let (first, second) = camps.split_at(cut.min(camps.len()));

            let mut joined = of(second);
            joined.extend(&of(first));

            prop_assert_eq!(joined, of(&camps));
        }
    }
}
