//! `/v1/keys`, `/v1/projects`, `/v1/audit`.

use afterword::domain::principal::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::make_key;
use crate::support::TestService;

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_listed_without_their_secrets_and_only_in_their_project() {
    let service = TestService::start().await;
    let admin = service.key(Role::Admin).await;
    let stranger = service.key_of("other", Role::Admin).await.reveal();
    let mut secrets = Vec::new();
    for body in [
        json!({"kind": "secret", "name": "backend", "role": "ingest", "expires_at": "2099-01-01T00:00:00Z"}),
        json!({"kind": "signing", "name": "tokens", "algorithm": "HS256"}),
    ] {
        let made = make_key(&service, body).await;
        secrets.push(made["key"].as_str().unwrap()[24..].to_owned());
    }
    let made =
        make_key(&service, json!({"kind": "publishable", "name": "shop", "origins": ["https://a.example"]})).await;

    let listed = service.get("/v1/keys", &admin).await;
    let theirs = service.get("/v1/keys", &stranger).await;

    assert!(secrets.iter().all(|secret| !listed.text.contains(secret)));
    let body = listed.json();
    let keys = body["keys"].as_array().unwrap();
    let of = |name: &str| keys.iter().find(|key| key["name"] == name).unwrap();
    assert_eq!((&of("backend")["role"], &of("backend")["kind"]), (&json!("ingest"), &json!("secret")));
    assert_eq!(of("tokens")["algorithm"], "HS256");
    assert_eq!(of("shop")["origins"], json!(["https://a.example"]));
    assert_eq!(theirs.json()["keys"].as_array().unwrap().len(), 1);
    let foreign = format!("/v1/keys/{}", made["id"].as_str().unwrap());
    for path in [foreign.as_str(), "/v1/keys/abcdefgh01234567", "/v1/keys/no-id"] {
        let answer = service.send(service.request(Method::DELETE, path, &stranger)).await;
        assert_eq!(answer.problem(), (404, "not_found".to_owned()), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_makes_no_sense_is_not_made() {
    let service = TestService::start().await;
    let admin = service.key(Role::Admin).await;
    let before = service.get("/v1/keys", &admin).await.json()["keys"].as_array().unwrap().len();

    for (body, pointer, code) in [
        (json!({"kind": "master", "name": "n"}), "/kind", "not_one_of"),
        (json!({"kind": "secret", "name": "n", "role": "feedback"}), "/role", "not_one_of"),
        (json!({"kind": "secret", "name": "", "role": "admin"}), "/name", "empty"),
        (json!({"kind": "publishable", "name": "n"}), "/origins", "required"),
        (json!({"kind": "publishable", "name": "n", "origins": []}), "/origins", "empty"),
        (json!({"kind": "publishable", "name": "n", "origins": ["*"]}), "/origins", "malformed"),
        (json!({"kind": "publishable", "name": "n", "origins": ["null"]}), "/origins", "malformed"),
        (json!({"kind": "publishable", "name": "n", "origins": ["http://a.example"]}), "/origins", "malformed"),
        (json!({"kind": "publishable", "name": "n", "origins": ["https://a.example/"]}), "/origins", "malformed"),
        (json!({"kind": "signing", "name": "n", "algorithm": "none"}), "/algorithm", "not_one_of"),
        (json!({"kind": "signing", "name": "n", "algorithm": "RS256"}), "/algorithm", "not_one_of"),
        (json!({"kind": "signing", "name": "n", "algorithm": "EdDSA"}), "/public_key", "required"),
        (json!({"kind": "signing", "name": "n", "algorithm": "EdDSA", "public_key": "x"}), "/public_key", "malformed"),
        (json!({"kind": "signing", "name": "n", "algorithm": "HS256", "secret": "mine"}), "", "unknown_field"),
    ] {
        let answer = service.post("/v1/keys", &admin, &body).await;
        let told = answer.json();
        assert_eq!((answer.status, &told["errors"][0]["pointer"]), (422, &json!(pointer)), "{body}: {told}");
        assert_eq!(told["code"], code, "{body}");
    }

    assert_eq!(service.get("/v1/keys", &admin).await.json()["keys"].as_array().unwrap().len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_is_shown_to_its_own_administrator_alone() {
    let service = TestService::start().await;
    let (ours, theirs) = (service.key(Role::Admin).await, service.key_of("other", Role::Admin).await.reveal());

    let listed = service.get("/v1/projects", &ours).await.json();
    let path = format!("/v1/projects/{}", listed["projects"][0]["id"].as_str().unwrap());

    assert_eq!((&listed["projects"][0]["name"], listed["projects"].as_array().unwrap().len()), (&json!("test"), 1));
    assert_eq!(service.get(&path, &ours).await.json(), listed["projects"][0]);
    for path in [path.as_str(), "/v1/projects/01890a5d-ac96-774b-bcce-b302099a8057", "/v1/projects/x"] {
        assert_eq!(service.get(path, &theirs).await.problem(), (404, "not_found".to_owned()), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_tells_every_action_on_credentials_page_by_page() {
    let service = TestService::start().await;
    let admin = service.key(Role::Admin).await;
    let made = make_key(&service, json!({"kind": "signing", "name": "t", "algorithm": "HS256"})).await;
    let asked = json!({"subject": "secret-user", "conversation_id": "v"});
    let minted = service.post("/v1/feedback-tokens", &admin, &asked).await.json();
    service.post("/v1/feedback-tokens/revoke", &admin, &json!({"ids": [minted["id"]]})).await;
    let path = format!("/v1/keys/{}", made["id"].as_str().unwrap());
    service.send(service.request(Method::DELETE, &path, &admin)).await;

    let (mut entries, mut cursor): (Vec<Value>, Option<String>) = (Vec::new(), None);
    loop {
        let query = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
        let page = service.get(&format!("/v1/audit?limit=2{query}"), &admin).await.json();
        let found = page["entries"].as_array().unwrap().clone();
        assert!((1..=2).contains(&found.len()), "{page}");
        entries.extend(found);
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }

    let told: Vec<(&str, &str)> = entries
        .iter()
        .map(|entry| (entry["action"].as_str().unwrap(), entry["subject"].as_str().unwrap()))
        .take(4)
        .collect();
    let (key, token) = (made["id"].as_str().unwrap(), minted["id"].as_str().unwrap());
    let expected = [("key.revoked", key), ("token.revoked", token), ("token.minted", token), ("key.created", key)];
    assert_eq!(told, expected);
    assert_eq!(entries[0]["actor"], admin[7..23]);
    let all = json!(entries).to_string();
    assert!(!all.contains("secret-user") && !all.contains(made["key"].as_str().unwrap()), "{all}");
    assert_eq!(service.get("/v1/audit?limit=0", &admin).await.problem(), (422, "out_of_range".to_owned()));
}
