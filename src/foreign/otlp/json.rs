//! Reads OTLP/JSON: ids in hex, 64-bit integers as numbers or strings, enumerations as numbers alone; members that we do not
//! know are let pass at every depth, as the protocol demands of receivers.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::DecodeError;
use super::bounds::Allowance;
use super::messages::{
    AnyValue, ArrayValue, Event, KeyValue, KeyValueList, Link, LogRecord, Logs, ResourceLogs, ResourceSpans, ScopeLogs,
    ScopeSpans, Span, Status, Traces, Value,
};
use crate::domain::json::Json;

type Result<T> = std::result::Result<T, DecodeError>;

/// Reads an `ExportTraceServiceRequest`.
pub(super) fn traces(request: &Json) -> Result<Traces> {
    let mut reader = Reader::default();
    let resources = reader.records(request, "resourceSpans", |reader, resource| {
        let scopes = reader.records(resource, "scopeSpans", |reader, scope| {
            Ok(ScopeSpans { spans: reader.records(scope, "spans", Reader::span)? })
        })?;
        Ok(ResourceSpans { scopes })
    })?;
    Ok(Traces { resources })
}

/// Reads an `ExportLogsServiceRequest`.
pub(super) fn logs(request: &Json) -> Result<Logs> {
    let mut reader = Reader::default();
    let resources = reader.records(request, "resourceLogs", |reader, resource| {
        let scopes = reader.records(resource, "scopeLogs", |reader, scope| {
            Ok(ScopeLogs { records: reader.records(scope, "logRecords", Reader::log_record)? })
        })?;
        Ok(ResourceLogs { scopes })
    })?;
    Ok(Logs { resources })
}

/// Reads messages within what a request may hold.
#[derive(Default)]
struct Reader {
    allowance: Allowance,
}

impl Reader {
    /// Reads every item of a list of messages.
    fn records<T>(
        &mut self,
        holder: &Json,
        name: &'static str,
        read: impl Fn(&mut Self, &Json) -> Result<T>,
    ) -> Result<Vec<T>> {
        object(holder, name)?;
        let mut records = Vec::new();
        for item in list(holder, name)? {
            self.allowance.take_record()?;
            object(item, name)?;
            records.push(read(self, item)?);
        }
        Ok(records)
    }

    fn span(&mut self, span: &Json) -> Result<Span> {
        enumeration(span, "kind")?;
        let status = match span.get("status") {
            Some(status @ Json::Object(_)) => Some(Status { code: enumeration(status, "code")? }),
            Some(Json::Null) | None => None,
            Some(_) => return Err(DecodeError::Member { name: "status", expected: "be an object" }),
        };
        Ok(Span {
            trace_id: id(span, "traceId")?,
            span_id: id(span, "spanId")?,
            parent_span_id: id(span, "parentSpanId")?,
            started_at_ns: unsigned(span, "startTimeUnixNano")?,
            ended_at_ns: unsigned(span, "endTimeUnixNano")?,
            attributes: self.attributes(span, "attributes")?,
            events: self.records(span, "events", |reader, event| {
                Ok(Event {
                    at_ns: unsigned(event, "timeUnixNano")?,
                    name: text(event, "name")?,
                    attributes: reader.attributes(event, "attributes")?,
                })
            })?,
            links: self.records(span, "links", |_, link| {
                Ok(Link { trace_id: id(link, "traceId")?, span_id: id(link, "spanId")? })
            })?,
            status,
        })
    }

    fn log_record(&mut self, record: &Json) -> Result<LogRecord> {
        enumeration(record, "severityNumber")?;
        Ok(LogRecord {
            at_ns: unsigned(record, "timeUnixNano")?,
            observed_at_ns: unsigned(record, "observedTimeUnixNano")?,
            body: record.get("body").map(|body| self.any_value(body)).transpose()?,
            attributes: self.attributes(record, "attributes")?,
            trace_id: id(record, "traceId")?,
            span_id: id(record, "spanId")?,
            event_name: text(record, "eventName")?,
        })
    }

    fn attributes(&mut self, holder: &Json, name: &'static str) -> Result<Vec<KeyValue>> {
        let mut attributes = Vec::new();
        for pair in list(holder, name)? {
            self.allowance.take_value()?;
            object(pair, name)?;
            let value = pair.get("value").map(|value| self.any_value(value)).transpose()?;
            attributes.push(KeyValue { key: text(pair, "key")?, value });
        }
        Ok(attributes)
    }

