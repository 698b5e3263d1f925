//! Feedback tokens on their way in: read, checked against their key, believed for as long as they say.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::App;
use super::authenticate::LastUse;
use super::detached::detached_on;
use super::error::ServiceError;
use super::signature::is_genuine;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::credential::{KeyId, TokenText};
use crate::domain::grant::Grant;
use crate::domain::hash::ContentHash;
use crate::domain::ids::ProjectId;
use crate::domain::origin::Origin;
use crate::domain::principal::{CredentialId, CredentialKind, Principal, Role, Trust};
use crate::domain::token::{Claims, Purpose, SignedToken};
use crate::store::connection::Pool;
use crate::store::signing_keys::{self, StoredSigningKey};
use crate::store::{Access, Store, projects, publishable_keys};

/// Bytes of tokens whose signatures are remembered.
const MAX_REMEMBERED_BYTES: usize = 8 << 20;

/// A signing key with everything that its tokens are held to.
#[derive(Debug)]
pub(super) struct Signer {
    stored: StoredSigningKey,
    issuer: String,
    credential: CredentialId,
    origins: Arc<[Origin]>,
    /// Hashes of the ids of tokens that were taken back.
    revoked: HashSet<ContentHash>,
    last_use: LastUse,
}

/// A token whose signature and issuer were found right. Neither can change; all else is asked again each time.
#[derive(Debug, Clone)]
struct Checked {
    key_id: KeyId,
    purpose: Purpose,
    issued_at: Timestamp,
    not_before: Timestamp,
    grant: Arc<Grant>,
}

/// Tokens that were checked before: a browser sends the same one again and again.
#[derive(Debug, Default)]
pub(super) struct CheckedTokens(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    tokens: HashMap<[u8; 32], Checked>,
    n_bytes: usize,
}

impl CheckedTokens {
    fn get(&self, text: &TokenText) -> Option<Checked> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.tokens.get(blake3::hash(text.reveal().as_bytes()).as_bytes()).cloned()
    }

    fn put(&self, text: &TokenText, checked: Checked) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.n_bytes + text.reveal().len() > MAX_REMEMBERED_BYTES {
            *remembered = Remembered::default();
        }
        let hash = *blake3::hash(text.reveal().as_bytes()).as_bytes();
        if remembered.tokens.insert(hash, checked).is_none() {
            remembered.n_bytes += text.reveal().len();
        }
    }
}

/// Finds out whose permission a token is that is shown for a purpose. Whatever is wrong with it, the answer is the same.
pub(super) async fn token(app: &App, text: &TokenText, purpose: Purpose) -> Result<Arc<Principal>, ServiceError> {
    let remembered = app.credentials.tokens.get(text);
    let read = if remembered.is_none() { SignedToken::read(text) } else { None };
    let key_id = remembered.as_ref().map(|checked| &checked.key_id).or(read.as_ref().map(|token| &token.key_id));
    let key_id = key_id.ok_or(ServiceError::Unauthenticated)?.clone();
    let signer = find_signer(app, &key_id).await?.ok_or(ServiceError::Unauthenticated)?;
    let checked = match (remembered, read) {
        (Some(checked), _) => checked,
        (None, Some(token)) => {
            let checked = check(&signer, text, token).ok_or(ServiceError::Unauthenticated)?;
            app.credentials.tokens.put(text, checked.clone());
            checked
        }
        (None, None) => return Err(ServiceError::Unauthenticated),
    };
    let now = app.clock.now();
    let is_taken_back = signer.revoked.contains(&hash_of(&checked.grant.token_id));
    let is_current = checked.purpose == purpose && checked.is_current(now);
    if !signer.stored.life.is_live(now) || is_taken_back || !is_current {
        return Err(ServiceError::Unauthenticated);
    }
    signer.last_use.note(app, &signer.credential, now);
    Ok(Arc::new(Principal {
        project_id: signer.stored.project_id,
        credential: signer.credential.clone(),
        role: Role::Feedback,
        trust: Trust::Verified,
        grant: Some(checked.grant),
        origins: Arc::clone(&signer.origins),
    }))
}

