//! Killed services, killed connections, killed servers, under load: nothing acknowledged is lost, nothing is stored
//! twice, nothing is in a foreign project.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::journal::Journal;
use super::load::{Experience, Item, Sender, Writer, client};
use super::plant::Plant;
use super::size::{chance, sized};

const N_SERVICES: usize = 2;
const N_PROJECTS: usize = 4;
const N_CLIENTS: usize = 12;
/// So many more items show that writing goes on after a fault.
const N_AFTER: usize = 300;
/// How long writing may stand still after a fault.
const RECOVERY: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    Service,
    Backend,
    Postmaster,
}

/// Sends requests of one, ten and fifty items until enough items are acknowledged; every tenth is sent once more.
async fn write_until(writer: &Writer<'_, impl Fn() -> String>, n_items: usize, mut chance: ChaCha8Rng) {
    while writer.experience.n_acknowledged.load(Ordering::Relaxed) < n_items {
        let n = [1, 1, 10, 50][chance.random_range(0..4)];
        let items: Vec<Item> = if chance.random_ratio(1, 4) {
            (0..n).map(|_| Item::completion(&mut chance)).collect()
        } else {
            (0..n).map(|_| Item::thumb(&mut chance)).collect()
        };
        writer.write(&items).await;
        if chance.random_ratio(1, 10) {
            writer.replay(&items).await;
        }
    }
}

/// Makes one fault after the other, each once a further share of the items is acknowledged, and measures how long
/// nothing is after it.
async fn strike(
    plant: &Plant,
    victims: &[Victim],
    experience: &Experience,
    n_items: usize,
    mut chance: ChaCha8Rng,
) -> BTreeMap<Victim, Vec<Duration>> {
    let n_acknowledged = || experience.n_acknowledged.load(Ordering::Relaxed);
    let mut standstills: BTreeMap<Victim, Vec<Duration>> = BTreeMap::new();
    for (index, victim) in victims.iter().enumerate() {
        let due = (index + 1) * n_items / (victims.len() + 1);
        while n_acknowledged() < due {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        tokio::time::sleep(Duration::from_millis(chance.random_range(0..40))).await;
        let blow = async {
            match victim {
                Victim::Service => plant.kill_service(index).await,
                Victim::Backend => plant.kill_backend(chance.random_range(0..1000)).await,
                Victim::Postmaster => plant.kill_postmaster().await,
            }
        };
        let enough = (n_acknowledged() + N_AFTER).min(n_items);
        let (standstill, ()) = tokio::join!(longest_standstill(n_acknowledged, enough), blow);
        standstills.entry(*victim).or_default().push(standstill);
    }
    standstills
}

/// Waits until enough is acknowledged and returns the longest time in which nothing was.
async fn longest_standstill(n_acknowledged: impl Fn() -> usize, enough: usize) -> Duration {
    let (mut longest, mut last, mut changed_at) = (Duration::ZERO, n_acknowledged(), Instant::now());
    while last < enough {
        tokio::time::sleep(Duration::from_millis(2)).await;
        longest = longest.max(changed_at.elapsed());
        assert!(longest < RECOVERY, "nothing is written any more");
        if n_acknowledged() > last {
            (last, changed_at) = (n_acknowledged(), Instant::now());
        }
    }
    longest
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_whoever_is_killed() {
    let n_items = sized(3_000, 100_000);
    let [n_services, n_backends, n_postmasters] = sized([3, 1, 1], [24, 6, 4]);
    let mut chance = chance("kill");
    let mut victims = vec![Victim::Service; n_services];
    victims.extend(vec![Victim::Backend; n_backends]);
    victims.extend(vec![Victim::Postmaster; n_postmasters]);
    victims.shuffle(&mut chance);
    let plant = Plant::start(N_SERVICES).await;
    let projects = (0..N_PROJECTS).map(|n| format!("project-{n}"));
    let senders: Vec<Sender> = projects.map(|project| Sender { key: plant.key(&project), project }).collect();
    let journal = Journal::create(plant.dir());
    let experience = Experience::default();
    let started = Instant::now();

    let clients = (0..N_CLIENTS).map(|n| {
        let (sender, chance) = (senders[n % N_PROJECTS].clone(), ChaCha8Rng::from_rng(&mut chance));
        let (plant, journal, experience) = (&plant, &journal, &experience);
        let writer = Writer { client: client(), sender, journal, experience, url: move || plant.url(n) };
        async move { write_until(&writer, n_items, chance).await }
    });
    let clients: Vec<_> = clients.collect();
    let strikes = strike(&plant, &victims, &experience, n_items, ChaCha8Rng::from_rng(&mut chance));
    let (standstills, _) = tokio::join!(strikes, join_all(clients));
    let lasted = started.elapsed();
    let audit = plant.stop_and_look(async |owner_url| journal.audit(owner_url).await).await;

    println!("kill: {audit:?}, {experience:?}, {lasted:.1?}");
    for (victim, took) in &standstills {
        println!("kill: {} x {victim:?}, nothing written for {:.2?} at most", took.len(), took.iter().max().unwrap());
    }
    audit.assert_clean();
    assert!(audit.n_acknowledged >= n_items);
    assert!(experience.n_broken.load(Ordering::Relaxed) >= n_services, "the kills met no request");
}
