//! The browser SDK as the service serves it.

use std::io::Read as _;

use afterword::http::script_tag;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use reqwest::Method;
use sha2::{Digest as _, Sha384};

use crate::support::TestService;

const SCRIPT: &str = include_str!("../../../src/http/assets/afterword.js");
const WORDS: &str = include_str!("../../../src/http/assets/afterword.words.js");

/// Reads an attribute of the element that the command line prints.
fn attribute(tag: &str, name: &str) -> String {
    let (_, rest) = tag.split_once(&format!(" {name}=\"")).unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_has_a_name_that_stays_and_one_that_may_be_kept_for_ever() {
    let service = TestService::start().await;
    let tag = script_tag("");

    let stays = service.get("/sdk/v1/afterword.js", "").await;
    let hashed = service.get(&attribute(&tag, "src"), "").await;

    for answer in [&stays, &hashed] {
        assert_eq!((answer.status, answer.text.as_str()), (200, SCRIPT));
        assert_eq!(answer.header("content-type"), "text/javascript; charset=utf-8");
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(answer.header("cross-origin-resource-policy"), "cross-origin");
        assert_eq!((answer.header("vary"), answer.header("x-content-type-options")), ("Accept-Encoding", "nosniff"));
    }
    assert_eq!(stays.header("cache-control"), "public, max-age=300");
    assert_eq!(hashed.header("cache-control"), "public, max-age=31536000, immutable");
    let integrity = format!("sha384-{}", STANDARD.encode(Sha384::digest(&hashed.text)));
    assert_eq!(attribute(&tag, "integrity"), integrity);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_languages_lie_under_the_name_that_the_script_knows() {
    let service = TestService::start().await;
    let is_named = |name: &&str| name.starts_with("afterword.") && name.split('.').next_back() == Some("js");
    let names: Vec<&str> = SCRIPT.split('"').filter(is_named).collect();

    assert_eq!(names.len(), 1, "{names:?}");
    let answer = service.get(&format!("/sdk/v1/{}", names[0]), "").await;

    assert_eq!((answer.status, answer.text.as_str()), (200, WORDS));
    assert_eq!(answer.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_the_browser_has_is_not_sent_again() {
    let service = TestService::start().await;
    let path = "/sdk/v1/afterword.js";
    let etag = service.get(path, "").await.header("etag").to_owned();
    let conditional =
        async |known: &str| service.send(service.request(Method::GET, path, "").header("if-none-match", known)).await;

    for known in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
        let answer = conditional(&known).await;
        assert_eq!((answer.status, answer.text.as_str()), (304, ""), "{known}");
        assert_eq!((answer.header("etag"), answer.header("access-control-allow-origin")), (etag.as_str(), "*"));
    }
    assert_eq!(conditional("\"other\"").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_gzip_gets_the_same_script_in_fewer_bytes_under_another_tag() {
    let service = TestService::start().await;
    let request = service.request(Method::GET, "/sdk/v1/afterword.js", "").header("accept-encoding", "br, gzip;q=0.8");

    let answer = request.send().await.unwrap();

    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-encoding"), "gzip");
    assert_ne!(header("etag"), service.get("/sdk/v1/afterword.js", "").await.header("etag"));
    let bytes = answer.bytes().await.unwrap();
    let mut script = String::new();
    GzDecoder::new(&bytes[..]).read_to_string(&mut script).unwrap();
    assert_eq!(script, SCRIPT);
    assert!(bytes.len() * 2 < SCRIPT.len(), "{} of {}", bytes.len(), SCRIPT.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_head_of_the_script_is_that_of_the_whole() {
    let service = TestService::start().await;

    let head = service.send(service.request(Method::HEAD, "/sdk/v1/afterword.js", "")).await;

    assert_eq!((head.status, head.text.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), SCRIPT.len().to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chat_of_the_demo_is_no_part_of_the_service() {
    let service = TestService::start().await;

    for path in ["/demo", "/demo/chat.js", "/demo/chats/chat-01890a5d-ac96-774b-bcce-b302099a8057/rows"] {
        assert_eq!(service.get(path, "").await.problem(), (404, "not_found".to_owned()), "{path}");
    }
    assert_eq!(service.post("/demo/chats", "", &serde_json::json!({})).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_of_another_version_is_not_there() {
    let service = TestService::start().await;

    for name in ["afterword.00000000000000000000.js", "afterword", "AFTERWORD.js", "..%2fCargo.toml", "afterword.js%00"]
    {
        let answer = service.get(&format!("/sdk/v1/{name}"), "").await;
        assert_eq!(answer.problem(), (404, "not_found".to_owned()), "{name}");
        assert_eq!(answer.header("cache-control"), "no-store", "{name}");
    }
}
