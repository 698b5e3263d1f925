//! `/sdk/v1`: the browser SDK as one script, under a name that stays and under one that holds its hash, and beside it a
//! file with the languages, which the script loads where a page speaks one of them.
//!
//! Both are built from `sdk/browser` and committed (`make sdk-asset`), so that building the program needs no Node.

use std::io::{self, Write as _};
use std::sync::LazyLock;

use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha384};

use super::error::Problem;
use super::openapi::names as doc;
use super::problem;
use super::query::NoQuery;

/// The name of the script that stays when it changes.
const NAME: &str = "afterword.js";
/// Bytes of the hash that stand in the other name.
const N_NAMED_BYTES: usize = 10;
/// A page may run a script that changed for so long, and learns of a new one soon.
const SOON: &str = "public, max-age=300";
/// What has this name never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

static SCRIPT: LazyLock<Published> = LazyLock::new(|| Published::of(include_str!("assets/afterword.js")));
/// The script knows it by the name with its hash, and no page needs another one.
static WORDS: LazyLock<Published> = LazyLock::new(|| Published::of(include_str!("assets/afterword.words.js")));

/// A script with its names.
struct Published {
    plain: Bytes,
    /// Nothing where compressing failed, which costs bytes on the wire and no more.
    gzip: Option<Bytes>,
    hashed_name: String,
    /// What a browser compares the script with before it runs it.
    integrity: String,
}

impl Published {
    fn of(script: &'static str) -> Self {
        let hash = Sha384::digest(script);
        Self {
            plain: Bytes::from_static(script.as_bytes()),
            gzip: gzipped(script.as_bytes()).ok().map(Bytes::from),
            hashed_name: format!("afterword.{}.js", hex::encode(&hash[..N_NAMED_BYTES])),
            integrity: format!("sha384-{}", STANDARD.encode(hash)),
        }
    }

    /// The entity tag of an encoding: what differs in its bytes differs in its tag.
    fn etag(&self, is_gzip: bool) -> String {
        format!("\"{}{}\"", self.hashed_name, if is_gzip { ".gz" } else { "" })
    }
}

fn gzipped(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// Writes the element that loads this program's script from a service at `endpoint`: the name with the hash, and the hash
/// that the browser checks.
pub fn script_tag(endpoint: &str) -> String {
    let Published { hashed_name, integrity, .. } = &*SCRIPT;
    let src = format!("{}/sdk/v1/{hashed_name}", endpoint.trim_end_matches('/'));
    format!("<script src=\"{src}\" integrity=\"{integrity}\" crossorigin=\"anonymous\"></script>")
}

/// Serves the browser SDK as one script that pages load without a bundler, and its languages.
#[utoipa::path(get, path = "/sdk/v1/{file}", tag = "People", operation_id = "show_sdk",
    params(
        ("file" = doc::FilePath, Path, description = "`afterword.js`, or a name with a hash: what `afterword sdk` prints, or the languages"),
        ("If-None-Match" = Option<doc::Page>, Header, description = "The `ETag` of the script at hand"),
    ),
    responses(
        (status = 200, description = "The script", content_type = "text/javascript", body = doc::Page,
            headers(("ETag" = String, description = "Of this script in this encoding"))),
        (status = 304, description = "The script at hand is this one"),
        (status = 404, description = "Another name, or the hash of another version's script: `not_found`"),
    ),
)]
pub(crate) async fn show(_: NoQuery, request: HttpRequest, file: web::Path<String>) -> Result<HttpResponse, Problem> {
    let (published, cache) = match file.as_str() {
        NAME => (&*SCRIPT, SOON),
        name if name == SCRIPT.hashed_name => (&*SCRIPT, FOR_EVER),
        name if name == WORDS.hashed_name => (&*WORDS, FOR_EVER),
        _ => return Err(Problem::new(problem::NOT_FOUND)),
    };
    let gzip = published.gzip.as_ref().filter(|_| names(&request, &header::ACCEPT_ENCODING, "gzip"));
    let etag = published.etag(gzip.is_some());
    let is_known = names(&request, &header::IF_NONE_MATCH, &etag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::CACHE_CONTROL, cache))
        .insert_header((header::ETAG, etag))
        .insert_header((header::VARY, "Accept-Encoding"))
        // The script is for pages of any origin: with `integrity` a browser loads it by CORS, and it is no secret.
        .insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .insert_header((CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin"));
    if is_known {
        return Ok(response.finish());
    }
    response.insert_header((header::CONTENT_TYPE, "text/javascript; charset=utf-8"));
    Ok(match gzip {
        Some(gzip) => response.insert_header((header::CONTENT_ENCODING, "gzip")).body(gzip.clone()),
        None => response.body(published.plain.clone()),
    })
}

/// Tells whether a header lists a word, a weight of 0 meaning that it does not. A weak tag names the same script.
fn names(request: &HttpRequest, header: &HeaderName, word: &str) -> bool {
    let values = request.headers().get_all(header).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|entry| is_named(entry, word))
}

fn is_named(entry: &str, word: &str) -> bool {
    let (named, weight) = entry.split_once(';').unwrap_or((entry, ""));
    let weight = weight.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
    let named = named.trim();
    let named = named.strip_prefix("W/").unwrap_or(named);
    (named.eq_ignore_ascii_case(word) || named == "*") && weight.is_ok_and(|weight| weight > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_a_list_counts_unless_its_weight_is_zero() {
        for (entry, is) in [
            ("gzip", true),
            (" GZIP;q=0.5", true),
            ("*", true),
            ("gzip;q=0", false),
            ("gzip;q=0.000", false),
            ("gzip;q=much", false),
            ("br", false),
            ("W/gzip", true),
        ] {
            assert_eq!(is_named(entry, "gzip"), is, "{entry}");
        }
    }

    #[test]
    fn another_script_has_another_name_and_another_hash() {
        let (one, other) = (Published::of("a"), Published::of("b"));

        assert_ne!(one.hashed_name, other.hashed_name);
        assert_ne!(one.integrity, other.integrity);
        // The hash of "a" as `openssl dgst -sha384 -binary | base64` tells it.
        assert_eq!(one.integrity, "sha384-VKWbnyKwuAiA2EJ+VIt8I6vYc0huHwNdzpzWl+hRdQM8qojm1XvDXvrgta/TFF8x");
    }
}
