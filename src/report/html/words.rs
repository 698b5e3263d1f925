//! Numbers and statuses as words: how many decimals, which sign, which shape.
//!
//! Rates are proportions in 0..1 and are written as percent; differences of rates are written in percentage points.

use crate::domain::clock::Timestamp;
use crate::report::comparison::{Metric, Rate, Role, Status};
use crate::report::svg::Shape;
use crate::stats::{Direction, Interval};

pub(super) use crate::report::count::{counted, thousands as count};

/// What stands where there is no number.
pub(super) const DASH: &str = "–";

/// Writes a proportion as a percentage.
pub(super) fn percent(proportion: f64, n_decimals: usize) -> String {
    format!("{}%", unsigned(proportion * 100.0, n_decimals))
}

/// Writes a proportion as a percentage with as many decimals as it needs, at most three: `2.5%`, `95%`.
pub(super) fn short_percent(proportion: f64) -> String {
    let digits = unsigned(proportion * 100.0, 3);
    format!("{}%", digits.trim_end_matches('0').trim_end_matches('.'))
}

/// Writes how far something is: whole percents, and one decimal below a tenth.
pub(super) fn progress(proportion: f64) -> String {
    percent(proportion, usize::from(proportion < 0.1))
}

/// Rounds a number to the seven digits that the page holds of it; the wire form has them all.
pub(super) fn held(number: f64) -> f64 {
    format!("{number:.6e}").parse().unwrap_or(number)
}

/// Writes a small share with enough decimals to tell it from nothing.
pub(super) fn share(proportion: f64) -> String {
    let percent_value = proportion * 100.0;
    let n_decimals = if percent_value == 0.0 || percent_value >= 10.0 {
        1
    } else if percent_value >= 0.1 {
        2
    } else {
        3
    };
    percent(proportion, n_decimals)
}

/// Writes a number with a typographic minus.
pub(super) fn unsigned(value: f64, n_decimals: usize) -> String {
    let digits = format!("{:.*}", n_decimals, value.abs());
    if value < 0.0 && !is_zero(&digits) { format!("−{digits}") } else { digits }
}

/// Writes a difference of proportions in percentage points, with its sign.
pub(super) fn points(difference: f64, n_decimals: usize) -> String {
    let value = difference * 100.0;
    let digits = format!("{:.*}", n_decimals, value.abs());
    if is_zero(&digits) {
        digits
    } else if value < 0.0 {
        format!("−{digits}")
    } else {
        format!("+{digits}")
    }
}

fn is_zero(digits: &str) -> bool {
    digits.chars().all(|digit| matches!(digit, '0' | '.'))
}

/// Writes an interval of a difference in points: `−1.1 to −0.3`.
pub(super) fn points_interval(interval: Interval, n_decimals: usize) -> String {
    format!("{} to {}", points(interval.low, n_decimals), points(interval.high, n_decimals))
}

/// Writes an interval of a rate: `30.6 to 31.8%`.
pub(super) fn percent_interval(interval: Interval, n_decimals: usize) -> String {
    format!("{} to {}", unsigned(interval.low * 100.0, n_decimals), percent(interval.high, n_decimals))
}

/// Writes a p-value; a very small one as a bound.
pub(super) fn p_value(p: f64) -> String {
    if p < 0.0001 { "p < 0.0001".to_owned() } else { format!("p = {p:.4}") }
}

