//! Erasures and what happens to exports on their way: buckets, hooks, cancelling, the collection of leftovers.

use std::collections::BTreeMap;

use afterword::blob::Blob;
use afterword::domain::destination::DestinationName;
use afterword::domain::export::ExportStatus;
use afterword::domain::ids::ExportId;
use afterword::service::erase::{ErasureReport, ErasureStatus, FilesFate};
use afterword::service::export_leftovers::collect;
use afterword::service::outside::Outside;
use afterword::service::{erase, exports};
use afterword::worker::Worker;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use super::erasure::user;
use super::fixture::{Fixture, hashes, manifest, n_files};
use super::jobs::{Overtaken, status};
use super::s3::add_destination;
use super::screening::{app_reaching, hook, run};
use crate::support::s3::S3Server;

impl Fixture {
    async fn affected(&self, id: &str) -> Vec<ExportId> {
        let exports = erase::affected(&self.app, &self.principal, &user(id)).await.unwrap();
        exports.iter().map(|export| export.id).collect()
    }

    async fn export_to(&self, destination: serde_json::Value) -> ExportId {
        let worker = Worker::start(self.app.clone());
        let id = self.request(json!({"recipe": "dpo", "destination": destination})).await;
        let export = self.until_ended(id).await;
        worker.stop().await;
        assert_eq!(export.status, ExportStatus::Completed, "{:?}", export.problem);
        id
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_in_a_bucket_is_found_and_revoked_and_its_files_go_where_that_is_asked_for() {
    let Some(server) = S3Server::start() else { return };
    let mut fixture = Fixture::with_pairs(12).await;
    add_destination(&mut fixture, "lake", server.open());
    let first = fixture.export_to(json!({"name": "lake", "path": "first"})).await;
    let n_objects = server.objects().len();

    assert_eq!(fixture.affected("user-3").await, [first]);
    fixture.erase("user-3").await;
    collect(&fixture.app, true).await.unwrap();

    assert_eq!(status(&fixture, first).await, ExportStatus::Revoked);
    assert_eq!(server.objects().len(), n_objects, "nobody asked to delete them");
    let second = fixture.export_to(json!({"name": "lake", "path": "second"})).await;
    let (erasure, _) = erase::request(&fixture.app, &fixture.principal, &user("user-4"), true).await.unwrap();
    let report = fixture.finish(&fixture.principal, &erasure).await;
    assert_eq!(report.exports.iter().map(|export| export.id).collect::<Vec<_>>(), [second]);
    assert_eq!(report.exports[0].destination.as_ref().map(DestinationName::as_str), Some("lake"));
    let left = server.objects();
    assert!(left.len() == n_objects && left.iter().all(|name| name.contains("/first/")), "{left:?}");
    exports::revoke(&fixture.app, &fixture.principal, first).await.unwrap();
    assert_eq!(server.objects(), Vec::<String>::new(), "they can be deleted afterwards, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_removes_what_nobody_published_of_an_export_that_an_erasure_revoked_and_no_more() {
    let fixture = Fixture::with_pairs(12).await;
    let id = fixture.export_to(json!({"path": "a"})).await;
    fixture.erase("user-3").await;
    let folder = fixture.root.path().join(format!("{}/a/{id}", fixture.principal.project_id));
    std::fs::create_dir(folder.join("attempt-7")).unwrap();
    std::fs::write(folder.join("attempt-7/part"), "half").unwrap();

    let collected = collect(&fixture.app, true).await.unwrap();

    assert_eq!((collected.n_exports, collected.swept.n_files, collected.n_failed), (1, 1, 0));
    let export = exports::show(&fixture.app, &fixture.principal, id).await.unwrap();
    assert_eq!(fixture.n_files(), hashes(&manifest(&export)).len() + 1, "the files and the manifest");
    assert_eq!(fixture.affected("user-5").await, [id], "whose rows it holds is known as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_row_left_after_a_hook_is_no_holder_of_the_export() {
    let fixture = Fixture::with_pairs(6).await;
    let (url, _) = hook(|body| {
        let is_flagged = body["input"].as_str().unwrap().contains(&super::fixture::answer_text(2, "new"));
        Some(json!({"results": [{"flagged": is_flagged}]}))
    })
    .await;
    let app = app_reaching(&fixture, Outside { hook_urls: vec![url.clone()], benchmarks_dir: None });

    let export = run(&fixture, &app, json!({"recipe": "dpo", "options": {"safety_url": url}})).await;

    let manifest = manifest(&export);
    assert_eq!((&manifest["n_examples"], &manifest["n_exclusions"]["unsafe"]), (&json!(5), &json!(1)));
    for n in 0..6 {
        let holds: &[ExportId] = if n == 2 { &[] } else { &[export.id] };
        assert_eq!(fixture.affected(&format!("user-{n}")).await, holds, "user-{n}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_run_that_is_cancelled_before_it_publishes_records_no_holders() {
    let fixture = Fixture::with_pairs(12).await;
    let id = fixture.request(json!({"recipe": "dpo"})).await;
    let running = Overtaken::start(&fixture).await;

    exports::cancel(&fixture.app, &fixture.principal, id).await.unwrap();
    running.go_on().await;

    assert_eq!(status(&fixture, id).await, ExportStatus::Failed);
    let mut owner = PgConnection::connect(fixture.database.owner_url()).await.unwrap();
    let n_holders: i64 = sqlx::query_scalar("select count(*) from export_holders").fetch_one(&mut owner).await.unwrap();
    assert_eq!(n_holders, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_ends_though_a_destination_is_gone_and_says_whose_files_are_left_until_it_is_back() {
    let mut fixture = Fixture::with_pairs(12).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let open = || Blob::local(elsewhere.path()).unwrap();
    add_destination(&mut fixture, "share", open());
    let there = fixture.export_to(json!({"name": "share"})).await;
    let here = fixture.export_to(json!({"path": "here"})).await;
    collect(&fixture.app, true).await.unwrap();
    let mut owner = PgConnection::connect(fixture.database.owner_url()).await.unwrap();
    sqlx::query("update exports set swept_at = finished_at").execute(&mut owner).await.unwrap();
    fixture.app = fixture.app.clone().with_places(BTreeMap::new(), Some(fixture.scratch.path()));

    let (erasure, _) = erase::request(&fixture.app, &fixture.principal, &user("user-3"), true).await.unwrap();
    let report = fixture.finish(&fixture.principal, &erasure).await;

    let fates = |report: &ErasureReport| -> Vec<(ExportId, FilesFate)> {
        report.exports.iter().map(|export| (export.id, FilesFate::of(export, report.erasure.delete_files))).collect()
    };
    assert_eq!((report.erasure.status, report.erasure.user.is_none()), (ErasureStatus::Completed, true));
    assert_eq!(fates(&report), [(here, FilesFate::Deleted), (there, FilesFate::Left)]);
    assert_eq!((fixture.n_files(), n_files(elsewhere.path()) > 0), (0, true));
    let away = collect(&fixture.app, false).await.unwrap();
    assert_eq!((away.n_failed, away.swept.n_files), (1, 0), "whoever collects looks for them again");
    add_destination(&mut fixture, "share", open());
    let back = collect(&fixture.app, false).await.unwrap();
    let report = erase::show(&fixture.app, &fixture.principal, erasure.id).await.unwrap();
    assert_eq!((back.n_failed, n_files(elsewhere.path())), (0, 0));
    assert_eq!(fates(&report), [(here, FilesFate::Deleted), (there, FilesFate::Deleted)]);
}
