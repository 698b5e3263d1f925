//! `/v1/comparisons`.

use afterword::domain::principal::Role;
use reqwest::Method;
use serde_json::json;

use super::{completion, thumb, with};
use crate::support::TestService;

const QUESTION: &str = "/v1/comparisons?control=model%3Aold&candidate=model:new&margin.thumb_up=0.1";

async fn service_with_two_models() -> (TestService, String) {
    let service = TestService::start().await;
    let key = service.key(Role::Admin).await;
    let (mut completions, mut feedback) = (Vec::new(), Vec::new());
    for (model, value) in [("old", "up"), ("new", "down")] {
        for n in 0..20 {
            let id = format!("{model}-{n}");
            completions.push(with(&with(&completion(&id), "model", json!(model)), "user", json!(format!("u-{n}"))));
            let value = if n % 3 == 0 { "up" } else { value };
            feedback.push(with(&with(&thumb(&id), "user", json!(format!("u-{n}"))), "value", json!(value)));
        }
    }
    let written = service.post("/v1/completions", &key, &json!({"completions": completions})).await;
    let reacted = service.post("/v1/feedback", &key, &json!({"feedback": feedback})).await;
    assert_eq!((written.status, reacted.status), (200, 200), "{} {}", written.text, reacted.text);
    (service, key)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_comes_as_json_as_a_page_and_as_text() {
    let (service, key) = service_with_two_models().await;
    let ask =
        |accept: &'static str| service.send(service.request(Method::GET, QUESTION, &key).header("accept", accept));

    let (json, page, text) = (ask("*/*").await, ask("text/html,*/*;q=0.8").await, ask("text/plain").await);

    assert_eq!(json.header("content-type"), "application/json");
    assert_eq!((json.status, &json.json()["mode"]), (200, &json!("observational")), "{}", json.text);
    assert!(json.json()["verdict"]["code"].is_string());
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.text.starts_with("<!doctype html>") && page.text.contains("<svg"));
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    let plot = ask("application/vnd.vegalite.v6+json").await;
    assert_eq!(plot.header("content-type"), "application/vnd.vegalite.v6+json");
    assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
    assert!(text.text.lines().all(|line| line.chars().count() <= 80), "{}", text.text);
    assert_eq!(page.header("vary"), "Accept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_that_may_be_old_is_told_as_it_was_in_every_form() {
    let (service, key) = service_with_two_models().await;
    let may_be_old = format!("{QUESTION}&max_age_s=3600");
    let ask = |question: &str, accept: &'static str| {
        service.send(service.request(Method::GET, question, &key).header("accept", accept))
    };
    let first = ask(&may_be_old, "application/json").await;
    let late = with(&with(&completion("late"), "model", json!("new")), "user", json!("u-late"));
    let written = service.post("/v1/completions", &key, &json!({"completions": [late]})).await;
    assert_eq!((first.status, written.status), (200, 200), "{} {}", first.text, written.text);

    let (again, anew) = (ask(&may_be_old, "*/*").await, ask(QUESTION, "*/*").await);
    let (page, text) = (ask(&may_be_old, "text/html").await, ask(&may_be_old, "text/plain").await);

    assert_eq!((again.header("content-type"), &again.text), ("application/json", &first.text));
    assert_eq!((&first.json()["candidate"]["n_users"], &anew.json()["candidate"]["n_users"]), (&json!(20), &json!(21)));
    assert!(page.text.starts_with("<!doctype html>") && page.header("content-security-policy").contains("sha256-"));
    assert!(text.text.starts_with('┌'), "{}", text.text);
    let of_no_age = ask(&format!("{QUESTION}&max_age_s=0"), "*/*").await;
    assert_eq!(of_no_age.problem().0, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_not_offered_is_not_acceptable() {
    let (service, key) = service_with_two_models().await;

    let answer = service.send(service.request(Method::GET, QUESTION, &key).header("accept", "image/png")).await;

    assert_eq!(answer.problem(), (406, "not_acceptable".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_question_names_the_parameter() {
    let service = TestService::start().await;
    let key = service.key(Role::Viewer).await;

    let answer = service.get("/v1/comparisons?control=model:a&candidate=model:a", &key).await;

    assert_eq!(answer.problem(), (422, "contradiction".to_owned()));
    assert_eq!(answer.json()["errors"][0]["parameter"], "candidate");
}
