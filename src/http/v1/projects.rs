//! `/v1/projects`: the caller's own. Nothing of a project can be changed: its name is what operators type, its id what
//! tokens are issued by.

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::super::auth::{Caller, MayAdminister};
use super::super::error::Problem;
use super::super::openapi::names as doc;
use super::super::problem;
use super::super::services::Services;
use crate::domain::clock::Timestamp;
use crate::domain::ids::ProjectId;
use crate::service::projects::{self, StoredProject};

/// A project on the wire.
#[derive(Serialize)]
struct ProjectItem {
    id: ProjectId,
    name: String,
    created_at: Timestamp,
    token_used_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct Page {
    projects: [ProjectItem; 1],
}

impl From<StoredProject> for ProjectItem {
    fn from(project: StoredProject) -> Self {
        let StoredProject { id, name, created_at, token_used_at } = project;
        Self { id, name, created_at, token_used_at }
    }
}

/// Lists the projects that the caller administers: its own.
#[utoipa::path(get, path = "/v1/projects", tag = "Keys", operation_id = "list_projects",
    security(("credential" = ["admin"])),
    responses((status = 200, description = "One", body = doc::ProjectsPage)),
)]
pub(crate) async fn list(
    caller: Caller<MayAdminister>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let found = services.run(|app| async move { projects::show(&app, &caller.principal).await }).await?;
    Ok(HttpResponse::Ok().json(Page { projects: [found.into()] }))
}

/// Shows the caller's own project; every other one does not exist for it.
#[utoipa::path(get, path = "/v1/projects/{id}", tag = "Keys", operation_id = "show_project",
    security(("credential" = ["admin"])),
    params(("id" = doc::ResourceId, Path, description = "The project's id")),
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
