//! The plan: repeats, groups and splits.

use afterword::dataset::example::{Example, RowKind, Split};
use afterword::dataset::exclusion::{FEEDBACK_REASONS, REASONS};
use afterword::dataset::{Plan, PlanKey, Planner};
use afterword::domain::completion::Completion;
use afterword::domain::feedback::Reaction;
use afterword::domain::hash::ContentHash;
use afterword::domain::ids::UserId;
use afterword::domain::recipe::{Dedup, KtoBalance, Options};

use super::fixtures::{answer, conversation, down, labelled_of, pairs_of, react, says, sft_of, up, with};

/// An answer to a prompt of its own.
fn of_prompt(prompt: &str, name: &str) -> Completion {
    with(answer(name), |answer| {
        answer.prompt = vec![says("user", prompt)];
        answer.prompt_hash = ContentHash::of_bytes("test", prompt.as_bytes());
    })
}

fn liked(n: u64, user: &str, completion: &Completion) -> Example {
    let feedback = [react(n, user, completion.id.as_str(), up())];
    sft_of(std::slice::from_ref(completion), &feedback, &Options::default()).examples.remove(0)
}

fn plan(examples: &[Example], options: &Options) -> Plan {
    let mut planner = Planner::new(options);
    for example in examples {
        planner.add(PlanKey::of(example));
    }
    planner.plan()
}

fn halves() -> Options {
    Options { validation_share: 0.25, test_share: 0.25, ..Options::default() }
}

#[test]
fn splits_take_their_shares_of_the_groups() {
    let examples: Vec<Example> = (1..=4_000)
        .map(|n| liked(n, &format!("u{n}"), &of_prompt(&format!("Question {n}"), &format!("c{n}"))))
        .collect();

    let plan = plan(&examples, &halves());

    let share = |split| plan.placements.iter().filter(|row| row.split == split).count() as f64 / 4_000.0;
    // Four standard errors of a share of a quarter of 4000 draws are 0.027.
    assert!((share(Split::Test) - 0.25).abs() < 0.03, "{}", share(Split::Test));
    assert!((share(Split::Validation) - 0.25).abs() < 0.03, "{}", share(Split::Validation));
    assert_eq!((plan.n_groups, plan.n_rows_largest_group), (4_000, 1));
}

#[test]
fn the_salt_and_the_founding_prompt_alone_draw_the_split() {
    let examples: Vec<Example> =
        (1..=16).map(|n| liked(n, &format!("u{n}"), &of_prompt(&format!("Question {n}"), &format!("c{n}")))).collect();
    let letters = |options: &Options| -> String {
        plan(&examples, options).placements.iter().map(|row| &row.split.as_str()[..2]).collect::<Vec<_>>().concat()
    };

    let other_salt = letters(&Options { split_salt: "another".to_owned(), ..halves() });

    // A golden value: a change of it moves rows of data sets that people have trained on.
    assert_eq!(letters(&halves()), "trvatetrvatrvatetrtevatetrvatrte");
    assert_ne!(other_salt, letters(&halves()));
}

#[test]
fn a_row_id_is_stable_across_versions() {
    let feedback = [react(1, "u", "a", super::fixtures::better("b"))];

    let harvest = pairs_of(&[answer("a"), answer("b")], &feedback, &Options::default());

    assert_eq!(harvest.examples[0].row_id.to_hex(), "10108414d66df532e92a303911167366");
}

#[test]
fn rows_that_share_a_prompt_a_conversation_or_a_user_go_together() {
    let shared_user = [liked(1, "u", &of_prompt("One", "a")), liked(2, "u", &of_prompt("Two", "b"))];
    let in_conversation =
        |prompt: &str, name: &str| with(of_prompt(prompt, name), |it| it.conversation_id = Some(conversation("c")));
    let shared_conversation =
        [liked(1, "u", &in_conversation("One", "a")), liked(2, "v", &in_conversation("Two", "b"))];
    let asked =
        |prompt: &str, name: &str| with(of_prompt(prompt, name), |it| it.user = Some(UserId::parse("asker").unwrap()));
    let shared_asker = [liked(1, "u", &asked("One", "a")), liked(2, "v", &asked("Two", "b"))];
    let respaced = [liked(1, "u", &of_prompt("One  question", "a")), liked(2, "v", &of_prompt("One question", "b"))];

    for rows in [shared_user, shared_conversation, shared_asker, respaced] {
        let plan = plan(&rows, &halves());

        assert_eq!((plan.n_groups, plan.n_rows_largest_group), (1, 2));
        assert_eq!(plan.placements[0].split, plan.placements[1].split);
        assert_eq!(plan.placements[0].group, plan.placements[1].group);
    }
}

