//! What stands behind a verdict, of turns that are made by hand: what must hold whatever the data, and what must be seen.

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

use super::super::bots::Bots;
use super::super::conclude::{Evidence, conclude};
use super::super::question::Question;
use super::super::sample::UnitCounts;
use super::over_time::exposure;
use crate::domain::comparison::ComparisonSpec;
use crate::domain::experiment::Experiment;
use crate::domain::json::Json;
use crate::domain::trust::TrustRule;
use crate::report::comparison::segments::Adjustment;
use crate::report::comparison::{CheckStatus, Comparison};
use crate::stats::Interval;
use crate::stats::verdict::{VerdictCode, VerdictReason};
use crate::store::tallies::{Choices, Coverage};
use crate::store::turns::{Before, Opening, Outcomes, Told, Turn, Turns};

const DAY_MS: i64 = 86_400_000;
const FIRST_DAY: i64 = 20_000;

/// One turn of a unit on a side, with nothing told but its task and its time.
fn turn(unit: usize, is_candidate: bool, conversation: usize, at_ms: i64, outcomes: Outcomes) -> Turn {
    let none = Told::of(None);
    Turn {
        unit: unit as u32,
        randomised: unit as u32,
        conversation: conversation as u32,
        model: 0,
        made_at_ms: FIRST_DAY * DAY_MS + at_ms,
        has_own_time: true,
        is_candidate,
        is_error: false,
        outcomes,
        n_completions: 1,
        n_by_other_model: 0,
        input_tokens: none,
        output_tokens: none,
        latency_ms: Told::of(Some(900.0)),
        ttft_ms: none,
        cost_usd: Told::of(Some(if is_candidate { 0.001 } else { 0.004 } + 1e-5 * (unit % 5) as f32)),
        kv_cache_usage: Told::of(Some(if is_candidate { 0.35 } else { 0.62 })),
        solicit_prob: none,
    }
}

fn turns_of(n_units: usize, tasks: &[&str], rows: Vec<Turn>) -> Turns {
    let openings = (0..tasks.len()).flat_map(|task| [200.0, 400.0, 900.0].map(|tokens| (task, tokens)));
    Turns {
        units: (0..n_units).map(|unit| format!("u:{unit:05}")).collect(),
        before: vec![Before::default(); n_units],
        models: Vec::new(),
        tasks: tasks.iter().map(|task| (*task).to_owned()).collect(),
        languages: Vec::new(),
        // One opening stands for all conversations of its kind.
        conversations: openings
            .map(|(task, tokens)| Opening {
                task: Some(task as u16),
                language: None,
                prompt_tokens: Told::of(Some(tokens)),
                order: (0, 0),
            })
            .collect(),
        rows,
        n_randomised: n_units,
    }
}

/// Units of both sides whose rates come out exactly: of each kind of turn every so many is good, or bad.
fn exact(n_users: usize, n_turns: usize, rates: impl Fn(bool, usize, i64) -> (f64, f64)) -> Turns {
    let tasks = ["chat", "code", "rag"];
    let mut counted = std::collections::HashMap::<(bool, usize), f64>::new();
    let mut rows = Vec::new();
    for unit in 0..2 * n_users {
        let is_candidate = unit % 2 == 1;
        for at in 0..n_turns {
            let (task, day) = ((unit / 2 + at) % 3, (at * 14 / n_turns) as i64);
            let (good, bad) = rates(is_candidate, task, day);
            let n = counted.entry((is_candidate, task)).or_default();
            *n += 1.0;
            // Multiples of the golden ratio lie evenly over 0..1.
            let place = (*n * 0.618_033_988_749_895).fract();
            let outcomes = if place < good {
                Outcomes::TOOK.and(Outcomes::COPIED)
            } else if place < good + bad {
                Outcomes::REGENERATED
            } else {
                Outcomes::default()
            };
            let at_ms = day * DAY_MS + 60_000 * at as i64;
            rows.push(turn(unit, is_candidate, task * 3 + unit / 2 % 3, at_ms, outcomes));
        }
    }
    turns_of(2 * n_users, &tasks, rows)
}

/// Units with tastes of their own, and a past.
fn by_chance(seed: u64, n_users: usize) -> Turns {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut rows = Vec::new();
    let mut before = Vec::new();
    for unit in 0..2 * n_users {
        let taste: f64 = chance.random_range(0.1..0.6);
        let past: u32 = chance.random_range(0..6);
        let n_good = (0..past).filter(|_| chance.random_bool(taste)).count() as u32;
        before.push(Before { n_turns: past, n_good, n_taken: n_good, n_bad: past - n_good, ..Before::default() });
        for at in 0..chance.random_range(1..12_i64) {
            let outcomes = if chance.random_bool(taste) {
                Outcomes::TOOK.and(Outcomes::COPIED)
            } else if chance.random_bool(0.2) {
                Outcomes::REGENERATED
            } else {
                Outcomes::default()
            };
            let kind = chance.random_range(0..9);
            rows.push(turn(unit, unit % 2 == 1, kind, at * DAY_MS + chance.random_range(0..DAY_MS / 2), outcomes));
        }
    }
    rows.sort_by_key(|turn| (turn.unit, turn.is_candidate, turn.made_at_ms));
    Turns { before, ..turns_of(2 * n_users, &["chat", "code", "rag"], rows) }
}

