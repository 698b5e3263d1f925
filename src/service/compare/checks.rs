//! The validity checks: each a named line with its numbers, and what the verdict has to know of them.
//!
//! It must not know the verdict.

use super::bots::Bots;
use super::depth::ratings::UP_SHARE_MARGIN;
use super::metrics::{Measured, RULES, Rule};
use super::question::Question;
use super::sample::{Sample, UnitCounts};
use super::words::{join, p_value, percent, rate, thousands as count, units};
use crate::domain::experiment::Unit;
use crate::domain::trust::{TrustFilter, TrustRule};
use crate::report::comparison::over_time::ExposureDay;
use crate::report::comparison::{Check, CheckStatus};
use crate::stats::Multiplier;
use crate::stats::cluster::ClusteredRates;
use crate::stats::jackknife::ratio_jackknife;
use crate::stats::ratio::{ratio_diff_paired, welch_t};
use crate::stats::response::{Thumbs, response_bias_or};
use crate::stats::srm::{srm_chi2, srm_sequential};
use crate::stats::verdict::{MAX_CROSSOVER_SHARE, SRM_ALARM_P};
use crate::store::tallies::{Coverage, UnitTally};

pub(super) const MIN_USERS: u64 = 100;
const MIN_TURNS_OF_A_KIND: f64 = 20.0;
pub(super) const MIN_DAYS: i64 = 7;
/// Prior weight of the planned shares in the anytime-valid test: it expects deviations of about five points.
const SRM_CONCENTRATION: f64 = 100.0;
const CROSSOVER_WARNING: f64 = 0.01;
const MAX_RELATIVE_RESPONSE: f64 = 0.10;
const MAX_INFLUENCE_SE: f64 = 0.5;

/// Checks whose lines hold rates of the sides, or how these differ.
pub(super) const TELLS_RATES: [&str; 10] = [
    "margins",
    "response_rate",
    "agreement",
    "activity",
    "typical_user",
    "influence",
    "trend",
    "composition",
    "hidden_cause",
    "bots",
];

/// Puts a line together.
pub(super) fn line(name: &'static str, title: &'static str, status: CheckStatus, detail: String) -> Check {
    Check { name, title, status, detail }
}

fn pass_unless(bad: bool, otherwise: CheckStatus) -> CheckStatus {
    if bad { otherwise } else { CheckStatus::Pass }
}

/// Tests the planned shares of an experiment; gives the smaller p of the fixed and of the anytime-valid test. The latter is
/// the smallest of all days so far: what was once known to be wrong does not become right.
pub(super) fn sample_ratio(question: &Question, counts: &UnitCounts, days: &[ExposureDay]) -> Option<(Check, f64)> {
    let shares = question.experiment.as_ref()?.planned_shares;
    let observed = [counts.n_control as f64, counts.n_candidate as f64];
    let planned = [shares.0, shares.1];
    let fixed = srm_chi2(&observed, &planned)?.p;
    let mut so_far = [0.0; 2];
    let mut at_every_look = srm_sequential(&observed, &planned, SRM_CONCENTRATION)?.p;
    for day in days {
        so_far = [so_far[0] + day.n_control as f64, so_far[1] + day.n_candidate as f64];
        at_every_look = at_every_look.min(srm_sequential(&so_far, &planned, SRM_CONCENTRATION)?.p);
    }
    let worst_day = days
        .iter()
        .filter_map(|day| {
            let test = srm_chi2(&[day.n_control as f64, day.n_candidate as f64], &planned)?;
            Some((day, test.p * days.len() as f64))
        })
        .min_by(|left, right| left.1.total_cmp(&right.1));
    let odd_day = worst_day.filter(|(_, p)| *p < 10.0 * SRM_ALARM_P);
    let p = fixed.min(at_every_look);
    let share = counts.n_candidate as f64 / (observed[0] + observed[1]).max(1.0);
    let status = if p < SRM_ALARM_P {
        CheckStatus::Fail
    } else {
        pass_unless(p < 10.0 * SRM_ALARM_P || odd_day.is_some(), CheckStatus::Warn)
    };
    let unit = question.randomised.unwrap_or(Unit::User);
    let detail = format!(
        "{} of {} {} are in the candidate, planned {} (p = {}; valid at every look: p = {}).{}",
        percent(share, 1),
        count(observed[0] + observed[1]),
        units(unit),
        percent(shares.1, 1),
        p_value(fixed),
        p_value(at_every_look),
        odd_day.map_or_else(String::new, |(day, p)| format!(
            " On {} {} came to the control and {} to the candidate (p = {}, corrected for {} days).",
            day.day,
            day.n_control,
            day.n_candidate,
            p_value(p),
            days.len()
        )),
    );
    Some((line("sample_ratio", "Planned shares", status, detail), p))
}

