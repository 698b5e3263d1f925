//! The effect by parts of the traffic, and the part but for which one could switch.
//!
//! It must not know how the parts came about.

use super::super::checks;
use super::super::metrics::{Measured, Rule};
use super::super::sample::Sample;
use super::View;
use super::strata::Property;
use crate::report::comparison::segments::{Heterogeneity, Segment, Segmentation};
use crate::stats::heterogeneity::heterogeneity;
use crate::stats::multiple::bh;
use crate::stats::sequential::asymp_cs;
use crate::store::turns::Turn;

/// Segments with less of the turns are told together.
const MIN_SHARE: f64 = 0.05;
const OTHERS: &str = "(others)";
const NOT_TOLD: &str = "(not told)";

/// A segment in which the candidate does harm, where it does none elsewhere.
#[derive(Debug)]
pub(in crate::service::compare) struct Except {
    /// What divides the turns.
    pub(in crate::service::compare) by: Property,
    /// The values that stay with the control.
    pub(in crate::service::compare) values: Vec<String>,
    /// The metric that suffers there.
    pub(in crate::service::compare) harmed: Measured,
    /// The metrics everywhere else.
    pub(in crate::service::compare) elsewhere: Vec<Measured>,
    /// Segments that were looked at before this one was picked.
    pub(in crate::service::compare) n_looked_at: usize,
}

/// The parts of one property: values that are large enough, the largest first, and the rest.
struct Parts {
    property: Property,
    large: Vec<Option<usize>>,
    has_others: bool,
}

impl Parts {
    fn of(view: &View<'_>, property: Property) -> Option<Self> {
        let mut counts: std::collections::BTreeMap<Option<usize>, usize> = std::collections::BTreeMap::new();
        for turn in &view.turns.rows {
            *counts.entry(view.strata.place(view.turns, turn, property)).or_default() += 1;
        }
        let least = MIN_SHARE * view.turns.rows.len() as f64;
        let mut large: Vec<(Option<usize>, usize)> =
            counts.iter().filter(|(_, n)| **n as f64 >= least).map(|(place, n)| (*place, *n)).collect();
        large.sort_by(|left, right| right.1.cmp(&left.1).then(left.0.cmp(&right.0)));
        let has_others = counts.len() > large.len();
        let divides = large.len() + usize::from(has_others) > 1 && large.iter().any(|(place, _)| place.is_some());
        divides.then(|| Self { property, large: large.into_iter().map(|(place, _)| place).collect(), has_others })
    }

    /// Returns every part with its name; the last may be what is too small to be told apart.
    fn named(&self, view: &View<'_>) -> Vec<(Part, String)> {
        let large = self.large.iter().map(|place| {
            let name =
                place.map_or_else(|| NOT_TOLD.to_owned(), |place| view.strata.name(view.turns, self.property, place));
            (Part::Value(*place), name)
        });
        large.chain(self.has_others.then(|| (Part::Others, OTHERS.to_owned()))).collect()
    }

