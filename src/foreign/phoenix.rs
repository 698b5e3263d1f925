//! Phoenix: spans and annotations, as its client's frames and its REST API hold them. A row tells by itself which it is.

use super::derived::Source;
use super::fault;
use super::mapping::Said;
use super::mapping::path::find;
use super::meaning::{Meanings, Score, Value};
use super::wire::{Circumstances, Object, milliseconds, number_of, reaction, rfc3339};
use crate::domain::fields::{FieldCode, FieldError};
use crate::domain::json::Json;

/// The most messages that are read of one span.
const MAX_MESSAGES: usize = 10_000;
/// The name that Phoenix keeps for notes.
const NOTE: &str = "note";

/// What a row is.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// A span: a call of a model, or something else, which is no item.
    Span(Said),
    /// An annotation, in as many reactions as it says.
    Annotation(Result<Vec<Json>, FieldError>),
}

/// Reads a row.
pub fn row(record: &Json, meanings: &Meanings) -> Row {
    if text_at(record, "annotator_kind").is_some() {
        return Row::Annotation(annotation(record, meanings));
    }
    Row::Span(span(record))
}

fn text_at<'a>(record: &'a Json, path: &str) -> Option<&'a str> {
    find(record, path)?.as_str().filter(|text| !text.is_empty())
}

fn first_text<'a>(record: &'a Json, paths: &[&str]) -> Option<&'a str> {
    paths.iter().find_map(|path| text_at(record, path))
}

fn span(record: &Json) -> Said {
    let Some(id) = first_text(record, &["context.span_id", "span_id"]) else {
        return Said::Fault(fault(FieldCode::Required, "a span has an id, and an annotation has an annotator"));
    };
    let kind = first_text(record, &["attributes.openinference.span.kind", "span_kind"]);
    if kind != Some("LLM") {
        return Said::Nothing;
    }
    let of = |name: &str| find(record, &format!("attributes.{name}")).filter(|value| **value != Json::Null).cloned();
    let (started, ended) = (rfc3339(find(record, "start_time")), rfc3339(find(record, "end_time")));
    let usage = [
        ("input_tokens", "llm.token_count.prompt"),
        ("output_tokens", "llm.token_count.completion"),
        ("cached_input_tokens", "llm.token_count.prompt_details.cache_read"),
    ];
    // Frames make floats of whole numbers wherever a row lacks one.
    let whole =
        |value: Json| number_of(&value).filter(|number| number.fract() == 0.0).map(|n| Json::Integer(n as i128));
    let usage =
        usage.into_iter().fold(Object::default(), |usage, (name, path)| usage.put(name, of(path).and_then(whole)));
    let timing = Object::default().moment("started_at", started).put("latency_ms", milliseconds(started, ended));
    let prompt = messages(record, "llm.input_messages");
    let prompt = if prompt.is_empty() { of("input.value") } else { Some(Json::Array(prompt)) };
    let response = messages(record, "llm.output_messages").into_iter().next().or_else(|| of("output.value"));
    let trace_id = first_text(record, &["context.trace_id", "trace_id"]);
    let aliases = trace_id.map(|trace_id| Json::Array(vec![Json::String(trace_id.to_owned())]));
    let completion = Object::default()
        .text("id", Some(id))
        .put("model", of("llm.model_name"))
        .put("prompt", prompt)
        .put("response", response)
        .put("finish_reason", of("llm.finish_reason"))
        .put("conversation_id", of("session.id"))
        .put("user", of("user.id"))
        .object("usage", usage)
        .object("timing", timing)
        .moment("created_at", ended)
        .put("aliases", aliases);
    Said::Item(completion.build())
}

/// Reads messages one after the other: as a list, or as flattened names with numbers in them.
fn messages(record: &Json, name: &str) -> Vec<Json> {
    let message = |place: usize| {
        let at = |member: &str| find(record, &format!("attributes.{name}.{place}.message.{member}"));
        let role = at("role")?;
        Some(Object::default().put("role", Some(role.clone())).put("content", at("content").cloned()).build())
    };
    (0..MAX_MESSAGES).map_while(message).collect()
}

