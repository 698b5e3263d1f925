//! Exports over REST that follow an earlier one: compared before they are published, wherever the parent lies.

use afterword::blob::Blob;
use afterword::domain::export::{ExportProblem, ExportStatus};
use afterword::domain::ids::ExportId;
use afterword::service::error::Conflict;
use afterword::service::export_verify::verify;
use afterword::service::{ServiceError, erase, exports};
use afterword::worker::Worker;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::erasure::user;
use super::fixture::{Fixture, manifest, to_json};
use super::s3::add_destination;

impl Fixture {
    async fn made(&self, body: Value) -> afterword::domain::export::Export {
        let worker = Worker::start(self.app.clone());
        let id = self.request(body).await;
        let export = self.until_ended(id).await;
        worker.stop().await;
        export
    }

    async fn refused(&self, parent: ExportId) -> ServiceError {
        let body = to_json(&json!({"recipe": "dpo", "parent": parent.to_string()}));
        let request = afterword::domain::recipe::ExportRequest::from_json(body, exports::shipped).unwrap();
        exports::request(&self.app, &self.principal, request, None).await.unwrap_err()
    }
}

/// Reads kept, added, removed and erased rows.
fn told(export: &afterword::domain::export::Export) -> [u64; 4] {
    let parent = &manifest(export)["parent"];
    ["n_kept", "n_added", "n_removed", "n_erased"].map(|name| parent[name].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_follows_a_parent_that_an_erasure_revoked_whatever_the_place_and_the_layout() {
    let mut fixture = Fixture::with_pairs(40).await;
    let elsewhere = tempfile::tempdir().unwrap();
    add_destination(&mut fixture, "share", Blob::local(elsewhere.path()).unwrap());
    let parent = fixture.made(json!({"recipe": "dpo", "destination": {"name": "share", "path": "first"}})).await;
    let lines = fixture.made(json!({"recipe": "dpo", "layout": "openai_jsonl"})).await;
    fixture.add(40..43, "better").await;
    fixture.erase("user-5").await;

    let child = fixture.made(json!({"recipe": "dpo", "parent": parent.id.to_string()})).await;
    let of_lines =
        fixture.made(json!({"recipe": "dpo", "layout": "openai_jsonl", "parent": lines.id.to_string()})).await;
    let across = fixture.made(json!({"recipe": "dpo", "parent": lines.id.to_string()})).await;

    assert_eq!(exports::show(&fixture.app, &fixture.principal, parent.id).await.unwrap().status, ExportStatus::Revoked);
    for export in [&child, &of_lines, &across] {
        assert_eq!(export.status, ExportStatus::Completed, "{:?}", export.problem);
        assert_eq!(told(export), [39, 3, 1, 1]);
        assert_eq!(manifest(export)["parent"]["erased"].as_array().unwrap().len(), 1);
    }
    assert_eq!(
        (child.parent, manifest(&child)["parent"]["export_id"].as_str()),
        (Some(parent.id), Some(&*parent.id.to_string()))
    );
    assert_eq!(fixture.read(child.id, "manifest.json").await, child.manifest.as_deref().unwrap().as_bytes());
    assert_eq!(fixture.n_scratch(), 0);
    let folder = fixture.root.path().join(format!("{}/{}/attempt-1", fixture.principal.project_id, child.id));
    assert!(verify(&folder, &afterword::service::export_progress::Progress::default()).unwrap().is_good());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_must_be_the_projects_have_ended_and_have_its_files() {
    let fixture = Fixture::with_pairs(12).await;
    let withdrawn = fixture.made(json!({"recipe": "dpo"})).await;
    exports::revoke(&fixture.app, &fixture.principal, withdrawn.id).await.unwrap();
    // Nobody has pressed a thumb.
    let failed = fixture.made(json!({"recipe": "kto"})).await;
    let deleted = fixture.made(json!({"recipe": "dpo"})).await;
    let (erasure, _) = erase::request(&fixture.app, &fixture.principal, &user("user-3"), true).await.unwrap();
    fixture.finish(&fixture.principal, &erasure).await;
    let waiting = fixture.request(json!({"recipe": "dpo"})).await;
    let mut owner = PgConnection::connect(fixture.database.owner_url()).await.unwrap();
    let count = "select count(*) from exports";
    let n_before: i64 = sqlx::query_scalar(count).fetch_one(&mut owner).await.unwrap();

    let absent = fixture.refused(ExportId(Uuid::nil())).await;
    let unfinished = fixture.refused(waiting).await;

    assert!(matches!(absent, ServiceError::NotFound), "{absent:?}");
    assert!(matches!(unfinished, ServiceError::Conflict(Conflict::ExportUnfinished)), "{unfinished:?}");
    for gone in [withdrawn.id, failed.id, deleted.id] {
        let refused = fixture.refused(gone).await;
        assert!(matches!(refused, ServiceError::Conflict(Conflict::ParentGone)), "{refused:?}");
    }
    let n_after: i64 = sqlx::query_scalar(count).fetch_one(&mut owner).await.unwrap();
    assert_eq!(n_after, n_before, "what is refused leaves nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_whose_files_go_meanwhile_ends_the_export_with_a_problem_of_its_own() {
    let fixture = Fixture::with_pairs(12).await;
    let parent = fixture.made(json!({"recipe": "dpo"})).await;
    let id = fixture.request(json!({"recipe": "dpo", "parent": parent.id.to_string()})).await;
    exports::revoke(&fixture.app, &fixture.principal, parent.id).await.unwrap();

    let worker = Worker::start(fixture.app.clone());
    let child = fixture.until_ended(id).await;
    worker.stop().await;

    assert_eq!(child.status, ExportStatus::Failed);
    assert_eq!(child.problem.unwrap().code, ExportProblem::PARENT_GONE);
    assert_eq!((fixture.n_files(), fixture.n_scratch()), (0, 0));
}
