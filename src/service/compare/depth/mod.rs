//! What stands behind a verdict: the same turns, looked at by day, by part, like for like, and by what they cost.
//!
//! It must not decide: what the verdict has to know of it stands in [`Found`].

pub(super) mod adjustments;
pub(super) mod costs;
pub(super) mod index;
mod influence;
pub(super) mod observational;
pub(super) mod over_time;
pub(super) mod ratings;
pub(super) mod segments;
mod strata;

#[cfg(test)]
mod tests;

use super::metrics::Measured;
use super::question::Question;
use super::sample::Sample;
use crate::report::comparison::over_time::Plan;
use crate::report::comparison::{Check, Depth};
use crate::store::tallies::Coverage;
use crate::store::turns::Turns;
use strata::Strata;

/// All that the views look at.
pub(super) struct View<'a> {
    pub(super) question: &'a Question,
    pub(super) turns: &'a Turns,
    pub(super) sample: &'a Sample<'a>,
    pub(super) coverage: &'a Coverage,
    /// The metrics as they decide.
    pub(super) measured: &'a [Measured],
    strata: Strata,
    /// Whether ratings have lost their say.
    pub(super) ratings_are_silent: bool,
}

impl<'a> View<'a> {
    pub(super) fn of(
        question: &'a Question,
        turns: &'a Turns,
        sample: &'a Sample<'a>,
        coverage: &'a Coverage,
        measured: &'a [Measured],
        ratings_are_silent: bool,
    ) -> Self {
        Self { question, turns, sample, coverage, measured, strata: Strata::of(turns), ratings_are_silent }
    }

    /// The two metrics that a reader asks for first, where anything was counted of them.
    fn primary(&self) -> impl Iterator<Item = &'a Measured> {
        self.measured.iter().take(2).filter(|measured| measured.bounds.is_some())
    }

    /// Reach of the intervals of what has no margin of its own: that of good turns.
    fn multiplier(&self) -> Option<f64> {
        self.measured.first().and_then(|good| good.multiplier)
    }
}

/// What the verdict has to know.
#[derive(Default)]
pub(super) struct Found {
    pub(super) depth: Depth,
    pub(super) checks: Vec<Check>,
    /// What a switch lacks, each as words that follow "it lacks".
    pub(super) lacks: Vec<String>,
    /// The segment but for which one could switch.
    pub(super) except: Option<segments::Except>,
}

/// Looks at everything.
pub(super) fn look(view: &View<'_>, info_fraction: f64) -> Found {
    if view.turns.rows.is_empty() {
        return Found::default();
    }
    let mut found = Found::default();
    found.depth.plan = Some(Plan { info_fraction, sequential_share: 1.0, fixed_look: None });
    found.depth.exposure = over_time::exposure(view.turns);
    found.depth.series = over_time::series(view);
    over_time::judge_trend(view, &mut found);
    found.depth.segmentations = segments::segmentations(view);
    found.except = segments::except(view, &found.depth.segmentations);
    adjustments::adjust(view, &mut found);
    if !view.question.is_randomised() {
        observational::judge(view, &mut found);
    }
    found.depth.up_share = ratings::up_share(view);
    found.depth.solicited = ratings::solicited(view);
    found.depth.agreement = ratings::agreement(view);
    found.depth.measures = costs::measures(view);
    found.depth.benefit = costs::benefit(view);
    found.depth.chances = costs::chances(view);
    found.depth.index = index::index(view);
    found
}
