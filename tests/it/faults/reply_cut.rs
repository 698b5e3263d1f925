//! A reply that is lost after the commit: nobody knows whether the items are stored, so the client sends them again,
//! and is told that they are duplicates.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use afterword::domain::principal::Role;
use afterword::store::PoolSizes;
use futures_util::future::join_all;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::journal::Journal;
use super::load::{Experience, Item, Sender, Writer, client};
use super::proxy::FaultProxy;
use super::size::{chance, sized};
use crate::support::TestService;
use crate::support::program::open_dir;
use crate::support::service::PROJECT;

const N_CLIENTS: usize = 4;

/// Sends items while replies are cut, until enough of them were; every client has one request on its way.
async fn write_while_cut(service: &TestService, proxy: &FaultProxy, url: &str, n_cuts: usize) {
    let mut chance = chance("reply_cut");
    let sender = Sender { project: PROJECT.to_owned(), key: service.key(Role::Ingest).await };
    let (dir, experience, started) = (open_dir(), Experience::default(), Instant::now());
    let journal = Journal::create(dir.path());
    let clients = (0..N_CLIENTS).map(|_| {
        let mut chance = ChaCha8Rng::from_rng(&mut chance);
        let (journal, experience, sender) = (&journal, &experience, sender.clone());
        let writer = Writer { client: client(), sender, journal, experience, url: || url.to_owned() };
        async move {
            // A reply to a look-up of the key is cut like any other, and leaves nothing behind to be found twice.
            let too_few = || experience.n_ambiguous.load(Ordering::Relaxed) < n_cuts && proxy.n_cut() < 4 * n_cuts;
            while proxy.n_cut() < n_cuts || too_few() {
                let n_items = chance.random_range(1..=5);
                let items: Vec<Item> = (0..n_items).map(|_| Item::thumb(&mut chance)).collect();
                proxy.cut_next(1);
                writer.write(&items).await;
            }
        }
    });

    join_all(clients.collect::<Vec<_>>()).await;
    let audit = journal.audit(service.owner_url()).await;

    println!("reply_cut: {} cut, {audit:?}, {experience:?}, {:.1?}", proxy.n_cut(), started.elapsed());
    audit.assert_clean();
    assert!(proxy.n_cut() >= n_cuts);
    // A request of which the reply was cut had stored its items, so that its retry found them.
    let n_ambiguous = experience.n_ambiguous.load(Ordering::Relaxed);
    assert!(n_ambiguous >= n_cuts, "only {n_ambiguous} items were duplicates when they were sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_before_the_database_fell_silent_is_a_duplicate_afterwards() {
    let sizes = PoolSizes { ingest: 3, reading: 2, jobs: 1, lanes: 1 };
    let mut proxy = None;
    let service = TestService::start_behind(
        async |url| proxy.insert(FaultProxy::before_postgres(url, Duration::ZERO).await).url(url),
        sizes,
    )
    .await;
    let proxy = proxy.unwrap();
    let url = service.url("");

    write_while_cut(&service, &proxy, &url, sized(15, 1_000)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_to_a_client_that_never_heard_it_is_a_duplicate_afterwards() {
    let service = TestService::start().await;
    let proxy = FaultProxy::before_service(service.server().address()).await;
    let url = format!("http://{}", proxy.address());

    write_while_cut(&service, &proxy, &url, sized(15, 1_000)).await;
}
