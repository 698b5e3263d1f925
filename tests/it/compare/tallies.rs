//! Tallies against numbers counted by hand.

use afterword::domain::experiment::Unit;
use afterword::domain::principal::Trust;
use afterword::domain::selection::Selection;
use afterword::domain::trust::TrustFilter;
use afterword::report::comparison::CheckStatus;
use afterword::store::tallies::{self, Choices, Coverage, TallyQuery, UnitTally};
use afterword::store::turns::{self, Reading};
use serde_json::{Value, json};

use super::seed::{OLD_AND_NEW, Seeded, completion, feedback_id, reaction};

impl Seeded {
    fn query<'a>(&self, selection: &'a Selection) -> TallyQuery<'a> {
        TallyQuery {
            project_id: self.principal.project_id,
            experiment: None,
            control: "old",
            candidate: "new",
            control_model: None,
            candidate_model: None,
            trust: self.trust,
            selection,
        }
    }

    async fn reading(&self, unit: Unit) -> Reading {
        let selection = Selection::default();
        let mut tx = self.app.store.begin_snapshot("test", self.principal.project_id).await.unwrap();
        turns::read(std::slice::from_mut(&mut tx), &self.query(&selection), unit, unit).await.unwrap()
    }

    pub(super) async fn list(&self, unit: Unit) -> Vec<UnitTally> {
        self.reading(unit).await.turns.tallies()
    }

    pub(super) async fn coverage(&self) -> Coverage {
        self.reading(Unit::User).await.coverage
    }

    pub(super) async fn choices(&self) -> Choices {
        let selection = Selection::default();
        let mut tx = self.app.store.begin_snapshot("test", self.principal.project_id).await.unwrap();
        tallies::prepare(&mut tx).await.unwrap();
        tallies::preferences(&mut tx, &self.query(&selection)).await.unwrap()
    }

    /// Tallies the one user of the one side that has completions.
    async fn only(&self) -> UnitTally {
        let mut tallies = self.list(Unit::User).await;
        assert_eq!(tallies.len(), 1, "{tallies:?}");
        tallies.remove(0)
    }
}

fn up(number: u128, id: &str, more: &Value) -> Value {
    let mut item = reaction(number, id, "thumb", json!({ "value": "up", "user": "u" }));
    item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    item
}

#[tokio::test]
async fn a_regeneration_is_an_outcome_of_its_turn_and_never_a_turn() {
    let seeded = Seeded::new().await;
    let retry = |parent: &str, attempt: u32| json!({ "user": "u", "parent_completion_id": parent, "attempt": attempt });
    seeded
        .completions(&[
            completion("a", "old", json!({ "user": "u" })),
            completion("a2", "old", retry("a", 2)),
            completion("a3", "old", retry("a2", 3)),
            completion("b", "old", json!({ "user": "u" })),
            completion("c", "old", json!({ "user": "u" })),
        ])
        .await;
    seeded
        .feedback(&[
            reaction(1, "a3", "copy", json!({ "n_chars": 4, "user": "u" })),
            reaction(2, "b", "regenerate", json!({ "user": "u" })),
            reaction(3, "c", "copy", json!({ "n_chars": 4, "user": "u" })),
        ])
        .await;

    let tally = seeded.only().await;

    assert_eq!((tally.n_completions, tally.n_turns), (5, 3));
    assert_eq!((tally.n_regenerated, tally.n_bad), (2, 2));
    assert_eq!((tally.n_copied, tally.n_good), (2, 1), "what was copied from a retry does not make its turn good");
    assert_eq!(tally.n_any_signal, 3);
}

#[tokio::test]
async fn what_was_thought_of_the_other_sides_retry_is_neither_sides() {
    let seeded = Seeded::new().await;
    seeded
        .completions(&[
            completion("a", "old", json!({ "user": "u" })),
            completion("a2", "new", json!({ "user": "u", "parent_completion_id": "a" })),
        ])
        .await;
    seeded.feedback(&[up(1, "a2", &json!({}))]).await;

    let tally = seeded.only().await;

    assert!(!tally.is_candidate);
    assert_eq!((tally.n_completions, tally.n_turns, tally.n_regenerated, tally.n_up), (1, 1, 1, 0));
}

