//! Consent to training: what a completion says itself, and what its project declares of those that say nothing.

use serde::{Serialize, Serializer};

use super::completion::Completion;

/// What a row rests on where consent is concerned, the best ground first: a row of two answers rests on the worse of
/// their grounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ground {
    /// The completion says that its user agreed.
    Recorded,
    /// It says nothing, and the project declares that this means yes.
    Presumed,
    /// Nobody says anything.
    None,
    /// The completion says no; or it says nothing, and the project declares that this means no.
    Refused,
}

impl Ground {
    /// Every ground that a row may rest on, with its word.
    pub const OF_ROWS: [(&'static str, Self); 3] =
        [("recorded", Self::Recorded), ("presumed", Self::Presumed), ("none", Self::None)];

    /// Returns the word of a ground that a row may rest on.
    pub fn word(self) -> Option<&'static str> {
        Self::OF_ROWS.iter().find(|(_, ground)| *ground == self).map(|(word, _)| *word)
    }

    /// Tells what training on a completion would rest on.
    pub fn of(completion: &Completion) -> Self {
        match completion.consent_training {
            Some(false) => Self::Refused,
            Some(true) if completion.is_consent_presumed => Self::Presumed,
            Some(true) => Self::Recorded,
            None => Self::None,
        }
    }
}

/// What holds for completions that say nothing of consent to training.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ConsentDefault {
    /// They may be used.
    Granted,
    /// They may not.
    Refused,
    /// Nobody declared anything, so that they may not either.
    #[default]
    None,
}

impl ConsentDefault {
    /// Every value with its word on the wire and at the command line.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("granted", Self::Granted), ("refused", Self::Refused), ("none", Self::None)];

    /// Returns the word.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, default)| *default == self).map_or("", |(word, _)| word)
    }

    /// Takes it as it is stored: null where nothing is declared.
    pub fn from_stored(stored: Option<bool>) -> Self {
        match stored {
            Some(true) => Self::Granted,
            Some(false) => Self::Refused,
            None => Self::None,
        }
    }

    /// Returns it as it is stored.
    pub fn to_stored(self) -> Option<bool> {
        match self {
            Self::Granted => Some(true),
            Self::Refused => Some(false),
            Self::None => None,
        }
    }
}

impl Serialize for ConsentDefault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
