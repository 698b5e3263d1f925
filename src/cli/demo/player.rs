//! A client of the public interface, as a customer's backend would be: it sends batches and single items, several at a
//! time, waits for every verdict, asks for exports and fetches their files.
//!
//! It knows addresses and JSON, and nothing of how the service works inside.

use std::path::{Component, Path};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use reqwest::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

/// Items of a batch.
const BATCH: usize = 100;
/// Of how many items one is sent alone, as a backend that reports each answer would.
const SINGLE_EVERY: usize = 40;
/// Requests under way at a time.
const N_CLIENTS: usize = 4;
/// How often a request is repeated where the service says that it is busy.
const MAX_TRIES: u32 = 6;
const TIMEOUT: Duration = Duration::from_mins(1);
/// How often an export is asked how far it is.
const POLL_EVERY: Duration = Duration::from_millis(150);

/// What the service answered instead of what was hoped for.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlayError {
    #[error("the service does not answer")]
    Unreachable(#[from] reqwest::Error),
    #[error("the service refused ({status}, {code}): {detail}")]
    Refused { status: u16, code: String, detail: String },
    #[error("the export failed: {0}")]
    ExportFailed(String),
    #[error("the service answered in a form that the demo does not know")]
    Unexpected,
    #[error("cannot write the files of the export")]
    File(#[from] std::io::Error),
}

/// What became of items that were sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Verdicts {
    /// Stored now.
    pub(super) n_accepted: u64,
    /// Stored before, with the same content.
    pub(super) n_duplicate: u64,
    /// Stored before, with other content.
    pub(super) n_conflict: u64,
    /// Refused for another reason.
    pub(super) n_refused: u64,
}

impl Verdicts {
    /// Returns how many items there were.
    pub(super) fn total(self) -> u64 {
        self.n_accepted + self.n_duplicate + self.n_conflict + self.n_refused
    }

    fn add(&mut self, other: Self) {
        self.n_accepted += other.n_accepted;
        self.n_duplicate += other.n_duplicate;
        self.n_conflict += other.n_conflict;
        self.n_refused += other.n_refused;
    }

    /// Reads an answer of `POST /v1/completions` or `/v1/feedback`.
    fn read(answer: &Value) -> Option<Self> {
        let rejected = answer["rejected"].as_array()?;
        let n_conflict = rejected.iter().filter(|item| item["code"] == "conflict").count() as u64;
        Some(Self {
            // A problem, where nothing was stored, has no counts.
            n_accepted: answer["accepted"].as_u64().unwrap_or_default(),
            n_duplicate: answer["duplicate"].as_u64().unwrap_or_default(),
            n_conflict,
            n_refused: rejected.len() as u64 - n_conflict,
        })
    }
}

/// A request with items.
struct Parcel {
    path: &'static str,
    body: String,
}

/// The client.
#[derive(Debug, Clone)]
pub(super) struct Player {
    http: reqwest::Client,
    url: String,
    key: String,
}

impl Player {
    /// Makes a client of the service at `url`; nothing is sent yet.
    pub(super) fn new(url: String, key: String) -> Result<Self, PlayError> {
        // Plain HTTP on loopback needs no certificates of the system's, which it may lack.
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(TIMEOUT).build()?;
        Ok(Self { http, url, key })
    }

    /// Returns the address of the service.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Declares an experiment; declaring the same again changes nothing.
    pub(super) async fn declare(&self, experiment: &Value) -> Result<(), PlayError> {
        let request = self.request(Method::POST, "/v1/experiments").json(experiment);
        accepted(request.send().await?).await.map(drop)
    }

    /// Sends completions and feedback side by side, in no order that the service could rely on, and waits for every
    /// verdict. `progress` is told how many items are done.
    pub(super) async fn play(
        &self,
        completions: &[Value],
        feedback: &[Value],
        progress: impl Fn(u64),
    ) -> Result<(Verdicts, Verdicts), PlayError> {
        let mut parcels = interleave(
            parcels("/v1/completions", completions, |batch| json!({"completions": batch})),
            parcels("/v1/feedback", feedback, |batch| json!({"v": 1, "sdk": "demo/1", "feedback": batch})),
        );
        let (mut of_completions, mut of_feedback) = (Verdicts::default(), Verdicts::default());
        let sending = parcels.drain(..).map(|parcel| async move { (parcel.path, self.send(parcel).await) });
        let mut answers = stream::iter(sending).buffer_unordered(N_CLIENTS);
        while let Some((path, verdicts)) = answers.next().await {
            let verdicts = verdicts?;
            progress(verdicts.total());
            if path == "/v1/completions" { of_completions.add(verdicts) } else { of_feedback.add(verdicts) }
        }
        Ok((of_completions, of_feedback))
    }

