//! Publishable keys: from the origins that they name, to feedback and nothing else, never trusted.

use afterword::domain::origin::Origin;
use afterword::domain::principal::Role;
use afterword::service::authenticate::known_origin;
use serde_json::json;

use super::super::{completion, thumb};
use super::{SHOP, from_page, publishable_key};
use crate::support::TestService;

#[tokio::test(flavor = "multi_thread")]
async fn a_page_writes_unverified_feedback_with_its_key_in_the_head_or_in_the_body() {
    let service = TestService::start().await;
    let key = publishable_key(&service).await;

    let in_head = from_page(&service, &key, Some(SHOP), &thumb("c-1")).await;
    let enveloped = json!({"v": 1, "token": key, "feedback": [thumb("c-1")]});
    let in_body = from_page(&service, "", Some(SHOP), &enveloped).await;
    let from_app = from_page(&service, &key, None, &thumb("c-1")).await;

    for answer in [in_head, in_body, from_app] {
        assert_eq!((answer.status, answer.json()["accepted"].clone()), (200, json!(1)), "{}", answer.text);
    }
    assert_eq!(service.query::<i64>("select count(*) from feedback where trust = 'unverified'").await, 3);
    assert_eq!(service.query::<i64>("select count(*) from feedback f where f::text like '%aw_pub%'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_any_other_origin_is_refused_and_writes_nothing() {
    let service = TestService::start().await;
    let key = publishable_key(&service).await;

    for origin in [
        "null",
        "http://shop.example",
        "https://shop.example:8443",
        "https://shop.example.evil.example",
        "https://evil-shop.example",
        "https://SHOP.example",
        "https://shop.example/",
        "",
    ] {
        let answer = from_page(&service, &key, Some(origin), &thumb("c-1")).await;
        assert_eq!(answer.problem(), (403, "origin_not_allowed".to_owned()), "{origin}");
    }

    assert_eq!(service.count("feedback").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publishable_key_opens_no_other_address() {
    let service = TestService::start().await;
    let key = publishable_key(&service).await;

    for (path, body) in [
        ("/v1/completions", completion("c-1")),
        ("/v1/feedback-tokens", json!({"subject": "u", "completion_ids": ["c-1"]})),
        ("/v1/keys", json!({"kind": "secret", "name": "mine", "role": "admin"})),
        ("/v1/exports", json!({"recipe": "dpo"})),
    ] {
        assert_eq!(service.post(path, &key, &body).await.problem(), (403, "role_insufficient".to_owned()), "{path}");
    }
    for path in ["/v1/keys", "/v1/audit", "/v1/projects", "/v1/exports", "/v1/experiments"] {
        assert_eq!(service.get(path, &key).await.problem(), (403, "role_insufficient".to_owned()), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_is_known_as_long_as_a_live_key_of_any_project_names_it() {
    let service = TestService::start().await;
    publishable_key(&service).await;
    let origin = |text: &str| Origin::parse(text).unwrap();

    assert!(known_origin(service.app(), &origin(SHOP)).await.unwrap());
    assert!(!known_origin(service.app(), &origin("https://shop.example:8443")).await.unwrap());
    assert!(!known_origin(service.app(), &origin("https://op.example")).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_key_in_a_page_is_refused_and_the_audit_tells_of_real_ones() {
    let service = TestService::start().await;
    let (real, admin) = (service.key(Role::Ingest).await, service.key(Role::Admin).await);
    let guessed = format!("{}{}", &real[..real.len() - 4], "AAAA");
    let reports = "select count(*) from audit where action = 'key.used_in_browser'";

    let in_body = json!({"token": real, "feedback": [thumb("c-1")]});
    let guess = from_page(&service, &guessed, Some(SHOP), &thumb("c-1")).await;
    let in_head = from_page(&service, &service.key(Role::Ingest).await, Some("null"), &thumb("c-1")).await;
    let in_body = from_page(&service, "", Some(SHOP), &in_body).await;

    for answer in [&guess, &in_head, &in_body] {
        assert_eq!(answer.problem(), (403, "secret_key_in_browser".to_owned()));
    }
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while service.query::<i64>(reports).await < 1 {
        assert!(std::time::Instant::now() < deadline, "nothing was reported");
    }
    let entries = service.get("/v1/audit", &admin).await;
    assert!(!entries.text.contains(&guessed[24..]) && !entries.text.contains(&real[24..]));
    assert_eq!(service.count("feedback").await, 0);
}
