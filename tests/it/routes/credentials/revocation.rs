//! Whatever is revoked is refused everywhere within five seconds, also by a service that was not told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use afterword::blob::Blob;
use afterword::domain::clock::SystemClock;
use afterword::domain::credential::Presented;
use afterword::domain::principal::Role;
use afterword::service::App;
use afterword::service::authenticate::authenticate;
use reqwest::Method;
use serde_json::json;

use super::super::thumb;
use super::{SHOP, from_page, make_key, mint, publishable_key};
use crate::support::TestService;

/// Asks again and again, as a busy client would, until a credential is refused; tells how long that took.
async fn refused_after(other: &App, presented: &Presented, revoked_at: Instant) -> Duration {
    while authenticate(other, presented).await.is_ok() {
        assert!(revoked_at.elapsed() < Duration::from_secs(5), "a revoked credential is still believed");
        tokio::task::yield_now().await;
    }
    revoked_at.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_tokens_are_refused_by_another_service_on_the_same_database() {
    let service = TestService::start().await;
    let admin = service.key(Role::Admin).await;
    let secret = make_key(&service, json!({"kind": "secret", "name": "s", "role": "ingest"})).await;
    let publishable = publishable_key(&service).await;
    let signing = make_key(&service, json!({"kind": "signing", "name": "t", "algorithm": "HS256"})).await;
    let one = mint(&service, &json!({"subject": "u", "completion_ids": ["c-1"]})).await;
    let two = mint(&service, &json!({"subject": "u", "completion_ids": ["c-1"]})).await;
    let presented = |text: &str| Presented::parse(text).unwrap();
    let other = App::start(service.app().store.clone(), Blob::memory(), Arc::new(SystemClock));
    let shown = [
        presented(secret["key"].as_str().unwrap()),
        presented(&publishable),
        presented(one["token"].as_str().unwrap()),
        presented(two["token"].as_str().unwrap()),
    ];
    for credential in &shown {
        assert!(authenticate(&other, credential).await.is_ok());
    }

    let ids = [secret["id"].as_str().unwrap(), &publishable[7..]];
    for id in ids {
        let request = service.request(Method::DELETE, &format!("/v1/keys/{id}"), &admin);
        assert_eq!(service.send(request).await.status, 204);
    }
    let revoked = service.post("/v1/feedback-tokens/revoke", &admin, &json!({"ids": [one["id"]]})).await;
    assert_eq!(revoked.json(), json!({"revoked": 1}));
    let revoked_at = Instant::now();
    for credential in &shown[..3] {
        refused_after(&other, credential, revoked_at).await;
    }
    assert!(authenticate(&other, &shown[3]).await.is_ok(), "another token of the same key is still good");

    let request = service.request(Method::DELETE, &format!("/v1/keys/{}", signing["id"].as_str().unwrap()), &admin);
    assert_eq!(service.send(request).await.status, 204);
    refused_after(&other, &shown[3], Instant::now()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_credential_gets_the_answer_of_any_other_that_is_wrong() {
    let service = TestService::start().await;
    let key = publishable_key(&service).await;
    let admin = service.key(Role::Admin).await;
    assert_eq!(from_page(&service, &key, Some(SHOP), &thumb("c-1")).await.status, 200);

    let request = service.request(Method::DELETE, &format!("/v1/keys/{}", &key[7..]), &admin);
    assert_eq!(service.send(request).await.status, 204);
    let again = service.send(service.request(Method::DELETE, &format!("/v1/keys/{}", &key[7..]), &admin)).await;

    let answer = from_page(&service, &key, Some(SHOP), &thumb("c-1")).await;
    let unknown = from_page(&service, "aw_pub_abcdefgh01234567", Some(SHOP), &thumb("c-1")).await;
    let text = |answer: &crate::support::service::Answer| answer.text.replace(answer.header("x-request-id"), "");
    assert_eq!(answer.problem(), (401, "credential_invalid".to_owned()));
    assert_eq!(text(&answer), text(&unknown));
    assert_eq!(again.problem(), (404, "not_found".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_that_revokes_a_credential_refuses_it_at_once() {
    let service = TestService::start().await;
    let admin = service.key(Role::Admin).await;
    let secret = make_key(&service, json!({"kind": "secret", "name": "s", "role": "ingest"})).await;
    let publishable = publishable_key(&service).await;
    let signing = make_key(&service, json!({"kind": "signing", "name": "t", "algorithm": "HS256"})).await;
    let one = mint(&service, &json!({"subject": "u", "completion_ids": ["c-1"]})).await;
    let two = mint(&service, &json!({"subject": "u", "completion_ids": ["c-1"]})).await;
    let text = |made: &serde_json::Value, member: &str| made[member].as_str().unwrap().to_owned();
    let revocations = [
        (text(&secret, "key"), format!("/v1/keys/{}", text(&secret, "id"))),
        (publishable.clone(), format!("/v1/keys/{}", &publishable[7..])),
        (text(&one, "token"), String::new()),
        (text(&two, "token"), format!("/v1/keys/{}", text(&signing, "id"))),
    ];

    for (credential, path) in revocations {
        assert_eq!(from_page(&service, &credential, None, &thumb("c-1")).await.status, 200);
        // Others show it all the while, so that a look-up may be on its way at any moment.
        let showing = (0..8).map(|_| async { from_page(&service, &credential, None, &thumb("c-1")).await });
        let revoking = async {
            let request = if path.is_empty() {
                let ids = json!({"ids": [one["id"]]}).to_string();
                let request = service.request(Method::POST, "/v1/feedback-tokens/revoke", &admin);
                request.header("content-type", "application/json").body(ids)
            } else {
                service.request(Method::DELETE, &path, &admin)
            };
            assert!((200..300).contains(&service.send(request).await.status));
            from_page(&service, &credential, None, &thumb("c-1")).await
        };
        let (_, answer) = tokio::join!(futures_util::future::join_all(showing), revoking);

        assert_eq!(answer.problem(), (401, "credential_invalid".to_owned()), "{path}");
    }
}
