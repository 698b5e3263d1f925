//! The units of both sides, paired where a unit is on both.
//!
//! It must not know which metric is asked for: a metric brings the count that it reads.

use std::collections::HashMap;

use crate::stats::Users;
use crate::stats::ratio::PairedUser;
use crate::store::tallies::UnitTally;
use crate::store::turns::{Turn, Turns};

/// Units per side, and those that met both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct UnitCounts {
    pub(super) n_control: u64,
    pub(super) n_candidate: u64,
    /// Units with turns on both sides.
    pub(super) n_both: u64,
    /// Units with turns on both sides, or served by the model of the other side.
    pub(super) n_crossed: u64,
}

impl UnitCounts {
    /// Counts the units of tallies.
    pub(super) fn of(tallies: &[UnitTally]) -> Self {
        let mut seen: HashMap<&str, (bool, bool, bool)> = HashMap::new();
        for tally in tallies {
            let sides = seen.entry(&tally.unit).or_default();
            sides.0 |= !tally.is_candidate;
            sides.1 |= tally.is_candidate;
            sides.2 |= tally.n_by_other_model > 0;
        }
        Self::count(&seen.values())
    }

    /// Counts what was randomised behind turns.
    pub(super) fn of_randomised(turns: &Turns) -> Self {
        let mut seen = vec![(false, false, false); turns.n_randomised];
        for turn in &turns.rows {
            if let Some(sides) = seen.get_mut(turn.randomised as usize) {
                sides.0 |= !turn.is_candidate;
                sides.1 |= turn.is_candidate;
                sides.2 |= turn.n_by_other_model > 0;
            }
        }
        Self::count(&seen.iter())
    }

    fn count<'a>(seen: &(impl Iterator<Item = &'a (bool, bool, bool)> + Clone)) -> Self {
        let count = |test: fn(&(bool, bool, bool)) -> bool| seen.clone().filter(|sides| test(sides)).count() as u64;
        Self {
            n_control: count(|sides| sides.0),
            n_candidate: count(|sides| sides.1),
            n_both: count(|sides| sides.0 && sides.1),
            n_crossed: count(|sides| (sides.0 && sides.1) || sides.2),
        }
    }

    /// Units of either side, each once.
    pub(super) fn n_distinct(&self) -> u64 {
        self.n_control + self.n_candidate - self.n_both
    }

    /// Share of the units that met both sides.
    pub(super) fn crossover_share(&self) -> f64 {
        if self.n_distinct() == 0 { 0.0 } else { self.n_crossed as f64 / self.n_distinct() as f64 }
    }
}

/// The units of both sides.
#[derive(Debug)]
pub(super) struct Sample<'a> {
    pub(super) control: Vec<&'a UnitTally>,
    pub(super) candidate: Vec<&'a UnitTally>,
    /// Every unit once, with its tally on either side.
    units: Vec<(Option<&'a UnitTally>, Option<&'a UnitTally>)>,
    pub(super) counts: UnitCounts,
}

impl<'a> Sample<'a> {
    /// Sorts tallies by side and pairs them by unit, in the order in which they came.
    pub(super) fn of(tallies: &'a [UnitTally]) -> Self {
        let (candidate, control): (Vec<_>, Vec<_>) = tallies.iter().partition(|tally| tally.is_candidate);
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut units: Vec<(Option<&UnitTally>, Option<&UnitTally>)> = Vec::new();
        for tally in tallies {
            let place = *places.entry(&tally.unit).or_insert_with(|| {
                units.push((None, None));
                units.len() - 1
            });
            let unit = &mut units[place];
            *(if tally.is_candidate { &mut unit.1 } else { &mut unit.0 }) = Some(tally);
        }
        Self { control, candidate, units, counts: UnitCounts::of(tallies) }
    }

