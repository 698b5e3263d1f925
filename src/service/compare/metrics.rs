//! The metrics: what each counts, whether it can block a switch, and its numbers with the bounds that decide.
//!
//! It must not know the other metrics, nor the words of the verdict.

use super::question::Question;
use super::sample::{Column, Sample};
use crate::report::comparison::{Difference, Margin, Metric, Rate, Role, Status};
use crate::stats::cluster::{ClusteredDifference, ClusteredRates, RelativeContrast};
use crate::stats::ratio::{PairedUser, ratio_diff_paired};
use crate::stats::sequential::{Spending, information_fraction, look_multiplier};
use crate::stats::verdict::{MetricBounds, MetricRole};
use crate::stats::{Direction, Interval, Multiplier};
use crate::store::tallies::UnitTally;
use crate::store::turns::Outcomes;

/// Chance to decide in favour of an equal candidate that everything is planned for.
pub(super) const POWER: f64 = 0.8;
/// Smallest absolute margin: a relative margin that comes to less cannot be proved with any usual traffic, so this one
/// takes its place, and the report says so.
pub(super) const MARGIN_FLOOR: f64 = 0.002;
/// Margin that tells a metric without one how much information there is.
const MARGIN_OF_THE_SHOWN: f64 = 0.10;
/// Fewer events, or fewer turns without one, than this on a side are too few for the paired form alone.
const MIN_EVENTS_OF_PAIRED: f64 = 20.0;

/// What a metric may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::service) enum Standing {
    /// Must pass, and may show that the candidate is better.
    Primary,
    /// Must pass.
    Guardrail,
    /// Is shown and told better or worse.
    Shown,
    /// Is shown without a judgement: more of it is neither good nor bad.
    Unjudged,
}

/// Definition of a metric.
#[derive(Debug)]
pub(in crate::service) struct Rule {
    pub(in crate::service) name: &'static str,
    pub(in crate::service) title: &'static str,
    definition: &'static str,
    pub(in crate::service) standing: Standing,
    pub(in crate::service) direction: Direction,
    /// Default margin as a share of the control's rate.
    margin: Option<f64>,
    /// Whether it counts what people said, rather than what they did.
    pub(super) is_explicit: bool,
    /// Turns that a rate is told per.
    pub(super) per: u32,
    /// What a reader counts, in the plural.
    pub(super) many: &'static str,
    /// What a reader must know of the metric, where that is not the usual.
    note: Option<&'static str>,
    pub(super) count: fn(&UnitTally) -> i64,
    /// The same, of one turn.
    pub(in crate::service) happened: fn(Outcomes) -> bool,
}

const GOOD_TURN: Rule = Rule {
    name: "good_turn",
    title: "Good turns",
    definition: "Copied, accepted or rated up, and neither regenerated nor rated down.",
    standing: Standing::Primary,
    direction: Direction::HigherIsBetter,
    margin: Some(0.05),
    is_explicit: false,
    per: 100,
    many: "good turns",
    note: None,
    count: |tally| tally.n_good,
    happened: Outcomes::is_good,
};

const BAD_TURN: Rule = Rule {
    name: "bad_turn",
    title: "Bad turns",
    definition: "Regenerated or rated down.",
    standing: Standing::Primary,
    direction: Direction::LowerIsBetter,
    margin: Some(0.10),
    is_explicit: false,
    per: 100,
    many: "bad turns",
    note: None,
    count: |tally| tally.n_bad,
    happened: Outcomes::is_bad,
};

