//! MLflow: traces as its client writes them, with the assessments of people in them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::derived::Source;
use super::fault;
use super::meaning::{Meanings, Score, Value};
use super::wire::{
    Circumstances, Object, items_of, member, milliseconds, number_of, reaction, rfc3339, text_of, without_nulls,
};
use crate::domain::clock::Timestamp;
use crate::domain::fields::{FieldCode, FieldError};
use crate::domain::json::Json;

/// The kinds of spans that are a call of a model.
const CALLS: [&str; 2] = ["CHAT_MODEL", "LLM"];

/// What a trace came to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Read {
    /// Completions in our wire form.
    pub completions: Vec<Json>,
    /// Feedback in our wire form.
    pub feedback: Vec<Json>,
    /// What was refused.
    pub faults: Vec<FieldError>,
}

/// Reads a trace. Assessments are about a trace, or a span of it: the call of a model that ended last has the trace's id, so
/// that feedback on the trace is feedback on what was shown.
pub fn trace(record: &Json, meanings: &Meanings) -> Result<Read, FieldError> {
    let info = member(record, "info").unwrap_or(record);
    let trace_id = text_of(info, "trace_id").or_else(|| text_of(info, "request_id"));
    let trace_id =
        trace_id.ok_or_else(|| FieldError::new("/info/trace_id", FieldCode::Required, "a trace has an id"))?;
    let data = member(record, "data").unwrap_or(record);
    let mut calls: Vec<Call<'_>> = items_of(data, "spans").iter().filter_map(Call::read).collect();
    // Stable: of two that end at once the later one in the trace is the last.
    calls.sort_by_key(|call| call.ended);
    let mut read = Read::default();
    let last = calls.len().saturating_sub(1);
    for (place, call) in calls.iter().enumerate() {
        let id = if place == last { trace_id.to_owned() } else { format!("{trace_id}/{}", call.id) };
        read.completions.push(call.completion(&id, info));
    }
    let target = |span_id: Option<&str>| match span_id {
        // A span that is no call, such as the root, is the whole trace.
        Some(span_id) if calls[..last.min(calls.len())].iter().any(|call| call.id == span_id) => {
            format!("{trace_id}/{span_id}")
        }
        _ => trace_id.to_owned(),
    };
    for assessment in items_of(info, "assessments").iter().chain(items_of(record, "assessments")) {
        match reactions(assessment, &target(text_of(assessment, "span_id")), meanings) {
            Ok(items) => read.feedback.extend(items),
            Err(fault) => read.faults.push(fault),
        }
    }
    Ok(read)
}

/// A span that is a call of a model.
struct Call<'a> {
    id: String,
    inputs: Json,
    outputs: Json,
    attributes: &'a Json,
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
}

impl<'a> Call<'a> {
    fn read(span: &'a Json) -> Option<Self> {
        let attributes = member(span, "attributes")?;
        let kind = decoded(attributes, "mlflow.spanType")?;
        if !kind.as_str().is_some_and(|kind| CALLS.contains(&kind)) {
            return None;
        }
        let moment = |name: &str| {
            let nanos = number_of(member(span, name)?)?;
            (0.0..9.2e18).contains(&nanos).then(|| Timestamp::from_timestamp_nanos(nanos as i64))
        };
        Some(Self {
            id: hexadecimal(text_of(span, "span_id")?),
            inputs: decoded(attributes, "mlflow.spanInputs").unwrap_or(Json::Null),
            outputs: decoded(attributes, "mlflow.spanOutputs").unwrap_or(Json::Null),
            attributes,
            started: moment("start_time_unix_nano"),
            ended: moment("end_time_unix_nano"),
        })
    }

    fn completion(&self, id: &str, info: &Json) -> Json {
        let choice = items_of(&self.outputs, "choices").first();
        let response = choice.and_then(|choice| member(choice, "message")).map(without_nulls);
        let response = response.or_else(|| self.outputs.as_str().map(|text| Json::String(text.to_owned())));
        let prompt = match member(&self.inputs, "messages") {
            Some(Json::Array(messages)) => Some(Json::Array(messages.iter().map(without_nulls).collect())),
            _ => self.inputs.as_str().map(|text| Json::String(text.to_owned())),
        };
        let model = [&self.outputs, &self.inputs].into_iter().find_map(|of| text_of(of, "model")).map(str::to_owned);
        let model = model.or_else(|| Some(decoded(self.attributes, "mlflow.llm.model")?.as_str()?.to_owned()));
        let metadata = member(info, "trace_metadata").unwrap_or(&Json::Null);
        let usage = member(&self.outputs, "usage").unwrap_or(&Json::Null);
        let usage = [("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens")]
            .into_iter()
            .fold(Object::default(), |ours, (name, theirs)| ours.put(name, member(usage, theirs).cloned()));
        let timing = Object::default()
            .moment("started_at", self.started)
            .put("latency_ms", milliseconds(self.started, self.ended));
        let response_id = text_of(&self.outputs, "id").filter(|response_id| *response_id != id);
        Object::default()
            .text("id", Some(id))
            .text("model", model.as_deref())
            .put("prompt", prompt)
            .put("response", response)
            .text("finish_reason", choice.and_then(|choice| text_of(choice, "finish_reason")))
            .text("conversation_id", text_of(metadata, "mlflow.trace.session"))
            .text("user", text_of(metadata, "mlflow.trace.user"))
            .object("usage", usage)
            .object("timing", timing)
            .moment("created_at", self.ended)
            .put("aliases", response_id.map(|id| Json::Array(vec![Json::String(id.to_owned())])))
            .build()
    }
}

