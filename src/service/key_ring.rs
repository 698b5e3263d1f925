//! The keys of one project, of every kind: made, listed and revoked by whoever administers it.

use serde_json::json;

use super::App;
use super::authenticate::hash_secret;
use super::chance::{new_key_id, new_secret_key, new_seed, new_signing_secret};
use super::detached::detached;
use super::error::{Conflict, ServiceError};
use super::ids::new_id;
use super::signature::private_key_of;
use crate::domain::clock::Timestamp;
use crate::domain::credential::{KeyId, PublishableKey};
use crate::domain::ids::ProjectId;
use crate::domain::key_life::KeyLife;
use crate::domain::origin::Origin;
use crate::domain::principal::{Principal, Role, SecretKey};
use crate::domain::signing::{PublicKey, SigningSecret, VerifyingKey};
use crate::store::audit::{self, AuditEntry};
use crate::store::connection::{Pool, Tx};
use crate::store::key_life::{self, KeyTable};
use crate::store::keys::{self, StoredKey};
use crate::store::publishable_keys::{self, StoredPublishableKey};
use crate::store::signing_keys::{self, StoredSigningKey};
use crate::store::{Access, Store};

/// The most live keys of one kind in a project: every check of a token reads them, and forgotten keys are a danger.
const MAX_LIVE_KEYS: usize = 200;

/// A key to be made.
#[derive(Debug, Clone)]
pub struct KeyRequest {
    /// What the operator calls it; several keys may have one name, so that one can take over from another.
    pub name: String,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// What it is for.
    pub purpose: Purpose,
}

/// What a key is for.
#[derive(Debug, Clone)]
pub enum Purpose {
    /// A backend that may do what the role says.
    Secret(Role),
    /// Pages of these origins.
    Publishable(Vec<Origin>),
    /// Signing tokens with a shared secret.
    Hs256,
    /// Signing tokens with a private key that is made here and forgotten at once.
    EdDsa,
    /// Signing tokens with a private key that never was here.
    EdDsaOf(PublicKey),
}

/// A key that was made; what is secret in it is seen this once.
#[derive(Debug, Clone)]
pub enum MadeKey {
    /// A secret key.
    Secret(SecretKey),
    /// A publishable key.
    Publishable(PublishableKey),
    /// An HS256 signing key.
    Hs256(SigningSecret),
    /// An EdDSA signing key.
    EdDsa {
        /// Its id.
        id: KeyId,
        /// Its private part as PEM, where it was made here.
        private_pem: Option<PrivatePem>,
    },
}

/// The PEM of a private key; it is not written by accident.
#[derive(Clone)]
pub struct PrivatePem(String);

impl PrivatePem {
    /// Returns the text, once, for the person who asked for it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PrivatePem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PrivatePem(redacted)")
    }
}

impl MadeKey {
    /// Returns the public id.
    pub fn id(&self) -> &str {
        match self {
            Self::Secret(key) => key.id(),
            Self::Publishable(key) => key.id().as_str(),
            Self::Hs256(secret) => secret.id().as_str(),
            Self::EdDsa { id, .. } => id.as_str(),
        }
    }
}

/// A key as it is listed: nothing of it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedKey {
    /// Public id.
    pub id: String,
    /// What it is for.
    pub kind: ListedKind,
    /// Its name and its times.
    pub life: KeyLife,
}

/// What a listed key is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListedKind {
    /// A backend.
    Secret(Role),
    /// Pages.
    Publishable(Vec<Origin>),
    /// Signing tokens by an algorithm.
    Signing(&'static str),
}

/// Makes a key in the principal's project.
pub async fn make(app: &App, principal: &Principal, request: KeyRequest) -> Result<MadeKey, ServiceError> {
    let (app, principal) = (app.clone(), principal.clone());
    detached(async move {
        let project_id = principal.project_id;
        let mut tx = app.store.begin(Pool::Reading, "key.create", Access::Projects(&[project_id])).await?;
        let now = app.clock.now();
        check_room(&mut tx, project_id, &request.purpose, now).await?;
        let (made, details) = insert(&mut tx, project_id, request, now).await?;
        record(&mut tx, &principal, now, "key.created", made.id(), details.to_string()).await?;
        tx.commit().await?;
        Ok(made)
    })
    .await
}

async fn check_room(tx: &mut Tx, project: ProjectId, purpose: &Purpose, now: Timestamp) -> Result<(), ServiceError> {
    let of_kind = |key: &&ListedKey| match purpose {
        Purpose::Secret(_) => matches!(key.kind, ListedKind::Secret(_)),
        Purpose::Publishable(_) => matches!(key.kind, ListedKind::Publishable(_)),
        Purpose::Hs256 | Purpose::EdDsa | Purpose::EdDsaOf(_) => matches!(key.kind, ListedKind::Signing(_)),
    };
    let n_live = list_in(tx, project).await?.iter().filter(of_kind).filter(|key| key.life.is_live(now)).count();
    if n_live < MAX_LIVE_KEYS { Ok(()) } else { Err(ServiceError::Conflict(Conflict::TooManyKeys)) }
}

