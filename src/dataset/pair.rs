//! Pairs for preference training: a better and a worse answer to one prompt; and beside them, on request, the ties.

use super::bonds::{Bonds, example, row_id};
use super::edit::{self, Distances, Edit};
use super::effective::Group;
use super::evidence::{Candidates, Evidence, Pair};
use super::example::{Body, ChosenSource, Example, FirstShown, RowKind};
use super::exclusion::{
    BOTH_BAD, IDENTICAL_TEXTS, LENGTH_RATIO_TOO_LARGE, NOT_SELECTED, OTHER_MODEL, RETRACTED, RULES_CONTRADICT, TIE,
    VOTES_DISAGREE,
};
use super::harvest::Crop;
use super::label_noise::Disagreement;
use super::lengths::{PairLengths, exceeds_ratio};
use super::pairing::{Choosing, Chosen, Contender};
use super::plan::PlanKey;
use super::poll::{Choice, Side};
use super::regenerate;
use super::text::{self, Prompt, Reason};
use super::ties;
use super::timeline::Timeline;
use super::tools::Form;
use crate::domain::clock::Timestamp;
use crate::domain::feedback::Signal;
use crate::domain::recipe::{LengthRule, Options, Policy, RegenerateRule, Ties};

/// Makes every pair of a group, given what preferences say, or counts why there is none; and the ties, where the recipe
/// asks for them.
pub(super) fn crops<'a>(
    group: &Group<'a>,
    mut candidates: Candidates<'a>,
    distances: &Distances,
    noise: &mut Disagreement,
    options: &Options,
) -> (Crop, Crop) {
    candidates.add_votes(group, options);
    candidates.count_disagreement(noise);
    if options.regenerate == RegenerateRule::RequirePositive {
        regenerate::add(&mut candidates, group, options);
    }
    let edits = edit::edits(group, distances, RowKind::Pair, options);
    let n_candidates = candidates.exclusions.total() + candidates.pairs.len() as u64 + edits.len() as u64;
    let mut crop = Crop { n_candidates, exclusions: candidates.exclusions, ..Crop::default() };
    let with_ties = options.ties == Ties::SideFile;
    let compared: Vec<Compared> = candidates
        .pairs
        .into_iter()
        .map(|(pair, evidence)| Compared::new(group, pair, evidence, with_ties, options))
        .collect();
    let edited: Vec<Edited> = edits.into_iter().map(|edit| Edited::new(group, edit, options)).collect();
    let contenders: Vec<Contender> =
        compared.iter().map(|one| one.contender(group)).chain(edited.iter().map(|one| one.contender(group))).collect();
    let choosing = Choosing::among(&contenders, options);
    for (nth, one) in compared.iter().enumerate() {
        one.add_to(&mut crop, group, &choosing, nth);
    }
    for (nth, one) in edited.iter().enumerate() {
        one.add_to(&mut crop, group, &choosing, compared.len() + nth);
    }
    for example in &mut crop.examples {
        example.sample_weight = 1.0 / choosing.n_chosen().max(1) as f64;
    }
    let ties = if with_ties { ties::crop(group, &compared) } else { Crop::default() };
    (crop, ties)
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

/// A pair with everything that was said about it.
pub(super) struct Compared<'a> {
    pub(super) pair: Pair,
    pub(super) evidence: Vec<Evidence<'a>>,
    pub(super) standing: Timeline<Choice>,
    /// The texts, where the pair ever came to need them, or why it cannot be a row.
    pub(super) texts: Option<Result<Texts, Reason>>,
}

/// The texts of a pair.
pub(super) struct Texts {
    pub(super) prompt: Prompt,
    pub(super) left: String,
    pub(super) right: String,
}

