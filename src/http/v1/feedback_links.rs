//! `/v1/feedback-links`: links for mails and chats, where there is no page of the project's own.

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::super::auth::{Caller, MayIngest};
use super::super::body::{Body, Media};
use super::super::error::Problem;
use super::super::links::PREFIX;
use super::super::openapi::names as doc;
use super::super::services::Services;
use crate::domain::clock::Timestamp;
use crate::domain::token::NewToken;
use crate::service::tokens;

/// A new link on the wire.
#[derive(Serialize)]
struct LinkItem {
    /// Absent where the operator does not say under which name people reach the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    path: String,
    id: String,
    key_id: String,
    expires_at: Timestamp,
}

/// Makes a link to a page where one user says whether one completion was helpful; the answer is the only time that it is
/// seen.
#[utoipa::path(post, path = "/v1/feedback-links", tag = "Writing", operation_id = "create_feedback_link",
    security(("credential" = ["ingest", "admin"])),
    request_body = doc::LinkBody,
    responses(
        (status = 201, description = "The link", body = doc::Link),
        (status = 409, description = "There is no key to sign with: `signing_key_missing`"),
    ),
)]
pub(crate) async fn create(
    caller: Caller<MayIngest>,
    body: Body,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let asked = NewToken::link_from_json(body.read_json(Media::Json).await?).map_err(Problem::invalid)?;
    let minted = services.run(|app| async move { tokens::mint(&app, &caller.principal, asked).await }).await?;
    let path = format!("{PREFIX}{}", minted.token);
    Ok(HttpResponse::Created().json(LinkItem {
        url: services.settings().public_url.as_ref().map(|public| format!("{public}{path}")),
        path,
        id: minted.token_id,
        key_id: minted.key_id.to_string(),
        expires_at: minted.expires_at,
    }))
}
