//! What a project declares of completions that say nothing of consent.

use afterword::domain::consent::ConsentDefault;
use afterword::service::export_folder::export_to_folder;
use afterword::service::projects;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::fixture::{Fixture, completion, preference};

/// A project with three prompts: both answers consent, say nothing, or one refuses.
async fn three_prompts() -> Fixture {
    let fixture = Fixture::new().await;
    let mut completions = Vec::new();
    for (n, consent) in [(1, json!({"training": true})), (2, Value::Null), (3, json!({"training": false}))] {
        for model in ["new", "old"] {
            let mut item = completion(n, model);
            item["consent"] = if n == 3 && model == "old" { Value::Null } else { consent.clone() };
            completions.push(item);
        }
    }
    fixture.record(completions, (1..=3).map(|n| preference(n, "better")).collect()).await;
    fixture
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_that_say_nothing_take_what_the_project_declares_when_they_are_read() {
    let fixture = three_prompts().await;
    let root = tempfile::tempdir().unwrap();

    let mut found = Vec::new();
    for (nth, (word, default)) in [ConsentDefault::WORDS, &ConsentDefault::WORDS[..1]].concat().iter().rev().enumerate()
    {
        projects::set_consent_default(&fixture.app, &fixture.principal, *default).await.unwrap();
        let out = root.path().join(nth.to_string());
        let manifest = super::folder::export(&fixture, "dpo", &out, false, &CancellationToken::new()).await.unwrap();
        let n_of = |reason: &str| manifest.n_exclusions.get(reason).copied().unwrap_or_default();
        assert_eq!(manifest.consent_default, *default);
        let n_rows = &manifest.consent.n_rows;
        assert_eq!(n_rows.values().sum::<u64>(), manifest.n_examples);
        let (n_refused, n_missing) = (n_of("consent_refused"), n_of("consent_missing"));
        assert_eq!(n_refused + n_missing + manifest.n_examples, 3);
        assert_eq!(n_missing > 0, *word == "none");
        let card = std::fs::read_to_string(out.join("README.md")).unwrap();
        assert_eq!(card.contains("1 rows rest on what the project declares"), *word == "granted", "{card}");
        found.push((*word, n_rows["recorded"], n_rows["presumed"]));
    }

    assert_eq!(
        found,
        [("granted", 1, 1), ("none", 1, 0), ("refused", 1, 0), ("granted", 1, 1)],
        "a refusal of its own always holds, and a declaration can be taken back"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipe_that_ignores_consent_sets_no_refusal_aside_and_says_what_its_rows_rest_on() {
    let fixture = three_prompts().await;
    let root = tempfile::tempdir().unwrap();
    let recipe = root.path().join("mine.toml");
    std::fs::write(&recipe, "format = \"dpo\"\n[options]\nconsent = \"ignore\"\n").unwrap();
    let recipe = afterword::service::recipes::parse_toml(&std::fs::read_to_string(recipe).unwrap()).unwrap();

    let mut found = Vec::new();
    for (word, default) in ConsentDefault::WORDS {
        projects::set_consent_default(&fixture.app, &fixture.principal, *default).await.unwrap();
        let (out, progress) = (root.path().join(word), std::sync::Arc::default());
        let stop = CancellationToken::new();
        let project = fixture.principal.project_id;
        let made = export_to_folder(&fixture.app, project, &recipe, &out, false, &progress, &stop).await.unwrap();
        let is_warned = made.warnings.iter().any(|warning| warning.contains("nobody recorded or declared consent"));
        found.push((
            *word,
            made.n_examples,
            made.n_exclusions["consent_refused"],
            made.consent.n_rows["none"],
            is_warned,
        ));
    }

    assert_eq!(
        found,
        [("granted", 2, 1, 0, false), ("refused", 1, 2, 0, false), ("none", 2, 1, 1, true)],
        "what is refused stays, by whomever"
    );
}
