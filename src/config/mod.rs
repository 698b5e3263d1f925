//! What the operator decides: `config/default.toml`, a file and the environment, parsed once into values that make
//! sense. This module opens nothing and connects to nothing.

mod adapters;
mod addresses;
mod destinations;
mod error;
mod layers;
mod serving;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use toml::{Table, Value};

use crate::domain::destination::Destination;
use crate::domain::network::Network;
use crate::domain::principal::SecretKey;
use crate::engine::target::Target;
use crate::foreign::meaning::Meanings;

use addresses::{parse_listen, parse_networks, parse_public_url, parse_urls};
pub use error::ConfigError;

/// Everything that the operator decides.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the service listens.
    pub listen: SocketAddr,
    /// Directory for what the service keeps itself.
    pub data_dir: PathBuf,
    /// The database.
    pub database: Database,
    /// Directory with the programs of the private Postgres; looked for where it is absent.
    pub postgres_bin_dir: Option<PathBuf>,
    /// Where exports go, and what their recipes may reach.
    pub exports: Exports,
    /// The HTTP server.
    pub http: Http,
    /// Who may read the metrics.
    pub metrics_readers: MetricsReaders,
    /// How much each may send.
    pub quotas: Quotas,
    /// Engines whose load is watched.
    pub serving_targets: Vec<Target>,
    /// What scores of other tools mean.
    pub score_meanings: Meanings,
    /// The largest body of OTLP, on the wire and after decompression, in bytes.
    pub max_otlp_body_bytes: usize,
    /// The log.
    pub log: Log,
    /// What is made at start.
    pub init: Init,
    effective: Table,
}

/// Where the database is, and how many connections each kind of work may hold.
#[derive(Debug, Clone)]
pub struct Database {
    /// The service's URL; a private Postgres where it is absent.
    pub url: Option<SecretString>,
    /// The URL of whoever migrates; the service's where it is absent.
    pub owner_url: Option<SecretString>,
    /// Connections of the ingest writers.
    pub n_ingest_connections: u32,
    /// Connections for what requests wait for.
    pub n_reading_connections: u32,
    /// Connections of the workers.
    pub n_job_connections: u32,
    /// Connections that exports read with beside those.
    pub n_export_connections: u32,
}

/// Where exports go, and what their recipes may reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exports {
    /// Directory that they are written to where a request names no destination.
    pub directory: PathBuf,
    /// Directory for their scratch files; the system's where it is absent.
    pub scratch_directory: Option<PathBuf>,
    /// Directory of the benchmark files that recipes over REST may name; they may name none where it is absent.
    pub benchmarks_directory: Option<PathBuf>,
    /// URLs of the services that recipes may name.
    pub hook_urls: Vec<String>,
    /// Further places that a request may name.
    pub destinations: Vec<Destination>,
}

/// Bounds and patience of the HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Where people reach the service, without a slash at its end; nothing where it is not told.
    pub public_url: Option<String>,
    /// Threads that serve connections.
    pub n_workers: usize,
    /// The largest body on the wire, in bytes.
    pub max_body_bytes: usize,
    /// The largest body after decompression, in bytes.
    pub max_decoded_body_bytes: usize,
    /// The largest body of a browser on the wire, in bytes.
    pub max_browser_body_bytes: usize,
    /// How many requests may be under way at once.
    pub max_requests_at_once: usize,
    /// How much memory all bodies may take together, in bytes.
    pub max_bytes_of_all_bodies: usize,
    /// How many connections one address may hold; any number for 0.
    pub max_connections_per_address: usize,
    /// How long a head may take.
    pub head_deadline: Duration,
    /// How long a body may take.
    pub body_deadline: Duration,
    /// How slowly a body may come, in bytes per second.
    pub min_body_bytes_per_second: usize,
    /// How long an idle connection stays open.
    pub keep_alive: Duration,
    /// How long serving goes on after the service was asked to stop, while it says that it is not ready.
    pub drain_notice: Duration,
    /// How long requests may take to end after that.
    pub drain: Duration,
    /// Networks of the proxies that are believed.
    pub trusted_proxies: Vec<Network>,
    /// Whether they write `Forwarded` and not `X-Forwarded-For`.
    pub reads_forwarded: bool,
}

