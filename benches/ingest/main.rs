//! How fast what is sent becomes durable, beside what bounds it: Postgres alone with the same rows, and the same server
//! without a database. Everything shares the machine's cores: service, Postgres and load generator.
//!
//! Rounds of the service and of its limits alternate and medians are told, because a machine's speed drifts.
//! `AFTERWORD_BENCH_ROUNDS` sets how many rounds there are, `AFTERWORD_BENCH_SCALE` how much each sends in percent of the
//! usual, `AFTERWORD_BENCH_ONLY` names one part: `singles`, `batches`, `completions` or `otlp`; or `soak`, an hour of ordinary load,
//! which runs only when it is asked for.

mod items;
mod limit;
mod load;
mod parts;
mod server;
mod soak;
mod traffic;

use std::io::Write as _;
use std::path::Path;

use afterword::postgres::Cluster;

use parts::Asked;

/// Anything that goes wrong ends the run with its words.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, writing, data_dir] = &arguments[..]
        && flag == "--serve"
    {
        return server::serve(writing, Path::new(data_dir)).await;
    }
    // Cargo compiles benchmarks with its tests, and runs them then without this argument.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let soak = soak::asked()?;
    let data_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(if soak.is_some() { "soak" } else { "ingest" });
    remove(&data_dir).await?;
    let outcome = match soak {
        Some(asked) => soak::run(&data_dir, asked).await,
        None => parts::run(&data_dir, &Asked::read()?).await,
    };
    // What was measured is of no use to anybody; a failure leaves it to be looked at.
    if outcome.is_ok() {
        remove(&data_dir).await?;
    }
    outcome
}

async fn remove(data_dir: &Path) -> Result<()> {
    Cluster::remove(data_dir).await?;
    if data_dir.exists() {
        std::fs::remove_dir_all(data_dir)?;
    }
    Ok(())
}

fn say(text: &str) -> Result<()> {
    Ok(writeln!(std::io::stderr().lock(), "{text}")?)
}
