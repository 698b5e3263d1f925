//! Votes between two sides, and what they say together.

use std::collections::BTreeMap;

use super::effective::Voter;
use super::exclusion::{RETRACTED, TOO_FEW_OVERLAPPING_VOTES, TOO_FEW_VOTES, VOTES_DISAGREE};
use super::panel::{MIN_OVERLAPPING_VOTES, Panel, Question};
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
    /// What reliable voters make of it, with its probability, where the recipe asks them.
    belief: Option<(Choice, f64)>,
}

/// What the votes lend to a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Support {
    pub(super) n_votes: u32,
    /// Votes that agree, or as many as are believed to.
    pub(super) n_agreeing: f64,
    /// Mean strength of the agreeing votes that gave one.
    pub(super) strength: Option<f64>,
    /// The side that every voter of whom it is known saw first.
    pub(super) shown_first: Option<Side>,
    /// The items of the agreeing votes.
    pub(super) items: Vec<usize>,
}

/// How many votes there are for what.
#[derive(Default)]
pub(super) struct Counts {
    n_left: u32,
    n_right: u32,
    n_neither: BTreeMap<Reason, u32>,
}

impl Counts {
    pub(super) fn of(&mut self, choice: Choice) -> &mut u32 {
        match choice {
            Choice::Side(Side::Left) => &mut self.n_left,
            Choice::Side(Side::Right) => &mut self.n_right,
            Choice::Neither(reason) => self.n_neither.entry(reason).or_default(),
        }
    }

    /// The side with more votes, the left one of equals, once there are enough to weigh them; a choice of neither side
    /// that is more frequent than both together.
    fn leading_side(&self) -> Choice {
        let n_sides = self.n_left + self.n_right;
        let neither = self.n_neither.iter().max_by_key(|(_, n)| **n).filter(|(_, n)| **n > n_sides);
        match neither {
            Some((reason, _)) => Choice::Neither(reason),
            None if n_sides == 0 => Choice::Neither(RETRACTED),
            None if (n_sides as usize) < MIN_OVERLAPPING_VOTES => Choice::Neither(TOO_FEW_OVERLAPPING_VOTES),
            None if self.n_left >= self.n_right => Choice::Side(Side::Left),
            None => Choice::Side(Side::Right),
        }
    }

    /// The most frequent choice, if it alone is and has the share that the recipe asks for.
    pub(super) fn verdict(&self, options: &Options) -> Choice {
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

/// Who weighs the votes, and what they are about.
pub(super) type Jury<'p> = (&'p Panel, Question);

/// Returns who votes for which side now; who votes for neither is left out.
pub(super) fn cast<'a>(ballots: &[Ballot<'a>]) -> Vec<(Voter<'a>, Side)> {
    let now = |ballot: &Ballot<'a>| match ballot.votes.last()?.as_ref()?.choice {
        Choice::Side(side) => Some((ballot.voter, side)),
        Choice::Neither(_) => None,
    };
    ballots.iter().filter_map(now).collect()
}

impl<'a> Poll<'a> {
    /// Counts the votes; nothing where nobody has ever cast one. A panel weighs them instead, where there is one.
    pub(super) fn new(mut ballots: Vec<Ballot<'a>>, options: &Options, jury: Option<Jury<'_>>) -> Option<Self> {
        ballots.retain(|ballot| ballot.votes.first(Option::is_some).is_some());
        if ballots.is_empty() {
            return None;
        }
        let mut poll = Self { ballots, standing: Timeline::new(), belief: None };
        match jury {
            None => poll.standing = poll.follow(|counts| counts.verdict(options)),
            Some(jury) => poll.weigh(jury, options),
        }
        Some(poll)
    }

    /// Weighs the votes by who cast them.
    ///
    /// How reliable somebody is may change with every vote anywhere, so that this verdict cannot be followed over time.
    /// What can be is whether there are votes enough, and which side has more of them; the verdict is as of the moment
    /// after the last change of that.
    fn weigh(&mut self, (panel, question): Jury<'_>, options: &Options) {
        let leading = self.follow(Counts::leading_side);
        let Some(Choice::Side(_)) = leading.last() else {
            self.standing = leading;
            return;
        };
        let probability = panel.probability_of_left(question, &self.cast());
        let verdict = if probability >= options.min_agreement {
            Choice::Side(Side::Left)
        } else if 1.0 - probability >= options.min_agreement {
            Choice::Side(Side::Right)
        } else {
            Choice::Neither(VOTES_DISAGREE)
        };
        self.belief = Some((verdict, probability.max(1.0 - probability)));
        self.standing = leading.ending_in(verdict);
    }

    fn follow(&self, view: impl Fn(&Counts) -> Choice) -> Timeline<Choice> {
        let votes: Vec<&Timeline<Option<Vote>>> = self.ballots.iter().map(|ballot| &ballot.votes).collect();
        Timeline::follow(
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
            view,
        )
    }

    /// Returns who votes for which side now.
    pub(super) fn cast(&self) -> Vec<(Voter<'a>, Side)> {
        cast(&self.ballots)
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
            n_agreeing: self
                .belief
                .filter(|belief| belief.0 == choice)
                .map_or(agreeing.len() as f64, |(_, probability)| probability * votes.len() as f64),
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
        self.n_agreeing / f64::from(self.n_votes.max(1))
    }
}
