//! How fast rows go out, beside what Postgres itself can do with the same rows on the same machine in the same run, and
//! how fast the service starts. `AFTERWORD_BENCH_ROWS` sets how many completions there are. How fast rows come in is
//! measured by the benchmark `ingest`.
//!
//! Everything shares the machine: the service, its Postgres and the clients. So the ratios say more than the rows per
//! second. Rounds are interleaved and medians are told, because a machine's speed drifts.

mod export;
mod seed;
mod service;
mod table;

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use afterword::postgres::Cluster;

use service::Service;
use table::Table;

/// Interleaved rounds, whose medians are told.
const N_ROUNDS: usize = 3;
const N_WARM_STARTS: usize = 3;
const DEFAULT_ROWS: usize = 30_000;

/// Anything that goes wrong ends the run with its words.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    // Cargo compiles benchmarks with its tests, and runs them then without this argument.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let n_rows = rows_asked_for()?;
    let data_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("throughput");
    Cluster::remove(&data_dir).await?;
    if data_dir.exists() {
        std::fs::remove_dir_all(&data_dir)?;
    }
    let outcome = run(&data_dir, n_rows).await;
    // What was measured is of no use to anybody; a failure leaves it to be looked at.
    if outcome.is_ok() {
        Cluster::remove(&data_dir).await?;
        std::fs::remove_dir_all(&data_dir)?;
    }
    outcome
}

async fn run(data_dir: &Path, n_rows: usize) -> Result<()> {
    let began = Instant::now();
    let mut table = Table::new();
    say("starting for the first time")?;
    let (service, first_start) = Service::start(data_dir).await?;
    service.stop().await?;
    let mut warm_starts = Vec::new();
    for _ in 0..N_WARM_STARTS {
        let (service, duration) = Service::start(data_dir).await?;
        warm_starts.push(duration);
        service.stop().await?;
    }
    table.duration("first start, with initdb, to ready", first_start, Duration::from_secs(15));
    table.duration("warm start to ready", median(warm_starts), Duration::from_secs(2));

    let (service, _) = Service::start(data_dir).await?;
    let cluster = Cluster::start(data_dir).await?;
    say(&format!("sending {n_rows} completions and as much feedback"))?;
    seed::send(&service, n_rows).await?;
    let mut goings = Vec::new();
    for round in 0..N_ROUNDS {
        say(&format!("round {} of {N_ROUNDS}: a DPO set out", round + 1))?;
        goings.push(export::measure(&service, cluster.owner_url()).await?);
    }
    cluster.stop().await?;
    service.stop().await?;

    table.rates(export::NAME, median(column(&goings, |round| round.0)), median(column(&goings, |round| round.1)));
    write!(std::io::stdout().lock(), "\n{}\n{:.0} s in all\n", table.text(), began.elapsed().as_secs_f64())?;
    Ok(())
}

/// Rows per second of what is measured and of its limit.
type Rates = (f64, f64);

fn column<T>(rounds: &[T], pick: impl Fn(&T) -> f64) -> Vec<f64> {
    rounds.iter().map(pick).collect()
}

fn median<T: PartialOrd + Copy>(mut values: Vec<T>) -> T {
    values.sort_by(|left, right| left.partial_cmp(right).unwrap_or(std::cmp::Ordering::Equal));
    values[values.len() / 2]
}

fn say(text: &str) -> Result<()> {
    Ok(writeln!(std::io::stderr().lock(), "{text}")?)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark is told by its environment how long it may take")]
fn rows_asked_for() -> Result<usize> {
    let Ok(asked) = std::env::var("AFTERWORD_BENCH_ROWS") else { return Ok(DEFAULT_ROWS) };
    let n_rows: usize = asked.parse().map_err(|_| "AFTERWORD_BENCH_ROWS must be a number")?;
    if (1_000..=200_000).contains(&n_rows) {
        Ok(n_rows / 2 * 2)
    } else {
        Err("AFTERWORD_BENCH_ROWS must be between 1000 and 200000".into())
    }
}
