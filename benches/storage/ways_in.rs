//! The ways in which a batch of feedback can get into its table, all with the same rows, keys, indexes and policies.

use std::time::Instant;

use afterword::postgres::Cluster;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};

use super::wire::{self, Encoded, Value};
use super::{Figures, Result};

const N_CONNECTIONS: usize = 2;
const INTO: &str = "insert into feedback";
const UNLESS_STORED: &str = "on conflict (project_id, completion_id, feedback_id) do nothing";

/// The columns of the table, and how each is given over the wire.
struct Columns {
    names: Vec<String>,
    kinds: Vec<String>,
    oids: Vec<u32>,
    arrays: Vec<u32>,
}

/// A way in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    UnnestAll,
    UnnestFilled,
    Composites,
    Staging,
    Copy,
}

const WAYS: [(Way, &str); 5] = [
    (Way::UnnestAll, "unnest, an array for each of the columns"),
    (Way::UnnestFilled, "unnest, an array for each column that is filled"),
    (Way::Composites, "unnest of one array of composites"),
    (Way::Staging, "COPY into a temporary table, then INSERT … SELECT"),
    (Way::Copy, "bare COPY, which a duplicate would break"),
];

pub(super) async fn measure(cluster: &Cluster, project: uuid::Uuid, round: usize, figures: &mut Figures) -> Result<()> {
    let mut owner = PgConnection::connect(cluster.owner_url()).await?;
    let columns = Columns::read(&mut owner).await?;
    for batch in [100, 1_000] {
        for (way, name) in WAYS {
            let n_rows = 60_000;
            let rows: Vec<Vec<Value>> =
                (0..n_rows).map(|n| row(&columns, project, &format!("{batch}/{round}"), n)).collect();
            let (rate, cpu_us) = run(cluster, project, &columns, way, &rows, batch).await?;
            figures.add(format!("feedback, {batch} rows: {name}"), "rows/s", rate);
            figures.add(format!("feedback, {batch} rows: {name}, backend"), "ns/row", cpu_us * 1e3);
            owner.execute("truncate feedback").await?;
        }
    }
    Ok(())
}

async fn run(
    cluster: &Cluster,
    project: uuid::Uuid,
    columns: &Columns,
    way: Way,
    rows: &[Vec<Value>],
    batch: usize,
) -> Result<(f64, f64)> {
    let share = rows.len() / N_CONNECTIONS;
    let mut writers = Vec::new();
    for rows in rows.chunks(share) {
        writers.push(Writer::open(cluster, project, columns, way, rows, batch).await?);
    }
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for writer in writers {
        tasks.spawn(writer.write());
    }
    let mut total_s = 0.0;
    while let Some(written) = tasks.join_next().await {
        total_s += written??;
    }
    Ok((rows.len() as f64 / began.elapsed().as_secs_f64(), total_s * 1e6 / rows.len() as f64))
}

/// Reads the processor time of a process: on a machine that others use, too, it says more than the clock.
fn cpu_s(pid: i32) -> Result<f64> {
    const TICKS_PER_S: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    Ok((ticks(11) + ticks(12)) / TICKS_PER_S)
}

struct Writer {
    connection: PgConnection,
    backend: i32,
    begin: String,
    statement: String,
    batches: Vec<(Vec<Encoded>, Vec<u8>)>,
    way: Way,
    list: String,
}

