//! TRUST-1, TRUST-2: whose reactions a comparison counts, and that it says so.

use std::sync::Arc;

use afterword::domain::grant::{Grant, Scope};
use afterword::domain::ids::{ConversationId, UserId};
use afterword::domain::principal::Trust;
use afterword::domain::selection::Selection;
use afterword::domain::trust::{TrustFilter, TrustReason, TrustRule};
use afterword::report::comparison::CheckStatus;
use afterword::report::{html, json, text};
use afterword::store::tallies;
use afterword::store::votes::{self, VoteQuery};
use serde_json::{Value, json};
use sqlx::Connection as _;

use super::seed::{OLD_AND_NEW, Seeded, completion, reaction};

/// A project in which nobody vouches for one of the two thumbs.
async fn half_vouched() -> Seeded {
    let mut seeded = Seeded::new().await;
    seeded
        .completions(&[completion("a", "old", json!({"user": "u"})), completion("b", "new", json!({"user": "v"}))])
        .await;
    seeded.feedback(&[reaction(1, "a", "thumb", json!({"value": "up", "user": "u"}))]).await;
    seeded.principal.trust = Trust::Unverified;
    seeded.feedback(&[reaction(2, "b", "thumb", json!({"value": "up", "user": "v"}))]).await;
    seeded.principal.trust = Trust::Verified;
    seeded
}

/// Pretends that a feedback token was accepted in the project.
async fn use_a_token(seeded: &Seeded) {
    let mut owner = sqlx::PgConnection::connect(seeded.database.owner_url()).await.unwrap();
    sqlx::query("update projects set token_used_at = now()").execute(&mut owner).await.unwrap();
    owner.close().await.unwrap();
}

/// Returns the rule, the numbers of liked turns on the two sides, what was unverified, and the check's status.
async fn asked(seeded: &Seeded, trust: Option<&str>) -> (TrustRule, [f64; 2], i64, CheckStatus) {
    let query: Vec<(&str, &str)> = OLD_AND_NEW.into_iter().chain(trust.map(|word| ("trust", word))).collect();
    let comparison = seeded.ask(&query).await.unwrap();
    let liked = comparison.metrics.iter().find(|metric| metric.name == "thumb_up").unwrap();
    let rates = [liked.control, liked.candidate].map(|rate| rate.estimate.unwrap());
    let check = comparison.checks.iter().find(|check| check.name == "unverified").unwrap();

    // Every rendering tells it.
    let wire = json::to_json(&comparison);
    assert_eq!(wire["trust"]["filter"], comparison.trust.filter.as_str());
    let sentence = comparison.trust.sentence();
    assert!(html::to_html(&comparison).contains(sentence));
    let page = text::to_text(&comparison, 100, false);
    let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(sentence), "{page}");
    (comparison.trust, rates, comparison.n_unverified, check.status)
}

#[tokio::test]
async fn everybody_counts_until_a_token_is_used_and_then_only_the_verified_unless_asked_otherwise() {
    let seeded = half_vouched().await;
    let rule = |filter, reason| TrustRule { filter, reason };

    let before = asked(&seeded, None).await;
    let strict = asked(&seeded, Some("verified")).await;
    use_a_token(&seeded).await;
    let after = asked(&seeded, None).await;
    let open = asked(&seeded, Some("any")).await;

    let warned = CheckStatus::Warn;
    assert_eq!(before, (rule(TrustFilter::Any, TrustReason::NoTokens), [1.0, 1.0], 1, warned));
    assert_eq!(strict, (rule(TrustFilter::Verified, TrustReason::Asked), [1.0, 0.0], 1, warned));
    assert_eq!(after, (rule(TrustFilter::Verified, TrustReason::TokensUsed), [1.0, 0.0], 1, warned));
    assert_eq!(open, (rule(TrustFilter::Any, TrustReason::Asked), [1.0, 1.0], 1, warned));
}

/// What a token for the answers of the conversation `mine` grants.
fn grant_for_mine() -> Arc<Grant> {
    Arc::new(Grant {
        subject: UserId::parse("ann").unwrap(),
        scope: Scope::Conversation(ConversationId::parse("mine").unwrap()),
        signals: None,
        token_id: "t".to_owned(),
        expires_at: afterword::domain::clock::Timestamp::MAX_UTC,
    })
}

#[tokio::test]
async fn a_token_for_one_conversation_vouches_for_no_other() {
    let mut seeded = Seeded::new().await;
    let of =
        |id: &str, conversation: Value| completion(id, "old", json!({"user": id, "conversation_id": conversation}));
    seeded.principal.grant = Some(grant_for_mine());
    let up = |number, id: &str| reaction(number, id, "thumb", json!({"value": "up", "user": "ann"}));
    seeded.feedback(&[up(1, "in"), up(2, "out"), up(3, "none")]).await;
    seeded.completions(&[of("in", json!("mine")), of("out", json!("another")), of("none", Value::Null)]).await;

    let ups = |tallies: Vec<afterword::store::tallies::UnitTally>| -> Vec<(String, i64)> {
        tallies.into_iter().map(|tally| (tally.unit, tally.n_up)).collect()
    };
    let strict = ups(seeded.list(afterword::domain::experiment::Unit::User).await);
    let n_unverified = seeded.coverage().await.n_unverified;
    seeded.trust = TrustFilter::Any;
    let open = ups(seeded.list(afterword::domain::experiment::Unit::User).await);

    let of = |n_in, n_none, n_out| {
        vec![("u:in".to_owned(), n_in), ("u:none".to_owned(), n_none), ("u:out".to_owned(), n_out)]
    };
    assert_eq!(strict, of(1, 0, 0));
    assert_eq!(n_unverified, 2);
    assert_eq!(open, of(1, 1, 1));
}