#[test]
fn a_row_between_two_splits_is_left_out_and_moves_nothing() {
    let examples: Vec<Example> =
        (1..=40).map(|n| liked(n, &format!("u{n}"), &of_prompt(&format!("Question {n}"), &format!("c{n}")))).collect();
    let before = plan(&examples, &halves());
    let first_of = |split| before.placements.iter().find(|row| row.split == split).unwrap().index + 1;
    let (tested, trained) = (first_of(Split::Test), first_of(Split::Train));
    let bridge = with(of_prompt(&format!("Question {tested}"), "bridge"), |it| {
        it.user = Some(UserId::parse(&format!("u{trained}")).unwrap());
    });

    let mut more = examples.clone();
    more.push(liked(100, &format!("u{tested}"), &bridge));
    let after = plan(&more, &halves());

    assert_eq!(after.placements, before.placements);
    assert_eq!(after.exclusions[&RowKind::Endorsed].0, [("bridges_splits", 1)].into());
}

#[test]
fn repeated_texts_keep_the_best_supported_row() {
    let twice = |name: &str, text: &str| with(of_prompt("One", name), |it| it.response = says("assistant", text));
    let (first, second) = (twice("a", "Two  rivers."), twice("b", "Two rivers."));
    let of_votes = |n_votes: u64, completion: &Completion, start: u64| {
        let name = completion.id.as_str();
        let feedback: Vec<_> = (0..n_votes).map(|n| react(start + n, &format!("u{n}"), name, up())).collect();
        sft_of(std::slice::from_ref(completion), &feedback, &Options::default()).examples.remove(0)
    };
    let better_supported = [of_votes(1, &first, 1), of_votes(2, &second, 5)];
    let earlier = [of_votes(2, &first, 9), of_votes(2, &second, 5)];

    for rows in [better_supported, earlier] {
        let deduplicated = plan(&rows, &Options::default());
        let kept = plan(&rows, &Options { dedup: Dedup::Off, ..Options::default() });

        assert_eq!(deduplicated.placements.len(), 1);
        assert_eq!(deduplicated.placements[0].index, 1);
        assert_eq!(deduplicated.exclusions[&RowKind::Endorsed].0, [("duplicate", 1)].into());
        assert_eq!(kept.placements.len(), 2);
    }
}

#[test]
fn the_larger_class_of_labels_is_cut_down_in_every_split_on_request() {
    let labelled = |n: u64, reaction: Reaction| {
        let completion = of_prompt(&format!("Question {n}"), &format!("c{n}"));
        let feedback = [react(n, &format!("u{n}"), completion.id.as_str(), reaction)];
        labelled_of(std::slice::from_ref(&completion), &feedback, &Options::default()).examples.remove(0)
    };
    let rows: Vec<Example> = (1..=400).map(|n| labelled(n, if n % 4 == 0 { down() } else { up() })).collect();

    let whole = plan(&rows, &halves());
    let balanced = plan(&rows, &Options { kto_balance: KtoBalance::Downsample, ..halves() });

    assert_eq!(whole.n_labels, (300, 100));
    let n = |split, label| {
        let of_split = balanced.placements.iter().filter(|row| row.split == split);
        of_split.filter(|row| rows[row.index].body.label() == Some(label)).count()
    };
    for split in Split::ALL {
        assert_eq!(n(split, true), n(split, false) * 4 / 3, "{split:?}");
    }
    assert_eq!(balanced.n_labels.1, 100);
    assert_eq!(balanced.exclusions[&RowKind::Labelled].0, [("downsampled", 300 - balanced.n_labels.0)].into());
    let kept: Vec<usize> = balanced.placements.iter().map(|row| row.index).collect();
    assert!(whole.placements.iter().filter(|row| kept.contains(&row.index)).count() == kept.len());
}

#[test]
fn placements_come_in_the_order_of_creation() {
    let rows = [
        liked(3, "u", &of_prompt("One", "a")),
        liked(1, "v", &of_prompt("Two", "b")),
        liked(2, "w", &of_prompt("Three", "c")),
    ];

    let plan = plan(&rows, &Options::default());

    assert_eq!(plan.placements.iter().map(|row| row.index).collect::<Vec<_>>(), [1, 2, 0]);
}

#[test]
fn every_reason_is_explained_once_in_a_sentence() {
    for table in [REASONS, FEEDBACK_REASONS] {
        let words: std::collections::BTreeSet<&str> = table.iter().map(|(word, _)| *word).collect();
        assert_eq!(words.len(), table.len());
        assert!(table.iter().all(|(_, sentence)| sentence.ends_with('.') && sentence.len() > 20));
    }
}