/// How many items of feedback each may send in a minute; any number for 0.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Quotas {
    /// A publishable key, or the signing key of tokens.
    pub items_per_minute_of_browser_key: u32,
    /// The subject of tokens.
    pub items_per_minute_of_subject: u32,
    /// A network of browsers.
    pub items_per_minute_of_address: u32,
    /// A secret key.
    pub items_per_minute_of_secret_key: u32,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// For people or for machines.
    pub format: LogFormat,
    /// A level, or directives.
    pub level: String,
}

/// Who may read the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsReaders {
    /// Whoever is on this machine.
    Loopback,
    /// Whoever reaches the service.
    Everybody,
}

/// Whom the log is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// People.
    Text,
    /// Machines.
    Json,
}

/// What is made at start where it is absent.
#[derive(Debug, Clone)]
pub struct Init {
    /// Name of the project.
    pub project: Option<String>,
    /// Its first key.
    pub secret_key: Option<SecretKey>,
}

impl Config {
    /// Loads the defaults, then a file (the one named, or AFTERWORD_CONFIG, or ./afterword.toml), then the environment.
    pub fn load(file: Option<&Path>, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut merged = layers::merge(file, env)?;
        let raw = Value::Table(merged.clone()).try_into::<Raw>().map_err(|_| ConfigError::Invalid {
            key: "(a number)",
            expected: "not negative, and not larger than a machine can count",
        })?;
        redact(&mut merged);
        raw.parse(merged)
    }

    /// Returns every key with its default and its description, ready to be saved and edited.
    pub fn template() -> &'static str {
        layers::DEFAULTS
    }

    /// Writes the configuration in force as TOML; secrets are only said to be set.
    pub fn print(&self) -> String {
        self.effective.to_string()
    }
}

/// Keys whose values are never shown.
const SECRETS: [(&str, &str); 3] = [("database", "url"), ("database", "owner_url"), ("init", "secret_key")];

fn redact(merged: &mut Table) {
    for (section, key) in SECRETS {
        if let Some(Value::String(secret)) = merged.get_mut(section).and_then(|section| section.get_mut(key))
            && !secret.is_empty()
        {
            "(set, not shown)".clone_into(secret);
        }
    }
}

/// The file as it is written; every key is there, since the defaults have it.
#[derive(Deserialize)]
struct Raw {
    listen: String,
    data_dir: PathBuf,
    database: RawDatabase,
    postgres: RawPostgres,
    exports: RawExports,
    http: RawHttp,
    metrics: RawMetrics,
    quotas: Quotas,
    serving: serving::RawServing,
    adapters: adapters::RawAdapters,
    log: RawLog,
    init: RawInit,
}

#[derive(Deserialize)]
struct RawDatabase {
    url: String,
    owner_url: String,
    n_ingest_connections: u32,
    n_reading_connections: u32,
    n_job_connections: u32,
    n_export_connections: u32,
}

#[derive(Deserialize)]
struct RawPostgres {
    bin_dir: String,
}

#[derive(Deserialize)]
struct RawExports {
    directory: String,
    scratch_directory: String,
    benchmarks_directory: String,
    hook_urls: String,
    destinations: BTreeMap<String, destinations::RawDestination>,
}

#[derive(Deserialize)]
struct RawHttp {
    public_url: String,
    n_workers: usize,
    max_body_bytes: usize,
    max_decoded_body_bytes: usize,
    max_browser_body_bytes: usize,
    max_requests_at_once: usize,
    max_bytes_of_all_bodies: usize,
    max_connections_per_address: usize,
    trusted_proxies: String,
    forwarded_header: String,
    head_deadline_seconds: u64,
    body_deadline_seconds: u64,
    min_body_bytes_per_second: usize,
    keep_alive_seconds: u64,
    drain_notice_seconds: u64,
    drain_seconds: u64,
}

#[derive(Deserialize)]
struct RawMetrics {
    readers: String,
}

#[derive(Deserialize)]
struct RawLog {
    format: String,
    level: String,
}

#[derive(Deserialize)]
struct RawInit {
    project: String,
    secret_key: String,
}

