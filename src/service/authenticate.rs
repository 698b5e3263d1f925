//! From a credential to a principal. One function, one answer for everything that is wrong.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::runtime::Handle;

use super::authenticate_token::{CheckedTokens, Signer, TokenProjects};
use super::detached::spawn_on;
use super::error::ServiceError;
use super::lookups::Lookups;
use super::{App, authenticate_token, ids};
use crate::domain::clock::Timestamp;
use crate::domain::credential::{KeyId, PublishableKey};
use crate::domain::origin::Origin;
use crate::domain::principal::{CredentialId, CredentialKind, Principal, Role, SecretKey, Trust};
use crate::domain::token::Purpose;
use crate::store::audit::{self, AuditEntry};
use crate::store::connection::Pool;
use crate::store::key_life::{self, KeyTable};
use crate::store::keys::{self, StoredKey};
use crate::store::publishable_keys::{self, StoredPublishableKey};
use crate::store::{Access, Store, StoreError};

pub use crate::domain::credential::Presented;

/// How seldom the time of last use is written.
const TOUCH_EVERY_S: i64 = 60;
/// How seldom one secret key in a browser is reported.
const REPORT_EVERY: Duration = Duration::from_mins(1);
const MAX_REPORTED: usize = 1_000;

/// Credentials that were looked up a moment ago.
#[derive(Debug)]
pub struct Credentials {
    secrets: Lookups<SecretHolder>,
    publishable: Lookups<PublishableHolder>,
    pub(super) signers: Lookups<Signer>,
    pub(super) tokens: CheckedTokens,
    pub(super) token_projects: TokenProjects,
    origins: Lookups<()>,
    reported: Mutex<HashMap<String, Instant>>,
}

/// Whoever holds a secret key.
#[derive(Debug)]
struct SecretHolder {
    key: StoredKey,
    principal: Arc<Principal>,
    last_use: LastUse,
}

/// Whoever holds a publishable key.
#[derive(Debug)]
struct PublishableHolder {
    key: StoredPublishableKey,
    principal: Arc<Principal>,
    last_use: LastUse,
}

/// The minute in which a key was last used, as far as this process knows.
#[derive(Debug)]
pub(super) struct LastUse(AtomicI64);

impl LastUse {
    pub(super) fn new(last_used_at: Option<Timestamp>) -> Self {
        Self(AtomicI64::new(last_used_at.map_or(i64::MIN, |at| at.timestamp())))
    }

    /// Writes the time of an accepted use, seldom and without anybody waiting for it.
    pub(super) fn note(&self, app: &App, credential: &CredentialId, now: Timestamp) {
        let last = self.0.load(Ordering::Relaxed);
        let is_due = now.timestamp().saturating_sub(last) >= TOUCH_EVERY_S
            && self.0.compare_exchange(last, now.timestamp(), Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if is_due {
            let (store, credential) = (app.store.clone(), credential.clone());
            spawn_on(&app.runtime, async move {
                if let Err(error) = write_use(&store, &credential, now).await {
                    tracing::warn!(error = %error, "the last use of a key was not written");
                }
            });
        }
    }
}

async fn write_use(store: &Store, credential: &CredentialId, now: Timestamp) -> Result<(), StoreError> {
    let key_id = credential.as_str();
    let mut tx = store.begin(Pool::Ingest, "key.touch", Access::Key(key_id)).await?;
    match credential.kind() {
        CredentialKind::SecretKey => key_life::touch(&mut tx, KeyTable::Secret, key_id, now).await?,
        CredentialKind::PublishableKey => key_life::touch(&mut tx, KeyTable::Publishable, key_id, now).await?,
        CredentialKind::SigningKey => key_life::touch(&mut tx, KeyTable::Signing, key_id, now).await?,
        CredentialKind::Operator => {}
    }
    tx.commit().await
}

impl Credentials {
    /// Knows nobody yet; look-ups run on `runtime`.
    pub fn new(runtime: &Handle) -> Self {
        Self {
            secrets: Lookups::new(runtime.clone()),
            publishable: Lookups::new(runtime.clone()),
            signers: Lookups::new(runtime.clone()),
            tokens: CheckedTokens::default(),
            token_projects: TokenProjects::default(),
            origins: Lookups::new(runtime.clone()),
            reported: Mutex::default(),
        }
    }

    /// Forgets a key of whichever kind, so that this process sees its revocation at once.
    pub(super) fn forget(&self, key_id: &str) {
        self.secrets.forget(key_id);
        self.publishable.forget(key_id);
        self.signers.forget(key_id);
    }

