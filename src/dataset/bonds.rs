//! What names a row and what ties it to others.

use std::collections::{BTreeMap, BTreeSet};

use super::effective::{Group, Voter};
use super::example::{Body, ChosenSource, Example, FirstShown, RowKind, Tie, Turn};
use super::feedback_text::FeedbackText;
use crate::domain::clock::Timestamp;
use crate::domain::completion::Completion;
use crate::domain::consent::Ground;
use crate::domain::feedback::Signal;
use crate::domain::hash::ContentHash;
use crate::domain::ids::{CompletionId, ConversationId, UserId};

/// Names a row by its kind, its answers and what else tells it from others: the item that holds an edited text, or the
/// label. Votes do not enter: more of them support the same row.
pub(super) fn row_id(kind: RowKind, answer: &str, rejected: Option<&CompletionId>, detail: &str) -> ContentHash {
    // No id holds U+0000.
    let parts = [kind.word(), answer, rejected.map_or("", CompletionId::as_str), detail];
    ContentHash::of_bytes("row", parts.join("\0").as_bytes())
}

/// Whom and what a row belongs to.
pub(super) struct Bonds {
    pub(super) conversations: Vec<ConversationId>,
    pub(super) users: Vec<UserId>,
    pub(super) ties: Vec<Tie>,
}

impl Bonds {
    /// Gathers the bonds of a row that first held at `at`.
    ///
    /// Voters who came later are tied to it from their first vote on, and stay so when they take it back: otherwise a
    /// vote could move rows that it has nothing to do with.
    pub(super) fn of<'a>(
        group: &Group,
        answers: &[usize],
        prompt: &[Turn],
        at: Timestamp,
        voters: impl IntoIterator<Item = (Voter<'a>, Timestamp)>,
    ) -> Self {
        let answers: Vec<_> = answers.iter().map(|&place| group.completions[place]).collect();
        let conversations: BTreeSet<&ConversationId> =
            answers.iter().filter_map(|answer| answer.conversation_id.as_ref()).collect();
        let mut users: BTreeMap<&UserId, Timestamp> =
            answers.iter().filter_map(|answer| Some((answer.user.as_ref()?, at))).collect();
        for (voter, first) in voters {
            if let Voter::User(user) = voter {
                let since = users.entry(user).or_insert(first.max(at));
                *since = first.max(at).min(*since);
            }
        }
        let mut ties: Vec<Tie> = answers.iter().take(1).map(|answer| Tie { key: answer.prompt_hash, at }).collect();
        // Prompts that differ in their hash may be one text once system messages are dropped or white space is folded.
        ties.push(Tie { key: group.hash_prompt(prompt), at });
        let key_of_conversation = |id: &ConversationId| ContentHash::of_bytes("conversation", id.as_str().as_bytes());
        ties.extend(conversations.iter().map(|id| Tie { key: key_of_conversation(id), at }));
        ties.extend(users.iter().map(|(id, at)| Tie { key: key_of_user(id), at: *at }));
        Self {
            conversations: conversations.into_iter().cloned().collect(),
            users: users.into_keys().cloned().collect(),
            ties,
        }
    }
}

/// Returns the key that ties rows to a user.
pub(super) fn key_of_user(id: &UserId) -> ContentHash {
    ContentHash::of_bytes("user", id.as_str().as_bytes())
}

/// Starts an example on its better answer: one vote, nothing beside it. Its id and its proof are the caller's to add.
pub(super) fn example(
    chosen: &Completion,
    body: Body,
    (signal, rule): (Signal, &'static str),
    created_at: Timestamp,
    bonds: Bonds,
) -> Example {
    Example {
        row_id: ContentHash([0; 16]),
        prompt_hash: chosen.prompt_hash,
        body,
        feedback_text: FeedbackText::default(),
        tools: None,
        signal,
        rule,
        chosen_id: chosen.id.clone(),
        rejected_id: None,
        feedback_ids: Vec::new(),
        chosen_model: chosen.model.clone(),
        rejected_model: None,
        chosen_source: ChosenSource::Model,
        n_votes: 1,
        agreement: 1.0,
        preference_strength: 1.0,
        sample_weight: 1.0,
        consent: Ground::of(chosen),
        shown_first: FirstShown::Unknown,
        language: chosen.language.clone().unwrap_or_default(),
        experiment: chosen.experiment.clone(),
        created_at,
        conversations: bonds.conversations,
        users: bonds.users,
        voters: Vec::new(),
        ties: bonds.ties,
    }
}
