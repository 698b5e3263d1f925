//! The verdict on one answer: what the votes on it say together.

use std::collections::BTreeSet;

use super::effective::{Group, Target, Voter};
use super::exclusion::NOT_ENDORSED;
use super::panel::Question;
use super::poll::{Ballot, Choice, Poll, Side, Vote};
use super::timeline::Timeline;
use crate::domain::feedback::{Feedback, Reaction, Signal, Thumb};
use crate::domain::ids::CompletionId;
use crate::domain::recipe::Options;
use crate::domain::trust::TrustFilter;

/// What an answer is, after its votes were combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Liked.
    Positive,
    /// Disliked.
    Negative,
    /// Nothing that the recipe would rely on.
    None,
}

impl Verdict {
    /// Returns the verdict's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Positive => "positive",
            Self::Negative => "negative",
            Self::None => "none",
        }
    }
}

/// A verdict with the rule that gave it and how strong it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// The verdict.
    pub verdict: Verdict,
    /// The rule: `thumb_majority`, `rating_majority`, or the reason for which there is no verdict.
    pub rule: &'static str,
    /// Votes that were counted; a user's thumb outranks the same user's rating.
    pub n_votes: u32,
    /// Share of the votes that agree with the verdict; 0 where there is none.
    pub strength: f64,
}

/// Labels a completion by the thumbs and ratings on it that pass the filter of trust.
pub fn label(id: &CompletionId, feedback: &[Feedback], options: &Options, trust: TrustFilter) -> Label {
    let group = Group::of_one(id, feedback, trust);
    let none = |rule, n_votes| Label { verdict: Verdict::None, rule, n_votes, strength: 0.0 };
    let Some(poll) = votes(&group, 0, options) else { return none(NOT_ENDORSED, 0) };
    match poll.standing.last() {
        Some(Choice::Side(side)) => {
            let support = poll.support(Choice::Side(*side));
            let verdict = if *side == POSITIVE { Verdict::Positive } else { Verdict::Negative };
            let rule = match signal(&group, &support.items) {
                Signal::Thumb => "thumb_majority",
                _ => "rating_majority",
            };
            Label { verdict, rule, n_votes: support.n_votes, strength: support.agreement() }
        }
        Some(Choice::Neither(reason)) => none(reason, poll.support(Choice::Side(POSITIVE)).n_votes),
        None => none(NOT_ENDORSED, 0),
    }
}

/// The side of a label's poll that calls the answer good.
pub(super) const POSITIVE: Side = Side::Left;
/// The side that calls it bad.
pub(super) const NEGATIVE: Side = Side::Right;

/// Collects the votes on one answer; nothing where nobody has ever judged it.
pub(super) fn votes<'a>(group: &Group<'a>, place: usize, options: &Options) -> Option<Poll<'a>> {
    let thumbs = group.chains(Signal::Thumb, Target::Answer(place));
    let ratings = group.chains(Signal::Rating, Target::Answer(place));
    let voters: BTreeSet<Voter> = thumbs.iter().chain(ratings).map(|chain| chain.voter).collect();
    let nothing = Timeline::new();
    let ballots = voters
        .into_iter()
        .map(|voter| {
            let of = |chains: &'_ [super::effective::Chain<'a>]| {
                chains.binary_search_by_key(&voter, |chain| chain.voter).ok()
            };
            let thumb = of(thumbs).map_or(&nothing, |nth| &thumbs[nth].items);
            let rating = of(ratings).map_or(&nothing, |nth| &ratings[nth].items);
            let votes = Timeline::zip(thumb, rating, |thumb, rating| {
                let judged = |item: Option<&Option<usize>>| {
                    let item = (*item?)?;
                    judgement(&group.items[item].reaction, options).map(|side| (side, item))
                };
                judged(thumb).or_else(|| judged(rating)).map(|(side, item)| Vote {
                    choice: Choice::Side(side),
                    strength: None,
                    shown_first: None,
                    items: [item; 2],
                })
            });
            Ballot { voter, votes }
        })
        .collect();
    Poll::new(ballots, options, group.panel.map(|panel| (panel, Question::Label)))
}

/// Returns whether a thumb or a rating calls the answer good or bad; the middle of a scale does neither.
pub(super) fn judgement(reaction: &Reaction, options: &Options) -> Option<Side> {
    match reaction {
        Reaction::Thumb { value: Thumb::Up, .. } => Some(POSITIVE),
        Reaction::Thumb { value: Thumb::Down, .. } => Some(NEGATIVE),
        Reaction::Rating { value, .. } if *value >= options.rating_good => Some(POSITIVE),
        Reaction::Rating { value, .. } if *value <= 1.0 - options.rating_good => Some(NEGATIVE),
        _ => None,
    }
}

/// Returns the signal behind a label: the thumb where there is one among its items.
pub(super) fn signal(group: &Group, items: &[usize]) -> Signal {
    let is_thumb = |item: &usize| group.items[*item].reaction.signal() == Signal::Thumb;
    if items.iter().any(is_thumb) { Signal::Thumb } else { Signal::Rating }
}
