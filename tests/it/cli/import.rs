//! `afterword import`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::export::on;
use super::program::{Outcome, Running, afterword, open_dir, run};
use crate::support::TestDatabase;

/// What Open WebUI exports, by hand.
fn open_webui_export() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/open_webui/feedback.json")
}

pub(super) fn import(service: &Running, key: &str, system: &str, file: &Path, more: &[&str]) -> Outcome {
    let args = ["import", system, file.to_str().unwrap(), "--url", &service.url];
    run(afterword(&[&args[..], more].concat()).env("AFTERWORD_KEY", key))
}

/// The numbers of a line of the closing table.
pub(super) fn counts(outcome: &Outcome, line: &str) -> Vec<u64> {
    let found = outcome.out.lines().find_map(|text| text.trim().strip_prefix(line));
    let found = found.unwrap_or_else(|| panic!("no line {line}: {outcome:?}"));
    found.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

pub(super) fn serve(database: &TestDatabase) -> Running {
    Running::start(afterword(&["serve"]).env("DATABASE_URL", database.service_url()))
}

pub(super) fn ingest_key(database: &TestDatabase) -> String {
    run(&mut on(database, &["key", "create", "--role", "ingest"])).out.trim().to_owned()
}

#[tokio::test]
async fn rated_chats_of_open_webui_become_pairs_and_a_second_run_accepts_nothing() {
    let (database, dir) = (TestDatabase::new().await, open_dir());
    let service = serve(&database);
    let key = ingest_key(&database);

    let first = import(&service, &key, "open-webui", &open_webui_export(), &["--consent", "training"]);
    let second = import(&service, &key, "open-webui", &open_webui_export(), &["--consent", "training"]);
    service.stop();

    assert_eq!(first.status, Some(0), "{first:?}");
    assert_eq!((counts(&first, "rows of the file"), counts(&first, "completions")), (vec![4, 2], vec![6, 0, 0]));
    assert_eq!(counts(&first, "feedback"), [7, 0, 0], "four thumbs, one rating, one edit, one regeneration");
    for words in [
        "rows: out_of_range",
        "rows: unknown_signal",
        "1 message without an answer",
        "1 message rated, but shown by no row",
        "6 of 6 completions: finish_reason = \"stop\"",
        "7 items of feedback: trust = \"verified\"",
    ] {
        assert!(first.out.contains(words), "{words}: {}", first.out);
    }
    assert!(!first.out.contains("consent"), "it was stated: {}", first.out);
    assert_eq!((counts(&second, "completions"), counts(&second, "feedback")), (vec![0, 6, 0], vec![0, 7, 0]));
    let recipe = dir.path().join("pairs.toml");
    fs::write(&recipe, "format = \"preference\"\n[options]\nfinish_reason = \"any\"\n").unwrap();
    let out = dir.path().join("out");
    let args = ["export", "--recipe", recipe.to_str().unwrap(), "--out", out.to_str().unwrap()];
    let exported = run(&mut on(&database, &args));
    assert_eq!(exported.status, Some(0), "{exported:?}");
    let manifest: Value = serde_json::from_str(&fs::read_to_string(out.join("manifest.json")).unwrap()).unwrap();
    assert!(manifest["n_examples"].as_u64().unwrap() > 0, "{manifest}");
}

#[tokio::test]
async fn scores_of_langfuse_are_imported_by_what_their_names_were_declared_to_mean() {
    let (database, dir) = (TestDatabase::new().await, open_dir());
    let service = serve(&database);
    let key = ingest_key(&database);
    let file = dir.path().join("scores.jsonl");
    let rows = [
        r#"{"id":"s1","traceId":"t1","name":"quality","value":4,"dataType":"NUMERIC","source":"API","createdAt":"2026-11-01T10:00:00Z"}"#,
        r#"{"id":"s2","traceId":"t1","name":"other","value":0.4,"dataType":"NUMERIC","source":"API"}"#,
        r#"{"id":"s3","traceId":"t1","name":"thumb","value":1,"source":"EVAL"}"#,
        r#"{"id":"s4","sessionId":"s","name":"thumb","value":1}"#,
        r#"{"id":"s5","id":"twice"}"#,
    ];
    fs::write(&file, rows.join("\n")).unwrap();

    let told = import(&service, &key, "langfuse", &file, &["--score", "quality=rating:1:5", "--trust", "verified"]);
    service.stop();

    assert_eq!(told.status, Some(0), "{told:?}");
    assert_eq!((counts(&told, "rows of the file"), counts(&told, "feedback")), (vec![1, 4], vec![1, 0, 0]));
    for code in ["range_unknown", "not_a_user_reaction", "target_unsupported", "json_malformed"] {
        assert!(told.out.contains(&format!("1  rows: {code}")), "{code}: {}", told.out);
    }
    assert!(!told.out.contains("trust ="), "{}", told.out);
}

#[tokio::test]
async fn an_import_that_cannot_be_done_says_why_in_one_line() {
    let (database, dir) = (TestDatabase::new().await, open_dir());
    let service = serve(&database);
    let key = ingest_key(&database);
    let broken = dir.path().join("broken.json");
    fs::write(&broken, "[{\"canary\":").unwrap();
    let wrong_key = format!("aw_sec_aaaaaaaaaaaaaaaa_{}", "s".repeat(43));
    let good = open_webui_export();

    import(&service, &key, "open-webui", Path::new("/absent.json"), &[]).assert_refused(1, "/absent.json");
    import(&service, &key, "open-webui", &broken, &[]).assert_refused(1, "not valid JSON near line 1");
    import(&service, "secret", "open-webui", &good, &[]).assert_refused(2, "must be a secret key");
    import(&service, &key, "langfuse", &good, &["--score", "q=rating:5:1"]).assert_refused(2, "--score: must be NAME=");
    let refused = import(&service, &wrong_key, "open-webui", &good, &[]);
    service.stop();

    assert_eq!((refused.status, refused.err.lines().count()), (Some(1), 1), "{refused:?}");
    assert!(refused.err.contains("credential_invalid") && refused.err.contains("run it again"), "{refused:?}");
}
