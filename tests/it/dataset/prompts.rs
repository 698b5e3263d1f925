//! Prompts alone: which ones, and from which answer they are taken.

use afterword::dataset::example::Body;
use afterword::domain::feedback::Reaction;
use afterword::domain::recipe::Options;

use super::fixtures::{Case, answer, at, check, options, prompts_of, react, says, two, up, with};

#[test]
fn a_prompt_is_a_row_as_soon_as_somebody_reacted_whatever_became_of_the_answers() {
    let default = Options::default;
    let cut = || vec![with(answer("a"), |a| a.finish_reason = Some("length".into()))];
    let cases: Vec<Case> = vec![
        ("reacted to", two(), vec![react(1, "u", "b", up())], default(), "a by got_feedback"),
        ("a cut answer has a whole prompt", cut(), vec![react(1, "u", "a", up())], default(), "a by got_feedback"),
        ("only looked at", two(), vec![react(1, "u", "a", Reaction::Impression)], default(), ""),
        ("nobody reacted", two(), vec![], default(), ""),
        (
            "taken from the first answer that may be used",
            vec![with(answer("a"), |a| a.consent_training = None), answer("b")],
            vec![react(1, "u", "a", up())],
            default(),
            "b by got_feedback",
        ),
        (
            "no consent at all",
            vec![with(answer("a"), |a| a.consent_training = None)],
            vec![react(1, "u", "a", up())],
            default(),
            "1 consent_missing",
        ),
        (
            "not selected",
            vec![with(answer("a"), |a| a.selected = false)],
            vec![react(1, "u", "a", up())],
            default(),
            "1 not_selected",
        ),
        (
            "why a selected one cannot be used tells more",
            vec![with(answer("a"), |a| a.consent_training = None), with(answer("b"), |b| b.selected = false)],
            vec![react(1, "u", "a", up())],
            default(),
            "1 consent_missing",
        ),
        (
            "tools offered",
            vec![with(answer("a"), |a| a.has_tools = true)],
            vec![react(1, "u", "a", up())],
            default(),
            "1 tool_calls",
        ),
        ("too long", two(), vec![react(1, "u", "a", up())], options(|options| options.max_chars = 10), "1 too_long"),
    ];
    check(cases, prompts_of);
}

#[test]
fn a_prompt_stands_from_the_first_reaction_to_a_known_answer_on() {
    let early = with(answer("b"), |b| b.received_at = at(60));
    let answers = [with(answer("a"), |a| a.prompt = vec![says("user", "Q")]), early];

    let by_arrival = prompts_of(&answers, &[react(5, "u", "b", up())], &Options::default());
    let by_reaction = prompts_of(&answers, &[react(5, "u", "b", up()), react(7, "v", "a", up())], &Options::default());

    assert_eq!(by_arrival.examples[0].created_at, at(60));
    assert_eq!(by_reaction.examples[0].created_at, at(7));
    assert_eq!(by_reaction.examples[0].row_id, by_arrival.examples[0].row_id);
    assert!(matches!(&by_reaction.examples[0].body, Body::Prompt { prompt } if prompt[0].content == "Q"));
}
