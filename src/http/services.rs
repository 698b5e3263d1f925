//! What every handler is given: the use cases, the way to run them, and the settings of the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;

use super::client_address::Proxies;
use super::door::Door;
use super::metrics::RequestMeter;
use super::quota::Quotas;
use crate::config::MetricsReaders;
use crate::foreign::meaning::Meanings;
use crate::service::detached::detached_on;
use crate::service::{App, ServiceError};

/// How the server listens and how long it waits for whom.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Threads that serve connections.
    pub n_workers: usize,
    /// How long a connection without a request stays open.
    pub keep_alive: Duration,
    /// How long a client may take to send a request's head.
    pub head_deadline: Duration,
    /// How long a client may take to read on before its connection is given up.
    pub stall_deadline: Duration,
    /// How many connections one address may hold; any number for 0.
    pub max_connections_per_address: usize,
    /// How long requests may take to end once the server is asked to stop.
    pub shutdown_deadline: Duration,
    /// Bounds of a request's body.
    pub body: BodyLimits,
    /// The same for whoever may be a browser.
    pub browser_body: BodyLimits,
    /// The same for OTLP.
    pub otlp_body: BodyLimits,
    /// How many items each may send.
    pub quotas: Quotas,
    /// The proxies whose word about their clients is believed.
    pub proxies: Proxies,
    /// How many requests may be under way at once.
    pub max_requests_at_once: usize,
    /// How much memory the bodies of all requests may take together.
    pub max_bytes_of_all_bodies: usize,
    /// How often the progress of an export is looked up for a client that follows it.
    pub progress_every: Duration,
    /// What scores of other tools mean.
    pub score_meanings: Meanings,
    /// Where people reach the service: what links begin with.
    pub public_url: Option<String>,
    /// Who may read the metrics.
    pub metrics_readers: MetricsReaders,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            n_workers: 2,
            keep_alive: Duration::from_secs(75),
            head_deadline: Duration::from_secs(5),
            stall_deadline: Duration::from_secs(30),
            max_connections_per_address: 4096,
            shutdown_deadline: Duration::from_secs(25),
            body: BodyLimits::default(),
            browser_body: BodyLimits::of_browsers(256 << 10),
            otlp_body: BodyLimits::of_otlp(20 << 20),
            quotas: Quotas::default(),
            proxies: Proxies::default(),
            max_requests_at_once: 4096,
            max_bytes_of_all_bodies: 24 << 20,
            progress_every: Duration::from_millis(500),
            score_meanings: Meanings::default(),
            public_url: None,
            metrics_readers: MetricsReaders::Loopback,
        }
    }
}

/// Bounds of a request's body.
#[derive(Debug, Clone)]
pub struct BodyLimits {
    /// Bytes on the wire.
    pub wire_bytes: usize,
    /// Bytes after decompression.
    pub decoded_bytes: usize,
    /// How many times larger than on the wire a body may become, beyond its first 256 KiB.
    pub max_ratio: usize,
    /// How long the whole body may take.
    pub deadline: Duration,
    /// How long a body may come more slowly than `min_bytes_per_s`.
    pub grace: Duration,
    /// The slowest acceptable mean rate after `grace`.
    pub min_bytes_per_s: usize,
}

impl BodyLimits {
    /// Bounds the bodies of browsers: what is decompressed may be four times as large as what comes.
    pub fn of_browsers(wire_bytes: usize) -> Self {
        Self { wire_bytes, decoded_bytes: 4 * wire_bytes, ..Self::default() }
    }

    /// Bounds the bodies of OTLP, before decompression and after it alike.
    pub fn of_otlp(n_bytes: usize) -> Self {
        Self { wire_bytes: n_bytes, decoded_bytes: n_bytes, ..Self::default() }
    }
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            wire_bytes: 8 << 20,
            decoded_bytes: 16 << 20,
            max_ratio: 100,
            deadline: Duration::from_mins(1),
            grace: Duration::from_secs(5),
            min_bytes_per_s: 8 << 10,
        }
    }
}

/// What every handler is given.
#[derive(Debug)]
pub(crate) struct Services {
    app: App,
    runtime: Handle,
    settings: HttpSettings,
    door: Door,
    meter: RequestMeter,
    draining: Arc<AtomicBool>,
}

impl Services {
    pub(crate) fn new(app: App, runtime: Handle, settings: HttpSettings, draining: Arc<AtomicBool>) -> Self {
        let door = Door::new(&settings, &runtime);
        Self { app, runtime, settings, door, meter: RequestMeter::new(), draining }
    }

    /// Runs a use case to its end on the service's runtime, whether or not the client still waits.
    ///
    /// A handler's own future is dropped when its client goes away, wherever it stands; nothing that holds a
    /// transaction may run inside it.
    pub(crate) async fn run<T, F>(&self, unit: impl FnOnce(App) -> F) -> Result<T, ServiceError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ServiceError>> + Send + 'static,
    {
        detached_on(&self.runtime, unit(self.app.clone())).await
    }

    /// Returns the app, for what holds no transaction: it may be dropped wherever it waits, and needs no task of its own.
    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    pub(crate) fn settings(&self) -> &HttpSettings {
        &self.settings
    }

    /// Returns what guards the way in.
    pub(crate) fn door(&self) -> &Door {
        &self.door
    }

    /// Returns what counts the answers.
    pub(crate) fn meter(&self) -> &RequestMeter {
        &self.meter
    }

    /// Tells whether the server has been asked to stop.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }
}
