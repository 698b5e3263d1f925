//! Use cases in the imperative: record, request, run, compare. This layer owns ids, time and transactions; it
//! introduces the store to the pure cores and knows neither HTTP nor SQL.

pub mod audit;
pub mod authenticate;
mod authenticate_token;
pub mod bootstrap;
pub mod chance;
pub mod compare;
mod crew;
pub mod destinations;
pub mod detached;
pub mod erase;
mod erase_hashes;
pub mod erase_jobs;
pub mod error;
pub mod experiments;
pub mod export_benchmarks;
pub mod export_bias_counts;
pub mod export_biases;
pub mod export_card;
mod export_card_biases;
mod export_card_read;
mod export_card_rows;
pub mod export_checks;
mod export_collect;
pub mod export_consent;
pub mod export_crossing;
pub mod export_diff;
mod export_failure;
pub mod export_files;
pub mod export_folder;
mod export_holders;
mod export_hooks;
pub mod export_jobs;
mod export_lanes;
pub mod export_leftovers;
pub mod export_lineage;
mod export_llamafactory;
pub mod export_manifest;
mod export_parent;
pub mod export_progress;
mod export_proofs;
mod export_read;
pub mod export_reading;
mod export_rows;
pub mod export_run;
pub mod export_scratch;
mod export_spill;
pub mod export_stats;
pub mod export_verify;
mod export_write;
pub mod exports;
pub mod ids;
pub mod ingest;
mod ingest_meter;
mod ingest_queue;
mod ingest_writer;
pub mod instance;
pub mod key_ring;
pub mod keys;
pub mod links;
pub mod lookups;
pub mod outside;
pub mod pages;
pub mod projects;
pub mod readiness;
pub mod recipes;
pub mod sequence_lengths;
pub mod serving;
pub mod serving_join;
pub mod serving_report;
pub mod serving_view;
pub mod signature;
pub mod tokens;
pub mod vitals;

use std::path::Path;
use std::sync::Arc;

use crate::blob::Blob;
use crate::domain::clock::Clock;
use crate::store::Store;

pub use error::ServiceError;

/// Everything that a use case needs: the database, the places for files, the clock and the ingest queue.
#[derive(Clone)]
pub struct App {
    /// The database.
    pub store: Store,
    /// Where exports go that name no destination.
    pub blob: Blob,
    /// Where exports go that name one.
    pub destinations: Arc<destinations::Named>,
    /// Directory for the scratch files of exports that run here.
    pub scratch: Arc<Path>,
    /// The present moment.
    pub clock: Arc<dyn Clock>,
    /// The way to the ingest writers.
    pub ingest: ingest::IngestQueue,
    /// Credentials that were looked up a moment ago.
    pub credentials: Arc<authenticate::Credentials>,
    /// Wakes a worker of this process when a job is queued; others find it when they look.
    pub new_job: Arc<tokio::sync::Notify>,
    /// The same for an erasure.
    pub new_erasure: Arc<tokio::sync::Notify>,
    /// Where the service's own tasks run, whoever asked for them.
    pub runtime: tokio::runtime::Handle,
    /// What recipes may reach beyond the database and the place for files.
    pub outside: Arc<outside::Outside>,
    /// The serving engines that are watched.
    pub serving: Arc<serving::Serving>,
}

impl App {
    /// Puts the parts together and starts the ingest writers on the present runtime; they run until the last clone of
    /// the app is gone.
    pub fn start(store: Store, blob: Blob, clock: Arc<dyn Clock>) -> Self {
        let ingest = ingest::IngestQueue::start(&store, ingest::Writing::Together);
        let runtime = tokio::runtime::Handle::current();
        let credentials = Arc::new(authenticate::Credentials::new(&runtime));
        let (destinations, scratch) = (Arc::default(), std::env::temp_dir().into());
        let (new_job, new_erasure, outside, serving) = (Arc::default(), Arc::default(), Arc::default(), Arc::default());
        Self {
            store,
            blob,
            destinations,
            scratch,
            clock,
            ingest,
            credentials,
            new_job,
            new_erasure,
            runtime,
            outside,
            serving,
        }
    }

    /// Lets recipes reach what the operator has named; without this they reach nothing.
    #[must_use]
    pub fn reaching(mut self, outside: outside::Outside) -> Self {
        self.outside = Arc::new(outside);
        self
    }

    /// Watches serving engines; without this there are none.
    #[must_use]
    pub fn watching(mut self, serving: serving::Serving) -> Self {
        self.serving = Arc::new(serving);
        self
    }

    /// Adds the operator's destinations, and says where scratch files go where that is not the system's place for them.
    #[must_use]
    pub fn with_places(mut self, destinations: destinations::Named, scratch: Option<&Path>) -> Self {
        self.destinations = Arc::new(destinations);
        if let Some(scratch) = scratch {
            self.scratch = scratch.into();
        }
        self
    }
}

impl App {
    /// Writes what the ingest queue holds, then closes every connection.
    pub async fn close(&self) {
        self.ingest.close().await;
        self.store.close().await;
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}
