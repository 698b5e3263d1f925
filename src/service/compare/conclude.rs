//! From tallies to the finished comparison. Pure: what was read, the question and a moment in, plain data out.

use super::bots::Bots;
use super::checks::{self, Ratings, Shortfall};
use super::depth::{self, Found, View};
use super::metrics::{BY_BEHAVIOUR, Measured, RULES};
use super::outlook::{Fall, MAX_DAYS, Need, Traffic, earliest, longest};
use super::question::{Question, SideName};
use super::sample::{Sample, UnitCounts};
use super::words::{Story, tell};
use crate::domain::clock::Timestamp;
use crate::domain::trust::TrustRule;
use crate::report::comparison::over_time::ExposureDay;
use crate::report::comparison::{Check, Comparison, Depth, Preference, Side};
use crate::stats::Interval;
use crate::stats::preference::sign_test;
use crate::stats::sequential::{cs_multiplier, seq_noninferiority_p};
use crate::stats::verdict::{Verdict, VerdictCode, VerdictInput, VerdictReason, decide};
use crate::store::tallies::{Choices, Coverage, UnitTally};
use crate::store::turns::Turns;

/// All that was read.
#[derive(Debug)]
pub(super) struct Evidence {
    /// Whose reactions were counted.
    pub(super) trust: TrustRule,
    /// Every turn that counts; what the tallies are sums of.
    pub(super) turns: Turns,
    /// What was left out of them.
    pub(super) bots: Bots,
    /// What was randomised, by the day on which it was first seen.
    pub(super) exposure: Vec<ExposureDay>,
    /// Tallies by side and cluster.
    pub(super) tallies: Vec<UnitTally>,
    /// Units as the experiment randomises them.
    pub(super) randomised: UnitCounts,
    pub(super) coverage: Coverage,
    pub(super) choices: Choices,
}

/// A comparison with what only its neighbours have to know.
#[derive(Debug)]
pub(super) struct Concluded {
    pub(super) comparison: Comparison,
    /// Largest one-sided p of non-inferiority over the must-pass metrics, right at every look; nothing where one of them
    /// has no say.
    pub(super) p: Option<f64>,
}

/// Computes everything and decides.
pub(super) fn conclude(question: &Question, evidence: &Evidence, now: Timestamp) -> Concluded {
    let sample = Sample::of(&evidence.tallies);
    let mut measured: Vec<Measured> = RULES.iter().map(|rule| Measured::of(rule, &sample, question)).collect();
    let mut verified = verify(question, evidence, &sample, &measured);
    let ratings_are_silent = silence_ratings(&mut measured, verified.ratings);
    if ratings_are_silent {
        // Good and bad turns hold ratings, too: without this, louder critics alone would bring a KEEP.
        for (measured, rule) in measured.iter_mut().zip(&BY_BEHAVIOUR) {
            *measured = Measured::of(rule, &sample, question);
        }
    }
    let coverage = &evidence.coverage;
    let view = View::of(question, &evidence.turns, &sample, coverage, &measured, ratings_are_silent);
    let Found { mut depth, checks, lacks, except } = depth::look(&view, info_fraction(&measured));
    verified.checks.extend(checks);
    verified.shortfall.lacks.extend(lacks);
    let decided = judge(question, evidence, &sample, &measured, &verified);
    let except = except.filter(|_| decided.verdict.code != VerdictCode::Invalid);
    let verdict = match except {
        Some(_) => Verdict { code: VerdictCode::Switch, reason: VerdictReason::ExceptSegment },
        None => decided.verdict,
    };
    let story = Story {
        question,
        verdict,
        measured: &measured,
        checks: &verified.checks,
        traffic: decided.traffic,
        need: decided.need,
        fall: decided.fall,
        lacks: &verified.shortfall.lacks,
        ratings_are_silent,
        except: except.as_ref(),
    };
    let conclusion = tell(&story);
    let mut checks = verified.checks;
    if conclusion.withholds_numbers {
        // These lines tell rates and differences, which nobody must read either.
        checks.retain(|check| !checks::TELLS_RATES.contains(&check.name));
        depth = Depth::default();
    }
    depth.exposure.clone_from(&evidence.exposure);
    let p = largest_p(question, &measured);
    let comparison = Comparison {
        control: side(&question.control, &sample.control),
        candidate: side(&question.candidate, &sample.candidate),
        mode: question.mode,
        experiment: question.experiment.clone(),
        unit: question.unit,
        alpha: question.alpha,
        verdict: conclusion,
        preference: preference(&evidence.choices, question.alpha),
        depth,
        window: evidence.coverage.first_at.zip(evidence.coverage.last_at),
        n_days: evidence.coverage.n_days,
        trust: evidence.trust,
        n_unverified: evidence.coverage.n_unverified,
        filters: question.filters.clone(),
        margin_departures: question.departures.clone(),
        computed_at: now,
        metrics: measured.into_iter().map(|measured| measured.metric).collect(),
        checks,
    };
    Concluded { comparison, p }
}

