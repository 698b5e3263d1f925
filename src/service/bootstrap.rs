//! The first project and key of an instance, made at start from the configuration.

use super::App;
use super::chance::new_secret_key;
use super::detached::detached;
use super::error::ServiceError;
use super::ids::new_id;
use super::keys::store_key;
use crate::domain::ids::ProjectId;
use crate::domain::principal::{Role, SecretKey};
use crate::store::connection::Pool;
use crate::store::{Access, projects};

/// The first key of an instance that had no project yet.
#[derive(Debug, Clone)]
pub struct FirstKey {
    /// Name of the project that was made with it.
    pub project: String,
    /// The key; this is the only time that its secret is seen.
    pub key: SecretKey,
}

/// Creates a project of this name with an `admin` key, if the instance has no project at all. Of several that start at the
/// same moment, one does.
pub async fn first_start(app: &App, project: &str) -> Result<Option<FirstKey>, ServiceError> {
    if !list_projects(app).await?.is_empty() {
        return Ok(None);
    }
    let first = FirstKey { project: project.to_owned(), key: new_secret_key()? };
    let (app, made) = (app.clone(), first.clone());
    let is_made = detached(async move {
        let project_id = ProjectId(new_id());
        let mut tx = app.store.begin(Pool::Reading, "bootstrap.first", Access::Projects(&[project_id])).await?;
        let is_new = projects::insert_new(&mut tx, project_id, &made.project, app.clock.now()).await?;
        if is_new {
            store_key(&mut tx, &app, &made.key, project_id, "initial", Role::Admin, None).await?;
        }
        tx.commit().await?;
        Ok(is_new)
    })
    .await?;
    Ok(is_made.then_some(first))
}

/// Lists every project of the instance, by name.
pub async fn list_projects(app: &App) -> Result<Vec<(String, ProjectId)>, ServiceError> {
    let app = app.clone();
    detached(async move {
        let mut tx = app.store.begin(Pool::Reading, "project.list", Access::Operator).await?;
        let found = projects::list(&mut tx).await?;
        tx.commit().await?;
        Ok(found)
    })
    .await
}

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
