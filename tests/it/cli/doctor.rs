//! `afterword doctor`.

use std::net::TcpListener;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::program::{afterword, open_dir, run};
use crate::support::TestDatabase;

#[tokio::test]
async fn a_sound_installation_passes_every_check() {
    let database = TestDatabase::new().await;

    let outcome = run(afterword(&["doctor"])
        .env("DATABASE_URL", database.service_url())
        .env("AFTERWORD_DATA_DIR", open_dir().path())
        .env("AFTERWORD_LISTEN", "127.0.0.1:0"));

    assert_eq!(outcome.status, Some(0), "{}", outcome.out);
    for subject in ["configuration", "schema", "database", "durability", "role", "clock", "disk", "exports", "port"] {
        let line = outcome.out.lines().find(|line| line.starts_with(&format!("✓ {subject} ")));
        assert!(line.is_some(), "{subject} is missing in: {}", outcome.out);
    }
}

#[test]
fn before_the_first_start_postgres_is_found_and_nothing_is_made() {
    let dir = open_dir();

    let outcome =
        run(afterword(&["doctor"]).env("AFTERWORD_DATA_DIR", dir.path()).env("AFTERWORD_LISTEN", "127.0.0.1:0"));

    assert_eq!(outcome.status, Some(0), "{}", outcome.out);
    assert!(outcome.out.contains("✓ database      none yet"), "{}", outcome.out);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn each_thing_that_is_wrong_is_marked_and_the_status_is_1() {
    let unsafe_database = TestDatabase::new().await;
    let statement = format!("alter database {} set synchronous_commit = off", unsafe_database.name());
    let mut connection = PgConnection::connect(unsafe_database.owner_url()).await.unwrap();
    sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    let empty = TestDatabase::empty().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let nowhere = "postgres://u:canary@127.0.0.1:1/d";

    for (url, expected) in [
        (unsafe_database.service_url(), "✗ durability    Postgres runs with synchronous_commit = off"),
        (empty.service_url(), "✗ schema        the schema is at version 0"),
        (nowhere, "✗ database      the database is unavailable"),
    ] {
        let outcome = run(afterword(&["doctor"])
            .env("DATABASE_URL", url)
            .env("AFTERWORD_DATA_DIR", "/proc/nowhere")
            .env("AFTERWORD_LISTEN", &listen));

        assert_eq!(outcome.status, Some(1), "{}", outcome.out);
        for words in [expected, "✗ exports       /proc cannot be written", "✗ port          another program listens"]
        {
            assert!(outcome.out.contains(words), "{words} is missing in: {}", outcome.out);
        }
        assert!(!outcome.out.contains("canary"));
    }
}
