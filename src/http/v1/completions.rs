//! `/v1/completions`: what models answered.

use actix_web::{HttpResponse, web};

use super::super::auth::{Caller, MayIngest};
use super::super::body::{Body, Media};
use super::super::error::Problem;
use super::super::openapi::names as doc;
use super::super::services::Services;
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
    ),
)]
pub(crate) async fn create(
    caller: Caller<MayIngest>,
    body: Body,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let items = receipt::to_parsed(batch::completions(body.read_json(Media::Json).await?)?);
    // As for feedback, the ingest writers own the transaction (TX-1).
    receipt::render(ingest::record_completions(services.app(), &caller.principal, items).await?)
}
