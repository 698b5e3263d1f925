//! `/metrics`: what the service counts, in the text form of OpenMetrics. Labels are words of our own: addresses, methods,
//! statuses, signals and codes, so that neither users nor their number can show.

use std::fmt::Error;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::error::Problem;
use super::openapi::names as doc;
use super::routes::ADDRESSES;
use super::services::Services;
use super::{problem, query};
use crate::config::MetricsReaders;
use crate::service::App;
use crate::service::ingest::{Distribution, VerdictCount};
use crate::service::serving_view::{self, TargetView};
use crate::service::vitals::{self, Vitals};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// From a lone request to the limit of what a caller waits for, in seconds.
const BUCKETS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Headers that a proxy adds: whoever has one of them is not on this machine, wherever the connection comes from.
const FORWARDED: [&str; 3] = ["forwarded", "x-forwarded-for", "x-real-ip"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: &'static str,
}

/// What `http::edge` counts.
#[derive(Debug)]
pub(crate) struct RequestMeter {
    registry: Registry,
    answered: Family<RequestLabels, Counter>,
    duration: Family<RouteLabels, Histogram, fn() -> Histogram>,
}

impl RequestMeter {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("afterword");
        let answered = Family::default();
        let duration = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        registry.register("http_requests", "Requests that were answered", answered.clone());
        let help = "From a request's head to the head of its answer";
        registry.register_with_unit("http_request_duration", help, Unit::Seconds, duration.clone());
        Self { registry, answered, duration }
    }

    /// Counts an answer; `pattern` is the address as it is registered, if any.
    pub(crate) fn observe(&self, pattern: Option<&str>, method: &'static str, status: u16, took: Duration) {
        let route = pattern.and_then(|pattern| ADDRESSES.iter().find(|(_, known)| *known == pattern));
        let route = route.map_or("other", |(_, known)| known);
        self.answered.get_or_create(&RequestLabels { route, method, status }).inc();
        self.duration.get_or_create(&RouteLabels { route }).observe(took.as_secs_f64());
    }
}

/// Tells what the service counts, in the text form of OpenMetrics.
#[utoipa::path(get, path = "/metrics", tag = "Operators", responses(
    (status = 200, description = "The metrics", content_type = "application/openmetrics-text", body = doc::Page),
    (status = 404, description = "The caller is not among `metrics.readers`: `not_found`"),
))]
pub(crate) async fn show(request: HttpRequest, services: web::Data<Services>) -> Result<HttpResponse, Problem> {
    if services.settings().metrics_readers == MetricsReaders::Loopback && !is_local(&request) {
        return Err(Problem::new(problem::NOT_FOUND));
    }
    query::check(&request)?;
    let vitals = services.run(|app| async move { Ok(vitals::read(&app).await) }).await?;
    let mut registry = Registry::with_prefix("afterword");
    registry.register_collector(Box::new(Scrape::new(services.app(), vitals)));
    let mut text = String::with_capacity(16 << 10);
    let written = encode_registry(&mut text, &services.meter().registry)
        .and_then(|()| encode_registry(&mut text, &registry))
        .and_then(|()| encode_eof(&mut text));
    written.map_err(|_| Problem::new(problem::INTERNAL_ERROR))?;
    Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, OPENMETRICS)).body(text))
}

/// Tells whether a request was made on this machine, and by nobody behind a proxy on it.
fn is_local(request: &HttpRequest) -> bool {
    let is_loopback = request.peer_addr().is_some_and(|peer| match peer.ip() {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()),
    });
    is_loopback && !FORWARDED.iter().any(|name| request.headers().contains_key(*name))
}

/// Numbers that others keep, as they stood at one moment.
#[derive(Debug)]
struct Scrape {
    waiting_items: u64,
    waiting_bytes: u64,
    turned_away: u64,
    failed_batches: u64,
    writers: u64,
    writer_panics: u64,
    batch_items: Distribution,
    commit_us: Distribution,
    verdicts: Vec<VerdictCount>,
    vitals: Vitals,
    targets: Vec<TargetView>,
}

impl Scrape {
    fn new(app: &App, vitals: Vitals) -> Self {
        let ingest = &app.ingest;
        let meter = ingest.meter();
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Self {
            waiting_items: read(&meter.n_waiting_items),
            waiting_bytes: read(&meter.n_waiting_bytes),
            turned_away: read(&meter.n_turned_away),
            failed_batches: read(&meter.n_failed_batches),
            writers: ingest.n_writers(),
            writer_panics: ingest.n_writer_panics(),
            batch_items: meter.batch_items.read(),
            commit_us: meter.commit_us.read(),
            verdicts: meter.verdicts(),
            vitals,
            targets: serving_view::list_targets(app),
        }
    }