impl Checked {
    fn is_current(&self, now: Timestamp) -> bool {
        Claims::is_time(self.issued_at, self.not_before, self.grant.expires_at, now)
    }
}

/// Checks what never changes: that the key's own algorithm was used, that the signature is its, that the project is.
fn check(signer: &Signer, text: &TokenText, token: SignedToken) -> Option<Checked> {
    let (signed, signature) = SignedToken::split(text)?;
    let is_good = token.algorithm == signer.stored.key.algorithm()
        && is_genuine(&signer.stored.key, signed, signature)
        && token.claims.issuer == signer.issuer;
    let Claims { purpose, issued_at, not_before, grant, .. } = token.claims;
    is_good.then(|| Checked { key_id: token.key_id, purpose, issued_at, not_before, grant: Arc::new(grant) })
}

async fn find_signer(app: &App, key_id: &KeyId) -> Result<Option<Arc<Signer>>, ServiceError> {
    let look_up = || {
        let (store, clock, key_id) = (app.store.clone(), Arc::clone(&app.clock), key_id.clone());
        async move { look_up_signer(&store, &*clock, &key_id).await }
    };
    app.credentials.signers.get(key_id.as_str(), look_up).await
}

async fn look_up_signer(store: &Store, clock: &dyn Clock, key_id: &KeyId) -> Result<Option<Signer>, ServiceError> {
    let mut tx = store.begin(Pool::Ingest, "authenticate", Access::Key(key_id.as_str())).await?;
    let found = signing_keys::find(&mut tx, key_id).await?;
    tx.commit().await?;
    let Some(stored) = found else { return Ok(None) };
    let project_id = stored.project_id;
    let mut tx = store.begin(Pool::Ingest, "authenticate", Access::Projects(&[project_id])).await?;
    let origins = publishable_keys::list_origins(&mut tx, project_id, clock.now()).await?;
    let revoked = signing_keys::list_revoked_tokens(&mut tx, project_id).await?;
    tx.commit().await?;
    Ok(Some(Signer {
        issuer: project_id.to_string(),
        credential: CredentialId::new(CredentialKind::SigningKey, stored.key_id.as_str()),
        origins: origins.into(),
        revoked: revoked.iter().map(|id| hash_of(id)).collect(),
        last_use: LastUse::new(stored.life.last_used_at),
        stored,
    }))
}

/// Projects that are known to use tokens.
#[derive(Debug, Default)]
pub(super) struct TokenProjects(Mutex<HashSet<ProjectId>>);

impl TokenProjects {
    fn has(&self, project_id: ProjectId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&project_id)
    }

    fn add(&self, project_id: ProjectId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(project_id);
    }
}

/// Notes that a project uses tokens, before the first row of one is written: from then on only what is verified counts.
///
/// Call it with feedback in hand that passed every check. A token that was merely shown, from a foreign page or with
/// nothing that it grants, must not change what the project's exports and comparisons are made of.
pub(super) async fn note_token_use(app: &App, principal: &Principal) -> Result<(), ServiceError> {
    let project_id = principal.project_id;
    if principal.credential.kind() != CredentialKind::SigningKey || app.credentials.token_projects.has(project_id) {
        return Ok(());
    }
    let (store, now) = (app.store.clone(), app.clock.now());
    detached_on(&app.runtime, async move {
        let mut tx = store.begin(Pool::Ingest, "project.mark", Access::Projects(&[project_id])).await?;
        projects::mark_token_used(&mut tx, project_id, now).await?;
        Ok(tx.commit().await?)
    })
    .await?;
    app.credentials.token_projects.add(project_id);
    Ok(())
}

fn hash_of(token_id: &str) -> ContentHash {
    ContentHash::of_bytes("id of a token", token_id.as_bytes())
}
