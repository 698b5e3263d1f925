//! Asks the hooks of a recipe about rows. Nothing leaves unasked: a hook that fails ends the export.

use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::time::{error::Elapsed, timeout};

use tokio::sync::Semaphore;

use super::error::ServiceError;
use crate::dataset::example::Example;
use crate::dataset::redact::{self, Span};
use crate::dataset::screen::learned_answer;
use crate::domain::erasure::IdHash;
use crate::domain::recipe::Options;
use crate::hook::{HookError, Hooks};

/// Rows that are asked about at once, by all lanes together.
const N_AT_ONCE: usize = 8;

/// How long a hook may take for its first answer.
const GREET_WITHIN: Duration = Duration::from_secs(5);
/// What it is asked then; nobody's words.
const GREETING: &str = "Which rivers cross the city?";

/// A row that passed what is known without asking anybody.
#[derive(Debug)]
pub(super) struct Admitted {
    /// The row.
    pub(super) example: Example,
    /// Cells of its answers: the better or only one, the worse one.
    pub(super) cells: [u32; 2],
    /// Those whose row it is.
    pub(super) holders: Vec<IdHash>,
}

/// A row with what the hooks have said of it.
#[derive(Debug)]
pub(super) struct Asked {
    /// The row.
    pub(super) row: Admitted,
    /// Personal data by the place of the text, where that was asked for.
    pub(super) found: Vec<Vec<Span>>,
    /// Whether the answer to be learned is unsafe.
    pub(super) is_flagged: bool,
}

/// The hooks of a recipe.
#[derive(Debug)]
pub(super) struct Asking {
    hooks: Option<Hooks>,
    pii_url: String,
    language: String,
    safety_url: String,
    places: Semaphore,
}

impl Asking {
    /// Opens what a recipe asks for; mostly nothing.
    pub(super) fn of(options: &Options) -> Result<Self, ServiceError> {
        let (pii_url, safety_url) = (options.pii_url.clone(), options.safety_url.clone());
        let hooks = if pii_url.is_empty() && safety_url.is_empty() {
            None
        } else {
            Some(Hooks::new().map_err(ServiceError::Hook)?)
        };
        Ok(Self {
            hooks,
            pii_url,
            language: options.pii_language.clone(),
            safety_url,
            places: Semaphore::new(N_AT_ONCE),
        })
    }

    /// Asks each hook once, before anything is read: one that is away, or is none, is told at once and not after an hour.
    pub(super) async fn greet(&self) -> Result<(), ServiceError> {
        let Some(hooks) = &self.hooks else { return Ok(()) };
        let told = |name, answer: Result<Result<(), HookError>, Elapsed>| {
            let answer = answer.unwrap_or(Err(HookError::Unreachable));
            answer.map_err(|error| ServiceError::HookAway { name, error })
        };
        if !self.pii_url.is_empty() {
            let asked = async { self.personal_data(hooks, GREETING).await.map(|_| ()) };
            told("pii_url", timeout(GREET_WITHIN, asked).await)?;
        }
        if !self.safety_url.is_empty() {
            let asked = async { hooks.is_flagged(&self.safety_url, GREETING).await.map(|_| ()) };
            told("safety_url", timeout(GREET_WITHIN, asked).await)?;
        }
        Ok(())
    }

    /// Asks about rows, a few at once; they come back in their order.
    pub(super) async fn ask(&self, rows: Vec<Admitted>) -> Result<Vec<Asked>, ServiceError> {
        let Some(hooks) = &self.hooks else {
            let unasked = |row| Asked { row, found: Vec::new(), is_flagged: false };
            return Ok(rows.into_iter().map(unasked).collect());
        };
        let asked = futures_util::stream::iter(rows).map(|row| self.ask_one(hooks, row));
        asked.buffered(N_AT_ONCE).try_collect().await.map_err(ServiceError::Hook)
    }

    async fn ask_one(&self, hooks: &Hooks, row: Admitted) -> Result<Asked, HookError> {
        // It is never closed; a place is held until the row is done with.
        let _place = self.places.acquire().await;
        let mut is_flagged = false;
        if !self.safety_url.is_empty()
            && let Some(answer) = learned_answer(&row.example)
        {
            is_flagged = hooks.is_flagged(&self.safety_url, &answer).await?;
        }
        let mut found = Vec::new();
        if !self.pii_url.is_empty() && !is_flagged {
            for text in redact::texts(&row.example) {
                found.push(self.personal_data(hooks, &text).await?);
            }
        }
        Ok(Asked { row, found, is_flagged })
    }

    async fn personal_data(&self, hooks: &Hooks, text: &str) -> Result<Vec<Span>, HookError> {
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        let places = hooks.personal_data(&self.pii_url, &self.language, text).await?;
        let edges = redact::edges(text);
        let spans = places.iter().map(|place| Span::of_characters(place.start, place.end, &place.kind, &edges));
        spans.collect::<Option<Vec<Span>>>().ok_or(HookError::Malformed)
    }
}
