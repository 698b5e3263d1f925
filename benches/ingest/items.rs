//! What is sent: made-up items of a usual size, as whole HTTP requests.

use std::time::{SystemTime, UNIX_EPOCH};

use afterword::foreign::otlp::{Export as _, Traces};
use prost::Message as _;
use serde_json::{Value, json};
use uuid::Builder;

/// Secret key of the benchmark's project.
pub(super) const KEY: &str = "aw_sec_benchbenchbench0_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Makes requests of feedback, so many items in each; `family` keeps their ids apart from others'.
pub(super) fn feedback(family: &str, n_requests: usize, n_items: usize) -> &'static [Vec<u8>] {
    requests(n_requests, |request| {
        if n_items == 1 {
            return ("/v1/feedback", reaction(family, request).to_string());
        }
        let items: Vec<Value> = (0..n_items).map(|place| reaction(family, request * n_items + place)).collect();
        ("/v1/feedback", json!({"feedback": items}).to_string())
    })
}

/// Makes requests of completions with prompts and responses of 4 KB, so many in each.
pub(super) fn completions(family: &str, n_requests: usize, n_items: usize) -> &'static [Vec<u8>] {
    requests(n_requests, |request| {
        let items: Vec<Value> = (0..n_items).map(|place| completion(family, request * n_items + place)).collect();
        ("/v1/completions", json!({"completions": items}).to_string())
    })
}

/// Makes requests of the same completions as spans of OTLP in protobuf.
pub(super) fn spans(family: &str, n_requests: usize, n_items: usize) -> super::Result<&'static [Vec<u8>]> {
    let mut requests = Vec::with_capacity(n_requests);
    for request in 0..n_requests {
        let spans: Vec<Value> = (0..n_items).map(|place| span(family, request * n_items + place)).collect();
        let traces = json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string();
        let body = Traces::from_json(traces.as_bytes())?.encode_to_vec();
        requests.push(post_as("/v1/traces", "application/x-protobuf", &body));
    }
    Ok(requests.leak())
}

