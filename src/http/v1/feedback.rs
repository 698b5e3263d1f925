//! `/v1/feedback`: how people reacted. No completion is looked up: feedback may come before its own (LATE-1).

use actix_web::{HttpRequest, HttpResponse, web};

use super::super::auth::Sender;
use super::super::body::{Body, Bound, Media};
use super::super::error::Problem;
use super::super::openapi::names as doc;
use super::super::query;
use super::super::services::Services;
use super::super::visit::Visit;
use super::receipt;
use crate::domain::batch;
use crate::service::ingest;

/// Records one reaction or many.
#[utoipa::path(post, path = "/v1/feedback", tag = "Writing", operation_id = "create_feedback",
    security(("credential" = ["feedback", "ingest", "admin"])),
    request_body(content((doc::FeedbackBody = "application/json"), (doc::FeedbackBody = "text/plain"))),
    responses(
        (status = 200, description = "Every item is stored", body = doc::Receipt),
        (status = 207, description = "Some are; `rejected` lists the others", body = doc::Receipt),
        (status = 410, description = "None is, and all that is wrong is that they were erased: `erased`"),
        (status = 429, description = "Too many items in a while: `quota_exceeded`"),
    ),
)]
pub(crate) async fn create(
    request: HttpRequest,
    sender: Sender,
    body: Body,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let (visit, is_browser) = (Visit::of(&request), sender.may_be_browser());
    if is_browser {
        // Whatever the body turns out to be, it is one item at least.
        visit.charge_address(&services, &request, 1)?;
    }
    let bound = if is_browser { Bound::Browser } else { Bound::Backend };
    let body = body.receive(Media::JsonOrText, bound).await?;
    let principal = sender.principal(body.json()).await?.claiming(batch::claimed_trust(body.json()));
    query::check(&request)?;
    let grant = principal.grant.clone();
    let items = body.parse(move |json| batch::feedback(json, grant.as_deref())).await??;
    if is_browser {
        visit.charge_address(&services, &request, items.len().saturating_sub(1))?;
    }
    visit.charge_caller(&services, &principal, items.len())?;
    // The ingest writers own the transaction (TX-1): whoever hangs up here leaves nothing but a verdict that nobody reads.
    receipt::render(ingest::record_feedback(services.app(), &principal, receipt::to_parsed(items)).await?)
}
