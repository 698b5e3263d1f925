//! Real prompts, real answers, real judgements through the REST API, and what must come out: the training pairs byte for
//! byte, the published counts, and a comparison that claims no more than it can.
//!
//! The rows are other people's (see the README beside them) and do not ship with the product: without
//! `AFTERWORD_SHARED` the test says that it was skipped. `AFTERWORD_REPLAY_DIR` names a directory that keeps the data
//! sets and the reports.

#![cfg(test)]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use afterword::domain::principal::Role;
use arrow::array::{Array as _, AsArray as _, RecordBatch, StructArray};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Builder;

use crate::support::service::TestService;

const LARGE: &str = "vicuna-13b-v1.5";
const SMALL: &str = "vicuna-7b-v1.5";
/// How long an export may take before the test gives up waiting.
const DEADLINE: Duration = Duration::from_mins(5);

/// A judged row.
#[derive(Debug, Deserialize)]
struct Judged {
    prompt_id: u64,
    prompt: String,
    model: String,
    response: String,
    baseline_model: String,
    baseline_response: String,
    /// 1 where the baseline was preferred for certain, 2 where the model was.
    preference: f64,
}

/// What the public leaderboard says of a model's rows.
#[derive(Debug, Deserialize, PartialEq)]
struct Published {
    n_wins: f64,
    n_wins_base: f64,
    n_draws: f64,
    n_total: f64,
}

/// Everything that is known of the judgements.
struct Source {
    large: Vec<Judged>,
    small: Vec<Judged>,
    published: HashMap<String, Published>,
}

impl Source {
    /// Reads the rows, or says loudly that there are none.
    fn read() -> Option<Self> {
        let folder = told_by_environment("AFTERWORD_SHARED").unwrap_or("../shared".into()).join("data/alpacaeval");
        if !folder.join("leaderboard.json").is_file() {
            eprintln!("SKIPPED: no judged rows at {}; set AFTERWORD_SHARED to replay them", folder.display());
            return None;
        }
        let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        let rows = |model: &str| {
            text(&format!("{model}.jsonl")).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        Some(Self {
            large: rows(LARGE),
            small: rows(SMALL),
            published: serde_json::from_str(&text("leaderboard.json")).unwrap(),
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "a test is told by its environment where other people's rows are")]
fn told_by_environment(name: &str) -> Option<PathBuf> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).map(PathBuf::from)
}

impl Judged {
    fn is_won(&self) -> bool {
        self.preference > 1.5
    }

    fn is_draw(&self) -> bool {
        (self.preference - 1.5).abs() < f64::EPSILON
    }

    fn is_lost(&self) -> bool {
        self.preference < 1.5
    }

    /// Returns the id of the judged model's answer. One judge for a prompt saw the answers of both models beside the
    /// baseline's; a row is one judgement and has a pair of completions of its own.
    fn id(&self) -> String {
        format!("{}-{}", self.model, self.prompt_id)
    }

    fn baseline_id(&self) -> String {
        format!("{}-baseline", self.id())
    }

    fn completions(&self) -> [Value; 2] {
        let completion = |id: String, model: &str, text: &str| {
            json!({
                "id": id,
                "model": model,
                "prompt": [{"role": "user", "content": self.prompt}],
                "response": {"role": "assistant", "content": text},
                "finish_reason": "stop",
                "user": format!("judge-{}", self.prompt_id),
                "consent": {"training": true},
            })
        };
        [
            completion(self.id(), &self.model, &self.response),
            completion(self.baseline_id(), &self.baseline_model, &self.baseline_response),
        ]
    }

    /// One preference, and a thumb on the judged model's answer where the judgement was decisive.
    fn feedback(&self) -> Vec<Value> {
        let item = |signal: &str, own: Value| {
            let mut item = json!({
                "id": feedback_id(&self.id(), signal),
                "completion_id": self.id(),
                "signal": signal,
                "user": format!("judge-{}", self.prompt_id),
            });
            item.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
            item
        };
        let outcome = if self.is_draw() { "tie" } else { self.word("better", "worse") };
        let strength = (self.preference - 1.5).abs() * 2.0;
        let preference = json!({"against": self.baseline_id(), "outcome": outcome, "strength": strength});
        let mut items = vec![item("preference", preference)];
        if !self.is_draw() {
            items.push(item("thumb", json!({"value": self.word("up", "down")})));
        }
        items
    }

