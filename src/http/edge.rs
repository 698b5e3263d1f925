//! What surrounds every request: its id, the body of a problem, the security headers, one line in the log.

use std::error::Error as _;
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Method};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, web};
use uuid::Uuid;

use super::adapters::otlp;
use super::error::Problem;
use super::incoming::Incoming;
use super::link_page;
use super::links;
use super::problem::Kind;
use super::services::Services;
use crate::service::ids::new_request_id;

const PROBLEM_JSON: &str = "application/problem+json";

/// Headers that every answer has, unless its handler chose otherwise.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
];

/// Marks a request whose answer has no body, for handlers that spare themselves reading one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadOnly;

/// Carries a request to its handler and the answer back.
pub(crate) async fn edge(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let request_id = new_request_id();
    let method = request.method().clone();
    if method == Method::HEAD {
        // Whoever asks for the head alone is answered by the same handler (RFC 9110, section 9.3.2); the server writes no
        // body for it, because it remembers the method that came.
        request.head_mut().method = Method::GET;
        request.extensions_mut().insert(HeadOnly);
    }
    let incoming = Incoming::new(std::mem::replace(request.parts_mut().1, Payload::None));
    request.extensions_mut().insert(incoming.clone());

    let response = next.call(request).await?.map_into_boxed_body();

    let response = with_problem(response, request_id);
    let mut response =
        if incoming.has_ended() { response } else { response.map_body(|_, body| incoming.held_by(body)) };
    add_headers(response.headers_mut(), request_id);
    let pattern = response.request().match_pattern();
    let (method, status, took) = (known(&method), response.status().as_u16(), started.elapsed());
    let services = response.request().app_data::<web::Data<Services>>().cloned();
    if let Some(services) = &services {
        services.meter().observe(pattern.as_deref(), method, status, took);
        if services.is_draining() {
            // A client that keeps its connection would send its next request into one that is about to be closed.
            response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
        }
    }
    let route = pattern.unwrap_or_default();
    // Microseconds are as fine as anybody reads.
    let duration_ms = took.as_micros() as f64 / 1e3;
    if matches!(route.as_str(), "/livez" | "/readyz") && status == 200 {
        // Health checks come every few seconds and would be most of the log.
        tracing::debug!(request.id = %request_id, http.method = method, http.route = route, duration_ms, "is healthy");
    } else {
        tracing::info!(
            request.id = %request_id,
            http.method = method,
            http.route = route,
            http.status = status,
            duration_ms,
            "answered a request"
        );
    }
    Ok(response)
}

/// Names a method for the log; what a client made up is not written there.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

/// Writes the body of every failure, those of actix's own included: a problem, unless the protocol has a form of its own.
fn with_problem(response: ServiceResponse<BoxBody>, request_id: Uuid) -> ServiceResponse<BoxBody> {
    let status = response.status();
    if status.as_u16() < 400 {
        return response;
    }
    // Whoever follows a link has a browser and no client: what went wrong is told as a page.
    let is_page = response.request().match_info().as_str().starts_with(links::PREFIX);
    let form = otlp::Form::of_route(response.request());
    let write = |problem: &Problem| match form {
        _ if is_page => link_page::failure(problem.kind().title, problem.advice()).into_bytes(),
        Some(form) => form.status(problem),
        None => problem.to_json(request_id),
    };
    let body = match response.response().error().and_then(|error| error.as_error::<Problem>()) {
        Some(problem) => {
            log_cause(problem, request_id);
            write(problem)
        }
        None => write(&Problem::new(Kind::of_status(status.as_u16()))),
    };
    let mut response = response.map_body(|_, _| BoxBody::new(body));
    if is_page {
        link_page::dress_failure(response.headers_mut());
    } else {
        let media_type = form.map_or(PROBLEM_JSON, otlp::Form::media_type);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    }
    response
}

/// Logs what is behind a failure of ours, once; errors below carry no user data.
fn log_cause(problem: &Problem, request_id: Uuid) {
    let Some(cause) = problem.cause() else { return };
    if problem.kind().status < 500 {
        return;
    }
    let mut chain = cause.to_string();
    let mut source = cause.source();
    while let Some(error) = source {
        chain.push_str(": ");
        chain.push_str(&error.to_string());
        source = error.source();
    }
    tracing::error!(request.id = %request_id, problem.code = problem.kind().code, error = chain, "a request failed");
}

fn add_headers(headers: &mut HeaderMap, request_id: Uuid) {
    for (name, value) in HEADERS {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if let Ok(value) = HeaderValue::from_str(&request_id.to_string()) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
}
