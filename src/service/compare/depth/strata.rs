//! Parts of the traffic that were known before anything was answered: task, length of the first prompt, language.
//!
//! It must not know what was thought of the answers.

use crate::store::turns::{Turn, Turns};

/// What divides turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::service::compare) enum Property {
    Task,
    PromptLength,
    Language,
}

impl Property {
    /// Every property.
    pub(super) const ALL: [Self; 3] = [Self::Task, Self::PromptLength, Self::Language];

    /// Returns its word on the wire.
    pub(in crate::service::compare) fn as_str(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::PromptLength => "prompt_length",
            Self::Language => "language",
        }
    }
}

/// How turns are divided.
#[derive(Debug)]
pub(super) struct Strata {
    /// Lower and upper tercile of the length of first prompts in tokens, over the turns of both sides; nothing where
    /// nobody told lengths, or where they hardly differ.
    terciles: Option<(f64, f64)>,
}

impl Strata {
    /// Finds the terciles.
    pub(super) fn of(turns: &Turns) -> Self {
        let mut lengths: Vec<f64> =
            turns.rows.iter().filter_map(|turn| turns.opening(turn)?.prompt_tokens.get()).collect();
        lengths.sort_unstable_by(f64::total_cmp);
        let at = |share: usize| lengths.get(lengths.len() * share / 3).copied();
        let terciles = at(1).zip(at(2)).filter(|(low, high)| low < high && lengths[0] < *low);
        Self { terciles }
    }

    /// Gives the place of a turn among the values of a property; nothing where it was not told.
    pub(super) fn place(&self, turns: &Turns, turn: &Turn, property: Property) -> Option<usize> {
        let opening = turns.opening(turn)?;
        match property {
            Property::Task => opening.task.map(usize::from),
            Property::Language => opening.language.map(usize::from),
            Property::PromptLength => {
                let ((low, high), length) = self.terciles.zip(opening.prompt_tokens.get())?;
                Some(usize::from(length >= low) + usize::from(length >= high))
            }
        }
    }

    /// Names a value of a property.
    pub(super) fn name(&self, turns: &Turns, property: Property, place: usize) -> String {
        let named = |names: &[String]| names.get(place).cloned().unwrap_or_default();
        match (property, self.terciles) {
            (Property::Task, _) => named(&turns.tasks),
            (Property::Language, _) => named(&turns.languages),
            (Property::PromptLength, Some((low, high))) => match place {
                0 => format!("under {low:.0} tokens"),
                1 => format!("{low:.0} to {high:.0} tokens"),
                _ => format!("{high:.0} tokens and more"),
            },
            (Property::PromptLength, None) => String::new(),
        }
    }

    /// Gives the number of a turn's stratum, task by length of the first prompt; what was not told is a value, too.
    pub(super) fn number(&self, turns: &Turns, turn: &Turn) -> usize {
        let part = |property| self.place(turns, turn, property).map_or(0, |place| place + 1);
        part(Property::Task) * LENGTHS + part(Property::PromptLength)
    }
}

/// Values of the length, not told among them.
pub(super) const LENGTHS: usize = 4;
