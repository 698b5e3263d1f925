//! Pages of other origins: who is told that it may write and read the answer.

use afterword::domain::principal::Role;
use afterword::http::HttpSettings;
use reqwest::Method;
use serde_json::json;

use super::pages::{SHOP, post_from, preflight, publishable_key};
use super::{thumb, with};
use crate::support::TestService;
use crate::support::service::PROJECT;

const KEY_ID: &str = "pageshop00000001";

/// Origins that are not the shop's, however much they look like it.
const FOREIGN: &[&str] = &[
    "https://evil.example",
    "http://shop.example",
    "https://shop.example:443",
    "https://shop.example:8443",
    "https://shop.example/",
    "https://shop.example/path",
    "https://shop.example?q",
    "https://shop.example#f",
    "https://www.shop.example",
    "https://evil-shop.example",
    "https://shop.example.evil.example",
    "https://shop.example.",
    "https://shop.exampl",
    "https://shop.examples",
    "https://shopxexample",
    "https://Shop.example",
    "HTTPS://shop.example",
    "https://SHOP.EXAMPLE",
    "https:/shop.example",
    "https:shop.example",
    "//shop.example",
    "shop.example",
    "https://",
    "null",
    "NULL",
    "*",
    "https://*",
    "https://*.example",
    "https://user@shop.example",
    "https://user:password@shop.example",
    "https://shop.example@evil.example",
    "https://evil.example#@shop.example",
    "https://shop.example%2eevil.example",
    "https://shop.example%00.evil.example",
    "https://shop.example\\.evil.example",
    "https://shop.example\\@evil.example",
    "https://shop.example https://evil.example",
    "https://evil.example https://shop.example",
    "https://shop.example,https://evil.example",
    "https://shop.example, https://evil.example",
    "file://shop.example",
    "ftp://shop.example",
    "ws://shop.example",
    "data:text/html,shop.example",
    "javascript://shop.example",
    "chrome-extension://shop.example",
    "https://xn--shp-8na.example",
    "https://sh\u{f6}p.example",
    "https://[::1]",
    "https://127.0.0.1",
    "https://shop.example:",
    "https://shop.example:0",
    "https://shop.example:99999",
    "https://shop..example",
    "https://.shop.example",
    "https://shop.example:0443",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_an_allowed_origin_may_write_and_read_the_answer() {
    let service = TestService::start().await;
    let key = publishable_key(&service, PROJECT, KEY_ID, &[SHOP]).await;

    let asked = preflight(&service, "/v1/feedback", SHOP).await;
    let stored = post_from(&service, SHOP, &key, &thumb("c-1")).await;

    assert_eq!((asked.status, asked.text.as_str()), (204, ""));
    assert_eq!(asked.header("access-control-allow-origin"), SHOP);
    assert_eq!(asked.header("access-control-allow-methods"), "POST");
    assert_eq!(asked.header("access-control-allow-headers"), "authorization, content-type, content-encoding");
    assert_eq!(asked.header("access-control-max-age"), "7200");
    assert!(asked.header("vary").starts_with("Origin"));
    assert_eq!(stored.status, 200, "{}", stored.text);
    assert_eq!(stored.header("access-control-allow-origin"), SHOP);
    assert_eq!(stored.header("access-control-expose-headers"), "Retry-After, Date, RateLimit");
    assert_eq!((stored.header("access-control-allow-credentials"), stored.header("vary")), ("", "Origin"));
    let trust: String = service.query("select trust from feedback").await;
    assert_eq!(trust, "unverified");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_reads_why_it_was_refused() {
    let service = TestService::start().await;
    let key = publishable_key(&service, PROJECT, KEY_ID, &[SHOP]).await;

    let unknown_key = post_from(&service, SHOP, "aw_pub_0000000000000000", &thumb("c-1")).await;
    let no_key = post_from(&service, SHOP, "", &thumb("c-1")).await;
    let too_large = post_from(&service, SHOP, &key, &with(&thumb("c-1"), "user", json!("u".repeat(300_000)))).await;
    let invalid = post_from(&service, SHOP, &key, &json!({})).await;

    for (answer, status) in [(unknown_key, 401), (no_key, 401), (too_large, 413), (invalid, 422)] {
        assert_eq!(answer.problem().0, status);
        assert_eq!(answer.header("access-control-allow-origin"), SHOP, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_origin_that_is_not_exactly_an_allowed_one_is_refused() {
    let service = TestService::start().await;
    let key = publishable_key(&service, PROJECT, KEY_ID, &[SHOP]).await;
    let before = service.checksum().await;
    assert!(FOREIGN.len() >= 50);

    for origin in FOREIGN {
        let asked = preflight(&service, "/v1/feedback", origin).await;
        let posted = post_from(&service, origin, &key, &thumb("c-1")).await;
        let in_body = post_from(&service, origin, "", &json!({"v": 1, "token": key, "feedback": [thumb("c-1")]})).await;

        for answer in [asked, posted, in_body] {
            assert_eq!(answer.problem(), (403, "origin_not_allowed".to_owned()), "{origin}");
            assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
            assert!(answer.header("vary").starts_with("Origin"), "{origin}");
        }
    }
    assert_eq!(service.checksum().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_sent_twice_is_none() {
    let service = TestService::start().await;
    let key = publishable_key(&service, PROJECT, KEY_ID, &[SHOP]).await;
    let request = service.request(Method::POST, "/v1/feedback", &key).header("content-type", "application/json");
    let request = request.header("origin", SHOP).header("origin", SHOP).body(thumb("c-1").to_string());

    let answer = service.send(request).await;

    assert_eq!(answer.problem(), (403, "origin_not_allowed".to_owned()));
    assert_eq!(answer.header("access-control-allow-origin"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_another_project_may_not_use_this_ones_key() {
    let service = TestService::start().await;
    let key = publishable_key(&service, PROJECT, KEY_ID, &[SHOP]).await;
    publishable_key(&service, "other", "pageother0000001", &["https://other.example"]).await;

    let answer = post_from(&service, "https://other.example", &key, &thumb("c-1")).await;

    // Its preflight was answered, since some project knows it; the post itself is not, and cannot be read.
    assert_eq!(preflight(&service, "/v1/feedback", "https://other.example").await.status, 204);
    assert_eq!(answer.problem(), (403, "origin_not_allowed".to_owned()));
    assert_eq!(answer.header("access-control-allow-origin"), "");
    assert_eq!(service.count("feedback").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_route_answers_pages() {
    let service = TestService::start().await;
    publishable_key(&service, PROJECT, KEY_ID, &[SHOP]).await;
    let key = service.key(Role::Analyst).await;

    for path in ["/v1/completions", "/v1/exports", "/v1/comparisons", "/livez", "/", "/v1/feedback/", "/nowhere"] {
        let asked = preflight(&service, path, SHOP).await;
        let got = service.send(service.request(Method::GET, path, &key).header("origin", SHOP)).await;
        assert!(matches!(asked.status, 404 | 405), "{path}: {}", asked.status);
        for answer in [asked, got] {
            assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("access-control-")), "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_spelt_otherwise_is_the_same_address() {
    let service = TestService::start().await;
    let key = publishable_key(&service, PROJECT, KEY_ID, &[SHOP]).await;

    for path in ["/v1/%66eedback", "/%761/feedbac%6B", "/%76%31/%66%65%65%64%62%61%63%6b"] {
        let asked = preflight(&service, path, SHOP).await;
        let request = service.request(Method::POST, path, &key).header("origin", SHOP);
        let stored = service.send(request.header("content-type", "text/plain").body(thumb("c-1").to_string())).await;
        let foreign = service.request(Method::POST, path, &key).header("origin", "https://evil.example");
        let foreign = service.send(foreign.header("content-type", "text/plain").body(thumb("c-1").to_string())).await;

        assert_eq!((asked.status, asked.header("access-control-allow-origin")), (204, SHOP), "{path}");
        assert_eq!((stored.status, stored.header("access-control-allow-origin")), (200, SHOP), "{path}");
        assert_eq!(stored.header("vary"), "Origin", "{path}");
        assert!(stored.header("ratelimit").starts_with('"'), "{path}: its quota is counted and told");
        assert_eq!(foreign.problem(), (403, "origin_not_allowed".to_owned()), "{path}");
        assert_eq!((foreign.header("access-control-allow-origin"), foreign.header("vary")), ("", "Origin"), "{path}");
    }
    for path in ["/v1%2Ffeedback", "/v1/%2566eedback", "/v1/feedback%2F"] {
        let request = service.request(Method::POST, path, &key).header("origin", SHOP);
        assert_eq!(service.send(request).await.problem(), (404, "not_found".to_owned()), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_an_origin_is_an_app_and_is_told_nothing_of_cors() {
    let service = TestService::start().await;
    let key = publishable_key(&service, PROJECT, KEY_ID, &[SHOP]).await;

    let answer = post_from(&service, "", &key, &thumb("c-1")).await;

    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, ""));
    assert_eq!(answer.header("vary"), "Origin", "a cache must not give it to a page");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_finds_no_room_asks_nobody_whose_page_it_comes_from() {
    // Where no request is let in, every one is turned away.
    let settings = HttpSettings { max_requests_at_once: 0, ..HttpSettings::default() };
    let service = TestService::start_with(settings, false).await;
    let key = publishable_key(&service, PROJECT, KEY_ID, &[SHOP]).await;

    let unknown = post_from(&service, SHOP, &key, &thumb("c-1")).await;
    let asked = preflight(&service, "/v1/feedback", SHOP).await;
    let known = post_from(&service, SHOP, &key, &thumb("c-1")).await;

    for (answer, told) in [(unknown, ""), (known, SHOP)] {
        assert_eq!(answer.problem(), (503, "busy".to_owned()));
        assert_eq!(answer.header("access-control-allow-origin"), told, "only what is remembered is told");
        assert_eq!((answer.header("vary"), answer.header("retry-after")), ("Origin", "1"));
    }
    assert_eq!(asked.status, 204);
    for path in ["/%76%31/completions", "/%761/%66eedback"] {
        let spelt_otherwise = service.send(service.request(Method::POST, path, &key)).await;
        assert_eq!(spelt_otherwise.problem(), (503, "busy".to_owned()), "{path}");
    }
}
