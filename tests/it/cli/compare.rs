//! `afterword compare` and `afterword experiment`.

use std::process::Command;

use serde_json::{Value, json};

use super::program::{Running, afterword, open_dir, run};
use crate::support::TestDatabase;

fn on(database: &TestDatabase, args: &[&str]) -> Command {
    let mut command = afterword(args);
    command.env("DATABASE_URL", database.service_url());
    command
}

const MODELS: [&str; 5] = ["compare", "--control", "model:old", "--candidate", "model:new"];

/// Sends a completion of either model and a thumb for each through a running service.
async fn seed(database: &TestDatabase) {
    let service = Running::start(afterword(&["serve"]).env("DATABASE_URL", database.service_url()));
    let key = run(&mut on(database, &["key", "create", "--role", "ingest"])).out.trim().to_owned();
    let completion = |id: &str, model: &str| json!({ "id": id, "model": model, "prompt": "p", "response": "r" });
    let completions = json!({ "completions": [completion("a", "old"), completion("b", "new")] });
    let thumb = |number: u8, id: &str, value: &str| {
        json!({ "id": format!("01900000-0000-7000-8000-0000000000{number:02}"), "completion_id": id,
                "signal": "thumb", "value": value })
    };
    let feedback = json!({ "v": 1, "feedback": [thumb(1, "a", "up"), thumb(2, "b", "down")] });
    for (path, body) in [("/v1/completions", completions), ("/v1/feedback", feedback)] {
        let answer = service.post(path, &key, &body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
    }
    service.stop();
}

#[tokio::test]
async fn a_comparison_is_told_as_text_as_json_and_as_a_page() {
    let database = TestDatabase::new().await;
    seed(&database).await;
    let dir = open_dir();
    let page = dir.path().join("report.html");

    let text = run(&mut on(&database, &MODELS));
    let wire = run(&mut on(&database, &[&MODELS[..], &["--format", "json", "--margin", "good_turn=0.2"]].concat()));
    let written = run(&mut on(&database, &[&MODELS[..], &["--out", page.to_str().unwrap()]].concat()));

    assert_eq!(text.status, Some(0), "{text:?}");
    assert!(text.out.starts_with('┌') && text.out.contains("Thumbs up /1000"), "{text:?}");
    let wire: Value = serde_json::from_str(&wire.out).unwrap();
    assert_eq!((&wire["control"]["name"], &wire["candidate"]["name"]), (&json!("old"), &json!("new")));
    assert_eq!(wire["metrics"][0]["margin"]["value"], 0.2);
    assert_eq!((written.status, written.out.as_str()), (Some(0), ""));
    assert!(std::fs::read_to_string(page).unwrap().starts_with("<!doctype html>"));
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_one_line_and_status_2_and_one_without_an_answer_status_1() {
    let database = TestDatabase::new().await;
    seed(&database).await;
    let ask = |args: &[&str]| run(&mut on(&database, &[&["compare"], args].concat()));

    ask(&["--control", "model:old", "--candidate", "model:old"])
        .assert_refused(2, "--candidate: must be another model");
    ask(&["--control", "old", "--candidate", "model:new"]).assert_refused(2, "model:NAME");
    ask(&["--control", "model:old", "--candidate", "model:x"])
        .assert_refused(1, "no completions of the candidate model");
    ask(&["--experiment", "never"]).assert_refused(1, "no such experiment");
    ask(&["--control", "model:old"]).assert_refused(2, "--candidate");
    ask(&[]).assert_refused(2, "--experiment");
}

#[tokio::test]
async fn an_experiment_is_declared_from_a_file_and_never_changed() {
    let database = TestDatabase::new().await;
    seed(&database).await;
    let dir = open_dir();
    let file = |name: &str, share: &str| {
        let path = dir.path().join(name);
        let text = format!(
            "key = 'swap'\ncontrol = 'now'\nvariants = [{{ name = 'now', share = {share} }}, \
             {{ name = 'next', share = 0.5 }}]\n"
        );
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let declare = |path: &str| run(&mut on(&database, &["experiment", "declare", path]));

    let first = declare(&file("swap.toml", "0.5"));
    let again = declare(&file("same.toml", "0.50"));
    let wrong = declare(&file("wrong.toml", "0.4"));
    let missing = declare("nowhere.toml");
    let list = run(&mut on(&database, &["experiment", "list"]));

    assert!(first.status == Some(0) && first.err.contains("declared"), "{first:?}");
    assert!(again.status == Some(0) && again.err.contains("already"), "{again:?}");
    wrong.assert_refused(2, "add up to 1");
    missing.assert_refused(2, "cannot read nowhere.toml");
    assert!(list.out.contains("swap") && list.out.contains("now 50%, next 50%"), "{list:?}");
    run(&mut on(&database, &["compare", "--experiment", "swap"])).assert_refused(1, "nothing to compare");
}
