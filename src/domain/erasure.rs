//! What the removal of everything of one user is, and how ids are recognised that must not be kept.

use serde::Serialize;

use super::clock::Timestamp;
use super::destination::DestinationName;
use super::ids::{ErasureId, ExportId, ProjectId, UserId};

/// The keyed hash of an id: 128 bits that only its project's secret makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdHash(pub [u8; 16]);

impl IdHash {
    /// Returns the hash as 32 lower-case hexadecimal digits.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}

/// What an id names that is hashed; ids of different kinds never have one hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdKind {
    /// A user.
    User,
    /// A conversation.
    Conversation,
    /// A completion, by its id or an alias.
    Completion,
}

impl IdKind {
    /// Returns the kind's word in the database, which is hashed with the id.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Conversation => "conversation",
            Self::Completion => "completion",
        }
    }
}

/// Where an erasure stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ErasureStatus {
    /// Nothing of the user's is taken any more; rows are being deleted.
    Running,
    /// Nothing of the user's is left.
    Completed,
}

impl ErasureStatus {
    /// Every status with its word in the database and on the wire.
    pub const WORDS: &'static [(&'static str, Self)] = &[("running", Self::Running), ("completed", Self::Completed)];
}

/// How much an erasure has removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ErasedCounts {
    /// Completions of the user, and those without a user in conversations of theirs.
    pub n_completions: i64,
    /// The user's feedback, and everybody's on these completions.
    pub n_feedback: i64,
    /// Places where an experiment had seen the user.
    pub n_exposures: i64,
    /// Exports that held rows of the user and were revoked for it.
    pub n_exports: i64,
}

/// The removal of everything of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// Its id.
    pub id: ErasureId,
    /// The project of the user.
    pub project_id: ProjectId,
    /// Keyed hash of the user's id.
    pub user_hash: IdHash,
    /// The user, until nothing of theirs is left.
    pub user: Option<UserId>,
    /// Where it stands.
    pub status: ErasureStatus,
    /// Whether the files of revoked exports go, too.
    pub delete_files: bool,
    /// What it has removed.
    pub counts: ErasedCounts,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was done.
    pub finished_at: Option<Timestamp>,
}

/// What an erasure would remove, counted beforehand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ErasurePreview {
    /// Completions of the user.
    pub n_completions: i64,
    /// Completions without a user in conversations of theirs, which are erased with them.
    pub n_completions_without_user: i64,
    /// The user's feedback.
    pub n_feedback: i64,
    /// Feedback of others on the completions that are erased, which goes with them.
    pub n_feedback_of_others: i64,
    /// Completed exports that hold rows of the user and would be revoked.
    pub n_exports: i64,
    /// Completions of other users in conversations of theirs. They stay, and their prompts may quote the user.
    pub n_completions_of_others: i64,
}

/// An export that holds rows of a user, or held them until it was revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AffectedExport {
    /// The export.
    pub id: ExportId,
    /// Its status's word.
    pub status: super::export::ExportStatus,
    /// The operator's destination that it went to; the service's own directory where it names none.
    pub destination: Option<DestinationName>,
    /// Folder below the project's root, where one was asked for.
    pub directory: Option<String>,
    /// Whether its files went into a folder of an operator's, which the service does not know.
    pub is_folder: bool,
    /// Whether an erasure has deleted its files.
    pub has_no_files: bool,
    /// When it was asked for.
    pub created_at: Timestamp,
}

/// What became of the files of an export that an erasure revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FilesFate {
    /// They lie in a folder of an operator's, who deletes them.
    Folder,
    /// Nobody asked to delete them.
    Kept,
    /// They are to be deleted and are still there: the erasure runs, or their destination could not be reached.
    Left,
    /// They are deleted.
    Deleted,
}

impl FilesFate {
    /// Every fate with its word on the wire.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("folder", Self::Folder), ("kept", Self::Kept), ("left", Self::Left), ("deleted", Self::Deleted)];

    /// Tells it of an export that an erasure revoked which was, or was not, to delete files.
    pub fn of(export: &AffectedExport, delete_files: bool) -> Self {
        match (export.is_folder, export.has_no_files, delete_files) {
            (true, ..) => Self::Folder,
            (false, true, _) => Self::Deleted,
            (false, false, true) => Self::Left,
            (false, false, false) => Self::Kept,
        }
    }
}
