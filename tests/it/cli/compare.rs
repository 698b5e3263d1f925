//! `afterword compare` and `afterword experiment`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
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

/// A comparison that is being watched.
struct Watched {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Watched {
    fn start(database: &TestDatabase, args: &[&str]) -> Self {
        let mut child = on(database, args).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// Reads lines up to the first one that holds; nothing where the output ends before.
    fn line_where(&mut self, holds: impl Fn(&str) -> bool) -> Option<String> {
        let mut lines = self.output.by_ref().lines().map_while(Result::ok);
        lines.find(|line| holds(line))
    }

    /// Presses Ctrl-C and returns the exit status.
    fn interrupt(mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        while self.line_where(|_| true).is_some() {}
        self.child.wait().unwrap().code()
    }
}

impl Drop for Watched {
    /// A test that failed leaves no watch behind.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _gone = self.child.kill();
            let _reaped = self.child.wait();
        }
    }
}

/// Sends one more completion of the old model.
async fn one_more(database: &TestDatabase) {
    let service = Running::start(afterword(&["serve"]).env("DATABASE_URL", database.service_url()));
    let key = run(&mut on(database, &["key", "create", "--role", "ingest"])).out.trim().to_owned();
    let completion = json!({ "id": "more", "model": "old", "prompt": "p", "response": "r" });
    let answer = service.post("/v1/completions", &key, &completion).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    service.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_comparison_tells_what_moved_until_ctrl_c() {
    let database = TestDatabase::new().await;
    seed(&database).await;
    let mut text = Watched::start(&database, &[&MODELS[..], &["--watch=1s"]].concat());
    let mut lines = Watched::start(&database, &[&MODELS[..], &["--watch=1", "--format", "json"]].concat());
    assert!(text.line_where(|line| line.starts_with("Watching:")).is_some());
    assert!(text.line_where(|line| line.contains("nothing moved since")).is_some());
    let first: Value = serde_json::from_str(&lines.line_where(|_| true).unwrap()).unwrap();

    one_more(&database).await;

    assert_eq!(first["control"]["n_turns"], 1);
    assert!(text.line_where(|line| line.contains("Control: ") && line.contains("2 turns (+1)")).is_some());
    let is_later = |line: &str| serde_json::from_str::<Value>(line).unwrap()["control"]["n_turns"] == 2;
    assert!(lines.line_where(is_later).is_some());
    assert_eq!((text.interrupt(), lines.interrupt()), (Some(0), Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_until_a_verdict_ends_with_a_status_that_tells_it() {
    let database = TestDatabase::new().await;
    seed(&database).await;
    let dir = open_dir();
    let page = dir.path().join("report.html");
    let file = dir.path().join("swap.toml");
    let declared =
        "key = 'swap'\ncontrol = 'now'\nvariants = [{ name = 'now', share = 0.5 }, { name = 'next', share = 0.5 }]";
    std::fs::write(&file, declared).unwrap();

    let until = ["--watch=1s", "--until-verdict", "--out", page.to_str().unwrap()];
    let ended = run(&mut on(&database, &[&MODELS[..], &until].concat()));
    run(&mut on(&database, &["experiment", "declare", file.to_str().unwrap()]));
    let mut waiting = on(&database, &["compare", "--experiment", "swap", "--watch=1s", "--until-verdict"]);
    let mut waiting = waiting.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut complaints = BufReader::new(waiting.stderr.take().unwrap()).lines();
    let complaint = complaints.next().unwrap().unwrap();
    kill_process(Pid::from_child(&waiting), Signal::INT).unwrap();

    assert_eq!(ended.status, Some(4), "two completions tell nothing: {ended:?}");
    assert!(ended.out.starts_with("Cannot tell") && std::fs::metadata(page).unwrap().len() > 1000, "{ended:?}");
    assert!(complaint.starts_with("no look: nothing to compare"), "{complaint}");
    assert_eq!(waiting.wait().unwrap().code(), Some(130));
}

#[tokio::test]
async fn a_watch_that_makes_no_sense_is_refused() {
    let database = TestDatabase::new().await;
    let ask = |args: &[&str]| run(&mut on(&database, &[&MODELS[..], args].concat()));

    ask(&["--watch=never"]).assert_refused(2, "--watch: must be a time from 1s to 24h");
    ask(&["--until-verdict"]).assert_refused(2, "--watch");
    ask(&["--watch", "--format", "html"]).assert_refused(2, "give --out");
}
