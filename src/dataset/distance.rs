//! How much of a text an edit changes, at a cost that texts of a megabyte cannot drive up.

use std::collections::HashMap;
use std::hash::Hash;

/// The most cells of a distance table: about 10 ms.
const MAX_CELLS: usize = 4_000_000;

/// Folds a text for the comparison of edits: lower case, every run of white space one space.
fn fold(text: &str) -> String {
    super::text::fold(text).to_lowercase()
}

/// Returns the share of the longer text that an edit changes, 0 to 1, white space and case aside.
///
/// Equal beginnings and ends cost nothing and are cut off first. What remains is compared by characters
/// (Levenshtein) where that takes at most [`MAX_CELLS`] steps, which 2000 characters against 2000 do; else by words,
/// each weighing its characters; and where even that is too much, by the words that one text has and the other has
/// not, wherever they stand. The last is never larger than the distance by words, which in turn is never smaller than
/// that by characters.
pub(super) fn normalised(original: &str, edited: &str) -> f64 {
    let (left, right) = (fold(original), fold(edited));
    let n_longer = left.chars().count().max(right.chars().count());
    if n_longer == 0 {
        return 0.0;
    }
    let (left, right) = trim(&left, &right);
    let (n_left, n_right) = (left.chars().count(), right.chars().count());
    let changed = if n_left.saturating_mul(n_right) <= MAX_CELLS {
        let chars = |text: &str| text.chars().collect::<Vec<char>>();
        levenshtein(&chars(left), &chars(right), |_| 1)
    } else {
        let left: Vec<&str> = left.split(' ').collect();
        let right: Vec<&str> = right.split(' ').collect();
        // The space behind a word belongs to it.
        let weight = |word: &&str| word.chars().count() as u32 + 1;
        if left.len().saturating_mul(right.len()) <= MAX_CELLS {
            levenshtein(&left, &right, weight)
        } else {
            unmatched(&left, &right, weight)
        }
    };
    (f64::from(changed) / n_longer as f64).min(1.0)
}

/// Cuts equal beginnings and ends off two texts.
fn trim<'a>(left: &'a str, right: &'a str) -> (&'a str, &'a str) {
    let n_equal_bytes = |left: &mut dyn Iterator<Item = char>, right: &mut dyn Iterator<Item = char>| -> usize {
        left.zip(right).take_while(|(left, right)| left == right).map(|(char, _)| char.len_utf8()).sum()
    };
    let n_leading = n_equal_bytes(&mut left.chars(), &mut right.chars());
    let (left, right) = (&left[n_leading..], &right[n_leading..]);
    let n_trailing = n_equal_bytes(&mut left.chars().rev(), &mut right.chars().rev());
    (&left[..left.len() - n_trailing], &right[..right.len() - n_trailing])
}

/// Computes the cheapest way from one sequence to the other; replacing costs the heavier of the two items.
fn levenshtein<T: PartialEq>(left: &[T], right: &[T], weight: impl Fn(&T) -> u32) -> u32 {
    let mut row: Vec<u32> = vec![0; right.len() + 1];
    for (column, item) in right.iter().enumerate() {
        row[column + 1] = row[column] + weight(item);
    }
    for from in left {
        let removed = weight(from);
        let mut diagonal = row[0];
        row[0] += removed;
        for (column, to) in right.iter().enumerate() {
            let added = weight(to);
            let replaced = if from == to { diagonal } else { diagonal + removed.max(added) };
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + removed).min(row[column] + added);
        }
    }
    row[right.len()]
}

/// Weighs the items that only one side has; the heavier side counts, as replacing pairs them off.
fn unmatched<T: Eq + Hash>(left: &[T], right: &[T], weight: impl Fn(&T) -> u32) -> u32 {
    let mut surplus: HashMap<&T, i64> = HashMap::new();
    for item in left {
        *surplus.entry(item).or_default() += 1;
    }
    for item in right {
        *surplus.entry(item).or_default() -= 1;
    }
    let of = |sign: i64| -> u64 {
        surplus.iter().map(|(item, n)| u64::from(weight(item)) * (n * sign).max(0).unsigned_abs()).sum()
    };
    u32::try_from(of(1).max(of(-1))).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_counts_by_the_share_of_the_longer_text_that_it_changes() {
        let table = [
            ("abcd", "abcd", 0.0),
            ("abcd", "abxd", 0.25),
            ("abcd", "abcdef", 2.0 / 6.0),
            ("kitten", "sitting", 3.0 / 7.0),
            ("", "", 0.0),
            ("", "abc", 1.0),
            ("größe", "grosse", 3.0 / 6.0),
        ];
        for (original, edited, expected) in table {
            let distance = normalised(original, edited);
            assert!((distance - expected).abs() < 1e-12, "{original} -> {edited}: {distance}");
        }
    }

    #[test]
    fn white_space_case_and_unicode_form_do_not_count() {
        assert!(normalised("Hello  World\n", "hello world") == 0.0);
        assert!(normalised("cafe\u{301}", "CAFÉ") == 0.0);
    }

    #[test]
    fn a_small_edit_in_a_megabyte_is_small_and_a_large_one_is_large() {
        let words = |letter: char| (0..150_000).map(|n| format!("{letter}{n} ")).collect::<Vec<_>>().concat();
        let long = words('w');
        let changed_inside = long.replace("w75000 ", "another ");
        let two_ends = format!("start {} end", &long[3..long.len() - 8]);
        let other = words('v');

        assert!(normalised(&long, &changed_inside) < 1e-4);
        assert!(normalised(&long, &two_ends) < 1e-3);
        assert!(normalised(&long, &other) > 0.9);
    }

    #[test]
    fn words_weigh_their_characters_where_characters_would_cost_too_much() {
        let text = |of: fn(u32) -> &'static str| -> String {
            (0..1900).map(|n| format!("{}{n:06} ", of(n))).collect::<Vec<_>>().concat()
        };
        let original = text(|_| "word");
        let edited = text(|n| if n % 2 == 0 { "word" } else { "term" });

        let distance = normalised(&original, &edited);

        assert!((0.45..0.55).contains(&distance), "{distance}");
    }
}
