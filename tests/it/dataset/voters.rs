//! Who made the rows that stay, and what else is picked over all rows together: through the plan, as an export does it.

use afterword::dataset::example::{Example, FirstShown};
use afterword::dataset::{Plan, PlanKey, Planner};
use afterword::domain::completion::Completion;
use afterword::domain::feedback::{Outcome, Reaction, ShownFirst};
use afterword::domain::hash::ContentHash;
use afterword::domain::recipe::{LengthRule, Options, PositionRule, Weights};
use proptest::prelude::*;

use super::fixtures::{answer, id, options, pairs_of, react, says, with};

/// A pair of prompt `n`, whose better answer has `n_chars` more than the other, preferred by a user who saw it first or
/// second.
fn pair(n: u64, user: &str, n_chars: usize, seen_first: Option<bool>) -> Example {
    let of = |name: &str, model: &str, n_chars: usize| -> Completion {
        with(answer(&format!("{name}{n}")), |answer| {
            answer.prompt = vec![says("user", &format!("Question {n}"))];
            answer.prompt_hash = ContentHash::of_bytes("test", &n.to_le_bytes());
            answer.response = says("assistant", &format!("{name}{}", "x".repeat(n_chars)));
            answer.model = model.to_owned();
            answer.experiment = Some("swap".to_owned());
        })
    };
    let answers = [of("a", "new", 10 + n_chars), of("b", "old", 10)];
    let reaction = Reaction::Preference {
        against: id(&format!("b{n}")),
        outcome: Outcome::Better,
        strength: None,
        shown_first: match seen_first {
            Some(true) => ShownFirst::This,
            Some(false) => ShownFirst::Against,
            None => ShownFirst::Unknown,
        },
    };
    let mut rows = pairs_of(&answers, &[react(n + 1, user, &format!("a{n}"), reaction)], &Options::default());
    rows.examples.remove(0)
}

fn plan(rows: &[Example], options: &Options) -> Plan {
    let mut planner = Planner::new(options);
    for row in rows {
        planner.add(PlanKey::of(row));
    }
    planner.plan()
}

fn excluded(plan: &Plan, reason: &str) -> u64 {
    plan.exclusions.values().filter_map(|of_kind| of_kind.0.get(reason)).sum()
}

#[test]
fn one_user_with_ten_thousand_votes_keeps_fifty_rows_and_the_others_keep_theirs() {
    let mut rows: Vec<Example> = (0..10_000).map(|n| pair(n, "busy", 0, None)).collect();
    rows.extend((10_000..10_100).map(|n| pair(n, &format!("u{n}"), 0, None)));

    let plan = plan(&rows, &Options::default());

    assert_eq!((plan.placements.len(), excluded(&plan, "too_many_rows_of_user")), (150, 9_950));
    let users = plan.users.values().next().unwrap();
    assert_eq!((users.n_users, users.n_rows_of_busiest, users.n_rows_without_user), (101, 50, 0));
}

#[test]
fn a_share_of_the_rows_is_a_limit_too_but_not_in_a_small_export() {
    let rows: Vec<Example> =
        (0..2_000).map(|n| pair(n, &if n < 100 { "busy".to_owned() } else { format!("u{n}") }, 0, None)).collect();
    let n_of_busy = |rows: &[Example]| {
        let plan = plan(rows, &Options::default());
        plan.placements.iter().filter(|row| row.index < 100).count()
    };

    assert_eq!(n_of_busy(&rows), 20);
    assert_eq!(n_of_busy(&rows[..200]), 10);
    let unlimited = options(|options| (options.max_rows_per_user, options.max_user_share) = (0, 1.0));
    assert_eq!(plan(&rows, &unlimited).placements.len(), 2_000);
}

#[test]
fn rows_without_a_user_stay_and_are_counted() {
    let rows: Vec<Example> = (0..200).map(|n| pair(n, "", 0, None)).collect();

    let plan = plan(&rows, &Options::default());

    assert_eq!(plan.placements.len(), 200);
    assert_eq!(plan.users.values().next().unwrap().n_rows_without_user, 200);
}

