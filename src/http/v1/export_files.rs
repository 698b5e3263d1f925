//! `/v1/exports/{id}/files/{path}`: the files of an export, streamed, whole or in part.

use actix_web::body::SizedStream;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, ContentDisposition, DispositionParam, DispositionType};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, web};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::super::auth::{Caller, MayAnalyse};
use super::super::byte_range::{Wanted, wanted};
use super::super::edge::HeadOnly;
use super::super::error::Problem;
use super::super::openapi::names as doc;
use super::super::problem;
use super::super::services::Services;
use super::exports::export_id;
use crate::service::ServiceError;
use crate::service::export_files;

/// Streams a file that the export's manifest names, or a range of its bytes.
#[utoipa::path(get, path = "/v1/exports/{id}/files/{path}", tag = "Exporting", operation_id = "show_export_file",
    security(("credential" = ["analyst", "admin"])),
    params(
        ("id" = doc::ExportId, Path, description = "The export's id"),
        ("path" = doc::FilePath, Path, description = "A path of the manifest; it may hold `/`"),
        ("Range" = Option<doc::Page>, Header, description = "One range, such as `bytes=0-1023`; anything else gives the whole"),
        ("If-Range" = Option<doc::Page>, Header, description = "An `ETag`: the range of this content, or the whole of another"),
    ),
    responses(
        (status = 200, description = "The file", content(
            (doc::Bytes = "application/vnd.apache.parquet"), (Object = "application/json"), (doc::Page = "text/markdown"),
        ), headers(("ETag" = String, description = "Its SHA-256"), ("Accept-Ranges" = String, description = "`bytes`"))),
        (status = 206, description = "The range that was asked for", content(
            (doc::Bytes = "application/vnd.apache.parquet"), (doc::Bytes = "application/json"), (doc::Page = "text/markdown"),
        ), headers(("Content-Range" = String, description = "Which bytes of how many"))),
        (status = 409, description = "The export has not ended yet: `export_unfinished`"),
        (status = 416, description = "The file has none of these bytes: `range_not_satisfiable`"),
    ),
)]
pub(crate) async fn show(
    request: HttpRequest,
    caller: Caller<MayAnalyse>,
    place: web::Path<(String, String)>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let (id, path) = place.into_inner();
    let id = export_id(&id)?;
    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
    let file = services.run(|app| async move { export_files::find(&app, &caller.principal, id, &path).await }).await?;
    let etag = format!("\"{}\"", file.sha256);
    let header = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    let range = match wanted(header(header::RANGE), header(header::IF_RANGE), file.size_bytes, &etag) {
        Wanted::Whole => None,
        Wanted::Part(range) => Some(range),
        Wanted::Nothing => {
            let range = format!("bytes */{}", file.size_bytes);
            return Err(Problem::new(problem::RANGE_NOT_SATISFIABLE).header(header::CONTENT_RANGE, range));
        }
    };
    let mut response = HttpResponse::Ok();
    if let Some(range) = &range {
        let told = format!("bytes {}-{}/{}", range.start, range.end - 1, file.size_bytes);
        response.status(StatusCode::PARTIAL_CONTENT).insert_header((header::CONTENT_RANGE, told));
    }
    let content_type = file.content_type;
    let is_head_only = request.extensions().get::<HeadOnly>().is_some();
    let (n_bytes, content) = services.run(|_| async move { file.open(range, is_head_only).await }).await?;
    let disposition = ContentDisposition {
        disposition: DispositionType::Attachment,
        parameters: vec![DispositionParam::Filename(name)],
    };
    let content: BoxStream<'static, Result<_, ServiceError>> = content.unwrap_or_else(|| stream::empty().boxed());
    let content = content.map_err(|error| {
        tracing::error!(error = %error, "a file broke off while it was sent");
        error
    });
    Ok(response
        .insert_header((header::CONTENT_TYPE, content_type))
        .insert_header((header::ETAG, etag))
        .insert_header((header::ACCEPT_RANGES, "bytes"))
        .insert_header(disposition)
        .body(SizedStream::new(n_bytes, content)))
}
