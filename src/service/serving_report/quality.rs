//! What users do by load, length and latency: rates by band, and differences to the lightest band at one mix of models and
//! lengths.
//!
//! It must not know where the numbers of a turn are from. It tells of association: nothing here was assigned by chance.

use std::collections::BTreeMap;

use crate::domain::bands::{Bands, INPUT_TOKENS, KV_USAGE, LATENCY_MS};
use crate::report::comparison::Rate;
use crate::report::serving::{Banded, BandedMetric, Gap, Measure, Notice, Quality, Standing as Stand};
use crate::service::compare::metrics::{RULES, Rule, Standing};
use crate::stats::bands::{BandCell, BandDifference, band_difference, band_rate};
use crate::stats::{Direction, Multiplier, Users};
use crate::store::turns::{Turn, Turns};

/// Chance of any false claim on the whole page.
const ALPHA: f64 = 0.05;
/// Error rate of the interval of a rate, which claims nothing.
const ALPHA_OF_A_RATE: f64 = 0.05;
/// What is counted, by the definitions of the comparison.
const METRICS: [&str; 4] = ["good_turn", "thumb_down", "copy", "continuation"];
/// Fewer users than this in a band say nothing about it.
const MIN_USERS: u64 = 20;
/// Fewer users than this in a stratum of either band make its error unreliable.
const MIN_USERS_OF_STRATUM: usize = 20;
/// Fewer events, or fewer turns without one, than this in a band are too few for a difference.
const MIN_EVENTS: f64 = 10.0;

/// A measure, and what its differences are within.
struct Axis {
    bands: Bands,
    title: &'static str,
    within: &'static str,
    value: fn(&Turn) -> Option<f64>,
    is_within_lengths: bool,
}

const AXES: [Axis; 3] = [
    Axis {
        bands: KV_USAGE,
        title: "KV cache in use",
        within: "model and length of the prompt",
        value: |turn| turn.kv_cache_usage.get(),
        is_within_lengths: true,
    },
    Axis {
        bands: INPUT_TOKENS,
        title: "Length of the prompt",
        within: "model",
        value: |turn| turn.input_tokens.get(),
        is_within_lengths: false,
    },
    Axis {
        bands: LATENCY_MS,
        title: "Time to the last token",
        within: "model and length of the prompt",
        value: |turn| turn.latency_ms.get(),
        is_within_lengths: true,
    },
];

impl Axis {
    /// Returns the stratum of a turn; a length that nobody told is one of its own.
    fn stratum(&self, turn: &Turn) -> usize {
        let length = turn.input_tokens.get().map_or(INPUT_TOKENS.n(), |tokens| INPUT_TOKENS.place(tokens));
        let lengths = INPUT_TOKENS.n() + 1;
        usize::from(turn.model) * lengths + if self.is_within_lengths { length } else { 0 }
    }
}

/// Turns of a user in a band and stratum, and how many of them each metric counts.
type Counts = (f64, [f64; METRICS.len()]);

/// What every user did, by band and stratum.
struct Sheet {
    users: Vec<Vec<((usize, usize), Counts)>>,
    n_turns: u64,
}

impl Sheet {
    fn of(axis: &Axis, rules: &[&Rule], turns: &Turns) -> Self {
        let mut sheet = Self { users: Vec::new(), n_turns: 0 };
        for of_user in turns.rows.chunk_by(|left, right| left.unit == right.unit) {
            let mut cells: BTreeMap<(usize, usize), Counts> = BTreeMap::new();
            for turn in of_user {
                let Some(value) = (axis.value)(turn) else { continue };
                let cell = cells.entry((axis.bands.place(value), axis.stratum(turn))).or_default();
                cell.0 += 1.0;
                for (count, rule) in cell.1.iter_mut().zip(rules) {
                    *count += f64::from(u8::from((rule.happened)(turn.outcomes)));
                }
                sheet.n_turns += 1;
            }
            if !cells.is_empty() {
                sheet.users.push(cells.into_iter().collect());
            }
        }
        sheet
    }

    /// Gives what every user did of one metric.
    fn cells(&self, metric: usize) -> Vec<Vec<BandCell>> {
        let cell = |((band, stratum), (d, y)): &((usize, usize), Counts)| BandCell {
            band: *band,
            stratum: *stratum,
            y: y[metric],
            d: *d,
        };
        self.users.iter().map(|user| user.iter().map(cell).collect()).collect()
    }
}

/// A measure whose differences wait for how many there are on the page.
struct Draft {
    measure: Measure,
    differences: Vec<Vec<Option<BandDifference>>>,
}

