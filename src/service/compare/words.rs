//! The words of a comparison: numbers for readers, and the sentences of the verdict.
//!
//! It must not compute anything that decides: it is given the verdict and tells it with its limit and its numbers.

use super::depth::segments::Except;
use super::metrics::{Measured, Rule};
use super::outlook::{DAYS_AHEAD, Fall, MAX_DAYS, Need, Traffic};
use super::question::Question;
use crate::domain::experiment::Unit;
use crate::report::comparison::{Check, CheckStatus, Comparison, Conclusion};
use crate::stats::Direction;
use crate::stats::verdict::{Verdict, VerdictCode, VerdictReason};

/// All that the words are made of.
#[derive(Debug)]
pub(super) struct Story<'a> {
    pub(super) question: &'a Question,
    pub(super) verdict: Verdict,
    pub(super) measured: &'a [Measured],
    pub(super) checks: &'a [Check],
    pub(super) traffic: Traffic,
    /// The open metric that takes longest.
    pub(super) need: Option<Need>,
    /// The loss that would be shown before that, if the present difference is the true one.
    pub(super) fall: Option<Fall>,
    /// What a switch lacks besides its intervals.
    pub(super) lacks: &'a [String],
    /// Whether ratings were silenced.
    pub(super) ratings_are_silent: bool,
    /// The part of the traffic but for which one can switch.
    pub(super) except: Option<&'a Except>,
}

/// Tells the verdict.
pub(super) fn tell(story: &Story<'_>) -> Conclusion {
    let Verdict { code, reason } = story.verdict;
    let withholds_numbers = code == VerdictCode::Invalid;
    Conclusion { code, reason, sentence: story.sentence(), rule: story.rule(), next: story.next(), withholds_numbers }
}

