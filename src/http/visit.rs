//! A visit to an address where items are written: what its sender needs to be told beside the answer, namely how much of
//! its quotas is left and, where pages of other origins write, whether the page may read it (CORS).

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpRequest, HttpResponse, web};

use super::client_address::client_address;
use super::error::Problem;
use super::links;
use super::problem;
use super::quota::{Reading, Whose};
use super::services::Services;
use crate::domain::origin::Origin;
use crate::domain::principal::{CredentialKind, Principal};
use crate::service::authenticate::{known_origin, remembered_origin};

/// The one route that answers pages.
const ROUTE_OF_PAGES: &str = "/v1/feedback";
/// The other routes where items are counted.
const ROUTES_OF_BACKENDS: [&str; 7] = [
    "/v1/completions",
    "/v1/ingest/litellm",
    "/v1/traces",
    "/v1/logs",
    "/api/public/otel/v1/traces",
    "/api/public/scores",
    "/api/public/ingestion",
];
/// How long a browser may keep the answer to its preflight, in seconds; browsers take no more.
const MAX_AGE_S: &str = "7200";
/// Without these names a page never sees the headers.
const EXPOSED: &str = "Retry-After, Date, RateLimit";

/// What is learnt of a visit on its way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Visit(Rc<Learnt>);

#[derive(Debug, Default)]
struct Learnt {
    is_admitted: Cell<Option<bool>>,
    is_turned_away: Cell<bool>,
    readings: RefCell<Vec<Reading>>,
}

impl Visit {
    /// Returns the visit that a request is; one that leads nowhere on another route.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_default()
    }

    /// Notes whether the caller, who is now known, may come from the page that the request names.
    pub(crate) fn settle(&self, is_admitted: bool) {
        self.0.is_admitted.set(Some(is_admitted));
    }

    /// Notes that there was no room for the request: it must not cost anything more.
    pub(crate) fn turn_away(&self) {
        self.0.is_turned_away.set(true);
    }

    /// Takes items from the quota of the network that a browser's request comes from.
    pub(crate) fn charge_address(
        &self,
        services: &Services,
        request: &HttpRequest,
        n_items: usize,
    ) -> Result<(), Problem> {
        let proxies = &services.settings().proxies;
        match client_address(proxies, request.peer_addr().map(|peer| peer.ip()), request.headers()) {
            Some(address) => self.charge(services, &Whose::Address(address), n_items),
            None => Ok(()),
        }
    }

    /// Takes items from the quotas of a caller.
    pub(crate) fn charge_caller(
        &self,
        services: &Services,
        principal: &Principal,
        n_items: usize,
    ) -> Result<(), Problem> {
        if let Some(grant) = &principal.grant {
            self.charge(services, &Whose::Subject(principal.project_id, &grant.subject), n_items)?;
        }
        let whose = match principal.credential.kind() {
            CredentialKind::SecretKey => Whose::SecretKey(&principal.credential),
            _ => Whose::BrowserKey(&principal.credential),
        };
        self.charge(services, &whose, n_items)
    }

    /// Tells whether the page that the request names may read the answer. While nobody knows who calls, a page that could
    /// call may learn why it was not heard; for one that was turned away, only where that is known without asking.
    async fn admits(&self, services: &Services, origin: &Origin) -> bool {
        match self.0.is_admitted.get() {
            Some(is_admitted) => is_admitted,
            None if self.0.is_turned_away.get() => remembered_origin(services.app(), origin),
            None => known_origin(services.app(), origin).await.unwrap_or(false),
        }
    }

    fn charge(&self, services: &Services, whose: &Whose, n_items: usize) -> Result<(), Problem> {
        let Some(reading) = services.door().quotas.charge(whose, n_items) else { return Ok(()) };
        let refused = reading.retry_after_s;
        self.0.readings.borrow_mut().push(reading);
        match refused {
            Some(wait_s) => Err(Problem::new(problem::QUOTA_EXCEEDED).retry_after(wait_s)),
            None => Ok(()),
        }
    }
}

/// Answers preflights, and adds to every other answer what its sender needs.
pub(crate) async fn attend(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    // What is compared is what the router compares: `%66` is an `f` to both.
    let path = request.match_info().as_str();
    let is_of_pages = path == ROUTE_OF_PAGES;
    if !is_of_pages && !ROUTES_OF_BACKENDS.contains(&path) && !path.starts_with(links::PREFIX) {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let Some(services) = request.app_data::<web::Data<Services>>().cloned() else {
        return Ok(request.error_response(Problem::new(problem::INTERNAL_ERROR)));
    };
    let (origin, visit) = (sole_origin(request.headers()).filter(|_| is_of_pages), Visit::default());
    if is_of_pages && is_preflight(&request) {
        return Ok(match visit.charge_address(&services, request.request(), 1) {
            Ok(()) => preflight(request, &services, origin).await,
            Err(problem) => request.error_response(problem),
        });
    }
    request.extensions_mut().insert(visit.clone());

    let mut response = next.call(request).await?.map_into_boxed_body();

    let headers = response.headers_mut();
    super::quota::render(&visit.0.readings.borrow(), headers);
    if is_of_pages {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    if let Some(origin) = origin
        && visit.admits(&services, &origin).await
    {
        allow(headers, &origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
    Ok(response)
}

fn is_preflight(request: &ServiceRequest) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Answers a preflight, which carries no credential: from what any key of the instance allows.
async fn preflight(request: ServiceRequest, services: &Services, origin: Option<Origin>) -> ServiceResponse<BoxBody> {
    let is_known = match &origin {
        Some(origin) => known_origin(services.app(), origin).await,
        None => Ok(false),
    };
    let mut response = match (is_known, origin) {
        (Ok(true), Some(origin)) => {
            let mut response = HttpResponse::NoContent().finish();
            let headers = response.headers_mut();
            allow(headers, &origin);
            for (name, value) in [
                (header::ACCESS_CONTROL_ALLOW_METHODS, "POST"),
                (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, content-encoding"),
                (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_S),
            ] {
                headers.insert(name, HeaderValue::from_static(value));
            }
            request.into_response(response)
        }
        (Ok(_), _) => request.error_response(Problem::new(problem::ORIGIN_NOT_ALLOWED)),
        (Err(error), _) => request.error_response(Problem::from(error)),
    };
    let varies = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
    response.headers_mut().insert(header::VARY, HeaderValue::from_static(varies));
    response
}

fn allow(headers: &mut HeaderMap, origin: &Origin) {
    if let Ok(value) = HeaderValue::from_str(origin.as_str()) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, value);
    }
}

/// Returns the origin that a request names once and in its exact form.
fn sole_origin(headers: &HeaderMap) -> Option<Origin> {
    let name: HeaderName = header::ORIGIN;
    let mut given = headers.get_all(name);
    match (given.next(), given.next()) {
        (Some(value), None) => Origin::parse(value.to_str().ok()?).ok(),
        _ => None,
    }
}
