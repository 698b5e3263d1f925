//! Requests in, completions and reactions out.

use proptest::prelude::*;
use prost::Message as _;

use super::messages::{AnyValue, ResourceSpans, ScopeSpans};
use super::*;
use crate::domain::feedback::{Reaction, Thumb};
use crate::domain::ids::{CompletionId, UserId};
use crate::domain::json::Json;

mod conventions;
mod encodings;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

/// An attribute, whose value is OTLP/JSON.
fn attribute(key: &str, value: &str) -> String {
    format!("{{\"key\":{},\"value\":{value}}}", Json::String(key.to_owned()).to_text())
}

/// An attribute that is a text.
fn text(key: &str, value: &str) -> String {
    attribute(key, &format!("{{\"stringValue\":{}}}", Json::String(value.to_owned()).to_text()))
}

/// A span of one call, from 10:00:00.5 on for two seconds.
fn span(attributes: &[String], more: &str) -> String {
    span_of(SPAN, attributes, more)
}

fn span_of(id: &str, attributes: &[String], more: &str) -> String {
    let attributes = attributes.join(",");
    format!(
        "{{\"traceId\":\"{TRACE}\",\"spanId\":\"{id}\",\"startTimeUnixNano\":\"1793527200500000000\",\
         \"endTimeUnixNano\":1793527202500000000,\"attributes\":[{attributes}]{more}}}"
    )
}

fn request(spans: &[String]) -> String {
    format!("{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{}]}}]}}]}}", spans.join(","))
}

fn meanings(declared: &[&str]) -> Meanings {
    let mut meanings = Meanings::default();
    for declaration in declared {
        meanings.declare(declaration).unwrap();
    }
    meanings
}

/// Translates spans by both encodings, which must say the same.
fn translate(spans: &[String], declared: &[&str]) -> Translated {
    let from_json = Traces::from_json(request(spans).as_bytes()).unwrap();
    let from_protobuf = Traces::from_protobuf(&from_json.encode_to_vec()).unwrap();
    assert_eq!(from_json, from_protobuf);
    from_json.translate(&meanings(declared)).unwrap()
}

fn completions(translated: &Translated) -> Vec<&NewCompletion> {
    translated.completions.iter().map(|(_, item)| item.outcome.as_ref().unwrap()).collect()
}

fn codes(translated: &Translated) -> Vec<&'static str> {
    let of_completions = translated.completions.iter().filter_map(|(_, item)| item.outcome.as_ref().err());
    let of_feedback = translated.feedback.iter().filter_map(|(_, item)| item.outcome.as_ref().err());
    of_completions.chain(of_feedback).map(|errors| errors[0].code.as_str()).collect()
}

/// A call by the GenAI conventions.
fn gen_ai(response_id: &str) -> Vec<String> {
    let mut attributes = vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.request.model", "acme"),
        text("gen_ai.response.model", "acme-8b"),
        text("gen_ai.input.messages", r#"[{"role":"user","parts":[{"type":"text","content":"Why?"}]}]"#),
        text(
            "gen_ai.output.messages",
            r#"[{"role":"assistant","parts":[{"type":"text","content":"So."}],"finish_reason":"stop"}]"#,
        ),
    ];
    if !response_id.is_empty() {
        attributes.push(text("gen_ai.response.id", response_id));
    }
    attributes
}

#[test]
fn two_spans_of_one_call_meet_in_one_completion_that_both_can_be_named_by() {
    let outer = span_of("00000000000000aa", &gen_ai("r-1"), "");
    let inner = span_of("00000000000000bb", &gen_ai("r-1"), ",\"parentSpanId\":\"00000000000000aa\"");
    let beside = span_of("00000000000000cc", &gen_ai("r-1"), "");

    for spans in [[outer.clone(), inner.clone()], [inner.clone(), outer.clone()], [beside.clone(), inner.clone()]] {
        let translated = translate(&spans, &[]);

        let told = completions(&translated);
        assert_eq!((told.len(), translated.n_nested), (1, 1));
        assert_eq!(told[0].id.as_str(), "r-1");
        let aliases: Vec<&str> = told[0].aliases.iter().map(CompletionId::as_str).collect();
        assert_eq!(aliases.len(), 3, "the trace and both spans: {aliases:?}");
        assert!(aliases.contains(&TRACE) && aliases.contains(&"00000000000000bb"));
    }
}

