//! From a credential to a principal. One function, one answer for everything that is wrong.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::detached::detached;
use super::error::ServiceError;
use super::{App, ids};
use crate::domain::clock::Timestamp;
use crate::domain::principal::{Principal, SecretKey};
use crate::store::connection::Pool;
use crate::store::keys::{self, StoredKey};
use crate::store::{Access, Store};

/// How long a looked-up key is believed; a revocation reaches every request within it.
const BELIEVED_FOR: Duration = Duration::from_secs(1);
/// How seldom the time of last use is written.
const TOUCH_EVERY: Duration = Duration::from_mins(1);
const MAX_CACHED_KEYS: usize = 10_000;

/// Keys that were looked up a moment ago.
#[derive(Debug, Clone, Default)]
pub struct KeyCache(Arc<Mutex<HashMap<String, (StoredKey, Timestamp)>>>);

impl KeyCache {
    fn get(&self, key_id: &str, now: Timestamp) -> Option<StoredKey> {
        let cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (key, looked_up_at) = cache.get(key_id)?;
        let age = now.signed_duration_since(*looked_up_at).to_std().unwrap_or(BELIEVED_FOR);
        (age < BELIEVED_FOR).then(|| key.clone())
    }

    fn put(&self, key: StoredKey, now: Timestamp) {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= MAX_CACHED_KEYS {
            cache.clear();
        }
        cache.insert(key.key_id.clone(), (key, now));
    }
}

/// Finds out who presents a secret key.
pub async fn authenticate(app: &App, presented: &SecretKey) -> Result<Principal, ServiceError> {
    let now = app.clock.now();
    let stored = match app.keys.get(presented.id(), now) {
        Some(stored) => Some(stored),
        None => look_up(app, presented.id(), now).await?,
    };
    let presented_hash = Sha256::digest(presented.secret().as_bytes());
    // An unknown key is compared as well, so that it takes the same path as a wrong one.
    let stored_hash = stored.as_ref().map_or(&[0_u8; 32][..], |key| &key.secret_hash[..]);
    let matches: bool = presented_hash[..].ct_eq(stored_hash).into();
    match stored {
        Some(key) if matches && is_live(&key, now) => {
            Ok(Principal { project_id: key.project_id, key_id: key.key_id, role: key.role })
        }
        _ => Err(ServiceError::Unauthenticated),
    }
}

fn is_live(key: &StoredKey, now: Timestamp) -> bool {
    key.revoked_at.is_none_or(|revoked_at| now < revoked_at) && key.expires_at.is_none_or(|expires_at| now < expires_at)
}

async fn look_up(app: &App, key_id: &str, now: Timestamp) -> Result<Option<StoredKey>, ServiceError> {
    let (store, key_id) = (app.store.clone(), key_id.to_owned());
    let stored = detached(async move { find_and_touch(&store, &key_id, now).await }).await?;
    if let Some(key) = &stored {
        app.keys.put(key.clone(), now);
    }
    Ok(stored)
}

async fn find_and_touch(store: &Store, key_id: &str, now: Timestamp) -> Result<Option<StoredKey>, ServiceError> {
    let mut tx = store.begin(Pool::Reading, "authenticate", Access::Key(key_id)).await?;
    let stored = keys::find(&mut tx, key_id).await?;
    if let Some(key) = &stored {
        let stale = key.last_used_at.is_none_or(|at| (now - at).to_std().is_ok_and(|age| age >= TOUCH_EVERY));
        if stale && is_live(key, now) {
            keys::touch(&mut tx, key_id, now).await?;
        }
    }
    tx.commit().await?;
    Ok(stored)
}

/// Hashes the secret part of a key for storage.
pub fn hash_secret(key: &SecretKey) -> Vec<u8> {
    Sha256::digest(key.secret().as_bytes()).to_vec()
}

/// Makes the id of a request, which every problem names.
pub fn new_request_id() -> uuid::Uuid {
    ids::new_id()
}
