//! KEPT-1 to KEPT-3: a kept comparison is what the full computation gives, says as of when, and forgets who was erased.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use afterword::blob::Blob;
use afterword::domain::clock::{Clock, SystemClock, Timestamp};
use afterword::domain::ids::UserId;
use afterword::service::compare::kept::{self, Form};
use afterword::service::{App, ServiceError, erase, erase_jobs};
use rand::Rng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinSet;

use super::seed::{Seeded, completion, feedback_id, reaction, spec};

const SWAP: (&str, &str) = ("experiment", "swap");
const A_WEEK: (&str, &str) = ("max_age_s", "604800");

/// A clock that can be put forward.
#[derive(Default)]
struct Forward(AtomicI64);

impl Forward {
    fn by_s(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for Forward {
    fn now(&self) -> Timestamp {
        SystemClock.now() + chrono::Duration::seconds(self.0.load(Ordering::Relaxed))
    }
}

impl Seeded {
    /// A seeded service with a declared experiment and a clock that can be put forward.
    async fn with_experiment() -> (Self, Arc<Forward>) {
        let mut seeded = Self::new().await;
        let clock = Arc::new(Forward::default());
        seeded.app = App::start(seeded.database.store().clone(), Blob::memory(), clock.clone());
        seeded
            .declare(json!({ "key": "swap", "control": "a", "variants": [
                { "name": "a", "model": "old", "share": 0.5 }, { "name": "b", "model": "new", "share": 0.5 }] }))
            .await;
        (seeded, clock)
    }

    async fn told(&self, query: &[(&str, &str)]) -> Result<String, ServiceError> {
        kept::told(&self.app, &self.principal, spec(query), Form::Json).await
    }

    async fn told_from_kept(&self) -> String {
        self.told(&[SWAP, A_WEEK]).await.unwrap()
    }

    async fn told_anew(&self) -> String {
        self.told(&[SWAP]).await.unwrap()
    }

    async fn n_kept(&self) -> i64 {
        let mut owner = PgConnection::connect(self.database.owner_url()).await.unwrap();
        let mut tx = owner.begin().await.unwrap();
        sqlx::query("set local app.scope = 'worker'").execute(&mut *tx).await.unwrap();
        sqlx::query_scalar("select count(*) from kept_comparisons").fetch_one(&mut *tx).await.unwrap()
    }

    async fn erase(&self, user: &str) {
        let user = UserId::parse(user).unwrap();
        let (erasure, _) = erase::request(&self.app, &self.principal, &user, false).await.unwrap();
        let job = erase_jobs::claim(&self.app, Some(erasure.id)).await.unwrap().unwrap();
        erase_jobs::carry_out(&self.app, &job).await.unwrap();
    }
}

/// A comparison without the moment at which it was computed, and without sampled answers, which are never kept.
fn timeless(json: &str) -> Value {
    let mut value: Value = serde_json::from_str(json).unwrap();
    assert!(value.as_object_mut().unwrap().remove("computed_at").is_some());
    if let Some(depth) = value["depth"].as_object_mut() {
        depth.retain(|name, _| !name.starts_with("disagreements"));
    }
    value
}

/// An item of either kind.
enum Sent {
    Completion(Value),
    Feedback(Value),
}

/// Answers with regenerations, and reactions that are taken back, replaced, numbered or filed before their answer.
fn history(chance: &mut ChaCha8Rng) -> Vec<Sent> {
    let mut items = Vec::new();
    for n in 0..60_u32 {
        let user = n % 12;
        let task = if n % 2 == 0 { "chat" } else { "code" };
        let mut answer = json!({
            "user": format!("u{user}"), "experiment": "swap", "variant": if user % 2 == 0 { "a" } else { "b" },
            "conversation_id": format!("c{}", n / 4), "task": task, "cost_usd": 0.001,
        });
        if n % 5 == 4 {
            answer["parent_completion_id"] = json!(format!("x{}", n - 1));
        }
        items.push(Sent::Completion(completion(&format!("x{n}"), if user % 2 == 0 { "old" } else { "new" }, answer)));
    }
    for number in 0..200_u128 {
        let (id, user) = (format!("x{}", chance.random_range(0..60)), format!("u{}", chance.random_range(0..12)));
        let mut more = json!({ "user": user });
        if number % 3 == 0 {
            more["session_id"] = json!(format!("s{user}"));
            more["seq"] = json!(chance.random_range(0..9));
        }
        if number % 7 == 6 {
            more["supersedes"] = json!(feedback_id(chance.random_range(0..number)));
        }
        let (signal, field) = match chance.random_range(0..5) {
            0 => ("copy", ("n_chars", json!(4))),
            1 => ("impression", ("user", json!(user))),
            2 => ("thumb", ("value", json!("down"))),
            3 => ("thumb", ("value", json!("none"))),
            _ => ("thumb", ("value", json!("up"))),
        };
        more[field.0] = field.1;
        items.push(Sent::Feedback(reaction(number, &id, signal, more)));
    }
    items.shuffle(chance);
    items
}

#[tokio::test]
async fn what_is_kept_is_what_the_full_computation_gives_after_any_history() {
    for seed in 0..2 {
        let (seeded, clock) = Seeded::with_experiment().await;
        let items = history(&mut ChaCha8Rng::seed_from_u64(seed));

        for (step, part) in items.chunks(65).enumerate() {
            for item in part {
                match item {
                    Sent::Completion(item) => seeded.completions(std::slice::from_ref(item)).await,
                    Sent::Feedback(item) => seeded.feedback(std::slice::from_ref(item)).await,
                }
            }
            // Longer than any computation makes it wait.
            clock.by_s(86_400);
            assert_eq!(kept::compute_due(&seeded.app).await.unwrap(), step > 0, "a kept question is due again");
            assert_eq!(timeless(&seeded.told_from_kept().await), timeless(&seeded.told_anew().await), "step {step}");
            assert_eq!(seeded.n_kept().await, 1);
        }

        seeded.erase("u3").await;
        assert_eq!(seeded.n_kept().await, 0);
        assert_eq!(timeless(&seeded.told_from_kept().await), timeless(&seeded.told_anew().await));
        assert_eq!(seeded.n_kept().await, 1);
    }
}

#[tokio::test]
async fn what_is_kept_stays_as_it_was_and_says_as_of_when_until_it_is_too_old() {
    let (seeded, clock) = Seeded::with_experiment().await;
    let answer = |id: &str, variant: &str| {
        completion(id, "old", json!({ "user": id, "experiment": "swap", "variant": variant }))
    };
    seeded.completions(&[answer("p", "a"), answer("q", "b")]).await;

    let first = seeded.told_from_kept().await;
    seeded.completions(&[answer("r", "b")]).await;
    clock.by_s(300);
    let kept = seeded.told_from_kept().await;
    let of_another_age = seeded.told(&[SWAP, ("max_age_s", "301000")]).await.unwrap();
    let too_old = seeded.told(&[SWAP, ("max_age_s", "200")]).await.unwrap();

    assert_eq!((&kept, &of_another_age), (&first, &first));
    let n = |json: &str| serde_json::from_str::<Value>(json).unwrap()["candidate"]["n_users"].clone();
    assert_ne!(n(&too_old), n(&first));
    assert_eq!(seeded.told_from_kept().await, too_old, "the newer one takes the place of the older one");
}

#[tokio::test]
async fn another_question_is_kept_beside_the_first_and_what_nobody_asks_any_more_is_forgotten() {
    let (seeded, clock) = Seeded::with_experiment().await;
    let answer = |id: &str, variant: &str| {
        completion(id, "old", json!({ "user": id, "experiment": "swap", "variant": variant, "task": "chat" }))
    };
    seeded.completions(&[answer("p", "a"), answer("q", "b")]).await;

    let all = seeded.told_from_kept().await;
    let of_task = seeded.told(&[SWAP, A_WEEK, ("task", "chat"), ("alpha", "0.05")]).await.unwrap();

    assert_ne!(timeless(&all), timeless(&of_task));
    assert_eq!(seeded.n_kept().await, 2);
    clock.by_s(8 * 86_400);
    assert!(!kept::compute_due(&seeded.app).await.unwrap());
    assert_eq!(seeded.n_kept().await, 0);
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
async fn a_comparison_that_counts_somebody_who_was_erased_meanwhile_is_not_kept() {
    let (seeded, _) = Seeded::with_experiment().await;
    let answer = |id: &str, variant: &str| {
        completion(id, "old", json!({ "user": id, "experiment": "swap", "variant": variant }))
    };
    seeded.completions(&[answer("p", "a"), answer("q", "b"), answer("r", "b")]).await;
    let ((reached, is_reached), (may_go_on, go_on)) = (sync_channel(1), sync_channel(1));
    // A comparison looks at the clock when it is asked for and when it has its snapshot.
    let gate = Gate { looks: Mutex::new((0, go_on)), reached, stop_at: 2 };
    let slow = App::start(seeded.database.store().clone(), Blob::memory(), Arc::new(gate));
    let principal = seeded.principal.clone();

    let mut asked = JoinSet::new();
    asked.spawn(async move { kept::told(&slow, &principal, spec(&[SWAP, A_WEEK]), Form::Json).await });
    tokio::task::spawn_blocking(move || is_reached.recv()).await.unwrap().unwrap();
    seeded.erase("r").await;
    may_go_on.send(()).unwrap();

    assert!(asked.join_next().await.unwrap().unwrap().is_ok());
    assert_eq!(seeded.n_kept().await, 0);
}