#[test]
fn a_span_around_calls_of_several_models_is_none_of_them_and_no_name_of_one() {
    let parent = ",\"parentSpanId\":\"00000000000000aa\"";
    let spans = [
        span_of("00000000000000aa", &gen_ai("r-0"), ""),
        span_of("00000000000000bb", &gen_ai("r-1"), parent),
        span_of("00000000000000cc", &gen_ai("r-2"), parent),
    ];

    let translated = translate(&spans, &[]);

    let told = completions(&translated);
    assert_eq!((told.len(), translated.n_nested), (2, 1));
    assert!(told.iter().all(|call| call.aliases.len() == 2), "the trace and the own span");
}

#[test]
fn a_call_without_texts_is_rejected_a_failed_one_ignored_and_one_beside_its_texts_is_a_repetition() {
    let bare: Vec<String> = gen_ai("r-1").into_iter().filter(|pair| !pair.contains("messages")).collect();
    let failed = ",\"status\":{\"code\":2}";

    let alone = translate(&[span(&bare, "")], &[]);
    let broken = translate(&[span(&bare, failed)], &[]);
    let beside = translate(&[span(&bare, ""), span_of("00000000000000bb", &gen_ai("r-1"), "")], &[]);

    assert_eq!(codes(&alone), ["text_redacted"]);
    assert_eq!(alone.completions[0].1.id.as_deref(), Some("r-1"));
    assert_eq!((broken.n_failed, broken.completions.len()), (1, 0));
    assert_eq!((completions(&beside).len(), beside.n_nested), (1, 1));
}

#[test]
fn what_is_neither_a_call_nor_a_reaction_is_counted() {
    let agent = text("gen_ai.operation.name", "invoke_agent");
    let http = text("http.request.method", "GET");
    let chain = text("openinference.span.kind", "CHAIN");

    let translated = translate(&[span(&[agent], ""), span(&[http], ""), span(&[chain], ""), span(&[], "")], &[]);

    assert_eq!((translated.n_other, translated.completions.len(), translated.feedback.len()), (4, 0, 0));
}

fn thumb_of(translated: &Translated, place: usize) -> (&str, Thumb, Option<&str>) {
    let item = translated.feedback[place].1.outcome.as_ref().unwrap();
    match &item.reaction {
        Reaction::Thumb { value, comment, .. } => (item.completion_id.as_str(), *value, comment.as_deref()),
        other => unreachable!("{other:?}"),
    }
}

fn annotation(prefix: &str, number: usize, members: &[(&str, &str)]) -> Vec<String> {
    let form = prefix.rsplit('.').next().unwrap().trim_end_matches('s');
    let key = |name: &str| format!("{prefix}.{number}.{form}.{name}");
    members.iter().map(|(name, value)| attribute(&key(name), value)).collect()
}

