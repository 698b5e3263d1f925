//! `/v1/experiments`: comparisons planned before their data.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::super::auth::{Caller, MayAnalyse, MayView};
use super::super::body::{Body, Media};
use super::super::error::Problem;
use super::super::openapi::names as doc;
use super::super::services::Services;
use crate::domain::clock::Timestamp;
use crate::domain::experiment::Experiment;
use crate::service::experiments;

/// An experiment on the wire.
#[derive(Serialize)]
struct ExperimentItem {
    #[serde(flatten)]
    experiment: Experiment,
    declared_at: Timestamp,
}

#[derive(Serialize)]
struct Page {
    experiments: Vec<ExperimentItem>,
}

impl From<(Experiment, Timestamp)> for ExperimentItem {
    fn from((experiment, declared_at): (Experiment, Timestamp)) -> Self {
        Self { experiment, declared_at }
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
    let declared = experiment.clone();
    let (is_new, declared_at) =
        services.run(|app| async move { experiments::declare(&app, &caller.principal, declared).await }).await?;
    let location = format!("/v1/experiments/{}", percent_encoded(&experiment.key));
    let mut response = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(response.insert_header((header::LOCATION, location)).json(ExperimentItem { experiment, declared_at }))
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
