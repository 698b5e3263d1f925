//! The wire form of a completion, read into [`NewCompletion`].

use super::completion::{Message, NewCompletion, Serving, Timing, Usage};
use super::fields::{
    FieldCode, FieldError, Fields, boolean, check_storable, count, free_object, id, integer, list, number, short_text,
    storable, timestamp,
};
use super::hash::ContentHash;
use super::ids::{CompletionId, ConversationId, UserId};
use super::json::Json;
use super::openai;

/// The longest single text that is stored, in bytes; the body's own bound is usually met first.
const MAX_TEXT_BYTES: usize = 8 << 20;
const MAX_OBJECT_BYTES: usize = 64 << 10;
/// The longest duration, in milliseconds: eleven days.
pub(crate) const MAX_DURATION_MS: f64 = 1e9;
/// The most that one answer can have cost, in dollars.
pub(crate) const MAX_COST_USD: f64 = 1e9;
/// The most attempts at one turn.
pub(crate) const MAX_ATTEMPT: i64 = 10_000;
/// The most tags of one completion.
pub(crate) const MAX_TAGS: usize = 64;
/// Who can have written a message.
pub(crate) const ROLES: [&str; 6] = ["system", "developer", "user", "assistant", "tool", "function"];

pub(super) fn parse(value: Json, pointer: &str) -> Result<NewCompletion, Vec<FieldError>> {
    let content_hash = ContentHash::of_json("completion", &value);
    let value = if value.get("request").is_some() { openai::to_completion_json(value, pointer)? } else { value };
    let mut fields = Fields::open(value, pointer)?;

    let completion_id = fields.required("id", id(CompletionId::parse));
    let model = fields.required("model", short_text);
    let prompt = prompt(&mut fields);
    let response = response(&mut fields);
    let tools = fields.optional("tools", tools);
    let conversation_id = fields.optional("conversation_id", id(ConversationId::parse));
    let parent_completion_id = fields.optional("parent_completion_id", id(CompletionId::parse));
    let rating_solicited = fields.optional("rating_solicited", boolean);
    let rest = Rest {
        requested_model: fields.optional("requested_model", short_text),
        params: fields.optional("params", free_object(MAX_OBJECT_BYTES)),
        finish_reason: fields.optional("finish_reason", short_text),
        turn_index: fields.optional("turn_index", count),
        attempt: fields.optional("attempt", integer(1, MAX_ATTEMPT)).map(|attempt| attempt as i32),
        user: fields.optional("user", id(UserId::parse)),
        experiment: fields.optional("experiment", short_text),
        variant: fields.optional("variant", short_text),
        task: fields.optional("task", short_text),
        language: fields.optional("language", short_text),
        tags: fields.optional("tags", tags),
        cost_usd: fields.optional("cost_usd", number(0.0, MAX_COST_USD)),
        solicit_prob: fields.optional("solicit_prob", number(0.0, 1.0)),
        aliases: fields.optional("aliases", list(16, id(CompletionId::parse))).unwrap_or_default(),
        created_at: fields.optional("created_at", timestamp),
    };
    let usage = fields.nested("usage", usage).unwrap_or_default();
    let timing = fields.nested("timing", timing).unwrap_or_default();
    let serving = fields.nested("serving", serving).unwrap_or_default();
    let consent_training = fields.nested("consent", |consent| consent.optional("training", boolean)).flatten();
    check_coherence(&mut fields, completion_id.as_ref(), parent_completion_id.as_ref(), &rest);

    fields.finish()?;
    // Every required member that is absent has been recorded, so that `finish` has returned before this point.
    let (Some(completion_id), Some(model), Some(prompt), Some(response)) = (completion_id, model, prompt, response)
    else {
        return Err(vec![FieldError::new(pointer, FieldCode::Required, "a required field is absent")]);
    };
    Ok(NewCompletion {
        prompt_hash: prompt_hash(&prompt, tools.as_ref()),
        id: completion_id,
        content_hash,
        requested_model: rest.requested_model.filter(|requested| *requested != model),
        model,
        prompt,
        response,
        tools,
        params: rest.params,
        finish_reason: rest.finish_reason,
        conversation_id,
        turn_index: rest.turn_index,
        parent_completion_id,
        attempt: rest.attempt,
        user: rest.user,
        experiment: rest.experiment,
        variant: rest.variant,
        task: rest.task,
        language: rest.language,
        tags: rest.tags,
        usage,
        timing,
        cost_usd: rest.cost_usd,
        serving,
        consent_training,
        rating_solicited,
        solicit_prob: rest.solicit_prob,
        aliases: rest.aliases,
        created_at: rest.created_at,
    })
}