fn question() -> Question {
    let text = r#"{"key":"swap","control":"control","variants":[
        {"name":"control","model":"old","share":0.5},{"name":"candidate","model":"new","share":0.5}]}"#;
    let declared = Experiment::from_json(Json::parse(text.as_bytes()).unwrap()).unwrap();
    let spec = ComparisonSpec::from_query(&[("experiment".to_owned(), "swap".to_owned())]).unwrap();
    Question::resolve(&spec, Some((declared, "2026-03-01T00:00:00Z".parse().unwrap()))).unwrap()
}

fn observational() -> Question {
    let pairs = [("control", "model:old"), ("candidate", "model:new")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    Question::resolve(&ComparisonSpec::from_query(&pairs).unwrap(), None).unwrap()
}

fn compared(question: &Question, mut turns: Turns) -> Comparison {
    let n_days = turns.rows.iter().map(Turn::day).max().map_or(0, |last| last - FIRST_DAY + 1);
    let (randomised, exposure) = (UnitCounts::of_randomised(&turns), exposure(&turns));
    let bots = Bots::remove_from(&mut turns);
    let first = chrono::DateTime::from_timestamp_millis(FIRST_DAY * DAY_MS).unwrap();
    let evidence = Evidence {
        trust: TrustRule::settle(None, None),
        randomised,
        exposure,
        tallies: turns.tallies(),
        turns,
        bots,
        coverage: Coverage {
            first_at: Some(first),
            last_at: Some(first + chrono::Duration::days(n_days)),
            n_days,
            n_days_both: n_days,
            n_unverified: 0,
            n_ambiguous: 0,
        },
        choices: Choices { n_wins: 0, n_losses: 0, n_ties: 0 },
    };
    conclude(question, &evidence, "2026-04-01T00:00:00Z".parse().unwrap()).comparison
}

/// Every difference that the depth holds, with its interval and what it is.
fn differences(comparison: &Comparison) -> Vec<(String, f64, Option<Interval>)> {
    let depth = &comparison.depth;
    let of_adjustments =
        depth.adjustments.iter().map(|it| (format!("{} {}", it.metric, it.kind), it.estimate, it.interval));
    let of_segments = depth.segmentations.iter().flat_map(|it| {
        it.segments
            .iter()
            .map(move |part| (format!("{} {} {}", it.metric, it.by, part.value), part.estimate, part.interval))
    });
    let of_days = depth.series.iter().flat_map(|it| {
        it.points.iter().map(move |point| (format!("{} {}", it.metric, point.day), point.estimate, None))
    });
    let all = of_adjustments.chain(of_segments).chain(of_days);
    all.filter_map(|(name, estimate, interval)| Some((name, estimate?, interval))).collect()
}

fn of_kind<'a>(comparison: &'a Comparison, kind: &str) -> &'a Adjustment {
    comparison.depth.adjustments.iter().find(|it| it.kind == kind).unwrap_or_else(|| panic!("no {kind}"))
}

fn width(interval: Option<Interval>) -> f64 {
    interval.map_or(f64::INFINITY, |interval| interval.high - interval.low)
}

#[test]
fn to_change_the_names_of_the_sides_changes_signs_and_nothing_else() {
    for seed in 0..12 {
        let turns = by_chance(seed, 40);
        let mut swapped = turns.clone();
        swapped.rows.iter_mut().for_each(|turn| turn.is_candidate = !turn.is_candidate);

        let (one, other) = (compared(&question(), turns), compared(&question(), swapped));

        let (one, other) = (differences(&one), differences(&other));
        assert!(one.len() > 20 && one.len() == other.len());
        for ((name, estimate, _), (other_name, other_estimate, _)) in one.iter().zip(&other) {
            assert_eq!(name, other_name);
            assert!((estimate + other_estimate).abs() < 1e-9, "{name}: {estimate} {other_estimate}");
        }
    }
}

