//! `/f/{token}`: the page behind a feedback link. Whoever looks at it changes nothing, because scanners of mail and previews
//! of chats look at every link (LINK-1); what its form sends is recorded. Whatever goes wrong here is told as a page, which
//! `http::edge` writes.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use super::body::Body;
use super::error::Problem;
use super::openapi::names as doc;
use super::services::Services;
use super::visit::Visit;
use super::{link_page, problem, query};
use crate::domain::credential::TokenText;
use crate::domain::feedback::Thumb;
use crate::domain::link::Answer;
use crate::service::ServiceError;
use crate::service::links::{self, Link};

/// What the addresses of links begin with.
pub(crate) const PREFIX: &str = "/f/";

/// Shows the form, and what is recorded; records nothing.
#[utoipa::path(get, path = "/f/{token}", tag = "People", operation_id = "show_feedback_link",
    params(
        ("token" = doc::LinkToken, Path, description = "The token of the link"),
        ("value" = Option<doc::LinkChoice>, Query, description = "The thumb that is chosen already; what else a mailer \
            adds to an address is let pass"),
    ),
    responses(
        (status = 200, description = "A page", content_type = "text/html", body = doc::Page),
        (status = 404, description = "Expired, taken back, or no link of this service's: `link_invalid`"),
        (status = 429, description = "Too much in a while: `quota_exceeded`"),
    ),
)]
pub(crate) async fn show(
    request: HttpRequest,
    token: web::Path<String>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    Visit::of(&request).charge_address(&services, &request, 1)?;
    let link = open(&services, &token).await?;
    let recorded = services.run(|app| async move { links::recorded(&app, &link).await }).await?;
    let mut response = HttpResponse::Ok();
    link_page::dress(&mut response);
    Ok(response.body(link_page::form(recorded.as_ref(), chosen(&request))))
}

/// Records what the form says and leads back to the page, which tells what is recorded now.
#[utoipa::path(post, path = "/f/{token}", tag = "People", operation_id = "answer_feedback_link",
    params(("token" = doc::LinkToken, Path, description = "The token of the link")),
    request_body(content = doc::LinkForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 303, description = "It is stored; the page is at the same address"),
        (status = 404, description = "Expired, taken back, or no link of this service's: `link_invalid`"),
        (status = 410, description = "The user or the completion was erased: `erased`"),
        (status = 429, description = "Too much in a while: `quota_exceeded`"),
    ),
)]
pub(crate) async fn answer(
    request: HttpRequest,
    token: web::Path<String>,
    body: Body,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let visit = Visit::of(&request);
    visit.charge_address(&services, &request, 1)?;
    let link = open(&services, &token).await?;
    query::check(&request)?;
    let answer = Answer::from_form(&body.read_form().await?).map_err(Problem::invalid_query)?;
    visit.charge_caller(&services, &link.principal, 1)?;
    let receipt = services.run(|app| async move { links::answer(&app, &link, &answer).await }).await?;
    if !receipt.rejected.is_empty() {
        return Err(Problem::none_accepted(receipt.rejected));
    }
    // The same address without a query: it is not repeated here, where somebody may write it down.
    Ok(HttpResponse::SeeOther().insert_header((header::LOCATION, "?")).finish())
}

/// Opens the link that an address names. No origin is asked: whoever has the address could open it anywhere.
async fn open(services: &Services, token: &str) -> Result<Link, Problem> {
    let invalid = || Problem::new(problem::LINK_INVALID);
    let text = TokenText::parse(token).ok_or_else(invalid)?;
    Box::pin(links::open(services.app(), &text)).await.map_err(|error| match error {
        ServiceError::Unauthenticated => invalid(),
        other => other.into(),
    })
}

/// Reads which thumb the link itself chooses. Mailers add parameters of their own to every link, so that nothing else in the
/// query can be refused.
fn chosen(request: &HttpRequest) -> Option<Thumb> {
    let pairs = query::parse(request.query_string()).unwrap_or_default();
    let word = pairs.into_iter().find(|(name, _)| name == "value").map(|(_, word)| word)?;
    [Thumb::Up, Thumb::Down].into_iter().find(|value| value.as_str() == word)
}
