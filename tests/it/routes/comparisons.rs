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

/// Stores answers of two models on which people reacted in opposite ways; some of them nobody may be shown.
async fn service_with_opposite_reactions() -> TestService {
    let service = TestService::start().await;
    let key = service.key(Role::Admin).await;
    let (mut completions, mut feedback) = (Vec::new(), Vec::new());
    let mut add = |id: &str, model: &str, user: &str, value: &str, more: (&str, serde_json::Value)| {
        let mut item = with(&with(&completion(id), "model", json!(model)), "user", json!(user));
        item["task"] = json!("chat");
        item["prompt"] = json!(format!("asked in {id} {}", "x".repeat(2000)));
        item["response"] = json!({"role": "assistant", "content": format!("<script>alert('{id}')</script>")});
        completions.push(with(&item, more.0, more.1));
        feedback.push(with(&with(&thumb(id), "user", json!(user)), "value", json!(value)));
    };
    let chat = || ("task", json!("chat"));
    add("old-liked", "old", "u-1", "up", chat());
    add("new-disliked", "new", "u-2", "down", chat());
    add("new-refused", "new", "u-3", "down", ("consent", json!({"training": false})));
    add("new-erased", "new", "u-erased", "down", chat());
    add("new-elsewhere", "new", "u-4", "down", ("task", json!("code")));
    add("new-plainly-disliked", "new", "u-5", "down", chat());
    let mut copied = thumb("new-disliked");
    copied["signal"] = json!("copy");
    copied["user"] = json!("u-2");
    copied.as_object_mut().unwrap().remove("value");
    feedback.push(copied);
    let written = service.post("/v1/completions", &key, &json!({"completions": completions})).await;
    let reacted = service.post("/v1/feedback", &key, &json!({"feedback": feedback})).await;
    assert_eq!((written.status, reacted.status), (200, 200), "{} {}", written.text, reacted.text);
    let erased = service.send(service.request(Method::DELETE, "/v1/users/u-erased", &key)).await;
    assert_eq!(erased.status, 202, "{}", erased.text);
    service
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_read_texts_sees_answers_on_which_people_reacted_in_opposite_ways() {
    let service = service_with_opposite_reactions().await;

    for role in [Role::Analyst, Role::Admin] {
        let key = service.key(role).await;
        let answer = service.get(QUESTION, &key).await.json();
        let page = service.send(service.request(Method::GET, QUESTION, &key).header("accept", "text/html")).await;

        let shown = answer["depth"]["disagreements"].as_array().unwrap();
        assert_eq!(shown.len(), 2, "{}", answer["depth"]);
        assert_eq!(shown[0]["control"]["completion_id"], "old-liked");
        assert_eq!(shown[0]["candidate"]["completion_id"], "new-plainly-disliked");
        assert_eq!(shown[0]["candidate"]["reactions"], json!(["thumb down"]));
        assert_eq!(
            (&shown[1]["control"], &shown[1]["candidate"]["completion_id"]),
            (&json!(null), &json!("new-disliked"))
        );
        assert_eq!(shown[1]["candidate"]["reactions"], json!(["copy", "thumb down"]));
        let prompt = shown[0]["control"]["prompt"].as_str().unwrap();
        assert!(prompt.starts_with("asked in old-liked") && prompt.chars().count() == 601 && prompt.ends_with('…'));
        assert!(answer["depth"]["disagreements_note"].is_null());
        for hidden in ["new-refused", "new-erased"] {
            assert!(!answer.to_string().contains(hidden) && !page.text.contains(hidden), "{hidden}");
        }
        assert!(page.text.contains("Does it look right?") && page.text.contains("&lt;script&gt;alert("));
        assert!(!page.text.contains("<script>alert"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_read_texts_is_told_why_there_are_no_answers() {
    let service = service_with_opposite_reactions().await;
    let key = service.key(Role::Viewer).await;

    let answer = service.get(QUESTION, &key).await;
    let page = service.send(service.request(Method::GET, QUESTION, &key).header("accept", "text/html")).await;
    let text = service.send(service.request(Method::GET, QUESTION, &key).header("accept", "text/plain")).await;

    assert_eq!(answer.json()["depth"]["disagreements"], json!([]));
    let note = answer.json()["depth"]["disagreements_note"].as_str().unwrap().to_owned();
    assert!(note.contains("analyst and admin") && page.text.contains(&note), "{note}");
    for told in [&answer.text, &page.text, &text.text] {
        assert!(!told.contains("asked in") && !told.contains("alert("), "{told}");
    }
    assert_eq!(service.get(QUESTION, &service.key(Role::Ingest).await).await.status, 403);
}
