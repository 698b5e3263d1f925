//! A project with feedback in a database of its own, and a place for files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use afterword::blob::Blob;
use afterword::domain::clock::{Clock, SystemClock};
use afterword::domain::completion::NewCompletion;
use afterword::domain::export::{Export, ExportStatus};
use afterword::domain::feedback::NewFeedback;
use afterword::domain::ids::{ExportId, ProjectId};
use afterword::domain::json::Json;
use afterword::domain::principal::{CredentialId, CredentialKind, Principal, Role, SecretKey};
use afterword::domain::recipe::ExportRequest;
use afterword::service::ingest::{Parsed, record_completions, record_feedback};
use afterword::service::{App, bootstrap, export_files, exports};
use arrow::array::RecordBatch;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::{Connection as _, PgConnection, Row as _};
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::TestDatabase;

/// How long anything may take before a test gives up waiting.
const DEADLINE: Duration = Duration::from_mins(1);

/// Everything that a test of exports needs.
pub(crate) struct Fixture {
    pub(crate) database: TestDatabase,
    pub(crate) app: App,
    pub(crate) root: TempDir,
    pub(crate) scratch: TempDir,
    pub(crate) principal: Principal,
}

impl Fixture {
    /// Makes an empty project.
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::new().await;
        let root = tempfile::tempdir().unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let app = app(&database, &root, Arc::new(SystemClock)).with_places(BTreeMap::new(), Some(scratch.path()));
        let project_id = bootstrap::ensure(&app, "exports", None).await.unwrap();
        let principal = principal(project_id);
        Self { database, app, root, scratch, principal }
    }

    /// Makes a project with `n_pairs` prompts, on each of which the answer of `new` is preferred to that of `old`.
    pub(crate) async fn with_pairs(n_pairs: usize) -> Self {
        let fixture = Self::new().await;
        fixture.add(0..n_pairs, "better").await;
        fixture
    }

    /// Adds prompts, each with two answers and one preference of a user of its own.
    pub(crate) async fn add(&self, numbers: std::ops::Range<usize>, outcome: &str) {
        let numbers: Vec<usize> = numbers.collect();
        let completions = numbers.iter().flat_map(|n| [completion(*n, "new"), completion(*n, "old")]).collect();
        let feedback = numbers.iter().map(|n| preference(*n, outcome)).collect();
        self.record(completions, feedback).await;
    }

    /// Gives a thumb up to the new model's answers to some prompts.
    pub(super) async fn like(&self, numbers: impl Iterator<Item = usize>) {
        self.record(Vec::new(), numbers.map(thumb_up).collect()).await;
    }

    /// Records items as the REST API would; every one must be accepted.
    pub(crate) async fn record(&self, completions: Vec<Value>, feedback: Vec<Value>) {
        for chunk in completions.chunks(500) {
            let parsed = chunk.iter().map(|item| parsed(NewCompletion::from_json(to_json(item), ""))).collect();
            let receipt = record_completions(&self.app, &self.principal, parsed).await.unwrap();
            assert_eq!((receipt.accepted, receipt.rejected), (chunk.len(), Vec::new()));
        }
        for chunk in feedback.chunks(500) {
            let parsed = chunk.iter().map(|item| parsed(NewFeedback::from_json(to_json(item), ""))).collect();
            let receipt = record_feedback(&self.app, &self.principal, parsed).await.unwrap();
            assert_eq!((receipt.accepted, receipt.rejected), (chunk.len(), Vec::new()));
        }
    }

    /// Asks for an export.
    pub(crate) async fn request(&self, body: Value) -> ExportId {
        let request = ExportRequest::from_json(to_json(&body), exports::shipped).unwrap();
        exports::request(&self.app, &self.principal, request, None).await.unwrap().0.id
    }

    /// Waits for an export to end.
    pub(crate) async fn until_ended(&self, id: ExportId) -> Export {
        let started = Instant::now();
        loop {
            let export = exports::show(&self.app, &self.principal, id).await.unwrap();
            if !matches!(export.status, ExportStatus::Queued | ExportStatus::Running) {
                return export;
            }
            assert!(started.elapsed() < DEADLINE, "the export does not end: {export:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Reads a file of an export to its end.
    pub(crate) async fn read(&self, id: ExportId, path: &str) -> Bytes {
        let file = export_files::find(&self.app, &self.principal, id, path).await.unwrap();
        let (n_bytes, pieces) = file.open(None, false).await.unwrap();
        let pieces: Vec<Bytes> = pieces.unwrap().try_collect().await.unwrap();
        let content = Bytes::from(pieces.concat());
        assert_eq!((content.len() as u64, &file.sha256), (n_bytes, &hex::encode(Sha256::digest(&content))), "{path}");
        assert_eq!(content.len() as u64, file.size_bytes, "{path}");
        content
    }

    /// Lists the audit's actions, oldest first.
    pub(crate) async fn audit(&self) -> Vec<String> {
        let mut connection = PgConnection::connect(self.database.owner_url()).await.unwrap();
        let rows = sqlx::query("select action from audit where action like 'export.%' order by audit_id")
            .fetch_all(&mut connection)
            .await
            .unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Counts the files below the place's root.
    pub(crate) fn n_files(&self) -> usize {
        n_files(self.root.path())
    }

    /// Counts the files and folders of runs.
    pub(crate) fn n_scratch(&self) -> usize {
        std::fs::read_dir(self.scratch.path()).unwrap().count()
    }
}

/// Counts the files in a folder and below it.
pub(crate) fn n_files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { n_files(&path) } else { 1 }).sum()
}

/// Starts the service on a test's database and place for files.
pub(crate) fn app(database: &TestDatabase, root: &TempDir, clock: Arc<dyn Clock>) -> App {
    App::start(database.store().clone(), Blob::local(root.path()).unwrap(), clock)
}

/// Returns an analyst of a project.
pub(crate) fn principal(project_id: ProjectId) -> Principal {
    let key = SecretKey::parse(&format!("aw_sec_abcdefgh01234567_{}", "s".repeat(43))).unwrap();
    Principal::of_backend(project_id, CredentialId::new(CredentialKind::SecretKey, key.id()), Role::Analyst)
}

/// Returns an answer with text that no encoding may change.
pub(crate) fn completion(n: usize, model: &str) -> Value {
    json!({
        "id": format!("{model}-{n}"),
        "model": model,
        "prompt": [
            {"role": "system", "content": "Answer \u{1F642}\r\nbriefly."},
            {"role": "user", "content": prompt_text(n)},
        ],
        "response": {"role": "assistant", "content": answer_text(n, model)},
        "finish_reason": "stop",
        "consent": {"training": true},
    })
}

/// Returns the last message of prompt number `n`.
pub(crate) fn prompt_text(n: usize) -> String {
    format!("  Question {n}: wie heißt „das“?\t")
}

/// Returns a model's answer to prompt number `n`.
pub(crate) fn answer_text(n: usize, model: &str) -> String {
    format!(" {model} answers\n\n{n} naïvely \u{1F469}\u{200D}\u{1F52C} ")
}

/// Returns the judgement of user number `n` on the answers to prompt number `n`.
pub(crate) fn preference(n: usize, outcome: &str) -> Value {
    json!({
        "id": Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + n as u128).to_string(),
        "completion_id": format!("new-{n}"),
        "signal": "preference",
        "against": format!("old-{n}"),
        "outcome": outcome,
        "user": format!("user-{n}"),
    })
}

