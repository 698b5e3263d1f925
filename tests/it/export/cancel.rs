//! Exports that are cancelled, and what dead workers left that is collected.

use std::sync::Arc;

use afterword::blob::Swept;
use afterword::domain::export::{ExportProblem, ExportStatus};
use afterword::service::error::Conflict;
use afterword::service::export_jobs;
use afterword::service::export_leftovers::collect;
use afterword::service::export_progress::Progress;
use afterword::service::{ServiceError, bootstrap, exports};
use afterword::worker::Worker;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use tokio_util::sync::CancellationToken;

use super::fixture::{Fixture, hashes, manifest, principal};
use super::jobs::{LONG, Overtaken, carry_out, claim, status};

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_waits_is_cancelled_for_good_and_cancelling_again_changes_nothing() {
    let fixture = Fixture::with_pairs(3).await;
    let id = fixture.request(json!({"recipe": "dpo"})).await;
    let stranger = principal(bootstrap::ensure(&fixture.app, "strangers", None).await.unwrap());

    let foreign = exports::cancel(&fixture.app, &stranger, id).await;
    let cancelled = exports::cancel(&fixture.app, &fixture.principal, id).await.unwrap();
    let again = exports::cancel(&fixture.app, &fixture.principal, id).await.unwrap();

    assert!(matches!(foreign, Err(ServiceError::NotFound)));
    assert_eq!((cancelled.status, &cancelled), (ExportStatus::Failed, &again));
    assert_eq!(cancelled.problem.unwrap().code, ExportProblem::CANCELLED);
    assert!(export_jobs::claim(&fixture.app, LONG).await.unwrap().is_none(), "nobody takes it");
    assert_eq!(fixture.audit().await, ["export.requested", "export.cancelled"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_run_that_is_cancelled_before_it_publishes_does_not_and_removes_what_it_wrote() {
    let fixture = Fixture::with_pairs(20).await;
    let id = fixture.request(json!({"recipe": "dpo"})).await;
    let running = Overtaken::start(&fixture).await;

    exports::cancel(&fixture.app, &fixture.principal, id).await.unwrap();
    running.go_on().await;

    assert_eq!(status(&fixture, id).await, ExportStatus::Failed);
    assert_eq!((fixture.n_files(), fixture.n_scratch()), (0, 0));
    assert_eq!(fixture.audit().await, ["export.requested", "export.cancelled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_learns_of_it_at_its_next_sign_of_life() {
    let fixture = Fixture::with_pairs(3).await;
    let id = fixture.request(json!({"recipe": "dpo"})).await;
    let job = claim(&fixture.app, LONG).await;
    assert!(export_jobs::renew(&fixture.app, &job, &Progress::default()).await.unwrap());

    exports::cancel(&fixture.app, &fixture.principal, id).await.unwrap();

    assert!(!export_jobs::renew(&fixture.app, &job, &Progress::default()).await.unwrap());
    carry_out(&fixture.app, &job).await;
    assert_eq!((status(&fixture, id).await, fixture.n_files()), (ExportStatus::Failed, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_has_ended_is_not_cancelled() {
    let fixture = Fixture::with_pairs(3).await;
    let worker = Worker::start(fixture.app.clone());
    let id = fixture.request(json!({"recipe": "dpo"})).await;
    fixture.until_ended(id).await;
    worker.stop().await;

    let late = exports::cancel(&fixture.app, &fixture.principal, id).await;

    assert!(matches!(late, Err(ServiceError::Conflict(Conflict::ExportEnded))));
    assert_eq!(status(&fixture, id).await, ExportStatus::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_dead_workers_left_is_collected_until_nobody_can_add_to_it() {
    let fixture = Fixture::with_pairs(5).await;
    let worker = Worker::start(fixture.app.clone());
    let done = fixture.request(json!({"recipe": "dpo"})).await;
    let export = fixture.until_ended(done).await;
    worker.stop().await;
    let cancelled = fixture.request(json!({"recipe": "dpo", "destination": {"path": "a"}})).await;
    exports::cancel(&fixture.app, &fixture.principal, cancelled).await.unwrap();
    let running = fixture.request(json!({"recipe": "dpo"})).await;
    let job = claim(&fixture.app, LONG).await;
    let project = fixture.root.path().join(fixture.principal.project_id.to_string());
    let leave = |export: &str, file: &str| {
        let path = project.join(export).join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "half").unwrap();
    };
    leave(&done.to_string(), "attempt-7/data/part.parquet");
    leave(&done.to_string(), "attempt-1/data/part.parquet#1");
    leave(&format!("a/{cancelled}"), "attempt-1/data/part.parquet");
    leave(&running.to_string(), "attempt-1/data/part.parquet");
    leave("01900000-0000-7000-8000-00000000abcd", "attempt-1/of-another-instance");
    std::fs::create_dir(fixture.scratch.path().join("afterword-export-killed")).unwrap();

    let first = collect(&fixture.app, false).await.unwrap();
    let again = collect(&fixture.app, false).await.unwrap();

    assert_eq!((first.n_exports, first.n_scratch_folders, first.n_failed), (2, 1, 0));
    assert_eq!(first.swept, Swept { n_files: 2, n_uploads: 1 });
    assert!(again.is_nothing() && again.n_exports == 2, "they are looked at again: {again:?}");
    assert_eq!(fixture.n_files(), hashes(&manifest(&export)).len() + 1 + 2);
    let mut owner = PgConnection::connect(fixture.database.owner_url()).await.unwrap();
    let earlier = "update exports set finished_at = finished_at - interval '2 hours' where finished_at is not null";
    sqlx::query(earlier).execute(&mut owner).await.unwrap();
    collect(&fixture.app, false).await.unwrap();
    assert_eq!(collect(&fixture.app, false).await.unwrap().n_exports, 0, "nobody can be writing there any more");
    assert_eq!(collect(&fixture.app, true).await.unwrap().n_exports, 2);
    export_jobs::carry_out(&fixture.app, &job, &Arc::new(Progress::default()), &CancellationToken::default()).await;
    assert_eq!(status(&fixture, running).await, ExportStatus::Completed);
}
