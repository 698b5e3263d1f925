//! Plans an experiment: how many users and days a margin takes, from the traffic of a model or from numbers.
//!
//! It is the comparison of a model with its equal that has not happened yet: the same metrics, margins and bounds.

use super::bots::Bots;
use super::checks::{MIN_DAYS, MIN_USERS};
use super::metrics::{MARGIN_FLOOR, POWER, RULES, Rule, default_margin};
use super::open_lanes;
use super::outlook::MAX_DAYS;
use super::question::filters;
use super::words::{duration, join, percent, rate, thousands};
use crate::domain::clock::Timestamp;
use crate::domain::plan::{Basis, Numbers, PlanSpec};
use crate::domain::principal::Principal;
use crate::domain::selection::Selection;
use crate::domain::trust::TrustRule;
use crate::report::comparison::Margin;
use crate::report::plan::{Ahead, Needed, Plan, PlanBasis, PlannedMetric};
use crate::service::App;
use crate::service::detached::detached;
use crate::service::error::ServiceError;
use crate::stats::Users;
use crate::stats::planning::{Growth, Proof, Stretch};
use crate::stats::ratio::Ratio;
use crate::stats::sequential::LookRule;
use crate::store::projects;
use crate::store::tallies::TallyQuery;
use crate::store::turns::{self, Reading, Turns};

/// Days of past traffic that are looked at where nobody says which.
const DAYS_BACK: i64 = 28;
/// Moments at which the past traffic is summed up.
const MAX_STRETCHES: usize = 14;
/// Numbers of days for which it is told what could be shown.
const AHEAD: [i64; 4] = [7, 14, 60, 90];
const MS_OF_A_DAY: f64 = 86_400_000.0;

/// Plans an experiment on the caller's traffic, or on the numbers of the question.
///
/// A model without completions is [`ServiceError::NoData`]. Everything is read in one snapshot and nothing is written.
pub async fn plan(app: &App, principal: &Principal, spec: PlanSpec) -> Result<Plan, ServiceError> {
    let now = app.clock.now();
    let (control, selection) = match spec.basis.clone() {
        Basis::Numbers(numbers) => return of_numbers(&spec, &numbers, now),
        Basis::Traffic { control, selection } => (control, selection),
    };
    let selection = if selection.from.is_none() && selection.to.is_none() {
        Selection { from: now.checked_sub_days(chrono::Days::new(DAYS_BACK.unsigned_abs())), ..selection }
    } else {
        selection
    };
    let (app, project_id) = (app.clone(), principal.project_id);
    detached(async move {
        let mut tx = app.store.begin_snapshot("plan", project_id).await?;
        let used_at = projects::token_used_at(&mut tx, project_id).await?;
        let trust = TrustRule::settle(selection.trust, used_at);
        let mut lanes = open_lanes(&app, tx, project_id).await?;
        let query = TallyQuery {
            project_id,
            experiment: None,
            control: &control,
            candidate: &control,
            control_model: None,
            candidate_model: None,
            trust: trust.filter,
            selection: &selection,
        };
        let unit = crate::domain::experiment::Unit::User;
        let Reading { turns, .. } = turns::read(&mut lanes, &query, unit, unit).await?;
        for lane in lanes {
            lane.commit().await?;
        }
        let past = Past { control, selection, trust };
        tokio::task::spawn_blocking(move || of_traffic(&spec, past, turns, now))
            .await
            .map_err(|_| ServiceError::Internal("a plan was not computed"))?
    })
    .await
}

/// Whose traffic was read.
struct Past {
    control: String,
    selection: Selection,
    trust: TrustRule,
}

/// A metric with what its traffic tells.
struct Known {
    rule: &'static Rule,
    baseline: f64,
    growth: Growth,
}

