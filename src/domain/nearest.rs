//! What somebody may have meant who mistyped one of our names.

/// Finds the name that a mistyped one is nearly: at most a third of its characters are wrong, missing or swapped with
/// the one beside them. Case and the kind of dash do not count.
pub fn nearest(typed: &str, known: &[&'static str]) -> Option<&'static str> {
    const MAX_CHARS: usize = 64;
    let typed: Vec<char> = typed.to_lowercase().replace(['-', ' '], "_").chars().take(MAX_CHARS + 1).collect();
    if typed.len() > MAX_CHARS {
        return None;
    }
    let distances = known.iter().map(|name| (n_slips(&typed, &name.chars().collect::<Vec<_>>()), *name));
    let (n, name) = distances.min_by_key(|(n, _)| *n)?;
    (n * 3 <= typed.len()).then_some(name)
}

/// Counts the slips between two words: characters that are wrong, missing or superfluous, and neighbours that are swapped.
fn n_slips(left: &[char], right: &[char]) -> usize {
    let mut rows: Vec<Vec<usize>> = vec![(0..=right.len()).collect()];
    for (i, l) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, r) in right.iter().enumerate() {
            let mut least = (rows[i][j + 1] + 1).min(row[j] + 1).min(rows[i][j] + usize::from(l != r));
            if i > 0 && j > 0 && *l == right[j - 1] && left[i - 1] == *r {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
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
