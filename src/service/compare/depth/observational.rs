//! What can be said where nobody was assigned: among turns that either model could have had, and how strong a hidden cause
//! would have to be.
//!
//! It must not call anything certain.

use std::collections::HashMap;

use super::super::checks::line;
use super::super::words::percent;
use super::adjustments::Collapsed;
use super::{Found, View};
use crate::report::comparison::CheckStatus;
use crate::report::comparison::segments::Adjustment;
use crate::stats::Interval;
use crate::stats::cluster::ClusteredRates;
use crate::stats::jackknife::Variant;
use crate::stats::observational::{Observed, e_value, overlap_weighted_diff};

/// Chances of either model between which a turn tells something.
const USEFUL: std::ops::RangeInclusive<f64> = 0.1..=0.9;
/// Share of turns that must be between them.
const MIN_OVERLAP: f64 = 0.8;

/// Weights turns by how likely the other model was, and asks what a hidden cause would take.
pub(super) fn judge(view: &View<'_>, found: &mut Found) {
    let stratum = Collapsed::of(view);
    let numbers: Vec<usize> = view.turns.rows.iter().map(|turn| stratum.of_turn(view, turn)).collect();
    let mut counts: HashMap<usize, [f64; 2]> = HashMap::new();
    for (turn, number) in view.turns.rows.iter().zip(&numbers) {
        counts.entry(*number).or_default()[usize::from(turn.is_candidate)] += 1.0;
    }
    // The share of the candidate in each stratum is what a logit of all strata and their products would fit.
    let propensity = |number: &usize| counts.get(number).map_or(0.0, |[a, b]| b / (a + b));
    let n_useful = numbers.iter().filter(|number| USEFUL.contains(&propensity(number))).count();
    let share = n_useful as f64 / numbers.len().max(1) as f64;
    for measured in view.primary() {
        let observed: Vec<Observed> = view
            .turns
            .rows
            .iter()
            .zip(&numbers)
            .map(|(turn, number)| Observed {
                variant: if turn.is_candidate { Variant::B } else { Variant::A },
                y: f64::from(u8::from((measured.rule.happened)(turn.outcomes))),
                propensity: propensity(number),
            })
            .collect();
        let column = view.sample.column(measured.rule.count);
        let deff = ClusteredRates::of(&column.control.users(), &column.candidate.users()).map(|rates| rates.deff);
        let Some((weighted, deff)) = overlap_weighted_diff(&observed).zip(deff) else { continue };
        let half = weighted.se.zip(measured.multiplier).map(|(se, reach)| se * deff.sqrt() * reach);
        found.depth.adjustments.push(Adjustment {
            metric: measured.rule.name,
            kind: "overlap",
            estimate: Some(weighted.difference),
            interval: half.and_then(|half| Interval::around(weighted.difference, half)),
            variance_reduction: None,
            support: Some(share),
        });
    }
    judge_overlap(share, stratum.n_strata, found);
    judge_hidden_cause(view, found);
}

fn judge_overlap(share: f64, n_strata: usize, found: &mut Found) {
    let is_bad = share < MIN_OVERLAP;
    let detail = format!(
        "{} of the turns are of a kind that either model answers at least one time in ten ({n_strata} kinds: task by \
         length of the first prompt; the shares of each are its propensity, a saturated logit, under which the weighted \
         sides are alike in them).{}",
        percent(share, 0),
        if is_bad { " The two were hardly used for the same work." } else { "" },
    );
    let status = if is_bad { CheckStatus::Warn } else { CheckStatus::Pass };
    found.checks.push(line("overlap", "Used for the same work", status, detail));
    if is_bad {
        found.lacks.push(format!("{} of turns that either model could have had", percent(MIN_OVERLAP, 0)));
    }
}

/// Tells how strong a hidden cause of both the choice of the model and good turns would have to be.
fn judge_hidden_cause(view: &View<'_>, found: &mut Found) {
    let Some((good, control)) =
        view.primary().next().and_then(|good| Some((good, good.metric.control.estimate?))).filter(|it| it.1 > 0.0)
    else {
        return;
    };
    let adjusted = found
        .depth
        .adjustments
        .iter()
        .find(|adjustment| adjustment.metric == good.rule.name && adjustment.kind == "overlap")
        .and_then(|adjustment| adjustment.estimate.zip(adjustment.interval));
    let Some((estimate, interval)) = adjusted else { return };
    let ratio = |difference: f64| ((control + difference) / control).max(1e-9);
    let ends = Interval { low: ratio(interval.low), high: ratio(interval.high) };
    let Some(value) = e_value(ratio(estimate), ends) else { return };
    let detail = format!(
        "A hidden factor that makes both the choice of the model and {} {:.2} times as likely would explain the \
         difference among comparable turns ({}).",
        good.rule.many,
        value.of_estimate,
        if value.of_interval > 1.0 {
            format!("{:.2} times would do to reach no difference", value.of_interval)
        } else {
            "the interval holds no difference already".to_owned()
        },
    );
    found.checks.push(line("hidden_cause", "Strength of a hidden cause", CheckStatus::Warn, detail));
}