/// Writes the id of a span as assessments name it: in hexadecimal, where the client's JSON has its eight bytes in base64.
fn hexadecimal(id: &str) -> String {
    match BASE64.decode(id) {
        Ok(bytes) if bytes.len() == 8 => hex::encode(bytes),
        _ => id.to_owned(),
    }
}

/// Attributes of spans are JSON in texts, except where they are not.
fn decoded(attributes: &Json, name: &str) -> Option<Json> {
    match attributes.get(name)? {
        Json::String(text) => Some(Json::parse_foreign(text.as_bytes()).unwrap_or_else(|_| Json::String(text.clone()))),
        other => Some(other.clone()),
    }
}

fn reactions(assessment: &Json, target: &str, meanings: &Meanings) -> Result<Vec<Json>, FieldError> {
    if assessment.get("valid") == Some(&Json::Bool(false)) {
        // Another one took its place.
        return Ok(Vec::new());
    }
    let source = member(assessment, "source").unwrap_or(&Json::Null);
    if text_of(source, "source_type") != Some("HUMAN") {
        return Err(fault(FieldCode::NotAUserReaction, "a model or a program gave this assessment and no person"));
    }
    let name = text_of(assessment, "assessment_name").or_else(|| text_of(assessment, "name"));
    let name =
        name.ok_or_else(|| FieldError::new("/assessment_name", FieldCode::Required, "an assessment has a name"))?;
    let given = ["feedback", "expectation"].iter().find_map(|kind| member(assessment, kind));
    let value = match given.and_then(|given| member(given, "value")) {
        Some(Json::Bool(is_true)) => Value::Boolean(*is_true),
        Some(Json::String(text)) => Value::Label(text),
        Some(number) => match number_of(number) {
            Some(number) => Value::Number(number),
            None => {
                return Err(FieldError::new(
                    "/feedback/value",
                    FieldCode::WrongType,
                    "the value is a list or an object",
                ));
            }
        },
        None => return Err(FieldError::new("/feedback/value", FieldCode::Required, "the assessment says nothing")),
    };
    let of = Circumstances {
        source: Source { system: "mlflow", key: text_of(assessment, "assessment_id").unwrap_or_default() },
        completion_id: target,
        user: text_of(source, "source_id").filter(|user| *user != "default"),
        at: ["last_update_time", "create_time"].iter().find_map(|name| rfc3339(assessment.get(name))),
    };
    let signals = Score { name, value, comment: text_of(assessment, "rationale") }.to_signals(meanings)?;
    Ok(signals.into_iter().map(|(signal, own)| reaction(of, signal, own)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::completion::NewCompletion;
    use crate::domain::feedback::{NewFeedback, Reaction, Thumb};

    fn read(text: &str) -> Result<Read, FieldError> {
        let mut meanings = Meanings::default();
        meanings.declare("verdict=thumb:good:bad").unwrap();
        meanings.declare("better=edit").unwrap();
        trace(&Json::parse(text.as_bytes()).unwrap(), &meanings)
    }

    fn span(id: &str, kind: &str, text: &str, ended_s: u64) -> String {
        let inputs = r#"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Why?\"}]}"#;
        let outputs = format!(
            r#"{{\"id\":\"r-{id}\",\"model\":\"m-1\",\"choices\":[{{\"message\":{{\"role\":\"assistant\",\"content\":\"{text}\",
            \"refusal\":null}},\"finish_reason\":\"stop\"}}],\"usage\":{{\"prompt_tokens\":8,\"completion_tokens\":2}}}}"#
        )
        .replace('\n', "");
        format!(
            r#"{{"span_id":"{id}","start_time_unix_nano":1769860800000000000,"end_time_unix_nano":{ended_s}000000000,
            "attributes":{{"mlflow.spanType":"\"{kind}\"","mlflow.spanInputs":"{inputs}","mlflow.spanOutputs":"{outputs}"}}}}"#
        )
    }

    fn trace_of(spans: &[String], assessments: &str) -> String {
        format!(
            r#"{{"info":{{"trace_id":"tr-1","trace_metadata":{{"mlflow.trace.user":"u","mlflow.trace.session":"v"}},
            "assessments":[{assessments}]}},"data":{{"spans":[{}]}}}}"#,
            spans.join(",")
        )
    }

    fn human(own: &str) -> String {
        format!(
            r#"{{"assessment_id":"a-1","source":{{"source_type":"HUMAN","source_id":"p"}},
            "create_time":"2026-01-31T12:00:05Z",{own}}}"#
        )
    }

    #[test]
    fn the_call_that_ended_last_has_the_id_of_its_trace() {
        let spans = [
            span("root", "CHAIN", "-", 1_769_860_809),
            span("b", "CHAT_MODEL", "Last.", 1_769_860_803),
            span("a", "LLM", "First.", 1_769_860_802),
        ];

        let read = read(&trace_of(&spans, "")).unwrap();
        let items: Vec<NewCompletion> =
            read.completions.into_iter().map(|item| NewCompletion::from_json(item, "").unwrap()).collect();

        let ids: Vec<&str> = items.iter().map(|item| item.id.as_str()).collect();
        assert_eq!(ids, ["tr-1/a", "tr-1"]);
        let last = &items[1];
        assert_eq!(
            (last.model.as_str(), last.finish_reason.as_deref(), last.usage.input_tokens),
            ("m-1", Some("stop"), Some(8))
        );
        assert_eq!((last.user.as_ref().unwrap().as_str(), last.conversation_id.as_ref().unwrap().as_str()), ("u", "v"));
        assert_eq!((last.timing.latency_ms, last.aliases[0].as_str()), (Some(3_000.0), "r-b"));
    }

    #[test]
    fn what_people_assessed_is_about_the_trace_or_one_of_its_calls() {
        let spans = [span("a", "LLM", "First.", 1_769_860_802), span("b", "CHAT_MODEL", "Last.", 1_769_860_803)];
        for (own, target) in [
            ("", "tr-1"),
            (r#","span_id":"a""#, "tr-1/a"),
            (r#","span_id":"b""#, "tr-1"),
            (r#","span_id":"root""#, "tr-1"),
        ] {
            let verdict = r#""assessment_name":"verdict","feedback":{"value":"bad"},"rationale":"so""#;
            let read = read(&trace_of(&spans, &human(&format!("{verdict}{own}")))).unwrap();

            let item = NewFeedback::from_json(read.feedback[0].clone(), "").unwrap();
            let thumb = Reaction::Thumb { value: Thumb::Down, reasons: vec![], comment: Some("so".to_owned()) };
            assert_eq!((item.completion_id.as_str(), &item.reaction), (target, &thumb), "{own}");
            assert_eq!((item.user.unwrap().as_str(), read.feedback.len(), read.faults.len()), ("p", 1, 0));
        }
        let edit = human(r#""assessment_name":"better","expectation":{"value":"So it is."}"#);
        let read = read(&trace_of(&spans, &edit)).unwrap();
        let item = NewFeedback::from_json(read.feedback[0].clone(), "").unwrap();
        assert!(matches!(item.reaction, Reaction::Edit { text, .. } if text == "So it is."));
    }

    #[test]
    fn a_span_in_base64_is_the_one_that_an_assessment_names_in_hexadecimal() {
        let spans = [span("7ZsJR9pWb0o=", "LLM", "First.", 1_769_860_802), span("b", "LLM", "Last.", 1_769_860_803)];
        let verdict = r#""assessment_name":"verdict","feedback":{"value":"bad"},"span_id":"ed9b0947da566f4a""#;

        let read = read(&trace_of(&spans, &human(verdict))).unwrap();

        let id = Some("tr-1/ed9b0947da566f4a");
        assert_eq!(read.completions[0].get("id").and_then(Json::as_str), id);
        assert_eq!(read.feedback[0].get("completion_id").and_then(Json::as_str), id);
    }

    #[test]
    fn what_no_person_said_is_refused_and_what_was_replaced_says_nothing() {
        for (assessment, expected) in [
            (
                human(r#""assessment_name":"verdict","feedback":{"value":"bad"}"#).replace("HUMAN", "LLM_JUDGE"),
                Some(FieldCode::NotAUserReaction),
            ),
            (human(r#""assessment_name":"verdict","feedback":{"value":"bad"},"valid":false"#), None),
            (human(r#""assessment_name":"other","feedback":{"value":0.5}"#), Some(FieldCode::RangeUnknown)),
            (human(r#""assessment_name":"verdict","feedback":{"value":[1]}"#), Some(FieldCode::WrongType)),
            (human(r#""assessment_name":"verdict""#), Some(FieldCode::Required)),
            (human(r#""feedback":{"value":true}"#), Some(FieldCode::Required)),
        ] {
            let read = read(&trace_of(&[], &assessment)).unwrap();
            assert_eq!(
                (read.feedback.len(), read.faults.first().map(|fault| fault.code)),
                (0, expected),
                "{assessment}"
            );
        }
        assert_eq!(read("{}").unwrap_err().code, FieldCode::Required);
    }
}
