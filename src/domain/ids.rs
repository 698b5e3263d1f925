//! Typed ids. Ours are UUIDs; those that clients give are opaque text of at most 256 bytes.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::fields::FieldCode;

/// The longest client-given id, in bytes of UTF-8.
pub const MAX_ID_BYTES: usize = 256;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id!(
    /// Names a project, the tenant that every row belongs to.
    ProjectId
);
uuid_id!(
    /// Names one recorded reaction; made by the client and kept across its retries.
    FeedbackId
);
uuid_id!(
    /// Names one run that produces data-set files.
    ExportId
);
uuid_id!(
    /// Names one removal of everything of a user.
    ErasureId
);
uuid_id!(
    /// Names a unit of background work.
    JobId
);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes text as an id: not empty, at most [`MAX_ID_BYTES`] bytes, without U+0000.
            pub fn parse(text: &str) -> Result<Self, FieldCode> {
                check_id(text).map(|()| Self(text.to_owned()))
            }

            /// Returns the id as the client wrote it.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Returns the id as the client wrote it, by value.
            pub fn into_string(self) -> String {
                self.0
            }
        }
    };
}

text_id!(
    /// Names one model answer; given by the client, unique in its project.
    CompletionId
);
text_id!(
    /// Names the turns that belong together.
    ConversationId
);
text_id!(
    /// Names who reacted; an opaque id of the client's.
    UserId
);

fn check_id(text: &str) -> Result<(), FieldCode> {
    if text.is_empty() {
        Err(FieldCode::Empty)
    } else if text.len() > MAX_ID_BYTES {
        Err(FieldCode::TooLong)
    } else if text.contains('\0') {
        Err(FieldCode::NulCharacter)
    } else {
        Ok(())
    }
}
