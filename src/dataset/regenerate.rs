//! What a regeneration says: the kept answer beats the replaced one, but only where it is proved good.

use std::collections::BTreeMap;

use super::effective::{Chain, Group, Target, Voter};
use super::evidence::{Candidates, Evidence};
use super::exclusion::{
    OTHER_PROMPT_OR_UNKNOWN, REGENERATE_AFTER_FAILURE, REGENERATE_KEPT_UNPROVEN, REGENERATE_REPLACED_LIKED,
    TOO_FEW_VOTES,
};
use super::label::{POSITIVE, judgement};
use super::poll::{Choice, Side, Support};
use super::timeline::Timeline;
use crate::domain::clock::Timestamp;
use crate::domain::feedback::{Reaction, Signal};
use crate::domain::ids::CompletionId;
use crate::domain::recipe::Options;

/// Reasons that say nothing about the quality of the replaced answer.
const FAILURES: [&str; 3] = ["error", "stop", "timeout"];

/// Adds every regeneration that feedback or a completion's parent records.
pub(super) fn add<'a>(candidates: &mut Candidates<'a>, group: &Group<'a>, options: &Options) {
    let mut recorded: BTreeMap<(usize, usize), Vec<Chain<'a>>> = BTreeMap::new();
    let places: BTreeMap<&CompletionId, usize> =
        group.completions.iter().enumerate().map(|(place, completion)| (&completion.id, place)).collect();
    for (kept, completion) in group.completions.iter().enumerate() {
        if let Some(&replaced) = completion.parent_completion_id.as_ref().and_then(|parent| places.get(parent))
            && replaced != kept
        {
            recorded.entry((replaced, kept)).or_default();
        }
    }
    let by_parent: Vec<(usize, usize)> = recorded.keys().copied().collect();
    for (target, chains) in group.targets(Signal::Regenerate) {
        match target {
            Target::Replaced(replaced, kept) => {
                recorded.entry((replaced, kept)).or_default().extend_from_slice(chains);
            }
            Target::Answer(replaced) => {
                // The feedback does not say what came next; the completions may.
                let children: Vec<_> = by_parent.iter().filter(|(parent, _)| *parent == replaced).collect();
                if children.is_empty() {
                    candidates.exclusions.add(OTHER_PROMPT_OR_UNKNOWN);
                }
                for child in children {
                    recorded.entry(*child).or_default().extend_from_slice(chains);
                }
            }
            Target::Outside(..) | Target::Pair(..) => candidates.exclusions.add(OTHER_PROMPT_OR_UNKNOWN),
        }
    }
    for ((replaced, kept), chains) in recorded {
        let by_parent = by_parent.contains(&(replaced, kept));
        let evidence = evidence(group, (replaced, kept), by_parent, &chains, options);
        candidates.add((replaced.min(kept), replaced.max(kept)), evidence);
    }
}

/// How an answer was received: who approved of it, and how many objected.
struct Approval<'a> {
    standing: Timeline<Standing>,
    approving: Vec<(Voter<'a>, Timestamp)>,
    items: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    n_approving: u32,
    n_objecting: u32,
}

