//! Whether the service can do its work now.

use super::App;
use super::detached::detached;
use super::error::ServiceError;

/// Checks that somebody writes what is taken in, that the database answers and that its schema is the program's.
pub async fn check(app: &App) -> Result<(), ServiceError> {
    if !app.ingest.is_served() {
        return Err(ServiceError::WritersGone);
    }
    let store = app.store.clone();
    detached(async move { Ok(store.schema_version().await?.check()?) }).await
}