/// Every must-pass metric has to pass, so that the largest p is that of all of them (Berger 1982).
fn largest_p(question: &Question, measured: &[Measured]) -> Option<f64> {
    let mut deciding = measured.iter().filter_map(|measured| Some((measured, measured.bounds?))).peekable();
    deciding.peek()?;
    deciding.try_fold(0.0_f64, |largest, (measured, bounds)| {
        let eta = cs_multiplier(2.0 * question.alpha, measured.info_fraction)?.eta;
        let test = seq_noninferiority_p(bounds.estimate?, measured.se?, bounds.margin, eta)?;
        Some(largest.max(test.p))
    })
}

/// The verdict of the rule, with how far a decision is.
struct Decided {
    verdict: Verdict,
    traffic: Traffic,
    need: Option<Need>,
    fall: Option<Fall>,
}

fn judge(
    question: &Question,
    evidence: &Evidence,
    sample: &Sample<'_>,
    measured: &[Measured],
    verified: &Verified,
) -> Decided {
    let n_must_pass = measured.iter().filter(|measured| measured.bounds.is_some()).count();
    let traffic = traffic(question, evidence, sample, n_must_pass);
    let needs: Vec<Need> =
        measured.iter().filter(|measured| measured.is_open()).filter_map(|measured| traffic.need(measured)).collect();
    let falls: Vec<Fall> = measured.iter().filter_map(|measured| traffic.fall(measured)).collect();
    let to_keep = earliest(&falls).copied();
    let to_switch = days_to_switch(measured, &needs, &traffic, verified);
    let verdict = decide(&VerdictInput {
        mode: question.mode,
        srm_p: verified.srm_p,
        crossover_share: if question.is_randomised() { evidence.randomised.crossover_share() } else { 0.0 },
        info_fraction: info_fraction(measured),
        enough_evidence: verified.shortfall.lacks.is_empty(),
        days_more: sooner(to_switch, to_keep.and_then(|fall| fall.needed.days)),
        max_days: MAX_DAYS,
        metrics: measured.iter().filter_map(|measured| measured.bounds).collect(),
    });
    Decided {
        verdict,
        traffic,
        need: longest(&needs).copied(),
        // Told where it comes before the other answer could.
        fall: to_keep.filter(|fall| fall.needed.days.is_some_and(|days| to_switch.is_none_or(|other| days < other))),
    }
}

/// The checks with what the verdict reads of them.
struct Verified {
    checks: Vec<Check>,
    srm_p: Option<f64>,
    ratings: Ratings,
    shortfall: Shortfall,
}

fn verify(question: &Question, evidence: &Evidence, sample: &Sample<'_>, measured: &[Measured]) -> Verified {
    let (planned, srm_p) = checks::sample_ratio(question, &evidence.randomised, &evidence.exposure).unzip();
    let (minimum, mut shortfall) = checks::minimum_evidence(question, sample, &evidence.coverage);
    let (response, ratings) = checks::response_rate(question, sample);
    let good = &measured[0];
    let (agreement, disagree) = checks::agreement(question, sample, good).unzip();
    if disagree == Some(true) {
        shortfall.lacks.push("ratings and behaviour that agree".to_owned());
    }
    let checks = [
        planned,
        checks::assignment(question, &evidence.coverage),
        Some(checks::crossover(question, &evidence.randomised)),
        Some(minimum),
        Some(checks::weekdays(&evidence.coverage)),
        Some(checks::collected(measured)),
        Some(checks::margins(measured)),
        Some(response),
        agreement,
        checks::activity(question, sample),
        checks::typical_user(question, sample, good),
        Some(checks::influence(question, sample, measured)),
        Some(checks::unverified(&evidence.coverage, evidence.trust)),
        checks::ambiguous(&evidence.coverage),
        checks::bots(question, &evidence.bots, good),
    ];
    Verified { checks: checks.into_iter().flatten().collect(), srm_p, ratings, shortfall }
}

