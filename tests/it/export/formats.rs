//! Several formats in one export, and what each format asks for.

use std::collections::BTreeMap;

use afterword::domain::export::{ExportProblem, ExportStatus};
use afterword::worker::Worker;
use arrow::array::{AsArray as _, RecordBatch};
use serde_json::{Value, json};

use super::fixture::{Fixture, batches, completion, hashes, manifest, preference};

/// Runs an export to its end and returns its manifest.
async fn export(fixture: &Fixture, body: Value) -> (Value, BTreeMap<String, Vec<RecordBatch>>) {
    let id = fixture.request(body).await;
    let manifest = manifest(&fixture.until_ended(id).await);
    let mut by_config: BTreeMap<String, Vec<RecordBatch>> = BTreeMap::new();
    for (config, splits) in manifest["configs"].as_object().unwrap() {
        for file in splits.as_object().unwrap().values().flat_map(|files| files.as_array().unwrap()) {
            let part = fixture.read(id, file["path"].as_str().unwrap()).await;
            by_config.entry(config.clone()).or_default().extend(batches(part));
        }
    }
    (manifest, by_config)
}

fn texts(batches: &[RecordBatch], column: &str) -> Vec<String> {
    let mut texts: Vec<String> = batches
        .iter()
        .flat_map(|batch| {
            let column = batch.column_by_name(column).unwrap().as_string::<i32>();
            (0..batch.num_rows()).map(|row| column.value(row).to_owned()).collect::<Vec<_>>()
        })
        .collect();
    texts.sort();
    texts
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_of_one_export_has_its_config_its_numbers_and_the_same_splits() {
    let fixture = Fixture::with_pairs(40).await;
    fixture.add(40..60, "both_bad").await;
    fixture.like(0..30).await;
    let worker = Worker::start(fixture.app.clone());

    let (all, rows) = export(&fixture, json!({"recipe": "all"})).await;
    let (pairs, alone) = export(&fixture, json!({"recipe": "dpo"})).await;
    worker.stop().await;

    assert_eq!(all["formats"], json!(["preference", "unpaired", "sft", "reward", "prompts"]));
    assert_eq!((all.get("format"), &pairs["format"]), (None, &json!("preference")));
    let n = |format: &str| all["by_format"][format]["n_examples"].as_u64().unwrap();
    assert_eq!((n("preference"), n("reward"), n("unpaired"), n("sft"), n("prompts")), (40, 40, 70, 40, 60));
    assert_eq!(all["n_examples"], 250);
    for counts in all["by_format"].as_object().unwrap().values() {
        let excluded: u64 = counts["n_exclusions"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
        assert_eq!(counts["n_candidates"].as_u64(), counts["n_examples"].as_u64().map(|n| n + excluded));
    }
    let configs: Vec<&String> = rows.keys().collect();
    assert_eq!(configs, ["dpo", "kto", "prompts", "reward", "sft", "sft_completion"]);
    assert_eq!(texts(&rows["dpo"], "row_id"), texts(&alone["dpo"], "row_id"));
    assert_eq!(texts(&rows["dpo"], "row_id"), texts(&rows["reward"], "row_id"), "the same pairs under the same names");
    let paths: Vec<String> = hashes(&all).into_keys().collect();
    assert!(paths.contains(&"dpo/train-00000-of-00001.parquet".to_owned()), "{paths:?}");
    assert!(hashes(&pairs).contains_key("data/train-00000-of-00001.parquet"));
    let commands: Vec<&str> =
        all["commands"].as_array().unwrap().iter().map(|command| command.as_str().unwrap()).collect();
    let trainers: Vec<&str> = commands.iter().map(|command| command.split(' ').nth(1).unwrap()).collect();
    assert_eq!(trainers, ["dpo", "kto", "sft", "reward", "grpo"]);
    assert!(commands[1].contains("--desirable_weight"), "{commands:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_group_is_in_two_splits_whatever_the_format() {
    let fixture = Fixture::with_pairs(60).await;
    fixture.like(0..60).await;
    fixture.add(60..64, "both_bad").await;
    let worker = Worker::start(fixture.app.clone());

    let recipe = json!({"recipe": "all", "options": {"test_share": 0.3, "validation_share": 0.3}});
    let id = fixture.request(recipe).await;
    let manifest = manifest(&fixture.until_ended(id).await);

    let mut split_of: BTreeMap<String, String> = BTreeMap::new();
    for splits in manifest["configs"].as_object().unwrap().values() {
        for (split, files) in splits.as_object().unwrap() {
            for file in files.as_array().unwrap() {
                let rows = batches(fixture.read(id, file["path"].as_str().unwrap()).await);
                for prompt in texts(&rows, "prompt_hash") {
                    assert_eq!(split_of.entry(prompt).or_insert(split.clone()), split);
                }
            }
        }
    }
    worker.stop().await;
    assert_eq!(split_of.len(), 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn ties_and_conversations_with_tools_stand_beside_the_rows_in_configs_of_their_own() {
    let fixture = Fixture::with_pairs(5).await;
    fixture.add(5..8, "tie").await;
    let with_tools = |model: &str| {
        let mut one = completion(8, model);
        one["tools"] = json!([{"type": "function", "function": {"name": "f", "parameters": {}}}]);
        one
    };
    fixture.record(vec![with_tools("new"), with_tools("old")], vec![preference(8, "better")]).await;
    let worker = Worker::start(fixture.app.clone());

    let (asked, rows) =
        export(&fixture, json!({"recipe": "dpo", "options": {"ties": "side_file", "tool_calls": "json"}})).await;
    let (plain, _) = export(&fixture, json!({"recipe": "dpo"})).await;
    worker.stop().await;

    assert_eq!(rows.keys().collect::<Vec<_>>(), ["dpo", "dpo_tools", "ties"]);
    assert_eq!((&asked["n_examples"], &asked["ties"]["n_examples"]), (&json!(6), &json!(3)));
    assert_eq!((&asked["n_exclusions"], asked["default_config"].as_str()), (&json!({"tie": 3}), Some("dpo")));
    let tools = texts(&rows["dpo_tools"], "tools");
    assert!(tools.len() == 1 && tools[0].contains(r#""name":"f""#), "{tools:?}");
    assert_eq!(texts(&rows["ties"], "verdict"), ["tie", "tie", "tie"]);
    assert_eq!((&plain["n_exclusions"], plain.get("ties")), (&json!({"tie": 3, "tool_calls": 1}), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_all_good_are_no_data_set_for_kto() {
    let fixture = Fixture::with_pairs(5).await;
    fixture.like(0..5).await;
    let worker = Worker::start(fixture.app.clone());

    let id = fixture.request(json!({"recipe": "kto"})).await;
    let export = fixture.until_ended(id).await;
    worker.stop().await;

    let problem = export.problem.unwrap();
    assert_eq!((export.status, problem.code.as_str()), (ExportStatus::Failed, ExportProblem::ONE_CLASS));
    assert!(
        problem.detail.starts_with("the 5 rows of the format `unpaired` are all labelled good"),
        "{}",
        problem.detail
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_format_without_rows_beside_others_is_left_out_and_the_export_says_so() {
    let fixture = Fixture::with_pairs(10).await;
    let worker = Worker::start(fixture.app.clone());

    let (both, rows) = export(&fixture, json!({"formats": ["unpaired", "reward"]})).await;
    let (strong, margins) = export(&fixture, json!({"format": "reward", "options": {"margin": "strength"}})).await;
    worker.stop().await;

    assert_eq!(rows.keys().collect::<Vec<_>>(), ["reward"]);
    assert_eq!((&both["default_config"], &both["by_format"]["unpaired"]["n_examples"]), (&json!("reward"), &json!(0)));
    let warning = both["warnings"][0].as_str().unwrap();
    assert!(warning.starts_with("`unpaired` has no rows"), "{warning}");
    assert!(rows["reward"][0].column_by_name("margin").is_none());
    assert!(margins["reward"][0].column_by_name("margin").is_some());
    assert_ne!(both["schema"]["reward"], strong["schema"]["reward"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_has_nothing_to_train_on_says_so_and_prints_no_command() {
    let fixture = Fixture::with_pairs(2).await;
    let worker = Worker::start(fixture.app.clone());

    // Two groups of which one in ten is to train on: under one of the first salts neither is.
    let mut without_train = None;
    for salt in 0..30 {
        let options = json!({"validation_share": 0.5, "test_share": 0.4, "split_salt": format!("s{salt}")});
        let id = fixture.request(json!({"recipe": "dpo", "options": options})).await;
        let made = manifest(&fixture.until_ended(id).await);
        if made["configs"]["dpo"].get("train").is_none() {
            without_train = Some(made);
            break;
        }
    }
    worker.stop().await;

    let made = without_train.unwrap();
    assert_eq!(made["commands"], json!([]));
    let warnings = made["warnings"].as_array().unwrap();
    let told =
        warnings.iter().filter(|warning| warning.as_str().unwrap().starts_with("`dpo` has no train split")).count();
    assert_eq!(told, 1, "{warnings:?}");
}
