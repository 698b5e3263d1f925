//! Clients that send until they are acknowledged, as the documents tell clients to: the same items under the same ids,
//! after a 503, after a broken connection, after silence.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use afterword::domain::completion::NewCompletion;
use afterword::domain::feedback::NewFeedback;
use afterword::domain::json::Json;
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use reqwest::Client;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::journal::Journal;

/// How long one request may need until it is acknowledged, with everything that is done to the service meanwhile.
const PATIENCE: Duration = Duration::from_mins(2);

/// Where an item goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Completions,
    Feedback,
}

impl Table {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Completions => "completions",
            Self::Feedback => "feedback",
        }
    }

    pub(super) fn id_column(self) -> &'static str {
        match self {
            Self::Completions => "t.completion_id",
            Self::Feedback => "t.feedback_id::text",
        }
    }

    /// SQL that writes a row's content as [`Item::content`] writes an item's.
    pub(super) fn content(self) -> &'static str {
        match self {
            Self::Completions => "concat_ws('|', t.completion_id, t.model, t.user_id, t.finish_reason)",
            Self::Feedback => "concat_ws('|', t.feedback_id, t.completion_id, t.thumb, t.user_id, t.comment)",
        }
    }
}

/// One item as it is sent.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) table: Table,
    pub(super) id: String,
    pub(super) wire: Value,
    content: String,
}

impl Item {
    /// Makes a thumb with a comment that no other has.
    pub(super) fn thumb(chance: &mut ChaCha8Rng) -> Self {
        let id = new_id(chance);
        let (completion_id, user) =
            (format!("c-{}", chance.random_range(0..5000)), format!("u-{}", chance.random_range(0..500)));
        let value = ["up", "down", "none"][chance.random_range(0..3)];
        let comment = format!("{:032x}", chance.random::<u128>());
        let wire = json!({"id": id, "completion_id": completion_id, "signal": "thumb", "value": value, "user": user,
                          "comment": comment});
        let content = [id.as_str(), &completion_id, value, &user, &comment].join("|");
        Self { table: Table::Feedback, id, wire, content }
    }

    /// Makes a completion with a reason to finish that no other has.
    pub(super) fn completion(chance: &mut ChaCha8Rng) -> Self {
        let id = format!("c-{}", new_id(chance));
        let (model, user) = (format!("m-{}", chance.random_range(0..5)), format!("u-{}", chance.random_range(0..500)));
        let reason = format!("{:032x}", chance.random::<u128>());
        let wire = json!({"id": id, "model": model, "user": user, "finish_reason": reason, "prompt": "Why?",
                          "response": "Because."});
        let content = [id.as_str(), &model, &user, &reason].join("|");
        Self { table: Table::Completions, id, wire, content }
    }

    /// Returns what identifies the content, whoever reads it: the fields, and the hash that belongs to them.
    pub(super) fn fingerprint(&self) -> String {
        let wire = Json::from(self.wire.clone());
        let hash = match self.table {
            Table::Completions => NewCompletion::from_json(wire, "").unwrap().content_hash,
            Table::Feedback => NewFeedback::from_json(wire, "").unwrap().content_hash,
        };
        fingerprint(&self.content, &hash.to_hex())
    }
}

/// Identifies a content by its fields and its hash.
pub(super) fn fingerprint(content: &str, hash: &str) -> String {
    hex::encode(Sha256::digest(format!("{content}|{hash}")))
}

/// A UUIDv7 of now.
fn new_id(chance: &mut ChaCha8Rng) -> String {
    let now_ms = u64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    uuid::Builder::from_unix_timestamp_millis(now_ms, &chance.random()).into_uuid().to_string()
}

/// What clients have been through, counted.
#[derive(Debug, Default)]
pub(super) struct Experience {
    /// Items acknowledged.
    pub(super) n_acknowledged: AtomicUsize,
    /// Answers that told the client to come back.
    pub(super) n_refused: AtomicUsize,
    /// Requests whose connection broke or was refused.
    pub(super) n_broken: AtomicUsize,
    /// Items that had been stored by an attempt whose answer never came.
    pub(super) n_ambiguous: AtomicUsize,
    /// Items that were sent once more on purpose.
    pub(super) n_replayed: AtomicUsize,
    /// The longest time that a client waited for a 503, in milliseconds.
    pub(super) longest_refusal_ms: AtomicUsize,
}

/// A project and the key that writes into it.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    pub(super) project: String,
    pub(super) key: String,
}

/// A client of one project.
pub(super) struct Writer<'a, U> {
    pub(super) client: Client,
    pub(super) sender: Sender,
    pub(super) journal: &'a Journal,
    pub(super) experience: &'a Experience,
    /// Where the next attempt goes.
    pub(super) url: U,
}

/// Makes a client that believes in no proxy and waits for nobody for ever.
pub(super) fn client() -> Client {
    Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap()
}

impl<U: Fn() -> String> Writer<'_, U> {
    /// Sends items of one table until they are acknowledged.
    pub(super) async fn write(&self, items: &[Item]) {
        self.journal.intend(&self.sender.project, items);
        let started = Instant::now();
        let mut n_attempts = 0;
        loop {
            n_attempts += 1;
            if let Some(n_duplicate) = self.attempt(items).await {
                assert!(n_duplicate == 0 || n_attempts > 1, "a first attempt was a duplicate");
                self.experience.n_ambiguous.fetch_add(n_duplicate, Ordering::Relaxed);
                break;
            }
            assert!(started.elapsed() < PATIENCE, "not acknowledged after {n_attempts} attempts");
            // Far less patient than `Retry-After` asks for: the more attempts meet the fault, the better.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.journal.acknowledge(items);
        self.experience.n_acknowledged.fetch_add(items.len(), Ordering::Relaxed);
    }

    /// Sends what was acknowledged once more: every item must be a duplicate.
    pub(super) async fn replay(&self, items: &[Item]) {
        let started = Instant::now();
        loop {
            if let Some(n_duplicate) = self.attempt(items).await {
                assert_eq!(n_duplicate, items.len(), "what was acknowledged was stored again");
                self.experience.n_replayed.fetch_add(items.len(), Ordering::Relaxed);
                return;
            }
            assert!(started.elapsed() < PATIENCE, "no answer to a replay");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Sends once. Returns how many were duplicates, or nothing where the client has to try again.
    async fn attempt(&self, items: &[Item]) -> Option<usize> {
        let table = items[0].table;
        let wires: Vec<&Value> = items.iter().map(|item| &item.wire).collect();
        let body = if let [one] = wires[..] { one.clone() } else { json!({table.name(): wires}) };
        let request = self.client.post(format!("{}/v1/{}", (self.url)(), table.name())).bearer_auth(&self.sender.key);
        let sent_at = Instant::now();
        let request = request.header("content-type", "application/json").body(body.to_string());
        let Ok(answer) = request.send().await else {
            self.experience.n_broken.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let Ok(text) = answer.text().await else {
            self.experience.n_broken.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        if status == 503 {
            assert!(headers.contains_key("retry-after"), "{text}");
            let waited_ms = sent_at.elapsed().as_millis() as usize;
            self.experience.n_refused.fetch_add(1, Ordering::Relaxed);
            self.experience.longest_refusal_ms.fetch_max(waited_ms, Ordering::Relaxed);
            return None;
        }
        assert_eq!(status, 200, "{text}");
        let receipt: Value = serde_json::from_str(&text).unwrap();
        let count = |name: &str| receipt[name].as_u64().unwrap() as usize;
        assert_eq!(count("accepted") + count("duplicate"), items.len(), "{text}");
        Some(count("duplicate"))
    }
}
