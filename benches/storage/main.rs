//! Why the tables are written and shaped as they are: the alternatives, side by side on one Postgres. The decisions stand
//! in `docs/adr`. `AFTERWORD_BENCH_ONLY` names one part: `ways`, `texts` or `keys`; `AFTERWORD_BENCH_SCALE` says
//! how many rows the keys get, in percent of three million.

mod ways_in;
mod wire;

use std::io::Write as _;
use std::path::Path;

use afterword::postgres::{Cluster, SERVICE};
use afterword::service::instance;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};

/// Anything that goes wrong ends the run with its words.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const N_ROUNDS: usize = 3;

/// Figures over the rounds, in the order in which they came up.
#[derive(Default)]
struct Figures(Vec<(String, &'static str, Vec<f64>)>);

impl Figures {
    fn add(&mut self, name: String, unit: &'static str, value: f64) {
        match self.0.iter_mut().find(|figure| figure.0 == name) {
            Some(figure) => figure.2.push(value),
            None => self.0.push((name, unit, vec![value])),
        }
    }

    fn text(mut self) -> String {
        let lines = self.0.iter_mut().map(|(name, unit, values)| {
            values.sort_by(f64::total_cmp);
            let (least, most) = (values[0], values[values.len() - 1]);
            format!("{name:70} {:>10.0} {unit} ({least:.0} to {most:.0})", values[values.len() / 2])
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    // Cargo compiles benchmarks with its tests, and runs them then without this argument.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let data_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("storage");
    Cluster::remove(&data_dir).await?;
    let cluster = Cluster::start(&data_dir).await?;
    instance::migrate(cluster.owner_url(), Some(SERVICE)).await?;
    let mut figures = Figures::default();
    let outcome = run(&cluster, &mut figures).await;
    cluster.stop().await?;
    Cluster::remove(&data_dir).await?;
    std::fs::remove_dir_all(&data_dir)?;
    writeln!(std::io::stdout().lock(), "\n{}", figures.text())?;
    outcome
}

async fn run(cluster: &Cluster, figures: &mut Figures) -> Result<()> {
    let project = uuid::Uuid::from_u128(7);
    for round in 0..N_ROUNDS {
        if wants("ways") {
            ways_in::measure(cluster, project, round, figures).await?;
        }
    }
    for (part, script) in [("texts", include_str!("texts.sql")), ("keys", include_str!("keys.sql"))] {
        if wants(part) {
            run_script(cluster, script, figures).await?;
        }
    }
    Ok(())
}

/// Runs statements that blank lines part, each in a message of its own; the last returns figures with their names.
async fn run_script(cluster: &Cluster, script: &str, figures: &mut Figures) -> Result<()> {
    let mut owner = PgConnection::connect(cluster.owner_url()).await?;
    let n_batches = (500.0 * scale()?).ceil();
    owner.execute(AssertSqlSafe(format!("set bench.n_batches = '{n_batches}'"))).await?;
    for statement in script.split("\n\n") {
        for row in sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).fetch_all(&mut owner).await? {
            figures.add(row.try_get(0)?, "", row.try_get(1)?);
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark is told by its environment what to run")]
fn wants(part: &str) -> bool {
    std::env::var("AFTERWORD_BENCH_ONLY").map_or(true, |only| only == part)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark is told by its environment what to run")]
fn scale() -> Result<f64> {
    let percent = std::env::var("AFTERWORD_BENCH_SCALE").unwrap_or_else(|_| "100".to_owned());
    let percent: f64 = percent.parse().map_err(|_| "AFTERWORD_BENCH_SCALE must be a number")?;
    Ok(percent / 100.0)
}
