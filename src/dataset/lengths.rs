//! Whether the better answers are simply the longer ones, and rows left out so that they are not.
//!
//! Lengths are characters (Unicode scalar values).

use std::cmp::Ordering;

/// Lengths of a pair in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairLengths {
    /// Of the better answer.
    pub chosen: u32,
    /// Of the worse answer.
    pub rejected: u32,
}

impl PairLengths {
    /// Measures two texts.
    pub fn of(chosen: &str, rejected: &str) -> Self {
        let n_chars = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        Self { chosen: n_chars(chosen), rejected: n_chars(rejected) }
    }
}

/// What the lengths of pairs look like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LengthReport {
    /// Mean length of the better answers.
    pub mean_chosen_chars: f64,
    /// Mean length of the worse answers.
    pub mean_rejected_chars: f64,
    /// Median over the pairs of better over worse length; a length of 0 counts as 1.
    pub median_ratio: f64,
    /// Probability that a better answer, drawn at random, is longer than a worse one of any pair, equal lengths
    /// counting half.
    pub auc_longer: f64,
}

/// Describes the lengths of pairs; nothing where there are none.
///
/// `auc_longer = U / n²`, Mann and Whitney's U by midranks: 1/2 where length says nothing, 1 where it says everything.
pub fn report(pairs: &[PairLengths]) -> Option<LengthReport> {
    if pairs.is_empty() {
        return None;
    }
    let n = pairs.len() as f64;
    let mean = |of: fn(&PairLengths) -> u32| pairs.iter().map(|pair| u64::from(of(pair))).sum::<u64>() as f64 / n;
    let mut ratios: Vec<f64> =
        pairs.iter().map(|pair| f64::from(pair.chosen.max(1)) / f64::from(pair.rejected.max(1))).collect();
    ratios.sort_unstable_by(f64::total_cmp);
    let middle = ratios.len() / 2;
    let median_ratio =
        if ratios.len() % 2 == 1 { ratios[middle] } else { f64::midpoint(ratios[middle - 1], ratios[middle]) };
    Some(LengthReport {
        mean_chosen_chars: mean(|pair| pair.chosen),
        mean_rejected_chars: mean(|pair| pair.rejected),
        median_ratio,
        auc_longer: auc_longer(pairs),
    })
}

fn auc_longer(pairs: &[PairLengths]) -> f64 {
    let sorted = |of: fn(&PairLengths) -> u32| {
        let mut lengths: Vec<u32> = pairs.iter().map(of).collect();
        lengths.sort_unstable();
        lengths
    };
    let (chosen, rejected) = (sorted(|pair| pair.chosen), sorted(|pair| pair.rejected));
    let (mut n_shorter, mut n_not_longer, mut doubled) = (0_usize, 0_usize, 0_u128);
    for length in chosen {
        while rejected.get(n_shorter).is_some_and(|other| *other < length) {
            n_shorter += 1;
        }
        while rejected.get(n_not_longer).is_some_and(|other| *other <= length) {
            n_not_longer += 1;
        }
        doubled += (n_shorter + n_not_longer) as u128;
    }
    doubled as f64 / 2.0 / (pairs.len() as f64).powi(2)
}

/// Tells whether one answer is more than `max_ratio` times as long as the other; a length of 0 counts as 1.
pub fn exceeds_ratio(lengths: PairLengths, max_ratio: f64) -> bool {
    let (chosen, rejected) = (f64::from(lengths.chosen.max(1)), f64::from(lengths.rejected.max(1)));
    chosen.max(rejected) > max_ratio * chosen.min(rejected)
}

