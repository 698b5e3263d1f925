//! What the sides cost, how fast they are, and whether a saving is worth a loss.
//!
//! It must not know what is decided.

use super::super::sample::Column;
use super::View;
use super::influence::Influences;
use crate::report::comparison::costs::{Benefit, Chance, Measure, Quantiles};
use crate::stats::benefit::{Tradeoff, net_benefit};
use crate::stats::cluster::cluster_newcombe;
use crate::stats::distribution::bisect;
use crate::stats::ratio::{ratio_diff, ratio_diff_paired};
use crate::stats::summary::bayes_normal;
use crate::stats::{Interval, Multiplier};
use crate::store::turns::Turn;

/// Values beyond this share of both sides are taken as this large.
const WINSORISED_AT: f64 = 0.995;
/// Steps of the curve over prices.
const N_PRICES: u32 = 24;

/// A quantity of a turn.
struct Quantity {
    name: &'static str,
    title: &'static str,
    of: fn(&Turn) -> Option<f64>,
    is_event: bool,
}

const QUANTITIES: [Quantity; 6] = [
    Quantity {
        name: "latency_ms",
        title: "Time to the last token (ms)",
        of: |turn| turn.latency_ms.get(),
        is_event: false,
    },
    Quantity { name: "ttft_ms", title: "Time to the first token (ms)", of: |turn| turn.ttft_ms.get(), is_event: false },
    Quantity {
        name: "cost_usd",
        title: "Cost of a turn (US dollars)",
        of: |turn| turn.cost_usd.get(),
        is_event: false,
    },
    Quantity {
        name: "input_tokens",
        title: "Tokens of the prompt",
        of: |turn| turn.input_tokens.get(),
        is_event: false,
    },
    Quantity {
        name: "output_tokens",
        title: "Tokens of the answer",
        of: |turn| turn.output_tokens.get(),
        is_event: false,
    },
    Quantity {
        name: "error_rate",
        title: "Turns that ended in an error",
        of: |turn| Some(f64::from(u8::from(turn.is_error))),
        is_event: true,
    },
];

/// Computes the distributions of what was measured, and how they differ; nothing of what a side never told.
pub(super) fn measures(view: &View<'_>) -> Vec<Measure> {
    QUANTITIES.iter().filter_map(|quantity| measure(view, quantity)).collect()
}

fn measure(view: &View<'_>, quantity: &Quantity) -> Option<Measure> {
    let values = |is_candidate: bool| {
        let turns = view.turns.rows.iter().filter(|turn| turn.is_candidate == is_candidate);
        let mut values: Vec<f64> = turns.filter_map(quantity.of).collect();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    let (a, b) = (values(false), values(true));
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (control, candidate) = (quantiles(&a), quantiles(&b));
    let mut all = a;
    all.extend(b);
    all.sort_unstable_by(f64::total_cmp);
    let most = if quantity.is_event { f64::INFINITY } else { quantile(&all, WINSORISED_AT)? };
    let difference = |most: f64| {
        let column = Column::of_turns(view.turns.rows.iter(), |turn| (quantity.of)(turn).map(|value| value.min(most)));
        difference_of(view, quantity, &column)
    };
    let (winsorised, plain) = (difference(most), difference(f64::INFINITY));
    Some(Measure {
        name: quantity.name,
        title: quantity.title,
        control,
        candidate,
        difference: winsorised.0,
        interval: winsorised.1,
        outliers_matter: told(winsorised) != told(plain),
    })
}

fn difference_of(view: &View<'_>, quantity: &Quantity, column: &Column) -> (Option<f64>, Option<Interval>) {
    let Some(reach) = view.multiplier().map(Multiplier::Value) else { return (None, None) };
    let (a, b) = (column.control.users(), column.candidate.users());
    if view.sample.is_paired() {
        let paired = ratio_diff_paired(&column.paired, reach);
        (paired.difference, paired.interval)
    } else if quantity.is_event {
        cluster_newcombe(&a, &b, reach).map_or((None, None), |it| (Some(it.difference), it.interval))
    } else {
        let difference = ratio_diff(&a, &b, reach).difference;
        (difference.difference, difference.interval)
    }
}

/// How a difference would be told: more, less or neither for certain.
fn told((_, interval): (Option<f64>, Option<Interval>)) -> Option<i8> {
    interval.map(|interval| i8::from(interval.low > 0.0) - i8::from(interval.high < 0.0))
}

fn quantiles(sorted: &[f64]) -> Quantiles {
    let n = sorted.len() as f64;
    Quantiles {
        n: sorted.len() as u64,
        mean: (n > 0.0).then(|| sorted.iter().sum::<f64>() / n),
        p50: quantile(sorted, 0.5),
        p95: quantile(sorted, 0.95),
    }
}

/// Gives the quantile of sorted values, between two of them by a straight line (Hyndman & Fan 1996, type 7).
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let (low, high) = (sorted.get(place.floor() as usize)?, sorted.get(place.ceil() as usize)?);
    Some(low + (high - low) * place.fract())
}

