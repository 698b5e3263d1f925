//! LiteLLM: what its proxy's `generic_api` callback sends of each call, the `StandardLoggingPayload`.
//!
//! Read as version 1.110.2 writes it. Headers, keys, addresses and errors that the payload carries are never read.

use super::fault;
use super::wire::{Object, epoch_seconds, items_of, member, message, milliseconds, number_of, text_of, without_nulls};
use crate::domain::batch::Item;
use crate::domain::completion::NewCompletion;
use crate::domain::completion_wire::MAX_TAGS;
use crate::domain::fields::{FieldCode, FieldError};
use crate::domain::ids::CompletionId;
use crate::domain::json::{Json, JsonError};

/// The most records that one request may carry: LiteLLM sends up to 512 at a time, and more where it is told to.
pub const MAX_RECORDS: usize = 2_000;

/// The word that stands in place of texts that LiteLLM was told to leave out.
const REDACTED: &str = "redacted-by-litellm";

/// The settings of a call that are sampling settings; the others may hold headers and keys.
pub(super) const PARAMS: [&str; 19] = [
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "max_tokens",
    "max_completion_tokens",
    "presence_penalty",
    "frequency_penalty",
    "repetition_penalty",
    "seed",
    "stop",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "response_format",
    "reasoning_effort",
    "tool_choice",
    "parallel_tool_calls",
    "modalities",
];

/// The records of a request, translated.
#[derive(Debug, PartialEq)]
pub struct Calls {
    /// The completions, each with the place of its record.
    pub items: Vec<(usize, Item<NewCompletion>)>,
    /// Calls that failed: no model answered.
    pub n_failed: usize,
    /// Calls that are no completion: embeddings, images, responses of other forms.
    pub n_other: usize,
}

/// Splits a body into records, whichever of LiteLLM's three formats it has; all of them call themselves JSON.
pub fn records(body: &[u8]) -> Result<Vec<Json>, JsonError> {
    let mut records = Vec::new();
    for value in Json::parse_stream(body)? {
        match value {
            Json::Array(items) => records.extend(items),
            value => records.push(value),
        }
    }
    Ok(records)
}

/// Translates records into completions; what is wrong with one is its own fault alone.
pub fn completions(records: &[Json]) -> Calls {
    let mut calls = Calls { items: Vec::new(), n_failed: 0, n_other: 0 };
    for (place, record) in records.iter().enumerate() {
        if !matches!(record, Json::Object(_)) {
            let wrong = FieldError::new("", FieldCode::WrongType, "must be an object");
            calls.items.push((place, Item { id: None, outcome: Err(vec![wrong]) }));
        } else if text_of(record, "status") == Some("failure") {
            calls.n_failed += 1;
        } else if is_redacted(record) {
            let id = text_of(record, "id").map(str::to_owned);
            let wrong = fault(FieldCode::TextRedacted, "LiteLLM was told to leave the texts out");
            calls.items.push((place, Item { id, outcome: Err(vec![wrong]) }));
        } else {
            match choices_of(record) {
                [] => calls.n_other += 1,
                choices => calls.items.extend(of_call(record, choices).into_iter().map(|item| (place, item))),
            }
        }
    }
    calls
}

/// The choices of a call that have an answer.
fn choices_of(record: &Json) -> &[Json] {
    let choices = record.get("response").map_or(&[][..], |response| items_of(response, "choices"));
    let has_answer = |choice: &Json| member(choice, "message").is_some() || member(choice, "text").is_some();
    if choices.iter().all(has_answer) { choices } else { &[] }
}

fn is_redacted(record: &Json) -> bool {
    let is_word = |value: Option<&Json>| value.and_then(Json::as_str) == Some(REDACTED);
    let in_message = |message: &Json| is_word(message.get("content")) || is_word(message.get("text"));
    let response = record.get("response");
    is_word(record.get("messages"))
        || items_of(record, "messages").iter().any(in_message)
        || is_word(response)
        || response.is_some_and(in_message)
        || response.is_some_and(|response| {
            let of_choice = |choice: &Json| in_message(choice) || choice.get("message").is_some_and(in_message);
            items_of(response, "choices").iter().any(of_choice)
        })
}

/// Makes a completion of each choice: the first keeps the call's id and its aliases, the others get a number behind it.
fn of_call(record: &Json, choices: &[Json]) -> Vec<Item<NewCompletion>> {
    let call = Call::read(record, choices.len());
    choices
        .iter()
        .enumerate()
        .map(|(place, choice)| {
            let id = call.id.map(|id| if place == 0 { id.to_owned() } else { format!("{id}#{place}") });
            let value = call.completion(id.as_deref(), place, choice);
            Item { id, outcome: NewCompletion::from_json(value, "") }
        })
        .collect()
}

/// What the completions of one call share.
struct Call<'a> {
    record: &'a Json,
    id: Option<&'a str>,
    shared: Object,
}

