//! Every address of the service. Whoever adds one adds its test under `tests/it/routes/` and its line in `docs/api.md`.

use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, delete, get, post, resource};

use super::{health, pages, v1};

/// Registers the routes.
pub(crate) fn configure(routes: &mut ServiceConfig) {
    routes
        // Backends and browsers write.
        .service(resource("/v1/completions").route(post().to(v1::completions::create)))
        .service(resource("/v1/feedback").route(post().to(v1::feedback::create)))
        .service(resource("/v1/feedback-tokens").route(post().to(v1::feedback_tokens::create)))
        .service(resource("/v1/feedback-tokens/revoke").route(post().to(v1::feedback_tokens::revoke)))
        // Administrators see to keys.
        .service(resource("/v1/keys").route(post().to(v1::keys::create)).route(get().to(v1::keys::list)))
        .service(resource("/v1/keys/{id}").route(delete().to(v1::keys::delete)))
        .service(resource("/v1/projects").route(get().to(v1::projects::list)))
        .service(resource("/v1/projects/{id}").route(get().to(v1::projects::show)))
        .service(resource("/v1/audit").route(get().to(v1::audit::list)))
        // Analysts plan, compare and export.
        .service(resource("/v1/comparisons").route(get().to(v1::comparisons::show)))
        .service(
            resource("/v1/experiments")
                .route(post().to(v1::experiments::create))
                .route(get().to(v1::experiments::list)),
        )
        .service(resource("/v1/experiments/{key}").route(get().to(v1::experiments::show)))
        .service(resource("/v1/exports").route(post().to(v1::exports::create)).route(get().to(v1::exports::list)))
        .service(
            resource("/v1/exports/{id}").route(get().to(v1::exports::show)).route(delete().to(v1::exports::delete)),
        )
        .service(resource("/v1/exports/{id}/files/{path:.+}").route(get().to(v1::export_files::show)))
        // Operators and people look.
        .service(resource("/livez").route(get().to(health::live)))
        .service(resource("/readyz").route(get().to(health::ready)))
        .service(resource("/problems").route(get().to(pages::problems)))
        .service(resource("/").route(get().to(pages::index)));
}

/// Answers where there is no route; `http::edge` gives it its body.
pub(crate) async fn absent() -> HttpResponse {
    HttpResponse::NotFound().finish()
}
