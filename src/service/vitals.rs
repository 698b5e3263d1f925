//! What the service can tell of its own state: connections and jobs. It counts, and holds nothing that a user sent.

use std::time::Duration;

use super::App;
use super::detached::detached;
use super::error::ServiceError;
use crate::store::Access;
use crate::store::connection::{Pool, PoolUse};
use crate::store::jobs::{self, JobCounts};

/// How long the counting of jobs may take before it is left out: whoever watches must hear most when the database is
/// slow.
const COUNT_WITHIN: Duration = Duration::from_secs(1);

/// The state of the service at one moment.
#[derive(Debug, Clone)]
pub struct Vitals {
    /// The pools of connections.
    pub pools: Vec<PoolUse>,
    /// Jobs in the database, of every project; nothing where it did not answer in time.
    pub jobs: Option<JobCounts>,
}

/// Reads the state of the service.
pub async fn read(app: &App) -> Vitals {
    let store = app.store.clone();
    let counting = detached(async move {
        let mut tx = store.begin(Pool::Reading, "vitals", Access::Worker).await?;
        let counts = jobs::count(&mut tx).await?;
        tx.commit().await?;
        Ok::<_, ServiceError>(counts)
    });
    // The unit goes on by itself where nobody waits for it any longer.
    let jobs = tokio::time::timeout(COUNT_WITHIN, counting).await.ok().and_then(Result::ok);
    Vitals { pools: app.store.pools(), jobs }
}