impl<'a> Approval<'a> {
    /// Collects it for an answer. Approval that makes another answer the worse one has to bear on that, too; an objection
    /// need not.
    fn of(group: &Group<'a>, place: usize, replaced: Option<usize>, options: &Options) -> Self {
        let signals = [Signal::Thumb, Signal::Rating, Signal::Copy, Signal::Accept, Signal::Continuation, Signal::Edit];
        let chains: Vec<&Chain<'a>> =
            signals.iter().flat_map(|signal| group.chains(*signal, Target::Answer(place))).collect();
        let opinions: Vec<Timeline<Option<Side>>> = chains
            .iter()
            .map(|chain| {
                chain.items.map(|item| {
                    let item = group.items[(*item)?];
                    let bears = replaced.is_none_or(|replaced| group.bears_on(item, group.completions[replaced]));
                    opinion(&item.reaction, options).filter(|side| bears || *side != POSITIVE)
                })
            })
            .collect();
        let standing = Timeline::follow(
            &opinions.iter().collect::<Vec<_>>(),
            (BTreeMap::<Voter<'a>, u32>::new(), 0_u32),
            |(approving, n_objecting), nth, from, to| {
                let voter = chains[nth].voter;
                match from {
                    Some(Some(Side::Left)) => *approving.entry(voter).or_default() -= 1,
                    Some(Some(Side::Right)) => *n_objecting -= 1,
                    _ => {}
                }
                match to {
                    Some(Side::Left) => *approving.entry(voter).or_default() += 1,
                    Some(Side::Right) => *n_objecting += 1,
                    None => {}
                }
                approving.retain(|_, n| *n > 0);
            },
            |(approving, n_objecting)| Standing { n_approving: approving.len() as u32, n_objecting: *n_objecting },
        );
        let mut approving = Vec::new();
        let mut items = Vec::new();
        for (chain, opinion) in chains.iter().zip(&opinions) {
            if let Some(first) = opinion.first(|side| *side == Some(POSITIVE)) {
                approving.push((chain.voter, first));
            }
            if opinion.last() == Some(&Some(POSITIVE)) {
                items.extend(chain.items.last().copied().flatten());
            }
        }
        Self { standing, approving, items }
    }
}

/// Returns whether a reaction shows approval of the answer or objects to it.
fn opinion(reaction: &Reaction, options: &Options) -> Option<Side> {
    match reaction {
        Reaction::Copy { .. } | Reaction::Accept { .. } | Reaction::Continuation { .. } => Some(POSITIVE),
        Reaction::Edit { accepted, .. } => accepted.then_some(POSITIVE),
        other => judgement(other, options),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Unknown,
    Quality,
    Failure,
}

fn evidence<'a>(
    group: &Group<'a>,
    (replaced, kept): (usize, usize),
    by_parent: bool,
    chains: &[Chain<'a>],
    options: &Options,
) -> Evidence<'a> {
    let cause = cause(group, (replaced, kept), by_parent, chains);
    let side = if kept < replaced { Side::Left } else { Side::Right };
    let of_kept = Approval::of(group, kept, Some(replaced), options);
    let of_replaced = Approval::of(group, replaced, None, options);
    let none = Standing { n_approving: 0, n_objecting: 0 };
    let both = Timeline::zip(&of_kept.standing, &of_replaced.standing, |kept, replaced| {
        (*kept.unwrap_or(&none), *replaced.unwrap_or(&none))
    });
    let standing = Timeline::zip(&cause, &both, |cause, both| {
        let (kept, replaced) = *both.unwrap_or(&(none, none));
        match cause {
            Some(Cause::Failure) => Choice::Neither(REGENERATE_AFTER_FAILURE),
            Some(Cause::Quality) if replaced.n_approving > 0 => Choice::Neither(REGENERATE_REPLACED_LIKED),
            Some(Cause::Quality) if kept.n_approving > 0 && kept.n_objecting == 0 => {
                let enough = i64::from(kept.n_approving) >= options.min_votes;
                if enough { Choice::Side(side) } else { Choice::Neither(TOO_FEW_VOTES) }
            }
            _ => Choice::Neither(REGENERATE_KEPT_UNPROVEN),
        }
    });
    let regenerated: Vec<usize> = chains.iter().filter_map(|chain| chain.items.last().copied().flatten()).collect();
    let n_votes = of_kept.standing.last().map_or(0, |kept| kept.n_approving);
    let support = standing.last().is_some_and(Choice::is_side).then(|| Support {
        n_votes,
        n_agreeing: f64::from(n_votes),
        strength: None,
        shown_first: None,
        items: regenerated.into_iter().chain(of_kept.items.iter().copied()).collect(),
    });
    let asked = chains.iter().filter_map(|chain| Some((chain.voter, chain.items.first(Option::is_some)?)));
    let voters = asked.chain(of_kept.approving.iter().copied()).collect();
    Evidence { rule: "regenerate_kept", signal: Signal::Regenerate, standing, is_inferred: false, support, voters }
}

/// Follows why the answer was replaced; one failure among the reasons is enough to distrust the rest.
fn cause(group: &Group, (replaced, kept): (usize, usize), by_parent: bool, chains: &[Chain]) -> Timeline<Cause> {
    let given: Vec<Timeline<Cause>> = chains
        .iter()
        .map(|chain| {
            chain.items.map(|item| match item.map(|item| &group.items[item].reaction) {
                Some(Reaction::Regenerate { reason: Some(reason), .. }) if FAILURES.contains(&reason.as_str()) => {
                    Cause::Failure
                }
                Some(_) => Cause::Quality,
                None => Cause::Unknown,
            })
        })
        .collect();
    let both_there = group.completions[replaced].received_at.max(group.completions[kept].received_at);
    let parent = Timeline::starting(both_there, if by_parent { Cause::Quality } else { Cause::Unknown });
    let parts: Vec<&Timeline<Cause>> = given.iter().chain([&parent]).collect();
    Timeline::follow(
        &parts,
        vec![Cause::Unknown; parts.len()],
        |causes, nth, _, to| causes[nth] = *to,
        |causes| match causes {
            causes if causes.contains(&Cause::Failure) => Cause::Failure,
            causes if causes.contains(&Cause::Quality) => Cause::Quality,
            _ => Cause::Unknown,
        },
    )
}