    fn ingest(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        gauge(encoder, "ingest_waiting_items", "Items taken in and not answered yet", self.waiting_items)?;
        let help = "Memory that these items take, about";
        let unit = Some(&Unit::Bytes);
        let metric = encoder.encode_descriptor("ingest_waiting", help, unit, MetricType::Gauge)?;
        ConstGauge::new(self.waiting_bytes).encode(metric)?;
        counter(encoder, "ingest_turned_away", "Requests turned away because too much waited", self.turned_away)?;
        counter(encoder, "ingest_failed_batches", "Batches that could not be written", self.failed_batches)?;
        gauge(encoder, "ingest_writers", "Writers that live", self.writers)?;
        counter(encoder, "ingest_writer_panics", "Writers that panicked and were replaced", self.writer_panics)?;
        let metric =
            encoder.encode_descriptor("ingest_batch_items", "Items of one batch", None, MetricType::Histogram)?;
        histogram(metric, &self.batch_items, 1.0)?;
        let help = "From the beginning of a batch's transaction to the end of its commit";
        let metric = encoder.encode_descriptor("ingest_commit", help, Some(&Unit::Seconds), MetricType::Histogram)?;
        histogram(metric, &self.commit_us, 1e6)?;
        let help = "What became of items, by table, signal and code";
        let mut family = encoder.encode_descriptor("ingest_items", help, None, MetricType::Counter)?;
        for VerdictCount { table, signal, code, n_items } in &self.verdicts {
            let labels = [("table", *table), ("signal", *signal), ("code", *code)];
            ConstCounter::new(*n_items).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn pools(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let help = "Connections to the database, by pool";
        let mut family = encoder.encode_descriptor("pool_connections", help, None, MetricType::Gauge)?;
        for pool in &self.vitals.pools {
            for (state, n_connections) in [("busy", pool.n_busy), ("idle", pool.n_idle)] {
                let labels = [("pool", pool.name), ("state", state)];
                ConstGauge::new(n_connections).encode(family.encode_family(&labels)?)?;
            }
        }
        let help = "Connections that a pool may have";
        let mut family = encoder.encode_descriptor("pool_max_connections", help, None, MetricType::Gauge)?;
        for pool in &self.vitals.pools {
            ConstGauge::new(pool.n_max).encode(family.encode_family(&[("pool", pool.name)])?)?;
        }
        Ok(())
    }
}

impl Scrape {
    /// Tells how the watching of serving engines goes. Their names are the operator's own.
    fn serving(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        if self.targets.is_empty() {
            return Ok(());
        }
        let help = "Times that a serving engine was asked for its load, by whether it told any";
        let mut family = encoder.encode_descriptor("serving_samples", help, None, MetricType::Counter)?;
        for target in &self.targets {
            for (outcome, n_times) in [("read", target.n_samples), ("failed", target.n_failures)] {
                let labels = [("target", target.name.as_str()), ("outcome", outcome)];
                ConstCounter::new(n_times).encode(family.encode_family(&labels)?)?;
            }
        }
        let help = "Lines of serving engines' pages that could not be read";
        let mut family = encoder.encode_descriptor("serving_skipped_lines", help, None, MetricType::Counter)?;
        for target in &self.targets {
            let labels = [("target", target.name.as_str())];
            ConstCounter::new(target.n_skipped_lines).encode(family.encode_family(&labels)?)?;
        }
        let help = "Age of the last sample of a serving engine";
        let unit = Some(&Unit::Seconds);
        let mut family = encoder.encode_descriptor("serving_staleness", help, unit, MetricType::Gauge)?;
        for target in &self.targets {
            if let Some(staleness_ms) = target.staleness_ms {
                let labels = [("target", target.name.as_str())];
                ConstGauge::new(staleness_ms as f64 / 1e3).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        self.ingest(&mut encoder)?;
        self.pools(&mut encoder)?;
        self.serving(&mut encoder)?;
        if let Some(jobs) = self.vitals.jobs {
            let help = "Jobs in the database, by whether a worker holds them";
            let mut family = encoder.encode_descriptor("jobs", help, None, MetricType::Gauge)?;
            for (state, n_jobs) in [("waiting", jobs.n_waiting), ("held", jobs.n_held)] {
                ConstGauge::new(n_jobs).encode(family.encode_family(&[("state", state)])?)?;
            }
        }
        let mut family = encoder.encode_descriptor("build", "The version that runs", None, MetricType::Info)?;
        family.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])
    }
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> Result<(), Error> {
    ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> Result<(), Error> {
    ConstCounter::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)
}

/// Writes a distribution of which so many make one of the metric's unit. Divided and not multiplied, because 25,000 times
/// a millionth is not quite 0.025, and a query names its bucket by the text.
fn histogram(mut metric: MetricEncoder<'_>, read: &Distribution, per_unit: f64) -> Result<(), Error> {
    let mut below = 0;
    let mut buckets: Vec<(f64, u64)> = Vec::with_capacity(read.buckets.len() + 1);
    for (bound, up_to) in &read.buckets {
        buckets.push((*bound as f64 / per_unit, up_to - below));
        below = *up_to;
    }
    buckets.push((f64::INFINITY, read.n_values - below));
    metric.encode_histogram::<NoLabelSet>(read.sum as f64 / per_unit, read.n_values, &buckets, None)
}
