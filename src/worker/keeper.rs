//! Looks for kept comparisons that are due and has them computed again, one after the other.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::service::App;
use crate::service::compare::kept;

/// How long it waits before it looks again.
const IDLE: Duration = Duration::from_secs(30);

/// Works until it is stopped; a comparison that it is at is computed first.
pub(super) async fn work(app: App, stop: CancellationToken) {
    // Whoever starts has something better to do at first.
    while tokio::time::timeout(IDLE, stop.cancelled()).await.is_err() {
        loop {
            match kept::compute_due(&app).await {
                Ok(true) if !stop.is_cancelled() => (),
                Ok(_) => break,
                // What it claimed is claimed again once its lease has ended.
                Err(error) => {
                    tracing::warn!(error = %error, "a kept comparison was not computed again");
                    break;
                }
            }
        }
    }
}
