//! `/v1/serving`: the engines that this instance watches. They serve every project, so that what they say is for whoever
//! administers one and for nobody else.

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::super::auth::{Caller, MayAdminister};
use super::super::error::Problem;
use super::super::openapi::names as doc;
use super::super::services::Services;
use crate::service::serving_view::{self, TargetView};

#[derive(Serialize)]
struct Samples {
    targets: Vec<TargetView>,
}

/// Shows every target with what it said last, and why where it said nothing.
#[utoipa::path(get, path = "/v1/serving/samples", tag = "Operators", operation_id = "list_serving_samples",
    security(("credential" = ["admin"])),
    responses((status = 200, description = "Every target, in the order of the configuration", body = doc::ServingSamples)),
)]
pub(crate) async fn samples(
    _caller: Caller<MayAdminister>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(Samples { targets: serving_view::list_targets(services.app()) }))
}
