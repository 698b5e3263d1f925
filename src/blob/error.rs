//! What can go wrong with a place for files. A storage server's own words are kept nowhere: they may quote what it was
//! sent, and an endpoint that is not what it should be could say anything (CVE-2025-25297).

use std::error::Error;

use object_store::client::HttpError;

/// A failure of a place for files.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is no such file.
    #[error("there is no such file")]
    NotFound,
    /// There is another file under the key already.
    #[error("another file has the name already")]
    Taken,
    /// The storage server does not answer.
    #[error("its storage server cannot be reached")]
    Unreachable,
    /// The storage server does not accept the credentials, or they do not allow this.
    #[error("its storage server refuses the access key, or what may be done with it")]
    Refused,
    /// The storage server has no such bucket.
    #[error("its storage server has no such bucket")]
    NoBucket,
    /// The storage server sends requests elsewhere, which is not followed.
    #[error("its storage server points elsewhere: the region or the endpoint of the bucket is another one")]
    Elsewhere,
    /// The storage server failed at every try, with this status where it is known.
    #[error("its storage server failed{}", status.map(|status| format!(" with status {status}")).unwrap_or_default())]
    ServerFailed {
        /// The last status.
        status: Option<u16>,
    },
    /// What is configured does not make a connection.
    #[error("it cannot be opened: {0}")]
    Misconfigured(&'static str),
    /// Copying was told to stop.
    #[error("copying was stopped")]
    Stopped,
    /// Reading or writing failed on this machine.
    #[error("reading or writing a file failed{}", kind(&**.0).map(|kind| format!(": {kind}")).unwrap_or_default())]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

impl BlobError {
    /// Tells whether trying again is of no use before an operator has changed something.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused | Self::NoBucket | Self::Elsewhere | Self::Misconfigured(_))
    }
}

impl From<std::io::Error> for BlobError {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(Box::new(error))
    }
}

impl From<object_store::Error> for BlobError {
    fn from(error: object_store::Error) -> Self {
        use object_store::Error as Theirs;
        match &error {
            Theirs::NotFound { .. } => Self::NotFound,
            Theirs::AlreadyExists { .. } => Self::Taken,
            _ if is_local(&error) => Self::Failed(Box::new(error)),
            Theirs::PermissionDenied { .. } | Theirs::Unauthenticated { .. } => Self::Refused,
            _ if is_of_the_network(&error) => Self::Unreachable,
            _ => Self::of_status(status_told(&error.to_string())),
        }
    }
}

impl BlobError {
    /// Says what the status of a failed answer means for the bucket as a whole.
    pub(super) fn of_status(status: Option<u16>) -> Self {
        match status {
            Some(401 | 403) => Self::Refused,
            Some(404) => Self::NoBucket,
            Some(300..=399) => Self::Elsewhere,
            status => Self::ServerFailed { status },
        }
    }
}

/// Returns what the operating system says, in words that name no path.
fn kind(error: &(dyn Error + Send + Sync + 'static)) -> Option<std::io::ErrorKind> {
    causes(error).find_map(|cause| cause.downcast_ref::<std::io::Error>()).map(std::io::Error::kind)
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

/// Tells whether the operating system is behind an error, and not a connection.
fn is_local(error: &object_store::Error) -> bool {
    let is_io = causes(error).any(<dyn Error + 'static>::is::<std::io::Error>);
    let is_of_a_task = matches!(error, object_store::Error::JoinError { .. });
    is_of_a_task || (is_io && !is_of_the_network(error))
}

fn is_of_the_network(error: &object_store::Error) -> bool {
    causes(error).any(<dyn Error + 'static>::is::<HttpError>)
}

/// Finds the status in the sentence of a failed request; the crate keeps the type that holds it to itself.
fn status_told(sentence: &str) -> Option<u16> {
    if sentence.contains("Received redirect without LOCATION") {
        return Some(301);
    }
    let (_, rest) = sentence.split_once("status code: ")?;
    rest.get(..3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_found_and_what_the_server_said_is_lost() {
        let source = "Server returned non-2xx status code: 503 Service Unavailable: <Error>canary</Error>";
        let error = object_store::Error::Generic { store: "S3", source: source.into() };

        let error = BlobError::from(error);

        assert!(matches!(error, BlobError::ServerFailed { status: Some(503) }), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("canary"));
        assert!(matches!(BlobError::of_status(status_told("status code: 307 Temporary")), BlobError::Elsewhere));
        assert!(matches!(BlobError::of_status(status_told("nothing")), BlobError::ServerFailed { status: None }));
    }

    #[test]
    fn a_full_disk_keeps_its_cause_for_the_log() {
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let error = object_store::Error::Generic { store: "LocalFileSystem", source: Box::new(full) };

        let error = BlobError::from(error);

        assert_eq!(error.to_string(), "reading or writing a file failed: no storage space");
    }
}
