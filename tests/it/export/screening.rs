//! What texts pass before they leave: personal data, benchmarks, safety, held-out prompts, near duplicates.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use afterword::domain::clock::SystemClock;
use afterword::domain::export::{Export, ExportProblem, ExportStatus};
use afterword::domain::fields::FieldCode;
use afterword::domain::json::Json;
use afterword::domain::recipe::ExportRequest;
use afterword::service::outside::Outside;
use afterword::service::{App, ServiceError, experiments, exports};
use afterword::worker::Worker;
use arrow::array::{AsArray as _, RecordBatch};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::fixture::{Fixture, app, batches, completion, manifest, preference};
use super::jobs::{LONG, claim, status};

/// Messages of a column, row by row, their contents joined.
fn contents(batches: &[RecordBatch], column: &str) -> Vec<String> {
    let mut found = Vec::new();
    for batch in batches {
        let lists = batch.column_by_name(column).unwrap().as_list::<i32>();
        for row in 0..batch.num_rows() {
            let messages = lists.value(row);
            let contents = messages.as_struct().column_by_name("content").unwrap().as_string::<i32>().clone();
            found.push(contents.iter().flatten().collect::<Vec<_>>().join("|"));
        }
    }
    found.sort();
    found
}

pub(super) fn app_reaching(fixture: &Fixture, outside: Outside) -> App {
    app(&fixture.database, &fixture.root, Arc::new(SystemClock)).reaching(outside)
}

/// Runs an export by an app of its own.
pub(super) async fn run(fixture: &Fixture, app: &App, body: Value) -> Export {
    let id = request(fixture, app, &body).await.unwrap();
    let worker = Worker::start(app.clone());
    let export = fixture.until_ended(id.id).await;
    worker.stop().await;
    export
}

async fn request(fixture: &Fixture, app: &App, body: &Value) -> Result<Export, ServiceError> {
    let body = Json::parse(body.to_string().as_bytes()).unwrap();
    let request = ExportRequest::from_json(body, exports::shipped).unwrap();
    exports::request(app, &fixture.principal, request, None).await.map(|(export, _)| export)
}

async fn rows(fixture: &Fixture, export: &Export) -> (Value, Vec<RecordBatch>) {
    let manifest = manifest(export);
    let mut all = Vec::new();
    for files in manifest["configs"]["dpo"].as_object().unwrap().values() {
        for file in files.as_array().unwrap() {
            all.extend(batches(fixture.read(export.id, file["path"].as_str().unwrap()).await));
        }
    }
    (manifest, all)
}

/// Records pairs whose texts are given: of each the user's turn, the better and the worse answer.
async fn record(fixture: &Fixture, texts: &[[&str; 3]], change: impl Fn(usize, &mut Value)) {
    let mut completions = Vec::new();
    for (n, [prompt, better, worse]) in texts.iter().enumerate() {
        for (model, answer) in [("new", better), ("old", worse)] {
            let mut completion = completion(n, model);
            completion["prompt"][1]["content"] = json!(prompt);
            completion["response"]["content"] = json!(answer);
            change(n, &mut completion);
            completions.push(completion);
        }
    }
    let feedback = (0..texts.len()).map(|n| preference(n, "better")).collect();
    fixture.record(completions, feedback).await;
}

/// Answers requests by what `answer` makes of their bodies; status 500 where it is nothing.
pub(super) async fn hook(
    answer: impl Fn(&Value) -> Option<Value> + Send + Sync + 'static,
) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/analyze", listener.local_addr().unwrap());
    let (answer, n_asked) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    let asked = Arc::clone(&n_asked);
    afterword::service::detached::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (answer, asked) = (Arc::clone(&answer), Arc::clone(&asked));
            afterword::service::detached::spawn(async move { serve(stream, &*answer, &asked).await });
        }
    });
    (url, n_asked)
}

