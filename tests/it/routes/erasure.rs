//! `DELETE /v1/users/{user}`, `/v1/erasures`, `affected_by`, and `PATCH /v1/projects/{id}`.

use std::time::{Duration, Instant};

use afterword::domain::principal::Role;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::{completion, thumb, with};
use crate::support::TestService;

/// A user whose id has everything that a path could trip over.
const USER: &str = "ann/1 é?&%";
const IN_PATH: &str = "ann%2F1%20%C3%A9%3F%26%25";

async fn delete(service: &TestService, path: &str, key: &str) -> crate::support::service::Answer {
    service.send(service.request(Method::DELETE, path, key)).await
}

async fn until_completed(service: &TestService, path: &str, key: &str) -> Value {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let item = service.get(path, key).await.json();
        if item["status"] == "completed" {
            return item;
        }
        assert!(Instant::now() < deadline, "{item}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_counted_erased_and_refused_from_then_on() {
    let service = TestService::start().await;
    let admin = service.key(Role::Admin).await;
    let theirs = with(&completion("c-1"), "user", json!(USER));
    assert_eq!(service.post("/v1/completions", &admin, &theirs).await.status, 200);
    assert_eq!(service.post("/v1/feedback", &admin, &with(&thumb("c-1"), "user", json!(USER))).await.status, 200);

    let counted = delete(&service, &format!("/v1/users/{IN_PATH}?dry_run=true"), &admin).await;
    let n_before = service.count("completions").await;
    let asked = delete(&service, &format!("/v1/users/{IN_PATH}"), &admin).await;
    let done = until_completed(&service, asked.header("location"), &admin).await;
    let again = service.post("/v1/completions", &admin, &theirs).await;
    let mixed = json!({"completions": [theirs, with(&completion("c-2"), "user", json!("bob"))]});
    let mixed = service.post("/v1/completions", &admin, &mixed).await;

    assert_eq!((counted.status, n_before), (200, 1));
    assert_eq!((&counted.json()["n_completions"], &counted.json()["n_feedback"]), (&json!(1), &json!(1)));
    assert_eq!(asked.status, 202, "{}", asked.text);
    assert_eq!((&done["n_completions"], &done["n_feedback"], &done["exports"]), (&json!(1), &json!(1), &json!([])));
    assert!(!asked.text.contains("ann") && !done.to_string().contains("ann"), "the user is named by a hash");
    assert_eq!(service.count("completions").await, 1, "bob's");
    assert_eq!(again.problem(), (410, "erased".to_owned()));
    assert_eq!((mixed.status, &mixed.json()["accepted"]), (207, &json!(1)));
    assert_eq!(mixed.json()["rejected"][0]["code"], "erased");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_and_nothing_is_erased() {
    let service = TestService::start().await;
    let admin = service.key(Role::Admin).await;
    let before = service.checksum().await;

    let long = format!("/v1/users/{}", "u".repeat(257));
    for (path, status, code) in [
        ("/v1/users/u?dry_run=yes", 422, "not_one_of"),
        ("/v1/users/u?force=true", 422, "unknown_field"),
        (long.as_str(), 404, "not_found"),
        ("/v1/users/u%00", 404, "not_found"),
    ] {
        assert_eq!(delete(&service, path, &admin).await.problem(), (status, code.to_owned()), "{path}");
    }
    for path in ["/v1/erasures/none", "/v1/erasures/01890a5d-ac96-774b-bcce-b302099a8057"] {
        assert_eq!(service.get(path, &admin).await.problem(), (404, "not_found".to_owned()), "{path}");
    }
    assert_eq!(service.get("/v1/exports?affected_by=", &admin).await.problem(), (422, "empty".to_owned()));
    assert_eq!(service.checksum().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_are_listed_by_whose_rows_they_hold() {
    let service = TestService::start().await;
    let admin = service.key(Role::Admin).await;
    for n in 0..12 {
        let both: Vec<Value> = ["old", "new"]
            .iter()
            .map(|model| {
                json!({"id": format!("{model}-{n}"), "model": model, "prompt": format!("q {n}"), "finish_reason": "stop",
                       "response": format!("{model} {n}"), "consent": {"training": true}, "user": format!("u {n}")})
            })
            .collect();
        service.post("/v1/completions", &admin, &json!({"completions": both})).await;
        let preference = json!({"id": format!("01900000-0000-7000-8000-0000000000{n:02}"), "signal": "preference",
            "completion_id": format!("new-{n}"), "against": format!("old-{n}"), "outcome": "better", "user": "rater"});
        assert_eq!(service.post("/v1/feedback", &admin, &preference).await.status, 200);
    }
    let export = service.post("/v1/exports", &admin, &json!({"recipe": "dpo"})).await.json();
    until_completed(&service, &format!("/v1/exports/{}", export["id"].as_str().unwrap()), &admin).await;

    let of = async |user: &str| service.get(&format!("/v1/exports?affected_by={user}"), &admin).await.json();
    let (asker, rater, stranger) = (of("u+3").await, of("rater").await, of("u+99").await);

    assert_eq!((&asker["exports"][0]["id"], &rater["exports"][0]["id"]), (&export["id"], &export["id"]));
    assert_eq!(stranger, json!({"exports": [], "next_cursor": null}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_declares_its_consent_and_shows_it() {
    let service = TestService::start().await;
    let admin = service.key(Role::Admin).await;
    let project = service.get("/v1/projects", &admin).await.json()["projects"][0].clone();
    let path = format!("/v1/projects/{}", project["id"].as_str().unwrap());
    let patch = async |body: Value| {
        let request = service.request(Method::PATCH, &path, &admin).header(CONTENT_TYPE, "application/json");
        service.send(request.body(body.to_string())).await
    };

    let changed = patch(json!({"consent_default": "granted"})).await;
    let unchanged = patch(json!({"consent_default": "granted"})).await;
    let shown = service.get(&path, &admin).await.json();

    assert_eq!(project["consent_default"], "none");
    assert_eq!((changed.status, unchanged.status), (200, 200));
    assert_eq!((&changed.json()["consent_default"], &shown), (&json!("granted"), &changed.json()));
    let audit = service.get("/v1/audit", &admin).await.json();
    let changes = audit["entries"].as_array().unwrap().iter().filter(|entry| entry["action"] == "project.changed");
    assert_eq!(changes.count(), 1);
    for (body, code) in [
        (json!({}), "required"),
        (json!({"consent_default": true}), "wrong_type"),
        (json!({"consent_default": "yes"}), "not_one_of"),
        (json!({"consent_default": "none", "name": "x"}), "unknown_field"),
    ] {
        assert_eq!(patch(body.clone()).await.problem(), (422, code.to_owned()), "{body}");
    }
}