impl Writer {
    async fn open(
        cluster: &Cluster,
        project: uuid::Uuid,
        columns: &Columns,
        way: Way,
        rows: &[Vec<Value>],
        batch: usize,
    ) -> Result<Self> {
        // Row-level security and COPY exclude each other, so that this way alone needs a role which is not held by it.
        let url = if way == Way::Copy { cluster.owner_url() } else { cluster.service_url() };
        let mut connection = PgConnection::connect(url).await?;
        if way != Way::Copy {
            connection.execute("set role afterword_app").await?;
        }
        let backend = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut connection).await?;
        let list = columns.names.join(", ");
        let filled: Vec<usize> = (0..columns.names.len()).filter(|place| rows[0][*place].is_some()).collect();
        let all: Vec<usize> = (0..columns.names.len()).collect();
        let unnest = |places: &[usize]| {
            let arrays: Vec<String> = places
                .iter()
                .enumerate()
                .map(|(n, place)| format!("${}::{}[]", n + 1, columns.kinds[*place]))
                .collect();
            let names: Vec<&str> = places.iter().map(|place| columns.names[*place].as_str()).collect();
            let (names, arrays) = (names.join(", "), arrays.join(", "));
            format!("{INTO} ({names}) select {names} from unnest({arrays}) as i ({names}) {UNLESS_STORED}")
        };
        let (statement, oids) = match way {
            Way::UnnestAll => (unnest(&all), None),
            Way::UnnestFilled => (unnest(&filled), None),
            Way::Composites => {
                let row =
                    sqlx::query("select 'feedback_row'::regtype::oid::int8, 'feedback_row[]'::regtype::oid::int8");
                let row = row.fetch_one(&mut connection).await?;
                let oids = (row.get::<i64, _>(0) as u32, row.get::<i64, _>(1) as u32);
                (
                    format!("{INTO} ({list}) select {list} from unnest($1::feedback_row[]) as i {UNLESS_STORED}"),
                    Some(oids),
                )
            }
            Way::Staging => {
                let staging = "create temporary table staging (like feedback) on commit delete rows";
                connection.execute(staging).await?;
                (format!("{INTO} ({list}) select {list} from staging {UNLESS_STORED}"), None)
            }
            Way::Copy => (String::new(), None),
        };
        let arrays = |places: &[usize], rows: &[Vec<Value>]| {
            let of = |place: &usize| {
                let values: Vec<&Value> = rows.iter().map(|row| &row[*place]).collect();
                wire::column(columns.oids[*place], columns.arrays[*place], &values)
            };
            places.iter().map(of).collect()
        };
        let batches = rows.chunks(batch).map(|rows| match way {
            Way::UnnestAll => (arrays(&all, rows), Vec::new()),
            Way::UnnestFilled => (arrays(&filled, rows), Vec::new()),
            Way::Composites => {
                let (element, array) = oids.unwrap_or_default();
                (vec![wire::composites(element, array, &columns.oids, rows)], Vec::new())
            }
            Way::Staging | Way::Copy => (Vec::new(), wire::copy(rows)),
        });
        let batches = batches.collect();
        let begin = format!("begin; set local app.project_ids = '{project}'");
        Ok(Self { connection, backend, begin, statement, batches, way, list })
    }

    /// Writes the batches; returns how much processor time the backend took for it.
    async fn write(mut self) -> Result<f64> {
        let before_s = cpu_s(self.backend)?;
        for (arguments, copied) in self.batches {
            self.connection.execute(AssertSqlSafe(self.begin.clone())).await?;
            let to = if self.way == Way::Copy { "feedback" } else { "staging" };
            if !copied.is_empty() {
                let statement = format!("copy {to} ({}) from stdin (format binary)", self.list);
                let mut copy = self.connection.copy_in_raw(&statement).await?;
                copy.send(copied).await?;
                copy.finish().await?;
            }
            if self.way != Way::Copy {
                let mut query = sqlx::query(AssertSqlSafe(self.statement.clone()));
                for argument in arguments {
                    query = query.bind(argument);
                }
                query.execute(&mut self.connection).await?;
            }
            self.connection.execute("commit").await?;
        }
        Ok(cpu_s(self.backend)? - before_s)
    }
}

impl Columns {
    async fn read(owner: &mut PgConnection) -> Result<Self> {
        let found = sqlx::query(
            "select a.attname::text, format_type(a.atttypid, null), a.atttypid::int8, t.typarray::int8
               from pg_attribute a join pg_type t on t.oid = a.atttypid
              where a.attrelid = 'feedback'::regclass and a.attnum > 0 and a.attname <> 'reasons'
              order by a.attnum",
        )
        .fetch_all(&mut *owner)
        .await?;
        let names: Vec<String> = found.iter().map(|row| row.get(0)).collect();
        let kinds: Vec<String> = found.iter().map(|row| row.get(1)).collect();
        let members: Vec<String> = names.iter().zip(&kinds).map(|(name, kind)| format!("{name} {kind}")).collect();
        owner.execute("drop type if exists feedback_row").await?;
        owner.execute(AssertSqlSafe(format!("create type feedback_row as ({})", members.join(", ")))).await?;
        Ok(Self {
            names,
            kinds,
            oids: found.iter().map(|row| row.get::<i64, _>(2) as u32).collect(),
            arrays: found.iter().map(|row| row.get::<i64, _>(3) as u32).collect(),
        })
    }
}

/// Makes a thumb.
fn row(columns: &Columns, project: uuid::Uuid, family: &str, n: usize) -> Vec<Value> {
    const MOMENT_US: i64 = 820_000_000_000_000;
    let hash = blake3::hash(format!("{family}/{n}").as_bytes());
    let completion = blake3::hash(format!("{family}/{}", n / 3).as_bytes());
    let mut random = [0; 10];
    random.copy_from_slice(&hash.as_bytes()[..10]);
    let id = uuid::Builder::from_unix_timestamp_millis(1_769_860_800_000 + n as u64, &random).into_uuid();
    let value = |name: &str| match name {
        "project_id" => Some(project.as_bytes().to_vec()),
        "completion_id" => Some(format!("chatcmpl-{}", &completion.to_hex()[..24]).into_bytes()),
        "feedback_id" => Some(id.as_bytes().to_vec()),
        "content_hash" => Some(hash.as_bytes()[..16].to_vec()),
        "signal" => Some(b"thumb".to_vec()),
        "trust" => Some(b"verified".to_vec()),
        "thumb" => Some(b"up".to_vec()),
        "user_id" => Some(format!("user-{:05}", n % 20_000).into_bytes()),
        "session_id" => Some(format!("session-{:06}", n / 7).into_bytes()),
        "weight" => Some(1.0_f64.to_be_bytes().to_vec()),
        "occurred_at" | "effective_at" | "received_at" => Some((MOMENT_US + n as i64).to_be_bytes().to_vec()),
        _ => None,
    };
    columns.names.iter().map(|name| value(name)).collect()
}
