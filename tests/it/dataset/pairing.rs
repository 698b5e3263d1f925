//! Which of a prompt's pairs become rows, and what becomes of comparisons without a winner.

use afterword::dataset::example::{Body, FirstShown};
use afterword::domain::feedback::{Outcome, Reaction, ShownFirst};
use afterword::domain::recipe::{Format, Options, Pairing, Recipe, Ties};

use super::fixtures::{
    Case, Yield, answer, at, better, check, down, edit, id, options, pairs_of, prefer, react, recipe, stars, summary,
    ties_of, two, up,
};

/// One user's ratings of four answers: `a` is the best, `d` the worst.
fn rated() -> Vec<afterword::domain::feedback::Feedback> {
    [("a", 5.0), ("b", 4.0), ("c", 3.0), ("d", 1.0)]
        .iter()
        .zip(1..)
        .map(|((name, score), n)| react(n, "u", name, stars(*score)))
        .collect()
}

fn names(made: &Yield) -> String {
    let mut names: Vec<String> = made
        .examples
        .iter()
        .map(|example| format!("{}>{}", example.chosen_id.as_str(), example.rejected_id.as_ref().unwrap().as_str()))
        .collect();
    names.sort();
    names.join(" ")
}

#[test]
fn pairs_of_many_answers_are_those_of_the_best_against_the_worst_first() {
    let answers = ["a", "b", "c", "d"].map(answer);
    let of = |pairing, max_pairs_per_prompt| Options { pairing, max_pairs_per_prompt, ..Options::default() };
    for (options, expected, excluded) in [
        (of(Pairing::BestVsWorst, 3), "a>b a>c a>d", vec![("not_best", 3)]),
        (of(Pairing::BestVsWorst, 2), "a>c a>d", vec![("max_pairs", 1), ("not_best", 3)]),
        (of(Pairing::BestVsWorst, 1), "a>d", vec![("max_pairs", 2), ("not_best", 3)]),
        (of(Pairing::All, 1), "a>d", vec![("max_pairs", 5)]),
        (of(Pairing::All, 6), "a>b a>c a>d b>c b>d c>d", vec![]),
    ] {
        let made = pairs_of(&answers, &rated(), &options);

        assert_eq!(names(&made), expected);
        let reasons: Vec<_> = made.exclusions.0.iter().map(|(reason, n)| (*reason, *n)).collect();
        assert_eq!(reasons, excluded);
        let weight = 1.0 / made.examples.len() as f64;
        assert!(made.examples.iter().all(|example| (example.sample_weight - weight).abs() < 1e-12));
    }
}

#[test]
fn answers_that_were_never_compared_with_each_other_may_both_be_the_best() {
    let answers = ["a", "b", "c", "d"].map(answer);
    let feedback = [react(1, "u", "a", better("b")), react(2, "v", "c", better("d"))];

    let made = pairs_of(&answers, &feedback, &Options::default());

    assert_eq!((names(&made).as_str(), summary(&made).contains("not_best")), ("a>b c>d", false));
}

#[test]
fn an_edit_stands_beside_the_best_pairs_as_far_as_there_is_room() {
    let answers = ["a", "b"].map(answer);
    let feedback =
        [react(1, "u", "a", better("b")), react(2, "u", "a", edit("The answer called a names three rivers."))];

    let both = pairs_of(&answers, &feedback, &Options::default());
    let one = pairs_of(&answers, &feedback, &options(|options| options.max_pairs_per_prompt = 1));

    assert_eq!(names(&both), "a>a a>b");
    assert_eq!(summary(&one), "a>b by preference, 1 max_pairs");
}

#[test]
fn a_pair_is_a_row_since_it_was_chosen_and_leaves_its_ties_when_another_takes_its_place() {
    let answers = ["a", "b", "c"].map(answer);
    let feedback = [
        react(1, "u", "b", better("c")),
        react(5, "v", "a", better("b")),
        react(9, "v", "a", prefer("b", Outcome::Tie)),
    ];

    let first = pairs_of(&answers, &feedback[..1], &Options::default());
    let second = pairs_of(&answers, &feedback[..2], &Options::default());
    let third = pairs_of(&answers, &feedback, &Options::default());

    assert_eq!(summary(&first), "b>c by preference");
    assert_eq!(summary(&second), "a>b by preference, 1 not_best");
    assert_eq!((second.former.len(), second.examples[0].created_at), (1, at(5)));
    assert_eq!(summary(&third), "b>c by preference, 1 tie");
    assert_eq!(third.examples[0].created_at, at(9), "it was no row between the fifth minute and the ninth");
}

#[test]
fn ties_go_into_a_side_file_on_request_and_stay_exclusions_of_the_pairs() {
    let with_ties = options(|options| options.ties = Ties::SideFile);
    let tied = |outcome| vec![react(1, "u", "a", prefer("b", outcome))];
    let cases: Vec<Case> = vec![
        ("equal", two(), tied(Outcome::Tie), with_ties.clone(), "a>b by preference"),
        ("both bad", two(), tied(Outcome::BothBad), with_ties.clone(), "a>b by preference"),
        ("a winner", two(), tied(Outcome::Better), with_ties.clone(), ""),
        (
            "a tie that was decided",
            two(),
            vec![react(1, "u", "a", prefer("b", Outcome::Tie)), react(2, "u", "a", better("b"))],
            with_ties.clone(),
            "",
        ),
        (
            "thumbs are no ties",
            two(),
            vec![react(1, "u", "a", up()), react(2, "u", "b", down())],
            with_ties.clone(),
            "",
        ),
        (
            "truncated",
            vec![answer("a"), super::fixtures::with(answer("b"), |b| b.finish_reason = Some("length".into()))],
            tied(Outcome::Tie),
            with_ties.clone(),
            "1 finish_reason_not_stop",
        ),
    ];
    check(cases, ties_of);
    let pairs = Recipe { options: with_ties, ..recipe(Format::Preference, Options::default()) };
    let harvest = afterword::dataset::harvest(&two(), &tied(Outcome::Tie), &pairs);
    assert_eq!(harvest.crops.values().map(|crop| crop.exclusions.total()).sum::<u64>(), 1);
}

#[test]
fn a_tie_tells_which_it_is_and_what_was_shown_first() {
    let shown = Reaction::Preference {
        against: id("a"),
        outcome: Outcome::BothBad,
        strength: None,
        shown_first: ShownFirst::This,
    };

    let made = ties_of(&two(), &[react(1, "u", "b", shown)], &options(|options| options.ties = Ties::SideFile));

    let example = &made.examples[0];
    assert!(matches!(&example.body, Body::Tie { first, both_bad: true, .. } if first.contains("called a")));
    assert_eq!((example.shown_first, example.n_votes), (FirstShown::Rejected, 1));
}
