//! Keys for the person at the command line: secret ones with the project that they open, revoked whatever they are.

use super::authenticate::hash_secret;
use super::chance::new_secret_key;
use super::detached::detached;
use super::error::ServiceError;
use super::ids::new_id;
use super::{App, key_ring};
use crate::domain::clock::Timestamp;
use crate::domain::credential::KeyId;
use crate::domain::ids::ProjectId;
use crate::domain::key_life::KeyLife;
use crate::domain::principal::{CredentialId, Principal, Role, SecretKey};
use crate::store::connection::{Pool, Tx};
use crate::store::keys::{self, StoredKey};
use crate::store::{Access, projects};

/// What a key is made for.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Name of the project; created where it does not exist.
    pub project: String,
    /// What the operator calls the key.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
}

/// Makes a key; the answer is the only time that its secret is seen.
pub async fn create(app: &App, new: NewKey) -> Result<SecretKey, ServiceError> {
    let key = new_secret_key()?;
    let (app, made) = (app.clone(), key.clone());
    detached(async move {
        let mut tx = app.store.begin(Pool::Reading, "key.create", Access::Operator).await?;
        let project_id = projects::insert(&mut tx, ProjectId(new_id()), &new.project, app.clock.now()).await?;
        tx.commit().await?;
        let mut tx = app.store.begin(Pool::Reading, "key.create", Access::Projects(&[project_id])).await?;
        store_key(&mut tx, &app, &made, project_id, &new.name, new.role, new.expires_at).await?;
        tx.commit().await?;
        Ok(())
    })
    .await?;
    Ok(key)
}

/// Revokes a key of whichever kind by its public id, for the person at the command line.
pub async fn revoke(app: &App, key_id: &str) -> Result<(), ServiceError> {
    let key_id = KeyId::parse(key_id).ok_or(ServiceError::NotFound)?;
    let (store, sought) = (app.store.clone(), key_id.clone());
    let project_id = detached(async move { key_ring::find_project(&store, &sought).await }).await?;
    let project_id = project_id.ok_or(ServiceError::NotFound)?;
    let operator = Principal::of_backend(project_id, CredentialId::operator(), Role::Admin);
    key_ring::revoke(app, &operator, &key_id).await
}

/// Stores a key of a project and writes it into the audit.
pub(super) async fn store_key(
    tx: &mut Tx,
    app: &App,
    key: &SecretKey,
    project_id: ProjectId,
    name: &str,
    role: Role,
    expires_at: Option<Timestamp>,
) -> Result<bool, ServiceError> {
    let now = app.clock.now();
    let stored = StoredKey {
        key_id: key.id().to_owned(),
        project_id,
        role,
        secret_hash: hash_secret(key),
        life: KeyLife::begin(name.to_owned(), now, expires_at),
    };
    let inserted = keys::insert(tx, &stored).await?;
    if inserted {
        let operator = Principal::of_backend(project_id, CredentialId::operator(), Role::Admin);
        let details = format!("{{\"kind\":\"secret\",\"role\":\"{}\"}}", role.as_str());
        key_ring::record(tx, &operator, now, "key.created", key.id(), details).await?;
    }
    Ok(inserted)
}
