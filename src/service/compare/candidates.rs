//! Several candidates of one experiment: each against the control, corrected for all of them, and all side by side.
//!
//! It must not know how one candidate is compared.

use std::collections::BTreeMap;

use super::conclude::Concluded;
use super::words;
use crate::report::comparison::Comparison;
use crate::report::comparison::candidates::{Candidate, Player, Tournament};
use crate::report::comparison::costs::Measure;
use crate::stats::Interval;
use crate::stats::bradley_terry::{Choice, Victories, bradley_terry_cluster, bradley_terry_map};
use crate::stats::distribution::normal_upper_quantile;
use crate::stats::multiple::holm;
use crate::stats::verdict::VerdictCode;
use crate::store::votes::Vote;

/// Penalty of strengths where some variant never lost, or never won.
const RIDGE: f64 = 0.1;

/// Puts the comparisons of all candidates together: the one that one would take, with the others beside it.
///
/// A switch to one of several has to hold after Holm's correction, since each of them is a chance to be wrong. Nothing
/// without candidates.
pub(super) fn put_together(mut concluded: Vec<Concluded>, alpha: f64) -> Option<Comparison> {
    let corrected = correct(&concluded);
    let n = concluded.len();
    for (one, p) in concluded.iter_mut().zip(&corrected) {
        let is_switch = one.comparison.verdict.code == VerdictCode::Switch;
        if is_switch && p.is_none_or(|p| p > alpha) {
            words::hold_back(&mut one.comparison, n, *p);
        }
    }
    let places: Vec<Option<(f64, f64)>> = concluded.iter().map(|one| place(&one.comparison)).collect();
    let list: Vec<Candidate> = concluded
        .iter()
        .zip(&corrected)
        .zip(&places)
        .map(|((one, p_holm), place)| candidate(one, *p_holm, is_undominated(*place, &places)))
        .collect();
    let best = concluded
        .into_iter()
        .zip(corrected)
        .enumerate()
        .min_by(|(at, (left, p)), (other_at, (right, q))| {
            let key = |one: &Concluded, p: &Option<f64>| (rank(one.comparison.verdict.code), p.unwrap_or(2.0));
            let ((rank, p), (other_rank, q)) = (key(left, p), key(right, q));
            rank.cmp(&other_rank).then(p.total_cmp(&q)).then(at.cmp(other_at))
        })
        .map(|(_, (one, _))| one.comparison)?;
    Some(Comparison { depth: crate::report::comparison::Depth { candidates: list, ..best.depth.clone() }, ..best })
}

/// What one would rather take comes first.
fn rank(code: VerdictCode) -> u8 {
    match code {
        VerdictCode::Switch | VerdictCode::LeanSwitch => 0,
        VerdictCode::KeepCollecting => 1,
        VerdictCode::CannotTell => 2,
        VerdictCode::Keep | VerdictCode::LeanKeep => 3,
        VerdictCode::Invalid => 4,
    }
}

/// Corrects the p of all candidates that have one.
fn correct(concluded: &[Concluded]) -> Vec<Option<f64>> {
    // A candidate without a p is a test that could not be done, and still one of them.
    let ps: Vec<f64> = concluded.iter().map(|one| one.p.unwrap_or(1.0)).collect();
    concluded.iter().zip(holm(&ps)).map(|(one, corrected)| one.p.map(|_| corrected)).collect()
}

/// Where a comparison's candidate stands beside the control: difference of good turns and of cost.
fn place(comparison: &Comparison) -> Option<(f64, f64)> {
    if comparison.verdict.withholds_numbers {
        return None;
    }
    comparison.metrics.first()?.difference.estimate.zip(cost_difference(comparison))
}

fn cost(comparison: &Comparison) -> Option<&Measure> {
    comparison.depth.measures.iter().find(|measure| measure.name == "cost_usd")
}

fn cost_difference(comparison: &Comparison) -> Option<f64> {
    cost(comparison)?.difference
}

/// Tells whether no other variant, the control among them, is as good at the price or cheaper for the quality.
fn is_undominated(place: Option<(f64, f64)>, all: &[Option<(f64, f64)>]) -> bool {
    let Some((quality, cost)) = place else { return true };
    let others = all.iter().flatten().copied().chain([(0.0, 0.0)]);
    !others.into_iter().any(|(other_quality, other_cost)| {
        let is_no_worse = other_quality >= quality && other_cost <= cost;
        is_no_worse && (other_quality > quality || other_cost < cost)
    })
}

fn candidate(one: &Concluded, p_holm: Option<f64>, is_undominated: bool) -> Candidate {
    let comparison = &one.comparison;
    let shown = !comparison.verdict.withholds_numbers;
    let primary = comparison.metrics.first().filter(|_| shown);
    Candidate {
        name: comparison.candidate.name.clone(),
        model: comparison.candidate.model.clone(),
        n_users: comparison.candidate.n_users,
        code: comparison.verdict.code,
        reason: comparison.verdict.reason,
        p: one.p.filter(|_| shown),
        p_holm: p_holm.filter(|_| shown),
        estimate: primary.and_then(|metric| metric.difference.estimate),
        interval: primary.and_then(|metric| metric.difference.interval),
        cost_difference: cost_difference(comparison),
        cost_interval: cost(comparison).and_then(|measure| measure.interval),
        is_undominated,
    }
}

