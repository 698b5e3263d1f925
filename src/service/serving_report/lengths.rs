//! How long prompts and answers are: as a map, and by week.
//!
//! It must not know what users did.

use std::collections::BTreeMap;

use chrono::{Datelike as _, Days, NaiveDate};

use crate::domain::bands::{INPUT_BINS, OUTPUT_BINS};
use crate::domain::clock::Timestamp;
use crate::report::serving::{LengthMap, Percentiles, Week};
use crate::store::turns::Turn;

/// Counts turns by both lengths; nothing where none tells both.
pub(super) fn map(turns: &[Turn]) -> Option<LengthMap> {
    let mut n = vec![vec![0; OUTPUT_BINS.n()]; INPUT_BINS.n()];
    let mut n_turns = 0;
    for turn in turns {
        if let Some((input, output)) = turn.input_tokens.get().zip(turn.output_tokens.get()) {
            n[INPUT_BINS.place(input)][OUTPUT_BINS.place(output)] += 1;
            n_turns += 1;
        }
    }
    (n_turns > 0).then_some(LengthMap { input: INPUT_BINS, output: OUTPUT_BINS, n, n_turns })
}

/// Lengths of the turns of a week: how many there are, of prompts, of answers.
#[derive(Default)]
struct OfWeek {
    n_turns: u64,
    input: Vec<f64>,
    output: Vec<f64>,
}

/// Returns percentiles by week, where any turn tells a length.
pub(super) fn weeks(turns: &[Turn]) -> Vec<Week> {
    let mut weeks: BTreeMap<NaiveDate, OfWeek> = BTreeMap::new();
    for turn in turns {
        let Some(monday) = monday(turn.made_at_ms) else { continue };
        let week = weeks.entry(monday).or_default();
        week.n_turns += 1;
        week.input.extend(turn.input_tokens.get());
        week.output.extend(turn.output_tokens.get());
    }
    let mut told: Vec<Week> = Vec::with_capacity(weeks.len());
    for (monday, mut of_week) in weeks {
        let before = told.last().filter(|week| week.monday + Days::new(7) == monday);
        let (input_before, output_before) = (before.and_then(|it| it.input), before.and_then(|it| it.output));
        told.push(Week {
            monday,
            n_turns: of_week.n_turns,
            input: percentiles(&mut of_week.input, input_before),
            output: percentiles(&mut of_week.output, output_before),
        });
    }
    if told.iter().all(|week| week.input.is_none() && week.output.is_none()) { Vec::new() } else { told }
}

fn monday(made_at_ms: i64) -> Option<NaiveDate> {
    let day = Timestamp::from_timestamp_millis(made_at_ms)?.date_naive();
    day.checked_sub_days(Days::new(u64::from(day.weekday().num_days_from_monday())))
}

fn percentiles(lengths: &mut [f64], before: Option<Percentiles>) -> Option<Percentiles> {
    lengths.sort_unstable_by(f64::total_cmp);
    // The smallest length that at least so many of a hundred do not exceed.
    let at = |percent: usize| lengths.get((lengths.len() * percent).div_ceil(100).saturating_sub(1)).copied();
    let (p50, p95) = at(50).zip(at(95))?;
    let p95_change = before.filter(|before| before.p95 > 0.0).map(|before| p95 / before.p95 - 1.0);
    Some(Percentiles { n: lengths.len() as u64, p50, p95, p95_change })
}
