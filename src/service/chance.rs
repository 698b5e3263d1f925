//! Randomness: for secrets, and for waiting.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore as _;
use rand::rngs::OsRng;

use super::error::ServiceError;
use crate::domain::principal::SecretKey;

/// Makes a secret key: 16 characters of `[a-z0-9]` as its id, 256 random bits as its secret.
pub fn new_secret_key() -> Result<SecretKey, ServiceError> {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut bytes = [0_u8; 48];
    OsRng.try_fill_bytes(&mut bytes).map_err(|_| ServiceError::Internal("the system has no randomness"))?;
    let id: String = bytes[..16].iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    let text = format!("aw_sec_{id}_{}", URL_SAFE_NO_PAD.encode(&bytes[16..]));
    SecretKey::parse(&text).ok_or(ServiceError::Internal("a new key has the wrong form"))
}

/// Returns between half of a pause and the whole, so that two who met do not meet again.
pub fn jitter(pause: Duration) -> Duration {
    let mut bytes = [0_u8; 4];
    // Without randomness the whole pause will do.
    let share =
        OsRng.try_fill_bytes(&mut bytes).map_or(1.0, |()| f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX));
    pause.mul_f64(0.5 + share / 2.0)
}
