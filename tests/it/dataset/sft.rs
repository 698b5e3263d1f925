//! Endorsed answers: which rule endorses, and what rules an answer out.

use afterword::dataset::example::{Body, ChosenSource};
use afterword::domain::feedback::{Outcome, Reaction, Signal};
use afterword::domain::recipe::{MinSignal, Options};

use super::fixtures::{Case, answer, better, check, copy, down, edit, prefer, react, sft_of, stars, summary, up, with};

const EDITED: &str = "The answer called a names three rivers.";

#[test]
fn the_strongest_evidence_endorses_an_answer_once() {
    let one = || vec![answer("a")];
    let two = || vec![answer("a"), answer("b")];
    let default = Options::default;
    let implicit = || Options { sft_min_signal: MinSignal::Implicit, ..Options::default() };
    let accept = || Reaction::Accept { method: None };
    let cases: Vec<Case> = vec![
        ("winner", two(), vec![react(1, "u", "a", better("b"))], default(), "a by preference_won, 1 not_endorsed"),
        ("tie", two(), vec![react(1, "u", "a", prefer("b", Outcome::Tie))], default(), "2 not_endorsed"),
        ("both bad", two(), vec![react(1, "u", "a", prefer("b", Outcome::BothBad))], default(), "2 both_bad"),
        ("edit", one(), vec![react(1, "u", "a", edit(EDITED))], default(), "a by edit_accepted"),
        ("thumb up", one(), vec![react(1, "u", "a", up())], default(), "a by thumb_up"),
        ("top rating", one(), vec![react(1, "u", "a", stars(5.0))], default(), "a by rating_good"),
        ("middle rating", one(), vec![react(1, "u", "a", stars(3.0))], default(), "1 not_endorsed"),
        ("thumb down", one(), vec![react(1, "u", "a", down())], default(), "1 negative_label"),
        ("copied", one(), vec![react(1, "u", "a", copy())], default(), ""),
        ("copied, on request", one(), vec![react(1, "u", "a", copy())], implicit(), "a by copied_or_accepted"),
        ("accepted, on request", one(), vec![react(1, "u", "a", accept())], implicit(), "a by copied_or_accepted"),
    ];
    check(cases, sft_of);
}

#[test]
fn contrary_evidence_and_missing_requirements_rule_an_answer_out() {
    let one = || vec![answer("a")];
    let two = || vec![answer("a"), answer("b")];
    let default = Options::default;
    let implicit = || Options { sft_min_signal: MinSignal::Implicit, ..Options::default() };
    let cases: Vec<Case> = vec![
        (
            "copied but disliked",
            one(),
            vec![react(1, "u", "a", copy()), react(2, "v", "a", down())],
            implicit(),
            "1 negative_label",
        ),
        (
            "winner that is disliked",
            two(),
            vec![react(1, "u", "a", better("b")), react(2, "v", "a", down())],
            default(),
            "1 negative_label, 1 not_endorsed",
        ),
        (
            "winner before edit before thumb",
            two(),
            vec![react(1, "u", "a", better("b")), react(2, "u", "a", edit(EDITED)), react(3, "u", "a", up())],
            default(),
            "a by preference_won, 1 not_endorsed",
        ),
        (
            "disliked, and edited into something good",
            one(),
            vec![react(1, "u", "a", down()), react(2, "u", "a", edit(EDITED))],
            default(),
            "a by edit_accepted",
        ),
        (
            "won one, lost one",
            vec![answer("a"), answer("b"), answer("c")],
            vec![react(1, "u", "a", better("b")), react(2, "u", "c", better("a"))],
            default(),
            "c by preference_won, 1 not_endorsed, 1 won_and_lost",
        ),
        ("unknown rival", one(), vec![react(1, "u", "a", better("z"))], default(), "1 other_prompt_or_unknown"),
        ("divided", one(), vec![react(1, "u", "a", up()), react(2, "v", "a", down())], default(), "1 votes_disagree"),
        (
            "not selected",
            vec![with(answer("a"), |a| a.selected = false)],
            vec![react(1, "u", "a", up())],
            default(),
            "1 not_selected",
        ),
        (
            "cut",
            vec![with(answer("a"), |a| a.finish_reason = Some("length".into()))],
            vec![react(1, "u", "a", up())],
            default(),
            "1 finish_reason_not_stop",
        ),
        (
            "no consent",
            vec![with(answer("a"), |a| a.consent_training = None)],
            vec![react(1, "u", "a", edit(EDITED))],
            default(),
            "1 consent_missing",
        ),
    ];
    check(cases, sft_of);
}

#[test]
fn an_edit_is_the_example_and_the_text_is_the_users() {
    let harvest = sft_of(&[answer("a")], &[react(1, "u", "a", edit(EDITED))], &Options::default());

    let example = &harvest.examples[0];
    assert_eq!((example.chosen_source, example.signal), (ChosenSource::HumanEdit, Signal::Edit));
    assert!(matches!(&example.body, Body::Endorsed { response, .. } if response == EDITED));
    assert_eq!(example.rejected_id, None);
}

#[test]
fn votes_and_agreement_are_counted_over_the_matches_that_were_won() {
    let answers = [answer("a"), answer("b"), answer("c")];
    let feedback = [
        react(1, "u", "a", better("b")),
        react(2, "v", "a", better("b")),
        react(3, "w", "b", better("a")),
        react(4, "u", "a", better("c")),
    ];

    let harvest = sft_of(&answers, &feedback, &Options::default());

    assert_eq!(summary(&harvest), "a by preference_won, 2 not_endorsed");
    assert_eq!(harvest.examples[0].n_votes, 4);
    assert!((harvest.examples[0].agreement - 0.75).abs() < 1e-12);
}

#[test]
fn a_later_stronger_rule_leaves_the_row_where_it_was() {
    let answers = [answer("a"), answer("b")];
    let feedback = [react(1, "u", "a", up()), react(2, "v", "a", better("b"))];

    let before = sft_of(&answers, &feedback[..1], &Options::default());
    let after = sft_of(&answers, &feedback, &Options::default());

    assert_eq!(before.examples[0].row_id, after.examples[0].row_id);
    assert_eq!(before.examples[0].created_at, after.examples[0].created_at);
    assert_eq!((before.examples[0].rule, after.examples[0].rule), ("thumb_up", "preference_won"));
}
