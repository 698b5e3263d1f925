//! Content hashes: 128 bits of BLAKE3 over canonical JSON, domain-separated by a label.

use super::json::Json;

/// A 128-bit content hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash(pub [u8; 16]);

impl ContentHash {
    /// Hashes the canonical form of a value under a label, so that equal contents of two kinds do not collide.
    pub fn of_json(label: &str, value: &Json) -> Self {
        Self::of_canonical(label, |buffer| value.write_canonical_whole(buffer))
    }

    /// Hashes the canonical text that `write` puts into a buffer.
    pub fn of_canonical(label: &str, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut text = Vec::with_capacity(512);
        write(&mut text);
        Self::of_bytes(label, &text)
    }

    /// Hashes bytes under a label.
    pub fn of_bytes(label: &str, bytes: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(label.as_bytes()).update(&[0]).update(bytes);
        let mut hash = [0; 16];
        hasher.finalize_xof().fill(&mut hash);
        Self(hash)
    }

    /// Returns the hash as 32 lower-case hexadecimal digits.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}
