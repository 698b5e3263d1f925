//! The OpenAPI document: it is what is committed, the running service does what it says, and a person can read it.

use std::path::Path;
use std::process::{Command, Stdio};

use afterword::domain::principal::Role;
use afterword::http::HttpSettings;
use serde_json::{Value, json};

use super::completion;
use crate::support::TestService;

/// The document as it is committed, for whoever makes a client of it.
const COMMITTED: &str = "docs/openapi.json";
/// The fewest cases that count as a run.
const MIN_CASES: u64 = 2_000;
/// The seed of the generated cases: a run fails for a change, never by chance.
const SEED: &str = "20261125";

#[tokio::test(flavor = "multi_thread")]
async fn the_committed_document_is_what_the_service_serves() {
    let service = TestService::start_with(HttpSettings::default(), false).await;

    let served = service.get("/openapi.json", "").await;

    let served = serde_json::to_string_pretty(&served.json()).unwrap() + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(COMMITTED);
    if std::env::var_os("AFTERWORD_WRITE_OPENAPI").is_some() {
        std::fs::write(&path, &served).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    let difference = served.lines().zip(committed.lines()).enumerate().find(|(_, (now, then))| now != then);
    assert_eq!(difference, None, "`make openapi` writes {COMMITTED} anew; read what changed for clients");
    assert_eq!(served.len(), committed.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_running_service_answers_generated_requests_as_the_document_says() {
    let Some(schemathesis) = schemathesis() else { return };
    let service = TestService::start_with(HttpSettings::default(), false).await;
    let key = service.key(Role::Admin).await;
    for (id, model) in [("seed-1", "old"), ("seed-2", "new")] {
        let mut seeded = completion(id);
        seeded["model"] = json!(model);
        assert_eq!(service.post("/v1/completions", &key, &seeded).await.status, 200);
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis");
    let mut command = Command::new(schemathesis);
    command
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .env("NO_COLOR", "1")
        .env("SCHEMATHESIS_HOOKS", ours.join("hooks.py"));
    command.env("AFTERWORD_OWN_KEY_ID", key.split('_').nth(2).unwrap());
    command.arg("--config-file").arg(ours.join("schemathesis.toml")).args([
        "run",
        &service.url("/openapi.json"),
        "--seed",
        SEED,
    ]);
    command.args(["--header", &format!("Authorization: Bearer {key}")]);

    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();

    let told = String::from_utf8_lossy(&output.stdout);
    println!("{told}");
    assert!(output.status.success(), "the document and the service differ: {told}");
    let n_cases = n_cases(&told);
    assert!(n_cases >= MIN_CASES, "only {n_cases} cases were generated");
    // The key was good to the end, so that sound requests were not all answered 401.
    assert_eq!(service.get("/v1/keys", &key).await.status, 200);
}

/// Reads `N generated` out of the summary.
fn n_cases(told: &str) -> u64 {
    let line = told.lines().find(|line| line.contains(" generated")).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// The program beside the Python that `make` prepared; nothing where there is none, which is said loudly.
fn schemathesis() -> Option<std::path::PathBuf> {
    let python = afterword::config::environment("AFTERWORD_PYTHON")?;
    let program = Path::new(&python).with_file_name("st");
    if !program.is_file() {
        eprintln!("NOT RUN: {} is absent, so that no requests were generated (`make venv`)", program.display());
        return None;
    }
    Some(program)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_that_shows_the_document_comes_whole_from_the_service_itself() {
    let service = TestService::start_with(HttpSettings::default(), false).await;

    let page = service.get("/docs", "").await;

    assert_eq!(page.header("content-type"), "text/html");
    let policy = page.header("content-security-policy").to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
    let named: Vec<&str> = page
        .text
        .split(['"', '\''])
        .filter(|word| [".js", ".css", ".png"].iter().any(|end| word.ends_with(end)))
        .collect();
    assert!(named.len() >= 5, "{named:?}");
    for file in named {
        assert!(!file.contains("//"), "{file} is not the service's own");
        let answer = service.get(&format!("/docs/{}", file.trim_start_matches("./")), "").await;
        assert_eq!((answer.status, answer.text.is_empty()), (200, false), "{file}");
    }
    // What the policy forbids must not be in the page: a script of its own, or one from elsewhere.
    assert!(!page.text.contains("<script>"));
    assert!(service.get("/docs/swagger-initializer.js", "").await.text.contains("\"/openapi.json\""));
    assert_eq!(service.get("/docs/../Cargo.toml", "").await.status, 404);
    assert_eq!(service.get("/docs/absent.js", "").await.problem(), (404, "not_found".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_addresses_that_are_registered_are_those_that_answer() {
    let service = TestService::start_with(HttpSettings::default(), false).await;
    let document: Value = service.get("/openapi.json", "").await.json();

    let addresses = service.server().addresses();

    assert!(addresses.len() > 15);
    for (method, pattern) in addresses {
        let path = pattern.replace("{path:.+}", "{path}");
        assert!(document["paths"][&path][method.to_lowercase()].is_object(), "{method} {path} is not described");
        // A method that no address has makes the router tell which ones this one has.
        let concrete = pattern.replace("{path:.+}", "a/b").replace(['{', '}'], "");
        let unknown = reqwest::Method::from_bytes(b"BREW").unwrap();
        let answer = service.send(service.request(unknown, &concrete, "")).await;
        assert_eq!(answer.status, 405, "{method} {concrete}");
        assert!(answer.header("allow").split(", ").any(|allowed| allowed == method), "{method} {concrete}");
    }
}
