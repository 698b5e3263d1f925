//! `afterword token`, and the keys that pages and tokens need.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::program::{Outcome, Running, afterword, open_dir, run};
use crate::routes::thumb;
use crate::support::TestDatabase;

fn on(database: &TestDatabase, args: &[&str]) -> Command {
    let mut command = afterword(args);
    command.env("DATABASE_URL", database.service_url());
    command
}

async fn send(service: &Running, credential: &str, body: &Value) -> (u16, String) {
    let response = service.post("/v1/feedback", credential, body).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// Returns what was printed: one line, for a shell to take, and the note beside it.
fn printed(outcome: &Outcome) -> (&str, &str) {
    assert_eq!((outcome.status, outcome.out.lines().count()), (Some(0), 1), "{outcome:?}");
    (outcome.out.trim_end(), outcome.err.trim_end())
}

#[tokio::test]
async fn a_token_is_minted_lets_through_what_it_grants_and_is_taken_back() {
    let database = TestDatabase::new().await;
    run(&mut on(&database, &["key", "create"]));
    let service = Running::start(&mut on(&database, &["serve"]));
    let mint = ["token", "mint", "--subject", "u-1", "--completion-id", "c-1", "--signal", "thumb", "--ttl-s", "600"];

    let minted = run(&mut on(&database, &mint));
    let (token, note) = printed(&minted);
    let granted = send(&service, token, &thumb("c-1")).await;
    let of_another = send(&service, token, &thumb("c-2")).await;
    let revoked = run(&mut on(&database, &["token", "revoke", token]));
    let again = run(&mut on(&database, &["token", "revoke", token]));

    assert!(note.starts_with("minted token ") && note.contains(", valid until 20"), "{note}");
    assert_eq!(granted.0, 200, "{}", granted.1);
    assert!(of_another.0 == 422 && of_another.1.contains("completion_not_granted"), "{}", of_another.1);
    assert_eq!((revoked.status, revoked.out.as_str()), (Some(0), ""));
    assert!(revoked.err.starts_with("revoked 1 token;"), "{revoked:?}");
    assert!(again.err.starts_with("revoked 0 tokens"), "{again:?}");
    let deadline = Instant::now() + Duration::from_secs(10);
    while send(&service, token, &thumb("c-1")).await.0 != 401 {
        assert!(Instant::now() < deadline, "a token that was taken back is still accepted");
    }
    service.stop();
}

#[tokio::test]
async fn a_token_of_a_conversation_is_revoked_by_its_id_before_anybody_has_seen_it() {
    let database = TestDatabase::new().await;
    run(&mut on(&database, &["key", "create"]));

    let minted = run(&mut on(&database, &["token", "mint", "--subject", "u-1", "--conversation-id", "v-1"]));
    let (_, note) = printed(&minted);
    let id = note.split([' ', ',']).nth(2).unwrap();
    let revoked = run(&mut on(&database, &["token", "revoke", id, "never-made"]));

    assert!(revoked.err.starts_with("revoked 2 tokens"), "{revoked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_made_looked_at_answered_and_taken_back_and_stands_in_no_log() {
    let (database, dir) = (TestDatabase::new().await, open_dir());
    run(&mut on(&database, &["key", "create"]));
    let log = dir.path().join("service.log");
    let mut serve = on(&database, &["serve"]);
    serve.env("AFTERWORD_LOG_LEVEL", "trace").stderr(std::fs::File::create(&log).unwrap());
    let service = Running::start(&mut serve);
    let mint = ["token", "link", "--subject", "u-1", "--completion-id", "c-1", "--url"];

    let made = run(&mut on(&database, &[&mint[..], &[&service.url]].concat()));
    let (link, note) = printed(&made);
    let page = reqwest::get(link).await.unwrap().text().await.unwrap();
    let form = reqwest::Client::new().post(link).header("content-type", "application/x-www-form-urlencoded");
    let answered = form.body("value=up").send().await.unwrap().text().await.unwrap();
    let revoked = run(&mut on(&database, &["token", "revoke", link]));
    tokio::task::spawn_blocking(|| service.stop()).await.unwrap();

    assert!(note.starts_with("made link ") && note.contains(", valid until 20"), "{note}");
    assert!(page.contains("Was the answer helpful?") && answered.contains("recorded: <strong>Yes"), "{answered}");
    assert!(revoked.err.starts_with("revoked 1 token;"), "{revoked:?}");
    let (log, token) = (std::fs::read_to_string(&log).unwrap(), link.rsplit('/').next().unwrap());
    assert!(log.contains("/f/{token}"), "{log}");
    for part in token.split('.') {
        assert!(!log.contains(part), "a part of the link is in the log");
    }
    let path = run(&mut on(&database, &mint[..6]));
    assert!(printed(&path).0.starts_with("/f/"), "{path:?}");
    let refused = run(&mut on(&database, &[&mint[..6], &["--ttl-s", "2592001"]].concat()));
    refused.assert_refused(2, "2592000");
}

#[tokio::test]
async fn a_token_that_makes_no_sense_is_not_minted() {
    let database = TestDatabase::new().await;
    run(&mut on(&database, &["key", "create"]));
    let mint = |more: &[&str]| run(&mut on(&database, &[&["token", "mint", "--subject", "u-1"], more].concat()));

    for more in
        [&[][..], &["--completion-id", "c", "--conversation-id", "v"], &["--completion-id", "c", "--ttl-s", "x"]]
    {
        let outcome = mint(more);
        assert_eq!((outcome.status, outcome.out.as_str()), (Some(2), ""), "{outcome:?}");
    }
    mint(&["--completion-id", "c", "--signal", "shrug"]).assert_refused(2, "must be one of");
    mint(&["--completion-id", "c", "--ttl-s", "86401"]).assert_refused(2, "86400");
    mint(&["--completion-id", ""]).assert_refused(2, "must be an id of 1 to 256 bytes");
}

#[tokio::test]
async fn a_publishable_key_is_made_for_origins_and_writes_feedback_only() {
    let database = TestDatabase::new().await;
    let create = |more: &[&str]| run(&mut on(&database, &[&["key", "create", "--publishable"], more].concat()));

    let made = create(&["--origin", "https://shop.example", "--origin", "http://localhost:5173", "--name", "shop"]);
    let (key, note) = printed(&made);
    let service = Running::start(&mut on(&database, &["serve"]));
    let feedback = send(&service, key, &thumb("c-1")).await;
    let completion = service.post("/v1/completions", key, &json!({})).send().await.unwrap().status();
    let list = run(&mut on(&database, &["key", "list"]));

    assert!(key.strip_prefix("aw_pub_").is_some_and(|id| id.len() == 16), "{key}");
    assert!(note.contains("publishable key for project `default`; it is no secret"), "{note}");
    assert_eq!((feedback.0, completion.as_u16()), (200, 403), "{}", feedback.1);
    let line = list.out.lines().find(|line| line.contains(&key[7..])).unwrap();
    assert!(line.contains("shop") && line.contains("publishable"), "{line}");
    assert!(line.contains("http://localhost:5173") && line.contains("https://shop.example"), "{line}");
    service.stop();

    create(&["--origin", "http://shop.example"]).assert_refused(2, "--allow-http takes it");
    assert_eq!(create(&["--origin", "http://shop.example", "--allow-http"]).status, Some(0));
    for more in [&[][..], &["--origin", "*"], &["--origin", "https://shop.example/"], &["--role", "admin"]] {
        assert_eq!(create(more).status, Some(2), "{more:?}");
    }
}

#[tokio::test]
async fn signing_keys_are_made_for_both_algorithms_and_shown_once() {
    let database = TestDatabase::new().await;
    let signing = |more: &[&str]| run(&mut on(&database, &[&["key", "create", "--signing"], more].concat()));
    let dir = open_dir();

    let shared = signing(&["hs256", "--name", "tokens"]);
    let (secret, note) = printed(&shared);
    let pair = signing(&["eddsa", "--name", "pair"]);
    let minted = run(&mut on(&database, &["token", "mint", "--subject", "u-1", "--completion-id", "c-1"]));
    let list = run(&mut on(&database, &["key", "list"]));

    let (key_id, issuer) = note.rsplit_once(" and iss ").unwrap();
    let key_id = key_id.rsplit(' ').next().unwrap();
    assert!(secret.contains(key_id) && issuer.len() == 36, "{note}");
    assert!(note.contains("HS256 signing key for project `default`; it is shown only now"), "{note}");
    assert!(
        pair.out.starts_with("-----BEGIN PRIVATE KEY-----") && pair.err.contains("tokens have kid "),
        "{}",
        pair.err
    );
    assert_eq!(minted.status, Some(0), "{minted:?}");
    for (name, algorithm) in [("tokens", "signing HS256"), ("pair", "signing EdDSA")] {
        assert!(list.out.lines().any(|line| line.contains(name) && line.contains(algorithm)), "{}", list.out);
    }
    assert!(!list.out.contains(&secret[24..]) && !list.out.contains("PRIVATE"));

    let public = dir.path().join("public.pem");
    let pem = afterword::service::signature::private_key_of([9; 32]).unwrap().public_key.to_pem();
    std::fs::write(&public, pem).unwrap();
    let theirs = signing(&["eddsa", "--public-key", public.to_str().unwrap()]);
    assert_eq!((theirs.status, theirs.out.as_str()), (Some(0), ""), "its private part never was here: {theirs:?}");
    signing(&["hs256", "--public-key", public.to_str().unwrap()]).assert_refused(2, "hs256 has no public key");
    std::fs::write(&public, "no key").unwrap();
    assert_eq!(signing(&["eddsa", "--public-key", public.to_str().unwrap()]).status, Some(2));
    for more in [&["none"][..], &["rs256"], &["hs256", "--role", "admin"], &["hs256", "--publishable"]] {
        assert_eq!(signing(more).status, Some(2), "{more:?}");
    }
}
