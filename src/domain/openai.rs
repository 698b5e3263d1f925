//! A raw OpenAI chat-completions pair turned into our own form of a completion.
//!
//! The two inner objects are another API's: fields of theirs that we do not know are let pass. The fields beside
//! them are ours and stay strict.

use super::fields::{FieldCode, FieldError};
use super::json::Json;

/// Members of the request that are not sampling settings.
const NOT_PARAMS: [&str; 12] = [
    "messages",
    "model",
    "tools",
    "user",
    "stream",
    "stream_options",
    "metadata",
    "store",
    "safety_identifier",
    "prompt_cache_key",
    "service_tier",
    "n",
];

/// Rewrites `{"request": {…}, "response": {…}, …ours}` as a completion; fields of ours win over derived ones.
pub(super) fn to_completion_json(value: Json, pointer: &str) -> Result<Json, Vec<FieldError>> {
    let Json::Object(entries) = value else {
        return Err(vec![FieldError::new(pointer, FieldCode::WrongType, "must be an object")]);
    };
    let (mut request, mut response, mut ours) = (Json::Null, Json::Null, Vec::new());
    for (key, member) in entries {
        match key.as_str() {
            "request" => request = member,
            "response" => response = member,
            _ => ours.push((key, member)),
        }
    }
    let choice = single_choice(&response, pointer)?;
    let message = choice.get("message").cloned().ok_or_else(|| {
        vec![FieldError::new(
            format!("{pointer}/response/choices/0/message"),
            FieldCode::Required,
            "`message` is required",
        )]
    })?;

    let mut derive = |name: &str, value: Option<Json>| {
        if let Some(value) = value.filter(|value| *value != Json::Null)
            && !ours.iter().any(|(key, _)| key == name)
        {
            ours.push((name.to_owned(), value));
        }
    };
    let asked = request.get("model").cloned();
    derive("id", response.get("id").cloned());
    derive("model", response.get("model").cloned().filter(|model| *model != Json::Null).or_else(|| asked.clone()));
    derive("requested_model", asked);
    derive("prompt", request.get("messages").cloned());
    derive("response", Some(message));
    derive("tools", request.get("tools").cloned());
    derive("params", params(&request));
    derive("finish_reason", choice.get("finish_reason").cloned());
    derive("user", request.get("user").cloned());
    derive("usage", response.get("usage").map(usage));
    derive("created_at", created_at(&response));
    Ok(Json::Object(ours))
}

fn single_choice(response: &Json, pointer: &str) -> Result<Json, Vec<FieldError>> {
    let fail = |code, detail: &str| Err(vec![FieldError::new(format!("{pointer}/response/choices"), code, detail)]);
    match response.get("choices") {
        Some(Json::Array(choices)) if choices.len() == 1 => Ok(choices[0].clone()),
        Some(Json::Array(choices)) if choices.is_empty() => fail(FieldCode::Empty, "must have one choice"),
        Some(Json::Array(_)) => {
            fail(FieldCode::MultipleChoices, "must have one choice; send each choice as a completion of its own")
        }
        Some(Json::Null) | None => fail(FieldCode::Required, "`choices` is required"),
        Some(_) => fail(FieldCode::WrongType, "must be an array"),
    }
}

fn params(request: &Json) -> Option<Json> {
    let Json::Object(entries) = request else { return None };
    let kept: Vec<_> = entries.iter().filter(|(key, _)| !NOT_PARAMS.contains(&key.as_str())).cloned().collect();
    (!kept.is_empty()).then_some(Json::Object(kept))
}

fn usage(usage: &Json) -> Json {
    let pairs = [
        ("input_tokens", usage.get("prompt_tokens")),
        ("output_tokens", usage.get("completion_tokens")),
        ("cached_input_tokens", usage.get("prompt_tokens_details").and_then(|details| details.get("cached_tokens"))),
        (
            "reasoning_tokens",
            usage.get("completion_tokens_details").and_then(|details| details.get("reasoning_tokens")),
        ),
    ];
    Json::Object(
        pairs.into_iter().filter_map(|(name, value)| value.map(|value| (name.to_owned(), value.clone()))).collect(),
    )
}

fn created_at(response: &Json) -> Option<Json> {
    let Some(Json::Integer(seconds)) = response.get("created") else { return None };
    let moment = chrono::DateTime::from_timestamp(i64::try_from(*seconds).ok()?, 0)?;
    Some(Json::String(moment.to_rfc3339()))
}