/// Plans an experiment on numbers alone; it asks no database.
pub fn of_numbers(spec: &PlanSpec, numbers: &Numbers, now: Timestamp) -> Result<Plan, ServiceError> {
    let Numbers { baseline, users_per_day, turns_per_user, icc } = *numbers;
    let name = spec.metrics.first().map_or("good_turn", String::as_str);
    // Without users a day, a day is that of one user, and days are not told.
    let day = Stretch::of_equal_users(baseline, users_per_day.unwrap_or(1.0), turns_per_user, icc);
    let growth = Growth::of(vec![day]);
    let rule = RULES.iter().find(|rule| rule.name == name);
    let known = rule.zip(growth).map(|(rule, growth)| Known { rule, baseline, growth });
    let known = known.ok_or(ServiceError::Internal("a plan of numbers has no spread"))?;
    let basis = PlanBasis::Numbers { users_per_day, turns_per_user, icc };
    let notes = if turns_per_user > 1.0 {
        vec![
            "Users are taken to have equally many turns. Where a few have most of them it takes more users: plan with the \
             traffic of a model to count that."
                .to_owned(),
        ]
    } else {
        Vec::new()
    };
    Ok(Planner { spec, knows_days: users_per_day.is_some(), n_metrics: 1, now }.put_together(basis, &[known], notes))
}

fn of_traffic(spec: &PlanSpec, past: Past, mut turns: Turns, now: Timestamp) -> Result<Plan, ServiceError> {
    let bots = Bots::remove_from(&mut turns);
    let (first_ms, last_ms) = turns
        .rows
        .iter()
        .fold((i64::MAX, i64::MIN), |(first, last), turn| (first.min(turn.made_at_ms), last.max(turn.made_at_ms)));
    let moment = |ms: i64| Timestamp::from_timestamp_millis(ms);
    let window = moment(first_ms).zip(moment(last_ms)).filter(|_| !turns.rows.is_empty());
    let window = window.ok_or(ServiceError::NoData("no completions of the control model"))?;
    let n_days = ((last_ms - first_ms) as f64 / MS_OF_A_DAY).max(1.0);
    let asked = |rule: &&Rule| {
        default_margin(rule.name).is_some()
            && (spec.metrics.is_empty() || spec.metrics.iter().any(|it| it == rule.name))
    };
    let rules: Vec<&'static Rule> = RULES.iter().filter(asked).collect();
    let known: Vec<Known> = rules.iter().filter_map(|rule| known_of(rule, &turns, first_ms, n_days)).collect();
    if known.is_empty() {
        return Err(ServiceError::NoData("nobody has reacted to an answer of the control model"));
    }
    let n_users = turns.rows.chunk_by(|left, right| left.unit == right.unit).count() as u64;
    let mut notes = Vec::new();
    let unknown: Vec<String> = rules
        .iter()
        .filter(|rule| !known.iter().any(|it| it.rule.name == rule.name))
        .map(|rule| rule.many.to_owned())
        .collect();
    if !unknown.is_empty() {
        notes.push(format!("There were no {} in this traffic: nothing can be planned for them.", join(&unknown)));
    }
    if n_users < MIN_USERS {
        notes.push(format!("{} users tell little of how much users differ.", thousands(n_users as f64)));
    }
    if bots.n_units > 0 {
        notes.push(format!("Left out as no persons: {}.", crate::report::count::counted(bots.n_units as u64, "user")));
    }
    let basis = PlanBasis::Traffic {
        control: past.control,
        window,
        n_days,
        n_users,
        n_turns: turns.rows.len() as u64,
        trust: past.trust,
        filters: filters(&past.selection),
    };
    Ok(Planner { spec, knows_days: true, n_metrics: known.len(), now }.put_together(basis, &known, notes))
}

