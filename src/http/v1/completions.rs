//! `/v1/completions`: what models answered.

use actix_web::{HttpResponse, web};

use super::super::auth::{Caller, MayIngest};
use super::super::body::{Body, Media};
use super::super::error::Problem;
use super::super::services::Services;
use super::receipt;
use crate::domain::batch;
use crate::service::ingest;

/// Records one completion or many.
pub(crate) async fn create(
    caller: Caller<MayIngest>,
    body: Body,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let items = receipt::to_parsed(batch::completions(body.read_json(Media::Json).await?)?);
    // As for feedback, the ingest writers own the transaction (TX-1).
    receipt::render(ingest::record_completions(services.app(), &caller.principal, items).await?)
}
