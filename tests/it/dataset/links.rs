//! How answers hang together: turns of a conversation, regenerations, and what proves the kept one; with the hashes that
//! ingest gives to prompts.

use std::collections::BTreeMap;

use afterword::domain::completion::Completion;
use afterword::domain::feedback::{Feedback, Reaction, Thumb};
use afterword::domain::hash::ContentHash;
use afterword::domain::recipe::Options;
use serde_json::{Value, json};

use super::fixtures::{
    Case, answer, better, check, copy, down, edit, id, pairs_of, react, regenerate, sft_of, stored, summary, thumb,
    two, up, with,
};

/// Harvests the pairs of answers that may be to different prompts, prompt by prompt as an export does.
fn pairs_by_prompt(completions: &[Completion], feedback: &[Feedback]) -> Vec<String> {
    let mut by_prompt: BTreeMap<ContentHash, Vec<Completion>> = BTreeMap::new();
    for completion in completions {
        by_prompt.entry(completion.prompt_hash).or_default().push(completion.clone());
    }
    let mut summaries: Vec<String> = by_prompt
        .values()
        .map(|answers| {
            let on_them = |item: &&Feedback| answers.iter().any(|answer| answer.id == item.completion_id);
            let feedback: Vec<Feedback> = feedback.iter().filter(on_them).cloned().collect();
            summary(&pairs_of(answers, &feedback, &Options::default()))
        })
        .filter(|summary| !summary.is_empty())
        .collect();
    summaries.sort();
    summaries
}

fn of_messages(name: &str, messages: &Value) -> Value {
    json!({"id": name, "model": "m", "prompt": messages, "response": format!("The answer called {name}."),
           "finish_reason": "stop", "consent": {"training": true}})
}

fn turn(role: &str, content: &str) -> Value {
    json!({"role": role, "content": content})
}

#[test]
fn answers_are_compared_only_where_everything_before_them_is_the_same() {
    let prefix =
        || vec![turn("system", "Be brief."), turn("user", "One?"), turn("assistant", "Uno."), turn("user", "Two?")];
    let changed = |place: usize, to: Value| {
        let mut messages = prefix();
        messages[place] = to;
        json!(messages)
    };
    let with_tools = |name: &str| {
        let mut one = of_messages(name, &json!(prefix()));
        one["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
        one
    };
    let other = "1 other_prompt_or_unknown";
    for (name, second, expected) in [
        ("the same", of_messages("b", &json!(prefix())), "a>b by preference"),
        ("another system message", of_messages("b", &changed(0, turn("system", "Be long."))), other),
        ("an earlier answer of another text", of_messages("b", &changed(2, turn("assistant", "Un."))), other),
        ("another question", of_messages("b", &changed(3, turn("user", "Three?"))), other),
        ("a question with a space more", of_messages("b", &changed(3, turn("user", "Two? "))), other),
        ("tools offered", with_tools("b"), other),
        (
            "keys in another order",
            of_messages("b", &changed(3, json!({"content": "Two?", "role": "user"}))),
            "a>b by preference",
        ),
    ] {
        let answers = [stored(&of_messages("a", &json!(prefix()))), stored(&second)];

        let made = pairs_by_prompt(&answers, &[react(1, "u", "a", better("b"))]);

        assert_eq!(made, [expected], "{name}");
    }
}

#[test]
fn the_judged_turn_is_the_completion_and_nothing_after_it_is_used() {
    let first = stored(&of_messages("first", &json!([turn("user", "One?")])));
    let later = of_messages("later", &json!([turn("user", "One?"), turn("assistant", "Uno."), turn("user", "Two?")]));
    let later = stored(&later);

    let of_first = sft_of(std::slice::from_ref(&first), &[react(1, "u", "first", up())], &Options::default());
    let of_later = sft_of(std::slice::from_ref(&later), &[react(1, "u", "later", up())], &Options::default());

    let said = |made: &super::fixtures::Yield| -> Vec<String> {
        let body = &made.examples[0].body;
        body.prompt().iter().map(|turn| turn.content.clone()).chain(body.answer().map(str::to_owned)).collect()
    };
    assert_eq!(said(&of_first), ["One?", "The answer called first."]);
    assert_eq!(said(&of_later), ["One?", "Uno.", "Two?", "The answer called later."]);
}

#[test]
fn a_regeneration_after_an_edited_prompt_compares_nothing() {
    let asked = stored(&of_messages("a", &json!([turn("user", "Which rivers?")])));
    let mut again = of_messages("b", &json!([turn("user", "Which rivers, please?")]));
    again["parent_completion_id"] = json!("a");
    let again = stored(&again);
    let liked = react(2, "u", "b", up());

    let by_parent = pairs_by_prompt(&[asked.clone(), again.clone()], std::slice::from_ref(&liked));
    let by_feedback = pairs_by_prompt(&[asked, again], &[react(1, "u", "a", regenerate(Some("b"), None)), liked]);

    assert_eq!(by_parent, Vec::<String>::new());
    assert_eq!(by_feedback, ["1 other_prompt_or_unknown"]);
}

#[test]
fn what_proves_a_kept_answer_good_and_what_does_not() {
    let named = || react(1, "u", "a", regenerate(Some("b"), None));
    let continued = Reaction::Continuation { turn: None, gap_ms: None, next_completion_id: None };
    let accepted = Reaction::Accept { method: None };
    let dwelt = Reaction::Dwell { visible_ms: 60_000 };
    let unproven = "1 regenerate_kept_unproven";
    let default = Options::default;
    let chain = || {
        vec![
            answer("a"),
            with(answer("b"), |b| b.parent_completion_id = Some(id("a"))),
            with(answer("c"), |c| c.parent_completion_id = Some(id("b"))),
        ]
    };
    let cases: Vec<Case> = vec![
        ("continued", two(), vec![named(), react(2, "u", "b", continued)], default(), "b>a by regenerate_kept"),
        ("accepted", two(), vec![named(), react(2, "u", "b", accepted)], default(), "b>a by regenerate_kept"),
        ("looked at", two(), vec![named(), react(2, "u", "b", dwelt)], default(), unproven),
        (
            "a thumb that was taken back",
            two(),
            vec![named(), react(2, "u", "b", up()), react(3, "u", "b", thumb(Thumb::None))],
            default(),
            unproven,
        ),
        (
            "a thumb on the replaced one that was taken back",
            two(),
            vec![named(), react(2, "u", "a", up()), react(3, "u", "a", thumb(Thumb::None)), react(4, "u", "b", copy())],
            default(),
            "b>a by regenerate_kept",
        ),
        (
            "the last of a chain beats the one before it",
            chain(),
            vec![react(2, "u", "c", up())],
            default(),
            "c>b by regenerate_kept, 1 regenerate_kept_unproven",
        ),
        (
            "a disliked answer that was replaced",
            two(),
            vec![named(), react(2, "u", "a", down()), react(3, "u", "b", up())],
            default(),
            "b>a by thumb_up_down",
        ),
    ];
    check(cases, pairs_of);
    let edited = [named(), react(2, "u", "b", edit("The answer called b names three rivers."))];
    let mut rules: Vec<&str> =
        pairs_of(&two(), &edited, &Options::default()).examples.iter().map(|example| example.rule).collect();
    rules.sort_unstable();
    assert_eq!(rules, ["edit_accepted", "regenerate_kept"]);
}
