//! PRIV-1: an erased user's rows are gone, stay away, and no export that holds them is served.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use afterword::domain::clock::{Clock, SystemClock, Timestamp};
use afterword::domain::completion::NewCompletion;
use afterword::domain::export::ExportStatus;
use afterword::domain::feedback::NewFeedback;
use afterword::domain::ids::{ExportId, UserId};
use afterword::domain::principal::Principal;
use afterword::service::erase::{self, Erasure, ErasureReport, ErasureStatus};
use afterword::service::export_folder::{FolderError, export_to_folder};
use afterword::service::export_progress::Progress;
use afterword::service::export_run::RunError;
use afterword::service::ingest::{record_completions, record_feedback};
use afterword::service::{ServiceError, erase_jobs, export_files, exports};
use afterword::worker::Worker;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::fixture::{Fixture, app, completion, parsed, preference, to_json};

pub(super) fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

impl Fixture {
    /// Erases a user to the end.
    pub(super) async fn erase(&self, id: &str) -> ErasureReport {
        let (erasure, _) = erase::request(&self.app, &self.principal, &user(id), false).await.unwrap();
        self.finish(&self.principal, &erasure).await
    }

    /// Carries an erasure out, as a worker would.
    pub(super) async fn finish(&self, principal: &Principal, erasure: &Erasure) -> ErasureReport {
        let job = erase_jobs::claim(&self.app, Some(erasure.id)).await.unwrap().unwrap();
        erase_jobs::carry_out(&self.app, &job).await.unwrap();
        erase::show(&self.app, principal, erasure.id).await.unwrap()
    }

    /// Sends a completion; tells whether it was taken.
    pub(super) async fn take_completion(&self, principal: &Principal, item: &Value) -> bool {
        let items = vec![parsed(NewCompletion::from_json(to_json(item), ""))];
        record_completions(&self.app, principal, items).await.unwrap().accepted == 1
    }

    /// Sends a reaction; tells whether it was taken.
    pub(super) async fn take_feedback(&self, principal: &Principal, item: &Value) -> bool {
        let items = vec![parsed(NewFeedback::from_json(to_json(item), ""))];
        record_feedback(&self.app, principal, items).await.unwrap().accepted == 1
    }

    async fn owner(&self) -> PgConnection {
        PgConnection::connect(self.database.owner_url()).await.unwrap()
    }

    /// Counts rows as the owner.
    async fn count(&self, statement: &str) -> i64 {
        let mut owner = self.owner().await;
        sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {statement}")))
            .fetch_one(&mut owner)
            .await
            .unwrap()
    }

    /// Sends one completion and returns the code of its rejection, or `accepted`.
    async fn send_completion(&self, item: &Value) -> String {
        let items = vec![parsed(NewCompletion::from_json(to_json(item), ""))];
        let receipt = record_completions(&self.app, &self.principal, items).await.unwrap();
        receipt.rejected.first().map_or("accepted", |rejected| rejected.code).to_owned()
    }

    /// Sends one reaction and returns the code of its rejection, or `accepted`.
    async fn send_feedback(&self, item: &Value) -> String {
        let items = vec![parsed(NewFeedback::from_json(to_json(item), ""))];
        let receipt = record_feedback(&self.app, &self.principal, items).await.unwrap();
        receipt.rejected.first().map_or("accepted", |rejected| rejected.code).to_owned()
    }
}

fn with(mut item: Value, changes: &[(&str, Value)]) -> Value {
    for (name, value) in changes {
        item[name] = value.clone();
    }
    item
}

