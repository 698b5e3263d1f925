//! What stands behind a verdict, in its wire form: the members are those of [`Depth`], and nothing is computed.

use serde_json::{Value, json};

use super::moment;
use crate::report::comparison::candidates::{Candidate, Tournament};
use crate::report::comparison::costs::{Benefit, Index, Measure, Quantiles};
use crate::report::comparison::over_time::{Plan, Series};
use crate::report::comparison::ratings::{Agreement, Answer, Disagreement, SignalPair, Solicited, UpShare};
use crate::report::comparison::segments::{Adjustment, Load, Segmentation};
use crate::report::comparison::{Comparison, Depth};
use crate::stats::Interval;

/// Writes the depth; where the verdict withholds the numbers, only the plan and the exposure are left.
pub(super) fn depth_json(comparison: &Comparison) -> Value {
    let shown = if comparison.verdict.withholds_numbers {
        Depth { plan: comparison.depth.plan, exposure: comparison.depth.exposure.clone(), ..Depth::default() }
    } else {
        comparison.depth.clone()
    };
    let exposure = shown
        .exposure
        .iter()
        .map(|day| json!({ "day": day.day.to_string(), "n_control": day.n_control, "n_candidate": day.n_candidate }));
    let chances = shown.chances.iter().map(|chance| {
        json!({
            "metric": chance.metric,
            "p_acceptable": chance.p_acceptable,
            "expected_loss": chance.expected_loss,
        })
    });
    json!({
        "plan": shown.plan.map(plan_json),
        "exposure": exposure.collect::<Vec<_>>(),
        "series": all(&shown.series, series_json),
        "segmentations": all(&shown.segmentations, segmentation_json),
        "adjustments": all(&shown.adjustments, adjustment_json),
        "up_share": shown.up_share.map(up_share_json),
        "solicited": shown.solicited.map(solicited_json),
        "agreement": shown.agreement.as_ref().map(agreement_json),
        "measures": all(&shown.measures, measure_json),
        "benefit": shown.benefit.as_ref().map(benefit_json),
        "index": shown.index.as_ref().map(index_json),
        "chances": chances.collect::<Vec<_>>(),
        "load": shown.load.as_ref().map(load_json),
        "candidates": all(&shown.candidates, candidate_json),
        "tournament": shown.tournament.as_ref().map(tournament_json),
        "disagreements": all(&shown.disagreements, disagreement_json),
        "disagreements_note": shown.disagreements_note,
    })
}

fn all<T>(items: &[T], write: impl Fn(&T) -> Value) -> Vec<Value> {
    items.iter().map(write).collect()
}

fn bounds(interval: Option<Interval>) -> Option<Value> {
    interval.map(|Interval { low, high }| json!({ "low": low, "high": high }))
}

fn plan_json(plan: Plan) -> Value {
    json!({
        "info_fraction": plan.info_fraction,
        "sequential_share": plan.sequential_share,
        "fixed_look": plan.fixed_look.map(|look| json!({ "taken_at": moment(look.taken_at), "passed": look.passed })),
    })
}

fn series_json(series: &Series) -> Value {
    let points = series.points.iter().map(|point| {
        json!({
            "day": point.day.to_string(),
            "n_users": point.n_users,
            "estimate": point.estimate,
            "fixed": bounds(point.fixed),
            "anytime": bounds(point.anytime),
        })
    });
    json!({
        "metric": series.metric,
        "points": points.collect::<Vec<_>>(),
        "passed_on": series.passed_on.map(|day| day.to_string()),
        "trend": series.trend.map(|trend| json!({
            "slope_per_day": trend.slope_per_day,
            "p": trend.p,
            "last_week": trend.last_week.map(|(estimate, interval)| json!({
                "estimate": estimate,
                "interval": bounds(interval),
            })),
        })),
    })
}

fn segmentation_json(segmentation: &Segmentation) -> Value {
    json!({
        "by": segmentation.by,
        "metric": segmentation.metric,
        "segments": all(&segmentation.segments, |segment| json!({
            "value": segment.value,
            "n_control": segment.n_control,
            "n_candidate": segment.n_candidate,
            "estimate": segment.estimate,
            "interval": bounds(segment.interval),
            "is_harmed": segment.is_harmed,
            "q": segment.q,
        })),
        "heterogeneity": segmentation.heterogeneity.map(|found| json!({
            "p": found.p,
            "i2": found.i2,
            "sign_change_p": found.sign_change_p,
        })),
    })
}

