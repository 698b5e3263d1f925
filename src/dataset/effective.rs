//! What counts of a prompt's feedback: trust, what supersedes what, and the latest word of each voter.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::example::{Exclusions, Turn};
use super::exclusion::{NO_EVIDENCE, REPLACED, SUPERSEDED, UNKNOWN_COMPLETION, UNTRUSTED};
use super::folded::PromptHasher;
use super::panel::Panel;
use super::timeline::Timeline;
use crate::domain::clock::Timestamp;
use crate::domain::completion::Completion;
use crate::domain::feedback::{Feedback, Reaction, Signal};
use crate::domain::hash::ContentHash;
use crate::domain::ids::{CompletionId, FeedbackId, UserId};
use crate::domain::trust::TrustFilter;

/// Who votes: a user, or a reaction without a user, which counts by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Voter<'a> {
    User(&'a UserId),
    Nobody(FeedbackId),
}

impl Voter<'_> {
    /// Returns a word that is the voter's own.
    pub(super) fn word(&self) -> String {
        match self {
            Self::User(user) => format!("user {}", user.as_str()),
            Self::Nobody(item) => item.to_string(),
        }
    }
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
    trust: TrustFilter,
    /// Who says how reliable voters are, where the recipe asks for it.
    pub(super) panel: Option<&'a Panel>,
    chains: BTreeMap<(Signal, Target<'a>), Vec<Chain<'a>>>,
    hasher: RefCell<PromptHasher>,
}

impl<'a> Group<'a> {
    /// Looks at all answers to one prompt.
    pub(super) fn new(completions: &'a [Completion], feedback: &'a [Feedback], trust: TrustFilter) -> Self {
        let mut completions: Vec<&Completion> = completions.iter().collect();
        completions.sort_by(|left, right| left.id.cmp(&right.id));
        let places = completions.iter().enumerate().map(|(place, completion)| (&completion.id, place)).collect();
        Self { completions, ..Self::of_places(&places, feedback, trust) }
    }

    /// Looks at one answer without knowing more of it than its id.
    pub(super) fn of_one(id: &'a CompletionId, feedback: &'a [Feedback], trust: TrustFilter) -> Self {
        Self::of_places(&HashMap::from([(id, 0)]), feedback, trust)
    }

    fn of_places(places: &HashMap<&CompletionId, usize>, feedback: &'a [Feedback], trust: TrustFilter) -> Self {
        let mut left_out = Exclusions::default();
        let mut items: Vec<&Feedback> = Vec::with_capacity(feedback.len());
        for item in feedback {
            if !item.trust.passes(trust) {
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
            match places.get(&item.completion_id).and_then(|place| target(item, *place, places)) {
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
        Self { completions: Vec::new(), items, left_out, trust, panel: None, chains, hasher: RefCell::default() }
    }

    /// Hashes a prompt as it is compared; all rows of a group have the same one, or nearly all.
    pub(super) fn hash_prompt(&self, prompt: &[Turn]) -> ContentHash {
        self.hasher.borrow_mut().hash(prompt)
    }

    /// Tells whether what an item says of its own answer may bear on another one, too: a token that was granted for one
    /// conversation vouches for no other.
    pub(super) fn bears_on(&self, item: &Feedback, other: &Completion) -> bool {
        item.granted.is_none() || item.granted == other.conversation_id || self.trust == TrustFilter::Any
    }

    /// Returns the items that may prove something, by arrival.
    pub(super) fn evidence(&self) -> impl Iterator<Item = &'a Feedback> {
        self.items.iter().copied().filter(|item| !proves_nothing(&item.reaction))
    }

    /// Returns the items that are their voters' last word and hold words of their own, by arrival.
    pub(super) fn comments(&self) -> Vec<&'a Feedback> {
        let is_comment = |item: &&Feedback| item.reaction.comment().is_some();
        if !self.items.iter().any(is_comment) {
            return Vec::new();
        }
        let counting = self.items.iter().copied().zip(weigh(&self.items));
        let counting = counting.filter(|(_, standing)| *standing == Standing::Counts).map(|(item, _)| item);
        counting.filter(is_comment).collect()
    }

    /// Returns the answers that anybody has said something about. A regeneration is about the answer that it replaces.
    pub(super) fn heard(&self) -> BTreeSet<CompletionId> {
        let about = |target: &Target| match *target {
            Target::Answer(place) | Target::Replaced(place, _) | Target::Outside(place, _) => [Some(place), None],
            Target::Pair(left, right) => [Some(left), Some(right)],
        };
        let places: BTreeSet<usize> = self.chains.keys().flat_map(|(_, target)| about(target)).flatten().collect();
        places.into_iter().map(|place| self.completions[place].id.clone()).collect()
    }

    /// Returns what the voters have said about a target with a signal, by voter.
    pub(super) fn chains(&self, signal: Signal, target: Target<'a>) -> &[Chain<'a>] {
        self.chains.get(&(signal, target)).map_or(&[], Vec::as_slice)
    }

    /// Finds an answer by its id.
    pub(super) fn find(&self, id: &CompletionId) -> Option<&'a Completion> {
        self.completions.binary_search_by(|answer| answer.id.cmp(id)).ok().map(|place| self.completions[place])
    }

