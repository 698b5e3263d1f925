//! What the documents show of reading an export from Python, run as it stands there.

use std::path::Path;
use std::process::Command;

use afterword::config::environment;
use tokio_util::sync::CancellationToken;

use super::fixture::Fixture;
use super::folder::export;

#[tokio::test(flavor = "multi_thread")]
async fn datasets_pandas_polars_and_duckdb_read_a_folder_as_the_documents_show() {
    let Some(python) = environment("AFTERWORD_PYTHON") else {
        eprintln!("SKIPPED: no export was read from Python; set AFTERWORD_PYTHON (`make venv`)");
        return;
    };
    let fixture = Fixture::with_pairs(120).await;
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("my-pairs");
    export(&fixture, "dpo", &out, false, &CancellationToken::new()).await.unwrap();
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));

    let run = Command::new(python)
        .arg(project.join("tests/readers/run_snippets.py"))
        .args([project.join("docs/data-sets.md"), "Loading".into(), root.path().into()])
        .env("HF_HOME", root.path().join("cache"))
        .env("HF_HUB_OFFLINE", "1")
        .output()
        .unwrap();

    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
    assert!(said.contains("OK 4 snippets"), "{said}");
}
