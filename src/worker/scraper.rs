//! Asks serving engines for their load, each in a task of its own, so that one that hangs delays no other; joins it with
//! completions, and rolls up what has become old.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::service::App;
use crate::service::chance::jitter;
use crate::service::detached::spawn_on;
use crate::service::{serving, serving_join};

/// The longest pause before an engine that does not answer is asked again.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// How often samples are written into the database.
const KEEP_EVERY: Duration = Duration::from_secs(1);
/// How often old samples are rolled up.
const ROLL_UP_EVERY: Duration = Duration::from_hours(1);

/// Starts a task for each engine and three for what becomes of the samples; none where there is no engine to watch.
pub(super) fn start_on(runtime: &Handle, app: &App, stop: &CancellationToken) -> Vec<JoinHandle<()>> {
    let n_targets = app.serving.targets().len();
    if n_targets == 0 {
        return Vec::new();
    }
    let watching = (0..n_targets).map(|nth| spawn_on(runtime, watch(app.clone(), nth, stop.clone())));
    let joining = spawn_on(runtime, join(app.clone(), stop.clone()));
    let keeping = spawn_on(runtime, keep(app.clone(), stop.clone()));
    let rolling_up = spawn_on(runtime, roll_up(app.clone(), stop.clone()));
    watching.chain([joining, keeping, rolling_up]).collect()
}

/// Asks one engine until it is stopped.
async fn watch(app: App, nth: usize, stop: CancellationToken) {
    let Some(target) = app.serving.targets().get(nth).cloned() else { return };
    let mut n_failures = 0;
    // Two hundred engines are not asked in the same moment.
    let mut next = Instant::now() + jitter(target.interval) - target.interval / 2;
    while tokio::time::timeout_at(next, stop.cancelled()).await.is_err() {
        n_failures = match serving::sample(&app, nth).await {
            Ok(Ok(())) => {
                if n_failures > 0 {
                    tracing::info!(target = target.name, "a serving engine answers again");
                }
                0
            }
            Ok(Err(fault)) => {
                if n_failures == 0 {
                    tracing::warn!(target = target.name, fault = %fault, "a serving engine tells nothing of its load");
                }
                n_failures + 1
            }
            Err(error) => {
                tracing::error!(target = target.name, error = %error, "a serving engine cannot be asked");
                return;
            }
        };
        // The beat is kept, also where an answer took long; beats that were missed are not made up for.
        next = match pause(target.interval, n_failures) {
            pause if n_failures == 0 => (next + pause).max(Instant::now()),
            pause => Instant::now() + jitter(pause),
        };
    }
}

/// Returns how long an engine is left alone: an interval, and twice as long after every failure in a row, up to a minute.
fn pause(interval: Duration, n_failures: u32) -> Duration {
    interval.saturating_mul(1 << n_failures.min(6)).min(LONGEST_PAUSE.max(interval))
}

/// Joins samples with completions again and again, for the first time when every engine may have been heard.
async fn join(app: App, stop: CancellationToken) {
    let every = app.serving.longest_interval() * 2;
    while tokio::time::timeout(every, stop.cancelled()).await.is_err() {
        if let Err(error) = serving_join::join(&app).await {
            tracing::warn!(error = %error, "the load of serving engines was not joined with completions");
        }
    }
}

/// Writes samples into the database, and once more when it is stopped.
async fn keep(app: App, stop: CancellationToken) {
    let mut was_kept = true;
    loop {
        let is_stopped = tokio::time::timeout(KEEP_EVERY, stop.cancelled()).await.is_ok();
        let kept = serving::keep(&app).await;
        if let Err(error) = &kept
            && was_kept
        {
            tracing::warn!(error = %error, "the load of serving engines is not written; it is tried again");
        }
        was_kept = kept.is_ok();
        if is_stopped {
            return;
        }
    }
}

async fn roll_up(app: App, stop: CancellationToken) {
    let mut wait = jitter(Duration::from_mins(2));
    while tokio::time::timeout(wait, stop.cancelled()).await.is_err() {
        wait = ROLL_UP_EVERY;
        match serving::roll_up(&app).await {
            Ok(0) => (),
            Ok(n_samples) => tracing::info!(n_samples, "rolled up old samples of serving engines"),
            Err(error) => tracing::warn!(error = %error, "old samples of serving engines were not rolled up"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_does_not_answer_is_asked_less_and_less_often() {
        let pauses = |interval| [0, 1, 2, 3, 4, 40].map(|n| pause(Duration::from_secs(interval), n).as_secs());

        assert_eq!(pauses(5), [5, 10, 20, 40, 60, 60]);
        assert_eq!(pauses(60), [60; 6]);
    }
}
