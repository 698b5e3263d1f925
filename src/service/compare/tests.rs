//! Every line of the rule is reached by data, and told with its limit and its numbers.

use super::bots::Bots;
use super::conclude::{Evidence, conclude};
use super::metrics::{Measured, RULES};
use super::question::Question;
use super::sample::{Sample, UnitCounts};
use crate::domain::clock::Timestamp;
use crate::domain::comparison::ComparisonSpec;
use crate::domain::experiment::{Experiment, Unit};
use crate::domain::json::Json;
use crate::domain::trust::TrustRule;
use crate::report::comparison::{CheckStatus, Comparison, Role, Status};
use crate::stats::verdict::{VerdictCode, VerdictReason};
use crate::store::tallies::{Choices, Coverage, UnitTally};
use crate::store::turns::Turns;

/// Events per thousand turns on one side.
#[derive(Clone, Copy)]
struct Rates {
    good: i64,
    bad: i64,
    up: i64,
    down: i64,
}

const USUAL: Rates = Rates { good: 320, bad: 60, up: 11, down: 8 };

/// Users of one side with 100 turns each; their events are spread so that the totals come out and users differ.
fn side(is_candidate: bool, n_users: usize, rates: Rates) -> Vec<UnitTally> {
    let share = |per_thousand: i64, user: usize| {
        let total = per_thousand * n_users as i64 / 10;
        let (each, left) = (total / n_users as i64, total % n_users as i64);
        each + i64::from((user as i64) < left)
    };
    (0..n_users)
        .map(|user| {
            // Every second user does a little more, and the next as much less.
            let swing = if n_users.is_multiple_of(2) { 4 - 8 * (user as i64 % 2) } else { 0 };
            let (up, down) = (share(rates.up, user), share(rates.down, n_users - 1 - user));
            UnitTally {
                is_candidate,
                unit: format!("u:{}{user}", if is_candidate { "b" } else { "a" }),
                n_completions: 105,
                n_by_other_model: 0,
                n_turns: 100,
                n_good: (share(rates.good, user) + if rates.good > 40 { swing } else { 0 }).max(0),
                n_bad: share(rates.bad, user),
                n_up: up,
                n_down: down,
                n_rated: up + down,
                n_taken: share(rates.good, user),
                n_copied: share(rates.good, user),
                n_regenerated: share(rates.bad, user),
                n_continued: 50,
                n_seen: 99,
                n_any_signal: 60,
                n_explicit: up + down,
                n_wrote: 0,
            }
        })
        .collect()
}

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn evidence(control: Vec<UnitTally>, candidate: Vec<UnitTally>, n_days: i64) -> Evidence {
    let tallies: Vec<UnitTally> = control.into_iter().chain(candidate).collect();
    let first = moment("2026-03-02T00:00:00Z");
    Evidence {
        trust: TrustRule::settle(None, None),
        randomised: UnitCounts::of(&tallies),
        coverage: Coverage {
            first_at: Some(first),
            last_at: Some(first + chrono::Duration::days(n_days)),
            n_days,
            n_days_both: n_days,
            n_unverified: 0,
            n_ambiguous: 0,
        },
        choices: Choices { n_wins: 0, n_losses: 0, n_ties: 0 },
        turns: Turns::default(),
        bots: Bots::default(),
        exposure: Vec::new(),
        tallies,
    }
}

fn spec(query: &[(&str, &str)]) -> ComparisonSpec {
    let pairs: Vec<(String, String)> =
        query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    ComparisonSpec::from_query(&pairs).unwrap()
}

fn swap() -> Experiment {
    let text = r#"{"key":"swap","control":"control","variants":[
        {"name":"control","model":"llama-70b","share":0.5},{"name":"candidate","model":"llama-8b","share":0.5}]}"#;
    Experiment::from_json(Json::parse(text.as_bytes()).unwrap()).unwrap()
}

