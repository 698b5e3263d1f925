//! `afterword key`.

use std::process::Command;

use super::program::{Running, afterword, run};
use crate::support::TestDatabase;

fn key(database: &TestDatabase, args: &[&str]) -> Command {
    let mut command = afterword(&[&["key"], args].concat());
    command.env("DATABASE_URL", database.service_url());
    command
}

async fn read_status(service: &Running, key: &str) -> u16 {
    service.post("/v1/completions", key, &serde_json::json!({})).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_key_is_made_listed_without_its_secret_and_revoked() {
    let database = TestDatabase::new().await;
    let service = Running::start(afterword(&["serve"]).env("DATABASE_URL", database.service_url()));

    let made = run(&mut key(&database, &["create", "--name", "backend", "--expires-in", "90d"]));
    let secret = made.out.trim().to_owned();
    let status_while_valid = read_status(&service, &secret).await;
    let list_while_valid = run(&mut key(&database, &["list"]));
    let revoked = run(&mut key(&database, &["revoke", &secret]));
    let list_afterwards = run(&mut key(&database, &["list"]));

    assert_eq!(made.out, format!("{secret}\n"), "the key alone, so that a shell can take it");
    assert!(made.err.contains("role ingest for project `default`"), "{made:?}");
    assert_ne!(status_while_valid, 401);
    let key_id = secret.split('_').nth(2).unwrap();
    let line = list_while_valid.out.lines().find(|line| line.contains(key_id)).unwrap();
    assert!(line.contains("backend") && line.contains("ingest") && line.contains("valid until 20"), "{line}");
    assert!(!list_while_valid.out.contains(secret.split('_').nth(3).unwrap()));
    assert_eq!(revoked.status, Some(0), "{revoked:?}");
    assert!(list_afterwards.out.lines().any(|line| line.contains(key_id) && line.contains("revoked 20")));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while read_status(&service, &secret).await != 401 {
        assert!(std::time::Instant::now() < deadline, "a revoked key is still accepted");
    }
    service.stop();
}

#[tokio::test]
async fn a_project_is_asked_for_only_where_there_are_several() {
    let database = TestDatabase::new().await;
    run(&mut key(&database, &["list"])).assert_refused(2, "there is no project yet");

    assert_eq!(run(&mut key(&database, &["create"])).status, Some(0));
    assert_eq!(run(&mut key(&database, &["create", "--project", "shop", "--role", "admin"])).status, Some(0));

    run(&mut key(&database, &["list"])).assert_refused(2, "--project: there are default, shop");
    run(&mut key(&database, &["list", "--project", "absent"])).assert_refused(2, "there is no project `absent`");
    let list = run(&mut key(&database, &["list", "--project", "shop"]));
    assert_eq!((list.status, list.out.lines().count()), (Some(0), 2), "{list:?}");
}

#[tokio::test]
async fn a_key_that_does_not_exist_cannot_be_revoked() {
    let database = TestDatabase::new().await;

    let outcome = run(&mut key(&database, &["revoke", "abcdefgh01234567"]));

    outcome.assert_refused(1, "no valid key with the id `abcdefgh01234567`");
}
