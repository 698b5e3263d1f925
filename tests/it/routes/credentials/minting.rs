//! The Rust example of `docs/credentials.md`: what follows stands there word for word.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, errors::Error};

pub(super) fn mint(key: &str, issuer: &str, user: &str, completion_ids: &[&str]) -> Result<String, Error> {
    let now = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    let claims = serde_json::json!({
        "iss": issuer, "aud": "afterword", "iat": now, "nbf": now, "exp": now + 900,
        "jti": uuid::Uuid::new_v4().to_string(), "sub": user, "completion_ids": completion_ids,
    });
    let mut header = Header::new(Algorithm::HS256);
    header.typ = Some("aw-feedback+jwt".to_owned());
    header.kid = Some(key[7..23].to_owned());
    encode(&header, &claims, &EncodingKey::from_secret(key.as_bytes()))
}
