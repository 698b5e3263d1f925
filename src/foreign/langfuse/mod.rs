//! Langfuse: scores as its REST API takes them and as its exports hold them, and batches of its clients' events.

pub mod ingestion;

use super::derived::Source;
use super::fault;
use super::meaning::{Meanings, Score, Value};
use super::wire::{Circumstances, member, number_of, reaction, rfc3339, text_of};
use crate::domain::fields::{FieldCode, FieldError};
use crate::domain::json::Json;

/// Turns a score into feedback in our wire form, or says why it is none.
///
/// The observation is what is scored where there is one, and otherwise the trace; both are aliases of completions to us. A
/// score without a time, as requests mostly are, gets ids that follow from its content alone: sent again it is a duplicate.
pub fn score(record: &Json, meanings: &Meanings) -> Result<Vec<Json>, FieldError> {
    if !matches!(record, Json::Object(_)) {
        return Err(fault(FieldCode::WrongType, "must be an object"));
    }
    if text_of(record, "source") == Some("EVAL") {
        return Err(fault(FieldCode::NotAUserReaction, "an evaluator gave this score and no person"));
    }
    let completion_id = target(record)?;
    let name =
        text_of(record, "name").ok_or_else(|| FieldError::new("/name", FieldCode::Required, "`name` is required"))?;
    let score = Score { name, value: value(record)?, comment: text_of(record, "comment") };
    let at = ["updatedAt", "timestamp", "createdAt"].iter().find_map(|name| rfc3339(record.get(name)));
    let of = Circumstances {
        source: Source { system: "langfuse", key: text_of(record, "id").unwrap_or_default() },
        completion_id,
        user: user(record),
        at,
    };
    Ok(score.to_signals(meanings)?.into_iter().map(|(signal, own)| reaction(of, signal, own)).collect())
}

/// What the score is about.
fn target(record: &Json) -> Result<&str, FieldError> {
    if let Some(subject) = member(record, "subject") {
        let id = text_of(subject, "id").filter(|_| matches!(text_of(subject, "kind"), Some("trace" | "observation")));
        return id.ok_or_else(unsupported);
    }
    if text_of(record, "datasetRunId").is_some() {
        return Err(unsupported());
    }
    match text_of(record, "observationId").or_else(|| text_of(record, "traceId")) {
        Some(id) => Ok(id),
        None if text_of(record, "sessionId").is_some() => Err(unsupported()),
        None => Err(FieldError::new("/traceId", FieldCode::Required, "`traceId` or `observationId` is required")),
    }
}

fn unsupported() -> FieldError {
    fault(FieldCode::TargetUnsupported, "a score of a session or a run is about no single completion")
}

/// Who gave it. Scores have no place for a user of the product but their metadata.
fn user(record: &Json) -> Option<&str> {
    let metadata = record.get("metadata").unwrap_or(&Json::Null);
    let annotation = record.get("annotation").unwrap_or(&Json::Null);
    ["user_id", "userId"]
        .iter()
        .find_map(|name| text_of(metadata, name))
        .or_else(|| text_of(record, "authorUserId"))
        .or_else(|| text_of(annotation, "authorUserId"))
}

