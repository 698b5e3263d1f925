//! Pairs for preference training: a better and a worse answer to one prompt.

use super::bonds::{Bonds, example, row_id};
use super::edit::{self, Edit};
use super::effective::Group;
use super::evidence::{Candidates, Evidence, Pair};
use super::example::{Body, ChosenSource, Example, FirstShown, Turn};
use super::exclusion::{
    BOTH_BAD, IDENTICAL_TEXTS, NOT_SELECTED, OTHER_MODEL, RETRACTED, RULES_CONTRADICT, TIE, VOTES_DISAGREE,
};
use super::harvest::Harvest;
use super::plan::PlanKey;
use super::poll::{Choice, Side};
use super::regenerate;
use super::text::{self, Reason};
use super::timeline::Timeline;
use crate::domain::clock::Timestamp;
use crate::domain::feedback::Signal;
use crate::domain::recipe::{Format, Options, Policy, RegenerateRule};

/// Adds every pair of a group, or why there is none; returns how many candidates there were.
pub(super) fn add(harvest: &mut Harvest, group: &Group, options: &Options) -> u64 {
    let mut candidates = Candidates::of_votes(group, options);
    if options.regenerate == RegenerateRule::RequirePositive {
        regenerate::add(&mut candidates, group, options);
    }
    let edits = edit::edits(group, Format::Preference, options);
    let n_candidates = candidates.exclusions.total() + candidates.pairs.len() as u64 + edits.len() as u64;
    harvest.exclusions.extend(&candidates.exclusions);
    for (pair, evidence) in candidates.pairs {
        add_pair(harvest, group, pair, &evidence, options);
    }
    for edit in &edits {
        add_edit(harvest, group, edit, options);
    }
    n_candidates
}

/// The strongest rule that has a verdict decides; a weaker one that prefers the other answer undoes it.
///
/// Where the votes on a stronger rule are tied or divided, a weaker one does not overrule them; where there are too
/// few of them, it may speak.
pub(super) fn combine(standings: &[Option<Choice>]) -> Choice {
    let mut decided = None;
    let mut inconclusive = None;
    for standing in standings.iter().flatten() {
        match (standing, decided) {
            (Choice::Side(side), Some(Choice::Side(before))) if *side != before => {
                return Choice::Neither(RULES_CONTRADICT);
            }
            (Choice::Side(_) | Choice::Neither(TIE | BOTH_BAD | VOTES_DISAGREE), None) => decided = Some(*standing),
            _ => inconclusive = inconclusive.or(Some(*standing)),
        }
    }
    decided.or(inconclusive).unwrap_or(Choice::Neither(RETRACTED))
}

/// Follows what all the evidence on a pair says together, from the moment on when both answers are there.
pub(super) fn standing(group: &Group, (left, right): Pair, evidence: &[Evidence]) -> Timeline<Choice> {
    let standings: Vec<&Timeline<Choice>> = evidence.iter().map(|evidence| &evidence.standing).collect();
    let both_there = group.completions[left].received_at.max(group.completions[right].received_at);
    Timeline::follow(
        &standings,
        vec![None; standings.len()],
        |now, nth, _, to| now[nth] = Some(*to),
        |now| combine(now),
    )
    .not_before(both_there)
}

fn add_pair(harvest: &mut Harvest, group: &Group, pair: Pair, evidence: &[Evidence], options: &Options) {
    let standing = standing(group, pair, evidence);
    let first = standing.first(Choice::is_side);
    // A selection is of the answers that feedback is tied to. A choice between two is tied to both by one of them; a thumb
    // or a rating only to its own.
    let n_needed = if evidence.iter().any(Evidence::is_of_the_two) { 1 } else { 2 };
    let texts = first.map(|_| texts(group, pair, n_needed, options));
    match (standing.last(), first, texts) {
        (Some(Choice::Side(side)), Some(first), Some(Ok(texts))) => {
            let row = Row { group, pair, side: *side, first };
            if let Some(example) = row.example(evidence, &standing, texts) {
                harvest.examples.push(example);
            } else {
                harvest.exclusions.add(RETRACTED);
            }
        }
        (Some(Choice::Side(_)), _, Some(Err(reason))) => harvest.exclusions.add(reason),
        (Some(Choice::Neither(reason)), Some(first), Some(Ok(texts))) => {
            harvest.exclusions.add(reason);
            let bonds = bonds(group, pair, &texts.prompt, first, evidence);
            harvest.former.push(PlanKey::former(bonds.ties, first));
        }
        (Some(Choice::Neither(reason)), ..) => harvest.exclusions.add(reason),
        _ => harvest.exclusions.add(RETRACTED),
    }
}

