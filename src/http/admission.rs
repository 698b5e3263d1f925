//! How many requests may be under way at once: beyond it a request is turned away before anything of its body is read
//! and before anybody asks who sends it.

use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, web};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::Problem;
use super::links;
use super::problem;
use super::services::Services;
use super::visit::Visit;

/// The way in.
#[derive(Debug)]
pub(crate) struct Gate {
    slots: Arc<Semaphore>,
    n_slots: usize,
}

impl Gate {
    /// Makes a gate for so many requests.
    pub(crate) fn new(n_slots: usize) -> Self {
        Self { slots: Arc::new(Semaphore::new(n_slots)), n_slots }
    }

    /// Lets a request in, or turns it away at once: whoever waits here would wait with an open connection.
    fn enter(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.slots).try_acquire_owned().map_err(|_| Problem::new(problem::BUSY))
    }

    /// Tells whether more than half of the slots are taken: then slow clients get less time, so that they cannot keep
    /// the others out.
    pub(crate) fn is_crowded(&self) -> bool {
        self.slots.available_permits() < self.n_slots / 2
    }
}

/// Counts the requests to the interface; what operators ask for is answered however many there are.
pub(crate) async fn admit(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    // As the router reads it: `/%76%31/` is `/v1/`.
    let path = request.match_info().as_str();
    let is_counted = path.starts_with("/v1/") || path.starts_with(links::PREFIX);
    let services = request.app_data::<web::Data<Services>>().filter(|_| is_counted);
    let slot = match services.map(|services| services.door().gate.enter()) {
        Some(Ok(slot)) => Some(slot),
        Some(Err(problem)) => {
            Visit::of(request.request()).turn_away();
            return Ok(request.error_response(problem));
        }
        None => None,
    };
    let answered = next.call(request).await;
    drop(slot);
    Ok(answered?.map_into_boxed_body())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_is_crowded_from_its_half_and_closed_when_it_is_full() {
        let gate = Gate::new(4);
        let half = [gate.enter().unwrap(), gate.enter().unwrap()];
        assert!(!gate.is_crowded());
        let rest = [gate.enter().unwrap(), gate.enter().unwrap()];
        assert!(gate.is_crowded());

        assert_eq!(gate.enter().unwrap_err().kind().code, "busy");
        drop(half);
        assert!(gate.enter().is_ok() && rest.len() == 2);
    }
}
