//! What an export is made of: two answers to each prompt, a preference between them and a copy of the better one, sent to
//! the service before the clock runs.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use uuid::Builder;

use super::Result;
use super::service::Service;

const BATCH: usize = 500;
const N_CLIENTS: usize = 4;

/// Sends so many completions and as much feedback.
pub(super) async fn send(service: &Service, n_rows: usize) -> Result<()> {
    let completions: Vec<Value> = (0..n_rows).map(completion).collect();
    let feedback: Vec<Value> = (0..n_rows).map(reaction).collect();
    send_all(service, "/v1/completions", "completions", &completions).await?;
    send_all(service, "/v1/feedback", "feedback", &feedback).await
}

async fn send_all(service: &Service, path: &str, name: &str, items: &[Value]) -> Result<()> {
    let sending = items.chunks(BATCH).map(|chunk| async move {
        let answer = service.post(path, json!({name: chunk}).to_string()).await?;
        if answer["accepted"] == chunk.len() { Ok(()) } else { Err(format!("not all was accepted: {answer}").into()) }
    });
    stream::iter(sending).buffer_unordered(N_CLIENTS).try_collect::<Vec<()>>().await.map(drop)
}

/// Makes one of two answers to a prompt, of a usual length.
fn completion(n: usize) -> Value {
    let (prompt, side) = (n / 2, n % 2);
    let model = if side == 0 { "old" } else { "new" };
    json!({
        "id": format!("{prompt}-{side}"),
        "model": model,
        "prompt": [
            {"role": "system", "content": "You are the support assistant of a shop. Answer in short steps."},
            {"role": "user", "content": format!("Order {prompt}: {}", text(n / 2, 55))},
        ],
        "response": {"role": "assistant", "content": text(n, 140)},
        "finish_reason": "stop",
        "conversation_id": format!("conversation-{prompt}"),
        "turn_index": 0,
        "user": format!("user-{prompt}"),
        "task": "support",
        "language": "en",
        "usage": {"input_tokens": 120, "output_tokens": 180},
        "timing": {"ttft_ms": 210.0, "latency_ms": 1840.0},
        "cost_usd": 0.0003,
        "consent": {"training": true},
        "created_at": "2026-01-31T12:00:00Z",
    })
}

/// Makes a preference on every prompt's answers, and a copy of the better one.
fn reaction(n: usize) -> Value {
    let (prompt, is_copy) = (n / 2, n % 2 == 1);
    let hash = blake3::hash(&n.to_be_bytes());
    let mut random = [0; 10];
    random.copy_from_slice(&hash.as_bytes()[..10]);
    let id = Builder::from_unix_timestamp_millis(1_769_860_800_000 + n as u64, &random).into_uuid().to_string();
    let mut item = json!({
        "id": id,
        "completion_id": format!("{prompt}-1"),
        "occurred_at": "2026-01-31T12:00:30Z",
        "session_id": format!("session-{prompt}"),
        "user": format!("user-{prompt}"),
    });
    let own = if is_copy {
        json!({"signal": "copy", "n_chars": 80, "n_total_chars": 700, "method": "selection"})
    } else {
        json!({"signal": "preference", "against": format!("{prompt}-0"), "outcome": "better"})
    };
    if let (Some(fields), Value::Object(own)) = (item.as_object_mut(), own) {
        fields.extend(own);
    }
    item
}

/// Writes words that differ from row to row, so that no compression makes them cheap.
fn text(n: usize, n_words: usize) -> String {
    const WORDS: [&str; 16] = [
        "order", "parcel", "refund", "please", "window", "cable", "Thursday", "invoice", "battery", "lamp", "because",
        "never", "arrived", "again", "account", "number",
    ];
    let mut state = n as u64 ^ 0x9e37_79b9_7f4a_7c15;
    let words = (0..n_words).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        WORDS[(state >> 60) as usize]
    });
    words.collect::<Vec<_>>().join(" ")
}
