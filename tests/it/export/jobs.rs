//! Jobs under leases: whoever was overtaken cannot publish, and whatever breaks off is taken up again.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use afterword::domain::clock::{Clock, SystemClock, Timestamp};
use afterword::domain::export::{ExportProblem, ExportStatus};
use afterword::domain::ids::ExportId;
use afterword::service::detached::spawn;
use afterword::service::export_jobs::{self, ExportJob, MAX_ATTEMPTS};
use afterword::service::export_progress::Progress;
use afterword::service::{App, exports};
use afterword::worker::Worker;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::fixture::{Fixture, app, hashes, manifest};

/// A lease that has ended before anybody can look.
const OVER_AT_ONCE: Duration = Duration::from_millis(1);
pub(super) const LONG: Duration = Duration::from_mins(1);

/// Claims the one job that there is, waiting for an earlier lease to end.
pub(super) async fn claim(app: &App, lease: Duration) -> ExportJob {
    let started = Instant::now();
    loop {
        if let Some(job) = export_jobs::claim(app, lease).await.unwrap() {
            return job;
        }
        assert!(started.elapsed() < LONG, "nobody can claim the job");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(super) async fn carry_out(app: &App, job: &ExportJob) {
    export_jobs::carry_out(app, job, &Arc::new(Progress::default()), &CancellationToken::new()).await;
}

/// A clock that, at one look, says that it was reached and waits until it may go on.
struct Gate {
    n_looks: AtomicU32,
    stop_at: u32,
    reached: SyncSender<()>,
    go_on: Mutex<Receiver<()>>,
}

impl Clock for Gate {
    fn now(&self) -> Timestamp {
        if self.n_looks.fetch_add(1, Ordering::SeqCst) + 1 == self.stop_at {
            self.reached.send(()).unwrap();
            self.go_on.lock().unwrap().recv().unwrap();
        }
        SystemClock.now()
    }
}

/// A worker whose lease ended while it was working, and that stands before its publishing transaction.
pub(super) struct Overtaken {
    may_go_on: SyncSender<()>,
    running: tokio::task::JoinHandle<()>,
}

impl Overtaken {
    pub(super) async fn start(fixture: &Fixture) -> Self {
        // A run looks at the clock when it starts, when it reads, and when everything is written and to be published.
        let ((reached, is_reached), (may_go_on, go_on)) = (sync_channel(1), sync_channel(1));
        let gate = Gate { n_looks: AtomicU32::new(0), stop_at: 3, reached, go_on: Mutex::new(go_on) };
        let slow = app(&fixture.database, &fixture.root, Arc::new(gate));
        let job = claim(&slow, OVER_AT_ONCE).await;
        assert_eq!(job.attempt(), 1);
        let running = spawn(async move { carry_out(&slow, &job).await });
        tokio::task::spawn_blocking(move || is_reached.recv_timeout(LONG).unwrap()).await.unwrap();
        assert!(fixture.n_files() > 0, "the overtaken worker has written its files");
        Self { may_go_on, running }
    }

    pub(super) async fn go_on(self) {
        self.may_go_on.send(()).unwrap();
        self.running.await.unwrap();
    }
}

/// Asserts that the second attempt stands, whole and alone.
async fn assert_second_attempt_stands(fixture: &Fixture, id: ExportId) {
    let export = exports::show(&fixture.app, &fixture.principal, id).await.unwrap();
    assert_eq!(export.status, ExportStatus::Completed);
    let manifest = manifest(&export);
    assert_eq!(manifest["attempt"], 2);
    let hashes = hashes(&manifest);
    for (path, sha256) in &hashes {
        assert_eq!(hex::encode(Sha256::digest(fixture.read(id, path).await)), *sha256, "{path}");
    }
    assert_eq!(fixture.n_files(), hashes.len() + 1, "the overtaken worker has left nothing behind");
    assert_eq!(fixture.audit().await, ["export.requested", "export.completed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_worker_that_was_overtaken_cannot_publish_before_its_successor() {
    let fixture = Fixture::with_pairs(20).await;
    let id = fixture.request(json!({"recipe": "dpo"})).await;
    let overtaken = Overtaken::start(&fixture).await;
    let successor = claim(&fixture.app, LONG).await;

    overtaken.go_on().await;

    assert_eq!(status(&fixture, id).await, ExportStatus::Running, "the export waits for its successor");
    carry_out(&fixture.app, &successor).await;
    assert_second_attempt_stands(&fixture, id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_worker_that_was_overtaken_cannot_publish_over_its_successor() {
    let fixture = Fixture::with_pairs(20).await;
    let id = fixture.request(json!({"recipe": "dpo"})).await;
    let overtaken = Overtaken::start(&fixture).await;
    let successor = claim(&fixture.app, LONG).await;
    carry_out(&fixture.app, &successor).await;

    overtaken.go_on().await;

    assert_second_attempt_stands(&fixture, id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_was_lost_cannot_be_renewed() {
    let fixture = Fixture::with_pairs(1).await;
    fixture.request(json!({"recipe": "dpo"})).await;
    let overtaken = claim(&fixture.app, OVER_AT_ONCE).await;
    let progress = Progress::default();
    assert!(export_jobs::renew(&fixture.app, &overtaken, &progress).await.unwrap(), "nobody else has taken it");

    let successor = claim(&fixture.app, LONG).await;

    assert!(!export_jobs::renew(&fixture.app, &overtaken, &progress).await.unwrap());
    assert!(export_jobs::renew(&fixture.app, &successor, &progress).await.unwrap());
    assert!(export_jobs::claim(&fixture.app, LONG).await.unwrap().is_none(), "a held job is not claimed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_run_gives_its_job_back_at_once() {
    let fixture = Fixture::with_pairs(20).await;
    let id = fixture.request(json!({"recipe": "dpo"})).await;
    let job = claim(&fixture.app, LONG).await;
    let stop = CancellationToken::new();
    stop.cancel();

    export_jobs::carry_out(&fixture.app, &job, &Arc::new(Progress::default()), &stop).await;

    assert_eq!(status(&fixture, id).await, ExportStatus::Running);
    assert_eq!(fixture.n_files(), 0);
    let next = export_jobs::claim(&fixture.app, LONG).await.unwrap().unwrap();
    assert_eq!(next.attempt(), 2);
    carry_out(&fixture.app, &next).await;
    assert_eq!(status(&fixture, id).await, ExportStatus::Completed);
}

pub(super) async fn status(fixture: &Fixture, id: ExportId) -> ExportStatus {
    exports::show(&fixture.app, &fixture.principal, id).await.unwrap().status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_from_which_no_worker_comes_back_fails_in_the_end() {
    let fixture = Fixture::with_pairs(1).await;
    let id = fixture.request(json!({"recipe": "dpo"})).await;
    for attempt in 1..=MAX_ATTEMPTS {
        assert_eq!(claim(&fixture.app, OVER_AT_ONCE).await.attempt(), attempt);
    }

    let last = claim(&fixture.app, LONG).await;
    carry_out(&fixture.app, &last).await;

    let export = exports::show(&fixture.app, &fixture.principal, id).await.unwrap();
    assert_eq!(export.problem.unwrap().code, ExportProblem::ATTEMPTS_EXHAUSTED);
    assert!(export_jobs::claim(&fixture.app, LONG).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_texts_that_a_killed_run_left_on_the_disk_go_with_the_next_attempt() {
    let fixture = Fixture::with_pairs(1).await;
    let id = fixture.request(json!({"recipe": "dpo"})).await;
    claim(&fixture.app, OVER_AT_ONCE).await;
    let left = fixture.scratch.path().join(format!("afterword-export-{id}-killed"));
    std::fs::create_dir(&left).unwrap();
    std::fs::write(left.join("spill"), "text").unwrap();

    let job = claim(&fixture.app, LONG).await;
    carry_out(&fixture.app, &job).await;

    assert_eq!(status(&fixture, id).await, ExportStatus::Completed);
    assert!(!left.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_cannot_be_written_leaves_the_job_for_later() {
    let fixture = Fixture::with_pairs(5).await;
    let id = fixture.request(json!({"recipe": "dpo"})).await;
    let job = claim(&fixture.app, LONG).await;
    // A file in the way of the project's folder fails every write below it, for the superuser too.
    let in_the_way = fixture.root.path().join(fixture.principal.project_id.to_string());
    std::fs::write(&in_the_way, "").unwrap();

    carry_out(&fixture.app, &job).await;

    assert_eq!(status(&fixture, id).await, ExportStatus::Running);
    assert!(export_jobs::claim(&fixture.app, LONG).await.unwrap().is_none(), "the job rests for a while");
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_are_stopped_and_started_end_every_export_once() {
    let fixture = Fixture::with_pairs(30).await;
    let mut ids = Vec::new();
    for recipe in ["dpo", "sft", "dpo"] {
        ids.push(fixture.request(json!({"recipe": recipe})).await);
    }

    let workers = [Worker::start(fixture.app.clone()), Worker::start(fixture.app.clone())];
    for worker in workers {
        worker.stop().await;
    }
    let worker = Worker::start(fixture.app.clone());
    for id in ids {
        assert_eq!(fixture.until_ended(id).await.status, ExportStatus::Completed);
    }
    worker.stop().await;

    let completed = fixture.audit().await.into_iter().filter(|action| action == "export.completed").count();
    assert_eq!(completed, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_are_asked_to_stop_use_no_attempt_up() {
    let fixture = Fixture::with_pairs(3).await;
    let id = fixture.request(json!({"recipe": "dpo"})).await;
    let stop = CancellationToken::new();
    stop.cancel();
    for attempt in 1..=MAX_ATTEMPTS + 2 {
        let job = claim(&fixture.app, LONG).await;
        assert_eq!(job.attempt(), attempt);
        export_jobs::carry_out(&fixture.app, &job, &Arc::new(Progress::default()), &stop).await;
    }

    let job = claim(&fixture.app, LONG).await;
    carry_out(&fixture.app, &job).await;

    assert_eq!(status(&fixture, id).await, ExportStatus::Completed);
}
