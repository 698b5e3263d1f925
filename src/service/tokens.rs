//! Feedback tokens: minted for whoever may write feedback anyway, and taken back before they expire.

use chrono::TimeDelta;
use serde_json::json;

use super::App;
use super::chance::new_signing_secret;
use super::detached::detached;
use super::error::{Conflict, ServiceError};
use super::ids::new_id;
use super::key_ring::record;
use super::signature::sign;
use crate::domain::clock::Timestamp;
use crate::domain::credential::KeyId;
use crate::domain::ids::ProjectId;
use crate::domain::key_life::KeyLife;
use crate::domain::principal::Principal;
use crate::domain::signing::{Algorithm, SigningSecret, VerifyingKey};
use crate::domain::token::{Claims, LEEWAY, MAX_LINK_LIFE_S, NewToken};
use crate::store::Access;
use crate::store::connection::{Pool, Tx};
use crate::store::signing_keys::{self, StoredSigningKey};

/// Tokens of one project that may be taken back at once; every service holds their ids. Beyond it, revoke the key.
pub const MAX_REVOKED: i64 = 10_000;

/// A token that was minted.
#[derive(Clone)]
pub struct MintedToken {
    /// The token itself; it is kept nowhere.
    pub token: String,
    /// Its `jti`.
    pub token_id: String,
    /// The key that it is signed with.
    pub key_id: KeyId,
    /// From when on it is refused.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for MintedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MintedToken").field("token_id", &self.token_id).finish_non_exhaustive()
    }
}

/// Mints a token with the project's newest HS256 key. A project without any signing key gets one.
pub async fn mint(app: &App, principal: &Principal, asked: NewToken) -> Result<MintedToken, ServiceError> {
    let (app, principal) = (app.clone(), principal.clone());
    detached(async move {
        let (project_id, now) = (principal.project_id, app.clock.now());
        let mut tx = app.store.begin(Pool::Reading, "token.mint", Access::Projects(&[project_id])).await?;
        let claims = Claims::new(project_id, asked, new_id().to_string(), now);
        let secret = signing_secret(&mut tx, &principal, claims.grant.expires_at, now).await?;
        let token = sign(&secret, &claims.to_signed_part(secret.id(), Algorithm::Hs256))?;
        // Whom the token speaks for is theirs, and not the audit's.
        let details = json!({"key_id": secret.id().as_str(), "expires_at": claims.grant.expires_at}).to_string();
        record(&mut tx, &principal, now, "token.minted", &claims.grant.token_id, details).await?;
        tx.commit().await?;
        let (token_id, expires_at) = (claims.grant.token_id, claims.grant.expires_at);
        Ok(MintedToken { token, token_id, key_id: secret.id().clone(), expires_at })
    })
    .await
}

async fn signing_secret(
    tx: &mut Tx,
    principal: &Principal,
    until: Timestamp,
    now: Timestamp,
) -> Result<SigningSecret, ServiceError> {
    let keys = signing_keys::list(tx, principal.project_id).await?;
    let outlives = |life: &KeyLife| life.revoked_at.is_none() && life.expires_at.is_none_or(|at| until <= at);
    let newest = keys.iter().rev().filter(|key| outlives(&key.life)).find_map(|key| match &key.key {
        VerifyingKey::Hs256(secret) => Some(secret.clone()),
        VerifyingKey::EdDsa(_) => None,
    });
    match newest {
        Some(secret) => Ok(secret),
        None if keys.is_empty() => first_secret(tx, principal, now).await,
        // Whoever chose keys of their own has a reason for it.
        None => Err(ServiceError::Conflict(Conflict::NoSigningKey)),
    }
}

async fn first_secret(tx: &mut Tx, principal: &Principal, now: Timestamp) -> Result<SigningSecret, ServiceError> {
    let secret = new_signing_secret()?;
    let stored = StoredSigningKey {
        key_id: secret.id().clone(),
        project_id: principal.project_id,
        key: VerifyingKey::Hs256(secret.clone()),
        life: KeyLife::begin("first".to_owned(), now, None),
    };
    signing_keys::insert(tx, &stored).await?;
    let details = json!({"kind": "signing", "algorithm": "HS256"}).to_string();
    record(tx, principal, now, "key.created", secret.id().as_str(), details).await?;
    Ok(secret)
}

/// Takes tokens back by their ids; tells how many were not taken back before.
pub async fn revoke(app: &App, principal: &Principal, token_ids: Vec<String>) -> Result<usize, ServiceError> {
    let (app, principal) = (app.clone(), principal.clone());
    detached(async move {
        let (project_id, now): (ProjectId, Timestamp) = (principal.project_id, app.clock.now());
        let mut tx = app.store.begin(Pool::Reading, "token.revoke", Access::Projects(&[project_id])).await?;
        let n_held = signing_keys::prune_revoked_tokens(&mut tx, project_id, now).await?;
        if n_held + token_ids.len() as i64 > MAX_REVOKED {
            return Err(ServiceError::Conflict(Conflict::TooManyRevocations));
        }
        // A token that is valid now was made at most so long ago, and is dead by then.
        let forget_at = now + TimeDelta::seconds(MAX_LINK_LIFE_S) + LEEWAY * 2;
        let mut n_revoked = 0;
        for token_id in &token_ids {
            if signing_keys::insert_revoked_token(&mut tx, project_id, token_id, now, forget_at).await? {
                record(&mut tx, &principal, now, "token.revoked", token_id, "{}".to_owned()).await?;
                n_revoked += 1;
            }
        }
        let keys = signing_keys::list(&mut tx, project_id).await?;
        tx.commit().await?;
        // What is known of the project's signing keys says which tokens were taken back.
        for key in &keys {
            app.credentials.forget(key.key_id.as_str());
        }
        Ok(n_revoked)
    })
    .await
}