/// Every metric, must-pass ones first.
pub(in crate::service) static RULES: [Rule; 8] = [
    GOOD_TURN,
    BAD_TURN,
    Rule {
        name: "thumb_up",
        title: "Thumbs up",
        definition: "Rated up; a turn without a rating counts as not rated up.",
        standing: Standing::Guardrail,
        direction: Direction::HigherIsBetter,
        margin: Some(0.15),
        is_explicit: true,
        per: 1000,
        many: "thumbs up",
        note: None,
        count: |tally| tally.n_up,
        happened: |it| it.has(Outcomes::UP),
    },
    Rule {
        name: "thumb_down",
        title: "Thumbs down",
        definition: "Rated down; a turn without a rating counts as not rated down.",
        standing: Standing::Guardrail,
        direction: Direction::LowerIsBetter,
        margin: Some(0.15),
        is_explicit: true,
        per: 1000,
        many: "thumbs down",
        note: None,
        count: |tally| tally.n_down,
        happened: |it| it.has(Outcomes::DOWN),
    },
    Rule {
        name: "copy",
        title: "Copied",
        definition: "Some or all of the answer was copied.",
        standing: Standing::Shown,
        direction: Direction::HigherIsBetter,
        margin: None,
        is_explicit: false,
        per: 100,
        many: "copied turns",
        note: None,
        count: |tally| tally.n_copied,
        happened: |it| it.has(Outcomes::COPIED),
    },
    Rule {
        name: "regenerate",
        title: "Regenerated",
        definition: "Another answer to the same prompt was asked for.",
        standing: Standing::Shown,
        direction: Direction::LowerIsBetter,
        margin: None,
        is_explicit: false,
        per: 100,
        many: "regenerated turns",
        note: None,
        count: |tally| tally.n_regenerated,
        happened: |it| it.has(Outcomes::REGENERATED),
    },
    Rule {
        name: "continuation",
        title: "Carried on",
        definition: "The conversation went on; it may do so after a good answer as well as after a bad one.",
        standing: Standing::Unjudged,
        direction: Direction::HigherIsBetter,
        margin: None,
        is_explicit: false,
        per: 100,
        many: "turns carried on from",
        note: Some("Not judged: more of it is neither good nor bad."),
        count: |tally| tally.n_continued,
        happened: |it| it.has(Outcomes::CONTINUED),
    },
    Rule {
        name: "rated",
        title: "Rated",
        definition: "Rated up or down: how many people answer, not what they think.",
        standing: Standing::Unjudged,
        direction: Direction::HigherIsBetter,
        margin: None,
        is_explicit: false,
        per: 1000,
        many: "rated turns",
        note: Some("Not judged: more of it is neither good nor bad."),
        count: |tally| tally.n_rated,
        happened: Outcomes::is_rated,
    },
];

/// Good and bad turns by what people did alone: they take the place of the first two of [`RULES`] where ratings cannot be
/// compared, because a louder audience adds to the bad turns, and a quieter one takes from the good.
pub(super) static BY_BEHAVIOUR: [Rule; 2] = [
    Rule {
        definition: "Copied or accepted, and not regenerated.",
        note: BY_BEHAVIOUR_ALONE,
        count: |tally| tally.n_taken,
        happened: Outcomes::is_taken,
        ..GOOD_TURN
    },
    Rule {
        definition: "Regenerated.",
        note: BY_BEHAVIOUR_ALONE,
        count: |tally| tally.n_regenerated,
        happened: |it| it.has(Outcomes::REGENERATED),
        ..BAD_TURN
    },
];

const BY_BEHAVIOUR_ALONE: Option<&str> = Some("By behaviour alone: ratings are not comparable between the two.");

/// Returns the default margin of a metric.
pub(super) fn default_margin(name: &str) -> Option<f64> {
    RULES.iter().find(|rule| rule.name == name).and_then(|rule| rule.margin)
}

/// Numbers of one metric.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) rule: &'static Rule,
    pub(super) metric: Metric,
    /// What the verdict reads; nothing for a metric that decides nothing.
    pub(super) bounds: Option<MetricBounds>,
    /// Standard error of the contrast that decides.
    pub(super) se: Option<f64>,
    /// Standard error of the plain difference.
    pub(super) se_of_difference: Option<f64>,
    /// Information now over the planned information.
    pub(super) info_fraction: f64,
    /// Number of standard errors that the deciding interval reaches.
    pub(super) multiplier: Option<f64>,
    /// Whether it would have to pass, had anything been counted.
    pub(super) is_uncounted: bool,
}

impl Measured {
    /// Computes a metric from the tallies.
    pub(super) fn of(rule: &'static Rule, sample: &Sample<'_>, question: &Question) -> Self {
        let column = sample.column(rule.count);
        let rates = ClusteredRates::of(&column.control.users(), &column.candidate.users());
        let margin = rates.and_then(|rates| margin_of(rule, &rates, question));
        let numbers = rates.map(|rates| Numbers::of(rule, &column, rates, margin, sample.is_paired(), question.alpha));
        let n_events = column.control.n_events() + column.candidate.n_events();
        let must_pass = matches!(rule.standing, Standing::Primary | Standing::Guardrail);
        // A reaction that nobody ever had on either side is one that nothing collects: to let it block would make every
        // switch impossible, and to let it pass would be a claim about nothing.
        let decides = must_pass && n_events > 0.0;
        let bounds = numbers.as_ref().filter(|_| decides).map(|numbers| numbers.bounds);
        let role = if decides { Role::MustPass } else { Role::Secondary };
        let metric = Metric {
            name: rule.name,
            title: rule.title,
            definition: rule.definition,
            role,
            is_judged: rule.standing != Standing::Unjudged,
            higher_is_better: rule.direction == Direction::HigherIsBetter,
            control: rate(&column.control, numbers.as_ref().and_then(|numbers| numbers.around_a)),
            candidate: rate(&column.candidate, numbers.as_ref().and_then(|numbers| numbers.around_b)),
            difference: Difference {
                estimate: rates.map(|rates| rates.rate_b - rates.rate_a),
                interval: numbers.as_ref().and_then(|numbers| numbers.drawn(rule.direction)),
                method: numbers.as_ref().map_or("none", |numbers| numbers.method),
            },
            margin,
            status: numbers.as_ref().map_or(Status::Undecided, |numbers| status(rule, &numbers.bounds, decides)),
            note: rule.note,
        };
        Self {
            rule,
            metric,
            bounds,
            se: numbers.as_ref().and_then(|numbers| numbers.se),
            se_of_difference: numbers.as_ref().and_then(|numbers| numbers.se_of_difference),
            info_fraction: numbers.as_ref().map_or(0.0, |numbers| numbers.info_fraction),
            multiplier: numbers.as_ref().and_then(|numbers| numbers.multiplier),
            is_uncounted: must_pass && !decides,
        }
    }