/// Looks for units that met both sides.
pub(super) fn crossover(question: &Question, counts: &UnitCounts) -> Check {
    let share = counts.crossover_share();
    let unit = units(question.randomised.unwrap_or(question.unit));
    let met = format!("{} of {} {unit}", count(counts.n_crossed as f64), count(counts.n_distinct() as f64));
    let (status, detail) = if !question.is_randomised() {
        (CheckStatus::Pass, format!("{met} met both models; they are compared with themselves."))
    } else if share > MAX_CROSSOVER_SHARE {
        let detail = format!("{met} ({}) were served by both variants, more than 5%.", percent(share, 1));
        (CheckStatus::Fail, detail)
    } else {
        let status = pass_unless(share > CROSSOVER_WARNING, CheckStatus::Warn);
        (status, format!("{met} ({}) were served by both variants.", percent(share, 1)))
    };
    line("crossover", "Served by both", status, detail)
}

/// Says what an unassigned comparison cannot rule out.
pub(super) fn assignment(question: &Question, coverage: &Coverage) -> Option<Check> {
    if question.is_randomised() {
        return None;
    }
    let apart = coverage.n_days > 0 && coverage.n_days_both * 2 < coverage.n_days;
    let calendar = if apart {
        format!(
            " Both models answered on only {} of {} days: what changed in between counts as the model.",
            coverage.n_days_both, coverage.n_days
        )
    } else {
        String::new()
    };
    let detail = format!(
        "Nothing was assigned by chance: the users, tasks or times of the two models may differ, and no interval shows \
         it.{calendar}"
    );
    Some(line("assignment", "Assigned by chance", CheckStatus::Warn, detail))
}

/// Counts the days: people behave otherwise at weekends.
pub(super) fn weekdays(coverage: &Coverage) -> Check {
    let status = pass_unless(coverage.n_days < MIN_DAYS, CheckStatus::Warn);
    let detail = format!("{} with completions; a switch needs {MIN_DAYS}.", plural(coverage.n_days, "day", "days"));
    line("weekdays", "A whole week", status, detail)
}

/// What a switch lacks, whatever the intervals say.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Shortfall {
    /// What is missing, each as words that follow "it lacks".
    pub(super) lacks: Vec<String>,
    /// Units that have to come before there are enough.
    pub(super) n_users: f64,
    /// Days that have to pass before there are enough.
    pub(super) n_days: f64,
}

