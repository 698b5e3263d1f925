//! The audit of a project, read back.

use uuid::Uuid;

use super::App;
use super::detached::detached;
use super::error::ServiceError;
use crate::domain::principal::Principal;
use crate::store::connection::Pool;
use crate::store::{Access, audit};

pub use crate::store::audit::StoredAuditEntry;

/// The most entries of one page.
pub const MAX_PAGE: i64 = 200;

/// Lists the entries of the principal's project, newest first, those before `before` only.
pub async fn list(
    app: &App,
    principal: &Principal,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<StoredAuditEntry>, ServiceError> {
    let (store, project_id) = (app.store.clone(), principal.project_id);
    detached(async move {
        let mut tx = store.begin(Pool::Reading, "audit.list", Access::Projects(&[project_id])).await?;
        // One more than a page tells whether there is another.
        let found = audit::list(&mut tx, project_id, before, limit.clamp(1, MAX_PAGE + 1)).await?;
        tx.commit().await?;
        Ok(found)
    })
    .await
}
