//! Chooses among the representations of a resource what a client's `Accept` header asks for.

use actix_web::HttpRequest;
use actix_web::http::header;

use super::error::Problem;
use super::problem;

/// Returns the offered media type that the client prefers; the first offered one where it does not care.
pub(crate) fn choose<'a>(request: &HttpRequest, offered: &[&'a str]) -> Result<&'a str, Problem> {
    let accept: Vec<&str> = request.headers().get_all(header::ACCEPT).filter_map(|value| value.to_str().ok()).collect();
    best(&accept.join(","), offered)
        .ok_or_else(|| Problem::new(problem::NOT_ACCEPTABLE).detail(format!("offered are: {}", offered.join(", "))))
}

fn best<'a>(accept: &str, offered: &[&'a str]) -> Option<&'a str> {
    if accept.trim().is_empty() {
        return offered.first().copied();
    }
    let ranges: Vec<Range<'_>> = accept.split(',').filter_map(Range::parse).collect();
    let mut best: Option<(&'a str, f32)> = None;
    for media_type in offered {
        // The most exact range that fits decides, whatever its weight.
        let fitting = ranges.iter().filter(|range| range.admits(media_type)).max_by_key(|range| range.exactness());
        let weight = fitting.map_or(0.0, |range| range.weight);
        if weight > best.map_or(0.0, |(_, weight)| weight) {
            best = Some((media_type, weight));
        }
    }
    best.map(|(media_type, _)| media_type)
}

/// One entry of an `Accept` header.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    weight: f32,
}

impl<'a> Range<'a> {
    fn parse(entry: &'a str) -> Option<Self> {
        let mut parts = entry.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let weight = parts.find_map(|parameter| parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q=")));
        let weight = weight.map_or(Some(1.0), |text| text.parse().ok())?;
        Some(Self { kind, subtype, weight })
    }

    fn admits(&self, media_type: &str) -> bool {
        let (kind, subtype) = media_type.split_once('/').unwrap_or((media_type, ""));
        (self.kind == "*" || self.kind.eq_ignore_ascii_case(kind))
            && (self.subtype == "*" || self.subtype.eq_ignore_ascii_case(subtype))
    }

    fn exactness(&self) -> usize {
        usize::from(self.kind != "*") + usize::from(self.subtype != "*")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_fitting_type_wins_and_the_first_offered_among_equals() {
        let offered = ["application/json", "text/html", "text/plain"];
        for (accept, expected) in [
            ("", Some("application/json")),
            ("*/*", Some("application/json")),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Some("text/html")),
            ("text/*", Some("text/html")),
            ("text/plain;q=0.9, text/html;q=0.8", Some("text/plain")),
            ("application/json;q=0, */*", Some("text/html")),
            ("TEXT/HTML", Some("text/html")),
            ("image/png", None),
            ("text/html;q=0", None),
            ("nonsense", None),
        ] {
            assert_eq!(best(accept, &offered), expected, "{accept}");
        }
    }
}