/// Counts users and turns against the least that a switch may rest on.
pub(super) fn minimum_evidence(question: &Question, sample: &Sample<'_>, coverage: &Coverage) -> (Check, Shortfall) {
    let mut shortfall = Shortfall::default();
    let unit = units(question.unit);
    let (n_a, n_b) = (sample.counts.n_control, sample.counts.n_candidate);
    if n_a.min(n_b) < MIN_USERS {
        shortfall.lacks.push(format!("{MIN_USERS} {unit} on each side ({n_a} and {n_b} so far)"));
        let total = (n_a + n_b).max(1) as f64;
        let smaller = n_a.min(n_b).max(1) as f64;
        shortfall.n_users = (MIN_USERS as f64 - smaller) * total / smaller;
    }
    let good = sample.column(RULES[0].count);
    let kinds = [
        ("good turns", good.control.n_events(), good.candidate.n_events()),
        (
            "turns that were not good",
            good.control.n_turns() - good.control.n_events(),
            good.candidate.n_turns() - good.candidate.n_events(),
        ),
    ];
    for (kind, a, b) in kinds {
        if a.min(b) < MIN_TURNS_OF_A_KIND {
            shortfall.lacks.push(format!(
                "{MIN_TURNS_OF_A_KIND} {kind} on each side ({} and {} so far)",
                count(a),
                count(b)
            ));
        }
    }
    let status = pass_unless(!shortfall.lacks.is_empty(), CheckStatus::Warn);
    let detail = if shortfall.lacks.is_empty() {
        format!(
            "{} and {} {unit}; at least {MIN_TURNS_OF_A_KIND} good turns and as many others on each side.",
            count(n_a as f64),
            count(n_b as f64)
        )
    } else {
        format!("A switch needs {}.", join(&shortfall.lacks))
    };
    if coverage.n_days < MIN_DAYS {
        shortfall.lacks.push(format!("{MIN_DAYS} days of data ({} so far)", coverage.n_days));
        shortfall.n_days = (MIN_DAYS - coverage.n_days) as f64;
    }
    (line("minimum_evidence", "Enough evidence", status, detail), shortfall)
}

/// Whether ratings of the two sides may be held against each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ratings {
    /// People answer equally often, as far as can be seen.
    Comparable,
    /// They may not; more data will tell.
    Doubtful,
    /// They do not, and more data will not help.
    Incomparable,
}

/// Compares how many turns are rated at all.
pub(super) fn response_rate(question: &Question, sample: &Sample<'_>) -> (Check, Ratings) {
    let rule: &Rule = &RULES[7];
    let column = sample.column(rule.count);
    let rates = ClusteredRates::of(&column.control.users(), &column.candidate.users());
    let (name, title) = ("response_rate", "Ratings comparable");
    let Some(rates) = rates.filter(|rates| rates.rate_a + rates.rate_b > 0.0) else {
        let detail = "Nobody rated anything on either side.".to_owned();
        return (line(name, title, CheckStatus::Pass, detail), Ratings::Comparable);
    };
    let reach = Multiplier::Alpha(2.0 * question.alpha);
    let interval = if sample.is_paired() {
        ratio_diff_paired(&column.paired, reach).interval
    } else {
        rates.difference(reach).interval
    };
    let difference = rates.rate_b - rates.rate_a;
    let excludes_zero = interval.is_some_and(|interval| interval.low > 0.0 || interval.high < 0.0);
    let is_large = difference.abs() > MAX_RELATIVE_RESPONSE * rates.rate_a;
    let told = format!(
        "{} against {} of {} turns are rated",
        rate(rates.rate_b, rule.per),
        rate(rates.rate_a, rule.per),
        count(rule.per.into())
    );
    let (status, ratings, end) = match (excludes_zero, is_large) {
        (true, _) => {
            (CheckStatus::Warn, Ratings::Incomparable, "; thumbs of the two sides cannot be held against each other.")
        }
        (false, true) => (
            CheckStatus::Warn,
            Ratings::Doubtful,
            "; that may be chance, but until it is known to be, thumbs decide nothing.",
        ),
        (false, false) => (CheckStatus::Pass, Ratings::Comparable, "."),
    };
    (line(name, title, status, format!("{told}{end}")), ratings)
}