    /// Tells whether a report of this key is due, and notes that it is made.
    fn must_report(&self, key_id: &str, now: Instant) -> bool {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        reported.retain(|_, at| now.saturating_duration_since(*at) < REPORT_EVERY);
        if reported.contains_key(key_id) || reported.len() >= MAX_REPORTED {
            return false;
        }
        reported.insert(key_id.to_owned(), now).is_none()
    }
}

/// Finds out who presents a credential. It holds no transaction: a caller that goes away cuts nothing.
pub async fn authenticate(app: &App, presented: &Presented) -> Result<Arc<Principal>, ServiceError> {
    match presented {
        Presented::Secret(key) => secret(app, key).await,
        Presented::Publishable(key) => publishable(app, key).await,
        // Boxed, or every request would carry the room that a token's look-ups may need.
        Presented::Token(text) => Box::pin(authenticate_token::token(app, text, Purpose::Interface)).await,
    }
}

/// Tells whether any live publishable key of the instance names an origin: what a preflight, which has no credential,
/// is answered from.
pub async fn known_origin(app: &App, origin: &Origin) -> Result<bool, ServiceError> {
    let found = app.credentials.origins.get(origin.as_str(), || {
        let (store, origin, now) = (app.store.clone(), origin.clone(), app.clock.now());
        async move {
            let mut tx = store.begin(Pool::Ingest, "known_origin", Access::Origin(&origin)).await?;
            let is_known = publishable_keys::is_origin_known(&mut tx, &origin, now).await?;
            tx.commit().await?;
            Ok(is_known.then_some(()))
        }
    });
    Ok(found.await?.is_some())
}

/// Tells whether an origin is known to be one that [`known_origin`] knows, without asking the database.
pub fn remembered_origin(app: &App, origin: &Origin) -> bool {
    app.credentials.origins.remembered(origin.as_str()).is_some()
}

async fn secret(app: &App, presented: &SecretKey) -> Result<Arc<Principal>, ServiceError> {
    let found = app.credentials.secrets.get(presented.id(), || {
        let (store, key_id) = (app.store.clone(), presented.id().to_owned());
        async move { find_secret(&store, &key_id).await }
    });
    let (found, now) = (found.await?, app.clock.now());
    let presented_hash = Sha256::digest(presented.secret().as_bytes());
    // An unknown key is compared as well, so that it takes the same path as a wrong one.
    let stored_hash = found.as_ref().map_or(&[0_u8; 32][..], |holder| &holder.key.secret_hash[..]);
    let matches: bool = presented_hash[..].ct_eq(stored_hash).into();
    match found {
        Some(holder) if matches && holder.key.life.is_live(now) => {
            holder.last_use.note(app, &holder.principal.credential, now);
            Ok(Arc::clone(&holder.principal))
        }
        _ => Err(ServiceError::Unauthenticated),
    }
}

async fn find_secret(store: &Store, key_id: &str) -> Result<Option<SecretHolder>, ServiceError> {
    let mut tx = store.begin(Pool::Ingest, "authenticate", Access::Key(key_id)).await?;
    let found = keys::find(&mut tx, key_id).await?;
    tx.commit().await?;
    Ok(found.map(|key| {
        let credential = CredentialId::new(CredentialKind::SecretKey, &key.key_id);
        let principal = Arc::new(Principal::of_backend(key.project_id, credential, key.role));
        SecretHolder { last_use: LastUse::new(key.life.last_used_at), key, principal }
    }))
}

async fn publishable(app: &App, presented: &PublishableKey) -> Result<Arc<Principal>, ServiceError> {
    let found = app.credentials.publishable.get(presented.id().as_str(), || {
        let (store, key_id) = (app.store.clone(), presented.id().clone());
        async move { find_publishable(&store, &key_id).await }
    });
    let (found, now) = (found.await?, app.clock.now());
    match found {
        Some(holder) if holder.key.life.is_live(now) => {
            holder.last_use.note(app, &holder.principal.credential, now);
            Ok(Arc::clone(&holder.principal))
        }
        _ => Err(ServiceError::Unauthenticated),
    }
}

async fn find_publishable(store: &Store, key_id: &KeyId) -> Result<Option<PublishableHolder>, ServiceError> {
    let mut tx = store.begin(Pool::Ingest, "authenticate", Access::Key(key_id.as_str())).await?;
    let found = publishable_keys::find(&mut tx, key_id).await?;
    tx.commit().await?;
    Ok(found.map(|key| {
        let principal = Arc::new(Principal {
            project_id: key.project_id,
            credential: CredentialId::new(CredentialKind::PublishableKey, key.key_id.as_str()),
            role: Role::Feedback,
            trust: Trust::Unverified,
            grant: None,
            origins: key.origins.iter().cloned().collect(),
        });
        PublishableHolder { last_use: LastUse::new(key.life.last_used_at), key, principal }
    }))
}

/// Writes into the audit that a secret key came out of a browser, if it is a real one: whoever guesses reports nothing.
///
/// Nobody waits for it, so that the answer does not tell whether the key was real.
pub fn report_secret_in_browser(app: &App, presented: &SecretKey, origin: Option<Origin>) {
    if !app.credentials.must_report(presented.id(), Instant::now()) {
        return;
    }
    let (app, presented) = (app.clone(), presented.clone());
    let runtime = app.runtime.clone();
    spawn_on(&runtime, async move {
        if let Ok(principal) = secret(&app, &presented).await
            && let Err(error) = write_report(&app, &principal, origin.as_ref()).await
        {
            tracing::warn!(error = %error, "a report of a secret key in a browser was not written");
        }
    });
}

async fn write_report(app: &App, principal: &Principal, origin: Option<&Origin>) -> Result<(), ServiceError> {
    let project_id = principal.project_id;
    let mut tx = app.store.begin(Pool::Ingest, "key.report", Access::Projects(&[project_id])).await?;
    let entry = AuditEntry {
        project_id,
        audit_id: ids::new_id(),
        at: app.clock.now(),
        actor: principal.credential.as_str(),
        action: "key.used_in_browser",
        subject: principal.credential.as_str(),
        // An origin is made of letters, digits and a few signs, none of which JSON escapes.
        details: origin.map_or_else(|| "{}".to_owned(), |origin| format!("{{\"origin\":\"{origin}\"}}")),
    };
    audit::insert(&mut tx, &entry).await?;
    Ok(tx.commit().await?)
}

/// Hashes the secret part of a key for storage.
pub fn hash_secret(key: &SecretKey) -> Vec<u8> {
    Sha256::digest(key.secret().as_bytes()).to_vec()
}
