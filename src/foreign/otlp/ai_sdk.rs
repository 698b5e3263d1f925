//! The Vercel AI SDK's own attributes, `ai.*`, as its telemetry writes them beside or in place of the GenAI conventions.

use super::super::parts::{self, Answer};
use super::super::wire::{Object, text_of};
use super::attributes::Attributes;
use super::calls::{Call, Usage};
use crate::domain::json::Json;

/// What an operation of the SDK's is.
pub(super) enum Operation<'a> {
    /// A call of a model.
    Call(Box<Call<'a>>),
    /// What is around one call or several, and repeats their texts.
    Wrapper,
}

/// Reads an operation, where there is one that is about answers.
pub(super) fn operation<'a>(attributes: &Attributes<'a>) -> Option<Operation<'a>> {
    let id = attributes.text("ai.operationId")?;
    let (function, step) =
        id.strip_prefix("ai.")?.split_once('.').map_or((id, None), |(name, step)| (name, Some(step)));
    match (function, step) {
        ("generateText" | "streamText" | "generateObject" | "streamObject", Some("doGenerate" | "doStream")) => {
            Some(Operation::Call(Box::new(call(attributes))))
        }
        ("ai.generateText" | "ai.streamText" | "ai.generateObject" | "ai.streamObject", None) => {
            Some(Operation::Wrapper)
        }
        _ => None,
    }
}

fn call<'a>(attributes: &Attributes<'a>) -> Call<'a> {
    let reason = attributes.text("ai.response.finishReason");
    let prompt = attributes.structured("ai.prompt.messages").map_or_else(Vec::new, |told| parts::messages(&told));
    Call {
        response_id: attributes.first_text(&["ai.response.id", "gen_ai.response.id"]),
        model: attributes.first_text(&["ai.response.model", "gen_ai.response.model"]),
        requested_model: attributes.first_text(&["ai.model.id", "gen_ai.request.model"]),
        prompt,
        answers: answer(attributes, reason).into_iter().collect(),
        tools: Some(tools(attributes)),
        params: params(attributes),
        conversation_id: attributes
            .first_text(&["ai.telemetry.metadata.sessionId", "ai.telemetry.metadata.conversationId"]),
        user: attributes.text("ai.telemetry.metadata.userId"),
        usage: Usage {
            input: attributes.count(&["ai.usage.inputTokens", "ai.usage.promptTokens", "gen_ai.usage.input_tokens"]),
            output: attributes.count(&[
                "ai.usage.outputTokens",
                "ai.usage.completionTokens",
                "gen_ai.usage.output_tokens",
            ]),
            cached_input: attributes.count(&["ai.usage.cachedInputTokens"]),
            reasoning: attributes.count(&["ai.usage.reasoningTokens"]),
        },
        ttft_ms: attributes.number("ai.response.msToFirstChunk"),
        is_within_its_wrapper: true,
        ..Call::default()
    }
}

fn answer(attributes: &Attributes<'_>, reason: Option<&str>) -> Option<Answer> {
    let text = attributes.first_text(&["ai.response.text", "ai.response.object"]);
    let calls: Vec<Json> = attributes.structured_list("ai.response.toolCalls").iter().map(parts::tool_call).collect();
    if calls.is_empty() {
        return text.map(|text| Answer::of_text(text, reason));
    }
    let message = Object::default()
        .text("role", Some("assistant"))
        .text("content", text)
        .put("tool_calls", Some(Json::Array(calls)))
        .build();
    Some(Answer { message, finish_reason: reason.map(parts::reason_of) })
}

/// Each tool is a text that holds its definition, which has no `function` around it.
fn tools(attributes: &Attributes<'_>) -> Json {
    let told = attributes.structured_list("ai.prompt.tools");
    let tools = told.into_iter().filter_map(|tool| match tool {
        Json::String(text) => attributes.parse(&text),
        other => Some(other),
    });
    let tools = tools.map(|tool| {
        let function = Object::default()
            .text("name", text_of(&tool, "name"))
            .text("description", text_of(&tool, "description"))
            .put("parameters", tool.get("inputSchema").or_else(|| tool.get("parameters")).cloned());
        Object::default().text("type", Some("function")).object("function", function).build()
    });
    Json::Array(tools.collect())
}

fn params(attributes: &Attributes<'_>) -> Object {
    let names = [
        ("temperature", "gen_ai.request.temperature"),
        ("top_p", "gen_ai.request.top_p"),
        ("top_k", "gen_ai.request.top_k"),
        ("max_tokens", "gen_ai.request.max_tokens"),
        ("frequency_penalty", "gen_ai.request.frequency_penalty"),
        ("presence_penalty", "gen_ai.request.presence_penalty"),
    ];
    names.iter().fold(Object::default(), |params, (name, attribute)| {
        params.put(name, attributes.number(attribute).map(Json::Float))
    })
}