impl Raw {
    fn parse(self, effective: Table) -> Result<Config, ConfigError> {
        if self.data_dir.as_os_str().is_empty() {
            return Err(ConfigError::Invalid { key: "data_dir", expected: "a directory" });
        }
        let exports = self.exports.parse(&self.data_dir)?;
        let http = self.http.parse()?;
        let adapters = self.adapters.parse(http.max_bytes_of_all_bodies)?;
        Ok(Config {
            listen: parse_listen(&self.listen)?,
            data_dir: self.data_dir,
            database: self.database.parse()?,
            postgres_bin_dir: given(self.postgres.bin_dir).map(PathBuf::from),
            exports,
            http,
            metrics_readers: self.metrics.parse()?,
            quotas: self.quotas,
            serving_targets: self.serving.parse()?,
            score_meanings: adapters.score_meanings,
            max_otlp_body_bytes: adapters.max_otlp_body_bytes,
            log: self.log.parse()?,
            init: self.init.parse()?,
            effective,
        })
    }
}

impl RawExports {
    fn parse(self, data_dir: &Path) -> Result<Exports, ConfigError> {
        Ok(Exports {
            directory: given(self.directory).map_or_else(|| data_dir.join("exports"), PathBuf::from),
            scratch_directory: given(self.scratch_directory).map(PathBuf::from),
            benchmarks_directory: given(self.benchmarks_directory).map(PathBuf::from),
            hook_urls: parse_urls(&self.hook_urls)?,
            destinations: destinations::parse(self.destinations)?,
        })
    }
}

impl RawDatabase {
    fn parse(self) -> Result<Database, ConfigError> {
        Ok(Database {
            url: parse_url("database.url", self.url)?,
            owner_url: parse_url("database.owner_url", self.owner_url)?,
            n_ingest_connections: at_least_one("database.n_ingest_connections", self.n_ingest_connections)?,
            n_reading_connections: at_least_one("database.n_reading_connections", self.n_reading_connections)?,
            n_job_connections: at_least_one("database.n_job_connections", self.n_job_connections)?,
            n_export_connections: at_least_one("database.n_export_connections", self.n_export_connections)?,
        })
    }
}

impl RawHttp {
    fn parse(self) -> Result<Http, ConfigError> {
        const MIB: usize = 1 << 20;
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        if self.max_body_bytes == 0 || self.max_body_bytes > 64 * MIB {
            return Err(ConfigError::Invalid { key: "http.max_body_bytes", expected: "1 byte to 64 MiB" });
        }
        if self.max_decoded_body_bytes < self.max_body_bytes || self.max_decoded_body_bytes > 256 * MIB {
            let expected = "at least http.max_body_bytes and at most 256 MiB";
            return Err(ConfigError::Invalid { key: "http.max_decoded_body_bytes", expected });
        }
        if self.max_browser_body_bytes == 0 || self.max_browser_body_bytes > self.max_body_bytes {
            let expected = "at least 1 byte and at most http.max_body_bytes";
            return Err(ConfigError::Invalid { key: "http.max_browser_body_bytes", expected });
        }
        if !(1..=1_000_000).contains(&self.max_requests_at_once) {
            return Err(ConfigError::Invalid { key: "http.max_requests_at_once", expected: "1 to 1000000" });
        }
        // A zstd body takes its window of up to 8 MiB besides while it is decoded.
        if self.max_bytes_of_all_bodies < self.max_decoded_body_bytes + 8 * MIB
            || self.max_bytes_of_all_bodies > 4096 * MIB
        {
            let expected = "at least 8 MiB more than http.max_decoded_body_bytes and at most 4 GiB";
            return Err(ConfigError::Invalid { key: "http.max_bytes_of_all_bodies", expected });
        }
        Ok(Http {
            public_url: parse_public_url(self.public_url)?,
            n_workers: if self.n_workers == 0 { processors } else { self.n_workers.min(1024) },
            max_body_bytes: self.max_body_bytes,
            max_decoded_body_bytes: self.max_decoded_body_bytes,
            max_browser_body_bytes: self.max_browser_body_bytes,
            max_requests_at_once: self.max_requests_at_once,
            max_bytes_of_all_bodies: self.max_bytes_of_all_bodies,
            max_connections_per_address: self.max_connections_per_address,
            head_deadline: seconds("http.head_deadline_seconds", self.head_deadline_seconds)?,
            body_deadline: seconds("http.body_deadline_seconds", self.body_deadline_seconds)?,
            min_body_bytes_per_second: self.min_body_bytes_per_second,
            keep_alive: seconds("http.keep_alive_seconds", self.keep_alive_seconds)?,
            drain_notice: Duration::from_secs(self.drain_notice_seconds.min(3600)),
            drain: seconds("http.drain_seconds", self.drain_seconds)?,
            trusted_proxies: parse_networks(&self.trusted_proxies)?,
            reads_forwarded: match self.forwarded_header.as_str() {
                "x-forwarded-for" => false,
                "forwarded" => true,
                _ => {
                    let expected = "`x-forwarded-for` or `forwarded`";
                    return Err(ConfigError::Invalid { key: "http.forwarded_header", expected });
                }
            },
        })
    }
}

