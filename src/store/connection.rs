//! Pools of connections, and transactions that carry a name and a reach.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor as _, PgConnection, PgPool, Postgres, Row, Transaction};

use super::error::StoreError;
use super::migrations::{SchemaVersion, read_version};
use crate::domain::clock::Timestamp;
use crate::domain::ids::ProjectId;
use crate::domain::origin::Origin;

/// How many connections each kind of work may hold, so that an export cannot starve ingest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSizes {
    /// Connections for what a write waits for, beside those that the writers keep.
    pub ingest: u32,
    /// Connections of authentication, reading and everything else that a request waits for.
    pub reading: u32,
    /// Connections of the workers.
    pub jobs: u32,
    /// Connections that exports of this process read with beside the one that each of them has of the workers'.
    pub lanes: u32,
}

impl Default for PoolSizes {
    fn default() -> Self {
        Self { ingest: 3, reading: 8, jobs: 4, lanes: 3 }
    }
}

/// The database, as the service sees it: four pools and a connection for readiness, each working as `afterword_app`.
#[derive(Debug, Clone)]
pub struct Store {
    ingest: PgPool,
    reading: PgPool,
    jobs: PgPool,
    lanes: PgPool,
    /// One connection that no work takes, so that load alone makes no instance unready.
    readiness: PgPool,
}

/// What a transaction may see and change; row-level security enforces it.
#[derive(Debug, Clone, Copy)]
pub enum Access<'a> {
    /// Rows of these projects.
    Projects(&'a [ProjectId]),
    /// The one key with this id, of whichever kind.
    Key(&'a str),
    /// The publishable keys that name this origin.
    Origin(&'a Origin),
    /// Projects and keys of the whole instance, for the person at its command line.
    Operator,
    /// Jobs of every project, for a worker that looks for one.
    Worker,
    /// Rows of this project, which may be deleted.
    Erasure(ProjectId),
    /// What engines said of their load: the operator's, and no project's.
    Serving,
}

/// Which pool a transaction takes its connection from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// What a write waits for: the look-ups of credentials, and a writer that has no connection of its own yet.
    Ingest,
    /// The requests'.
    Reading,
    /// The workers'.
    Jobs,
    /// What exports read with side by side.
    Lanes,
}

/// How much a pool is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    /// Its name.
    pub name: &'static str,
    /// Connections that somebody holds.
    pub n_busy: u64,
    /// Connections that nobody holds.
    pub n_idle: u64,
    /// Connections that it may have.
    pub n_max: u64,
}

/// The name of a snapshot that several transactions see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedSnapshot(String);

/// An open transaction; dropping it rolls back.
#[derive(Debug)]
pub struct Tx(Inner);

#[derive(Debug)]
enum Inner {
    /// Gives its connection back to the pool.
    Pooled(Transaction<'static, Postgres>),
    /// Gives its connection back to the writer that keeps it; dropped, it closes it.
    Kept(PgConnection),
}

impl Tx {
    /// Commits: once this returns, the rows survive a crash of service and server (ACK-1).
    pub async fn commit(self) -> Result<(), StoreError> {
        match self.0 {
            Inner::Pooled(transaction) => Ok(transaction.commit().await?),
            Inner::Kept(_) => self.commit_and_keep().await.map(drop),
        }
    }

    /// Commits as [`Tx::commit`] does and returns the connection, where the transaction has one of a writer's.
    pub async fn commit_and_keep(self) -> Result<Option<WriterConnection>, StoreError> {
        self.end_and_keep("commit").await
    }

    /// Rolls back and returns the connection, where the transaction has one of a writer's.
    pub async fn roll_back_and_keep(self) -> Result<Option<WriterConnection>, StoreError> {
        self.end_and_keep("rollback").await
    }

