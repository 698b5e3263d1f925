//! OpenInference, the conventions of Phoenix: messages flattened into `llm.input_messages.N.message.*`.

use super::super::parts::{Answer, reason_of};
use super::super::wire::{Object, member};
use super::attributes::{Attributes, Members};
use super::calls::{Call, Usage};
use crate::domain::json::Json;

/// Reads a call, where there is one.
pub(super) fn call<'a>(attributes: &Attributes<'a>) -> Option<Call<'a>> {
    attributes.text("openinference.span.kind").filter(|kind| *kind == "LLM")?;
    let mut prompt: Vec<Json> =
        attributes.indexed("llm.input_messages").iter().map(|told| message(told, "user")).collect();
    let reason = attributes.text("llm.finish_reason").map(reason_of);
    let mut answers: Vec<Answer> = attributes
        .indexed("llm.output_messages")
        .iter()
        .map(|told| Answer {
            message: message(told, "assistant"),
            finish_reason: told.text("message.finish_reason").map(reason_of).or_else(|| reason.clone()),
        })
        .collect();
    // Instrumentations of plain completions write texts instead; other media types are raw requests of some API.
    let plain = |value: &str, media_type: &str| {
        let is_plain = attributes.text(media_type).is_none_or(|told| told == "text/plain");
        attributes.text(value).filter(|_| is_plain)
    };
    if let (true, Some(text)) = (prompt.is_empty(), plain("input.value", "input.mime_type")) {
        prompt.push(super::super::wire::message("user", text));
    }
    if let (true, Some(text)) = (answers.is_empty(), plain("output.value", "output.mime_type")) {
        answers.push(Answer::of_text(text, reason.as_deref()));
    }
    let tools = attributes.indexed("llm.tools");
    let tools = tools.iter().filter_map(|tool| attributes.parse(tool.text("tool.json_schema")?)).collect();
    Some(Call {
        model: attributes.text("llm.model_name"),
        prompt,
        answers,
        tools: Some(Json::Array(tools)),
        params: params(attributes),
        usage: Usage {
            input: attributes.count(&["llm.token_count.prompt"]),
            output: attributes.count(&["llm.token_count.completion"]),
            cached_input: attributes.count(&["llm.token_count.prompt_details.cache_read"]),
            reasoning: attributes.count(&["llm.token_count.completion_details.reasoning"]),
        },
        cost_usd: attributes.number("llm.cost.total"),
        ..Call::default()
    })
}

/// Sampling settings, which stand in one text; the same as of every other tool.
fn params(attributes: &Attributes<'_>) -> Object {
    let told = attributes.structured("llm.invocation_parameters").unwrap_or(Json::Null);
    super::super::litellm::PARAMS
        .iter()
        .fold(Object::default(), |params, name| params.put(name, member(&told, name).cloned()))
}

fn message(told: &Members<'_>, usual_role: &str) -> Json {
    let role = match told.text("message.role") {
        Some("model") => "assistant",
        Some(role) => role,
        None => usual_role,
    };
    let parts: Vec<Json> = told.indexed("message.contents").iter().filter_map(part).collect();
    let calls: Vec<Json> = told.indexed("message.tool_calls").iter().map(call_of_tool).collect();
    let content = match (told.text("message.content"), parts.is_empty()) {
        (Some(text), _) => Some(Json::String(text.to_owned())),
        (None, false) => Some(Json::Array(parts)),
        (None, true) => calls.is_empty().then(|| Json::String(String::new())),
    };
    Object::default()
        .text("role", Some(role))
        .put("content", content)
        .text("name", told.text("message.name"))
        .text("tool_call_id", told.text("message.tool_call_id"))
        .put("tool_calls", (!calls.is_empty()).then_some(Json::Array(calls)))
        .build()
}

fn part(told: &Members<'_>) -> Option<Json> {
    let text = told.text("message_content.text");
    let image = told.text("message_content.image.image.url");
    match (text, image) {
        (Some(text), _) => Some(Object::default().text("type", Some("text")).text("text", Some(text)).build()),
        (None, Some(url)) => {
            let image = Object::default().text("url", Some(url));
            Some(Object::default().text("type", Some("image_url")).object("image_url", image).build())
        }
        (None, None) => None,
    }
}

fn call_of_tool(told: &Members<'_>) -> Json {
    let function = Object::default()
        .text("name", told.text("tool_call.function.name"))
        .text("arguments", told.text("tool_call.function.arguments"));
    let call = Object::default().text("id", told.text("tool_call.id")).text("type", Some("function"));
    call.object("function", function).build()
}
