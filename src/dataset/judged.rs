//! What was said about single answers, each by itself and in comparisons: gathered once for every kind of row that is
//! made of single answers.

use std::collections::{BTreeMap, BTreeSet};

use super::effective::{Chain, Group, Target, Voter};
use super::evidence::{Candidates, Evidence, Pair};
use super::exclusion::{BOTH_BAD, NOT_SELECTED};
use super::label;
use super::label_noise::Disagreement;
use super::pair::standing;
use super::poll::{Choice, Poll, Side, Support};
use super::text::{self, Prompt, Reason};
use super::timeline::Timeline;
use super::tools::Form;
use crate::domain::feedback::{Outcome, Reaction, Signal};
use crate::domain::recipe::Options;

/// The answers of a group with what was said about them.
pub(super) struct Judged<'g, 'a> {
    pub(super) group: &'g Group<'a>,
    compared: &'g Candidates<'a>,
    standings: BTreeMap<Pair, Timeline<Choice>>,
    pairs_of: BTreeMap<usize, Vec<(Pair, Side)>>,
    votes: Vec<Option<Poll<'a>>>,
    unknown_rivals: BTreeSet<usize>,
}

/// A comparison of an answer, which is one of its sides, with another.
pub(super) struct Match<'j, 'a> {
    pub(super) pair: Pair,
    pub(super) side: Side,
    pub(super) standing: &'j Timeline<Choice>,
    pub(super) evidence: &'j [Evidence<'a>],
}

/// An answer's matches at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Matches {
    pub(super) n_won: u32,
    pub(super) n_lost: u32,
    pub(super) n_both_bad: u32,
}

impl<'g, 'a> Judged<'g, 'a> {
    pub(super) fn new(group: &'g Group<'a>, compared: &'g Candidates<'a>, options: &Options) -> Self {
        let standings =
            compared.pairs.iter().map(|(pair, evidence)| (*pair, standing(group, *pair, evidence))).collect();
        let mut pairs_of: BTreeMap<usize, Vec<(Pair, Side)>> = BTreeMap::new();
        for pair in compared.pairs.keys() {
            pairs_of.entry(pair.0).or_default().push((*pair, Side::Left));
            pairs_of.entry(pair.1).or_default().push((*pair, Side::Right));
        }
        let unknown_rivals = group
            .targets(Signal::Preference)
            .filter_map(|(target, _)| match target {
                Target::Outside(place, _) => Some(place),
                _ => None,
            })
            .collect();
        let votes = (0..group.completions.len()).map(|place| label::votes(group, place, options)).collect();
        Self { group, compared, standings, pairs_of, votes, unknown_rivals }
    }

    /// Returns the comparisons of an answer with others.
    pub(super) fn matches(&self, place: usize) -> Vec<Match<'_, 'a>> {
        let pairs = self.pairs_of.get(&place).map_or(&[][..], Vec::as_slice);
        let found = pairs.iter().filter_map(|(pair, side)| {
            let (standing, evidence) = (self.standings.get(pair)?, self.compared.pairs.get(pair)?);
            Some(Match { pair: *pair, side: *side, standing, evidence })
        });
        found.collect()
    }

