//! `/v1/feedback-tokens`: permissions to react, minted for a backend's own users and taken back again.

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::super::auth::{Caller, MayIngest};
use super::super::body::{Body, Media};
use super::super::error::Problem;
use super::super::openapi::names as doc;
use super::super::services::Services;
use crate::domain::clock::Timestamp;
use crate::domain::fields::{FieldCode, FieldError, Fields, list};
use crate::domain::json::Json;
use crate::domain::token::{NewToken, token_id};
use crate::service::tokens;

/// Tokens that one request may take back.
const MAX_REVOKED_AT_ONCE: usize = 100;

/// A new token on the wire.
#[derive(Serialize)]
struct TokenItem {
    token: String,
    id: String,
    key_id: String,
    expires_at: Timestamp,
}

#[derive(Serialize)]
struct Revoked {
    revoked: usize,
}

/// Mints a token; the answer is the only time that it is seen.
#[utoipa::path(post, path = "/v1/feedback-tokens", tag = "Keys", operation_id = "create_feedback_token",
    security(("credential" = ["ingest", "admin"])),
    request_body = doc::FeedbackTokenBody,
    responses(
        (status = 201, description = "The token", body = doc::FeedbackToken),
        (status = 409, description = "The project has no key to sign with: `signing_key_missing`"),
    ),
)]
pub(crate) async fn create(
    caller: Caller<MayIngest>,
    body: Body,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let asked = NewToken::from_json(body.read_json(Media::Json).await?).map_err(Problem::invalid)?;
    let minted = services.run(|app| async move { tokens::mint(&app, &caller.principal, asked).await }).await?;
    Ok(HttpResponse::Created().json(TokenItem {
        token: minted.token,
        id: minted.token_id,
        key_id: minted.key_id.to_string(),
        expires_at: minted.expires_at,
    }))
}

/// Takes tokens back by their ids, whether or not anybody has seen them yet.
#[utoipa::path(post, path = "/v1/feedback-tokens/revoke", tag = "Keys", operation_id = "revoke_feedback_tokens",
    security(("credential" = ["ingest", "admin"])),
    request_body = doc::RevokedTokensBody,
    responses(
        (status = 200, description = "How many were not taken back before", body = doc::RevokedTokens),
        (status = 409, description = "Too many are taken back: `too_many_revocations`"),
    ),
)]
pub(crate) async fn revoke(
    caller: Caller<MayIngest>,
    body: Body,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let ids = parse_ids(body.read_json(Media::Json).await?).map_err(Problem::invalid)?;
    let revoked = services.run(|app| async move { tokens::revoke(&app, &caller.principal, ids).await }).await?;
    Ok(HttpResponse::Ok().json(Revoked { revoked }))
}

/// Parses `{"ids": […]}`.
fn parse_ids(body: Json) -> Result<Vec<String>, Vec<FieldError>> {
    let mut fields = Fields::open(body, "")?;
    let ids = fields.required("ids", list(MAX_REVOKED_AT_ONCE, token_id)).unwrap_or_default();
    fields.finish()?;
    if ids.is_empty() {
        return Err(vec![FieldError::new("/ids", FieldCode::Empty, "must name at least one token")]);
    }
    Ok(ids)
}
