//! Looks for erasures and has them carried out, beside the exports: a long export keeps nobody waiting who was promised
//! to be erased.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::service::App;
use crate::service::erase_jobs;

/// How long it waits before it looks again; an erasure that this process was asked for wakes it at once.
const IDLE: Duration = Duration::from_secs(2);
/// How long it waits when the database does not answer.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Works until it is stopped; an erasure that it is at is carried out first.
pub(super) async fn work(app: App, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match erase_jobs::claim(&app, None).await {
            Ok(Some(job)) => match erase_jobs::carry_out(&app, &job).await {
                Ok(()) => tracing::info!(erasure.id = %job.erasure_id, "a user is erased"),
                // It is given back and rests, or its lease ends by itself.
                Err(error) => tracing::warn!(erasure.id = %job.erasure_id, error = %error, "an erasure failed"),
            },
            Ok(None) => {
                tokio::select! {
                    () = stop.cancelled() => (),
                    () = app.new_erasure.notified() => (),
                    () = tokio::time::sleep(IDLE) => (),
                }
            }
            Err(error) => {
                tracing::warn!(error = %error, "the worker cannot look for erasures");
                let _stopped = tokio::time::timeout(AFTER_FAILURE, stop.cancelled()).await;
            }
        }
    }
}
