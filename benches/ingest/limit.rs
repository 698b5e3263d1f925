//! What Postgres itself can do with the same rows: they are read back as the service stored them and inserted once more
//! under other completion ids by plain `INSERT … SELECT FROM unnest(…)` into the same table with the same indexes, each
//! statement a commit of its own, by a role that no row-level security holds. Values are encoded before the clock runs.

use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use sqlx::postgres::{PgArguments, PgPool, PgPoolOptions, PgRow};
use sqlx::types::chrono::{DateTime, Utc};
use sqlx::{Arguments as _, AssertSqlSafe, Row as _};
use uuid::Uuid;

use super::Result;

/// Rows of a table with their columns.
pub(super) struct Limit {
    pool: PgPool,
    table: &'static str,
    columns: Vec<Column>,
    rows: Vec<PgRow>,
}

struct Column {
    name: String,
    kind: String,
}

impl Limit {
    /// Reads the rows whose completion ids match a pattern.
    pub(super) async fn read(owner_url: &str, table: &'static str, pattern: &str) -> Result<Self> {
        let pool = PgPoolOptions::new().max_connections(16).connect(owner_url).await?;
        let found = sqlx::query(
            "select column_name::text, data_type::text from information_schema.columns
              where table_schema = current_schema() and table_name = $1 and data_type <> 'ARRAY'
              order by ordinal_position",
        )
        .bind(table)
        .fetch_all(&pool)
        .await?;
        let columns: Vec<Column> = found.iter().map(|row| Column { name: row.get(0), kind: row.get(1) }).collect();
        let read: Vec<String> = columns.iter().map(Column::read).collect();
        let statement = format!("select {} from {table} where completion_id like $1", read.join(", "));
        let rows = sqlx::query(AssertSqlSafe(statement)).bind(pattern).fetch_all(&pool).await?;
        Ok(Self { pool, table, columns, rows })
    }

    pub(super) fn n_rows(&self) -> usize {
        self.rows.len()
    }

    /// Inserts the rows in batches, several at a time; returns rows per second.
    pub(super) async fn insert(&self, batch: usize, n_connections: usize) -> Result<f64> {
        let statement = self.statement();
        let encoded: Vec<PgArguments> = self.rows.chunks(batch).map(|rows| self.encode(rows)).collect::<Result<_>>()?;
        self.warm(&statement, n_connections).await?;
        let began = Instant::now();
        let inserting = encoded.into_iter().map(|arguments| {
            let query = sqlx::query_with(AssertSqlSafe(statement.clone()), arguments);
            async { query.execute(&self.pool).await.map(drop) }
        });
        stream::iter(inserting).buffer_unordered(n_connections).try_collect::<Vec<()>>().await?;
        let rate = self.rows.len() as f64 / began.elapsed().as_secs_f64();
        self.remove().await?;
        Ok(rate)
    }

    /// Inserts rows one after the other on one connection; returns the median time that one takes with its commit.
    pub(super) async fn insert_one_by_one(&self, n_rows: usize) -> Result<Duration> {
        let statement = self.statement();
        self.warm(&statement, 1).await?;
        let mut durations = Vec::new();
        for row in self.rows.chunks(1).take(n_rows) {
            let arguments = self.encode(row)?;
            let began = Instant::now();
            sqlx::query_with(AssertSqlSafe(statement.clone()), arguments).execute(&self.pool).await?;
            durations.push(began.elapsed());
        }
        self.remove().await?;
        durations.sort_unstable();
        Ok(durations[durations.len() / 2])
    }

    fn statement(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        let arrays =
            self.columns.iter().enumerate().map(|(place, column)| format!("${}::{}[]", place + 1, column.bound()));
        let arrays: Vec<String> = arrays.collect();
        let selected: Vec<String> = self.columns.iter().map(Column::selected).collect();
        let (table, list) = (self.table, names.join(", "));
        let (selected, arrays) = (selected.join(", "), arrays.join(", "));
        format!("insert into {table} ({list}) select {selected} from unnest({arrays}) as i ({list})")
    }

    /// Makes the connections and prepares the statement on each.
    async fn warm(&self, statement: &str, n_connections: usize) -> Result<()> {
        let mut held = Vec::new();
        for _ in 0..n_connections {
            let mut connection = self.pool.acquire().await?;
            sqlx::query_with(AssertSqlSafe(statement.to_owned()), self.encode(&[])?).execute(&mut *connection).await?;
            held.push(connection);
        }
        Ok(())
    }

    fn encode(&self, rows: &[PgRow]) -> Result<PgArguments> {
        let mut arguments = PgArguments::default();
        for (place, column) in self.columns.iter().enumerate() {
            column.encode(&mut arguments, rows, place)?;
        }
        Ok(arguments)
    }

    /// Removes what was inserted, dead rows as well, so that the next round finds only what was sent.
    async fn remove(&self) -> Result<()> {
        let table = self.table;
        let delete = format!("delete from {table} where completion_id like 'limit-%'");
        sqlx::query(AssertSqlSafe(delete)).execute(&self.pool).await?;
        sqlx::query(AssertSqlSafe(format!("vacuum analyze {table}"))).execute(&self.pool).await?;
        Ok(())
    }
}

impl Column {
    /// JSON goes back and forth as text, as the service sends it.
    fn bound(&self) -> &str {
        if self.kind == "jsonb" { "text" } else { &self.kind }
    }

    fn read(&self) -> String {
        if self.kind == "jsonb" { format!("{}::text", self.name) } else { self.name.clone() }
    }

    fn selected(&self) -> String {
        match (self.name.as_str(), self.kind.as_str()) {
            // Another id for the same row.
            ("completion_id", _) => "'limit-' || i.completion_id".to_owned(),
            (name, "jsonb") => format!("i.{name}::jsonb"),
            (name, _) => format!("i.{name}"),
        }
    }

    fn encode(&self, arguments: &mut PgArguments, rows: &[PgRow], place: usize) -> Result<()> {
        match self.kind.as_str() {
            "uuid" => arguments.add(values::<Uuid>(rows, place)),
            "bytea" => arguments.add(values::<Vec<u8>>(rows, place)),
            "integer" => arguments.add(values::<i32>(rows, place)),
            "bigint" => arguments.add(values::<i64>(rows, place)),
            "double precision" => arguments.add(values::<f64>(rows, place)),
            "boolean" => arguments.add(values::<bool>(rows, place)),
            "timestamp with time zone" => arguments.add(values::<DateTime<Utc>>(rows, place)),
            _ => arguments.add(values::<String>(rows, place)),
        }
    }
}

fn values<T>(rows: &[PgRow], place: usize) -> Vec<Option<T>>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    rows.iter().map(|row| row.get(place)).collect()
}