fn randomised(query: &[(&str, &str)]) -> Question {
    let declared = (swap(), moment("2026-03-01T00:00:00Z"));
    Question::resolve(&spec(&[&[("experiment", "swap")], query].concat()), Some(declared)).unwrap()
}

fn observational() -> Question {
    Question::resolve(&spec(&[("control", "model:old"), ("candidate", "model:new")]), None).unwrap()
}

fn told(question: &Question, evidence: &Evidence) -> Comparison {
    conclude(question, evidence, moment("2026-04-01T00:00:00Z")).comparison
}

fn randomised_told(n_users: usize, control: Rates, candidate: Rates, n_days: i64) -> Comparison {
    told(&randomised(&[]), &evidence(side(false, n_users, control), side(true, n_users, candidate), n_days))
}

fn check<'a>(comparison: &'a Comparison, name: &str) -> &'a crate::report::comparison::Check {
    comparison.checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("no check {name}"))
}

fn metric<'a>(comparison: &'a Comparison, name: &str) -> &'a crate::report::comparison::Metric {
    comparison.metrics.iter().find(|metric| metric.name == name).unwrap()
}

type Case = (Comparison, VerdictCode, VerdictReason, &'static [&'static str]);

const WORSE: Rates = Rates { good: 270, bad: 90, ..USUAL };
const SILENT: Rates = Rates { good: 0, bad: 0, up: 0, down: 0 };
const UNRATED: Rates = Rates { up: 0, down: 0, ..USUAL };

fn decisions() -> Vec<Case> {
    use VerdictCode::{Invalid, Keep, LeanKeep, LeanSwitch, Switch};
    use VerdictReason as R;
    let better = Rates { good: 345, bad: 50, up: 12, down: 7 };
    let slightly_worse = Rates { good: 315, ..USUAL };
    let models = |candidate: Rates, n: usize| {
        told(&observational(), &evidence(side(false, n, USUAL), side(true, n, candidate), 28))
    };
    let lost = told(&randomised(&[]), &evidence(side(false, 1200, USUAL), side(true, 900, USUAL), 28));
    let mut crossed = evidence(side(false, 300, USUAL), side(true, 300, USUAL), 28);
    crossed.tallies.iter_mut().filter(|tally| tally.is_candidate).take(60).for_each(|tally| tally.n_by_other_model = 1);
    crossed.randomised = UnitCounts::of(&crossed.tallies);
    vec![
        (lost, Invalid, R::SampleRatioMismatch, &["Do not read this: 42.9% of 2,100 users", "planned 50.0%"]),
        (told(&randomised(&[]), &crossed), Invalid, R::Crossover, &["60 of 600 users (10.0%)"]),
        (
            randomised_told(1000, USUAL, WORSE, 28),
            Keep,
            R::WorseThanMargin,
            &[
                "Keep llama-70b.",
                "adds at least",
                "bad turns per 100 (limit 0.60)",
                "Error rate of this statement: at most 10.0%.",
            ],
        ),
        (
            randomised_told(4000, USUAL, better, 28),
            Switch,
            R::Better,
            &["You can switch to llama-8b, and it is better.", "34.5 against 32.0", "Checks passed:"],
        ),
        (randomised_told(8000, USUAL, USUAL, 28), Switch, R::NonInferior, &["at worst", "(limit 1.6)"]),
        (randomised_told(8000, USUAL, slightly_worse, 28), Switch, R::SmallCost, &["31.5 against 32.0", "at a cost"]),
        (
            randomised_told(300, UNRATED, Rates { good: 303, ..UNRATED }, 28),
            Keep,
            R::NotShown,
            &["Keep llama-70b.", "not shown to be good enough", "30.3 against 32.0"],
        ),
        (models(USUAL, 8000), LeanSwitch, R::NonInferior, &["Leaning to switch to new", "randomised"]),
        (models(WORSE, 1000), LeanKeep, R::WorseThanMargin, &["Leaning to keep old", "limit"]),
    ]
}