impl Story<'_> {
    fn sentence(&self) -> String {
        let (control, candidate) = (self.question.control.label(), self.question.candidate.label());
        let told = match self.verdict.reason {
            VerdictReason::SampleRatioMismatch => format!("Do not read this: {}", self.detail_of("sample_ratio")),
            VerdictReason::Crossover => format!("Do not read this: {}", self.detail_of("crossover")),
            VerdictReason::WorseThanMargin => {
                let loss = self.worst().map_or_else(String::new, |worst| loss(worst, candidate));
                format!("{}{loss} {}", self.opening(control), self.error_rate_of_any())
            }
            VerdictReason::NotShown => {
                let lagging = self.beyond_margin().map_or_else(String::new, comparison);
                format!(
                    "{}The planned amount of data is in, and {candidate} is not shown to be good enough. {lagging}",
                    self.opening(control)
                )
            }
            VerdictReason::Better | VerdictReason::SmallCost | VerdictReason::NonInferior => {
                let shown = self.shown_for_switch().map_or_else(String::new, comparison);
                format!("{}{shown} {} {}", self.opening(candidate), self.error_rate(), self.checks_passed())
            }
            VerdictReason::ExceptSegment => self.except.map_or_else(String::new, |except| self.except_told(except)),
            VerdictReason::TooLong => self.too_long(),
            VerdictReason::DurationUnknown => self.unknown(),
            VerdictReason::TooLittleEvidence => {
                let shown = self.shown_for_switch().map_or_else(String::new, comparison);
                format!("Keep collecting. Every limit holds so far, but a switch lacks {}. {shown}", join(self.lacks))
            }
            VerdictReason::Undecided => self.undecided(),
        };
        told.trim_end().to_owned()
    }

    /// Opens a decision; without assignment it only leans.
    fn opening(&self, name: &str) -> String {
        match (self.verdict.code, self.verdict.reason) {
            (VerdictCode::Switch, VerdictReason::Better) => format!("You can switch to {name}, and it is better. "),
            (VerdictCode::Switch, VerdictReason::SmallCost) => {
                format!("You can switch to {name}, at a cost within the limits. ")
            }
            (VerdictCode::Switch, _) => format!("You can switch to {name}. "),
            (VerdictCode::Keep, _) => format!("Keep {name}. "),
            (VerdictCode::LeanSwitch, _) => {
                format!("Leaning to switch to {name}, which nothing randomised can confirm. ")
            }
            _ => format!("Leaning to keep {name}, which nothing randomised can confirm. "),
        }
    }

    /// Tells what stays, what it would lose, and that everything else passes. The part was picked after looking at all of
    /// them, so that the error rate is that of all of them together.
    fn except_told(&self, except: &Except) -> String {
        let (control, candidate) = (self.question.control.label(), self.question.candidate.label());
        let property = match except.by.as_str() {
            "prompt_length" => "first prompt",
            word => word,
        };
        let part = format!("{} ({property})", join(&except.values));
        let elsewhere = except.elsewhere.first().map_or_else(String::new, comparison);
        format!(
            "You can switch to {candidate} except for {part}, which stays with {control}: there {} Everywhere else: \
             {elsewhere} {}",
            loss(&except.harmed, candidate),
            self.error_rate_told("at most ", (self.question.alpha * except.n_looked_at.max(1) as f64).min(1.0)),
        )
    }

    fn too_long(&self) -> String {
        let Some(need) = &self.need else { return format!("Cannot tell. A switch lacks {}.", join(self.lacks)) };
        let unit = units(self.question.unit);
        format!(
            "Cannot tell at this traffic: at {} {unit} a day, {} need another {}. In {DAYS_AHEAD} days you can prove a \
             limit of {} per {}. {}",
            at_least_one(self.traffic.users_per_day),
            need.rule.many,
            need.if_equal.days.map_or_else(|| "unknown time".to_owned(), duration),
            rate(need.provable_ahead, need.rule.per),
            thousands(need.rule.per.into()),
            self.measure_told(need.rule),
        )
    }

    fn unknown(&self) -> String {
        if self.measured.iter().all(|measured| measured.bounds.is_none()) {
            return "Cannot tell: nobody has reacted to an answer of either side, so there is nothing to compare."
                .to_owned();
        }
        if self.ratings_are_silent {
            let behaviour = self.shown_for_switch().map_or_else(String::new, comparison);
            return format!(
                "Cannot tell from volunteered ratings: {} What people do is within its limits. {behaviour}",
                self.detail_of("response_rate")
            );
        }
        "Cannot tell: nobody new arrives, so that the present answer is the last.".to_owned()
    }

    fn undecided(&self) -> String {
        if let Some(fall) = &self.fall {
            return format!(
                "Keep collecting. {} look worse than their limit: about {} more {} ({}) show it if the present \
                 difference is real. {}",
                fall.rule.title,
                thousands(fall.needed.users_additional),
                units(self.question.unit),
                fall.needed.days.map_or_else(|| "unknown time".to_owned(), duration),
                self.measure_told(fall.rule),
            );
        }
        let Some(need) = &self.need else {
            return format!("Keep collecting. A switch still lacks {}.", self.lacks_or("ratings that can be compared"));
        };
        let unit = units(self.question.unit);
        let days = need.if_equal.days.map_or_else(String::new, |days| format!(" ({})", duration(days)));
        let as_now = match &need.if_as_now {
            Some(needed) => format!("; {} if the present difference is real", thousands(needed.users_additional)),
            None => "; no number of them if the present difference is real".to_owned(),
        };
        let leaning = need.p_acceptable.map_or_else(String::new, |p| {
            if p >= 0.5 {
                format!(" Leaning: acceptable ({}).", percent(p, 0))
            } else {
                format!(" Leaning: not acceptable ({}).", percent(1.0 - p, 0))
            }
        });
        format!(
            "Keep collecting. About {} more {unit}{days} if the two are truly equal{as_now}. {}{leaning}",
            thousands(need.if_equal.users_additional),
            self.measure_told(need.rule),
        )
    }

    fn rule(&self) -> String {
        let text = match self.verdict.reason {
            VerdictReason::SampleRatioMismatch => "The sides did not get their planned shares (p < 0.001).",
            VerdictReason::Crossover => "More than 5% of the units were served by both sides.",
            VerdictReason::WorseThanMargin => "The whole interval of a must-pass metric is beyond its limit.",
            VerdictReason::Better => {
                "Every must-pass interval is within its limit, and one of the main metrics is better for certain."
            }
            VerdictReason::SmallCost => {
                "Every must-pass interval is within its limit, and one of them is worse than before for certain."
            }
            VerdictReason::NonInferior => "Every must-pass interval is within its limit.",
            VerdictReason::ExceptSegment => {
                "In one part of the traffic a whole interval is beyond its limit; in the rest, taken together, every \
                 must-pass interval is within it."
            }
            VerdictReason::NotShown => "The planned information is there, and an estimate is at or beyond its limit.",
            VerdictReason::TooLong => "An interval still reaches its limit, and will for more than 90 days.",
            VerdictReason::DurationUnknown => "An interval still reaches its limit, and no time can be given.",
            VerdictReason::TooLittleEvidence => "Every interval is within its limit, on too little evidence.",
            VerdictReason::Undecided => "An interval still reaches its limit.",
        };
        text.to_owned()
    }

    fn next(&self) -> Option<String> {
        let text = match self.verdict.reason {
            VerdictReason::SampleRatioMismatch => {
                "Find out which units are lost: completions that one side does not record, retries that change the \
                 variant, or an assignment other than the planned one. Then start the experiment again."
                    .to_owned()
            }
            VerdictReason::Crossover => {
                "Make the assignment stick, and find the fallbacks that answer with the other side's model.".to_owned()
            }
            VerdictReason::WorseThanMargin | VerdictReason::NotShown => return self.unrandomised(),
            VerdictReason::Better | VerdictReason::SmallCost | VerdictReason::NonInferior => {
                return self.unrandomised();
            }
            VerdictReason::ExceptSegment => {
                "Route that part to the control and the rest to the candidate, and compare again.".to_owned()
            }
            VerdictReason::TooLong => {
                "Send more traffic to the smaller side, ask for ratings at random, or decide whether a wider limit \
                 would do."
                    .to_owned()
            }
            VerdictReason::DurationUnknown if self.ratings_are_silent => {
                "Ask for ratings at random, with `rating_solicited` and `solicit_prob`: only then do they say the same \
                 of both sides."
                    .to_owned()
            }
            VerdictReason::DurationUnknown => "Record what people do: copies, regenerations, thumbs.".to_owned(),
            VerdictReason::TooLittleEvidence => format!("Collect {}.", join(self.lacks)),
            VerdictReason::Undecided => {
                format!(
                    "Look again whenever you like: the intervals allow for it. Nobody waits beyond {MAX_DAYS} days."
                )
            }
        };
        Some(text)
    }

    fn unrandomised(&self) -> Option<String> {
        (!self.question.is_randomised())
            .then(|| "Declare an experiment and assign users at random to know instead of lean.".to_owned())
    }

    /// The metric that is furthest beyond its limit, by its bound.
    fn worst(&self) -> Option<&Measured> {
        self.furthest(|bounds| bounds.high.filter(|high| *high < -bounds.margin))
    }

    /// The metric that is furthest beyond its limit, by its estimate.
    fn beyond_margin(&self) -> Option<&Measured> {
        self.furthest(|bounds| bounds.estimate.filter(|estimate| *estimate <= -bounds.margin))
    }

    fn furthest(&self, value: impl Fn(&crate::stats::verdict::MetricBounds) -> Option<f64>) -> Option<&Measured> {
        self.measured
            .iter()
            .filter_map(|measured| {
                let bounds = measured.bounds.as_ref()?;
                Some((measured, value(bounds)? / bounds.margin.max(f64::MIN_POSITIVE)))
            })
            .min_by(|left, right| left.1.total_cmp(&right.1))
            .map(|(measured, _)| measured)
    }

    /// The metric that a switch is told by: the one that became better, or worse, or else the first.
    fn shown_for_switch(&self) -> Option<&Measured> {
        let deciding = || self.measured.iter().filter(|measured| measured.bounds.is_some());
        let worse = || deciding().find(|measured| measured.bounds.is_some_and(|bounds| bounds.is_worse()));
        let better = || deciding().find(|measured| measured.bounds.is_some_and(|bounds| bounds.is_better()));
        match self.verdict.reason {
            VerdictReason::Better => better(),
            VerdictReason::SmallCost => worse(),
            _ => None,
        }
        .or_else(|| deciding().next())
    }

    /// Tells a metric's numbers, or why ratings have no say.
    fn measure_told(&self, rule: &Rule) -> String {
        if rule.is_explicit && self.ratings_are_silent {
            return self.detail_of("response_rate").to_owned();
        }
        self.measured.iter().find(|measured| measured.rule.name == rule.name).map_or_else(String::new, comparison)
    }

    fn detail_of(&self, check: &str) -> &str {
        self.checks.iter().find(|line| line.name == check).map_or("", |line| line.detail.as_str())
    }

    fn lacks_or(&self, otherwise: &str) -> String {
        if self.lacks.is_empty() { otherwise.to_owned() } else { join(self.lacks) }
    }

    fn error_rate(&self) -> String {
        self.error_rate_told("", self.question.alpha)
    }

    /// One metric beyond its limit is enough to keep the control, and the worst is picked out to be told: its claim is as
    /// wrong as any of theirs (Bonferroni), where a switch needs all of them to hold.
    fn error_rate_of_any(&self) -> String {
        let n_deciding = self.measured.iter().filter(|measured| measured.bounds.is_some()).count().max(1);
        let at_most = if n_deciding > 1 { "at most " } else { "" };
        self.error_rate_told(at_most, (self.question.alpha * n_deciding as f64).min(1.0))
    }

    fn error_rate_told(&self, at_most: &str, rate: f64) -> String {
        let by_chance = if self.question.is_randomised() { "" } else { " by chance alone" };
        format!("Error rate of this statement{by_chance}: {at_most}{}.", percent(rate, 1))
    }

    fn checks_passed(&self) -> String {
        let n_passed = self.checks.iter().filter(|check| check.status == CheckStatus::Pass).count();
        format!("Checks passed: {n_passed} of {}.", self.checks.len())
    }
}

