//! Votes between two sides, and what they say together.

use std::collections::BTreeMap;

use super::effective::Voter;
use super::exclusion::{RETRACTED, TOO_FEW_VOTES, VOTES_DISAGREE};
use super::text::Reason;
use super::timeline::Timeline;
use crate::domain::clock::Timestamp;
use crate::domain::recipe::Options;

/// One of two sides: two answers by their place in the group, or `positive` and `negative` for one answer's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}

/// What a vote, or all votes together, choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    Side(Side),
    Neither(Reason),
}

impl Choice {
    pub(super) fn is_side(&self) -> bool {
        matches!(self, Self::Side(_))
    }
}

/// A vote with what came with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Vote {
    pub(super) choice: Choice,
    /// How strongly the side was preferred, where the voter said.
    pub(super) strength: Option<f64>,
    /// The side that the voter saw first, where it is known.
    pub(super) shown_first: Option<Side>,
    /// The items of feedback that it rests on; one item stands twice.
    pub(super) items: [usize; 2],
}

/// One voter's vote over time.
#[derive(Debug, Clone)]
pub(super) struct Ballot<'a> {
    pub(super) voter: Voter<'a>,
    pub(super) votes: Timeline<Option<Vote>>,
}

/// All votes between two sides.
#[derive(Debug, Clone)]
pub(super) struct Poll<'a> {
    pub(super) ballots: Vec<Ballot<'a>>,
    pub(super) standing: Timeline<Choice>,
}

/// What the votes lend to a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Support {
    pub(super) n_votes: u32,
    pub(super) n_agreeing: u32,
    /// Mean strength of the agreeing votes that gave one.
    pub(super) strength: Option<f64>,
    /// The side that every voter of whom it is known saw first.
    pub(super) shown_first: Option<Side>,
    /// The items of the agreeing votes.
    pub(super) items: Vec<usize>,
}

#[derive(Default)]
struct Counts {
    n_left: u32,
    n_right: u32,
    n_neither: BTreeMap<Reason, u32>,
}

impl Counts {
    fn of(&mut self, choice: Choice) -> &mut u32 {
        match choice {
            Choice::Side(Side::Left) => &mut self.n_left,
            Choice::Side(Side::Right) => &mut self.n_right,
            Choice::Neither(reason) => self.n_neither.entry(reason).or_default(),
        }
    }

    /// The most frequent choice, if it alone is and has the share that the recipe asks for.
    fn verdict(&self, options: &Options) -> Choice {
        let sides = [(self.n_left, Choice::Side(Side::Left)), (self.n_right, Choice::Side(Side::Right))];
        let neither = self.n_neither.iter().map(|(reason, n)| (*n, Choice::Neither(reason)));
        let counts: Vec<(u32, Choice)> = sides.into_iter().chain(neither).collect();
        let n: u32 = counts.iter().map(|(n, _)| n).sum();
        let top = counts.iter().map(|(n, _)| *n).max().unwrap_or(0);
        if n == 0 {
            return Choice::Neither(RETRACTED);
        }
        if i64::from(n) < options.min_votes {
            return Choice::Neither(TOO_FEW_VOTES);
        }
        let mut leaders = counts.iter().filter(|(n, _)| *n == top).map(|(_, choice)| *choice);
        match (leaders.next(), leaders.next()) {
            (Some(leader), None) if f64::from(top) / f64::from(n) >= options.min_agreement => leader,
            _ => Choice::Neither(VOTES_DISAGREE),
        }
    }
}

impl<'a> Poll<'a> {
    /// Counts the votes; nothing where nobody has ever cast one.
    pub(super) fn new(mut ballots: Vec<Ballot<'a>>, options: &Options) -> Option<Self> {
        ballots.retain(|ballot| ballot.votes.first(Option::is_some).is_some());
        if ballots.is_empty() {
            return None;
        }
        let votes: Vec<&Timeline<Option<Vote>>> = ballots.iter().map(|ballot| &ballot.votes).collect();
        let standing = Timeline::follow(
            &votes,
            Counts::default(),
            |counts, _, from, to| {
                if let Some(Some(from)) = from {
                    *counts.of(from.choice) -= 1;
                }
                if let Some(to) = to {
                    *counts.of(to.choice) += 1;
                }
            },
            |counts| counts.verdict(options),
        );
        Some(Self { ballots, standing })
    }

    /// Gathers what the votes that count now lend to a choice.
    pub(super) fn support(&self, choice: Choice) -> Support {
        let votes: Vec<&Vote> = self.ballots.iter().filter_map(|ballot| ballot.votes.last()?.as_ref()).collect();
        let agreeing: Vec<&&Vote> = votes.iter().filter(|vote| vote.choice == choice).collect();
        let strengths: Vec<f64> = agreeing.iter().filter_map(|vote| vote.strength).collect();
        let mut seen = votes.iter().filter_map(|vote| vote.shown_first);
        let first_seen = seen.next();
        Support {
            n_votes: votes.len() as u32,
            n_agreeing: agreeing.len() as u32,
            strength: (!strengths.is_empty()).then(|| strengths.iter().sum::<f64>() / strengths.len() as f64),
            shown_first: first_seen.filter(|first| seen.all(|side| side == *first)),
            items: agreeing.iter().flat_map(|vote| vote.items).collect(),
        }
    }

    /// Returns everyone who has ever voted, and since when.
    pub(super) fn voters(&self) -> Vec<(Voter<'a>, Timestamp)> {
        let first = |ballot: &Ballot<'a>| Some((ballot.voter, ballot.votes.first(Option::is_some)?));
        self.ballots.iter().filter_map(first).collect()
    }
}

impl Support {
    /// Adds the support of other votes.
    pub(super) fn join(mut self, other: Self) -> Self {
        self.n_votes += other.n_votes;
        self.n_agreeing += other.n_agreeing;
        self.strength = self.strength.or(other.strength);
        self.shown_first = self.shown_first.or(other.shown_first);
        self.items.extend(other.items);
        self
    }

    /// Returns the share of the votes that agree.
    pub(super) fn agreement(&self) -> f64 {
        f64::from(self.n_agreeing) / f64::from(self.n_votes.max(1))
    }
}
