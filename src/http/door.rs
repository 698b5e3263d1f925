//! What guards the way in, shared by all threads that serve: the gate for requests, the memory for their
//! bodies, the threads that parse the large ones, the quotas for what is in them.

use tokio::runtime::Handle;

use super::admission::Gate;
use super::budget::BodyBudget;
use super::parsing::Parsers;
use super::quota::Meters;
use super::services::HttpSettings;

/// The guards.
#[derive(Debug)]
pub(crate) struct Door {
    /// How many requests may be under way.
    pub(crate) gate: Gate,
    /// How much memory their bodies may take.
    pub(crate) bodies: BodyBudget,
    /// Who parses the large ones.
    pub(crate) parsers: Parsers,
    /// How many items each may send.
    pub(crate) quotas: Meters,
}

impl Door {
    /// Sets up the guards; large bodies are parsed on threads of `runtime`, as many at a time as there are to serve.
    pub(crate) fn new(settings: &HttpSettings, runtime: &Handle) -> Self {
        Self {
            gate: Gate::new(settings.max_requests_at_once),
            quotas: Meters::new(settings.quotas),
            bodies: BodyBudget::new(settings.max_bytes_of_all_bodies),
            parsers: Parsers::new(settings.n_workers, runtime.clone()),
        }
    }
}
