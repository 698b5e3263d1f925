//! The text form in which engines expose metrics (Prometheus's and OpenMetrics's), read tolerantly: a line that is none is
//! left out and counted, and costs no other line.

use std::borrow::Cow;

/// The longest page that is read, in bytes.
pub const MAX_PAGE_BYTES: usize = 2 << 20;

/// A page that is longer than any engine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the page is longer than {MAX_PAGE_BYTES} bytes")]
pub struct PageTooLong;

/// The samples of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<'a> {
    /// Samples of the wanted metrics, in the order of the page.
    pub samples: Vec<Sample<'a>>,
    /// Lines that are neither samples nor comments nor empty.
    pub n_skipped: usize,
}

/// One line: a metric, its labels and its value. A time or an exemplar behind the value is read and left out: engines say
/// them rarely, and ours is the time of receipt.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<'a> {
    /// Name of the metric.
    pub name: &'a str,
    /// Labels with their unescaped values, in the order of the line.
    pub labels: Vec<(&'a str, Cow<'a, str>)>,
    /// The value; NaN and the infinities are values, too.
    pub value: f64,
}

impl Sample<'_> {
    /// Returns the value of a label; of one that stands twice, the first.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_ref())
    }
}

impl<'a> Page<'a> {
    /// Reads the samples of the metrics that are wanted. The rest of the page, which may be a hundred times as long, is not
    /// looked at beyond the names, so that only a line without a name, or of a wanted metric, can be skipped.
    pub fn parse(bytes: &'a [u8], is_wanted: impl Fn(&str) -> bool) -> Result<Self, PageTooLong> {
        if bytes.len() > MAX_PAGE_BYTES {
            return Err(PageTooLong);
        }
        let mut page = Self { samples: Vec::new(), n_skipped: 0 };
        for line in bytes.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line).trim_ascii_start();
            if line.is_empty() || line[0] == b'#' {
                continue;
            }
            let n_name = line.iter().take_while(|byte| is_name_byte(**byte)).count();
            let name = std::str::from_utf8(&line[..n_name]).unwrap_or_default();
            if name.is_empty() || name.as_bytes()[0].is_ascii_digit() {
                page.n_skipped += 1;
            } else if is_wanted(name) {
                match std::str::from_utf8(&line[n_name..]).ok().and_then(|rest| parse_sample(name, rest)) {
                    Some(sample) => page.samples.push(sample),
                    None => page.n_skipped += 1,
                }
            }
        }
        Ok(page)
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':'
}

/// Reads what follows the name of a metric.
fn parse_sample<'a>(name: &'a str, rest: &'a str) -> Option<Sample<'a>> {
    let rest = rest.trim_start_matches(BLANK);
    let (labels, behind) = match rest.strip_prefix('{') {
        Some(inside) => parse_labels(inside)?,
        None => (Vec::new(), rest),
    };
    // Whatever follows a `#` is an exemplar.
    let numbers = behind.split_once('#').map_or(behind, |(numbers, _)| numbers);
    let mut words = numbers.split(BLANK).filter(|word| !word.is_empty());
    let value = parse_value(words.next()?)?;
    if let Some(time) = words.next() {
        time.parse::<f64>().ok()?;
    }
    words.next().is_none().then_some(Sample { name, labels, value })
}

const BLANK: [char; 2] = [' ', '\t'];

/// Labels, each with its value.
type Labels<'a> = Vec<(&'a str, Cow<'a, str>)>;

/// Reads labels to the closing brace, and gives what follows it.
fn parse_labels(mut rest: &str) -> Option<(Labels<'_>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches(BLANK);
        if let Some(behind) = rest.strip_prefix('}') {
            return Some((labels, behind));
        }
        let n_name = rest.bytes().take_while(|byte| is_name_byte(*byte)).count();
        let (name, behind) = rest.split_at(n_name);
        if name.is_empty() || name.as_bytes()[0].is_ascii_digit() {
            return None;
        }
        let quoted = behind.trim_start_matches(BLANK).strip_prefix('=')?.trim_start_matches(BLANK).strip_prefix('"')?;
        let (value, behind) = parse_quoted(quoted)?;
        labels.push((name, value));
        rest = behind.trim_start_matches(BLANK);
        match rest.strip_prefix(',') {
            Some(behind) => rest = behind,
            None if rest.starts_with('}') => (),
            None => return None,
        }
    }
}

/// Reads a text to its closing quote, and gives what follows it. A backslash before any other letter than the three that
/// the format knows stands for itself.
fn parse_quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let end = text.find(['"', '\\'])?;
    if text[end..].starts_with('"') {
        return Some((Cow::Borrowed(&text[..end]), &text[end + 1..]));
    }
    let mut value = text[..end].to_owned();
    let mut characters = text[end..].char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((Cow::Owned(value), &text[end + at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                known @ ('\\' | '"') => value.push(known),
                other => value.extend(['\\', other]),
            },
            plain => value.push(plain),
        }
    }
    None
}

/// Reads a value. Rust knows the spellings of NaN and of the infinities that the format has.
fn parse_value(word: &str) -> Option<f64> {
    word.parse().ok()
}