    /// Lets other transactions see what this one sees, as long as it is open.
    pub async fn share_snapshot(&mut self) -> Result<SharedSnapshot, StoreError> {
        let name: String = sqlx::query("-- Tx::share_snapshot\nselect pg_export_snapshot()")
            .fetch_one(self.connection())
            .await?
            .try_get(0)?;
        // Only the form of such a name may reach a statement.
        Ok(SharedSnapshot(name.chars().filter(|c| c.is_ascii_hexdigit() || *c == '-').collect()))
    }

    /// Marks the place that [`Tx::roll_back_to_savepoint`] goes back to; a later mark hides the ones before it.
    pub async fn set_savepoint(&mut self) -> Result<(), StoreError> {
        self.connection().execute("savepoint part").await?;
        Ok(())
    }

    /// Forgets the last mark and keeps what was done since.
    pub async fn release_savepoint(&mut self) -> Result<(), StoreError> {
        self.connection().execute("release savepoint part").await?;
        Ok(())
    }

    /// Undoes what was done since the last mark, and forgets the mark.
    pub async fn roll_back_to_savepoint(&mut self) -> Result<(), StoreError> {
        self.connection().execute("rollback to savepoint part; release savepoint part").await?;
        Ok(())
    }

    async fn end_and_keep(self, statement: &'static str) -> Result<Option<WriterConnection>, StoreError> {
        match self.0 {
            Inner::Pooled(transaction) if statement == "commit" => transaction.commit().await?,
            Inner::Pooled(transaction) => transaction.rollback().await?,
            Inner::Kept(mut connection) => {
                connection.execute(statement).await?;
                return Ok(Some(WriterConnection(connection)));
            }
        }
        Ok(None)
    }

    pub(super) fn connection(&mut self) -> &mut PgConnection {
        match &mut self.0 {
            Inner::Pooled(transaction) => &mut *transaction,
            Inner::Kept(connection) => connection,
        }
    }
}

/// A connection that one ingest writer keeps, so that a batch costs neither the look whether the connection still lives
/// nor the one whether it came back clean: only a transaction that ended gives it back. It belongs to no pool any more:
/// dropped, wherever its transaction stands, it is closed and can poison nobody.
#[derive(Debug)]
pub struct WriterConnection(PgConnection);

impl WriterConnection {
    /// Begins a transaction, as [`Store::begin`] does; one that is cancelled closes its connection.
    pub async fn begin(mut self, name: &'static str, access: Access<'_>) -> Result<Tx, StoreError> {
        self.0.execute(AssertSqlSafe(beginning(name, access, "begin"))).await?;
        Ok(Tx(Inner::Kept(self.0)))
    }
}

/// Less than two seconds, within which whoever asks hears that no connection is free.
const ACQUIRE_TIMEOUT: Duration = Duration::from_millis(1_500);

impl Store {
    /// Opens the pools; connections are made when they are needed.
    pub fn connect(url: &str, sizes: PoolSizes) -> Result<Self, StoreError> {
        let options: PgConnectOptions = url.parse().map_err(|_| StoreError::Url)?;
        let options = options.application_name("afterword").statement_cache_capacity(200);
        Ok(Self {
            ingest: pool(&options, sizes.ingest, "5s"),
            reading: pool(&options, sizes.reading, "30s"),
            // An export reads for as long as it takes.
            jobs: pool(&options, sizes.jobs, "0"),
            lanes: pool(&options, sizes.lanes, "0"),
            readiness: pool(&options, 1, "2s"),
        })
    }

    /// Begins a transaction whose name stands in the SQL, so that pg_stat_activity reads like the code.
    ///
    /// Call it only from a task that nobody cancels: a cancelled `begin` hands an open transaction back to the pool.
    pub async fn begin(&self, pool: Pool, name: &'static str, access: Access<'_>) -> Result<Tx, StoreError> {
        self.begin_as(pool, name, access, "begin").await
    }

    /// Takes a connection out of the ingest pool for a writer that keeps it.
    pub async fn writer_connection(&self) -> Result<WriterConnection, StoreError> {
        Ok(WriterConnection(self.ingest.acquire().await?.detach()))
    }