    fn word(&self, won: &'static str, lost: &'static str) -> &'static str {
        if self.is_won() { won } else { lost }
    }
}

fn feedback_id(completion_id: &str, signal: &str) -> String {
    let hash = blake3::hash(format!("{completion_id}\0{signal}").as_bytes());
    let mut random = [0; 10];
    random.copy_from_slice(&hash.as_bytes()[..10]);
    Builder::from_unix_timestamp_millis(1_700_000_000_000, &random).into_uuid().to_string()
}

/// Where artefacts go: the directory that was named, or one that goes with the test.
struct Artefacts {
    root: PathBuf,
    is_kept: bool,
    _temporary: TempDir,
}

impl Artefacts {
    fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let kept = told_by_environment("AFTERWORD_REPLAY_DIR");
        let (root, is_kept) = kept.map_or_else(|| (temporary.path().to_owned(), false), |root| (root, true));
        Self { root, is_kept, _temporary: temporary }
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let target = self.root.join(path);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, content).unwrap();
    }
}

/// A project of the replay, spoken to as its analyst.
struct Replay<'a> {
    service: &'a TestService,
    key: String,
    artefacts: &'a Artefacts,
}

impl<'a> Replay<'a> {
    async fn new(service: &'a TestService, project: &str, artefacts: &'a Artefacts) -> Self {
        let key = service.key_of(project, Role::Admin).await.reveal();
        Self { service, key, artefacts }
    }

    /// Sends rows in batches and waits until every item is acknowledged.
    async fn send(&self, rows: &[Judged]) {
        for chunk in rows.chunks(200) {
            let completions: Vec<Value> = chunk.iter().flat_map(Judged::completions).collect();
            let feedback: Vec<Value> = chunk.iter().flat_map(Judged::feedback).collect();
            for (path, name, items) in
                [("/v1/completions", "completions", completions), ("/v1/feedback", "feedback", feedback)]
            {
                let answer = self.service.post(path, &self.key, &json!({name: items})).await;

                assert_eq!(answer.json(), json!({"accepted": items.len(), "duplicate": 0, "rejected": []}));
            }
        }
    }

    /// Has the DPO set of a model's answers made, and fetches it.
    async fn export(&self, name: &str, model: &str) -> (Value, Vec<Pair>) {
        // Whatever was judged, as it was written: what texts pass before they leave has tests of its own.
        let options = json!({"pii": "off", "exclude_refusal_rejected": false});
        let request = json!({"recipe": "dpo", "selection": {"models": [model]}, "options": options});
        let (manifest, parts) = self.fetch_export(name, &request).await;
        (manifest, parts.into_iter().flat_map(read_pairs).collect())
    }

