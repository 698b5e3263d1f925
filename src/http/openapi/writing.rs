//! Schemas of what backends and browsers write: completions, feedback, and what becomes of them.

use serde_json::{Value, json};

use super::words::{
    Member, all, boolean, closed, count, described, integer, list, named, number, object, one_of, optional, required,
    short_text, text, timestamp, total, uuid, words_of,
};
use crate::domain::batch::MAX_ITEMS;
use crate::domain::completion_wire::{MAX_ATTEMPT, MAX_COST_USD, MAX_DURATION_MS, MAX_TAGS, ROLES};
use crate::domain::credential::MAX_TOKEN_BYTES;
use crate::domain::feedback::{Outcome, ShownFirst, Signal, Thumb};
use crate::domain::feedback_wire::{
    ACCEPT_METHODS, COPY_METHODS, MAX_AGE_MS, MAX_COMMENT_BYTES, MAX_EDIT_BYTES, MAX_REASONS, MAX_SCORE, MAX_WEIGHT,
};
use crate::domain::link::REASONS;
use crate::domain::principal::Trust;

/// The end of the year 9999, in seconds since 1970.
const LAST_SECOND: i64 = 253_402_300_799;

/// Any JSON that can be stored: no U+0000, no integer beyond 64 bits.
pub(super) fn json_value() -> Value {
    json!({
        "description": "Any JSON without U+0000 and with integers of at most 64 bits.",
        "anyOf": [
            { "type": ["null", "boolean"] },
            { "type": "integer", "minimum": i64::MIN, "maximum": u64::MAX },
            { "type": "number", "minimum": -9.2e18, "maximum": 1.8e19 },
            { "type": "string", "format": "utf8" },
            { "type": "array", "items": named("JsonValue") },
            free_object(),
        ],
    })
}

fn free_object() -> Value {
    json!({ "type": "object", "propertyNames": { "format": "utf8" }, "additionalProperties": named("JsonValue") })
}

/// A message: a role, and content of some kind.
pub(super) fn message() -> Value {
    message_of(&words_of(ROLES))
}

/// A message of the model's.
pub(super) fn answer() -> Value {
    message_of(&words_of(["assistant"]))
}

fn message_of(role: &Value) -> Value {
    let content = json!({ "anyOf": [{ "type": "string", "format": "utf8" }, all(&named("JsonValue"))] });
    let form = |own: Value, needed: Value| {
        let mut properties = own;
        properties["role"] = role.clone();
        json!({
            "type": "object",
            "properties": properties,
            "required": needed,
            "propertyNames": { "format": "utf8" },
            "additionalProperties": named("JsonValue"),
        })
    };
    let no_content = json!({ "anyOf": [content, { "type": "null" }] });
    let without_content =
        |name: &str, schema: Value| form(json!({ "content": no_content, name: schema }), json!(["role", name]));
    json!({
        "anyOf": [
            form(json!({ "content": content }), json!(["role", "content"])),
            without_content("tool_calls", all(&named("JsonValue"))),
            without_content("refusal", json!({ "type": "string", "format": "utf8" })),
            without_content("function_call", named("JsonValue")),
        ],
    })
}

/// What may stand beside a raw pair, and in a completion.
fn completion_members() -> Vec<Member> {
    let duration_ms = || number(0.0, MAX_DURATION_MS);
    vec![
        optional("requested_model", short_text()),
        optional("tools", all(&named("JsonValue"))),
        optional("params", free_object()),
        optional("finish_reason", short_text()),
        optional("conversation_id", short_text()),
        optional("turn_index", count()),
        optional(
            "parent_completion_id",
            described(short_text(), "The completion that this one regenerates; not its own id."),
        ),
        optional("attempt", integer(1, MAX_ATTEMPT)),
        optional("user", short_text()),
        optional("experiment", short_text()),
        optional("variant", described(short_text(), "Needs `experiment` beside it.")),
        optional("task", short_text()),
        optional("language", short_text()),
        optional(
            "tags",
            json!({
                "type": "object",
                "maxProperties": MAX_TAGS,
                "propertyNames": { "format": "utf8" },
                "additionalProperties": { "type": "string", "format": "utf8" },
            }),
        ),
        optional(
            "usage",
            closed(vec![
                optional("input_tokens", count()),
                optional("output_tokens", count()),
                optional("cached_input_tokens", count()),
                optional("reasoning_tokens", count()),
            ]),
        ),
        optional(
            "timing",
            closed(vec![
                optional("started_at", timestamp()),
                optional("ttft_ms", duration_ms()),
                optional("itl_ms", duration_ms()),
                optional("latency_ms", duration_ms()),
                optional("queue_ms", duration_ms()),
            ]),
        ),
        optional("cost_usd", number(0.0, MAX_COST_USD)),
        optional(
            "serving",
            closed(vec![
                optional("served_by", short_text()),
                optional("kv_cache_usage", number(0.0, 1.0)),
                optional("n_waiting", count()),
                optional("max_model_len", count()),
            ]),
        ),
        optional("consent", closed(vec![optional("training", boolean())])),
        optional("rating_solicited", boolean()),
        optional("solicit_prob", number(0.0, 1.0)),
        optional("aliases", list(16, &short_text())),
        optional("created_at", timestamp()),
    ]
}