/// Takes a switch back that holds for a candidate alone and not once all candidates are looked at together.
pub(super) fn hold_back(comparison: &mut Comparison, n_candidates: usize, p: Option<f64>) {
    let name = comparison.candidate.model.as_deref().unwrap_or(&comparison.candidate.name);
    let told = p.map_or_else(String::new, |p| format!(" (p = {} after Holm's correction)", p_value(p)));
    comparison.verdict = Conclusion {
        code: VerdictCode::KeepCollecting,
        reason: VerdictReason::Undecided,
        sentence: format!(
            "Keep collecting. {name} alone would be within every limit, but {n_candidates} candidates are {n_candidates} \
             chances to be wrong, and together they do not show it yet{told}."
        ),
        rule: "The bounds pass, and not after the correction for all candidates.".to_owned(),
        next: Some("Look again whenever you like: the intervals allow for it.".to_owned()),
        withholds_numbers: false,
    };
}

/// Tells by how much a metric is beyond its limit.
fn loss(measured: &Measured, candidate: &str) -> String {
    let rule = measured.rule;
    let Some((bounds, high)) = measured.bounds.and_then(|bounds| Some((bounds, bounds.high?))) else {
        return String::new();
    };
    let verb = match rule.direction {
        Direction::HigherIsBetter => "loses",
        Direction::LowerIsBetter => "adds",
    };
    let (least, limit) = apart(-high, bounds.margin, rule.per);
    format!(
        "{candidate} {verb} at least {least} {} per {} (limit {limit}): {} against {}, out of {} and {} turns.",
        rule.many,
        thousands(rule.per.into()),
        told_rate(measured.metric.candidate.estimate, rule),
        told_rate(measured.metric.control.estimate, rule),
        thousands(measured.metric.candidate.n as f64),
        thousands(measured.metric.control.n as f64),
    )
}

