//! Every address of the running service against every kind of caller.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use afterword::domain::principal::Role;
use afterword::http::HttpSettings;
use afterword::service::keys::{self, NewKey};
use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};

use super::authentication::without_id;
use super::{completion, otlp, thumb, with};
use crate::support::TestService;
use crate::support::service::{Answer, PROJECT};

/// A word that stands in everything that project A stores, and that project B must never see.
const MARK: &str = "only-of-project-a";
/// A revocation is seen everywhere within so long.
const SEEN_WITHIN: Duration = Duration::from_secs(5);

/// Whom every address below `/v1` and `/api` admits. The list of addresses is the running service's own; one that is not here fails
/// the test, and whoever adds it says here whom it is for.
fn admitted(method: &str, pattern: &str) -> Option<&'static [&'static str]> {
    const SENDERS: &[&str] = &["feedback", "ingest", "admin"];
    const WRITERS: &[&str] = &["ingest", "admin"];
    const ASSIGNERS: &[&str] = &["ingest", "analyst", "admin"];
    const VIEWERS: &[&str] = &["viewer", "analyst", "admin"];
    const ANALYSTS: &[&str] = &["analyst", "admin"];
    const ADMINS: &[&str] = &["admin"];
    Some(match (method, pattern) {
        ("POST", "/v1/feedback") => SENDERS,
        (
            "POST",
            "/v1/completions"
            | "/v1/feedback-tokens"
            | "/v1/feedback-tokens/revoke"
            | "/v1/feedback-links"
            | "/v1/ingest/litellm"
            | "/v1/traces"
            | "/v1/logs"
            | "/api/public/otel/v1/traces"
            | "/api/public/scores"
            | "/api/public/ingestion",
        ) => WRITERS,
        (
            "GET",
            "/v1/completions"
            | "/v1/completions/{id}"
            | "/v1/feedback"
            | "/v1/comparisons"
            | "/v1/plans"
            | "/v1/experiments"
            | "/v1/experiments/{key}"
            | "/v1/serving/report"
            | "/v1/serving/sequence-lengths",
        ) => VIEWERS,
        ("GET", "/v1/experiments/{key}/assignment") => ASSIGNERS,
        ("POST", "/v1/experiments" | "/v1/experiments/{key}/stop" | "/v1/exports" | "/v1/exports/{id}/cancel")
        | ("GET", "/v1/exports" | "/v1/exports/{id}/files/{path:.+}")
        | ("GET" | "DELETE", "/v1/exports/{id}") => ANALYSTS,
        ("POST", "/v1/keys")
        | ("DELETE", "/v1/keys/{id}" | "/v1/users/{user}")
        | ("PATCH", "/v1/projects/{id}")
        | (
            "GET",
            "/v1/keys"
            | "/v1/projects"
            | "/v1/projects/{id}"
            | "/v1/erasures/{id}"
            | "/v1/audit"
            | "/v1/serving/samples",
        ) => ADMINS,
        _ => return None,
    })
}

/// Somebody who calls.
struct Somebody {
    name: String,
    credential: String,
    /// The word of the role; nothing where the credential is none.
    role: Option<&'static str>,
    is_of_a: bool,
}

/// Names of things that a path can name.
struct Things {
    completion: String,
    experiment: String,
    export: String,
    key: String,
    project: String,
    erasure: String,
}

impl Things {
    fn absent() -> Self {
        let uuid = "01890a5d-ac96-774b-bcce-b302099a8057".to_owned();
        Self {
            completion: "absent".to_owned(),
            experiment: "absent".to_owned(),
            export: uuid.clone(),
            key: "a".repeat(16),
            project: uuid.clone(),
            erasure: uuid,
        }
    }

