//! The worker: claims a job, lets the service carry it out, renews the lease meanwhile; and collects from time to time
//! what dead workers left behind.
//!
//! Where serving engines are to be watched it asks each of them again and again, beside the jobs.
//!
//! It knows use cases only: nothing of SQL, files or columns. Any number of workers may run against one database.

mod eraser;
mod keeper;
mod scraper;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::service::App;
use crate::service::detached::{spawn, spawn_on};
use crate::service::export_jobs::{self, ExportJob};
use crate::service::export_leftovers;
use crate::service::export_progress::Progress;

/// How long a job is held without a sign of life, by the database's clock.
const LEASE: Duration = Duration::from_secs(30);
/// How often a sign of life is given and the progress recorded.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How long an idle worker waits before it looks again; a job queued by this process wakes it at once.
const IDLE: Duration = Duration::from_secs(1);
/// How long after its start a worker first collects what others left, and how often it does so then.
const COLLECT_AFTER: Duration = Duration::from_mins(1);
const COLLECT_EVERY: Duration = Duration::from_mins(10);
/// How long it waits when the database does not answer.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// A running worker.
#[derive(Debug)]
pub struct Worker {
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Worker {
    /// Starts a worker on the present runtime, which runs until it is stopped.
    pub fn start(app: App) -> Self {
        Self::start_on(&Handle::current(), app)
    }

    /// Starts a worker on another runtime, where its jobs are in nobody's way.
    pub fn start_on(runtime: &Handle, app: App) -> Self {
        let stop = CancellationToken::new();
        let watching = scraper::start_on(runtime, &app, &stop);
        let mut tasks = vec![
            spawn_on(runtime, work(app.clone(), stop.clone())),
            spawn_on(runtime, tidy_up(app.clone(), stop.clone())),
            spawn_on(runtime, eraser::work(app.clone(), stop.clone())),
            spawn_on(runtime, keeper::work(app, stop.clone())),
        ];
        tasks.extend(watching);
        Self { stop, tasks }
    }

    /// Stops the worker: a job that it is at is given back, to be taken by another at once.
    pub async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            if task.await.is_err() {
                tracing::error!("the worker ended without coming to a stop");
            }
        }
    }
}

async fn work(app: App, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match export_jobs::claim(&app, LEASE).await {
            Ok(Some(job)) => carry_out(&app, job, &stop).await,
            Ok(None) => {
                tokio::select! {
                    () = stop.cancelled() => (),
                    () = app.new_job.notified() => (),
                    () = tokio::time::sleep(IDLE) => (),
                }
            }
            Err(error) => {
                tracing::warn!(error = %error, "the worker cannot look for jobs");
                let _stopped = tokio::time::timeout(AFTER_FAILURE, stop.cancelled()).await;
            }
        }
    }
}

/// Collects again and again what dead workers left behind.
async fn tidy_up(app: App, stop: CancellationToken) {
    let mut pause = COLLECT_AFTER;
    while tokio::time::timeout(pause, stop.cancelled()).await.is_err() {
        pause = COLLECT_EVERY;
        match export_leftovers::collect(&app, false).await {
            Ok(found) if found.is_nothing() => (),
            Ok(found) => tracing::info!(
                n_files = found.swept.n_files,
                n_uploads = found.swept.n_uploads,
                n_scratch_folders = found.n_scratch_folders,
                n_failed = found.n_failed,
                "collected what dead workers left behind"
            ),
            Err(error) => tracing::warn!(error = %error, "the worker cannot collect what others left behind"),
        }
    }
}

/// Carries a job out in a task of its own, and renews its lease until the task ends.
async fn carry_out(app: &App, job: ExportJob, stop: &CancellationToken) {
    let stop = stop.child_token();
    let progress = Arc::new(Progress::default());
    let mut run = {
        let (app, progress, stop) = (app.clone(), Arc::clone(&progress), stop.clone());
        spawn(async move { export_jobs::carry_out(&app, &job, &progress, &stop).await })
    };
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            ended = &mut run => {
                if ended.is_err() {
                    // Its lease ends by itself, and the attempt is counted.
                    tracing::error!(export.id = job.export_id(), "an export broke off");
                }
                return;
            }
            _ = heartbeat.tick() => match export_jobs::renew(app, &job, &progress).await {
                Ok(true) => (),
                // The job may have ended between the tick and the answer; otherwise there is no use in going on.
                Ok(false) => stop.cancel(),
                Err(error) => tracing::warn!(export.id = job.export_id(), error = %error, "a lease was not renewed"),
            },
        }
    }
}
