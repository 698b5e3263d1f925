//! Who may do what: credentials, roles, projects.

use afterword::domain::principal::Role;
use afterword::service::keys;
use reqwest::Method;
use serde_json::json;

use super::{completion, thumb};
use crate::support::TestService;
use crate::support::service::Answer;

/// Every address that needs a key, with the roles that it admits.
const ROUTES: [(&str, &str, &[Role]); 11] = {
    const INGEST: &[Role] = &[Role::Ingest, Role::Admin];
    const VIEW: &[Role] = &[Role::Viewer, Role::Analyst, Role::Admin];
    const ANALYSE: &[Role] = &[Role::Analyst, Role::Admin];
    [
        ("POST", "/v1/completions", INGEST),
        ("POST", "/v1/feedback", INGEST),
        ("POST", "/v1/experiments", ANALYSE),
        ("GET", "/v1/experiments", VIEW),
        ("GET", "/v1/experiments/none", VIEW),
        ("GET", "/v1/comparisons", VIEW),
        ("POST", "/v1/exports", ANALYSE),
        ("GET", "/v1/exports", ANALYSE),
        ("GET", "/v1/exports/01890a5d-ac96-774b-bcce-b302099a8057", ANALYSE),
        ("GET", "/v1/exports/01890a5d-ac96-774b-bcce-b302099a8057/files/README.md", ANALYSE),
        ("DELETE", "/v1/exports/01890a5d-ac96-774b-bcce-b302099a8057", ANALYSE),
    ]
};

async fn ask(service: &TestService, method: &str, path: &str, key: &str) -> Answer {
    let request = service.request(Method::from_bytes(method.as_bytes()).unwrap(), path, key);
    service.send(request.header("content-type", "application/json").body("{}")).await
}

/// Leaves out what differs in any two answers: the id, the time, whether the body had come before the answer went, and
/// the order of the headers.
pub(super) fn without_id(answer: &Answer) -> (u16, String, Vec<(String, String)>) {
    let id = answer.header("x-request-id");
    let mut headers: Vec<(String, String)> = answer
        .headers
        .iter()
        // What is left of a network's quota counts down from answer to answer.
        .filter(|(name, _)| !["x-request-id", "date", "connection", "ratelimit"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    (answer.status, answer.text.replace(id, ""), headers)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_address_admits_its_roles_and_no_other() {
    let service = TestService::start().await;
    for (_, role) in Role::WORDS {
        let key = service.key(*role).await;
        for (method, path, admitted) in ROUTES {
            let answer = ask(&service, method, path, &key).await;

            let is_refused = answer.status == 403 && answer.problem().1 == "role_insufficient";
            assert_eq!(is_refused, !admitted.contains(role), "{method} {path} as {role:?}: {}", answer.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_good_key_no_address_answers() {
    let service = TestService::start().await;
    let good = service.key(Role::Admin).await;
    let revoked = service.key_of("test", Role::Admin).await;
    keys::revoke(service.app(), revoked.id()).await.unwrap();
    let wrong_secret = format!("{}{}", &good[..good.len() - 4], "AAAA");
    let unknown = good.replace(&good[7..23], "unknownunknown01");
    let bad = [revoked.reveal(), wrong_secret, unknown, "nonsense".to_owned(), "aw_pub_abcdefgh01234567".to_owned()];
    for (method, path, _) in ROUTES {
        let missing = ask(&service, method, path, "").await;
        assert_eq!(missing.problem(), (401, "credential_missing".to_owned()), "{method} {path}");
        assert!(missing.header("www-authenticate").starts_with("Bearer"));

        let answers = [
            ask(&service, method, path, &bad[0]).await,
            ask(&service, method, path, &bad[1]).await,
            ask(&service, method, path, &bad[2]).await,
            ask(&service, method, path, &bad[3]).await,
            ask(&service, method, path, &bad[4]).await,
        ];
        assert_eq!(answers[0].problem(), (401, "credential_invalid".to_owned()), "{method} {path}");
        for answer in &answers[1..] {
            assert_eq!(without_id(answer), without_id(&answers[0]), "{method} {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_refused_from_its_revocation_on() {
    let service = TestService::start().await;
    let key = service.key_of("test", Role::Ingest).await;
    let body = completion("c-1");
    assert_eq!(service.post("/v1/completions", &key.reveal(), &body).await.status, 200);

    keys::revoke(service.app(), key.id()).await.unwrap();

    let revoked_at = std::time::Instant::now();
    while service.post("/v1/completions", &key.reveal(), &body).await.status != 401 {
        assert!(revoked_at.elapsed().as_secs() < 5, "a revoked key is still believed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_key_from_a_browser_is_refused_and_told_to_the_audit_alone() {
    let service = TestService::start().await;
    let key = service.key(Role::Ingest).await;
    let n_before = service.count("audit").await;

    for origin in ["https://shop.example", "null"] {
        let request = service.request(Method::POST, "/v1/feedback", &key).header("origin", origin);
        let answer = service.send(request.json(&thumb("c-1"))).await;
        assert_eq!(answer.problem(), (403, "secret_key_in_browser".to_owned()));
        assert!(answer.headers.get("access-control-allow-origin").is_none());
    }

    assert_eq!(service.count("feedback").await, 0);
    let asked_at = std::time::Instant::now();
    while service.count("audit").await == n_before {
        assert!(asked_at.elapsed().as_secs() < 5, "whoever runs the service can see it, soon after");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_foreign_is_answered_like_what_is_absent() {
    let service = TestService::start().await;
    let (ours, theirs) = (service.key(Role::Admin).await, service.key_of("other", Role::Admin).await.reveal());
    let export = service.post("/v1/exports", &theirs, &json!({"recipe": "dpo"})).await.json();
    let declared =
        json!({"key": "swap", "control": "a", "variants": [{"name": "a", "share": 0.5}, {"name": "b", "share": 0.5}]});
    assert_eq!(service.post("/v1/experiments", &theirs, &declared).await.status, 201);
    let foreign = export["id"].as_str().unwrap();
    let absent = "01890a5d-ac96-774b-bcce-b302099a8057";

    for (method, foreign, absent) in [
        ("GET", format!("/v1/exports/{foreign}"), format!("/v1/exports/{absent}")),
        ("GET", format!("/v1/exports/{foreign}"), "/v1/exports/no-uuid".to_owned()),
        (
            "GET",
            format!("/v1/exports/{foreign}/files/manifest.json"),
            format!("/v1/exports/{absent}/files/manifest.json"),
        ),
        ("DELETE", format!("/v1/exports/{foreign}"), format!("/v1/exports/{absent}")),
        ("GET", "/v1/experiments/swap".to_owned(), "/v1/experiments/none".to_owned()),
        ("GET", "/v1/comparisons?experiment=swap".to_owned(), "/v1/comparisons?experiment=none".to_owned()),
    ] {
        let (one, other) = (ask(&service, method, &foreign, &ours).await, ask(&service, method, &absent, &ours).await);

        assert_eq!(one.problem(), (404, "not_found".to_owned()), "{method} {foreign}");
        assert_eq!(without_id(&one), without_id(&other), "{method} {foreign}");
    }
    assert_eq!(service.get(&format!("/v1/exports/{foreign}"), &theirs).await.status, 200);
    assert_eq!(service.get("/v1/exports", &ours).await.json()["exports"], json!([]));
}