#[tokio::test]
async fn only_the_latest_thumb_of_a_user_counts_and_none_takes_it_back() {
    let seeded = Seeded::new().await;
    let of = |id: &str| completion(id, "old", json!({ "user": "u" }));
    seeded.completions(&[of("a"), of("b"), of("c"), of("d"), of("e")]).await;
    let thumb = |number, id: &str, value: &str, at: &str, user: &str| {
        reaction(number, id, "thumb", json!({ "value": value, "user": user, "occurred_at": at }))
    };
    seeded
        .feedback(&[
            thumb(1, "a", "down", "2026-03-02T10:00:05Z", "u"),
            thumb(2, "a", "up", "2026-03-02T10:00:01Z", "u"),
            thumb(3, "b", "up", "2026-03-02T10:00:00Z", "u"),
            thumb(4, "b", "none", "2026-03-02T10:00:09Z", "u"),
            thumb(5, "c", "up", "2026-03-02T10:00:00Z", "u"),
            thumb(6, "c", "down", "2026-03-02T10:00:00Z", "someone else"),
            thumb(7, "d", "up", "2026-03-02T10:00:00Z", "u"),
            reaction(8, "d", "thumb", json!({ "value": "down", "user": "u", "supersedes": feedback_id(7) })),
            // Nobody but the user replaces what the user said.
            thumb(9, "e", "up", "2026-03-02T10:00:00Z", "u"),
            reaction(10, "e", "comment", json!({ "text": "no", "supersedes": feedback_id(9) })),
        ])
        .await;

    let tally = seeded.only().await;

    assert_eq!((tally.n_up, tally.n_down, tally.n_rated), (2, 3, 4));
    assert_eq!((tally.n_good, tally.n_bad, tally.n_any_signal, tally.n_explicit), (1, 3, 4, 4));
}

#[tokio::test]
async fn feedback_finds_its_completion_by_id_and_by_alias_and_before_it_arrives() {
    let seeded = Seeded::new().await;
    seeded.feedback(&[up(1, "req-1", &json!({})), reaction(2, "a", "accept", json!({ "method": "apply" }))]).await;
    seeded.completions(&[completion("a", "old", json!({ "user": "u", "aliases": ["req-1"] }))]).await;
    seeded
        .feedback(&[reaction(3, "req-1", "impression", json!({})), reaction(4, "a", "continuation", json!({}))])
        .await;

    let tally = seeded.only().await;

    assert_eq!((tally.n_turns, tally.n_up, tally.n_good, tally.n_seen, tally.n_continued), (1, 1, 1, 1, 1));
}

#[tokio::test]
async fn an_alias_that_is_another_completions_id_brings_it_no_feedback() {
    let seeded = Seeded::new().await;
    let alias_of_another = json!({ "user": "u", "aliases": ["a"] });
    seeded
        .completions(&[completion("a", "old", json!({ "user": "u" })), completion("b", "old", alias_of_another)])
        .await;
    seeded.feedback(&[up(1, "a", &json!({}))]).await;

    let tally = seeded.only().await;

    assert_eq!((tally.n_turns, tally.n_up), (2, 1));
}

