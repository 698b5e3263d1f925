//! The limit of ingest: the rows that the service has just stored, inserted once more under other ids by plain
//! `INSERT … SELECT FROM unnest(…)` into the same table with the same indexes, each statement a commit of its own, by a
//! role that no row-level security holds.

use std::time::Instant;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use sqlx::postgres::{PgArguments, PgPool, PgPoolOptions, PgRow};
use sqlx::query::Query;
use sqlx::types::chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Postgres, Row as _};
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

    /// Inserts the rows in batches, several at a time; returns rows per second.
    pub(super) async fn insert(&self, batch: usize, n_connections: usize) -> Result<f64> {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        let arrays: Vec<String> = self
            .columns
            .iter()
            .enumerate()
            .map(|(place, column)| format!("${}::{}[]", place + 1, column.bound()))
            .collect();
        let selected: Vec<String> = self.columns.iter().map(Column::selected).collect();
        let (table, list) = (self.table, names.join(", "));
        let statement = format!(
            "insert into {table} ({list}) select {} from unnest({}) as i ({list})",
            selected.join(", "),
            arrays.join(", "),
        );
        let began = Instant::now();
        let inserting = self.rows.chunks(batch).map(|rows| {
            let mut query = sqlx::query(AssertSqlSafe(statement.clone()));
            for (place, column) in self.columns.iter().enumerate() {
                query = column.bind(query, rows, place);
            }
            async { query.execute(&self.pool).await.map(drop) }
        });
        stream::iter(inserting).buffer_unordered(n_connections).try_collect::<Vec<()>>().await?;
        let rate = self.rows.len() as f64 / began.elapsed().as_secs_f64();
        self.remove().await?;
        Ok(rate)
    }
}

impl Limit {
    /// Removes what was inserted, dead rows as well, so that the next round and the export find only what was sent.
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

    fn bind<'q>(
        &self,
        query: Query<'q, Postgres, PgArguments>,
        rows: &[PgRow],
        place: usize,
    ) -> Query<'q, Postgres, PgArguments> {
        match self.kind.as_str() {
            "uuid" => query.bind(values::<Uuid>(rows, place)),
            "bytea" => query.bind(values::<Vec<u8>>(rows, place)),
            "integer" => query.bind(values::<i32>(rows, place)),
            "bigint" => query.bind(values::<i64>(rows, place)),
            "double precision" => query.bind(values::<f64>(rows, place)),
            "boolean" => query.bind(values::<bool>(rows, place)),
            "timestamp with time zone" => query.bind(values::<DateTime<Utc>>(rows, place)),
            _ => query.bind(values::<String>(rows, place)),
        }
    }
}

fn values<T>(rows: &[PgRow], place: usize) -> Vec<Option<T>>
where
    T: for<'r> sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
{
    rows.iter().map(|row| row.get(place)).collect()
}
