//! Whether the process lives, and whether it should be sent requests.

use actix_web::{HttpResponse, web};

use super::error::Problem;
use super::openapi::names as doc;
use super::problem;
use super::query::NoQuery;
use super::services::Services;
use crate::service::readiness;

/// Answers as long as the process does; it never touches the database.
#[utoipa::path(get, path = "/livez", tag = "Operators", responses(
    (status = 200, description = "It lives", body = doc::Health),
))]
pub(crate) async fn live(_: NoQuery) -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "status": "live" }))
}

/// Answers well while the server is not draining, the database answers, its schema fits and an ingest writer lives.
#[utoipa::path(get, path = "/readyz", tag = "Operators", responses(
    (status = 200, description = "It is ready", body = doc::Health),
))]
pub(crate) async fn ready(_: NoQuery, services: web::Data<Services>) -> Result<HttpResponse, Problem> {
    if services.is_draining() {
        return Err(Problem::new(problem::DRAINING));
    }
    services.run(|app| async move { readiness::check(&app).await }).await?;
    Ok(HttpResponse::Ok().json(serde_json::json!({ "status": "ready" })))
}
