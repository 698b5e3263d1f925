//! What users wrote about the answers of a row: comments, and the words that go with a thumb.
//!
//! A comment proves nothing and makes no row, but whoever mines complaints, or trains a critic, wants it beside the answer
//! that it is about. It goes along with a row that something else made, and no other value of the row depends on it.

use std::collections::{BTreeMap, BTreeSet};

use super::effective::Group;
use super::example::{ChosenSource, Example};
use crate::domain::feedback::Feedback;
use crate::domain::ids::{CompletionId, UserId};

/// What stands between two comments on one answer.
pub const SEPARATOR: &str = "\n---\n";

/// Comments on one answer that leave with it, the latest ones: each may have 16 KiB.
pub const MAX_COMMENTS: usize = 32;

/// What users wrote about the answers of one row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeedbackText {
    /// About the better, first or only answer, by arrival, with [`SEPARATOR`] between two; empty where nobody wrote.
    pub better: String,
    /// About the worse or second answer.
    pub worse: String,
    /// Those who wrote it and are known, sorted, without repeats.
    pub writers: Vec<UserId>,
}

/// The comments that count, by the answer that they are about.
#[derive(Default)]
pub(super) struct Written<'a>(BTreeMap<&'a CompletionId, Vec<&'a Feedback>>);

impl<'a> Written<'a> {
    /// Collects what is written about a prompt's answers: of each user the last comment on each, and the last thumb's.
    pub(super) fn about(group: &Group<'a>) -> Self {
        let mut by_answer: BTreeMap<&CompletionId, Vec<&Feedback>> = BTreeMap::new();
        for item in group.comments() {
            by_answer.entry(&item.completion_id).or_default().push(item);
        }
        for items in by_answer.values_mut() {
            items.drain(..items.len().saturating_sub(MAX_COMMENTS));
        }
        Self(by_answer)
    }

    /// Returns what is written about the answers of a row. About a text that a user made of an answer nobody wrote
    /// anything: what there is, is about the answer that was edited.
    pub(super) fn of(&self, example: &Example) -> FeedbackText {
        let better = example.body.answer().filter(|_| example.chosen_source == ChosenSource::Model);
        let better = better.map_or(&[][..], |_| self.on(&example.chosen_id));
        let worse = example.body.worse_answer().and(example.rejected_id.as_ref()).map_or(&[][..], |id| self.on(id));
        let writers: BTreeSet<&UserId> = better.iter().chain(worse).filter_map(|item| item.user.as_ref()).collect();
        FeedbackText { better: joined(better), worse: joined(worse), writers: writers.into_iter().cloned().collect() }
    }

    fn on(&self, answer: &CompletionId) -> &[&'a Feedback] {
        self.0.get(answer).map_or(&[], Vec::as_slice)
    }
}

fn joined(items: &[&Feedback]) -> String {
    items.iter().filter_map(|item| item.reaction.comment()).collect::<Vec<_>>().join(SEPARATOR)
}