/// The optional members that need no more than their own parser.
struct Rest {
    requested_model: Option<String>,
    params: Option<Json>,
    finish_reason: Option<String>,
    turn_index: Option<i32>,
    attempt: Option<i32>,
    user: Option<UserId>,
    experiment: Option<String>,
    variant: Option<String>,
    task: Option<String>,
    language: Option<String>,
    tags: Option<Json>,
    cost_usd: Option<f64>,
    solicit_prob: Option<f64>,
    aliases: Vec<CompletionId>,
    created_at: Option<super::clock::Timestamp>,
}

fn check_coherence(
    fields: &mut Fields,
    completion_id: Option<&CompletionId>,
    parent: Option<&CompletionId>,
    rest: &Rest,
) {
    if parent.is_some() && parent == completion_id {
        fields.fail("parent_completion_id", FieldCode::Contradiction, "must not be the completion's own id");
    }
    if rest.variant.is_some() && rest.experiment.is_none() {
        fields.fail("variant", FieldCode::Contradiction, "needs `experiment` beside it");
    }
}

fn prompt(fields: &mut Fields) -> Option<Vec<Message>> {
    let pointer = fields.at("prompt");
    if !fields.has("prompt") {
        fields.take("prompt");
        fields.fail("prompt", FieldCode::Required, "`prompt` is required");
        return None;
    }
    match fields.take("prompt")? {
        Json::String(text) => {
            let value = Json::Object(vec![
                ("role".to_owned(), Json::String("user".to_owned())),
                ("content".to_owned(), Json::String(text)),
            ]);
            message(value, &pointer).map(|message| vec![message]).map_err(|errors| fields.extend(errors)).ok()
        }
        Json::Array(items) if items.is_empty() => {
            fields.fail("prompt", FieldCode::Empty, "must have at least one message");
            None
        }
        Json::Array(items) => {
            let mut messages = Vec::with_capacity(items.len());
            for (index, item) in items.into_iter().enumerate() {
                match message(item, &format!("{pointer}/{index}")) {
                    Ok(message) => messages.push(message),
                    Err(errors) => fields.extend(errors),
                }
                if fields.is_full() {
                    break;
                }
            }
            Some(messages)
        }
        _ => {
            fields.fail("prompt", FieldCode::WrongType, "must be a string or a list of messages");
            None
        }
    }
}

fn response(fields: &mut Fields) -> Option<Message> {
    let pointer = fields.at("response");
    if !fields.has("response") {
        fields.take("response");
        fields.fail("response", FieldCode::Required, "`response` is required");
        return None;
    }
    let value = match fields.take("response")? {
        Json::String(text) => Json::Object(vec![
            ("role".to_owned(), Json::String("assistant".to_owned())),
            ("content".to_owned(), Json::String(text)),
        ]),
        value => value,
    };
    match message(value, &pointer) {
        Ok(message) if message.role() == "assistant" => Some(message),
        Ok(_) => {
            fields.fail("response/role", FieldCode::NotOneOf, "must be `assistant`");
            None
        }
        Err(errors) => {
            fields.extend(errors);
            None
        }
    }
}