fn adjustment_json(adjustment: &Adjustment) -> Value {
    json!({
        "metric": adjustment.metric,
        "kind": adjustment.kind,
        "estimate": adjustment.estimate,
        "interval": bounds(adjustment.interval),
        "variance_reduction": adjustment.variance_reduction,
        "support": adjustment.support,
    })
}

fn up_share_json(share: UpShare) -> Value {
    json!({
        "control": share.control,
        "candidate": share.candidate,
        "odds_ratio": share.odds_ratio,
        "interval": bounds(share.interval),
        "tipping_factor": share.tipping_factor,
    })
}

fn solicited_json(asked: Solicited) -> Value {
    json!({
        "n_asked": { "control": asked.n_asked.0, "candidate": asked.n_asked.1 },
        "n_rated": { "control": asked.n_rated.0, "candidate": asked.n_rated.1 },
        "up_share": { "control": asked.up_share.0, "candidate": asked.up_share.1 },
        "difference": asked.difference.map(|(estimate, interval)| json!({
            "estimate": estimate,
            "interval": bounds(interval),
        })),
    })
}

fn agreement_json(agreement: &Agreement) -> Value {
    let triangle = |rows: &[Vec<SignalPair>]| {
        all(rows, |row| Value::Array(all(row, |pair| json!({ "n_both": pair.n_both, "phi": pair.phi }))))
    };
    json!({
        "signals": agreement.signals,
        "control": triangle(&agreement.control),
        "candidate": triangle(&agreement.candidate),
    })
}

fn measure_json(measure: &Measure) -> Value {
    let side = |quantiles: Quantiles| json!({ "n": quantiles.n, "mean": quantiles.mean, "p50": quantiles.p50, "p95": quantiles.p95 });
    json!({
        "name": measure.name,
        "title": measure.title,
        "control": side(measure.control),
        "candidate": side(measure.candidate),
        "difference": measure.difference,
        "interval": bounds(measure.interval),
        "outliers_matter": measure.outliers_matter,
    })
}

fn benefit_json(benefit: &Benefit) -> Value {
    json!({
        "saving_per_1000": benefit.saving_per_1000,
        "saving_interval": bounds(benefit.saving_interval),
        "breaks_even_at": benefit.breaks_even_at,
        "surely_pays_below": benefit.surely_pays_below,
        "acceptability": all(&benefit.acceptability, |&(price, chance)| json!({ "price": price, "chance": chance })),
        "worst_case_per_10_000": benefit.worst_case_per_10_000,
    })
}

fn index_json(index: &Index) -> Value {
    json!({
        "control": index.control,
        "candidate": index.candidate,
        "estimate": index.estimate,
        "interval": bounds(index.interval),
        "parts": all(&index.parts, |part| json!({
            "signal": part.signal,
            "weight": part.weight,
            "without": part.without,
        })),
        "agreeing_share": index.agreeing_share,
        "n_weightings": index.n_weightings,
    })
}

fn load_json(load: &Load) -> Value {
    json!({
        "bin_ends": load.bin_ends,
        "control": load.control,
        "candidate": load.candidate,
        "overlap": load.overlap,
    })
}

fn candidate_json(candidate: &Candidate) -> Value {
    json!({
        "name": candidate.name,
        "model": candidate.model,
        "n_users": candidate.n_users,
        "code": candidate.code.as_str(),
        "reason": candidate.reason.as_str(),
        "p": candidate.p,
        "p_holm": candidate.p_holm,
        "estimate": candidate.estimate,
        "interval": bounds(candidate.interval),
        "cost_difference": candidate.cost_difference,
        "cost_interval": bounds(candidate.cost_interval),
        "is_undominated": candidate.is_undominated,
    })
}

fn tournament_json(tournament: &Tournament) -> Value {
    json!({
        "players": all(&tournament.players, |player| json!({
            "name": player.name,
            "strength": player.strength,
            "interval": bounds(player.interval),
            "ranks": { "best": player.ranks.0, "worst": player.ranks.1 },
        })),
        "n_wins": tournament.n_wins,
        "is_connected": tournament.is_connected,
        "first_position": tournament.first_position,
    })
}

fn disagreement_json(disagreement: &Disagreement) -> Value {
    let answer = |answer: &Answer| {
        json!({
            "completion_id": answer.completion_id,
            "prompt": answer.prompt,
            "response": answer.response,
            "reactions": answer.reactions,
        })
    };
    json!({
        "task": disagreement.task,
        "control": disagreement.control.as_ref().map(answer),
        "candidate": disagreement.candidate.as_ref().map(answer),
    })
}
