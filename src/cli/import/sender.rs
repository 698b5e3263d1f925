//! Sends items in batches, waits for every verdict, and comes back where the service is busy.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde_json::Value;

use crate::domain::batch::MAX_ITEMS;
use crate::domain::completion::NewCompletion;
use crate::domain::feedback::NewFeedback;
use crate::domain::json::Json;
use crate::domain::principal::{SecretKey, Trust};

/// A batch is closed once it has so many bytes: half of what a service takes by its defaults.
const MAX_BATCH_BYTES: usize = 4 << 20;
/// How often a batch is repeated where the service is busy or away: for about a minute.
const MAX_TRIES: u32 = 10;
const MAX_WAIT_S: u64 = 10;
const TIMEOUT: Duration = Duration::from_mins(1);

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Completions.
    Completions,
    /// Feedback.
    Feedback,
}

/// What became of items.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Stored now.
    pub(super) n_accepted: u64,
    /// Stored before.
    pub(super) n_duplicate: u64,
    /// Not stored, by code.
    pub(super) rejected: BTreeMap<String, u64>,
}

/// Why sending ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// Nobody answers.
    #[error("the service at --url does not answer")]
    Unreachable(#[source] reqwest::Error),
    /// It does not take the request.
    #[error("the service refused ({status}, {code}): {detail}")]
    Refused {
        /// The status.
        status: u16,
        /// The problem's code.
        code: String,
        /// What to do about it.
        detail: String,
    },
    /// It is something else.
    #[error("what answers at --url is not this service")]
    Unexpected,
}

/// Where items go: to a service, or nowhere.
pub(super) struct Sender {
    service: Option<Service>,
    trust: Trust,
}

/// A client of the service.
struct Service {
    http: reqwest::Client,
    url: String,
    key: String,
    sdk: String,
}

/// What one request came to.
enum Answer {
    Verdicts(Value),
    TooLarge,
}

impl Sender {
    /// Makes a client; nothing is sent yet.
    pub(super) fn new(url: &str, key: &SecretKey, trust: Trust, system: &str) -> Result<Self, SendError> {
        // A key goes where --url says and nowhere else.
        let builder = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none());
        // Plain HTTP needs no certificates of the system's, which it may lack.
        let builder = if url.starts_with("http://") { builder.tls_certs_only([]) } else { builder };
        let http = builder.build().map_err(SendError::Unreachable)?;
        let sdk = format!("import-{system}/{}", env!("CARGO_PKG_VERSION"));
        let service = Service { http, url: url.to_owned(), key: key.reveal(), sdk };
        Ok(Self { service: Some(service), trust })
    }

    /// Sends nothing: items are parsed as the service would, and nobody knows which of them it has.
    pub(super) fn dry(trust: Trust) -> Self {
        Self { service: None, trust }
    }

    /// Tells whether nothing is sent.
    pub(super) fn is_dry(&self) -> bool {
        self.service.is_none()
    }

    /// Returns how much the sender vouches for.
    pub(super) fn trust(&self) -> Trust {
        self.trust
    }

    /// Sends items; `progress` is told of how many the verdict is known.
    pub(super) async fn send(
        &self,
        kind: Kind,
        items: &[Json],
        tally: &mut Tally,
        progress: impl Fn(usize),
    ) -> Result<(), SendError> {
        let Some(service) = &self.service else {
            tally.try_out(kind, items);
            progress(items.len());
            return Ok(());
        };
        let mut batches = batches(items);
        batches.reverse();
        while let Some(batch) = batches.pop() {
            match service.ask(kind, &service.body(kind, self.trust, &batch)).await? {
                Answer::Verdicts(verdicts) => {
                    tally.add(&verdicts).ok_or(SendError::Unexpected)?;
                    progress(batch.len());
                }
                Answer::TooLarge if batch.len() > 1 => {
                    let (first, second) = batch.split_at(batch.len() / 2);
                    batches.extend([second.to_vec(), first.to_vec()]);
                }
                Answer::TooLarge => {
                    *tally.rejected.entry("body_too_large".to_owned()).or_default() += 1;
                    progress(1);
                }
            }
        }
        Ok(())
    }
}

impl Service {
    fn body(&self, kind: Kind, trust: Trust, items: &[String]) -> String {
        let items = items.join(",");
        match kind {
            Kind::Completions => format!("{{\"completions\":[{items}]}}"),
            Kind::Feedback => {
                let (sdk, trust) = (&self.sdk, trust.as_str());
                format!("{{\"v\":1,\"sdk\":\"{sdk}\",\"trust\":\"{trust}\",\"feedback\":[{items}]}}")
            }
        }
    }