#[test]
fn every_estimate_lies_in_its_interval_and_every_turn_in_one_segment() {
    for seed in 20..40 {
        let turns = by_chance(seed, 30);
        let n_turns = turns.rows.len() as u64;

        let comparison = compared(&question(), turns);

        for (name, estimate, interval) in differences(&comparison) {
            // The interval of a segment is that of the contrast of its margin: it holds the estimate all the same.
            assert!(
                interval.is_none_or(|it| it.low <= estimate && estimate <= it.high),
                "{name} {estimate} {interval:?}"
            );
        }
        for segmentation in &comparison.depth.segmentations {
            let n: u64 = segmentation.segments.iter().map(|it| it.n_control + it.n_candidate).sum();
            assert_eq!(n, n_turns);
        }
    }
}

#[test]
fn what_divides_turns_by_chance_changes_nothing_else() {
    let turns = by_chance(3, 60);
    let mut divided = turns.clone();
    divided.languages = vec!["de".to_owned(), "en".to_owned()];
    let openings = divided.conversations.clone();
    divided.conversations = divided
        .rows
        .iter_mut()
        .enumerate()
        .map(|(at, turn)| {
            let opening = openings[turn.conversation as usize];
            turn.conversation = at as u32;
            Opening { language: Some((at % 2) as u16), ..opening }
        })
        .collect();

    let (plain, divided) = (compared(&question(), turns), compared(&question(), divided));

    assert_eq!(plain.depth.adjustments, divided.depth.adjustments);
    assert_eq!(plain.depth.series, divided.depth.series);
    assert_eq!(plain.verdict, divided.verdict);
    let by_language = divided.depth.segmentations.iter().filter(|it| it.by == "language").count();
    assert_eq!((plain.depth.segmentations.len() + by_language, by_language), (divided.depth.segmentations.len(), 2));
}

#[test]
fn four_times_the_same_data_halves_the_intervals_of_one_look() {
    let turns = by_chance(5, 60);
    let n_units = turns.units.len();
    let mut more = Turns { units: Vec::new(), before: Vec::new(), rows: Vec::new(), ..turns.clone() };
    for copy in 0..4 {
        more.units.extend(turns.units.iter().map(|unit| format!("{unit}-{copy}")));
        more.before.extend(turns.before.iter().copied());
        more.rows.extend(turns.rows.iter().map(|turn| {
            let unit = turn.unit + (copy * n_units) as u32;
            Turn { unit, randomised: unit, ..*turn }
        }));
    }
    more.n_randomised = more.units.len();

    let (few, many) = (compared(&question(), turns), compared(&question(), more));

    let last = |comparison: &Comparison| comparison.depth.series[0].points.last().copied().unwrap();
    let ratio = width(last(&few).fixed) / width(last(&many).fixed);
    assert!((1.9..2.2).contains(&ratio), "{ratio}");
    assert!(width(last(&many).anytime) < width(last(&few).anytime));
    for (few, many) in few.depth.adjustments.iter().zip(&many.depth.adjustments) {
        assert!((few.estimate.unwrap() - many.estimate.unwrap()).abs() < 0.02 && few.kind == many.kind);
        assert!(width(many.interval) < width(few.interval), "{}", few.kind);
    }
}

#[test]
fn the_past_of_users_takes_noise_away() {
    let comparison = compared(&question(), by_chance(8, 400));

    let cuped = of_kind(&comparison, "cuped");
    assert!(cuped.variance_reduction.unwrap() > 0.02, "{cuped:?}");
    assert!(width(cuped.interval) < width(of_kind(&comparison, "like_for_like").interval));
}

#[test]
fn harm_to_one_task_alone_is_a_switch_except_for_it() {
    let turns = exact(1200, 42, |is_candidate, task, _| match (is_candidate, task) {
        (true, 1) => (0.22, 0.16),
        _ => (0.32, 0.08),
    });
    let comparison = compared(&question(), turns);

    let verdict = &comparison.verdict;
    assert_eq!(
        (verdict.code, verdict.reason),
        (VerdictCode::Switch, VerdictReason::ExceptSegment),
        "{}",
        verdict.sentence
    );
    assert!(verdict.sentence.contains("except for code (task)"), "{}", verdict.sentence);
    let by_task = &comparison.depth.segmentations[0];
    let harmed: Vec<&str> =
        by_task.segments.iter().filter(|it| it.is_harmed).map(|segment| segment.value.as_str()).collect();
    assert_eq!((by_task.by, harmed), ("task", vec!["code"]));
    assert!(by_task.heterogeneity.unwrap().p < 1e-6);
}

#[test]
fn harm_everywhere_is_no_switch_except_for_anything() {
    let turns = exact(1200, 42, |is_candidate, task, _| match (is_candidate, task) {
        (true, 1) => (0.22, 0.16),
        (true, _) => (0.28, 0.10),
        _ => (0.32, 0.08),
    });
    let verdict = compared(&question(), turns).verdict;

    assert_eq!((verdict.code, verdict.reason), (VerdictCode::Keep, VerdictReason::WorseThanMargin));
}

