//! The stable codes of what can be wrong with one field of an input.

use serde::{Serialize, Serializer};

/// What is wrong with one field; the wire form is [`FieldCode::as_str`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldCode {
    /// A required member is absent or null.
    Required,
    /// A member that this object does not have.
    UnknownField,
    /// Another JSON type was expected.
    WrongType,
    /// Empty where something is needed.
    Empty,
    /// Longer than its bound.
    TooLong,
    /// A number outside its range.
    OutOfRange,
    /// Text with U+0000, which Postgres cannot store.
    NulCharacter,
    /// A word outside the list of words allowed here.
    NotOneOf,
    /// Not a UUID, timestamp or other structured text of the expected form.
    Malformed,
    /// A `signal` that does not exist.
    UnknownSignal,
    /// A preference of a completion against itself.
    SelfPreference,
    /// Two members that exclude each other.
    Contradiction,
    /// More than one choice in an OpenAI response.
    MultipleChoices,
    /// A path that is absolute or has `..` in it.
    UnsafePath,
    /// A recipe name that is not shipped with the product.
    UnknownRecipe,
    /// A destination that the operator has not configured.
    UnknownDestination,
    /// A selection that lets nothing of the project through.
    NothingSelected,
    /// A user other than the one that the token speaks for.
    SubjectMismatch,
    /// A completion that the token does not name.
    CompletionNotGranted,
    /// A signal that the token does not name.
    SignalNotGranted,
    /// A score of another tool's that a program gave and no person.
    NotAUserReaction,
    /// A number of another tool's whose scale nobody declared.
    RangeUnknown,
    /// A score of another tool's that is about something else than one completion.
    TargetUnsupported,
    /// A record of another tool's that left the texts out.
    TextRedacted,
}

impl FieldCode {
    /// Every code, for the documentation and its test.
    pub const ALL: [Self; 24] = [
        Self::Required,
        Self::UnknownField,
        Self::WrongType,
        Self::Empty,
        Self::TooLong,
        Self::OutOfRange,
        Self::NulCharacter,
        Self::NotOneOf,
        Self::Malformed,
        Self::UnknownSignal,
        Self::SelfPreference,
        Self::Contradiction,
        Self::MultipleChoices,
        Self::UnsafePath,
        Self::UnknownRecipe,
        Self::UnknownDestination,
        Self::NothingSelected,
        Self::SubjectMismatch,
        Self::CompletionNotGranted,
        Self::SignalNotGranted,
        Self::NotAUserReaction,
        Self::RangeUnknown,
        Self::TargetUnsupported,
        Self::TextRedacted,
    ];

    /// Returns the code as it stands on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::UnknownField => "unknown_field",
            Self::WrongType => "wrong_type",
            Self::Empty => "empty",
            Self::TooLong => "too_long",
            Self::OutOfRange => "out_of_range",
            Self::NulCharacter => "nul_character",
            Self::NotOneOf => "not_one_of",
            Self::Malformed => "malformed",
            Self::UnknownSignal => "unknown_signal",
            Self::SelfPreference => "self_preference",
            Self::Contradiction => "contradiction",
            Self::MultipleChoices => "multiple_choices",
            Self::UnsafePath => "unsafe_path",
            Self::UnknownRecipe => "unknown_recipe",
            Self::UnknownDestination => "unknown_destination",
            Self::NothingSelected => "nothing_selected",
            Self::SubjectMismatch => "subject_mismatch",
            Self::CompletionNotGranted => "completion_not_granted",
            Self::SignalNotGranted => "signal_not_granted",
            Self::NotAUserReaction => "not_a_user_reaction",
            Self::RangeUnknown => "range_unknown",
            Self::TargetUnsupported => "target_unsupported",
            Self::TextRedacted => "text_redacted",
        }
    }
}

impl Serialize for FieldCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
