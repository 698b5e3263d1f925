//! Brings the schema up to date, and refuses one that a newer program made.

use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, Row};

use super::error::StoreError;

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// Where a database stands against this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaVersion {
    /// Newest migration that the database has; 0 where it has none.
    pub found: i64,
    /// Newest migration that the program has.
    pub supported: i64,
}

impl SchemaVersion {
    /// Accepts only a schema that is exactly the program's.
    pub fn check(self) -> Result<(), StoreError> {
        let Self { found, supported } = self;
        match found.cmp(&supported) {
            std::cmp::Ordering::Greater => Err(StoreError::SchemaTooNew { found, supported }),
            std::cmp::Ordering::Less => Err(StoreError::SchemaTooOld { found, supported }),
            std::cmp::Ordering::Equal => Ok(()),
        }
    }
}

/// The advisory lock of whoever migrates. The migrator has one of its own, but lets go of it before the grants, and
/// grants at the same moment fail (`XX000`, "tuple concurrently updated"). It belongs to a transaction, so that a pooler
/// cannot keep it.
const MIGRATING: i64 = i64::from_be_bytes(*b"aw-migr8");

/// Applies every migration that is missing, as the role of the URL, lets a login role work as the service's, and returns
/// where the schema stands. Whoever else migrates the same database waits.
pub async fn migrate(url: &str, login: Option<&str>) -> Result<SchemaVersion, StoreError> {
    let mut gate = connect(url).await?;
    let mut inside = gate.begin().await?;
    sqlx::query("select pg_advisory_xact_lock($1)").bind(MIGRATING).execute(&mut *inside).await?;
    let mut connection = connect(url).await?;
    let before = read_version(&mut connection).await?;
    if before.found > before.supported {
        return Err(StoreError::SchemaTooNew { found: before.found, supported: before.supported });
    }
    MIGRATOR.run(&mut connection).await.map_err(|error| StoreError::from(sqlx::Error::from(error)))?;
    // Whoever migrates may work as the service's role, and the service may read how far the schema is.
    for statement in [
        "grant select on _sqlx_migrations to afterword_app",
        "do $$ begin
             if not pg_has_role(session_user, 'afterword_app', 'member') then
                 execute format('grant afterword_app to %I', session_user);
             end if;
         end $$",
    ] {
        sqlx::query(statement).execute(&mut connection).await?;
    }
    if let Some(login) = login {
        grant_service_role(&mut connection, login).await?;
    }
    let after = read_version(&mut connection).await?;
    connection.close().await?;
    inside.commit().await?;
    gate.close().await?;
    Ok(after)
}

/// Lets a login role of the operator's work as the service's role.
async fn grant_service_role(connection: &mut PgConnection, login: &str) -> Result<(), StoreError> {
    let statement = sqlx::query("select format('grant afterword_app to %I', $1::text)").bind(login);
    let grant: String = statement.fetch_one(&mut *connection).await?.try_get(0)?;
    sqlx::query(sqlx::AssertSqlSafe(grant)).execute(connection).await?;
    Ok(())
}

/// Returns a short name for exactly this set of migrations, so that a test's template can be told from an older one.
pub fn fingerprint() -> String {
    let mut hasher = blake3::Hasher::new();
    for migration in MIGRATOR.iter() {
        hasher.update(&migration.version.to_be_bytes());
        hasher.update(&migration.checksum);
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

/// Reads where a database stands once nobody migrates it any more: the last migration is not the last thing that is done.
pub async fn settled_version(url: &str) -> Result<SchemaVersion, StoreError> {
    let mut connection = connect(url).await?;
    let mut inside = connection.begin().await?;
    sqlx::query("select pg_advisory_xact_lock_shared($1)").bind(MIGRATING).execute(&mut *inside).await?;
    let version = read_version(&mut inside).await?;
    inside.commit().await?;
    connection.close().await?;
    Ok(version)
}

/// Reads where a database stands.
pub async fn version(url: &str) -> Result<SchemaVersion, StoreError> {
    let mut connection = connect(url).await?;
    let version = read_version(&mut connection).await?;
    connection.close().await?;
    Ok(version)
}

async fn connect(url: &str) -> Result<PgConnection, StoreError> {
    let options: PgConnectOptions = url.parse().map_err(|_| StoreError::Url)?;
    Ok(options.application_name("afterword migrate").connect().await?)
}

pub(super) async fn read_version(connection: &mut PgConnection) -> Result<SchemaVersion, StoreError> {
    let supported = MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or(0);
    let table: Option<String> = sqlx::query("select to_regclass('public._sqlx_migrations')::text")
        .fetch_one(&mut *connection)
        .await?
        .try_get(0)?;
    if table.is_none() {
        return Ok(SchemaVersion { found: 0, supported });
    }
    let found = sqlx::query("select coalesce(max(version), 0) from _sqlx_migrations where success")
        .fetch_one(connection)
        .await?
        .try_get(0)?;
    Ok(SchemaVersion { found, supported })
}
