//! Every row of the table of evidence, as pairs.

use afterword::dataset::example::{Body, ChosenSource, FirstShown};
use afterword::domain::feedback::{Feedback, Outcome, Reaction, ShownFirst, Signal};
use afterword::domain::ids::UserId;
use afterword::domain::recipe::{Format, Options, PairScope, Recipe, RegenerateRule};
use afterword::domain::selection::Selection;
use afterword::domain::trust::TrustFilter;

use super::fixtures::{
    Case, answer, better, changed, check, conversation, copy, down, edit, id, options, pairs_of, prefer, rate, react,
    recipe, regenerate, stars, summary, two, up, with, yield_of,
};

#[test]
fn preferences_become_pairs_by_the_votes_on_both_directions() {
    let default = Options::default;
    let cases: Vec<Case> = vec![
        ("better", two(), vec![react(1, "u", "a", better("b"))], default(), "a>b by preference"),
        ("worse", two(), vec![react(1, "u", "a", prefer("b", Outcome::Worse))], default(), "b>a by preference"),
        ("tie", two(), vec![react(1, "u", "a", prefer("b", Outcome::Tie))], default(), "1 tie"),
        ("both bad", two(), vec![react(1, "u", "a", prefer("b", Outcome::BothBad))], default(), "1 both_bad"),
        (
            "both directions are one target, the latest counts",
            two(),
            vec![react(1, "u", "a", better("b")), react(2, "u", "b", better("a"))],
            default(),
            "b>a by preference",
        ),
        (
            "one against one",
            two(),
            vec![react(1, "u", "a", better("b")), react(2, "v", "b", better("a"))],
            default(),
            "1 votes_disagree",
        ),
        (
            "two of three reach 0.66",
            two(),
            vec![react(1, "u", "a", better("b")), react(2, "v", "b", better("a")), react(3, "w", "a", better("b"))],
            default(),
            "a>b by preference",
        ),
        (
            "two of three do not reach 0.7",
            two(),
            vec![react(1, "u", "a", better("b")), react(2, "v", "b", better("a")), react(3, "w", "a", better("b"))],
            options(|options| options.min_agreement = 0.7),
            "1 votes_disagree",
        ),
        (
            "half is no majority even at 0.5",
            two(),
            vec![react(1, "u", "a", better("b")), react(2, "v", "b", better("a"))],
            options(|options| options.min_agreement = 0.5),
            "1 votes_disagree",
        ),
        (
            "a tie is a vote too",
            two(),
            vec![react(1, "u", "a", better("b")), react(2, "v", "a", prefer("b", Outcome::Tie))],
            default(),
            "1 votes_disagree",
        ),
    ];
    check(cases, pairs_of);
}

#[test]
fn preferences_need_enough_votes_and_both_answers() {
    let cases: Vec<Case> = vec![
        (
            "one vote where two are asked for",
            two(),
            vec![react(1, "u", "a", better("b"))],
            options(|options| options.min_votes = 2),
            "1 too_few_votes",
        ),
        (
            "votes without a user count each",
            two(),
            vec![react(1, "", "a", better("b")), react(2, "", "a", better("b"))],
            options(|options| options.min_votes = 2),
            "a>b by preference",
        ),
        (
            "an answer of another prompt",
            two(),
            vec![react(1, "u", "a", better("elsewhere"))],
            Options::default(),
            "1 other_prompt_or_unknown",
        ),
    ];
    check(cases, pairs_of);
}

#[test]
fn a_preference_carries_its_strength_its_votes_and_the_side_shown_first() {
    let strong = |strength, shown_first| Reaction::Preference {
        against: id("b"),
        outcome: Outcome::Better,
        strength: Some(strength),
        shown_first,
    };
    let feedback = [
        react(1, "u", "a", strong(1.0, ShownFirst::Against)),
        react(2, "v", "a", strong(3.0, ShownFirst::Against)),
        changed(react(3, "w", "b", better("a")), |item| item.session_id = Some("s".to_owned())),
    ];

    let harvest = pairs_of(&two(), &feedback, &Options::default());

    let example = &harvest.examples[0];
    assert_eq!((example.n_votes, example.shown_first), (3, FirstShown::Rejected));
    assert!((example.agreement - 2.0 / 3.0).abs() < 1e-12);
    assert!((example.preference_strength - 2.0).abs() < 1e-12);
    assert_eq!(example.feedback_ids, [feedback[0].id, feedback[1].id]);
    assert_eq!(example.created_at, feedback[0].received_at);
    assert_eq!(example.users.iter().map(UserId::as_str).collect::<Vec<_>>(), ["u", "v", "w"]);
    let Body::Pair { prompt, chosen, rejected } = &example.body else { panic!("not a pair") };
    assert_eq!(prompt.iter().map(|turn| turn.role).collect::<Vec<_>>(), ["system", "user"]);
    assert_eq!(chosen, "The answer called a names two rivers.");
    assert_eq!(rejected, "The answer called b names two rivers.");
}