impl<'a> Compared<'a> {
    fn new(group: &Group<'a>, pair: Pair, mut evidence: Vec<Evidence<'a>>, with_ties: bool, options: &Options) -> Self {
        let both_selected = group.completions[pair.0].selected && group.completions[pair.1].selected;
        let is_of_the_two = evidence.iter().any(Evidence::is_of_the_two);
        if is_of_the_two && !both_selected {
            // What was said of either by itself, or told from votes on others, cannot date a row that only a choice
            // between the two makes one.
            evidence = evidence.into_iter().filter(Evidence::is_of_the_two).filter_map(Evidence::since_voted).collect();
        }
        let standing = standing(group, pair, &evidence);
        let is_needed = standing.first(|choice| choice.is_side() || with_ties && ties::is_tie(choice)).is_some();
        // A selection is of the answers that feedback is tied to. A choice between two is tied to both by one of them; a
        // thumb or a rating only to its own.
        let n_needed = if is_of_the_two { 1 } else { 2 };
        let texts = is_needed.then(|| texts(group, pair, n_needed, options));
        Self { pair, evidence, standing, texts }
    }

    fn contender(&self, group: &Group) -> Contender {
        let is_row = matches!(self.texts, Some(Ok(_)));
        let side = self.standing.map(|choice| match choice {
            Choice::Side(side) if is_row => Some(*side),
            _ => None,
        });
        let (left, right) = (group.completions[self.pair.0], group.completions[self.pair.1]);
        Contender { pair: Some(self.pair), side, lot: row_id(RowKind::Pair, left.id.as_str(), Some(&right.id), "") }
    }

    fn add_to(&self, crop: &mut Crop, group: &Group, choosing: &Choosing, nth: usize) {
        let Chosen { first, since } = choosing.of(nth);
        let made = match (self.standing.last(), &self.texts, first, since) {
            (Some(Choice::Side(side)), Some(Ok(texts)), Some(first), Some(since)) => {
                self.example(group, *side, texts, first, since).ok_or(RETRACTED)
            }
            (Some(Choice::Side(_)), Some(Ok(_)), ..) => Err(choosing.why_not(nth)),
            (Some(Choice::Side(_)), Some(Err(reason)), ..) | (Some(Choice::Neither(reason)), ..) => Err(*reason),
            _ => Err(RETRACTED),
        };
        match made {
            Ok(example) => crop.examples.push(example),
            Err(reason) => {
                crop.exclusions.add(reason);
                if let (Some(first), Some(Ok(texts))) = (first, &self.texts) {
                    crop.former.push(PlanKey::former(self.bonds(group, texts, first).ties, first));
                }
            }
        }
    }

    fn bonds(&self, group: &Group, texts: &Texts, first: Timestamp) -> Bonds {
        let voters = self.evidence.iter().flat_map(|evidence| evidence.involved(&evidence.standing));
        Bonds::of(group, &[self.pair.0, self.pair.1], &texts.prompt.turns, first, voters)
    }

    fn example(&self, group: &Group, side: Side, texts: &Texts, first: Timestamp, since: Timestamp) -> Option<Example> {
        let stands = Choice::Side(side);
        let strongest = self.evidence.iter().find(|evidence| evidence.standing.last() == Some(&stands))?;
        let support = strongest.support.as_ref()?;
        let (left, right) = (group.completions[self.pair.0], group.completions[self.pair.1]);
        let ((chosen, chosen_text), (rejected, rejected_text)) = match side {
            Side::Left => ((left, &texts.left), (right, &texts.right)),
            Side::Right => ((right, &texts.right), (left, &texts.left)),
        };
        let body = Body::Pair {
            prompt: texts.prompt.turns.clone(),
            chosen: chosen_text.clone(),
            rejected: rejected_text.clone(),
        };
        let bonds = self.bonds(group, texts, first);
        Some(Example {
            row_id: row_id(RowKind::Pair, chosen.id.as_str(), Some(&rejected.id), ""),
            tools: texts.prompt.tools.clone(),
            rejected_id: Some(rejected.id.clone()),
            feedback_ids: group.feedback_ids(&support.items),
            voters: group.voters(&support.items),
            rejected_model: Some(rejected.model.clone()),
            experiment: chosen.experiment.clone().filter(|_| chosen.experiment == rejected.experiment),
            n_votes: support.n_votes,
            agreement: support.agreement(),
            preference_strength: support.strength.unwrap_or(1.0),
            shown_first: match support.shown_first {
                Some(first) if first == side => FirstShown::Chosen,
                Some(_) => FirstShown::Rejected,
                None => FirstShown::Unknown,
            },
            ..example(chosen, body, (strongest.signal, strongest.rule), since, bonds)
        })
    }
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
    let form = Form::of_answers(&[left, right], options)?;
    let prompt = text::prompt(left, form, options)?;
    let (left, right) = (text::answer(left, form)?, text::answer(right, form)?);
    if text::are_one(&left, &right) {
        return Err(IDENTICAL_TEXTS);
    }
    text::check_length(&prompt.turns, &[&left, &right], options)?;
    check_ratio(&left, &right, options)?;
    Ok(Texts { prompt, left, right })
}

