//! OTLP: what instrumented programs export of their calls of models and of what people said to the answers.
//!
//! Spans and log records follow one of four conventions: GenAI, OpenInference, the Vercel AI SDK's own, Langfuse's own. What
//! follows none of them is no item: exporters send everything that a program does.

mod ai_sdk;
mod attributes;
mod bounds;
mod calls;
mod gen_ai;
mod json;
mod langfuse_span;
mod messages;
mod nesting;
mod open_inference;
mod reactions;

use chrono::DateTime;
use prost::Message as _;

use super::meaning::Meanings;
use crate::domain::batch::Item;
use crate::domain::clock::Timestamp;
use crate::domain::completion::NewCompletion;
use crate::domain::feedback::NewFeedback;
use crate::domain::json::{Json, JsonError, MAX_FOREIGN_DEPTH, MAX_VALUES};

use ai_sdk::Operation;
use attributes::{Attributes, TextBudget};
use bounds::Shape;
use calls::Circumstances;
use messages::{Event, KeyValue, LogRecord, Span, Value};
use nesting::Candidate;
use reactions::{EVALUATION, Said, Targets};

pub use messages::{Logs, Traces};

/// The most calls and reactions that one request may carry: collectors send 8192 spans at a time.
pub const MAX_ITEMS: usize = 10_000;

/// Name of the event that carries the texts of a call.
const DETAILS: &str = "gen_ai.client.inference.operation.details";

/// Code of a status that is an error.
const STATUS_ERROR: i32 = 2;

/// Why a request cannot be read. None of these quotes what the request holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It is no JSON that we take.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A member of the JSON is not of its kind.
    #[error("`{name}` must {expected}")]
    Member {
        /// Its name in the protocol.
        name: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// It is no message of the protocol's.
    #[error("not a protobuf message of OTLP")]
    Protobuf,
    /// Values nest deeper than they may.
    #[error("values nest deeper than {MAX_FOREIGN_DEPTH} levels")]
    TooDeep,
    /// There is more in it than it may hold.
    #[error("there is more in the request than {MAX_VALUES} values; send fewer spans or records in one")]
    TooManyValues,
}

/// What the records of a request became.
#[derive(Debug, Default, PartialEq)]
pub struct Translated {
    /// Completions, each with the place of its record.
    pub completions: Vec<(usize, Item<NewCompletion>)>,
    /// Reactions, likewise.
    pub feedback: Vec<(usize, Item<NewFeedback>)>,
    /// Records of calls that failed: no model answered.
    pub n_failed: usize,
    /// Further records of calls that are told of already.
    pub n_nested: usize,
    /// Records of neither calls nor reactions.
    pub n_other: usize,
}

impl Translated {
    fn add_reactions(&mut self, place: usize, said: Vec<Said>) {
        for said in said {
            match said {
                Err(error) => self.feedback.push((place, Item { id: None, outcome: Err(vec![error]) })),
                Ok(items) => self.feedback.extend(items.into_iter().map(|item| {
                    let id = item.get("id").and_then(Json::as_str).map(str::to_owned);
                    (place, Item { id, outcome: NewFeedback::from_json(item, "") })
                })),
            }
        }
    }
}

/// What an exporter sends in one request.
pub trait Export: Sized + Send + 'static {
    /// Reads a request in protobuf.
    fn from_protobuf(body: &[u8]) -> Result<Self, DecodeError>;
    /// Reads a request in JSON.
    fn from_json(body: &[u8]) -> Result<Self, DecodeError>;
    /// Translates every record.
    fn translate(&self, meanings: &Meanings) -> Result<Translated, DecodeError>;
}

impl Export for Traces {
    fn from_protobuf(body: &[u8]) -> Result<Self, DecodeError> {
        bounds::check(body, Shape::Traces)?;
        Self::decode(body).map_err(|_| DecodeError::Protobuf)
    }

    fn from_json(body: &[u8]) -> Result<Self, DecodeError> {
        json::traces(&Json::parse_foreign(body)?)
    }

    fn translate(&self, meanings: &Meanings) -> Result<Translated, DecodeError> {
        let budget = TextBudget::default();
        let mut translated = Translated::default();
        let mut candidates = Vec::new();
        let scopes = self.resources.iter().flat_map(|resource| &resource.scopes);
        for (place, span) in scopes.flat_map(|scope| &scope.spans).enumerate() {
            let attributes = Attributes::of(&span.attributes, &budget);
            let said = said_in(span, &attributes, meanings);
            let is_silent = said.is_empty();
            translated.add_reactions(place, said);
            let details = span.events.iter().find(|event| event.name == DETAILS);
            let attributes = details.map_or(attributes.clone(), |event| attributes.and(&event.attributes));
            match call_in(&attributes) {
                Some(Operation::Call(call)) => {
                    candidates.push(Candidate { place, call: *call, of: circumstances_of(span, attributes) });
                }
                Some(Operation::Wrapper) => translated.n_nested += usize::from(is_silent),
                None => translated.n_other += usize::from(is_silent),
            }
        }
        nesting::settle(candidates, &mut translated);
        if budget.is_spent() { Err(DecodeError::TooManyValues) } else { Ok(translated) }
    }
}

