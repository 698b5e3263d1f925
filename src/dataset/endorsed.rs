//! Endorsed answers for supervised fine-tuning: one example for each answer that is worth imitating.

use std::collections::BTreeMap;

use super::bonds::{Bonds, example, row_id};
use super::edit::{self, Distances, Edit};
use super::effective::{Chain, Voter};
use super::example::{Body, ChosenSource, Example, RowKind};
use super::exclusion::{BOTH_BAD, NEGATIVE_LABEL, NOT_ENDORSED, OTHER_PROMPT_OR_UNKNOWN, RETRACTED, WON_AND_LOST};
use super::harvest::Crop;
use super::judged::{Judged, Match, Matches, USED_RULE, is_used};
use super::label::{self, NEGATIVE, POSITIVE};
use super::plan::PlanKey;
use super::poll::{Choice, Poll, Support};
use super::text::{self, Prompt, Reason};
use super::timeline::Timeline;
use super::tools::Form;
use crate::domain::clock::Timestamp;
use crate::domain::feedback::Signal;
use crate::domain::recipe::{MinSignal, Options};

/// Makes an example of every endorsed answer of a group, or counts why there is none.
pub(super) fn crop(judged: &Judged, distances: &Distances, options: &Options) -> Crop {
    let group = judged.group;
    let mut edits: BTreeMap<usize, Vec<Edit>> = BTreeMap::new();
    for edit in edit::edits(group, distances, RowKind::Endorsed, options) {
        edits.entry(edit.place).or_default().push(edit);
    }
    let mut crop = Crop::default();
    for place in 0..group.completions.len() {
        let used = match options.sft_min_signal {
            MinSignal::Explicit => Vec::new(),
            MinSignal::Implicit => judged.used(place),
        };
        let answer = Answer {
            judged,
            place,
            matches: judged.matches(place),
            edits: edits.remove(&place).unwrap_or_default(),
            votes: judged.votes(place),
            used,
        };
        if judged.is_judged(place) || answer.is_candidate() {
            crop.n_candidates += 1;
            let (prompt, own_text) = judged.texts(place, options);
            answer.add_to(&mut crop, own_text, prompt);
        } else if judged.has_unknown_rival(place) {
            crop.n_candidates += 1;
            crop.exclusions.add(OTHER_PROMPT_OR_UNKNOWN);
        }
    }
    crop
}

/// Everything that was said about one answer.
struct Answer<'j, 'a> {
    judged: &'j Judged<'j, 'a>,
    place: usize,
    matches: Vec<Match<'j, 'a>>,
    edits: Vec<Edit<'a>>,
    votes: Option<&'j Poll<'a>>,
    used: Vec<&'j Chain<'a>>,
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

type Outcome = Result<Endorsement, Reason>;

impl<'a> Answer<'_, 'a> {
    fn is_candidate(&self) -> bool {
        !self.matches.is_empty() || !self.edits.is_empty() || !self.used.is_empty()
    }

    fn add_to(&self, crop: &mut Crop, own_text: Result<String, Reason>, prompt: Result<(Prompt, Form), Reason>) {
        let outcome = self.outcome(own_text.as_ref().err().copied());
        let (Some(first), Ok(prompt)) = (outcome.first(Result::is_ok), prompt) else {
            crop.exclusions.add(outcome.last().and_then(|outcome| outcome.err()).unwrap_or(NOT_ENDORSED));
            return;
        };
        let bonds = Bonds::of(self.judged.group, &[self.place], &prompt.0.turns, first, self.voters());
        let made = match outcome.last() {
            Some(Ok(endorsement)) => {
                let since = outcome.since(|other| other.is_ok_and(|other| other.makes_the_row_of(*endorsement)));
                since.and_then(|since| self.example(*endorsement, own_text.ok(), prompt, since, bonds))
            }
            Some(Err(reason)) => {
                crop.exclusions.add(reason);
                crop.former.push(PlanKey::former(bonds.ties, first));
                return;
            }
            None => None,
        };
        match made {
            Some(example) => crop.examples.push(example),
            None => crop.exclusions.add(RETRACTED),
        }
    }

    /// Follows what endorses the answer, or why nothing does, from the answer's arrival on.
    fn outcome(&self, own_text: Option<Reason>) -> Timeline<Outcome> {
        let nothing = Timeline::new();
        let label = self.votes.map_or(&nothing, |votes| &votes.standing);
        let edited = self.edited();
        let used = is_used(&self.used);
        let matches = Matches::follow(&self.matches);
        let explicit =
            Timeline::zip(&matches, label, |matches, label| (matches.copied().unwrap_or_default(), label.copied()));
        let others = Timeline::zip(&edited, &used, |edited, used| (edited.copied(), used.copied().unwrap_or(false)));
        let outcome: Timeline<Outcome> = Timeline::zip(&explicit, &others, |explicit, others| {
            let (matches, label) = explicit.copied().unwrap_or_default();
            let (edited, used) = others.copied().unwrap_or_default();
            decide(matches, edited, label, used, own_text)
        });
        outcome.not_before(self.judged.group.completions[self.place].received_at)
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

    fn voters(&self) -> Vec<(Voter<'a>, Timestamp)> {
        let compared = self
            .matches
            .iter()
            .flat_map(|one| one.evidence.iter().flat_map(|evidence| evidence.involved(one.standing)));
        let voted = self.votes.into_iter().flat_map(Poll::voters);
        let edited = self.edits.iter().filter_map(|edit| Some((edit.voter, edit.versions.first(Result::is_ok)?)));
        let used = self.used.iter().filter_map(|chain| Some((chain.voter, chain.items.first(Option::is_some)?)));
        compared.chain(voted).chain(edited).chain(used).collect()
    }

    fn example(
        &self,
        endorsement: Endorsement,
        own_text: Option<String>,
        (prompt, form): (Prompt, Form),
        since: Timestamp,
        bonds: Bonds,
    ) -> Option<Example> {
        let group = self.judged.group;
        let completion = group.completions[self.place];
        let (prompt, tools) = (prompt.turns, prompt.tools);
        if let Endorsement::Edited(version) = endorsement {
            let edit = self.edits.iter().find(|edit| edit.versions.last() == Some(&Ok(version)))?;
            let (item, edited, _) = edit.current(group)?;
            let body = Body::Endorsed { prompt, response: text::written(edited, form) };
            return Some(Example {
                row_id: row_id(RowKind::Endorsed, completion.id.as_str(), None, &item.id.to_string()),
                tools,
                feedback_ids: vec![item.id],
                voters: item.user.iter().cloned().collect(),
                chosen_source: ChosenSource::HumanEdit,
                ..example(completion, body, (Signal::Edit, edit::RULE), since, bonds)
            });
        }
        let (signal, rule, support) = self.support(endorsement)?;
        let body = Body::Endorsed { prompt, response: own_text? };
        Some(Example {
            row_id: row_id(RowKind::Endorsed, completion.id.as_str(), None, ""),
            tools,
            feedback_ids: group.feedback_ids(&support.items),
            voters: group.voters(&support.items),
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
                let support = self.votes?.support(Choice::Side(POSITIVE));
                match label::signal(self.judged.group, &support.items) {
                    Signal::Thumb => Some((Signal::Thumb, "thumb_up", support)),
                    signal => Some((signal, "rating_good", support)),
                }
            }
            Endorsement::Used => {
                let (signal, support) = self.judged.use_support(&self.used)?;
                Some((signal, USED_RULE, support))
            }
            Endorsement::Edited(_) => None,
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