    /// Returns the votes of thumbs and ratings on an answer, where there has ever been one.
    pub(super) fn votes(&self, place: usize) -> Option<&Poll<'a>> {
        self.votes.get(place)?.as_ref()
    }

    /// Counts how the users disagree on single answers.
    pub(super) fn count_disagreement(&self, noise: &mut Disagreement) {
        for votes in self.votes.iter().flatten() {
            noise.add_cast(&votes.cast());
        }
    }

    /// Tells whether anybody has given a thumb or a rating, whatever it says.
    pub(super) fn is_judged(&self, place: usize) -> bool {
        let signals = [Signal::Thumb, Signal::Rating];
        signals.iter().any(|signal| !self.group.chains(*signal, Target::Answer(place)).is_empty())
    }

    /// Tells whether somebody calls both answers of a pair bad and has not taken that back, whatever the others say.
    pub(super) fn is_called_both_bad(&self, (left, right): Pair) -> bool {
        let is_both_bad = |item: usize| {
            let reaction = &self.group.items[item].reaction;
            matches!(reaction, Reaction::Preference { outcome: Outcome::BothBad, .. })
        };
        let chains = self.group.chains(Signal::Preference, Target::Pair(left, right));
        chains.iter().any(|chain| chain.items.last().copied().flatten().is_some_and(is_both_bad))
    }

    /// Tells whether an answer was compared with one that is not known.
    pub(super) fn has_unknown_rival(&self, place: usize) -> bool {
        self.unknown_rivals.contains(&place)
    }

    /// Gathers what those who use an answer lend to it.
    pub(super) fn use_support(&self, used: &[&Chain]) -> Option<(Signal, Support)> {
        let items: Vec<usize> = used.iter().filter_map(|chain| chain.items.last().copied().flatten()).collect();
        let standing = used.iter().filter(|chain| chain.items.last().is_some_and(Option::is_some));
        let n_votes = standing.map(|chain| chain.voter).collect::<BTreeSet<Voter>>().len() as u32;
        let signal = items.iter().map(|&item| self.group.items[item].reaction.signal()).max()?;
        Some((signal, Support { n_votes, n_agreeing: f64::from(n_votes), strength: None, shown_first: None, items }))
    }

    /// Returns who copied or accepted an answer.
    pub(super) fn used(&self, place: usize) -> Vec<&'g Chain<'a>> {
        let signals = [Signal::Copy, Signal::Accept];
        signals.into_iter().flat_map(|signal| self.group.chains(signal, Target::Answer(place))).collect()
    }

    /// Takes an answer's prompt in the form that its rows have, and its own text, which must be what the recipe asks for.
    pub(super) fn texts(
        &self,
        place: usize,
        options: &Options,
    ) -> (Result<(Prompt, Form), Reason>, Result<String, Reason>) {
        let completion = self.group.completions[place];
        let form = Form::of_answers(&[completion], options);
        let prompt = form.and_then(|form| Ok((text::prompt(completion, form, options)?, form)));
        let own = if completion.selected { text::check(completion, options) } else { Err(NOT_SELECTED) };
        let own = own.and_then(|()| {
            let (prompt, form) = prompt.as_ref().map_err(|reason| *reason)?;
            let own = text::answer(completion, *form)?;
            text::check_length(&prompt.turns, &[&own], options)?;
            Ok(own)
        });
        (prompt, own)
    }
}

impl Matches {
    /// Follows how many of an answer's matches stand how.
    pub(super) fn follow(matches: &[Match]) -> Timeline<Self> {
        let parts: Vec<&Timeline<Choice>> = matches.iter().map(|one| one.standing).collect();
        Timeline::follow(
            &parts,
            Self::default(),
            |now, nth, from, to| {
                let side = matches[nth].side;
                if let Some(n) = from.and_then(|from| now.of(*from, side)) {
                    *n -= 1;
                }
                if let Some(n) = now.of(*to, side) {
                    *n += 1;
                }
            },
            |now| *now,
        )
    }

    fn of(&mut self, choice: Choice, side: Side) -> Option<&mut u32> {
        match choice {
            Choice::Side(winner) if winner == side => Some(&mut self.n_won),
            Choice::Side(_) => Some(&mut self.n_lost),
            Choice::Neither(BOTH_BAD) => Some(&mut self.n_both_bad),
            Choice::Neither(_) => None,
        }
    }
}

/// The rule of rows that rest on the use of an answer.
pub(super) const USED_RULE: &str = "copied_or_accepted";

/// Follows whether anybody has used an answer and not taken that back.
pub(super) fn is_used(used: &[&Chain]) -> Timeline<bool> {
    let parts: Vec<&Timeline<Option<usize>>> = used.iter().map(|chain| &chain.items).collect();
    Timeline::follow(
        &parts,
        0_u32,
        |n, _, from, to| {
            *n += u32::from(to.is_some());
            *n -= u32::from(from.is_some_and(Option::is_some));
        },
        |n| *n > 0,
    )
}
