//! The places that exports go to: the service's own directory, and those that the operator has named.
//!
//! A request says a name. What is behind it, and the key to it, never leaves this module and `blob`.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use super::App;
use super::error::ServiceError;
use crate::blob::{AccessKey, Blob, BlobError};
use crate::domain::destination::{Destination, DestinationName, Place, SecretReference};
use crate::domain::fields::{FieldCode, FieldError};

/// The longest secret that a file is read for, in bytes.
const MAX_SECRET_BYTES: usize = 4096;

/// The operator's destinations, by name.
pub type Named = BTreeMap<DestinationName, Blob>;

/// A destination of the configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the destination `{name}`: {fault}")]
pub struct DestinationError {
    /// Its name.
    pub name: DestinationName,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a destination.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A variable that should hold half of the key is absent or empty.
    #[error("the environment variable `{0}` is not set")]
    VariableAbsent(String),
    /// A file that should hold half of the key cannot be read.
    #[error("the file with its key cannot be read: {0}")]
    FileUnreadable(std::io::ErrorKind),
    /// Half of the key is empty, longer than any, or no text.
    #[error("its key is empty or is no line of text")]
    NoSecret,
    /// The place itself cannot be opened or used.
    #[error("{0}")]
    Place(#[from] BlobError),
}

/// Opens every destination; a directory that is absent is made, and no connection yet. `env` reads the environment.
pub fn open(destinations: &[Destination], env: &dyn Fn(&str) -> Option<String>) -> Result<Named, DestinationError> {
    let open_one = |destination: &Destination| {
        let blob = open_place(&destination.place, env)
            .map_err(|fault| DestinationError { name: destination.name.clone(), fault })?;
        Ok((destination.name.clone(), blob))
    };
    destinations.iter().map(open_one).collect()
}

fn open_place(place: &Place, env: &dyn Fn(&str) -> Option<String>) -> Result<Blob, Fault> {
    match place {
        Place::Local(path) => Ok(open_directory(path)?),
        Place::Bucket(bucket) => {
            let id = read_secret(&bucket.access_key_id, env)?;
            let secret = read_secret(&bucket.secret_access_key, env)?;
            Ok(Blob::bucket(bucket, &AccessKey { id, secret })?)
        }
    }
}

/// Opens a directory. Exports hold people's words: one that is made here is nobody else's to look around in.
pub(super) fn open_directory(path: &Path) -> Result<Blob, BlobError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    Blob::local(path)
}

fn read_secret(reference: &SecretReference, env: &dyn Fn(&str) -> Option<String>) -> Result<String, Fault> {
    let text = match reference {
        SecretReference::Environment(name) => env(name).ok_or_else(|| Fault::VariableAbsent(name.clone()))?,
        SecretReference::File(path) => {
            let bytes = std::fs::read(path).map_err(|error| Fault::FileUnreadable(error.kind()))?;
            String::from_utf8(bytes).map_err(|_| Fault::NoSecret)?
        }
    };
    let text = text.trim_end_matches(['\r', '\n']);
    let is_line = !text.is_empty() && text.len() <= MAX_SECRET_BYTES && !text.contains(char::is_control);
    if is_line { Ok(text.to_owned()) } else { Err(Fault::NoSecret) }
}

/// Looks at every destination, for a person: whether it is there and can be written into.
pub async fn examine(
    destinations: &[Destination],
    env: &dyn Fn(&str) -> Option<String>,
) -> Vec<(DestinationName, Result<String, String>)> {
    let mut found = Vec::new();
    for destination in destinations {
        let checked = match open_place(&destination.place, env) {
            Ok(blob) => blob.check().await.map_err(Fault::from),
            Err(fault) => Err(fault),
        };
        let words = checked.map(|()| "can be written into".to_owned()).map_err(|fault| fault.to_string());
        found.push((destination.name.clone(), words));
    }
    found
}

/// Finds the place of an export that exists; its name may have gone from the configuration meanwhile.
pub(super) fn place<'a>(app: &'a App, name: Option<&DestinationName>) -> Result<&'a Blob, ServiceError> {
    match name {
        None => Ok(&app.blob),
        Some(name) => app.destinations.get(name).ok_or(ServiceError::DestinationGone),
    }
}

/// Finds the place that a request names, and looks whether it can be used, before anything is written for the request.
pub(super) async fn place_asked_for(app: &App, name: Option<&DestinationName>) -> Result<(), ServiceError> {
    let place = place(app, name).map_err(|_| ServiceError::Invalid(vec![unknown(app)]))?;
    place.check().await.map_err(ServiceError::DestinationUnusable)
}

/// Says which destinations there are. Their names are the operator's, and no secret.
fn unknown(app: &App) -> FieldError {
    let names: Vec<&str> = app.destinations.keys().map(DestinationName::as_str).collect();
    let detail = if names.is_empty() {
        "must be the name of a destination of the configuration, which has none".to_owned()
    } else {
        format!("must be the name of a destination of the configuration, which has: {}", names.join(", "))
    };
    FieldError::new("/destination/name", FieldCode::UnknownDestination, &*detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_line_of_its_variable_or_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        let of_file = SecretReference::File(file.clone());
        let env = |name: &str| (name == "KEY").then(|| "abc".to_owned());
        let read = |reference: &SecretReference| read_secret(reference, &env).map_err(|fault| fault.to_string());

        assert_eq!(read(&SecretReference::Environment("KEY".to_owned())).as_deref(), Ok("abc"));
        let absent = read(&SecretReference::Environment("OTHER".to_owned())).unwrap_err();
        assert_eq!(absent, "the environment variable `OTHER` is not set");
        assert_eq!(read(&of_file).unwrap_err(), "the file with its key cannot be read: entity not found");
        for (content, expected) in
            [(&b"s3cret\r\n"[..], Some("s3cret")), (b"\n", None), (b"a\nb", None), (b"\xff", None)]
        {
            std::fs::write(&file, content).unwrap();
            assert_eq!(read(&of_file).ok().as_deref(), expected);
        }
    }
}
