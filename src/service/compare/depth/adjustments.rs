//! The same differences computed otherwise: with the users' own past, like for like, every user alike, at one load.
//!
//! It must not adjust for what an answer can change, but for the load, which is told as a view of its own.

use std::collections::{BTreeMap, HashMap};

use super::super::checks::line;
use super::super::metrics::Measured;
use super::super::sample::Column;
use super::super::words::{join, percent, rate};
use super::strata::LENGTHS;
use super::{Found, View};
use crate::domain::bands::KV_USAGE;
use crate::report::comparison::CheckStatus;
use crate::report::comparison::segments::{Adjustment, Load};
use crate::stats::balance::balance;
use crate::stats::cluster::ClusteredRates;
use crate::stats::cuped::{CovariedUsers, cuped_ratio};
use crate::stats::jackknife::Variant;
use crate::stats::proportion::TwoCounts;
use crate::stats::ratio::welch_t;
use crate::stats::strata::{Cell, PostStratified, StratifiedUser, mh_risk_difference, poststrat_cluster};
use crate::stats::{Interval, Multiplier};
use crate::store::turns::{Before, Turn};

/// A stratum with fewer units than this on a side is told together with others of its task.
const MIN_UNITS: usize = 20;
/// Standardised mean differences beyond this are unusual (Austin 2009).
const MAX_IMBALANCE: f64 = 0.1;
/// Below this the sides ran at different loads.
const MIN_OVERLAP: f64 = 0.8;
/// Stratum of what is too small even by task.
const REST: usize = usize::MAX;

/// Computes every adjustment of the primary metrics, and what they warn of.
pub(super) fn adjust(view: &View<'_>, found: &mut Found) {
    let stratum = Collapsed::of(view);
    let load = load(view);
    let mut told = Vec::new();
    for measured in view.primary() {
        let happened = |turn: &Turn| f64::from(u8::from((measured.rule.happened)(turn.outcomes)));
        let column = Column::of_turns(view.turns.rows.iter(), |turn| Some(happened(turn)));
        found.depth.adjustments.extend(by_own_past(view, measured, &column));
        if stratum.n_strata > 1 {
            let like = poststrat_cluster(&stratified(view, happened, |turn| Some(stratum.of_turn(view, turn))));
            found.depth.adjustments.extend(like.map(|like| standardised(measured, "like_for_like", &like)));
            found.depth.adjustments.extend(mantel_haenszel(view, measured, &column, &stratum));
            told.extend(like.map(|like| (measured, like)));
        }
        found.depth.adjustments.extend(users_alike(view, measured, &column));
        if load.as_ref().is_some_and(|(load, _)| load.overlap < MIN_OVERLAP) {
            let same = poststrat_cluster(&stratified(view, happened, load_bin));
            found.depth.adjustments.extend(same.map(|same| standardised(measured, "same_load", &same)));
        }
    }
    judge_composition(view, &told, found);
    judge_balance(view, found);
    judge_load(load.as_ref(), found);
    found.depth.load = load.map(|(load, _)| load);
}

fn around(measured: &Measured, estimate: f64, se: Option<f64>) -> Option<Interval> {
    Interval::around(estimate, measured.multiplier? * se?)
}