    /// Has an export made, waits for it, and fetches it: its manifest and its parts in Parquet.
    async fn fetch_export(&self, name: &str, request: &Value) -> (Value, Vec<Bytes>) {
        let asked = self.service.post("/v1/exports", &self.key, request).await;
        assert_eq!(asked.status, 202, "{}", asked.text);
        let path = format!("/v1/exports/{}", asked.json()["id"].as_str().unwrap());
        let started = Instant::now();
        let manifest = loop {
            let item = self.service.get(&path, &self.key).await.json();
            match item["status"].as_str().unwrap() {
                "completed" => break item["manifest"].clone(),
                "queued" | "running" => assert!(started.elapsed() < DEADLINE, "the export does not end: {item}"),
                _ => panic!("the export failed: {item}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let mut parts = Vec::new();
        let files = manifest["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap());
        for file in files.chain(["manifest.json"]) {
            let content = self.fetch(&format!("{path}/files/{file}")).await;
            self.artefacts.write(&format!("{name}/{file}"), &content);
            if Path::new(file).extension().is_some_and(|extension| extension == "parquet") {
                parts.push(content);
            }
        }
        (manifest, parts)
    }

    async fn fetch(&self, path: &str) -> Bytes {
        let response = self.service.request(Method::GET, path, &self.key).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200, "{path}");
        response.bytes().await.unwrap()
    }

    /// Compares two models, and keeps the report in every form.
    async fn compare(&self, name: &str, control: &str, candidate: &str) -> Value {
        let path = format!("/v1/comparisons?control=model:{control}&candidate=model:{candidate}");
        for (media_type, extension) in [("text/html", "html"), ("text/plain", "txt"), ("application/json", "json")] {
            let request = self.service.request(Method::GET, &path, &self.key).header("accept", media_type);
            let answer = self.service.send(request).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            self.artefacts.write(&format!("{name}.{extension}"), &answer.text);
            if extension == "json" {
                return answer.json();
            }
        }
        unreachable!("JSON is the last form");
    }
}

/// A row of a DPO set.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Pair {
    prompt: String,
    chosen: String,
    rejected: String,
}

fn read_pairs(part: Bytes) -> Vec<Pair> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(part).unwrap().build().unwrap();
    let pairs = |batch: RecordBatch| -> Vec<Pair> {
        (0..batch.num_rows())
            .map(|row| Pair {
                prompt: only_message(&batch, "prompt", row, "user"),
                chosen: only_message(&batch, "chosen", row, "assistant"),
                rejected: only_message(&batch, "rejected", row, "assistant"),
            })
            .collect()
    };
    reader.flat_map(|batch| pairs(batch.unwrap())).collect()
}

fn only_message(batch: &RecordBatch, column: &str, row: usize, role: &str) -> String {
    let messages = batch.column_by_name(column).unwrap().as_list::<i32>().value(row);
    let messages: &StructArray = messages.as_struct();
    let field = |name: &str| messages.column_by_name(name).unwrap().as_string::<i32>().value(0).to_owned();
    assert_eq!((messages.len(), field("role").as_str()), (1, role), "{column}");
    field("content")
}

/// The pairs that rows must give: the decisive ones whose two answers differ.
fn expected_pairs(rows: &[Judged]) -> Vec<Pair> {
    let decisive = rows.iter().filter(|row| !row.is_draw() && row.response != row.baseline_response);
    let mut pairs: Vec<Pair> = decisive
        .map(|row| {
            let (chosen, rejected) = if row.is_won() {
                (&row.response, &row.baseline_response)
            } else {
                (&row.baseline_response, &row.response)
            };
            Pair { prompt: row.prompt.clone(), chosen: chosen.clone(), rejected: rejected.clone() }
        })
        .collect();
    pairs.sort();
    pairs
}

fn assert_exported(rows: &[Judged], n_expected: usize, (manifest, mut pairs): (Value, Vec<Pair>), name: &str) {
    let expected = expected_pairs(rows);
    pairs.sort();
    assert_eq!((expected.len(), pairs.len()), (n_expected, n_expected), "{name}: {manifest:#}");
    // Not assert_eq!: the difference would be printed as megabytes of text.
    assert!(pairs == expected, "{name}: the texts are not those of the source, byte for byte");
    let excluded = manifest["n_exclusions"].as_object().unwrap();
    let n_excluded: u64 = excluded.values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(manifest["funnel"]["n_candidates"], n_expected as u64 + n_excluded, "{manifest:#}");
    assert!(excluded.keys().all(|reason| ["tie", "not_selected"].contains(&reason.as_str())), "{manifest:#}");
    println!("{name:40} {n_expected} pairs of {} rows, texts byte for byte", rows.len());
}

/// Loads a config as its users do, and returns how many rows all splits have; nothing, loudly, where there is no Python.
fn load_config(folder: &Path, config: &str) -> Option<u64> {
    let Some(python) = told_by_environment("AFTERWORD_PYTHON") else {
        eprintln!("SKIPPED: the config {config} was not loaded by datasets; set AFTERWORD_PYTHON");
        return None;
    };
    let load =
        "import sys; from datasets import load_dataset as load; print(sum(load(*sys.argv[1:]).num_rows.values()))";
    let cache = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(python);
    command.env("HF_HUB_OFFLINE", "1").env("HF_DATASETS_CACHE", cache.path());
    let loaded = command.args(["-c", load]).arg(folder).arg(config).output().unwrap();
    assert!(loaded.status.success(), "{config}: {}", String::from_utf8_lossy(&loaded.stderr));
    Some(String::from_utf8_lossy(&loaded.stdout).trim().parse().unwrap())
}

fn assert_published(comparison: &Value, published: &Published, name: &str) {
    let count = |word: &str| comparison["preference"][word].as_f64().unwrap();
    let counted =
        Published { n_wins: count("wins"), n_wins_base: count("losses"), n_draws: count("ties"), n_total: count("n") };
    assert_eq!(&counted, published, "{name}");
    let (wins, losses, ties) = (counted.n_wins, counted.n_wins_base, counted.n_draws);
    let code = comparison["verdict"]["code"].as_str().unwrap();
    println!("{name:40} {wins} wins, {losses} losses, {ties} ties, as published; {code}");
}

/// Checks what the comparison of the two judged models says of their up-rates, and that it advises no switch.
fn assert_no_switch(source: &Source, comparison: &Value) {
    let rate = |rows: &[Judged]| rows.iter().filter(|row| row.is_won()).count() as f64 / rows.len() as f64;
    let metrics = comparison["metrics"].as_array().unwrap();
    let up = metrics.iter().find(|metric| metric["name"] == "thumb_up").unwrap();
    let number = |name: &str| up["difference"][name].as_f64().unwrap();
    let (estimate, low, high) = (number("estimate"), number("low"), number("high"));

    assert!((estimate - (rate(&source.small) - rate(&source.large))).abs() < 1e-12, "{up:#}");
    assert!(low < estimate && estimate < high, "{up:#}");
    let code = comparison["verdict"]["code"].as_str().unwrap();
    assert!(!["SWITCH", "LEAN_SWITCH"].contains(&code), "{}", comparison["verdict"]);
    let points = |share: f64| share * 100.0;
    println!(
        "{LARGE} -> {SMALL}: up-rate {:+.2} points, interval {:+.2} to {:+.2}; verdict {code}",
        points(estimate),
        points(low),
        points(high),
    );
    println!("  {}", comparison["verdict"]["sentence"].as_str().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn real_judgements_come_out_as_they_went_in_and_are_judged_with_care() {
    let Some(source) = Source::read() else { return };
    let artefacts = Artefacts::new();
    let service = TestService::start().await;
    let models = [(LARGE, &source.large, 801), (SMALL, &source.small, 802)];

    // Each model in a project of its own.
    for (model, rows, n_pairs) in models {
        let replay = Replay::new(&service, model, &artefacts).await;
        replay.send(rows).await;

        let name = format!("dpo-{model}");
        let exported = replay.export(&name, model).await;
        let n_draws = rows.iter().filter(|row| row.is_draw()).count();
        assert_eq!(exported.0["n_exclusions"], json!({"tie": n_draws}));
        assert_exported(rows, n_pairs, exported, &name);
        let name = format!("baseline-to-{model}");
        let comparison = replay.compare(&name, &rows[0].baseline_model, model).await;
        assert_published(&comparison, &source.published[model], &name);
    }

    // Both in one project, where they share every prompt: neither model's pairs may suffer from the other's.
    let both = Replay::new(&service, "both", &artefacts).await;
    both.send(&source.large).await;
    both.send(&source.small).await;
    for (model, rows, n_pairs) in models {
        let name = format!("dpo-{model}-beside-the-other");
        assert_exported(rows, n_pairs, both.export(&name, model).await, &name);
        let name = format!("baseline-to-{model}-beside-the-other");
        let comparison = both.compare(&name, &rows[0].baseline_model, model).await;
        assert_published(&comparison, &source.published[model], &name);
    }
    let comparison = both.compare(&format!("{LARGE}-to-{SMALL}"), LARGE, SMALL).await;
    assert_no_switch(&source, &comparison);
    both.fetch_export("all", &json!({"recipe": "all"})).await;
    for config in ["dpo", "kto", "sft", "sft_completion", "reward", "prompts"] {
        let n_rows = load_config(&artefacts.root.join("all"), config);
        assert!(n_rows.is_none_or(|n| n > 500), "{config}: {n_rows:?} rows");
    }
    if artefacts.is_kept {
        println!("data sets and reports are in {}", artefacts.root.display());
    }
    service.stop().await;
}

#[test]
fn the_rows_hold_what_the_leaderboard_counts() {
    let Some(source) = Source::read() else { return };

    for (model, rows) in [(LARGE, &source.large), (SMALL, &source.small)] {
        let count = |test: fn(&Judged) -> bool| rows.iter().filter(|row| test(row)).count() as f64;
        let counted = Published {
            n_wins: count(Judged::is_won),
            n_wins_base: count(Judged::is_lost),
            n_draws: count(Judged::is_draw),
            n_total: rows.len() as f64,
        };

        assert_eq!(counted, source.published[model]);
    }
}