    async fn ask(&self, kind: Kind, body: &str) -> Result<Answer, SendError> {
        let path = if kind == Kind::Completions { "/v1/completions" } else { "/v1/feedback" };
        let mut n_tries = 0;
        loop {
            n_tries += 1;
            let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(&self.key);
            let sent = request.header(CONTENT_TYPE, "application/json").body(body.to_owned()).send().await;
            let response = match sent {
                Ok(response) => response,
                Err(_) if n_tries < MAX_TRIES => {
                    tokio::time::sleep(Duration::from_secs(u64::from(n_tries).min(MAX_WAIT_S))).await;
                    continue;
                }
                Err(error) => return Err(SendError::Unreachable(error.without_url())),
            };
            let status = response.status();
            if is_passing(status) && n_tries < MAX_TRIES {
                tokio::time::sleep(wait_of(&response)).await;
                continue;
            }
            if status == StatusCode::PAYLOAD_TOO_LARGE {
                return Ok(Answer::TooLarge);
            }
            let answer: Value = response.json().await.map_err(|_| SendError::Unexpected)?;
            return match status {
                _ if answer["rejected"].is_array() => Ok(Answer::Verdicts(answer)),
                status if status.is_success() => Err(SendError::Unexpected),
                status => Err(refused(status, &answer)),
            };
        }
    }
}

fn is_passing(status: StatusCode) -> bool {
    matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}

fn wait_of(response: &Response) -> Duration {
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1).min(MAX_WAIT_S))
}

fn refused(status: StatusCode, problem: &Value) -> SendError {
    let text = |name: &str, otherwise: &str| problem[name].as_str().unwrap_or(otherwise).to_owned();
    let (code, detail) = (text("code", "unknown"), text("detail", "no reason was given"));
    SendError::Refused { status: status.as_u16(), code, detail }
}

/// Puts the texts of items into batches of a bounded number and size.
fn batches(items: &[Json]) -> Vec<Vec<String>> {
    let (mut batches, mut batch, mut n_bytes) = (Vec::new(), Vec::new(), 0);
    for text in items.iter().map(Json::to_text) {
        let is_full = batch.len() >= MAX_ITEMS || n_bytes + text.len() > MAX_BATCH_BYTES;
        if is_full && !batch.is_empty() {
            batches.push(std::mem::take(&mut batch));
            n_bytes = 0;
        }
        n_bytes += text.len() + 1;
        batch.push(text);
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}

impl Tally {
    /// Counts what the service would take, as far as the items themselves tell.
    fn try_out(&mut self, kind: Kind, items: &[Json]) {
        for item in items.iter().cloned() {
            let outcome = match kind {
                Kind::Completions => NewCompletion::from_json(item, "").map(drop),
                Kind::Feedback => NewFeedback::from_json(item, "").map(drop),
            };
            match outcome {
                Ok(()) => self.n_accepted += 1,
                Err(errors) => {
                    let code = errors.first().map_or("invalid", |error| error.code.as_str());
                    *self.rejected.entry(code.to_owned()).or_default() += 1;
                }
            }
        }
    }

    /// Adds the verdicts of an answer; nothing where it is none of ours.
    fn add(&mut self, answer: &Value) -> Option<()> {
        // A problem, where nothing was stored, has no counts.
        self.n_accepted += answer["accepted"].as_u64().unwrap_or_default();
        self.n_duplicate += answer["duplicate"].as_u64().unwrap_or_default();
        for rejected in answer["rejected"].as_array()? {
            *self.rejected.entry(rejected["code"].as_str()?.to_owned()).or_default() += 1;
        }
        Some(())
    }

    /// Returns how many were not stored.
    pub(super) fn n_rejected(&self) -> u64 {
        self.rejected.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_every_item_once_in_its_order_within_both_bounds() {
        let item = |n: usize| Json::String("x".repeat(n));
        let small: Vec<Json> = (0..1_201).map(|_| item(10)).collect();
        let large = vec![item(MAX_BATCH_BYTES / 2), item(MAX_BATCH_BYTES / 3), item(2 * MAX_BATCH_BYTES), item(1)];

        let sizes = |items: &[Json]| batches(items).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(&small), [500, 500, 201]);
        assert_eq!(sizes(&large), [2, 1, 1], "an item that is too large goes alone");
        assert_eq!(batches(&large).concat(), large.iter().map(Json::to_text).collect::<Vec<_>>());
        assert!(batches(&[]).is_empty());
    }
}
