//! Randomness: for secrets, for waiting, and for the ids of requests.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore as _;
use rand::rngs::OsRng;

use super::error::ServiceError;
use crate::domain::credential::KeyId;
use crate::domain::principal::SecretKey;
use crate::domain::signing::SigningSecret;

/// Makes a secret key: 16 characters of `[a-z0-9]` as its id, 256 random bits as its secret.
pub fn new_secret_key() -> Result<SecretKey, ServiceError> {
    let text = format!("aw_sec_{}_{}", new_key_id()?, URL_SAFE_NO_PAD.encode(bytes::<32>()?));
    SecretKey::parse(&text).ok_or(WRONG_FORM)
}

/// Returns between half of a pause and the whole, so that two who met do not meet again.
pub fn jitter(pause: Duration) -> Duration {
    let mut bytes = [0_u8; 4];
    // Without randomness the whole pause will do.
    let share =
        OsRng.try_fill_bytes(&mut bytes).map_or(1.0, |()| f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX));
    pause.mul_f64(0.5 + share / 2.0)
}

/// Returns bytes of the thread's own generator, which the kernel seeds: for what is made for every request.
pub(super) fn quick_bytes() -> [u8; 10] {
    rand::random()
}

/// Makes the secret of an HS256 signing key, of 256 random bits.
pub fn new_signing_secret() -> Result<SigningSecret, ServiceError> {
    let text = format!("aw_sig_{}_{}", new_key_id()?, URL_SAFE_NO_PAD.encode(bytes::<32>()?));
    SigningSecret::parse(&text).ok_or(WRONG_FORM)
}

/// Makes the seed of an Ed25519 key.
pub fn new_seed() -> Result<[u8; 32], ServiceError> {
    bytes()
}

/// Makes the secret with which a project's ids are hashed.
pub fn new_hash_secret() -> Result<[u8; 32], ServiceError> {
    bytes()
}

/// Makes the public id of a key: 80 random bits as 16 characters of `[a-z0-9]`.
pub fn new_key_id() -> Result<KeyId, ServiceError> {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let text: String = bytes::<16>()?.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    KeyId::parse(&text).ok_or(WRONG_FORM)
}

fn bytes<const N: usize>() -> Result<[u8; N], ServiceError> {
    let mut bytes = [0; N];
    OsRng.try_fill_bytes(&mut bytes).map_err(|_| ServiceError::Internal("the system has no randomness"))?;
    Ok(bytes)
}

const WRONG_FORM: ServiceError = ServiceError::Internal("a new key has the wrong form");
