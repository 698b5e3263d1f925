//! Each convention's own way to tell of a call.

use super::*;
use crate::domain::ids::CompletionId;

fn one(attributes: &[String]) -> NewCompletion {
    let translated = translate(&[span(attributes, "")], &[]);
    let told = completions(&translated);
    assert_eq!(told.len(), 1);
    told[0].clone()
}

fn messages_of(completion: &NewCompletion) -> Vec<String> {
    let answer = completion.response.value().to_text();
    completion.prompt.iter().map(|message| message.value().to_text()).chain([answer]).collect()
}

fn names(completion: &NewCompletion) -> (&str, Vec<&str>) {
    (completion.id.as_str(), completion.aliases.iter().map(CompletionId::as_str).collect())
}

fn number(key: &str, value: &str) -> String {
    attribute(key, &format!("{{\"doubleValue\":{value}}}"))
}

fn whole(key: &str, value: i64) -> String {
    attribute(key, &format!("{{\"intValue\":\"{value}\"}}"))
}

#[test]
fn gen_ai_tells_everything_that_it_has_a_name_for() {
    let mut attributes = gen_ai("chatcmpl-1");
    attributes.extend([
        text("gen_ai.system_instructions", r#"[{"type":"text","content":"Be short."}]"#),
        whole("gen_ai.usage.input_tokens", 12),
        whole("gen_ai.usage.output_tokens", 3),
        whole("gen_ai.usage.cache_read.input_tokens", 8),
        whole("gen_ai.usage.reasoning.output_tokens", 1),
        number("gen_ai.response.time_to_first_chunk", "0.21"),
        number("gen_ai.request.temperature", "0.5"),
        whole("gen_ai.request.max_tokens", 64),
        text("gen_ai.conversation.id", "c-1"),
        text("user.id", "u-1"),
        text("server.address", "gpu-1"),
        whole("server.port", 8000),
    ]);

    let completion = one(&attributes);

    assert_eq!(names(&completion), ("chatcmpl-1", vec![TRACE, SPAN]));
    assert_eq!((&*completion.model, completion.requested_model.as_deref()), ("acme-8b", Some("acme")));
    assert_eq!(
        messages_of(&completion),
        [
            r#"{"role":"system","content":"Be short."}"#,
            r#"{"role":"user","content":"Why?"}"#,
            r#"{"role":"assistant","content":"So."}"#
        ]
    );
    assert_eq!(completion.finish_reason.as_deref(), Some("stop"));
    let usage = &completion.usage;
    assert_eq!((usage.input_tokens, usage.output_tokens), (Some(12), Some(3)));
    assert_eq!((usage.cached_input_tokens, usage.reasoning_tokens), (Some(8), Some(1)));
    let timing = &completion.timing;
    assert_eq!((timing.ttft_ms, timing.latency_ms), (Some(210.0), Some(2000.0)));
    assert_eq!(timing.started_at.unwrap().timestamp_millis(), 1_793_527_200_500);
    assert_eq!(completion.params.as_ref().unwrap().to_text(), r#"{"temperature":0.5,"max_tokens":64}"#);
    assert_eq!(completion.conversation_id.as_ref().unwrap().as_str(), "c-1");
    assert_eq!(completion.user.as_ref().unwrap().as_str(), "u-1");
    assert_eq!(completion.serving.served_by.as_deref(), Some("gpu-1:8000"));
}

#[test]
fn gen_ai_messages_may_be_values_and_hold_calls_of_tools_with_their_answers() {
    let structured = |json: &str| {
        fn to_value(json: &Json) -> String {
            match json {
                Json::Array(items) => {
                    let items: Vec<String> = items.iter().map(to_value).collect();
                    format!("{{\"arrayValue\":{{\"values\":[{}]}}}}", items.join(","))
                }
                Json::Object(entries) => {
                    let entries: Vec<String> =
                        entries.iter().map(|(key, value)| attribute(key, &to_value(value))).collect();
                    format!("{{\"kvlistValue\":{{\"values\":[{}]}}}}", entries.join(","))
                }
                other => format!("{{\"stringValue\":{}}}", other.to_text()),
            }
        }
        to_value(&Json::parse(json.as_bytes()).unwrap())
    };
    let attributes = [
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.request.model", "acme"),
        attribute(
            "gen_ai.input.messages",
            &structured(
                r#"[{"role":"user","parts":[{"type":"text","content":"Weather?"}]},
                {"role":"assistant","parts":[{"type":"tool_call","id":"t1","name":"look","arguments":{"at":"here"}}]},
                {"role":"tool","parts":[{"type":"tool_call_response","id":"t1","response":"rain"}]}]"#,
            ),
        ),
        attribute(
            "gen_ai.output.messages",
            &structured(
                r#"[{"role":"assistant","parts":[{"type":"reasoning","content":"Hm."},{"type":"text","content":"Rain."}],
                "finish_reason":"stop"},
                {"role":"assistant","parts":[{"type":"text","content":"Wet."}],"finish_reason":"length"}]"#,
            ),
        ),
        whole("gen_ai.usage.output_tokens", 9),
    ];

    let translated = translate(&[span(&attributes, "")], &[]);

    let told = completions(&translated);
    assert_eq!(names(told[0]), (SPAN, vec![TRACE]));
    assert_eq!(names(told[1]), ("b7ad6b7169203331#1", vec![]), "the second choice");
    assert_eq!(
        messages_of(told[0]),
        [
            r#"{"role":"user","content":"Weather?"}"#,
            r#"{"role":"assistant","tool_calls":[{"id":"t1","type":"function","function":{"name":"look","arguments":{"at":"here"}}}]}"#,
            r#"{"role":"tool","content":"rain","tool_call_id":"t1"}"#,
            r#"{"role":"assistant","content":"Rain."}"#
        ]
    );
    assert_eq!((told[0].finish_reason.as_deref(), told[1].finish_reason.as_deref()), (Some("stop"), Some("length")));
    assert_eq!(told[0].usage.output_tokens, None, "what two answers took is no answer's own");
}

