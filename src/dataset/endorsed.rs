//! Endorsed answers for supervised fine-tuning: one example for each answer that is worth imitating.

use std::collections::{BTreeMap, BTreeSet};

use super::bonds::{Bonds, example, row_id};
use super::edit::{self, Edit};
use super::effective::{Chain, Group, Target, Voter};
use super::evidence::{Candidates, Evidence, Pair};
use super::example::{Body, ChosenSource, Example, Turn};
use super::exclusion::{
    BOTH_BAD, NEGATIVE_LABEL, NOT_ENDORSED, NOT_SELECTED, OTHER_PROMPT_OR_UNKNOWN, RETRACTED, WON_AND_LOST,
};
use super::harvest::Harvest;
use super::label::{self, NEGATIVE, POSITIVE};
use super::pair::standing;
use super::plan::PlanKey;
use super::poll::{Choice, Poll, Side, Support};
use super::text::{self, Reason};
use super::timeline::Timeline;
use crate::domain::clock::Timestamp;
use crate::domain::feedback::Signal;
use crate::domain::recipe::{Format, MinSignal, Options};

/// Adds an example for every endorsed answer of a group, or why there is none; returns how many candidates there were.
pub(super) fn add(harvest: &mut Harvest, group: &Group, options: &Options) -> u64 {
    let compared = Candidates::of_preferences(group, options);
    let standings: BTreeMap<Pair, Timeline<Choice>> =
        compared.pairs.iter().map(|(pair, evidence)| (*pair, standing(group, *pair, evidence))).collect();
    let mut matches: BTreeMap<usize, Vec<Match>> = BTreeMap::new();
    for (pair, evidence) in &compared.pairs {
        let Some(standing) = standings.get(pair) else { continue };
        for (place, side) in [(pair.0, Side::Left), (pair.1, Side::Right)] {
            matches.entry(place).or_default().push(Match { side, standing, evidence });
        }
    }
    let mut edits: BTreeMap<usize, Vec<Edit>> = BTreeMap::new();
    for edit in edit::edits(group, Format::Sft, options) {
        edits.entry(edit.place).or_default().push(edit);
    }
    let unknown_rivals: BTreeSet<usize> = group
        .targets(Signal::Preference)
        .filter_map(|(target, _)| match target {
            Target::Outside(place, _) => Some(place),
            _ => None,
        })
        .collect();
    let mut n_candidates = 0;
    for place in 0..group.completions.len() {
        let answer = Answer {
            group,
            place,
            matches: matches.remove(&place).unwrap_or_default(),
            edits: edits.remove(&place).unwrap_or_default(),
            votes: label::votes(group, place, options),
            used: used(group, place, options),
        };
        if answer.is_candidate() {
            n_candidates += 1;
            answer.add_to(harvest, options);
        } else if unknown_rivals.contains(&place) {
            n_candidates += 1;
            harvest.exclusions.add(OTHER_PROMPT_OR_UNKNOWN);
        }
    }
    n_candidates
}

fn used<'g, 'a>(group: &'g Group<'a>, place: usize, options: &Options) -> Vec<&'g Chain<'a>> {
    match options.sft_min_signal {
        MinSignal::Explicit => Vec::new(),
        MinSignal::Implicit => [Signal::Copy, Signal::Accept]
            .into_iter()
            .flat_map(|signal| group.chains(signal, Target::Answer(place)))
            .collect(),
    }
}

/// A comparison of an answer, which is one of its sides, with another.
struct Match<'g, 'a> {
    side: Side,
    standing: &'g Timeline<Choice>,
    evidence: &'g [Evidence<'a>],
}

/// Everything that was said about one answer.
struct Answer<'g, 'a> {
    group: &'g Group<'a>,
    place: usize,
    matches: Vec<Match<'g, 'a>>,
    edits: Vec<Edit<'a>>,
    votes: Option<Poll<'a>>,
    used: Vec<&'g Chain<'a>>,
}

/// What endorses an answer, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endorsement {
    Won,
    /// The version at a place among the items.
    Edited(usize),
    Label,
    Used,
}

impl Endorsement {
    /// Two endorsements make the same row where they endorse the same text.
    fn makes_the_row_of(self, other: Self) -> bool {
        match (self, other) {
            (Self::Edited(version), Self::Edited(other)) => version == other,
            (Self::Edited(_), _) | (_, Self::Edited(_)) => false,
            _ => true,
        }
    }
}

/// The answer's matches at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Matches {
    n_won: u32,
    n_lost: u32,
    n_both_bad: u32,
}

type Outcome = Result<Endorsement, Reason>;

