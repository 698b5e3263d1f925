//! A Postgres that hangs: no connection breaks, no answer comes. Writes are refused soon, and what was under way is
//! stored or not, but never lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rustix::process::Signal;

use super::journal::Journal;
use super::load::{Experience, Item, Sender, Writer, client};
use super::plant::Plant;
use super::size::{chance, sized};

const N_CLIENTS: usize = 8;
/// How long a client may wait to hear that it has to come back.
const REFUSED_WITHIN: Duration = Duration::from_secs(2);
/// How long writing may stand still once the server runs again.
const RECOVERY: Duration = Duration::from_secs(10);

/// Lets Postgres hang for a while and runs on, until it was done often enough; returns the longest time that it then
/// took until something was acknowledged.
async fn freeze(plant: &Plant, experience: &Experience, n_rounds: usize, frozen_for: Duration) -> Duration {
    let n_acknowledged = || experience.n_acknowledged.load(Ordering::Relaxed);
    let until_more = async |n_items: usize| {
        let (before, started) = (n_acknowledged(), Instant::now());
        while n_acknowledged() < before + n_items {
            assert!(started.elapsed() < RECOVERY, "nothing is written");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        started.elapsed()
    };
    let mut longest = Duration::ZERO;
    for _ in 0..n_rounds {
        until_more(200).await;
        plant.signal_postgres(Signal::STOP);
        let thaws_at = Instant::now() + frozen_for;
        while Instant::now() < thaws_at {
            assert_eq!(client().get(format!("{}/livez", plant.url(0))).send().await.unwrap().status(), 200);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        plant.signal_postgres(Signal::CONT);
        longest = longest.max(until_more(1).await);
    }
    longest
}

#[tokio::test(flavor = "multi_thread")]
async fn while_postgres_hangs_writes_are_refused_within_two_seconds_and_none_is_lost() {
    let (n_rounds, frozen_for) = sized((1, Duration::from_secs(6)), (10, Duration::from_secs(8)));
    let mut chance = chance("freeze");
    let plant = Plant::start(1).await;
    let sender = Sender { key: plant.key("p"), project: "p".to_owned() };
    let (journal, experience, is_over) = (Journal::create(plant.dir()), Experience::default(), AtomicBool::new(false));

    let clients = (0..N_CLIENTS).map(|_| {
        let mut chance = ChaCha8Rng::from_rng(&mut chance);
        let (plant, journal, experience, is_over) = (&plant, &journal, &experience, &is_over);
        let writer =
            Writer { client: client(), sender: sender.clone(), journal, experience, url: move || plant.url(0) };
        async move {
            while !is_over.load(Ordering::Relaxed) {
                writer.write(&[Item::thumb(&mut chance), Item::thumb(&mut chance)]).await;
            }
        }
    });
    let clients: Vec<_> = clients.collect();
    let freezes = async {
        let longest = freeze(&plant, &experience, n_rounds, frozen_for).await;
        is_over.store(true, Ordering::Relaxed);
        longest
    };
    let (longest, _) = tokio::join!(freezes, join_all(clients));
    let audit = plant.stop_and_look(async |owner_url| journal.audit(owner_url).await).await;

    println!("freeze: {n_rounds} x {frozen_for:?}, written again after {longest:.2?}, {audit:?}, {experience:?}");
    audit.assert_clean();
    let longest_refusal = Duration::from_millis(experience.longest_refusal_ms.load(Ordering::Relaxed) as u64);
    assert!(longest_refusal < REFUSED_WITHIN, "a client waited {longest_refusal:?}");
    assert!(experience.n_refused.load(Ordering::Relaxed) >= n_rounds * N_CLIENTS, "hardly a write was refused");
    assert_eq!(experience.n_broken.load(Ordering::Relaxed), 0, "a client was left without an answer");
}
