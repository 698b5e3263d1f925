//! Asks serving engines for their pages of metrics.
//!
//! Addresses are the operator's own and lie in private networks as a rule, so that none is refused for where it is. What
//! answers is believed to be an engine and nothing more: it is followed nowhere, waited for briefly, read to a bound,
//! and nothing of what it says stands in an error.

use std::time::Duration;

/// How long an answer may take, to its last byte.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Why there is no page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScrapeError {
    /// Nothing answered, or not in time.
    #[error("the engine does not answer")]
    Unreachable,
    /// It answered with another status than 200.
    #[error("the engine answered with HTTP status {0}")]
    Refused(u16),
    /// The answer is longer than any page.
    #[error("the answer of the engine is too long")]
    TooLong,
}

/// Connections to engines.
#[derive(Debug, Clone)]
pub struct Scraper {
    client: reqwest::Client,
}

impl Scraper {
    /// Makes a client that follows no redirection, goes through no proxy and unpacks nothing.
    pub fn new() -> Result<Self, ScrapeError> {
        let client = reqwest::Client::builder()
            .timeout(ANSWER_WITHIN)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(1)
            .build();
        Ok(Self { client: client.map_err(|_| ScrapeError::Unreachable)? })
    }

    /// Gets a page of at most so many bytes.
    pub async fn get(&self, url: &str, max_bytes: usize) -> Result<Vec<u8>, ScrapeError> {
        let mut answer = self.client.get(url).send().await.map_err(|_| ScrapeError::Unreachable)?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(ScrapeError::Refused(answer.status().as_u16()));
        }
        let mut page = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|_| ScrapeError::Unreachable)? {
            if page.len() + piece.len() > max_bytes {
                return Err(ScrapeError::TooLong);
            }
            page.extend_from_slice(&piece);
        }
        Ok(page)
    }
}
