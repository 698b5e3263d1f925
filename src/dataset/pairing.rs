//! Which of a prompt's pairs become rows: all pairs of many answers say the same thing over and over.
//!
//! The choice is followed over time as votes are, so that a row that was chosen says since when, and what it tied
//! together stays so when another takes its place.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use super::evidence::Pair;
use super::exclusion::{MAX_PAIRS, NOT_BEST};
use super::poll::Side;
use super::text::Reason;
use super::timeline::Timeline;
use crate::domain::clock::Timestamp;
use crate::domain::hash::ContentHash;
use crate::domain::recipe::{Options, Pairing};

/// Something that may become a row of its prompt.
pub(super) struct Contender {
    /// The two answers; nothing for an edit, which is better than its original by what it is.
    pub(super) pair: Option<Pair>,
    /// The side that stands, where one does.
    pub(super) side: Timeline<Option<Side>>,
    /// Decides between equals; it does not depend on time, on votes, or on what else there is.
    pub(super) lot: ContentHash,
}

/// Since when a contender has been chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Chosen {
    /// When it first was.
    pub(super) first: Option<Timestamp>,
    /// Since when it has been, with the side that stands, if it is now.
    pub(super) since: Option<Timestamp>,
}

/// The pairs of a prompt that are chosen.
pub(super) struct Choosing {
    chosen: Vec<Chosen>,
    n_chosen: usize,
    /// The contenders that stand and are not of the best answers.
    not_best: BTreeSet<usize>,
}

impl Choosing {
    /// Chooses among the contenders of a prompt.
    pub(super) fn among(contenders: &[Contender], options: &Options) -> Self {
        let max = usize::try_from(options.max_pairs_per_prompt).unwrap_or(usize::MAX);
        let all = options.pairing == Pairing::All;
        let parts: Vec<&Timeline<Option<Side>>> = contenders.iter().map(|contender| &contender.side).collect();
        if contenders.len() == 1 || all && contenders.len() <= max {
            let alone = |side: &&Timeline<Option<Side>>| Chosen {
                first: side.first(Option::is_some),
                since: side.last().copied().flatten().and_then(|last| side.since(|side| *side == Some(last))),
            };
            let chosen: Vec<Chosen> = parts.iter().map(alone).collect();
            let n_chosen = chosen.iter().filter(|one| one.since.is_some()).count();
            return Self { chosen, n_chosen, not_best: BTreeSet::new() };
        }
        let picks = Timeline::follow(
            &parts,
            Ranking::new(contenders, all),
            |ranking, nth, _, to| ranking.change(nth, *to),
            |ranking| ranking.picks(max),
        );
        let mut chosen = vec![Chosen::default(); contenders.len()];
        let mut before: HashMap<usize, Side> = HashMap::new();
        for (at, picks) in picks.steps() {
            let now: HashMap<usize, Side> = picks.iter().copied().collect();
            for (nth, _) in before.iter().filter(|(nth, side)| now.get(nth) != Some(side)) {
                chosen[*nth].since = None;
            }
            for (nth, _) in now.iter().filter(|(nth, side)| before.get(nth) != Some(side)) {
                chosen[*nth].since = Some(at);
                chosen[*nth].first = chosen[*nth].first.or(Some(at));
            }
            before = now;
        }
        let mut last = Ranking::new(contenders, all);
        for (nth, side) in parts.iter().enumerate() {
            last.change(nth, side.last().copied().flatten());
        }
        Self { chosen, n_chosen: before.len(), not_best: last.not_best() }
    }

    /// Returns since when a contender has been chosen.
    pub(super) fn of(&self, nth: usize) -> Chosen {
        self.chosen.get(nth).copied().unwrap_or_default()
    }

    /// Returns how many are chosen now.
    pub(super) fn n_chosen(&self) -> usize {
        self.n_chosen
    }

    /// Returns why a contender that stands is not chosen.
    pub(super) fn why_not(&self, nth: usize) -> Reason {
        if self.not_best.contains(&nth) { NOT_BEST } else { MAX_PAIRS }
    }
}

