//! `afterword import jsonl|openai|phoenix|mlflow|mapping`: tables of any origin.

use std::fs;
use std::path::Path;

use super::import::{counts, import, ingest_key, serve};
use super::program::{Outcome, afterword, open_dir, run};
use crate::support::TestDatabase;

const MAPPING: &str = r#"
source = "chat"
[completion]
id = "id"
model = "model"
prompt = "question"
response = "answer"
finish_reason = { value = "stop" }
consent.training = { value = true }
usage.input_tokens = "n_in"
[[feedback]]
signal = "thumb"
completion_id = "id"
user = "who"
value = { path = "vote", up = ["good"], down = ["bad"] }
[[feedback]]
signal = "rating"
completion_id = "id"
user = "who"
value = { path = "stars", min = 1, max = 5 }
"#;

/// A row of a completion with a thumb and stars.
fn row(id: &str, vote: &str, stars: u8) -> String {
    format!(
        r#"{{"id":"{id}","model":"m","question":"Why?","answer":"So.","n_in":"1","who":"u-1","vote":"{vote}","stars":{stars},
        "extra":[]}}"#
    )
    .replace('\n', "")
}

/// Runs an import without a service.
fn dry(format: &str, file: &Path, mapping: &Path, more: &[&str]) -> Outcome {
    let args = ["import", format, file.to_str().unwrap(), "--mapping", mapping.to_str().unwrap(), "--dry-run"];
    run(&mut afterword(&[&args[..], more].concat()))
}

#[tokio::test]
async fn rows_are_stored_once_and_what_was_not_mapped_is_told() {
    let (database, dir) = (TestDatabase::new().await, open_dir());
    let service = serve(&database);
    let key = ingest_key(&database);
    let (mapping, file) = (dir.path().join("mapping.toml"), dir.path().join("t.jsonl"));
    fs::write(&mapping, MAPPING).unwrap();
    let rows = [row("c-1", "good", 4), row("c-2", "meh", 9), row("c-3", "bad", 1).replace("\"1\"", "\"many\"")];
    fs::write(&file, rows.join("\n")).unwrap();
    let more = ["--mapping", mapping.to_str().unwrap()];

    let first = import(&service, &key, "jsonl", &file, &more);
    let second = import(&service, &key, "jsonl", &file, &more);
    service.stop();

    assert_eq!(first.status, Some(0), "{first:?}");
    assert_eq!((counts(&first, "completions"), counts(&first, "feedback")), (vec![2, 0, 0], vec![4, 0, 1]));
    for words in [
        "1  rows: completion/usage/input_tokens: wrong_type",
        "1  rows: thumb/value: not_one_of",
        "1  feedback: out_of_range",
        "2 items made by the mapping's completion",
        "1 column that the mapping does not look at: extra",
    ] {
        assert!(first.out.contains(words), "{words}: {}", first.out);
    }
    assert_eq!((counts(&second, "completions"), counts(&second, "feedback")), (vec![0, 2, 0], vec![0, 4, 1]));
}

#[tokio::test]
async fn a_file_that_breaks_off_is_told_by_its_record_and_what_stands_before_it_is_stored() {
    let (database, dir) = (TestDatabase::new().await, open_dir());
    let service = serve(&database);
    let key = ingest_key(&database);
    let (mapping, file) = (dir.path().join("mapping.toml"), dir.path().join("t.jsonl"));
    fs::write(&mapping, MAPPING).unwrap();
    let good = [row("c-1", "good", 4), row("c-2", "bad", 1)].join("\n");
    fs::write(&file, format!("{good}\n{{\"id\":\"CANARY\n{}", row("c-4", "good", 5))).unwrap();
    let more = ["--mapping", mapping.to_str().unwrap()];

    let broken = import(&service, &key, "jsonl", &file, &more);
    fs::write(&file, format!("{good}\n{}", row("c-3", "good", 5))).unwrap();
    let mended = import(&service, &key, "jsonl", &file, &more);
    let skipped = import(&service, &key, "jsonl", &file, &[&more[..], &["--skip", "2"]].concat());
    service.stop();

    assert_eq!((broken.status, counts(&broken, "completions")), (Some(1), vec![2, 0, 0]), "{broken:?}");
    assert_eq!(broken.err.lines().count(), 1, "{broken:?}");
    assert!(broken.err.contains("t.jsonl: record 3: is not valid JSON"), "{broken:?}");
    assert!(!broken.err.contains("CANARY") && !broken.out.contains("CANARY"));
    assert_eq!((counts(&mended, "completions"), counts(&mended, "feedback")), (vec![1, 2, 0], vec![2, 4, 0]));
    assert_eq!(counts(&skipped, "completions"), [0, 1, 0], "only the third was read");
}