impl Export for Logs {
    fn from_protobuf(body: &[u8]) -> Result<Self, DecodeError> {
        bounds::check(body, Shape::Logs)?;
        Self::decode(body).map_err(|_| DecodeError::Protobuf)
    }

    fn from_json(body: &[u8]) -> Result<Self, DecodeError> {
        json::logs(&Json::parse_foreign(body)?)
    }

    fn translate(&self, meanings: &Meanings) -> Result<Translated, DecodeError> {
        let budget = TextBudget::default();
        let mut translated = Translated::default();
        let mut candidates = Vec::new();
        let scopes = self.resources.iter().flat_map(|resource| &resource.scopes);
        for (place, record) in scopes.flat_map(|scope| &scope.records).enumerate() {
            let attributes = Attributes::of(&record.attributes, &budget);
            let attributes = body_of(record).map_or(attributes.clone(), |body| attributes.and(body));
            // Senders from before events had names of their own write them among the attributes.
            let name = Some(record.event_name.as_str()).filter(|name| !name.is_empty());
            let at = moment(record.at_ns).or_else(|| moment(record.observed_at_ns));
            match name.or_else(|| attributes.text("event.name")) {
                Some(EVALUATION) => {
                    let span = hex_of(&record.span_id, 8);
                    let said = reactions::evaluation(&attributes, span.as_deref(), None, at, meanings);
                    translated.add_reactions(place, vec![said]);
                }
                Some(DETAILS) => match gen_ai::call(&attributes) {
                    Some(call) => {
                        let of = Circumstances {
                            attributes,
                            trace_id: hex_of(&record.trace_id, 16),
                            span_id: hex_of(&record.span_id, 8),
                            parent_id: None,
                            started_at: None,
                            ended_at: at,
                            is_failed: false,
                        };
                        candidates.push(Candidate { place, call, of });
                    }
                    None => translated.n_other += 1,
                },
                _ => translated.n_other += 1,
            }
        }
        nesting::settle(candidates, &mut translated);
        if budget.is_spent() { Err(DecodeError::TooManyValues) } else { Ok(translated) }
    }
}

/// Reads a call by the convention that tells its texts, or else by the first one that it follows.
fn call_in<'a>(attributes: &Attributes<'a>) -> Option<Operation<'a>> {
    if let Some(operation) = ai_sdk::operation(attributes) {
        return Some(operation);
    }
    let told = [gen_ai::call(attributes), open_inference::call(attributes), langfuse_span::call(attributes)];
    let mut first = None;
    for call in told.into_iter().flatten() {
        if call.has_texts() {
            return Some(Operation::Call(Box::new(call)));
        }
        first.get_or_insert(call);
    }
    first.map(|call| Operation::Call(Box::new(call)))
}

/// Reads what people said in a span: of itself, or of the one span that it links to where it is about no call.
fn said_in(span: &Span, attributes: &Attributes<'_>, meanings: &Meanings) -> Vec<Said> {
    let is_evaluation = |event: &&Event| event.name == EVALUATION;
    let carries_any = |pair: &KeyValue| pair.key.contains("annotations.") || pair.key.contains("evaluations.");
    if !span.attributes.iter().any(carries_any) && !span.events.iter().any(|event| is_evaluation(&event)) {
        return Vec::new();
    }
    let own = Targets { span: hex_of(&span.span_id, 8), trace: hex_of(&span.trace_id, 16) };
    let targets = match &span.links[..] {
        _ if call_in(attributes).is_some() => own,
        [] => own,
        [link] => Targets { span: hex_of(&link.span_id, 8), trace: hex_of(&link.trace_id, 16) },
        _ => Targets::default(),
    };
    let mut said = reactions::annotations(attributes, &targets, moment(span.ended_at_ns), meanings);
    let user = attributes.text("user.id");
    for event in span.events.iter().filter(is_evaluation) {
        let of_event = attributes.of_event(event);
        let at = moment(event.at_ns);
        said.push(reactions::evaluation(&of_event, targets.span.as_deref(), user, at, meanings));
    }
    said
}

fn circumstances_of<'a>(span: &Span, attributes: Attributes<'a>) -> Circumstances<'a> {
    Circumstances {
        attributes,
        trace_id: hex_of(&span.trace_id, 16),
        span_id: hex_of(&span.span_id, 8),
        parent_id: hex_of(&span.parent_span_id, 8),
        started_at: moment(span.started_at_ns),
        ended_at: moment(span.ended_at_ns),
        is_failed: span.status.as_ref().is_some_and(|status| status.code == STATUS_ERROR),
    }
}

/// The members of a body that is a map.
fn body_of(record: &LogRecord) -> Option<&[KeyValue]> {
    match record.body.as_ref()?.value.as_ref()? {
        Value::KvList(map) => Some(&map.values),
        _ => None,
    }
}

/// Writes an id in hex; one of another length, or of zeros alone, is none.
fn hex_of(id: &[u8], n_bytes: usize) -> Option<String> {
    (id.len() == n_bytes && id.iter().any(|byte| *byte != 0)).then(|| hex::encode(id))
}

/// Reads a moment from nanoseconds since 1970, of which 0 means that nobody knows.
fn moment(ns: u64) -> Option<Timestamp> {
    let ns = i64::try_from(ns).ok().filter(|ns| *ns > 0)?;
    Some(DateTime::from_timestamp_nanos(ns))
}

#[cfg(test)]
mod tests;
