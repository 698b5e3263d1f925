//! Prompts alone, for training with a reward function: every prompt that somebody reacted to the answers of.

use super::bonds::{Bonds, example, row_id};
use super::effective::{Group, Voter};
use super::example::{Body, Example, RowKind};
use super::exclusion::NOT_SELECTED;
use super::harvest::Crop;
use super::text::{self, Prompt, Reason};
use super::tools::Form;
use crate::domain::clock::Timestamp;
use crate::domain::completion::Completion;
use crate::domain::feedback::Feedback;
use crate::domain::recipe::Options;

/// The rule's word.
const RULE: &str = "got_feedback";

/// Makes an example of the group's prompt, or counts why there is none.
pub(super) fn crop(group: &Group, options: &Options) -> Crop {
    let Some((reacted_at, reaction)) = first_reaction(group) else { return Crop::default() };
    let mut crop = Crop { n_candidates: 1, ..Crop::default() };
    match asked(group, options) {
        Ok((place, prompt)) => {
            let at = reacted_at.max(group.completions[place].received_at);
            let voter = reaction.user.as_ref().map(|user| (Voter::User(user), reacted_at));
            let bonds = Bonds::of(group, &[place], &prompt.turns, at, voter);
            let body = Body::Prompt { prompt: prompt.turns };
            let asked = group.completions[place];
            crop.examples.push(Example {
                row_id: row_id(RowKind::Prompt, &asked.prompt_hash.to_hex(), None, ""),
                feedback_ids: vec![reaction.id],
                voters: reaction.user.iter().cloned().collect(),
                tools: prompt.tools,
                ..example(asked, body, (reaction.reaction.signal(), RULE), at, bonds)
            });
        }
        Err(reason) => crop.exclusions.add(reason),
    }
    crop
}

/// Finds the first reaction that proves something, and since when it has been known to be one to the prompt.
fn first_reaction<'a>(group: &Group<'a>) -> Option<(Timestamp, &'a Feedback)> {
    let known = group.evidence().filter_map(|item| {
        let place = group.completions.binary_search_by(|answer| answer.id.cmp(&item.completion_id)).ok()?;
        Some((item.received_at.max(group.completions[place].received_at), item))
    });
    known.min_by_key(|(at, item)| (*at, item.id))
}

/// Finds the first answer to which the prompt may be taken from, so that later answers change nothing.
fn asked(group: &Group, options: &Options) -> Result<(usize, Prompt), Reason> {
    let mut places: Vec<usize> = (0..group.completions.len()).collect();
    places.sort_by_key(|place| (group.completions[*place].received_at, *place));
    let mut why = None;
    for place in places {
        match prompt_of(group.completions[place], options) {
            Ok(prompt) => return Ok((place, prompt)),
            Err(reason) => why = why.filter(|earlier| *earlier != NOT_SELECTED).or(Some(reason)),
        }
    }
    Err(why.unwrap_or(NOT_SELECTED))
}

/// Takes the prompt of an answer; the answer itself may be cut off or empty.
fn prompt_of(completion: &Completion, options: &Options) -> Result<Prompt, Reason> {
    if !completion.selected {
        return Err(NOT_SELECTED);
    }
    text::check_prompt(completion, options)?;
    let prompt = text::prompt(completion, Form::of_prompt(completion, options)?, options)?;
    text::check_length(&prompt.turns, &[], options)?;
    Ok(prompt)
}
