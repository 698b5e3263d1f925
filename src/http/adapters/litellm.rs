//! `/v1/ingest/litellm`: what LiteLLM's proxy tells of each call.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::super::auth::{Caller, MayIngest};
use super::super::body::{Body, Bound, Media};
use super::super::error::Problem;
use super::super::openapi::names as doc;
use super::super::problem;
use super::super::services::Services;
use super::super::v1::receipt;
use super::super::visit::Visit;
use crate::foreign::litellm::{self, MAX_RECORDS};
use crate::service::ingest::{self, Receipt};

/// What became of the records.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    receipt: Receipt,
    ignored: Ignored,
}

/// Records that hold nothing to store.
#[derive(Serialize)]
struct Ignored {
    failed_call: usize,
    other_call: usize,
}

/// Records the completions among what LiteLLM sends, in any of its three formats.
#[utoipa::path(post, path = "/v1/ingest/litellm", tag = "Adapters", operation_id = "ingest_litellm",
    security(("credential" = ["ingest", "admin"])),
    request_body = doc::LitellmBody,
    responses(
        (status = 200, description = "Every completion is stored", body = doc::LitellmReceipt),
        (status = 207, description = "Some are; `rejected` lists the others", body = doc::LitellmReceipt),
        (status = 410, description = "None is, and all that is wrong is that they were erased: `erased`"),
    ),
)]
pub(crate) async fn create(
    request: HttpRequest,
    caller: Caller<MayIngest>,
    body: Body,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let received = body.receive_by(Media::Json, Bound::Backend, litellm::records).await?;
    if received.json().len() > MAX_RECORDS {
        let detail = format!("a request may hold {MAX_RECORDS} records; nothing was stored, lower DEFAULT_BATCH_SIZE");
        return Err(Problem::new(problem::TOO_MANY_ITEMS).detail(detail));
    }
    let calls = received.parse(|records| litellm::completions(&records)).await?;
    // LiteLLM drops what it sent on every 4xx, and tries again on 5xx where it was told to.
    let visit = Visit::of(&request);
    visit.charge_caller(&services, &caller.principal, calls.items.len()).map_err(Problem::or_busy)?;
    ingest::count_ignored(services.app(), "ignored_failed_call", calls.n_failed);
    ingest::count_ignored(services.app(), "ignored_other_call", calls.n_other);
    let (places, items): (Vec<usize>, Vec<_>) = calls.items.into_iter().unzip();
    let mut receipt = ingest::record_completions(services.app(), &caller.principal, receipt::to_parsed(items)).await?;
    for rejected in &mut receipt.rejected {
        rejected.index = places.get(rejected.index).copied().unwrap_or(rejected.index);
    }
    let ignored = Ignored { failed_call: calls.n_failed, other_call: calls.n_other };
    receipt::render_as(receipt, |receipt| Answer { receipt, ignored })
}