/// Takes the say of the explicit metrics away where ratings are not comparable, and tells whether it did.
///
/// A louder audience is not a worse model, nor a quieter one a better. Only where thumbs up rose and thumbs down fell,
/// each for certain, does no common change of loudness explain it (dominance).
fn silence_ratings(measured: &mut [Measured], ratings: Ratings) -> bool {
    let explicit = |measured: &&Measured| measured.rule.is_explicit && measured.bounds.is_some();
    let n_explicit = measured.iter().filter(explicit).count();
    let n_better =
        measured.iter().filter(explicit).filter(|m| m.bounds.is_some_and(|bounds| bounds.is_better())).count();
    if ratings == Ratings::Comparable || n_explicit == 0 || n_better == 2 {
        return false;
    }
    measured.iter_mut().filter(|measured| measured.rule.is_explicit).for_each(Measured::silence);
    true
}

/// The smallest over the must-pass metrics: the plan is not reached before each of them has reached it.
fn info_fraction(measured: &[Measured]) -> f64 {
    let smallest = measured
        .iter()
        .filter(|measured| measured.bounds.is_some())
        .map(|measured| measured.info_fraction)
        .fold(f64::INFINITY, f64::min);
    if smallest.is_finite() { smallest } else { 0.0 }
}

fn traffic(question: &Question, evidence: &Evidence, sample: &Sample<'_>, n_must_pass: usize) -> Traffic {
    let span = evidence
        .coverage
        .first_at
        .zip(evidence.coverage.last_at)
        .map_or(0.0, |(first, last)| (last - first).num_seconds() as f64 / 86_400.0);
    let n_users = sample.counts.n_distinct() as f64;
    Traffic { n_users, users_per_day: n_users / span.max(1.0), alpha: question.alpha, n_must_pass }
}

fn sooner(left: Option<f64>, right: Option<f64>) -> Option<f64> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left.min(right)),
        (left, right) => left.or(right),
    }
}

/// Days until a switch if the sides are truly equal; nothing where no number of days brings one.
fn days_to_switch(measured: &[Measured], needs: &[Need], traffic: &Traffic, verified: &Verified) -> Option<f64> {
    if measured.iter().all(|measured| measured.bounds.is_none()) {
        return None;
    }
    let behaviour_is_open = measured.iter().any(|measured| measured.is_open() && !measured.rule.is_explicit);
    let ratings_block = measured.iter().any(|measured| measured.is_open() && measured.rule.is_explicit);
    if verified.ratings == Ratings::Incomparable && ratings_block && !behaviour_is_open {
        return None;
    }
    let for_evidence = traffic.days_for(verified.shortfall.n_users)?.max(verified.shortfall.n_days);
    needs.iter().try_fold(for_evidence, |longest, need| Some(longest.max(need.if_equal.days?)))
}

fn side(name: &SideName, tallies: &[&UnitTally]) -> Side {
    let sum = |count: fn(&UnitTally) -> i64| tallies.iter().map(|tally| count(tally)).sum::<i64>() as u64;
    Side {
        name: name.name.clone(),
        model: name.model.clone(),
        n_users: tallies.len() as u64,
        n_completions: sum(|tally| tally.n_completions),
        n_turns: sum(|tally| tally.n_turns),
        n_seen: sum(|tally| tally.n_seen),
        n_any_signal: sum(|tally| tally.n_any_signal),
        n_explicit: sum(|tally| tally.n_explicit),
        n_wrote: sum(|tally| tally.n_wrote),
    }
}

fn preference(choices: &Choices, alpha: f64) -> Option<Preference> {
    let (n_wins, n_losses, n_ties) = (choices.n_wins as u64, choices.n_losses as u64, choices.n_ties as u64);
    if n_wins + n_losses + n_ties == 0 {
        return None;
    }
    let test = sign_test(n_wins, n_losses, n_ties, 2.0 * alpha)?;
    Some(Preference {
        n_wins,
        n_losses,
        n_ties,
        share: test.share_b.estimate,
        interval: Some(Interval { low: test.share_b.low, high: test.share_b.high }),
        p: Some(test.p),
    })
}
