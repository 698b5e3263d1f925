//! `/v1/experiments`.

use afterword::domain::principal::Role;
use serde_json::{Value, json};

use super::with;
use crate::support::TestService;

fn experiment() -> Value {
    json!({"key": "llama swap/1", "control": "old", "unit": "user", "margins": {"good_turn": 0.05},
           "variants": [{"name": "old", "model": "m-1", "share": 0.5}, {"name": "new", "model": "m-2", "share": 0.5}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_is_declared_once_and_never_changed() {
    let service = TestService::start().await;
    let (analyst, viewer) = (service.key(Role::Analyst).await, service.key(Role::Viewer).await);

    let first = service.post("/v1/experiments", &analyst, &experiment()).await;
    let again = service.post("/v1/experiments", &analyst, &experiment()).await;
    let other = service.post("/v1/experiments", &analyst, &with(&experiment(), "control", json!("new"))).await;

    assert_eq!((first.status, again.status), (201, 200), "{}", first.text);
    assert_eq!(first.json(), again.json());
    assert_eq!(other.problem(), (409, "experiment_conflict".to_owned()));
    assert_eq!(first.header("location"), "/v1/experiments/llama%20swap%2F1");
    let shown = service.get(first.header("location"), &viewer).await;
    assert_eq!((shown.status, shown.json()), (200, first.json()));
    assert_eq!(service.get("/v1/experiments", &viewer).await.json(), json!({"experiments": [first.json()]}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_that_nobody_declared_is_not_found_whatever_its_key_holds() {
    let service = TestService::start().await;
    let key = service.key(Role::Viewer).await;

    for address in ["/v1/experiments/absent", "/v1/experiments/%00", "/v1/experiments/a%00b"] {
        assert_eq!(service.get(address, &key).await.problem(), (404, "not_found".to_owned()), "{address}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declaration_that_contradicts_itself_is_refused() {
    let service = TestService::start().await;
    let key = service.key(Role::Analyst).await;
    let shares = json!([{"name": "old", "share": 0.5}, {"name": "new", "share": 0.6}]);

    for (name, value, code, pointer) in [
        ("control", json!("third"), "not_one_of", "/control"),
        ("variants", shares, "out_of_range", "/variants"),
        ("margins", json!({"happiness": 0.1}), "unknown_field", "/margins"),
        ("more", json!(1), "unknown_field", ""),
    ] {
        let answer = service.post("/v1/experiments", &key, &with(&experiment(), name, value)).await;
        assert_eq!(answer.problem(), (422, code.to_owned()), "{}", answer.text);
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer);
    }
    assert_eq!(service.count("experiments").await, 0);
}
