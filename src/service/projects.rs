//! The project of a caller, as its administrator sees it.

use super::App;
use super::detached::detached;
use super::error::ServiceError;
use crate::domain::principal::Principal;
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