/// A completion in our own form.
pub(super) fn completion() -> Value {
    let mut members = vec![
        required("id", short_text()),
        required("model", short_text()),
        required(
            "prompt",
            json!({ "anyOf": [
            { "type": "string", "format": "utf8", "description": "One message of the user." },
            { "type": "array", "minItems": 1, "items": named("Message") },
        ] }),
        ),
        required("response", json!({ "anyOf": [{ "type": "string", "format": "utf8" }, named("Answer")] })),
    ];
    members.extend(completion_members());
    let mut schema = closed(members);
    schema["example"] = json!({
        "id": "chatcmpl-9f", "model": "llama-3-70b", "prompt": "Why is the sky blue?",
        "response": { "role": "assistant", "content": "Because of Rayleigh scattering." },
    });
    schema
}

/// An object of another API's: some members are read, and others are taken as they are.
pub(super) fn foreign(needed: &[&str], members: Vec<Member>) -> Value {
    let mut schema = object(members);
    schema["required"] = json!(needed);
    schema["propertyNames"] = json!({ "format": "utf8" });
    schema["additionalProperties"] = named("JsonValue");
    schema
}

/// A raw OpenAI chat-completions pair; what it lacks may stand beside it.
pub(super) fn openai_pair() -> Value {
    let messages = json!({ "type": "array", "minItems": 1, "items": named("Message") });
    let request = vec![
        required("model", short_text()),
        required("messages", messages),
        optional("tools", all(&named("JsonValue"))),
        optional("user", short_text()),
    ];
    let choice = vec![required("message", named("Answer")), optional("finish_reason", short_text())];
    let mut choices = list(1, &foreign(&["message"], choice));
    choices["minItems"] = json!(1);
    let usage = vec![
        optional("prompt_tokens", count()),
        optional("completion_tokens", count()),
        optional("prompt_tokens_details", foreign(&[], vec![optional("cached_tokens", count())])),
        optional("completion_tokens_details", foreign(&[], vec![optional("reasoning_tokens", count())])),
    ];
    let response = vec![
        required("id", short_text()),
        required("choices", choices),
        optional("model", short_text()),
        optional("usage", foreign(&[], usage)),
        optional("created", described(integer(0, LAST_SECOND), "Seconds since 1970.")),
    ];
    let mut members = vec![
        required("request", foreign(&["model", "messages"], request)),
        required("response", foreign(&["id", "choices"], response)),
    ];
    members.extend(completion_members());
    described(
        closed(members),
        "A chat-completions request and its response as they are. Members of theirs that are not listed here are taken, \
         too; members beside the two go before what is derived from them, and may give what they lack.",
    )
}

/// The body of `POST /v1/completions`.
pub(super) fn completions_body() -> Value {
    let items = json!({ "type": "array", "minItems": 1, "maxItems": MAX_ITEMS,
        "items": { "anyOf": [named("Completion"), named("OpenAiPair")] } });
    json!({ "anyOf": [named("Completion"), named("OpenAiPair"), closed(vec![required("completions", items)])] })
}

/// What every reaction may hold beside its signal's own fields.
fn feedback_members(signal: Signal) -> Vec<Member> {
    let weight = if signal.is_explicit() {
        described(number(1.0, 1.0), "An explicit signal is never sampled.")
    } else {
        described(number(1.0, MAX_WEIGHT), "One over the client's sampling rate.")
    };
    vec![
        required("id", described(uuid(), "Made by the client and kept across its retries; UUIDv7 is best.")),
        required("completion_id", short_text()),
        required("signal", words_of([signal.as_str()])),
        optional("occurred_at", timestamp()),
        optional("age_ms", integer(0, MAX_AGE_MS)),
        optional("session_id", short_text()),
        optional("seq", integer(0, i64::MAX)),
        optional("user", short_text()),
        optional("supersedes", described(uuid(), "The earlier item that this one replaces; not its own id.")),
        optional("weight", weight),
    ]
}

fn reason_code() -> Value {
    json!({ "type": "string", "pattern": "^[a-z0-9_.-]{1,64}$" })
}

