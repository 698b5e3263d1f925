//! What guards the way in, shared by all threads that serve: the gate for requests, the memory for their bodies.

use super::admission::Gate;
use super::budget::BodyBudget;
use super::services::HttpSettings;

/// The guards.
#[derive(Debug)]
pub(crate) struct Door {
    /// How many requests may be under way.
    pub(crate) gate: Gate,
    /// How much memory their bodies may take.
    pub(crate) bodies: BodyBudget,
}

impl Door {
    /// Sets up the guards.
    pub(crate) fn new(settings: &HttpSettings) -> Self {
        Self {
            gate: Gate::new(settings.max_requests_at_once),
            bodies: BodyBudget::new(settings.max_bytes_of_all_bodies),
        }
    }
}
