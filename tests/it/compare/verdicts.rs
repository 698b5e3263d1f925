//! Whole comparisons from stored rows.

use afterword::report::comparison::{CheckStatus, Comparison, Role};
use afterword::report::json::to_json;
use afterword::service::error::ServiceError;
use afterword::stats::verdict::{ComparisonMode, VerdictCode, VerdictReason};
use serde_json::{Value, json};

use super::seed::{OLD_AND_NEW, Seeded, completion, reaction, spec};

fn swap(candidate_model: &str) -> Value {
    json!({
        "key": "swap", "control": "control", "margins": { "good_turn": 0.04 },
        "variants": [
            { "name": "control", "model": "old", "share": 0.5 },
            { "name": "candidate", "model": candidate_model, "share": 0.5 },
        ],
    })
}

fn assigned(id: &str, user: &str, variant: &str, model: &str) -> Value {
    completion(id, model, json!({ "user": user, "experiment": "swap", "variant": variant }))
}

fn check(comparison: &Comparison, name: &str) -> CheckStatus {
    comparison.checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("no check {name}")).status
}

#[tokio::test]
async fn two_models_are_compared_as_they_happened_to_be_used() {
    let seeded = Seeded::new().await;
    let mut completions = Vec::new();
    let mut feedback = Vec::new();
    for user in 0..10_u128 {
        for model in ["old", "new"] {
            let id = format!("{model}-{user}");
            completions.push(completion(&id, model, json!({ "user": format!("u{user}") })));
            let is_up = user < if model == "old" { 6 } else { 4 };
            let number = user * 2 + u128::from(model == "new");
            feedback.push(reaction(number, &id, "thumb", json!({ "value": if is_up { "up" } else { "down" } })));
        }
    }
    seeded.completions(&completions).await;
    seeded.feedback(&feedback).await;

    let comparison = seeded.ask(&OLD_AND_NEW).await.unwrap();

    let wire = to_json(&comparison);
    assert_eq!(comparison.mode, ComparisonMode::Observational);
    assert_eq!(wire["metrics"][2]["name"], "thumb_up");
    assert_eq!(wire["metrics"][2]["control"]["n"], 10);
    assert_eq!(wire["metrics"][2]["control"]["estimate"], 0.6);
    assert_eq!(wire["metrics"][2]["candidate"]["estimate"], 0.4);
    let difference = &wire["metrics"][2]["difference"];
    assert!((difference["estimate"].as_f64().unwrap() + 0.2).abs() < 1e-12);
    assert!(difference["low"].as_f64().unwrap() < -0.2 && difference["high"].as_f64().unwrap() > 0.0);
    assert_eq!(difference["method"], "wider_of_paired_and_newcombe_relative");
    assert!(!matches!(comparison.verdict.code, VerdictCode::Switch | VerdictCode::LeanSwitch));
    assert_eq!(check(&comparison, "minimum_evidence"), CheckStatus::Warn);
}

#[tokio::test]
async fn an_experiment_is_compared_by_its_variants_with_what_was_planned() {
    let seeded = Seeded::new().await;
    seeded.declare(swap("new")).await;
    let completions: Vec<Value> = (0..40)
        .map(|user| {
            let (variant, model) = if user % 2 == 0 { ("control", "old") } else { ("candidate", "new") };
            assigned(&format!("c{user}"), &format!("u{user}"), variant, model)
        })
        .chain([completion("outside", "old", json!({ "user": "u1" }))])
        .collect();
    seeded.completions(&completions).await;
    seeded.feedback(&[reaction(1, "c1", "copy", json!({})), reaction(2, "c2", "regenerate", json!({}))]).await;

    let planned = seeded.ask(&[("experiment", "swap")]).await.unwrap();
    let asked = seeded.ask(&[("experiment", "swap"), ("margin.good_turn", "0.08")]).await.unwrap();

    assert_eq!(
        (planned.mode, planned.control.n_turns, planned.candidate.n_turns),
        (ComparisonMode::Randomised, 20, 20)
    );
    assert_eq!(planned.candidate.model.as_deref(), Some("new"));
    assert_eq!(planned.experiment.as_ref().unwrap().planned_shares, (0.5, 0.5));
    assert_eq!(check(&planned, "sample_ratio"), CheckStatus::Pass);
    assert!(planned.margin_departures.is_empty());
    assert_eq!(asked.margin_departures, [("good_turn".to_owned(), 0.04, 0.08)]);
    let roles: Vec<(&str, Role)> = planned.metrics.iter().map(|metric| (metric.name, metric.role)).collect();
    assert_eq!(
        roles[..3],
        [("good_turn", Role::MustPass), ("bad_turn", Role::MustPass), ("thumb_up", Role::Secondary)]
    );
}

#[tokio::test]
async fn shares_that_were_not_planned_make_the_comparison_invalid_and_withhold_its_numbers() {
    let seeded = Seeded::new().await;
    seeded.declare(swap("new")).await;
    let completions: Vec<Value> = (0..200)
        .map(|user| {
            let variant = if user % 4 == 0 { "candidate" } else { "control" };
            assigned(&format!("c{user}"), &format!("u{user}"), variant, "old")
        })
        .collect();
    seeded.completions(&completions).await;

    let comparison = seeded.ask(&[("experiment", "swap")]).await.unwrap();

    let wire = to_json(&comparison);
    let verdict = (comparison.verdict.code, comparison.verdict.reason);
    assert_eq!(verdict, (VerdictCode::Invalid, VerdictReason::SampleRatioMismatch));
    assert!(comparison.verdict.sentence.contains("25.0% of 200 users"), "{}", comparison.verdict.sentence);
    assert_eq!(wire["metrics"][0]["difference"]["estimate"], Value::Null);
    assert_eq!(wire["metrics"][0]["candidate"]["estimate"], Value::Null);
    assert_eq!(wire["metrics"][0]["candidate"]["n_users"], 50);
}

