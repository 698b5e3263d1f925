//! `/v1/feedback`: how people reacted. No completion is looked up: feedback may come before its own (LATE-1).

use actix_web::{HttpResponse, web};

use super::super::auth::Sender;
use super::super::body::{Body, Media};
use super::super::error::Problem;
use super::super::openapi::names as doc;
use super::super::services::Services;
use super::receipt;
use crate::domain::batch;
use crate::service::ingest;

/// Records one reaction or many.
#[utoipa::path(post, path = "/v1/feedback", tag = "Writing", operation_id = "create_feedback",
    security(("credential" = ["feedback", "ingest", "admin"])),
    request_body(content((doc::FeedbackBody = "application/json"), (doc::FeedbackBody = "text/plain"))),
    responses(
        (status = 200, description = "Every item is stored", body = doc::Receipt),
        (status = 207, description = "Some are; `rejected` lists the others", body = doc::Receipt),
    ),
)]
pub(crate) async fn create(sender: Sender, body: Body, services: web::Data<Services>) -> Result<HttpResponse, Problem> {
    let json = body.read_json(Media::JsonOrText).await?;
    let principal = sender.principal(&json).await?;
    let items = receipt::to_parsed(batch::feedback(json, principal.grant.as_deref())?);
    // The ingest writers own the transaction (TX-1): whoever hangs up here leaves nothing but a verdict that nobody reads.
    receipt::render(ingest::record_feedback(services.app(), &principal, items).await?)
}