fn value(record: &Json) -> Result<Value<'_>, FieldError> {
    let wrong = || FieldError::new("/value", FieldCode::WrongType, "`value` does not fit the score's `dataType`");
    let value = member(record, "value");
    let number = value.and_then(number_of);
    let text = text_of(record, "stringValue").or_else(|| value.and_then(Json::as_str));
    match text_of(record, "dataType") {
        Some("BOOLEAN") => match (value, number) {
            (Some(Json::Bool(is_true)), _) => Ok(Value::Boolean(*is_true)),
            (_, Some(0.0)) => Ok(Value::Boolean(false)),
            (_, Some(1.0)) => Ok(Value::Boolean(true)),
            _ => Err(wrong()),
        },
        Some("NUMERIC") => number.map(Value::Number).ok_or_else(wrong),
        Some("CATEGORICAL") => text.map(Value::Label).ok_or_else(wrong),
        Some("TEXT") => text.map(Value::Text).ok_or_else(wrong),
        Some("CORRECTION") => text.map(Value::Correction).ok_or_else(wrong),
        Some(_) => Err(FieldError::new(
            "/dataType",
            FieldCode::NotOneOf,
            "must be one of: NUMERIC, BOOLEAN, CATEGORICAL, TEXT, CORRECTION",
        )),
        // Without a type the value tells it, as Langfuse itself has it.
        None => match (value, number) {
            (Some(Json::Bool(is_true)), _) => Ok(Value::Boolean(*is_true)),
            (_, Some(number)) => Ok(Value::Number(number)),
            (Some(Json::String(label)), _) => Ok(Value::Label(label)),
            (None, _) => Err(FieldError::new("/value", FieldCode::Required, "`value` is required")),
            _ => Err(wrong()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::feedback::{NewFeedback, Reaction, Thumb};

    fn read(text: &str) -> Result<Vec<NewFeedback>, FieldCode> {
        let mut meanings = Meanings::default();
        meanings.declare("quality=rating:1:5").unwrap();
        let record = Json::parse(text.as_bytes()).unwrap();
        let items = score(&record, &meanings).map_err(|error| error.code)?;
        Ok(items.into_iter().map(|item| NewFeedback::from_json(item, "").unwrap()).collect())
    }

    #[test]
    fn a_persons_score_becomes_a_reaction_to_its_observation() {
        let text = r#"{"id":"s","traceId":"t","observationId":"o","name":"user-feedback","value":1,"dataType":"BOOLEAN",
            "comment":"fine","metadata":{"user_id":"u"},"timestamp":"2026-11-01T10:00:00.5Z","new":{"in":[4]}}"#;

        let items = read(text).unwrap();

        assert_eq!((items[0].completion_id.as_str(), items[0].user.as_ref().unwrap().as_str()), ("o", "u"));
        let expected = Reaction::Thumb { value: Thumb::Up, reasons: vec![], comment: Some("fine".to_owned()) };
        assert_eq!((items.len(), &items[0].reaction), (1, &expected));
        assert_eq!(items[0].occurred_at.unwrap().timestamp_millis(), 1_793_527_200_500);
        assert_eq!((items[0].id.0.get_version_num(), read(text).unwrap()), (7, items));
    }

    #[test]
    fn every_kind_of_value_has_its_signal() {
        for (own, n_items, expected) in [
            (r#""name":"quality","value":4,"dataType":"NUMERIC","comment":"so""#, 2, "rating"),
            (r#""name":"note","value":"Nice.","dataType":"TEXT""#, 1, "comment"),
            (r#""name":"output","value":0,"stringValue":"Better.","dataType":"CORRECTION""#, 1, "edit"),
            (r#""name":"thumb","value":-1"#, 1, "thumb"),
            (r#""name":"like","value":true"#, 1, "thumb"),
        ] {
            let items = read(&format!(r#"{{"traceId":"t",{own}}}"#)).unwrap();
            assert_eq!((items.len(), items[0].reaction.signal().as_str()), (n_items, expected), "{own}");
        }
    }

    #[test]
    fn what_no_person_said_of_one_completion_is_refused_with_its_reason() {
        for (text, expected) in [
            (r#"{"traceId":"t","name":"thumb","value":1,"source":"EVAL"}"#, FieldCode::NotAUserReaction),
            (r#"{"sessionId":"s","name":"thumb","value":1}"#, FieldCode::TargetUnsupported),
            (r#"{"datasetRunId":"r","traceId":"t","name":"thumb","value":1}"#, FieldCode::TargetUnsupported),
            (r#"{"subject":{"kind":"experiment","id":"e"},"name":"thumb","value":1}"#, FieldCode::TargetUnsupported),
            (r#"{"name":"thumb","value":1}"#, FieldCode::Required),
            (r#"{"traceId":"t","value":1}"#, FieldCode::Required),
            (r#"{"traceId":"t","name":"thumb"}"#, FieldCode::Required),
            (r#"{"traceId":"t","name":"helpful","value":0.8}"#, FieldCode::RangeUnknown),
            (r#"{"traceId":"t","name":"thumb","value":2,"dataType":"BOOLEAN"}"#, FieldCode::WrongType),
            (r#"{"traceId":"t","name":"thumb","value":1,"dataType":"COLOUR"}"#, FieldCode::NotOneOf),
            ("[]", FieldCode::WrongType),
        ] {
            assert_eq!(read(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn the_newer_form_with_a_subject_and_an_annotator_is_read_as_well() {
        let items = read(
            r#"{"id":"s","subject":{"kind":"observation","id":"o","traceId":"t"},"name":"thumbs_up","value":0,
            "dataType":"BOOLEAN","source":"ANNOTATION","annotation":{"authorUserId":"a"},"updatedAt":"2026-11-02T00:00:00Z"}"#,
        )
        .unwrap();

        assert_eq!((items[0].completion_id.as_str(), items[0].user.as_ref().unwrap().as_str()), ("o", "a"));
        assert!(matches!(items[0].reaction, Reaction::Thumb { value: Thumb::Down, .. }));
    }
}
