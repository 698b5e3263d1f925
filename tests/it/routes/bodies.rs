//! Bodies: their encodings, their bounds, their time.

use std::io::Write as _;
use std::time::{Duration, Instant};

use afterword::domain::principal::Role;
use afterword::http::{BodyLimits, HttpSettings};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::pages::{SHOP, publishable_key};
use super::{completion, thumb, with};
use crate::support::TestService;
use crate::support::service::{Answer, PROJECT};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

async fn post_encoded(service: &TestService, key: &str, encoding: &str, body: Vec<u8>) -> Answer {
    let request = service.request(Method::POST, "/v1/feedback", key).header("content-type", "application/json");
    service.send(request.header("content-encoding", encoding).body(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_may_come_compressed() {
    let service = TestService::start().await;
    let key = service.key(Role::Ingest).await;
    let plain = || thumb("c-1").to_string().into_bytes();

    let gzipped = post_encoded(&service, &key, "gzip", gzip(&plain())).await;
    let zstandard = post_encoded(&service, &key, "zstd", zstd::stream::encode_all(&plain()[..], 3).unwrap()).await;
    let identity = post_encoded(&service, &key, "identity", plain()).await;

    assert_eq!((gzipped.status, zstandard.status, identity.status), (200, 200, 200));
    assert_eq!(service.count("feedback").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_encoding_is_refused_and_the_accepted_ones_are_named() {
    let service = TestService::start().await;
    let key = service.key(Role::Ingest).await;
    let body = || thumb("c-1").to_string().into_bytes();

    for encoding in ["br", "deflate", "gzip, gzip", "nonsense"] {
        let answer = post_encoded(&service, &key, encoding, body()).await;
        assert_eq!(answer.problem(), (415, "content_encoding_unsupported".to_owned()), "{encoding}");
        assert_eq!(answer.header("accept-encoding"), "gzip, zstd, identity");
    }
    for encoding in ["gzip", "zstd"] {
        let answer = post_encoded(&service, &key, encoding, body()).await;
        assert_eq!(answer.problem(), (400, "encoding_malformed".to_owned()), "{encoding}");
    }
    assert_eq!(service.count("feedback").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_media_type_is_refused_and_the_accepted_ones_are_named() {
    let service = TestService::start().await;
    let key = service.key(Role::Ingest).await;
    for media_type in ["application/x-www-form-urlencoded", "application/json; charset=latin1", "text/html"] {
        let request = service.request(Method::POST, "/v1/feedback", &key).header("content-type", media_type);
        let answer = service.send(request.body(thumb("c-1").to_string())).await;
        assert_eq!(answer.problem(), (415, "media_type_unsupported".to_owned()), "{media_type}");
        assert_eq!(answer.header("accept-post"), "application/json, text/plain");
    }
    let untyped = service.send(service.request(Method::POST, "/v1/feedback", &key).body("{}")).await;
    assert_eq!(untyped.problem().0, 415);
}

/// Makes a completion whose body has exactly a number of bytes.
fn completion_of(n_bytes: usize) -> Value {
    let prompt = |n_chars: usize| with(&completion("large"), "prompt", json!("p".repeat(n_chars)));
    let n_bytes_around = prompt(0).to_string().len();
    prompt(n_bytes - n_bytes_around)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_up_to_its_bound_is_read_and_a_larger_one_gets_an_answer() {
    let body = BodyLimits { wire_bytes: 100_000, ..BodyLimits::default() };
    let service = TestService::start_with(HttpSettings { body, ..HttpSettings::default() }, false).await;
    let key = service.key(Role::Ingest).await;

    let full = service.post("/v1/completions", &key, &completion_of(100_000)).await;
    let over = service.post("/v1/completions", &key, &completion_of(100_001)).await;
    // No length is announced, so that the bound is met only while reading.
    let piece = format!("ea60\r\n{}\r\n", " ".repeat(60_000));
    let unannounced = converse(&service, &key, "Transfer-Encoding: chunked", &piece.repeat(4)).await;

    assert_eq!(full.status, 200, "{}", full.text);
    assert_eq!(over.problem(), (413, "body_too_large".to_owned()));
    assert!(unannounced.starts_with("HTTP/1.1 413 ") && unannounced.contains("\"body_too_large\""), "{unannounced}");
    assert_eq!(service.count("completions").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_mebibytes_get_a_status_and_not_a_reset() {
    let service = TestService::start().await;
    let key = service.key(Role::Ingest).await;

    let answer = service.post("/v1/completions", &key, &completion_of(9 << 20)).await;
    let uninvited = service.post("/v1/completions", "", &completion_of(7 << 20)).await;

    assert_eq!(answer.problem(), (413, "body_too_large".to_owned()));
    assert_eq!(uninvited.problem(), (401, "credential_missing".to_owned()));
    assert_eq!(service.count("completions").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_is_refused_while_it_is_unpacked() {
    let service = TestService::start().await;
    let key = service.key(Role::Ingest).await;
    let bomb = format!("\"{}\"", "a".repeat(64 << 20));

    let gzipped = post_encoded(&service, &key, "gzip", gzip(bomb.as_bytes())).await;
    let zstandard = post_encoded(&service, &key, "zstd", zstd::stream::encode_all(bomb.as_bytes(), 3).unwrap()).await;

    assert_eq!(gzipped.problem(), (413, "compression_ratio_too_high".to_owned()));
    assert_eq!(zstandard.problem(), (413, "compression_ratio_too_high".to_owned()));
}

/// Sends a head and what there is of a body, then reads until the server closes, within a deadline.
async fn converse(service: &TestService, key: &str, framing: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(service.server().address()).await.unwrap();
    let head = format!(
        "POST /v1/feedback HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n\
         {framing}\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the connection is still open after {:?}", String::from_utf8_lossy(&answer));
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_given_up_and_its_connection_closed() {
    let body = BodyLimits { grace: Duration::from_millis(200), ..BodyLimits::default() };
    let service = TestService::start_with(HttpSettings { body, ..HttpSettings::default() }, false).await;
    let key = service.key(Role::Ingest).await;

    let (announced, chunked, uninvited) = tokio::join!(
        converse(&service, &key, "Content-Length: 1000", "{"),
        converse(&service, &key, "Transfer-Encoding: chunked", "1\r\n{\r\n"),
        converse(&service, "nobody", "Transfer-Encoding: chunked", "1\r\n{\r\n"),
    );

    assert!(announced.starts_with("HTTP/1.1 408 ") && announced.contains("\"body_too_slow\""), "{announced}");
    assert!(chunked.starts_with("HTTP/1.1 408 ") && chunked.contains("\"body_too_slow\""), "{chunked}");
    assert!(uninvited.starts_with("HTTP/1.1 401 "), "{uninvited}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_trickles_is_given_up_in_spite_of_its_pieces() {
    let body = BodyLimits { grace: Duration::from_millis(300), min_bytes_per_s: 1000, ..BodyLimits::default() };
    let service = TestService::start_with(HttpSettings { body, ..HttpSettings::default() }, false).await;
    let key = service.key(Role::Ingest).await;
    let mut stream = TcpStream::connect(service.server().address()).await.unwrap();
    let head = format!(
        "POST /v1/feedback HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n\
         Content-Length: 100000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    let trickle = async {
        loop {
            tick.tick().await;
            if writer.write_all(b" ").await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let mut answer = [0; 12];

    tokio::select! {
        () = trickle => (),
        read = tokio::time::timeout(Duration::from_secs(10), reader.read_exact(&mut answer)) => {
            read.expect("the body still trickles").unwrap();
        }
    }

    assert_eq!(&answer, b"HTTP/1.1 408");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_stores_nothing() {
    let service = TestService::start().await;
    let key = service.key(Role::Ingest).await;
    let item = thumb("c-1").to_string();
    let mut stream = TcpStream::connect(service.server().address()).await.unwrap();
    let head = format!(
        "POST /v1/feedback HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{item}",
        item.len() + 10
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();

    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("\"body_incomplete\""), "{answer}");
    assert_eq!(service.count("feedback").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_may_send_256_kib_and_a_backend_more() {
    let service = TestService::start().await;
    let backend = service.key(Role::Ingest).await;
    let browser = publishable_key(&service, PROJECT, "pageshop00000001", &[SHOP]).await;
    let text_of = |n_bytes: usize| {
        let text = thumb("c-1").to_string();
        format!("{text}{}", " ".repeat(n_bytes - text.len()))
    };

    let full = service.post_text("/v1/feedback", &browser, text_of(256 << 10)).await;
    let over = service.post_text("/v1/feedback", &browser, text_of((256 << 10) + 1)).await;
    let nameless = service.post_text("/v1/feedback", "", text_of((256 << 10) + 1)).await;
    let from_backend = service.post_text("/v1/feedback", &backend, text_of(1 << 20)).await;
    // Numbers among the spaces, so that it is the size that stands out and not the ratio.
    let large: String = (0..).map(|n: usize| format!("{n:<64}")).take((1 << 14) + 1).collect();
    let unpacked = gzip(large.as_bytes());
    let unpacked = post_encoded(&service, &browser, "gzip", unpacked).await;

    assert_eq!((full.status, from_backend.status), (200, 200));
    assert_eq!(over.problem(), (413, "body_too_large".to_owned()));
    assert_eq!(nameless.problem(), (413, "body_too_large".to_owned()));
    assert_eq!(unpacked.problem(), (413, "decoded_body_too_large".to_owned()));
    assert_eq!(service.count("feedback").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_finds_no_room_is_turned_away_while_small_ones_pass() {
    let settings = HttpSettings { max_bytes_of_all_bodies: 1 << 20, ..HttpSettings::default() };
    let service = TestService::start_with(settings, false).await;
    let key = service.key(Role::Ingest).await;
    let mut held = TcpStream::connect(service.server().address()).await.unwrap();
    let head = format!(
        "POST /v1/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n\
         Content-Length: 1000000\r\n\r\n{{"
    );
    held.write_all(head.as_bytes()).await.unwrap();

    // The first body may not have asked for its room yet.
    let deadline = Instant::now() + Duration::from_secs(4);
    let refused = loop {
        let answer = service.post("/v1/completions", &key, &completion_of(500_000)).await;
        if answer.status == 503 || Instant::now() > deadline {
            break answer;
        }
    };
    let small = service.post("/v1/feedback", &key, &thumb("c-1")).await;
    drop(held);

    assert_eq!(refused.problem(), (503, "busy".to_owned()));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(small.status, 200);
    let deadline = Instant::now() + Duration::from_secs(10);
    while service.post("/v1/completions", &key, &completion_of(600_000)).await.status == 503 {
        assert!(Instant::now() < deadline, "the room does not come back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_at_once_are_turned_away_before_their_bodies_are_read() {
    let settings = HttpSettings { max_requests_at_once: 2, ..HttpSettings::default() };
    let service = TestService::start_with(settings, false).await;
    let key = service.key(Role::Ingest).await;
    let head = format!(
        "POST /v1/feedback HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n\
         Content-Length: 1000\r\n\r\n{{"
    );
    let hold = async || {
        let mut stream = TcpStream::connect(service.server().address()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    };

    // Slow bodies are given up soon where places are rare, so that on a busy machine both places are taken anew.
    let deadline = Instant::now() + Duration::from_secs(20);
    let (refused, held) = loop {
        let held = [hold().await, hold().await];
        let answer = service.post("/v1/feedback", &key, &thumb("c-1")).await;
        if answer.status == 503 || Instant::now() > deadline {
            break (answer, held);
        }
    };

    assert_eq!(refused.problem(), (503, "busy".to_owned()));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(service.get("/livez", "").await.status, 200, "operators are answered");
    drop(held);
}
