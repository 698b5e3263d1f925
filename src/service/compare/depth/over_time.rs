//! Day by day: who came, what the comparison would have said, and whether the effect is changing.
//!
//! It must not know why an effect changes.

use chrono::{DateTime, NaiveDate};

use super::super::checks::line;
use super::super::metrics::{Measured, Numbers};
use super::super::sample::{Column, Totals};
use super::super::words::{p_value, rate};
use super::{Found, View};
use crate::report::comparison::CheckStatus;
use crate::report::comparison::over_time::{DayPoint, DayTrend, ExposureDay, Series};
use crate::stats::cluster::ClusteredRates;
use crate::stats::multiple::holm;
use crate::stats::ratio::PairedUser;
use crate::stats::trend::{DailyEffect, effect_trend};
use crate::store::turns::{Turn, Turns};

const DAYS_OF_A_WEEK: i64 = 7;
/// Below this p an effect is taken to be changing.
const TREND_P: f64 = 0.05;

fn date(day: i64) -> Option<NaiveDate> {
    DateTime::from_timestamp(day * 86_400, 0).map(|moment| moment.date_naive())
}

/// Counts what was randomised by side and the day of its first turn there.
pub(in crate::service::compare) fn exposure(turns: &Turns) -> Vec<ExposureDay> {
    let mut first = vec![(None::<i64>, None::<i64>); turns.n_randomised];
    for turn in &turns.rows {
        if let Some(days) = first.get_mut(turn.randomised as usize) {
            let day = if turn.is_candidate { &mut days.1 } else { &mut days.0 };
            *day = Some(day.map_or(turn.day(), |known| known.min(turn.day())));
        }
    }
    let mut counts: std::collections::BTreeMap<i64, (u64, u64)> = std::collections::BTreeMap::new();
    for (control, candidate) in first {
        if let Some(day) = control {
            counts.entry(day).or_default().0 += 1;
        }
        if let Some(day) = candidate {
            counts.entry(day).or_default().1 += 1;
        }
    }
    let days = counts.into_iter();
    days.filter_map(|(day, (n_control, n_candidate))| Some(ExposureDay { day: date(day)?, n_control, n_candidate }))
        .collect()
}

/// Computes, for each must-pass metric, what the comparison would have said at the end of each day.
pub(super) fn series(view: &View<'_>) -> Vec<Series> {
    let mut by_day: Vec<&Turn> = view.turns.rows.iter().collect();
    // Stable, so that the turns of a unit stay together within a day.
    by_day.sort_by_key(|turn| turn.day());
    let days: Vec<&[&Turn]> = by_day.chunk_by(|left, right| left.day() == right.day()).collect();
    view.measured.iter().filter(|measured| measured.bounds.is_some()).map(|it| series_of(view, it, &days)).collect()
}

fn series_of(view: &View<'_>, measured: &Measured, days: &[&[&Turn]]) -> Series {
    let mut so_far = SoFar::of(view.turns.units.len());
    let mut points = Vec::with_capacity(days.len());
    let mut passed_on = None;
    for (place, of_day) in days.iter().enumerate() {
        let Some(day) = of_day.first().and_then(|turn| date(turn.day())) else { continue };
        so_far.add(of_day, |turn| (measured.rule.happened)(turn.outcomes));
        let is_last = place + 1 == days.len();
        let numbers = Numbers::of_column(measured.rule, &so_far.column, view.sample.is_paired(), view.question);
        let passes = match (&numbers, is_last) {
            (_, true) => measured.bounds.is_some_and(|bounds| bounds.is_non_inferior()),
            (Some(numbers), false) => numbers.bounds.is_non_inferior(),
            (None, false) => false,
        };
        passed_on = if passes { passed_on.or(Some(day)) } else { None };
        points.push(DayPoint {
            day,
            n_users: so_far.n_users,
            estimate: numbers.as_ref().map(|numbers| numbers.difference),
            fixed: numbers.as_ref().and_then(|numbers| numbers.once),
            // Sums in another order round otherwise: the last day is the metric itself.
            anytime: if is_last {
                measured.metric.difference.interval
            } else {
                numbers.as_ref().and_then(|numbers| numbers.drawn(measured.rule.direction))
            },
        });
    }
    Series { metric: measured.rule.name, points, passed_on, trend: trend(view, measured, days) }
}

/// Counts up to a day, unit by unit; units that have not come yet have no turns.
struct SoFar {
    column: Column,
    n_users: u64,
}

impl SoFar {
    fn of(n_units: usize) -> Self {
        let empty = || Totals { y: vec![0.0; n_units], d: vec![0.0; n_units] };
        let nobody = PairedUser { y_a: 0.0, d_a: 0.0, y_b: 0.0, d_b: 0.0 };
        let column = Column { control: empty(), candidate: empty(), paired: vec![nobody; n_units] };
        Self { column, n_users: 0 }
    }