#[test]
fn a_dry_run_needs_no_service_and_no_key_and_says_what_would_be_made() {
    let dir = open_dir();
    let (mapping, file) = (dir.path().join("mapping.toml"), dir.path().join("t.jsonl"));
    fs::write(&mapping, MAPPING).unwrap();
    fs::write(&file, [row("c-1", "good", 4), row("c-2", "bad", 7)].join("\n")).unwrap();

    let told = dry("jsonl", &file, &mapping, &[]);

    assert_eq!((told.status, told.err.as_str()), (Some(0), ""), "{told:?}");
    assert!(told.out.starts_with("a dry run: nothing was sent"), "{told:?}");
    assert_eq!((counts(&told, "completions"), counts(&told, "feedback")), (vec![2, 0, 0], vec![3, 0, 1]));
}

#[test]
fn what_cannot_be_read_is_told_in_one_line() {
    let dir = open_dir();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("mapping.toml"), MAPPING).unwrap();
    fs::write(path("wrong.toml"), MAPPING.replace("signal = \"rating\"", "signal = \"stars\"")).unwrap();
    fs::write(path("latin.toml"), b"source = \"\xff\"").unwrap();
    fs::write(path("t.jsonl"), b"{\"id\":\"c-1\"}\n\xff").unwrap();
    let (good, file) = (path("mapping.toml"), path("t.jsonl"));

    dry("jsonl", &file, &path("wrong.toml"), &[]).assert_refused(2, "wrong.toml: feedback[2].signal: must be one of");
    dry("jsonl", &file, &path("latin.toml"), &[]).assert_refused(2, "latin.toml is not UTF-8");
    dry("jsonl", &file, &path("absent.toml"), &[]).assert_refused(1, "absent.toml");
    dry("jsonl", &path("absent.jsonl"), &good, &[]).assert_refused(1, "absent.jsonl: cannot be read");
    let cut = dry("jsonl", &file, &good, &[]);
    assert_eq!((cut.status, cut.err.lines().count()), (Some(1), 1), "{cut:?}");
    assert!(cut.err.contains("t.jsonl: record 2: is not UTF-8"), "{cut:?}");
}

#[test]
fn the_mapping_that_is_printed_is_one_that_an_import_takes() {
    let dir = open_dir();
    let (mapping, file) = (dir.path().join("mapping.toml"), dir.path().join("t.jsonl"));
    let printed = run(&mut afterword(&["import", "mapping"]));
    fs::write(&mapping, &printed.out).unwrap();
    fs::write(&file, r#"{"response":{"id":"c-1"},"stars":4,"user":{"id":"u-1"}}"#).unwrap();

    let told = dry("jsonl", &file, &mapping, &[]);

    assert_eq!((printed.status, told.status), (Some(0), Some(0)), "{told:?}");
    assert_eq!(counts(&told, "feedback"), [1, 0, 0], "{told:?}");
}

#[test]
fn completions_that_openai_stored_are_read_with_their_messages() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/openai/completions.jsonl");
    let args = ["import", "openai", file.to_str().unwrap(), "--dry-run", "--consent", "training"];

    let told = run(&mut afterword(&args));

    assert_eq!(told.status, Some(0), "{told:?}");
    assert_eq!((counts(&told, "rows of the file"), counts(&told, "completions")), (vec![2, 2], vec![2, 0, 0]));
    assert!(told.out.contains("1  rows: multiple_choices") && told.out.contains("1  rows: required"), "{told:?}");
    assert!(!told.out.contains("consent ="), "{told:?}");
}

#[test]
fn what_people_said_in_phoenix_and_mlflow_is_read_with_the_calls_that_it_is_about() {
    let fixture = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    let tried = |system: &str, name: &str| {
        let file = fixture(name);
        let args = ["import", system, file.to_str().unwrap(), "--dry-run", "--score", "quality=rating:1:5"];
        run(&mut afterword(&args))
    };

    let phoenix = tried("phoenix", "phoenix/rows.jsonl");
    let mlflow = tried("mlflow", "mlflow/traces.json");

    assert_eq!((phoenix.status, mlflow.status), (Some(0), Some(0)), "{phoenix:?} {mlflow:?}");
    assert_eq!((counts(&phoenix, "completions"), counts(&phoenix, "feedback")), (vec![1, 0, 0], vec![2, 0, 0]));
    assert!(phoenix.out.contains("1  rows: not_a_user_reaction"), "{}", phoenix.out);
    assert!(phoenix.out.contains("1 span that is no call of a model"), "{}", phoenix.out);
    assert_eq!((counts(&mlflow, "completions"), counts(&mlflow, "feedback")), (vec![1, 0, 0], vec![2, 0, 0]));
    assert!(mlflow.out.contains("1  rows: assessment: not_a_user_reaction"), "{}", mlflow.out);
}
