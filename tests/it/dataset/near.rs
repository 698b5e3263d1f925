//! Near duplicates: of prompts in the splits, of rows in what is removed, of what is held out.

use std::collections::HashMap;

use afterword::dataset::example::{Example, Split};
use afterword::dataset::minhash::Sketcher;
use afterword::dataset::{Plan, PlanKey, Planner, prompt_signature};
use afterword::domain::completion::Completion;
use afterword::domain::hash::ContentHash;
use afterword::domain::recipe::{Dedup, Options};

use super::fixtures::{answer, better, pairs_of, react, says, sft_of, up, with};

/// Ninety words that no other seed shares, with one of them replaced.
fn text(seed: usize, changed: Option<usize>) -> String {
    let word = |n: usize| if Some(n) == changed { "changed".to_owned() } else { format!("s{seed}w{n}") };
    (0..90).map(word).collect::<Vec<_>>().join(" ")
}

fn of_prompt(prompt: &str, name: &str) -> Completion {
    with(answer(name), |answer| {
        answer.prompt = vec![says("system", &text(9_999, None)), says("user", prompt)];
        answer.prompt_hash = ContentHash::of_bytes("test", prompt.as_bytes());
    })
}

/// Somebody of their own likes an answer; the rows come in the order of their numbers.
fn liked(n: usize, completion: &Completion) -> Example {
    let feedback = [react(n as u64 + 1, &format!("u{n}"), completion.id.as_str(), up())];
    sft_of(std::slice::from_ref(completion), &feedback, &Options::default()).examples.remove(0)
}

fn plan(rows: &[(Completion, Example)], options: &Options, held_out: &[&str]) -> Plan {
    let (mut planner, mut sketcher) = (Planner::new(options), Sketcher::new(&options.split_salt));
    let mut told = std::collections::HashSet::new();
    for (completion, example) in rows {
        if told.insert(completion.prompt_hash) {
            planner.describe_prompt(completion.prompt_hash, prompt_signature(&completion.prompt, &mut sketcher));
        }
        planner.add(PlanKey::of(example).signed(example, &mut sketcher));
    }
    for prompt in held_out {
        let hash = ContentHash::of_bytes("test", prompt.as_bytes());
        planner.hold_out(hash, prompt_signature(&[says("user", prompt)], &mut sketcher));
    }
    planner.plan()
}

fn halves() -> Options {
    Options { validation_share: 0.25, test_share: 0.25, ..Options::default() }
}

fn rows_of(prompts: &[String]) -> Vec<(Completion, Example)> {
    let rows = prompts.iter().enumerate().map(|(n, prompt)| {
        let completion = of_prompt(prompt, &format!("c{n}"));
        let example = liked(n, &completion);
        (completion, example)
    });
    rows.collect()
}

fn splits(plan: &Plan) -> HashMap<usize, Split> {
    plan.placements.iter().map(|row| (row.index, row.split)).collect()
}

#[test]
fn nearly_the_same_prompts_lie_in_one_split_and_others_where_they_are_drawn() {
    let prompts: Vec<String> = (0..60).flat_map(|seed| [text(seed, None), text(seed, Some(seed))]).collect();

    let plan = plan(&rows_of(&prompts), &halves(), &[]);

    let splits = splits(&plan);
    assert_eq!((splits.len(), plan.n_groups, plan.n_rows_largest_group), (120, 60, 2));
    assert!((0..60).all(|seed| splits[&(2 * seed)] == splits[&(2 * seed + 1)]));
    assert!(Split::ALL.iter().all(|split| splits.values().any(|found| found == split)));
}

#[test]
fn what_comes_later_moves_nothing() {
    let prompts: Vec<String> = (0..40).map(|seed| text(seed, None)).collect();
    let more: Vec<String> = prompts.iter().cloned().chain((0..40).map(|seed| text(seed, Some(70)))).collect();

    let before = splits(&plan(&rows_of(&prompts), &halves(), &[]));
    let after = splits(&plan(&rows_of(&more), &halves(), &[]));

    assert_eq!((before.len(), after.len()), (40, 80));
    assert!(before.iter().all(|(index, split)| after[index] == *split));
}