fn annotation(record: &Json, meanings: &Meanings) -> Result<Vec<Json>, FieldError> {
    if text_at(record, "annotator_kind") != Some("HUMAN") {
        return Err(fault(FieldCode::NotAUserReaction, "a model or a program gave this annotation and no person"));
    }
    let target = first_text(record, &["span_id", "trace_id"]);
    let target = target.ok_or_else(|| fault(FieldCode::TargetUnsupported, "it is about no span and no trace"))?;
    let name = first_text(record, &["name", "annotation_name"])
        .ok_or_else(|| FieldError::new("/name", FieldCode::Required, "`name` is required"))?;
    let result = |member: &str| find(record, &format!("result.{member}")).or_else(|| find(record, member));
    let text = |member: &str| result(member).and_then(Json::as_str).filter(|text| !text.is_empty());
    let (label, explanation) = (text("label"), text("explanation"));
    let value = match (result("score").and_then(number_of), label, explanation) {
        (_, _, Some(note)) if name == NOTE => Value::Text(note),
        (Some(score), ..) => Value::Number(score),
        (None, Some(label), _) => Value::Label(label),
        (None, None, Some(explanation)) => Value::Text(explanation),
        (None, None, None) => return Err(fault(FieldCode::Required, "the annotation says nothing")),
    };
    let comment = explanation.filter(|_| !matches!(value, Value::Text(_)));
    // Phoenix updates in place what has these three in common.
    let key = [name, target, text_at(record, "identifier").unwrap_or_default()].join("\n");
    let of = Circumstances {
        source: Source { system: "phoenix", key: &key },
        completion_id: target,
        user: text_at(record, "user_id"),
        at: ["updated_at", "created_at"].iter().find_map(|name| rfc3339(find(record, name))),
    };
    let signals = Score { name, value, comment }.to_signals(meanings)?;
    Ok(signals.into_iter().map(|(signal, own)| reaction(of, signal, own)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::completion::NewCompletion;
    use crate::domain::feedback::{NewFeedback, Reaction, Thumb};

    fn read(text: &str) -> Row {
        let mut meanings = Meanings::default();
        meanings.declare("quality=rating:1:5").unwrap();
        meanings.declare("verdict=thumb:good:bad").unwrap();
        row(&Json::parse(text.as_bytes()).unwrap(), &meanings)
    }

    fn completion(text: &str) -> NewCompletion {
        let Row::Span(Said::Item(item)) = read(text) else { panic!("{text}") };
        NewCompletion::from_json(item, "").unwrap()
    }

    fn feedback(text: &str) -> Result<Vec<NewFeedback>, FieldCode> {
        let Row::Annotation(outcome) = read(text) else { panic!("{text}") };
        let items = outcome.map_err(|error| error.code)?;
        Ok(items.into_iter().map(|item| NewFeedback::from_json(item, "").unwrap()).collect())
    }

    #[test]
    fn a_span_is_the_same_completion_nested_flattened_and_as_a_row_of_a_frame() {
        let nested = r#"{"context":{"span_id":"s","trace_id":"t"},"span_kind":"LLM","start_time":"2026-01-31T12:00:00Z",
            "end_time":"2026-01-31T12:00:01.5Z","attributes":{"llm":{"model_name":"m","token_count":{"prompt":8},
            "input_messages":[{"message":{"role":"user","content":"Why?"}}],
            "output_messages":[{"message":{"role":"assistant","content":"So."}}]},"user":{"id":"u"}}}"#;
        let flattened = r#"{"context":{"span_id":"s","trace_id":"t"},"span_kind":"LLM","start_time":"2026-01-31T12:00:00Z",
            "end_time":"2026-01-31T12:00:01.5Z","attributes":{"llm.model_name":"m","llm.token_count.prompt":8,
            "llm.input_messages.0.message.role":"user","llm.input_messages.0.message.content":"Why?",
            "llm.output_messages.0.message.role":"assistant","llm.output_messages.0.message.content":"So.","user.id":"u"}}"#;
        let of_a_frame = r#"{"context.span_id":"s","context.trace_id":"t","span_kind":"LLM",
            "start_time":"2026-01-31T12:00:00.000Z","end_time":"2026-01-31T12:00:01.500Z","attributes.llm.model_name":"m",
            "attributes.llm.token_count.prompt":8.0,"attributes.user.id":"u","attributes.session.id":null,
            "attributes.llm.input_messages":[{"message.role":"user","message.content":"Why?"}],
            "attributes.llm.output_messages":[{"message.role":"assistant","message.content":"So."}]}"#;

        let whole = completion(nested);

        assert_eq!((whole.id.as_str(), whole.model.as_str(), whole.usage.input_tokens), ("s", "m", Some(8)));
        assert_eq!((whole.timing.latency_ms, whole.aliases[0].as_str()), (Some(1_500.0), "t"));
        assert_eq!(completion(flattened), whole);
        assert_eq!(completion(of_a_frame), whole);
    }

    #[test]
    fn spans_of_other_kinds_are_no_items_and_rows_without_an_id_are_faults() {
        assert_eq!(read(r#"{"context":{"span_id":"s"},"span_kind":"CHAIN"}"#), Row::Span(Said::Nothing));
        assert!(matches!(read(r#"{"span_kind":"LLM"}"#), Row::Span(Said::Fault(_))));
        assert!(matches!(read("[]"), Row::Span(Said::Fault(_))));
    }

    #[test]
    fn what_a_person_annotated_is_a_reaction_by_its_name() {
        let text = r#"{"span_id":"s","name":"verdict","annotator_kind":"HUMAN","result":{"label":"bad","explanation":"so"},
            "user_id":"u","updated_at":"2026-01-31T12:00:00Z","identifier":""}"#;
        let of_a_frame = r#"{"span_id":"s","annotation_name":"verdict","annotator_kind":"HUMAN","result.label":"bad",
            "result.score":null,"result.explanation":"so","user_id":"u","updated_at":"2026-01-31T12:00:00.000Z"}"#;

        let items = feedback(text).unwrap();

        let thumb = Reaction::Thumb { value: Thumb::Down, reasons: vec![], comment: Some("so".to_owned()) };
        assert_eq!((items.len(), &items[0].reaction), (1, &thumb));
        assert_eq!((items[0].completion_id.as_str(), items[0].user.as_ref().unwrap().as_str()), ("s", "u"));
        assert_eq!(feedback(of_a_frame), Ok(items), "the same row in the form of a frame has the same id");
        let quality =
            r#"{"trace_id":"t","name":"quality","annotator_kind":"HUMAN","result":{"score":4,"explanation":"x"}}"#;
        assert_eq!(feedback(quality).unwrap().len(), 2, "a rating, and what stood beside it");
        let note = r#"{"span_id":"s","name":"note","annotator_kind":"HUMAN","result":{"explanation":"Nice."}}"#;
        assert_eq!(feedback(note).unwrap()[0].reaction, Reaction::Comment { text: "Nice.".to_owned() });
    }

    #[test]
    fn what_no_person_said_of_one_completion_is_refused_with_its_reason() {
        for (text, expected) in [
            (
                r#"{"span_id":"s","name":"verdict","annotator_kind":"LLM","result":{"label":"bad"}}"#,
                FieldCode::NotAUserReaction,
            ),
            (
                r#"{"span_id":"s","name":"verdict","annotator_kind":"CODE","result":{"score":1}}"#,
                FieldCode::NotAUserReaction,
            ),
            (
                r#"{"session_id":"x","name":"verdict","annotator_kind":"HUMAN","result":{"score":1}}"#,
                FieldCode::TargetUnsupported,
            ),
            (r#"{"span_id":"s","annotator_kind":"HUMAN","result":{"score":1}}"#, FieldCode::Required),
            (r#"{"span_id":"s","name":"verdict","annotator_kind":"HUMAN","result":{}}"#, FieldCode::Required),
            (
                r#"{"span_id":"s","name":"other","annotator_kind":"HUMAN","result":{"score":0.5}}"#,
                FieldCode::RangeUnknown,
            ),
            (
                r#"{"span_id":"s","name":"other","annotator_kind":"HUMAN","result":{"label":"x"}}"#,
                FieldCode::UnknownSignal,
            ),
        ] {
            assert_eq!(feedback(text), Err(expected), "{text}");
        }
    }
}
