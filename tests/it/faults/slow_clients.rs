//! Clients that send a byte a second: a first head, a later head, a body. All are given up within 15 s, and good clients
//! hardly notice.

use std::time::{Duration, Instant};

use afterword::domain::principal::Role;
use afterword::http::HttpSettings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::good_client::{latencies, p99};
use super::size::sized;
use crate::support::TestService;

/// How long a slow client may live.
const GIVEN_UP_WITHIN: Duration = Duration::from_secs(15);

/// Ways to be slow: what is sent at once, once the answer to a whole request was read where there is one before.
#[derive(Debug, Clone, Copy)]
enum Way {
    Silent,
    Head,
    LaterHead,
    Body,
    ChunkedBody,
    /// A body that nobody asked for.
    UninvitedBody,
}

const WAYS: [Way; 6] = [Way::Silent, Way::Head, Way::LaterHead, Way::Body, Way::ChunkedBody, Way::UninvitedBody];

/// Is slow until the server closes, and returns how long that took.
async fn be_slow(mut stream: TcpStream, key: String, way: Way) -> (Way, Duration) {
    let head = format!("POST /v1/feedback HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\n");
    let typed = format!("{head}Content-Type: application/json\r\n");
    if matches!(way, Way::LaterHead) {
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
    let at_once = match way {
        Way::Silent => String::new(),
        Way::Head => head,
        Way::LaterHead => "G".to_owned(),
        Way::Body => format!("{typed}Content-Length: 1000\r\n\r\n"),
        Way::ChunkedBody => format!("{typed}Transfer-Encoding: chunked\r\n\r\n3e8\r\n"),
        Way::UninvitedBody => "POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n".to_owned(),
    };
    stream.write_all(at_once.as_bytes()).await.unwrap();
    let started = Instant::now();
    let (mut reader, mut writer) = stream.into_split();
    let trickle = async {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            second.tick().await;
            let gone = matches!(way, Way::Silent) || writer.write_all(b"X").await.is_err();
            if gone {
                std::future::pending::<()>().await;
            }
        }
    };
    let mut answer = Vec::new();
    tokio::select! {
        () = trickle => (),
        // A reset ends it as well as a close.
        _closed = reader.read_to_end(&mut answer) => (),
        () = tokio::time::sleep(2 * GIVEN_UP_WITHIN) => (),
    }
    let answer = String::from_utf8_lossy(&answer);
    assert!(!answer.contains("HTTP/1.1 2") || matches!(way, Way::LaterHead), "{way:?}: {answer}");
    (way, started.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_are_given_up_and_good_ones_hardly_notice() {
    let settings = HttpSettings { max_connections_per_address: 0, ..HttpSettings::default() };
    let service = TestService::start_with(settings, false).await;
    let (key, address) = (service.key(Role::Ingest).await, service.server().address());
    let n_of_each = sized(20, 4000 / WAYS.len() + 1);
    let time = Duration::from_secs(sized(2, 10));
    latencies(address, &key, time / 2).await;
    let alone = p99(&latencies(address, &key, time).await);

    let mut slow = JoinSet::new();
    for way in WAYS.iter().cycle().take(WAYS.len() * n_of_each) {
        // One after the other: where the queue of a listener overflows, a client that says nothing never learns that
        // nobody took it in.
        let stream = TcpStream::connect(address).await.unwrap();
        slow.spawn(be_slow(stream, key.clone(), *way));
    }
    let beside = p99(&latencies(address, &key, time).await);
    let lives = slow.join_all().await;

    let longest = lives.iter().max_by_key(|(_, life)| *life).unwrap();
    println!("slow clients: {} given up, the last after {longest:?}, p99 {alone:?} -> {beside:?}", lives.len());
    assert!(longest.1 <= GIVEN_UP_WITHIN, "{longest:?}");
    let bound = sized(Duration::from_secs(1), (2 * alone).max(Duration::from_millis(20)));
    assert!(beside <= bound, "p99 {alone:?} -> {beside:?}");
    service.stop().await;
}