    /// Takes the metric's say away, for ratings that cannot be compared: it can then neither pass nor fail.
    pub(super) fn silence(&mut self) {
        if let Some(bounds) = &mut self.bounds {
            (bounds.estimate, bounds.low, bounds.high, bounds.difference) = (None, None, None, None);
            self.metric.status = Status::Undecided;
            self.metric.note = Some("Not judged: ratings are not comparable between the two.");
        }
    }

    /// Tells whether the metric must pass and does not yet.
    pub(super) fn is_open(&self) -> bool {
        self.bounds.is_some_and(|bounds| !bounds.is_non_inferior())
    }
}

fn margin_of(rule: &Rule, rates: &ClusteredRates, question: &Question) -> Option<Margin> {
    let relative = question.margin(rule.name)?;
    let absolute = relative * rates.rate_a;
    Some(Margin { relative, absolute: absolute.max(MARGIN_FLOOR), below_floor: absolute < MARGIN_FLOOR })
}

fn rate(totals: &super::sample::Totals, interval: Option<Interval>) -> Rate {
    let n = totals.n_turns();
    Rate { n: n as u64, n_users: totals.d.len() as u64, estimate: (n > 0.0).then(|| totals.n_events() / n), interval }
}

fn status(rule: &Rule, bounds: &MetricBounds, decides: bool) -> Status {
    if rule.standing == Standing::Unjudged {
        return Status::Undecided;
    }
    if bounds.is_worse_than_margin() {
        Status::Worse
    } else if bounds.is_better() {
        Status::Better
    } else if decides && bounds.is_non_inferior() {
        Status::NonInferior
    } else {
        Status::Undecided
    }
}

/// Everything that is computed from the rates of both sides.
pub(super) struct Numbers {
    pub(super) bounds: MetricBounds,
    /// Candidate minus control.
    pub(super) difference: f64,
    around_a: Option<Interval>,
    around_b: Option<Interval>,
    se: Option<f64>,
    se_of_difference: Option<f64>,
    info_fraction: f64,
    multiplier: Option<f64>,
    /// The deciding interval as it would be for one look only, drawn.
    pub(super) once: Option<Interval>,
    method: &'static str,
}

impl Numbers {
    /// Computes the numbers of one metric from any column of its counts; nothing where a side has no turns.
    pub(super) fn of_column(rule: &Rule, column: &Column, is_paired: bool, question: &Question) -> Option<Self> {
        let rates = ClusteredRates::of(&column.control.users(), &column.candidate.users())?;
        let margin = margin_of(rule, &rates, question);
        Some(Self::of(rule, column, rates, margin, is_paired, question.alpha))
    }

