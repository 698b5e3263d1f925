//! ACK-1 to ACK-3 and LATE-1: what becomes of each item of a batch.

use afterword::domain::feedback::Reaction;
use afterword::domain::ids::{CompletionId, ProjectId};
use afterword::domain::selection::Selection;
use afterword::service::error::ServiceError;
use afterword::service::ingest;
use afterword::store::groups::{self, Group};

use super::{app_on, caller_in, completions, feedback, n_rows, owner_of, small_completion, thumb};
use crate::support::TestDatabase;

/// Reads all groups of a project as an export does.
async fn groups_of(database: &TestDatabase, project: ProjectId) -> Vec<Group> {
    let mut tx = database.store().begin_snapshot("test", project).await.unwrap();
    let prompts = groups::list_prompts(&mut tx, project, &Selection::default()).await.unwrap();
    groups::list(&mut tx, project, &Selection::default(), &prompts, false).await.unwrap()
}

#[tokio::test]
async fn each_item_of_a_batch_gets_its_own_verdict() {
    let database = TestDatabase::new().await;
    let app = app_on(&database);
    let caller = caller_in(&app, "p").await;
    ingest::record_feedback(&app, &caller, feedback(&[thumb(1, "c", "up")])).await.unwrap();

    let batch = [
        thumb(1, "c", "up"),
        thumb(1, "c", "down"),
        thumb(2, "c", "up"),
        thumb(2, "c", "up"),
        thumb(2, "c", "down"),
        thumb(3, "c", "sideways"),
    ];
    let receipt = ingest::record_feedback(&app, &caller, feedback(&batch)).await.unwrap();

    assert_eq!((receipt.accepted, receipt.duplicate), (1, 2));
    let rejected: Vec<(usize, &str)> = receipt.rejected.iter().map(|item| (item.index, item.code)).collect();
    assert_eq!(rejected, [(1, "conflict"), (4, "conflict"), (5, "not_one_of")]);
    assert_eq!(n_rows(&database, "feedback", caller.project_id).await, 2);
}

#[tokio::test]
async fn a_retry_that_spells_its_id_otherwise_or_has_waited_longer_is_a_duplicate() {
    let database = TestDatabase::new().await;
    let app = app_on(&database);
    let caller = caller_in(&app, "p").await;
    let first = thumb(0xabcd, "c", "up");
    let mut retry = first.clone();
    retry["id"] = first["id"].as_str().unwrap().to_uppercase().into();
    retry["age_ms"] = 5_000.into();

    ingest::record_feedback(&app, &caller, feedback(&[first])).await.unwrap();
    let receipt = ingest::record_feedback(&app, &caller, feedback(&[retry])).await.unwrap();

    assert_eq!((receipt.accepted, receipt.duplicate), (0, 1), "{:?}", receipt.rejected);
}

#[tokio::test]
async fn the_same_completion_is_a_duplicate_for_ever_and_other_content_is_a_conflict() {
    let database = TestDatabase::new().await;
    let app = app_on(&database);
    let caller = caller_in(&app, "p").await;
    let (first, mut other) = (small_completion("c"), small_completion("c"));
    other["response"] = "5".into();

    let receipts = [
        ingest::record_completions(&app, &caller, completions(std::slice::from_ref(&first))).await.unwrap(),
        ingest::record_completions(&app, &caller, completions(&[first])).await.unwrap(),
        ingest::record_completions(&app, &caller, completions(&[other])).await.unwrap(),
    ];

    let counts: Vec<_> = receipts.iter().map(|it| (it.accepted, it.duplicate, it.rejected.len())).collect();
    assert_eq!(counts, [(1, 0, 0), (0, 1, 0), (0, 0, 1)]);
    assert_eq!(receipts[2].rejected[0].code, "conflict");
}

#[tokio::test]
async fn feedback_sent_before_its_completion_is_kept_and_found_with_it() {
    let database = TestDatabase::new().await;
    let app = app_on(&database);
    let caller = caller_in(&app, "p").await;
    let mut aliased = small_completion("c");
    aliased["aliases"] = serde_json::json!(["request-7"]);

    ingest::record_feedback(&app, &caller, feedback(&[thumb(1, "c", "up"), thumb(2, "request-7", "down")]))
        .await
        .unwrap();
    ingest::record_completions(&app, &caller, completions(&[aliased])).await.unwrap();
    ingest::record_feedback(&app, &caller, feedback(&[thumb(3, "c", "none")])).await.unwrap();

    let found = groups_of(&database, caller.project_id).await;
    assert_eq!(found.len(), 1);
    let ids: Vec<u128> = found[0].feedback.iter().map(|item| item.id.0.as_u128()).collect();
    assert_eq!(ids.len(), 3);
    assert!(found[0].feedback.iter().all(|item| item.completion_id.as_str() == "c"));
}

