//! What the documents show of reading an export from Python, run as it stands there.

use std::path::Path;
use std::process::{Command, Output};

use afterword::config::environment;
use afterword::domain::recipe::Layout;
use tokio_util::sync::CancellationToken;

use super::fixture::Fixture;
use super::folder::export;
use super::lines::export_as;

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

/// Runs the snippets of a card as whoever copies them does: inside the folder.
fn run_card(python: &str, folder: &Path) -> Output {
    // Each with nothing in its cache: what was loaded once is not looked at again.
    let cache = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers/run_snippets.py");
    Command::new(python)
        .arg(script)
        .args([&folder.join("README.md"), Path::new("Loading"), folder])
        .env("HF_HOME", cache.path())
        .env("HF_HUB_OFFLINE", "1")
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_snippet_of_a_card_runs_inside_its_folder_in_every_layout_and_a_folder_that_lacks_rows_is_refused() {
    let Some(python) = environment("AFTERWORD_PYTHON") else {
        eprintln!("SKIPPED: no card was run; set AFTERWORD_PYTHON (`make venv`)");
        return;
    };
    let fixture = Fixture::with_pairs(60).await;
    let mut later = super::fixture::completion(60, "new");
    later["prompt"] = serde_json::json!([{"role": "user", "content": "One?"}, {"role": "assistant", "content": "Uno."},
                                         {"role": "user", "content": "Two?"}]);
    fixture.record(vec![later], Vec::new()).await;
    fixture.like(60..61).await;
    let root = tempfile::tempdir().unwrap();

    for (recipe, layout) in [
        ("dpo", Layout::Trl),
        ("dpo", Layout::Implicit),
        ("dpo", Layout::NemoRl),
        ("sft", Layout::Verl),
        ("dpo", Layout::OpenaiJsonl),
        ("sft", Layout::OpenaiJsonl),
        ("sft", Layout::MlxJsonl),
    ] {
        let out = root.path().join(format!("{recipe}-{}", layout.as_str()));
        export_as(&fixture, recipe, layout, &out, None).await;
        let renamed = out.with_extension("renamed");
        let run = run_card(&python, &out);
        let failed = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(run.status.success(), "{recipe} {layout:?}: {failed}");
        std::fs::rename(&out, &renamed).unwrap();
        assert!(run_card(&python, &renamed).status.success(), "a folder may be called otherwise: {recipe} {layout:?}");
        if layout.is_lines() {
            let name = if layout == Layout::MlxJsonl { "train.jsonl" } else { "train-00000-of-00001.jsonl" };
            let part = renamed.join("data").join(name);
            let text = std::fs::read_to_string(&part).unwrap();
            std::fs::write(&part, text.split_inclusive('\n').skip(1).collect::<String>()).unwrap();
            let run = run_card(&python, &renamed);
            let said = String::from_utf8_lossy(&run.stderr).into_owned();
            assert!(said.contains("NonMatchingSplitsSizesError"), "{recipe} {layout:?}: {said}");
        }
    }
}
