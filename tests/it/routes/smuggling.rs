//! Requests whose framing two servers could read in two ways, on raw sockets: each is refused once, its connection is
//! closed, and nothing that rides behind it is heard.

use std::time::Duration;

use afterword::domain::principal::Role;
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::thumb;
use crate::support::TestService;

/// A request without its framing: what frames it comes after this.
const HEAD: &str =
    "POST /v1/feedback HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer KEY\r\nContent-Type: application/json\r\n";

/// Framings of a body that holds a whole request of its own, which must not be heard: name, lines of the head, and what
/// comes before the second request.
const FRAMINGS: &[(&str, &str, &str)] = &[
    ("both, length zero", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ("both, length first", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ("both, chunked first", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
    ("two equal lengths", "Content-Length: 2\r\nContent-Length: 2\r\n", "{}"),
    ("two lengths", "Content-Length: 2\r\nContent-Length: 200\r\n", "{}"),
    ("two lengths in one", "Content-Length: 2, 2\r\n", "{}"),
    ("a signed length", "Content-Length: +2\r\n", "{}"),
    ("a negative length", "Content-Length: -2\r\n", "{}"),
    ("a hexadecimal length", "Content-Length: 0x2\r\n", "{}"),
    ("a length with a space", "Content-Length: 2 2\r\n", "{}"),
    ("an empty length", "Content-Length:\r\n", "{}"),
    ("a length with a letter", "Content-Length: 2a\r\n", "{}"),
    ("a length with a point", "Content-Length: 2.0\r\n", "{}"),
    ("a length with an exponent", "Content-Length: 2e0\r\n", "{}"),
    ("a length with an underscore", "Content-Length: 0_2\r\n", "{}"),
    ("a length beyond 64 bits", "Content-Length: 18446744073709551618\r\n", "{}"),
    ("a length in other digits", "Content-Length: \u{0662}\r\n", "{}"),
    ("an unknown coding", "Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
    ("a coding with a suffix", "Transfer-Encoding: chunkedx\r\n", "0\r\n\r\n"),
    ("chunked is not the last", "Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
    ("identity and chunked", "Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n"),
    ("chunked twice in one", "Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"),
    ("chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ("chunked and identity", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"),
    ("identity alone", "Transfer-Encoding: identity\r\n", "0\r\n\r\n"),
    ("gzip and chunked", "Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
    ("gzip alone", "Transfer-Encoding: gzip\r\n", "0\r\n\r\n"),
    ("an empty coding", "Transfer-Encoding:\r\n", "0\r\n\r\n"),
    ("a quoted coding", "Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"),
    ("a coding with a parameter", "Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n"),
    ("a vertical tab before the coding", "Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"),
    ("a NUL after the coding", "Transfer-Encoding: chunked\0\r\n", "0\r\n\r\n"),
    ("a space before the colon", "Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
    ("a space before the length's colon", "Content-Length : 2\r\n", "{}"),
    ("a folded line", "X-Fold: a\r\n Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ("a folded coding", "Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"),
    ("a bare carriage return", "X-Bare: a\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ("a NUL in a value", "X-Nul: a\0b\r\nContent-Length: 2\r\n", "{}"),
    ("a space in a name", "X Space: a\r\nContent-Length: 2\r\n", "{}"),
    ("an empty name", ": a\r\nContent-Length: 2\r\n", "{}"),
    ("a second host", "Host: other\r\nContent-Length: 2\r\n", "{}"),
    ("an upgrade that reads on", "Upgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 2\r\n", "{}"),
    ("a chunk with a prefix", "Transfer-Encoding: chunked\r\n", "0x2\r\n{}\r\n0\r\n\r\n"),
    ("a negative chunk", "Transfer-Encoding: chunked\r\n", "-2\r\n{}\r\n0\r\n\r\n"),
    ("a signed chunk", "Transfer-Encoding: chunked\r\n", "+2\r\n{}\r\n0\r\n\r\n"),
    ("a chunk with a space within", "Transfer-Encoding: chunked\r\n", "2 2\r\n{}\r\n0\r\n\r\n"),
    ("a chunk without a size", "Transfer-Encoding: chunked\r\n", "\r\n{}\r\n0\r\n\r\n"),
    ("a chunk beyond 64 bits", "Transfer-Encoding: chunked\r\n", "10000000000000002\r\n{}\r\n0\r\n\r\n"),
    ("a chunk that ends with a line feed", "Transfer-Encoding: chunked\r\n", "2\n{}\r\n0\r\n\r\n"),
    ("a chunk longer than it says", "Transfer-Encoding: chunked\r\n", "2\r\n{}{}\r\n0\r\n\r\n"),
    ("a chunk without its end", "Transfer-Encoding: chunked\r\n", "2\r\n{}0\r\n\r\n"),
    ("a chunk's end of a line feed", "Transfer-Encoding: chunked\r\n", "2\r\n{}\n0\r\n\r\n"),
    ("a control character in an extension", "Transfer-Encoding: chunked\r\n", "2;a=\x01\r\n{}\r\n0\r\n\r\n"),
    ("a line feed in an extension", "Transfer-Encoding: chunked\r\n", "2;a\n{}\r\n0\r\n\r\n"),
];

/// Whole requests that must not be heard.
const REQUESTS: &[(&str, &str)] = &[
    ("no host", "POST /v1/feedback HTTP/1.1\r\nAuthorization: Bearer KEY\r\nContent-Length: 2\r\n\r\n{}"),
    (
        "a chunked body of HTTP/1.0",
        "POST /v1/feedback HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    ("a body without an end of HTTP/1.0", "POST /v1/feedback HTTP/1.0\r\nHost: h\r\n\r\n{}"),
    ("a version that is none", "POST /v1/feedback HTTP/1.2\r\nHost: h\r\nContent-Length: 0\r\n\r\n"),
    ("a lower-case version", "POST /v1/feedback http/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"),
    ("no version", "POST /v1/feedback\r\nHost: h\r\n\r\n"),
    ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("a tab in the request line", "POST\t/v1/feedback\tHTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"),
    ("a NUL in the path", "POST /v1/feedback\0 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"),
    ("a method with a colon", "PO:ST /v1/feedback HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"),
];

/// Sends bytes and reads until the server closes.
async fn converse(service: &TestService, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(service.server().address()).await.unwrap();
    // The server may close before it has read everything.
    let _cut = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(read.is_ok(), "the connection is still open after {answer:?}");
    answer
}

/// What rides behind: a request that would be stored.
fn rider(key: &str) -> String {
    let item = thumb("smuggled").to_string();
    let head = HEAD.replace("KEY", key);
    format!("{head}Connection: close\r\nContent-Length: {}\r\n\r\n{item}", item.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_framing_that_can_be_read_in_two_ways_is_refused_with_all_that_rides_behind_it() {
    let service = TestService::start().await;
    let key = service.key(Role::Ingest).await;
    let rider = rider(&key);
    let before = service.checksum().await;
    let framed = FRAMINGS.iter().map(|(name, framing, start)| (*name, format!("{HEAD}{framing}\r\n{start}{rider}")));
    let whole = REQUESTS.iter().map(|(name, request)| (*name, format!("{request}{rider}")));
    let corpus: Vec<(&str, String)> = framed.chain(whole).collect();
    assert!(corpus.len() >= 60);

    let conversations = corpus
        .into_iter()
        .map(async |(name, request)| (name, converse(&service, request.replace("KEY", &key).as_bytes()).await));
    for (name, answer) in join_all(conversations).await {
        let n_answers = answer.matches("HTTP/1.1 ").count();
        let is_refused = answer.is_empty() || (answer.starts_with("HTTP/1.1 4") && n_answers == 1);
        assert!(is_refused, "{name}: {answer}");
        assert!(!answer.contains("smuggled"), "{name}: {answer}");
    }
    assert_eq!(service.checksum().await, before);
    assert!(converse(&service, rider.as_bytes()).await.starts_with("HTTP/1.1 200 "), "the rider alone is heard");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_of_too_many_or_too_large_headers_is_refused() {
    let service = TestService::start().await;
    let key = service.key(Role::Ingest).await;
    let many = (0..120).fold(String::new(), |many, n| many + &format!("X-{n}: a\r\n"));
    let large = format!("X-Large: {}\r\n", "a".repeat(200 << 10));

    for framing in [many, large] {
        let request = format!("{}{framing}Content-Length: 0\r\n\r\n{}", HEAD.replace("KEY", &key), rider(&key));
        let answer = converse(&service, request.as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert_eq!(service.count("feedback").await, 0);
}