/// Computes the strengths of all variants from votes; `names[0]` is the control. Nothing without votes.
pub(super) fn tournament(names: &[String], votes: &[Vote], alpha: f64) -> Option<Tournament> {
    let n = names.len();
    let mut raters: BTreeMap<&str, usize> = BTreeMap::new();
    let mut choices = Vec::new();
    for vote in votes.iter().filter(|vote| vote.variant.max(vote.against) < n && vote.variant != vote.against) {
        let next = raters.len();
        let rater = *raters.entry(&vote.rater).or_insert(next);
        let choice = |winner, loser, weight| Choice { rater, winner, loser, weight };
        match vote.is_better {
            Some(true) => choices.push(choice(vote.variant, vote.against, 1.0)),
            Some(false) => choices.push(choice(vote.against, vote.variant, 1.0)),
            None => choices.extend([choice(vote.variant, vote.against, 0.5), choice(vote.against, vote.variant, 0.5)]),
        }
    }
    if choices.is_empty() {
        return None;
    }
    let reach = normal_upper_quantile(alpha)?;
    let clustered = bradley_terry_cluster(n, &choices);
    let (strengths, errors) = if let Some(fitted) = &clustered {
        (fitted.strengths.thetas.clone(), fitted.clustered_errors.clone())
    } else {
        let thetas = bradley_terry_map(&Victories::of_choices(n, &choices)?, RIDGE)?;
        let control = *thetas.first()?;
        (thetas.iter().map(|theta| theta - control).collect(), None)
    };
    let interval = |place: usize| {
        let error = errors.as_ref().and_then(|errors| errors.get(place).copied());
        error.and_then(|error| Interval::around(strengths[place], reach * error))
    };
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|left, right| strengths[*right].total_cmp(&strengths[*left]).then(left.cmp(right)));
    let mut wins = vec![vec![0.0; n]; n];
    for choice in &choices {
        wins[choice.winner][choice.loser] += choice.weight;
    }
    let players = order
        .iter()
        .map(|place| Player {
            name: names[*place].clone(),
            strength: strengths[*place],
            interval: interval(*place),
            ranks: if errors.is_some() { ranks(*place, &strengths, &interval) } else { (1, n as u32) },
        })
        .collect();
    Some(Tournament {
        players,
        n_wins: order.iter().map(|row| order.iter().map(|column| wins[*row][*column]).collect()).collect(),
        is_connected: clustered.is_some(),
        first_position: first_position(votes),
    })
}

/// Best and worst rank that the intervals allow; the control is the reference, a point.
fn ranks(place: usize, strengths: &[f64], interval: &impl Fn(usize) -> Option<Interval>) -> (u32, u32) {
    let ends = |place: usize| interval(place).unwrap_or(Interval { low: strengths[place], high: strengths[place] });
    let own = ends(place);
    let others = || (0..strengths.len()).filter(|other| *other != place).map(ends);
    let n_above = others().filter(|other| other.low > own.high).count() as u32;
    let n_below = others().filter(|other| other.high < own.low).count() as u32;
    (1 + n_above, strengths.len() as u32 - n_below)
}

/// Log-odds that the answer shown first is preferred, over all decisive choices whose order was told; a half is added to
/// both counts. Where chance sets the order it owes nothing to the strengths.
fn first_position(votes: &[Vote]) -> Option<f64> {
    let decisive = votes.iter().filter_map(|vote| Some(vote.is_better? == vote.was_first?));
    let (n_first, n_second) = decisive
        .fold((0.0, 0.0), |(first, second), won| if won { (first + 1.0, second) } else { (first, second + 1.0) });
    (n_first + n_second > 0.0).then(|| ((n_first + 0.5) / (n_second + 0.5_f64)).ln())
}

#[cfg(test)]
mod tests {
    use super::{is_undominated, tournament};
    use crate::store::votes::Vote;

    fn votes(list: &[(usize, usize, usize)]) -> Vec<Vote> {
        let one = |(variant, against, n): &(usize, usize, usize)| {
            (0..*n)
                .map(|at| Vote {
                    rater: format!("u{}", at % 7),
                    variant: *variant,
                    against: *against,
                    is_better: Some(true),
                    was_first: Some(at % 3 > 0),
                })
                .collect::<Vec<_>>()
        };
        list.iter().flat_map(one).collect()
    }

    #[test]
    fn the_strongest_comes_first_and_its_rank_is_an_interval() {
        let names = ["a", "b", "c"].map(str::to_owned);
        let told = tournament(
            &names,
            &votes(&[(0, 1, 80), (1, 0, 20), (0, 2, 30), (2, 0, 70), (1, 2, 25), (2, 1, 75)]),
            0.025,
        )
        .unwrap();

        let order: Vec<&str> = told.players.iter().map(|player| player.name.as_str()).collect();
        assert_eq!(order, ["c", "a", "b"]);
        assert!(told.is_connected && told.players[1].interval.is_none());
        assert!((told.n_wins[0][1] - 70.0).abs() < 1e-12);
        assert!(told.players.iter().all(|player| player.ranks.0 <= player.ranks.1));
        assert!(told.first_position.unwrap() > 0.0);
    }

    #[test]
    fn a_variant_that_never_lost_is_told_with_too_few_comparisons() {
        let names = ["a", "b", "c"].map(str::to_owned);
        let told = tournament(&names, &votes(&[(2, 0, 3), (0, 1, 2)]), 0.025).unwrap();

        assert!(!told.is_connected);
        assert!(told.players.iter().all(|player| player.interval.is_none() && player.ranks == (1, 3)));
        assert_eq!(told.players[0].name, "c");
        assert_eq!(tournament(&names, &[], 0.025), None);
    }

    #[test]
    fn who_is_worse_and_dearer_is_dominated() {
        let all = [Some((0.02, 0.5)), Some((-0.01, 0.1)), Some((-0.01, -0.2)), None];

        let undominated: Vec<bool> = all.iter().map(|place| is_undominated(*place, &all)).collect();

        assert_eq!(undominated, [true, false, true, true]);
    }
}
