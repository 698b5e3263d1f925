//! Single answers with a label, for losses that need no pairs.
//!
//! A thumb or a rating labels an answer; that both answers of a comparison were called bad labels each of them. That one
//! answer was preferred to another labels neither: better is not good.

use super::bonds::{Bonds, example, row_id};
use super::effective::{Chain, Voter};
use super::example::{Body, Example, RowKind};
use super::exclusion::{BOTH_BAD, NO_LABEL, RETRACTED, RULES_CONTRADICT, TIE, VOTES_DISAGREE};
use super::harvest::Crop;
use super::judged::{Judged, Match, Matches, USED_RULE, is_used};
use super::label::{self, NEGATIVE, POSITIVE};
use super::plan::PlanKey;
use super::poll::{Choice, Poll, Support};
use super::text::{Prompt, Reason};
use super::timeline::Timeline;
use crate::domain::clock::Timestamp;
use crate::domain::feedback::Signal;
use crate::domain::recipe::{ImplicitPositive, Options};

/// Makes an example of every labelled answer of a group, or counts why there is none.
pub(super) fn crop(judged: &Judged, options: &Options) -> Crop {
    let mut crop = Crop::default();
    for place in 0..judged.group.completions.len() {
        let answer = Answer::new(judged, place, options);
        if answer.is_candidate() {
            crop.n_candidates += 1;
            answer.add_to(&mut crop, options);
        }
    }
    crop
}

/// Everything that may label one answer.
struct Answer<'j, 'a> {
    judged: &'j Judged<'j, 'a>,
    place: usize,
    votes: Option<&'j Poll<'a>>,
    matches: Vec<Match<'j, 'a>>,
    /// Who copied or accepted it, where that says something.
    used: Vec<&'j Chain<'a>>,
}

type Outcome = Result<bool, Reason>;

impl<'j, 'a> Answer<'j, 'a> {
    fn new(judged: &'j Judged<'j, 'a>, place: usize, options: &Options) -> Self {
        let used = match options.implicit_positive {
            ImplicitPositive::Off => Vec::new(),
            ImplicitPositive::On => judged.used(place),
        };
        Self { judged, place, votes: judged.votes(place), matches: judged.matches(place), used }
    }

    fn is_candidate(&self) -> bool {
        let ever_both_bad = self.matches.iter().any(|one| one.standing.first(is_both_bad).is_some());
        self.judged.is_judged(self.place) || ever_both_bad || !self.used.is_empty()
    }

    fn add_to(&self, crop: &mut Crop, options: &Options) {
        let outcome = self.outcome();
        let ever = outcome.first(Result::is_ok);
        let now = outcome.last().copied().unwrap_or(Err(NO_LABEL));
        let now = now.map_err(|told| self.why_not(told, ever.is_some()));
        let (prompt, own) = self.judged.texts(self.place, options);
        let texts = own.and_then(|own| Ok((prompt?.0, own)));
        let (first, (prompt, own)) = match (ever, texts) {
            (Some(first), Ok(texts)) => (first, texts),
            (_, Err(reason)) => return crop.exclusions.add(now.err().unwrap_or(reason)),
            (None, Ok(_)) => return crop.exclusions.add(now.err().unwrap_or(NO_LABEL)),
        };
        let bonds = Bonds::of(self.judged.group, &[self.place], &prompt.turns, first, self.voters());
        let label = match now {
            Ok(label) => label,
            Err(reason) => {
                crop.exclusions.add(reason);
                crop.former.push(PlanKey::former(bonds.ties, first));
                return;
            }
        };
        let made =
            outcome.since(|other| *other == Ok(label)).and_then(|since| self.example(label, prompt, own, since, bonds));
        match made {
            Some(example) => crop.examples.push(example),
            None => crop.exclusions.add(RETRACTED),
        }
    }

    /// Finds why there is no label where nothing stands that gives one: votes that stand and were outvoted are not taken
    /// back, and neither is the use of an answer that then lost a comparison.
    fn why_not(&self, told: Reason, was_labelled: bool) -> Reason {
        if told != NO_LABEL && told != RETRACTED {
            return told;
        }
        let outvoted = self.matches.iter().find(|one| self.judged.is_called_both_bad(one.pair));
        let is_used = self.used.iter().any(|chain| chain.items.last().is_some_and(Option::is_some));
        match outvoted.map(|one| one.standing.last()) {
            Some(Some(Choice::Neither(reason))) if *reason != TIE => reason,
            Some(_) => VOTES_DISAGREE,
            None if was_labelled && !is_used => RETRACTED,
            None => told,
        }
    }

