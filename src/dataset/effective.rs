//! What counts of a prompt's feedback: trust, what supersedes what, and the latest word of each voter.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::example::Exclusions;
use super::exclusion::{NO_EVIDENCE, REPLACED, SUPERSEDED, UNKNOWN_COMPLETION, UNTRUSTED};
use super::timeline::Timeline;
use crate::domain::clock::Timestamp;
use crate::domain::completion::Completion;
use crate::domain::feedback::{Feedback, Reaction, Signal};
use crate::domain::ids::{CompletionId, FeedbackId, UserId};
use crate::domain::recipe::Options;

/// Who votes: a user, or a reaction without a user, which counts by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Voter<'a> {
    User(&'a UserId),
    Nobody(FeedbackId),
}

/// What a reaction is about, answers by their place in [`Group::completions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target<'a> {
    /// One answer.
    Answer(usize),
    /// Two answers compared, the smaller place first.
    Pair(usize, usize),
    /// The first answer, replaced by the second.
    Replaced(usize, usize),
    /// One answer and another that is not among the prompt's.
    Outside(usize, &'a CompletionId),
}

/// What one voter has said about one target with one signal: the item that counts, over time.
#[derive(Debug, Clone)]
pub(super) struct Chain<'a> {
    pub(super) voter: Voter<'a>,
    pub(super) items: Timeline<Option<usize>>,
}

/// A prompt's answers and the feedback that may count, in an order that does not depend on that of the input.
pub(super) struct Group<'a> {
    /// The answers, by id.
    pub(super) completions: Vec<&'a Completion>,
    /// The items that may count, by arrival.
    pub(super) items: Vec<&'a Feedback>,
    /// The items that do not count, by reason.
    pub(super) left_out: Exclusions,
    chains: BTreeMap<(Signal, Target<'a>), Vec<Chain<'a>>>,
}

impl<'a> Group<'a> {
    pub(super) fn new(completions: &'a [Completion], feedback: &'a [Feedback], options: &Options) -> Self {
        let mut completions: Vec<&Completion> = completions.iter().collect();
        completions.sort_by(|left, right| left.id.cmp(&right.id));
        let places: HashMap<&CompletionId, usize> =
            completions.iter().enumerate().map(|(place, completion)| (&completion.id, place)).collect();
        let mut left_out = Exclusions::default();
        let mut items: Vec<&Feedback> = Vec::with_capacity(feedback.len());
        for item in feedback {
            if !item.trust.passes(options.trust) {
                left_out.add(UNTRUSTED);
            } else if !places.contains_key(&item.completion_id) {
                left_out.add(UNKNOWN_COMPLETION);
            } else {
                items.push(item);
            }
        }
        items.sort_by_key(|item| (item.received_at, item.id, &item.completion_id));

        let mut by_chain: BTreeMap<(Signal, Target, Voter), Vec<usize>> = BTreeMap::new();
        for (nth, item) in items.iter().enumerate() {
            match places.get(&item.completion_id).and_then(|place| target(item, *place, &places)) {
                Some(target) => {
                    let voter = item.user.as_ref().map_or(Voter::Nobody(item.id), Voter::User);
                    by_chain.entry((item.reaction.signal(), target, voter)).or_default().push(nth);
                }
                None => left_out.add(NO_EVIDENCE),
            }
        }
        let superseding = superseding(&items);
        let mut chains: BTreeMap<(Signal, Target), Vec<Chain>> = BTreeMap::new();
        for ((signal, target, voter), members) in by_chain {
            let removals: Vec<Option<Timestamp>> =
                members.iter().map(|&nth| superseded_at(items[nth], &superseding)).collect();
            let timeline = latest(&items, &members, &removals);
            for (&nth, removal) in members.iter().zip(&removals) {
                if removal.is_some() {
                    left_out.add(SUPERSEDED);
                } else if timeline.last() != Some(&Some(nth)) {
                    left_out.add(REPLACED);
                }
            }
            chains.entry((signal, target)).or_default().push(Chain { voter, items: timeline });
        }
        Self { completions, items, left_out, chains }
    }