    fn of(
        rule: &Rule,
        column: &Column,
        rates: ClusteredRates,
        margin: Option<Margin>,
        is_paired: bool,
        alpha: f64,
    ) -> Self {
        let direction = rule.direction;
        // Share of the control's rate that the candidate's is held against.
        let relative = margin.filter(|margin| !margin.below_floor).map(|margin| margin.relative);
        let scale = match (relative, direction) {
            (None, _) => 1.0,
            (Some(margin), Direction::HigherIsBetter) => 1.0 - margin,
            (Some(margin), Direction::LowerIsBetter) => 1.0 + margin,
        };
        let error = |scale: f64| {
            if is_paired {
                ratio_diff_paired(&scaled(&column.paired, scale), Multiplier::Value(1.0)).se
            } else {
                let variance = |rate: f64, n_eff: f64| rate * (1.0 - rate) / n_eff;
                let (a, b) = (variance(rates.rate_a, rates.n_eff_a), variance(rates.rate_b, rates.n_eff_b));
                Some((b + scale * scale * a).sqrt())
            }
            .filter(|&se| se > 0.0)
        };
        let se = error(scale);
        let planned = margin.map_or((MARGIN_OF_THE_SHOWN * rates.rate_a).max(MARGIN_FLOOR), |margin| margin.absolute);
        let info_fraction = se.and_then(|se| information_fraction(se, planned, alpha, POWER)).unwrap_or(0.0);
        let multiplier = look_multiplier(&every_look(alpha, info_fraction), None);
        let reach = multiplier.map(Multiplier::Value);
        let pair = Pair { column, rates, is_paired, direction };
        let difference = ClusteredDifference {
            difference: rates.rate_b - rates.rate_a,
            interval: reach.and_then(|reach| pair.interval(None, 1.0, reach)),
        };
        let role = if rule.standing == Standing::Primary { MetricRole::Primary } else { MetricRole::Guardrail };
        let bounds = if let Some(margin) = relative {
            let contrast = RelativeContrast {
                contrast: direction.improvement(rates.rate_b - scale * rates.rate_a),
                margin: margin * rates.rate_a,
                interval: reach
                    .and_then(|reach| pair.interval(Some(margin), scale, reach))
                    .map(|interval| direction.improvement_interval(interval)),
            };
            MetricBounds::relative(role, &contrast, &difference, direction)
        } else {
            let absolute = margin.map_or(0.0, |margin| margin.absolute);
            MetricBounds::absolute(role, difference.difference, difference.interval, absolute, direction)
        };
        let once = pair.interval(relative, scale, Multiplier::Alpha(2.0 * alpha)).map(|interval| {
            // A contrast reads as a difference once it is moved by its margin.
            let moved = direction.improvement(relative.map_or(0.0, |margin| margin * rates.rate_a));
            Interval { low: interval.low - moved, high: interval.high - moved }
        });
        Self {
            bounds,
            difference: difference.difference,
            around_a: reach.and_then(|reach| rates.interval_a(reach)),
            around_b: reach.and_then(|reach| rates.interval_b(reach)),
            se,
            se_of_difference: error(1.0),
            info_fraction,
            multiplier,
            once,
            method: pair.method(relative.is_some()),
        }
    }

    /// Returns the deciding interval as it is drawn: candidate minus control, not flipped.
    pub(super) fn drawn(&self, direction: Direction) -> Option<Interval> {
        let (low, high) = self.bounds.low.zip(self.bounds.high)?;
        Some(direction.improvement_interval(Interval { low, high }))
    }
}

/// Spends the whole error rate on bounds that hold at every look. The one fixed look of the hybrid rule needs a memory
/// of whether it was used; a comparison that is computed when somebody asks has none, and must not take it each time.
fn every_look(alpha: f64, info_fraction: f64) -> Spending {
    Spending { alpha, alpha_seq_share: 1.0, info_fraction, fixed_look_used: true }
}

fn scaled(units: &[PairedUser], scale: f64) -> Vec<PairedUser> {
    units.iter().map(|unit| PairedUser { y_a: unit.y_a * scale, ..*unit }).collect()
}

/// Both sides with the form that their interval takes.
struct Pair<'a> {
    column: &'a Column,
    rates: ClusteredRates,
    is_paired: bool,
    direction: Direction,
}

impl Pair<'_> {
    /// Computes the interval of `R_b - scale·R_a`, un-flipped; `margin` is the relative margin that gave the scale.
    fn interval(&self, margin: Option<f64>, scale: f64, reach: Multiplier) -> Option<Interval> {
        let independent = || match margin {
            Some(margin) => {
                let contrast = self.rates.relative(margin, self.direction, reach).interval;
                contrast.map(|interval| self.direction.improvement_interval(interval))
            }
            None => self.rates.difference(reach).interval,
        };
        if !self.is_paired {
            return independent();
        }
        let paired = ratio_diff_paired(&scaled(&self.column.paired, scale), reach).interval;
        if !self.is_sparse() {
            return paired;
        }
        let (paired, independent) = (paired?, independent()?);
        Some(Interval { low: paired.low.min(independent.low), high: paired.high.max(independent.high) })
    }

    /// Tells whether some side has too few events, or too few turns without one, for a normal interval.
    fn is_sparse(&self) -> bool {
        [&self.column.control, &self.column.candidate].into_iter().any(|side| {
            let n_events = side.n_events();
            n_events.min(side.n_turns() - n_events) < MIN_EVENTS_OF_PAIRED
        })
    }

    fn method(&self, is_relative: bool) -> &'static str {
        match (self.is_paired, self.is_sparse(), is_relative) {
            (false, _, false) => "cluster_newcombe",
            (false, _, true) => "cluster_newcombe_relative",
            (true, false, false) => "ratio_diff_paired",
            (true, false, true) => "ratio_diff_paired_relative",
            (true, true, false) => "wider_of_paired_and_newcombe",
            (true, true, true) => "wider_of_paired_and_newcombe_relative",
        }
    }
}