/// Checks that neither answer is far longer than the other, where the recipe asks for it.
fn check_ratio(left: &str, right: &str, options: &Options) -> Result<(), Reason> {
    let exceeds = || exceeds_ratio(PairLengths::of(left, right), options.max_length_ratio);
    if options.length == LengthRule::MaxRatio && exceeds() { Err(LENGTH_RATIO_TOO_LARGE) } else { Ok(()) }
}

/// An edit of an answer, with the prompt and the original where they can be had.
struct Edited<'a> {
    edit: Edit<'a>,
    texts: Result<(Prompt, String, Form), Reason>,
}

impl<'a> Edited<'a> {
    fn new(group: &Group<'a>, edit: Edit<'a>, options: &Options) -> Self {
        let completion = group.completions[edit.place];
        let texts = Form::of_answers(&[completion], options)
            .and_then(|form| Ok((text::prompt(completion, form, options)?, text::answer(completion, form)?, form)));
        Self { edit, texts }
    }

    fn contender(&self, group: &Group) -> Contender {
        let is_row = self.texts.is_ok();
        let side = self.edit.versions.map(|version| (is_row && version.is_ok()).then_some(Side::Left));
        let id = group.completions[self.edit.place].id.as_str();
        let voter = self.edit.voter.word();
        Contender { pair: None, side, lot: row_id(RowKind::Pair, id, None, &voter) }
    }

    /// Adds the edited text over the answer that it was made of.
    fn add_to(&self, crop: &mut Crop, group: &Group, choosing: &Choosing, nth: usize) {
        let Chosen { first, since } = choosing.of(nth);
        let (Some(first), Ok((prompt, original, form))) = (first, &self.texts) else {
            let stands = self.edit.versions.last().is_some_and(Result::is_ok);
            let reason = if stands { self.texts.as_ref().err().copied() } else { Some(self.edit.reason()) };
            return crop.exclusions.add(reason.unwrap_or(choosing.why_not(nth)));
        };
        let completion = group.completions[self.edit.place];
        let bonds = Bonds::of(group, &[self.edit.place], &prompt.turns, first, [(self.edit.voter, first)]);
        let (Some((item, edited, version_since)), Some(since)) = (self.edit.current(group), since) else {
            let stands = self.edit.versions.last().is_some_and(Result::is_ok);
            crop.exclusions.add(if stands { choosing.why_not(nth) } else { self.edit.reason() });
            crop.former.push(PlanKey::former(bonds.ties, first));
            return;
        };
        let body = Body::Pair {
            prompt: prompt.turns.clone(),
            chosen: text::written(edited, *form),
            rejected: original.clone(),
        };
        crop.examples.push(Example {
            row_id: row_id(RowKind::Pair, completion.id.as_str(), Some(&completion.id), &item.id.to_string()),
            tools: prompt.tools.clone(),
            rejected_id: Some(completion.id.clone()),
            feedback_ids: vec![item.id],
            voters: item.user.iter().cloned().collect(),
            rejected_model: Some(completion.model.clone()),
            chosen_source: ChosenSource::HumanEdit,
            ..example(completion, body, (Signal::Edit, edit::RULE), version_since.max(since), bonds)
        });
    }
}
