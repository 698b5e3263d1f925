//! The acceptance check for data sets, run by the Python that has pyarrow.

use std::path::{Path, PathBuf};
use std::process::Command;

use afterword::config::environment;
use tokio_util::sync::CancellationToken;

use super::comments::comment;
use super::fixture::Fixture;
use super::folder::export;

/// Returns the Python and the script; says loudly that nothing was checked where either is absent.
fn checker() -> Option<(String, PathBuf)> {
    let shared = environment("AFTERWORD_SHARED").unwrap_or_else(|| "../shared".to_owned());
    let script = Path::new(&shared).join("trainer_check/check_schema.py");
    match environment("AFTERWORD_PYTHON") {
        Some(python) if script.is_file() => Some((python, script)),
        _ => {
            eprintln!("SKIPPED: exports were not checked by trainer_check; set AFTERWORD_PYTHON and AFTERWORD_SHARED");
            None
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trainers_own_check_accepts_exports_of_every_format() {
    let Some((python, script)) = checker() else { return };
    let fixture = Fixture::with_pairs(200).await;
    fixture.add(200..210, "tie").await;
    fixture.add(210..230, "both_bad").await;
    fixture.like(0..100).await;
    let told = (0..150).map(|n| comment(n, "critic", &format!("new-{n}"), "Too long.\nAnd \u{1F642} wrong")).collect();
    fixture.record(Vec::new(), told).await;
    let root = tempfile::tempdir().unwrap();

    for recipe in ["dpo", "kto", "sft", "reward", "prompts", "all"] {
        let out = root.path().join(recipe);
        export(&fixture, recipe, &out, false, &CancellationToken::new()).await.unwrap();

        let check = Command::new(&python).arg(&script).arg(&out).output().unwrap();

        let said = String::from_utf8_lossy(&check.stdout).into_owned();
        assert!(check.status.success(), "{recipe}: {said}{}", String::from_utf8_lossy(&check.stderr));
        assert!(said.contains("0 errors, 0 warnings"), "{recipe}: {said}");
    }
}
