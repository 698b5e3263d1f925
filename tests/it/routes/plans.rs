//! `/v1/plans`.

use afterword::domain::principal::Role;
use reqwest::Method;
use serde_json::json;

use crate::support::TestService;

const NUMBERS: &str = "/v1/plans?baseline=0.3&users_per_day=40&turns_per_user=5&icc=0.1&days=14";

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_comes_as_json_and_as_text() {
    let service = TestService::start().await;
    let key = service.key(Role::Viewer).await;
    let ask = |accept: &'static str| service.send(service.request(Method::GET, NUMBERS, &key).header("accept", accept));

    let (json, text, page) = (ask("*/*").await, ask("text/plain").await, ask("text/html").await);

    assert_eq!((json.status, json.header("content-type")), (200, "application/json"), "{}", json.text);
    let plan = json.json();
    assert_eq!((&plan["longest"], &plan["basis"]["kind"]), (&json!("good_turn"), &json!("numbers")));
    let days: Vec<i64> =
        plan["metrics"][0]["ahead"].as_array().unwrap().iter().filter_map(|it| it["n_days"].as_i64()).collect();
    assert_eq!(days, [7, 14, 60, 90]);
    assert_eq!((text.status, text.header("content-type")), (200, "text/plain; charset=utf-8"));
    let words = text.text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("In 14 days you can prove a limit of"), "{}", text.text);
    assert_eq!(page.problem(), (406, "not_acceptable".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_plan_names_the_parameter_and_a_model_without_traffic_is_told() {
    let service = TestService::start().await;
    let key = service.key(Role::Viewer).await;

    let wrong = service.get("/v1/plans?baseline=0.3&turns_per_user=5", &key).await;
    let nothing = service.get("/v1/plans?control=model:CANARY", &key).await;
    let neither = service.get("/v1/plans", &key).await;

    assert_eq!((wrong.status, &wrong.json()["errors"][0]["parameter"]), (422, &json!("icc")), "{}", wrong.text);
    assert_eq!(nothing.problem(), (422, "no_data".to_owned()));
    assert!(!nothing.text.contains("CANARY"), "{}", nothing.text);
    assert_eq!((neither.status, &neither.json()["errors"][0]["parameter"]), (422, &json!("control")));
}
