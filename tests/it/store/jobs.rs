//! The queue of jobs: held by one, lost when the lease ends, gone when done.

use afterword::domain::clock::{Clock, SystemClock};
use afterword::domain::ids::{ExportId, JobId, ProjectId};
use afterword::store::connection::Pool;
use afterword::store::jobs::{self, ClaimedJob};
use afterword::store::{Access, Store};
use uuid::Uuid;

use crate::support::TestDatabase;

async fn queue(store: &Store, n: u128) {
    let project = ProjectId(Uuid::from_u128(1));
    let mut tx = store.begin(Pool::Jobs, "test", Access::Projects(&[project])).await.unwrap();
    let (job, export) = (JobId(Uuid::from_u128(n)), ExportId(Uuid::from_u128(n)));
    jobs::insert_export(&mut tx, job, project, export, SystemClock.now()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn claim(store: &Store, token: u128, lease_s: f64) -> Option<ClaimedJob> {
    let mut tx = store.begin(Pool::Jobs, "test", Access::Worker).await.unwrap();
    let job = jobs::claim(&mut tx, Uuid::from_u128(token), lease_s).await.unwrap();
    tx.commit().await.unwrap();
    job
}

#[tokio::test]
async fn a_job_is_held_by_one_worker_until_its_lease_ends() {
    let database = TestDatabase::new().await;
    let store = database.store().clone();
    queue(&store, 1).await;

    // A lease of no length ends at once, by the database's own clock.
    let stale = claim(&store, 10, 0.0).await.unwrap();
    let holder = claim(&store, 11, 60.0).await.unwrap();
    let nobody = claim(&store, 12, 60.0).await;

    assert_eq!((stale.id, holder.id), (JobId(Uuid::from_u128(1)), JobId(Uuid::from_u128(1))));
    assert_eq!((stale.n_attempts, holder.n_attempts), (1, 2));
    assert_eq!(nobody, None);
    let mut tx = store.begin(Pool::Jobs, "test", Access::Worker).await.unwrap();
    assert!(!jobs::renew(&mut tx, &stale, 60.0).await.unwrap(), "a lost lease was renewed");
    assert!(!jobs::complete(&mut tx, &stale).await.unwrap(), "a lost lease ended the job");
    assert!(jobs::complete(&mut tx, &holder).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(claim(&store, 13, 60.0).await, None);
}

#[tokio::test]
async fn two_workers_that_ask_at_once_get_two_jobs() {
    let database = TestDatabase::new().await;
    let store = database.store().clone();
    queue(&store, 1).await;
    queue(&store, 2).await;

    let mut first = store.begin(Pool::Jobs, "test", Access::Worker).await.unwrap();
    let mut second = store.begin(Pool::Jobs, "test", Access::Worker).await.unwrap();
    let one = jobs::claim(&mut first, Uuid::from_u128(10), 60.0).await.unwrap().unwrap();
    let other = jobs::claim(&mut second, Uuid::from_u128(11), 60.0).await.unwrap().unwrap();
    first.commit().await.unwrap();
    second.commit().await.unwrap();

    assert_ne!(one.id, other.id);
}

#[tokio::test]
async fn a_job_that_is_given_back_can_be_taken_again() {
    let database = TestDatabase::new().await;
    let store = database.store().clone();
    queue(&store, 1).await;
    let job = claim(&store, 10, 60.0).await.unwrap();

    let mut tx = store.begin(Pool::Jobs, "test", Access::Worker).await.unwrap();
    assert!(jobs::release(&mut tx, &job, 0.0, false).await.unwrap());
    tx.commit().await.unwrap();

    assert_eq!(claim(&store, 11, 60.0).await.map(|job| job.n_attempts), Some(2));
}