#[tokio::test]
async fn a_token_for_one_conversation_does_not_count_on_the_turn_of_another_that_its_answer_regenerates() {
    let mut seeded = Seeded::new().await;
    let of = |id: &str, user: &str, conversation: &str, parent: Value| {
        let more = json!({"user": user, "conversation_id": conversation, "parent_completion_id": parent});
        completion(id, "old", more)
    };
    seeded
        .completions(&[
            of("theirs", "bob", "another", Value::Null),
            of("between", "ann", "mine", json!("theirs")),
            of("on theirs", "ann", "mine", json!("between")),
            of("own", "ann", "mine", Value::Null),
            of("on own", "ann", "mine", json!("own")),
        ])
        .await;
    seeded.principal.grant = Some(grant_for_mine());
    let up = |number, id: &str| reaction(number, id, "thumb", json!({"value": "up", "user": "ann"}));
    seeded.feedback(&[up(1, "on theirs"), up(2, "on own")]).await;

    let ups = |tallies: Vec<afterword::store::tallies::UnitTally>| -> Vec<(String, i64)> {
        tallies.into_iter().map(|tally| (tally.unit, tally.n_up)).collect()
    };
    let strict = ups(seeded.list(afterword::domain::experiment::Unit::User).await);
    seeded.trust = TrustFilter::Any;
    let open = ups(seeded.list(afterword::domain::experiment::Unit::User).await);

    assert_eq!(strict, [("u:ann".to_owned(), 1), ("u:bob".to_owned(), 0)]);
    assert_eq!(open, [("u:ann".to_owned(), 1), ("u:bob".to_owned(), 1)]);
}

impl Seeded {
    /// Counts wins, losses and ties of the new model among the votes by which several variants are ranked.
    async fn votes(&self) -> (usize, usize, usize) {
        let selection = Selection::default();
        let query = VoteQuery {
            project_id: self.principal.project_id,
            experiment: "none",
            variants: ["old", "new"].map(str::to_owned).to_vec(),
            models: ["old", "new"].map(str::to_owned).to_vec(),
            trust: self.trust,
            selection: &selection,
        };
        let mut tx = self.app.store.begin_snapshot("test", self.principal.project_id).await.unwrap();
        tallies::prepare(&mut tx).await.unwrap();
        let votes = votes::list(&mut tx, &query).await.unwrap();
        let won = |new_won: bool| {
            let is = |vote: &&votes::Vote| vote.is_better == Some((vote.variant == 1) == new_won);
            votes.iter().filter(is).count()
        };
        (won(true), won(false), votes.iter().filter(|vote| vote.is_better.is_none()).count())
    }
}

#[tokio::test]
async fn a_token_for_one_conversation_chooses_between_none_but_its_answers_and_takes_nothing_back_by_it() {
    let mut seeded = Seeded::new().await;
    let of = |id: &str, model: &str, prompt: &str, conversation: &str| {
        completion(id, model, json!({"prompt": prompt, "conversation_id": conversation}))
    };
    seeded
        .completions(&[
            of("a", "old", "p", "mine"),
            of("b", "new", "p", "mine"),
            of("c", "old", "q", "mine"),
            of("d", "new", "q", "mine"),
            of("foreign", "new", "q", "another"),
        ])
        .await;
    seeded.principal.grant = Some(grant_for_mine());
    let prefer = |number, id: &str, against: &str, outcome: &str, supersedes: Value| {
        let own = json!({"against": against, "outcome": outcome, "user": "ann", "supersedes": supersedes});
        reaction(number, id, "preference", own)
    };
    seeded
        .feedback(&[
            prefer(1, "a", "b", "worse", Value::Null),
            prefer(2, "c", "d", "better", Value::Null),
            prefer(3, "c", "foreign", "worse", json!(super::seed::feedback_id(2))),
        ])
        .await;

    let strict = (seeded.choices().await, seeded.votes().await);
    seeded.trust = TrustFilter::Any;
    let open = (seeded.choices().await, seeded.votes().await);

    assert_eq!((strict.0.n_wins, strict.0.n_losses, strict.0.n_ties), (1, 1, 0));
    assert_eq!((open.0.n_wins, open.0.n_losses, open.0.n_ties), (2, 0, 0));
    // What several candidates are ranked by is what two are compared by.
    assert_eq!((strict.1, open.1), ((1, 1, 0), (2, 0, 0)));
}
