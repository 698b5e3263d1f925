//! A customer's backend that signs tokens by itself, as well or as badly as a test wants it to.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

/// Encodes bytes as the parts of a token are.
pub(super) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Signs the texts of a header and of claims, whatever they say.
pub(super) fn sign(header: &str, claims: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
    let signed = format!("{}.{}", base64url(header), base64url(claims));
    let signature = crypto::sign(signed.as_bytes(), key, algorithm).unwrap();
    format!("{signed}.{signature}")
}

/// The header of a token.
pub(super) fn header(key_id: &str, algorithm: &str) -> Value {
    json!({"typ": "aw-feedback+jwt", "alg": algorithm, "kid": key_id})
}

/// Sound claims of a token that is valid for the usual time.
pub(super) fn claims(issuer: &str) -> Value {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    json!({"iss": issuer, "aud": "afterword", "iat": now, "nbf": now, "exp": now + 900, "jti": "token-1", "sub": "u-1",
           "completion_ids": ["c-1"]})
}
