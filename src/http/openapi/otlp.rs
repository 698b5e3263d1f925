//! Schemas of OTLP in JSON, as far as it is read. Members beside those are the protocol's or a sender's, and are let pass.

use serde_json::{Value, json};

use super::words::{Member, all, described, integer, named, object, optional, required};

/// An object of the protocol's, whose further members are not read.
fn open(members: Vec<Member>) -> Value {
    let mut schema = object(members);
    schema["additionalProperties"] = named("JsonValue");
    schema["propertyNames"] = json!({ "format": "utf8" });
    schema
}

fn text() -> Value {
    json!({ "type": "string", "format": "utf8" })
}

fn hex(n_bytes: usize) -> Value {
    json!({ "type": "string", "pattern": format!("^([0-9a-f]{{{}}})?$", 2 * n_bytes) })
}

fn nanoseconds() -> Value {
    described(json!({ "type": "string", "pattern": "^[0-9]{1,18}$" }), "Nanoseconds since 1970, as a text or a number.")
}

fn attributes() -> Value {
    all(&named("OtlpAttribute"))
}

/// An `ExportTraceServiceRequest`.
pub(super) fn traces() -> Value {
    let scope = open(vec![optional("spans", all(&named("OtlpSpan")))]);
    let resource = open(vec![optional("scopeSpans", all(&scope))]);
    open(vec![optional("resourceSpans", all(&resource))])
}

/// An `ExportLogsServiceRequest`.
pub(super) fn logs() -> Value {
    let scope = open(vec![optional("logRecords", all(&named("OtlpLogRecord")))]);
    let resource = open(vec![optional("scopeLogs", all(&scope))]);
    open(vec![optional("resourceLogs", all(&resource))])
}

/// A `Span`.
pub(super) fn span() -> Value {
    let event = open(vec![
        optional("timeUnixNano", nanoseconds()),
        optional("name", text()),
        optional("attributes", attributes()),
    ]);
    let link = open(vec![optional("traceId", hex(16)), optional("spanId", hex(8))]);
    open(vec![
        optional("traceId", hex(16)),
        optional("spanId", hex(8)),
        optional("parentSpanId", hex(8)),
        optional("kind", integer(0, 5)),
        optional("startTimeUnixNano", nanoseconds()),
        optional("endTimeUnixNano", nanoseconds()),
        optional("attributes", attributes()),
        optional("events", all(&event)),
        optional("links", all(&link)),
        optional("status", open(vec![optional("code", integer(0, 2))])),
    ])
}

/// A `LogRecord`.
pub(super) fn log_record() -> Value {
    open(vec![
        optional("timeUnixNano", nanoseconds()),
        optional("observedTimeUnixNano", nanoseconds()),
        optional("severityNumber", integer(0, 24)),
        optional("eventName", text()),
        optional("body", named("OtlpValue")),
        optional("attributes", attributes()),
        optional("traceId", hex(16)),
        optional("spanId", hex(8)),
    ])
}

/// A `KeyValue`.
pub(super) fn attribute() -> Value {
    open(vec![required("key", text()), optional("value", named("OtlpValue"))])
}

/// An `AnyValue`; an empty one is a value, too.
pub(super) fn value() -> Value {
    let whole = json!({ "anyOf": [integer(-9_007_199_254_740_991, 9_007_199_254_740_991), { "type": "string", "pattern": "^-?[0-9]{1,18}$" }] });
    let values = |items: &Value| object(vec![optional("values", all(items))]);
    object(vec![
        optional("stringValue", text()),
        optional("boolValue", json!({ "type": "boolean" })),
        optional("intValue", whole),
        optional("doubleValue", json!({ "type": "number" })),
        optional("bytesValue", described(json!({ "type": "string", "pattern": "^([A-Za-z0-9+/]{4})*$" }), "Base64.")),
        optional("arrayValue", values(&named("OtlpValue"))),
        optional("kvlistValue", values(&named("OtlpAttribute"))),
    ])
}

/// An `ExportTraceServiceResponse`.
pub(super) fn traces_answer() -> Value {
    answer("rejectedSpans")
}

/// An `ExportLogsServiceResponse`.
pub(super) fn logs_answer() -> Value {
    answer("rejectedLogRecords")
}

fn answer(count: &'static str) -> Value {
    let message = described(json!({ "type": "string" }), "Codes with their counts.");
    let partial = object(vec![
        required(count, json!({ "type": "string", "pattern": "^[0-9]+$" })),
        required("errorMessage", message),
    ]);
    object(vec![optional("partialSuccess", described(partial, "Absent where everything is stored."))])
}

/// A `google.rpc.Status`.
pub(super) fn status() -> Value {
    let message = described(json!({ "type": "string" }), "The code of a problem, and what to do about it.");
    object(vec![required("code", integer(1, 16)), required("message", message)])
}
