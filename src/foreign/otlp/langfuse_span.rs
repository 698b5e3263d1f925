//! Spans of Langfuse's own clients from version 3 on: `langfuse.observation.*`.

use super::super::parts;
use super::super::wire::{Object, member, number_of};
use super::attributes::Attributes;
use super::calls::{Call, Usage};
use crate::domain::json::Json;

/// Reads a generation, where there is one.
pub(super) fn call<'a>(attributes: &Attributes<'a>) -> Option<Call<'a>> {
    attributes.text("langfuse.observation.type").filter(|kind| *kind == "generation")?;
    let read = |name: &str| attributes.structured_or_text(name);
    let usage = read("langfuse.observation.usage_details").unwrap_or(Json::Null);
    let cost = read("langfuse.observation.cost_details").unwrap_or(Json::Null);
    let settings = read("langfuse.observation.model.parameters").unwrap_or(Json::Null);
    let params = super::super::litellm::PARAMS
        .iter()
        .fold(Object::default(), |params, name| params.put(name, member(&settings, name).cloned()));
    Some(Call {
        model: attributes.text("langfuse.observation.model.name"),
        prompt: read("langfuse.observation.input").iter().flat_map(parts::messages).collect(),
        answers: read("langfuse.observation.output").iter().flat_map(parts::answers).collect(),
        params,
        usage: Usage {
            input: count(&usage, &["input", "prompt_tokens", "input_tokens"]),
            output: count(&usage, &["output", "completion_tokens", "output_tokens"]),
            cached_input: count(&usage, &["cache_read_input_tokens", "input_cached_tokens"]),
            reasoning: count(&usage, &["output_reasoning_tokens"]),
        },
        cost_usd: member(&cost, "total").and_then(number_of),
        ..Call::default()
    })
}

fn count(usage: &Json, names: &[&str]) -> Option<Json> {
    let mut counts = names.iter().filter_map(|name| usage.get(name));
    counts.find(|count| matches!(count, Json::Integer(0..=0x7fff_ffff))).cloned()
}