fn open_ends() -> Vec<Case> {
    use VerdictCode::{CannotTell, KeepCollecting};
    use VerdictReason as R;
    let louder = Rates { up: 15, down: 12, ..USUAL };
    vec![
        (randomised_told(120, USUAL, USUAL, 200), CannotTell, R::TooLong, &["users a day", "In 30 days you can prove"]),
        (randomised_told(300, SILENT, SILENT, 28), CannotTell, R::DurationUnknown, &["nobody has reacted"]),
        (
            randomised_told(8000, USUAL, louder, 28),
            CannotTell,
            R::DurationUnknown,
            &["27.0 against 19.0 of 1,000 turns are rated", "What people do is within its limits"],
        ),
        (randomised_told(8000, USUAL, USUAL, 3), KeepCollecting, R::TooLittleEvidence, &["7 days of data (3 so far)"]),
        (
            randomised_told(400, USUAL, USUAL, 28),
            KeepCollecting,
            R::Undecided,
            &["more users", "if the two are truly equal", "Leaning: acceptable", "limit"],
        ),
        (
            randomised_told(140, USUAL, Rates { good: 290, ..USUAL }, 28),
            KeepCollecting,
            R::Undecided,
            &["Good turns look worse than their limit", "show it if the present difference is real", "(limit 1.6)"],
        ),
    ]
}

#[test]
fn every_line_of_the_rule_is_reached_by_data_and_tells_its_numbers() {
    for (comparison, code, reason, words) in decisions().into_iter().chain(open_ends()) {
        let verdict = &comparison.verdict;

        assert_eq!((verdict.code, verdict.reason), (code, reason), "{}", verdict.sentence);
        for word in words {
            assert!(verdict.sentence.contains(word), "{word:?} is not in {:?}", verdict.sentence);
        }
        assert_eq!(verdict.withholds_numbers, code == VerdictCode::Invalid);
        assert!(!verdict.rule.is_empty() && !verdict.sentence.contains("NaN") && !verdict.sentence.contains("inf"));
    }
}

#[test]
fn a_relative_margin_below_two_in_a_thousand_is_raised_to_that_and_said() {
    let comparison = randomised_told(1000, USUAL, USUAL, 28);
    let (thumbs, good) = (metric(&comparison, "thumb_down"), metric(&comparison, "good_turn"));

    let margin = thumbs.margin.unwrap();
    assert!(margin.below_floor && (margin.relative, margin.absolute) == (0.15, 0.002));
    assert_eq!(thumbs.difference.method, "cluster_newcombe");
    assert!(!good.margin.unwrap().below_floor && (good.margin.unwrap().absolute - 0.016).abs() < 1e-12);
    assert_eq!(good.difference.method, "cluster_newcombe_relative");
    assert_eq!(check(&comparison, "margins").status, CheckStatus::Warn);
    assert!(check(&comparison, "margins").detail.contains("thumbs down"));
}

#[test]
fn a_signal_that_nobody_ever_gave_decides_nothing_and_is_named() {
    let silent = Rates { up: 0, down: 0, ..USUAL };
    let comparison = randomised_told(8000, silent, silent, 28);

    for name in ["thumb_up", "thumb_down"] {
        assert_eq!(
            (metric(&comparison, name).role, metric(&comparison, name).status),
            (Role::Secondary, Status::Undecided)
        );
    }
    assert_eq!(check(&comparison, "collected").status, CheckStatus::Warn);
    assert!(check(&comparison, "collected").detail.contains("thumbs up and thumbs down"));
    assert_eq!(comparison.verdict.code, VerdictCode::Switch, "{}", comparison.verdict.sentence);
}

