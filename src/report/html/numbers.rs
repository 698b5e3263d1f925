//! Numbers that are no rates: dollars, measured quantities, days; and names that must fit a drawing.

use chrono::NaiveDate;

use super::words;
use crate::report::comparison::costs::Measure;
use crate::report::comparison::{Comparison, Metric};
use crate::report::count::thousands;
use crate::stats::Interval;

/// Finds a metric by its name.
pub(super) fn metric_named<'a>(comparison: &'a Comparison, name: &str) -> Option<&'a Metric> {
    comparison.metrics.iter().find(|metric| metric.name == name)
}

/// Writes a number with a sign where it is not nothing.
pub(super) fn signed(value: f64, n_decimals: usize) -> String {
    words::points(value / 100.0, n_decimals)
}

/// Writes dollars with two decimals, and with more where cents are too coarse.
pub(super) fn dollars(value: f64) -> String {
    let n_decimals = match value.abs() {
        size if size >= 0.1 || size == 0.0 => 2,
        size if size >= 0.01 => 3,
        size if size >= 0.001 => 4,
        _ => 5,
    };
    let digits = format!("${:.*}", n_decimals, value.abs());
    if value < 0.0 { format!("−{digits}") } else { digits }
}

/// Writes a quantity in the unit that its title names.
pub(super) fn quantity(measure: &Measure, value: f64) -> String {
    let sign = if value < 0.0 { "−" } else { "" };
    match measure.name {
        "cost_usd" => dollars(value),
        "error_rate" => format!("{}%", words::unsigned(value * 100.0, 2)),
        _ if value.abs() >= 100.0 => format!("{sign}{}", thousands(value.abs().round() as u64)),
        _ => words::unsigned(value, 1),
    }
}

/// Writes a day as it fits under an axis.
pub(super) fn short_day(day: NaiveDate) -> String {
    day.format("%-d %b").to_string()
}

/// Sets a name apart, so that its direction of writing ends with it.
pub(super) fn isolated(name: &str) -> String {
    format!("\u{2068}{name}\u{2069}")
}

/// Cuts a name to so many characters, and says so.
pub(super) fn cut(name: &str, n_chars: usize) -> String {
    let is_short = name.chars().count() <= n_chars;
    let kept: String = name.chars().take(if is_short { n_chars } else { n_chars.saturating_sub(1) }).collect();
    isolated(&if is_short { kept } else { format!("{kept}…") })
}

/// Writes an interval as two ends.
pub(super) fn ends(interval: Option<Interval>, write: impl Fn(f64) -> String) -> String {
    interval
        .map_or_else(|| "no interval".to_owned(), |Interval { low, high }| format!("{} to {}", write(low), write(high)))
}

/// Writes a signal's stable name as words.
pub(super) fn signal_words(signal: &str) -> String {
    signal.replace('_', " ")
}

/// Returns the places of a list that a table shows: at most so many, evenly apart, the last one always.
pub(super) fn thinned(n_items: usize, n_most: usize) -> Vec<usize> {
    let step = n_items.div_ceil(n_most.max(1)).max(1);
    let mut places: Vec<usize> = (0..n_items).rev().step_by(step).collect();
    places.reverse();
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_have_the_decimals_that_they_need() {
        assert_eq!(
            [6.1, -0.0061, 0.00021, 0.0, 0.052].map(dollars),
            ["$6.10", "−$0.0061", "$0.00021", "$0.00", "$0.052"]
        );
    }

    #[test]
    fn a_thinned_list_keeps_its_last_item() {
        assert_eq!(thinned(5, 10), [0, 1, 2, 3, 4]);
        assert_eq!(thinned(28, 10), [0, 3, 6, 9, 12, 15, 18, 21, 24, 27]);
        assert_eq!(thinned(0, 10), [0; 0]);
    }

    #[test]
    fn a_long_name_is_cut_and_a_short_one_is_not() {
        assert_eq!(cut("abcdef", 4), "\u{2068}abc…\u{2069}");
        assert_eq!(cut("abcd", 4), "\u{2068}abcd\u{2069}");
    }
}
