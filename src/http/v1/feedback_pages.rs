//! `GET /v1/feedback`: what is stored of people's reactions, page by page.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::super::auth::{Caller, MayView};
use super::super::error::Problem;
use super::super::openapi::names as doc;
use super::super::query;
use super::super::services::Services;
use super::feedback_item::feedback_item;
use super::selection_params::SelectionParams;
use crate::domain::listing::{Cursor as _, Listing};
use crate::service::pages;

/// Lists feedback in the order of its completions' ids, whether they have arrived or not.
///
/// Filters over completions let through what is filed under the id of one that passes. Comments and edited texts are
/// shown to analysts only.
#[utoipa::path(get, path = "/v1/feedback", tag = "Reading", operation_id = "list_feedback",
    security(("credential" = ["viewer", "analyst", "admin"])),
    params(
        ("cursor" = Option<doc::FeedbackCursor>, Query, description = "The `next_cursor` of the page before"),
        SelectionParams,
        ("trust" = Option<doc::TrustFilter>, Query, description = "Whose feedback; everybody's where it is absent"),
    ),
    responses((status = 200, description = "A page", body = doc::FeedbackPage)),
)]
pub(crate) async fn list(
    request: HttpRequest,
    caller: Caller<MayView>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let listing = Listing::from_query(&query::parse(request.query_string())?).map_err(Problem::invalid_query)?;
    let may_read_text = caller.principal.role.may_analyse();
    let page = services.run(|app| async move { pages::list_feedback(&app, &caller.principal, listing).await }).await?;
    let last = page.feedback.last().filter(|_| page.has_more);
    let next_cursor = last.map(|record| (record.feedback.completion_id.clone(), record.feedback.id).to_text());
    let feedback: Vec<_> = page.feedback.iter().map(|record| feedback_item(record, may_read_text)).collect();
    Ok(HttpResponse::Ok().json(json!({"feedback": feedback, "next_cursor": next_cursor})))
}
