//! Two small pages for people: what this is, and what the problems mean.

use std::fmt::Write as _;

use actix_web::HttpResponse;
use actix_web::http::header;

use super::openapi::names as doc;
use super::problem::KINDS;
use super::query::NoQuery;

/// Lets a page use the styles that stand in it, and nothing else.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEAD: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
     <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
     <style>body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:3rem auto;padding:0 1rem;color:#1b1f24}\
     code{font:.95em ui-monospace,monospace}table{border-collapse:collapse;width:100%}\
     td,th{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #d8dee4}\
     @media(prefers-color-scheme:dark){body{background:#15191e;color:#e6e9ec}td,th{border-color:#333a42}\
     a{color:#7db4ff}}</style>\n";

const INDEX: &str = "<title>Afterword</title>\n<h1>Afterword</h1>\n\
     <p>This service collects what people do after a language model has answered, and turns it into training sets and \
     honest model comparisons.</p>\n<table>\n\
     <tr><td><code>POST /v1/completions</code><td>what a model answered\n\
     <tr><td><code>POST /v1/feedback</code><td>how people reacted\n\
     <tr><td><code>GET /v1/completions</code><td>what is stored, with feedback and labels\n\
     <tr><td><code>POST /v1/exports</code><td>training sets: preference pairs, fine-tuning examples\n\
     <tr><td><code>GET /v1/comparisons</code><td>whether another model does as well\n\
     <tr><td><code>POST /v1/experiments</code><td>a planned comparison\n\
     <tr><td><a href=\"/readyz\"><code>GET /readyz</code></a><td>whether the service is ready\n\
     <tr><td><a href=\"/docs\"><code>GET /docs</code></a><td>every address, to read and to try; \
     <a href=\"/openapi.json\">as OpenAPI</a>\n\
     <tr><td><a href=\"/problems\"><code>GET /problems</code></a><td>every error code and what to do about it\n\
     </table>\n<p>Requests carry a secret key: <code>Authorization: Bearer aw_sec_…</code>; <code>afterword key \
     create</code> makes one. The reference is <code>docs/api.md</code> in the source.</p>\n";

/// Says what this is.
#[utoipa::path(get, path = "/", tag = "People", responses(
    (status = 200, description = "A page", content_type = "text/html", body = doc::Page),
))]
pub(crate) async fn index(_: NoQuery) -> HttpResponse {
    page(format!("{HEAD}{INDEX}"))
}

/// Lists the kinds of problems; a problem's `type` points at its row.
#[utoipa::path(get, path = "/problems", tag = "People", responses(
    (status = 200, description = "A page", content_type = "text/html", body = doc::Page),
))]
pub(crate) async fn problems(_: NoQuery) -> HttpResponse {
    let mut html = format!("{HEAD}<title>Afterword: problems</title>\n<h1>Problems</h1>\n<table>\n");
    html.push_str("<tr><th>Code<th>Status<th>Retry<th>Meaning\n");
    for kind in KINDS {
        // The table is ours and holds nothing that HTML could take for markup.
        let retry = if kind.retryable { "yes" } else { "no" };
        let (code, status, title, detail) = (kind.code, kind.status, kind.title, kind.detail);
        let _infallible =
            writeln!(html, "<tr id=\"{code}\"><td><code>{code}</code><td>{status}<td>{retry}<td>{title}: {detail}");
    }
    html.push_str("</table>\n");
    page(html)
}

/// Answers with a page that may style itself and load nothing.
pub(crate) fn page(html: String) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, PAGE_POLICY))
        .body(html)
}