    fn holds(&self, view: &View<'_>, part: Part, turn: &Turn) -> bool {
        let place = view.strata.place(view.turns, turn, self.property);
        match part {
            Part::Value(value) => place == value,
            Part::Others => !self.large.contains(&place),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Value(Option<usize>),
    Others,
}

/// Computes some metrics of some turns alone, as they are computed of all.
fn measure(view: &View<'_>, rules: &[&'static Rule], holds: impl Fn(&Turn) -> bool) -> Vec<Measured> {
    let tallies = view.turns.tallies_where(holds);
    let sample = Sample::of(&tallies);
    rules.iter().map(|rule| Measured::of(rule, &sample, view.question)).collect()
}

/// Computes the effect on the primary metrics by task, length of the prompt and language.
pub(super) fn segmentations(view: &View<'_>) -> Vec<Segmentation> {
    let rules: Vec<&'static Rule> = view.primary().map(|measured| measured.rule).collect();
    let mut segmentations = Vec::new();
    let mut ps: Vec<Option<f64>> = Vec::new();
    for parts in Property::ALL.into_iter().filter_map(|property| Parts::of(view, property)) {
        let measured: Vec<(String, Vec<Measured>)> = parts
            .named(view)
            .into_iter()
            .map(|(part, name)| (name, measure(view, &rules, |turn| parts.holds(view, part, turn))))
            .collect();
        for (place, rule) in rules.iter().enumerate() {
            let of_metric = || measured.iter().filter_map(|(name, all)| Some((name, all.get(place)?)));
            let effects: Vec<(f64, f64)> = of_metric().filter_map(|(_, it)| effect(it)).collect();
            ps.extend(of_metric().map(|(_, it)| always_valid_p(view, it)));
            segmentations.push(Segmentation {
                by: parts.property.as_str(),
                metric: rule.name,
                segments: of_metric().map(|(name, it)| segment(name, it)).collect(),
                heterogeneity: (effects.len() > 1).then(|| heterogeneity(&effects)).flatten().map(|it| Heterogeneity {
                    p: it.p,
                    i2: it.i2,
                    sign_change_p: it.gail_simon_p,
                }),
            });
        }
    }
    let known: Vec<f64> = ps.iter().flatten().copied().collect();
    let mut adjusted = bh(&known).into_iter();
    let segments = segmentations.iter_mut().flat_map(|segmentation| &mut segmentation.segments);
    for (segment, p) in segments.zip(&ps) {
        segment.q = p.and_then(|_| adjusted.next());
    }
    segmentations
}

fn effect(measured: &Measured) -> Option<(f64, f64)> {
    measured.metric.difference.estimate.zip(measured.se_of_difference)
}

/// Two-sided p of no difference, right at every look.
fn always_valid_p(view: &View<'_>, measured: &Measured) -> Option<f64> {
    let (estimate, se) = effect(measured)?;
    Some(asymp_cs(estimate, se, measured.info_fraction, 1.0, 2.0 * view.question.alpha)?.p)
}

fn segment(name: &str, measured: &Measured) -> Segment {
    Segment {
        value: name.to_owned(),
        n_control: measured.metric.control.n,
        n_candidate: measured.metric.candidate.n,
        estimate: measured.metric.difference.estimate,
        interval: measured.metric.difference.interval,
        is_harmed: measured.bounds.is_some_and(|bounds| bounds.is_worse_than_margin()),
        q: None,
    }
}

/// Finds the segments in which the candidate is beyond its margin, and looks at the rest: where that passes as a whole
/// would have to, one can switch but for them. Only where chance assigned, and only where ratings have their say.
pub(super) fn except(view: &View<'_>, segmentations: &[Segmentation]) -> Option<Except> {
    if !view.question.is_randomised() || view.ratings_are_silent {
        return None;
    }
    let n_looked_at = segmentations.iter().map(|it| it.segments.len()).sum();
    Property::ALL.into_iter().find_map(|property| {
        let parts = Parts::of(view, property)?;
        let is_harmed = |name: &str| {
            let same = segmentations.iter().filter(|it| it.by == property.as_str());
            same.flat_map(|it| &it.segments).any(|segment| segment.value == name && segment.is_harmed)
        };
        let named = parts.named(view);
        let harmed: Vec<&(Part, String)> =
            named.iter().filter(|(part, name)| matches!(part, Part::Value(Some(_))) && is_harmed(name)).collect();
        if harmed.is_empty() || harmed.len() == named.len() {
            return None;
        }
        let is_left_out = |turn: &Turn| harmed.iter().any(|(part, _)| parts.holds(view, *part, turn));
        let rules: Vec<&'static Rule> =
            view.measured.iter().filter(|it| it.bounds.is_some()).map(|it| it.rule).collect();
        let tallies = view.turns.tallies_where(|turn| !is_left_out(turn));
        let sample = Sample::of(&tallies);
        let elsewhere: Vec<Measured> = rules.iter().map(|rule| Measured::of(rule, &sample, view.question)).collect();
        let passes = elsewhere.iter().all(|it| it.bounds.is_some_and(|bounds| bounds.is_non_inferior()));
        let (_, shortfall) = checks::minimum_evidence(view.question, &sample, view.coverage);
        if !passes || !shortfall.lacks.is_empty() {
            return None;
        }
        let within = measure(view, &rules, is_left_out);
        let harmed_metric =
            within.into_iter().find(|it| it.bounds.is_some_and(|bounds| bounds.is_worse_than_margin()))?;
        Some(Except {
            by: property,
            values: harmed.iter().map(|(_, name)| name.clone()).collect(),
            harmed: harmed_metric,
            elsewhere,
            n_looked_at,
        })
    })
}