#[test]
fn an_order_that_was_not_random_leaves_on_request_and_an_uneven_one_is_weighed() {
    let fixed: Vec<Example> = (0..60).map(|n| pair(n, &format!("u{n}"), 0, Some(true))).collect();
    let uneven: Vec<Example> = (0..60).map(|n| pair(n, &format!("u{n}"), 0, Some(n % 3 != 0))).collect();
    let unknown = [pair(100, "u", 0, None)];

    let drop = options(|options| options.drop_unrandomised = true);
    assert_eq!(excluded(&plan(&fixed, &drop), "order_not_random"), 60);
    assert_eq!(excluded(&plan(&uneven, &drop), "order_not_random"), 0);
    assert_eq!(excluded(&plan(&unknown, &drop), "order_unknown"), 1);
    let reweight = options(|options| options.position = PositionRule::Reweight);
    let weighed = plan(&uneven, &reweight);
    let weight_of = |first: FirstShown| -> f64 {
        weighed.placements.iter().filter(|row| uneven[row.index].shown_first == first).map(|row| row.weight).sum()
    };
    assert!((weight_of(FirstShown::Chosen) - 30.0).abs() < 1e-9, "{}", weight_of(FirstShown::Chosen));
    assert!((weight_of(FirstShown::Rejected) - 30.0).abs() < 1e-9);
}

#[test]
fn lengths_are_limited_or_matched_on_request() {
    let long = pair(0, "u", 200, None);
    let rows: Vec<Example> = (0..400)
        .map(|n| {
            let mut row = pair(n, &format!("u{n}"), 20, None);
            if n % 4 == 0
                && let afterword::dataset::example::Body::Pair { chosen, rejected, .. } = &mut row.body
            {
                std::mem::swap(chosen, rejected);
            }
            row
        })
        .collect();
    let matching = options(|options| options.length = LengthRule::Match);

    let plan = plan(&rows, &matching);

    assert_eq!(long.body.answer().unwrap().len(), 211);
    let n_left = excluded(&plan, "lengths_matched");
    assert!((200..=206).contains(&n_left), "200 of the longer 300 leave, split by split: {n_left}");
}

#[test]
fn a_pair_of_very_different_lengths_is_none_where_a_ratio_is_asked_for() {
    let answers = [
        with(answer("a"), |answer| answer.response = says("assistant", &"x".repeat(41))),
        with(answer("b"), |answer| answer.response = says("assistant", &"y".repeat(10))),
    ];
    let feedback = [react(1, "u", "b", super::fixtures::better("a"))];
    let limit =
        |ratio: f64| options(|options| (options.length, options.max_length_ratio) = (LengthRule::MaxRatio, ratio));

    assert_eq!(super::fixtures::summary(&pairs_of(&answers, &feedback, &limit(4.0))), "1 length_ratio_too_large");
    assert_eq!(super::fixtures::summary(&pairs_of(&answers, &feedback, &limit(4.1))), "b>a by preference");
}

proptest! {
    #[test]
    fn picks_do_not_depend_on_the_order_repeat_nothing_and_add_up(
        users in proptest::collection::vec(0_u8..4, 1..60),
        resample in any::<bool>(),
        half_life in 0.0_f64..0.01,
        cap in 0_i64..6,
    ) {
        let rows: Vec<Example> = users
            .iter()
            .enumerate()
            .map(|(n, user)| {
                let name = if *user == 0 { String::new() } else { format!("u{user}") };
                pair(n as u64, &name, usize::from(*user) * 7, Some(n % 2 == 0))
            })
            .collect();
        let options = options(|options| {
            options.max_rows_per_user = cap;
            options.recency_half_life_days = half_life;
            options.weights = if resample { Weights::Resample } else { Weights::Column };
            options.position = PositionRule::Reweight;
        });
        let reversed: Vec<Example> = rows.iter().rev().cloned().collect();

        let plan_of = |rows: &[Example]| {
            let plan = plan(rows, &options);
            let placed: Vec<_> = plan.placements.iter().map(|row| (rows[row.index].row_id, row.split, row.weight)).collect();
            (placed, plan.exclusions)
        };
        let (one, other) = (plan_of(&rows), plan_of(&reversed));

        prop_assert_eq!(&one, &other);
        let n_excluded: u64 = one.1.values().map(afterword::dataset::example::Exclusions::total).sum();
        prop_assert_eq!(one.0.len() as u64 + n_excluded, rows.len() as u64);
        let mut ids: Vec<_> = one.0.iter().map(|(id, ..)| *id).collect();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(ids.len(), one.0.len());
        for (_, _, weight) in &one.0 {
            prop_assert!(weight.is_finite() && *weight > 0.0 && (!resample || (*weight - 1.0).abs() < 1e-12));
        }
    }
}
