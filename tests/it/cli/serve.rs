//! `afterword serve` from its first start to its end.

use std::time::{Duration, Instant};

use afterword::postgres::Cluster;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::program::{Running, afterword, open_dir, run};
use crate::support::TestDatabase;

fn key() -> String {
    format!("aw_sec_abcdefgh01234567_{}", "k".repeat(43))
}

fn completion(id: &str) -> Value {
    json!({ "id": id, "model": "m", "prompt": "p", "response": { "role": "assistant", "content": "r" } })
}

async fn record(service: &Running, key: &str, id: &str) -> Value {
    let answer = service.post("/v1/completions", key, &completion(id)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_headless_first_start_needs_nothing_and_a_second_one_finds_everything_again() {
    let dir = open_dir();
    let serve = || {
        let mut command = afterword(&["serve"]);
        command.env("AFTERWORD_DATA_DIR", dir.path());
        command.env("AFTERWORD_INIT_PROJECT", "shop").env("AFTERWORD_INIT_SECRET_KEY", key());
        command
    };
    let first = Running::start(&mut serve());
    assert_eq!((first.status("/livez").await, first.status("/readyz").await), (200, 200));
    assert_eq!(record(&first, &key(), "c-1").await["accepted"], 1);
    first.stop();
    assert!(Cluster::join(dir.path()).await.unwrap().is_none(), "Postgres still runs");

    let second = Running::start(&mut serve());

    assert_eq!(record(&second, &key(), "c-1").await["duplicate"], 1);
    assert_eq!(second.greeting, Vec::<String>::new(), "the key was given, so none is shown");
    second.stop();
}

#[tokio::test]
async fn a_first_start_without_a_key_shows_one_that_works_and_never_again() {
    let database = TestDatabase::new().await;
    let serve = || Running::start(afterword(&["serve"]).env("DATABASE_URL", database.service_url()));
    let first = serve();
    let shown = first.greeting.last().expect("a first start shows a key").trim().to_owned();

    let answer = record(&first, &shown, "c-1").await;
    first.stop();
    let second = serve();

    assert_eq!(answer["accepted"], 1);
    assert_eq!(second.greeting, Vec::<String>::new());
    second.stop();
}

#[tokio::test]
async fn two_first_starts_at_the_same_moment_both_serve_one_instance() {
    for round in 0..3 {
        let dir = open_dir();
        let start = || {
            let data_dir = dir.path().to_owned();
            tokio::task::spawn_blocking(move || Running::start_on(&data_dir))
        };

        let (one, other) = tokio::join!(start(), start());

        let (one, other) = (one.unwrap(), other.unwrap());
        let shown: Vec<&String> = one.greeting.iter().chain(&other.greeting).collect();
        assert_eq!(shown.len(), 2, "round {round}: a sentence and one key: {shown:?}");
        let key = shown[1].trim().to_owned();
        assert_eq!((one.status("/readyz").await, other.status("/readyz").await), (200, 200), "round {round}");
        assert_eq!(record(&one, &key, "c-1").await["accepted"], 1, "round {round}");
        assert_eq!(record(&other, &key, "c-1").await["duplicate"], 1, "round {round}");
        one.stop();
        assert_eq!(record(&other, &key, "c-2").await["accepted"], 1, "the one that is left keeps its Postgres");
        other.stop();
        assert!(Cluster::join(dir.path()).await.unwrap().is_none(), "Postgres still runs");
    }
}

#[tokio::test]
async fn a_service_that_was_killed_starts_again_with_all_that_it_acknowledged() {
    let dir = open_dir();
    let first = Running::start_on(dir.path());
    let key = first.greeting.last().expect("a first start shows a key").trim().to_owned();
    assert_eq!(record(&first, &key, "c-1").await["accepted"], 1);
    first.signal(Signal::KILL);
    assert_eq!(first.wait().0, None);

    let second = Running::start_on(dir.path());

    assert_eq!(record(&second, &key, "c-1").await["duplicate"], 1);
    second.stop();
    assert!(Cluster::join(dir.path()).await.unwrap().is_none(), "the orphaned Postgres was not stopped");
}

#[tokio::test]
async fn a_private_postgres_that_was_killed_is_started_again_under_the_running_service() {
    let dir = open_dir();
    let service = Running::start_on(dir.path());
    let key = service.greeting.last().unwrap().trim().to_owned();
    assert_eq!(record(&service, &key, "c-1").await["accepted"], 1);
    let pid_file = std::fs::read_to_string(dir.path().join("postgres/data/postmaster.pid")).unwrap();
    let pid = pid_file.lines().next().unwrap().parse().ok().and_then(Pid::from_raw).unwrap();

    kill_process(pid, Signal::KILL).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let answer = loop {
        let answer = service.post("/v1/completions", &key, &completion("c-1")).send().await.unwrap();
        if answer.status() == 200 {
            break answer.text().await.unwrap();
        }
        assert_eq!(answer.status(), 503);
        assert!(Instant::now() < deadline, "the database does not come back");
    };

    assert!(answer.contains("\"duplicate\":1"), "{answer}");
    service.stop();
}

#[tokio::test]
async fn a_stop_is_announced_while_requests_are_still_served() {
    let database = TestDatabase::new().await;
    let mut command = afterword(&["serve"]);
    command.env("DATABASE_URL", database.service_url()).env("AFTERWORD_HTTP_DRAIN_NOTICE_SECONDS", "3600");
    let service = Running::start(&mut command);
    let key = service.greeting.last().unwrap().trim().to_owned();

    service.signal(Signal::TERM);
    while service.status("/readyz").await != 503 {
        tokio::task::yield_now().await;
    }

    assert_eq!(record(&service, &key, "c-1").await["accepted"], 1);
    // A supervisor's second SIGTERM, to the whole group, cuts nothing off; a person's Ctrl-C does.
    service.signal(Signal::TERM);
    assert_eq!(record(&service, &key, "c-2").await["accepted"], 1);
    service.signal(Signal::INT);
    assert_eq!(service.wait().0, Some(0), "Ctrl-C does not wait");
}

#[tokio::test]
async fn ctrl_c_in_a_terminal_ends_the_service_before_its_postgres() {
    let dir = open_dir();
    let service = Running::start_on(dir.path());
    let key = service.greeting.last().unwrap().trim().to_owned();

    service.signal_group(Signal::INT);
    let answer = record(&service, &key, "c-1").await;

    assert_eq!(answer["accepted"], 1, "Postgres heard the Ctrl-C");
    assert_eq!(service.wait().0, Some(0));
    assert!(Cluster::join(dir.path()).await.unwrap().is_none(), "Postgres still runs");
}

#[tokio::test]
async fn a_command_beside_the_service_uses_its_postgres_and_leaves_it_running() {
    let dir = open_dir();
    let service = Running::start_on(dir.path());
    let data_dir = dir.path().to_str().unwrap();

    let made = run(&mut afterword(&["key", "create", "--data-dir", data_dir]));
    let url = run(&mut afterword(&["postgres", "url", "--data-dir", data_dir]));
    let stop = run(&mut afterword(&["postgres", "stop", "--data-dir", data_dir]));

    assert_eq!(record(&service, made.out.trim(), "c-1").await["accepted"], 1);
    assert!(url.out.starts_with("postgres://afterword_owner:"), "{url:?}");
    stop.assert_refused(1, "a process uses the private Postgres");
    service.stop();
}

#[tokio::test]
async fn an_empty_database_is_migrated_by_its_owner_at_start() {
    let database = TestDatabase::empty().await;

    let service = Running::start(afterword(&["serve"]).env("DATABASE_URL", database.owner_url()));

    assert_eq!(service.status("/readyz").await, 200);
    service.stop();
    let again = run(afterword(&["migrate"]).env("DATABASE_URL", database.owner_url()));
    assert!(again.out.starts_with("the schema is up to date at version "), "{again:?}");
}
