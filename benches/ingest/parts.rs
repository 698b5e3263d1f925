//! The parts of the benchmark: what is sent to whom, in which order, and what is told of it.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use afterword::postgres::Cluster;
use sqlx::{Connection as _, PgConnection};

use super::limit::Limit;
use super::load::{Outcome, Pace, send};
use super::server::Service;
use super::{Result, items, say};

/// Connections that send single items.
const N_SINGLE_CONNECTIONS: usize = 256;
const N_BATCH_CONNECTIONS: usize = 16;
const N_COMPLETION_CONNECTIONS: usize = 8;
/// The limit's batches and connections, as the figures are defined.
const LIMIT_BATCH: usize = 1_000;
const N_LIMIT_CONNECTIONS: usize = 2;
const N_LONE: usize = 300;

/// What the environment asks for.
pub(super) struct Asked {
    n_rounds: usize,
    scale: f64,
    only: Option<String>,
}

impl Asked {
    #[expect(clippy::disallowed_methods, reason = "a benchmark is told by its environment how long it may take")]
    pub(super) fn read() -> Result<Self> {
        let number = |name: &str, usual: usize| match std::env::var(name) {
            Ok(text) => text.parse().map_err(|_| format!("{name} must be a number")),
            Err(_) => Ok(usual),
        };
        Ok(Self {
            n_rounds: number("AFTERWORD_BENCH_ROUNDS", 3)?,
            scale: number("AFTERWORD_BENCH_SCALE", 100)? as f64 / 100.0,
            only: std::env::var("AFTERWORD_BENCH_ONLY").ok(),
        })
    }

    fn wants(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == part)
    }

    fn scaled(&self, n: usize) -> usize {
        (n as f64 * self.scale).ceil() as usize
    }
}

/// A figure over the rounds.
struct Figure {
    name: &'static str,
    unit: &'static str,
    values: Vec<f64>,
}

#[derive(Default)]
struct Figures(Vec<Figure>);

impl Figures {
    fn add(&mut self, name: &'static str, unit: &'static str, value: f64) {
        match self.0.iter_mut().find(|figure| figure.name == name) {
            Some(figure) => figure.values.push(value),
            None => self.0.push(Figure { name, unit, values: vec![value] }),
        }
    }

    /// Adds a ratio of two figures of the same round.
    fn ratio(&mut self, name: &'static str, value: f64, to: f64) {
        self.add(name, "", value / to);
    }

