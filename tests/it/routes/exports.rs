//! `/v1/exports`.

use std::time::{Duration, Instant};

use afterword::domain::principal::Role;
use afterword::http::HttpSettings;
use reqwest::Method;
use serde_json::{Value, json};

use super::{completion, feedback_id, with};
use crate::support::TestService;
use crate::support::service::Answer;

const DEADLINE: Duration = Duration::from_mins(1);

/// Writes prompts with two answers each, of which one is preferred.
async fn write_pairs(service: &TestService, key: &str, n_pairs: usize) {
    let (mut completions, mut feedback) = (Vec::new(), Vec::new());
    for n in 0..n_pairs {
        for (model, answer) in [("old", "No."), ("new", "Because.")] {
            let mut one = with(&completion(&format!("{model}-{n}")), "model", json!(model));
            one["prompt"] = json!(format!("Why {n}?"));
            one["response"]["content"] = json!(answer);
            one["finish_reason"] = json!("stop");
            one["consent"] = json!({"training": true});
            completions.push(one);
        }
        feedback.push(json!({"id": feedback_id(), "completion_id": format!("new-{n}"), "signal": "preference",
                             "against": format!("old-{n}"), "outcome": "better", "user": format!("u-{n}")}));
    }
    let written = service.post("/v1/completions", key, &json!({"completions": completions})).await;
    let reacted = service.post("/v1/feedback", key, &json!({"feedback": feedback})).await;
    assert_eq!((written.status, reacted.status), (200, 200), "{} {}", written.text, reacted.text);
}

/// Waits until an export has ended.
async fn ended(service: &TestService, key: &str, location: &str) -> Value {
    let started = Instant::now();
    loop {
        let item = service.get(location, key).await.json();
        if !["queued", "running"].contains(&item["status"].as_str().unwrap()) {
            return item;
        }
        assert!(started.elapsed() < DEADLINE, "the export does not end: {item}");
    }
}

