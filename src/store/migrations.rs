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

/// Applies every migration that is missing, as the role of the URL, and returns where the schema stands.
pub async fn migrate(url: &str) -> Result<SchemaVersion, StoreError> {
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
    let after = read_version(&mut connection).await?;
    connection.close().await?;
    Ok(after)
}

/// Lets a login role of the operator's work as the service's role.
pub async fn grant_service_role(url: &str, login: &str) -> Result<(), StoreError> {
    let mut connection = connect(url).await?;
    let statement = sqlx::query("select format('grant afterword_app to %I', $1::text)").bind(login);
    let grant: String = statement.fetch_one(&mut connection).await?.try_get(0)?;
    sqlx::query(sqlx::AssertSqlSafe(grant)).execute(&mut connection).await?;
    Ok(connection.close().await?)
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
