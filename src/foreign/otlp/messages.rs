//! The messages of OTLP, with the fields that we read and no others: whatever else a sender writes is skipped unread.
//!
//! Names and numbers of the fields are those of opentelemetry-proto 1.10. Both encodings end in these types.

/// `ExportTraceServiceRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Traces {
    /// Spans by the resource that they come from.
    #[prost(message, repeated, tag = "1")]
    pub(super) resources: Vec<ResourceSpans>,
}

/// `ResourceSpans`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ResourceSpans {
    /// Spans by the library that made them.
    #[prost(message, repeated, tag = "2")]
    pub(super) scopes: Vec<ScopeSpans>,
}

/// `ScopeSpans`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ScopeSpans {
    /// The spans.
    #[prost(message, repeated, tag = "2")]
    pub(super) spans: Vec<Span>,
}

/// `Span`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Span {
    /// Id of the trace, 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub(super) trace_id: Vec<u8>,
    /// Id of the span, 8 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub(super) span_id: Vec<u8>,
    /// Id of the span that this one is a part of, empty for a root.
    #[prost(bytes = "vec", tag = "4")]
    pub(super) parent_span_id: Vec<u8>,
    /// Beginning, in nanoseconds since 1970.
    #[prost(fixed64, tag = "7")]
    pub(super) started_at_ns: u64,
    /// End, likewise.
    #[prost(fixed64, tag = "8")]
    pub(super) ended_at_ns: u64,
    /// What it says of itself.
    #[prost(message, repeated, tag = "9")]
    pub(super) attributes: Vec<KeyValue>,
    /// What happened in it.
    #[prost(message, repeated, tag = "11")]
    pub(super) events: Vec<Event>,
    /// Spans that it points to.
    #[prost(message, repeated, tag = "13")]
    pub(super) links: Vec<Link>,
    /// How it ended.
    #[prost(message, optional, tag = "15")]
    pub(super) status: Option<Status>,
}

/// `Span.Event`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Event {
    /// When, in nanoseconds since 1970.
    #[prost(fixed64, tag = "1")]
    pub(super) at_ns: u64,
    /// Its name.
    #[prost(string, tag = "2")]
    pub(super) name: String,
    /// What it says.
    #[prost(message, repeated, tag = "3")]
    pub(super) attributes: Vec<KeyValue>,
}

/// `Span.Link`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Link {
    /// Trace of the other span.
    #[prost(bytes = "vec", tag = "1")]
    pub(super) trace_id: Vec<u8>,
    /// The other span.
    #[prost(bytes = "vec", tag = "2")]
    pub(super) span_id: Vec<u8>,
}

/// `Status`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Status {
    /// 2 is an error.
    #[prost(int32, tag = "3")]
    pub(super) code: i32,
}

/// `ExportLogsServiceRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Logs {
    /// Records by the resource that they come from.
    #[prost(message, repeated, tag = "1")]
    pub(super) resources: Vec<ResourceLogs>,
}

/// `ResourceLogs`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ResourceLogs {
    /// Records by the library that made them.
    #[prost(message, repeated, tag = "2")]
    pub(super) scopes: Vec<ScopeLogs>,
}

/// `ScopeLogs`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ScopeLogs {
    /// The records.
    #[prost(message, repeated, tag = "2")]
    pub(super) records: Vec<LogRecord>,
}

/// `LogRecord`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct LogRecord {
    /// When it happened, in nanoseconds since 1970.
    #[prost(fixed64, tag = "1")]
    pub(super) at_ns: u64,
    /// When it was seen, likewise.
    #[prost(fixed64, tag = "11")]
    pub(super) observed_at_ns: u64,
    /// What it says; some senders put an event's attributes here.
    #[prost(message, optional, tag = "5")]
    pub(super) body: Option<AnyValue>,
    /// What it says beside that.
    #[prost(message, repeated, tag = "6")]
    pub(super) attributes: Vec<KeyValue>,
    /// Trace that it belongs to.
    #[prost(bytes = "vec", tag = "9")]
    pub(super) trace_id: Vec<u8>,
    /// Span that it belongs to.
    #[prost(bytes = "vec", tag = "10")]
    pub(super) span_id: Vec<u8>,
    /// Name of the event that it is.
    #[prost(string, tag = "12")]
    pub(super) event_name: String,
}

/// `KeyValue`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct KeyValue {
    /// The key.
    #[prost(string, tag = "1")]
    pub(super) key: String,
    /// The value.
    #[prost(message, optional, tag = "2")]
    pub(super) value: Option<AnyValue>,
}

/// `AnyValue`; one without a value is the empty value.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct AnyValue {
    /// The value.
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub(super) value: Option<Value>,
}

/// The kinds of values.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Value {
    /// Text.
    #[prost(string, tag = "1")]
    String(String),
    /// Yes or no.
    #[prost(bool, tag = "2")]
    Bool(bool),
    /// A whole number.
    #[prost(int64, tag = "3")]
    Int(i64),
    /// A number.
    #[prost(double, tag = "4")]
    Double(f64),
    /// A list.
    #[prost(message, tag = "5")]
    Array(ArrayValue),
    /// A map.
    #[prost(message, tag = "6")]
    KvList(KeyValueList),
    /// Bytes.
    #[prost(bytes, tag = "7")]
    Bytes(Vec<u8>),
}

/// `ArrayValue`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ArrayValue {
    /// The items.
    #[prost(message, repeated, tag = "1")]
    pub(super) values: Vec<AnyValue>,
}

/// `KeyValueList`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct KeyValueList {
    /// The members.
    #[prost(message, repeated, tag = "1")]
    pub(super) values: Vec<KeyValue>,
}
