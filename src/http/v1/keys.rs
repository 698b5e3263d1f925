//! `/v1/keys`: secret, publishable and signing keys of the caller's project. What is secret is shown once.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::super::auth::{Caller, MayAdminister};
use super::super::body::{Body, Media};
use super::super::error::Problem;
use super::super::openapi::names as doc;
use super::super::problem;
use super::super::services::Services;
use crate::domain::clock::Timestamp;
use crate::domain::credential::KeyId;
use crate::domain::fields::{FieldCode, FieldError, Fields, list as list_of, one_of, short_text, timestamp};
use crate::domain::ids::ProjectId;
use crate::domain::json::Json;
use crate::domain::origin::Origin;
use crate::domain::principal::Role;
use crate::domain::signing::{Algorithm, PublicKey};
use crate::service::key_ring::{self, KeyRequest, ListedKey, ListedKind, MadeKey, Purpose};

const MAX_ORIGINS: usize = 100;

/// A new key on the wire.
#[derive(Serialize)]
struct NewKeyItem {
    id: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    algorithm: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<ProjectId>,
}

/// A key on the wire.
#[derive(Serialize)]
struct KeyItem {
    id: String,
    kind: &'static str,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origins: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    algorithm: Option<&'static str>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct Page {
    keys: Vec<KeyItem>,
}

/// Makes a key; the answer is the only time that its secret is seen.
#[utoipa::path(post, path = "/v1/keys", tag = "Administering", operation_id = "create_key",
    security(("credential" = ["admin"])),
    request_body = doc::KeyBody,
    responses(
        (status = 201, description = "The key, shown this once", body = doc::NewKey,
            headers(("Location" = String, description = "Its address"))),
        (status = 409, description = "There are too many: `too_many_keys`"),
    ),
)]
pub(crate) async fn create(
    caller: Caller<MayAdminister>,
    body: Body,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let request = parse(body.read_json(Media::Json).await?).map_err(Problem::invalid)?;
    let project_id = caller.principal.project_id;
    let made = services.run(|app| async move { key_ring::make(&app, &caller.principal, request).await }).await?;
    let location = format!("/v1/keys/{}", made.id());
    Ok(HttpResponse::Created().insert_header((header::LOCATION, location)).json(NewKeyItem::of(&made, project_id)))
}

/// Lists the project's keys, those that are expired or revoked included.
#[utoipa::path(get, path = "/v1/keys", tag = "Administering", operation_id = "list_keys",
    security(("credential" = ["admin"])),
    responses((status = 200, description = "Every key, the oldest first", body = doc::KeysPage)),
)]
pub(crate) async fn list(
    caller: Caller<MayAdminister>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let project_id = caller.principal.project_id;
    let keys = services.run(|app| async move { key_ring::list(&app, project_id).await }).await?;
    Ok(HttpResponse::Ok().json(Page { keys: keys.into_iter().map(KeyItem::from).collect() }))
}

/// Revokes a key for good.
#[utoipa::path(delete, path = "/v1/keys/{id}", tag = "Administering", operation_id = "revoke_key",
    security(("credential" = ["admin"])),
    params(("id" = doc::KeyId, Path, description = "The key's public id")),
    responses((status = 204, description = "It is revoked for good")),
)]
pub(crate) async fn delete(
    caller: Caller<MayAdminister>,
    id: web::Path<String>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let id = KeyId::parse(&id).ok_or_else(|| Problem::new(problem::NOT_FOUND))?;
    services.run(|app| async move { key_ring::revoke(&app, &caller.principal, &id).await }).await?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Secret,
    Publishable,
    Signing,
}

const KINDS: &[(&str, Kind)] =
    &[("secret", Kind::Secret), ("publishable", Kind::Publishable), ("signing", Kind::Signing)];

