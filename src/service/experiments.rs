//! Experiments: declared before their data, never changed afterwards.

use super::App;
use super::detached::detached;
use super::error::{Conflict, ServiceError};
use super::ids::new_id;
use crate::domain::clock::Timestamp;
use crate::domain::experiment::Experiment;
use crate::domain::principal::Principal;
use crate::store::Access;
use crate::store::audit::{self, AuditEntry};
use crate::store::connection::{Pool, Tx};
use crate::store::experiments;
pub use crate::store::experiments::Held;

/// Declares an experiment. Declaring the same again is no error and changes nothing; otherwise it is a conflict.
/// Tells whether it is new, and gives what is held.
pub async fn declare(app: &App, principal: &Principal, experiment: Experiment) -> Result<(bool, Held), ServiceError> {
    let (app, principal) = (app.clone(), principal.clone());
    detached(async move {
        let project_id = principal.project_id;
        let now = app.clock.now();
        let declaration = serde_json::to_string(&experiment)
            .map_err(|_| ServiceError::Internal("an experiment does not serialise"))?;
        let mut tx = app.store.begin(Pool::Reading, "experiment.declare", Access::Projects(&[project_id])).await?;
        let is_new =
            experiments::insert(&mut tx, project_id, &experiment, &declaration, principal.credential.as_str(), now)
                .await?;
        let held = experiments::find(&mut tx, project_id, &experiment.key)
            .await?
            .ok_or(ServiceError::Internal("a declared experiment is gone"))?;
        if is_new {
            record(&mut tx, &principal, "experiment.declared", &experiment.key, now).await?;
        }
        tx.commit().await?;
        let is_same = held.experiment == experiment;
        if is_same { Ok((is_new, held)) } else { Err(ServiceError::Conflict(Conflict::Experiment)) }
    })
    .await
}

/// Stops an experiment: what arrives from now on is not compared any more. To stop it again changes nothing. Units keep
/// their variants, because a client may compute them by itself.
pub async fn stop(app: &App, principal: &Principal, key: &str) -> Result<Held, ServiceError> {
    let (app, principal, key) = (app.clone(), principal.clone(), searchable(key)?);
    detached(async move {
        let project_id = principal.project_id;
        let now = app.clock.now();
        let mut tx = app.store.begin(Pool::Reading, "experiment.stop", Access::Projects(&[project_id])).await?;
        if experiments::stop(&mut tx, project_id, &key, now).await? {
            record(&mut tx, &principal, "experiment.stopped", &key, now).await?;
        }
        let held = experiments::find(&mut tx, project_id, &key).await?.ok_or(ServiceError::NotFound)?;
        tx.commit().await?;
        Ok(held)
    })
    .await
}

/// Returns a key that may be looked for: Postgres refuses U+0000 as a parameter, and no experiment has it in its key.
fn searchable(key: &str) -> Result<String, ServiceError> {
    if key.contains('\0') { Err(ServiceError::NotFound) } else { Ok(key.to_owned()) }
}

async fn record(
    tx: &mut Tx,
    principal: &Principal,
    action: &'static str,
    key: &str,
    now: Timestamp,
) -> Result<(), ServiceError> {
    let entry = AuditEntry {
        project_id: principal.project_id,
        audit_id: new_id(),
        at: now,
        actor: principal.credential.as_str(),
        action,
        subject: key,
        details: "{}".to_owned(),
    };
    Ok(audit::insert(tx, &entry).await?)
}

/// Shows one experiment.
pub async fn show(app: &App, principal: &Principal, key: &str) -> Result<Held, ServiceError> {
    let (app, project_id, key) = (app.clone(), principal.project_id, searchable(key)?);
    detached(async move {
        let mut tx = app.store.begin(Pool::Reading, "experiment.show", Access::Projects(&[project_id])).await?;
        let found = experiments::find(&mut tx, project_id, &key).await?;
        tx.commit().await?;
        found.ok_or(ServiceError::NotFound)
    })
    .await
}

/// Lists the project's experiments, newest first.
pub async fn list(app: &App, principal: &Principal) -> Result<Vec<Held>, ServiceError> {
    const LIMIT: i64 = 200;
    let (app, project_id) = (app.clone(), principal.project_id);
    detached(async move {
        let mut tx = app.store.begin(Pool::Reading, "experiment.list", Access::Projects(&[project_id])).await?;
        let found = experiments::list(&mut tx, project_id, LIMIT).await?;
        tx.commit().await?;
        Ok(found)
    })
    .await
}
