//! Named places for exports: sections of the operator's own names below `exports.destinations`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::error::ConfigError;
use super::given;
use crate::domain::destination::{Bucket, Destination, DestinationName, Endpoint, Place, SecretReference};

/// A section as it is written; every key is there, since the defaults of a section have it.
#[derive(Deserialize)]
pub(super) struct RawDestination {
    kind: String,
    path: String,
    endpoint: String,
    allow_http: bool,
    region: String,
    bucket: String,
    prefix: String,
    ca_file: String,
    access_key_id: String,
    secret_access_key: String,
}

/// Reads the sections, by name.
pub(super) fn parse(sections: BTreeMap<String, RawDestination>) -> Result<Vec<Destination>, ConfigError> {
    let expected = "sections named with 1 to 64 characters from a-z, 0-9, _ and -";
    let parse_one = |(name, raw): (String, RawDestination)| {
        let parsed = DestinationName::parse(&name);
        let parsed = parsed.ok_or(ConfigError::Invalid { key: "exports.destinations", expected })?;
        Ok(Destination { name: parsed, place: raw.parse(&name)? })
    };
    sections.into_iter().map(parse_one).collect()
}

impl RawDestination {
    fn parse(self, name: &str) -> Result<Place, ConfigError> {
        match self.kind.as_str() {
            "local" => self.parse_local(name),
            "s3" => self.parse_bucket(name),
            _ => Err(invalid(name, "kind", "`local` or `s3`")),
        }
    }

    fn parse_local(self, name: &str) -> Result<Place, ConfigError> {
        for (key, value) in [
            ("endpoint", &self.endpoint),
            ("bucket", &self.bucket),
            ("prefix", &self.prefix),
            ("ca_file", &self.ca_file),
            ("access_key_id", &self.access_key_id),
            ("secret_access_key", &self.secret_access_key),
        ] {
            if !value.is_empty() {
                return Err(invalid(name, key, "absent for kind `local`"));
            }
        }
        let path = PathBuf::from(self.path);
        if path.is_absolute() { Ok(Place::Local(path)) } else { Err(invalid(name, "path", "an absolute directory")) }
    }

    fn parse_bucket(self, name: &str) -> Result<Place, ConfigError> {
        if !self.path.is_empty() {
            return Err(invalid(name, "path", "absent for kind `s3`; the folder in the bucket is `prefix`"));
        }
        if !is_bucket_name(&self.bucket) {
            let expected = "3 to 63 characters from a-z, 0-9, `.`, `-` and `_`, the first and last a letter or digit";
            return Err(invalid(name, "bucket", expected));
        }
        let is_region = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if self.region.is_empty() || !self.region.bytes().all(is_region) {
            return Err(invalid(name, "region", "a region such as us-east-1"));
        }
        let prefix = self.prefix.trim_matches('/');
        if !prefix.is_empty() && !prefix.split('/').all(is_prefix_part) {
            let expected = "parts of A-Z, a-z, 0-9, `.`, `=`, `_` and `-`, joined by slashes";
            return Err(invalid(name, "prefix", expected));
        }
        let endpoint = given(self.endpoint).map(|text| {
            let expected = "https://host[:port] and nothing more, or http:// with `allow_http = true`";
            Endpoint::parse(&text, self.allow_http).ok_or_else(|| invalid(name, "endpoint", expected))
        });
        Ok(Place::Bucket(Bucket {
            endpoint: endpoint.transpose()?,
            prefix: prefix.to_owned(),
            name: self.bucket,
            region: self.region,
            ca_file: given(self.ca_file).map(PathBuf::from),
            access_key_id: parse_reference(name, "access_key_id", &self.access_key_id)?,
            secret_access_key: parse_reference(name, "secret_access_key", &self.secret_access_key)?,
        }))
    }
}

fn parse_reference(name: &str, key: &'static str, text: &str) -> Result<SecretReference, ConfigError> {
    SecretReference::parse(text).ok_or_else(|| invalid(name, key, "env:NAME or file:/PATH, where the key is found"))
}

fn is_bucket_name(text: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    let bytes = text.as_bytes();
    (3..=63).contains(&bytes.len())
        && text.bytes().all(is_plain)
        && !text.contains("..")
        && is_end(bytes.first())
        && is_end(bytes.last())
}

fn is_prefix_part(part: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".=_-".contains(&byte);
    !part.is_empty() && part != "." && part != ".." && part.bytes().all(is_plain)
}

fn invalid(name: &str, key: &'static str, expected: &'static str) -> ConfigError {
    ConfigError::InvalidDestination { name: name.to_owned(), key, expected }
}