#[test]
fn a_prompt_that_is_like_two_others_of_different_splits_is_left_out() {
    // Of 300 words, `n` are replaced: four make 87 % of the shingles common, eight 76 %.
    let changed = |seed: usize, n: usize| -> String {
        let word = |at: usize| if at % 30 == 9 && at / 30 < n { format!("x{at}") } else { format!("s{seed}w{at}") };
        (0..300).map(word).collect::<Vec<_>>().join(" ")
    };
    let ends = (0..30).flat_map(|seed| [changed(seed, 0), changed(seed, 8)]);
    let prompts: Vec<String> = ends.chain((0..30).map(|seed| changed(seed, 4))).collect();

    let plan = plan(&rows_of(&prompts), &halves(), &[]);

    let splits = splits(&plan);
    let n_apart = (0..30).filter(|seed| splits[&(2 * seed)] != splits[&(2 * seed + 1)]).count();
    assert!(n_apart > 0);
    for seed in 0..30 {
        let (first, last) = (splits[&(2 * seed)], splits[&(2 * seed + 1)]);
        assert_eq!(splits.get(&(60 + seed)).copied(), (first == last).then_some(first), "{seed}");
    }
    let n_bridges: u64 = plan.exclusions.values().map(|of_kind| of_kind.0["bridges_splits"]).sum();
    assert_eq!(n_bridges as usize, n_apart);
}

#[test]
fn rows_repeat_each_other_only_where_every_part_of_them_does() {
    let pair = |n: u64, prompt: &str, chosen: &str, rejected: &str| {
        let (name, other) = (format!("a{n}"), format!("b{n}"));
        let chosen = with(of_prompt(prompt, &name), |it| it.response = says("assistant", chosen));
        let rejected = with(of_prompt(prompt, &other), |it| it.response = says("assistant", rejected));
        let feedback = [react(n, &format!("u{n}"), &name, better(&other))];
        let example = pairs_of(&[chosen.clone(), rejected], &feedback, &Options::default()).examples.remove(0);
        (chosen, example)
    };
    let (one, two) = (text(1, None), text(2, None));
    let rows = [
        pair(1, &text(0, None), &one, &two),
        pair(2, &text(0, Some(20)), &text(1, Some(50)), &text(2, Some(60))),
        pair(3, &text(0, Some(30)), &one, "No."),
        pair(4, &text(0, Some(40)), &two, &one),
        pair(5, &text(5, None), &one, &two),
    ];

    let kept = |dedup: Dedup| {
        let plan = plan(&rows, &Options { dedup, ..Options::default() }, &[]);
        let mut indices: Vec<usize> = plan.placements.iter().map(|row| row.index).collect();
        indices.sort_unstable();
        let reasons: Vec<(&str, u64)> = plan.exclusions.values().flat_map(|of_kind| of_kind.0.clone()).collect();
        (indices, reasons)
    };

    assert_eq!(kept(Dedup::Exact), (vec![0, 1, 2, 3, 4], vec![]));
    assert_eq!(kept(Dedup::Near), (vec![0, 2, 3, 4], vec![("near_duplicate", 1)]));
}

#[test]
fn what_is_held_out_is_in_no_train_split_and_stays_elsewhere() {
    let prompts: Vec<String> = (0..80).map(|seed| text(seed, None)).collect();
    let rows = rows_of(&prompts);
    let before = splits(&plan(&rows, &halves(), &[]));
    let held: Vec<String> =
        (0..40).map(|seed| if seed % 2 == 0 { text(seed, None) } else { text(seed, Some(9)) }).collect();

    let after = plan(&rows, &halves(), &held.iter().map(String::as_str).collect::<Vec<_>>());

    let expected: HashMap<usize, Split> =
        before.into_iter().filter(|(index, split)| *index >= 40 || *split != Split::Train).collect();
    assert_eq!(splits(&after), expected);
    let n_held_out: u64 = after.exclusions.values().map(|of_kind| of_kind.0["held_out"]).sum();
    assert_eq!(n_held_out as usize, 80 - expected.len());
}