impl<'a> Answer<'_, 'a> {
    fn is_candidate(&self) -> bool {
        let judged = [Signal::Thumb, Signal::Rating]
            .iter()
            .any(|signal| !self.group.chains(*signal, Target::Answer(self.place)).is_empty());
        judged || !self.matches.is_empty() || !self.edits.is_empty() || !self.used.is_empty()
    }

    fn add_to(&self, harvest: &mut Harvest, options: &Options) {
        let completion = self.group.completions[self.place];
        let own_text = self.own_text(options);
        let outcome = self.outcome(own_text.as_ref().err().copied());
        let prompt = text::prompt_turns(completion, options);
        let (Some(first), Ok(prompt)) = (outcome.first(Result::is_ok), prompt) else {
            harvest.exclusions.add(outcome.last().and_then(|outcome| outcome.err()).unwrap_or(NOT_ENDORSED));
            return;
        };
        let bonds = Bonds::of(self.group, &[self.place], &prompt, first, self.voters());
        let made = match outcome.last() {
            Some(Ok(endorsement)) => {
                let since = outcome.since(|other| other.is_ok_and(|other| other.makes_the_row_of(*endorsement)));
                since.and_then(|since| self.example(*endorsement, own_text.ok(), prompt, since, bonds))
            }
            Some(Err(reason)) => {
                harvest.exclusions.add(reason);
                harvest.former.push(PlanKey::former(bonds.ties, first));
                return;
            }
            None => None,
        };
        match made {
            Some(example) => harvest.examples.push(example),
            None => harvest.exclusions.add(RETRACTED),
        }
    }

    /// Checks what the recipe asks of the answer's own text, and takes it.
    fn own_text(&self, options: &Options) -> Result<String, Reason> {
        let completion = self.group.completions[self.place];
        if !completion.selected {
            return Err(NOT_SELECTED);
        }
        text::check(completion, options)?;
        let prompt = text::prompt_turns(completion, options)?;
        let own = text::answer(completion)?;
        text::check_length(&prompt, &[&own], options)?;
        Ok(own)
    }

    /// Follows what endorses the answer, or why nothing does, from the answer's arrival on.
    fn outcome(&self, own_text: Option<Reason>) -> Timeline<Outcome> {
        let nothing = Timeline::new();
        let label = self.votes.as_ref().map_or(&nothing, |votes| &votes.standing);
        let edited = self.edited();
        let used = self.is_used();
        let matches = self.standing_of_matches();
        let explicit =
            Timeline::zip(&matches, label, |matches, label| (matches.copied().unwrap_or_default(), label.copied()));
        let others = Timeline::zip(&edited, &used, |edited, used| (edited.copied(), used.copied().unwrap_or(false)));
        let outcome: Timeline<Outcome> = Timeline::zip(&explicit, &others, |explicit, others| {
            let (matches, label) = explicit.copied().unwrap_or_default();
            let (edited, used) = others.copied().unwrap_or_default();
            decide(matches, edited, label, used, own_text)
        });
        outcome.not_before(self.group.completions[self.place].received_at)
    }

    fn standing_of_matches(&self) -> Timeline<Matches> {
        let parts: Vec<&Timeline<Choice>> = self.matches.iter().map(|one| one.standing).collect();
        Timeline::follow(
            &parts,
            Matches::default(),
            |matches, nth, from, to| {
                let side = self.matches[nth].side;
                if let Some(n) = from.and_then(|from| matches.of(*from, side)) {
                    *n -= 1;
                }
                if let Some(n) = matches.of(*to, side) {
                    *n += 1;
                }
            },
            |matches| *matches,
        )
    }

    /// Follows the first of the edits that may be an example, or why none may.
    fn edited(&self) -> Timeline<Result<usize, Reason>> {
        let parts: Vec<&Timeline<Result<usize, Reason>>> = self.edits.iter().map(|edit| &edit.versions).collect();
        Timeline::follow(
            &parts,
            vec![None; parts.len()],
            |versions: &mut Vec<Option<Result<usize, Reason>>>, nth, _, to| versions[nth] = Some(*to),
            |versions| {
                // Items are numbered in the order of their arrival, so that a later edit does not displace an earlier.
                let first = versions.iter().flatten().filter_map(|version| version.ok()).min();
                let reason = versions.iter().flatten().find_map(|version| version.err());
                first.ok_or(reason.unwrap_or(RETRACTED))
            },
        )
    }

    fn is_used(&self) -> Timeline<bool> {
        let parts: Vec<&Timeline<Option<usize>>> = self.used.iter().map(|chain| &chain.items).collect();
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

    fn voters(&self) -> Vec<(Voter<'a>, Timestamp)> {
        let compared = self
            .matches
            .iter()
            .flat_map(|one| one.evidence.iter().flat_map(|evidence| evidence.involved(one.standing)));
        let voted = self.votes.iter().flat_map(Poll::voters);
        let edited = self.edits.iter().filter_map(|edit| Some((edit.voter, edit.versions.first(Result::is_ok)?)));
        let used = self.used.iter().filter_map(|chain| Some((chain.voter, chain.items.first(Option::is_some)?)));
        compared.chain(voted).chain(edited).chain(used).collect()
    }

    fn example(
        &self,
        endorsement: Endorsement,
        own_text: Option<String>,
        prompt: Vec<Turn>,
        since: Timestamp,
        bonds: Bonds,
    ) -> Option<Example> {
        let completion = self.group.completions[self.place];
        if let Endorsement::Edited(version) = endorsement {
            let edit = self.edits.iter().find(|edit| edit.versions.last() == Some(&Ok(version)))?;
            let (item, edited, _) = edit.current(self.group)?;
            let body = Body::Endorsed { prompt, response: edited.to_owned() };
            return Some(Example {
                row_id: row_id(Format::Sft, &completion.id, None, Some(item.id)),
                feedback_ids: vec![item.id],
                chosen_source: ChosenSource::HumanEdit,
                ..example(completion, body, (Signal::Edit, edit::RULE), since, bonds)
            });
        }
        let (signal, rule, support) = self.support(endorsement)?;
        let body = Body::Endorsed { prompt, response: own_text? };
        Some(Example {
            row_id: row_id(Format::Sft, &completion.id, None, None),
            feedback_ids: self.group.feedback_ids(&support.items),
            n_votes: support.n_votes,
            agreement: support.agreement(),
            preference_strength: support.strength.unwrap_or(1.0),
            ..example(completion, body, (signal, rule), since, bonds)
        })
    }

    fn support(&self, endorsement: Endorsement) -> Option<(Signal, &'static str, Support)> {
        match endorsement {
            Endorsement::Won => {
                let won = self.matches.iter().filter(|one| one.standing.last() == Some(&Choice::Side(one.side)));
                let support = won.flat_map(|one| one.evidence).filter_map(|evidence| evidence.support.clone());
                Some((Signal::Preference, "preference_won", support.reduce(Support::join)?))
            }
            Endorsement::Label => {
                let support = self.votes.as_ref()?.support(POSITIVE);
                match label::signal(self.group, &support.items) {
                    Signal::Thumb => Some((Signal::Thumb, "thumb_up", support)),
                    signal => Some((signal, "rating_good", support)),
                }
            }
            Endorsement::Used => {
                let items: Vec<usize> =
                    self.used.iter().filter_map(|chain| chain.items.last().copied().flatten()).collect();
                let voters: BTreeSet<Voter> = self
                    .used
                    .iter()
                    .filter(|chain| chain.items.last().is_some_and(Option::is_some))
                    .map(|chain| chain.voter)
                    .collect();
                let signal = items.iter().map(|&item| self.group.items[item].reaction.signal()).max()?;
                let n_votes = voters.len() as u32;
                let support = Support { n_votes, n_agreeing: n_votes, strength: None, shown_first: None, items };
                Some((signal, "copied_or_accepted", support))
            }
            Endorsement::Edited(_) => None,
        }
    }
}