async fn insert(
    tx: &mut Tx,
    project_id: ProjectId,
    request: KeyRequest,
    now: Timestamp,
) -> Result<(MadeKey, serde_json::Value), ServiceError> {
    let KeyRequest { name, expires_at, purpose } = request;
    let life = KeyLife::begin(name, now, expires_at);
    match purpose {
        Purpose::Secret(role) => {
            let key = new_secret_key()?;
            let stored =
                StoredKey { key_id: key.id().to_owned(), project_id, role, secret_hash: hash_secret(&key), life };
            keys::insert(tx, &stored).await?;
            Ok((MadeKey::Secret(key), json!({"kind": "secret", "role": role.as_str()})))
        }
        Purpose::Publishable(origins) => {
            let key_id = new_key_id()?;
            let listed: Vec<&str> = origins.iter().map(Origin::as_str).collect();
            let details = json!({"kind": "publishable", "origins": listed});
            let stored = StoredPublishableKey { key_id: key_id.clone(), project_id, origins, life };
            publishable_keys::insert(tx, &stored).await?;
            Ok((MadeKey::Publishable(PublishableKey::new(key_id)), details))
        }
        Purpose::Hs256 => {
            let secret = new_signing_secret()?;
            let (key_id, key) = (secret.id().clone(), VerifyingKey::Hs256(secret.clone()));
            let stored = StoredSigningKey { key_id, project_id, key, life };
            signing_keys::insert(tx, &stored).await?;
            Ok((MadeKey::Hs256(secret), json!({"kind": "signing", "algorithm": "HS256"})))
        }
        Purpose::EdDsa | Purpose::EdDsaOf(_) => {
            let (public_key, private_pem) = if let Purpose::EdDsaOf(public_key) = purpose {
                (public_key, None)
            } else {
                let made = private_key_of(new_seed()?)?;
                (made.public_key, Some(PrivatePem(made.private_pem)))
            };
            let id = new_key_id()?;
            let (key_id, key) = (id.clone(), VerifyingKey::EdDsa(public_key));
            signing_keys::insert(tx, &StoredSigningKey { key_id, project_id, key, life }).await?;
            Ok((MadeKey::EdDsa { id, private_pem }, json!({"kind": "signing", "algorithm": "EdDSA"})))
        }
    }
}

/// Lists the keys of a project, of every kind, oldest first.
pub async fn list(app: &App, project_id: ProjectId) -> Result<Vec<ListedKey>, ServiceError> {
    let store = app.store.clone();
    detached(async move {
        let mut tx = store.begin(Pool::Reading, "key.list", Access::Projects(&[project_id])).await?;
        let listed = list_in(&mut tx, project_id).await?;
        tx.commit().await?;
        Ok(listed)
    })
    .await
}

async fn list_in(tx: &mut Tx, project_id: ProjectId) -> Result<Vec<ListedKey>, ServiceError> {
    let secret = keys::list(tx, project_id).await?.into_iter().map(|key| ListedKey {
        id: key.key_id,
        kind: ListedKind::Secret(key.role),
        life: key.life,
    });
    let publishable = publishable_keys::list(tx, project_id).await?.into_iter().map(|key| ListedKey {
        id: key.key_id.to_string(),
        kind: ListedKind::Publishable(key.origins),
        life: key.life,
    });
    let signing = signing_keys::list(tx, project_id).await?.into_iter().map(|key| ListedKey {
        id: key.key_id.to_string(),
        kind: ListedKind::Signing(key.key.algorithm().as_str()),
        life: key.life,
    });
    let mut listed: Vec<ListedKey> = secret.chain(publishable).chain(signing).collect();
    listed.sort_by(|left, right| (left.life.created_at, &left.id).cmp(&(right.life.created_at, &right.id)));
    Ok(listed)
}

/// Revokes a live key of the principal's project, of whichever kind, by its public id.
pub async fn revoke(app: &App, principal: &Principal, key_id: &KeyId) -> Result<(), ServiceError> {
    let (app, principal, key_id) = (app.clone(), principal.clone(), key_id.clone());
    detached(async move {
        let project_id = principal.project_id;
        let mut tx = app.store.begin(Pool::Reading, "key.revoke", Access::Projects(&[project_id])).await?;
        let now = app.clock.now();
        let mut is_revoked = false;
        for table in KeyTable::ALL {
            is_revoked = is_revoked || key_life::revoke(&mut tx, table, project_id, key_id.as_str(), now).await?;
        }
        if !is_revoked {
            return Err(ServiceError::NotFound);
        }
        record(&mut tx, &principal, now, "key.revoked", key_id.as_str(), "{}".to_owned()).await?;
        let signing = signing_keys::list(&mut tx, project_id).await?;
        tx.commit().await?;
        app.credentials.forget(key_id.as_str());
        // What is known of them says from which origins their tokens may come.
        for key in &signing {
            app.credentials.forget(key.key_id.as_str());
        }
        Ok(())
    })
    .await
}

/// Finds the project of a key, of whichever kind, for the person at the command line.
pub(super) async fn find_project(store: &Store, key_id: &KeyId) -> Result<Option<ProjectId>, ServiceError> {
    let mut tx = store.begin(Pool::Reading, "key.find", Access::Key(key_id.as_str())).await?;
    let secret = keys::find(&mut tx, key_id.as_str()).await?.map(|key| key.project_id);
    let publishable = publishable_keys::find(&mut tx, key_id).await?.map(|key| key.project_id);
    let signing = signing_keys::find(&mut tx, key_id).await?.map(|key| key.project_id);
    tx.commit().await?;
    Ok(secret.or(publishable).or(signing))
}

/// Writes into the audit what a principal did to a credential.
pub(super) async fn record(
    tx: &mut Tx,
    principal: &Principal,
    at: Timestamp,
    action: &'static str,
    subject: &str,
    details: String,
) -> Result<(), ServiceError> {
    let entry = AuditEntry {
        project_id: principal.project_id,
        audit_id: new_id(),
        at,
        actor: principal.credential.as_str(),
        action,
        subject,
        details,
    };
    Ok(audit::insert(tx, &entry).await?)
}