impl<'a> Call<'a> {
    fn read(record: &'a Json, n_choices: usize) -> Self {
        let response = record.get("response").unwrap_or(&Json::Null);
        let (started, ended) = (epoch_seconds(record.get("startTime")), epoch_seconds(record.get("endTime")));
        let is_streamed = record.get("stream") == Some(&Json::Bool(true));
        let first = epoch_seconds(record.get("completionStartTime")).filter(|_| is_streamed);
        let timing = Object::default()
            .moment("started_at", started)
            .put("ttft_ms", milliseconds(started, first))
            .put("latency_ms", milliseconds(started, ended));
        let parameters = record.get("model_parameters").unwrap_or(&Json::Null);
        let user = text_of(record, "end_user").or_else(|| text_of(parameters, "user"));
        // A cost of nothing is what LiteLLM says of models whose price it does not know.
        let cost = member(record, "response_cost").filter(|cost| number_of(cost).is_some_and(|cost| cost > 0.0));
        let shared = Object::default()
            .text("model", text_of(record, "model"))
            .text("requested_model", text_of(record, "model_group"))
            .put("prompt", prompt(record))
            .put("tools", member(parameters, "tools").cloned())
            .put("params", params(parameters))
            .text("conversation_id", text_of(record, "session_id"))
            .text("user", user)
            .put("tags", tags(record))
            .object("usage", usage(record, response, n_choices))
            .object("timing", timing)
            // What several answers cost together is no answer's own.
            .put("cost_usd", cost.filter(|_| n_choices == 1).cloned())
            .object("serving", Object::default().text("served_by", served_by(record)))
            .moment("created_at", ended);
        Self { record, id: text_of(record, "id").or_else(|| text_of(response, "id")), shared }
    }

    fn completion(&self, id: Option<&str>, place: usize, choice: &Json) -> Json {
        let response = match member(choice, "message") {
            Some(message) => without_nulls(message),
            None => message("assistant", choice.get("text").and_then(Json::as_str).unwrap_or_default()),
        };
        let aliases: Vec<Json> = ["litellm_call_id", "trace_id"]
            .iter()
            .filter_map(|name| text_of(self.record, name))
            .filter(|alias| place == 0 && Some(*alias) != id && CompletionId::parse(alias).is_ok())
            .map(|alias| Json::String(alias.to_owned()))
            .collect();
        Object::default()
            .text("id", id)
            .all(self.shared.clone())
            .put("response", Some(response))
            .text("finish_reason", text_of(choice, "finish_reason"))
            .put("aliases", (!aliases.is_empty()).then_some(Json::Array(aliases)))
            .build()
    }
}

fn prompt(record: &Json) -> Option<Json> {
    match member(record, "messages")? {
        Json::Array(messages) => Some(Json::Array(messages.iter().map(without_nulls).collect())),
        // A single message, or a plain text.
        object @ Json::Object(_) => Some(Json::Array(vec![without_nulls(object)])),
        other => Some(other.clone()),
    }
}

fn params(parameters: &Json) -> Option<Json> {
    let Json::Object(entries) = parameters else { return None };
    let is_kept = |(key, value): &&(String, Json)| PARAMS.contains(&key.as_str()) && *value != Json::Null;
    let kept: Vec<_> = entries.iter().filter(is_kept).cloned().collect();
    (!kept.is_empty()).then_some(Json::Object(kept))
}

/// `key:value` is a tag with a value; one without a colon is simply there. Of two with one name the first stays.
fn tags(record: &Json) -> Option<Json> {
    let mut tags: Vec<(String, Json)> = Vec::new();
    let told = items_of(record, "request_tags").iter().filter_map(Json::as_str);
    let is_cached = record.get("cache_hit") == Some(&Json::Bool(true));
    for tag in told.chain(is_cached.then_some("cache_hit")) {
        let (name, value) = tag.split_once(':').unwrap_or((tag, "true"));
        let name = name.trim();
        if tags.len() < MAX_TAGS && !name.is_empty() && !tags.iter().any(|(known, _)| known == name) {
            tags.push((name.to_owned(), Json::String(value.trim().to_owned())));
        }
    }
    (!tags.is_empty()).then_some(Json::Object(tags))
}

/// What several answers took together is no answer's own: of such a call only the prompt's tokens are kept.
fn usage(record: &Json, response: &Json, n_choices: usize) -> Object {
    let reported = response.get("usage").unwrap_or(&Json::Null);
    let count = |name: &str| count_of(record.get(name)).or_else(|| count_of(reported.get(name)));
    let detail = |group: &str, name: &str| reported.get(group).and_then(|group| count_of(group.get(name)));
    let is_single = n_choices == 1;
    Object::default()
        .put("input_tokens", count("prompt_tokens"))
        .put("output_tokens", count("completion_tokens").filter(|_| is_single))
        .put("cached_input_tokens", detail("prompt_tokens_details", "cached_tokens"))
        .put("reasoning_tokens", detail("completion_tokens_details", "reasoning_tokens").filter(|_| is_single))
}

/// Returns a count that can be one; what is none is let pass as if it were not there.
fn count_of(value: Option<&Json>) -> Option<Json> {
    value.filter(|value| matches!(value, Json::Integer(0..=0x7fff_ffff))).cloned()
}

/// The host and port of the engine, or else LiteLLM's name of the deployment. Paths and queries may hold secrets.
fn served_by(record: &Json) -> Option<&str> {
    let host = text_of(record, "api_base").and_then(|base| {
        let after_scheme = base.split_once("://").map_or(base, |(_, rest)| rest);
        let authority = after_scheme.split(['/', '?', '#']).next()?;
        Some(authority.rsplit_once('@').map_or(authority, |(_, host)| host)).filter(|host| !host.is_empty())
    });
    host.or_else(|| text_of(record, "model_id"))
}

#[cfg(test)]
mod tests;