    fn path(&self, pattern: &str) -> String {
        let path = match pattern {
            "/v1/completions/{id}" => pattern.replace("{id}", &self.completion),
            "/v1/experiments/{key}" | "/v1/experiments/{key}/stop" => pattern.replace("{key}", &self.experiment),
            "/v1/experiments/{key}/assignment" => format!("{}?unit=u-1", pattern.replace("{key}", &self.experiment)),
            "/v1/exports/{id}" | "/v1/exports/{id}/cancel" => pattern.replace("{id}", &self.export),
            "/v1/exports/{id}/files/{path:.+}" => format!("/v1/exports/{}/files/manifest.json", self.export),
            "/v1/keys/{id}" => pattern.replace("{id}", &self.key),
            "/v1/projects/{id}" => pattern.replace("{id}", &self.project),
            "/v1/erasures/{id}" => pattern.replace("{id}", &self.erasure),
            // Whoever is named need not exist.
            "/v1/users/{user}" => "/v1/users/of-nobody?dry_run=true".to_owned(),
            "/v1/comparisons" => format!("{pattern}?experiment={}", self.experiment),
            "/v1/plans" => format!("{pattern}?baseline=0.3"),
            "/sdk/v1/{file}" => "/sdk/v1/afterword.js".to_owned(),
            // The page of a link asks for no credential but the one in its address.
            "/f/{token}" => "/f/e30.e30.AAAA".to_owned(),
            "/docs/{file}" => "/docs/index.html".to_owned(),
            _ => pattern.to_owned(),
        };
        assert!(!path.contains('{'), "what does {path} name? say it here");
        path
    }
}

fn experiment(key: &str) -> Value {
    json!({"key": key, "control": "a", "variants": [{"name": "a", "share": 0.5}, {"name": "b", "share": 0.5}]})
}

/// A good body for an address that takes one.
fn body(pattern: &str) -> Value {
    match pattern {
        "/v1/completions" => completion("c-more"),
        "/v1/feedback" => thumb("c-1"),
        "/v1/ingest/litellm" => {
            json!([{"id": "c-call", "model": "m", "messages": [{"role": "user", "content": "Why?"}],
            "response": {"choices": [{"message": {"role": "assistant", "content": "So."}}]}}])
        }
        "/v1/traces" | "/api/public/otel/v1/traces" => otlp::request(&[otlp::call("c-span", "b7ad6b7169203331")]),
        "/v1/logs" => otlp::logs(&[otlp::evaluation("thumb", 1.0)]),
        "/api/public/ingestion" => {
            let score = json!({"id": "s-1", "traceId": "c-1", "name": "thumb", "value": 1});
            json!({"batch": [{"id": "e-1", "type": "score-create", "body": score}]})
        }
        "/api/public/scores" => json!({"traceId": "c-1", "name": "thumb", "value": 1}),
        "/v1/feedback-tokens" => json!({"subject": "u-1", "completion_ids": ["c-1"]}),
        "/v1/feedback-links" => json!({"subject": "u-1", "completion_id": "c-1"}),
        "/v1/feedback-tokens/revoke" => json!({"ids": ["none"]}),
        "/v1/keys" => json!({"kind": "secret", "name": "more", "role": "viewer"}),
        "/v1/experiments" => experiment("e-more"),
        "/v1/exports" => json!({"recipe": "dpo"}),
        "/v1/projects/{id}" => json!({"consent_default": "none"}),
        _ => json!({}),
    }
}

async fn ask(service: &TestService, method: &str, path: &str, pattern: &str, credential: &str) -> Answer {
    let request = service.request(Method::from_bytes(method.as_bytes()).unwrap(), path, credential);
    if ["POST", "PATCH"].contains(&method) {
        let request = request.header("content-type", "application/json");
        return service.send(request.body(body(pattern).to_string())).await;
    }
    service.send(request).await
}

async fn made(service: &TestService, path: &str, key: &str, body: &Value) -> Value {
    let answer = service.post(path, key, body).await;
    assert!((200..300).contains(&answer.status), "{path}: {}", answer.text);
    answer.json()
}

