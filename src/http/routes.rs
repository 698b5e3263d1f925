//! Every address of the service, in one list: what is registered, what the OpenAPI document describes and what tests walk
//! through come from here. Whoever adds one adds its test under `tests/it/routes/` and its line in `docs/api.md`. One that reads its query says
//! `with query`; everywhere else a query is refused.

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::web::{ServiceConfig, delete, get, patch, post, resource};

use super::{adapters, docs, health, links, metrics, openapi, pages, sdk, v1};

/// Names the method of an address that is marked with this word and no other.
macro_rules! with_query {
    (query, $method:ident) => {
        stringify!($method)
    };
}

macro_rules! addresses {
    ($($pattern:literal { $($method:ident $(with $query:ident)? => $($handler:ident)::+),+ $(,)? })+) => {
        /// Every address with each of its methods.
        pub(crate) const ADDRESSES: &[(&str, &str)] = &[$($((stringify!($method), $pattern)),+),+];

        /// Those of them that take parameters in the query.
        const WITH_QUERY: &[(&str, &str)] = &[$($($((with_query!($query, $method), $pattern),)?)+)+];

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
    "/v1/completions" { post => v1::completions::create, get with query => v1::completion_pages::list }
    "/v1/completions/{id}" { get => v1::completion_pages::show }
    "/v1/feedback" { post => v1::feedback::create, get with query => v1::feedback_pages::list }
    "/v1/feedback-tokens" { post => v1::feedback_tokens::create }
    "/v1/feedback-tokens/revoke" { post => v1::feedback_tokens::revoke }
    "/v1/feedback-links" { post => v1::feedback_links::create }
    // People answer what they were sent a link to.
    "/f/{token}" { get with query => links::show, post => links::answer }
    // Tools that people already run write in forms of their own.
    "/v1/ingest/litellm" { post => adapters::litellm::create }
    "/v1/traces" { post => adapters::otlp::create_traces }
    "/v1/logs" { post => adapters::otlp::create_logs }
    "/api/public/otel/v1/traces" { post => adapters::otlp::create_langfuse_traces }
    "/api/public/scores" { post => adapters::langfuse::create_score }
    "/api/public/ingestion" { post => adapters::langfuse::create_batch }
    // Administrators see to keys.
    "/v1/keys" { post => v1::keys::create, get => v1::keys::list }
    "/v1/keys/{id}" { delete => v1::keys::delete }
    "/v1/projects" { get => v1::projects::list }
    "/v1/projects/{id}" { get => v1::projects::show, patch => v1::projects::change }
    "/v1/users/{user}" { delete with query => v1::users::delete }
    "/v1/erasures/{id}" { get => v1::users::show }
    "/v1/audit" { get with query => v1::audit::list }
    // Analysts plan, compare and export.
    "/v1/comparisons" { get with query => v1::comparisons::show }
    "/v1/plans" { get with query => v1::plans::show }
    "/v1/experiments" { post => v1::experiments::create, get => v1::experiments::list }
    "/v1/experiments/{key}" { get => v1::experiments::show }
    "/v1/experiments/{key}/assignment" { get with query => v1::experiments::assign }
    "/v1/experiments/{key}/stop" { post => v1::experiments::stop }
    "/v1/exports" { post => v1::exports::create, get with query => v1::exports::list }
    "/v1/exports/{id}" { get => v1::exports::show, delete => v1::exports::delete }
    "/v1/exports/{id}/cancel" { post => v1::exports::cancel }
    "/v1/exports/{id}/files/{path:.+}" { get => v1::export_files::show }
    // Whoever tunes engines looks at lengths, operators and people at the rest.
    "/v1/serving/sequence-lengths" { get with query => v1::serving::sequence_lengths }
    "/v1/serving/report" { get with query => v1::serving_report::show }
    "/v1/serving/samples" { get => v1::serving::samples }
    "/livez" { get => health::live }
    "/readyz" { get => health::ready }
    "/metrics" { get => metrics::show }
    "/openapi.json" { get => openapi::show }
    "/docs" { get => docs::index }
    "/docs/{file}" { get => docs::file }
    "/sdk/v1/{file}" { get => sdk::show }
    "/problems" { get => pages::problems }
    "/" { get => pages::index }
}

/// Tells whether an address takes parameters in the query.
pub(crate) fn takes_query(method: &Method, pattern: &str) -> bool {
    WITH_QUERY.iter().any(|(name, known)| *known == pattern && method.as_str().eq_ignore_ascii_case(name))
}

/// Answers where there is no route; `http::edge` gives it its body.
pub(crate) async fn absent() -> HttpResponse {
    HttpResponse::NotFound().finish()
}