fn bonds(group: &Group, pair: Pair, prompt: &[Turn], first: Timestamp, evidence: &[Evidence]) -> Bonds {
    let voters = evidence.iter().flat_map(|evidence| evidence.involved(&evidence.standing));
    Bonds::of(group, &[pair.0, pair.1], prompt, first, voters)
}

struct Texts {
    prompt: Vec<Turn>,
    left: String,
    right: String,
}

/// Checks what a recipe asks of both answers, and takes their texts.
fn texts(group: &Group, (left, right): Pair, n_selected_needed: u8, options: &Options) -> Result<Texts, Reason> {
    let (left, right) = (group.completions[left], group.completions[right]);
    // Answers beside a selected one are read for this: its rival may be of another model or another time.
    if u8::from(left.selected) + u8::from(right.selected) < n_selected_needed {
        return Err(NOT_SELECTED);
    }
    text::check(left, options)?;
    text::check(right, options)?;
    if options.policy == Policy::SameModel && left.model != right.model {
        return Err(OTHER_MODEL);
    }
    let prompt = text::prompt_turns(left, options)?;
    let (left, right) = (text::answer(left)?, text::answer(right)?);
    if text::fold(&left) == text::fold(&right) {
        return Err(IDENTICAL_TEXTS);
    }
    text::check_length(&prompt, &[&left, &right], options)?;
    Ok(Texts { prompt, left, right })
}

/// A pair of which one side stands.
struct Row<'g, 'a> {
    group: &'g Group<'a>,
    pair: Pair,
    side: Side,
    /// When either side first stood.
    first: Timestamp,
}

impl Row<'_, '_> {
    fn example(&self, evidence: &[Evidence], standing: &Timeline<Choice>, texts: Texts) -> Option<Example> {
        let stands = Choice::Side(self.side);
        let strongest = evidence.iter().find(|evidence| evidence.standing.last() == Some(&stands))?;
        let support = strongest.support.as_ref()?;
        let bonds = bonds(self.group, self.pair, &texts.prompt, self.first, evidence);
        let (chosen, rejected) = match self.side {
            Side::Left => (self.pair.0, self.pair.1),
            Side::Right => (self.pair.1, self.pair.0),
        };
        let (chosen, rejected) = (self.group.completions[chosen], self.group.completions[rejected]);
        let (chosen_text, rejected_text) = match self.side {
            Side::Left => (texts.left, texts.right),
            Side::Right => (texts.right, texts.left),
        };
        let body = Body::Pair { prompt: texts.prompt, chosen: chosen_text, rejected: rejected_text };
        let since = standing.since(|choice| *choice == stands)?;
        Some(Example {
            row_id: row_id(Format::Preference, &chosen.id, Some(&rejected.id), None),
            rejected_id: Some(rejected.id.clone()),
            feedback_ids: self.group.feedback_ids(&support.items),
            rejected_model: Some(rejected.model.clone()),
            n_votes: support.n_votes,
            agreement: support.agreement(),
            preference_strength: support.strength.unwrap_or(1.0),
            shown_first: match support.shown_first {
                Some(side) if side == self.side => FirstShown::Chosen,
                Some(_) => FirstShown::Rejected,
                None => FirstShown::Unknown,
            },
            ..example(chosen, body, (strongest.signal, strongest.rule), since, bonds)
        })
    }
}

/// Adds an edited text over the answer that it was made of.
fn add_edit(harvest: &mut Harvest, group: &Group, edit: &Edit, options: &Options) {
    let completion = group.completions[edit.place];
    let prompt = text::prompt_turns(completion, options);
    let (Some(first), Ok(prompt)) = (edit.versions.first(Result::is_ok), prompt) else {
        harvest.exclusions.add(edit.reason());
        return;
    };
    let bonds = Bonds::of(group, &[edit.place], &prompt, first, [(edit.voter, first)]);
    let (Some((item, edited, since)), Ok(original)) = (edit.current(group), text::answer(completion)) else {
        harvest.exclusions.add(edit.reason());
        harvest.former.push(PlanKey::former(bonds.ties, first));
        return;
    };
    let body = Body::Pair { prompt, chosen: edited.to_owned(), rejected: original };
    harvest.examples.push(Example {
        row_id: row_id(Format::Preference, &completion.id, Some(&completion.id), Some(item.id)),
        rejected_id: Some(completion.id.clone()),
        feedback_ids: vec![item.id],
        rejected_model: Some(completion.model.clone()),
        chosen_source: ChosenSource::HumanEdit,
        ..example(completion, body, (Signal::Edit, edit::RULE), since, bonds)
    });
}
