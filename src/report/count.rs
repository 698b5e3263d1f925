//! How every rendering writes a count.

/// Writes a count with its thousands set apart by commas.
pub fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut told = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            told.push(',');
        }
        told.push(digit);
    }
    told
}

/// Writes a count with its noun, such as `1 turn` and `2 turns`.
pub fn counted(n: u64, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(n))
}

/// Returns the words that go with a count, of those for one thing and those for any other number.
pub fn words_for<'a>(n: impl TryInto<u64>, one: &'a str, many: &'a str) -> &'a str {
    if matches!(n.try_into(), Ok(1)) { one } else { many }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn one_thing_is_no_plural() {
        assert_eq!([0, 1, 2].map(|n| words_for(n, "item", "items")), ["items", "item", "items"]);
        assert_eq!([0, 1, 2000].map(|n| counted(n, "turn")), ["0 turns", "1 turn", "2,000 turns"]);
    }
}
