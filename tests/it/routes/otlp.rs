//! OTLP over HTTP: spans and log records in both encodings, and what is answered in the protocol's own form.

use std::io::Write as _;

use afterword::domain::principal::Role;
use afterword::foreign::meaning::Meanings;
use afterword::foreign::otlp::{Export as _, Logs, Traces};
use afterword::http::{BodyLimits, HttpSettings, Quotas};
use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestService;
use crate::support::service::Answer;

const TRACES: &str = "/v1/traces";
const LOGS: &str = "/v1/logs";
const OF_LANGFUSE: &str = "/api/public/otel/v1/traces";
const PROTOBUF: &str = "application/x-protobuf";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// Makes an attribute.
fn attribute(key: &str, value: &Value) -> Value {
    let held = match value {
        Value::Number(number) => json!({"doubleValue": number}),
        Value::String(text) => json!({"stringValue": text}),
        other => json!({"stringValue": other.to_string()}),
    };
    json!({"key": key, "value": held})
}

fn attributes(pairs: &[(&str, Value)]) -> Vec<Value> {
    pairs.iter().map(|(key, value)| attribute(key, value)).collect()
}

/// Makes a span with these attributes.
fn span(span_id: &str, pairs: &[(&str, Value)]) -> Value {
    json!({"traceId": TRACE, "spanId": span_id, "startTimeUnixNano": "1793527200500000000",
        "endTimeUnixNano": "1793527202500000000", "kind": 3, "attributes": attributes(pairs)})
}

fn texts_of_call(response_id: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("gen_ai.operation.name", json!("chat")),
        ("gen_ai.response.model", json!("acme-8b")),
        ("gen_ai.response.id", json!(response_id)),
        ("gen_ai.input.messages", json!([{"role": "user", "parts": [{"type": "text", "content": "Why?"}]}])),
        (
            "gen_ai.output.messages",
            json!([{"role": "assistant", "parts": [{"type": "text", "content": "So."}], "finish_reason": "stop"}]),
        ),
    ]
}

/// Makes the span of a call.
pub(super) fn call(response_id: &str, span_id: &str) -> Value {
    span(span_id, &texts_of_call(response_id))
}

/// Makes a request of spans.
pub(super) fn request(spans: &[Value]) -> Value {
    json!({"resourceSpans": [{"resource": {"attributes": attributes(&[("service.name", json!("shop"))])},
        "scopeSpans": [{"scope": {"name": "s"}, "spans": spans}]}]})
}

/// Makes a request of log records.
pub(super) fn logs(records: &[Value]) -> Value {
    json!({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]})
}

/// Makes the record of an evaluation of the span that [`call`] is made with.
pub(super) fn evaluation(name: &str, score: f64) -> Value {
    let told = [("gen_ai.evaluation.name", json!(name)), ("gen_ai.evaluation.score.value", json!(score))];
    json!({"eventName": "gen_ai.evaluation.result", "timeUnixNano": "1793527205000000000", "traceId": TRACE,
        "spanId": "b7ad6b7169203331", "attributes": attributes(&told)})
}

fn annotation(score: f64, kind: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("annotations.0.annotation.name", json!("user_feedback")),
        ("annotations.0.annotation.score", json!(score)),
        ("annotations.0.annotation.annotator_kind", json!(kind)),
    ]
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn in_protobuf(traces: &Value) -> Vec<u8> {
    Traces::from_json(traces.to_string().as_bytes()).unwrap().encode_to_vec()
}

async fn send_protobuf(service: &TestService, path: &str, key: &str, body: Vec<u8>) -> Answer {
    let request = service.request(Method::POST, path, key).header("content-type", PROTOBUF).body(body);
    service.send(request).await
}

