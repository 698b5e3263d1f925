//! What biases an export, told and mended, from recorded feedback to the files.

use afterword::domain::export::ExportStatus;
use afterword::worker::Worker;
use arrow::array::AsArray as _;
use arrow::datatypes::Float64Type;
use serde_json::{Value, json};
use uuid::Uuid;

use super::fixture::{Fixture, batches, completion, manifest};

/// A user's choice between the two answers to prompt `n`; the numbers of the votes must differ.
fn vote(number: usize, n: usize, user: &str, new_wins: bool, new_first: bool) -> Value {
    json!({
        "id": Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number as u128).to_string(),
        "completion_id": format!("new-{n}"),
        "signal": "preference",
        "against": format!("old-{n}"),
        "outcome": if new_wins { "better" } else { "worse" },
        "shown_first": if new_first { "this" } else { "against" },
        "user": user,
    })
}

/// Two answers to prompt `n`, of an experiment, in a language.
fn answers(n: usize, language: &str) -> [Value; 2] {
    ["new", "old"].map(|model| {
        let mut answer = completion(n, model);
        answer["language"] = json!(language);
        answer["experiment"] = json!("swap");
        answer["variant"] = json!(model);
        answer
    })
}

struct Exported {
    manifest: Value,
    stats: Value,
    weights: Vec<f64>,
}

