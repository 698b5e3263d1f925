//! Rows in: over HTTP, acknowledged, beside plain inserts of the same rows.

use std::time::Instant;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use uuid::Builder;

use super::limit::Limit;
use super::service::Service;
use super::{Rates, Result};

/// What is measured, in the order of [`measure`]'s answer.
pub(super) const NAMES: [&str; 3] = [
    "completions in, batches of 500 | INSERT … UNNEST",
    "feedback in, batches of 500 | INSERT … UNNEST",
    "feedback in, one by one | INSERT of one row each",
];

const BATCH: usize = 500;
const N_CLIENTS: usize = 4;
/// Clients that send single items: more of them, since each waits for a commit.
const N_SINGLE_CLIENTS: usize = 16;

/// Sends one round's rows and inserts the same rows directly; returns rows per second of each.
pub(super) async fn measure(service: &Service, owner_url: &str, round: usize, n_rows: usize) -> Result<[Rates; 3]> {
    let completions: Vec<Value> = (0..n_rows).map(|n| completion(round, n)).collect();
    let feedback: Vec<Value> = (0..n_rows).map(|n| reaction(round, n, "b")).collect();
    let singles: Vec<Value> = (0..n_rows / 5).map(|n| reaction(round, n, "s")).collect();

    let of_completions = send(service, "/v1/completions", batches("completions", &completions), N_CLIENTS).await?;
    let limit = Limit::read(owner_url, "completions", &format!("b{round}-%")).await?;
    let completions_limit = limit.insert(BATCH, N_CLIENTS).await?;

    let of_feedback = send(service, "/v1/feedback", batches("feedback", &feedback), N_CLIENTS).await?;
    let limit = Limit::read(owner_url, "feedback", &format!("b{round}-%")).await?;
    let feedback_limit = limit.insert(BATCH, N_CLIENTS).await?;

    let bodies = singles.iter().map(|item| (item.to_string(), 1)).collect();
    let of_singles = send(service, "/v1/feedback", bodies, N_SINGLE_CLIENTS).await?;
    let limit = Limit::read(owner_url, "feedback", &format!("s{round}-%")).await?;
    let singles_limit = limit.insert(1, N_SINGLE_CLIENTS).await?;

    Ok([(of_completions, completions_limit), (of_feedback, feedback_limit), (of_singles, singles_limit)])
}

/// Bodies with the number of their items; made before the clock runs.
fn batches(name: &str, items: &[Value]) -> Vec<(String, usize)> {
    items.chunks(BATCH).map(|chunk| (json!({name: chunk}).to_string(), chunk.len())).collect()
}

/// Sends bodies, several at a time; returns rows per second.
async fn send(service: &Service, path: &str, bodies: Vec<(String, usize)>, n_clients: usize) -> Result<f64> {
    let n_rows: usize = bodies.iter().map(|(_, n_items)| n_items).sum();
    let began = Instant::now();
    let sending = bodies.into_iter().map(|(body, n_items)| async move {
        let answer = service.post(path, body).await?;
        if answer["accepted"] == n_items { Ok(()) } else { Err(format!("not all was accepted: {answer}").into()) }
    });
    stream::iter(sending)
        .buffer_unordered(n_clients)
        .try_collect::<Vec<()>>()
        .await
        .map_err(|error: Box<dyn std::error::Error + Send + Sync>| error)?;
    Ok(n_rows as f64 / began.elapsed().as_secs_f64())
}

/// Makes one of two answers to a prompt, of a usual length.
fn completion(round: usize, n: usize) -> Value {
    let (prompt, side) = (n / 2, n % 2);
    let model = if side == 0 { "old" } else { "new" };
    json!({
        "id": format!("b{round}-{prompt}-{side}"),
        "model": model,
        "prompt": [
            {"role": "system", "content": "You are the support assistant of a shop. Answer in short steps."},
            {"role": "user", "content": format!("Order {round}-{prompt}: {}", text(n / 2, 55))},
        ],
        "response": {"role": "assistant", "content": text(n, 140)},
        "finish_reason": "stop",
        "conversation_id": format!("c{round}-{prompt}"),
        "turn_index": 0,
        "user": format!("u{round}-{prompt}"),
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
fn reaction(round: usize, n: usize, family: &str) -> Value {
    let (prompt, is_copy) = (n / 2, n % 2 == 1);
    let hash = blake3::hash(format!("{family}{round}-{n}").as_bytes());
    let mut random = [0; 10];
    random.copy_from_slice(&hash.as_bytes()[..10]);
    let id = Builder::from_unix_timestamp_millis(1_769_860_800_000 + n as u64, &random).into_uuid().to_string();
    let mut item = json!({
        "id": id,
        "completion_id": format!("{family}{round}-{prompt}-1"),
        "occurred_at": "2026-01-31T12:00:30Z",
        "session_id": format!("s{round}-{prompt}"),
        "user": format!("u{round}-{prompt}"),
    });
    let own = if is_copy {
        json!({"signal": "copy", "n_chars": 80, "n_total_chars": 700, "method": "selection"})
    } else {
        json!({"signal": "preference", "against": format!("{family}{round}-{prompt}-0"), "outcome": "better"})
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
