//! `afterword export` and `afterword recipe`.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::program::{Running, afterword, open_dir, run};
use crate::support::TestDatabase;

pub(super) fn on(database: &TestDatabase, args: &[&str]) -> Command {
    let mut command = afterword(args);
    command.env("DATABASE_URL", database.service_url());
    command
}

fn export(database: &TestDatabase, recipe: &str, out: &Path, more: &[&str]) -> Command {
    on(database, &[&["export", "--recipe", recipe, "--out", out.to_str().unwrap()], more].concat())
}

/// Sends forty prompts through a running service: on most of them one answer is preferred, on the last four none is.
async fn seed(database: &TestDatabase) {
    let consent = ("consent", json!({ "training": true }));
    send_pairs(database, |_| consent.clone(), |n| if n < 36 { "better" } else { "tie" }).await;
}

/// Sends forty prompts through a running service, each with two answers and one preference of a user of its own; `extra`
/// is a member that the answers to prompt `n` have beside what they need.
pub(super) async fn send_pairs(
    database: &TestDatabase,
    extra: impl Fn(usize) -> (&'static str, Value),
    outcome: impl Fn(usize) -> &'static str,
) {
    let service = Running::start(afterword(&["serve"]).env("DATABASE_URL", database.service_url()));
    let key = run(&mut on(database, &["key", "create", "--role", "ingest"])).out.trim().to_owned();
    let completion = |n: usize, model: &str| {
        let (name, value) = extra(n);
        json!({ "id": format!("{model}-{n}"), "model": model, "prompt": format!("question {n}"),
                "response": format!("answer {n} of {model}"), "finish_reason": "stop", name: value })
    };
    let completions: Vec<Value> = (0..40).flat_map(|n| [completion(n, "old"), completion(n, "new")]).collect();
    let preferences: Vec<Value> = (0..40)
        .map(|n| {
            json!({ "id": format!("01900000-0000-7000-8000-0000000000{n:02}"), "completion_id": format!("new-{n}"),
                    "signal": "preference", "against": format!("old-{n}"), "user": format!("user-{n}"),
                    "outcome": outcome(n) })
        })
        .collect();
    for (path, body) in [
        ("/v1/completions", json!({ "completions": completions })),
        ("/v1/feedback", json!({ "v": 1, "feedback": preferences })),
    ] {
        let answer = service.post(path, &key, &body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
    }
    service.stop();
}

#[tokio::test]
async fn a_data_set_is_written_and_its_summary_says_what_it_holds_and_what_to_do_with_it() {
    let database = TestDatabase::new().await;
    seed(&database).await;
    let dir = open_dir();
    let out = dir.path().join("data sets/pairs");

    let outcome = run(&mut export(&database, "dpo", &out, &[]));

    assert_eq!((outcome.status, outcome.err.as_str()), (Some(0), ""), "no progress bar without a terminal");
    let shown = out.display();
    for line in [
        format!("36 rows written to {shown}"),
        "4 of 40 candidates left out:".to_owned(),
        format!("load   datasets.load_dataset(\"{shown}\", \"dpo\")"),
        format!("train  trl dpo --dataset_name '{shown}' --dataset_config dpo"),
    ] {
        assert!(outcome.out.contains(&line), "{line}\n{}", outcome.out);
    }
    let manifest: Value = serde_json::from_slice(&fs::read(out.join("manifest.json")).unwrap()).unwrap();
    assert_eq!((&manifest["n_examples"], &manifest["n_exclusions"]), (&json!(36), &json!({ "tie": 4 })));
    for file in manifest["files"].as_array().unwrap() {
        assert_eq!(fs::metadata(out.join(file["path"].as_str().unwrap())).unwrap().len(), file["bytes"]);
    }
}

#[tokio::test]
async fn a_recipe_of_ones_own_is_used_and_an_earlier_export_is_replaced_only_with_force() {
    let database = TestDatabase::new().await;
    seed(&database).await;
    let dir = open_dir();
    let (recipe, out) = (dir.path().join("mine.toml"), dir.path().join("out"));
    let shipped = run(&mut afterword(&["recipe", "show", "sft"]));
    fs::write(&recipe, shipped.out.replace("test_share = 0.05", "test_share = 0.5")).unwrap();
    let recipe = recipe.to_str().unwrap();

    let checked = run(&mut afterword(&["recipe", "check", recipe]));
    let first = run(&mut export(&database, recipe, &out, &[]));
    let refused = run(&mut export(&database, "dpo", &out, &[]));
    let replaced = run(&mut export(&database, "dpo", &out, &["--force", "--model", "new", "--from", "2026-01-01"]));

    assert!(checked.out.contains("  test_share = 0.5 (default 0.05)\nnot checked: "), "{checked:?}");
    assert_eq!((first.status, replaced.status), (Some(0), Some(0)), "{first:?}\n{replaced:?}");
    refused.assert_refused(1, "--force");
    let manifest: Value = serde_json::from_slice(&fs::read(out.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(
        (&manifest["format"], &manifest["recipe"]["selection"]["models"]),
        (&json!("preference"), &json!(["new"]))
    );
    assert_eq!(manifest["recipe"]["selection"]["from"], "2026-01-01T00:00:00Z");
}

#[tokio::test]
async fn what_cannot_be_exported_is_one_line_and_leaves_no_folder() {
    let database = TestDatabase::new().await;
    seed(&database).await;
    let dir = open_dir();
    let out = dir.path().join("out");
    let broken = dir.path().join("broken.toml");
    fs::write(&broken, "format = \"dpo\"\n[options]\nmin_votes = 0\n").unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();

    run(&mut export(&database, "dop", &out, &[]))
        .assert_refused(2, "unknown recipe `dop`: shipped are dpo, kto, sft, reward, prompts, all");
    run(&mut export(&database, "none.toml", &out, &[])).assert_refused(2, "cannot read none.toml");
    run(&mut export(&database, broken.to_str().unwrap(), &out, &[])).assert_refused(2, "/options/min_votes");
    let backwards = ["--from", "2026-02-01", "--to", "2026-01-01"];
    run(&mut export(&database, "dpo", &out, &backwards)).assert_refused(2, "--to must be later than --from");
    run(&mut export(&database, "dpo", &out, &["--project", "nobody's"])).assert_refused(2, "nobody's");
    run(&mut export(&database, "dpo", &file, &[])).assert_refused(1, "not a folder");
    run(&mut export(&database, "dpo", &file.join("below"), &[])).assert_refused(1, "cannot be written");
    let none = run(&mut export(&database, "dpo", &out, &["--model", "absent"]));
    none.assert_refused(1, "/selection: no completion of the project passes `models`");
    run(&mut export(&database, "dpo", &out, &["--model", ""])).assert_refused(2, "must not be empty");

    let mut left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["broken.toml", "file"]);
}

#[tokio::test]
async fn what_an_export_refuses_a_check_of_the_recipe_refuses_in_the_same_words() {
    let database = TestDatabase::new().await;
    seed(&database).await;
    let dir = open_dir();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("good.txt"), "Which rivers cross the city and which do not?\n").unwrap();
    fs::write(path("broken.json"), "{").unwrap();
    fs::write(path("empty.jsonl"), "").unwrap();
    let write = |name: &str, options: &str| {
        fs::write(path(name), format!("format = \"dpo\"\n[options]\n{options}\n")).unwrap();
        path(name)
    };
    let naming = |file: &str| format!("decontaminate = [{:?}, {:?}]", path("good.txt"), path(file));

    for (options, words) in [
        (naming("absent.jsonl"), "/options/decontaminate/1: does not exist"),
        (naming("broken.json"), "/options/decontaminate/1: is not JSON"),
        (naming("empty.jsonl"), "/options/decontaminate/1: holds no text"),
        ("pii_url = \"http://127.0.0.1:1/\"".to_owned(), "/options/pii_url: must be one of the URLs"),
        ("validation_share = 0.5\ntest_share = 0.5".to_owned(), "`validation_share` and `test_share`"),
        ("min_votez = 2".to_owned(), "line 3, column 1: /options: the key is not known; did you mean `min_votes`?"),
    ] {
        let recipe = write("mine.toml", &options);

        let checked = run(&mut afterword(&["recipe", "check", &recipe]));
        let exported = run(&mut export(&database, &recipe, &dir.path().join("out"), &[]));

        assert!(checked.status == Some(1) && checked.err.contains(words), "{options}: {checked:?}");
        assert!(exported.status != Some(0) && exported.err.contains(words), "{options}: {exported:?}");
        assert!(!dir.path().join("out").exists());
    }
    let good = write("mine.toml", &format!("decontaminate = [{:?}]", path("good.txt")));
    let checked = run(&mut afterword(&["recipe", "check", &good, "--out", &path("good.txt")]));
    assert!(checked.status == Some(1) && checked.err.contains("good.txt: there is something"), "{checked:?}");
    let checked = run(&mut afterword(&["recipe", "check", &good, "--out", &path("out")]));
    assert!(checked.status == Some(0) && !checked.out.contains("--out"), "{checked:?}");
    assert!(checked.out.contains("not checked: whether the selection"), "{checked:?}");
}

#[test]
fn shipped_recipes_are_listed_and_an_unknown_one_is_wrong_usage() {
    let listed = run(&mut afterword(&["recipe", "list"]));

    for name in ["dpo ", "kto ", "sft ", "reward ", "prompts ", "all "] {
        assert!(listed.out.lines().any(|line| line.starts_with(name)), "{listed:?}");
    }
    run(&mut afterword(&["recipe", "show", "dop"])).assert_refused(2, "unknown recipe `dop`");
    run(&mut afterword(&["recipe", "check", "none.toml"])).assert_refused(2, "cannot read none.toml");
}

#[tokio::test]
async fn what_one_folder_trains_on_and_another_evaluates_on_ends_a_comparison_with_one() {
    let database = TestDatabase::new().await;
    seed(&database).await;
    let dir = open_dir();
    let recipe = |name: &str, salt: &str| {
        let path = dir.path().join(format!("{name}-{salt}.toml"));
        let text = format!("format = \"{name}\"\n[options]\nsplit_salt = \"{salt}\"\ntest_share = 0.4\n");
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (pairs, answers, inside) =
        (dir.path().join("pairs"), dir.path().join("answers"), dir.path().join("pairs/data/x"));
    let (pairs, answers) = (pairs.as_path(), answers.as_path());
    assert_eq!(run(&mut export(&database, &recipe("dpo", "one"), pairs, &[])).status, Some(0));
    assert_eq!(run(&mut export(&database, &recipe("sft", "two"), answers, &[])).status, Some(0));

    let [a, b] = [pairs, answers].map(|path| path.to_str().unwrap());
    let crossing = run(&mut afterword(&["export", "diff", a, b, "--list", "2"]));
    let same = run(&mut afterword(&["export", "diff", a, a]));

    assert_eq!((crossing.status, same.status), (Some(1), Some(0)), "{crossing:?}\n{same:?}");
    assert!(
        crossing.out.contains("of the train split of A are in the validation or test split of B"),
        "{}",
        crossing.out
    );
    assert!(crossing.out.contains("  split_salt: one → two\n"), "{}", crossing.out);
    assert!(crossing.out.lines().all(|line| line.chars().count() <= 180), "{}", crossing.out);
    let refused = run(&mut export(&database, "dpo", &inside, &[]));
    refused.assert_refused(1, "inside another export's folder");
    let nobodys = run(&mut on(&database, &["export", "affected", "--user", "nobody"]));
    assert_eq!((nobodys.status, nobodys.out.as_str()), (Some(0), "no export holds rows of this user\n"));
}

#[test]
fn an_address_in_place_of_a_folder_and_a_path_without_an_export_are_told_once() {
    run(&mut afterword(&["export", "verify", "s3://bucket/pairs"])).assert_refused(2, "copy it from its bucket first");
    run(&mut afterword(&["export", "diff", "a", "s3://bucket/pairs"]))
        .assert_refused(2, "copy it from its bucket first");
    run(&mut afterword(&["export", "--recipe", "dpo", "--out", "s3://bucket/x"])).assert_refused(2, "over REST");
    for args in [&["export", "verify", "nowhere"][..], &["export", "diff", "nowhere", "neither"]] {
        let outcome = run(&mut afterword(args));
        outcome.assert_refused(1, "nowhere: there is no `manifest.json`");
        let n_told = outcome.err.matches("not found").count() + outcome.err.matches("No such file").count();
        assert_eq!(n_told, 1, "{}", outcome.err);
    }
}