const UP: [(&str, &str); 3] = [
    ("name", r#"{"stringValue":"user_feedback"}"#),
    ("score", r#"{"intValue":"1"}"#),
    ("annotator_kind", r#"{"stringValue":"HUMAN"}"#),
];

#[test]
fn annotations_of_people_are_reactions_to_the_span_that_they_stand_on_or_link_to() {
    let link = format!(",\"links\":[{{\"traceId\":\"{TRACE}\",\"spanId\":\"00000000000000dd\"}}]");
    let mut own = annotation("annotations", 0, &UP);
    own.push(text("user.id", "u-1"));
    let of_trace = annotation("trace.evaluations", 0, &UP);
    let carrier = annotation("evaluations", 0, &UP);

    let translated = translate(&[span(&own, ""), span(&of_trace, ""), span(&carrier, &link)], &[]);

    assert_eq!(codes(&translated), [""; 0]);
    let targets: Vec<&str> = (0..3).map(|place| thumb_of(&translated, place).0).collect();
    assert_eq!(targets, [SPAN, TRACE, "00000000000000dd"]);
    let first = translated.feedback[0].1.outcome.as_ref().unwrap();
    assert_eq!(first.user.as_ref().map(UserId::as_str), Some("u-1"));
    assert_eq!(first.occurred_at.unwrap().timestamp_millis(), 1_793_527_202_500);
}

#[test]
fn annotations_come_in_the_order_of_their_numbers_and_each_has_its_own_fault() {
    let comment = |number: usize| {
        let words = format!("{{\"stringValue\":\"Comment {number}.\"}}");
        let members = [("name", r#"{"stringValue":"note"}"#), ("explanation", &*words), UP[2]];
        annotation("annotations", number, &members)
    };
    let by_model = [UP[0], UP[1], ("annotator_kind", r#"{"stringValue":"LLM"}"#)];
    let mut attributes = comment(10);
    attributes.extend(comment(9));
    attributes.extend(annotation("annotations", 11, &by_model));
    attributes.extend(annotation("annotations", 12, &[UP[0], UP[2]]));
    attributes.extend(annotation("annotations", 13, &[("name", r#"{"stringValue":"hallucinated"}"#), UP[1], UP[2]]));
    attributes.extend(annotation("session.annotations", 0, &UP));

    let translated = translate(&[span(&attributes, "")], &[]);

    let said: Vec<String> = translated.feedback[..2]
        .iter()
        .map(|(_, item)| match &item.outcome.as_ref().unwrap().reaction {
            Reaction::Comment { text } => text.clone(),
            other => unreachable!("{other:?}"),
        })
        .collect();
    assert_eq!(said, ["Comment 9.", "Comment 10."]);
    assert_eq!(codes(&translated), ["not_a_user_reaction", "required", "range_unknown", "target_unsupported"]);
    let two_links = format!(",\"links\":[{{\"traceId\":\"{TRACE}\",\"spanId\":\"{SPAN}\"}},{{}}]");
    let carrier = translate(&[span(&annotation("annotations", 0, &UP), &two_links)], &[]);
    assert_eq!(codes(&carrier), ["target_unsupported"], "nobody knows which of the two");
}

fn evaluation(name: &str, more: &[String]) -> String {
    let mut attributes = vec![text("gen_ai.evaluation.name", name)];
    attributes.extend_from_slice(more);
    format!(
        ",\"events\":[{{\"name\":\"gen_ai.evaluation.result\",\"timeUnixNano\":\"1793527203000000000\",\
         \"attributes\":[{}]}}]",
        attributes.join(",")
    )
}

#[test]
fn an_evaluation_is_a_reaction_only_under_a_name_that_stands_for_people() {
    let four = attribute("gen_ai.evaluation.score.value", r#"{"doubleValue":4}"#);
    let said = text("gen_ai.evaluation.explanation", "Helpful.");
    let response = text("gen_ai.response.id", "r-9");

    let declared =
        translate(&[span(&[], &evaluation("quality", &[four.clone(), said, response]))], &["quality=rating:1:5"]);
    let undeclared = translate(&[span(&[], &evaluation("relevance", &[four]))], &["quality=rating:1:5"]);
    let up = attribute("gen_ai.evaluation.score.value", r#"{"intValue":1}"#);
    let thumb = translate(&[span(&gen_ai("r-1"), &evaluation("thumbs_up", &[up]))], &[]);

    let items: Vec<_> = declared.feedback.iter().map(|(_, item)| item.outcome.as_ref().unwrap()).collect();
    assert_eq!(items.len(), 2, "the rating and the comment beside it");
    assert!(items.iter().all(|item| item.completion_id.as_str() == "r-9"));
    assert_eq!(codes(&undeclared), ["not_a_user_reaction"]);
    assert_eq!((thumb.completions.len(), thumb_of(&thumb, 0)), (1, (SPAN, Thumb::Up, None)));
}

#[test]
fn log_records_carry_calls_and_evaluations_and_are_counted_otherwise() {
    let mut details = gen_ai("r-1");
    details.push(text("event.name", DETAILS));
    let up = attribute("gen_ai.evaluation.score.value", r#"{"intValue":1}"#);
    let evaluation = [text("gen_ai.evaluation.name", "like"), up].join(",");
    let at = format!("\"traceId\":\"{TRACE}\",\"spanId\":\"{SPAN}\",\"observedTimeUnixNano\":\"1793527200000000000\"");
    let records = [
        format!("{{{at},\"attributes\":[{}]}}", details.join(",")),
        format!("{{{at},\"eventName\":\"{EVALUATION}\",\"body\":{{\"kvlistValue\":{{\"values\":[{evaluation}]}}}}}}"),
        format!("{{{at},\"body\":{{\"stringValue\":\"a line\"}}}}"),
        "{\"body\":{}}".to_owned(),
        "{}".to_owned(),
    ];
    let body = format!("{{\"resourceLogs\":[{{\"scopeLogs\":[{{\"logRecords\":[{}]}}]}}]}}", records.join(","));

    let logs = Logs::from_json(body.as_bytes()).unwrap();
    let translated = logs.translate(&Meanings::default()).unwrap();

    assert_eq!(Logs::from_protobuf(&logs.encode_to_vec()).unwrap(), logs);
    let told = completions(&translated);
    assert_eq!((told.len(), told[0].id.as_str(), translated.n_other), (1, "r-1", 3));
    assert_eq!((told[0].timing.latency_ms, told[0].timing.started_at), (None, None), "a record has one moment");
    assert_eq!(told[0].created_at.unwrap().timestamp(), 1_793_527_200);
    assert_eq!(thumb_of(&translated, 0), (SPAN, Thumb::Up, None));
}

proptest! {
    #[test]
    fn a_request_becomes_the_same_in_any_order_of_its_spans(order in Just((0..6_usize).collect::<Vec<_>>()).prop_shuffle()) {
        let parent = ",\"parentSpanId\":\"00000000000000aa\"";
        let mut annotated = gen_ai("");
        annotated.extend(annotation("annotations", 0, &UP));
        let spans = [
            span_of("00000000000000aa", &gen_ai("r-0"), ""),
            span_of("00000000000000bb", &gen_ai("r-1"), parent),
            span_of("00000000000000cc", &gen_ai("r-1"), ""),
            span_of("00000000000000dd", &annotated, ""),
            span_of("00000000000000ee", &[], ""),
            span_of("00000000000000ff", &gen_ai("r-2"), ",\"status\":{\"code\":2}"),
        ];
        let outcome = |spans: &[String]| {
            let translated = translate(spans, &[]);
            let mut items: Vec<String> =
                translated.completions.iter().map(|(_, item)| format!("{:?}", sorted(item.outcome.clone().unwrap()))).collect();
            items.extend(translated.feedback.iter().map(|(_, item)| format!("{item:?}")));
            items.sort();
            (items, translated.n_nested, translated.n_other, translated.n_failed)
        };
        let shuffled: Vec<String> = order.into_iter().map(|place| spans[place].clone()).collect();

        prop_assert_eq!(outcome(&shuffled), outcome(&spans));
    }

    #[test]
    fn no_bytes_at_all_make_it_fail_otherwise_than_by_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for outcome in [Traces::from_protobuf(&bytes).map(drop), Logs::from_protobuf(&bytes).map(drop)] {
            prop_assert!(matches!(outcome, Ok(()) | Err(DecodeError::Protobuf | DecodeError::TooDeep)));
        }
        let is_read = Traces::from_json(&bytes).is_ok();
        prop_assert!(!is_read || bytes.contains(&b'}'), "only an object is a request");
    }

    #[test]
    fn both_encodings_of_any_value_are_read_as_the_same(value in values()) {
        let span = Span { attributes: vec![KeyValue { key: "k".to_owned(), value: Some(value) }], ..Span::default() };
        let traces = Traces { resources: vec![ResourceSpans { scopes: vec![ScopeSpans { spans: vec![span.clone()] }] }] };
        let json = request(&[format!("{{\"attributes\":[{}]}}", encodings::attribute_as_json(&span.attributes[0]))]);

        prop_assert_eq!(Traces::from_protobuf(&traces.encode_to_vec()).unwrap(), traces.clone());
        prop_assert_eq!(Traces::from_json(json.as_bytes()).unwrap(), traces);
    }
}

/// Aliases are a set.
fn sorted(mut completion: NewCompletion) -> NewCompletion {
    completion.aliases.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    completion
}

fn values() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        Just(None),
        any::<String>().prop_map(|text| Some(Value::String(text))),
        any::<bool>().prop_map(|is_true| Some(Value::Bool(is_true))),
        any::<i64>().prop_map(|number| Some(Value::Int(number))),
        any::<i32>().prop_map(|number| Some(Value::Double(f64::from(number) / 4.0))),
        proptest::collection::vec(any::<u8>(), 0..9).prop_map(|bytes| Some(Value::Bytes(bytes))),
    ];
    let leaf = leaf.prop_map(|value| AnyValue { value });
    leaf.prop_recursive(4, 24, 4, |inner| {
        let list = proptest::collection::vec(inner.clone(), 0..4);
        let map = proptest::collection::vec(("[a-z]{1,4}", inner), 0..4);
        prop_oneof![
            list.prop_map(|values| AnyValue { value: Some(Value::Array(messages::ArrayValue { values })) }),
            map.prop_map(|pairs| {
                let values = pairs.into_iter().map(|(key, value)| KeyValue { key, value: Some(value) }).collect();
                AnyValue { value: Some(Value::KvList(messages::KeyValueList { values })) }
            }),
        ]
    })
}
