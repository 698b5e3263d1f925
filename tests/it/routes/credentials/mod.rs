//! Credentials: publishable keys, feedback tokens, their revocation, and the addresses that administrators use.

mod administration;
mod corpus;
mod examples;
#[expect(clippy::disallowed_methods, reason = "the example is its own client")]
mod minting;
mod publishable;
mod revocation;
mod signer;
mod tokens;

use afterword::domain::principal::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestService;
use crate::support::service::Answer;

/// The origin that the tests' pages come from.
const SHOP: &str = "https://shop.example";

/// Makes a key of any kind over REST and returns what was answered.
async fn make_key(service: &TestService, body: Value) -> Value {
    let admin = service.key(Role::Admin).await;
    let answer = service.post("/v1/keys", &admin, &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()
}

/// Makes a publishable key for the shop's pages.
async fn publishable_key(service: &TestService) -> String {
    let made = make_key(service, json!({"kind": "publishable", "name": "shop", "origins": [SHOP]})).await;
    made["key"].as_str().unwrap().to_owned()
}

/// Mints a token over REST.
async fn mint(service: &TestService, body: &Value) -> Value {
    let backend = service.key(Role::Ingest).await;
    let answer = service.post("/v1/feedback-tokens", &backend, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()
}

/// Sends feedback as a page does, with its credential in the head or, where `credential` is empty, in the body.
async fn from_page(service: &TestService, credential: &str, origin: Option<&str>, body: &Value) -> Answer {
    let mut request = service.request(Method::POST, "/v1/feedback", credential);
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    service.send(request.header("content-type", "text/plain;charset=UTF-8").body(body.to_string())).await
}
