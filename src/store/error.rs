//! What can go wrong in the database, told without the database's words: those quote the rows.

use std::borrow::Cow;
use std::error::Error as _;

/// A failed statement or connection.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No answer, no connection, out of resources: nothing is wrong with the rows, trying again may help.
    #[error("the database is unavailable ({0})")]
    Unavailable(Cause),
    /// Two transactions stood in each other's way; the whole transaction may be tried again at once.
    #[error("the transaction met another one ({0})")]
    Contended(Cause),
    /// A value that the database refuses (SQLSTATE class 22 or 23).
    #[error("the database refused a row ({0})")]
    Refused(Cause),
    /// A row that cannot be what it is: somebody wrote past the program.
    #[error("table {table} holds an impossible {column}")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// The database was migrated by a newer version of the program.
    #[error("the schema is at version {found}, newer than this program's {supported}: run the newer afterword")]
    SchemaTooNew {
        /// Version in the database.
        found: i64,
        /// Newest version that the program knows.
        supported: i64,
    },
    /// The database has not been migrated.
    #[error("the schema is at version {found}, older than this program's {supported}: run `afterword migrate`")]
    SchemaTooOld {
        /// Version in the database; 0 where there is none.
        found: i64,
        /// Newest version that the program knows.
        supported: i64,
    },
    /// The server could lose what it has acknowledged (ACK-1).
    #[error("Postgres runs with {setting} = {value}: it could lose what it acknowledged; set {setting} = on")]
    NotDurable {
        /// Name of the setting.
        setting: &'static str,
        /// Its value.
        value: String,
    },
    /// The role that the service works as could see past row-level security.
    #[error("the service would work as a role that {0}; row-level security would not hold it")]
    TooPowerful(&'static str),
    /// A migration failed.
    #[error("a migration failed ({0})")]
    Migration(Cause),
    /// The connection string cannot be read.
    #[error("the database URL is not of the form postgres://user:password@host:port/database")]
    Url,
}

/// Where a failure came from: an SQLSTATE with its constraint, or a kind of input/output failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The server answered with an error.
    #[error("SQLSTATE {code}{}", constraint.as_deref().map(|name| format!(", constraint {name}")).unwrap_or_default())]
    Server {
        /// SQLSTATE.
        code: String,
        /// Constraint, where one was violated.
        constraint: Option<String>,
    },
    /// The connection could not be made or broke.
    #[error("{0}")]
    Connection(&'static str),
}

impl StoreError {
    /// Tells whether the same request may succeed a little later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Contended(_))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => {
                let code = database.code().map(Cow::into_owned).unwrap_or_default();
                let constraint = database.constraint().map(str::to_owned);
                let class = code.get(..2).unwrap_or_default().to_owned();
                let cause = Cause::Server { code: code.clone(), constraint };
                match (class.as_str(), code.as_str()) {
                    (_, "40001" | "40P01") => Self::Contended(cause),
                    ("22" | "23", _) => Self::Refused(cause),
                    _ => Self::Unavailable(cause),
                }
            }
            sqlx::Error::Migrate(migration) => {
                let code = migration
                    .source()
                    .and_then(|source| source.downcast_ref::<sqlx::Error>())
                    .and_then(|source| source.as_database_error())
                    .and_then(sqlx::error::DatabaseError::code)
                    .map(Cow::into_owned);
                Self::Migration(
                    code.map_or(Cause::Connection("see the server's log"), |code| Cause::Server {
                        code,
                        constraint: None,
                    }),
                )
            }
            sqlx::Error::PoolTimedOut => Self::Unavailable(Cause::Connection("no free connection in time")),
            sqlx::Error::Io(_) => Self::Unavailable(Cause::Connection("the connection broke")),
            sqlx::Error::Tls(_) => Self::Unavailable(Cause::Connection("the TLS handshake failed")),
            sqlx::Error::PoolClosed => Self::Unavailable(Cause::Connection("the pool is closed")),
            sqlx::Error::Configuration(_) => Self::Url,
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
                Self::Inconsistent { table: "(result)", column: "value" }
            }
            _ => Self::Unavailable(Cause::Connection("the driver failed")),
        }
    }
}