#[test]
fn voters_who_saw_different_orders_leave_the_first_shown_unknown() {
    let shown =
        |shown_first| Reaction::Preference { against: id("b"), outcome: Outcome::Better, strength: None, shown_first };
    let feedback = [react(1, "u", "a", shown(ShownFirst::This)), react(2, "v", "a", shown(ShownFirst::Against))];

    let both = pairs_of(&two(), &feedback, &Options::default());
    let one = pairs_of(&two(), &feedback[..1], &Options::default());

    assert_eq!(both.examples[0].shown_first, FirstShown::Unknown);
    assert_eq!(one.examples[0].shown_first, FirstShown::Chosen);
}

#[test]
fn a_users_thumbs_up_and_down_are_a_pair() {
    let default = Options::default;
    let cases: Vec<Case> = vec![
        (
            "up and down of one user",
            two(),
            vec![react(1, "u", "a", up()), react(2, "u", "b", down())],
            default(),
            "a>b by thumb_up_down",
        ),
        ("two thumbs up", two(), vec![react(1, "u", "a", up()), react(2, "u", "b", up())], default(), ""),
        ("up and down of two users", two(), vec![react(1, "u", "a", up()), react(2, "v", "b", down())], default(), ""),
        (
            "thumbs without a user are of nobody in common",
            two(),
            vec![react(1, "", "a", up()), react(2, "", "b", down())],
            default(),
            "",
        ),
        (
            "two users whose thumbs are opposite",
            two(),
            vec![
                react(1, "u", "a", up()),
                react(2, "u", "b", down()),
                react(3, "v", "b", up()),
                react(4, "v", "a", down()),
            ],
            default(),
            "1 votes_disagree",
        ),
    ];
    check(cases, pairs_of);
}

#[test]
fn a_users_ratings_are_a_pair_where_they_differ_enough_on_one_scale() {
    let default = Options::default;
    let cases: Vec<Case> = vec![
        (
            "one point apart",
            two(),
            vec![react(1, "u", "a", stars(2.0)), react(2, "u", "b", stars(3.0))],
            default(),
            "b>a by rating_higher",
        ),
        (
            "half a point apart",
            two(),
            vec![react(1, "u", "a", stars(2.5)), react(2, "u", "b", stars(3.0))],
            default(),
            "1 rating_difference_too_small",
        ),
        (
            "a quarter apart as a bare value",
            two(),
            vec![react(1, "u", "a", rate(0.9)), react(2, "u", "b", rate(0.65))],
            default(),
            "a>b by rating_higher",
        ),
        (
            "equal even where no difference is asked for",
            two(),
            vec![react(1, "u", "a", rate(0.5)), react(2, "u", "b", rate(0.5))],
            options(|options| options.rating_min_difference = 0.0),
            "1 rating_difference_too_small",
        ),
        (
            "points against a bare value",
            two(),
            vec![react(1, "u", "a", stars(5.0)), react(2, "u", "b", rate(0.1))],
            default(),
            "1 ratings_incomparable",
        ),
    ];
    check(cases, pairs_of);
}

#[test]
fn majority_verdicts_are_a_pair_on_request() {
    let prompt_scope = || options(|options| options.pair_scope = PairScope::Prompt);
    let cases: Vec<Case> = vec![
        (
            "up and down of two users by majority",
            two(),
            vec![react(1, "u", "a", up()), react(2, "v", "b", down())],
            prompt_scope(),
            "a>b by labels_opposed",
        ),
        (
            "a majority of two to one on each answer",
            two(),
            vec![
                react(1, "u", "a", up()),
                react(2, "v", "a", up()),
                react(3, "w", "a", down()),
                react(4, "x", "b", down()),
            ],
            prompt_scope(),
            "a>b by labels_opposed",
        ),
        (
            "opposite thumbs on one answer give it no label",
            two(),
            vec![react(1, "u", "a", up()), react(2, "v", "a", down()), react(3, "w", "b", down())],
            prompt_scope(),
            "1 votes_disagree",
        ),
        (
            "a good and a bad rating of two users by majority",
            two(),
            vec![react(1, "u", "a", stars(5.0)), react(2, "v", "b", stars(2.0))],
            prompt_scope(),
            "a>b by labels_opposed",
        ),
    ];
    check(cases, pairs_of);
}

