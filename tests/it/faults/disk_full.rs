//! A full disk under Postgres: writes are refused, and with room again they go on, without a restart of the service.
//! Needs root for a small disk of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use sqlx::{Connection as _, PgConnection};

use super::journal::Journal;
use super::load::{Experience, Item, Sender, Writer, client};
use super::plant::Plant;
use super::size::{chance, sized};
use crate::support::disk::SmallDisk;
use crate::support::program::open_dir;

const DISK_MIB: usize = 192;
const N_CLIENTS: usize = 6;
const REFUSED_WITHIN: Duration = Duration::from_secs(2);
/// Postgres may have ended and replays its log.
const RECOVERY: Duration = Duration::from_mins(1);

/// What finds no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fills {
    /// Tables: a statement fails, and the server lives on.
    Tables,
    /// The log: the server ends, and cannot come back before there is room.
    Log,
}

/// Goes on to the next file of the log until there is no room for one, which ends the server.
async fn exhaust_log(owner_url: &str) {
    const NEXT: &str = "select pg_logical_emit_message(true, 'full', 'disk'), pg_switch_wal()";
    let mut n_files = 0;
    while let Ok(mut connection) = PgConnection::connect(owner_url).await
        && sqlx::query(NEXT).execute(&mut connection).await.is_ok()
    {
        n_files += 1;
        assert!(n_files < DISK_MIB, "the log has room for {n_files} more files on a full disk");
    }
}

/// Fills the disk, keeps it full for a while after the first refusal, and makes room again; returns how long it then
/// took until something was acknowledged.
async fn starve(
    disk: &SmallDisk,
    plant: &Plant,
    experience: &Experience,
    full_for: Duration,
    fills: Fills,
) -> Duration {
    let n_acknowledged = || experience.n_acknowledged.load(Ordering::Relaxed);
    let n_refused = || experience.n_refused.load(Ordering::Relaxed);
    let until = async |is_so: &dyn Fn() -> bool| {
        let started = Instant::now();
        while !is_so() {
            assert!(started.elapsed() < RECOVERY, "nothing happens; the log ends: {}", plant.end_of_log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        started.elapsed()
    };
    let (n_before, n_refused_before) = (n_acknowledged(), n_refused());
    until(&|| n_acknowledged() > n_before + 200).await;
    disk.fill();
    until(&|| n_refused() > n_refused_before + N_CLIENTS).await;
    if fills == Fills::Log {
        exhaust_log(&plant.owner_url()).await;
    }
    let ends_at = Instant::now() + full_for;
    while Instant::now() < ends_at {
        // The disk is topped up: what Postgres clears away after a failed write must not help it.
        disk.fill();
        assert_eq!(client().get(format!("{}/livez", plant.url(0))).send().await.unwrap().status(), 200);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    disk.empty();
    let n_starved = n_acknowledged();
    until(&|| n_acknowledged() > n_starved).await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_writes_are_refused_and_with_room_again_they_go_on() {
    let (n_rounds, full_for) = sized((2, Duration::from_secs(1)), (6, Duration::from_secs(10)));
    let dir = Arc::new(open_dir());
    let disk = match SmallDisk::mount(&dir.path().join("disk"), DISK_MIB) {
        Ok(disk) => disk,
        Err(reason) => {
            eprintln!("SKIPPED, NOT TESTED: a full disk. Only root can mount a small one here: {reason}");
            return;
        }
    };
    let mut chance = chance("disk_full");
    let plant = Plant::start_in(Arc::clone(&dir), disk.path().join("data"), 1).await;
    let sender = Sender { key: plant.key("p"), project: "p".to_owned() };
    let (journal, experience, is_over) = (Journal::create(plant.dir()), Experience::default(), AtomicBool::new(false));

    let clients = (0..N_CLIENTS).map(|_| {
        let mut chance = ChaCha8Rng::from_rng(&mut chance);
        let (plant, journal, experience, is_over) = (&plant, &journal, &experience, &is_over);
        let writer =
            Writer { client: client(), sender: sender.clone(), journal, experience, url: move || plant.url(0) };
        async move {
            while !is_over.load(Ordering::Relaxed) {
                let items: Vec<Item> = (0..20).map(|_| Item::thumb(&mut chance)).collect();
                writer.write(&items).await;
            }
        }
    });
    let clients: Vec<_> = clients.collect();
    let starvations = async {
        let mut longest = Duration::ZERO;
        for fills in [Fills::Tables, Fills::Log].into_iter().cycle().take(n_rounds) {
            longest = longest.max(starve(&disk, &plant, &experience, full_for, fills).await);
        }
        is_over.store(true, Ordering::Relaxed);
        longest
    };
    let (longest, _) = tokio::join!(starvations, join_all(clients));
    let log = plant.read_log();
    let audit = plant.stop_and_look(async |owner_url| journal.audit(owner_url).await).await;

    let n_full = log.matches("SQLSTATE 53100").count();
    let n_ended = log.matches("the private Postgres ended").count();
    println!(
        "disk_full: {n_rounds} x {full_for:?}, written again after {longest:.2?}, {n_full} writes refused for want of \
         room, {n_ended} looks at a server that had ended, rounds of tables and of the log in turn, {audit:?}, {experience:?}"
    );
    audit.assert_clean();
    assert!(n_full > 0 && n_ended > 0, "the disk was not full");
    let longest_refusal = Duration::from_millis(experience.longest_refusal_ms.load(Ordering::Relaxed) as u64);
    assert!(longest_refusal < REFUSED_WITHIN, "a client waited {longest_refusal:?}");
    assert_eq!(experience.n_broken.load(Ordering::Relaxed), 0, "a client was left without an answer");
}
