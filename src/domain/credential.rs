//! What a caller shows: a secret key, a publishable key or a feedback token, told apart by form alone.

use std::fmt;

use super::principal::SecretKey;

/// The longest feedback token; a hundred completion ids of a usual length fit.
pub const MAX_TOKEN_BYTES: usize = 8 << 10;

/// The public id of a key: 16 of `[a-z0-9]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

impl KeyId {
    /// Reads an id in its exact form.
    pub fn parse(text: &str) -> Option<Self> {
        let form_ok = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        form_ok.then(|| Self(text.to_owned()))
    }

    /// Returns the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key that a browser may hold: `aw_pub_<id>`, which is no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishableKey(KeyId);

impl PublishableKey {
    /// Makes the key of an id.
    pub fn new(id: KeyId) -> Self {
        Self(id)
    }

    /// Reads `aw_pub_<id>`.
    pub fn parse(text: &str) -> Option<Self> {
        text.strip_prefix("aw_pub_").and_then(KeyId::parse).map(Self)
    }

    /// Returns the id.
    pub fn id(&self) -> &KeyId {
        &self.0
    }
}

impl fmt::Display for PublishableKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "aw_pub_{}", self.0)
    }
}

/// A text of the form of a signed token, about which nothing else is known; it is shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenText(String);

impl TokenText {
    /// Takes three parts of base64url, joined by dots, of at most [`MAX_TOKEN_BYTES`].
    pub fn parse(text: &str) -> Option<Self> {
        let is_part = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        let form_ok = text.len() <= MAX_TOKEN_BYTES && text.split('.').count() == 3 && text.split('.').all(is_part);
        form_ok.then(|| Self(text.to_owned()))
    }

    /// Returns the text, to check or to send it; never to log it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenText(redacted)")
    }
}

/// A credential as it was shown, not yet believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presented {
    /// A secret key of a backend.
    Secret(SecretKey),
    /// A publishable key.
    Publishable(PublishableKey),
    /// A feedback token.
    Token(TokenText),
}

impl Presented {
    /// Reads a credential; what has no known form is none.
    pub fn parse(text: &str) -> Option<Self> {
        SecretKey::parse(text)
            .map(Self::Secret)
            .or_else(|| PublishableKey::parse(text).map(Self::Publishable))
            .or_else(|| TokenText::parse(text).map(Self::Token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_told_apart_by_their_form() {
        let secret = format!("aw_sec_abcdefgh01234567_{}", "s".repeat(43));

        assert!(matches!(Presented::parse(&secret), Some(Presented::Secret(_))));
        assert!(matches!(Presented::parse("aw_pub_abcdefgh01234567"), Some(Presented::Publishable(_))));
        assert!(matches!(Presented::parse("e30.e30.c2ln"), Some(Presented::Token(_))));
        for bad in [
            "",
            "aw_pub_ABCDEFGH01234567",
            "aw_pub_abcdefgh0123456",
            "aw_pub_abcdefgh01234567_x",
            "e30.e30",
            "e30.e30.",
            "e30.e30.c2ln.more",
            "e30.e30.c2ln=",
            "e30.e30.c2 ln",
            "e30.e+0.c2ln",
            &format!("e30.{}.c2ln", "a".repeat(MAX_TOKEN_BYTES)),
        ] {
            assert_eq!(Presented::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_token_is_never_written_by_accident() {
        let shown = Presented::parse("e30.e30.c2ln").unwrap();

        assert_eq!(format!("{shown:?}"), "Token(TokenText(redacted))");
    }
}