    /// Reads a count per unit and side, with the turns that it is out of.
    pub(super) fn column(&self, count: fn(&UnitTally) -> i64) -> Column {
        let side = |tallies: &[&UnitTally]| Totals {
            y: tallies.iter().map(|tally| count(tally) as f64).collect(),
            d: tallies.iter().map(|tally| tally.n_turns as f64).collect(),
        };
        let paired = self
            .units
            .iter()
            .map(|(a, b)| PairedUser {
                y_a: a.map_or(0.0, |tally| count(tally) as f64),
                d_a: a.map_or(0.0, |tally| tally.n_turns as f64),
                y_b: b.map_or(0.0, |tally| count(tally) as f64),
                d_b: b.map_or(0.0, |tally| tally.n_turns as f64),
            })
            .collect();
        Column { control: side(&self.control), candidate: side(&self.candidate), paired }
    }

    /// Tells whether enough units are on both sides for their agreement to matter: a tenth of the smaller side. Below
    /// that, to take the sides as independent widens the intervals by next to nothing, and the Newcombe form keeps its
    /// coverage for few events, which the paired form does not.
    pub(super) fn is_paired(&self) -> bool {
        let smaller = self.counts.n_control.min(self.counts.n_candidate);
        self.counts.n_both * 10 >= smaller && self.counts.n_both > 0
    }
}

/// Numerators and denominators of one side, by unit.
#[derive(Debug)]
pub(super) struct Totals {
    pub(super) y: Vec<f64>,
    pub(super) d: Vec<f64>,
}

impl Totals {
    /// Lends them to the statistics.
    pub(super) fn users(&self) -> Users<'_> {
        Users { y: &self.y, d: &self.d }
    }

    /// Adds the numerators up.
    pub(super) fn n_events(&self) -> f64 {
        self.y.iter().sum()
    }

    /// Adds the denominators up.
    pub(super) fn n_turns(&self) -> f64 {
        self.d.iter().sum()
    }
}

/// One metric of both sides, by unit.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) control: Totals,
    pub(super) candidate: Totals,
    pub(super) paired: Vec<PairedUser>,
}

impl Column {
    /// Adds up some quantity of turns by unit; a turn of which it gives nothing does not count. The turns of a unit must
    /// stand together, as those of [`Turns`] do.
    pub(super) fn of_turns<'a>(turns: impl Iterator<Item = &'a Turn>, quantity: impl Fn(&Turn) -> Option<f64>) -> Self {
        Self::weighted(turns, |turn| quantity(turn).map(|y| (y, 1.0)))
    }

    /// The same with a weight beside the quantity.
    pub(super) fn weighted<'a>(
        turns: impl Iterator<Item = &'a Turn>,
        quantity: impl Fn(&Turn) -> Option<(f64, f64)>,
    ) -> Self {
        let mut column = Self { control: Totals::empty(), candidate: Totals::empty(), paired: Vec::new() };
        let mut last = None;
        let (mut a, mut b) = ((0.0, 0.0), (0.0, 0.0));
        for turn in turns {
            let Some((y, d)) = quantity(turn) else { continue };
            if last.is_some_and(|unit| unit != turn.unit) {
                column.push(std::mem::take(&mut a), std::mem::take(&mut b));
            }
            last = Some(turn.unit);
            let side = if turn.is_candidate { &mut b } else { &mut a };
            side.0 += y;
            side.1 += d;
        }
        if last.is_some() {
            column.push(a, b);
        }
        column
    }

    fn push(&mut self, (y_a, d_a): (f64, f64), (y_b, d_b): (f64, f64)) {
        for (totals, y, d) in [(&mut self.control, y_a, d_a), (&mut self.candidate, y_b, d_b)] {
            if d > 0.0 {
                totals.y.push(y);
                totals.d.push(d);
            }
        }
        self.paired.push(PairedUser { y_a, d_a, y_b, d_b });
    }
}

impl Totals {
    fn empty() -> Self {
        Self { y: Vec::new(), d: Vec::new() }
    }
}