#[tokio::test]
async fn an_alias_that_several_completions_carry_names_none_of_them_and_the_comparison_says_so() {
    let seeded = Seeded::new().await;
    // The third one is on neither side: that an alias is shared does not depend on what is compared.
    seeded
        .completions(&[
            completion("a", "old", json!({ "user": "u", "aliases": ["req-1", "req-2", "req-3"] })),
            completion("b", "new", json!({ "user": "u", "aliases": ["req-1"] })),
            completion("c", "another", json!({ "aliases": ["req-2"] })),
        ])
        .await;
    seeded.feedback(&[up(1, "req-1", &json!({})), up(2, "req-2", &json!({})), up(3, "req-3", &json!({}))]).await;

    let tallies = seeded.list(Unit::User).await;
    let coverage = seeded.coverage().await;
    let comparison = seeded.ask(&OLD_AND_NEW).await.unwrap();

    let counted: Vec<_> = tallies.iter().map(|tally| (tally.is_candidate, tally.n_turns, tally.n_up)).collect();
    assert_eq!(counted, [(false, 1, 1), (true, 1, 0)]);
    assert_eq!((coverage.n_ambiguous, coverage.n_unverified), (2, 0));
    let check = comparison.checks.iter().find(|check| check.name == "ambiguous").unwrap();
    assert_eq!(check.status, CheckStatus::Warn);
    assert!(check.detail.starts_with("2 reactions left out"), "{}", check.detail);
}

#[tokio::test]
async fn a_reaction_under_an_alias_that_is_repeated_is_one_reaction() {
    let mut seeded = Seeded::new().await;
    seeded.completions(&[completion("a", "old", json!({ "user": "u", "aliases": ["req-1", "req-1", "a"] }))]).await;
    seeded.principal.trust = Trust::Unverified;
    seeded.feedback(&[up(1, "req-1", &json!({})), up(2, "a", &json!({}))]).await;
    seeded.trust = TrustFilter::Any;

    let (tally, coverage) = (seeded.only().await, seeded.coverage().await);

    assert_eq!((tally.n_turns, tally.n_up), (1, 1));
    assert_eq!((coverage.n_unverified, coverage.n_ambiguous), (2, 0));
}

#[tokio::test]
async fn a_parent_that_is_named_by_an_alias_is_the_parent_whose_alias_it_is() {
    let seeded = Seeded::new().await;
    let of = |id: &str, parent: &str| completion(id, "old", json!({ "parent_completion_id": parent }));
    seeded
        .completions(&[
            completion("a", "old", json!({ "aliases": ["req-a"] })),
            of("a2", "req-a"),
            // An id outranks an alias, and an alias of two names neither.
            completion("b", "old", json!({ "aliases": ["a", "req-of-both"] })),
            of("a3", "a"),
            completion("c", "old", json!({ "aliases": ["req-of-both"] })),
            of("d", "req-of-both"),
            completion("e", "old", json!({ "aliases": ["req-e"], "parent_completion_id": "req-e" })),
        ])
        .await;

    let tallies = seeded.list(Unit::User).await;

    let turns: Vec<(&str, i64)> = tallies.iter().map(|tally| (tally.unit.as_str(), tally.n_completions)).collect();
    assert_eq!(turns, [("t:a", 3), ("t:b", 1), ("t:c", 1), ("t:e", 1), ("t:req-of-both", 1)]);
    assert_eq!(tallies.iter().map(|tally| tally.n_turns).sum::<i64>(), 5);
}

#[tokio::test]
async fn what_nobody_vouches_for_neither_counts_nor_replaces_what_counts() {
    let seeded = Seeded::new().await;
    seeded.completions(&[completion("a", "old", json!({ "user": "u" }))]).await;
    seeded
        .feedback(&[
            up(1, "a", &json!({})),
            reaction(2, "a", "thumb", json!({ "value": "down", "supersedes": feedback_id(1) })),
        ])
        .await;
    distrust(&seeded, 2).await;

    let tally = seeded.only().await;

    assert_eq!((tally.n_up, tally.n_down), (1, 0));
    assert_eq!(seeded.coverage().await.n_unverified, 1);
}

