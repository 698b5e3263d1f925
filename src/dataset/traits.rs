//! What a row tells of itself to whoever picks among rows: who made it, how long its answers are, how they were shown.

use std::collections::HashMap;

use super::bonds::key_of_user;
use super::example::{Example, FirstShown};
use super::lengths::PairLengths;
use super::picks::Presentation;
use crate::domain::feedback::Signal;
use crate::domain::hash::ContentHash;

/// What a row tells of itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Traits {
    /// What it weighs by itself.
    pub(super) weight: f64,
    pub(super) lengths: Option<PairLengths>,
    pub(super) stratum: Stratum,
    /// The users whose votes made it.
    pub(super) voters: Vec<ContentHash>,
    /// Numbers of the cells that its answers belong to.
    pub(super) cells: [u32; 2],
}

/// How a pair was shown, its stratum not yet numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stratum {
    NotAChoice,
    Unknown,
    Known { of: ContentHash, chosen_first: bool, lead_first: Option<bool> },
}

impl Default for Traits {
    fn default() -> Self {
        Self { weight: 1.0, lengths: None, stratum: Stratum::NotAChoice, voters: Vec::new(), cells: [u32::MAX; 2] }
    }
}

impl Traits {
    pub(super) fn of(example: &Example) -> Self {
        let answers = example.body.answer().zip(example.body.worse_answer());
        Self {
            weight: example.sample_weight,
            lengths: answers.map(|(better, worse)| PairLengths::of(better, worse)),
            stratum: Stratum::of(example),
            voters: example.voters.iter().map(key_of_user).collect(),
            cells: [u32::MAX; 2],
        }
    }
}

impl Stratum {
    fn of(example: &Example) -> Self {
        let Some(rejected_model) = example.rejected_model.as_deref().filter(|_| example.signal == Signal::Preference)
        else {
            return Self::NotAChoice;
        };
        let chosen_first = match example.shown_first {
            FirstShown::Chosen => true,
            FirstShown::Rejected => false,
            FirstShown::Unknown => return Self::Unknown,
        };
        let chosen_model = example.chosen_model.as_str();
        let chosen_leads = chosen_model < rejected_model;
        let (lead, other) = if chosen_leads { (chosen_model, rejected_model) } else { (rejected_model, chosen_model) };
        // No key, and no name of a model, holds U+0000.
        let named = [example.experiment.as_deref().unwrap_or_default(), lead, other].join("\0");
        Self::Known {
            of: ContentHash::of_bytes("stratum", named.as_bytes()),
            chosen_first,
            lead_first: (lead != other).then_some(chosen_first == chosen_leads),
        }
    }

    /// Gives the stratum a number.
    pub(super) fn numbered(self, numbers: &mut HashMap<ContentHash, u32>) -> Presentation {
        match self {
            Self::NotAChoice => Presentation::NotAChoice,
            Self::Unknown => Presentation::Unknown,
            Self::Known { of, chosen_first, lead_first } => {
                let next = numbers.len() as u32;
                Presentation::Known { stratum: *numbers.entry(of).or_insert(next), chosen_first, lead_first }
            }
        }
    }
}
