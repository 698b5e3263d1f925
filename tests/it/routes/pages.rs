//! What a page of another origin needs: a publishable key with its origins.

use afterword::domain::clock::{Clock as _, SystemClock};
use afterword::domain::credential::KeyId;
use afterword::domain::key_life::KeyLife;
use afterword::domain::origin::Origin;
use afterword::service::bootstrap;
use afterword::store::Access;
use afterword::store::connection::Pool;
use afterword::store::publishable_keys::{self, StoredPublishableKey};
use reqwest::Method;
use serde_json::Value;

use crate::support::TestService;
use crate::support::service::Answer;

/// The page that the tests' keys are for.
pub(super) const SHOP: &str = "https://shop.example";

/// Makes a publishable key; its id is what the test says.
pub(super) async fn publishable_key(service: &TestService, project: &str, key_id: &str, origins: &[&str]) -> String {
    let project_id = bootstrap::ensure(service.app(), project, None).await.unwrap();
    let key = StoredPublishableKey {
        key_id: KeyId::parse(key_id).unwrap(),
        project_id,
        origins: origins.iter().map(|origin| Origin::parse(origin).unwrap()).collect(),
        life: KeyLife::begin("page".to_owned(), SystemClock.now(), None),
    };
    let reach = [project_id];
    let mut tx = service.app().store.begin(Pool::Reading, "test", Access::Projects(&reach)).await.unwrap();
    publishable_keys::insert(&mut tx, &key).await.unwrap();
    tx.commit().await.unwrap();
    format!("aw_pub_{key_id}")
}

/// Posts feedback as a page does; an empty origin sends none.
pub(super) async fn post_from(service: &TestService, origin: &str, key: &str, body: &Value) -> Answer {
    let request = service.request(Method::POST, "/v1/feedback", key).header("content-type", "text/plain;charset=UTF-8");
    let request = if origin.is_empty() { request } else { request.header("origin", origin.as_bytes()) };
    service.send(request.body(body.to_string())).await
}

/// Asks as a browser asks before it posts.
pub(super) async fn preflight(service: &TestService, path: &str, origin: &str) -> Answer {
    let request = service.request(Method::OPTIONS, path, "").header("origin", origin.as_bytes());
    let request = request.header("access-control-request-method", "POST");
    service.send(request.header("access-control-request-headers", "authorization,content-type")).await
}
