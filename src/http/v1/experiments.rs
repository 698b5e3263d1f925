//! `/v1/experiments`: comparisons planned before their data.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::super::auth::{Caller, MayAnalyse, MayAssign, MayView};
use super::super::body::{Body, Media};
use super::super::error::Problem;
use super::super::openapi::names as doc;
use super::super::query;
use super::super::services::Services;
use crate::domain::assignment::unit_from_query;
use crate::domain::clock::Timestamp;
use crate::domain::experiment::{Experiment, Variant};
use crate::service::experiments::Held;
use crate::service::{ServiceError, experiments};

/// An experiment on the wire.
#[derive(Serialize)]
struct ExperimentItem {
    #[serde(flatten)]
    experiment: Experiment,
    declared_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_at: Option<Timestamp>,
}

/// The variant of a unit.
#[derive(Serialize)]
struct Assigned {
    experiment: String,
    unit: String,
    variant: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct Page {
    experiments: Vec<ExperimentItem>,
}

impl From<Held> for ExperimentItem {
    fn from(Held { experiment, declared_at, stopped_at }: Held) -> Self {
        Self { experiment, declared_at, stopped_at }
    }
}

/// Declares an experiment: 201 where it is new, 200 where the same one was declared before.
#[utoipa::path(post, path = "/v1/experiments", tag = "Comparing", operation_id = "create_experiment",
    security(("credential" = ["analyst", "admin"])),
    request_body = doc::ExperimentBody,
    responses(
        (status = 200, description = "The same one was declared before", body = doc::Experiment),
        (status = 201, description = "It is new", body = doc::Experiment,
            headers(("Location" = String, description = "Its address"))),
        (status = 409, description = "Another one was declared under this key: `experiment_conflict`"),
    ),
)]
pub(crate) async fn create(
    caller: Caller<MayAnalyse>,
    body: Body,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let experiment = Experiment::from_json(body.read_json(Media::Json).await?).map_err(Problem::invalid)?;
    let (is_new, held) =
        services.run(|app| async move { experiments::declare(&app, &caller.principal, experiment).await }).await?;
    let location = format!("/v1/experiments/{}", percent_encoded(&held.experiment.key));
    let mut response = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(response.insert_header((header::LOCATION, location)).json(ExperimentItem::from(held)))
}

/// Stops an experiment: completions that arrive later are not compared. To stop it again changes nothing.
#[utoipa::path(post, path = "/v1/experiments/{key}/stop", tag = "Comparing", operation_id = "stop_experiment",
    security(("credential" = ["analyst", "admin"])),
    params(("key" = doc::ShortText, Path, description = "The experiment's key")),
    responses((status = 200, description = "It is stopped", body = doc::Experiment)),
)]
pub(crate) async fn stop(
    caller: Caller<MayAnalyse>,
    key: web::Path<String>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let held = services.run(|app| async move { experiments::stop(&app, &caller.principal, &key).await }).await?;
    Ok(HttpResponse::Ok().json(ExperimentItem::from(held)))
}

/// Tells the variant of a user or conversation: a hash decides, so that it is always the same one. Nothing is recorded;
/// send `experiment` and `variant` with the completion that shows it.
#[utoipa::path(get, path = "/v1/experiments/{key}/assignment", tag = "Comparing", operation_id = "assign",
    security(("credential" = ["ingest", "analyst", "admin"])),
    params(
        ("key" = doc::ShortText, Path, description = "The experiment's key"),
        ("unit" = doc::ShortText, Query, description = "Id of the user or conversation"),
    ),
    responses((status = 200, description = "Its variant", body = doc::Assignment)),
)]
pub(crate) async fn assign(
    caller: Caller<MayAssign>,
    key: web::Path<String>,
    request: HttpRequest,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let unit = unit_from_query(&query::parse(request.query_string())?).map_err(Problem::invalid_query)?;
    let held = services.run(|app| async move { experiments::show(&app, &caller.principal, &key).await }).await?;
    let variant = held.experiment.assign(&unit).cloned().ok_or(ServiceError::NotFound)?;
    let Held { experiment, stopped_at, .. } = held;
    let Variant { name, model, .. } = variant;
    Ok(HttpResponse::Ok().json(Assigned { experiment: experiment.key, unit, variant: name, model, stopped_at }))
}

/// Shows an experiment.
#[utoipa::path(get, path = "/v1/experiments/{key}", tag = "Comparing", operation_id = "show_experiment",
    security(("credential" = ["viewer", "analyst", "admin"])),
    params(("key" = doc::ShortText, Path, description = "The experiment's key")),
    responses((status = 200, description = "The experiment", body = doc::Experiment)),
)]
pub(crate) async fn show(
    caller: Caller<MayView>,
    key: web::Path<String>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let found = services.run(|app| async move { experiments::show(&app, &caller.principal, &key).await }).await?;
    Ok(HttpResponse::Ok().json(ExperimentItem::from(found)))
}

/// Lists the newest experiments.
#[utoipa::path(get, path = "/v1/experiments", tag = "Comparing", operation_id = "list_experiments",
    security(("credential" = ["viewer", "analyst", "admin"])),
    responses((status = 200, description = "At most 200", body = doc::ExperimentsPage)),
)]
pub(crate) async fn list(caller: Caller<MayView>, services: web::Data<Services>) -> Result<HttpResponse, Problem> {
    let found = services.run(|app| async move { experiments::list(&app, &caller.principal).await }).await?;
    let experiments = found.into_iter().map(ExperimentItem::from).collect();
    Ok(HttpResponse::Ok().json(Page { experiments }))
}

/// Writes a key as one segment of a path.
fn percent_encoded(key: &str) -> String {
    let mut path = String::with_capacity(key.len());
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push('%');
            path.push_str(&hex::encode_upper([byte]));
        }
    }
    path
}
