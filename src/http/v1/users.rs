//! `/v1/users` and `/v1/erasures`: everything of a user removed, and what came of it.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use uuid::Uuid;

use super::super::auth::{Caller, MayAdminister};
use super::super::error::Problem;
use super::super::openapi::names as doc;
use super::super::services::Services;
use super::super::{problem, query};
use crate::domain::clock::Timestamp;
use crate::domain::export::ExportStatus;
use crate::domain::fields::{FieldCode, FieldError};
use crate::domain::ids::{ErasureId, ExportId, UserId};
use crate::service::erase::{self, AffectedExport, ErasedCounts, Erasure, ErasureReport, ErasureStatus, FilesFate};

/// An erasure on the wire. Whose it is stands there as a hash: it outlives the user.
#[derive(Serialize)]
struct ErasureItem {
    id: ErasureId,
    user_hash: String,
    status: ErasureStatus,
    delete_files: bool,
    #[serde(flatten)]
    counts: ErasedCounts,
    exports: Vec<ExportItem>,
    created_at: Timestamp,
    finished_at: Option<Timestamp>,
}

/// An export that held rows of the user.
#[derive(Serialize)]
struct ExportItem {
    id: ExportId,
    status: ExportStatus,
    written_to: &'static str,
    files: FilesFate,
    created_at: Timestamp,
}

impl ExportItem {
    fn of(export: &AffectedExport, delete_files: bool) -> Self {
        let written_to = if export.is_folder { "folder" } else { "service" };
        let files = FilesFate::of(export, delete_files);
        Self { id: export.id, status: export.status, written_to, files, created_at: export.created_at }
    }
}

impl From<ErasureReport> for ErasureItem {
    fn from(ErasureReport { erasure, exports }: ErasureReport) -> Self {
        let Erasure { id, user_hash, status, delete_files, counts, created_at, finished_at, .. } = erasure;
        let exports = exports.iter().map(|export| ExportItem::of(export, delete_files)).collect();
        Self { id, user_hash: user_hash.to_hex(), status, delete_files, counts, exports, created_at, finished_at }
    }
}

/// Erases a user: from the answer on nothing of theirs is taken, and a worker removes what there is.
#[utoipa::path(delete, path = "/v1/users/{user}", tag = "Administering", operation_id = "erase_user",
    security(("credential" = ["admin"])),
    params(
        ("user" = doc::ShortText, Path, description = "The user's id, as completions and feedback name it"),
        ("dry_run" = Option<doc::Flag>, Query, description = "Counts what would go, and removes nothing"),
        ("delete_files" = Option<doc::Flag>, Query, description = "Deletes the files of revoked exports, too"),
    ),
    responses(
        (status = 200, description = "What would go, for a dry run", body = doc::ErasurePreview),
        (status = 202, description = "A worker removes it", body = doc::Erasure,
            headers(("Location" = String, description = "The erasure's address"))),
    ),
)]
pub(crate) async fn delete(
    request: HttpRequest,
    caller: Caller<MayAdminister>,
    user: web::Path<String>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let user = UserId::parse(&user).map_err(|_| Problem::new(problem::NOT_FOUND))?;
    let Wanted { dry_run, delete_files } = wanted(&query::parse(request.query_string())?)?;
    if dry_run {
        let preview = services.run(|app| async move { erase::preview(&app, &caller.principal, &user).await }).await?;
        return Ok(HttpResponse::Ok().json(preview));
    }
    let (erasure, _is_new) =
        services.run(|app| async move { erase::request(&app, &caller.principal, &user, delete_files).await }).await?;
    let location = format!("/v1/erasures/{}", erasure.id);
    let item = ErasureItem::from(ErasureReport { erasure, exports: Vec::new() });
    Ok(HttpResponse::Accepted().insert_header((header::LOCATION, location)).json(item))
}

/// Shows an erasure: how far it is, and which exports it revoked.
#[utoipa::path(get, path = "/v1/erasures/{id}", tag = "Administering", operation_id = "show_erasure",
    security(("credential" = ["admin"])),
    params(("id" = doc::ErasureId, Path, description = "The erasure's id")),
    responses((status = 200, description = "The erasure", body = doc::Erasure)),
)]
pub(crate) async fn show(
    caller: Caller<MayAdminister>,
    id: web::Path<String>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let id = Uuid::try_parse(&id).map(ErasureId).map_err(|_| Problem::new(problem::NOT_FOUND))?;
    let report = services.run(|app| async move { erase::show(&app, &caller.principal, id).await }).await?;
    Ok(HttpResponse::Ok().json(ErasureItem::from(report)))
}

#[derive(Debug, PartialEq)]
struct Wanted {
    dry_run: bool,
    delete_files: bool,
}

fn wanted(pairs: &[(String, String)]) -> Result<Wanted, Problem> {
    let mut wanted = Wanted { dry_run: false, delete_files: false };
    let mut errors = Vec::new();
    for (name, value) in pairs {
        let flag = match name.as_str() {
            "dry_run" => &mut wanted.dry_run,
            "delete_files" => &mut wanted.delete_files,
            _ => {
                // The name is the client's own and is not repeated.
                let known = "known parameters are: dry_run, delete_files";
                errors.push(FieldError::new("", FieldCode::UnknownField, known));
                continue;
            }
        };
        match value.as_str() {
            "true" => *flag = true,
            "false" => *flag = false,
            _ => errors.push(FieldError::new(name.as_str(), FieldCode::NotOneOf, "must be true or false")),
        }
    }
    if errors.is_empty() { Ok(wanted) } else { Err(Problem::invalid_query(errors)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_true_or_false_and_nothing_else_is_known() {
        let read = |query: &str| wanted(&query::parse(query).unwrap()).map_err(|problem| problem.kind().code);

        assert_eq!(read(""), Ok(Wanted { dry_run: false, delete_files: false }));
        assert_eq!(read("dry_run=true&delete_files=false"), Ok(Wanted { dry_run: true, delete_files: false }));
        assert_eq!(read("dry_run"), Err("not_one_of"));
        assert_eq!(read("dry-run=true"), Err("unknown_field"));
    }
}
