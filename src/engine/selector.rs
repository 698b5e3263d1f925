//! Which series of a page is meant: `metric{label=value}`, and a quotient of two of them, `used{…} / total{…}`.

use super::exposition::Sample;

/// A metric, and the labels that its series must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    name: String,
    labels: Vec<(String, String)>,
}

impl Selector {
    /// Parses `metric` or `metric{label=value,…}`; values may stand in quotes.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (name, inside) = match text.split_once('{') {
            Some((name, rest)) => (name.trim_end(), rest.strip_suffix('}')?),
            None => (text, ""),
        };
        let written = inside.split(',').map(str::trim).filter(|pair| !pair.is_empty());
        let labels = written.map(parse_label).collect::<Option<Vec<_>>>()?;
        is_name(name).then(|| Self { name: name.to_owned(), labels })
    }

    /// Tells whether a metric is the one that is meant. A counter may be called with or without `_total`: what an engine's
    /// code calls `x` is `x_total` on the wire with some libraries and not with others.
    pub fn is_of(&self, name: &str) -> bool {
        self.stem() == stem(name)
    }

    /// Returns the metric's name without `_total`.
    pub(super) fn stem(&self) -> &str {
        stem(&self.name)
    }

    /// Tells whether a sample is one of the series that are meant.
    pub fn selects(&self, sample: &Sample<'_>) -> bool {
        self.is_of(sample.name) && self.labels.iter().all(|(name, value)| sample.label(name) == Some(value))
    }
}

/// Returns a metric's name without `_total`.
pub(super) fn stem(name: &str) -> &str {
    name.strip_suffix("_total").unwrap_or(name)
}

fn parse_label(pair: &str) -> Option<(String, String)> {
    let (name, value) = pair.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    let value = value.strip_prefix('"').map_or(Some(value), |rest| rest.strip_suffix('"'))?;
    let is_plain = !value.is_empty() && !value.contains(['"', '\\', '{', '}', '=']);
    (is_name(name) && is_plain).then(|| (name.to_owned(), value.to_owned()))
}

fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':';
    !text.is_empty() && !text.as_bytes()[0].is_ascii_digit() && text.bytes().all(is_plain)
}

/// How a number is had from a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Term {
    /// The value of a series.
    Value(Selector),
    /// One series divided by another.
    Quotient(Selector, Selector),
}

impl Term {
    /// Parses a selector, or two with ` / ` between them.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(" / ") {
            Some((part, whole)) => Some(Self::Quotient(Selector::parse(part)?, Selector::parse(whole)?)),
            None => Selector::parse(text).map(Self::Value),
        }
    }

    /// Lists its selectors.
    pub fn selectors(&self) -> impl Iterator<Item = &Selector> {
        let (first, second) = match self {
            Self::Value(selector) => (selector, None),
            Self::Quotient(part, whole) => (part, Some(whole)),
        };
        std::iter::once(first).chain(second)
    }
}