fn own_members(signal: Signal) -> Vec<Member> {
    match signal {
        Signal::Thumb => vec![
            required("value", one_of(Thumb::WORDS)),
            optional("reasons", list(MAX_REASONS, &reason_code())),
            optional("comment", text(MAX_COMMENT_BYTES)),
        ],
        Signal::Rating => {
            let bound = || number(-MAX_SCORE, MAX_SCORE);
            let points = closed(vec![required("score", bound()), required("min", bound()), required("max", bound())]);
            let points = described(points, "`min` is less than `max`, and `score` lies between them.");
            vec![required("value", json!({ "anyOf": [number(0.0, 1.0), points] }))]
        }
        Signal::Preference => vec![
            required("against", described(short_text(), "Another completion than `completion_id`.")),
            required("outcome", one_of(Outcome::WORDS)),
            optional("strength", number(0.0, MAX_SCORE)),
            optional("shown_first", one_of(ShownFirst::WORDS)),
        ],
        Signal::Edit => vec![
            required("text", text(MAX_EDIT_BYTES)),
            optional("accepted", boolean()),
            optional("truncated", boolean()),
        ],
        Signal::Regenerate => {
            vec![optional("next_completion_id", short_text()), optional("reason", reason_code())]
        }
        Signal::Continuation => vec![
            optional("turn", count()),
            optional("gap_ms", integer(0, MAX_AGE_MS)),
            optional("next_completion_id", short_text()),
        ],
        Signal::Copy => vec![
            optional("n_chars", described(count(), "Not more than `n_total_chars`.")),
            optional("n_total_chars", count()),
            optional("method", one_of(COPY_METHODS)),
            optional("contains_code", boolean()),
        ],
        Signal::Accept => vec![optional("method", one_of(ACCEPT_METHODS))],
        Signal::Comment => {
            let mut text = text(MAX_COMMENT_BYTES);
            text["minLength"] = json!(1);
            text["pattern"] = json!("\\S");
            vec![required("text", text)]
        }
        Signal::Impression => Vec::new(),
        Signal::Dwell => vec![required("visible_ms", integer(0, MAX_AGE_MS))],
    }
}

/// One reaction: a form for each signal.
pub(super) fn feedback() -> Value {
    reaction_with(Vec::new)
}

/// A reaction that is a whole request.
pub(super) fn lone_feedback() -> Value {
    reaction_with(|| vec![optional("sent_at", described(timestamp(), "When the client sent it, by its own clock."))])
}

fn reaction_with(more: impl Fn() -> Vec<Member>) -> Value {
    let forms: Vec<Value> = Signal::WORDS
        .iter()
        .map(|(word, signal)| {
            let mut members = feedback_members(*signal);
            members.extend(own_members(*signal));
            members.extend(more());
            let mut schema = closed(members);
            schema["title"] = json!(word);
            schema
        })
        .collect();
    json!({ "oneOf": forms, "example": {
        "id": "01990a5d-ac96-774b-bcce-b302099a8057", "completion_id": "chatcmpl-9f", "signal": "thumb", "value": "up",
    } })
}

/// The body of `POST /v1/feedback`.
pub(super) fn feedback_body() -> Value {
    let items = json!({ "type": "array", "minItems": 1, "maxItems": MAX_ITEMS, "items": named("Feedback") });
    let envelope = closed(vec![
        optional("v", integer(1, 1)),
        optional(
            "token",
            described(text(MAX_TOKEN_BYTES), "A feedback token or publishable key, where no header carries one."),
        ),
        optional("sent_at", timestamp()),
        optional("sdk", short_text()),
        optional(
            "trust",
            described(
                one_of(Trust::WORDS),
                "`unverified` where the sender itself vouches for nothing; never raises it.",
            ),
        ),
        required("feedback", items),
    ]);
    json!({ "anyOf": [named("LoneFeedback"), envelope] })
}

/// What the form behind a link sends.
pub(super) fn link_form() -> Value {
    let reasons = json!({ "type": "array", "items": words_of(REASONS), "maxItems": REASONS.len() });
    let mut schema = closed(vec![required("value", one_of(Thumb::WORDS))]);
    schema["properties"]["reason"] = reasons;
    schema["properties"]["comment"] = text(MAX_COMMENT_BYTES);
    schema
}

/// What became of the items of a write.
pub(super) fn receipt() -> Value {
    object(vec![
        required("accepted", total()),
        required("duplicate", total()),
        required("rejected", all(&named("Rejected"))),
    ])
}

/// An item that was not stored.
pub(super) fn rejected() -> Value {
    let mut schema = object(vec![
        required("index", total()),
        required("id", json!({ "type": ["string", "null"] })),
        required("code", named("ProblemCode")),
        required("detail", json!({ "type": "string" })),
    ]);
    schema["properties"]["errors"] = all(&named("Fault"));
    schema
}
