//! One prompt's answers and feedback in, its examples and counted exclusions out.

use super::effective::Group;
use super::endorsed;
use super::example::{Example, Exclusions};
use super::pair;
use super::plan::PlanKey;
use crate::domain::completion::Completion;
use crate::domain::feedback::Feedback;
use crate::domain::recipe::{Format, Recipe};
use crate::domain::trust::TrustFilter;

/// Everything that one prompt's answers and feedback give, and what they do not give.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Harvest {
    /// The examples, by `(created_at, row_id)`.
    pub examples: Vec<Example>,
    /// Candidates that became none, by reason.
    pub exclusions: Exclusions,
    /// What was looked at.
    pub funnel: Funnel,
    /// Keys of rows that were examples once, before a vote was changed. A planner needs them
    /// ([`Planner::add_former`](super::plan::Planner::add_former)): what such a row tied together stays together,
    /// so that no other row changes its split because this one left.
    pub former: Vec<PlanKey>,
}

/// What was looked at, and what became of it; the counts of several prompts add up.
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
    /// Pairs of answers, edits or answers that could have become an example: examples and exclusions (DS-5).
    pub n_candidates: u64,
}

impl Funnel {
    /// Adds the counts of another part of the data.
    pub fn extend(&mut self, other: &Self) {
        self.n_prompts += other.n_prompts;
        self.n_completions += other.n_completions;
        self.n_feedback += other.n_feedback;
        self.feedback_left_out.extend(&other.feedback_left_out);
        self.n_candidates += other.n_candidates;
    }
}

/// Makes the examples of one prompt, given all its answers and all feedback on them.
///
/// The order of the answers and of the feedback changes nothing. Where the recipe's selection leaves open whose feedback
/// counts, only the verified does: whoever knows the project settles it before.
pub fn harvest(completions: &[Completion], feedback: &[Feedback], recipe: &Recipe) -> Harvest {
    let options = &recipe.options;
    let trust = recipe.selection.trust.unwrap_or(TrustFilter::Verified);
    let group = Group::new(completions, feedback, trust);
    let mut harvest = Harvest::default();
    let n_candidates = match recipe.format {
        Format::Preference => pair::add(&mut harvest, &group, options),
        Format::Sft => endorsed::add(&mut harvest, &group, options),
    };
    harvest.examples.sort_by_key(|example| (example.created_at, example.row_id));
    harvest.funnel = Funnel {
        n_prompts: 1,
        n_completions: completions.len() as u64,
        n_feedback: feedback.len() as u64,
        feedback_left_out: group.left_out,
        n_candidates,
    };
    harvest
}