#[test]
fn a_rating_pair_has_the_difference_as_its_strength() {
    let feedback = [react(1, "u", "a", stars(5.0)), react(2, "u", "b", stars(2.0))];

    let harvest = pairs_of(&two(), &feedback, &Options::default());

    assert!((harvest.examples[0].preference_strength - 3.0).abs() < 1e-12);
    assert_eq!(harvest.examples[0].signal, Signal::Rating);
    assert_eq!(harvest.examples[0].created_at, feedback[1].received_at);
}

const SMALL_EDIT: &str = "The answer called a names three rivers.";

#[test]
fn an_accepted_edit_beats_its_original_within_the_window_of_distances() {
    let one = || vec![answer("a")];
    let refused = |accepted, truncated| Reaction::Edit { text: SMALL_EDIT.to_owned(), accepted, truncated };
    let default = Options::default;
    let cases: Vec<Case> = vec![
        ("accepted", one(), vec![react(1, "u", "a", edit(SMALL_EDIT))], default(), "a>a by edit_accepted"),
        ("not accepted", one(), vec![react(1, "u", "a", refused(false, false))], default(), "1 edit_not_accepted"),
        ("cut", one(), vec![react(1, "u", "a", refused(true, true))], default(), "1 edit_truncated"),
        (
            "white space and case only",
            one(),
            vec![react(1, "u", "a", edit(" the  Answer called a names two rivers.\n"))],
            default(),
            "1 edit_unchanged",
        ),
        ("emptied", one(), vec![react(1, "u", "a", edit(" \n"))], default(), "1 empty_text"),
        (
            "below the window",
            one(),
            vec![react(1, "u", "a", edit(SMALL_EDIT))],
            options(|options| options.edit_min_distance = 0.2),
            "1 edit_too_small",
        ),
        (
            "above the window",
            one(),
            vec![react(1, "u", "a", edit("Quite something else, from beginning to end!"))],
            default(),
            "1 edit_too_large",
        ),
        (
            "the latest edit of a user counts",
            one(),
            vec![react(1, "u", "a", edit("Rubbish")), react(2, "u", "a", edit(SMALL_EDIT))],
            default(),
            "a>a by edit_accepted",
        ),
        (
            "two users edit twice",
            one(),
            vec![react(1, "u", "a", edit(SMALL_EDIT)), react(2, "v", "a", edit(SMALL_EDIT))],
            default(),
            "a>a by edit_accepted, a>a by edit_accepted",
        ),
    ];
    check(cases, pairs_of);

    let harvest = pairs_of(&one(), &[react(1, "u", "a", edit(SMALL_EDIT))], &default());
    let example = &harvest.examples[0];
    assert_eq!(example.chosen_source, ChosenSource::HumanEdit);
    assert!(matches!(&example.body, Body::Pair { chosen, .. } if chosen == SMALL_EDIT));
}

