//! Labelled answers: what calls an answer good or bad, and what does not.

use afterword::dataset::example::Body;
use afterword::domain::feedback::{Outcome, Reaction, Signal, Thumb};
use afterword::domain::ids::UserId;
use afterword::domain::recipe::{ImplicitPositive, Options};

use super::fixtures::{
    Case, answer, better, check, copy, down, edit, labelled_of, options, prefer, react, regenerate, stars, summary,
    thumb, two, up, with,
};

#[test]
fn thumbs_and_ratings_label_an_answer_and_comparisons_only_where_both_are_bad() {
    let one = || vec![answer("a")];
    let default = Options::default;
    let cases: Vec<Case> = vec![
        ("thumb up", one(), vec![react(1, "u", "a", up())], default(), "a good by thumb_up"),
        ("thumb down", one(), vec![react(1, "u", "a", down())], default(), "a bad by thumb_down"),
        ("top rating", one(), vec![react(1, "u", "a", stars(4.0))], default(), "a good by rating_good"),
        ("bottom rating", one(), vec![react(1, "u", "a", stars(2.0))], default(), "a bad by rating_bad"),
        ("middle rating", one(), vec![react(1, "u", "a", stars(3.0))], default(), "1 no_label"),
        (
            "up and down on two answers",
            two(),
            vec![react(1, "u", "a", up()), react(2, "u", "b", down())],
            default(),
            "a good by thumb_up, b bad by thumb_down",
        ),
        (
            "both bad",
            two(),
            vec![react(1, "u", "a", prefer("b", Outcome::BothBad))],
            default(),
            "a bad by both_bad, b bad by both_bad",
        ),
        ("better says nothing of good", two(), vec![react(1, "u", "a", better("b"))], default(), ""),
        ("neither does a tie", two(), vec![react(1, "u", "a", prefer("b", Outcome::Tie))], default(), ""),
        (
            "an edit says nothing",
            one(),
            vec![react(1, "u", "a", edit("The answer called a names three."))],
            default(),
            "",
        ),
        (
            "an edited answer is bad only where somebody says so",
            one(),
            vec![react(1, "u", "a", edit("The answer called a names three.")), react(2, "u", "a", down())],
            default(),
            "a bad by thumb_down",
        ),
        ("a copy says nothing", one(), vec![react(1, "u", "a", copy())], default(), ""),
        ("a regeneration says nothing", two(), vec![react(1, "u", "a", regenerate(Some("b"), None))], default(), ""),
    ];
    check(cases, |completions, feedback, options| {
        let mut made = labelled_of(completions, feedback, options);
        // Two rows of one moment stand in the order of their hashes.
        made.examples.sort_by(|left, right| left.chosen_id.cmp(&right.chosen_id));
        made
    });
}

#[test]
fn contrary_votes_and_missing_requirements_leave_an_answer_out() {
    let one = || vec![answer("a")];
    let default = Options::default;
    let cut = || vec![with(answer("a"), |a| a.finish_reason = Some("length".into()))];
    let cases: Vec<Case> = vec![
        ("divided", one(), vec![react(1, "u", "a", up()), react(2, "v", "a", down())], default(), "1 votes_disagree"),
        (
            "taken back",
            one(),
            vec![react(1, "u", "a", up()), react(2, "u", "a", thumb(Thumb::None))],
            default(),
            "1 retracted",
        ),
        (
            "too few votes",
            one(),
            vec![react(1, "u", "a", up())],
            options(|options| options.min_votes = 2),
            "1 too_few_votes",
        ),
        (
            "liked, and both bad",
            two(),
            vec![react(1, "u", "a", up()), react(2, "v", "a", prefer("b", Outcome::BothBad))],
            default(),
            "b bad by both_bad, 1 rules_contradict",
        ),
        (
            "disliked, and both bad",
            vec![answer("a"), with(answer("b"), |b| b.selected = false)],
            vec![react(1, "u", "a", down()), react(2, "v", "a", prefer("b", Outcome::BothBad))],
            default(),
            "a bad by thumb_down, 1 not_selected",
        ),
        ("cut", cut(), vec![react(1, "u", "a", down())], default(), "1 finish_reason_not_stop"),
        (
            "no consent",
            vec![with(answer("a"), |a| a.consent_training = None)],
            vec![react(1, "u", "a", down())],
            default(),
            "1 consent_missing",
        ),
    ];
    check(cases, labelled_of);
}

#[test]
fn that_both_answers_are_bad_is_retracted_or_outvoted() {
    let default = Options::default;
    let cases: Vec<Case> = vec![
        (
            "both bad no more",
            two(),
            vec![react(1, "u", "a", prefer("b", Outcome::BothBad)), react(2, "u", "a", better("b"))],
            default(),
            "2 retracted",
        ),
        (
            "both bad, and outvoted",
            two(),
            vec![
                react(1, "u", "a", prefer("b", Outcome::BothBad)),
                react(2, "v", "a", better("b")),
                react(3, "w", "a", better("b")),
            ],
            default(),
            "2 votes_disagree",
        ),
        (
            "both bad, and divided",
            two(),
            vec![react(1, "u", "a", prefer("b", Outcome::BothBad)), react(2, "v", "a", better("b"))],
            default(),
            "2 votes_disagree",
        ),
        (
            "both bad, and then too few",
            two(),
            vec![
                react(1, "u", "a", prefer("b", Outcome::BothBad)),
                react(2, "v", "a", prefer("b", Outcome::BothBad)),
                react(3, "v", "a", better("b")),
            ],
            options(|options| options.min_votes = 2),
            "2 votes_disagree",
        ),
    ];
    check(cases, labelled_of);
}