    /// Returns how many connections the ingest pool may have.
    pub fn n_ingest_connections(&self) -> u32 {
        self.ingest.options().get_max_connections()
    }

    /// Begins a transaction that sees one snapshot from its first statement to its end, and writes nothing.
    pub async fn begin_snapshot(&self, name: &'static str, project: ProjectId) -> Result<Tx, StoreError> {
        let begin = "begin isolation level repeatable read read only";
        self.begin_as(Pool::Jobs, name, Access::Projects(&[project]), begin).await
    }

    /// Begins a transaction that sees the snapshot of another one, which must still be open; nothing where no connection
    /// is to spare: who shares work must be able to do without.
    pub async fn join_snapshot(
        &self,
        name: &'static str,
        project: ProjectId,
        snapshot: &SharedSnapshot,
    ) -> Result<Option<Tx>, StoreError> {
        let n_busy = (self.lanes.size() as usize).saturating_sub(self.lanes.num_idle());
        if n_busy >= self.lanes.options().get_max_connections() as usize {
            return Ok(None);
        }
        let begin =
            format!("begin isolation level repeatable read read only; set transaction snapshot '{}'", snapshot.0);
        self.begin_as(Pool::Lanes, name, Access::Projects(&[project]), &begin).await.map(Some)
    }

    async fn begin_as(
        &self,
        pool: Pool,
        name: &'static str,
        access: Access<'_>,
        begin: &str,
    ) -> Result<Tx, StoreError> {
        let pool = match pool {
            Pool::Ingest => &self.ingest,
            Pool::Reading => &self.reading,
            Pool::Jobs => &self.jobs,
            Pool::Lanes => &self.lanes,
        };
        Ok(Tx(Inner::Pooled(pool.begin_with(AssertSqlSafe(beginning(name, access, begin))).await?)))
    }

    /// Tells how many connections each pool has, and what for.
    pub fn pools(&self) -> Vec<PoolUse> {
        let pools =
            [("ingest", &self.ingest), ("reading", &self.reading), ("jobs", &self.jobs), ("lanes", &self.lanes)];
        pools
            .into_iter()
            .map(|(name, pool)| {
                let n_idle = (pool.num_idle() as u64).min(pool.size().into());
                let n_max = pool.options().get_max_connections().into();
                PoolUse { name, n_busy: u64::from(pool.size()) - n_idle, n_idle, n_max }
            })
            .collect()
    }

    /// Reads where the schema stands, over the connection that is kept for it: that the database answers is half of
    /// readiness, and that pools are busy is none of its business.
    pub async fn schema_version(&self) -> Result<SchemaVersion, StoreError> {
        let mut connection = self.readiness.acquire().await?;
        read_version(&mut connection).await
    }

    /// Checks at start that the server cannot lose what it acknowledges (ACK-1) and that row-level security holds the
    /// role that the service works as (TEN-1).
    pub async fn check_server(&self) -> Result<ServerReport, StoreError> {
        let row = sqlx::query(include_str!("sql/server_report.sql")).fetch_one(&self.reading).await?;
        let report = ServerReport {
            version: row.try_get("server_version")?,
            fsync: row.try_get("fsync")?,
            synchronous_commit: row.try_get("synchronous_commit")?,
            full_page_writes: row.try_get("full_page_writes")?,
            role: row.try_get("role")?,
            login: row.try_get("login")?,
            login_is_powerful: row.try_get("login_is_powerful")?,
            now: row.try_get("now")?,
        };
        for (setting, value) in [
            ("fsync", &report.fsync),
            ("synchronous_commit", &report.synchronous_commit),
            ("full_page_writes", &report.full_page_writes),
        ] {
            // `remote_apply` waits for everything that `on` waits for, and for the standbys besides.
            let durable = value == "on" || (setting == "synchronous_commit" && value == "remote_apply");
            if !durable {
                return Err(StoreError::NotDurable { setting, value: value.clone() });
            }
        }
        if row.try_get("is_superuser")? {
            return Err(StoreError::TooPowerful("is a superuser"));
        }
        if row.try_get("bypasses_rls")? {
            return Err(StoreError::TooPowerful("may bypass row-level security"));
        }
        if row.try_get("owns_tables")? {
            return Err(StoreError::TooPowerful("owns the tables"));
        }
        Ok(report)
    }

