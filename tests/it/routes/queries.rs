//! Parameters in the query: an address refuses those that it does not know, and all where it knows none.

use afterword::domain::principal::Role;
use afterword::http::HttpSettings;
use reqwest::Method;
use serde_json::json;

use super::thumb;
use crate::support::TestService;

#[tokio::test(flavor = "multi_thread")]
async fn every_address_refuses_a_parameter_that_it_does_not_know_with_the_same_problem() {
    let service = TestService::start_with(HttpSettings::default(), false).await;
    let admin = service.key(Role::Admin).await;
    let before = service.checksum().await;

    let addresses = service.server().addresses();
    // Mailers add parameters of their own to links, and what is wrong is told as a page: `routes::links` looks at those.
    for (method, pattern) in addresses.iter().filter(|(_, pattern)| !pattern.starts_with("/f/")) {
        let path = pattern.replace("{path:.+}", "a/b").replace(['{', '}'], "");
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let asked = async |query: &str, credential: &str| {
            // Nothing is wrong but the parameter.
            let needed = match *pattern {
                "/v1/comparisons" => "control=model:a&candidate=model:b&",
                "/v1/plans" => "baseline=0.3&",
                "/v1/experiments/{key}/assignment" => "unit=a&",
                _ => "",
            };
            let request = service.request(method.clone(), &format!("{path}?{needed}{query}"), credential);
            service.send(request.header("content-type", "application/json").body("{}")).await
        };

        let unknown = asked("made_up=CANARY", &admin).await;
        let malformed = asked("made_up=%zz", &admin).await;
        let nobody = asked("made_up=CANARY", "").await;

        assert_eq!(unknown.problem(), (422, "unknown_field".to_owned()), "{method} {pattern}");
        // The failures of OTLP have no place for more than a code and a sentence.
        if unknown.json()["code"].is_string() {
            assert_eq!(unknown.json()["errors"][0]["code"], "unknown_field", "{method} {pattern}");
            assert_eq!(unknown.json()["errors"][0]["parameter"], "", "{method} {pattern}");
        }
        assert!(!unknown.text.contains("CANARY") && !unknown.text.contains("made_up"), "{}", unknown.text);
        assert_eq!(malformed.problem(), (400, "query_malformed".to_owned()), "{method} {pattern}");
        let is_open = !pattern.starts_with("/v1/") && !pattern.starts_with("/api/");
        assert_eq!(nobody.status, if is_open { 422 } else { 401 }, "{method} {pattern}: who asks comes first");
    }

    assert!(addresses.len() > 20);
    assert_eq!(service.checksum().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_with_nothing_in_it_is_none() {
    let service = TestService::start_with(HttpSettings::default(), false).await;
    let key = service.key(Role::Ingest).await;

    let stored = service.post("/v1/feedback?", &key, &thumb("c-1")).await;
    let health = service.get("/livez?&", "").await;

    assert_eq!((stored.status, health.status), (200, 200), "{}", stored.text);
    assert_eq!(stored.json(), json!({"accepted": 1, "duplicate": 0, "rejected": []}));
}