/// Tells what users do by every measure.
pub(super) fn of(turns: &Turns) -> Quality {
    let rules: Vec<&Rule> = METRICS.iter().filter_map(|name| RULES.iter().find(|rule| rule.name == *name)).collect();
    let drafts: Vec<Draft> = AXES.iter().map(|axis| draft(axis, &rules, turns)).collect();
    let n_differences = drafts.iter().flat_map(|it| &it.differences).flatten().flatten().count() as u64;
    let reach = Multiplier::Alpha(ALPHA / n_differences.max(1) as f64);
    let measures = drafts.into_iter().filter(|it| it.measure.n_turns > 0).map(|it| finish(it, reach)).collect();
    Quality { alpha: ALPHA, n_differences, measures }
}

fn draft(axis: &Axis, rules: &[&Rule], turns: &Turns) -> Draft {
    let sheet = Sheet::of(axis, rules, turns);
    let (mut metrics, mut all_cells) = (Vec::new(), Vec::new());
    for (place, rule) in rules.iter().enumerate() {
        let cells = sheet.cells(place);
        let bands = (0..axis.bands.n()).map(|band| banded(&cells, band)).collect();
        let higher_is_better =
            (rule.standing != Standing::Unjudged).then_some(rule.direction == Direction::HigherIsBetter);
        metrics.push(BandedMetric { name: rule.name, title: rule.title, higher_is_better, bands });
        all_cells.push(cells);
    }
    let has_users = |band: &usize| metrics.iter().all(|metric| metric.bands[*band].rate.n_users >= MIN_USERS);
    let base = (0..axis.bands.n()).find(has_users);
    let differences = metrics
        .iter()
        .zip(&all_cells)
        .map(|(metric, cells)| {
            let difference = |band| base.and_then(|base| difference(metric, cells, base, band));
            (0..axis.bands.n()).map(difference).collect()
        })
        .collect();
    let (n_turns, bands) = (sheet.n_turns, axis.bands);
    let measure = Measure { bands, title: axis.title, within: axis.within, n_turns, base, metrics, notice: None };
    Draft { measure, differences }
}

fn banded(cells: &[Vec<BandCell>], band: usize) -> Banded {
    let of_user = |user: &Vec<BandCell>| {
        let there = user.iter().filter(|cell| cell.band == band);
        there.fold((0.0, 0.0), |(y, d), cell| (y + cell.y, d + cell.d))
    };
    let (y, d): (Vec<f64>, Vec<f64>) = cells.iter().map(of_user).filter(|(_, d)| *d > 0.0).unzip();
    let found = band_rate(&Users { y: &y, d: &d }, Multiplier::Alpha(ALPHA_OF_A_RATE));
    let rate =
        Rate { n: found.n as u64, n_users: found.n_users as u64, estimate: found.rate, interval: found.interval };
    Banded { n_events: found.n_events as u64, rate, difference: None }
}

/// Computes a difference where both bands tell enough.
fn difference(metric: &BandedMetric, cells: &[Vec<BandCell>], base: usize, band: usize) -> Option<BandDifference> {
    let tells = |place: usize| {
        let Banded { n_events, rate, .. } = &metric.bands[place];
        let (events, others) = (*n_events as f64, rate.n.saturating_sub(*n_events) as f64);
        rate.n_users >= MIN_USERS && events >= MIN_EVENTS && others >= MIN_EVENTS
    };
    let found = (band > base && tells(base) && tells(band))
        .then(|| band_difference(cells, base, band, MIN_USERS_OF_STRATUM))
        .flatten();
    found.filter(|found| found.se.is_some())
}

/// Gives the differences their intervals, and finds where users begin to notice.
fn finish(draft: Draft, reach: Multiplier) -> Measure {
    let Draft { mut measure, differences } = draft;
    for (metric, of_metric) in measure.metrics.iter_mut().zip(differences) {
        for (band, found) in metric.bands.iter_mut().zip(of_metric) {
            band.difference = found.and_then(|found| {
                let (interval, p) = found.interval(reach).zip(found.p_two_sided())?;
                Some(Gap { estimate: found.difference, interval, p, support: found.support })
            });
        }
    }
    measure.notice = (0..measure.bands.n()).find_map(|band| {
        let is_worse = |metric: &&BandedMetric| {
            let gap = metric.bands[band].difference;
            gap.is_some_and(|gap| gap.standing(metric.higher_is_better) == Stand::Worse)
        };
        let metrics: Vec<&'static str> = measure.metrics.iter().filter(is_worse).map(|it| it.name).collect();
        (!metrics.is_empty()).then_some(Notice { band, metrics })
    });
    measure
}