    async fn send(&self, parcel: Parcel) -> Result<Verdicts, PlayError> {
        let mut tries = 1;
        loop {
            let request = self.request(Method::POST, parcel.path).header(CONTENT_TYPE, "application/json");
            let response = request.body(parcel.body.clone()).send().await?;
            if response.status() == StatusCode::SERVICE_UNAVAILABLE && tries < MAX_TRIES {
                tries += 1;
                tokio::time::sleep(retry_after(&response)).await;
                continue;
            }
            let status = response.status();
            let answer: Value = response.json().await?;
            let is_read = status.is_success() || status == StatusCode::UNPROCESSABLE_ENTITY;
            return Verdicts::read(&answer).filter(|_| is_read).ok_or_else(|| refused(status, &answer));
        }
    }

    /// Asks for an export and waits for its end; `progress` is told how much is done, and of how much. Returns its id
    /// and its manifest.
    pub(super) async fn export(&self, recipe: &str, progress: impl Fn(u64, u64)) -> Result<(String, Value), PlayError> {
        let request = self.request(Method::POST, "/v1/exports").json(&json!({"recipe": recipe}));
        let mut item: Value = accepted(request.send().await?).await?.json().await?;
        let id = item["id"].as_str().ok_or(PlayError::Unexpected)?.to_owned();
        loop {
            let count = |name: &str| item["progress"][name].as_u64().unwrap_or_default();
            progress(count("n_done"), count("n_total"));
            match item["status"].as_str() {
                Some("completed") => return Ok((id, item["manifest"].take())),
                Some("queued" | "running") => tokio::time::sleep(POLL_EVERY).await,
                Some(_) => {
                    let detail = item["problem"]["detail"].as_str().unwrap_or("the service gives no reason");
                    return Err(PlayError::ExportFailed(detail.to_owned()));
                }
                None => return Err(PlayError::Unexpected),
            }
            let request = self.request(Method::GET, &format!("/v1/exports/{id}"));
            item = accepted(request.send().await?).await?.json().await?;
        }
    }

    /// Fetches every file of an export into a folder, the manifest last, as it was written.
    pub(super) async fn fetch(&self, id: &str, manifest: &Value, folder: &Path) -> Result<(), PlayError> {
        let files = manifest["files"].as_array().ok_or(PlayError::Unexpected)?;
        let paths = files.iter().filter_map(|file| file["path"].as_str()).chain(["manifest.json"]);
        for path in paths {
            let target = folder.join(path);
            if !Path::new(path).components().all(|part| matches!(part, Component::Normal(_))) {
                return Err(PlayError::Unexpected);
            }
            let request = self.request(Method::GET, &format!("/v1/exports/{id}/files/{path}"));
            let content = accepted(request.send().await?).await?.bytes().await?;
            if let Some(parent) = target.parent() {
                tokio::fs::create_dir_all(parent).await?;
            }
            tokio::fs::write(&target, &content).await?;
        }
        Ok(())
    }

    /// Fetches the comparison of an experiment in a media type.
    pub(super) async fn comparison(&self, experiment: &str, media_type: &str) -> Result<String, PlayError> {
        let request = self.request(Method::GET, &format!("/v1/comparisons?experiment={experiment}"));
        Ok(accepted(request.header(ACCEPT, media_type).send().await?).await?.text().await?)
    }

    /// Reads what is under an address.
    pub(super) async fn get(&self, path: &str) -> Result<Value, PlayError> {
        Ok(accepted(self.request(Method::GET, path).send().await?).await?.json().await?)
    }

