//! An export from the request to the withdrawal.

use std::collections::{BTreeMap, BTreeSet};

use afterword::domain::export::{ExportProblem, ExportStatus};
use afterword::domain::fields::FieldCode;
use afterword::domain::recipe::ExportRequest;
use afterword::service::error::Conflict;
use afterword::service::exports::{self, Idempotency};
use afterword::service::{ServiceError, bootstrap, export_files};
use afterword::worker::Worker;
use arrow::array::{Array as _, AsArray as _, RecordBatch};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::fixture::{
    Fixture, answer_text, batches, completion, hashes, manifest, preference, principal, prompt_text, to_json,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_completed_export_holds_every_decisive_pair_byte_for_byte() {
    let fixture = Fixture::with_pairs(300).await;
    fixture.add(300..303, "tie").await;
    let worker = Worker::start(fixture.app.clone());

    let id = fixture.request(json!({"recipe": "dpo", "destination": {"path": "team/dpo"}})).await;
    let export = fixture.until_ended(id).await;
    worker.stop().await;

    assert_eq!((export.status, export.problem.clone()), (ExportStatus::Completed, None));
    assert_eq!((export.n_done, export.n_total), (303, 303));
    let manifest = manifest(&export);
    assert_eq!(manifest["n_examples"], 300);
    assert_eq!(manifest["n_exclusions"], json!({"tie": 3}));
    assert_eq!(manifest["funnel"]["n_candidates"], 303, "candidates are rows and exclusions");
    let mut found = BTreeMap::new();
    for split in ["train", "validation", "test"] {
        let path = format!("data/{split}-00000-of-00001.parquet");
        for batch in batches(fixture.read(id, &path).await) {
            for row in 0..batch.num_rows() {
                let pair = ["chosen", "rejected"].map(|column| messages(&batch, column, row).remove(0).1);
                found.insert(messages(&batch, "prompt", row).remove(1).1, pair);
            }
        }
    }
    let expected: BTreeMap<String, [String; 2]> =
        (0..300).map(|n| (prompt_text(n), ["new", "old"].map(|model| answer_text(n, model)))).collect();
    assert_eq!(found, expected);
    assert_eq!(fixture.audit().await, ["export.requested", "export.completed"]);
}

fn messages(batch: &RecordBatch, column: &str, row: usize) -> Vec<(String, String)> {
    let list = batch.column_by_name(column).unwrap().as_list::<i32>().value(row);
    let messages = list.as_struct();
    let text = |name: &str, at: usize| messages.column_by_name(name).unwrap().as_string::<i32>().value(at).to_owned();
    (0..messages.len()).map(|at| (text("role", at), text("content", at))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_manifest_names_every_file_with_its_hash_and_only_these_can_be_read() {
    let fixture = Fixture::with_pairs(40).await;
    let worker = Worker::start(fixture.app.clone());

    let id = fixture.request(json!({"recipe": "dpo"})).await;
    let export = fixture.until_ended(id).await;
    worker.stop().await;

    let hashes = hashes(&manifest(&export));
    for (path, sha256) in &hashes {
        assert_eq!(hex::encode(Sha256::digest(fixture.read(id, path).await)), *sha256, "{path}");
    }
    assert_eq!(fixture.n_files(), hashes.len() + 1, "every file but the manifest is named");
    assert_eq!(fixture.read(id, "manifest.json").await, export.manifest.unwrap().as_bytes());
    for path in ["", "data", "nothing", "../manifest.json", "/manifest.json", "data/../README.md"] {
        let refused = export_files::find(&fixture.app, &fixture.principal, id, path).await;
        assert!(matches!(refused, Err(ServiceError::NotFound)), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_exports_of_one_state_have_the_same_bytes() {
    let fixture = Fixture::with_pairs(60).await;
    let worker = Worker::start(fixture.app.clone());

    let mut all = Vec::new();
    for recipe in ["dpo", "dpo", "sft", "sft"] {
        let id = fixture.request(json!({"recipe": recipe})).await;
        all.push(hashes(&manifest(&fixture.until_ended(id).await)));
    }
    worker.stop().await;

    assert_eq!(all[0], all[1], "parts, card and statistics");
    assert_eq!(all[2], all[3], "parts, card and statistics");
    assert_ne!(all[0]["README.md"], all[2]["README.md"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_shapes_of_an_sft_export_hold_the_same_rows_in_the_same_splits() {
    let fixture = Fixture::with_pairs(80).await;
    let worker = Worker::start(fixture.app.clone());

    let id = fixture.request(json!({"recipe": "sft"})).await;
    let manifest = manifest(&fixture.until_ended(id).await);
    worker.stop().await;

    let mut rows: BTreeMap<&str, BTreeSet<(String, String)>> = BTreeMap::new();
    for (config, splits) in manifest["configs"].as_object().unwrap() {
        for (split, files) in splits.as_object().unwrap() {
            for file in files.as_array().unwrap() {
                for batch in batches(fixture.read(id, file["path"].as_str().unwrap()).await) {
                    let ids = batch.column_by_name("row_id").unwrap().as_string::<i32>().clone();
                    let ids = ids.iter().flatten().map(|row_id| (split.clone(), row_id.to_owned()));
                    rows.entry(config).or_default().extend(ids);
                }
            }
        }
    }
    assert_eq!(rows["sft"], rows["sft_completion"]);
    assert_eq!(rows["sft"].len(), 80);
    assert_eq!(manifest["default_config"], "sft_completion");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_without_rows_fails_and_says_what_was_left_out() {
    let fixture = Fixture::new().await;
    fixture.add(0..4, "tie").await;
    let worker = Worker::start(fixture.app.clone());

    let id = fixture.request(json!({"recipe": "dpo"})).await;
    let export = fixture.until_ended(id).await;
    worker.stop().await;

    assert_eq!((export.status, export.manifest), (ExportStatus::Failed, None));
    let problem = export.problem.unwrap();
    assert_eq!(problem.code, ExportProblem::NO_EXAMPLES);
    assert_eq!(problem.n_exclusions, BTreeMap::from([("tie".to_owned(), 4)]));
    assert!(problem.detail.starts_with("all 4 candidates were left out: tie 4 ("), "{}", problem.detail);
    assert_eq!(fixture.n_files(), 0);
    assert_eq!(fixture.audit().await, ["export.requested", "export.failed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_export_loses_its_files_and_keeps_its_manifest() {
    let fixture = Fixture::with_pairs(10).await;
    let id = fixture.request(json!({"recipe": "dpo"})).await;
    let unfinished = exports::revoke(&fixture.app, &fixture.principal, id).await;
    assert!(matches!(unfinished, Err(ServiceError::Conflict(Conflict::ExportUnfinished))));
    let worker = Worker::start(fixture.app.clone());
    fixture.until_ended(id).await;
    worker.stop().await;
    assert!(fixture.n_files() > 0);

    exports::revoke(&fixture.app, &fixture.principal, id).await.unwrap();

    let export = exports::show(&fixture.app, &fixture.principal, id).await.unwrap();
    assert_eq!((export.status, export.manifest.is_some()), (ExportStatus::Revoked, true));
    assert_eq!(fixture.n_files(), 0);
    let read = export_files::find(&fixture.app, &fixture.principal, id, "README.md").await;
    assert!(matches!(read, Err(ServiceError::NotFound)));
    exports::revoke(&fixture.app, &fixture.principal, id).await.unwrap();
    assert_eq!(fixture.audit().await, ["export.requested", "export.completed", "export.revoked"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_projects_export_does_not_exist() {
    let fixture = Fixture::with_pairs(10).await;
    let worker = Worker::start(fixture.app.clone());
    let id = fixture.request(json!({"recipe": "dpo"})).await;
    fixture.until_ended(id).await;
    worker.stop().await;
    let stranger = principal(bootstrap::ensure(&fixture.app, "strangers", None).await.unwrap());

    let shown = exports::show(&fixture.app, &stranger, id).await;
    let read = export_files::find(&fixture.app, &stranger, id, "manifest.json").await;
    let revoked = exports::revoke(&fixture.app, &stranger, id).await;
    let listed = exports::list(&fixture.app, &stranger, None, 10).await.unwrap();

    assert!(matches!(shown, Err(ServiceError::NotFound)));
    assert!(matches!(read, Err(ServiceError::NotFound)));
    assert!(matches!(revoked, Err(ServiceError::NotFound)));
    assert!(listed.is_empty());
    assert_eq!(exports::list(&fixture.app, &fixture.principal, None, 10).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_gives_the_export_that_the_first_one_made() {
    let fixture = Fixture::new().await;
    let ask = async |key: &str, hash: &[u8]| {
        let recipe = exports::shipped("dpo").unwrap();
        let request =
            afterword::domain::recipe::ExportRequest { recipe, destination: None, directory: None, parent: None };
        let idempotency = Idempotency { key: key.to_owned(), request_hash: hash.to_vec() };
        exports::request(&fixture.app, &fixture.principal, request, Some(idempotency)).await
    };

    let (first, first_is_new) = ask("key", b"one").await.unwrap();
    let (again, again_is_new) = ask("key", b"one").await.unwrap();
    let other = ask("key", b"two").await;
    let (third, third_is_new) = ask("another key", b"one").await.unwrap();

    assert_eq!((again.id, first_is_new, again_is_new), (first.id, true, false));
    assert!(matches!(other, Err(ServiceError::Conflict(Conflict::IdempotencyKey))));
    assert!(third_is_new && third.id != first.id);
    let page = exports::list(&fixture.app, &fixture.principal, None, 1).await.unwrap();
    let rest = exports::list(&fixture.app, &fixture.principal, Some(page[0].id), 10).await.unwrap();
    assert_eq!([page[0].id, rest[0].id, first.id], [third.id, first.id, rest[0].id], "newest first");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selected_answer_makes_a_pair_whichever_of_the_two_the_preference_was_sent_for() {
    let fixture = Fixture::with_pairs(3).await;
    let worker = Worker::start(fixture.app.clone());

    let mut counts = Vec::new();
    for model in ["new", "old"] {
        let id = fixture.request(json!({"recipe": "dpo", "selection": {"models": [model]}})).await;
        counts.push(manifest(&fixture.until_ended(id).await)["n_examples"].clone());
    }
    worker.stop().await;

    assert_eq!(counts, [json!(3), json!(3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_that_is_another_answers_id_is_none_even_where_that_answer_is_not_selected() {
    let fixture = Fixture::with_pairs(1).await;
    let preferred = completion(0, "new")["id"].clone();
    let mut thief = completion(1, "other");
    thief["aliases"] = json!([preferred]);
    let mut rival = preference(1, "better");
    rival["completion_id"] = thief["id"].clone();
    rival["against"] = completion(1, "old")["id"].clone();
    fixture.record(vec![thief, completion(1, "old")], vec![rival]).await;
    let worker = Worker::start(fixture.app.clone());

    let id = fixture.request(json!({"recipe": "dpo", "selection": {"models": ["other"]}})).await;
    let manifest: Value = manifest(&fixture.until_ended(id).await);
    worker.stop().await;

    assert_eq!((&manifest["funnel"]["n_feedback"], &manifest["n_examples"]), (&json!(1), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn feedback_under_an_alias_of_two_answers_makes_no_row_and_is_counted_once_whatever_is_selected() {
    let fixture = Fixture::with_pairs(1).await;
    let sharing = |n, model| {
        let mut answer = completion(n, model);
        answer["aliases"] = json!(["request", "request"]);
        answer
    };
    let mut ambiguous = preference(1, "better");
    ambiguous["completion_id"] = "request".into();
    let answers = vec![sharing(1, "new"), completion(1, "old"), sharing(2, "other"), completion(3, "fourth")];
    fixture.record(answers, vec![ambiguous]).await;
    let mut thumb = preference(3, "better");
    for (name, value) in [("completion_id", json!("fourth-3")), ("signal", json!("thumb")), ("value", json!("up"))] {
        thumb[name] = value;
    }
    for name in ["against", "outcome"] {
        thumb.as_object_mut().unwrap().remove(name);
    }
    fixture.record(Vec::new(), vec![thumb]).await;
    let worker = Worker::start(fixture.app.clone());

    let mut told = Vec::new();
    for (recipe, models) in [("dpo", json!(["new", "old", "other"])), ("sft", json!(["fourth"]))] {
        let id = fixture.request(json!({"recipe": recipe, "selection": {"models": models}})).await;
        let manifest = manifest(&fixture.until_ended(id).await);
        let counts = [&manifest["n_examples"], &manifest["funnel"]["n_feedback"], &manifest["n_feedback_left_out"]];
        told.push(counts.map(Clone::clone));
    }
    worker.stop().await;

    assert_eq!(told[0], [json!(1), json!(2), json!({"ambiguous_alias": 1})]);
    assert_eq!(told[1], [json!(1), json!(1), json!({})]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_selection_and_the_options_of_a_request_reach_the_rows() {
    let fixture = Fixture::with_pairs(10).await;
    let mut silent = completion(10, "new");
    silent["consent"] = json!(null);
    fixture.record(vec![silent, completion(10, "old")], vec![preference(10, "better")]).await;
    let worker = Worker::start(fixture.app.clone());

    let strict = fixture.request(json!({"recipe": "dpo"})).await;
    let open = fixture.request(json!({"recipe": "dpo", "options": {"consent": "ignore"}})).await;
    let absent = json!({"recipe": "dpo", "selection": {"models": ["absent"], "from": "2026-01-01T00:00:00Z"}});
    let absent = ExportRequest::from_json(to_json(&absent), exports::shipped).unwrap();
    let none = exports::request(&fixture.app, &fixture.principal, absent, None).await.unwrap_err();
    let n_requested = fixture.audit().await.iter().filter(|action| *action == "export.requested").count();
    let strict: Value = manifest(&fixture.until_ended(strict).await);
    let open: Value = manifest(&fixture.until_ended(open).await);
    worker.stop().await;

    assert_eq!((&strict["n_examples"], &strict["n_exclusions"]), (&json!(10), &json!({"consent_missing": 1})));
    assert_eq!((&open["n_examples"], &open["recipe"]["options"]["consent"]), (&json!(11), &json!("ignore")));
    let ServiceError::Invalid(faults) = none else { panic!("{none}") };
    assert_eq!((faults[0].pointer.as_str(), faults[0].code), ("/selection", FieldCode::NothingSelected));
    assert_eq!(faults[0].detail, "no completion of the project passes `models`, `from`");
    assert_eq!(n_requested, 2, "nothing is written for it");
}