async fn ask_with_key(service: &TestService, key: &str, idempotency_key: &str, body: &Value) -> Answer {
    let request = service.request(Method::POST, "/v1/exports", key).header("idempotency-key", idempotency_key);
    service.send(request.json(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_asked_for_made_read_and_withdrawn() {
    let service = TestService::start().await;
    let key = service.key(Role::Admin).await;
    write_pairs(&service, &key, 30).await;

    let asked = service.post("/v1/exports", &key, &json!({"recipe": "dpo"})).await;

    assert_eq!((asked.status, &asked.json()["recipe"]["format"]), (202, &json!("preference")), "{}", asked.text);
    let location = asked.header("location").to_owned();
    assert_eq!(location, format!("/v1/exports/{}", asked.json()["id"].as_str().unwrap()));
    let item = ended(&service, &key, &location).await;
    assert_eq!((&item["status"], &item["manifest"]["n_examples"]), (&json!("completed"), &json!(30)), "{item}");
    assert_eq!(item["progress"]["n_done"], item["progress"]["n_total"]);

    let files = item["manifest"]["files"].as_array().unwrap();
    for path in files.iter().map(|file| file["path"].as_str().unwrap()).chain(["manifest.json", "README.md"]) {
        let file = service.send(service.request(Method::GET, &format!("{location}/files/{path}"), &key)).await;
        assert_eq!(file.status, 200, "{path}");
        assert!(file.header("content-disposition").starts_with("attachment; filename="), "{path}");
        assert_eq!(file.header("x-content-type-options"), "nosniff");
        assert_ne!(file.header("content-length"), "");
    }
    for path in ["absent.parquet", "..%2fmanifest.json", "%2e%2e/%2e%2e/manifest.json", "data/../manifest.json%00"] {
        let absent = service.get(&format!("{location}/files/{path}"), &key).await;
        assert_eq!(absent.problem(), (404, "not_found".to_owned()), "{path}");
    }

    let request = service.request(Method::DELETE, &location, &key);
    assert_eq!(service.send(request).await.status, 204);
    assert_eq!(service.get(&location, &key).await.json()["status"], "revoked");
    assert_eq!(service.get(&format!("{location}/files/manifest.json"), &key).await.problem().0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_an_export_is_the_file_that_its_manifest_describes() {
    use sha2::{Digest as _, Sha256};
    let service = TestService::start().await;
    let key = service.key(Role::Admin).await;
    write_pairs(&service, &key, 10).await;
    let asked = service.post("/v1/exports", &key, &json!({"recipe": "dpo"})).await;
    let item = ended(&service, &key, asked.header("location")).await;

    for file in item["manifest"]["files"].as_array().unwrap() {
        let path = format!("{}/files/{}", asked.header("location"), file["path"].as_str().unwrap());
        let content = service.request(Method::GET, &path, &key).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(file["sha256"], hex::encode(Sha256::digest(&content)), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_gives_one_export_and_refuses_another_request() {
    let service = TestService::start_with(HttpSettings::default(), false).await;
    let key = service.key(Role::Analyst).await;
    let (body, other) = (json!({"recipe": "dpo"}), json!({"recipe": "sft"}));

    let first = ask_with_key(&service, &key, "\"retry-1\"", &body).await;
    let again = ask_with_key(&service, &key, "retry-1", &body).await;
    let reused = ask_with_key(&service, &key, "retry-1", &other).await;
    let fresh = ask_with_key(&service, &key, "retry-2", &other).await;
    let malformed = ask_with_key(&service, &key, "\"open", &body).await;

    assert_eq!((first.status, again.status, fresh.status), (202, 202, 202));
    assert_eq!(first.json(), again.json());
    assert_ne!(first.json()["id"], fresh.json()["id"]);
    assert_eq!(reused.problem(), (422, "idempotency_key_reused".to_owned()));
    assert_eq!(malformed.problem(), (400, "idempotency_key_malformed".to_owned()));
    assert_eq!(service.count("exports").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_exports_follow_each_other_newest_first() {
    let service = TestService::start_with(HttpSettings::default(), false).await;
    let key = service.key(Role::Analyst).await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(service.post("/v1/exports", &key, &json!({"recipe": "dpo"})).await.json()["id"].clone());
    }
    made.reverse();

    let (mut seen, mut path) = (Vec::new(), "/v1/exports?limit=2".to_owned());
    loop {
        let page = service.get(&path, &key).await.json();
        seen.extend(page["exports"].as_array().unwrap().iter().map(|export| export["id"].clone()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/exports?limit=2&cursor={cursor}");
    }

    assert_eq!(seen, made);
    assert_eq!(service.get("/v1/exports?limit=201", &key).await.problem(), (422, "out_of_range".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_told_as_events_until_the_export_has_ended() {
    let settings = HttpSettings { progress_every: Duration::from_millis(20), ..HttpSettings::default() };
    let service = TestService::start_with(settings, true).await;
    let key = service.key(Role::Admin).await;
    write_pairs(&service, &key, 20).await;
    let asked = service.post("/v1/exports", &key, &json!({"recipe": "dpo"})).await;

    let request = service.request(Method::GET, asked.header("location"), &key).header("accept", "text/event-stream");
    let stream = service.send(request).await;

    assert_eq!(stream.header("content-type"), "text/event-stream");
    let told: Vec<Value> = stream
        .text
        .split("\n\n")
        .filter_map(|event| event.strip_prefix("event: export\ndata: "))
        .map(|item| serde_json::from_str(item).unwrap())
        .collect();
    assert_eq!(told.last().unwrap()["status"], "completed", "{}", stream.text);
    assert_eq!(told.last().unwrap()["manifest"]["n_examples"], 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_an_export_does_not_keep_the_service_from_stopping() {
    let settings = HttpSettings { progress_every: Duration::from_millis(20), ..HttpSettings::default() };
    let service = TestService::start_with(settings, false).await;
    let key = service.key(Role::Admin).await;
    let asked = service.post("/v1/exports", &key, &json!({"recipe": "dpo"})).await;
    let request = service.request(Method::GET, asked.header("location"), &key).header("accept", "text/event-stream");
    let mut stream = request.send().await.unwrap();
    assert!(stream.chunk().await.unwrap().is_some_and(|first| first.starts_with(b"event: export\n")));

    tokio::time::timeout(Duration::from_secs(10), service.stop()).await.expect("the service does not stop");

    let rest = stream.text().await.unwrap();
    assert!(rest.ends_with(": the service is stopping; follow again\n\n"), "{rest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_cancelled_while_it_waits_and_whoever_follows_it_hears_of_it() {
    let service = TestService::start_with(HttpSettings::default(), false).await;
    let key = service.key(Role::Analyst).await;
    let asked = service.post("/v1/exports", &key, &json!({"recipe": "dpo"})).await;
    let location = asked.header("location").to_owned();

    let cancelled = service.post(&format!("{location}/cancel"), &key, &json!({})).await;
    let again = service.send(service.request(Method::POST, &format!("{location}/cancel"), &key)).await;

    assert_eq!((cancelled.status, &cancelled.json()["status"]), (200, &json!("failed")), "{}", cancelled.text);
    assert_eq!(cancelled.json()["problem"]["code"], "cancelled");
    assert_eq!((again.status, again.json()), (200, cancelled.json()));
    let request = service.request(Method::GET, &location, &key).header("accept", "text/event-stream");
    let events = service.send(request).await.text;
    assert_eq!(events.matches("event: export").count(), 1, "the stream ends at once: {events}");
    assert!(events.contains("\"code\":\"cancelled\""), "{events}");
    let absent = service.post(&format!("/v1/exports/{}/cancel", uuid::Uuid::nil()), &key, &json!({})).await;
    assert_eq!(absent.problem(), (404, "not_found".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completed_export_is_not_cancelled_and_a_destination_must_be_the_operators() {
    let service = TestService::start().await;
    let key = service.key(Role::Admin).await;
    write_pairs(&service, &key, 3).await;
    let asked = service.post("/v1/exports", &key, &json!({"recipe": "dpo"})).await;
    ended(&service, &key, asked.header("location")).await;

    let late = service.post(&format!("{}/cancel", asked.header("location")), &key, &json!({})).await;
    assert_eq!(late.problem(), (409, "export_ended".to_owned()));

    let n_exports = service.count("exports").await;
    for (name, code) in [
        (json!("lake"), "unknown_destination"),
        (json!("https://example.org"), "malformed"),
        (json!("../lake"), "malformed"),
        (json!(7), "wrong_type"),
        (json!(""), "empty"),
    ] {
        let body = json!({"recipe": "dpo", "destination": {"name": name}});
        let refused = service.post("/v1/exports", &key, &body).await;
        assert_eq!(refused.problem(), (422, code.to_owned()), "{name}");
        assert_eq!(refused.json()["errors"][0]["pointer"], "/destination/name");
    }
    let endpoint = json!({"recipe": "dpo", "destination": {"endpoint": "http://169.254.169.254", "bucket": "b"}});
    assert_eq!(service.post("/v1/exports", &key, &endpoint).await.problem(), (422, "unknown_field".to_owned()));
    assert_eq!(service.count("exports").await, n_exports);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_comes_in_ranges_so_that_a_download_goes_on_where_it_broke_off() {
    let service = TestService::start().await;
    let key = service.key(Role::Analyst).await;
    let admin = service.key(Role::Admin).await;
    write_pairs(&service, &admin, 30).await;
    let asked = service.post("/v1/exports", &key, &json!({"recipe": "dpo"})).await;
    let item = ended(&service, &key, asked.header("location")).await;
    let listed = item["manifest"]["files"].as_array().unwrap();

    for name in ["data/train-00000-of-00001.parquet", "README.md", "manifest.json"] {
        let path = format!("{}/files/{name}", asked.header("location"));
        let whole = service.request(Method::GET, &path, &key).send().await.unwrap();
        let etag = whole.headers()["etag"].to_str().unwrap().to_owned();
        assert_eq!(whole.headers()["accept-ranges"], "bytes");
        let whole = whole.bytes().await.unwrap();
        let n_bytes = whole.len();
        if let Some(file) = listed.iter().find(|file| file["path"] == name) {
            assert_eq!(etag, format!("\"{}\"", file["sha256"].as_str().unwrap()));
        }
        let ask = async |method: Method, headers: &[(&'static str, &str)]| {
            let request = service.request(method, &path, &key);
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send().await.unwrap()
        };

        let (last_bytes, beyond) = (format!("bytes={}-", n_bytes - 7), format!("bytes={n_bytes}-"));
        for (range, expected) in [
            ("bytes=0-3", 0..4),
            ("bytes=2-9", 2..10),
            (&last_bytes, n_bytes - 7..n_bytes),
            ("bytes=-7", n_bytes - 7..n_bytes),
        ] {
            let part = ask(Method::GET, &[("range", range), ("if-range", &etag)]).await;
            assert_eq!(part.status(), 206, "{name} {range}");
            let told = format!("bytes {}-{}/{n_bytes}", expected.start, expected.end - 1);
            assert_eq!(part.headers()["content-range"], told.as_str());
            assert_eq!(part.headers()["content-length"], (expected.end - expected.start).to_string().as_str());
            assert_eq!(part.bytes().await.unwrap(), whole.slice(expected), "{name} {range}");
        }
        for headers in [
            &[("range", "bytes=0-3"), ("if-range", "\"other\"")][..],
            &[("range", "bytes=0-1,3-4")],
            &[("range", "lines=1-2")],
        ] {
            let answer = ask(Method::GET, headers).await;
            assert_eq!((answer.status().as_u16(), answer.bytes().await.unwrap()), (200, whole.clone()), "{headers:?}");
        }
        let refused = ask(Method::GET, &[("range", &beyond)]).await;
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()["content-range"]),
            (416, &format!("bytes */{n_bytes}").parse().unwrap())
        );
        assert_eq!(refused.json::<Value>().await.unwrap()["code"], "range_not_satisfiable");
        let head = ask(Method::HEAD, &[]).await;
        assert_eq!(
            (head.status().as_u16(), head.headers()["content-length"].to_str().unwrap()),
            (200, &*n_bytes.to_string())
        );
        assert_eq!(head.headers()["etag"], etag.as_str());
        assert_eq!(head.bytes().await.unwrap().len(), 0);
        let head = ask(Method::HEAD, &[("range", "bytes=0-3")]).await;
        assert_eq!((head.status().as_u16(), head.headers()["content-length"].to_str().unwrap()), (206, "4"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_follows_an_earlier_one_of_its_project_and_no_other() {
    let service = TestService::start().await;
    let key = service.key(Role::Admin).await;
    write_pairs(&service, &key, 20).await;
    let parent = service.post("/v1/exports", &key, &json!({"recipe": "dpo"})).await;
    ended(&service, &key, parent.header("location")).await;
    let parent = parent.json()["id"].clone();
    let stranger = service.key_of("b", Role::Admin).await.reveal();

    let asked = service.post("/v1/exports", &key, &json!({"recipe": "dpo", "parent": parent})).await;
    let item = ended(&service, &key, asked.header("location")).await;
    let n_exports = service.count("exports").await;
    let foreign = service.post("/v1/exports", &stranger, &json!({"recipe": "dpo", "parent": parent})).await;
    let absent = service.post("/v1/exports", &key, &json!({"recipe": "dpo", "parent": uuid::Uuid::nil()})).await;
    let malformed = service.post("/v1/exports", &key, &json!({"recipe": "dpo", "parent": "../x"})).await;

    assert_eq!((asked.status, &asked.json()["parent"]), (202, &parent));
    let told = &item["manifest"]["parent"];
    assert_eq!((&told["export_id"], &told["n_kept"], &told["n_added"]), (&parent, &json!(20), &json!(0)), "{item}");
    assert_eq!(foreign.problem(), (404, "not_found".to_owned()));
    assert_eq!(absent.problem(), (404, "not_found".to_owned()));
    assert_eq!(malformed.problem(), (422, "malformed".to_owned()));
    assert_eq!(malformed.json()["errors"][0]["pointer"], "/parent");
    assert_eq!(service.count("exports").await, n_exports);
}
