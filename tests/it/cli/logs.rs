//! The log of the running program: one JSON object a line, of members that are known, with nothing of a user's.

use std::collections::BTreeSet;
use std::fs::File;

use serde_json::{Value, json};

use super::program::{Running, afterword, open_dir};
use crate::support::TestDatabase;

/// What a line may hold; a new member is put here by whoever has made sure that no client decides what it says.
const MEMBERS: [&str; 18] = [
    "timestamp",
    "level",
    "target",
    "message",
    "request.id",
    "http.method",
    "http.route",
    "http.status",
    "duration_ms",
    "problem.code",
    "error",
    "key.id",
    "n_items",
    "version",
    "address",
    "export.id",
    "job.id",
    "n_attempts",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_the_log_is_an_object_of_known_members() {
    let database = TestDatabase::new().await;
    let dir = open_dir();
    let path = dir.path().join("service.log");
    let mut command = afterword(&["serve"]);
    command.env("DATABASE_URL", database.service_url()).env("AFTERWORD_HTTP_DRAIN_NOTICE_SECONDS", "0");
    command.env("AFTERWORD_LOG_FORMAT", "json").env("AFTERWORD_LOG_LEVEL", "info");
    let service = Running::start(command.stderr(File::create(&path).unwrap()));
    let key = service.greeting.last().unwrap().trim().to_owned();
    let thumb = json!({"id": "01990a5d-ac96-774b-bcce-b302099a8057", "completion_id": "secret-completion",
        "signal": "thumb", "value": "down", "user": "secret-user", "comment": "secret-comment"});

    let answer = service.post("/v1/feedback", &key, &thumb).send().await.unwrap();
    let request_id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(answer.status(), 200);
    assert_eq!(service.post("/v1/feedback", "aw_sec_wrong", &thumb).send().await.unwrap().status(), 401);
    assert_eq!(service.status("/v1/experiments/secret-experiment?secret=1").await, 401);
    assert_eq!(service.status("/livez").await, 200);
    tokio::task::spawn_blocking(|| service.stop()).await.unwrap();

    let log = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let members: BTreeSet<&str> =
        lines.iter().flat_map(|line| line.as_object().unwrap().keys()).map(String::as_str).collect();
    let unknown: Vec<&str> = members.iter().copied().filter(|member| !MEMBERS.contains(member)).collect();
    assert_eq!(unknown, Vec::<&str>::new(), "{log}");
    assert!(!log.contains("secret-") && !log.contains(&key), "{log}");
    let told: Vec<&Value> = lines.iter().filter(|line| line["message"] == "answered a request").collect();
    let first = told.iter().find(|line| line["request.id"] == request_id.as_str()).unwrap();
    assert_eq!((&first["http.method"], &first["http.status"]), (&json!("POST"), &json!(200)));
    assert_eq!((&first["http.route"], &first["level"]), (&json!("/v1/feedback"), &json!("INFO")));
    assert!(first["duration_ms"].as_f64().is_some_and(|duration_ms| duration_ms > 0.0));
    let routes: Vec<&Value> = told.iter().map(|line| &line["http.route"]).collect();
    assert_eq!(routes, ["/v1/feedback", "/v1/feedback", "/v1/experiments/{key}"], "health checks are not told");
}
