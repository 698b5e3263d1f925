//! Conversations with tools: in which form they become text, and why some cannot.
//!
//! No form suits every trainer. As JSON a message keeps its calls as they were, for loaders that know the type; as text
//! the calls are written the way of one family of templates, and every loader reads them.

use super::example::Turn;
use super::exclusion::{TOOL_CALLS, TOOL_CALLS_UNREADABLE};
use super::text::{Reason, content};
use crate::domain::completion::{Completion, Message};
use crate::domain::json::Json;
use crate::domain::recipe::{Options, ToolCalls};

/// How the messages of a row are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Their text.
    Plain,
    /// Each as JSON.
    Json,
    /// Their text with calls, results and definitions in it.
    Flat,
}

impl Form {
    /// Finds the form of a row that is made of some answers to one prompt.
    pub(super) fn of_answers(answers: &[&Completion], options: &Options) -> Result<Self, Reason> {
        let uses_tools = answers.iter().any(|answer| offers_tools(answer) || is_of_tools(&answer.response));
        Self::of(uses_tools, options)
    }

    /// Finds the form of a prompt alone.
    pub(super) fn of_prompt(completion: &Completion, options: &Options) -> Result<Self, Reason> {
        Self::of(offers_tools(completion), options)
    }

    fn of(uses_tools: bool, options: &Options) -> Result<Self, Reason> {
        match options.tool_calls {
            _ if !uses_tools => Ok(Self::Plain),
            ToolCalls::Exclude => Err(TOOL_CALLS),
            ToolCalls::Json => Ok(Self::Json),
            ToolCalls::Flatten => Ok(Self::Flat),
        }
    }
}

fn offers_tools(completion: &Completion) -> bool {
    completion.has_tools || completion.prompt.iter().any(is_of_tools)
}

fn is_of_tools(message: &Message) -> bool {
    matches!(message.role(), "tool" | "function") || has(message, "tool_calls") || has(message, "function_call")
}

/// Tells whether a message has a member that is neither null nor an empty list.
pub(super) fn has(message: &Message, key: &str) -> bool {
    match message.value().get(key) {
        None | Some(Json::Null) => false,
        Some(Json::Array(items)) => !items.is_empty(),
        Some(_) => true,
    }
}

/// Writes a message as JSON: `role`, `content` and, where there are some, `tool_calls`, `tool_call_id` and `name`, none of
/// them null; the arguments of a call are an object, not the text of one.
pub(super) fn json_message(message: &Message, role: &'static str) -> Result<String, Reason> {
    let mut members = said(role, content(message)?);
    let calls = calls(message)?;
    if !calls.is_empty() {
        members.push(("tool_calls".to_owned(), Json::Array(calls.into_iter().map(Call::into_json).collect())));
    }
    for key in ["tool_call_id", "name"] {
        if let Some(text) = message.value().get(key).and_then(Json::as_str)
            && role == "tool"
        {
            members.push((key.to_owned(), Json::String(text.to_owned())));
        }
    }
    Ok(Json::Object(members).to_text())
}

/// Writes a text as the JSON of a message.
pub(super) fn json_text(role: &'static str, text: &str) -> String {
    Json::Object(said(role, text.to_owned())).to_text()
}

fn said(role: &str, content: String) -> Vec<(String, Json)> {
    vec![("role".to_owned(), Json::String(role.to_owned())), ("content".to_owned(), Json::String(content))]
}

/// A call of a tool.
struct Call {
    id: Option<String>,
    name: String,
    arguments: Json,
}

impl Call {
    fn into_json(self) -> Json {
        let function = vec![("name".to_owned(), Json::String(self.name)), ("arguments".to_owned(), self.arguments)];
        let mut members: Vec<(String, Json)> =
            self.id.into_iter().map(|id| ("id".to_owned(), Json::String(id))).collect();
        members.push(("type".to_owned(), Json::String("function".to_owned())));
        members.push(("function".to_owned(), Json::Object(function)));
        Json::Object(members)
    }
}

/// Reads the calls of a message; their arguments come as the text of an object, or as the object itself.
fn calls(message: &Message) -> Result<Vec<Call>, Reason> {
    let Some(Json::Array(items)) = message.value().get("tool_calls") else { return Ok(Vec::new()) };
    let calls = items.iter().map(|item| {
        let function = item.get("function")?;
        let arguments = match function.get("arguments")? {
            Json::String(text) if text.trim().is_empty() => Json::Object(Vec::new()),
            Json::String(text) => Json::parse(text.as_bytes()).ok()?,
            other => other.clone(),
        };
        Some(Call {
            id: item.get("id").and_then(Json::as_str).map(str::to_owned),
            name: function.get("name")?.as_str()?.to_owned(),
            arguments: matches!(arguments, Json::Object(_)).then_some(arguments)?,
        })
    });
    calls.collect::<Option<Vec<Call>>>().ok_or(TOOL_CALLS_UNREADABLE)
}

/// Writes an assistant's message as text: what it says, then a block for each call.
pub(super) fn flat_message(message: &Message) -> Result<String, Reason> {
    let mut text = content(message)?;
    for call in calls(message)? {
        if !text.is_empty() {
            text.push('\n');
        }
        let members = vec![("name".to_owned(), Json::String(call.name)), ("arguments".to_owned(), call.arguments)];
        text.push_str("<tool_call>\n");
        text.push_str(&Json::Object(members).to_text());
        text.push_str("\n</tool_call>");
    }
    Ok(text)
}

/// Writes a tool's result as text, as a part of the user's turn.
pub(super) fn flat_result(message: &Message) -> Result<String, Reason> {
    Ok(format!("<tool_response>\n{}\n</tool_response>", content(message)?))
}

/// Writes the definitions of the tools behind the system message, which there is one of from then on.
pub(super) fn flatten_definitions(turns: &mut Vec<Turn>, tools: Option<&str>) {
    let Some(Ok(Json::Array(tools))) = tools.map(|tools| Json::parse(tools.as_bytes())) else { return };
    if tools.is_empty() {
        return;
    }
    let lines: Vec<String> = tools.iter().map(Json::to_text).collect();
    let text = format!(
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n\
         You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n{}\n</tools>\n\n\
         For each function call, return a json object with function name and arguments within \
         <tool_call></tool_call> XML tags:\n<tool_call>\n\
         {{\"name\": <function-name>, \"arguments\": <args-json-object>}}\n</tool_call>",
        lines.join("\n")
    );
    match turns.first_mut() {
        Some(first) if first.role == "system" => {
            first.content.push_str("\n\n");
            first.content.push_str(&text);
        }
        _ => turns.insert(0, Turn { role: "system", content: text }),
    }
}
