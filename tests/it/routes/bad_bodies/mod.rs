//! Corpora of bad bodies: hundreds made by hand, thousands made by chance out of good ones. Each is answered by its own
//! 4xx, repeats nothing of what was sent and changes no table.

mod generated;
mod handmade;
mod models;

use afterword::domain::principal::Role;
use futures_util::StreamExt as _;
use futures_util::stream;
use reqwest::Method;

use crate::support::TestService;

/// Stands in the bodies; no answer may repeat it.
const CANARY: &str = "CANARY";
/// Requests on their way at the same time.
const N_AT_ONCE: usize = 16;

/// A bad body and the code that it deserves.
#[derive(Clone)]
struct Case {
    /// What finds the case again.
    name: String,
    path: &'static str,
    body: Vec<u8>,
    code: String,
}

/// Codes of bodies that cannot be read; everything else that is wrong with a body is wrong with its meaning.
const UNREADABLE: [&str; 4] = ["json_malformed", "duplicate_key", "too_deep", "integer_too_large"];

/// Sends every body and checks its answer, and in the end that nothing was stored.
async fn check(cases: Vec<Case>) {
    let service = TestService::start().await;
    let key = service.key(Role::Ingest).await;
    let before = service.checksum().await;

    let sent = stream::iter(&cases).map(|case| send(&service, &key, case)).buffer_unordered(N_AT_ONCE);
    let wrong: Vec<String> = sent.filter_map(async |wrong| wrong).collect().await;

    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), cases.len(), wrong[..wrong.len().min(40)].join("\n"));
    assert_eq!(service.checksum().await, before);
}

/// Sends one body; returns what is wrong with the answer.
async fn send(service: &TestService, key: &str, case: &Case) -> Option<String> {
    let request = service.request(Method::POST, case.path, key).header("content-type", "application/json");
    let answer = service.send(request.body(case.body.clone())).await;
    let status = if UNREADABLE.contains(&case.code.as_str()) { 400 } else { 422 };
    let is_right = answer.status == status && answer.problem() == (status, case.code.clone());
    let is_silent = !answer.text.contains(CANARY);
    let (name, code, text) = (&case.name, &case.code, &answer.text);
    (!(is_right && is_silent)).then(|| format!("{name}: expected {status} {code}, answered {} {text}", answer.status))
}