    fn text(&self) -> String {
        let lines = self.0.iter().map(|figure| {
            let mut values = figure.values.clone();
            values.sort_by(f64::total_cmp);
            let median = values[values.len() / 2];
            let digits = if median < 10.0 { 2 } else { 0 };
            let all: Vec<String> = figure.values.iter().map(|value| format!("{value:.digits$}")).collect();
            format!("{:62} {median:>10.digits$} {:7} ({})", figure.name, figure.unit, all.join(", "))
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Runs the parts that were asked for and prints the figures.
pub(super) async fn run(data_dir: &Path, asked: &Asked) -> Result<()> {
    let began = Instant::now();
    let service = Service::start(data_dir).await?;
    let cluster = Cluster::start(data_dir).await?;
    let nowhere = Service::start_variant(data_dir, "nowhere").await?;
    let alone = Service::start_variant(data_dir, "alone").await?;
    let bench = Bench { asked, service: &service, nowhere: &nowhere, alone: &alone, owner_url: cluster.owner_url() };
    say(&format!("service {}, nowhere {}, alone {}", service.pid(), nowhere.pid(), alone.pid()))?;

    let mut figures = Figures::default();
    for round in 0..asked.n_rounds {
        say(&format!("round {} of {}", round + 1, asked.n_rounds))?;
        if asked.wants("singles") {
            bench.singles(round, &mut figures).await?;
        }
        if asked.wants("batches") {
            bench.batches(round, &mut figures).await?;
        }
        if asked.wants("completions") {
            bench.completions(round, &mut figures).await?;
        }
        if asked.wants("otlp") {
            bench.otlp(round, &mut figures).await?;
        }
    }
    bench.space(&mut figures).await?;
    let (_, peak_mib) = service.memory_mib()?;
    figures.add("service: most memory it ever had", "MiB", peak_mib);
    alone.stop()?;
    nowhere.stop()?;
    cluster.stop().await?;
    service.stop()?;
    write!(std::io::stdout().lock(), "\n{}\n{:.0} s in all\n", figures.text(), began.elapsed().as_secs_f64())?;
    Ok(())
}

struct Bench<'a> {
    asked: &'a Asked,
    service: &'a Service,
    nowhere: &'a Service,
    alone: &'a Service,
    owner_url: &'a str,
}

impl Bench<'_> {
    async fn singles(&self, round: usize, figures: &mut Figures) -> Result<()> {
        let n_requests = self.asked.scaled(60_000);
        let family = |name: &str| format!("{name}{round}");
        let sent = items::feedback(&family("single"), n_requests, 1);

        let names =
            ["one item per request: service's processor time", "one item per request: Postgres's processor time"];
        let together = self.saturate_and_charge(sent, N_SINGLE_CONNECTIONS, 1, figures, names).await?;
        let nowhere = self.saturate(self.nowhere, sent, N_SINGLE_CONNECTIONS).await?;
        let paced = items::feedback(&family("paced"), n_requests / 3, 1);
        let pace = Pace::PerSecond(together.rate() / 2.0);
        let paced = send(self.service.address, paced, N_SINGLE_CONNECTIONS, pace).await?;
        let alone = items::feedback(&family("alone"), n_requests / 10, 1);
        let alone = self.saturate(self.alone, alone, N_SINGLE_CONNECTIONS).await?;
        let lone = items::feedback(&family("lone"), N_LONE, 1);
        let lone = self.saturate(self.service, lone, 1).await?;
        let limit = Limit::read(self.owner_url, "feedback", &format!("{}-%", family("lone"))).await?;
        let one_row = limit.insert_one_by_one(N_LONE).await?;

        figures.add("one item per request, 256 connections", "req/s", together.rate());
        figures.add("  the same server without a database", "req/s", nowhere.rate());
        figures.add("  the same server, one INSERT per request", "req/s", alone.rate());
        figures.ratio("  share of the server without a database (>= 0.50)", together.rate(), nowhere.rate());
        figures.ratio("  times one INSERT per request (>= 4)", together.rate(), alone.rate());
        figures.add("  p99 at saturation", "ms", ms(together.quantile(0.99)));
        figures.add("  p50 at half of saturation", "ms", ms(paced.quantile(0.50)));
        figures.add("  p99 at half of saturation (< 50)", "ms", ms(paced.quantile(0.99)));
        figures.add("  a lone request, median", "ms", ms(lone.quantile(0.50)));
        figures.add("  one INSERT of one row with its commit, median", "ms", ms(one_row));
        figures.add("  service: memory after singles", "MiB", self.service.memory_mib()?.0);
        Ok(())
    }

    async fn batches(&self, round: usize, figures: &mut Figures) -> Result<()> {
        let family = format!("batch{round}");
        let sent = items::feedback(&family, self.asked.scaled(2_000), 100);
        let names =
            ["100 items per request: service's processor time", "100 items per request: Postgres's processor time"];
        let together = self.saturate_and_charge(sent, N_BATCH_CONNECTIONS, 100, figures, names).await?;
        let nowhere = self.saturate(self.nowhere, sent, N_BATCH_CONNECTIONS).await?;
        let limit = Limit::read(self.owner_url, "feedback", &format!("{family}-%")).await?;
        expect_rows(limit.n_rows(), sent.len() * 100)?;
        let before_s = self.service.postgres_cpu_s();
        let plain = limit.insert(LIMIT_BATCH, N_LIMIT_CONNECTIONS).await?;
        let plain_us = (self.service.postgres_cpu_s() - before_s) * 1e6 / limit.n_rows() as f64;
        figures.add("plain unnest of feedback with its removal: Postgres's processor time", "us/item", plain_us);

        figures.add("100 feedback items per request, 16 connections", "rows/s", together.rate() * 100.0);
        figures.add("  the same server without a database ", "rows/s", nowhere.rate() * 100.0);
        figures.add("  plain unnest of 1,000 rows, 2 connections", "rows/s", plain);
        figures.ratio("  share of plain unnest (>= 0.80)", together.rate() * 100.0, plain);
        figures.add("  p99 at saturation ", "ms", ms(together.quantile(0.99)));
        figures.add("  service: memory after batches", "MiB", self.service.memory_mib()?.0);
        Ok(())
    }

    async fn completions(&self, round: usize, figures: &mut Figures) -> Result<()> {
        let family = format!("completion{round}");
        let sent = items::completions(&family, self.asked.scaled(200), 50);
        let names = ["completions: service's processor time", "completions: Postgres's processor time"];
        let together = self.saturate_and_charge(sent, N_COMPLETION_CONNECTIONS, 50, figures, names).await?;
        let nowhere = self.saturate(self.nowhere, sent, N_COMPLETION_CONNECTIONS).await?;
        let limit = Limit::read(self.owner_url, "completions", &format!("{family}-%")).await?;
        expect_rows(limit.n_rows(), sent.len() * 50)?;
        let plain = limit.insert(LIMIT_BATCH, N_LIMIT_CONNECTIONS).await?;

        figures.add("completions of 4 KB + 4 KB, 50 per request, 8 connections", "rows/s", together.rate() * 50.0);
        figures.add("  the same server without a database  ", "rows/s", nowhere.rate() * 50.0);
        figures.add("  plain unnest of 1,000 of these rows, 2 connections", "rows/s", plain);
        figures.ratio("  share of plain unnest (>= 0.80) ", together.rate() * 50.0, plain);
        figures.add("  p99 at saturation  ", "ms", ms(together.quantile(0.99)));
        figures.add("  service: memory after completions", "MiB", self.service.memory_mib()?.0);
        Ok(())
    }

    /// The same completions as native requests and as OTLP, in turns: only what the two have in common may differ by drift.
    async fn otlp(&self, round: usize, figures: &mut Figures) -> Result<()> {
        let n_requests = self.asked.scaled(200);
        let native = items::completions(&format!("native{round}"), n_requests, 50);
        let names = ["native beside OTLP: service's processor time", "native beside OTLP: Postgres's processor time"];
        let native = self.saturate_and_charge(native, N_COMPLETION_CONNECTIONS, 50, figures, names).await?;
        let family = format!("otlp{round}");
        let spans = items::spans(&family, n_requests, 50)?;
        let names = ["OTLP: service's processor time", "OTLP: Postgres's processor time"];
        let otlp = self.saturate_and_charge(spans, N_COMPLETION_CONNECTIONS, 50, figures, names).await?;
        let limit = Limit::read(self.owner_url, "completions", &format!("{family}-%")).await?;
        expect_rows(limit.n_rows(), spans.len() * 50)?;

        figures.add("the same completions natively", "rows/s", native.rate() * 50.0);
        figures.add("  as spans of OTLP in protobuf", "rows/s", otlp.rate() * 50.0);
        figures.ratio("  share of the native rate (>= 0.60)", otlp.rate(), native.rate());
        figures.add("  p99 of OTLP at saturation", "ms", ms(otlp.quantile(0.99)));
        Ok(())
    }

    /// Sends to the service and tells what each item costs it and its Postgres in processor time.
    async fn saturate_and_charge(
        &self,
        sent: &'static [Vec<u8>],
        n_connections: usize,
        n_items: usize,
        figures: &mut Figures,
        names: [&'static str; 2],
    ) -> Result<Outcome> {
        let before = (self.service.cpu_s(), self.service.postgres_cpu_s());
        let outcome = self.saturate(self.service, sent, n_connections).await?;
        let n_items = (sent.len() * n_items) as f64;
        figures.add(names[0], "us/item", (self.service.cpu_s() - before.0) * 1e6 / n_items);
        figures.add(names[1], "us/item", (self.service.postgres_cpu_s() - before.1) * 1e6 / n_items);
        Ok(outcome)
    }

    async fn saturate(&self, to: &Service, sent: &'static [Vec<u8>], n_connections: usize) -> Result<Outcome> {
        // A key that has just been looked up, and connections to the database that are made.
        let warm = items::feedback(&format!("warm-{}", blake3::hash(&sent[0]).to_hex()), 200, 1);
        send(to.address, warm, n_connections.min(8), Pace::Saturated).await?;
        send(to.address, sent, n_connections, Pace::Saturated).await
    }

    async fn space(&self, figures: &mut Figures) -> Result<()> {
        let mut connection = PgConnection::connect(self.owner_url).await?;
        sqlx::query("vacuum analyze feedback").execute(&mut connection).await?;
        let statement = "select (pg_table_size('feedback'))::float8, pg_indexes_size('feedback')::float8, count(*)
                           from feedback";
        let (table, indexes, n_rows): (f64, f64, i64) = sqlx::query_as(statement).fetch_one(&mut connection).await?;
        figures.add("feedback on disk: table, free space of the limit's rows included", "B/row", table / n_rows as f64);
        figures.add("feedback on disk: index, likewise", "B/row", indexes / n_rows as f64);
        let statement = "select avg(pg_column_size(f.*))::float8 from feedback f";
        let width: f64 = sqlx::query_scalar(statement).fetch_one(&mut connection).await?;
        figures.add("feedback: one row", "B", width);
        Ok(())
    }
}

fn expect_rows(found: usize, sent: usize) -> Result<()> {
    if found == sent {
        Ok(())
    } else {
        Err(format!("{sent} items were acknowledged and {found} rows are there").into())
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
