//! Secret keys: made once, shown once, revoked for good.

use super::App;
use super::authenticate::hash_secret;
use super::chance::new_secret_key;
use super::detached::detached;
use super::error::ServiceError;
use super::ids::new_id;
use crate::domain::clock::Timestamp;
use crate::domain::ids::ProjectId;
use crate::domain::principal::{Role, SecretKey};
use crate::store::audit::{self, AuditEntry};
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

/// Lists the keys of a project, oldest first.
pub async fn list(app: &App, project: &str) -> Result<Vec<StoredKey>, ServiceError> {
    let (app, project) = (app.clone(), project.to_owned());
    detached(async move {
        let mut tx = app.store.begin(Pool::Reading, "key.list", Access::Operator).await?;
        let project_id = projects::find(&mut tx, &project).await?.ok_or(ServiceError::NotFound)?;
        let keys = keys::list(&mut tx, project_id).await?;
        tx.commit().await?;
        Ok(keys)
    })
    .await
}

/// Revokes a key by its public id.
pub async fn revoke(app: &App, key_id: &str) -> Result<(), ServiceError> {
    let (app, key_id) = (app.clone(), key_id.to_owned());
    detached(async move {
        let now = app.clock.now();
        let mut tx = app.store.begin(Pool::Reading, "key.revoke", Access::Operator).await?;
        let project_id = keys::revoke(&mut tx, &key_id, now).await?.ok_or(ServiceError::NotFound)?;
        tx.commit().await?;
        let mut tx = app.store.begin(Pool::Reading, "key.revoke", Access::Projects(&[project_id])).await?;
        record(&mut tx, project_id, now, "key.revoked", &key_id, "{}".to_owned()).await?;
        tx.commit().await?;
        app.credentials.forget(&key_id);
        Ok(())
    })
    .await
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
        name: name.to_owned(),
        role,
        secret_hash: hash_secret(key),
        created_at: now,
        expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    let inserted = keys::insert(tx, &stored).await?;
    if inserted {
        let details = format!("{{\"role\":\"{}\"}}", role.as_str());
        record(tx, project_id, now, "key.created", key.id(), details).await?;
    }
    Ok(inserted)
}

async fn record(
    tx: &mut Tx,
    project_id: ProjectId,
    at: Timestamp,
    action: &'static str,
    subject: &str,
    details: String,
) -> Result<(), ServiceError> {
    let entry = AuditEntry { project_id, audit_id: new_id(), at, actor: "operator", action, subject, details };
    Ok(audit::insert(tx, &entry).await?)
}