    /// Follows the label, or why there is none, from the answer's arrival on.
    fn outcome(&self) -> Timeline<Outcome> {
        let nothing = Timeline::new();
        let label = self.votes.map_or(&nothing, |votes| &votes.standing);
        let (matches, used) = (Matches::follow(&self.matches), is_used(&self.used));
        let others = Timeline::zip(&matches, &used, |matches, used| {
            (matches.copied().unwrap_or_default(), used.copied().unwrap_or_default())
        });
        let outcome = Timeline::zip(label, &others, |label, others| {
            let (matches, used) = others.copied().unwrap_or_default();
            decide(label.copied(), matches, used)
        });
        outcome.not_before(self.judged.group.completions[self.place].received_at)
    }

    fn voters(&self) -> Vec<(Voter<'a>, Timestamp)> {
        let voted = self.votes.into_iter().flat_map(Poll::voters);
        let compared = self.matches.iter().flat_map(|one| {
            let since = one.standing.first(is_both_bad);
            let voters = one.evidence.iter().flat_map(|evidence| evidence.voters.iter().copied());
            voters.filter_map(move |(voter, first)| Some((voter, first.max(since?))))
        });
        let used = self.used.iter().filter_map(|chain| Some((chain.voter, chain.items.first(Option::is_some)?)));
        voted.chain(compared).chain(used).collect()
    }

    fn example(&self, label: bool, prompt: Prompt, own: String, since: Timestamp, bonds: Bonds) -> Option<Example> {
        let group = self.judged.group;
        let completion = group.completions[self.place];
        let (signal, rule, support) = self.support(label)?;
        let body = Body::Labelled { prompt: prompt.turns, completion: own, label };
        Some(Example {
            row_id: row_id(RowKind::Labelled, completion.id.as_str(), None, if label { "true" } else { "false" }),
            feedback_ids: group.feedback_ids(&support.items),
            voters: group.voters(&support.items),
            n_votes: support.n_votes,
            agreement: support.agreement(),
            tools: prompt.tools,
            ..example(completion, body, (signal, rule), since, bonds)
        })
    }

    fn support(&self, label: bool) -> Option<(Signal, &'static str, Support)> {
        let side = Choice::Side(if label { POSITIVE } else { NEGATIVE });
        if let Some(votes) = self.votes
            && votes.standing.last() == Some(&side)
        {
            let support = votes.support(side);
            let signal = label::signal(self.judged.group, &support.items);
            let rule = match (signal, label) {
                (Signal::Thumb, true) => "thumb_up",
                (Signal::Thumb, false) => "thumb_down",
                (_, true) => "rating_good",
                (_, false) => "rating_bad",
            };
            return Some((signal, rule, support));
        }
        if label {
            let (signal, support) = self.judged.use_support(&self.used)?;
            return Some((signal, USED_RULE, support));
        }
        let standing = self.matches.iter().filter(|one| one.standing.last().is_some_and(is_both_bad));
        let support = standing.flat_map(|one| one.evidence).filter_map(|evidence| evidence.support.clone());
        Some((Signal::Preference, BOTH_BAD, support.reduce(Support::join)?))
    }
}

fn is_both_bad(choice: &Choice) -> bool {
    *choice == Choice::Neither(BOTH_BAD)
}

/// The votes on the answer itself decide; where they are too few or taken back, a comparison may speak, but where they
/// are divided it does not overrule them. Use speaks last, and only where nothing else was ever said or lost.
fn decide(label: Option<Choice>, matches: Matches, used: bool) -> Outcome {
    let is_both_bad = matches.n_both_bad > 0;
    match label {
        Some(Choice::Side(NEGATIVE)) => Ok(false),
        Some(Choice::Side(_)) if is_both_bad => Err(RULES_CONTRADICT),
        Some(Choice::Side(_)) => Ok(true),
        Some(Choice::Neither(VOTES_DISAGREE)) => Err(VOTES_DISAGREE),
        _ if is_both_bad => Ok(false),
        None | Some(Choice::Neither(RETRACTED)) if used && matches.n_lost == 0 => Ok(true),
        Some(Choice::Neither(reason)) => Err(reason),
        None => Err(NO_LABEL),
    }
}
