//! Quotas, counted in items.

use afterword::domain::network::Network;
use afterword::domain::principal::Role;
use afterword::http::{HttpSettings, Proxies, Quotas};
use reqwest::Method;
use serde_json::{Value, json};

use super::pages::{SHOP, post_from, publishable_key};
use super::{completion, thumb};
use crate::support::TestService;
use crate::support::service::{Answer, PROJECT};

const KEY_ID: &str = "pageshop00000001";

async fn service_with(quotas: Quotas) -> TestService {
    let proxies = Proxies { trusted: vec![Network::parse("127.0.0.1").unwrap()], ..Proxies::default() };
    TestService::start_with(HttpSettings { quotas, proxies, ..HttpSettings::default() }, false).await
}

fn thumbs(n_items: usize) -> Value {
    json!({"v": 1, "feedback": (0..n_items).map(|_| thumb("c-1")).collect::<Vec<_>>()})
}

/// Posts as a proxy does for a page of an address.
async fn post_for(service: &TestService, address: &str, key: &str, body: &Value) -> Answer {
    let request = service.request(Method::POST, "/v1/feedback", key).header("x-forwarded-for", address);
    service.send(request.header("origin", SHOP).header("content-type", "text/plain").body(body.to_string())).await
}

const OFF: Quotas = Quotas { of_browser_key: 0, of_subject: 0, of_address: 0, of_secret_key: 0 };

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_used_up_its_quota_is_told_when_to_come_back() {
    let service = service_with(Quotas { of_browser_key: 10, ..OFF }).await;
    let key = publishable_key(&service, PROJECT, KEY_ID, &[SHOP]).await;

    let within = post_from(&service, SHOP, &key, &thumbs(8)).await;
    let beyond = post_from(&service, SHOP, &key, &thumbs(8)).await;

    assert_eq!((within.status, within.header("ratelimit-policy")), (200, "\"key\";q=10;w=60"));
    assert_eq!(within.header("ratelimit"), "\"key\";r=2;t=48");
    assert_eq!(beyond.problem(), (429, "quota_exceeded".to_owned()));
    let reset_s: u64 = beyond.header("ratelimit").strip_prefix("\"key\";r=0;t=").unwrap().parse().unwrap();
    let retry_after_s: u64 = beyond.header("retry-after").parse().unwrap();
    assert!((30..=36).contains(&reset_s) && retry_after_s >= reset_s && retry_after_s <= reset_s + 2, "{reset_s}");
    assert_eq!(beyond.header("access-control-allow-origin"), SHOP);
    assert_eq!(beyond.header("access-control-expose-headers"), "Retry-After, Date, RateLimit");
    assert_eq!(service.count("feedback").await, 8, "nothing of what was refused is stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_have_quotas_of_their_own() {
    let service = service_with(Quotas { of_address: 10, ..OFF }).await;
    let key = publishable_key(&service, PROJECT, KEY_ID, &[SHOP]).await;

    assert_eq!(post_for(&service, "192.0.2.1", &key, &thumbs(10)).await.status, 200);
    let neighbour = post_for(&service, "192.0.2.77", &key, &thumbs(1)).await;
    let stranger = post_for(&service, "198.51.100.1", &key, &thumbs(10)).await;

    assert_eq!(neighbour.problem(), (429, "quota_exceeded".to_owned()));
    assert!(neighbour.header("ratelimit").starts_with("\"address\";r=0;t="));
    assert_eq!(stranger.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_its_form_counts_as_one_item() {
    let service = service_with(Quotas { of_address: 3, ..OFF }).await;
    let key = publishable_key(&service, PROJECT, KEY_ID, &[SHOP]).await;

    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(post_for(&service, "192.0.2.1", &key, &json!({"feedback": 1})).await.status);
    }

    assert_eq!(statuses, [422, 422, 422, 429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_credentials_or_origins_uses_up_the_quota_of_their_network() {
    let service = service_with(Quotas { of_address: 3, ..OFF }).await;
    let mut statuses = Vec::new();

    for _ in 0..4 {
        statuses.push(post_for(&service, "192.0.2.1", "aw_pub_abcdefgh01234567", &thumbs(1)).await.status);
    }
    for _ in 0..4 {
        let request = service.request(Method::OPTIONS, "/v1/feedback", "").header("x-forwarded-for", "198.51.100.1");
        let request = request.header("origin", SHOP).header("access-control-request-method", "POST");
        statuses.push(service.send(request).await.status);
    }

    assert_eq!(statuses, [401, 401, 401, 429, 403, 403, 403, 429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_key_has_a_quota_only_where_the_operator_says_so() {
    let (free, bound) = (service_with(OFF).await, service_with(Quotas { of_secret_key: 5, ..OFF }).await);
    let (free_key, bound_key) = (free.key(Role::Ingest).await, bound.key(Role::Ingest).await);

    let unlimited = free.post("/v1/feedback", &free_key, &thumbs(400)).await;
    let within = bound.post("/v1/feedback", &bound_key, &thumbs(5)).await;
    let beyond = bound.post("/v1/feedback", &bound_key, &thumbs(1)).await;

    assert_eq!((unlimited.status, unlimited.header("ratelimit")), (200, ""));
    assert_eq!((within.status, beyond.problem()), (200, (429, "quota_exceeded".to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_standard_quotas_let_a_whole_batch_of_a_browser_through() {
    let service = service_with(Quotas::default()).await;
    let key = publishable_key(&service, PROJECT, KEY_ID, &[SHOP]).await;

    let answer = post_from(&service, SHOP, &key, &thumbs(500)).await;

    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("ratelimit-policy"), "\"address\";q=12000;w=60, \"key\";q=120000;w=60");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_subject_of_tokens_has_a_quota_however_many_tokens_it_has() {
    let service = service_with(Quotas { of_subject: 10, ..OFF }).await;
    let backend = service.key(Role::Ingest).await;
    publishable_key(&service, PROJECT, KEY_ID, &[SHOP]).await;
    let mut tokens = Vec::new();
    for subject in ["u-1", "u-1", "u-2"] {
        let asked = json!({"subject": subject, "completion_ids": ["c-1"]});
        let minted = service.post("/v1/feedback-tokens", &backend, &asked).await.json();
        tokens.push(minted["token"].as_str().unwrap().to_owned());
    }

    let within = post_from(&service, SHOP, &tokens[0], &thumbs(8)).await;
    let beyond = post_from(&service, SHOP, &tokens[1], &thumbs(8)).await;
    let another = post_from(&service, SHOP, &tokens[2], &thumbs(8)).await;

    assert_eq!((within.status, within.header("ratelimit-policy")), (200, "\"subject\";q=10;w=60"));
    assert_eq!(within.header("ratelimit"), "\"subject\";r=2;t=48");
    assert_eq!(beyond.problem(), (429, "quota_exceeded".to_owned()));
    let reset_s: u64 = beyond.header("ratelimit").strip_prefix("\"subject\";r=0;t=").unwrap().parse().unwrap();
    let retry_after_s: u64 = beyond.header("retry-after").parse().unwrap();
    assert!((30..=36).contains(&reset_s) && (reset_s..=reset_s + 2).contains(&retry_after_s), "{reset_s}");
    assert_eq!(beyond.header("access-control-allow-origin"), SHOP);
    assert_eq!(another.status, 200, "{}", another.text);
    assert_eq!(service.count("feedback").await, 16);
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_and_feedback_of_a_secret_key_are_counted_together() {
    let service = service_with(Quotas { of_secret_key: 10, ..OFF }).await;
    let key = service.key(Role::Ingest).await;
    let completions = |numbers: std::ops::Range<usize>| json!({"completions": numbers.map(|n| completion(&format!("c-{n}"))).collect::<Vec<_>>()});

    let within = service.post("/v1/completions", &key, &completions(0..6)).await;
    let feedback = service.post("/v1/feedback", &key, &thumbs(3)).await;
    let beyond = service.post("/v1/completions", &key, &completions(6..12)).await;
    let small = service.post("/v1/completions", &key, &completion("c-6")).await;

    assert_eq!((within.status, within.header("ratelimit-policy")), (200, "\"key\";q=10;w=60"));
    assert_eq!((within.header("ratelimit"), within.header("vary")), ("\"key\";r=4;t=36", ""));
    assert_eq!((feedback.status, feedback.header("ratelimit")), (200, "\"key\";r=1;t=54"));
    assert_eq!(beyond.problem(), (429, "quota_exceeded".to_owned()));
    assert!(beyond.header("ratelimit").starts_with("\"key\";r=0;t="));
    assert!(beyond.header("retry-after").parse::<u64>().unwrap() >= 30);
    assert_eq!(small.status, 200, "{}", small.text);
    assert_eq!(service.count("completions").await, 7, "nothing of what was refused is stored");
}
