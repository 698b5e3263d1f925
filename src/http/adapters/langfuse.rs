//! `/api/public/scores`: reactions as clients of Langfuse send them.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::super::auth::{Caller, MayIngestByBasic};
use super::super::body::{Body, Bound, Media};
use super::super::error::Problem;
use super::super::openapi::names as doc;
use super::super::services::Services;
use super::super::visit::Visit;
use crate::domain::feedback::NewFeedback;
use crate::domain::fields::FieldError;
use crate::domain::json::Json;
use crate::foreign::langfuse;
use crate::foreign::meaning::Meanings;
use crate::service::ingest::{self, Parsed};

/// Records a score as feedback on its observation, or else on its trace.
#[utoipa::path(post, path = "/api/public/scores", tag = "Adapters", operation_id = "create_langfuse_score",
    security(("credential" = ["ingest", "admin"]), ("basic" = [])),
    request_body = doc::LangfuseScore,
    responses(
        (status = 200, description = "The score is stored", body = doc::LangfuseScoreId),
        (status = 410, description = "Its user or its completion was erased: `erased`"),
        (status = 429, description = "Too many items in a while: `quota_exceeded`"),
    ),
)]
pub(crate) async fn create_score(
    request: HttpRequest,
    caller: Caller<MayIngestByBasic>,
    body: Body,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let received = body.receive_by(Media::Json, Bound::Backend, Json::parse_foreign).await?;
    let score = read(received.json(), &services.settings().score_meanings).map_err(Problem::invalid)?;
    Visit::of(&request).charge_caller(&services, &caller.principal, score.items.len())?;
    let items = score.items.into_iter().map(|item| Parsed { id: None, outcome: Ok(item) }).collect();
    let receipt = ingest::record_feedback(services.app(), &caller.principal, items).await?;
    if receipt.rejected.is_empty() {
        Ok(HttpResponse::Ok().json(json!({ "id": score.id })))
    } else {
        Err(Problem::none_accepted(receipt.rejected))
    }
}

/// A score, and the id that its sender is told.
struct Score {
    id: String,
    items: Vec<NewFeedback>,
}

/// Reads a score whole or not at all: what is wrong with a part of it is found before anything is written.
fn read(record: &Json, meanings: &Meanings) -> Result<Score, Vec<FieldError>> {
    let items = langfuse::score(record, meanings).map_err(|error| vec![error])?;
    let items = items.into_iter().map(|item| NewFeedback::from_json(item, "")).collect::<Result<Vec<_>, _>>()?;
    let given = record.get("id").and_then(Json::as_str).filter(|id| !id.is_empty()).map(str::to_owned);
    let made = || items.first().map(|item| item.id.to_string()).unwrap_or_default();
    Ok(Score { id: given.unwrap_or_else(made), items })
}