async fn service() -> (TestService, String) {
    let service = TestService::start_with(HttpSettings::default(), false).await;
    let key = service.key(Role::Ingest).await;
    (service, key)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_stored_from_either_encoding_compressed_or_not_and_once() {
    let (service, key) = service().await;
    let reader = service.key(Role::Analyst).await;
    let traces = request(&[call("r-1", "b7ad6b7169203331"), span("00f067aa0ba902b7", &[])]);

    let json = service.post(TRACES, &key, &traces).await;
    let protobuf = send_protobuf(&service, TRACES, &key, in_protobuf(&traces)).await;
    let compressed = service.request(Method::POST, OF_LANGFUSE, &key).header("content-type", PROTOBUF);
    let compressed = compressed.header("content-encoding", "gzip").body(gzip(&in_protobuf(&traces)));
    let compressed = service.send(compressed).await;
    let nothing = send_protobuf(&service, LOGS, &key, Vec::new()).await;

    assert_eq!((json.status, json.text.as_str(), json.header("content-type")), (200, "{}", "application/json"));
    for answer in [protobuf, compressed, nothing] {
        assert_eq!((answer.status, answer.text.as_str()), (200, ""), "an empty message is success");
        assert_eq!(answer.header("content-type"), PROTOBUF);
    }
    let item = service.get("/v1/completions/r-1", &reader).await.json();
    assert_eq!((&item["model"], &item["response"]["content"]), (&json!("acme-8b"), &json!("So.")), "{item}");
    assert_eq!((&item["timing"]["latency_ms"], &item["finish_reason"]), (&json!(2000), &json!("stop")), "{item}");
    assert_eq!((service.count("completions").await, service.count("completion_aliases").await), (1, 2));
    let metrics = service.get("/metrics", "").await.text;
    assert!(metrics.contains("{table=\"completions\",signal=\"\",code=\"ignored_other_record\"} 3"), "{metrics}");
    assert!(metrics.contains("{table=\"completions\",signal=\"\",code=\"duplicate\"} 2"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rejected_is_counted_by_its_codes_beside_what_is_stored() {
    let (service, key) = service().await;
    let bare = span("00f067aa0ba902b7", &texts_of_call("CANARY")[..3]);
    let mut judged = texts_of_call("r-2");
    judged.extend(annotation(1.0, "LLM"));
    let traces = request(&[call("r-1", "b7ad6b7169203331"), bare, span("00f067aa0ba902b8", &judged)]);

    let json = service.post(TRACES, &key, &traces).await;
    let protobuf = send_protobuf(&service, TRACES, &key, in_protobuf(&traces)).await;

    let told =
        json!({"partialSuccess": {"rejectedSpans": "2", "errorMessage": "not_a_user_reaction=1, text_redacted=1"}});
    assert_eq!((json.status, json.json()), (200, told));
    assert!(protobuf.status == 200 && protobuf.text.contains("not_a_user_reaction=1, text_redacted=1"));
    assert_eq!((service.count("completions").await, service.count("feedback").await), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_which_nothing_is_any_good_fails_in_the_protocols_form_and_writes_nothing() {
    let (service, key) = service().await;
    let before = service.checksum().await;
    let bare = request(&[span("00f067aa0ba902b7", &texts_of_call("CANARY")[..3])]);

    let json = service.post(TRACES, &key, &bare).await;
    let protobuf = send_protobuf(&service, TRACES, &key, in_protobuf(&bare)).await;
    let records = service.post(LOGS, &key, &logs(&[evaluation("CANARY", 0.5)])).await;

    assert_eq!(json.json(), json!({"code": 3, "message": "otlp_none_accepted: text_redacted=1"}));
    assert_eq!(records.json()["message"], "otlp_none_accepted: not_a_user_reaction=1");
    assert_eq!((json.status, protobuf.status, records.status), (400, 400, 400));
    assert_eq!(protobuf.header("content-type"), PROTOBUF);
    assert!(protobuf.text.starts_with("\u{8}\u{3}\u{12}") && protobuf.text.contains("text_redacted=1"));
    assert_eq!(service.checksum().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_annotation_on_a_carrier_reaches_the_completion_of_the_span_that_it_links_to() {
    let (service, key) = service().await;
    let reader = service.key(Role::Analyst).await;
    let mut told = annotation(-1.0, "HUMAN");
    told.push(("user.id", json!("u-1")));
    let mut carrier = span("00f067aa0ba902b7", &told);
    carrier["links"] = json!([{"traceId": TRACE, "spanId": "b7ad6b7169203331"}]);

    let early = service.post(TRACES, &key, &request(&[carrier.clone()])).await;
    let again = service.post(TRACES, &key, &request(&[carrier])).await;
    let late = service.post(TRACES, &key, &request(&[call("r-1", "b7ad6b7169203331")])).await;

    assert_eq!((early.text.as_str(), again.text.as_str(), late.text.as_str()), ("{}", "{}", "{}"));
    assert_eq!(service.count("feedback").await, 1, "exported again it is a duplicate");
    let item = service.get("/v1/completions/r-1", &reader).await.json();
    let feedback = &item["feedback"][0];
    assert_eq!((&feedback["value"], &feedback["user"]), (&json!("down"), &json!("u-1")), "{item}");
    assert_eq!((&feedback["alias"], &feedback["trust"]), (&json!("b7ad6b7169203331"), &json!("verified")));
}

#[tokio::test(flavor = "multi_thread")]
async fn evaluations_in_logs_are_reactions_where_their_name_was_declared() {
    let mut score_meanings = Meanings::default();
    score_meanings.declare("quality=rating:1:5").unwrap();
    let service = TestService::start_with(HttpSettings { score_meanings, ..HttpSettings::default() }, false).await;
    let (key, reader) = (service.key(Role::Ingest).await, service.key(Role::Analyst).await);
    let mut details = call("r-1", "b7ad6b7169203331");
    details["eventName"] = json!("gen_ai.client.inference.operation.details");
    details["timeUnixNano"] = json!("1793527200000000000");
    let records = logs(&[details, evaluation("quality", 4.0), evaluation("relevance", 0.9), json!({"body": {}})]);

    let answer = service.post(LOGS, &key, &records).await;
    let body = Logs::from_json(records.to_string().as_bytes()).unwrap().encode_to_vec();
    let again = send_protobuf(&service, LOGS, &key, body).await;

    let told = json!({"rejectedLogRecords": "1", "errorMessage": "not_a_user_reaction=1"});
    assert_eq!(answer.json()["partialSuccess"], told);
    assert!(again.status == 200 && again.text.contains("not_a_user_reaction=1"));
    let item = service.get("/v1/completions/r-1", &reader).await.json();
    assert_eq!((&item["feedback"][0]["signal"], service.count("feedback").await), (&json!("rating"), 1), "{item}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_body_is_refused_in_words_of_ours_and_writes_nothing() {
    let (service, key) = service().await;
    let before = service.checksum().await;
    let spans = |more: &str| format!("{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{more}]}}]}}]}}");
    let nested = format!("{}{}", "{\"resourceSpans\":[".repeat(40), "]}".repeat(40));
    let many = spans(&vec!["{}"; 126_000].join(","));
    // A list of spans within a list of spans that was cut.
    let cut = in_protobuf(&request(&[call("CANARY", "b7ad6b7169203331")]));

    for (body, expected) in [
        ("{\"CANARY\":".to_owned(), "json_malformed"),
        (String::new(), "json_malformed"),
        ("[]".to_owned(), "otlp_malformed"),
        (spans("{\"kind\":\"CANARY\"}"), "otlp_malformed"),
        (spans("{\"traceId\":\"CANARY\"}"), "otlp_malformed"),
        (spans("{\"attributes\":[{\"key\":\"k\",\"value\":{\"intValue\":\"CANARY\"}}]}"), "otlp_malformed"),
        (spans("{\"name\":1,\"name\":2}"), "duplicate_key"),
        (nested, "too_deep"),
        (many, "too_many_values"),
    ] {
        let answer = service.post_text(TRACES, &key, body).await;
        assert_eq!(answer.problem(), (400, expected.to_owned()), "{}", answer.text);
        assert!(!answer.text.contains("CANARY"), "{}", answer.text);
    }
    for body in [cut[..cut.len() - 3].to_vec(), vec![0xff; 40], b"{\"resourceSpans\":[]}".to_vec()] {
        let answer = send_protobuf(&service, TRACES, &key, body).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert!(answer.text.contains("otlp_malformed") && !answer.text.contains("CANARY"), "{}", answer.text);
    }
    assert_eq!(service.checksum().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_refused_before_the_body_is_read_has_the_protocols_form_too() {
    let (service, key) = service().await;
    let viewer = service.key(Role::Viewer).await;
    let body = || request(&[call("r-1", "b7ad6b7169203331")]).to_string();
    let post = |path: &str, key: &str| service.request(Method::POST, path, key);

    let nobody = service.post_text(TRACES, "", body()).await;
    let reader = service.post_text(LOGS, &viewer, body()).await;
    let text = service.send(post(TRACES, &key).header("content-type", "text/plain").body(body())).await;
    let got = service.get(TRACES, &key).await;
    let brotli = post(TRACES, &key).header("content-type", PROTOBUF).header("content-encoding", "br").body("x");
    let brotli = service.send(brotli).await;
    let query = service.post_text("/v1/traces?project=other", &key, body()).await;

    assert_eq!(nobody.problem(), (401, "credential_missing".to_owned()));
    assert_eq!(nobody.json()["code"], 16);
    assert_eq!(reader.problem(), (403, "role_insufficient".to_owned()));
    assert_eq!(text.problem(), (415, "media_type_unsupported".to_owned()));
    assert_eq!(text.header("accept-post"), "application/x-protobuf, application/json");
    assert_eq!((got.problem(), got.header("allow")), ((405, "method_not_allowed".to_owned()), "POST"));
    assert_eq!((brotli.status, brotli.header("content-type")), (415, PROTOBUF));
    assert_eq!(query.problem(), (422, "unknown_field".to_owned()));
    assert_eq!(service.count("completions").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn basic_is_taken_where_langfuses_clients_send_it_and_nowhere_else() {
    let (service, key) = service().await;
    let with_basic = |path: &str| {
        let request = service.request(Method::POST, path, "").basic_auth("pk-lf-any", Some(&key));
        request.header("content-type", "application/json").body(request_of_one())
    };

    assert_eq!(service.send(with_basic(OF_LANGFUSE)).await.status, 200);
    assert_eq!(service.send(with_basic(TRACES)).await.problem(), (401, "credential_invalid".to_owned()));
    assert_eq!(service.count("completions").await, 1);
}

fn request_of_one() -> String {
    request(&[call("r-1", "b7ad6b7169203331")]).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_quota_says_when_to_come_back() {
    let quotas = Quotas { of_secret_key: 1, ..Quotas::default() };
    let service = TestService::start_with(HttpSettings { quotas, ..HttpSettings::default() }, false).await;
    let key = service.key(Role::Ingest).await;

    let first = service.post_text(TRACES, &key, request_of_one()).await;
    let second = service.post_text(TRACES, &key, request_of_one()).await;
    let nothing = service.post(TRACES, &key, &request(&[])).await;

    assert_eq!((first.status, second.problem()), (200, (429, "quota_exceeded".to_owned())));
    assert_eq!(second.json()["code"], 8);
    assert!(second.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0));
    assert!(second.header("ratelimit").contains("r=0"), "{:?}", second.headers);
    assert_eq!(nothing.status, 200, "spans of no calls cost nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_may_be_as_large_as_its_own_bound_before_and_after_decompression() {
    let body = request_of_one().into_bytes();
    let start = async |n_bytes: usize| {
        let settings = HttpSettings { otlp_body: BodyLimits::of_otlp(n_bytes), ..HttpSettings::default() };
        let service = TestService::start_with(settings, false).await;
        let key = service.key(Role::Ingest).await;
        (service, key)
    };
    let send = async |(service, key): &(TestService, String), body: Vec<u8>, encoding: &str| {
        let request = service.request(Method::POST, TRACES, key).header("content-type", "application/json");
        service.send(request.header("content-encoding", encoding).body(body)).await
    };
    let (exact, tight) = (start(body.len()).await, start(body.len() - 1).await);

    assert_eq!(send(&exact, body.clone(), "identity").await.status, 200);
    assert_eq!(send(&exact, gzip(&body), "gzip").await.status, 200);
    assert_eq!(send(&tight, body.clone(), "identity").await.problem(), (413, "body_too_large".to_owned()));
    assert_eq!(send(&tight, gzip(&body), "gzip").await.problem(), (413, "decoded_body_too_large".to_owned()));
    let cut = gzip(&body)[..40].to_vec();
    assert_eq!(send(&exact, cut, "gzip").await.problem(), (400, "encoding_malformed".to_owned()));
    assert_eq!(tight.0.count("completions").await, 0);
}