/// Sums a metric up after some stretches of the traffic; nothing where it never happened, or always.
fn known_of(rule: &'static Rule, turns: &Turns, first_ms: i64, n_days: f64) -> Option<Known> {
    let n_stretches = (n_days as usize).clamp(1, MAX_STRETCHES);
    let mut baseline = None;
    let mut stretches = Vec::with_capacity(n_stretches);
    for number in 1..=n_stretches {
        let days = n_days * number as f64 / n_stretches as f64;
        let until_ms = first_ms.saturating_add((days * MS_OF_A_DAY) as i64);
        let (mut y, mut d) = (Vec::new(), Vec::new());
        for of_unit in turns.rows.chunk_by(|left, right| left.unit == right.unit) {
            let so_far = of_unit.iter().filter(|turn| turn.made_at_ms <= until_ms);
            let (events, n) = so_far.fold((0.0, 0.0), |(events, n), turn| {
                (events + f64::from(u8::from((rule.happened)(turn.outcomes))), n + 1.0)
            });
            y.push(events);
            d.push(n);
        }
        let ratio = Ratio::of(&Users { y: &y, d: &d });
        let Some((estimate, se)) = ratio.estimate.zip(ratio.se) else { continue };
        baseline = Some(estimate);
        let binomial = estimate * (1.0 - estimate) / ratio.sum_d;
        let variance = if binomial > 0.0 { binomial.max(se * se) } else { 0.0 };
        stretches.push(Stretch { days, n_users: ratio.n_users as f64, n_turns: ratio.sum_d, variance });
    }
    Some(Known { rule, baseline: baseline?, growth: Growth::of(stretches)? })
}

/// Puts a plan together of what is known.
struct Planner<'a> {
    spec: &'a PlanSpec,
    knows_days: bool,
    /// Metrics that have to be shown together; they share the chance to miss an equal candidate.
    n_metrics: usize,
    now: Timestamp,
}

