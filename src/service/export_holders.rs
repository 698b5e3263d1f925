//! Whose rows an export holds: keyed hashes of the users behind its rows, and of the conversations of answers that name
//! no user. They are collected row by row, because only the plan tells which rows stay.

use std::collections::HashMap;

use super::erase_hashes::IdHasher;
use super::error::ServiceError;
use crate::dataset::Plan;
use crate::dataset::example::Example;
use crate::domain::completion::Completion;
use crate::domain::erasure::{IdHash, IdKind};
use crate::domain::ids::{CompletionId, ExportId, ProjectId};
use crate::store::connection::Tx;
use crate::store::holders;

/// Collects whose rows there are: four bytes for each row and each holder of it, sixteen for each holder.
#[derive(Default)]
pub(super) struct Holders {
    numbers: HashMap<IdHash, u32>,
    /// Holders of the rows, one row after the other.
    of_rows: Vec<u32>,
    /// Where the holders of each row end.
    ends: Vec<u32>,
}

/// Returns whose row an example is, those who wrote a comment in it among them, given all answers to its prompt.
pub(super) fn holders_of(hasher: &IdHasher, example: &Example, completions: &[Completion]) -> Vec<IdHash> {
    let users = example.users.iter().chain(&example.feedback_text.writers);
    let mut hashes: Vec<IdHash> = users.map(|user| hasher.hash(IdKind::User, user.as_str())).collect();
    let is_its = |id: &CompletionId| *id == example.chosen_id || example.rejected_id.as_ref() == Some(id);
    for completion in completions.iter().filter(|completion| is_its(&completion.id)) {
        match (&completion.user, &completion.conversation_id) {
            // Among the users of the example already.
            (Some(user), _) if example.users.contains(user) => (),
            (Some(user), _) => hashes.push(hasher.hash(IdKind::User, user.as_str())),
            (None, Some(conversation)) => hashes.push(hasher.hash(IdKind::Conversation, conversation.as_str())),
            (None, None) => (),
        }
    }
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

impl Holders {
    /// Adds the holders of a row, in the order in which rows are added to the plan.
    pub(super) fn add(&mut self, hashes: &[IdHash]) {
        for hash in hashes {
            let next = self.numbers.len() as u32;
            self.of_rows.push(*self.numbers.entry(*hash).or_insert(next));
        }
        self.ends.push(self.of_rows.len() as u32);
    }

    /// Returns the holders of the rows that a plan keeps, sorted, without repeats.
    pub(super) fn of(self, plan: &Plan) -> Vec<IdHash> {
        let mut is_held = vec![false; self.numbers.len()];
        for placement in &plan.placements {
            let start = if placement.index == 0 { 0 } else { self.ends[placement.index - 1] as usize };
            for number in &self.of_rows[start..self.ends[placement.index] as usize] {
                is_held[*number as usize] = true;
            }
        }
        let mut held: Vec<IdHash> =
            self.numbers.into_iter().filter(|(_, number)| is_held[*number as usize]).map(|(hash, _)| hash).collect();
        held.sort_unstable();
        held
    }
}

/// Records whose rows an export holds, in the transaction that publishes it; refuses where one of them was erased since
/// its snapshot (PRIV-3). An erasure that this transaction does not see waits for its end and then finds what it wrote.
pub(super) async fn record(
    tx: &mut Tx,
    project_id: ProjectId,
    export_id: ExportId,
    hashes: &[IdHash],
) -> Result<(), ServiceError> {
    holders::insert(tx, project_id, export_id, hashes).await?;
    if holders::has_erased(tx, project_id, export_id).await? {
        return Err(ServiceError::ErasedMeanwhile);
    }
    Ok(())
}