#[test]
fn an_effect_that_wears_off_is_a_trend_and_no_switch() {
    let worn = |is_candidate: bool, _: usize, day: i64| {
        let shift = if is_candidate { 0.12 - 0.02 * day as f64 } else { 0.0 };
        (0.32 + shift, 0.08)
    };
    let comparison = compared(&question(), exact(1200, 42, worn));

    let trend = comparison.depth.series[0].trend.unwrap();
    assert!(trend.slope_per_day < -0.01 && trend.p < 1e-6, "{trend:?}");
    assert!(trend.last_week.unwrap().0 < -0.05, "{trend:?}");
    let line = comparison.checks.iter().find(|check| check.name == "trend").unwrap();
    assert!(line.status == CheckStatus::Warn && line.detail.contains("judged on the last 7 days"), "{}", line.detail);
    assert!(!matches!(comparison.verdict.code, VerdictCode::Switch), "{}", comparison.verdict.sentence);
}

#[test]
fn the_day_on_which_the_limits_held_is_the_first_of_those_on_which_they_stayed() {
    let comparison = compared(&question(), exact(1200, 42, |_, _, _| (0.32, 0.08)));

    let series = &comparison.depth.series[0];
    assert_eq!(comparison.verdict.code, VerdictCode::Switch, "{}", comparison.verdict.sentence);
    let passed_on = series.passed_on.unwrap();
    assert!(series.points[0].day < passed_on && passed_on < series.points.last().unwrap().day);
    assert_eq!(series.points.last().unwrap().anytime, comparison.metrics[0].difference.interval);
    let benefit = comparison.depth.benefit.as_ref().unwrap();
    assert!((benefit.saving_per_1000 - 3.0).abs() < 0.1, "{benefit:?}");
    assert!(comparison.depth.load.as_ref().unwrap().overlap < 1e-12);
    assert_eq!(comparison.depth.exposure.iter().map(|day| day.n_control + day.n_candidate).sum::<u64>(), 2400);
}

#[test]
fn a_mix_of_work_that_flatters_is_a_reversal_and_never_a_switch() {
    // The candidate gets most of the work that is liked, and does worse in all of it.
    let mut turns = exact(600, 40, |is_candidate, task, _| {
        let shift = if is_candidate { -0.04 } else { 0.0 };
        ([0.10, 0.30, 0.70][task] + shift, 0.05)
    });
    turns.rows.retain(|turn| {
        let task = turn.conversation as usize / 3;
        let keeps_one_of = if turn.is_candidate { [6, 2, 1] } else { [1, 2, 6] }[task];
        (turn.made_at_ms / 60_000 + i64::from(turn.unit / 2)) % keeps_one_of == 0
    });
    let comparison = compared(&observational(), turns);

    let crude = comparison.metrics[0].difference.estimate.unwrap();
    assert!(crude > 0.1, "{crude}");
    for kind in ["like_for_like", "mantel_haenszel", "overlap"] {
        let estimate = of_kind(&comparison, kind).estimate.unwrap();
        assert!((-0.07..-0.01).contains(&estimate), "{kind} {estimate}");
    }
    let line = comparison.checks.iter().find(|check| check.name == "composition").unwrap();
    assert!(line.status == CheckStatus::Warn && line.detail.contains("a reversal"), "{}", line.detail);
    assert!(!matches!(comparison.verdict.code, VerdictCode::Switch | VerdictCode::LeanSwitch));
}

#[test]
fn who_asks_more_than_a_person_can_is_left_out_and_counted() {
    let mut turns = exact(150, 14, |_, _, _| (0.32, 0.08));
    let bot = turns.units.len();
    turns.units.push("u:a-bot".to_owned());
    turns.before.push(Before::default());
    turns.n_randomised += 1;
    turns.rows.extend((0..300).map(|at| turn(bot, true, 0, at * 200_000, Outcomes::UP)));

    let comparison = compared(&question(), turns);

    let line = comparison.checks.iter().find(|check| check.name == "bots").unwrap();
    assert!(line.detail.starts_with("1 user left out with 300 turns"), "{}", line.detail);
    assert_eq!((comparison.candidate.n_users, comparison.candidate.n_turns), (150, 2100));
}

#[test]
fn rows_that_were_loaded_at_once_do_not_make_their_user_a_bot() {
    let mut turns = exact(150, 100, |_, _, _| (0.32, 0.08));
    for turn in &mut turns.rows {
        turn.conversation = 0;
        turn.made_at_ms = FIRST_DAY * DAY_MS + turn.made_at_ms % 900;
    }
    let mut loaded = turns.clone();
    loaded.rows.iter_mut().for_each(|turn| turn.has_own_time = false);

    assert_eq!(Bots::remove_from(&mut turns).n_units, 300);
    assert_eq!(Bots::remove_from(&mut loaded).n_units, 0);
}
