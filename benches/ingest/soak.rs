//! Ordinary load for an hour: whether the memory of the service stays flat, and whether every row that was acknowledged is
//! there in the end.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use afterword::postgres::Cluster;
use sqlx::{Connection as _, PgConnection};

use super::server::Service;
use super::traffic::{Counts, Tally, send};
use super::{Result, say};

const LOOK_EVERY: Duration = Duration::from_secs(10);
const TELL_EVERY: Duration = Duration::from_mins(1);
/// What the memory may grow by in an hour, in MiB: at 2,000 items a second a byte for each item is 7.
const MAX_SLOPE: f64 = 8.0;
/// 200 MB.
const MAX_MIB: f64 = 190.0;
/// Below it the second half is too short to tell a slope from noise.
const MIN_TIME: Duration = Duration::from_mins(20);

/// What the environment asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    time: Duration,
    items_per_s: f64,
}

/// Reads what the environment asks for; nothing where it asks for other parts.
#[expect(clippy::disallowed_methods, reason = "a benchmark is told by its environment how long it may take")]
pub(super) fn asked() -> Result<Option<Asked>> {
    if std::env::var("AFTERWORD_BENCH_ONLY").is_ok_and(|only| only == "soak") {
        let number = |name: &str, usual: f64| match std::env::var(name) {
            Ok(text) => text.parse().ok().filter(|n: &f64| *n > 0.0).ok_or(format!("{name} must be a positive number")),
            Err(_) => Ok(usual),
        };
        let minutes = number("AFTERWORD_SOAK_MINUTES", 60.0)?;
        let items_per_s = number("AFTERWORD_SOAK_RATE", 2_000.0)?;
        return Ok(Some(Asked { time: Duration::from_secs_f64(minutes * 60.0), items_per_s }));
    }
    Ok(None)
}

/// What was seen at one moment.
#[derive(Debug, Clone, Copy)]
struct Look {
    at: Duration,
    memory_mib: f64,
    n_waiting: f64,
}

/// Loads a service of its own and prints a table and a verdict; fails where rows are missing or the memory grows.
pub(super) async fn run(data_dir: &Path, asked: Asked) -> Result<()> {
    let service = Service::start(data_dir).await?;
    let cluster = Cluster::start(data_dir).await?;
    say(&format!("service {}: {} items a second for {:?}", service.pid(), asked.items_per_s, asked.time))?;
    let tally = Arc::new(Tally::default());
    let sending = send(service.address, asked.items_per_s, asked.time, Arc::clone(&tally));
    let (looks, mut total) = watch(&service, &tally, sending).await?;
    total.add(&tally.take());
    let (_, peak_mib) = service.memory_mib()?;
    let missing = audit(cluster.owner_url(), &total).await;
    cluster.stop().await?;
    service.stop()?;
    missing?;
    judge(&looks, peak_mib, asked.time)
}

/// Looks at the service until everything is sent; writes a line for every minute.
async fn watch(
    service: &Service,
    tally: &Tally,
    sending: impl Future<Output = Result<()>>,
) -> Result<(Vec<Look>, Counts)> {
    let client = reqwest::Client::builder().no_proxy().timeout(LOOK_EVERY).build()?;
    let began = Instant::now();
    let (mut looks, mut total): (Vec<Look>, Counts) = Default::default();
    let (mut n_told, mut told_at) = (0, Duration::ZERO);
    write(&format!(
        "{:>6} {:>8} {:>12} {:>9} {:>9} {:>8}",
        "minute", "RSS MiB", "items", "p99 ms", "waiting", "put off"
    ))?;
    let mut sending = std::pin::pin!(sending);
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.tick().await;
    loop {
        let is_over = tokio::select! {
            sent = &mut sending => {
                sent?;
                true
            }
            _ = ticks.tick() => false,
        };
        let look = Look {
            at: began.elapsed(),
            memory_mib: service.memory_mib()?.0,
            n_waiting: waiting(&client, service).await?,
        };
        looks.push(look);
        if is_over || look.at >= told_at + TELL_EVERY {
            let counts = tally.take();
            write(&line(&looks[n_told..], look.at, &counts))?;
            total.add(&counts);
            (n_told, told_at) = (looks.len(), look.at);
        }
        if is_over {
            return Ok((looks, total));
        }
    }
}

/// Writes what was seen since the line before: the last memory, the longest queue.
fn line(looks: &[Look], at: Duration, counts: &Counts) -> String {
    let mut latencies = counts.latencies_us.clone();
    latencies.sort_unstable();
    let p99_us = latencies.get(latencies.len() * 99 / 100).copied().unwrap_or_default();
    let memory_mib = looks.last().map_or(f64::NAN, |look| look.memory_mib);
    let n_waiting = looks.iter().map(|look| look.n_waiting).fold(0.0, f64::max);
    format!(
        "{:>6.1} {memory_mib:>8.1} {:>12} {:>9.1} {n_waiting:>9.0} {:>8}",
        at.as_secs_f64() / 60.0,
        counts.n_acknowledged(),
        f64::from(p99_us) / 1e3,
        counts.n_put_off
    )
}

/// Reads the depth of the queue.
async fn waiting(client: &reqwest::Client, service: &Service) -> Result<f64> {
    let text = client.get(format!("http://{}/metrics", service.address)).send().await?.text().await?;
    let line = text.lines().find_map(|line| line.strip_prefix("afterword_ingest_waiting_items "));
    Ok(line.ok_or("the metrics lack the depth of the queue")?.parse()?)
}

/// Compares what is stored with what was acknowledged.
async fn audit(owner_url: &str, total: &Counts) -> Result<()> {
    let mut connection = PgConnection::connect(owner_url).await?;
    let counting = "select (select count(*) from feedback), (select count(*) from completions)";
    let (n_feedback, n_completions): (i64, i64) = sqlx::query_as(counting).fetch_one(&mut connection).await?;
    connection.close().await?;
    let expected = (total.n_feedback as i64, total.n_completions as i64);
    write(&format!(
        "\nfeedback: {n_feedback} rows, {} acknowledged; completions: {n_completions} rows, {} acknowledged\n\
         duplicates told: {}, items refused: {}, requests put off: {}",
        expected.0, expected.1, total.n_duplicates, total.n_refused, total.n_put_off
    ))?;
    if (n_feedback, n_completions) == expected {
        Ok(())
    } else {
        Err("the rows are not those that were acknowledged".into())
    }
}

/// Tells whether the memory stayed flat.
fn judge(looks: &[Look], peak_mib: f64, time: Duration) -> Result<()> {
    let second_half: Vec<(f64, f64)> = looks
        .iter()
        .filter(|look| look.at >= time / 2)
        .map(|look| (look.at.as_secs_f64() / 3_600.0, look.memory_mib))
        .collect();
    let slope = slope(&second_half);
    let is_flat = slope <= MAX_SLOPE && peak_mib <= MAX_MIB;
    let verdict = match (is_flat, time >= MIN_TIME) {
        (true, true) => "flat",
        (false, true) => "NOT flat",
        (_, false) => "too short to tell",
    };
    write(&format!(
        "memory: {verdict}; the second half grows by {slope:+.1} MiB an hour (at most {MAX_SLOPE}), {peak_mib:.1} MiB at \
         most (of {MAX_MIB})"
    ))?;
    if is_flat || time < MIN_TIME { Ok(()) } else { Err("the memory of the service is not flat".into()) }
}

/// Returns the slope of the line of least squares through points.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / n;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / n;
    let covariance: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    covariance / variance
}

fn write(text: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}
