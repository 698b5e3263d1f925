//! `afterword serve`: the service, from its database to its listener, and back down in order.

use std::io::Write as _;
use std::net::TcpListener;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

use super::connect::{Connected, DEFAULT_PROJECT};
use crate::config::Config;
use crate::http::{BodyLimits, ForwardedHeader, HttpSettings, Proxies, Quotas, Server};
use crate::service::bootstrap;
use crate::service::detached::spawn;
use crate::worker::Worker;

/// How often the private Postgres is looked at.
const WATCH_EVERY: Duration = Duration::from_millis(500);
/// How long stopping may take beyond the time that requests have to end.
const STOP_MARGIN: Duration = Duration::from_secs(3);

/// Arguments of `afterword serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  afterword serve
  afterword serve --listen 0.0.0.0:8787
  AFTERWORD_INIT_PROJECT=shop AFTERWORD_INIT_SECRET_KEY=aw_sec_… DATABASE_URL=postgres://… afterword serve

SIGTERM and Ctrl-C let requests under way end, stop the private Postgres and leave with status 0; a second one does
not wait for the requests.")]
pub struct Args {
    /// Address and port to listen on, in place of the configured ones.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<String>,
}

/// Runs the subcommand until a signal ends it; jobs run in the background.
pub async fn run(_args: Args, config: &Config, background: &Handle) -> anyhow::Result<ExitCode> {
    // Signals are caught before anything is started that would have to be stopped.
    let mut signals = Signals::catch()?;
    let listener = TcpListener::bind(config.listen).with_context(|| format!("cannot listen on {}", config.listen))?;
    let mut connected = tokio::select! {
        connected = Connected::open(config) => connected?,
        // The database is not open yet: what was started for it stops with the process that is being left.
        () = signals.next() => return Ok(ExitCode::SUCCESS),
    };
    let served = serve(&mut connected, config, listener, (&mut signals, background)).await;
    let closed = connected.close().await;
    served?;
    closed?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

async fn serve(
    connected: &mut Connected,
    config: &Config,
    listener: TcpListener,
    (signals, background): (&mut Signals, &Handle),
) -> anyhow::Result<()> {
    let app = connected.app.clone();
    prepare(connected, config).await?;
    let server = Server::start(app.clone(), listener, http_settings(config))?;
    let worker = Worker::start_on(background, app);
    writeln!(std::io::stdout().lock(), "listening on http://{}", server.address())?;

    let mut look = tokio::time::interval(WATCH_EVERY);
    loop {
        tokio::select! {
            () = signals.next() => break,
            _ = look.tick() => connected.revive_if_ended().await,
        }
    }
    tracing::info!("draining");
    server.drain();
    let notice = config.http.drain_notice;
    let stopping: JoinHandle<()> = spawn(async move {
        // Whoever spreads requests over several services sees `/readyz` fail and sends no more of them here.
        tokio::time::sleep(notice).await;
        tokio::join!(server.stop(), worker.stop());
    });
    tokio::select! {
        _ = stopping => (),
        // Supervisors send SIGTERM to the process and to its group; only a person who presses Ctrl-C again is in a hurry.
        () = signals.interrupt() => tracing::warn!("stopped without waiting for requests and jobs under way"),
        () = tokio::time::sleep(notice + config.http.drain + STOP_MARGIN) => {
            tracing::warn!("requests or jobs did not end in time");
        }
    }
    Ok(())
}

/// Makes the project and the key of the configuration, or those of a first start, where they are absent.
async fn prepare(connected: &Connected, config: &Config) -> anyhow::Result<()> {
    let (app, init) = (&connected.app, &config.init);
    let project = init.project.as_deref().unwrap_or(DEFAULT_PROJECT);
    if init.secret_key.is_none()
        && let Some(first) = bootstrap::first_start(app, project).await?
    {
        let mut out = std::io::stdout().lock();
        writeln!(out, "made the project `{}` with an admin key, which is shown only now:", first.project)?;
        writeln!(out, "  {}", first.key.reveal())?;
    }
    if init.project.is_some() || init.secret_key.is_some() {
        bootstrap::ensure(app, project, init.secret_key.as_ref()).await?;
    }
    Ok(())
}

pub(super) fn http_settings(config: &Config) -> HttpSettings {
    let http = &config.http;
    HttpSettings {
        n_workers: http.n_workers,
        keep_alive: http.keep_alive,
        head_deadline: http.head_deadline,
        shutdown_deadline: http.drain,
        metrics_readers: config.metrics_readers,
        body: BodyLimits {
            wire_bytes: http.max_body_bytes,
            decoded_bytes: http.max_decoded_body_bytes,
            deadline: http.body_deadline,
            min_bytes_per_s: http.min_body_bytes_per_second,
            ..BodyLimits::default()
        },
        max_requests_at_once: http.max_requests_at_once,
        browser_body: BodyLimits {
            deadline: http.body_deadline,
            min_bytes_per_s: http.min_body_bytes_per_second,
            ..BodyLimits::of_browsers(http.max_browser_body_bytes)
        },
        otlp_body: BodyLimits {
            deadline: http.body_deadline,
            min_bytes_per_s: http.min_body_bytes_per_second,
            ..BodyLimits::of_otlp(config.max_otlp_body_bytes)
        },
        quotas: Quotas {
            of_browser_key: config.quotas.items_per_minute_of_browser_key,
            of_subject: config.quotas.items_per_minute_of_subject,
            of_address: config.quotas.items_per_minute_of_address,
            of_secret_key: config.quotas.items_per_minute_of_secret_key,
        },
        proxies: Proxies {
            trusted: http.trusted_proxies.clone(),
            header: if http.reads_forwarded { ForwardedHeader::Forwarded } else { ForwardedHeader::XForwardedFor },
        },
        score_meanings: config.score_meanings.clone(),
        public_url: http.public_url.clone(),
        max_connections_per_address: http.max_connections_per_address,
        max_bytes_of_all_bodies: http.max_bytes_of_all_bodies,
        ..HttpSettings::default()
    }
}

/// The signals that ask the service to stop.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn catch() -> anyhow::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => (),
            _ = self.interrupt.recv() => (),
        }
    }

    /// Waits for Ctrl-C alone.
    pub(super) async fn interrupt(&mut self) {
        self.interrupt.recv().await;
    }
}
