//! Messages of the GenAI conventions and of the Vercel AI SDK, which are made of parts, turned into messages of ours.

use super::wire::{Object, member, message, text_of};
use crate::domain::json::Json;

/// A message of a model, and why it ended there.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    /// The message.
    pub(super) message: Json,
    /// The reason, in the words of the OpenAI API where that has one.
    pub(super) finish_reason: Option<String>,
}

impl Answer {
    /// Makes an answer that is a plain text.
    pub(super) fn of_text(text: &str, finish_reason: Option<&str>) -> Self {
        Self { message: message("assistant", text), finish_reason: finish_reason.map(reason_of) }
    }
}

/// Says a reason in the OpenAI API's words; the AI SDK has hyphens in them.
pub(super) fn reason_of(reason: &str) -> String {
    match reason {
        "tool-calls" | "tool_call" => "tool_calls".to_owned(),
        "content-filter" => "content_filter".to_owned(),
        other => other.to_owned(),
    }
}

/// Turns what stands where messages are expected into messages: a list of them, one, or a text of the user's.
pub(super) fn messages(value: &Json) -> Vec<Json> {
    match value {
        Json::Array(items) => items.iter().flat_map(messages).collect(),
        Json::Object(_) => match member(value, "messages") {
            Some(list @ Json::Array(_)) => messages(list),
            _ if text_of(value, "role").is_some() => of_parts(value),
            _ => vec![message("user", &value.to_text())],
        },
        Json::String(text) => vec![message("user", text)],
        Json::Null => Vec::new(),
        other => vec![message("user", &other.to_text())],
    }
}

/// Turns the messages of a model into answers, one for each choice.
pub(super) fn answers(value: &Json) -> Vec<Answer> {
    match value {
        Json::Array(items) => items.iter().flat_map(answers).collect(),
        Json::Object(_) => {
            let finish_reason = text_of(value, "finish_reason").or_else(|| text_of(value, "finishReason"));
            let said = if is_message(value) {
                of_parts(value).into_iter().next()
            } else {
                Some(message("assistant", &value.to_text()))
            };
            said.map(as_assistant)
                .map(|message| Answer { message, finish_reason: finish_reason.map(reason_of) })
                .into_iter()
                .collect()
        }
        Json::String(text) => vec![Answer::of_text(text, None)],
        Json::Null => Vec::new(),
        other => vec![Answer::of_text(&other.to_text(), None)],
    }
}

fn is_message(value: &Json) -> bool {
    ["role", "parts", "content", "tool_calls"].iter().any(|name| member(value, name).is_some())
}

/// Some senders write `model`, or no role at all, for the one who answers.
fn as_assistant(message: Json) -> Json {
    match message {
        Json::Object(entries) => {
            let rest = entries.into_iter().filter(|(name, _)| name != "role").collect();
            Object::default().text("role", Some("assistant")).all(Object::of(rest)).build()
        }
        other => other,
    }
}

/// Instructions that stand beside the messages become a message of the system's.
pub(super) fn instructions(value: &Json) -> Option<Json> {
    let texts: Vec<&str> = match value {
        Json::String(text) => vec![text],
        Json::Array(parts) => parts.iter().filter_map(text_of_part).collect(),
        _ => Vec::new(),
    };
    (!texts.is_empty()).then(|| message("system", &texts.join("\n")))
}

fn text_of_part(part: &Json) -> Option<&str> {
    part.as_str().or_else(|| text_of(part, "content")).or_else(|| text_of(part, "text"))
}

/// What the parts of one message hold.
#[derive(Default)]
struct Held {
    content: Vec<Json>,
    calls: Vec<Json>,
    results: Vec<Json>,
}

/// Turns a message into one of ours, or into several where it holds what tools answered: each of those is one of its own.
fn of_parts(value: &Json) -> Vec<Json> {
    let role = match text_of(value, "role") {
        Some("model") | None => "assistant",
        Some(role) => role,
    };
    let Some(Json::Array(parts)) = member(value, "parts").or_else(|| member(value, "content")) else {
        return vec![plain(value, role)];
    };
    let held = parts.iter().fold(Held::default(), hold);
    let mut messages = held.results;
    let is_silent = held.content.is_empty();
    if !is_silent || !held.calls.is_empty() || messages.is_empty() {
        let content = match &held.content[..] {
            [] => held.calls.is_empty().then(|| Json::String(String::new())),
            [only] if text_of(only, "type") == Some("text") => only.get("text").cloned(),
            _ => Some(Json::Array(held.content)),
        };
        let calls = (!held.calls.is_empty()).then_some(Json::Array(held.calls));
        let message = Object::default().text("role", Some(role)).put("content", content);
        messages.push(message.text("name", text_of(value, "name")).put("tool_calls", calls).build());
    }
    messages
}

/// A message without parts keeps its members, but for what is not the message's.
fn plain(value: &Json, role: &str) -> Json {
    let Json::Object(entries) = value else { return message(role, "") };
    let is_kept = |(name, value): &&(String, Json)| {
        *value != Json::Null && !["role", "finish_reason", "finishReason", "parts"].contains(&name.as_str())
    };
    let rest = entries.iter().filter(is_kept).cloned().collect();
    Object::default().text("role", Some(role)).all(Object::of(rest)).build()
}

/// Puts a part where it belongs. What a model thinks is no part of what it answers.
fn hold(mut held: Held, part: &Json) -> Held {
    let first = |names: &[&str]| names.iter().find_map(|name| text_of(part, name));
    match text_of(part, "type") {
        Some("text") | None => {
            if let Some(text) = part.as_str().or_else(|| first(&["content", "text"])) {
                held.content.push(Object::default().text("type", Some("text")).text("text", Some(text)).build());
            }
        }
        Some("tool_call" | "tool-call") => held.calls.push(tool_call(part)),
        Some("tool_call_response" | "tool-result") => {
            let result = ["response", "result", "output"].iter().find_map(|name| member(part, name));
            let result = result.unwrap_or(&Json::Null);
            let content = result.as_str().map_or_else(|| result.to_text(), str::to_owned);
            let answer = Object::default().text("role", Some("tool")).text("content", Some(&content));
            held.results.push(answer.text("tool_call_id", first(&["id", "toolCallId"])).build());
        }
        Some("reasoning" | "thinking" | "redacted_thinking" | "redacted-reasoning") => {}
        Some(_) => held.content.push(part.clone()),
    }
    held
}

/// Turns what tells of a call of a tool into the OpenAI API's form; its arguments stay as they came, a text or an object.
pub(super) fn tool_call(told: &Json) -> Json {
    let first = |names: &[&str]| names.iter().find_map(|name| text_of(told, name));
    let arguments = ["arguments", "args", "input"].iter().find_map(|name| member(told, name));
    let function = Object::default().text("name", first(&["name", "toolName"])).put("arguments", arguments.cloned());
    let call = Object::default().text("id", first(&["id", "toolCallId"])).text("type", Some("function"));
    call.object("function", function).build()
}