impl Planner<'_> {
    fn put_together(&self, basis: PlanBasis, known: &[Known], mut notes: Vec<String>) -> Plan {
        let metrics: Vec<PlannedMetric> = known.iter().map(|known| self.metric(known)).collect();
        let longest = longest(&metrics);
        let n_days = longest.and_then(|it| it.at_every_look?.n_days).map(|days| days.max(self.days_of_evidence(known)));
        notes.push(
            "`afterword compare` may be looked at on any day: its bounds hold at every look, and that is what the plan \
             counts. A single look on a day that is fixed beforehand takes fewer users, and no second one."
                .to_owned(),
        );
        if metrics.iter().any(|it| it.at_every_look.is_some_and(|needed| needed.is_extrapolated)) && self.knows_days {
            notes.push("~ is further ahead than the traffic that was looked at tells of.".to_owned());
        }
        if metrics.iter().any(|it| it.margin.below_floor) {
            let floor = rate(MARGIN_FLOOR, 100);
            notes.push(format!("A limit below {floor} per 100 turns is held as {floor} per 100."));
        }
        Plan {
            basis,
            share: self.spec.share,
            alpha: self.spec.alpha,
            power: self.spec.power,
            sentence: self.sentence(&metrics, longest, n_days),
            notes,
            longest: longest.map(|metric| metric.name),
            n_days,
            metrics,
            computed_at: self.now,
        }
    }

    /// Days that a switch takes whatever its intervals say.
    fn days_of_evidence(&self, known: &[Known]) -> f64 {
        let smaller = self.spec.share.min(1.0 - self.spec.share);
        let enough = MIN_USERS as f64 / smaller;
        let days = known.first().and_then(|it| {
            let growth = &it.growth;
            (1..=3650).map(f64::from).find(|&days| growth.after(days).n_users >= enough)
        });
        days.unwrap_or(0.0).max(MIN_DAYS as f64)
    }

    fn metric(&self, known: &Known) -> PlannedMetric {
        let Known { rule, baseline, growth } = known;
        let power = 1.0 - (1.0 - self.spec.power) / self.n_metrics.max(1) as f64;
        let proof = Proof {
            rate: *baseline,
            direction: rule.direction,
            margin_floor: MARGIN_FLOOR,
            share: self.spec.share,
            alpha: self.spec.alpha,
            power,
            tuned_power: POWER,
        };
        let given = self.spec.margins.iter().find(|(name, _)| name == rule.name).map(|(_, margin)| *margin);
        let relative = given.or_else(|| default_margin(rule.name)).unwrap_or(1.0);
        let absolute = proof.absolute(relative);
        let all = growth.after(growth.n_days_known());
        PlannedMetric {
            name: rule.name,
            title: rule.title,
            per: rule.per,
            higher_is_better: rule.direction == crate::stats::Direction::HigherIsBetter,
            baseline: *baseline,
            deff: all.variance * all.n_turns / (baseline * (1.0 - baseline)),
            margin: Margin { relative, absolute, below_floor: relative * baseline < MARGIN_FLOOR },
            power,
            at_every_look: self.needed(&proof, growth, relative, LookRule::Sequential),
            at_one_look: self.needed(&proof, growth, relative, LookRule::Fixed),
            ahead: if self.knows_days { self.ahead(&proof, growth, relative) } else { Vec::new() },
        }
    }

    fn needed(&self, proof: &Proof, growth: &Growth, margin: f64, rule: LookRule) -> Option<Needed> {
        let days = growth.first_with(proof.variance_needed(margin, rule)?)?;
        let then = growth.after(days);
        // Rounding errors of the search must not add a user.
        let whole = |number: f64| (number - 1e-6).ceil().max(0.0) as u64;
        Some(Needed {
            n_users: whole(then.n_users),
            n_users_candidate: whole(then.n_users * self.spec.share),
            n_turns: whole(then.n_turns),
            n_days: self.knows_days.then_some(days),
            is_extrapolated: days > growth.n_days_known() && matches!(self.spec.basis, Basis::Traffic { .. }),
        })
    }

    fn ahead(&self, proof: &Proof, growth: &Growth, margin: f64) -> Vec<Ahead> {
        let mut days: Vec<i64> = AHEAD.into_iter().chain([self.spec.n_days]).collect();
        days.sort_unstable();
        days.dedup();
        let of_day = |n_days: i64| {
            let then = growth.after(n_days as f64);
            let provable = |rule| proof.provable(then.variance, rule).map(|relative| proof.absolute(relative));
            Ahead {
                n_days,
                n_users: then.n_users as u64,
                provable_at_every_look: provable(LookRule::Sequential),
                provable_at_one_look: provable(LookRule::Fixed),
                power_at_every_look: proof.power_at(then.variance, margin, LookRule::Sequential),
                power_at_one_look: proof.power_at(then.variance, margin, LookRule::Fixed),
            }
        };
        days.into_iter().map(of_day).collect()
    }

    fn sentence(&self, metrics: &[PlannedMetric], longest: Option<&PlannedMetric>, n_days: Option<f64>) -> String {
        let what = if metrics.len() == 1 { "its limit".to_owned() } else { format!("all {} limits", metrics.len()) };
        let Some((longest, needed)) = longest.and_then(|it| Some((it, it.at_every_look?))) else {
            let never: Vec<String> =
                metrics.iter().filter(|it| it.at_every_look.is_none()).map(|it| it.title.to_lowercase()).collect();
            return format!("No number of days shows it for {}: hardly anybody new comes.", join(&never));
        };
        let slowest = if metrics.len() == 1 { String::new() } else { format!(" {} take longest.", longest.title) };
        let chance = percent(self.spec.power, 0);
        let users = thousands(needed.n_users as f64);
        let Some(days) = n_days else {
            return format!(
                "A candidate that is truly equal is shown to be within {what} by {users} users, with a chance \
                            of {chance}.{slowest}"
            );
        };
        let mut told = format!(
            "A candidate that is truly equal is shown to be within {what} in {} ({users} users), with a chance of \
             {chance}.{slowest}",
            duration(days)
        );
        if days > MAX_DAYS {
            told.push_str(" That is too long to wait for.");
        }
        let ahead = longest.ahead.iter().find(|ahead| ahead.n_days == self.spec.n_days);
        if let Some(limit) = ahead.and_then(|ahead| ahead.provable_at_every_look) {
            told.extend([format!(
                " In {} you can prove a limit of {} per {} ({}).",
                crate::report::count::counted(self.spec.n_days.unsigned_abs(), "day"),
                rate(limit, longest.per),
                thousands(longest.per.into()),
                longest.title.to_lowercase(),
            )]);
        }
        told
    }
}

/// Returns the metric that takes the most days; nothing where one of them is never shown.
fn longest(metrics: &[PlannedMetric]) -> Option<&PlannedMetric> {
    let turns = |metric: &PlannedMetric| metric.at_every_look.map(|needed| needed.n_turns);
    if metrics.iter().any(|metric| metric.at_every_look.is_none()) {
        return None;
    }
    metrics.iter().max_by_key(|metric| turns(metric))
}