/// Runs an export of pairs with some options.
async fn export(fixture: &Fixture, options: Value) -> Exported {
    let id = fixture.request(json!({"recipe": "dpo", "options": options})).await;
    let ended = fixture.until_ended(id).await;
    assert_eq!(ended.status, ExportStatus::Completed, "{:?}", ended.problem);
    let manifest = manifest(&ended);
    let stats: Value = serde_json::from_slice(&fixture.read(id, "stats.json").await).unwrap();
    let mut weights = Vec::new();
    for file in manifest["configs"]["dpo"].as_object().unwrap().values().flat_map(|files| files.as_array().unwrap()) {
        for batch in batches(fixture.read(id, file["path"].as_str().unwrap()).await) {
            weights.extend(batch.column_by_name("sample_weight").unwrap().as_primitive::<Float64Type>().values());
        }
    }
    weights.sort_by(f64::total_cmp);
    let excluded: u64 = manifest["n_exclusions"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(manifest["funnel"]["n_candidates"].as_u64(), manifest["n_examples"].as_u64().map(|n| n + excluded));
    assert_eq!(manifest["n_examples"].as_u64(), Some(weights.len() as u64));
    Exported { manifest, stats, weights }
}

/// A hundred prompts in two languages, the answers to half of the German ones unrated. Two users vote on each rated one;
/// on every fifth they differ. What is seen first wins nine times of ten.
async fn swapped() -> Fixture {
    let fixture = Fixture::new().await;
    let completions = (0..400).flat_map(|n| answers(n, if n < 200 { "en" } else { "de" })).collect();
    let rated = (0..200).chain(200..220);
    let feedback = rated.flat_map(|n| {
        let new_wins = n % 2 == 0;
        let new_first = if n % 10 == 9 { !new_wins } else { new_wins };
        let first = vote(2 * n, n, &format!("u{n}"), new_wins, new_first);
        let second = vote(2 * n + 1, n, &format!("v{n}"), new_wins != (n % 5 == 0), new_first);
        [first, second]
    });
    fixture.record(completions, feedback.collect()).await;
    fixture
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_says_what_biases_it_and_which_flags_help() {
    let fixture = swapped().await;
    let worker = Worker::start(fixture.app.clone());

    let Exported { manifest, stats, weights } = export(&fixture, json!({})).await;
    worker.stop().await;

    let biases = &stats["biases"];
    // 44 of 220 pairs are contested: d = 0.2, e = 0.1127.
    assert_eq!(biases["label_noise"]["n_items"], 220);
    assert_eq!(biases["label_noise"]["error_rate"], 0.112_702);
    let command = manifest["commands"][0].as_str().unwrap();
    assert!(command.contains(" --loss_type robust --label_smoothing 0.11"), "{command}");
    assert_eq!(manifest["n_exclusions"], json!({"votes_disagree": 44}));
    assert_eq!(biases["position"]["swap"]["n"], 176);
    assert!(biases["position"]["swap"]["low"].as_f64().unwrap() > 0.8, "{biases}");
    assert_eq!(biases["users"], json!({"n_users": 352, "n_rows_of_busiest": 1, "n_rows_without_user": 0}));
    let rate = |by: &str, word: &str| biases["selection"][by][word]["rate"].as_f64().unwrap();
    assert!((rate("languages", "en") - 1.0).abs() < 1e-9 && (rate("languages", "de") - 0.1).abs() < 1e-9, "{biases}");
    assert_eq!(biases["selection"]["all"]["n_completions"], 800);
    let warnings: Vec<&str> =
        manifest["warnings"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    for start in ["The answer that was seen first is the better one", "Feedback depends on the language"] {
        assert!(warnings.iter().any(|warning| warning.starts_with(start)), "{start}: {warnings:?}");
    }
    assert!(weights.iter().all(|weight| (*weight - 1.0).abs() < 1e-12));
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_even_out_who_reacts_and_where_the_answer_stood_or_leave_rows_out() {
    let fixture = swapped().await;
    let worker = Worker::start(fixture.app.clone());

    let ipw = export(&fixture, json!({"selection_bias": "ipw"})).await;
    let both = export(&fixture, json!({"selection_bias": "ipw", "position": "reweight"})).await;
    let again = export(&fixture, json!({"selection_bias": "ipw", "position": "reweight"})).await;
    let rows = export(&fixture, json!({"selection_bias": "ipw", "weights": "resample"})).await;
    worker.stop().await;

    // 0.55 of all answers have feedback, all of the English ones and a tenth of the German ones.
    assert_eq!(ipw.weights.len(), 176);
    let n_heavy = ipw.weights.iter().filter(|weight| **weight > 2.0).count();
    assert_eq!(n_heavy, 16, "the German rows: {:?}", ipw.weights);
    assert!((0.5..0.7).contains(&ipw.weights[0]), "{}", ipw.weights[0]);
    assert!(ipw.stats["biases"]["weights"]["n_effective_rows"].as_f64().unwrap() < 176.0);
    assert_ne!(both.weights, ipw.weights);
    assert_eq!((&both.stats, &both.weights), (&again.stats, &again.weights));
    assert!(rows.weights.len() < 100 && rows.weights.len() > 20, "{}", rows.weights.len());
    assert!(rows.weights.iter().all(|weight| (*weight - 1.0).abs() < 1e-12));
    assert_eq!(rows.manifest["n_exclusions"]["resampled"].as_u64(), Some(176 - rows.weights.len() as u64));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_user_is_capped_and_reliable_users_are_believed() {
    let fixture = Fixture::new().await;
    let completions = (0..120).flat_map(|n| answers(n, "en")).collect();
    // On the first 60 prompts three good users agree and two others follow nobody; on the rest one user votes alone.
    let panel = (0..60).flat_map(|n| {
        let right = n % 2 == 0;
        let votes = [("good1", right), ("good2", right), ("good3", right), ("lost1", n % 3 == 0), ("lost2", n % 4 < 2)];
        votes.into_iter().enumerate().map(move |(nth, (user, new))| vote(5 * n + nth, n, user, new, nth % 2 == 0))
    });
    let busy = (60..120).map(|n| vote(1_000 + n, n, "busy", n % 3 != 0, n % 2 == 0));
    fixture.record(completions, panel.chain(busy).collect()).await;
    let worker = Worker::start(fixture.app.clone());

    let counted = export(&fixture, json!({})).await;
    let weighed =
        export(&fixture, json!({"aggregate": "dawid_skene", "max_rows_per_user": 0, "max_user_share": 1.0})).await;
    worker.stop().await;

    // Good users share the rows of the panel, at most ten for each of five voters; the busy one keeps ten.
    assert_eq!(counted.stats["biases"]["users"]["n_users"], 6);
    let n_capped = counted.manifest["n_exclusions"]["too_many_rows_of_user"].as_u64().unwrap();
    assert!(n_capped >= 50, "{n_capped}");
    assert!(counted.stats["biases"]["reliability"].is_null());
    assert_eq!(weighed.manifest["n_exclusions"], json!({"too_few_overlapping_votes": 60}));
    let reliability = &weighed.stats["biases"]["reliability"];
    assert_eq!((&reliability["n_items"], &reliability["n_items_below"]), (&json!(60), &json!(60)));
    assert_eq!(reliability["n_voters"], 5);
    assert!(reliability["quartiles"][0].as_f64().unwrap() < 0.7 && reliability["quartiles"][2].as_f64().unwrap() > 0.9);
}
