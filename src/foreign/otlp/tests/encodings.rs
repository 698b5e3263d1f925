//! The payloads of JSON that the protocol allows and those that it forbids, and bodies that are meant to harm.

use super::*;

/// Writes an attribute as OTLP/JSON does.
pub(super) fn attribute_as_json(pair: &KeyValue) -> String {
    attribute(&pair.key, &value_as_json(pair.value.as_ref().unwrap()))
}

fn value_as_json(value: &AnyValue) -> String {
    use base64::Engine as _;
    let Some(value) = &value.value else { return "{}".to_owned() };
    match value {
        Value::String(text) => format!("{{\"stringValue\":{}}}", Json::String(text.clone()).to_text()),
        Value::Bool(is_true) => format!("{{\"boolValue\":{is_true}}}"),
        Value::Int(number) => format!("{{\"intValue\":\"{number}\"}}"),
        Value::Double(number) => format!("{{\"doubleValue\":{}}}", Json::Float(*number).to_text()),
        Value::Bytes(bytes) => {
            format!("{{\"bytesValue\":\"{}\"}}", base64::engine::general_purpose::STANDARD.encode(bytes))
        }
        Value::Array(list) => {
            let values: Vec<String> = list.values.iter().map(value_as_json).collect();
            format!("{{\"arrayValue\":{{\"values\":[{}]}}}}", values.join(","))
        }
        Value::KvList(map) => {
            let values: Vec<String> = map.values.iter().map(attribute_as_json).collect();
            format!("{{\"kvlistValue\":{{\"values\":[{}]}}}}", values.join(","))
        }
    }
}

fn value_of(json: &str) -> Option<AnyValue> {
    let traces = Traces::from_json(request(&[span(&[attribute("k", json)], "")]).as_bytes()).unwrap();
    traces.resources[0].scopes[0].spans[0].attributes[0].value.clone()
}

