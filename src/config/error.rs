//! What can be wrong with a configuration, told in one line that never quotes a value: it may be a secret.

use std::path::PathBuf;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{}, line {line}: this is not valid TOML", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// The file has a key that does not exist.
    #[error("{}: unknown key `{key}`{}", path.display(), hint.as_deref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key, with its section.
        key: String,
        /// A key that exists and looks alike.
        hint: Option<String>,
    },
    /// A value has the wrong type.
    #[error("{origin}: `{key}` must be {expected}")]
    WrongType {
        /// File or environment variable.
        origin: String,
        /// The key, with its section.
        key: String,
        /// Which type it has.
        expected: &'static str,
    },
    /// A value has the right type, but no meaning.
    #[error("`{key}` must be {expected}")]
    Invalid {
        /// The key, with its section.
        key: &'static str,
        /// What it may be.
        expected: &'static str,
    },
    /// A destination of exports has a value that has no meaning, or lacks one.
    #[error("`exports.destinations.{name}.{key}` must be {expected}")]
    InvalidDestination {
        /// Its name.
        name: String,
        /// The key.
        key: &'static str,
        /// What it may be.
        expected: &'static str,
    },
    /// A serving engine has a value that has no meaning, or lacks one.
    #[error("`serving.targets[{nth}].{key}` must be {expected}")]
    InvalidTarget {
        /// Its place in the file, from 1: what it calls itself may be what is wrong.
        nth: usize,
        /// The key.
        key: &'static str,
        /// What it may be.
        expected: &'static str,
    },
}