#[test]
fn a_regeneration_is_a_pair_only_where_the_kept_answer_is_proved_good() {
    let child = || vec![answer("a"), with(answer("b"), |answer| answer.parent_completion_id = Some(id("a")))];
    let default = Options::default;
    let named = |reason| react(1, "u", "a", regenerate(Some("b"), reason));
    let unproven = "1 regenerate_kept_unproven";
    let cases: Vec<Case> = vec![
        ("bare", two(), vec![named(None)], default(), unproven),
        ("kept and copied", two(), vec![named(None), react(2, "u", "b", copy())], default(), "b>a by regenerate_kept"),
        ("by parent alone", child(), vec![react(2, "u", "b", up())], default(), "b>a by regenerate_kept"),
        (
            "next found by its parent",
            child(),
            vec![react(1, "u", "a", regenerate(None, None)), react(2, "u", "b", up())],
            default(),
            "b>a by regenerate_kept",
        ),
        (
            "the replaced one was copied",
            two(),
            vec![named(None), react(2, "u", "b", up()), react(3, "u", "a", copy())],
            default(),
            "1 regenerate_replaced_liked",
        ),
        ("the kept one is disliked", two(), vec![named(None), react(2, "u", "b", down())], default(), unproven),
        (
            "liked by one, disliked by another",
            two(),
            vec![named(None), react(2, "u", "b", up()), react(3, "v", "b", down())],
            default(),
            unproven,
        ),
        (
            "one voter where two are asked for",
            two(),
            vec![named(None), react(2, "u", "b", up())],
            options(|options| options.min_votes = 2),
            "1 too_few_votes",
        ),
        (
            "switched off",
            two(),
            vec![named(None), react(2, "u", "b", up())],
            options(|options| options.regenerate = RegenerateRule::Off),
            "",
        ),
        (
            "into another prompt",
            vec![answer("a")],
            vec![react(1, "u", "a", regenerate(Some("elsewhere"), None))],
            default(),
            "1 other_prompt_or_unknown",
        ),
        (
            "into nothing",
            vec![answer("a")],
            vec![react(1, "u", "a", regenerate(None, None))],
            default(),
            "1 other_prompt_or_unknown",
        ),
    ];
    check(cases, pairs_of);
    for failure in ["error", "stop", "timeout"] {
        let feedback = [named(Some(failure)), react(2, "u", "b", up())];
        let harvest = pairs_of(&child(), &feedback, &default());
        assert_eq!(summary(&harvest), "1 regenerate_after_failure", "{failure}");
    }
}

#[test]
fn approval_that_a_token_for_one_conversation_vouches_for_makes_no_answer_of_another_the_worse_one() {
    let answers = |replaced_in: &str| {
        let replaced = with(answer("a"), |answer| answer.conversation_id = Some(conversation(replaced_in)));
        let kept = with(answer("b"), |answer| {
            answer.conversation_id = Some(conversation("mine"));
            answer.parent_completion_id = Some(id("a"));
        });
        vec![replaced, kept]
    };
    let granted = |item| changed(item, |item| item.granted = Some(conversation("mine")));
    let pairs = |replaced_in: &str, feedback: &[Feedback], trust: TrustFilter| {
        let selection = Selection { trust: Some(trust), ..Selection::default() };
        let recipe = Recipe { selection, ..recipe(Format::Preference, Options::default()) };
        summary(&yield_of(&answers(replaced_in), feedback, &recipe))
    };
    let up = granted(react(1, "u", "b", up()));
    let down = granted(react(2, "v", "b", down()));
    let vouched = react(3, "w", "b", copy());

    let (pair, none) = ("b>a by regenerate_kept", "1 regenerate_kept_unproven");
    assert_eq!(pairs("mine", std::slice::from_ref(&up), TrustFilter::Verified), pair);
    assert_eq!(pairs("another", std::slice::from_ref(&up), TrustFilter::Verified), none);
    assert_eq!(pairs("another", std::slice::from_ref(&up), TrustFilter::Any), pair);
    assert_eq!(pairs("another", &[up, vouched.clone()], TrustFilter::Verified), pair);
    assert_eq!(pairs("another", &[down, vouched], TrustFilter::Verified), none, "an objection is of its own answer");
}

#[test]
fn of_several_rules_the_strongest_names_the_pair_and_a_contradiction_undoes_it() {
    let agreeing = vec![react(1, "u", "a", up()), react(2, "u", "b", down()), react(3, "v", "a", better("b"))];
    let opposed = vec![react(1, "u", "a", up()), react(2, "u", "b", down()), react(3, "v", "b", better("a"))];
    let tied =
        vec![react(1, "u", "a", up()), react(2, "u", "b", down()), react(3, "v", "b", prefer("a", Outcome::Tie))];
    let too_few = options(|options| options.min_votes = 1);
    let cases: Vec<Case> = vec![
        ("agreeing", two(), agreeing.clone(), Options::default(), "a>b by preference"),
        ("opposed", two(), opposed, too_few, "1 rules_contradict"),
        ("a tie is not overruled by thumbs", two(), tied, Options::default(), "1 tie"),
    ];
    check(cases, pairs_of);

    let before = pairs_of(&two(), &agreeing[..2], &Options::default());
    let after = pairs_of(&two(), &agreeing, &Options::default());
    assert_eq!(before.examples[0].row_id, after.examples[0].row_id);
    assert_eq!(before.examples[0].created_at, after.examples[0].created_at);
}
