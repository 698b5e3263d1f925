//! Conversations with tools: the three things that may become of them, and the traps on the way.

use afterword::dataset::example::{Body, Example};
use afterword::domain::completion::Completion;
use afterword::domain::recipe::{Options, ToolCalls};
use serde_json::{Value, json};

use super::fixtures::{
    Yield, answer, better, edit, labelled_of, message, options, pairs_of, prompts_of, react, says, sft_of, summary, up,
    with,
};

const TOOLS: &str = r#"[{"type":"function","function":{"name":"rivers","parameters":{"type":"object"}}}]"#;

fn calling(arguments: &Value) -> Value {
    json!({"role": "assistant", "content": null, "refusal": null, "tool_calls": [
        {"id": "1", "type": "function", "index": 0, "function": {"name": "rivers", "arguments": arguments}}
    ]})
}

/// An answer after a tool was called and has answered.
fn with_tools(name: &str, change: impl FnOnce(&mut Completion)) -> Completion {
    with(answer(name), |answer| {
        answer.has_tools = true;
        answer.tools = Some(TOOLS.to_owned());
        answer.prompt = vec![
            says("system", "Be brief."),
            says("user", "Which rivers?"),
            message(&calling(&json!("{\"city\":\"Ulm\",\"n\":2}")).to_string()),
            message(r#"{"role":"tool","tool_call_id":"1","content":"Donau"}"#),
            message(r#"{"role":"tool","tool_call_id":"2","content":"Iller"}"#),
        ];
        change(answer);
    })
}

fn two_with_tools() -> Vec<Completion> {
    vec![with_tools("a", |_| ()), with_tools("b", |_| ())]
}

fn as_json() -> Options {
    options(|options| options.tool_calls = ToolCalls::Json)
}

fn flat() -> Options {
    options(|options| options.tool_calls = ToolCalls::Flatten)
}

fn messages(example: &Example) -> Vec<Value> {
    example.body.prompt().iter().map(|turn| serde_json::from_str(&turn.content).unwrap()).collect()
}

#[test]
fn they_are_left_out_by_default_in_every_format() {
    type Of = fn(&[Completion], &[afterword::domain::feedback::Feedback], &Options) -> Yield;
    let feedback = [react(1, "u", "a", better("b")), react(2, "u", "a", up())];
    let formats: [(Of, &str); 4] = [
        (pairs_of, "1 tool_calls"),
        (sft_of, "1 not_endorsed, 1 tool_calls"),
        (labelled_of, "1 tool_calls"),
        (prompts_of, "1 tool_calls"),
    ];
    for (of, expected) in formats {
        assert_eq!(summary(&of(&two_with_tools(), &feedback, &Options::default())), expected);
    }
}

#[test]
fn as_json_a_message_has_no_null_and_arguments_are_objects() {
    let made = pairs_of(&two_with_tools(), &[react(1, "u", "a", better("b"))], &as_json());

    let example = &made.examples[0];
    let messages = messages(example);
    assert_eq!(example.tools.as_deref(), Some(TOOLS));
    assert_eq!(messages[1], json!({"role": "user", "content": "Which rivers?"}));
    assert_eq!(
        messages[2],
        json!({"role": "assistant", "content": "", "tool_calls": [{"id": "1", "type": "function",
               "function": {"name": "rivers", "arguments": {"city": "Ulm", "n": 2}}}]})
    );
    assert_eq!(messages[3], json!({"role": "tool", "content": "Donau", "tool_call_id": "1"}));
    let Body::Pair { chosen, .. } = &example.body else { panic!("not a pair") };
    let chosen: Value = serde_json::from_str(chosen).unwrap();
    assert_eq!(chosen, json!({"role": "assistant", "content": "The answer called a names two rivers."}));
}

#[test]
fn an_answer_may_be_nothing_but_a_call_where_tools_are_let_in() {
    let call = |name: &str, city: &str| {
        with_tools(name, |it| {
            it.response = message(&calling(&json!({"city": city})).to_string());
            it.finish_reason = Some("tool_calls".to_owned());
        })
    };
    let answers = vec![call("a", "Ulm"), call("b", "Bonn")];
    let feedback = [react(1, "u", "a", better("b"))];

    let made = pairs_of(&answers, &feedback, &as_json());
    let excluded = pairs_of(&answers, &feedback, &Options::default());

    let Body::Pair { chosen, .. } = &made.examples[0].body else { panic!("not a pair") };
    assert!(chosen.contains(r#""arguments":{"city":"Ulm"}"#), "{chosen}");
    assert_eq!(summary(&excluded), "1 finish_reason_not_stop");
}

#[test]
fn what_cannot_be_written_as_a_call_leaves_the_row_out() {
    let of = |change: fn(&mut Completion)| {
        let answers = vec![with_tools("a", change), with_tools("b", change)];
        summary(&pairs_of(&answers, &[react(1, "u", "a", better("b"))], &as_json()))
    };

    assert_eq!(of(|it| it.prompt[2] = message(&calling(&json!("{\"city\":")).to_string())), "1 tool_calls_unreadable");
    assert_eq!(of(|it| it.prompt[2] = message(&calling(&json!("[1]")).to_string())), "1 tool_calls_unreadable");
    assert_eq!(of(|it| it.prompt[2] = message(&calling(&json!(3)).to_string())), "1 tool_calls_unreadable");
    assert_eq!(of(|it| it.prompt[2] = message(&calling(&json!("")).to_string())), "a>b by preference");
    assert_eq!(of(|it| it.prompt[3] = says("function", "Donau")), "1 tool_calls");
    assert_eq!(
        of(|it| {
            it.prompt[2] =
                message(r#"{"role":"assistant","content":null,"function_call":{"name":"rivers","arguments":"{}"}}"#);
        }),
        "1 tool_calls"
    );
}

#[test]
fn flattened_they_are_text_that_every_loader_reads() {
    let made = sft_of(&two_with_tools(), &[react(1, "u", "a", up())], &flat());

    let example = &made.examples[0];
    let turns: Vec<(&str, &str)> =
        example.body.prompt().iter().map(|turn| (turn.role, turn.content.as_str())).collect();
    assert_eq!(example.tools, None);
    assert!(
        turns[0].1.starts_with("Be brief.\n\n# Tools\n\n") && turns[0].1.contains(r#""name":"rivers""#),
        "{turns:?}"
    );
    assert_eq!(
        turns[2],
        ("assistant", "<tool_call>\n{\"name\":\"rivers\",\"arguments\":{\"city\":\"Ulm\",\"n\":2}}\n</tool_call>")
    );
    assert_eq!(
        turns[3],
        ("user", "<tool_response>\nDonau\n</tool_response>\n<tool_response>\nIller\n</tool_response>")
    );
    assert_eq!(turns.len(), 4);
}

#[test]
fn a_conversation_without_tools_stays_plain_whatever_the_recipe_says() {
    let plain = pairs_of(&[answer("a"), answer("b")], &[react(1, "u", "a", better("b"))], &as_json());
    let default = pairs_of(&[answer("a"), answer("b")], &[react(1, "u", "a", better("b"))], &Options::default());

    assert_eq!(plain.examples, default.examples);
}

#[test]
fn a_users_edit_is_a_message_like_the_others() {
    let edited = edit("The answer called a names three rivers.");

    let made = pairs_of(&two_with_tools(), &[react(1, "u", "a", edited)], &as_json());

    let Body::Pair { chosen, .. } = &made.examples[0].body else { panic!("not a pair") };
    assert_eq!(chosen, r#"{"role":"assistant","content":"The answer called a names three rivers."}"#);
}
