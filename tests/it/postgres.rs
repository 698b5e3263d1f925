//! The private Postgres: made once, joined, left, killed and found again.

#![cfg(test)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use afterword::config::environment;
use afterword::postgres::{Cluster, PostgresError, Settings};
use sqlx::{Connection as _, PgConnection, Row as _};
use tempfile::TempDir;

/// A directory that the user who runs Postgres for root can pass through.
fn open_dir() -> TempDir {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    dir
}

fn pid_file(data_dir: &Path) -> PathBuf {
    data_dir.join("postgres/data/postmaster.pid")
}

fn read_pid(data_dir: &Path) -> i32 {
    std::fs::read_to_string(pid_file(data_dir)).unwrap().lines().next().unwrap().parse().unwrap()
}

async fn execute(url: &str, statement: &'static str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn count(url: &str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query("select count(*) from t").fetch_one(&mut connection).await.unwrap().get(0)
}

#[tokio::test]
async fn rows_survive_a_stop_and_a_start_on_the_same_directory() {
    let dir = open_dir();
    let first = Cluster::start(dir.path()).await.unwrap();
    execute(first.owner_url(), "create table t as select 1 as one").await;
    let url = first.owner_url().to_owned();
    first.stop().await.unwrap();
    assert!(PgConnection::connect(&url).await.is_err(), "the server still runs");

    let second = Cluster::start(dir.path()).await.unwrap();

    assert_eq!(count(second.owner_url()).await, 1);
    second.stop().await.unwrap();
}

#[tokio::test]
async fn the_service_role_is_no_superuser_and_the_server_loses_nothing() {
    let dir = open_dir();
    let cluster = Cluster::start(dir.path()).await.unwrap();
    let mut connection = PgConnection::connect(cluster.service_url()).await.unwrap();

    let row = sqlx::query(
        "select rolsuper or rolbypassrls or rolcreatedb or rolcreaterole as powerful,
                current_setting('fsync') || current_setting('synchronous_commit')
                || current_setting('data_checksums') as settings
           from pg_roles where rolname = current_user",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();

    assert!(!row.get::<bool, _>("powerful"));
    assert_eq!(row.get::<String, _>("settings"), "ononon");
    for name in ["afterword.password", "afterword_owner.password"] {
        let mode = std::fs::metadata(dir.path().join("postgres").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_start_joins_and_the_last_to_leave_stops_the_server() {
    let dir = open_dir();
    let first = Cluster::start(dir.path()).await.unwrap();
    let second = Cluster::start(dir.path()).await.unwrap();
    execute(second.owner_url(), "create table t as select 1 as one").await;

    first.stop().await.unwrap();
    let rows_after_first_left = count(second.owner_url()).await;
    second.stop().await.unwrap();

    assert_eq!(rows_after_first_left, 1);
    assert!(!pid_file(dir.path()).exists(), "the server still runs");
}

#[tokio::test]
async fn starts_at_the_same_moment_make_one_cluster() {
    let dir = open_dir();
    let start = || Cluster::start(dir.path());

    let (a, b, c) = tokio::join!(start(), start(), start());

    let clusters = [a.unwrap(), b.unwrap(), c.unwrap()];
    assert_eq!(clusters.iter().filter(|cluster| cluster.was_started_here()).count(), 1);
    for cluster in clusters {
        cluster.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_was_killed_is_started_again_with_its_rows() {
    let dir = open_dir();
    let first = Cluster::start(dir.path()).await.unwrap();
    execute(first.owner_url(), "create table t as select 1 as one").await;
    let pid = rustix::process::Pid::from_raw(read_pid(dir.path())).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty()).unwrap();
    drop(first);
    assert!(pid_file(dir.path()).exists(), "a killed server leaves its pid file behind");

    let second = Cluster::start(dir.path()).await.unwrap();

    assert_eq!(count(second.owner_url()).await, 1);
    second.stop().await.unwrap();
}

#[tokio::test]
async fn a_pid_file_that_names_a_stranger_is_seen_through() {
    let dir = open_dir();
    Cluster::start(dir.path()).await.unwrap().stop().await.unwrap();
    let stranger = std::process::id();
    std::fs::write(pid_file(dir.path()), format!("{stranger}\n/data\n1\n5432\n/tmp\n\n 1 1\nready\n")).unwrap();

    let cluster = Cluster::start(dir.path()).await.unwrap();

    assert!(cluster.was_started_here());
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_directory_whose_path_is_too_long_for_a_socket_works() {
    let dir = open_dir();
    let data_dir = dir.path().join("d".repeat(120));

    let cluster = Cluster::start(&data_dir).await.unwrap();

    execute(cluster.owner_url(), "select 1").await;
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_cluster_in_use_is_not_removed_and_one_that_is_not_is() {
    let dir = open_dir();
    let cluster = Cluster::start(dir.path()).await.unwrap();

    let refused = Cluster::remove(dir.path()).await;
    cluster.stop().await.unwrap();
    Cluster::remove(dir.path()).await.unwrap();

    assert!(matches!(refused, Err(PostgresError::InUse { .. })), "{refused:?}");
    assert!(!dir.path().join("postgres").exists());
}

#[tokio::test]
async fn where_postgres_cannot_enter_the_directory_the_cluster_lies_elsewhere() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root's Postgres runs as another user than the caller");
        return;
    }
    let dir = open_dir();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let first = Cluster::start(dir.path()).await.unwrap();
    execute(first.owner_url(), "create table t as select 1 as one").await;
    first.stop().await.unwrap();

    let second = Cluster::start(dir.path()).await.unwrap();
    let n_rows = count(second.owner_url()).await;
    second.stop().await.unwrap();
    let place = std::fs::read_to_string(dir.path().join("postgres.location")).unwrap();
    Cluster::remove(dir.path()).await.unwrap();

    assert_eq!(n_rows, 1);
    assert!(place.starts_with("/var/lib/afterword/"), "{place}");
    assert!(!Path::new(&place).exists());
}

#[tokio::test]
async fn starts_at_the_same_moment_agree_on_a_place_elsewhere() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root's Postgres runs as another user than the caller");
        return;
    }
    let dir = open_dir();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let start = || Cluster::start(dir.path());

    let (one, other) = tokio::join!(start(), start());

    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.owner_url(), other.owner_url());
    one.stop().await.unwrap();
    other.stop().await.unwrap();
    Cluster::remove(dir.path()).await.unwrap();
}

#[tokio::test]
async fn a_failed_start_leaves_nothing_that_keeps_the_next_one_from_working() {
    let dir = open_dir();
    let nowhere = Settings::usual(Some("/nowhere".into()), &environment);
    let failed = Cluster::start_with(dir.path(), nowhere).await;
    assert!(matches!(failed, Err(PostgresError::BinDir { .. })), "{failed:?}");

    let cluster = Cluster::start(dir.path()).await.unwrap();

    cluster.stop().await.unwrap();
}