    /// Returns what the voters have said about a target with a signal, by voter.
    pub(super) fn chains(&self, signal: Signal, target: Target<'a>) -> &[Chain<'a>] {
        self.chains.get(&(signal, target)).map_or(&[], Vec::as_slice)
    }

    /// Returns the ids of items, sorted, without repeats.
    pub(super) fn feedback_ids(&self, items: &[usize]) -> Vec<FeedbackId> {
        let ids: BTreeSet<FeedbackId> = items.iter().map(|&item| self.items[item].id).collect();
        ids.into_iter().collect()
    }

    /// Returns every target of a signal with what the voters have said about it.
    pub(super) fn targets(&self, signal: Signal) -> impl Iterator<Item = (Target<'a>, &[Chain<'a>])> {
        self.chains
            .range((signal, Target::Answer(0))..)
            .take_while(move |((other, _), _)| *other == signal)
            .map(|((_, target), chains)| (*target, chains.as_slice()))
    }
}

/// Returns what a reaction is about; nothing for those that prove nothing.
fn target<'a>(item: &'a Feedback, place: usize, places: &HashMap<&CompletionId, usize>) -> Option<Target<'a>> {
    match &item.reaction {
        Reaction::Preference { against, .. } => Some(match places.get(against) {
            Some(&other) if other != place => Target::Pair(place.min(other), place.max(other)),
            _ => Target::Outside(place, against),
        }),
        Reaction::Regenerate { next_completion_id: Some(next), .. } => Some(match places.get(next) {
            Some(&other) if other != place => Target::Replaced(place, other),
            _ => Target::Outside(place, next),
        }),
        Reaction::Comment { .. } | Reaction::Impression | Reaction::Dwell { .. } => None,
        _ => Some(Target::Answer(place)),
    }
}

type Superseding<'a> = HashMap<FeedbackId, Vec<&'a Feedback>>;

fn superseding<'a>(items: &[&'a Feedback]) -> Superseding<'a> {
    let mut by_superseded: Superseding = HashMap::new();
    for item in items {
        if let Some(superseded) = item.supersedes {
            by_superseded.entry(superseded).or_default().push(item);
        }
    }
    by_superseded
}

/// Returns since when an item has been superseded, by an item on the same answer. Only its own user can do that; an item
/// without a user can be superseded by whoever knows its id.
fn superseded_at(item: &Feedback, superseding: &Superseding) -> Option<Timestamp> {
    let by = superseding.get(&item.id)?;
    let allowed = by.iter().filter(|by| {
        by.id != item.id && by.completion_id == item.completion_id && (item.user.is_none() || item.user == by.user)
    });
    allowed.map(|by| by.received_at.max(item.received_at)).min()
}

/// Follows which of a voter's items is the latest, given when each was superseded.
///
/// Later means later by `(effective_at, session_id, seq, id)`: the place in a session decides between items of one
/// moment, and the id where nothing else does, so that any order of delivery ends in one state.
fn latest(items: &[&Feedback], members: &[usize], removals: &[Option<Timestamp>]) -> Timeline<Option<usize>> {
    let order = |nth: usize| {
        let item = items[nth];
        (item.effective_at, item.session_id.as_deref(), item.seq, item.id, nth)
    };
    let arrivals = members.iter().map(|&nth| (items[nth].received_at, false, nth));
    let removals = members.iter().zip(removals).filter_map(|(&nth, removal)| Some(((*removal)?, true, nth)));
    let mut changes: Vec<(Timestamp, bool, usize)> = arrivals.chain(removals).collect();
    changes.sort_unstable();
    let mut alive = BTreeMap::new();
    Timeline::from_changes(changes.into_iter().map(|(at, is_removal, nth)| {
        if is_removal {
            alive.remove(&order(nth));
        } else {
            alive.insert(order(nth), nth);
        }
        (at, alive.last_key_value().map(|(_, nth)| *nth))
    }))
}
