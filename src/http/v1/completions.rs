//! `/v1/completions`: what models answered.

use actix_web::{HttpRequest, HttpResponse, web};

use super::super::auth::{Caller, MayIngest};
use super::super::body::{Body, Bound, Media};
use super::super::error::Problem;
use super::super::openapi::names as doc;
use super::super::services::Services;
use super::super::visit::Visit;
use super::receipt;
use crate::domain::batch;
use crate::service::ingest;

/// Records one completion or many.
#[utoipa::path(post, path = "/v1/completions", tag = "Writing", operation_id = "create_completions",
    security(("credential" = ["ingest", "admin"])),
    request_body = doc::CompletionsBody,
    responses(
        (status = 200, description = "Every item is stored", body = doc::Receipt),
        (status = 207, description = "Some are; `rejected` lists the others", body = doc::Receipt),
        (status = 410, description = "None is, and all that is wrong is that they were erased: `erased`"),
        (status = 429, description = "Too many items in a while: `quota_exceeded`"),
    ),
)]
pub(crate) async fn create(
    request: HttpRequest,
    caller: Caller<MayIngest>,
    body: Body,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let items = body.receive(Media::Json, Bound::Backend).await?.parse(batch::completions).await??;
    Visit::of(&request).charge_caller(&services, &caller.principal, items.len())?;
    // As for feedback, the ingest writers own the transaction (TX-1).
    receipt::render(ingest::record_completions(services.app(), &caller.principal, receipt::to_parsed(items)).await?)
}