/// Place in the order in which pairs are chosen: wins of the better answer less its losses, how far the worse one is below
/// that, then the lot.
type Rank = (Reverse<i64>, Reverse<i64>, ContentHash, usize);

/// The contenders that stand, in the order in which they are chosen; it is kept up to date change by change, because a
/// prompt that everybody sends has thousands.
struct Ranking<'c> {
    contenders: &'c [Contender],
    all: bool,
    sides: Vec<Option<Side>>,
    scores: HashMap<usize, i64>,
    /// By answer: the pairs that it is in.
    pairs_of: HashMap<usize, Vec<usize>>,
    pairs: BTreeSet<Rank>,
    edits: BTreeSet<(ContentHash, usize)>,
}

impl<'c> Ranking<'c> {
    fn new(contenders: &'c [Contender], all: bool) -> Self {
        let mut pairs_of: HashMap<usize, Vec<usize>> = HashMap::new();
        for (nth, contender) in contenders.iter().enumerate() {
            for place in contender.pair.into_iter().flat_map(|(left, right)| [left, right]) {
                pairs_of.entry(place).or_default().push(nth);
            }
        }
        Self {
            contenders,
            all,
            sides: vec![None; contenders.len()],
            scores: HashMap::new(),
            pairs_of,
            pairs: BTreeSet::new(),
            edits: BTreeSet::new(),
        }
    }

    fn change(&mut self, nth: usize, side: Option<Side>) {
        let contender = &self.contenders[nth];
        let Some((left, right)) = contender.pair else {
            match side {
                Some(_) => self.edits.insert((contender.lot, nth)),
                None => self.edits.remove(&(contender.lot, nth)),
            };
            self.sides[nth] = side;
            return;
        };
        let touched: BTreeSet<usize> =
            [left, right].iter().filter_map(|place| self.pairs_of.get(place)).flatten().copied().collect();
        for other in &touched {
            if let Some(rank) = self.rank(*other) {
                self.pairs.remove(&rank);
            }
        }
        for (side, by) in [(self.sides[nth], -1), (side, 1)] {
            let Some(side) = side else { continue };
            let (winner, loser) = if side == Side::Left { (left, right) } else { (right, left) };
            *self.scores.entry(winner).or_default() += by;
            *self.scores.entry(loser).or_default() -= by;
        }
        self.sides[nth] = side;
        for other in touched {
            if let Some(rank) = self.rank(other) {
                self.pairs.insert(rank);
            }
        }
    }

    fn rank(&self, nth: usize) -> Option<Rank> {
        let contender = &self.contenders[nth];
        let ((left, right), side) = (contender.pair?, self.sides[nth]?);
        let score = |place: usize| self.scores.get(&place).copied().unwrap_or_default();
        let (winner, loser) =
            if side == Side::Left { (score(left), score(right)) } else { (score(right), score(left)) };
        let first = if self.all { 0 } else { winner };
        Some((Reverse(first), Reverse(winner - loser), contender.lot, nth))
    }

    /// Returns the pairs that stand and whose better answer is not the best.
    fn not_best(&self) -> BTreeSet<usize> {
        let best = self.pairs.first().map(|rank| rank.0);
        self.pairs.iter().filter(|rank| Some(rank.0) != best).map(|rank| rank.3).collect()
    }

    /// Picks the first pairs, those of the best answers only unless all may be rows, then edits.
    ///
    /// The best answer is the better one of some pair: scores add up to zero, so that the highest is above zero and has a
    /// win, or all are zero and every answer has as many wins as losses.
    fn picks(&self, max: usize) -> Vec<(usize, Side)> {
        let best = self.pairs.first().map(|rank| rank.0);
        let pairs = self.pairs.iter().take_while(|rank| Some(rank.0) == best).map(|rank| rank.3);
        let edits = self.edits.iter().map(|(_, nth)| *nth);
        let mut picked: Vec<usize> = pairs.chain(edits).take(max).collect();
        picked.sort_unstable();
        picked.into_iter().filter_map(|nth| Some((nth, self.sides[nth]?))).collect()
    }
}
