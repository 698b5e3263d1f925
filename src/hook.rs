//! Services beside ours that are asked about texts: where personal data are in them, and whether they are unsafe.
//!
//! This module alone speaks HTTP to others. Whom it may be told to ask is decided by the configuration, not here. An answer
//! counts only whole and in time; anything else is an error, and its words hold neither a text nor an address.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long an answer may take, to its last byte.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How long somebody waits who only wants to know whether the service is there.
const LOOK_WITHIN: Duration = Duration::from_secs(5);
/// The longest answer.
const MAX_ANSWER_BYTES: usize = 8 << 20;

/// Why a service was not of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    /// It did not answer, or not in time.
    #[error("the service does not answer")]
    Unreachable,
    /// It answered that it could not.
    #[error("the service answered with HTTP status {0}")]
    Refused(u16),
    /// It answered something else than was asked for.
    #[error("the answer of the service has another form than documented")]
    Malformed,
}

/// A place in a text, in characters (Unicode scalar values), as Presidio's analyzer tells it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Place {
    /// First character.
    pub start: usize,
    /// The character behind the last one.
    pub end: usize,
    /// What it is.
    #[serde(rename = "entity_type")]
    pub kind: String,
}

#[derive(Deserialize)]
struct Moderation {
    results: Vec<Verdict>,
}

#[derive(Deserialize)]
struct Verdict {
    flagged: bool,
}

/// Connections to the services.
#[derive(Debug, Clone)]
pub struct Hooks {
    client: reqwest::Client,
}

impl Hooks {
    /// Makes a client that follows no redirection and goes through no proxy: a text goes where the configuration says.
    pub fn new() -> Result<Self, HookError> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build();
        Ok(Self { client: client.map_err(|_| HookError::Unreachable)? })
    }

    /// Asks where personal data are in a text: `POST {"text", "language"}`, answered with
    /// `[{"entity_type", "start", "end"}]`, as Presidio's `/analyze` does.
    pub async fn personal_data(&self, url: &str, language: &str, text: &str) -> Result<Vec<Place>, HookError> {
        let answer = self.post(url, &json!({"text": text, "language": language})).await?;
        serde_json::from_slice(&answer).map_err(|_| HookError::Malformed)
    }

    /// Asks whether a text is unsafe: `POST {"input"}`, answered with `{"results": [{"flagged"}]}`, as OpenAI's
    /// `/v1/moderations` does.
    pub async fn is_flagged(&self, url: &str, text: &str) -> Result<bool, HookError> {
        let answer = self.post(url, &json!({"input": text})).await?;
        let answer: Moderation = serde_json::from_slice(&answer).map_err(|_| HookError::Malformed)?;
        match answer.results.as_slice() {
            [] => Err(HookError::Malformed),
            verdicts => Ok(verdicts.iter().any(|verdict| verdict.flagged)),
        }
    }

    /// Looks whether a service is there, and sends it no text. That it wants another method is an answer; that it knows no
    /// such address, wants a credential or is broken is none to build upon.
    pub async fn look(&self, url: &str) -> Result<(), HookError> {
        let answer = self.client.get(url).timeout(LOOK_WITHIN).send().await.map_err(|_| HookError::Unreachable)?;
        match answer.status().as_u16() {
            status @ (401 | 403 | 404 | 500..) => Err(HookError::Refused(status)),
            _ => Ok(()),
        }
    }

    async fn post(&self, url: &str, body: &serde_json::Value) -> Result<Vec<u8>, HookError> {
        let mut answer = self.client.post(url).json(body).send().await.map_err(|_| HookError::Unreachable)?;
        if !answer.status().is_success() {
            return Err(HookError::Refused(answer.status().as_u16()));
        }
        let mut whole = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|_| HookError::Unreachable)? {
            if whole.len() + piece.len() > MAX_ANSWER_BYTES {
                return Err(HookError::Malformed);
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }
}