/// Makes a stored reaction one that nobody vouches for; until publishable keys exist nothing writes such a row.
async fn distrust(seeded: &Seeded, number: u128) {
    use sqlx::Connection as _;
    let mut connection = sqlx::PgConnection::connect(seeded.database.owner_url()).await.unwrap();
    sqlx::query("set row_security = off").execute(&mut connection).await.unwrap();
    let done = sqlx::query("update feedback set trust = 'unverified' where feedback_id = $1")
        .bind(uuid::Uuid::parse_str(&feedback_id(number)).unwrap())
        .execute(&mut connection)
        .await
        .unwrap();
    assert_eq!(done.rows_affected(), 1);
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_unit_is_the_user_or_else_the_conversation_or_else_the_turn() {
    let seeded = Seeded::new().await;
    seeded
        .completions(&[
            completion("a", "old", json!({ "user": "u", "conversation_id": "c1" })),
            completion("b", "old", json!({ "user": "u", "conversation_id": "c2" })),
            completion("c", "old", json!({ "conversation_id": "c2" })),
            completion("d", "new", json!({})),
            completion("e", "new", json!({ "user": "u", "conversation_id": "c3" })),
            completion("f", "another", json!({ "user": "u" })),
        ])
        .await;
    let units = |tallies: Vec<UnitTally>| -> Vec<(bool, String, i64)> {
        tallies.into_iter().map(|tally| (tally.is_candidate, tally.unit, tally.n_turns)).collect()
    };

    let by_user = units(seeded.list(Unit::User).await);
    let by_conversation = units(seeded.list(Unit::Conversation).await);

    let of = |is_candidate, unit: &str, n| (is_candidate, unit.to_owned(), n);
    assert_eq!(by_user, [of(false, "c:c2", 1), of(false, "u:u", 2), of(true, "t:d", 1), of(true, "u:u", 1)]);
    assert_eq!(by_conversation, [of(false, "c:c1", 1), of(false, "c:c2", 2), of(true, "c:c3", 1), of(true, "t:d", 1)]);
}

#[tokio::test]
async fn direct_choices_count_once_for_a_user_and_pair_whichever_way_they_are_told() {
    let seeded = Seeded::new().await;
    let of = |id: &str, model: &str, prompt: &str| completion(id, model, json!({ "prompt": prompt, "user": "u" }));
    seeded
        .completions(&[
            of("a1", "old", "one"),
            of("b1", "new", "one"),
            of("a2", "old", "two"),
            of("b2", "new", "two"),
            of("a3", "old", "three"),
            of("b3", "new", "other prompt"),
            of("a4", "old", "four"),
            of("b4", "new", "four"),
        ])
        .await;
    let choice = |number, this: &str, against: &str, outcome: &str, user: &str, at: &str| {
        reaction(
            number,
            this,
            "preference",
            json!({ "against": against, "outcome": outcome, "user": user, "occurred_at": at }),
        )
    };
    let (early, late) = ("2026-03-02T10:00:00Z", "2026-03-02T10:00:09Z");
    seeded
        .feedback(&[
            choice(1, "b1", "a1", "better", "u", early),
            choice(2, "a1", "b1", "worse", "v", early),
            choice(3, "a2", "b2", "worse", "u", early),
            choice(4, "b2", "a2", "worse", "u", late),
            choice(5, "a3", "b3", "better", "u", early),
            choice(6, "a4", "b4", "tie", "u", early),
            choice(7, "a4", "b4", "both_bad", "v", early),
        ])
        .await;

    assert_eq!(seeded.choices().await, Choices { n_wins: 2, n_losses: 1, n_ties: 2 });
}

#[tokio::test]
async fn days_are_those_on_which_answers_were_made_and_none_is_made_after_it_arrives() {
    let seeded = Seeded::new().await;
    let made = |id: &str, model: &str, at: &str| completion(id, model, json!({ "created_at": at }));
    seeded
        .completions(&[
            made("a", "old", "2026-03-02T23:59:00Z"),
            made("b", "new", "2026-03-02T01:00:00Z"),
            made("c", "old", "2026-03-03T00:01:00Z"),
            made("d", "old", "2999-01-01T00:00:00Z"),
        ])
        .await;

    let coverage = seeded.coverage().await;

    assert_eq!((coverage.n_days, coverage.n_days_both), (3, 1));
    assert_eq!(coverage.first_at.unwrap().to_rfc3339(), "2026-03-02T01:00:00+00:00");
    assert!(coverage.last_at.unwrap().to_rfc3339().as_str() < "2999");
}