/// Tells of each row whether it stays, so that better and worse answers are equally long on average.
///
/// Rows are given by better minus worse length and a number in (0, 1) of their own. Of those on the longer side, rows
/// leave one after the other until the mean difference is as near to 0 as it gets, a row with twice the difference
/// being twice as likely to be next (Efraimidis & Spirakis 2006, weighted sampling without replacement): the rows that
/// do the harm leave first, and fewer of them. Nothing is repeated, and where rows are added few others change.
pub fn matched(rows: &[(i32, f64)]) -> Vec<bool> {
    let mut excess: i64 = rows.iter().map(|(gap, _)| i64::from(*gap)).sum();
    let sign = excess.signum();
    let mut stay = vec![true; rows.len()];
    // The largest key `ln(u) / weight` first: the nearer to 0, the more likely with a large weight.
    let key = |row: usize| rows[row].1.ln() / f64::from(rows[row].0.unsigned_abs());
    let mut leaving: Vec<usize> = (0..rows.len()).filter(|&row| i64::from(rows[row].0.signum()) == sign).collect();
    if sign == 0 {
        return stay;
    }
    leaving.sort_by(|&left, &right| key(right).total_cmp(&key(left)).then(left.cmp(&right)));
    for row in leaving {
        let next = excess - i64::from(rows[row].0);
        if next.abs().cmp(&excess.abs()) != Ordering::Less {
            continue;
        }
        stay[row] = false;
        excess = next;
        if excess.signum() != sign {
            break;
        }
    }
    stay
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(lengths: &[(u32, u32)]) -> Vec<PairLengths> {
        lengths.iter().map(|&(chosen, rejected)| PairLengths { chosen, rejected }).collect()
    }

    #[test]
    fn lengths_are_described_by_means_median_ratio_and_rank() {
        let report = report(&pairs(&[(10, 5), (20, 20), (30, 60), (0, 4)])).unwrap();

        assert!((report.mean_chosen_chars - 15.0).abs() < 1e-12);
        assert!((report.mean_rejected_chars - 22.25).abs() < 1e-12);
        // 2, 1, 0.5 and 1 to 4.
        assert!((report.median_ratio - 0.75).abs() < 1e-12);
        // Of the sixteen comparisons, 10 wins 2, 20 wins 2 and ties 1, 30 wins 3, 0 wins none.
        assert!((report.auc_longer - 7.5 / 16.0).abs() < 1e-12);
        assert_eq!(super::report(&[]), None);
    }

    #[test]
    fn a_ratio_is_exceeded_by_either_side() {
        let exceeds = |chosen, rejected| exceeds_ratio(PairLengths { chosen, rejected }, 4.0);

        assert!(!exceeds(400, 100) && !exceeds(100, 400) && !exceeds(0, 4));
        assert!(exceeds(401, 100) && exceeds(100, 401) && exceeds(5, 0));
    }

    #[test]
    fn rows_leave_until_the_means_are_equal_and_the_extreme_ones_first() {
        let uniform = |row: usize| ((row * 37 % 101) as f64 + 0.5) / 101.0;
        let gap = |row: usize| match row % 10 {
            0 => 1_000,
            2 | 4 | 6 | 8 => 10,
            _ => -5,
        };
        let rows: Vec<(i32, f64)> = (0..100).map(|row| (gap(row), uniform(row))).collect();

        let stay = matched(&rows);

        let left = |gap: i32| rows.iter().zip(&stay).filter(|((of, _), stays)| *of == gap && **stays).count();
        let sum: i64 = rows.iter().zip(&stay).filter(|(_, stays)| **stays).map(|((gap, _), _)| i64::from(*gap)).sum();
        assert!(left(1_000) == 0 && left(10) > 20 && left(-5) == 50, "{} {} {}", left(1_000), left(10), left(-5));
        assert!(sum.abs() <= 10, "{sum}");
        assert_eq!(matched(&[]), Vec::<bool>::new());
        assert_eq!(matched(&[(0, 0.5), (0, 0.1)]), [true, true]);
    }

    proptest! {
        #[test]
        fn matching_never_makes_the_means_differ_more_and_ends_within_one_row(
            rows in proptest::collection::vec((-50_i32..100, 0.001_f64..0.999), 0..60),
        ) {
            let stay = matched(&rows);

            let sum = |keep: &dyn Fn(usize) -> bool| {
                (0..rows.len()).filter(|row| keep(*row)).map(|row| i64::from(rows[row].0)).sum::<i64>()
            };
            let (before, after) = (sum(&|_| true), sum(&|row| stay[row]));
            let largest = rows.iter().map(|(gap, _)| i64::from(gap.abs())).max().unwrap_or(0);
            prop_assert!(after.abs() <= before.abs());
            prop_assert!(after.abs() <= largest, "{after} with rows of {largest} at most");
            for (row, stays) in stay.iter().enumerate() {
                prop_assert!(*stays || i64::from(rows[row].0.signum()) == before.signum());
            }
        }

        #[test]
        fn the_rank_probability_agrees_with_counting_every_comparison(
            lengths in proptest::collection::vec((0_u32..9, 0_u32..9), 1..20),
        ) {
            let pairs = pairs(&lengths);

            let report = report(&pairs).unwrap();

            let score = |left: u32, right: u32| match left.cmp(&right) {
                Ordering::Greater => 1.0,
                Ordering::Equal => 0.5,
                Ordering::Less => 0.0,
            };
            let all = pairs.iter().flat_map(|left| pairs.iter().map(move |right| score(left.chosen, right.rejected)));
            prop_assert!((report.auc_longer - all.sum::<f64>() / (pairs.len() as f64).powi(2)).abs() < 1e-12);
        }
    }
}