    /// Closes every connection, waiting for those in use.
    pub async fn close(&self) {
        self.ingest.close().await;
        self.reading.close().await;
        self.jobs.close().await;
        self.lanes.close().await;
        self.readiness.close().await;
    }
}

/// What the server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerReport {
    /// Version, such as 17.2.
    pub version: String,
    /// Setting `fsync`.
    pub fsync: String,
    /// Setting `synchronous_commit`.
    pub synchronous_commit: String,
    /// Setting `full_page_writes`.
    pub full_page_writes: String,
    /// Role that the service works as.
    pub role: String,
    /// Role that the connection logged in as, before it took the service's.
    pub login: String,
    /// Whether the login could see past row-level security, if it went back to being itself.
    pub login_is_powerful: bool,
    /// The present moment by the server's clock.
    pub now: Timestamp,
}

/// Writes how a transaction begins: one message, one round trip.
fn beginning(name: &'static str, access: Access<'_>, begin: &str) -> String {
    // The values are UUIDs, ids of keys and origins, so that nothing can be injected.
    format!("/* {name} */ {begin}; {}", reach(access))
}

fn reach(access: Access<'_>) -> String {
    match access {
        Access::Projects(ids) => {
            let list: Vec<String> = ids.iter().map(ToString::to_string).collect();
            format!("set local app.project_ids = '{}'", list.join(","))
        }
        Access::Key(key_id) => {
            // Only the form of a key id may reach the statement.
            let safe: String = key_id.chars().filter(char::is_ascii_alphanumeric).collect();
            format!("set local app.key_id = '{safe}'")
        }
        Access::Origin(origin) => {
            // An origin has no character that could end the literal.
            let safe: String = origin.as_str().chars().filter(|c| !matches!(c, '\'' | '\\')).collect();
            format!("set local app.origin = '{safe}'")
        }
        Access::Operator => "set local app.scope = 'operator'".to_owned(),
        Access::Worker => "set local app.scope = 'worker'".to_owned(),
        Access::Serving => "set local app.scope = 'serving'".to_owned(),
        Access::Erasure(id) => format!("set local app.project_ids = '{id}'; set local app.scope = 'erasure'"),
    }
}

fn pool(options: &PgConnectOptions, size: u32, statement_timeout: &'static str) -> PgPool {
    let options = options.clone().options([
        ("statement_timeout", statement_timeout),
        ("lock_timeout", "2s"),
        ("idle_in_transaction_session_timeout", "60s"),
    ]);
    pool_options(size).connect_lazy_with(options)
}

/// Returns the options of every pool: the role that it works as, and the check that no connection comes back dirty.
pub fn pool_options(size: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(|connection, _| {
            Box::pin(async move {
                sqlx::query("set role afterword_app").execute(connection).await?;
                Ok(())
            })
        })
        .after_release(|connection, _| Box::pin(is_clean(connection)))
}

/// Tells whether a connection that comes back is outside a transaction.
///
/// A `begin` that was cancelled leaves its connection inside an open transaction, in which the next borrower's
/// autocommit statements would succeed and never be committed (sqlx 0.9, transact-rs/sqlx#4385). Inside one, `now()`
/// stands still while `statement_timestamp()` moves on. The statement goes out as one simple message: of a prepared
/// one each message is a statement with a time of its own, and every connection would look dirty.
async fn is_clean(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let row =
        sqlx::raw_sql("select pg_current_xact_id_if_assigned() is null and now() = statement_timestamp() as is_clean")
            .fetch_one(&mut *connection)
            .await?;
    let is_clean: bool = row.try_get("is_clean")?;
    if !is_clean {
        tracing::warn!("a connection came back inside a transaction and was closed");
    }
    Ok(is_clean)
}