/// Stores one of everything in project A.
async fn furnish(service: &TestService, admin: &str) -> Things {
    made(service, "/v1/completions", admin, &with(&completion(MARK), "task", json!(MARK))).await;
    made(service, "/v1/feedback", admin, &with(&thumb(MARK), "user", json!(MARK))).await;
    made(service, "/v1/experiments", admin, &experiment(MARK)).await;
    let export = json!({"recipe": "dpo", "selection": {"tasks": [MARK]}});
    let export = made(service, "/v1/exports", admin, &export).await;
    let key = made(service, "/v1/keys", admin, &json!({"kind": "secret", "name": MARK, "role": "viewer"})).await;
    let project = service.get("/v1/projects", admin).await.json();
    let erasure = service.send(service.request(Method::DELETE, "/v1/users/forgotten", admin)).await;
    assert_eq!(erasure.status, 202, "{}", erasure.text);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Things {
        completion: MARK.to_owned(),
        experiment: MARK.to_owned(),
        export: text(&export["id"]),
        key: text(&key["id"]),
        project: text(&project["projects"][0]["id"]),
        erasure: text(&erasure.json()["id"]),
    }
}

/// Everybody who can call; the administrator of A, who can take things away, comes last.
async fn everybody(service: &TestService, admin: &str) -> Vec<Somebody> {
    let mut all = Vec::new();
    let mut add = |name: &str, credential: &str, role, is_of_a| {
        all.push(Somebody { name: name.to_owned(), credential: credential.to_owned(), role, is_of_a });
    };
    add("nobody", "", None, false);
    add("a wrong secret", &format!("aw_sec_aaaaaaaaaaaaaaaa_{}", "s".repeat(43)), None, false);
    add("a publishable key that never was", "aw_pub_aaaaaaaaaaaaaaaa", None, false);
    add("a token of nobody's", "e30.e30.AAAA", None, false);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let publishable = json!({"kind": "publishable", "name": "shop", "origins": ["https://shop.example"]});
    let expired = with(&publishable, "expires_at", json!("2026-01-01T00:00:00Z"));
    let token = json!({"subject": "u-1", "completion_ids": ["c-1"]});
    add(
        "publishable of A",
        &text(&made(service, "/v1/keys", admin, &publishable).await["key"]),
        Some("feedback"),
        true,
    );
    add(
        "token of A",
        &text(&made(service, "/v1/feedback-tokens", admin, &token).await["token"]),
        Some("feedback"),
        true,
    );
    add("expired publishable of A", &text(&made(service, "/v1/keys", admin, &expired).await["key"]), None, true);
    let revoked = made(service, "/v1/keys", admin, &publishable).await;
    let path = format!("/v1/keys/{}", text(&revoked["id"]));
    assert_eq!(service.send(service.request(Method::DELETE, &path, admin)).await.status, 204);
    add("revoked publishable of A", &text(&revoked["key"]), None, true);
    let revoked = made(service, "/v1/feedback-tokens", admin, &token).await;
    made(service, "/v1/feedback-tokens/revoke", admin, &json!({"ids": [revoked["id"]]})).await;
    add("revoked token of A", &text(&revoked["token"]), None, true);
    let short = made(service, "/v1/feedback-tokens", admin, &with(&token, "ttl_s", json!(1))).await;
    add("expired token of A", &text(&short["token"]), None, true);
    let past = service.app().clock.now() - TimeDelta::seconds(60);
    let new = NewKey { project: PROJECT.to_owned(), name: "old".to_owned(), role: Role::Admin, expires_at: Some(past) };
    add("expired secret of A", &keys::create(service.app(), new).await.unwrap().reveal(), None, true);
    let revoked = service.key_of(PROJECT, Role::Admin).await;
    keys::revoke(service.app(), revoked.id()).await.unwrap();
    add("revoked secret of A", &revoked.reveal(), None, true);
    for (word, role) in Role::WORDS {
        add(&format!("{word} of B"), &service.key_of("b", *role).await.reveal(), Some(word), false);
    }
    for (word, role) in Role::WORDS.iter().filter(|(word, _)| *word != "admin") {
        add(&format!("{word} of A"), &service.key(*role).await, Some(word), true);
    }
    add("admin of A", admin, Some("admin"), true);
    all
}

