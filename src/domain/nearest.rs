//! What somebody may have meant who mistyped one of our names.

use strsim::osa_distance;

/// Finds the name that a mistyped one is nearly: at most a third of its characters are wrong, missing or swapped with
/// the one beside them. Case and the kind of dash do not count.
pub fn nearest(typed: &str, known: &[&'static str]) -> Option<&'static str> {
    const MAX_CHARS: usize = 64;
    let typed: String = typed.to_lowercase().replace(['-', ' '], "_").chars().take(MAX_CHARS + 1).collect();
    let n_chars = typed.chars().count();
    if n_chars > MAX_CHARS {
        return None;
    }
    let (n_slips, name) = known.iter().map(|name| (osa_distance(&typed, name), *name)).min_by_key(|(n, _)| *n)?;
    (n_slips * 3 <= n_chars).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_has_a_nearest_one_and_a_strange_one_has_none() {
        let known = ["min_votes", "min_agreement", "format", "pii", "pii_url"];

        for (typed, expected) in [
            ("min_votez", Some("min_votes")),
            ("Min-Votes", Some("min_votes")),
            ("fromat", Some("format")),
            ("piiurl", Some("pii_url")),
            ("temperature", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(nearest(typed, &known), expected, "{typed}");
        }
        assert_eq!(nearest(&"m".repeat(100_000), &known), None);
    }
}