impl RawMetrics {
    fn parse(&self) -> Result<MetricsReaders, ConfigError> {
        match self.readers.as_str() {
            "loopback" => Ok(MetricsReaders::Loopback),
            "everybody" => Ok(MetricsReaders::Everybody),
            _ => Err(ConfigError::Invalid { key: "metrics.readers", expected: "`loopback` or `everybody`" }),
        }
    }
}

impl RawLog {
    fn parse(self) -> Result<Log, ConfigError> {
        let format = match self.format.as_str() {
            "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            _ => return Err(ConfigError::Invalid { key: "log.format", expected: "`text` or `json`" }),
        };
        if !is_log_level(&self.level) {
            let expected = "a level (error, warn, info, debug, trace) or directives";
            return Err(ConfigError::Invalid { key: "log.level", expected });
        }
        Ok(Log { format, level: self.level })
    }
}

/// Tells whether a text says what is to be logged. A lone word that is no level counts as the name of a module to the
/// filter, which then logs nothing else: a slip of the pen must not silence the service.
fn is_log_level(text: &str) -> bool {
    use tracing_subscriber::filter::{EnvFilter, LevelFilter};
    let is_word = |directive: &str| !directive.contains(['=', '[']);
    let is_slip = |directive: &str| is_word(directive) && directive.trim().parse::<LevelFilter>().is_err();
    !text.is_empty() && !text.split(',').any(is_slip) && text.parse::<EnvFilter>().is_ok()
}

impl RawInit {
    fn parse(self) -> Result<Init, ConfigError> {
        let expected = "of the form aw_sec_<16 of a-z0-9>_<43 of A-Za-z0-9_->";
        let parse_key =
            |text: String| SecretKey::parse(&text).ok_or(ConfigError::Invalid { key: "init.secret_key", expected });
        let init =
            Init { project: given(self.project), secret_key: given(self.secret_key).map(parse_key).transpose()? };
        if init.project.as_ref().is_some_and(|name| !is_project_name(name)) {
            return Err(ConfigError::Invalid { key: "init.project", expected: "1 to 256 bytes without U+0000" });
        }
        Ok(init)
    }
}

/// Tells whether a text may be a project's name.
pub fn is_project_name(text: &str) -> bool {
    (1..=256).contains(&text.len()) && !text.contains('\0')
}

fn given(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn parse_url(key: &'static str, text: String) -> Result<Option<SecretString>, ConfigError> {
    let Some(text) = given(text) else {
        return Ok(None);
    };
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Ok(Some(text.into()));
    }
    Err(ConfigError::Invalid { key, expected: "of the form postgres://user:password@host:port/database" })
}

fn at_least_one(key: &'static str, n: u32) -> Result<u32, ConfigError> {
    if (1..=1000).contains(&n) { Ok(n) } else { Err(ConfigError::Invalid { key, expected: "1 to 1000" }) }
}

fn seconds(key: &'static str, n: u64) -> Result<Duration, ConfigError> {
    if (1..=3600).contains(&n) {
        Ok(Duration::from_secs(n))
    } else {
        Err(ConfigError::Invalid { key, expected: "1 to 3600 seconds" })
    }
}

/// Reads a variable of the process's environment.
#[expect(clippy::disallowed_methods, reason = "the one place where the program reads its environment")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests;
