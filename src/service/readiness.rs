//! Whether the service can do its work now.

use super::App;
use super::detached::detached;
use super::error::ServiceError;

/// Checks that the database answers and that its schema is the program's.
pub async fn check(app: &App) -> Result<(), ServiceError> {
    let store = app.store.clone();
    detached(async move { Ok(store.schema_version().await?.check()?) }).await
}