/// Returns the thumb up of user number `n` on the new model's answer to prompt number `n`.
fn thumb_up(n: usize) -> Value {
    json!({
        "id": Uuid::from_u128(0x0191_0000_0000_7000_8000_0000_0000_0000 + n as u128).to_string(),
        "completion_id": format!("new-{n}"),
        "signal": "thumb",
        "value": "up",
        "user": format!("user-{n}"),
    })
}

/// Parses JSON as the HTTP layer would.
pub(super) fn to_json(value: &Value) -> Json {
    Json::parse(value.to_string().as_bytes()).unwrap()
}

/// Takes a parsed item as the HTTP layer would.
pub(super) fn parsed<T>(outcome: Result<T, Vec<afterword::domain::fields::FieldError>>) -> Parsed<T> {
    Parsed { id: None, outcome }
}

/// Parses an export's manifest.
pub(crate) fn manifest(export: &Export) -> Value {
    serde_json::from_str(export.manifest.as_deref().unwrap()).unwrap()
}

/// Maps the paths that a manifest names to their hashes.
pub(crate) fn hashes(manifest: &Value) -> BTreeMap<String, String> {
    let files = manifest["files"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    files.iter().map(|file| (text(&file["path"]), text(&file["sha256"]))).collect()
}

/// Reads a part.
pub(crate) fn batches(part: Bytes) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(part).unwrap().build().unwrap();
    reader.map(|batch| batch.unwrap()).collect()
}
