//! `/v1/feedback`: how people reacted. No completion is looked up: feedback may come before its own (LATE-1).

use actix_web::{HttpResponse, web};

use super::super::auth::{Caller, MayIngest};
use super::super::body::{Body, Media};
use super::super::error::Problem;
use super::super::services::Services;
use super::receipt;
use crate::domain::batch;
use crate::service::ingest;

/// Records one reaction or many.
pub(crate) async fn create(
    caller: Caller<MayIngest>,
    body: Body,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let items = receipt::to_parsed(batch::feedback(body.read_json(Media::JsonOrText).await?)?);
    let receipt =
        services.run(|app| async move { ingest::record_feedback(&app, &caller.principal, items).await }).await?;
    receipt::render(receipt)
}
