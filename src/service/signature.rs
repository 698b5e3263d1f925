//! Signatures of feedback tokens: made and checked here and nowhere else. It knows no claims and no database.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};

use super::error::ServiceError;
use crate::domain::json::Json;
use crate::domain::signing::{PublicKey, SigningSecret, VerifyingKey};

/// What an Ed25519 private key begins with in PKCS #8.
const PRIVATE_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Tells whether a signature is the key's, by the one algorithm that the key has; an HMAC is compared in constant time.
pub fn is_genuine(key: &VerifyingKey, signed: &str, signature: &str) -> bool {
    let (key, algorithm) = match key {
        VerifyingKey::Hs256(secret) => (DecodingKey::from_secret(secret.reveal().as_bytes()), Algorithm::HS256),
        VerifyingKey::EdDsa(public_key) => (DecodingKey::from_ed_der(&public_key.0), Algorithm::EdDSA),
    };
    crypto::verify(signature, signed.as_bytes(), &key, algorithm).unwrap_or(false)
}

/// Signs with a secret, and returns the whole token.
pub fn sign(secret: &SigningSecret, signed: &str) -> Result<String, ServiceError> {
    let key = EncodingKey::from_secret(secret.reveal().as_bytes());
    let signature = crypto::sign(signed.as_bytes(), &key, Algorithm::HS256);
    let signature = signature.map_err(|_| ServiceError::Internal("a token cannot be signed"))?;
    Ok(format!("{signed}.{signature}"))
}

/// A new Ed25519 key, both parts of it.
#[derive(Clone)]
pub struct NewPrivateKey {
    /// The part that is stored.
    pub public_key: PublicKey,
    /// The part that signs, as PEM; shown once and kept by nobody here.
    pub private_pem: String,
}

impl std::fmt::Debug for NewPrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewPrivateKey").field("public_key", &self.public_key).finish_non_exhaustive()
    }
}

/// Makes an Ed25519 key of a random seed.
pub fn private_key_of(seed: [u8; 32]) -> Result<NewPrivateKey, ServiceError> {
    let broken = || ServiceError::Internal("an Ed25519 key cannot be made");
    let der: Vec<u8> = PRIVATE_PREFIX.into_iter().chain(seed).collect();
    let jwk = Jwk::from_encoding_key(&EncodingKey::from_ed_der(&der), Algorithm::EdDSA).map_err(|_| broken())?;
    let AlgorithmParameters::OctetKeyPair(parts) = jwk.algorithm else { return Err(broken()) };
    let member = |name: &str, value: &str| (name.to_owned(), Json::String(value.to_owned()));
    let public = Json::Object(vec![member("kty", "OKP"), member("crv", "Ed25519"), member("x", &parts.x)]);
    let public_key = PublicKey::parse_jwk(&public).map_err(|_| broken())?;
    let private_pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der));
    Ok(NewPrivateKey { public_key, private_pem })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(filler: &str) -> SigningSecret {
        SigningSecret::parse(&format!("aw_sig_abcdefgh01234567_{}", filler.repeat(43))).unwrap()
    }

    #[test]
    fn a_signature_is_genuine_under_its_key_and_its_text_alone() {
        let token = sign(&secret("s"), "e30.e30").unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();

        assert!(is_genuine(&VerifyingKey::Hs256(secret("s")), signed, signature));
        assert!(!is_genuine(&VerifyingKey::Hs256(secret("t")), signed, signature));
        assert!(!is_genuine(&VerifyingKey::Hs256(secret("s")), "e30.e31", signature));
        for cut in 0..signature.len() {
            assert!(!is_genuine(&VerifyingKey::Hs256(secret("s")), signed, &signature[..cut]), "{cut}");
        }
    }

    #[test]
    fn a_private_key_signs_what_its_public_key_checks() {
        // The first vector of RFC 8032, section 7.1.
        let hex = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let seed: [u8; 32] = hex::decode(hex).unwrap().try_into().unwrap();

        let made = private_key_of(seed).unwrap();

        let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert_eq!(hex::encode(made.public_key.0), public);
        assert!(!format!("{made:?}").contains("PRIVATE"));
        let key = EncodingKey::from_ed_pem(made.private_pem.as_bytes()).unwrap();
        let signature = crypto::sign(b"e30.e30", &key, Algorithm::EdDSA).unwrap();
        assert!(is_genuine(&VerifyingKey::EdDsa(made.public_key), "e30.e30", &signature));
        assert!(!is_genuine(&VerifyingKey::EdDsa(PublicKey([1; 32])), "e30.e30", &signature));
    }

    #[test]
    fn a_public_key_that_everybody_knows_is_no_secret_of_an_hmac() {
        let made = private_key_of([7; 32]).unwrap();
        for known in [made.public_key.0.to_vec(), made.public_key.to_pem().into_bytes()] {
            let signature = crypto::sign(b"e30.e30", &EncodingKey::from_secret(&known), Algorithm::HS256).unwrap();

            assert!(!is_genuine(&VerifyingKey::EdDsa(made.public_key), "e30.e30", &signature));
        }
    }
}
