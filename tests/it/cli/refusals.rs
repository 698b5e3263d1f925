//! What `serve` refuses: a database that could lose rows, a schema that it does not know, a place that is taken.

use std::net::TcpListener;
use std::process::Command;

use afterword::postgres::Cluster;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::program::{afterword, open_dir, run};
use crate::support::TestDatabase;

async fn execute(url: &str, statement: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

fn serve(url: &str) -> Command {
    let mut command = afterword(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("DATABASE_URL", url);
    command
}

#[tokio::test]
async fn commits_that_do_not_wait_for_the_disk_are_refused() {
    let database = TestDatabase::new().await;
    let name = database.name();
    execute(database.owner_url(), &format!("alter database {name} set synchronous_commit = off")).await;

    let outcome = run(&mut serve(database.service_url()));

    outcome.assert_refused(1, "synchronous_commit = off");
}

#[tokio::test]
async fn a_server_that_does_not_flush_is_refused() {
    let dir = open_dir();
    let cluster = Cluster::start(dir.path()).await.unwrap();
    execute(cluster.owner_url(), "alter system set fsync = off").await;
    execute(cluster.owner_url(), "select pg_reload_conf()").await;

    let outcome = run(&mut afterword(&["serve", "--data-dir", dir.path().to_str().unwrap()]));

    outcome.assert_refused(1, "fsync = off");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_schema_of_a_newer_program_is_refused_and_left_alone() {
    let database = TestDatabase::new().await;
    let newer = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                 values (9999, 'of a newer program', true, '\\x00', 0)";
    execute(database.owner_url(), newer).await;

    for mut command in [serve(database.owner_url()), serve(database.service_url())] {
        run(&mut command).assert_refused(1, "newer than this program's");
    }
    run(afterword(&["migrate"]).env("DATABASE_URL", database.owner_url())).assert_refused(1, "version 9999");
}

#[tokio::test]
async fn a_schema_that_the_role_may_not_migrate_is_refused_with_the_way_out() {
    let database = TestDatabase::empty().await;

    let outcome = run(&mut serve(database.service_url()));

    outcome.assert_refused(1, "run `afterword migrate`");
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_named_without_its_password() {
    let database = TestDatabase::empty().await;
    let nowhere = "postgres://u:canary@127.0.0.1:1/d".to_owned();
    let stranger = database.service_url().replace("afterword:", "stranger:");
    let absent = database.owner_url().replace(database.name(), "absent");
    for (url, words) in
        [(nowhere, "is it running"), (stranger, "does not accept this user"), (absent, "no such database")]
    {
        let outcome = run(&mut serve(&url));

        outcome.assert_refused(1, words);
        assert!(!outcome.err.contains("canary"), "{outcome:?}");
    }
}

#[test]
fn a_port_that_is_taken_is_refused_before_anything_starts() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let dir = open_dir();

    let outcome = run(&mut afterword(&["serve", "--listen", &listen, "--data-dir", dir.path().to_str().unwrap()]));

    outcome.assert_refused(1, &format!("cannot listen on {listen}"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_directory_named_for_postgres_that_has_none_is_refused() {
    let dir = open_dir();
    let mut command = afterword(&["serve", "--listen", "127.0.0.1:0", "--data-dir", dir.path().to_str().unwrap()]);

    let outcome = run(command.env("AFTERWORD_POSTGRES_BIN_DIR", "/nowhere/bin"));

    outcome.assert_refused(1, "postgres.bin_dir is /nowhere/bin");
}
