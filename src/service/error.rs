//! What a use case can answer instead of its result.

use crate::blob::BlobError;
use crate::domain::fields::FieldError;
use crate::hook::HookError;
use crate::store::StoreError;

/// A use case that could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The input has no meaning here.
    #[error("the input is invalid")]
    Invalid(Vec<FieldError>),
    /// No credential, or one that is unknown, wrong, expired or revoked.
    #[error("no valid credential")]
    Unauthenticated,
    /// The thing does not exist in the caller's project.
    #[error("not found")]
    NotFound,
    /// There is nothing to compare; the text says what is missing and holds no data of anybody's.
    #[error("nothing to compare: {0}")]
    NoData(&'static str),
    /// It exists already, with other content.
    #[error("{0}")]
    Conflict(Conflict),
    /// The queue is full.
    #[error("too much is waiting to be written")]
    Overloaded,
    /// No answer came in time; it may or may not have been written.
    #[error("the database did not answer in time")]
    TimedOut,
    /// No ingest writer lives.
    #[error("no ingest writer lives")]
    WritersGone,
    /// The database failed.
    #[error("the database failed")]
    Store(#[source] StoreError),
    /// The place for files failed.
    #[error("the place for files failed")]
    Blob(#[source] BlobError),
    /// The destination that a request names cannot be used now.
    #[error("the destination cannot be used: {0}")]
    DestinationUnusable(#[source] BlobError),
    /// The destination of an export is not in the configuration any more.
    #[error("the export's destination is not configured")]
    DestinationGone,
    /// A local file of ours failed.
    #[error("a local file failed")]
    File(#[source] std::io::Error),
    /// A data-set file could not be written.
    #[error("a data-set file could not be written")]
    Columnar(#[source] crate::columnar::ColumnarError),
    /// A file of a benchmark cannot be used.
    #[error("a benchmark file of the recipe cannot be used: {0}")]
    Benchmark(FieldError),
    /// A service beside ours that the recipe names was of no use; nothing leaves unasked.
    #[error("a hook of the recipe failed: {0}")]
    Hook(#[source] HookError),
    /// A hook of the recipe was of no use before anything was read.
    #[error("a hook of the recipe (`{name}`) failed before anything was read: {error}")]
    HookAway {
        /// The option that names it.
        name: &'static str,
        /// Why.
        #[source]
        error: HookError,
    },
    /// Somebody whose rows an export would hold was erased while it ran.
    #[error("somebody was erased while the export ran; run it again")]
    ErasedMeanwhile,
    /// Another worker took the job over.
    #[error("the lease on the job was lost")]
    LeaseLost,
    /// A bug of ours.
    #[error("internal error: {0}")]
    Internal(&'static str),
}

/// What stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// The idempotency key came with another request.
    #[error("the idempotency key was used with another request")]
    IdempotencyKey,
    /// An experiment of this key was declared otherwise.
    #[error("an experiment of this key is declared already, with other content")]
    Experiment,
    /// The export has not ended yet.
    #[error("the export has not ended yet")]
    ExportUnfinished,
    /// The rows of an export cannot be compared with.
    #[error("the files of the parent export are not here")]
    ParentGone,
    /// The export has ended already.
    #[error("the export has ended already")]
    ExportEnded,
    /// The project has as many live keys of the kind as it may.
    #[error("the project has too many live keys of this kind")]
    TooManyKeys,
    /// The project has signing keys, and none that the service can sign with.
    #[error("the project has no live HS256 signing key")]
    NoSigningKey,
    /// As many tokens are taken back as are remembered.
    #[error("too many tokens of the project are revoked")]
    TooManyRevocations,
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<BlobError> for ServiceError {
    fn from(error: BlobError) -> Self {
        Self::Blob(error)
    }
}

impl From<Vec<FieldError>> for ServiceError {
    fn from(errors: Vec<FieldError>) -> Self {
        Self::Invalid(errors)
    }
}

/// What a failure below the use cases means to whoever asked for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The database is away or overloaded; trying again may help.
    DatabaseUnavailable,
    /// The database's schema does not fit the program.
    SchemaUnfit,
    /// The place for files is away; trying again may help.
    StorageUnavailable,
    /// A file that should be there is not.
    FileMissing,
    /// A bug, or a row that somebody wrote past the program.
    Broken,
}

impl ServiceError {
    /// Tells what the failure means, for an error that is not the caller's fault.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Store(error) if error.is_retryable() => Failure::DatabaseUnavailable,
            Self::Store(StoreError::SchemaTooNew { .. } | StoreError::SchemaTooOld { .. }) => Failure::SchemaUnfit,
            Self::Blob(BlobError::NotFound) => Failure::FileMissing,
            Self::Blob(_) | Self::DestinationUnusable(_) | Self::DestinationGone => Failure::StorageUnavailable,
            _ => Failure::Broken,
        }
    }
}
