//! The same rows in the shapes of other trainers: column by column, and key by key.

use std::collections::{BTreeMap, BTreeSet};

use afterword::worker::Worker;
use arrow::array::{Array as _, AsArray as _, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Int64Type};
use serde_json::{Value, json};

use super::fixture::{Fixture, answer_text, batches, manifest, prompt_text};

/// An export that has ended, with its files.
struct Exported {
    manifest: Value,
    files: BTreeMap<String, Vec<u8>>,
}

impl Exported {
    async fn of(fixture: &Fixture, body: Value) -> Self {
        let id = fixture.request(body).await;
        let manifest = manifest(&fixture.until_ended(id).await);
        let mut files = BTreeMap::new();
        for file in manifest["files"].as_array().unwrap() {
            let path = file["path"].as_str().unwrap();
            files.insert(path.to_owned(), fixture.read(id, path).await.to_vec());
        }
        Self { manifest, files }
    }

    /// Reads the rows of a config, one batch for each part.
    fn rows(&self, config: &str) -> Vec<RecordBatch> {
        self.parts(config).flat_map(|path| batches(self.files[path].clone().into())).collect()
    }

    fn parts(&self, config: &str) -> impl Iterator<Item = &str> {
        let splits = self.manifest["configs"][config].as_object().unwrap();
        splits.values().flat_map(|files| files.as_array().unwrap()).map(|file| file["path"].as_str().unwrap())
    }

