//! Comparisons of simulated traffic whose truth is known.
//!
//! The simulator is reference material that does not ship with the product: without `AFTERWORD_SHARED` the tests say
//! loudly that they were skipped.

use std::path::PathBuf;
use std::process::Command;

use afterword::report::comparison::Comparison;
use afterword::stats::verdict::{VerdictCode, VerdictReason};
use serde_json::{Value, json};

use super::seed::{Seeded, completion, reaction};

/// Plays a preset and gives its completions and events; nothing where the simulator is not there.
fn play(preset: &str, n_users: u32, seed: u32) -> Option<(Vec<Value>, Vec<Value>)> {
    let shared = PathBuf::from(std::env::var_os("AFTERWORD_SHARED")?);
    let out = tempfile::tempdir().unwrap();
    let status = Command::new("python3")
        .arg(shared.join("sim/simulate.py"))
        .args(["data", "--preset", preset, "--users", &n_users.to_string(), "--seed", &seed.to_string(), "--out"])
        .arg(out.path())
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let lines = |name: &str| -> Vec<Value> {
        let text = std::fs::read_to_string(out.path().join(name)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    Some((lines("completions.jsonl"), lines("events.jsonl")))
}

fn to_completion(row: &Value) -> Value {
    let mut more = json!({
        "conversation_id": row["conversation_id"], "turn_index": row["turn_index"], "user": row["user_id"],
        "attempt": row["attempt"].as_u64().unwrap() + 1, "task": row["task"], "finish_reason": row["finish_reason"],
        "created_at": row["created_at"],
        "usage": { "input_tokens": row["prompt_tokens"], "output_tokens": row["completion_tokens"] },
        "timing": { "ttft_ms": row["ttft_ms"], "latency_ms": row["latency_ms"] },
        "serving": { "kv_cache_usage": row["kv_cache_util"] }, "cost_usd": row["cost_usd"],
    });
    for (ours, theirs) in
        [("experiment", "experiment_id"), ("variant", "variant"), ("parent_completion_id", "parent_completion_id")]
    {
        if row[theirs].is_string() {
            more[ours] = row[theirs].clone();
        }
    }
    completion(row["completion_id"].as_str().unwrap(), row["model"].as_str().unwrap(), more)
}

fn to_reaction(number: usize, row: &Value) -> Option<Value> {
    let mut more = json!({ "user": row["user_id"], "occurred_at": row["created_at"] });
    let signal = match row["type"].as_str().unwrap() {
        "thumbs_up" => {
            more["value"] = json!("up");
            "thumb"
        }
        "thumbs_down" => {
            more["value"] = json!("down");
            "thumb"
        }
        "continue" => "continuation",
        "edit" => {
            more["text"] = json!("an edited answer");
            "edit"
        }
        // Side-by-side answers carry no variant.
        "preference" => return None,
        same @ ("copy" | "regenerate") => same,
        other => panic!("an event of type {other}"),
    };
    Some(reaction(number as u128, row["completion_id"].as_str().unwrap(), signal, more))
}

/// Plays a preset into a database and compares its variants.
async fn verdict_of(preset: &str, n_users: u32, seed: u32, only_first_turns: bool) -> Option<Comparison> {
    let Some((completions, events)) = play(preset, n_users, seed) else {
        eprintln!("SKIPPED: no simulator; set AFTERWORD_SHARED to compare simulated traffic");
        return None;
    };
    let seeded = Seeded::new().await;
    seeded
        .declare(json!({
            "key": "exp-1", "control": "model-a",
            "variants": [{ "name": "model-a", "model": "model-a", "share": 0.5 },
                         { "name": "model-b", "model": "model-b", "share": 0.5 }],
        }))
        .await;
    let mut seen = std::collections::HashSet::new();
    let completions: Vec<Value> = completions
        .iter()
        .filter(|row| row["variant"].is_string())
        .filter(|row| !only_first_turns || seen.insert(row["user_id"].to_string()))
        .map(to_completion)
        .collect();
    seeded.completions(&completions).await;
    if !only_first_turns {
        let kept: std::collections::HashSet<&str> = completions.iter().filter_map(|item| item["id"].as_str()).collect();
        let reactions: Vec<Value> = events
            .iter()
            .enumerate()
            .filter(|(_, row)| row["completion_id"].as_str().is_some_and(|id| kept.contains(id)))
            .filter_map(|(number, row)| to_reaction(number, row))
            .collect();
        seeded.feedback(&reactions).await;
    }
    let comparison = seeded.ask(&[("experiment", "exp-1")]).await.unwrap();
    println!("{preset}: {} {}", comparison.verdict.code.as_str(), comparison.verdict.sentence);
    Some(comparison)
}

#[tokio::test]
async fn equal_models_are_neither_worse_nor_better() {
    let Some(comparison) = verdict_of("null", 500, 7, false).await else { return };

    assert_ne!(comparison.verdict.reason, VerdictReason::WorseThanMargin);
    assert_ne!(comparison.verdict.reason, VerdictReason::Better);
    assert_ne!(comparison.verdict.code, VerdictCode::Invalid);
}

#[tokio::test]
async fn a_worse_model_is_never_switched_to() {
    let Some(comparison) = verdict_of("worse", 500, 7, false).await else { return };

    let code = comparison.verdict.code;
    assert!(matches!(code, VerdictCode::Keep | VerdictCode::KeepCollecting), "{}", comparison.verdict.sentence);
}

#[tokio::test]
async fn a_better_model_is_never_said_to_be_worse() {
    let Some(comparison) = verdict_of("better", 500, 7, false).await else { return };

    assert_ne!(comparison.verdict.code, VerdictCode::Keep, "{}", comparison.verdict.sentence);
    assert_ne!(comparison.verdict.code, VerdictCode::Invalid, "{}", comparison.verdict.sentence);
}

#[tokio::test]
async fn lost_units_make_the_comparison_invalid() {
    // The planned shares are judged by units alone, so that each unit's first turn is enough.
    let Some(comparison) = verdict_of("srm_bug", 4000, 7, true).await else { return };

    assert_eq!(comparison.verdict.code, VerdictCode::Invalid, "{}", comparison.verdict.sentence);
    assert_eq!(comparison.verdict.reason, VerdictReason::SampleRatioMismatch);
}

#[tokio::test]
async fn switched_models_within_a_variant_make_the_comparison_invalid() {
    let Some(comparison) = verdict_of("crossover", 200, 7, false).await else { return };

    assert_eq!(comparison.verdict.reason, VerdictReason::Crossover, "{}", comparison.verdict.sentence);
}
