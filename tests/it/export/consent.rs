//! What a project declares of completions that say nothing of consent.

use afterword::domain::consent::ConsentDefault;
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
        let n_missing = manifest.n_exclusions.get("consent_missing").copied();
        assert_eq!(manifest.consent_default, *default);
        found.push((*word, manifest.n_examples, n_missing));
    }

    assert_eq!(
        found,
        [("granted", 2, Some(1)), ("none", 1, Some(2)), ("refused", 1, Some(2)), ("granted", 2, Some(1))],
        "a refusal of its own always holds, and a declaration can be taken back"
    );
}