/// Takes away what the users' own past explains.
fn by_own_past(view: &View<'_>, measured: &Measured, column: &Column) -> Option<Adjustment> {
    if view.sample.is_paired() {
        return None;
    }
    let past: fn(&Before) -> u32 = match (measured.rule.name, view.ratings_are_silent) {
        ("good_turn", false) => |before| before.n_good,
        ("good_turn", true) => |before| before.n_taken,
        (_, false) => |before| before.n_bad,
        (_, true) => |before| before.n_regenerated,
    };
    let total: u32 = view.turns.before.iter().map(|before| before.n_turns).sum();
    if total == 0 {
        return None;
    }
    let rate = f64::from(view.turns.before.iter().map(past).sum::<u32>()) / f64::from(total);
    // The units of the column, in its order.
    let units = view.turns.rows.chunk_by(|left, right| left.unit == right.unit).map(|of_unit| of_unit[0].unit);
    let (mut a, mut b): (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
    for (unit, counts) in units.zip(&column.paired) {
        let before = view.turns.before.get(unit as usize).copied().unwrap_or_default();
        let x = f64::from(past(&before)) - rate * f64::from(before.n_turns);
        for (side, y, d) in [(&mut a, counts.y_a, counts.d_a), (&mut b, counts.y_b, counts.d_b)] {
            if d > 0.0 {
                side.push((y, d, x));
            }
        }
    }
    let unzip = |side: &[(f64, f64, f64)]| -> [Vec<f64>; 3] {
        [
            side.iter().map(|it| it.0).collect(),
            side.iter().map(|it| it.1).collect(),
            side.iter().map(|it| it.2).collect(),
        ]
    };
    let ([y_a, d_a, x_a], [y_b, d_b, x_b]) = (unzip(&a), unzip(&b));
    let (a, b) = (CovariedUsers { y: &y_a, d: &d_a, x: &x_a }, CovariedUsers { y: &y_b, d: &d_b, x: &x_b });
    let adjusted = cuped_ratio(&a, &b)?;
    Some(Adjustment {
        metric: measured.rule.name,
        kind: "cuped",
        estimate: Some(adjusted.difference),
        interval: around(measured, adjusted.difference, adjusted.se),
        variance_reduction: adjusted.variance_reduction.map(|share| share.max(0.0)),
        support: None,
    })
}

/// Strata of task by length of the first prompt, small ones put together.
pub(super) struct Collapsed {
    of_number: HashMap<usize, usize>,
    pub(super) n_strata: usize,
}

impl Collapsed {
    /// Puts strata with too few units on a side together: first those of one task, then what is left. A stratum that
    /// many units of one side have and none of the other stays apart: that is no small number but a lack of overlap.
    pub(super) fn of(view: &View<'_>) -> Self {
        let mut of_number: HashMap<usize, usize> = HashMap::new();
        for turn in &view.turns.rows {
            let number = view.strata.number(view.turns, turn);
            of_number.insert(number, number);
        }
        let n_numbers = of_number.keys().max().map_or(0, |most| most + 1);
        for put_together in [|number: usize, n: usize| n + number / LENGTHS, |_: usize, _: usize| REST] {
            let counts = units_per_stratum(view, |turn| {
                of_number.get(&view.strata.number(view.turns, turn)).copied().unwrap_or(REST)
            });
            for (number, stratum) in &mut of_number {
                let [a, b] = counts.get(stratum).copied().unwrap_or_default();
                if a.min(b) < MIN_UNITS && !(a.min(b) == 0 && a.max(b) >= MIN_UNITS) {
                    *stratum = put_together(*number, n_numbers);
                }
            }
        }
        let mut strata: Vec<usize> = of_number.values().copied().collect();
        strata.sort_unstable();
        strata.dedup();
        Self { of_number, n_strata: strata.len() }
    }

    /// Returns the stratum of a turn.
    pub(super) fn of_turn(&self, view: &View<'_>, turn: &Turn) -> usize {
        self.of_number.get(&view.strata.number(view.turns, turn)).copied().unwrap_or(REST)
    }
}

/// Counts units by stratum and side.
fn units_per_stratum(view: &View<'_>, stratum: impl Fn(&Turn) -> usize) -> HashMap<usize, [usize; 2]> {
    let mut counts: HashMap<usize, [usize; 2]> = HashMap::new();
    for of_user in view.turns.rows.chunk_by(|l, r| (l.unit, l.is_candidate) == (r.unit, r.is_candidate)) {
        let mut seen: Vec<usize> = of_user.iter().map(&stratum).collect();
        seen.sort_unstable();
        seen.dedup();
        for number in seen {
            counts.entry(number).or_default()[usize::from(of_user[0].is_candidate)] += 1;
        }
    }
    counts
}

/// Sorts what each unit did on a side by stratum.
fn stratified(
    view: &View<'_>,
    y: impl Fn(&Turn) -> f64,
    stratum: impl Fn(&Turn) -> Option<usize>,
) -> Vec<StratifiedUser> {
    let users = view.turns.rows.chunk_by(|l, r| (l.unit, l.is_candidate) == (r.unit, r.is_candidate));
    users
        .map(|of_user| {
            let mut cells: Vec<Cell> = Vec::new();
            for turn in of_user {
                let Some(stratum) = stratum(turn) else { continue };
                match cells.iter_mut().find(|cell| cell.stratum == stratum) {
                    Some(cell) => (cell.y, cell.d) = (cell.y + y(turn), cell.d + 1.0),
                    None => cells.push(Cell { stratum, y: y(turn), d: 1.0 }),
                }
            }
            StratifiedUser { variant: if of_user[0].is_candidate { Variant::B } else { Variant::A }, cells }
        })
        .collect()
}

fn standardised(measured: &Measured, kind: &'static str, like: &PostStratified) -> Adjustment {
    Adjustment {
        metric: measured.rule.name,
        kind,
        estimate: Some(like.difference),
        interval: around(measured, like.difference, like.se),
        variance_reduction: None,
        support: Some(like.support),
    }
}

fn mantel_haenszel(view: &View<'_>, measured: &Measured, column: &Column, stratum: &Collapsed) -> Option<Adjustment> {
    let mut counts: BTreeMap<usize, TwoCounts> = BTreeMap::new();
    for turn in &view.turns.rows {
        let y = f64::from(u8::from((measured.rule.happened)(turn.outcomes)));
        let none = TwoCounts { x_a: 0.0, n_a: 0.0, x_b: 0.0, n_b: 0.0 };
        let of_stratum = counts.entry(stratum.of_turn(view, turn)).or_insert(none);
        if turn.is_candidate {
            (of_stratum.x_b, of_stratum.n_b) = (of_stratum.x_b + y, of_stratum.n_b + 1.0);
        } else {
            (of_stratum.x_a, of_stratum.n_a) = (of_stratum.x_a + y, of_stratum.n_a + 1.0);
        }
    }
    let common = mh_risk_difference(&counts.into_values().collect::<Vec<_>>())?;
    // It takes turns as independent, which they are not: the design effect makes its error that of users.
    let deff = ClusteredRates::of(&column.control.users(), &column.candidate.users())?.deff;
    let se = common.se_sato.map(|se| se * deff.sqrt());
    Some(Adjustment {
        metric: measured.rule.name,
        kind: "mantel_haenszel",
        estimate: Some(common.difference),
        interval: around(measured, common.difference, se),
        variance_reduction: None,
        support: None,
    })
}

fn users_alike(view: &View<'_>, measured: &Measured, column: &Column) -> Option<Adjustment> {
    if view.sample.is_paired() {
        return None;
    }
    let shares = |y: &[f64], d: &[f64]| y.iter().zip(d).map(|(y, d)| y / d).collect::<Vec<f64>>();
    let (a, b) = (shares(&column.control.y, &column.control.d), shares(&column.candidate.y, &column.candidate.d));
    let alike = welch_t(&a, &b, Multiplier::Value(measured.multiplier?));
    Some(Adjustment {
        metric: measured.rule.name,
        kind: "users_alike",
        estimate: alike.difference,
        interval: alike.interval,
        variance_reduction: None,
        support: None,
    })
}

/// Compares the difference over all turns with the one at one mix of work.
fn judge_composition(view: &View<'_>, told: &[(&Measured, PostStratified)], found: &mut Found) {
    let judged = told.iter().map(|(measured, like)| {
        let apart = (like.crude - like.difference).abs();
        let se = like.se.unwrap_or(f64::INFINITY);
        let margin = measured.bounds.map_or(0.0, |bounds| bounds.margin);
        // Two numbers near 0 have different signs by chance alone.
        let is_reversed = like.is_reversed && apart > se / 2.0;
        (measured, like, is_reversed, is_reversed || apart > (margin / 2.0).max(se))
    });
    let Some((measured, like, is_reversed, is_bad)) = judged.max_by_key(|(_, _, reversed, bad)| (*reversed, *bad))
    else {
        return;
    };
    let per = measured.rule.per;
    let numbers = format!(
        "{} differ by {} per {per} over all turns and by {} like for like (task and length of the first prompt; {} of \
         the turns have a like on the other side)",
        measured.rule.title,
        rate(like.crude, per),
        rate(like.difference, per),
        percent(like.support, 0),
    );
    let end = match (is_reversed, is_bad) {
        (true, _) => ": a reversal. The mix of work differs between the two; trust the like-for-like number.",
        (false, true) => ": the mix of work differs between the two; trust the like-for-like number.",
        (false, false) => ".",
    };
    let status = if is_bad { CheckStatus::Warn } else { CheckStatus::Pass };
    found.checks.push(line("composition", "Like for like", status, format!("{numbers}{end}")));
    if is_bad && !view.question.is_randomised() {
        found.lacks.push("a difference that holds like for like".to_owned());
    }
}

/// Compares what was known of the units before.
fn judge_balance(view: &View<'_>, found: &mut Found) {
    let mut covariates: [(&str, [Vec<f64>; 2]); 3] = [
        ("good turns in the week before", Default::default()),
        ("turns in the week before", Default::default()),
        ("tokens of the first prompt", Default::default()),
    ];
    let has_past = view.turns.before.iter().any(|before| before.n_turns > 0);
    for of_user in view.turns.rows.chunk_by(|l, r| (l.unit, l.is_candidate) == (r.unit, r.is_candidate)) {
        let first = &of_user[0];
        let side = usize::from(first.is_candidate);
        let before = view.turns.before.get(first.unit as usize).copied().unwrap_or_default();
        if before.n_turns > 0 {
            covariates[0].1[side].push(f64::from(before.n_good) / f64::from(before.n_turns));
        }
        if has_past {
            covariates[1].1[side].push(f64::from(before.n_turns));
        }
        if let Some(tokens) = view.turns.opening(first).and_then(|opening| opening.prompt_tokens.get()) {
            covariates[2].1[side].push(tokens.max(1.0).ln());
        }
    }
    let mut told = Vec::new();
    let mut unlike = Vec::new();
    for (name, [a, b]) in &covariates {
        let Some(difference) = balance(a, b) else { continue };
        let by_chance = 2.0 * (1.0 / a.len() as f64 + 1.0 / b.len() as f64).sqrt();
        told.push(format!("{name} {difference:+.2}"));
        if difference.abs() > MAX_IMBALANCE && difference.abs() > by_chance {
            unlike.push((*name).to_owned());
        }
    }
    if told.is_empty() {
        return;
    }
    let numbers = format!("Standardised differences: {}.", join(&told));
    let (status, detail) = if unlike.is_empty() {
        (CheckStatus::Pass, numbers)
    } else {
        let end = format!("The sides were unlike before anything was answered, in {}.", join(&unlike));
        (CheckStatus::Warn, format!("{numbers} {end}"))
    };
    found.checks.push(line("balance", "Alike before", status, detail));
}

fn load_bin(turn: &Turn) -> Option<usize> {
    Some(KV_USAGE.place(turn.kv_cache_usage.get()?))
}

/// Compares how busy the machines were, with the mean use of the cache at control and candidate; nothing where a side never
/// told.
fn load(view: &View<'_>) -> Option<(Load, [f64; 2])> {
    let mut counts = [vec![0.0_f64; KV_USAGE.n()], vec![0.0_f64; KV_USAGE.n()]];
    let mut sums = [0.0_f64; 2];
    for turn in &view.turns.rows {
        if let Some(usage) = turn.kv_cache_usage.get() {
            let side = usize::from(turn.is_candidate);
            counts[side][KV_USAGE.place(usage)] += 1.0;
            sums[side] += usage;
        }
    }
    let totals = [0, 1].map(|side: usize| counts[side].iter().sum::<f64>());
    let shares = |side: usize| {
        let total = totals[side];
        (total > 0.0).then(|| counts[side].iter().map(|n| n / total).collect::<Vec<f64>>())
    };
    let (control, candidate) = (shares(0)?, shares(1)?);
    let overlap = control.iter().zip(&candidate).map(|(a, b)| a.min(*b)).sum();
    let bin_ends = KV_USAGE.edges.iter().copied().chain([1.0]).collect();
    Some((Load { bin_ends, control, candidate, overlap }, [sums[0] / totals[0], sums[1] / totals[1]]))
}

fn judge_load(load: Option<&(Load, [f64; 2])>, found: &mut Found) {
    let Some((load, [control, candidate])) = load else { return };
    let numbers = format!(
        "Mean cache use was {} at the candidate and {} at the control; their distributions over bands of use overlap by {}",
        percent(*candidate, 0),
        percent(*control, 0),
        percent(load.overlap, 0),
    );
    let (status, end) = if load.overlap < MIN_OVERLAP {
        let end = ": at another load latency, and so satisfaction, may differ. The effect at one load is among the \
                   adjusted differences.";
        (CheckStatus::Warn, end)
    } else {
        (CheckStatus::Pass, ".")
    };
    found.checks.push(line("load", "Equally busy machines", status, format!("{numbers}{end}")));
}