    fn add(&mut self, turns: &[&Turn], happened: impl Fn(&Turn) -> bool) {
        for turn in turns {
            let unit = turn.unit as usize;
            let y = f64::from(u8::from(happened(turn)));
            let user = &mut self.column.paired[unit];
            self.n_users += u64::from(user.d_a + user.d_b <= 0.0);
            let side = if turn.is_candidate {
                (user.y_b, user.d_b) = (user.y_b + y, user.d_b + 1.0);
                &mut self.column.candidate
            } else {
                (user.y_a, user.d_a) = (user.y_a + y, user.d_a + 1.0);
                &mut self.column.control
            };
            side.y[unit] += y;
            side.d[unit] += 1.0;
        }
    }
}

/// Fits a line through the effects of single days. The spread of a day is that of all days at its number of turns: a day's
/// own would be small just where chance made its rates small.
fn trend(view: &View<'_>, measured: &Measured, days: &[&[&Turn]]) -> Option<DayTrend> {
    let of_turns = |turns: &[&Turn]| {
        Column::of_turns(turns.iter().copied(), |turn| {
            Some(f64::from(u8::from((measured.rule.happened)(turn.outcomes))))
        })
    };
    let daily: Vec<(f64, ClusteredRates)> = days
        .iter()
        .filter_map(|of_day| {
            let column = of_turns(of_day);
            let rates = ClusteredRates::of(&column.control.users(), &column.candidate.users())?;
            Some((of_day.first()?.day() as f64, rates))
        })
        .collect();
    let n_turns: f64 = daily.iter().map(|(_, rates)| rates.n_a + rates.n_b).sum();
    let deff = daily.iter().map(|(_, rates)| rates.deff * (rates.n_a + rates.n_b)).sum::<f64>() / n_turns;
    let (rate_a, rate_b) = (measured.metric.control.estimate?, measured.metric.candidate.estimate?);
    let effects: Vec<DailyEffect> = daily
        .iter()
        .map(|(day, rates)| {
            let variance = rate_a * (1.0 - rate_a) / rates.n_a + rate_b * (1.0 - rate_b) / rates.n_b;
            DailyEffect { day: *day, estimate: rates.rate_b - rates.rate_a, se: (deff * variance).sqrt() }
        })
        .collect();
    let trend = effect_trend(&effects)?;
    let last = days.last()?.first()?.day();
    let recent: Vec<&Turn> = view.turns.rows.iter().filter(|turn| turn.day() > last - DAYS_OF_A_WEEK).collect();
    let last_week = Numbers::of_column(measured.rule, &of_turns(&recent), view.sample.is_paired(), view.question)
        .map(|numbers| (numbers.difference, numbers.once));
    Some(DayTrend { slope_per_day: trend.slope, p: trend.p, last_week })
}

/// Tells whether the effect on a primary metric is changing, and what the last week alone says.
pub(super) fn judge_trend(view: &View<'_>, found: &mut Found) {
    let trends: Vec<(&Measured, DayTrend)> = view
        .primary()
        .filter_map(|measured| {
            let series = found.depth.series.iter().find(|series| series.metric == measured.rule.name)?;
            Some((measured, series.trend?))
        })
        .collect();
    let adjusted = holm(&trends.iter().map(|(_, trend)| trend.p).collect::<Vec<_>>());
    let Some(((measured, trend), p)) =
        trends.iter().zip(adjusted).min_by(|(_, left), (_, right)| left.total_cmp(right))
    else {
        return;
    };
    let (name, title, per) = ("trend", "The effect holds over time", measured.rule.per);
    if p >= TREND_P {
        let detail = format!("The effect of single days does not change for certain (p = {}).", p_value(p));
        found.checks.push(line(name, title, CheckStatus::Pass, detail));
        return;
    }
    let judged = trend.last_week.map_or_else(String::new, |(estimate, interval)| {
        let reach = interval.map_or_else(String::new, |interval| {
            format!(" (interval {} to {})", rate(interval.low, per), rate(interval.high, per))
        });
        format!("; judged on the last 7 days, the difference is {}{reach}", rate(estimate, per))
    });
    let detail = format!(
        "The effect on {} is changing by {} per {per} a day (p = {}){judged}.",
        measured.rule.many,
        rate(trend.slope_per_day, per),
        p_value(p),
    );
    found.checks.push(line(name, title, CheckStatus::Warn, detail));
    let margin = measured.bounds.map_or(0.0, |bounds| bounds.margin);
    let is_lost = trend.last_week.is_none_or(|(estimate, _)| measured.rule.direction.improvement(estimate) <= -margin);
    if is_lost {
        found.lacks.push("an effect that still holds in the last 7 days".to_owned());
    }
}
