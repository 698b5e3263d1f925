//! `afterword doctor`.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::program::{afterword, open_dir, run};
use crate::support::TestDatabase;
use crate::support::s3::S3Server;

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

#[tokio::test]
async fn every_destination_is_looked_at_and_what_is_wrong_with_it_is_said() {
    let Some(server) = S3Server::start() else { return };
    let database = TestDatabase::new().await;
    let (dir, sink) = (open_dir(), TcpListener::bind("127.0.0.1:0").unwrap());
    sink.set_nonblocking(true).unwrap();
    let lake = server.section();
    let other = |name: &str, from: &str, to: &str| lake.replace(".lake]", &format!(".{name}]")).replace(from, to);
    let config = dir.path().join("afterword.toml");
    let sections = [
        lake.clone(),
        other("away", &server.url, "http://127.0.0.1:1"),
        other("missing", "\"training\"", "\"missing\""),
        other("refused", "env:LAKE_SECRET", "env:WRONG_SECRET"),
        other("keyless", "env:LAKE_SECRET", "env:NOT_SET"),
        format!("[exports.destinations.share]\nkind = \"local\"\npath = \"{}\"\n", dir.path().join("share").display()),
    ];
    std::fs::write(&config, sections.concat()).unwrap();
    let doctor = |config: &std::path::Path| {
        let mut command = afterword(&["--config", config.to_str().unwrap(), "doctor"]);
        command.env("DATABASE_URL", database.service_url()).env("AFTERWORD_DATA_DIR", dir.path());
        command.env("LAKE_KEY_ID", &server.key_id).env("LAKE_SECRET", &server.secret).env("WRONG_SECRET", "canary");
        // A proxy of the environment is not used.
        let proxy = format!("http://{}", sink.local_addr().unwrap());
        for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            command.env(name, &proxy);
        }
        run(&mut command)
    };

    let outcome = doctor(&config);

    assert_eq!(outcome.status, Some(1), "{}", outcome.out);
    for words in [
        "✓ destination   `lake` can be written into",
        "✓ destination   `share` can be written into",
        "✗ destination   `away`: its storage server cannot be reached",
        "✗ destination   `missing`: its storage server has no such bucket",
        "✗ destination   `refused`: its storage server refuses the access key, or what may be done with it",
        "✗ destination   `keyless`: the environment variable `NOT_SET` is not set",
        "4 of ",
    ] {
        assert!(outcome.out.contains(words), "{words} is missing in: {}", outcome.out);
    }
    assert!(!outcome.out.contains("canary") && !outcome.out.contains(&server.secret));
    assert_eq!((server.objects().len(), server.n_uploads()), (0, 0), "nothing is left");
    assert!(sink.accept().is_err(), "somebody asked the proxy");
    std::fs::write(&config, lake).unwrap();
    assert_eq!(doctor(&config).status, Some(0));
    let mut printed = afterword(&["--config", config.to_str().unwrap(), "config", "print"]);
    let printed = run(printed.env("LAKE_KEY_ID", &server.key_id).env("LAKE_SECRET", &server.secret));
    assert!(printed.out.contains("env:LAKE_SECRET") && !printed.out.contains(&server.secret), "{printed:?}");
}

#[tokio::test]
async fn benchmarks_that_cannot_be_read_and_hooks_that_do_not_answer_are_named() {
    let database = TestDatabase::new().await;
    let (dir, benchmarks) = (open_dir(), open_dir());
    let answering = |status: &'static str| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/analyze", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut asked = [0; 1024];
                let n_bytes = stream.read(&mut asked).unwrap();
                assert!(asked[..n_bytes].starts_with(b"GET "), "a look sends nobody's text");
                write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
            }
        });
        url
    };
    let (there, broken) = (answering("405 Method Not Allowed"), answering("503 Service Unavailable"));
    let doctor = |hooks: &str, benchmarks: &std::path::Path| {
        run(afterword(&["doctor"])
            .env("DATABASE_URL", database.service_url())
            .env("AFTERWORD_DATA_DIR", dir.path())
            .env("AFTERWORD_LISTEN", "127.0.0.1:0")
            .env("AFTERWORD_EXPORTS_HOOK_URLS", hooks)
            .env("AFTERWORD_EXPORTS_BENCHMARKS_DIRECTORY", benchmarks))
    };

    let good = doctor(&there, benchmarks.path());
    let bad = doctor(&format!("{there},{broken},http://127.0.0.1:1/x?key=canary"), &benchmarks.path().join("absent"));

    assert_eq!(good.status, Some(0), "{}", good.out);
    for words in [
        format!("✓ hook          {there} answers"),
        format!("✓ benchmarks    {} can be read", benchmarks.path().display()),
    ] {
        assert!(good.out.contains(&words), "{words} is missing in: {}", good.out);
    }
    assert_eq!(bad.status, Some(1), "{}", bad.out);
    for words in [
        format!("✓ hook          {there} answers"),
        format!("✗ hook          {broken}: the service answered with HTTP status 503"),
        "✗ hook          http://127.0.0.1:1/x: the service does not answer".to_owned(),
        format!("✗ benchmarks    {} cannot be read: entity not found", benchmarks.path().join("absent").display()),
        "3 of ".to_owned(),
    ] {
        assert!(bad.out.contains(&words), "{words} is missing in: {}", bad.out);
    }
    assert!(!bad.out.contains("canary"), "{}", bad.out);
}
