//! `/v1/exports/{id}/files/{path}`: the files of an export, streamed.

use actix_web::body::SizedStream;
use actix_web::http::header::{self, ContentDisposition, DispositionParam, DispositionType};
use actix_web::{HttpResponse, web};
use futures_util::TryStreamExt as _;

use super::super::auth::{Caller, MayAnalyse};
use super::super::error::Problem;
use super::super::openapi::names as doc;
use super::super::services::Services;
use super::exports::export_id;
use crate::service::export_files;

/// Streams a file that the export's manifest names.
#[utoipa::path(get, path = "/v1/exports/{id}/files/{path}", tag = "Exporting", operation_id = "show_export_file",
    security(("credential" = ["analyst", "admin"])),
    params(
        ("id" = doc::ResourceId, Path, description = "The export's id"),
        ("path" = doc::FilePath, Path, description = "A path of the manifest; it may hold `/`"),
    ),
    responses(
        (status = 200, description = "The file", content(
            (doc::Bytes = "application/vnd.apache.parquet"), (Object = "application/json"), (doc::Page = "text/markdown"),
        )),
        (status = 409, description = "The export has not ended yet: `export_unfinished`"),
    ),
)]
pub(crate) async fn show(
    caller: Caller<MayAnalyse>,
    place: web::Path<(String, String)>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let (id, path) = place.into_inner();
    let id = export_id(&id)?;
    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
    let file = services.run(|app| async move { export_files::read(&app, &caller.principal, id, &path).await }).await?;
    let disposition = ContentDisposition {
        disposition: DispositionType::Attachment,
        parameters: vec![DispositionParam::Filename(name)],
    };
    let content = file.content.map_err(|error| {
        tracing::error!(error = %error, "a file broke off while it was sent");
        error
    });
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, file.content_type))
        .insert_header(disposition)
        .body(SizedStream::new(file.size_bytes, content)))
}
