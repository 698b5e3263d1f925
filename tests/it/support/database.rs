//! A database of a test's own.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::UNIX_EPOCH;

use afterword::store::{PoolSizes, Store};

use super::server::{TestServer, server};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A migrated, empty database that no other test sees; dropped when its test succeeds, kept until the next run when
/// it fails.
pub(crate) struct TestDatabase {
    name: String,
    owner_url: String,
    service_url: String,
    store: Store,
}

impl TestDatabase {
    /// Clones the template.
    pub(crate) async fn new() -> Self {
        let server = server().await;
        Self::make(server, &format!("template {}", server.template)).await
    }

    /// Makes a database that nothing was migrated in.
    pub(crate) async fn empty() -> Self {
        Self::make(server().await, "").await
    }

    async fn make(server: &TestServer, options: &str) -> Self {
        // The process, so that a later run can tell what is left over; the time, since numbers of processes return.
        let started = UNIX_EPOCH.elapsed().unwrap().as_millis();
        let name = format!("it_{}_{started}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        server.execute(format!("create database {name} {options}")).await;
        let service_url = server.service_url(&name);
        let sizes = PoolSizes { ingest: 3, reading: 4, jobs: 3, lanes: 2 };
        Self {
            store: Store::connect(&service_url, sizes).unwrap(),
            owner_url: server.owner_url(&name),
            service_url,
            name,
        }
    }

    /// Returns the database's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the store, connected as the service connects.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Returns the URL of the owner, who sees past row-level security.
    pub(crate) fn owner_url(&self) -> &str {
        &self.owner_url
    }

    /// Returns the URL of the service's login role.
    pub(crate) fn service_url(&self) -> &str {
        &self.service_url
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the test's database is kept until the next run: psql '{}'", self.owner_url);
            return;
        }
        let name = self.name.clone();
        // A destructor cannot wait inside the test's own runtime.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { server().await.execute(format!("drop database {name} with (force)")).await });
        });
        dropped.join().unwrap();
    }
}

#[tokio::test]
async fn a_tests_database_is_migrated_its_own_and_gone_afterwards() {
    let (one, other) = (TestDatabase::new().await, TestDatabase::new().await);
    let version = afterword::store::migrations::version(one.owner_url()).await.unwrap();
    let url = one.owner_url().to_owned();

    assert!(version.check().is_ok());
    assert_ne!(one.service_url(), other.service_url());
    assert_eq!(one.store().check_server().await.unwrap().role, "afterword_app");
    drop(one);
    assert!(afterword::store::migrations::version(&url).await.is_err(), "the database is still there");
}