    fn lines(&self, path: &str) -> Vec<Value> {
        let text = std::str::from_utf8(&self.files[path]).unwrap();
        assert!(text.ends_with('\n'), "{path}");
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn row_ids(&self, config: &str) -> Vec<String> {
        let mut ids: Vec<String> = self.rows(config).iter().flat_map(|batch| texts(batch, "row_id")).collect();
        ids.sort();
        ids
    }

    fn proved_row_ids(&self) -> Vec<String> {
        let paths = self.files.keys().filter(|path| path.starts_with("provenance/"));
        let mut ids: Vec<String> =
            paths.flat_map(|path| self.lines(path)).map(|line| line["row_id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    }
}

fn texts(batch: &RecordBatch, column: &str) -> Vec<String> {
    let column = batch.column_by_name(column).unwrap().as_string::<i32>();
    (0..batch.num_rows()).map(|row| column.value(row).to_owned()).collect()
}

/// Reads messages as `role:content`.
fn said(messages: &StructArray) -> Vec<String> {
    let part = |name: &str| messages.column_by_name(name).unwrap().as_string::<i32>().clone();
    let (roles, contents) = (part("role"), part("content"));
    (0..messages.len()).map(|nth| format!("{}:{}", roles.value(nth), contents.value(nth))).collect()
}

fn list(batch: &RecordBatch, column: &str) -> Vec<String> {
    said(batch.column_by_name(column).unwrap().as_list::<i32>().value(0).as_struct())
}

/// The number of the prompt behind the first row.
fn number(first: &str) -> usize {
    (0..40).find(|n| first == format!("user:{}", prompt_text(*n))).unwrap()
}

const SYSTEM: &str = "system:Answer \u{1F642}\r\nbriefly.";

async fn seeded() -> Fixture {
    let fixture = Fixture::with_pairs(30).await;
    fixture.like(0..30).await;
    fixture.add(30..34, "both_bad").await;
    fixture
}

#[tokio::test(flavor = "multi_thread")]
async fn every_layout_has_the_rows_of_trl_under_the_same_ids() {
    let fixture = seeded().await;
    let worker = Worker::start(fixture.app.clone());
    let trl = Exported::of(&fixture, json!({"recipe": "all"})).await;

    for (layout, formats, configs) in [
        ("implicit", json!(["preference", "sft", "reward"]), &["dpo", "sft", "reward"][..]),
        ("llamafactory", json!(["preference", "kto", "sft", "reward"]), &["dpo", "kto", "sft", "reward"]),
        ("nemo_rl", json!(["preference", "reward"]), &["dpo", "reward"]),
        ("verl", json!(["sft", "prompts"]), &["sft", "prompts"]),
    ] {
        let asked = Exported::of(&fixture, json!({"formats": formats, "layout": layout})).await;
        let made: Vec<&String> = asked.manifest["configs"].as_object().unwrap().keys().collect();
        assert_eq!(made.len(), configs.len(), "{layout}: {made:?}");
        for config in configs {
            assert_eq!(asked.row_ids(config), trl.row_ids(config), "{layout} {config}");
        }
        assert_eq!(asked.manifest["layout"], layout);
        assert_ne!(asked.manifest["schema"], trl.manifest["schema"]);
    }
    for (layout, format, config) in
        [("openai_jsonl", "preference", "dpo"), ("openai_jsonl", "sft", "sft"), ("mlx_jsonl", "sft", "sft")]
    {
        let asked = Exported::of(&fixture, json!({"format": format, "layout": layout})).await;
        assert_eq!(asked.proved_row_ids(), trl.row_ids(config), "{layout} {config}");
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pairs_have_the_shape_that_each_trainer_reads() {
    let fixture = seeded().await;
    let worker = Worker::start(fixture.app.clone());
    let of = async |layout: &str| Exported::of(&fixture, json!({"recipe": "dpo", "layout": layout})).await;
    let (implicit, factory, nemo) = (of("implicit").await, of("llamafactory").await, of("nemo_rl").await);
    worker.stop().await;

    let rows = implicit.rows("dpo");
    let chosen = list(&rows[0], "chosen");
    let n = number(&chosen[1]);
    let (good, bad) = (format!("assistant:{}", answer_text(n, "new")), format!("assistant:{}", answer_text(n, "old")));
    assert_eq!((chosen.len(), chosen[0].as_str(), &chosen[2]), (3, SYSTEM, &good));
    assert_eq!(list(&rows[0], "rejected"), [SYSTEM, &chosen[1], &bad]);
    assert!(rows[0].column_by_name("prompt").is_none());

    let rows = factory.rows("dpo");
    let n = number(&list(&rows[0], "messages")[1]);
    let one = |name: &str| said(rows[0].column_by_name(name).unwrap().as_struct())[0].clone();
    assert_eq!(one("chosen"), format!("assistant:{}", answer_text(n, "new")));
    assert_eq!(one("rejected"), format!("assistant:{}", answer_text(n, "old")));
    assert!(matches!(rows[0].column_by_name("chosen").unwrap().data_type(), DataType::Struct(_)));
    let sets: Value = serde_json::from_slice(&factory.files["dataset_info.json"]).unwrap();
    assert_eq!(
        sets["dpo"],
        json!({"script_url": ".", "subset": "dpo", "split": "train", "ranking": true, "formatting": "sharegpt",
               "columns": {"messages": "messages", "chosen": "chosen", "rejected": "rejected"},
               "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user",
                        "assistant_tag": "assistant", "system_tag": "system"}})
    );

    let rows = nemo.rows("dpo");
    let n = number(&list(&rows[0], "context")[1]);
    let answers = rows[0].column_by_name("completions").unwrap().as_list::<i32>().value(0);
    let answers = answers.as_struct();
    let ranks = answers.column_by_name("rank").unwrap().as_primitive::<Int64Type>();
    assert_eq!((ranks.value(0), ranks.value(1), ranks.len()), (0, 1, 2));
    let completions = answers.column_by_name("completion").unwrap().as_list::<i32>();
    let ranked = |nth: usize| said(completions.value(nth).as_struct());
    assert_eq!(ranked(0), [format!("assistant:{}", answer_text(n, "new"))]);
    assert_eq!(ranked(1), [format!("assistant:{}", answer_text(n, "old"))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_conversations_and_prompts_have_the_shape_that_each_trainer_reads() {
    let fixture = seeded().await;
    let worker = Worker::start(fixture.app.clone());
    let factory = Exported::of(&fixture, json!({"recipe": "kto", "layout": "llamafactory"})).await;
    let verl = Exported::of(&fixture, json!({"formats": ["sft", "prompts"], "layout": "verl"})).await;
    worker.stop().await;

    let rows = factory.rows("kto");
    assert_eq!(list(&rows[0], "messages").len(), 3);
    assert_eq!(rows[0].column_by_name("label").unwrap().data_type(), &DataType::Boolean);
    let sets: Value = serde_json::from_slice(&factory.files["dataset_info.json"]).unwrap();
    assert_eq!(sets["kto"]["columns"], json!({"messages": "messages", "kto_tag": "label"}));

    for (split, files) in verl.manifest["configs"]["prompts"].as_object().unwrap() {
        let path = files[0]["path"].as_str().unwrap();
        let rows = batches(verl.files[path].clone().into());
        let names: Vec<&str> =
            rows[0].schema_ref().fields().iter().take(5).map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["data_source", "prompt", "ability", "reward_model", "extra_info"]);
        assert_eq!(texts(&rows[0], "data_source")[0], "afterword");
        let reward = rows[0].column_by_name("reward_model").unwrap().as_struct();
        assert_eq!(reward.column_by_name("style").unwrap().as_string::<i32>().value(0), "model");
        let extra = rows[0].column_by_name("extra_info").unwrap().as_struct();
        assert_eq!(extra.column_by_name("split").unwrap().as_string::<i32>().value(0), split);
        let indexes = extra.column_by_name("index").unwrap().as_primitive::<Int64Type>();
        assert_eq!(indexes.values().to_vec(), (0..rows[0].num_rows() as i64).collect::<Vec<_>>());
    }
    assert_eq!(list(&verl.rows("sft")[0], "messages").len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_hold_nothing_but_what_the_service_takes() {
    let fixture = seeded().await;
    // A conversation of two turns, of which only the second answer was endorsed.
    let mut later = super::fixture::completion(40, "new");
    later["prompt"] = json!([{"role": "user", "content": "One?"}, {"role": "assistant", "content": "Uno."},
                             {"role": "user", "content": "Two?"}]);
    fixture.record(vec![later], Vec::new()).await;
    fixture.like(40..41).await;
    let worker = Worker::start(fixture.app.clone());
    let of = async |format: &str, layout: &str| {
        let options = json!({"validation_share": 0.3});
        Exported::of(&fixture, json!({"format": format, "layout": layout, "options": options})).await
    };
    let (pairs, endorsed, mlx) =
        (of("dpo", "openai_jsonl").await, of("sft", "openai_jsonl").await, of("sft", "mlx_jsonl").await);
    worker.stop().await;

    let path = "data/train-00000-of-00001.jsonl";
    let (lines, proofs) = (pairs.lines(path), pairs.lines("provenance/dpo-train.jsonl"));
    assert_eq!(lines.len(), proofs.len());
    for (line, proof) in lines.iter().zip(&proofs) {
        let keys = |value: &Value| -> BTreeSet<String> { value.as_object().unwrap().keys().cloned().collect() };
        let expected = |keys: [&str; 3]| -> BTreeSet<String> { keys.map(str::to_owned).into() };
        assert_eq!(keys(line), expected(["input", "non_preferred_output", "preferred_output"]));
        assert_eq!(keys(&line["input"]), expected(["messages", "parallel_tool_calls", "tools"]));
        let metadata: Value = serde_json::from_str(proof["metadata"].as_str().unwrap()).unwrap();
        let n: usize = metadata["completion"].as_str().unwrap().strip_prefix("new-").unwrap().parse().unwrap();
        assert_eq!(line["preferred_output"], json!([{"role": "assistant", "content": answer_text(n, "new")}]));
        assert_eq!(line["non_preferred_output"], json!([{"role": "assistant", "content": answer_text(n, "old")}]));
        assert_eq!(line["input"]["messages"][1]["content"], prompt_text(n));
    }
    let all =
        |exported: &Exported| -> Vec<Value> { exported.parts("sft").flat_map(|path| exported.lines(path)).collect() };
    let unendorsed = |lines: &[Value]| -> Vec<Value> {
        let messages = lines.iter().flat_map(|line| line["messages"].as_array().unwrap().clone());
        messages.filter(|message| message["content"] == "Uno.").collect()
    };
    assert_eq!(unendorsed(&all(&endorsed)), [json!({"role": "assistant", "content": "Uno.", "weight": 0})]);
    assert_eq!(unendorsed(&all(&mlx)), [json!({"role": "assistant", "content": "Uno."})]);
    assert!(mlx.files.contains_key("data/train.jsonl") && mlx.files.contains_key("data/valid.jsonl"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_tells_of_the_columns_that_its_layout_has() {
    let fixture = seeded().await;
    let worker = Worker::start(fixture.app.clone());

    for (format, layout, has, lacks) in [
        ("dpo", "trl", &["`chosen`", "`rejected`", "`metadata`"][..], &["provenance"][..]),
        ("dpo", "implicit", &["`chosen`", "no column `prompt`"], &[]),
        ("dpo", "llamafactory", &["`messages`", "one message each"], &["lists\nof messages"]),
        ("reward", "nemo_rl", &["`context`", "`completions`", "`rank`"], &["`chosen`", "`rejected`"]),
        ("kto", "llamafactory", &["`messages`", "`label`"], &["`completion`)"]),
        ("sft", "verl", &["`messages`"], &["`sft_completion`"]),
        ("prompts", "verl", &["`reward_model`", "`extra_info`"], &[]),
        (
            "dpo",
            "openai_jsonl",
            &["`preferred_output`", "`provenance/CONFIG-SPLIT.jsonl`"],
            &["`chosen`", "columns beside"],
        ),
        ("sft", "openai_jsonl", &["`messages`", "`weight` 0"], &["`sft_completion`", "columns beside"]),
        ("sft", "mlx_jsonl", &["`messages`"], &["`sft_completion`", "`weight`", "columns beside"]),
    ] {
        let asked = Exported::of(&fixture, json!({"format": format, "layout": layout})).await;
        let card = String::from_utf8(asked.files["README.md"].clone()).unwrap();
        let words = card.split_once("\n# ").unwrap().1.split_once("## Splits").unwrap().0;
        for word in has {
            assert!(words.contains(word), "{format} {layout}: {word}\n{words}");
        }
        for word in lacks {
            assert!(!words.contains(word), "{format} {layout}: {word}\n{words}");
        }
    }
    worker.stop().await;
}

#[test]
fn a_layout_without_a_form_of_the_format_is_refused_before_anything_is_asked_for() {
    use afterword::domain::json::Json;
    use afterword::domain::recipe::ExportRequest;
    use afterword::service::exports;

    let body = json!({"recipe": "dpo", "layout": "mlx_jsonl"}).to_string();

    let errors = ExportRequest::from_json(Json::parse(body.as_bytes()).unwrap(), exports::shipped).unwrap_err();

    assert_eq!(
        (errors[0].pointer.as_str(), errors[0].detail.as_str()),
        ("/layout", "`mlx_jsonl` has no form of `preference`; it has: sft")
    );
}