/// They live as long as the program, so that connections borrow them without counting.
fn requests(n_requests: usize, body: impl Fn(usize) -> (&'static str, String)) -> &'static [Vec<u8>] {
    let requests = (0..n_requests).map(|request| {
        let (path, body) = body(request);
        post(path, &body)
    });
    requests.collect::<Vec<_>>().leak()
}

/// Makes a whole request.
pub(super) fn post(path: &str, body: &str) -> Vec<u8> {
    post_as(path, "application/json", body.as_bytes())
}

fn post_as(path: &str, media_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\nContent-Type: {media_type}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// The id of a completion as inference servers make them: random, so that neighbours in time are none in an index.
fn completion_id(family: &str, n: usize) -> String {
    format!("{family}-chatcmpl-{}", &blake3::hash(format!("{family}{n}").as_bytes()).to_hex()[..24])
}

/// Makes an item of feedback.
pub(super) fn reaction(family: &str, n: usize) -> Value {
    let hash = blake3::hash(format!("{family}/{n}").as_bytes());
    let mut random = [0; 10];
    random.copy_from_slice(&hash.as_bytes()[..10]);
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let mut item = json!({
        "id": Builder::from_unix_timestamp_millis(now_ms, &random).into_uuid().to_string(),
        "completion_id": completion_id(family, n / 3),
        "occurred_at": "2026-01-31T12:00:30.250Z",
        "session_id": format!("session-{:06}", n / 7),
        "user": format!("user-{:05}", n % 20_000),
    });
    let own = match n % 4 {
        0 => json!({"signal": "thumb", "value": "up"}),
        1 => json!({"signal": "copy", "n_chars": 80, "n_total_chars": 700, "method": "selection"}),
        2 => json!({"signal": "dwell", "visible_ms": 18_250}),
        _ => json!({"signal": "rating", "value": 0.75}),
    };
    if let (Some(fields), Value::Object(own)) = (item.as_object_mut(), own) {
        fields.extend(own);
    }
    item
}

/// Makes a completion with a prompt and a response of 4 KB.
pub(super) fn completion(family: &str, n: usize) -> Value {
    json!({
        "id": completion_id(family, n),
        "model": if n.is_multiple_of(2) { "old" } else { "new" },
        "prompt": [
            {"role": "system", "content": "You are the support assistant of a shop. Answer in short steps."},
            {"role": "user", "content": text(n, 4_000)},
        ],
        "response": {"role": "assistant", "content": text(n + 1_000_000, 4_096)},
        "finish_reason": "stop",
        "conversation_id": format!("{family}-conversation-{n}"),
        "turn_index": 0,
        "user": format!("user-{:05}", n % 20_000),
        "task": "support",
        "language": "en",
        "usage": {"input_tokens": 1020, "output_tokens": 980},
        "timing": {"ttft_ms": 210.5, "latency_ms": 1840.25},
        "cost_usd": 0.0003,
        "created_at": "2026-01-31T12:00:00Z",
    })
}

/// Makes the span that tells the same call, by the GenAI conventions.
fn span(family: &str, n: usize) -> Value {
    let told = completion(family, n);
    let parts = |content: &Value| json!([{"type": "text", "content": content}]);
    let prompt = [&told["prompt"][0], &told["prompt"][1]];
    let prompt = prompt.map(|message| json!({"role": message["role"], "parts": parts(&message["content"])}));
    let answer = json!([{"role": "assistant", "parts": parts(&told["response"]["content"]), "finish_reason": "stop"}]);
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let count = |key: &str, value: &Value| json!({"key": key, "value": {"intValue": value}});
    let hash = blake3::hash(format!("{family}/span/{n}").as_bytes()).to_hex();
    json!({
        "traceId": &hash[..32],
        "spanId": &hash[32..48],
        "name": "chat",
        "kind": 3,
        "startTimeUnixNano": "1769860798159750000",
        "endTimeUnixNano": "1769860800000000000",
        "attributes": [
            text("gen_ai.operation.name", "chat"),
            text("gen_ai.provider.name", "openai"),
            text("gen_ai.response.id", told["id"].as_str().unwrap_or_default()),
            text("gen_ai.request.model", told["model"].as_str().unwrap_or_default()),
            text("gen_ai.response.model", told["model"].as_str().unwrap_or_default()),
            text("gen_ai.input.messages", &json!(prompt).to_string()),
            text("gen_ai.output.messages", &answer.to_string()),
            text("gen_ai.conversation.id", told["conversation_id"].as_str().unwrap_or_default()),
            text("user.id", told["user"].as_str().unwrap_or_default()),
            count("gen_ai.usage.input_tokens", &told["usage"]["input_tokens"]),
            count("gen_ai.usage.output_tokens", &told["usage"]["output_tokens"]),
            {"key": "gen_ai.response.time_to_first_chunk", "value": {"doubleValue": 0.2105}},
        ],
    })
}

/// Writes words that differ from row to row: text that compresses about as prose does.
fn text(n: usize, n_bytes: usize) -> String {
    const SYLLABLES: [&str; 32] = [
        "ka", "to", "mi", "ren", "sol", "va", "der", "lin", "po", "ta", "shu", "gra", "ne", "wer", "il", "os", "bra",
        "ken", "du", "fal", "ing", "er", "est", "un", "re", "con", "ter", "ble", "na", "ri", "the ", "and ",
    ];
    let mut state = n as u64 ^ 0x9e37_79b9_7f4a_7c15;
    let mut text = String::with_capacity(n_bytes + 8);
    while text.len() < n_bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(SYLLABLES[(state >> 59) as usize]);
        if (state >> 33).is_multiple_of(4) {
            text.push(' ');
        }
    }
    text
}