#[test]
fn every_way_to_write_a_value_is_read() {
    let held = |json: &str| value_of(json).unwrap().value;
    assert_eq!(held(r#"{"intValue":"-9223372036854775808"}"#), Some(Value::Int(i64::MIN)));
    assert_eq!(held(r#"{"intValue":7}"#), Some(Value::Int(7)));
    assert_eq!(held("{}"), None, "the key is kept, and has no value");
    assert_eq!(held(r#"{"doubleValue":"-Infinity"}"#), Some(Value::Double(f64::NEG_INFINITY)));
    assert!(matches!(held(r#"{"doubleValue":"NaN"}"#), Some(Value::Double(number)) if number.is_nan()));
    assert_eq!(held(r#"{"bytesValue":"/+8="}"#), Some(Value::Bytes(vec![0xff, 0xef])));
    assert_eq!(held(r#"{"bytesValue":"_-8="}"#), Some(Value::Bytes(vec![0xff, 0xef])));
    assert_eq!(held(r#"{"newKind":{"a":[1]},"stringValue":"s"}"#), Some(Value::String("s".to_owned())));
    assert_eq!(held(r#"{"newKind":{"a":[1]}}"#), None, "what we do not know is let pass at every depth");
    let nested = r#"{"arrayValue":{"values":[{"kvlistValue":{"values":[{"key":"a","value":{"boolValue":true}}]}}]}}"#;
    assert!(matches!(held(nested), Some(Value::Array(list)) if list.values.len() == 1));
}

#[test]
fn spans_and_records_are_read_with_what_is_absent_empty_or_unknown() {
    let event = ",\"events\":[{\"name\":\"e\",\"timeUnixNano\":5,\"attributes\":[],\"new\":1}]";
    let link = format!(",\"links\":[{{\"traceId\":\"{TRACE}\",\"spanId\":\"{}\",\"flags\":1}}]", SPAN.to_uppercase());
    let more = format!("{event}{link},\"kind\":3,\"status\":{{\"code\":1}},\"unknownField\":{{\"deep\":[{{}}]}}");
    let traces = Traces::from_json(request(&[span(&[], &more)]).as_bytes()).unwrap();
    let read = &traces.resources[0].scopes[0].spans[0];

    assert_eq!((read.started_at_ns, read.ended_at_ns), (1_793_527_200_500_000_000, 1_793_527_202_500_000_000));
    assert_eq!((&*read.events[0].name, read.events[0].at_ns), ("e", 5));
    assert_eq!(hex::encode(&read.links[0].span_id), SPAN);
    for empty in ["{}", r#"{"resourceSpans":[]}"#, r#"{"resourceSpans":null}"#, r#"{"new":[]}"#] {
        assert_eq!(Traces::from_json(empty.as_bytes()).unwrap(), Traces::default(), "{empty}");
    }
    assert_eq!(Traces::from_protobuf(b"").unwrap(), Traces::default(), "a request of nothing is a request");
}

#[test]
fn what_the_protocol_forbids_is_refused_by_the_name_of_the_member() {
    for (more, name) in [
        (",\"kind\":\"SPAN_KIND_CLIENT\"", "kind"),
        (",\"status\":{\"code\":\"STATUS_CODE_ERROR\"}", "code"),
        (",\"status\":7", "status"),
        (",\"parentSpanId\":\"CvdlGRbNQ92ESOshHIAxnA==\"", "parentSpanId"),
        (",\"events\":{}", "events"),
        (",\"events\":[7]", "events"),
        (",\"events\":[{\"attributes\":[7]}]", "attributes"),
        (",\"links\":[{\"spanId\":7}]", "spanId"),
    ] {
        let body = request(&[span(&[], more)]);
        let refused = Traces::from_json(body.as_bytes()).unwrap_err();
        assert!(matches!(refused, DecodeError::Member { name: told, .. } if told == name), "{more}: {refused}");
    }
    for (value, name) in [
        (r#"{"intValue":1.5}"#, "intValue"),
        (r#"{"intValue":"x"}"#, "intValue"),
        (r#"{"boolValue":"true"}"#, "boolValue"),
        (r#"{"bytesValue":"%"}"#, "bytesValue"),
        (r#"{"doubleValue":[]}"#, "doubleValue"),
        (r#""bare""#, "value"),
    ] {
        let body = request(&[span(&[attribute("k", value)], "")]);
        let refused = Traces::from_json(body.as_bytes()).unwrap_err();
        assert!(matches!(refused, DecodeError::Member { name: told, .. } if told == name), "{value}: {refused}");
    }
    assert!(matches!(Traces::from_json(b"[]"), Err(DecodeError::Member { name: "resourceSpans", .. })));
    assert!(matches!(
        Logs::from_json(b"{\"resourceLogs\":[7]}"),
        Err(DecodeError::Member { name: "resourceLogs", .. })
    ));
}

#[test]
fn a_request_that_would_take_much_more_memory_than_bytes_is_refused_before_it_is_decoded() {
    // Empty spans: two bytes each on the wire.
    let spans = |n: usize| {
        let scope = [2 << 3 | 2, 0].repeat(n);
        let wrapped = |field: u8, inner: &[u8]| {
            let mut outer = vec![field << 3 | 2];
            let mut length = inner.len();
            while length >= 0x80 {
                outer.push((length & 0x7f) as u8 | 0x80);
                length >>= 7;
            }
            outer.push(length as u8);
            outer.extend_from_slice(inner);
            outer
        };
        wrapped(1, &wrapped(2, &scope))
    };
    let json = |n: usize| request(&vec!["{}".to_owned(); n]);

    assert_eq!(Traces::from_protobuf(&spans(124_000)).unwrap().resources[0].scopes[0].spans.len(), 124_000);
    assert_eq!(Traces::from_protobuf(&spans(126_000)), Err(DecodeError::TooManyValues));
    assert!(Traces::from_json(json(124_000).as_bytes()).is_ok());
    assert_eq!(Traces::from_json(json(126_000).as_bytes()), Err(DecodeError::TooManyValues));
    assert_eq!(Traces::from_protobuf(&spans(10)[..15]), Err(DecodeError::Protobuf), "one that was cut");
    assert_eq!(Traces::from_protobuf(&[0x0b]), Err(DecodeError::Protobuf), "a group");
    assert_eq!(Traces::from_protobuf(&[0xff; 11]), Err(DecodeError::Protobuf), "a number without end");
}

#[test]
fn values_that_nest_too_deep_are_refused_in_both_encodings() {
    let nested = |depth: usize| {
        let mut value = AnyValue { value: Some(Value::Bool(true)) };
        for _ in 0..depth {
            value = AnyValue { value: Some(Value::Array(messages::ArrayValue { values: vec![value] })) };
        }
        let pair = KeyValue { key: "k".to_owned(), value: Some(value) };
        let span = Span { attributes: vec![pair], ..Span::default() };
        Traces { resources: vec![ResourceSpans { scopes: vec![ScopeSpans { spans: vec![span] }] }] }
    };
    let json = |depth: usize| {
        let value = format!("{}{{}}{}", "{\"arrayValue\":{\"values\":[".repeat(depth), "]}}".repeat(depth));
        request(&[span(&[attribute("k", &value)], "")])
    };

    assert!(Traces::from_protobuf(&nested(28).encode_to_vec()).is_ok());
    assert_eq!(Traces::from_protobuf(&nested(30).encode_to_vec()), Err(DecodeError::TooDeep));
    assert!(Traces::from_json(json(17).as_bytes()).is_ok());
    assert!(matches!(Traces::from_json(json(19).as_bytes()), Err(DecodeError::Json(JsonError::TooDeep { .. }))));
}

#[test]
fn texts_that_hold_json_share_one_bound_so_that_many_of_them_take_no_more_memory_than_one() {
    let list = format!("[{}0]", "0,".repeat(200_000));
    let spans: Vec<String> = (0..3)
        .map(|_| {
            let mut attributes = gen_ai("");
            attributes.push(text("gen_ai.tool.definitions", &list));
            span(&attributes, "")
        })
        .collect();
    let read = |spans: &[String]| Traces::from_json(request(spans).as_bytes()).unwrap().translate(&Meanings::default());

    assert!(read(&spans[..2]).is_ok());
    assert_eq!(read(&spans), Err(DecodeError::TooManyValues));
}

#[test]
fn a_hostile_text_faults_its_own_record_and_no_other() {
    let broken: Vec<String> = gen_ai("r-1")
        .into_iter()
        .map(|pair| if pair.contains("input.messages") { text("gen_ai.input.messages", "[{\"CANARY\":") } else { pair })
        .collect();
    let nul: Vec<String> = gen_ai("r-2\\u0000").into_iter().map(|pair| pair.replace("So.", "S\\\\u0000o.")).collect();

    let translated = translate(&[span(&broken, ""), span(&nul, ""), span(&gen_ai("r-3"), "")], &[]);

    assert_eq!(codes(&translated), ["text_redacted", "nul_character"]);
    assert_eq!(translated.completions.iter().filter(|(_, item)| item.outcome.is_ok()).count(), 1);
}