/// Looks for ratings that say one thing while behaviour says another; gives whether they do.
pub(super) fn agreement(question: &Question, sample: &Sample<'_>, good: &Measured) -> Option<(Check, bool)> {
    let total = |tallies: &[&UnitTally], count: fn(&UnitTally) -> i64| {
        tallies.iter().map(|tally| count(tally)).sum::<i64>() as f64
    };
    let thumbs = Thumbs {
        up_a: total(&sample.control, |tally| tally.n_up),
        down_a: total(&sample.control, |tally| tally.n_down),
        up_b: total(&sample.candidate, |tally| tally.n_up),
        down_b: total(&sample.candidate, |tally| tally.n_down),
    };
    if thumbs.up_a + thumbs.down_a < 1.0 || thumbs.up_b + thumbs.down_b < 1.0 {
        return None;
    }
    let column = sample.column(RULES[7].count);
    let deff = ClusteredRates::of(&column.control.users(), &column.candidate.users())?.deff;
    let odds = response_bias_or(&thumbs, UP_SHARE_MARGIN, deff, 2.0 * question.alpha)?;
    let said = odds.ln_odds_ratio / odds.se;
    let did = good.metric.difference.estimate? / good.se?;
    let disagree = (said > 1.0 && did < -1.0) || (said < -1.0 && did > 1.0);
    let detail = format!(
        "Odds of a thumb up to a thumb down are {:.2} times the control's (interval {:.2} to {:.2}); good turns \
         go the {} way.",
        odds.odds_ratio,
        odds.interval.low,
        odds.interval.high,
        if said * did >= 0.0 {
            "same"
        } else if disagree {
            "other"
        } else {
            "other (within chance)"
        },
    );
    Some((
        line("agreement", "Ratings agree with behaviour", pass_unless(disagree, CheckStatus::Warn), detail),
        disagree,
    ))
}

/// Counts what nobody vouches for.
pub(super) fn unverified(coverage: &Coverage, trust: TrustRule) -> Check {
    let n = coverage.n_unverified;
    let detail = if n == 0 {
        "Every reaction is vouched for.".to_owned()
    } else {
        let reactions = plural(n, "reaction", "reactions");
        match trust.filter {
            TrustFilter::Verified => format!("{reactions} left out because nobody vouches for them."),
            TrustFilter::Any => format!("{reactions} counted although nobody vouches for them."),
        }
    };
    line("unverified", "Reactions vouched for", pass_unless(n > 0, CheckStatus::Warn), detail)
}

/// Counts what is filed under an alias of several completions, where there is any.
pub(super) fn ambiguous(coverage: &Coverage) -> Option<Check> {
    let n = coverage.n_ambiguous;
    let detail = format!(
        "{} left out: the alias that names the completion is carried by several.",
        plural(n, "reaction", "reactions")
    );
    (n > 0).then(|| line("ambiguous", "Reactions to one completion", CheckStatus::Warn, detail))
}

/// Looks for one unit that moves a must-pass metric by more than half a standard error.
pub(super) fn influence(question: &Question, sample: &Sample<'_>, measured: &[Measured]) -> Check {
    let most = measured
        .iter()
        .filter(|measured| measured.bounds.is_some())
        .filter_map(|measured| {
            let column = sample.column(measured.rule.count);
            let jackknife = ratio_jackknife(&column.control.users(), &column.candidate.users())?;
            Some((measured.rule, jackknife.influence?.shift / measured.se?))
        })
        .max_by(|left, right| left.1.total_cmp(&right.1));
    let (status, detail) = match most {
        None => (CheckStatus::Pass, "There is too little to tell.".to_owned()),
        Some((rule, shift)) => (
            pass_unless(shift > MAX_INFLUENCE_SE, CheckStatus::Warn),
            format!(
                "Without the most influential of the {}, {} move by {shift:.2} standard errors.",
                units(question.unit),
                rule.many
            ),
        ),
    };
    line("influence", "No single voice decides", status, detail)
}

/// Tells who was left out because no person does so much, and what the difference would be with them.
pub(super) fn bots(question: &Question, bots: &Bots, good: &Measured) -> Option<Check> {
    let everybody = bots.with_everybody.as_ref()?;
    let with = Measured::of(&RULES[0], &Sample::of(everybody), question);
    let told = |measured: &Measured| {
        measured.metric.difference.estimate.map_or_else(|| "-".to_owned(), |it| rate(it, RULES[0].per))
    };
    let detail = format!(
        "{} left out with {} (more than 200 completions or 50 thumbs of one direction on a day, or no time to read): good \
         turns differ by {} per 100 without them and by {} with them.",
        plural(bots.n_units as i64, question.unit.as_str(), units(question.unit)),
        plural(bots.n_turns as i64, "turn", "turns"),
        told(good),
        told(&with),
    );
    Some(line("bots", "People, not programs", CheckStatus::Warn, detail))
}

