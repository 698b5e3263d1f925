//! Keyed hashes of ids: HMAC-SHA-256 with a secret of the project's, so that an id is recognised that is not kept.

use sha2::{Digest as _, Sha256};

use super::App;
use super::chance::new_hash_secret;
use super::detached::detached;
use super::error::ServiceError;
use crate::domain::erasure::{IdHash, IdKind};
use crate::domain::ids::ProjectId;
use crate::store::Access;
use crate::store::connection::{Pool, Tx};
use crate::store::erasures::{self, KeyBlocks};

/// Hashes the ids of one project; `afterword_mac` in the database makes the same hashes.
#[derive(Clone)]
pub(super) struct IdHasher {
    inner: Sha256,
    outer: Sha256,
}

impl IdHasher {
    pub(super) fn new(blocks: &KeyBlocks) -> Self {
        Self { inner: Sha256::new_with_prefix(blocks.inner), outer: Sha256::new_with_prefix(blocks.outer) }
    }

    /// Hashes an id of a kind.
    pub(super) fn hash(&self, kind: IdKind, id: &str) -> IdHash {
        let inner = self.inner.clone().chain_update(kind.as_str()).chain_update(":").chain_update(id).finalize();
        let digest = self.outer.clone().chain_update(inner).finalize();
        let mut hash = [0; 16];
        hash.copy_from_slice(&digest[..16]);
        IdHash(hash)
    }
}

/// Returns what hashes a project's ids; the first time it makes the project's secret.
pub(super) async fn hasher(app: &App, project_id: ProjectId) -> Result<IdHasher, ServiceError> {
    let store = app.store.clone();
    detached(async move {
        let mut tx = store.begin(Pool::Reading, "erasure.key", Access::Projects(&[project_id])).await?;
        let hasher = hasher_in(&mut tx, project_id).await?;
        tx.commit().await?;
        Ok(hasher)
    })
    .await
}

/// Does the same inside a transaction that may write.
pub(super) async fn hasher_in(tx: &mut Tx, project_id: ProjectId) -> Result<IdHasher, ServiceError> {
    if let Some(blocks) = erasures::find_key(tx, project_id).await? {
        return Ok(IdHasher::new(&blocks));
    }
    erasures::insert_key(tx, project_id, &to_blocks(&new_hash_secret()?)).await?;
    // Somebody else's may have been first.
    let blocks = erasures::find_key(tx, project_id).await?;
    blocks.map(|blocks| IdHasher::new(&blocks)).ok_or(ServiceError::Internal("a project's secret is gone"))
}

/// Pads a secret and masks it twice, as HMAC asks for (RFC 2104).
fn to_blocks(secret: &[u8; 32]) -> KeyBlocks {
    let (mut inner, mut outer) = ([0x36; 64], [0x5c; 64]);
    for (place, byte) in secret.iter().enumerate() {
        inner[place] ^= byte;
        outer[place] ^= byte;
    }
    KeyBlocks { inner, outer }
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit as _, Mac as _};

    use super::*;

    #[test]
    fn a_hash_is_the_hmac_of_kind_and_id() {
        let secret = [7; 32];
        let hasher = IdHasher::new(&to_blocks(&secret));
        let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
        mac.update("user:ann é".as_bytes());

        let expected = mac.finalize().into_bytes();

        assert_eq!(hasher.hash(IdKind::User, "ann é").0[..], expected[..16]);
        assert_ne!(hasher.hash(IdKind::Conversation, "ann é"), hasher.hash(IdKind::User, "ann é"));
    }
}