    /// Returns the ids of items, sorted, without repeats.
    pub(super) fn feedback_ids(&self, items: &[usize]) -> Vec<FeedbackId> {
        let ids: BTreeSet<FeedbackId> = items.iter().map(|&item| self.items[item].id).collect();
        ids.into_iter().collect()
    }

    /// Returns the users behind items, sorted, without repeats.
    pub(super) fn voters(&self, items: &[usize]) -> Vec<UserId> {
        let users: BTreeSet<&UserId> = items.iter().filter_map(|item| self.items[*item].user.as_ref()).collect();
        users.into_iter().cloned().collect()
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
        reaction if proves_nothing(reaction) => None,
        _ => Some(Target::Answer(place)),
    }
}

fn proves_nothing(reaction: &Reaction) -> bool {
    matches!(reaction, Reaction::Comment { .. } | Reaction::Impression | Reaction::Dwell { .. })
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
fn latest(items: &[&Feedback], members: &[usize], removals: &[Option<Timestamp>]) -> Timeline<Option<usize>> {
    let arrivals = members.iter().map(|&nth| (items[nth].received_at, false, nth));
    let removals = members.iter().zip(removals).filter_map(|(&nth, removal)| Some(((*removal)?, true, nth)));
    let mut changes: Vec<(Timestamp, bool, usize)> = arrivals.chain(removals).collect();
    changes.sort_unstable();
    let mut standing = Said::default();
    Timeline::from_changes(changes.into_iter().map(|(at, is_removal, nth)| {
        standing.change(items[nth], nth, is_removal);
        (at, standing.last())
    }))
}

/// When an item was said: by time, then by id; the arrival and the place decide between copies under two names.
type Moment = (Timestamp, FeedbackId, Timestamp, usize);

/// What a voter has said and not superseded.
///
/// Within a session its own numbers say what came last, whatever its clock did meanwhile; so each session has one last
/// word. Between sessions, and items that have no place in one, the latest moment decides. Comparing any two items by
/// number or else by moment would be no order: it can run in a circle.
#[derive(Default)]
struct Said<'a> {
    sessions: HashMap<&'a str, BTreeSet<(i64, Moment)>>,
    last_words: BTreeSet<Moment>,
}

impl<'a> Said<'a> {
    fn change(&mut self, item: &'a Feedback, nth: usize, is_removal: bool) {
        let moment = (item.effective_at, item.id, item.received_at, nth);
        let (Some(session), Some(seq)) = (&item.session_id, item.seq) else {
            if is_removal {
                self.last_words.remove(&moment);
            } else {
                self.last_words.insert(moment);
            }
            return;
        };
        let of_session = self.sessions.entry(session).or_default();
        if let Some((_, last)) = of_session.last() {
            self.last_words.remove(last);
        }
        if is_removal {
            of_session.remove(&(seq, moment));
        } else {
            of_session.insert((seq, moment));
        }
        if let Some((_, last)) = of_session.last() {
            self.last_words.insert(*last);
        }
    }

    fn last(&self) -> Option<usize> {
        self.last_words.last().map(|(.., nth)| *nth)
    }
}

/// What an item of feedback is worth among the others on its completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It is the voter's last word.
    Counts,
    /// A later reaction of the same kind by the same user replaces it.
    Replaced,
    /// A later item of the same user names it as superseded.
    Superseded,
    /// It does not pass the filter of trust.
    Untrusted,
}

impl Standing {
    /// Returns the standing's word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counts => "counts",
            Self::Replaced => REPLACED,
            Self::Superseded => SUPERSEDED,
            Self::Untrusted => UNTRUSTED,
        }
    }
}

/// Tells what each item on one completion is worth, in the order in which they are given; that order changes nothing.
pub fn standings(feedback: &[Feedback], trust: TrustFilter) -> Vec<Standing> {
    let mut standings = vec![Standing::Untrusted; feedback.len()];
    let mut order: Vec<usize> = (0..feedback.len()).filter(|&nth| feedback[nth].trust.passes(trust)).collect();
    order.sort_by_key(|&nth| (feedback[nth].received_at, feedback[nth].id));
    let items: Vec<&Feedback> = order.iter().map(|&nth| &feedback[nth]).collect();
    for (place, standing) in order.into_iter().zip(weigh(&items)) {
        standings[place] = standing;
    }
    standings
}

/// Tells what each item is worth that passes the filter of trust, given by arrival; they may be on several completions.
fn weigh(items: &[&Feedback]) -> Vec<Standing> {
    let mut standings = vec![Standing::Replaced; items.len()];
    let superseding = superseding(items);
    let mut said: BTreeMap<(&CompletionId, Signal, Option<&CompletionId>, Voter), Said> = BTreeMap::new();
    for (place, item) in items.iter().enumerate() {
        if superseded_at(item, &superseding).is_some() {
            standings[place] = Standing::Superseded;
            continue;
        }
        let against = match &item.reaction {
            Reaction::Preference { against, .. } => Some(against),
            _ => None,
        };
        let voter = item.user.as_ref().map_or(Voter::Nobody(item.id), Voter::User);
        said.entry((&item.completion_id, item.reaction.signal(), against, voter))
            .or_default()
            .change(item, place, false);
    }
    for place in said.values().filter_map(Said::last) {
        standings[place] = Standing::Counts;
    }
    standings
}
