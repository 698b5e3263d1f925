//! The GenAI conventions of OpenTelemetry, as of their schema 1.42: `gen_ai.*`.

use super::super::parts;
use super::super::wire::Object;
use super::attributes::Attributes;
use super::calls::{Call, Usage};
use crate::domain::json::Json;

/// The operations that are answers of a model; agents and tools may repeat the messages of those.
const COMPLETING: [&str; 3] = ["chat", "text_completion", "generate_content"];

/// Reads a call, where there is one.
pub(super) fn call<'a>(attributes: &Attributes<'a>) -> Option<Call<'a>> {
    attributes.text("gen_ai.operation.name").filter(|operation| COMPLETING.contains(operation))?;
    let mut answers =
        attributes.structured("gen_ai.output.messages").map_or_else(Vec::new, |told| parts::answers(&told));
    let reasons = attributes.structured_list("gen_ai.response.finish_reasons");
    for (place, answer) in answers.iter_mut().enumerate() {
        if answer.finish_reason.is_none() {
            answer.finish_reason = reasons.get(place).and_then(Json::as_str).map(parts::reason_of);
        }
    }
    let instructions = attributes.structured_or_text("gen_ai.system_instructions");
    let mut prompt: Vec<Json> = instructions.iter().filter_map(parts::instructions).collect();
    prompt.extend(attributes.structured("gen_ai.input.messages").iter().flat_map(parts::messages));
    Some(Call {
        response_id: attributes.text("gen_ai.response.id"),
        model: attributes.text("gen_ai.response.model"),
        requested_model: attributes.text("gen_ai.request.model"),
        prompt,
        answers,
        tools: attributes.structured("gen_ai.tool.definitions"),
        params: params(attributes),
        usage: Usage {
            input: attributes.count(&["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"]),
            output: attributes.count(&["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"]),
            cached_input: attributes.count(&["gen_ai.usage.cache_read.input_tokens"]),
            reasoning: attributes.count(&["gen_ai.usage.reasoning.output_tokens"]),
        },
        ttft_ms: attributes.number("gen_ai.response.time_to_first_chunk").map(|seconds| seconds * 1e3),
        served_by: served_by(attributes),
        ..Call::default()
    })
}

fn params(attributes: &Attributes<'_>) -> Object {
    let numbers = ["temperature", "top_p", "top_k", "max_tokens", "frequency_penalty", "presence_penalty", "seed"];
    let params = numbers.iter().fold(Object::default(), |params, name| {
        let number = attributes.number(&format!("gen_ai.request.{name}"));
        params.put(name, number.map(number_as_written))
    });
    params.put("stop", attributes.structured("gen_ai.request.stop_sequences"))
}

fn number_as_written(number: f64) -> Json {
    if number.fract() == 0.0 && number.abs() < 9e15 { Json::Integer(number as i128) } else { Json::Float(number) }
}

/// The host and port of the engine.
fn served_by(attributes: &Attributes<'_>) -> Option<String> {
    let host = attributes.text("server.address")?;
    let port = attributes.number("server.port").filter(|port| (1.0..65_536.0).contains(port));
    Some(port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}
