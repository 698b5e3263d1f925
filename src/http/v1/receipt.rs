//! The answer to a write: what became of its items.

use actix_web::HttpResponse;
use serde::Serialize;

use super::super::error::Problem;
use super::super::problem;
use crate::domain::batch::{BatchError, Item, MAX_ITEMS};
use crate::service::ingest::{Parsed, Receipt};

/// Answers 200 where every item is stored, 207 where some are, and with a problem where none is: a client that looks
/// only at the status must not take that for success.
pub(crate) fn render(receipt: Receipt) -> Result<HttpResponse, Problem> {
    render_as(receipt, |receipt| receipt)
}

/// Answers the same with a body that says more.
pub(crate) fn render_as<T: Serialize>(
    receipt: Receipt,
    say: impl FnOnce(Receipt) -> T,
) -> Result<HttpResponse, Problem> {
    let n_stored = receipt.accepted + receipt.duplicate;
    match (receipt.rejected.is_empty(), n_stored) {
        (true, _) => Ok(HttpResponse::Ok().json(say(receipt))),
        (false, 0) => Err(Problem::none_accepted(receipt.rejected)),
        (false, _) => Ok(HttpResponse::MultiStatus().json(say(receipt))),
    }
}

/// Hands parsed items to the service.
pub(crate) fn to_parsed<T>(items: Vec<Item<T>>) -> Vec<Parsed<T>> {
    items.into_iter().map(|item| Parsed { id: item.id, outcome: item.outcome }).collect()
}

impl From<BatchError> for Problem {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::TooManyItems => {
                let detail = format!("a request may hold {MAX_ITEMS} items; nothing was stored, send several requests");
                Self::new(problem::TOO_MANY_ITEMS).detail(detail)
            }
            BatchError::Invalid(errors) => Self::invalid(errors),
        }
    }
}