/// Holds a saving against a loss of good turns; nothing where a side never told its costs, or nobody reacted.
pub(super) fn benefit(view: &View<'_>) -> Option<Benefit> {
    let good = view.primary().find(|measured| measured.rule.name == "good_turn")?;
    let quality = Influences::of(&Column::of_turns(view.turns.rows.iter(), |turn| {
        Some(f64::from(u8::from((good.rule.happened)(turn.outcomes))))
    }))?;
    // A turn without a cost has no weight, so that both columns have the same units.
    let cost = Influences::of(&Column::weighted(view.turns.rows.iter(), |turn| {
        Some(turn.cost_usd.get().map_or((0.0, 0.0), |cost| (cost, 1.0)))
    }))?;
    let (var_q, var_c, covariance) =
        (quality.covariance(&quality)?, cost.covariance(&cost)?, quality.covariance(&cost)?);
    let tradeoff = Tradeoff {
        quality: quality.difference,
        se_quality: var_q.sqrt(),
        cost: cost.difference,
        se_cost: var_c.sqrt(),
        covariance,
    };
    let reach = view.multiplier()?;
    let surely_pays = |price: f64| {
        let at = net_benefit(&tradeoff, price);
        at.se.is_some_and(|se| at.estimate - reach * se > 0.0)
    };
    let breaks_even_at = net_benefit(&tradeoff, 0.0).saving_per_quality_lost;
    let margin = good.bounds.map_or(1.0, |bounds| bounds.margin);
    let dearest = breaks_even_at.unwrap_or(tradeoff.cost.abs() / margin.max(f64::MIN_POSITIVE)).min(1e6) * 4.0;
    let acceptability = (0..=N_PRICES)
        .filter_map(|step| {
            let price = dearest * f64::from(step) / f64::from(N_PRICES);
            Some((price, net_benefit(&tradeoff, price).p_positive?))
        })
        .collect();
    Some(Benefit {
        saving_per_1000: -1000.0 * tradeoff.cost,
        saving_interval: Interval::around(-1000.0 * tradeoff.cost, 1000.0 * reach * tradeoff.se_cost),
        breaks_even_at,
        surely_pays_below: (surely_pays(0.0) && !surely_pays(dearest * 25.0))
            .then(|| bisect(0.0, dearest * 25.0, surely_pays)),
        acceptability,
        worst_case_per_10_000: good.bounds.and_then(|bounds| bounds.low).map(|low| (-low * 10_000.0).max(0.0)),
    })
}

/// Tells the bounds of the primary metrics in other words.
pub(super) fn chances(view: &View<'_>) -> Vec<Chance> {
    view.primary()
        .filter_map(|measured| {
            let bounds = measured.bounds?;
            let posterior = bayes_normal(bounds.estimate?, measured.se?, None, bounds.margin)?;
            Some(Chance {
                metric: measured.rule.name,
                p_acceptable: posterior.p_noninferior,
                expected_loss: posterior.expected_loss,
            })
        })
        .collect()
}

#[cfg(test)]
#[test]
fn quantiles_lie_between_the_values_that_they_are_between() {
    let values = [1.0, 2.0, 4.0, 8.0, 16.0];

    assert_eq!([0.0, 0.5, 0.75, 1.0].map(|share| quantile(&values, share)), [1.0, 4.0, 8.0, 16.0].map(Some));
    assert_eq!(quantile(&values, 0.625), Some(6.0));
    assert_eq!(quantile(&[], 0.5), None);
    assert_eq!(quantile(&[3.0], 0.95), Some(3.0));
}