#[test]
fn louder_critics_alone_never_keep_the_control() {
    let louder = Rates { down: 13, ..USUAL };
    let comparison = randomised_told(8000, USUAL, louder, 28);

    assert_eq!(check(&comparison, "response_rate").status, CheckStatus::Warn);
    assert_eq!(metric(&comparison, "thumb_down").status, Status::Undecided);
    assert!(metric(&comparison, "thumb_down").difference.interval.unwrap().low > 0.002);
    assert_eq!(comparison.verdict.code, VerdictCode::CannotTell, "{}", comparison.verdict.sentence);
}

#[test]
fn bad_turns_that_are_only_louder_critics_never_keep_the_control() {
    let mut candidate = side(true, 8000, Rates { down: 30, ..USUAL });
    // What the critics add stands among the bad turns, too; nobody regenerates more.
    for user in &mut candidate {
        user.n_bad += 2;
    }
    let comparison = told(&randomised(&[]), &evidence(side(false, 8000, USUAL), candidate, 28));

    let bad_turn = metric(&comparison, "bad_turn");
    assert_eq!(check(&comparison, "response_rate").status, CheckStatus::Warn);
    assert_eq!((bad_turn.status, bad_turn.difference.estimate), (Status::NonInferior, Some(0.0)));
    assert!(bad_turn.note.is_some_and(|note| note.starts_with("By behaviour alone")));
    assert_eq!(comparison.verdict.code, VerdictCode::CannotTell, "{}", comparison.verdict.sentence);
}

#[test]
fn thumbs_that_improve_both_ways_keep_their_say_whatever_the_response_rate() {
    let better = Rates { good: 345, bad: 45, up: 20, down: 4 };
    let comparison = randomised_told(8000, USUAL, better, 28);

    assert_eq!(check(&comparison, "response_rate").status, CheckStatus::Warn);
    assert_eq!(metric(&comparison, "thumb_up").status, Status::Better);
    assert_eq!(comparison.verdict.code, VerdictCode::Switch, "{}", comparison.verdict.sentence);
}

#[test]
fn users_on_both_sides_are_compared_with_themselves() {
    let mut candidate = side(true, 400, USUAL);
    for tally in &mut candidate {
        tally.unit = tally.unit.replace("u:b", "u:a");
    }
    let data = evidence(side(false, 400, USUAL), candidate, 28);
    let comparison = told(&observational(), &data);
    let apart = told(&observational(), &evidence(side(false, 400, USUAL), side(true, 400, USUAL), 28));

    let width = |comparison: &Comparison| {
        let interval = metric(comparison, "good_turn").difference.interval.unwrap();
        interval.high - interval.low
    };
    assert_eq!(metric(&comparison, "bad_turn").difference.method, "ratio_diff_paired_relative");
    assert!(width(&comparison) < width(&apart), "{} {}", width(&comparison), width(&apart));
    assert_eq!(check(&comparison, "crossover").status, CheckStatus::Pass);
    assert!(comparison.verdict.code != VerdictCode::Invalid);
}

#[test]
fn one_user_who_does_most_of_the_work_is_found() {
    let mut candidate = side(true, 200, USUAL);
    candidate[0].n_turns = 20_000;
    candidate[0].n_good = 12_000;
    let comparison = told(&randomised(&[]), &evidence(side(false, 200, USUAL), candidate, 28));

    assert_eq!(check(&comparison, "influence").status, CheckStatus::Warn);
}

#[test]
fn what_departs_from_the_plan_is_listed() {
    let question = randomised(&[("margin.good_turn", "0.10"), ("alpha", "0.05")]);

    assert_eq!(question.margin("good_turn"), Some(0.10));
    assert_eq!(question.margin("bad_turn"), Some(0.10));
    assert_eq!(question.departures, [("good_turn".to_owned(), 0.05, 0.10), ("alpha".to_owned(), 0.025, 0.05)]);
    assert!(randomised(&[("margin.good_turn", "0.05")]).departures.is_empty());
}