/// Waits until those whose credentials were taken back, or have run out, are refused.
async fn wait_for_refusals(service: &TestService, all: &[Somebody]) {
    // A token lives on for the leeway of five seconds.
    let deadline = Instant::now() + SEEN_WITHIN + Duration::from_secs(7);
    for somebody in all.iter().filter(|somebody| somebody.role.is_none()) {
        while service.post("/v1/feedback", &somebody.credential, &thumb("c-1")).await.status != 401 {
            assert!(Instant::now() < deadline, "{} is still believed", somebody.name);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_address_admits_whom_it_should_and_tells_nobody_of_another_project() {
    let service = TestService::start_with(HttpSettings::default(), false).await;
    let admin = service.key(Role::Admin).await;
    let things = furnish(&service, &admin).await;
    let all = everybody(&service, &admin).await;
    wait_for_refusals(&service, &all).await;
    let stored = service.checksum().await;
    let addresses = service.server().addresses();
    let document = service.get("/openapi.json", "").await.json();

    let mut n_asked = BTreeMap::new();
    // Those who are refused come first, so that whatever changes is seen to be their doing.
    for refused in [true, false] {
        for (method, pattern) in &addresses {
            let admits = admitted(method, pattern);
            let is_closed = pattern.starts_with("/v1/") || pattern.starts_with("/api/");
            assert_eq!(admits.is_some(), is_closed, "whom does {method} {pattern} admit?");
            let described = &document["paths"][pattern.replace(":.+}", "}")][method.to_lowercase()]["security"];
            assert_eq!(described.is_array(), admits.is_some(), "{method} {pattern}");
            for somebody in &all {
                let may = admits.is_none_or(|roles| somebody.role.is_some_and(|role| roles.contains(&role)));
                if may == refused {
                    continue;
                }
                let what = format!("{method} {pattern} as {}", somebody.name);
                let answer = ask(&service, method, &things.path(pattern), pattern, &somebody.credential).await;
                *n_asked.entry(answer.status).or_insert(0) += 1;
                match (may, somebody.role) {
                    (true, _) => assert!(
                        answer.status < 500 && ![401, 403, 405].contains(&answer.status),
                        "{what}: {}",
                        answer.text
                    ),
                    (false, Some(_)) => assert_eq!(answer.problem(), (403, "role_insufficient".to_owned()), "{what}"),
                    (false, None) => assert_eq!(answer.status, 401, "{what}: {}", answer.text),
                }
                if let Some(roles) = admits {
                    assert_eq!(described[0]["credential"], json!(roles), "{method} {pattern} is described otherwise");
                    let is_told = answer.text.contains(MARK);
                    assert!(somebody.is_of_a && may || !is_told, "{what} is told of project A: {}", answer.text);
                }
            }
        }
        if refused {
            assert_eq!(service.checksum().await, stored, "somebody who was refused changed something");
        }
    }
    println!("{} addresses, {} callers; answers by status: {n_asked:?}", addresses.len(), all.len());
    assert!(n_asked.values().sum::<i32>() > 400 && n_asked[&200] > 50, "{n_asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_foreign_is_answered_exactly_like_what_is_absent() {
    let service = TestService::start_with(HttpSettings::default(), false).await;
    let admin = service.key(Role::Admin).await;
    let things = furnish(&service, &admin).await;
    let stranger = service.key_of("b", Role::Admin).await.reveal();
    let absent = Things::absent();

    // What is looked at goes before what changes it: a cancelled export has no files.
    let mut addresses = service.server().addresses();
    addresses.sort_by_key(|(method, _)| method != "GET");
    let mut n_compared = 0;
    for (method, pattern) in addresses {
        let (foreign_path, absent_path) = (things.path(pattern), absent.path(pattern));
        if foreign_path == absent_path {
            continue;
        }
        let foreign = ask(&service, &method, &foreign_path, pattern, &stranger).await;
        let absent = ask(&service, &method, &absent_path, pattern, &stranger).await;
        assert_eq!(foreign.problem(), (404, "not_found".to_owned()), "{method} {pattern}");
        assert_eq!(without_id(&foreign), without_id(&absent), "{method} {pattern}");
        // The owner finds what the stranger does not.
        assert_ne!(ask(&service, &method, &foreign_path, pattern, &admin).await.status, 404, "{method} {pattern}");
        n_compared += 1;
    }

    assert!(n_compared >= 8, "{n_compared}");
}
