//! Exports into a bucket of a storage server: whole, read back, and whatever the server or the network does.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use afterword::blob::{AccessKey, Blob, BlobError, Folder, ObjectKey, Swept};
use afterword::domain::destination::{Bucket, DestinationName, Endpoint};
use afterword::domain::export::{ExportProblem, ExportStatus};
use afterword::domain::fields::FieldCode;
use afterword::domain::ids::{ExportId, ProjectId};
use afterword::domain::json::Json;
use afterword::domain::recipe::ExportRequest;
use afterword::service::detached::spawn;
use afterword::service::export_leftovers::collect;
use afterword::service::{ServiceError, export_files, exports};
use afterword::worker::Worker;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use rand::{RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::{Connection as _, PgConnection, Row as _};
use uuid::Uuid;

use super::fixture::{Fixture, hashes, manifest};
use crate::support::s3::S3Server;

const DEADLINE: Duration = Duration::from_mins(1);
/// More than two pieces of an upload.
const LARGE_BYTES: usize = 20 << 20;

/// Gives a test's service a destination.
pub(super) fn add_destination(fixture: &mut Fixture, name: &str, blob: Blob) {
    let named = BTreeMap::from([(DestinationName::parse(name).unwrap(), blob)]);
    fixture.app = fixture.app.clone().with_places(named, Some(fixture.scratch.path()));
}

fn key(attempt: i32, file: &str) -> ObjectKey {
    let (project_id, export_id) = (ProjectId(Uuid::from_u128(1)), ExportId(Uuid::from_u128(2)));
    ObjectKey::ExportFile { project_id, directory: None, export_id, attempt, file: file.to_owned() }
}

fn folder() -> Folder {
    Folder::Export {
        project_id: ProjectId(Uuid::from_u128(1)),
        directory: None,
        export_id: ExportId(Uuid::from_u128(2)),
    }
}

/// Makes bytes that nothing compresses.
fn large_file(dir: &tempfile::TempDir) -> (std::path::PathBuf, Bytes) {
    let mut content = vec![0; LARGE_BYTES];
    ChaCha8Rng::seed_from_u64(1).fill_bytes(&mut content);
    let path = dir.path().join("large");
    std::fs::write(&path, &content).unwrap();
    (path, Bytes::from(content))
}

async fn read(blob: &Blob, key: &ObjectKey) -> Bytes {
    let (n_bytes, pieces) = blob.read(key).await.unwrap();
    let pieces: Vec<Bytes> = pieces.try_collect().await.unwrap();
    let content = Bytes::from(pieces.concat());
    assert_eq!(content.len() as u64, n_bytes);
    content
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < DEADLINE, "it never comes to this: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_goes_into_a_bucket_whole_is_read_back_and_withdrawn() {
    let Some(server) = S3Server::start() else { return };
    let mut fixture = Fixture::with_pairs(40).await;
    add_destination(&mut fixture, "lake", server.open());
    let worker = Worker::start(fixture.app.clone());

    let id = fixture.request(json!({"recipe": "dpo", "destination": {"name": "lake", "path": "team/dpo"}})).await;
    let export = fixture.until_ended(id).await;
    worker.stop().await;

    assert_eq!((export.status, &export.problem), (ExportStatus::Completed, &None));
    let hashes = hashes(&manifest(&export));
    for (path, sha256) in &hashes {
        assert_eq!(hex::encode(Sha256::digest(fixture.read(id, path).await)), *sha256, "{path}");
    }
    let whole = fixture.read(id, "manifest.json").await;
    assert_eq!(whole, export.manifest.unwrap().as_bytes());
    let file = export_files::find(&fixture.app, &fixture.principal, id, "manifest.json").await.unwrap();
    let (n_bytes, pieces) = file.open(Some(3..11), false).await.unwrap();
    let part: Vec<Bytes> = pieces.unwrap().try_collect().await.unwrap();
    assert_eq!((n_bytes, Bytes::from(part.concat())), (8, whole.slice(3..11)), "a range comes from the bucket alone");
    assert!(file.open(None, true).await.is_ok_and(|(n_bytes, none)| n_bytes == whole.len() as u64 && none.is_none()));
    let objects = server.objects();
    let below = format!("some/prefix/{}/team/dpo/{id}/attempt-1/", fixture.principal.project_id);
    assert!(objects.iter().all(|name| name.starts_with(&below)), "{objects:?}");
    assert_eq!(objects.len(), hashes.len() + 1, "every file but the manifest is named");
    assert_eq!((fixture.n_files(), fixture.n_scratch(), server.n_uploads()), (0, 0, 0));

    exports::revoke(&fixture.app, &fixture.principal, id).await.unwrap();
    assert_eq!(server.objects(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_goes_in_pieces_and_one_that_breaks_off_is_no_file_and_is_collected() {
    let Some(server) = S3Server::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (path, content) = large_file(&dir);
    let blob = server.open();

    blob.put_file(&key(1, "part"), &path, std::future::pending(), |_| ()).await.unwrap();
    assert_eq!(read(&blob, &key(1, "part")).await, content);

    // Somebody stops it: the upload is given up at once.
    server.ask("hold");
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let (copying, source) = (blob.clone(), path.clone());
    let copy = spawn(async move {
        let stopped = async { stopped.await.unwrap() };
        copying.put_file(&key(2, "part"), &source, stopped, |_| ()).await
    });
    until("an upload is under way", || server.n_uploads() == 1).await;
    stop.send(()).unwrap();
    server.ask("release");
    assert!(matches!(copy.await.unwrap(), Err(BlobError::Stopped)));
    until("the upload is given up", || server.n_uploads() == 0).await;

    // Somebody is killed, who tells the server nothing.
    server.ask("hold");
    let (copying, source) = (blob.clone(), path.clone());
    let copy = spawn(async move { copying.put_file(&key(3, "part"), &source, std::future::pending(), |_| ()).await });
    until("an upload is under way", || server.n_uploads() == 1).await;
    copy.abort();
    assert!(copy.await.unwrap_err().is_cancelled());
    server.ask("release");
    assert_eq!((server.objects().len(), server.n_uploads()), (1, 1), "what broke off is no file");
    assert_eq!(blob.sweep(&folder(), Some(1)).await.unwrap(), Swept { n_files: 0, n_uploads: 1 });
    assert_eq!((server.objects().len(), server.n_uploads()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_is_never_written_over() {
    let Some(server) = S3Server::start() else { return };
    let blob = server.open();

    blob.create(&key(1, "manifest.json"), Bytes::from_static(b"one")).await.unwrap();
    blob.create(&key(1, "manifest.json"), Bytes::from_static(b"one")).await.unwrap();
    let other = blob.create(&key(1, "manifest.json"), Bytes::from_static(b"two")).await;

    assert!(matches!(other, Err(BlobError::Taken)), "{other:?}");
    assert_eq!(read(&blob, &key(1, "manifest.json")).await, "one");
    assert!(blob.holds(&key(1, "manifest.json")).await.unwrap() && !blob.holds(&key(1, "other")).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_busy_is_asked_again() {
    let Some(server) = S3Server::start() else { return };
    let mut fixture = Fixture::with_pairs(10).await;
    add_destination(&mut fixture, "lake", server.open());
    let id = fixture.request(json!({"recipe": "dpo", "destination": {"name": "lake"}})).await;
    server.ask("fail 4");

    let worker = Worker::start(fixture.app.clone());
    let export = fixture.until_ended(id).await;
    worker.stop().await;

    assert_eq!((export.status, manifest(&export)["attempt"].clone()), (ExportStatus::Completed, json!(1)));
    assert_eq!(server.ask("failed")["n"], 4);
    for (path, sha256) in hashes(&manifest(&export)) {
        assert_eq!(hex::encode(Sha256::digest(fixture.read(id, &path).await)), sha256, "{path}");
    }
}

/// Asks for an export into the destination and returns what is said before anything is written.
async fn refusal(fixture: &Fixture) -> ServiceError {
    let body = json!({"recipe": "dpo", "destination": {"name": "lake"}}).to_string();
    let request = ExportRequest::from_json(Json::parse(body.as_bytes()).unwrap(), exports::shipped).unwrap();
    exports::request(&fixture.app, &fixture.principal, request, None).await.unwrap_err()
}

async fn n_exports(fixture: &Fixture) -> i64 {
    let mut owner = PgConnection::connect(fixture.database.owner_url()).await.unwrap();
    let row = sqlx::query("select (select count(*) from exports) + (select count(*) from jobs)");
    row.fetch_one(&mut owner).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_cannot_be_used_is_one_clear_error_before_anything_is_written() {
    let Some(server) = S3Server::start() else { return };
    let mut fixture = Fixture::with_pairs(3).await;
    let nobody_listens = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let good = server.bucket();
    let away = Bucket { endpoint: Endpoint::parse(&format!("http://{nobody_listens}"), true), ..good.clone() };
    let missing = Bucket { name: "missing".to_owned(), ..good.clone() };
    let wrong = || AccessKey { id: server.key_id.clone(), secret: "canary".to_owned() };
    let unknown = || AccessKey { id: "AKIACANARY".to_owned(), secret: "canary".to_owned() };

    for (bucket, key, expected) in [
        (away, server.key(), "its storage server cannot be reached"),
        (missing, server.key(), "its storage server has no such bucket"),
        (good.clone(), wrong(), "its storage server refuses the access key, or what may be done with it"),
        (good, unknown(), "its storage server refuses the access key, or what may be done with it"),
    ] {
        add_destination(&mut fixture, "lake", Blob::bucket(&bucket, &key).unwrap());

        let error = refusal(&fixture).await;

        assert_eq!(error.to_string(), format!("the destination cannot be used: {expected}"));
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        assert_eq!(n_exports(&fixture).await, 0, "{expected}");
    }
    add_destination(&mut fixture, "pond", server.open());
    let ServiceError::Invalid(errors) = refusal(&fixture).await else { panic!("an unknown destination is accepted") };
    assert_eq!((errors[0].pointer.as_str(), errors[0].code), ("/destination/name", FieldCode::UnknownDestination));
    assert!(errors[0].detail.ends_with("which has: pond"), "{}", errors[0].detail);
    assert_eq!((n_exports(&fixture).await, server.objects().len(), server.n_uploads()), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_taken_back_meanwhile_ends_the_export_at_its_first_attempt() {
    let Some(server) = S3Server::start() else { return };
    let mut fixture = Fixture::with_pairs(3).await;
    add_destination(&mut fixture, "lake", server.open());
    let id = fixture.request(json!({"recipe": "dpo", "destination": {"name": "lake"}})).await;
    let wrong = AccessKey { id: server.key_id.clone(), secret: "canary".to_owned() };
    add_destination(&mut fixture, "lake", Blob::bucket(&server.bucket(), &wrong).unwrap());

    let worker = Worker::start(fixture.app.clone());
    let export = fixture.until_ended(id).await;
    worker.stop().await;

    assert_eq!(export.problem.unwrap().code, ExportProblem::DESTINATION_REFUSED);
    assert_eq!((server.objects().len(), server.n_uploads(), fixture.n_scratch()), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_dead_workers_left_in_a_bucket_is_collected_and_what_was_published_stays() {
    let Some(server) = S3Server::start() else { return };
    let mut fixture = Fixture::with_pairs(5).await;
    let blob = server.open();
    add_destination(&mut fixture, "lake", blob.clone());
    let worker = Worker::start(fixture.app.clone());
    let id = fixture.request(json!({"recipe": "dpo", "destination": {"name": "lake"}})).await;
    let export = fixture.until_ended(id).await;
    worker.stop().await;
    let published = server.objects();
    let of_attempt = |attempt, file: &str| ObjectKey::ExportFile {
        project_id: fixture.principal.project_id,
        directory: None,
        export_id: id,
        attempt,
        file: file.to_owned(),
    };
    blob.put(&of_attempt(7, "data/part"), Bytes::from_static(b"x")).await.unwrap();
    // Another instance's, which shares the bucket.
    blob.put(&key(1, "part"), Bytes::from_static(b"x")).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (path, _) = large_file(&dir);
    server.ask("hold");
    let (copying, killed) = (blob.clone(), of_attempt(8, "part"));
    let copy = spawn(async move { copying.put_file(&killed, &path, std::future::pending(), |_| ()).await });
    until("an upload is under way", || server.n_uploads() == 1).await;
    copy.abort();
    server.ask("release");

    let collected = collect(&fixture.app, false).await.unwrap();

    assert_eq!(collected.swept, Swept { n_files: 1, n_uploads: 1 });
    assert_eq!(server.n_uploads(), 0);
    let left: Vec<String> = server.objects();
    assert_eq!(left.len(), published.len() + 1, "{left:?}");
    for (path, sha256) in hashes(&manifest(&export)) {
        assert_eq!(hex::encode(Sha256::digest(fixture.read(id, &path).await)), sha256, "{path}");
    }
    assert!(collect(&fixture.app, true).await.unwrap().is_nothing());
}

/// Listens where nobody should come, and counts who does.
fn sink() -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let (listener, n_visits) = (TcpListener::bind("127.0.0.1:0").unwrap(), Arc::new(AtomicUsize::new(0)));
    let (address, counted) = (listener.local_addr().unwrap(), Arc::clone(&n_visits));
    std::thread::spawn(move || {
        while listener.accept().is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (address, n_visits)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed_wherever_it_leads() {
    let (elsewhere, n_visits) = sink();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let _head = connection.read(&mut [0; 4096]);
            let answer = format!(
                "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{elsewhere}/latest/meta-data\r\n\
                 content-length: 6\r\nconnection: close\r\n\r\ncanary"
            );
            let _gone = connection.write_all(answer.as_bytes());
        }
    });
    let bucket = Bucket {
        endpoint: Endpoint::parse(&format!("http://{address}"), true),
        name: "training".to_owned(),
        region: "us-east-1".to_owned(),
        prefix: String::new(),
        ca_file: None,
        access_key_id: afterword::domain::destination::SecretReference::Environment("X".to_owned()),
        secret_access_key: afterword::domain::destination::SecretReference::Environment("X".to_owned()),
    };
    let blob = Blob::bucket(&bucket, &AccessKey { id: "id".to_owned(), secret: "secret".to_owned() }).unwrap();

    let errors = [
        blob.check().await.unwrap_err(),
        blob.put(&key(1, "part"), Bytes::from_static(b"x")).await.unwrap_err(),
        blob.read(&key(1, "part")).await.map(|_| ()).unwrap_err(),
        blob.sweep(&folder(), None).await.unwrap_err(),
    ];

    for error in errors {
        assert!(matches!(error, BlobError::Elsewhere), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
    assert_eq!(n_visits.load(Ordering::SeqCst), 0);
}
