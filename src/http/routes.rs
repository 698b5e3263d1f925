//! Every address of the service, in one list: what is registered, what the OpenAPI document describes and what tests walk
//! through come from here. Whoever adds one adds its test under `tests/it/routes/` and its line in `docs/api.md`.

use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, delete, get, post, resource};

use super::{docs, health, metrics, openapi, pages, v1};

macro_rules! addresses {
    ($($pattern:literal { $($method:ident => $($handler:ident)::+),+ $(,)? })+) => {
        /// Every address with each of its methods.
        pub(crate) const ADDRESSES: &[(&str, &str)] = &[$($((stringify!($method), $pattern)),+),+];

        /// Registers the routes.
        pub(crate) fn configure(routes: &mut ServiceConfig) {
            routes$(.service(resource($pattern)$(.route($method().to($($handler)::+)))+))+;
        }

        /// What the handlers' annotations say.
        #[derive(utoipa::OpenApi)]
        #[openapi(paths($($($($handler)::+),+),+))]
        pub(crate) struct Described;
    };
}

addresses! {
    // Backends and browsers write, people read.
    "/v1/completions" { post => v1::completions::create, get => v1::completion_pages::list }
    "/v1/completions/{id}" { get => v1::completion_pages::show }
    "/v1/feedback" { post => v1::feedback::create, get => v1::feedback_pages::list }
    "/v1/feedback-tokens" { post => v1::feedback_tokens::create }
    "/v1/feedback-tokens/revoke" { post => v1::feedback_tokens::revoke }
    // Administrators see to keys.
    "/v1/keys" { post => v1::keys::create, get => v1::keys::list }
    "/v1/keys/{id}" { delete => v1::keys::delete }
    "/v1/projects" { get => v1::projects::list }
    "/v1/projects/{id}" { get => v1::projects::show }
    "/v1/audit" { get => v1::audit::list }
    // Analysts plan, compare and export.
    "/v1/comparisons" { get => v1::comparisons::show }
    "/v1/experiments" { post => v1::experiments::create, get => v1::experiments::list }
    "/v1/experiments/{key}" { get => v1::experiments::show }
    "/v1/exports" { post => v1::exports::create, get => v1::exports::list }
    "/v1/exports/{id}" { get => v1::exports::show, delete => v1::exports::delete }
    "/v1/exports/{id}/cancel" { post => v1::exports::cancel }
    "/v1/exports/{id}/files/{path:.+}" { get => v1::export_files::show }
    // Operators and people look.
    "/livez" { get => health::live }
    "/readyz" { get => health::ready }
    "/metrics" { get => metrics::show }
    "/openapi.json" { get => openapi::show }
    "/docs" { get => docs::index }
    "/docs/{file}" { get => docs::file }
    "/problems" { get => pages::problems }
    "/" { get => pages::index }
}

/// Answers where there is no route; `http::edge` gives it its body.
pub(crate) async fn absent() -> HttpResponse {
    HttpResponse::NotFound().finish()
}