/// Parses `{"kind", "name", "expires_at"}` and what belongs to the kind.
fn parse(body: Json) -> Result<KeyRequest, Vec<FieldError>> {
    let mut fields = Fields::open(body, "")?;
    let name = fields.required("name", short_text);
    let expires_at = fields.optional("expires_at", timestamp);
    let Some(kind) = fields.required("kind", one_of(KINDS)) else {
        // Which of the other fields belong here depends on the kind, so that none can be called unknown.
        fields.take_rest();
        return fields.finish().and(Err(Vec::new()));
    };
    let purpose = match kind {
        Kind::Secret => fields.required("role", one_of(Role::WORDS)).map(Purpose::Secret),
        Kind::Publishable => origins(&mut fields).map(Purpose::Publishable),
        Kind::Signing => match fields.required("algorithm", one_of(Algorithm::WORDS)) {
            Some(Algorithm::Hs256) => Some(Purpose::Hs256),
            Some(Algorithm::EdDsa) => fields.required("public_key", public_key).map(Purpose::EdDsaOf),
            None => {
                fields.take("public_key");
                None
            }
        },
    };
    fields.finish()?;
    match (name, purpose) {
        (Some(name), Some(purpose)) => Ok(KeyRequest { name, expires_at, purpose }),
        _ => Err(vec![FieldError::new("", FieldCode::Required, "a required field is absent")]),
    }
}

fn origins(fields: &mut Fields) -> Option<Vec<Origin>> {
    let mut origins = fields.required("origins", list_of(MAX_ORIGINS, origin))?;
    origins.sort();
    origins.dedup();
    if origins.is_empty() {
        fields.fail("origins", FieldCode::Empty, "must name at least one origin");
    }
    Some(origins)
}

fn origin(value: &Json) -> Result<Origin, (FieldCode, String)> {
    let text = value.as_str().ok_or_else(|| (FieldCode::WrongType, "must be strings".to_owned()))?;
    let origin = Origin::parse(text).map_err(|error| (FieldCode::Malformed, error.to_string()))?;
    if origin.is_secure() {
        return Ok(origin);
    }
    Err((FieldCode::Malformed, "must be https, unless it is this machine; the command line can allow http".to_owned()))
}

fn public_key(value: &Json) -> Result<PublicKey, (FieldCode, String)> {
    let parsed = match value {
        Json::String(pem) => PublicKey::parse_pem(pem),
        jwk => PublicKey::parse_jwk(jwk),
    };
    parsed.map_err(|error| (FieldCode::Malformed, error.to_string()))
}

impl NewKeyItem {
    fn of(made: &MadeKey, project_id: ProjectId) -> Self {
        let id = made.id().to_owned();
        let (kind, key, algorithm) = match made {
            MadeKey::Secret(key) => ("secret", Some(key.reveal()), None),
            MadeKey::Publishable(key) => ("publishable", Some(key.to_string()), None),
            MadeKey::Hs256(secret) => ("signing", Some(secret.reveal().to_owned()), Some(Algorithm::Hs256)),
            MadeKey::EdDsa { .. } => ("signing", None, Some(Algorithm::EdDsa)),
        };
        let issuer = algorithm.map(|_| project_id);
        Self { id, kind, key, algorithm: algorithm.map(Algorithm::as_str), issuer }
    }
}

impl From<ListedKey> for KeyItem {
    fn from(key: ListedKey) -> Self {
        let (kind, role, origins, algorithm) = match key.kind {
            ListedKind::Secret(role) => ("secret", Some(role.as_str()), None, None),
            ListedKind::Publishable(origins) => {
                ("publishable", None, Some(origins.iter().map(Origin::to_string).collect()), None)
            }
            ListedKind::Signing(algorithm) => ("signing", None, None, Some(algorithm)),
        };
        Self {
            id: key.id,
            kind,
            name: key.life.name,
            role,
            origins,
            algorithm,
            created_at: key.life.created_at,
            expires_at: key.life.expires_at,
            last_used_at: key.life.last_used_at,
            revoked_at: key.life.revoked_at,
        }
    }
}
