//! Edits: the user's own better answer, where it is another version of the model's and not another answer.

use std::collections::HashMap;

use super::distance;
use super::effective::{Group, Target, Voter};
use super::example::RowKind;
use super::exclusion::{
    EDIT_NOT_ACCEPTED, EDIT_TOO_LARGE, EDIT_TOO_SMALL, EDIT_TRUNCATED, EDIT_UNCHANGED, EMPTY_TEXT, NOT_SELECTED,
    RETRACTED,
};
use super::text::{self, Reason};
use super::timeline::Timeline;
use super::tools::Form;
use crate::domain::clock::Timestamp;
use crate::domain::feedback::{Feedback, Reaction, Signal};
use crate::domain::recipe::Options;

/// The rule's word.
pub(super) const RULE: &str = "edit_accepted";

/// One voter's edits of one answer.
pub(super) struct Edit<'a> {
    pub(super) place: usize,
    pub(super) voter: Voter<'a>,
    /// The latest version: its item, or why it is no example.
    pub(super) versions: Timeline<Result<usize, Reason>>,
}

impl<'a> Edit<'a> {
    /// Returns the version that counts with its text and since when it has counted.
    pub(super) fn current(&self, group: &Group<'a>) -> Option<(&'a Feedback, &'a str, Timestamp)> {
        let version = self.versions.last()?;
        let item: &'a Feedback = group.items[(*version).ok()?];
        let Reaction::Edit { text, .. } = &item.reaction else { return None };
        Some((item, text, self.versions.since(|other| other == version)?))
    }

    /// Returns why no version counts.
    pub(super) fn reason(&self) -> Reason {
        self.versions.last().and_then(|version| version.err()).unwrap_or(RETRACTED)
    }
}

/// How far each edited text of a group is from the answer that it was made of, by the item's place. It is dear, and the
/// same for every kind of row.
#[derive(Default)]
pub(super) struct Distances(HashMap<usize, f64>);

impl Distances {
    /// Measures every edit that may come to count.
    pub(super) fn of(group: &Group) -> Self {
        let mut distances = HashMap::new();
        for (target, chains) in group.targets(Signal::Edit) {
            let Target::Answer(place) = target else { continue };
            let Ok(original) = text::editable(group.completions[place]) else { continue };
            for item in chains.iter().flat_map(|chain| chain.items.values()).filter_map(|item| *item) {
                if let Reaction::Edit { text: edited, accepted: true, truncated: false } = &group.items[item].reaction {
                    distances.entry(item).or_insert_with(|| distance::normalised(&original, edited));
                }
            }
        }
        Self(distances)
    }
}

/// Collects the edits of a group, checked for a kind of row.
pub(super) fn edits<'a>(group: &Group<'a>, distances: &Distances, kind: RowKind, options: &Options) -> Vec<Edit<'a>> {
    let mut edits = Vec::new();
    for (target, chains) in group.targets(Signal::Edit) {
        let Target::Answer(place) = target else { continue };
        for chain in chains {
            let versions = chain.items.map(|item| {
                let item = item.ok_or(RETRACTED)?;
                check(group, place, item, distances, options)?;
                check_length(group, place, item, kind, options).map(|()| item)
            });
            let arrived = group.completions[place].received_at;
            edits.push(Edit { place, voter: chain.voter, versions: versions.not_before(arrived) });
        }
    }
    edits
}

fn check(group: &Group, place: usize, item: usize, distances: &Distances, options: &Options) -> Result<(), Reason> {
    let completion = group.completions[place];
    let Reaction::Edit { text: edited, accepted, truncated } = &group.items[item].reaction else {
        return Err(RETRACTED);
    };
    if !accepted {
        return Err(EDIT_NOT_ACCEPTED);
    }
    if *truncated {
        return Err(EDIT_TRUNCATED);
    }
    if edited.trim().is_empty() {
        return Err(EMPTY_TEXT);
    }
    text::editable(completion)?;
    let distance = distances.0.get(&item).copied().unwrap_or_default();
    if distance <= 0.0 {
        return Err(EDIT_UNCHANGED);
    }
    if distance < options.edit_min_distance {
        return Err(EDIT_TOO_SMALL);
    }
    if distance > options.edit_max_distance {
        return Err(EDIT_TOO_LARGE);
    }
    if !completion.selected {
        return Err(NOT_SELECTED);
    }
    text::check(completion, options)?;
    text::prompt(completion, Form::of_answers(&[completion], options)?, options).map(|_| ())
}

fn check_length(group: &Group, place: usize, item: usize, kind: RowKind, options: &Options) -> Result<(), Reason> {
    let (completion, Reaction::Edit { text: edited, .. }) = (group.completions[place], &group.items[item].reaction)
    else {
        return Err(RETRACTED);
    };
    if options.max_chars == 0 {
        return Ok(());
    }
    let form = Form::of_answers(&[completion], options)?;
    let (prompt, original) = (text::prompt(completion, form, options)?, text::answer(completion, form)?);
    let edited = text::written(edited, form);
    match kind {
        RowKind::Pair => text::check_length(&prompt.turns, &[&original, &edited], options),
        _ => text::check_length(&prompt.turns, &[&edited], options),
    }
}