/// Writes a moment to the minute.
pub(super) fn minute(moment: Timestamp) -> String {
    moment.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// Returns how many decimals a metric's points need.
///
/// The interval gets about two digits of its own width, and more where rounding would hide on which side of the limit
/// or of no difference an end lies.
pub(super) fn decimals_of(metric: &Metric) -> usize {
    const MOST: usize = 4;
    let fallback = metric.margin.map(|margin| margin.absolute).or(metric.difference.estimate).unwrap_or(0.0);
    let width_points =
        100.0 * metric.difference.interval.map_or(fallback.abs(), |interval| interval.high - interval.low);
    let n_decimals = match width_points {
        width if width >= 1.0 => 1,
        width if width >= 0.1 => 2,
        width if width > 0.0 => 3,
        _ => 1,
    };
    let Some(interval) = metric.difference.interval else { return n_decimals };
    let mut walls = vec![0.0];
    walls.extend(metric.margin.map(|margin| direction(metric).improvement(-margin.absolute)));
    let hides = |n_decimals: usize| {
        walls.iter().any(|&wall| {
            [interval.low, interval.high]
                .iter()
                .any(|&end| end.total_cmp(&wall).is_ne() && points(end, n_decimals) == points(wall, n_decimals))
        })
    };
    (n_decimals..MOST).find(|&n_decimals| !hides(n_decimals)).unwrap_or(MOST)
}

/// Returns which way a metric improves.
pub(super) fn direction(metric: &Metric) -> Direction {
    if metric.higher_is_better { Direction::HigherIsBetter } else { Direction::LowerIsBetter }
}

/// Returns the word of a metric's status.
pub(super) fn status_word(metric: &Metric) -> &'static str {
    match metric.status {
        Status::Better => "better",
        Status::NonInferior => "within the limit",
        Status::Worse => "worse",
        Status::Undecided if differs_unjudged(metric) => "differs",
        Status::Undecided => "unclear",
    }
}

/// Says whether a metric without a limit differs for certain although nobody calls it better or worse.
pub(super) fn differs_unjudged(metric: &Metric) -> bool {
    let excludes_zero = |interval: Interval| interval.low > 0.0 || interval.high < 0.0;
    metric.status == Status::Undecided
        && metric.margin.is_none()
        && metric.difference.interval.is_some_and(excludes_zero)
}

/// Returns the shape of a status.
pub(super) fn status_shape(status: Status) -> Shape {
    match status {
        Status::Better => Shape::TriangleUp,
        Status::NonInferior => Shape::Circle,
        Status::Worse => Shape::TriangleDown,
        Status::Undecided => Shape::Diamond,
    }
}

/// Returns the class that colours a status.
pub(super) fn status_class(status: Status) -> &'static str {
    match status {
        Status::Better | Status::NonInferior => "good",
        Status::Worse => "bad",
        Status::Undecided => "open",
    }
}

/// Says whether a metric can block a switch.
pub(super) fn role_words(role: Role) -> &'static str {
    match role {
        Role::MustPass => "must pass",
        Role::Secondary => "shown only",
    }
}

/// Says in words what loss is accepted; nothing where the metric has no limit.
pub(super) fn limit_words(metric: &Metric) -> Option<String> {
    let margin = metric.margin?;
    let way = if metric.higher_is_better { "lower" } else { "higher" };
    Some(format!("at most {} points {way}", unsigned(margin.absolute * 100.0, decimals_of(metric))))
}

/// Says why a metric has no interval, or no difference at all.
pub(super) fn missing_words(metric: &Metric) -> &'static str {
    let is_empty = |rate: &Rate| rate.n == 0;
    match (is_empty(&metric.control), is_empty(&metric.candidate)) {
        (true, true) => "no turns on either side yet",
        (true, false) => "the control has no turns yet",
        (false, true) => "the candidate has no turns yet",
        (false, false) => "the data hold no spread to judge by",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_as_minus_nothing() {
        assert_eq!(
            [0.0, -0.0001, -0.012, 0.012].map(|difference| points(difference, 1)),
            ["0.0", "0.0", "−1.2", "+1.2"]
        );
    }

    #[test]
    fn percentages_have_the_decimals_that_they_need() {
        assert_eq!([0.025, 0.95, 0.0005, 1.0].map(short_percent), ["2.5%", "95%", "0.05%", "100%"]);
        assert_eq!([0.0, 0.5, 0.012, 0.0004].map(share), ["0.0%", "50.0%", "1.20%", "0.040%"]);
    }

    #[test]
    fn progress_is_told_in_whole_percents_and_numbers_are_held_in_seven_digits() {
        assert_eq!([0.495_83, 0.0312, 1.0, 1.204].map(progress), ["50%", "3.1%", "100%", "120%"]);
        let written = [0.123_456_789, -1_234_567.89, 0.0].map(|number| held(number).to_string());
        assert_eq!(written, ["0.1234568", "-1234568", "0"]);
    }

    #[test]
    fn a_very_small_p_is_written_as_a_bound() {
        assert_eq!([1e-12, 0.031].map(p_value), ["p < 0.0001", "p = 0.0310"]);
    }
}
