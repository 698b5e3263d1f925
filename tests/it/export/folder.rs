//! Exports into a folder of the operator's own.

use std::path::Path;
use std::sync::Arc;

use afterword::domain::export::ExportProblem;
use afterword::service::export_folder::{FolderError, export_to_folder};
use afterword::service::export_manifest::Manifest;
use afterword::service::export_progress::Progress;
use afterword::service::export_run::RunError;
use afterword::service::exports;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::fixture::Fixture;

/// Runs a shipped recipe into a folder.
pub(super) async fn export(
    fixture: &Fixture,
    recipe: &str,
    out: &Path,
    force: bool,
    stop: &CancellationToken,
) -> Result<Manifest, FolderError> {
    let recipe = exports::shipped(recipe).unwrap();
    let (project_id, progress) = (fixture.principal.project_id, Arc::new(Progress::default()));
    export_to_folder(&fixture.app, project_id, &recipe, out, force, &progress, stop).await
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_appears_whole_and_is_replaced_only_on_request() {
    let fixture = Fixture::with_pairs(20).await;
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    let go_on = CancellationToken::new();

    let manifest = export(&fixture, "dpo", &out, false, &go_on).await.unwrap();
    let again = export(&fixture, "sft", &out, false, &go_on).await;

    assert!(matches!(again, Err(FolderError::NotEmpty)));
    assert_eq!(entries(&out), ["README.md", "data", "manifest.json", "stats.json"]);
    let written: Value = serde_json::from_slice(&std::fs::read(out.join("manifest.json")).unwrap()).unwrap();
    assert_eq!((&written["n_examples"], manifest.n_examples), (&Value::from(20), 20));
    export(&fixture, "sft", &out, true, &go_on).await.unwrap();
    assert_eq!(entries(&out), ["README.md", "manifest.json", "sft", "sft_completion", "stats.json"]);
    assert_eq!(entries(root.path()), ["out"]);
    assert_eq!(fixture.audit().await, ["export.written", "export.written"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_stopped_or_has_no_rows_leaves_nothing_behind() {
    let fixture = Fixture::new().await;
    fixture.add(0..3, "both_bad").await;
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    let stop = CancellationToken::new();

    let empty = export(&fixture, "dpo", &out, false, &stop).await;
    stop.cancel();
    let stopped = export(&fixture, "dpo", &out, false, &stop).await;

    let Err(FolderError::Run(RunError::NoExamples(problem))) = empty else { panic!("{empty:?}") };
    assert_eq!((problem.code.as_str(), problem.n_exclusions["both_bad"]), (ExportProblem::NO_EXAMPLES, 3));
    assert!(matches!(stopped, Err(FolderError::Run(RunError::Stopped))), "{stopped:?}");
    assert_eq!(entries(root.path()), Vec::<String>::new());
    assert_eq!(fixture.audit().await, Vec::<String>::new());
}
