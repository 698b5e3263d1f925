//! What feedback tokens are signed with. A key has one algorithm for good: the kind of the key is the algorithm.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::credential::KeyId;
use super::json::Json;

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// HMAC with SHA-256: whoever can check a token can make one.
    Hs256,
    /// Ed25519: the service holds only what checks.
    EdDsa,
}

impl Algorithm {
    /// Every algorithm with its name in a token.
    pub const WORDS: &'static [(&'static str, Self)] = &[("HS256", Self::Hs256), ("EdDSA", Self::EdDsa)];

    /// Returns the name in a token.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Finds an algorithm by its exact name.
    pub fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, algorithm)| *algorithm)
    }
}

/// The secret of an HS256 key, `aw_sig_<kid>_<secret>`. The bytes of the whole text are the key of the HMAC, so that
/// nobody has to decode anything.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret {
    id: KeyId,
    text: String,
}

impl SigningSecret {
    /// Reads a secret: kid of 16 `[a-z0-9]`, secret of 43 `[A-Za-z0-9_-]`.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("aw_sig_")?;
        let id = KeyId::parse(rest.get(..16)?)?;
        let secret = rest.get(16..)?.strip_prefix('_')?;
        let secret_ok = secret.len() == 43
            && secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        secret_ok.then(|| Self { id, text: text.to_owned() })
    }

    /// Returns the id that tokens name as their `kid`.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// Returns the whole text: to sign, to store, and once to the person who asked for it.
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningSecret({}, redacted)", self.id)
    }
}

/// What an Ed25519 public key begins with in DER.
const PUBLIC_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// An Ed25519 public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(pub [u8; 32]);

/// Why a text is no public key that we take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// A private key was sent.
    #[error("is a private key: send the public one, and take the private one for lost")]
    Private,
    /// Neither PEM nor JWK of an Ed25519 public key.
    #[error("must be an Ed25519 public key as PEM (`-----BEGIN PUBLIC KEY-----`) or JWK")]
    Form,
}

impl PublicKey {
    /// Reads the PEM of a public key.
    pub fn parse_pem(text: &str) -> Result<Self, PublicKeyError> {
        if text.contains("PRIVATE KEY") {
            return Err(PublicKeyError::Private);
        }
        let body = text.trim().strip_prefix("-----BEGIN PUBLIC KEY-----");
        let body = body.and_then(|rest| rest.strip_suffix("-----END PUBLIC KEY-----")).ok_or(PublicKeyError::Form)?;
        let joined: String = body.split_ascii_whitespace().collect();
        let der = STANDARD.decode(joined).map_err(|_| PublicKeyError::Form)?;
        let key = der.strip_prefix(&PUBLIC_PREFIX).ok_or(PublicKeyError::Form)?;
        key.try_into().map(Self).map_err(|_| PublicKeyError::Form)
    }

    /// Reads a JWK (RFC 8037); members that say what else the key may do are passed over.
    pub fn parse_jwk(jwk: &Json) -> Result<Self, PublicKeyError> {
        if jwk.get("d").is_some() {
            return Err(PublicKeyError::Private);
        }
        let member = |name| jwk.get(name).and_then(Json::as_str);
        if (member("kty"), member("crv")) != (Some("OKP"), Some("Ed25519")) {
            return Err(PublicKeyError::Form);
        }
        let key = member("x").and_then(|x| URL_SAFE_NO_PAD.decode(x).ok()).ok_or(PublicKeyError::Form)?;
        key.try_into().map(Self).map_err(|_| PublicKeyError::Form)
    }

    /// Writes the key as PEM.
    pub fn to_pem(self) -> String {
        let der: Vec<u8> = PUBLIC_PREFIX.into_iter().chain(self.0).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
    }
}

/// What checks the tokens of one key, and by being what it is pins their algorithm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifyingKey {
    /// The shared secret.
    Hs256(SigningSecret),
    /// The public key.
    EdDsa(PublicKey),
}

impl VerifyingKey {
    /// Returns the one algorithm of the key's tokens.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Hs256(_) => Algorithm::Hs256,
            Self::EdDsa(_) => Algorithm::EdDsa,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signing_secret_is_read_only_in_its_exact_form_and_never_shown() {
        let text = format!("aw_sig_abcdefgh01234567_{}", "s".repeat(43));
        let secret = SigningSecret::parse(&text).unwrap();

        assert_eq!((secret.id().as_str(), secret.reveal()), ("abcdefgh01234567", text.as_str()));
        assert_eq!(format!("{secret:?}"), "SigningSecret(abcdefgh01234567, redacted)");
        for bad in [text.replace("sig", "sec"), format!("{text}s"), text.to_uppercase(), text.replace("7_s", "7s_")] {
            assert_eq!(SigningSecret::parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn a_public_key_is_read_from_pem_and_from_jwk() {
        let key = PublicKey([7; 32]);
        let x = URL_SAFE_NO_PAD.encode(key.0);
        let jwk = |text: &str| PublicKey::parse_jwk(&Json::parse(text.as_bytes()).unwrap());

        assert_eq!(PublicKey::parse_pem(&key.to_pem()), Ok(key));
        assert_eq!(PublicKey::parse_pem(&key.to_pem().replace('\n', "\r\n")), Ok(key));
        assert_eq!(jwk(&format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}","use":"sig"}}"#)), Ok(key));
        let private = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}","d":"{x}"}}"#);
        assert_eq!(jwk(&private), Err(PublicKeyError::Private));
        let pem = key.to_pem().replace("PUBLIC", "PRIVATE");
        assert_eq!(PublicKey::parse_pem(&pem), Err(PublicKeyError::Private));
        for bad in ["", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", &x] {
            assert_eq!(PublicKey::parse_pem(bad), Err(PublicKeyError::Form), "{bad}");
        }
        for bad in [r#"{"kty":"OKP","crv":"X25519","x":"AAAA"}"#, r#"{"kty":"oct","k":"AAAA"}"#, "[]"] {
            assert_eq!(jwk(bad), Err(PublicKeyError::Form), "{bad}");
        }
        assert_eq!(jwk(r#"{"kty":"OKP","crv":"Ed25519","x":"AAAA"}"#), Err(PublicKeyError::Form));
    }
}