fn message(value: Json, pointer: &str) -> Result<Message, Vec<FieldError>> {
    let fail = |at: &str, code, detail: &str| Err(vec![FieldError::new(format!("{pointer}{at}"), code, detail)]);
    if !matches!(value, Json::Object(_)) {
        return fail("", FieldCode::WrongType, "must be an object with `role` and `content`");
    }
    let role = match value.get("role") {
        Some(Json::String(role)) if ROLES.contains(&role.as_str()) => role.clone(),
        Some(Json::String(_)) => {
            return fail("/role", FieldCode::NotOneOf, &format!("must be one of: {}", ROLES.join(", ")));
        }
        Some(Json::Null) | None => return fail("/role", FieldCode::Required, "`role` is required"),
        Some(_) => return fail("/role", FieldCode::WrongType, "must be a string"),
    };
    let has_calls = value.get("tool_calls").is_some_and(|calls| *calls != Json::Null);
    match value.get("content") {
        Some(Json::String(_) | Json::Array(_)) => {}
        Some(Json::Null) | None if has_calls || value.get("function_call").is_some() => {}
        Some(Json::Null) | None if value.get("refusal").is_some_and(|refusal| refusal.as_str().is_some()) => {}
        Some(Json::Null) | None => return fail("/content", FieldCode::Required, "`content` is required"),
        Some(_) => return fail("/content", FieldCode::WrongType, "must be a string or a list of parts"),
    }
    match check_storable(&value, MAX_TEXT_BYTES) {
        Ok(()) => Ok(Message::new(role, value)),
        Err((code, detail)) => fail("", code, &detail),
    }
}

fn tools(value: &Json) -> Result<Json, (FieldCode, String)> {
    match value {
        Json::Array(_) => storable(value, 4 * MAX_OBJECT_BYTES),
        _ => Err((FieldCode::WrongType, "must be a list of tool definitions".to_owned())),
    }
}

fn tags(value: &Json) -> Result<Json, (FieldCode, String)> {
    let tags = free_object(MAX_OBJECT_BYTES)(value)?;
    match &tags {
        Json::Object(entries) if entries.len() > MAX_TAGS => {
            Err((FieldCode::TooLong, format!("must have at most {MAX_TAGS} tags")))
        }
        Json::Object(entries) if entries.iter().any(|(_, value)| value.as_str().is_none()) => {
            Err((FieldCode::WrongType, "must map names to strings".to_owned()))
        }
        _ => Ok(tags),
    }
}

fn usage(fields: &mut Fields) -> Usage {
    Usage {
        input_tokens: fields.optional("input_tokens", count),
        output_tokens: fields.optional("output_tokens", count),
        cached_input_tokens: fields.optional("cached_input_tokens", count),
        reasoning_tokens: fields.optional("reasoning_tokens", count),
    }
}

fn timing(fields: &mut Fields) -> Timing {
    let duration_ms = || number(0.0, MAX_DURATION_MS);
    Timing {
        started_at: fields.optional("started_at", timestamp),
        ttft_ms: fields.optional("ttft_ms", duration_ms()),
        itl_ms: fields.optional("itl_ms", duration_ms()),
        latency_ms: fields.optional("latency_ms", duration_ms()),
        queue_ms: fields.optional("queue_ms", duration_ms()),
    }
}

fn serving(fields: &mut Fields) -> Serving {
    Serving {
        served_by: fields.optional("served_by", short_text),
        kv_cache_usage: fields.optional("kv_cache_usage", number(0.0, 1.0)),
        n_waiting: fields.optional("n_waiting", count),
        max_model_len: fields.optional("max_model_len", count),
    }
}

fn prompt_hash(prompt: &[Message], tools: Option<&Json>) -> ContentHash {
    // The canonical text of a list of two: the messages, and the tools or null.
    ContentHash::of_canonical("prompt", |text| {
        text.extend_from_slice(b"[[");
        for (place, message) in prompt.iter().enumerate() {
            if place > 0 {
                text.push(b',');
            }
            message.value().write_canonical_whole(text);
        }
        text.extend_from_slice(b"],");
        tools.unwrap_or(&Json::Null).write_canonical_whole(text);
        text.push(b']');
    })
}
