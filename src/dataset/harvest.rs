//! One prompt's answers and feedback in, its examples and counted exclusions out.

use std::collections::{BTreeMap, BTreeSet};

use super::edit::Distances;
use super::effective::Group;
use super::evidence::Candidates;
use super::example::{Example, Exclusions, RowKind};
use super::feedback_text::Written;
use super::judged::Judged;
use super::label;
use super::label_noise::Disagreement;
use super::panel::{Panel, Question, Survey};
use super::plan::PlanKey;
use super::{endorsed, labelled, pair, prompt};
use crate::domain::completion::Completion;
use crate::domain::consent::Ground;
use crate::domain::feedback::Feedback;
use crate::domain::ids::CompletionId;
use crate::domain::recipe::{Comments, Recipe};
use crate::domain::trust::TrustFilter;

/// Everything that one prompt's answers and feedback give, and what they do not give.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Harvest {
    /// What they give of every kind of row that the recipe asks for.
    pub crops: BTreeMap<RowKind, Crop>,
    /// What was looked at.
    pub funnel: Funnel,
    /// How the users disagree, on contested things, too.
    pub noise: Noise,
    /// The answers with feedback that says something.
    pub heard: BTreeSet<CompletionId>,
}

/// How users disagree on things that two of them or more have voted on; the counts of several prompts add up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Noise {
    /// On which of two answers is better.
    pub pairs: Disagreement,
    /// On whether an answer is good.
    pub labels: Disagreement,
}

impl Noise {
    /// Adds the counts of another part of the data.
    pub fn extend(&mut self, other: &Self) {
        self.pairs.extend(&other.pairs);
        self.labels.extend(&other.labels);
    }
}

/// What one prompt gives of one kind of row: examples and exclusions are all candidates (DS-5).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Crop {
    /// Pairs of answers, edits, answers or prompts that could have become an example.
    pub n_candidates: u64,
    /// The examples, by `(created_at, row_id)`.
    pub examples: Vec<Example>,
    /// Candidates that became none, by reason.
    pub exclusions: Exclusions,
    /// Keys of rows that were examples once, before a vote was changed. A planner needs them
    /// ([`Planner::add_former`](super::plan::Planner::add_former)): what such a row tied together stays together,
    /// so that no other row changes its split because this one left.
    pub former: Vec<PlanKey>,
}

/// What was looked at; the counts of several prompts add up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Funnel {
    /// Prompts.
    pub n_prompts: u64,
    /// Answers to them.
    pub n_completions: u64,
    /// Items of feedback on them.
    pub n_feedback: u64,
    /// Items that were not counted, by reason.
    pub feedback_left_out: Exclusions,
}

impl Funnel {
    /// Adds the counts of another part of the data.
    pub fn extend(&mut self, other: &Self) {
        self.n_prompts += other.n_prompts;
        self.n_completions += other.n_completions;
        self.n_feedback += other.n_feedback;
        self.feedback_left_out.extend(&other.feedback_left_out);
    }
}

/// Makes the examples of one prompt, given all its answers and all feedback on them; one look feeds every format.
///
/// The order of the answers and of the feedback changes nothing. Where the recipe's selection leaves open whose feedback
/// counts, only the verified does: whoever knows the project settles it before.
pub fn harvest(completions: &[Completion], feedback: &[Feedback], recipe: &Recipe) -> Harvest {
    harvest_by(None, completions, feedback, recipe)
}

/// Makes the same, with votes weighed by a panel instead of counted, where there is one.
pub fn harvest_by(
    panel: Option<&Panel>,
    completions: &[Completion],
    feedback: &[Feedback],
    recipe: &Recipe,
) -> Harvest {
    let options = &recipe.options;
    let trust = recipe.selection.trust.unwrap_or(TrustFilter::Verified);
    let mut group = Group::new(completions, feedback, trust);
    group.panel = panel;
    let mut noise = Noise::default();
    let kinds = RowKind::asked_for(recipe);
    let has = |kind| kinds.contains(&kind);
    let mut crops = BTreeMap::new();
    if has(RowKind::Prompt) {
        crops.insert(RowKind::Prompt, prompt::crop(&group, options));
    }
    if kinds.iter().any(|kind| *kind != RowKind::Prompt) {
        let compared = Candidates::of_preferences(&group, options);
        let has_edits = has(RowKind::Pair) || has(RowKind::Endorsed);
        let distances = if has_edits { Distances::of(&group) } else { Distances::default() };
        if has(RowKind::Labelled) || has(RowKind::Endorsed) {
            let judged = Judged::new(&group, &compared, options);
            judged.count_disagreement(&mut noise.labels);
            if has(RowKind::Labelled) {
                crops.insert(RowKind::Labelled, labelled::crop(&judged, options));
            }
            if has(RowKind::Endorsed) {
                crops.insert(RowKind::Endorsed, endorsed::crop(&judged, &distances, options));
            }
        }
        if has(RowKind::Pair) {
            let (pairs, ties) = pair::crops(&group, compared, &distances, &mut noise.pairs, options);
            crops.insert(RowKind::Pair, pairs);
            if has(RowKind::Tie) {
                crops.insert(RowKind::Tie, ties);
            }
        } else {
            compared.count_disagreement(&mut noise.pairs);
        }
    }
    let written = match options.comments {
        Comments::Columns => Written::about(&group),
        Comments::LeaveOut => Written::default(),
    };
    for crop in crops.values_mut() {
        for example in &mut crop.examples {
            example.feedback_text = written.of(example);
            let rejected = example.rejected_id.as_ref().and_then(|id| group.find(id));
            example.consent = rejected.map_or(example.consent, |rejected| example.consent.max(Ground::of(rejected)));
        }
        crop.examples.sort_by_key(|example| (example.created_at, example.row_id));
    }
    let funnel = Funnel {
        n_prompts: 1,
        n_completions: completions.len() as u64,
        n_feedback: feedback.len() as u64,
        feedback_left_out: group.left_out.clone(),
    };
    Harvest { crops, funnel, noise, heard: group.heard() }
}

/// Asks the voters of one prompt for a survey of how reliable they are.
pub fn ask(survey: &mut Survey, completions: &[Completion], feedback: &[Feedback], recipe: &Recipe) {
    let options = &recipe.options;
    let trust = recipe.selection.trust.unwrap_or(TrustFilter::Verified);
    let group = Group::new(completions, feedback, trust);
    let mut compared = Candidates::of_preferences(&group, options);
    compared.add_votes(&group, options);
    for cast in &compared.casts {
        survey.add(Question::Pair, cast);
    }
    for place in 0..completions.len() {
        if let Some(votes) = label::votes(&group, place, options) {
            survey.add(Question::Label, &votes.cast());
        }
    }
}
