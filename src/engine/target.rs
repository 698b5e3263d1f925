//! What the operator lets the service ask: engines with their addresses, and which models and instances they are called
//! elsewhere.

use std::fmt;
use std::time::Duration;

use super::maps::{Engine, MetricMap};

/// The longest name of an instance or a model, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// An engine that is asked for its load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name: 1 to 64 characters from `a-z`, `0-9`, `_` and `-`.
    pub name: String,
    /// What it is.
    pub engine: Engine,
    /// Under which names it tells its load.
    pub map: MetricMap,
    /// Where its page is.
    pub url: TargetUrl,
    /// How often it is asked.
    pub interval: Duration,
    /// What completions call its models.
    pub models: ModelNames,
    /// What completions call it in `serving.served_by`; its name where it is absent.
    pub instance: String,
}

impl Target {
    /// Tells whether a text can be the name of a target.
    pub fn is_name(text: &str) -> bool {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
        (1..=64).contains(&text.len()) && text.bytes().all(is_plain)
    }

    /// Tells whether a text can be the name of an instance.
    pub fn is_instance(text: &str) -> bool {
        is_short(text)
    }
}

fn is_short(text: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Address of a page of metrics: `http://` or `https://`, a host, and no user and no fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct TargetUrl(String);

impl TargetUrl {
    /// Parses an address. A password has no place in it: it would stand in the configuration and in logs of proxies.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"))?;
        let authority = rest.split(['/', '?']).next()?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
        let is_host = authority.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric() || first == b'[');
        let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"#\\@".contains(&byte));
        (is_host && authority.bytes().all(is_plain) && is_visible).then(|| Self(text.to_owned()))
    }

    /// Returns the address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the address of another page of the same server.
    #[must_use]
    pub fn beside(&self, path: &str) -> Self {
        let n_scheme = self.0.find("://").map_or(0, |at| at + 3);
        let n_origin = self.0[n_scheme..].find(['/', '?']).map_or(self.0.len(), |at| n_scheme + at);
        Self(format!("{}{path}", &self.0[..n_origin]))
    }
}

/// A query may hold a key, so that it is not shown.
impl fmt::Debug for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.split('?').next().unwrap_or_default())
    }
}

/// What completions call the models of an engine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ModelNames {
    /// As the engine does.
    #[default]
    AsReported,
    /// All of them by one name.
    One(String),
    /// Some by other names: as reported, and as completions call them.
    Renamed(Vec<(String, String)>),
}

impl ModelNames {
    /// Parses a name, or pairs `reported=called` joined by commas; an empty text renames nothing.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return Some(Self::AsReported);
        }
        if !text.contains('=') {
            return (is_short(text) && !text.contains(',')).then(|| Self::One(text.to_owned()));
        }
        let parse = |pair: &str| {
            let (reported, called) = pair.split_once('=')?;
            let (reported, called) = (reported.trim(), called.trim());
            (is_short(reported) && is_short(called)).then(|| (reported.to_owned(), called.to_owned()))
        };
        text.split(',').map(parse).collect::<Option<Vec<_>>>().map(Self::Renamed)
    }

    /// Returns what completions call a model that an engine reports; nothing where neither says a name.
    pub fn called<'a>(&'a self, reported: Option<&'a str>) -> Option<&'a str> {
        match self {
            Self::AsReported => reported,
            Self::One(name) => Some(name),
            Self::Renamed(pairs) => {
                let reported = reported?;
                let renamed = pairs.iter().find(|(known, _)| known == reported);
                Some(renamed.map_or(reported, |(_, called)| called))
            }
        }
    }
}
