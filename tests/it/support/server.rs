//! One private Postgres for a run of the tests.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use afterword::postgres::Cluster;
use afterword::store::migrations;
use rustix::process::{Pid, test_kill_process};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use tokio::sync::OnceCell;

/// Any number, as long as every test process takes the same: guards the making of the template.
const TEMPLATE_LOCK: i64 = 0x61_66_74_65;

/// The server, and the name of the migrated database that tests clone.
pub(super) struct TestServer {
    cluster: Cluster,
    /// The template's name.
    pub(super) template: String,
    /// Its standard input closes when this process ends, which is what it waits for.
    _watchdog: Child,
}

static SERVER: OnceCell<TestServer> = OnceCell::const_new();

/// Returns the server of this run, starting or joining it at the first call.
pub(super) async fn server() -> &'static TestServer {
    SERVER.get_or_init(TestServer::start).await
}

impl TestServer {
    async fn start() -> Self {
        let data_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cluster");
        let watchdog = watchdog(&data_dir);
        let cluster = Cluster::start(&data_dir).await.unwrap_or_else(|error| panic!("{error}"));
        let template = format!("template_{}", migrations::fingerprint());
        let server = Self { cluster, template, _watchdog: watchdog };
        server.make_template().await;
        server
    }

    /// Returns the owner's URL of a database.
    pub(super) fn owner_url(&self, database: &str) -> String {
        with_database(self.cluster.owner_url(), database)
    }

    /// Returns the service's URL of a database.
    pub(super) fn service_url(&self, database: &str) -> String {
        with_database(self.cluster.service_url(), database)
    }

    /// Runs statements that need no transaction, as the owner, in the database that belongs to no test.
    pub(super) async fn execute(&self, statement: String) {
        let mut connection = PgConnection::connect(self.cluster.owner_url()).await.unwrap();
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    async fn make_template(&self) {
        let mut connection = PgConnection::connect(self.cluster.owner_url()).await.unwrap();
        sqlx::query("select pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut connection).await.unwrap();
        if self.cluster.was_started_here() {
            drop_leftovers(&mut connection, &self.template).await;
        }
        let is_made = sqlx::query("select from pg_database where datname = $1 and datistemplate")
            .bind(&self.template)
            .fetch_optional(&mut connection)
            .await
            .unwrap()
            .is_some();
        if !is_made {
            let template = &self.template;
            execute(&mut connection, format!("drop database if exists {template}")).await;
            execute(&mut connection, format!("create database {template}")).await;
            let url = self.owner_url(template);
            migrations::migrate(&url, Some(afterword::postgres::SERVICE)).await.unwrap();
            execute(&mut connection, format!("alter database {template} is_template true allow_connections false"))
                .await;
        }
        connection.close().await.unwrap();
    }
}

/// Drops what earlier runs left: databases of tests that failed, and templates of other migrations.
async fn drop_leftovers(connection: &mut PgConnection, template: &str) {
    let leftovers = sqlx::query(
        "select datname, datistemplate from pg_database
          where datname like 'it\\_%' or (datname like 'template\\_%' and datname <> $1)",
    )
    .bind(template)
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    for row in leftovers {
        let name: String = row.get("datname");
        // Another process of this run may have joined already, and made a database.
        let process = name.split('_').nth(1).and_then(|number| number.parse().ok()).and_then(Pid::from_raw);
        if process.is_some_and(|process| test_kill_process(process).is_ok()) {
            continue;
        }
        if row.get("datistemplate") {
            execute(connection, format!("alter database {name} is_template false")).await;
        }
        execute(connection, format!("drop database {name} with (force)")).await;
    }
}

async fn execute(connection: &mut PgConnection, statement: String) {
    sqlx::query(AssertSqlSafe(statement)).execute(connection).await.unwrap();
}

fn with_database(url: &str, database: &str) -> String {
    url.replace("/afterword?", &format!("/{database}?"))
}

/// Starts a shell that waits for the end of this process and then lets the program stop the server, unless another
/// test process uses it. The test harness leaves without running destructors, so that nothing in here could do it.
fn watchdog(data_dir: &Path) -> Child {
    const WAIT_FOR_THE_END: &str = "cat >/dev/null; sleep 1; exec \"$0\" postgres stop --data-dir \"$1\"";
    let program = PathBuf::from(env!("CARGO_BIN_EXE_afterword"));
    Command::new("sh")
        .arg("-c")
        .arg(WAIT_FOR_THE_END)
        .args([&program, data_dir])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap()
}