/// Tells both rates, the worst that the interval allows, and the limit.
fn comparison(measured: &Measured) -> String {
    let rule = measured.rule;
    let metric = &measured.metric;
    let margin = measured.bounds.map_or(0.0, |bounds| bounds.margin);
    let (fewer, more) = match rule.direction {
        Direction::HigherIsBetter => ("fewer", "more"),
        Direction::LowerIsBetter => ("more", "fewer"),
    };
    let (worst, limit) = match measured.bounds.and_then(|bounds| bounds.low) {
        None => ("how bad it may be cannot be said".to_owned(), rate(margin, rule.per)),
        Some(low) if low > 0.0 => (format!("at least {} {more}", rate(low, rule.per)), rate(margin, rule.per)),
        Some(low) => {
            let (worst, limit) = apart(-low, margin, rule.per);
            (format!("at worst {worst} {fewer}"), limit)
        }
    };
    format!(
        "{}: {} against {} per {} turns; {worst} (limit {limit}), out of {} and {} turns.",
        rule.title,
        told_rate(metric.candidate.estimate, rule),
        told_rate(metric.control.estimate, rule),
        thousands(rule.per.into()),
        thousands(metric.candidate.n as f64),
        thousands(metric.control.n as f64),
    )
}

/// Writes a bound and the limit that it is held against with as many decimals as it takes to tell them apart.
fn apart(bound: f64, limit: f64, per: u32) -> (String, String) {
    let written = |decimals: usize| {
        let per = f64::from(per);
        (format!("{:.decimals$}", bound * per), format!("{:.decimals$}", limit * per))
    };
    let first = if limit * f64::from(per) < 0.95 { 2 } else { 1 };
    (first..6).map(written).find(|(bound, limit)| bound != limit).unwrap_or_else(|| written(6))
}