#[test]
fn a_copy_calls_an_answer_good_on_request_and_only_where_nothing_else_was_said() {
    let implicit = || options(|options| options.implicit_positive = ImplicitPositive::On);
    let one = || vec![answer("a")];
    let cases: Vec<Case> = vec![
        ("copied", one(), vec![react(1, "u", "a", copy())], implicit(), "a good by copied_or_accepted"),
        (
            "copied and disliked",
            one(),
            vec![react(1, "u", "a", copy()), react(2, "v", "a", down())],
            implicit(),
            "a bad by thumb_down",
        ),
        (
            "copied, with too few thumbs",
            one(),
            vec![react(1, "u", "a", copy()), react(2, "v", "a", down())],
            Options { min_votes: 2, ..implicit() },
            "1 too_few_votes",
        ),
        (
            "copied, and both bad",
            two(),
            vec![react(1, "u", "a", copy()), react(2, "v", "a", prefer("b", Outcome::BothBad))],
            implicit(),
            "a bad by both_bad, b bad by both_bad",
        ),
        (
            "copied, and lost",
            two(),
            vec![react(1, "v", "a", better("b")), react(2, "u", "b", copy())],
            implicit(),
            "1 no_label",
        ),
    ];
    check(cases, |completions, feedback, options| {
        let mut made = labelled_of(completions, feedback, options);
        made.examples.sort_by(|left, right| left.chosen_id.cmp(&right.chosen_id));
        made
    });
}

#[test]
fn retracted_is_said_only_where_no_vote_stands() {
    let both_bad = || prefer("b", Outcome::BothBad);
    let moves = [up(), thumb(Thumb::None), both_bad(), better("b"), prefer("b", Outcome::Tie)];
    let mut n_retracted = 0;
    // Every two users with two reactions each.
    for nth in 0..moves.len().pow(4) {
        let of = |place: u32| &moves[nth / moves.len().pow(place) % moves.len()];
        let cast = [("u", of(0)), ("u", of(1)), ("v", of(2)), ("v", of(3))];
        let feedback: Vec<_> =
            cast.iter().enumerate().map(|(n, (user, cast))| react(n as u64 + 1, user, "a", (*cast).clone())).collect();
        let is_thumb = |reaction: &Reaction| reaction.signal() == Signal::Thumb;
        let stands = |kind: &dyn Fn(&Reaction) -> bool, wanted: &Reaction| {
            ["u", "v"].iter().any(|user| {
                let own = cast.iter().filter(|(other, reaction)| other == user && kind(reaction));
                own.last().is_some_and(|(_, reaction)| *reaction == wanted)
            })
        };
        let is_both_bad = stands(&|reaction| !is_thumb(reaction), &both_bad());
        let n_without_votes = match (is_both_bad, stands(&is_thumb, &up())) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => 2,
        };

        let found = labelled_of(&two(), &feedback, &Options::default());

        let n = found.exclusions.0.get("retracted").copied().unwrap_or_default();
        assert!(n <= n_without_votes, "{cast:?}: {}", summary(&found));
        n_retracted += n;
    }
    assert!(n_retracted > 50, "{n_retracted}");
}

#[test]
fn a_row_names_its_votes_and_another_label_is_another_row() {
    let feedback = [react(1, "u", "a", down()), react(2, "v", "a", down()), react(3, "w", "a", up())];

    let bad = labelled_of(&[answer("a")], &feedback, &Options::default());
    let good = labelled_of(&[answer("a")], &feedback[2..], &Options::default());

    let example = &bad.examples[0];
    assert_eq!((example.signal, example.n_votes, example.body.label()), (Signal::Thumb, 3, Some(false)));
    assert!((example.agreement - 2.0 / 3.0).abs() < 1e-12);
    assert_eq!(example.feedback_ids, [feedback[0].id, feedback[1].id]);
    assert_eq!(example.created_at, feedback[0].received_at);
    assert_eq!(example.users.iter().map(UserId::as_str).collect::<Vec<_>>(), ["u", "v", "w"]);
    assert!(matches!(&example.body, Body::Labelled { completion, .. } if completion.contains("called a")));
    assert_ne!(good.examples[0].row_id, example.row_id);
}

#[test]
fn a_changed_label_is_a_new_row_from_then_on_and_its_ties_stay() {
    let feedback = [react(1, "u", "a", up()), react(5, "u", "a", down()), react(9, "u", "a", thumb(Thumb::None))];

    let changed = labelled_of(&[answer("a")], &feedback[..2], &Options::default());
    let taken_back = labelled_of(&[answer("a")], &feedback, &Options::default());

    assert_eq!(summary(&changed), "a bad by thumb_down");
    assert_eq!(changed.examples[0].created_at, feedback[1].received_at);
    assert_eq!((summary(&taken_back).as_str(), taken_back.former.len()), ("1 retracted", 1));
}
