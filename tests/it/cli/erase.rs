//! `afterword erase`, `afterword project`, and what looks at exports.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::export::{on, send_pairs};
use super::program::{afterword, open_dir, run};
use crate::support::TestDatabase;

/// Sends forty prompts with two answers each and a preference, none of which says anything of consent.
async fn seed(database: &TestDatabase) {
    send_pairs(database, |n| ("user", json!(format!("user-{n}"))), |_| "better").await;
}

fn export(database: &TestDatabase, out: &Path) -> Command {
    on(database, &["export", "--recipe", "dpo", "--out", out.to_str().unwrap()])
}

#[tokio::test]
async fn a_user_is_erased_and_the_exports_before_and_after_are_checked_and_compared() {
    let database = TestDatabase::new().await;
    seed(&database).await;
    let dir = open_dir();
    let (before, after) = (dir.path().join("before"), dir.path().join("after"));
    let folder = |path: &Path| path.to_str().unwrap().to_owned();

    run(&mut export(&database, &before)).assert_refused(1, "consent_missing 40");
    let declared = run(&mut on(&database, &["project", "set", "--consent-default", "granted"]));
    let projects = run(&mut on(&database, &["project", "list"]));
    assert_eq!(run(&mut export(&database, &before)).status, Some(0));
    let verified = run(&mut afterword(&["export", "verify", &folder(&before)]));
    let affected = run(&mut on(&database, &["export", "affected", "--user", "user-7", "--json"]));
    let preview = run(&mut on(&database, &["erase", "--user", "user-7", "--dry-run", "--json"]));
    let erased = run(&mut on(&database, &["erase", "--user", "user-7", "--yes"]));
    assert_eq!(run(&mut export(&database, &after)).status, Some(0));
    let compared = run(&mut afterword(&["export", "diff", &folder(&before), &folder(&after), "--json"]));
    let told = run(&mut afterword(&["export", "diff", &folder(&before), &folder(&after)]));

    assert_eq!((declared.status, declared.err.contains("granted")), (Some(0), true));
    assert!(projects.out.lines().any(|line| line.contains("default") && line.ends_with("granted")), "{projects:?}");
    assert_eq!(verified.status, Some(0), "{verified:?}");
    assert!(verified.out.lines().filter(|line| line.contains(" pass ")).count() >= 10, "{}", verified.out);
    let affected: Value = serde_json::from_str(&affected.out).unwrap();
    assert_eq!((&affected[0]["written_to"], &affected[0]["status"]), (&json!("folder"), &json!("completed")));
    let preview: Value = serde_json::from_str(&preview.out).unwrap();
    assert_eq!(
        (&preview["n_completions"], &preview["n_feedback"], &preview["n_exports"]),
        (&json!(2), &json!(1), &json!(1))
    );
    assert!(
        erased.out.contains("erased: 2 completions, 1 item of feedback, 0 exposures; 1 export revoked"),
        "{erased:?}"
    );
    let compared: Value = serde_json::from_str(&compared.out).unwrap();
    let n_removed: u64 =
        compared["configs"]["dpo"].as_object().unwrap().values().map(|it| it["n_removed"].as_u64().unwrap()).sum();
    assert_eq!((n_removed, &compared["n_moved"]), (1, &json!(0)));
    assert!(told.out.contains("1 removed") && told.out.contains("the same recipe"), "{}", told.out);
}

#[tokio::test]
async fn a_damaged_export_ends_with_one_and_what_makes_no_sense_with_two() {
    let database = TestDatabase::new().await;
    seed(&database).await;
    let dir = open_dir();
    let out = dir.path().join("out");
    run(&mut on(&database, &["project", "set", "--consent-default", "granted"]));
    assert_eq!(run(&mut export(&database, &out)).status, Some(0));
    std::fs::remove_file(out.join("README.md")).unwrap();
    let folder = out.to_str().unwrap();

    let damaged = run(&mut afterword(&["export", "verify", folder]));
    let as_json = run(&mut afterword(&["export", "verify", folder, "--json"]));

    assert_eq!((damaged.status, damaged.out.contains("README.md")), (Some(1), true), "{damaged:?}");
    let as_json: Value = serde_json::from_str(&as_json.out).unwrap();
    assert_eq!((&as_json["checks"][0]["name"], &as_json["checks"][0]["status"]), (&json!("files"), &json!("fail")));
    run(&mut afterword(&["export", "verify", "nowhere"])).assert_refused(1, "no finished export");
    run(&mut afterword(&["export", "diff", folder, "nowhere"])).assert_refused(1, "no finished export");
    run(&mut afterword(&["export"])).assert_refused(2, "--recipe");
    run(&mut on(&database, &["erase", "--user", "user-1"])).assert_refused(2, "--yes");
    run(&mut on(&database, &["erase", "--user", "", "--yes"])).assert_refused(2, "1 to 256 bytes");
    run(&mut on(&database, &["project", "set", "--consent-default", "yes"]))
        .assert_refused(2, "granted, refused or none");
}
