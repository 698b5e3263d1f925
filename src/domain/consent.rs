//! What a project declares of completions that say nothing of consent.

use serde::{Serialize, Serializer};

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
