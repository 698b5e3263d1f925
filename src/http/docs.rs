//! The pages that let a person read the OpenAPI document and try it: Swagger UI, whose files are part of the program.

use std::sync::{Arc, LazyLock};

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use utoipa_swagger_ui::{Config, serve};

use super::error::Problem;
use super::openapi::names as doc;
use super::problem;
use super::query::NoQuery;

/// Scripts and styles come from the service itself; the page's own styles and the pictures in them are in its text, and
/// it asks nobody else for anything.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    let config = Config::from("/openapi.json")
        .use_base_layout()
        .validator_url("none")
        .default_models_expand_depth(-1)
        .display_request_duration(true)
        .try_it_out_enabled(true)
        .persist_authorization(false);
    Arc::new(config)
});

/// Leads to the page, whose files are named relative to it.
#[utoipa::path(get, path = "/docs", tag = "People", responses(
    (status = 308, description = "The page is at `/docs/index.html`"),
))]
pub(crate) async fn index(_: NoQuery) -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "/docs/index.html")).finish()
}

/// Serves a file of the page that shows this document.
#[utoipa::path(get, path = "/docs/{file}", tag = "People",
    params(("file" = doc::FilePath, Path, description = "`index.html`, or what it names")),
    responses((status = 200, description = "The file", content(
        (doc::Page = "text/html"), (doc::Page = "text/css"), (doc::Page = "text/javascript"), (doc::Bytes = "image/png"),
    ))),
)]
pub(crate) async fn file(_: NoQuery, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let found = serve(&name, Arc::clone(&CONFIG)).map_err(|_| Problem::new(problem::INTERNAL_ERROR))?;
    let file = found.ok_or_else(|| Problem::new(problem::NOT_FOUND))?;
    let mut response = HttpResponse::Ok();
    response.content_type(file.content_type).insert_header((header::CONTENT_SECURITY_POLICY, POLICY));
    if file.gzpipped {
        response.insert_header((header::CONTENT_ENCODING, "gzip"));
    }
    Ok(response.body(file.bytes.into_owned()))
}