/// A project in which `ann` and `bob` talk: `ann` also in a conversation where one answer names no user.
async fn talk() -> Fixture {
    let fixture = Fixture::new().await;
    let of = |n, user: &str, conversation: &str| {
        with(completion(n, "new"), &[("user", json!(user)), ("conversation_id", json!(conversation))])
    };
    let unnamed = with(completion(3, "new"), &[("conversation_id", json!("of ann"))]);
    let completions = vec![
        with(of(1, "ann", "of ann"), &[("aliases", json!(["alias-1"]))]),
        of(2, "bob", "of bob"),
        unnamed,
        of(4, "bob", "of ann"),
    ];
    let thumb = |n: usize, about: &str, user: &str| json!({"id": preference(n, "better")["id"], "completion_id": about, "signal": "thumb", "value": "up", "user": user});
    let feedback = vec![
        thumb(1, "new-1", "ann"),
        thumb(2, "alias-1", "bob"),
        thumb(3, "new-2", "bob"),
        thumb(4, "new-2", "ann"),
        thumb(5, "new-3", "bob"),
        thumb(6, "new-4", "bob"),
    ];
    fixture.record(completions, feedback).await;
    fixture
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_erasure_would_remove_is_counted_and_then_removed_and_nothing_else() {
    let fixture = talk().await;

    let preview = erase::preview(&fixture.app, &fixture.principal, &user("ann")).await.unwrap();
    let before = (fixture.count("completions").await, fixture.count("feedback").await);
    let report = fixture.erase("ann").await;

    assert_eq!(before, (4, 6), "a preview changes nothing");
    assert_eq!((preview.n_completions, preview.n_completions_without_user), (1, 1));
    assert_eq!((preview.n_feedback, preview.n_feedback_of_others), (2, 2), "bob's on alias-1 and on new-3 go, too");
    assert_eq!(preview.n_completions_of_others, 1, "bob's answer in ann's conversation stays");
    let counts = report.erasure.counts;
    assert_eq!((report.erasure.status, report.erasure.user), (ErasureStatus::Completed, None));
    assert_eq!((counts.n_completions, counts.n_feedback), (2, 4));
    assert_eq!(fixture.count("completions where completion_id in ('new-2', 'new-4')").await, 2);
    assert_eq!((fixture.count("completions").await, fixture.count("feedback").await), (2, 2));
    assert_eq!(fixture.count("erasures where user_id is not null").await, 0);
    let mut owner = fixture.owner().await;
    let audit: Vec<String> = sqlx::query_scalar("select subject || details::text from audit order by audit_id")
        .fetch_all(&mut owner)
        .await
        .unwrap();
    assert_eq!(audit.len(), 2, "{audit:?}");
    assert!(audit.iter().all(|entry| !entry.contains("ann") && entry.contains(&report.erasure.user_hash.to_hex())));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_an_erased_user_comes_back_and_everything_else_is_taken() {
    let fixture = talk().await;
    let thumb = |n: usize, about: &str, user: Option<&str>| {
        let id = preference(n, "better")["id"].clone();
        json!({"id": id, "completion_id": about, "signal": "thumb", "value": "up", "user": user})
    };
    fixture.erase("ann").await;

    for (what, item, code) in [
        ("the same item again", thumb(1, "new-1", Some("ann")), "erased"),
        ("another of the user", thumb(10, "new-2", Some("ann")), "erased"),
        ("bob's on an erased answer", thumb(2, "new-1", Some("bob")), "erased"),
        ("bob's on its alias", thumb(2, "alias-1", Some("bob")), "erased"),
        ("nobody's on an erased answer", thumb(11, "new-3", None), "erased"),
        ("bob's on his own", thumb(12, "new-2", Some("bob")), "accepted"),
        ("bob's on one that never came", thumb(13, "later", Some("bob")), "accepted"),
    ] {
        assert_eq!(fixture.send_feedback(&item).await, code, "{what}");
    }
    let in_conversation =
        |n, user: Value| with(completion(n, "new"), &[("conversation_id", json!("of ann")), ("user", user)]);
    for (what, item, code) in [
        ("the same answer without its user", completion(1, "new"), "erased"),
        ("another of the user", with(completion(20, "new"), &[("user", json!("ann"))]), "erased"),
        ("one without a user in the conversation", in_conversation(21, Value::Null), "erased"),
        ("bob's in the conversation", in_conversation(22, json!("bob")), "accepted"),
        ("nobody's elsewhere", completion(23, "new"), "accepted"),
    ] {
        assert_eq!(fixture.send_completion(&item).await, code, "{what}");
    }
    assert_eq!(fixture.count("completions where user_id = 'ann'").await, 0);
    assert_eq!(fixture.count("feedback where user_id = 'ann'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_item_of_a_batch_is_refused_by_itself_and_a_conflict_stays_one() {
    let fixture = talk().await;
    fixture.erase("ann").await;
    let items = [
        with(completion(30, "new"), &[("user", json!("bob"))]),
        with(completion(31, "new"), &[("user", json!("ann"))]),
        with(completion(2, "new"), &[("user", json!("cat"))]),
        with(completion(30, "new"), &[("user", json!("bob"))]),
        with(completion(31, "new"), &[("user", json!("ann"))]),
    ];

    let parsed = items.iter().map(|item| parsed(NewCompletion::from_json(to_json(item), ""))).collect();
    let receipt = record_completions(&fixture.app, &fixture.principal, parsed).await.unwrap();

    assert_eq!((receipt.accepted, receipt.duplicate), (1, 1));
    let rejected: Vec<(usize, &str)> = receipt.rejected.iter().map(|item| (item.index, item.code)).collect();
    assert_eq!(rejected, [(1, "erased"), (2, "conflict"), (4, "erased")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_that_hold_rows_of_the_user_are_revoked_and_the_others_stay() {
    let fixture = Fixture::with_pairs(20).await;
    let worker = Worker::start(fixture.app.clone());
    let with_all = fixture.request(json!({"recipe": "dpo"})).await;
    assert_eq!(fixture.until_ended(with_all).await.status, ExportStatus::Completed);
    let root = tempfile::tempdir().unwrap();
    let (out, go_on) = (root.path().join("out"), CancellationToken::new());
    let folder = super::folder::export(&fixture, "dpo", &out, false, &go_on).await.unwrap().export_id;
    let affected_before = erase::affected(&fixture.app, &fixture.principal, &user("user-7")).await.unwrap();
    let strangers = erase::affected(&fixture.app, &fixture.principal, &user("user-99")).await.unwrap();

    let (erasure, is_new) = erase::request(&fixture.app, &fixture.principal, &user("user-7"), true).await.unwrap();
    let report = until_erased(&fixture, &erasure).await;
    let without = fixture.request(json!({"recipe": "dpo"})).await;
    let without = fixture.until_ended(without).await;
    worker.stop().await;

    assert!(is_new);
    let ids = |found: &[erase::AffectedExport]| found.iter().map(|export| export.id).collect::<Vec<ExportId>>();
    assert_eq!((ids(&affected_before), ids(&strangers)), (vec![folder, with_all], vec![]));
    assert_eq!(ids(&report.exports), [folder, with_all]);
    assert_eq!(report.erasure.counts.n_exports, 2);
    assert_eq!(report.exports.iter().map(|export| export.is_folder).collect::<Vec<_>>(), [true, false]);
    let revoked = exports::show(&fixture.app, &fixture.principal, with_all).await.unwrap();
    assert_eq!((revoked.status, revoked.manifest.is_some()), (ExportStatus::Revoked, true));
    let read = export_files::find(&fixture.app, &fixture.principal, with_all, "manifest.json").await;
    assert!(matches!(read, Err(ServiceError::NotFound)));
    let manifest = super::fixture::manifest(&without);
    assert_eq!((without.status, &manifest["n_examples"]), (ExportStatus::Completed, &json!(19)));
    assert_eq!(fixture.n_files(), super::fixture::hashes(&manifest).len() + 1, "the files of the revoked one are gone");
    let affected_after = erase::affected(&fixture.app, &fixture.principal, &user("user-7")).await.unwrap();
    assert_eq!(ids(&affected_after), [folder, with_all], "the new one holds nothing of the user's");
}

async fn until_erased(fixture: &Fixture, erasure: &Erasure) -> ErasureReport {
    for _ in 0..1_000 {
        let report = erase::show(&fixture.app, &fixture.principal, erasure.id).await.unwrap();
        if report.erasure.status == ErasureStatus::Completed {
            return report;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the erasure does not end")
}

/// A clock that waits at one look until it may go on.
struct Gate {
    looks: Mutex<(u32, Receiver<()>)>,
    reached: SyncSender<()>,
    stop_at: u32,
}

impl Clock for Gate {
    fn now(&self) -> Timestamp {
        let mut looks = self.looks.lock().unwrap();
        looks.0 += 1;
        if looks.0 == self.stop_at {
            self.reached.send(()).unwrap();
            looks.1.recv().unwrap();
        }
        SystemClock.now()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_whose_snapshot_holds_somebody_who_was_erased_meanwhile_is_not_published() {
    let fixture = Fixture::with_pairs(12).await;
    let ((reached, is_reached), (may_go_on, go_on)) = (sync_channel(1), sync_channel(1));
    // A run looks at the clock when it starts and when it is written down.
    let gate = Gate { looks: Mutex::new((0, go_on)), reached, stop_at: 2 };
    let slow = app(&fixture.database, &fixture.root, Arc::new(gate));
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    let mut running = JoinSet::new();
    let (place, project_id) = (out.clone(), fixture.principal.project_id);
    running.spawn(async move {
        let (recipe, progress) = (exports::shipped("dpo").unwrap(), Arc::new(Progress::default()));
        export_to_folder(&slow, project_id, &recipe, &place, false, &progress, &CancellationToken::new()).await
    });
    tokio::task::spawn_blocking(move || is_reached.recv().unwrap()).await.unwrap();

    fixture.erase("user-3").await;
    may_go_on.send(()).unwrap();
    let outcome = running.join_next().await.unwrap().unwrap();

    let is_refused = matches!(outcome, Err(FolderError::Run(RunError::Failed(ServiceError::ErasedMeanwhile))));
    assert!(is_refused, "{outcome:?}");
    assert!(!out.exists());
    assert_eq!(fixture.count("export_holders").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_looked_before_the_tombstone_is_waited_for() {
    let fixture = talk().await;
    let mut owner = fixture.owner().await;
    let mut tx = owner.begin().await.unwrap();
    // It stands for a batch that is under way: it has looked for tombstones, and has not committed.
    sqlx::query(
        "insert into feedback (project_id, completion_id, feedback_id, content_hash, signal, trust, user_id, weight,
                               effective_at, received_at)
         select project_id, completion_id, gen_random_uuid(), content_hash, 'impression', trust, 'ann', weight,
                effective_at, received_at
           from feedback limit 1",
    )
    .execute(&mut *tx)
    .await
    .unwrap();

    let (erasure, _) = erase::request(&fixture.app, &fixture.principal, &user("ann"), false).await.unwrap();
    let mut erasing = Box::pin(fixture.finish(&fixture.principal, &erasure));
    let early = tokio::time::timeout(Duration::from_millis(300), &mut erasing).await;
    tx.commit().await.unwrap();
    let report = erasing.await;

    assert!(early.is_err(), "the erasure did not wait");
    assert_eq!(report.erasure.counts.n_feedback, 5);
    assert_eq!(fixture.count("feedback where user_id = 'ann'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_whose_worker_died_is_taken_up_again_and_asking_twice_is_one() {
    let fixture = talk().await;
    let (first, is_new) = erase::request(&fixture.app, &fixture.principal, &user("ann"), false).await.unwrap();
    let (again, is_new_again) = erase::request(&fixture.app, &fixture.principal, &user("ann"), true).await.unwrap();
    let dead = erase_jobs::claim(&fixture.app, None).await.unwrap().unwrap();
    assert_eq!(erase_jobs::claim(&fixture.app, None).await.unwrap(), None, "it is held");
    // The worker got as far as the answers without a user, and is gone.
    let mut owner = fixture.owner().await;
    sqlx::query("delete from completions where completion_id = 'new-3'").execute(&mut owner).await.unwrap();
    sqlx::query("update jobs set leased_until = now() - interval '1 second'").execute(&mut owner).await.unwrap();

    let report = fixture.finish(&fixture.principal, &first).await;
    let overtaken = erase_jobs::carry_out(&fixture.app, &dead).await;

    assert_eq!((is_new, is_new_again, first.id, again.delete_files), (true, false, again.id, true));
    assert_eq!(report.erasure.status, ErasureStatus::Completed);
    assert_eq!(fixture.count("completions where conversation_id = 'of ann' and user_id is null").await, 0);
    assert_eq!(fixture.count("completions where user_id = 'ann'").await, 0);
    assert!(matches!(overtaken, Err(ServiceError::LeaseLost)), "{overtaken:?}");
    assert_eq!(fixture.count("jobs").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn outside_of_an_erasure_a_delete_finds_no_row() {
    let fixture = talk().await;
    let mut connection = PgConnection::connect(fixture.database.service_url()).await.unwrap();
    sqlx::query("set role afterword_app").execute(&mut connection).await.unwrap();
    let mut n_deleted = Vec::new();
    for scope in ["", "erasure"] {
        let mut tx = connection.begin().await.unwrap();
        sqlx::query("select set_config('app.project_ids', $1, true), set_config('app.scope', $2, true)")
            .bind(fixture.principal.project_id.to_string())
            .bind(scope)
            .execute(&mut *tx)
            .await
            .unwrap();
        for statement in ["delete from feedback", "delete from completions"] {
            n_deleted.push(sqlx::query(statement).execute(&mut *tx).await.unwrap().rows_affected());
        }
        tx.rollback().await.unwrap();
    }

    assert_eq!(n_deleted, [0, 0, 6, 4]);
}