#[tokio::test]
async fn answers_that_are_named_by_an_alias_are_found_under_their_own_id() {
    let database = TestDatabase::new().await;
    let app = app_on(&database);
    let caller = caller_in(&app, "p").await;
    let (mut one, mut other) = (small_completion("one"), small_completion("other"));
    one["aliases"] = serde_json::json!(["request-1"]);
    other["aliases"] = serde_json::json!(["request-2"]);
    other["parent_completion_id"] = "request-1".into();
    let preference = serde_json::json!({
        "id": uuid::Uuid::from_u128(1), "completion_id": "request-1", "signal": "preference", "against": "request-2",
        "outcome": "better",
    });
    let regenerate = serde_json::json!({
        "id": uuid::Uuid::from_u128(2), "completion_id": "request-1", "signal": "regenerate",
        "next_completion_id": "request-2",
    });

    ingest::record_completions(&app, &caller, completions(&[one, other])).await.unwrap();
    ingest::record_feedback(&app, &caller, feedback(&[preference, regenerate])).await.unwrap();

    let found = groups_of(&database, caller.project_id).await;
    let id = |text| CompletionId::parse(text).unwrap();
    assert_eq!(found[0].completions[1].parent_completion_id, Some(id("one")));
    let named: Vec<_> = found[0].feedback.iter().map(|item| (item.completion_id.clone(), &item.reaction)).collect();
    assert!(matches!(named[0], (_, Reaction::Preference { against, .. }) if *against == id("other")), "{named:?}");
    assert!(
        matches!(named[1], (_, Reaction::Regenerate { next_completion_id: Some(next), .. }) if *next == id("other")),
        "{named:?}"
    );
    assert!(named.iter().all(|(about, _)| *about == id("one")));
}

#[tokio::test]
async fn an_item_that_the_database_refuses_stands_alone_and_the_others_are_stored() {
    let database = TestDatabase::new().await;
    let app = app_on(&database);
    let caller = caller_in(&app, "p").await;
    // A rule that validation does not know stands for whatever the database may refuse one day.
    let mut owner = owner_of(&database).await;
    sqlx::query("alter table feedback add constraint no_poison check (session_id <> 'poison')")
        .execute(&mut owner)
        .await
        .unwrap();
    let mut batch: Vec<_> = (1..=20).map(|n| thumb(n, "c", "up")).collect();
    batch[4]["session_id"] = "poison".into();
    batch[17]["session_id"] = "poison".into();

    let receipt = ingest::record_feedback(&app, &caller, feedback(&batch)).await.unwrap();

    assert_eq!(receipt.accepted, 18);
    let rejected: Vec<(usize, &str)> = receipt.rejected.iter().map(|item| (item.index, item.code)).collect();
    assert_eq!(rejected, [(4, "unstorable"), (17, "unstorable")]);
    assert_eq!(n_rows(&database, "feedback", caller.project_id).await, 18);
}

#[tokio::test]
async fn where_the_disk_fills_beside_an_item_that_is_refused_nothing_of_the_batch_is_stored() {
    let database = TestDatabase::new().await;
    let app = app_on(&database);
    let caller = caller_in(&app, "p").await;
    let mut owner = owner_of(&database).await;
    sqlx::raw_sql(
        "create function refuse() returns trigger language plpgsql as $$
         begin
             if new.session_id = 'poison' then raise 'poison' using errcode = '23514'; end if;
             if new.session_id = 'last straw' then raise 'full' using errcode = '53100'; end if;
             return new;
         end $$;
         create trigger refuse before insert on feedback for each row execute function refuse()",
    )
    .execute(&mut owner)
    .await
    .unwrap();
    let mut batch: Vec<_> = (1..=8).map(|n| thumb(n, "c", "up")).collect();
    batch[4]["session_id"] = "poison".into();
    batch[6]["session_id"] = "last straw".into();

    let failed = ingest::record_feedback(&app, &caller, feedback(&batch)).await;

    assert!(matches!(failed, Err(ServiceError::Store(error)) if error.is_retryable()));
    assert_eq!(n_rows(&database, "feedback", caller.project_id).await, 0);
}

#[tokio::test]
async fn a_batch_that_the_database_cannot_write_is_answered_as_unavailable_and_stores_nothing() {
    let database = TestDatabase::new().await;
    let app = app_on(&database);
    let caller = caller_in(&app, "p").await;
    let mut owner = owner_of(&database).await;
    sqlx::query("alter table feedback rename column trust to mistrust").execute(&mut owner).await.unwrap();

    let failed = ingest::record_feedback(&app, &caller, feedback(&[thumb(1, "c", "up"), thumb(2, "c", "up")])).await;

    assert!(matches!(failed, Err(ServiceError::Store(error)) if error.is_retryable()));
    assert_eq!(n_rows(&database, "feedback", caller.project_id).await, 0);
}

#[tokio::test]
async fn a_caller_that_stops_waiting_cannot_cut_its_batch() {
    let database = TestDatabase::new().await;
    let app = app_on(&database);
    let caller = caller_in(&app, "p").await;
    // Warm the pools, so that the first batch below is under way as soon as it is polled.
    ingest::record_feedback(&app, &caller, feedback(&[thumb(1_000, "c", "up")])).await.unwrap();

    for n in 0..50_u128 {
        let mut call = Box::pin(ingest::record_feedback(&app, &caller, feedback(&[thumb(n, "c", "up")])));
        // Polled once, which queues the item; then the caller is gone.
        let _pending = futures_util::poll!(&mut call);
        drop(call);
    }
    // The queue is first in, first out for each writer: what comes back as stored was written after the others.
    let again = feedback(&(0..50).map(|n| thumb(n, "c", "up")).collect::<Vec<_>>());
    let receipt = ingest::record_feedback(&app, &caller, again).await.unwrap();

    assert_eq!(receipt.accepted + receipt.duplicate, 50);
    assert_eq!(n_rows(&database, "feedback", caller.project_id).await, 51);
}