#[test]
fn a_question_that_does_not_fit_the_experiment_says_what_would() {
    let text = r#"{"key":"swap","control":"a","variants":[
        {"name":"a","share":0.4},{"name":"b","share":0.3},{"name":"c","share":0.3}]}"#;
    let three = Experiment::from_json(Json::parse(text.as_bytes()).unwrap()).unwrap();
    let ask = |experiment: &Experiment, query: &[(&str, &str)]| {
        let declared = (experiment.clone(), moment("2026-03-01T00:00:00Z"));
        Question::resolve(&spec(&[&[("experiment", "swap")], query].concat()), Some(declared))
    };
    let wrong = |result: Result<Question, Vec<crate::domain::fields::FieldError>>| {
        let errors = result.unwrap_err();
        (errors[0].pointer.clone(), errors[0].code.as_str())
    };

    assert_eq!(wrong(ask(&three, &[])), ("candidate".to_owned(), "required"));
    assert_eq!(wrong(ask(&three, &[("candidate", "d")])), ("candidate".to_owned(), "not_one_of"));
    assert_eq!(wrong(ask(&three, &[("candidate", "a")])), ("candidate".to_owned(), "contradiction"));
    assert_eq!(wrong(ask(&swap(), &[("unit", "conversation")])), ("unit".to_owned(), "contradiction"));
    let picked = ask(&three, &[("candidate", "c")]).unwrap();
    assert_eq!((picked.candidate.name.as_str(), picked.unit), ("c", Unit::User));
    let shares = picked.experiment.unwrap().planned_shares;
    assert!((shares.0 - 4.0 / 7.0).abs() < 1e-12 && (shares.1 - 3.0 / 7.0).abs() < 1e-12);
}

#[test]
fn rates_and_differences_are_those_of_the_counts() {
    let comparison = randomised_told(1000, USUAL, Rates { good: 300, ..USUAL }, 28);
    let good = metric(&comparison, "good_turn");

    assert_eq!((good.control.n, good.control.n_users), (100_000, 1000));
    assert!((good.control.estimate.unwrap() - 0.32).abs() < 1e-12);
    assert!((good.difference.estimate.unwrap() + 0.02).abs() < 1e-12);
    let interval = good.difference.interval.unwrap();
    assert!(interval.low < -0.02 && interval.high > -0.02);
    assert_eq!(comparison.metrics.len(), RULES.len());
}

/// One user of a side: turns and good turns, with a taste of the user's own.
fn chance_user(random: &mut rand_chacha::ChaCha8Rng, is_candidate: bool, rate: f64, name: usize) -> UnitTally {
    use rand::Rng as _;
    let mut user = side(is_candidate, 1, USUAL).remove(0);
    let taste = rate * if random.random_bool(0.5) { 1.4 } else { 0.6 };
    user.unit = format!("u:{is_candidate}{name}");
    user.n_turns = random.random_range(1..=20);
    user.n_good = (0..user.n_turns).filter(|_| random.random_bool(taste)).count() as i64;
    user
}

#[test]
fn daily_looks_keep_the_error_rate_where_the_loss_is_exactly_the_margin() {
    use rand_chacha::rand_core::SeedableRng as _;
    const N_RUNS: u64 = 300;
    let question = randomised(&[]);
    let mut n_false_claims = 0;
    for run in 0..N_RUNS {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(run);
        let mut tallies = Vec::new();
        let claims = (1..=20_usize).any(|day| {
            for name in 0..12 {
                tallies.push(chance_user(&mut random, false, 0.40, day * 100 + name));
                tallies.push(chance_user(&mut random, true, 0.38, day * 100 + name));
            }
            let measured = Measured::of(&RULES[0], &Sample::of(&tallies), &question);
            measured.bounds.unwrap().is_non_inferior()
        });
        n_false_claims += u64::from(claims);
    }

    // 2.5 % of 300 are 7.5; looked at daily with plain 95 % intervals it would be about six times as many.
    assert!(n_false_claims <= 15, "{n_false_claims} of {N_RUNS}");
}