/// Compares how much the units of both sides do: every rate is out of turns, and turns react to quality.
pub(super) fn activity(question: &Question, sample: &Sample<'_>) -> Option<Check> {
    if sample.is_paired() {
        return None;
    }
    let per_unit = |tallies: &[&UnitTally]| tallies.iter().map(|tally| tally.n_completions as f64).collect::<Vec<_>>();
    let (a, b) = (per_unit(&sample.control), per_unit(&sample.candidate));
    let test = welch_t(&a, &b, Multiplier::Alpha(2.0 * question.alpha));
    let (mean_a, mean_b) = (mean(&a)?, mean(&b)?);
    let differs = test.p_two_sided.is_some_and(|p| p < 2.0 * question.alpha);
    let p = test.p_two_sided.map_or(String::new(), |p| format!(" (p = {})", p_value(p)));
    let detail = format!("{mean_b:.1} against {mean_a:.1} completions a {}{p}.", question.unit.as_str());
    Some(line("activity", "Equally active", pass_unless(differs, CheckStatus::Warn), detail))
}

/// Compares the typical unit with the heavy one, on good turns.
pub(super) fn typical_user(question: &Question, sample: &Sample<'_>, good: &Measured) -> Option<Check> {
    if sample.is_paired() {
        return None;
    }
    let share = |tallies: &[&UnitTally]| {
        tallies.iter().map(|tally| tally.n_good as f64 / tally.n_turns.max(1) as f64).collect::<Vec<_>>()
    };
    let view = welch_t(&share(&sample.control), &share(&sample.candidate), Multiplier::Alpha(2.0 * question.alpha));
    let (equal, t) = view.difference.zip(view.t)?;
    let by_turn = good.metric.difference.estimate?;
    let z = by_turn / good.se?;
    let disagree = equal * by_turn < 0.0 && t.abs() > 1.0 && z.abs() > 1.0;
    let unit = question.unit.as_str();
    let detail = format!(
        "Good turns differ by {:+.2} per 100 over all turns and by {:+.2} with every {unit} counting alike.",
        by_turn * 100.0,
        equal * 100.0
    );
    Some(line("typical_user", "Heavy and typical users agree", pass_unless(disagree, CheckStatus::Warn), detail))
}

/// Names metrics that decide nothing because nobody ever reacted in their way.
pub(super) fn collected(measured: &[Measured]) -> Check {
    let uncounted: Vec<String> = measured
        .iter()
        .filter(|measured| measured.is_uncounted)
        .map(|measured| measured.rule.many.to_owned())
        .collect();
    let (status, detail) = if uncounted.is_empty() {
        (CheckStatus::Pass, "Every metric that must pass was observed.".to_owned())
    } else {
        let detail = format!(
            "There are no {} on either side: they are taken as not collected, and decide nothing.",
            join(&uncounted)
        );
        (CheckStatus::Warn, detail)
    };
    line("collected", "Signals collected", status, detail)
}

/// Names margins that came to less than can be proved.
pub(super) fn margins(measured: &[Measured]) -> Check {
    let raised: Vec<String> = measured
        .iter()
        .filter(|measured| measured.bounds.is_some())
        .filter_map(|measured| {
            let margin = measured.metric.margin.filter(|margin| margin.below_floor)?;
            let own = margin.relative * measured.metric.control.estimate?;
            Some(format!("{} ({:.2} per 1,000)", measured.rule.many, own * 1000.0))
        })
        .collect();
    let (status, detail) = if raised.is_empty() {
        (CheckStatus::Pass, "Every margin is as it was set.".to_owned())
    } else {
        let detail = format!(
            "The margin of {} is too small to be provable; 2 per 1,000 turns stands in its place.",
            join(&raised)
        );
        (CheckStatus::Warn, detail)
    };
    line("margins", "Margins provable", status, detail)
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn plural(n: i64, one: &str, many: &str) -> String {
    format!("{} {}", count(n as f64), if n == 1 { one } else { many })
}