#[test]
fn the_texts_of_a_call_may_stand_in_an_event_of_its_span() {
    let (content, rest): (Vec<String>, Vec<String>) =
        gen_ai("r-1").into_iter().partition(|pair| pair.contains("messages"));
    let event = format!(",\"events\":[{{\"name\":\"{DETAILS}\",\"attributes\":[{}]}}]", content.join(","));

    let translated = translate(&[span(&rest, &event)], &[]);

    assert_eq!(messages_of(completions(&translated)[0]).len(), 2);
}

#[test]
fn open_inference_is_put_together_from_its_flat_names() {
    let input = |number: usize, rest: &str| format!("llm.input_messages.{number}.message.{rest}");
    let output = |rest: &str| format!("llm.output_messages.0.message.{rest}");
    let mut attributes = vec![
        text("openinference.span.kind", "LLM"),
        text("llm.model_name", "acme-8b"),
        text(&input(10, "role"), "user"),
        text(&input(10, "contents.0.message_content.type"), "text"),
        text(&input(10, "contents.0.message_content.text"), "What is it?"),
        text(&input(10, "contents.1.message_content.image.image.url"), "https://a.example/cat.png"),
        text(&input(9, "role"), "system"),
        text(&input(9, "content"), "Be short."),
        text(&output("role"), "assistant"),
        text(&output("tool_calls.0.tool_call.id"), "t1"),
        text(&output("tool_calls.0.tool_call.function.name"), "look"),
        text(&output("tool_calls.0.tool_call.function.arguments"), "{\"at\":1}"),
        text("llm.invocation_parameters", r#"{"temperature":0.1,"api_key":"secret"}"#),
        text("llm.tools.0.tool.json_schema", r#"{"type":"function","function":{"name":"look"}}"#),
        whole("llm.token_count.prompt", 7),
        whole("llm.token_count.completion", 2),
        whole("llm.token_count.prompt_details.cache_read", 4),
        text("session.id", "c-1"),
        text("user.id", "u-1"),
    ];
    attributes.push(text("openinference.extra", "let pass"));

    let completion = one(&attributes);

    assert_eq!(names(&completion), (SPAN, vec![TRACE]));
    assert_eq!(
        messages_of(&completion),
        [
            r#"{"role":"system","content":"Be short."}"#,
            r#"{"role":"user","content":[{"type":"text","text":"What is it?"},{"type":"image_url","image_url":{"url":"https://a.example/cat.png"}}]}"#,
            r#"{"role":"assistant","tool_calls":[{"id":"t1","type":"function","function":{"name":"look","arguments":"{\"at\":1}"}}]}"#
        ]
    );
    assert_eq!(completion.params.as_ref().unwrap().to_text(), r#"{"temperature":0.1}"#, "and no key");
    assert_eq!(completion.tools.as_ref().unwrap().to_text(), r#"[{"type":"function","function":{"name":"look"}}]"#);
    assert_eq!((completion.usage.input_tokens, completion.usage.cached_input_tokens), (Some(7), Some(4)));
    assert_eq!(completion.conversation_id.as_ref().unwrap().as_str(), "c-1");
}

#[test]
fn open_inference_without_messages_has_plain_texts_or_none() {
    let mut attributes = vec![
        text("openinference.span.kind", "LLM"),
        text("llm.model_name", "acme"),
        text("input.value", "Once upon"),
        text("output.value", "a time"),
    ];
    assert_eq!(messages_of(&one(&attributes)).last().unwrap(), r#"{"role":"assistant","content":"a time"}"#);

    attributes.push(text("output.mime_type", "application/json"));
    assert_eq!(codes(&translate(&[span(&attributes, "")], &[])), ["text_redacted"], "a raw answer of some API");
}

#[test]
fn the_ai_sdk_tells_a_call_in_its_inner_span_which_its_outer_one_names_too() {
    let inner = [
        text("ai.operationId", "ai.streamText.doStream"),
        text("ai.model.id", "acme"),
        text("ai.response.model", "acme-8b"),
        text("ai.response.id", "r-1"),
        text("ai.prompt.messages", r#"[{"role":"user","content":[{"type":"text","text":"Why?"}]}]"#),
        text("ai.response.text", "So."),
        text("ai.response.toolCalls", r#"[{"toolCallId":"t1","toolName":"look","input":"{}"}]"#),
        text("ai.response.finishReason", "tool-calls"),
        attribute(
            "ai.prompt.tools",
            r#"{"arrayValue":{"values":[{"stringValue":"{\"name\":\"look\",\"inputSchema\":{}}"}]}}"#,
        ),
        whole("ai.usage.inputTokens", 5),
        whole("ai.usage.completionTokens", 2),
        number("ai.response.msToFirstChunk", "120.5"),
        text("ai.telemetry.metadata.userId", "u-1"),
    ];
    let outer = [text("ai.operationId", "ai.streamText"), text("ai.response.text", "So.")];
    let spans = [
        span_of("00000000000000aa", &outer, ""),
        span_of(SPAN, &inner, ",\"parentSpanId\":\"00000000000000aa\""),
        span_of("00000000000000cc", &[text("ai.operationId", "ai.toolCall")], ""),
    ];

    let translated = translate(&spans, &[]);

    let told = completions(&translated);
    assert_eq!((told.len(), translated.n_nested, translated.n_other), (1, 1, 1));
    assert_eq!(names(told[0]), ("r-1", vec![TRACE, SPAN, "00000000000000aa"]));
    assert_eq!(
        messages_of(told[0]),
        [
            r#"{"role":"user","content":"Why?"}"#,
            r#"{"role":"assistant","content":"So.","tool_calls":[{"id":"t1","type":"function","function":{"name":"look","arguments":"{}"}}]}"#
        ]
    );
    assert_eq!(told[0].finish_reason.as_deref(), Some("tool_calls"));
    assert_eq!((told[0].timing.ttft_ms, told[0].usage.output_tokens), (Some(120.5), Some(2)));
    let tools = told[0].tools.as_ref().unwrap().to_text();
    assert_eq!(tools, r#"[{"type":"function","function":{"name":"look","parameters":{}}}]"#);
}

#[test]
fn a_generation_of_langfuses_client_is_a_call_and_its_other_observations_are_not() {
    let generation = [
        text("langfuse.observation.type", "generation"),
        text("langfuse.observation.model.name", "acme-8b"),
        text("langfuse.observation.input", r#"[{"role":"user","content":"Why?"}]"#),
        text("langfuse.observation.output", r#"{"role":"assistant","content":"So.","refusal":null}"#),
        text("langfuse.observation.usage_details", r#"{"input":5,"output":2}"#),
        text("langfuse.observation.cost_details", r#"{"total":0.25}"#),
        text("langfuse.observation.model.parameters", r#"{"temperature":0.3}"#),
        text("session.id", "c-1"),
        text("user.id", "u-1"),
    ];

    let completion = one(&generation);

    assert_eq!(
        messages_of(&completion),
        [r#"{"role":"user","content":"Why?"}"#, r#"{"role":"assistant","content":"So."}"#]
    );
    assert_eq!((completion.usage.output_tokens, completion.cost_usd), (Some(2), Some(0.25)));
    assert_eq!(completion.user.as_ref().unwrap().as_str(), "u-1");
    let plain = [
        text("langfuse.observation.type", "generation"),
        text("langfuse.observation.model.name", "acme"),
        text("langfuse.observation.input", "Why?"),
        text("langfuse.observation.output", "So."),
    ];
    assert_eq!(messages_of(&one(&plain)).len(), 2);
    let other = translate(&[span(&[text("langfuse.observation.type", "span")], "")], &[]);
    assert_eq!((other.n_other, other.completions.len()), (1, 0));
}
