//! TRUST-1, TRUST-2: whose feedback an export is made of, and that it says so.

use std::sync::Arc;

use afterword::domain::grant::{Grant, Scope};
use afterword::domain::ids::{ConversationId, UserId};
use afterword::domain::principal::Trust;
use afterword::worker::Worker;
use serde_json::{Value, json};
use sqlx::Connection as _;

use super::fixture::{Fixture, completion, manifest, preference};

/// Runs the shipped recipe for pairs with a filter of trust, and returns its manifest and its card.
async fn export(fixture: &Fixture, trust: Option<&str>) -> (Value, String) {
    let mut body = json!({"recipe": "dpo"});
    if let Some(trust) = trust {
        body["selection"] = json!({"trust": trust});
    }
    let id = fixture.request(body).await;
    let export = fixture.until_ended(id).await;
    let card = fixture.read(id, "README.md").await;
    (manifest(&export), String::from_utf8(card.to_vec()).unwrap())
}

/// What a token for the answers of a conversation grants.
fn grant_for(conversation: &str) -> Arc<Grant> {
    Arc::new(Grant {
        subject: UserId::parse("user-5").unwrap(),
        scope: Scope::Conversation(ConversationId::parse(conversation).unwrap()),
        signals: None,
        token_id: "t".to_owned(),
        expires_at: afterword::domain::clock::Timestamp::MAX_UTC,
    })
}

fn told((manifest, card): &(Value, String)) -> (u64, u64, &str, &str) {
    assert_eq!(manifest["recipe"]["selection"]["trust"], manifest["trust"]["filter"]);
    let says_any = card.contains("whether or not anybody vouches");
    assert_eq!(says_any, manifest["trust"]["filter"] == "any", "{card}");
    (
        manifest["n_examples"].as_u64().unwrap(),
        manifest["n_feedback_left_out"]["untrusted"].as_u64().unwrap_or_default(),
        manifest["trust"]["filter"].as_str().unwrap(),
        manifest["trust"]["reason"].as_str().unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_made_of_everybodys_feedback_until_a_token_is_used_and_says_so() {
    let mut fixture = Fixture::with_pairs(3).await;
    let worker = Worker::start(fixture.app.clone());
    fixture.principal.trust = Trust::Unverified;
    fixture.add(3..5, "better").await;
    fixture.principal.trust = Trust::Verified;
    // A token that was granted for a conversation vouches only there.
    let mut elsewhere = completion(5, "new");
    elsewhere["conversation_id"] = "another".into();
    fixture.principal.grant = Some(grant_for("mine"));
    fixture.record(vec![elsewhere, completion(5, "old")], vec![preference(5, "better")]).await;

    let before = export(&fixture, None).await;
    let mut owner = sqlx::PgConnection::connect(fixture.database.owner_url()).await.unwrap();
    sqlx::query("update projects set token_used_at = now()").execute(&mut owner).await.unwrap();
    owner.close().await.unwrap();
    let after = export(&fixture, None).await;
    let open = export(&fixture, Some("any")).await;
    let strict = export(&fixture, Some("verified")).await;

    assert_eq!(told(&before), (6, 0, "any", "no_tokens"));
    assert_eq!(told(&after), (3, 3, "verified", "tokens_used"));
    assert_eq!(told(&open), (6, 0, "any", "asked"));
    assert_eq!(told(&strict), (3, 3, "verified", "asked"));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_one_conversation_makes_no_pair_with_an_answer_of_another() {
    let mut fixture = Fixture::with_pairs(1).await;
    let worker = Worker::start(fixture.app.clone());
    fixture.principal.grant = Some(grant_for("mine"));
    let said_in = |n: usize, model: &str, conversation: &str| {
        let mut item = completion(n, model);
        item["conversation_id"] = conversation.into();
        item
    };
    let answers = vec![
        said_in(1, "new", "mine"),
        said_in(1, "old", "mine"),
        said_in(2, "new", "mine"),
        said_in(2, "old", "another"),
    ];
    let mut regenerated = preference(4, "better");
    regenerated["signal"] = "regenerate".into();
    regenerated["completion_id"] = "new-2".into();
    regenerated["next_completion_id"] = "old-2".into();
    for member in ["against", "outcome"] {
        regenerated.as_object_mut().unwrap().remove(member);
    }
    fixture.record(answers, vec![preference(1, "better"), preference(2, "better"), regenerated]).await;

    let strict = export(&fixture, Some("verified")).await;
    let open = export(&fixture, Some("any")).await;

    assert_eq!(told(&strict), (2, 2, "verified", "asked"));
    assert_eq!(told(&open), (3, 0, "any", "asked"));
    worker.stop().await;
}
