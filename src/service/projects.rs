//! The project of a caller, as its administrator sees it and changes it.

use super::App;
use super::detached::detached;
use super::error::ServiceError;
use super::ids::new_id;
use crate::domain::consent::ConsentDefault;
use crate::domain::principal::Principal;
use crate::store::audit::{self, AuditEntry};
use crate::store::connection::Pool;
use crate::store::{Access, projects};

pub use crate::store::projects::StoredProject;

/// Shows the principal's own project; there is no other for it.
pub async fn show(app: &App, principal: &Principal) -> Result<StoredProject, ServiceError> {
    let (store, project_id) = (app.store.clone(), principal.project_id);
    detached(async move {
        let mut tx = store.begin(Pool::Reading, "project.show", Access::Projects(&[project_id])).await?;
        let found = projects::show(&mut tx, project_id).await?;
        tx.commit().await?;
        found.ok_or(ServiceError::NotFound)
    })
    .await
}

/// Declares what holds for the project's completions that say nothing of consent, those already stored included; with
/// nothing declared they are not exported. Returns the project as it then is.
pub async fn set_consent_default(
    app: &App,
    principal: &Principal,
    default: ConsentDefault,
) -> Result<StoredProject, ServiceError> {
    let (app, principal) = (app.clone(), principal.clone());
    detached(async move {
        let project_id = principal.project_id;
        let mut tx = app.store.begin(Pool::Reading, "project.change", Access::Projects(&[project_id])).await?;
        let before = projects::show(&mut tx, project_id).await?.ok_or(ServiceError::NotFound)?;
        if before.consent_default != default {
            projects::set_consent_default(&mut tx, project_id, default).await?;
            let entry = AuditEntry {
                project_id,
                audit_id: new_id(),
                at: app.clock.now(),
                actor: principal.credential.as_str(),
                action: "project.changed",
                subject: &project_id.to_string(),
                details: format!("{{\"consent_default\":\"{}\"}}", default.as_str()),
            };
            audit::insert(&mut tx, &entry).await?;
        }
        tx.commit().await?;
        Ok(StoredProject { consent_default: default, ..before })
    })
    .await
}