#[tokio::test]
async fn a_variant_that_nobody_got_is_invalid_and_not_a_quiet_zero() {
    let seeded = Seeded::new().await;
    seeded.declare(swap("new")).await;
    let completions: Vec<Value> =
        (0..40).map(|user| assigned(&format!("c{user}"), &format!("u{user}"), "control", "old")).collect();
    seeded.completions(&completions).await;

    let comparison = seeded.ask(&[("experiment", "swap")]).await.unwrap();

    assert_eq!(comparison.verdict.code, VerdictCode::Invalid);
    assert_eq!(comparison.candidate.n_turns, 0);
}

#[tokio::test]
async fn fallbacks_to_the_other_sides_model_are_crossover() {
    let seeded = Seeded::new().await;
    seeded.declare(swap("new")).await;
    let completions: Vec<Value> = (0..100)
        .map(|user| {
            let (variant, model) = match user {
                user if user % 2 == 0 => ("control", "old"),
                user if user < 20 => ("candidate", "old"),
                _ => ("candidate", "new"),
            };
            assigned(&format!("c{user}"), &format!("u{user}"), variant, model)
        })
        .collect();
    seeded.completions(&completions).await;

    let comparison = seeded.ask(&[("experiment", "swap")]).await.unwrap();

    assert_eq!((comparison.verdict.code, comparison.verdict.reason), (VerdictCode::Invalid, VerdictReason::Crossover));
    assert!(comparison.verdict.sentence.contains("10 of 100 users (10.0%)"), "{}", comparison.verdict.sentence);
}

#[tokio::test]
async fn an_experiment_randomised_by_conversation_counts_conversations_and_clusters_by_user() {
    let seeded = Seeded::new().await;
    let mut declaration = swap("new");
    declaration["unit"] = json!("conversation");
    seeded.declare(declaration).await;
    let completions: Vec<Value> = (0..60)
        .map(|conversation| {
            let (variant, model) = if conversation % 2 == 0 { ("control", "old") } else { ("candidate", "new") };
            let mut item = assigned(&format!("c{conversation}"), &format!("u{}", conversation / 4), variant, model);
            item["conversation_id"] = json!(format!("conversation {conversation}"));
            item
        })
        .collect();
    seeded.completions(&completions).await;
    seeded.feedback(&[reaction(1, "c1", "copy", json!({}))]).await;

    let comparison = seeded.ask(&[("experiment", "swap")]).await.unwrap();

    assert_eq!((comparison.control.n_users, comparison.candidate.n_users), (15, 15));
    assert_eq!(check(&comparison, "sample_ratio"), CheckStatus::Pass);
    assert_eq!(check(&comparison, "crossover"), CheckStatus::Pass);
    let ratio = comparison.checks.iter().find(|check| check.name == "sample_ratio").unwrap();
    assert!(ratio.detail.contains("60 conversations"), "{}", ratio.detail);
}

#[tokio::test]
async fn a_question_without_data_or_about_what_was_never_declared_is_refused_without_an_echo() {
    let seeded = Seeded::new().await;
    seeded.declare(swap("new")).await;
    seeded.completions(&[completion("a", "old", json!({}))]).await;

    let one_sided = seeded.ask(&OLD_AND_NEW).await.unwrap_err();
    let empty = seeded.ask(&[("control", "model:x"), ("candidate", "model:y")]).await.unwrap_err();
    let unstarted = seeded.ask(&[("experiment", "swap")]).await.unwrap_err();
    let undeclared = seeded.ask(&[("experiment", "never")]).await.unwrap_err();

    assert_eq!(one_sided.to_string(), "nothing to compare: no completions of the candidate model");
    assert_eq!(empty.to_string(), "nothing to compare: no completions of either model");
    assert_eq!(unstarted.to_string(), "nothing to compare: no completions of the experiment's control and candidate");
    assert!(matches!(undeclared, ServiceError::NotFound));
}

#[tokio::test]
async fn another_project_sees_nothing_of_it() {
    let seeded = Seeded::new().await;
    seeded.completions(&[completion("a", "old", json!({})), completion("b", "new", json!({}))]).await;
    let mut stranger = seeded.principal.clone();
    stranger.project_id = afterword::service::bootstrap::ensure(&seeded.app, "another", None).await.unwrap();

    let ours = seeded.ask(&OLD_AND_NEW).await;
    let theirs = afterword::service::compare::compare(&seeded.app, &stranger, spec(&OLD_AND_NEW)).await;

    assert!(ours.is_ok());
    assert!(matches!(theirs, Err(ServiceError::NoData(_))));
}

#[tokio::test]
async fn filters_narrow_both_sides_and_are_told() {
    let seeded = Seeded::new().await;
    let of = |id: &str, model: &str, task: &str| completion(id, model, json!({ "task": task, "language": "en" }));
    seeded
        .completions(&[of("a", "old", "code"), of("b", "old", "chat"), of("c", "new", "code"), of("d", "new", "chat")])
        .await;
    let query = [OLD_AND_NEW.as_slice(), &[("task", "code"), ("language", "en")]].concat();

    let comparison = seeded.ask(&query).await.unwrap();

    assert_eq!((comparison.control.n_turns, comparison.candidate.n_turns), (1, 1));
    let filters = [("task".to_owned(), "code".to_owned()), ("language".to_owned(), "en".to_owned())];
    assert_eq!(comparison.filters, filters);
    assert_eq!(to_json(&comparison)["filters"], json!({ "task": "code", "language": "en" }));
}