fn told_rate(estimate: Option<f64>, rule: &Rule) -> String {
    estimate.map_or_else(|| "-".to_owned(), |estimate| rate(estimate, rule.per))
}

/// Writes a proportion as a number per so many turns.
pub(super) fn rate(proportion: f64, per: u32) -> String {
    let value = proportion * f64::from(per);
    if value.abs() < 0.95 { format!("{value:.2}") } else { format!("{value:.1}") }
}

/// Writes a proportion in percent.
pub(in crate::service) fn percent(proportion: f64, decimals: usize) -> String {
    format!("{:.decimals$}%", proportion * 100.0)
}

/// Writes a p to two digits.
pub(super) fn p_value(p: f64) -> String {
    if p >= 0.001 { format!("{p:.3}") } else { format!("{p:.0e}") }
}

/// Writes a whole number with its thousands set apart.
pub(super) fn thousands(number: f64) -> String {
    crate::report::count::thousands(number.abs().ceil() as u64)
}

/// Writes a number of days in the unit that people would use.
pub(super) fn duration(days: f64) -> String {
    if days <= 1.0 {
        "1 day".to_owned()
    } else if days < 75.0 {
        format!("{:.0} days", days.ceil())
    } else if days < 36.0 * 30.44 {
        format!("{:.0} months", days / 30.44)
    } else if days < 100.0 * 365.25 {
        format!("{:.0} years", days / 365.25)
    } else {
        "100 years or more".to_owned()
    }
}

/// Writes a list as people do.
pub(in crate::service) fn join(items: &[String]) -> String {
    match items {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Names a unit in the plural.
pub(super) fn units(unit: Unit) -> &'static str {
    match unit {
        Unit::User => "users",
        Unit::Conversation => "conversations",
    }
}

fn at_least_one(per_day: f64) -> String {
    if per_day < 1.0 { "less than 1".to_owned() } else { thousands(per_day.floor()) }
}