    /// Posts one value and reads the answer.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, PlayError> {
        Ok(accepted(self.request(Method::POST, path).json(body).send().await?).await?.json().await?)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key)
    }
}

/// Puts items into batches, and every so many of them into a request of their own.
fn parcels(path: &'static str, items: &[Value], envelope: impl Fn(&[Value]) -> Value) -> Vec<Parcel> {
    let batches = items.chunks(SINGLE_EVERY * BATCH / (SINGLE_EVERY - 1)).flat_map(|chunk| {
        let (singles, batch): (Vec<_>, Vec<_>) =
            chunk.iter().cloned().enumerate().partition(|(place, _)| place % SINGLE_EVERY == SINGLE_EVERY - 1);
        let batch: Vec<Value> = batch.into_iter().map(|(_, item)| item).collect();
        let alone = singles.into_iter().map(|(_, item)| item.to_string());
        std::iter::once(envelope(&batch).to_string()).chain(alone).collect::<Vec<_>>()
    });
    batches.map(|body| Parcel { path, body }).collect()
}

/// Mixes two lists evenly, the second one ahead: feedback then comes before its completions as often as after them.
fn interleave(first: Vec<Parcel>, second: Vec<Parcel>) -> Vec<Parcel> {
    let (n_first, n_second) = (first.len().max(1), second.len().max(1));
    let place = |nth: usize, n: usize| (nth as f64 + 0.5) / n as f64;
    let mut placed: Vec<(f64, Parcel)> =
        second.into_iter().enumerate().map(|(nth, parcel)| (place(nth, n_second), parcel)).collect();
    placed.extend(first.into_iter().enumerate().map(|(nth, parcel)| (place(nth, n_first), parcel)));
    placed.sort_by(|left, right| left.0.total_cmp(&right.0));
    placed.into_iter().map(|(_, parcel)| parcel).collect()
}

fn retry_after(response: &Response) -> Duration {
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1).min(10))
}

/// Lets a success through and reads the problem of anything else.
async fn accepted(response: Response) -> Result<Response, PlayError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let problem: Value = response.json().await.unwrap_or_default();
    Err(refused(status, &problem))
}

fn refused(status: StatusCode, problem: &Value) -> PlayError {
    let text = |name: &str, otherwise: &str| problem[name].as_str().unwrap_or(otherwise).to_owned();
    let (code, detail) = (text("code", "unknown"), text("detail", "no reason was given"));
    PlayError::Refused { status: status.as_u16(), code, detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_sent_once_and_some_are_sent_alone() {
        let items: Vec<Value> = (0..1000).map(|n| json!({"id": n})).collect();

        let parcels = parcels("/v1/feedback", &items, |batch| json!({"feedback": batch}));

        let bodies: Vec<Value> = parcels.iter().map(|parcel| serde_json::from_str(&parcel.body).unwrap()).collect();
        let (batches, singles): (Vec<_>, Vec<_>) = bodies.iter().partition(|body| body["id"].is_null());
        let batched = batches.iter().flat_map(|body| body["feedback"].as_array().unwrap());
        let mut sent: Vec<u64> =
            batched.chain(singles.iter().copied()).map(|item| item["id"].as_u64().unwrap()).collect();
        sent.sort_unstable();
        assert_eq!(sent, (0..1000).collect::<Vec<_>>());
        assert!((15..=30).contains(&singles.len()), "{} are sent alone", singles.len());
        assert!(batches.iter().all(|body| body["feedback"].as_array().unwrap().len() <= BATCH + 1));
    }

    #[test]
    fn an_answer_tells_conflicts_from_other_refusals() {
        let mixed = json!({"accepted": 3, "duplicate": 1, "rejected": [{"code": "conflict"}, {"code": "required"}]});
        let problem = json!({"status": 422, "code": "invalid", "rejected": [{"code": "conflict"}]});

        let read = Verdicts::read(&mixed).unwrap();

        assert_eq!(read, Verdicts { n_accepted: 3, n_duplicate: 1, n_conflict: 1, n_refused: 1 });
        assert_eq!(Verdicts::read(&problem).unwrap(), Verdicts { n_conflict: 1, ..Verdicts::default() });
        assert_eq!(Verdicts::read(&json!({"code": "unauthenticated"})), None);
    }
}