impl Matches {
    fn of(&mut self, choice: Choice, side: Side) -> Option<&mut u32> {
        match choice {
            Choice::Side(winner) if winner == side => Some(&mut self.n_won),
            Choice::Side(_) => Some(&mut self.n_lost),
            Choice::Neither(BOTH_BAD) => Some(&mut self.n_both_bad),
            Choice::Neither(_) => None,
        }
    }
}

/// Decides for the strongest endorsement. A negative label, a lost match or a verdict that both answers are bad rules
/// out the answer's own text, but not what a user made of it.
fn decide(
    matches: Matches,
    edited: Option<Result<usize, Reason>>,
    label: Option<Choice>,
    used: bool,
    own_text: Option<Reason>,
) -> Outcome {
    let ruled_out = if label == Some(Choice::Side(NEGATIVE)) {
        Some(NEGATIVE_LABEL)
    } else if matches.n_both_bad > 0 {
        Some(BOTH_BAD)
    } else if matches.n_won > 0 && matches.n_lost > 0 {
        Some(WON_AND_LOST)
    } else {
        None
    };
    let own = match label {
        _ if ruled_out.is_some() => None,
        _ if matches.n_won > 0 => Some(Endorsement::Won),
        Some(Choice::Side(POSITIVE)) => Some(Endorsement::Label),
        _ if used && matches.n_lost == 0 => Some(Endorsement::Used),
        _ => None,
    };
    match (own, edited, own_text) {
        (Some(Endorsement::Won), _, None) => Ok(Endorsement::Won),
        (_, Some(Ok(version)), _) => Ok(Endorsement::Edited(version)),
        (Some(own), _, None) => Ok(own),
        (Some(_), _, Some(reason)) => Err(reason),
        (None, edited, _) => {
            Err(ruled_out.or(edited.and_then(Result::err)).or(why_no_label(label)).unwrap_or(NOT_ENDORSED))
        }
    }
}

fn why_no_label(label: Option<Choice>) -> Option<Reason> {
    match label {
        Some(Choice::Neither(reason)) => Some(reason),
        _ => None,
    }
}
