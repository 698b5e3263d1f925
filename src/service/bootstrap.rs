//! The first project and key of an instance, made at start from the configuration.

use super::App;
use super::detached::detached;
use super::error::ServiceError;
use super::ids::new_id;
use super::keys::store_key;
use crate::domain::ids::ProjectId;
use crate::domain::principal::{Role, SecretKey};
use crate::store::connection::Pool;
use crate::store::{Access, projects};

/// Creates the project and its `admin` key where they are absent; what exists is never changed.
pub async fn ensure(app: &App, project: &str, key: Option<&SecretKey>) -> Result<ProjectId, ServiceError> {
    let (app, project, key) = (app.clone(), project.to_owned(), key.cloned());
    detached(async move {
        let mut tx = app.store.begin(Pool::Reading, "bootstrap.project", Access::Operator).await?;
        let project_id = projects::insert(&mut tx, ProjectId(new_id()), &project, app.clock.now()).await?;
        tx.commit().await?;
        if let Some(key) = key {
            let mut tx = app.store.begin(Pool::Reading, "bootstrap.key", Access::Projects(&[project_id])).await?;
            store_key(&mut tx, &app, &key, project_id, "initial", Role::Admin, None).await?;
            tx.commit().await?;
        }
        Ok(project_id)
    })
    .await
}
