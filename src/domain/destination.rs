//! Places that the operator names for exports: what they are and how their secrets are found, before anything is
//! opened. A request says the name and never more.

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

use super::fields::FieldCode;
use super::json::Json;

/// Name of a destination: 1 to 64 characters from `a-z`, `0-9`, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DestinationName(String);

impl DestinationName {
    /// Parses a name.
    pub fn parse(text: &str) -> Option<Self> {
        is_plain_part(text).then(|| Self(text.to_owned()))
    }

    /// Parses a name that a request says.
    pub(super) fn from_json(value: &Json) -> Result<Self, (FieldCode, String)> {
        let text = super::fields::short_text(value)?;
        let detail = "must be 1 to 64 characters from a-z, 0-9, `_` and `-`";
        Self::parse(&text).ok_or_else(|| (FieldCode::Malformed, detail.to_owned()))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DestinationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for DestinationName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Tells whether a text is one part of a path that cannot leave the folder that it is put under.
pub(super) fn is_plain_part(part: &str) -> bool {
    (1..=64).contains(&part.len())
        && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte))
}

/// A place that the operator has named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Its name.
    pub name: DestinationName,
    /// What it is.
    pub place: Place,
}

/// What a destination is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A directory of the machine that exports run on.
    Local(PathBuf),
    /// A bucket of an S3-compatible storage server.
    Bucket(Bucket),
}

/// A bucket, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Where the storage server is; Amazon's endpoint of the region where it is absent.
    pub endpoint: Option<Endpoint>,
    /// Name of the bucket.
    pub name: String,
    /// Region that requests are signed for.
    pub region: String,
    /// Folder in the bucket that everything goes below, without slashes at its ends; empty for none.
    pub prefix: String,
    /// PEM file of a certificate authority that is trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Where the id of the access key is.
    pub access_key_id: SecretReference,
    /// Where the access key's secret is.
    pub secret_access_key: SecretReference,
}

/// Address of a storage server: scheme, host and port, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(String);

impl Endpoint {
    /// Parses `https://host[:port]`, or `http://` where that is allowed.
    pub fn parse(text: &str, allow_http: bool) -> Option<Self> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let secure = text.strip_prefix("https://");
        let authority = secure.or_else(|| text.strip_prefix("http://").filter(|_| allow_http))?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
        (!authority.is_empty() && authority.bytes().all(is_plain)).then(|| Self(text.to_owned()))
    }

    /// Tells whether what goes there can be read on the way.
    pub fn is_plain_http(&self) -> bool {
        self.0.starts_with("http://")
    }

    /// Returns the address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a secret is found. The configuration holds this and never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretReference {
    /// In an environment variable of the service's process.
    Environment(String),
    /// In a file, without the line break at its end.
    File(PathBuf),
}

impl SecretReference {
    /// Parses `env:NAME` or `file:/an/absolute/path`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(name) = text.strip_prefix("env:") {
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            return (!name.is_empty() && name.bytes().all(is_name)).then(|| Self::Environment(name.to_owned()));
        }
        let path = PathBuf::from(text.strip_prefix("file:")?);
        path.is_absolute().then_some(Self::File(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_scheme_host_and_port_and_plain_http_is_to_be_allowed() {
        for good in ["https://s3.example.org", "https://10.0.0.1:9000", "https://[2001:db8::1]:9000/"] {
            assert!(Endpoint::parse(good, false).is_some(), "{good}");
        }
        for bad in [
            "",
            "https://",
            "s3.example.org",
            "ftp://s3.example.org",
            "https://key:canary@s3.example.org",
            "https://s3.example.org/path",
            "https://s3.example.org?x=1",
            "https://s3.example.org#x",
            "https://s3 .example.org",
            "https://s3.example.org\\@elsewhere",
            "https://%31%32%37.1",
        ] {
            assert_eq!(Endpoint::parse(bad, true), None, "{bad}");
        }
        assert_eq!(Endpoint::parse("http://127.0.0.1:9000", false), None);
        assert!(Endpoint::parse("http://127.0.0.1:9000", true).unwrap().is_plain_http());
    }

    #[test]
    fn a_secret_is_a_variable_or_an_absolute_path_and_never_itself() {
        assert_eq!(SecretReference::parse("env:AWS_KEY"), Some(SecretReference::Environment("AWS_KEY".to_owned())));
        assert_eq!(SecretReference::parse("file:/run/key"), Some(SecretReference::File("/run/key".into())));
        for bad in ["", "env:", "env:A B", "file:", "file:key", "wJalrXUtnFEMI", "ENV:A"] {
            assert_eq!(SecretReference::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_name_is_one_plain_part() {
        assert_eq!(DestinationName::parse("team-a_1").unwrap().as_str(), "team-a_1");
        for bad in ["", "A", "a/b", "..", "a.b", "ä", &"a".repeat(65)] {
            assert_eq!(DestinationName::parse(bad), None, "{bad}");
        }
    }
}
