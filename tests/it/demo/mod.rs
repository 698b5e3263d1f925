//! `afterword demo` as a person runs it: the built program, a terminal's output, a pasted command, Ctrl-C.

#![cfg(test)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// How long anything may take before a test gives up waiting.
const DEADLINE: Duration = Duration::from_mins(3);

fn demo(data_dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_afterword"));
    command.args(["demo", "--users", "60", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data_dir).args(arguments);
    // A demo must leave the database of the environment alone; this one would not even answer.
    command.env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing").env_remove("AFTERWORD_CONFIG");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn text(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// Reads what a demo says until a line begins as wanted; the rest is read on, so that the demo is never held up.
fn wait_for_line(child: &mut Child, beginning: &'static str) -> (String, mpsc::Receiver<String>) {
    let (lines, said) = mpsc::channel();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || {
        let mut line = String::new();
        while out.read_line(&mut line).is_ok_and(|n| n > 0) {
            let _unread = lines.send(std::mem::take(&mut line));
        }
    });
    loop {
        match said.recv_timeout(DEADLINE) {
            Ok(line) if line.starts_with(beginning) => return (line, said),
            Ok(_) => {}
            Err(error) => {
                let mut complaint = String::new();
                let _killed = child.kill();
                child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
                panic!("the demo did not say `{beginning}`: {error}; {complaint}");
            }
        }
    }
}

fn n_rows(folder: &Path) -> i64 {
    let parts = std::fs::read_dir(folder.join("data")).unwrap().map(|entry| entry.unwrap().path());
    let n_rows = |path: std::path::PathBuf| {
        SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap().metadata().file_metadata().num_rows()
    };
    parts.map(n_rows).sum()
}

/// Asks as the demo's own page does.
fn ask(arguments: &[&str]) -> Value {
    ask_with("application/json", arguments)
}

/// Asks with a body of this type, where there is one.
fn ask_with(content_type: &str, arguments: &[&str]) -> Value {
    let content_type = format!("Content-Type: {content_type}");
    let answer = Command::new("curl").args(["-sS", "-H", &content_type]).args(arguments).output().unwrap();
    let (answer, complaint) = text(&answer);
    serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{answer}{complaint}"))
}

/// Asks the chat a question and reacts to the answer with the token that its page gets.
fn chat(url: &str) {
    let chat = ask(&[&format!("{url}/demo/chats"), "-d", "{}"]);
    let place = format!("{url}/demo/chats/{}", chat["id"].as_str().unwrap());
    let question = json!({
        "messages": [{"role": "user", "content": chat["suggestions"][0]}],
        "voice": "thorough", "attempt": 1, "parent_completion_id": null,
    });
    let answer = ask(&[&format!("{place}/answers"), "-d", &question.to_string()]);
    let token = ask(&[&format!("{place}/token"), "-d", "{}"]);
    let thumb = json!({"v": 1, "token": token["token"], "feedback": [{
        "id": "0199aaaa-0000-7000-8000-00000000000c", "completion_id": answer["completion_id"],
        "signal": "thumb", "value": "up",
    }]});
    let from_page = format!("Origin: {}", url.replace("127.0.0.1", "localhost"));
    ask(&[&format!("{url}/v1/feedback"), "-H", &from_page, "-d", &thumb.to_string()]);

    let rows = ask(&[&format!("{place}/rows")]);
    let other = ask(&[&format!("{url}/demo/chats/chat-0199aaaa-0000-7000-8000-000000000000/rows")]);
    let form = ask_with("text/plain", &[&format!("{url}/demo/chats"), "-d", "{}"]);
    let wrong = ask(&[&format!("{place}/answers"), "-d", "{\"messages\": []}"]);

    let row = &rows["completions"][0];
    assert_eq!((&row["id"], &row["response"]["content"]), (&answer["completion_id"], &answer["text"]));
    assert_eq!((&row["feedback"][0]["trust"], &row["label"]["verdict"]), (&json!("verified"), &json!("positive")));
    assert_eq!(row["user"], chat["user"]);
    assert_eq!(other["completions"], json!([]));
    assert_eq!((&form["status"], &wrong["status"]), (&json!(415), &json!(400)));
    let page = Command::new("curl").args(["-sSi", &format!("{url}/demo")]).output().unwrap();
    let (page, _) = text(&page);
    assert!(
        page.contains("content-security-policy: default-src 'none'; script-src 'self'") && !page.contains("aw_sec")
    );
}

#[test]
fn a_demo_can_be_tried_stopped_and_run_again() {
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let data_dir = root.path().join("demo");

    // Play, paste the command, press Ctrl-C.
    let mut staying = demo(&data_dir, &[]).spawn().unwrap();
    let (command, rest) = wait_for_line(&mut staying, "curl ");
    let pasted = Command::new("sh").args(["-c", &command]).output().unwrap();
    chat(command.split_whitespace().find_map(|word| word.strip_suffix("/v1/feedback")).unwrap());
    kill_process(Pid::from_child(&staying), Signal::INT).unwrap();
    let status = staying.wait().unwrap();
    let said_last: String = rest.iter().collect();

    let (answer, complaint) = text(&pasted);
    let answer: Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{answer}{complaint}"));
    assert_eq!(answer, json!({"accepted": 1, "duplicate": 0, "rejected": []}));
    assert!(status.success() && said_last.contains("Ctrl-C"), "{status}: {said_last}");

    // Again, on the same directory: everything is known.
    let again = demo(&data_dir, &["--exit"]).output().unwrap();
    let (said, complaint) = text(&again);
    assert!(again.status.success() && !complaint.contains("WARN"), "{said}{complaint}");
    assert_eq!(said.matches("of them known already").count(), 2, "{said}");
    let manifest: Value = serde_json::from_slice(&std::fs::read(data_dir.join("dpo/manifest.json")).unwrap()).unwrap();
    assert_eq!(n_rows(&data_dir.join("dpo")), manifest["n_examples"].as_i64().unwrap());
    assert!(data_dir.join("sft/sft_completion").is_dir() && data_dir.join("sft/README.md").is_file());
    let page = std::fs::read_to_string(data_dir.join("report.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("llama-3.1-8b"));

    // From scratch.
    let anew = demo(&data_dir, &["--exit", "--reset"]).output().unwrap();
    let (said, complaint) = text(&anew);
    assert!(anew.status.success(), "{said}{complaint}");
    assert!(said.starts_with("wiped ") && !said.contains("known already"), "{said}");
}

#[test]
fn a_demo_refuses_a_directory_that_holds_something_else() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("thesis.tex"), "years of work").unwrap();

    for arguments in [&["--exit"][..], &["--exit", "--reset"]] {
        let refused = demo(root.path(), arguments).output().unwrap();

        let (said, complaint) = text(&refused);
        assert_eq!(refused.status.code(), Some(2), "{complaint}");
        assert!(said.is_empty() && complaint.lines().count() == 1 && complaint.contains("holds something other"));
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
    }
}