    fn any_value(&mut self, value: &Json) -> Result<AnyValue> {
        self.allowance.take_value()?;
        let entries = match value {
            Json::Object(entries) => entries,
            Json::Null => return Ok(AnyValue { value: None }),
            _ => return Err(DecodeError::Member { name: "value", expected: "be an object" }),
        };
        let mut read = None;
        for (kind, value) in entries.iter().filter(|(_, value)| *value != Json::Null) {
            read = match kind.as_str() {
                "stringValue" => Some(Value::String(string(value, "stringValue")?.to_owned())),
                "boolValue" => match value {
                    Json::Bool(is_true) => Some(Value::Bool(*is_true)),
                    _ => return Err(DecodeError::Member { name: "boolValue", expected: "be true or false" }),
                },
                "intValue" => Some(Value::Int(integer(value, "intValue")?)),
                "doubleValue" => Some(Value::Double(double(value)?)),
                "bytesValue" => Some(Value::Bytes(bytes(value)?)),
                "arrayValue" => {
                    let items = list(value, "values")?;
                    let items = items.iter().map(|item| self.any_value(item)).collect::<Result<_>>()?;
                    Some(Value::Array(ArrayValue { values: items }))
                }
                "kvlistValue" => Some(Value::KvList(KeyValueList { values: self.attributes(value, "values")? })),
                _ => read,
            };
        }
        Ok(AnyValue { value: read })
    }
}

fn object(value: &Json, name: &'static str) -> Result<()> {
    let is_object = matches!(value, Json::Object(_));
    is_object.then_some(()).ok_or(DecodeError::Member { name, expected: "hold objects, and stand in one" })
}

fn list<'a>(holder: &'a Json, name: &'static str) -> Result<&'a [Json]> {
    match holder.get(name) {
        Some(Json::Array(items)) => Ok(items),
        Some(Json::Null) | None => Ok(&[]),
        Some(_) => Err(DecodeError::Member { name, expected: "be a list" }),
    }
}

fn string<'a>(value: &'a Json, name: &'static str) -> Result<&'a str> {
    value.as_str().ok_or(DecodeError::Member { name, expected: "be a string" })
}

fn text(holder: &Json, name: &'static str) -> Result<String> {
    match holder.get(name) {
        Some(Json::Null) | None => Ok(String::new()),
        Some(value) => string(value, name).map(str::to_owned),
    }
}

fn id(holder: &Json, name: &'static str) -> Result<Vec<u8>> {
    hex::decode(text(holder, name)?).map_err(|_| DecodeError::Member { name, expected: "be in hex" })
}

fn unsigned(holder: &Json, name: &'static str) -> Result<u64> {
    let wrong = DecodeError::Member { name, expected: "be a whole number from 0, also as a string" };
    match holder.get(name) {
        Some(Json::Null) | None => Ok(0),
        Some(Json::Integer(number)) => u64::try_from(*number).map_err(|_| wrong),
        Some(Json::String(text)) => text.parse().map_err(|_| wrong),
        Some(_) => Err(wrong),
    }
}

fn integer(value: &Json, name: &'static str) -> Result<i64> {
    let wrong = DecodeError::Member { name, expected: "be a whole number of 64 bits, also as a string" };
    match value {
        Json::Integer(number) => i64::try_from(*number).map_err(|_| wrong),
        Json::String(text) => text.parse().map_err(|_| wrong),
        _ => Err(wrong),
    }
}

/// Numbers that JSON cannot write come as words.
fn double(value: &Json) -> Result<f64> {
    match value {
        Json::Integer(number) => Ok(*number as f64),
        Json::Float(number) => Ok(*number),
        Json::String(text) => {
            text.parse().map_err(|_| DecodeError::Member { name: "doubleValue", expected: "be a number" })
        }
        _ => Err(DecodeError::Member { name: "doubleValue", expected: "be a number" }),
    }
}

fn bytes(value: &Json) -> Result<Vec<u8>> {
    let text = string(value, "bytesValue")?;
    let decoded = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text));
    decoded.map_err(|_| DecodeError::Member { name: "bytesValue", expected: "be in base64" })
}

/// Enumerations are numbers: their names are forbidden here.
fn enumeration(holder: &Json, name: &'static str) -> Result<i32> {
    match holder.get(name) {
        Some(Json::Null) | None => Ok(0),
        Some(Json::Integer(number)) => {
            i32::try_from(*number).map_err(|_| DecodeError::Member { name, expected: "be a number of 32 bits" })
        }
        Some(_) => Err(DecodeError::Member { name, expected: "be the number of its kind and not a name" }),
    }
}