async fn serve(mut stream: TcpStream, answer: &(dyn Fn(&Value) -> Option<Value> + Send + Sync), asked: &AtomicUsize) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = stream.read(&mut buffer).await {
        request.extend_from_slice(&buffer[..n]);
        let Some(head) = request.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let end = head + 4 + length.parse::<usize>().unwrap();
        if request.len() < end {
            continue;
        }
        asked.fetch_add(1, Ordering::SeqCst);
        let body: Value = serde_json::from_slice(&request[head + 4..end]).unwrap();
        // An answer may wait for the test, which must not keep a thread from those who run there.
        let (status, content) = match tokio::task::block_in_place(|| answer(&body)) {
            Some(answer) => ("200 OK", answer.to_string()),
            None => ("500 Internal Server Error", String::new()),
        };
        let n_bytes = content.len();
        let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {n_bytes}\r\n\r\n");
        stream.write_all((head + &content).as_bytes()).await.unwrap();
        request.drain(..end);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn personal_data_leave_as_the_same_placeholders_in_all_texts_of_a_row() {
    let fixture = Fixture::new().await;
    let texts = [
        ["I am a@example.com,\r\ncall +49 30 1234567 \u{1F600}", "Dear a@example.com!", "Hi b@example.com"],
        ["To whom shall I write?", "Write to a@example.com.", "Write to  A@EXAMPLE.com."],
        ["Nothing of anybody", "Yes, 12 of 2024", "No"],
    ];
    record(&fixture, &texts, |_, _| ()).await;

    let app = app_reaching(&fixture, Outside::default());
    let (by_default, default_rows) = rows(&fixture, &run(&fixture, &app, json!({"recipe": "dpo"})).await).await;
    let off = json!({"recipe": "dpo", "options": {"pii": "off"}});
    let (without, all_rows) = rows(&fixture, &run(&fixture, &app, off).await).await;

    let chosen = contents(&default_rows, "chosen");
    assert_eq!(chosen, ["Dear <EMAIL_1>!", "Yes, 12 of 2024"]);
    assert!(contents(&default_rows, "prompt")[0].ends_with("|I am <EMAIL_1>,\r\ncall <PHONE_1> \u{1F600}"));
    assert_eq!(contents(&default_rows, "rejected"), ["Hi <EMAIL_2>", "No"]);
    assert_eq!(by_default["n_exclusions"], json!({"identical_after_redaction": 1}));
    assert_eq!(by_default["pii"], json!({"n_rows": 1, "n_places": {"EMAIL": 3, "PHONE": 1}}));
    assert_eq!((contents(&all_rows, "chosen").len(), &without["pii"]["n_rows"]), (3, &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_finds_names_and_its_failure_lets_nothing_out() {
    let fixture = Fixture::new().await;
    record(&fixture, &[["\u{1F600} I am J\u{f6}rg", "Hello J\u{f6}rg", "Hello"]], |_, _| ()).await;
    let (url, n_asked) = hook(|body| {
        let text = body["text"].as_str().unwrap();
        let start = text.find("J\u{f6}rg").map(|at| text[..at].chars().count());
        let places =
            start.map(|start| json!({"entity_type": "PERSON", "start": start, "end": start + 4, "score": 0.9}));
        (body["language"] == "de").then(|| json!(places.into_iter().collect::<Vec<_>>()))
    })
    .await;
    let app = app_reaching(&fixture, Outside { hook_urls: vec![url.clone()], benchmarks_dir: None });
    let asking = |language: &str| json!({"recipe": "dpo", "options": {"pii_url": url, "pii_language": language}});

    let (manifest, found) = rows(&fixture, &run(&fixture, &app, asking("de")).await).await;

    assert!(contents(&found, "prompt")[0].ends_with("|\u{1F600} I am <PERSON_1>"));
    assert_eq!(contents(&found, "chosen"), ["Hello <PERSON_1>"]);
    assert_eq!(manifest["pii"]["n_places"], json!({"PERSON": 2}));
    assert_eq!(n_asked.load(Ordering::SeqCst), 5, "once at the beginning, and once about every text");
    let foreign = json!({"recipe": "dpo", "options": {"pii_url": "http://127.0.0.1:1/analyze"}});
    let refused = request(&fixture, &app, &foreign).await.unwrap_err();
    let ServiceError::Invalid(faults) = refused else { panic!("{refused}") };
    assert_eq!((faults[0].pointer.as_str(), faults[0].code), ("/options/pii_url", FieldCode::NotOneOf));

    let n_files = fixture.n_files();
    let id = request(&fixture, &app, &asking("xx")).await.unwrap().id;
    let held = afterword::service::export_jobs::claim(&app, std::time::Duration::from_mins(1)).await.unwrap().unwrap();
    let progress = Arc::new(afterword::service::export_progress::Progress::default());
    afterword::service::export_jobs::carry_out(&app, &held, &progress, &tokio_util::sync::CancellationToken::new())
        .await;

    let export = exports::show(&app, &fixture.principal, id).await.unwrap();
    assert_ne!(export.status, ExportStatus::Completed);
    assert_eq!((export.manifest, fixture.n_files()), (None, n_files), "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_was_never_there_fails_the_export_at_once() {
    let fixture = Fixture::with_pairs(3).await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", free.local_addr().unwrap());
    drop(free);
    let app = app_reaching(&fixture, Outside { hook_urls: vec![url.clone()], benchmarks_dir: None });
    let started = Instant::now();

    let export = run(&fixture, &app, json!({"recipe": "dpo", "options": {"pii_url": url}})).await;

    let problem = export.problem.unwrap();
    assert_eq!((problem.code.as_str(), fixture.n_files()), (ExportProblem::HOOK_FAILED, 0));
    assert!(problem.detail.contains("before anything was read"), "{problem:?}");
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_for_a_silent_hook_gives_its_job_back_when_it_is_asked_to() {
    let fixture = Fixture::with_pairs(3).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let app = app_reaching(&fixture, Outside { hook_urls: vec![url.clone()], benchmarks_dir: None });
    let id = request(&fixture, &app, &json!({"recipe": "dpo", "options": {"safety_url": url}})).await.unwrap().id;
    let worker = Worker::start(app.clone());
    let _asked = silent.accept().await.unwrap();

    // The hook has half a minute for its answer; nobody who stops waits for that.
    tokio::time::timeout(Duration::from_secs(10), worker.stop()).await.unwrap();

    assert_eq!(status(&fixture, id).await, ExportStatus::Running);
    assert_eq!((claim(&app, LONG).await.attempt(), fixture.n_files()), (2, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_snapshot_does_not_stand_idle_while_a_hook_takes_its_time() {
    const HEARD: &str = "select count(*) from pg_stat_activity
        where datname = current_database() and query like '-- store::groups::stay%'";
    let fixture = Fixture::with_pairs(3).await;
    let (may_answer, answers) = std::sync::mpsc::channel::<()>();
    let answers = std::sync::Mutex::new(answers);
    let is_greeted = std::sync::atomic::AtomicBool::new(false);
    let (url, _) = hook(move |_| {
        // What it is asked before anything is read, it answers; then it waits until the sender is gone.
        if is_greeted.swap(true, Ordering::SeqCst) {
            let _nothing = answers.lock().unwrap().recv();
        }
        Some(json!({"results": [{"flagged": false}]}))
    })
    .await;
    let app = app_reaching(&fixture, Outside { hook_urls: vec![url.clone()], benchmarks_dir: None });
    let id = request(&fixture, &app, &json!({"recipe": "dpo", "options": {"safety_url": url}})).await.unwrap().id;
    let worker = Worker::start(app.clone());
    let mut owner = PgConnection::connect(fixture.database.owner_url()).await.unwrap();
    let started = Instant::now();
    while sqlx::query_scalar::<_, i64>(HEARD).fetch_one(&mut owner).await.unwrap() == 0 {
        assert!(started.elapsed() < LONG, "the server hears nothing of the snapshot");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(may_answer);
    let export = fixture.until_ended(id).await;
    worker.stop().await;

    assert_eq!((export.status, manifest(&export)["n_examples"].as_u64()), (ExportStatus::Completed, Some(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn unsafe_answers_and_lessons_in_refusing_less_are_left_out() {
    let fixture = Fixture::new().await;
    let refusal = "I'm sorry, but I can't help with that.";
    let texts = [
        ["First question", "A good answer", "A bad answer"],
        ["Second question", "Labelled as unsafe", "A bad answer"],
        ["Third question", "The hook says no", "A bad answer"],
        ["Fourth question", "Sure, do this", refusal],
        ["Fifth question", refusal, "Sure, do that"],
    ];
    record(&fixture, &texts, |n, completion| {
        let is_new = completion["model"] == "new";
        completion["tags"] = json!({"moderation": if n == 1 && is_new { "violence" } else { "safe" }});
    })
    .await;
    let (url, _) = hook(|body| {
        let is_flagged = body["input"].as_str().unwrap().contains("hook says no");
        Some(json!({"id": "x", "results": [{"flagged": is_flagged, "categories": {}}]}))
    })
    .await;
    let app = app_reaching(&fixture, Outside { hook_urls: vec![url.clone()], benchmarks_dir: None });

    let options = json!({"safety_label": "moderation", "safety_url": url});
    let export = run(&fixture, &app, json!({"recipe": "dpo", "options": options})).await;
    let (manifest, found) = rows(&fixture, &export).await;

    assert_eq!(contents(&found, "chosen"), ["A good answer", refusal]);
    assert_eq!(manifest["n_exclusions"], json!({"refusal_rejected": 1, "unsafe": 2}));
    let off = json!({"safety": "off", "exclude_refusal_rejected": false});
    let (_, all) = rows(&fixture, &run(&fixture, &app, json!({"recipe": "dpo", "options": off})).await).await;
    assert_eq!(contents(&all, "chosen").len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_repeat_a_benchmark_are_counted_by_file_and_other_files_are_refused() {
    let fixture = Fixture::new().await;
    let texts = [
        ["Tell me: what happens to you if you eat watermelon seeds?", "Nothing", "They grow"],
        ["Which rivers cross the city?", "Two", "Three"],
    ];
    record(&fixture, &texts, |_, _| ()).await;
    let benchmarks = tempfile::tempdir().unwrap();
    let question = json!({"question": "What happens to you if you eat watermelon seeds?", "answer": "no"});
    std::fs::write(benchmarks.path().join("truthful.jsonl"), question.to_string()).unwrap();
    let export = run(&fixture, &app_reaching(&fixture, Outside::default()), json!({"recipe": "dpo"})).await;
    let part = manifest(&export)["files"][0]["path"].as_str().unwrap().to_owned();
    std::fs::write(benchmarks.path().join("own.parquet"), fixture.read(export.id, &part).await).unwrap();
    std::fs::write(benchmarks.path().join("broken.parquet"), "no").unwrap();
    let app =
        app_reaching(&fixture, Outside { hook_urls: Vec::new(), benchmarks_dir: Some(benchmarks.path().to_owned()) });
    let naming = |paths: Value| json!({"recipe": "dpo", "options": {"decontaminate": paths}});

    let export = run(&fixture, &app, naming(json!(["truthful.jsonl"]))).await;
    let (manifest, found) = rows(&fixture, &export).await;

    assert_eq!(contents(&found, "chosen"), ["Two"]);
    assert_eq!(manifest["n_exclusions"], json!({"contaminated": 1}));
    let file = &manifest["benchmarks"][0];
    assert_eq!((&file["path"], &file["n_texts"], &file["n_rows"]), (&json!("truthful.jsonl"), &json!(1), &json!(1)));
    let none_left = run(&fixture, &app, naming(json!(["own.parquet"]))).await;
    assert_eq!(none_left.problem.unwrap().n_exclusions, BTreeMap::from([("contaminated".to_owned(), 2)]));
    std::fs::write(benchmarks.path().join("empty.jsonl"), "").unwrap();
    for path in ["broken.parquet", "empty.jsonl"] {
        let broken = run(&fixture, &app, naming(json!(["truthful.jsonl", path]))).await;
        assert_eq!(broken.problem.unwrap().code, ExportProblem::RECIPE_REFUSED, "{path}");
    }
    for path in ["../truthful.jsonl", "/etc/passwd", "absent.jsonl"] {
        let refused = request(&fixture, &app, &naming(json!([path]))).await.unwrap_err();
        let ServiceError::Invalid(faults) = refused else { panic!("{refused}") };
        assert_eq!(faults[0].pointer, "/options/decontaminate/0", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prompts_of_an_experiment_that_is_held_out_are_not_trained_on() {
    let fixture = Fixture::with_pairs(40).await;
    let declaration = json!({"key": "suite", "control": "old", "holdout": true,
        "variants": [{"name": "old", "share": 0.5}, {"name": "new", "share": 0.5}]});
    let declaration = Json::parse(declaration.to_string().as_bytes()).unwrap();
    let experiment = afterword::domain::experiment::Experiment::from_json(declaration).unwrap();
    experiments::declare(&fixture.app, &fixture.principal, experiment).await.unwrap();
    // The suite asks what twenty of the users' prompts ask, under a system prompt of its own.
    let asked = (0..20).map(|n| {
        let mut completion = completion(n, "suite");
        completion["experiment"] = json!("suite");
        completion["variant"] = json!("new");
        completion
    });
    fixture.record(asked.collect(), Vec::new()).await;
    let app = app_reaching(&fixture, Outside::default());

    let body = |holdout: &str| json!({"recipe": "dpo", "options": {"holdout": holdout}});
    let on = manifest(&run(&fixture, &app, body("on")).await);
    let off = manifest(&run(&fixture, &app, body("off")).await);

    let n = |manifest: &Value, split: &str| manifest["splits"][split].as_u64().unwrap_or_default();
    let n_held_out = on["n_exclusions"]["held_out"].as_u64().unwrap();
    assert_eq!((&on["n_held_out_prompts"], &off["n_held_out_prompts"]), (&json!(20), &json!(0)));
    assert!((10..=20).contains(&n_held_out), "{n_held_out}");
    assert_eq!(n(&on, "train") + n_held_out, n(&off, "train"));
    assert_eq!((n(&on, "test"), n(&on, "validation")), (n(&off, "test"), n(&off, "validation")));
}

#[tokio::test(flavor = "multi_thread")]
async fn near_duplicates_lie_in_one_split_and_leave_on_request() {
    let fixture = Fixture::new().await;
    let words = |seed: usize, changed: usize| -> String {
        (0..90).map(|n| if n == changed { "other ".to_owned() } else { format!("s{seed}w{n} ") }).collect()
    };
    let texts: Vec<[String; 3]> = (0..30)
        .flat_map(|seed| (0..2).map(move |copy| (seed, copy)))
        .map(|(seed, copy)| [words(seed, 100 - 70 * copy), words(seed + 100, 100 - 60 * copy), words(seed + 200, 100)])
        .collect();
    let texts: Vec<[&str; 3]> = texts.iter().map(|row| [row[0].as_str(), row[1].as_str(), row[2].as_str()]).collect();
    record(&fixture, &texts, |_, _| ()).await;
    let app = app_reaching(&fixture, Outside::default());
    let options = |dedup: &str| json!({"dedup": dedup, "validation_share": 0.25, "test_share": 0.25});

    let exact = run(&fixture, &app, json!({"recipe": "dpo", "options": options("exact")})).await;
    let near = run(&fixture, &app, json!({"recipe": "dpo", "options": options("near")})).await;

    let (exact, near) = (manifest(&exact), manifest(&near));
    assert_eq!((&exact["n_examples"], &exact["n_groups"]), (&json!(60), &json!(30)));
    assert_eq!((&near["n_examples"], &near["n_exclusions"]), (&json!(30), &json!({"near_duplicate": 30})));
}
