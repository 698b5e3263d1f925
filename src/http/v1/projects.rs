//! `/v1/projects`: the caller's own. Its name is what operators type and its id what tokens are issued by, so that
//! neither changes; what it declares of consent does.

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::super::auth::{Caller, MayAdminister};
use super::super::body::{Body, Media};
use super::super::error::Problem;
use super::super::openapi::names as doc;
use super::super::problem;
use super::super::services::Services;
use crate::domain::clock::Timestamp;
use crate::domain::consent::ConsentDefault;
use crate::domain::fields::{FieldCode, FieldError, Fields, one_of};
use crate::domain::ids::ProjectId;
use crate::domain::json::Json;
use crate::service::projects::{self, StoredProject};

/// A project on the wire.
#[derive(Serialize)]
struct ProjectItem {
    id: ProjectId,
    name: String,
    created_at: Timestamp,
    token_used_at: Option<Timestamp>,
    consent_default: ConsentDefault,
}

#[derive(Serialize)]
struct Page {
    projects: [ProjectItem; 1],
}

impl From<StoredProject> for ProjectItem {
    fn from(project: StoredProject) -> Self {
        let StoredProject { id, name, created_at, token_used_at, consent_default } = project;
        Self { id, name, created_at, token_used_at, consent_default }
    }
}

/// Lists the projects that the caller administers: its own.
#[utoipa::path(get, path = "/v1/projects", tag = "Administering", operation_id = "list_projects",
    security(("credential" = ["admin"])),
    responses((status = 200, description = "The caller's own project", body = doc::ProjectsPage)),
)]
pub(crate) async fn list(
    caller: Caller<MayAdminister>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let found = services.run(|app| async move { projects::show(&app, &caller.principal).await }).await?;
    Ok(HttpResponse::Ok().json(Page { projects: [found.into()] }))
}

/// Shows the caller's own project; every other one does not exist for it.
#[utoipa::path(get, path = "/v1/projects/{id}", tag = "Administering", operation_id = "show_project",
    security(("credential" = ["admin"])),
    params(("id" = doc::ProjectId, Path, description = "The project's id")),
    responses((status = 200, description = "The project", body = doc::Project)),
)]
pub(crate) async fn show(
    caller: Caller<MayAdminister>,
    id: web::Path<String>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    if *id != caller.principal.project_id.to_string() {
        return Err(Problem::new(problem::NOT_FOUND));
    }
    let found = services.run(|app| async move { projects::show(&app, &caller.principal).await }).await?;
    Ok(HttpResponse::Ok().json(ProjectItem::from(found)))
}

/// Declares what holds for completions that say nothing of consent, those already stored included.
#[utoipa::path(patch, path = "/v1/projects/{id}", tag = "Administering", operation_id = "change_project",
    security(("credential" = ["admin"])),
    params(("id" = doc::ProjectId, Path, description = "The project's id")),
    request_body = doc::ProjectBody,
    responses((status = 200, description = "The project as it now is", body = doc::Project)),
)]
pub(crate) async fn change(
    caller: Caller<MayAdminister>,
    id: web::Path<String>,
    body: Body,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    if *id != caller.principal.project_id.to_string() {
        return Err(Problem::new(problem::NOT_FOUND));
    }
    let default = parse(body.read_json(Media::Json).await?).map_err(Problem::invalid)?;
    let changed = services
        .run(|app| async move { projects::set_consent_default(&app, &caller.principal, default).await })
        .await?;
    Ok(HttpResponse::Ok().json(ProjectItem::from(changed)))
}

/// Parses `{"consent_default": "granted" | "refused" | "none"}`.
fn parse(body: Json) -> Result<ConsentDefault, Vec<FieldError>> {
    let mut fields = Fields::open(body, "")?;
    let default = fields.required("consent_default", one_of(ConsentDefault::WORDS));
    fields.finish()?;
    default.ok_or_else(|| vec![FieldError::new("", FieldCode::Required, "a required field is absent")])
}
