//! Schemas of what other tools send: what is read of it. Members beside those are theirs, and are let pass.

use serde_json::{Value, json};

use super::words::{
    all, boolean, described, estimate, integer, list, named, number, object, one_of, optional, required, short_text,
    text, total, words_of,
};
use super::writing::foreign;
use crate::domain::feedback_wire::MAX_COMMENT_BYTES;
use crate::foreign::langfuse::ingestion::MAX_EVENTS;
use crate::foreign::litellm::MAX_RECORDS;

/// What the proxy sends: a list of records, one record, or one after the other in lines.
pub(super) fn litellm_body() -> Value {
    json!({ "anyOf": [list(MAX_RECORDS, &named("LitellmRecord")), named("LitellmRecord")] })
}

/// A `StandardLoggingPayload`.
pub(super) fn litellm_record() -> Value {
    let messages = json!({ "type": "array", "minItems": 1, "items": named("Message") });
    let choice = vec![required("message", named("Answer")), optional("finish_reason", short_text())];
    let choices = all(&foreign(&["message"], choice));
    let response = foreign(&["choices"], vec![required("choices", choices)]);
    let members = vec![
        required("id", short_text()),
        required("model", short_text()),
        required("messages", messages),
        required("response", response),
        optional("status", words_of(["success", "failure"])),
        optional("stream", boolean()),
        optional("startTime", described(estimate(), "Seconds since 1970.")),
        optional("endTime", estimate()),
        optional("completionStartTime", estimate()),
        optional("prompt_tokens", estimate()),
        optional("completion_tokens", estimate()),
        optional("response_cost", estimate()),
        optional("model_group", short_text()),
        optional("session_id", short_text()),
        optional("end_user", short_text()),
        optional("litellm_call_id", short_text()),
        optional("trace_id", short_text()),
        optional("request_tags", list(64, &short_text())),
    ];
    described(foreign(&["id", "model", "messages", "response"], members), "What LiteLLM logs of a call.")
}

/// What became of the records.
pub(super) fn litellm_receipt() -> Value {
    let ignored = object(vec![required("failed_call", total()), required("other_call", total())]);
    object(vec![
        required("accepted", total()),
        required("duplicate", total()),
        required("rejected", all(&named("Rejected"))),
        required("ignored", described(ignored, "Records that hold no completion.")),
    ])
}

/// A score as Langfuse's clients send it.
pub(super) fn langfuse_score() -> Value {
    const TYPES: [&str; 5] = ["NUMERIC", "BOOLEAN", "CATEGORICAL", "TEXT", "CORRECTION"];
    let value = json!({ "anyOf": [number(-1e6, 1e6), text(MAX_COMMENT_BYTES), boolean()] });
    let members = vec![
        optional("id", short_text()),
        required("traceId", described(short_text(), "An alias of the completion, where no observation is named.")),
        optional("observationId", described(short_text(), "The completion, by its id or an alias.")),
        required("name", described(short_text(), "Only declared names and those for thumbs mean something.")),
        required("value", value),
        optional("dataType", one_of(&TYPES.map(|name| (name, ())))),
        optional("comment", text(MAX_COMMENT_BYTES)),
    ];
    foreign(&["traceId", "name", "value"], members)
}

/// The answer that Langfuse's clients read.
pub(super) fn langfuse_score_id() -> Value {
    object(vec![required("id", json!({ "type": "string" }))])
}

/// Events as Langfuse's clients send them together.
pub(super) fn langfuse_batch() -> Value {
    const TYPES: [&str; 4] = ["score-create", "trace-create", "generation-create", "generation-update"];
    let event = vec![
        required("id", short_text()),
        required("type", described(short_text(), &format!("{} are read, and others let pass.", TYPES.join(", ")))),
        optional("timestamp", described(short_text(), "Of two events about one generation the later has the word.")),
        required("body", foreign(&["id"], vec![required("id", short_text())])),
    ];
    foreign(&["batch"], vec![required("batch", list(MAX_EVENTS, &foreign(&["id", "type", "body"], event)))])
}

/// What became of the events, one by one.
pub(super) fn langfuse_batch_answer() -> Value {
    let status = || integer(200, 599);
    let success = object(vec![required("id", json!({ "type": "string" })), required("status", status())]);
    let error = object(vec![
        required("id", json!({ "type": "string" })),
        required("status", status()),
        required(
            "message",
            described(json!({ "type": "string" }), "The code of a rejection, and what to do about it."),
        ),
    ]);
    object(vec![required("successes", all(&success)), required("errors", all(&error))])
}
