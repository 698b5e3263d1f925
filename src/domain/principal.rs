//! Who calls, what they may do, and the form of a secret key.

use super::ids::ProjectId;

/// What a secret key may do; a route names the roles that it admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Writes completions and feedback.
    Ingest,
    /// Reads numbers, but no text.
    Viewer,
    /// Reads text, exports and compares.
    Analyst,
    /// Everything in its project.
    Admin,
}

impl Role {
    /// Every role with its word on the wire.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("ingest", Self::Ingest), ("viewer", Self::Viewer), ("analyst", Self::Analyst), ("admin", Self::Admin)];

    /// Returns the role's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Viewer => "viewer",
            Self::Analyst => "analyst",
            Self::Admin => "admin",
        }
    }

    /// Finds the role of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, role)| *role)
    }

    /// Tells whether completions and feedback may be written.
    pub fn may_ingest(self) -> bool {
        matches!(self, Self::Ingest | Self::Admin)
    }

    /// Tells whether numbers without text may be read.
    pub fn may_view(self) -> bool {
        matches!(self, Self::Viewer | Self::Analyst | Self::Admin)
    }

    /// Tells whether text may be read, exported and compared.
    pub fn may_analyse(self) -> bool {
        matches!(self, Self::Analyst | Self::Admin)
    }
}

/// An authenticated caller: its project comes from the credential, never from the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The project of every row that the caller can touch.
    pub project_id: ProjectId,
    /// The public part of the key that vouches for the caller.
    pub key_id: String,
    /// What the caller may do.
    pub role: Role,
}

/// How much a stored reaction can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trust {
    /// A backend or a signed token vouches for it.
    Verified,
    /// Anyone could have sent it.
    Unverified,
}

impl Trust {
    /// Every tier with its word on the wire.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("verified", Self::Verified), ("unverified", Self::Unverified)];

    /// Returns the tier's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Unverified => "unverified",
        }
    }
}

/// A secret key split into the id that is looked up and the secret that is compared.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey {
    id: String,
    secret: String,
}

impl SecretKey {
    /// Reads `aw_sec_<id>_<secret>`: id of 16 `[a-z0-9]`, secret of 43 `[A-Za-z0-9_-]`.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("aw_sec_")?;
        let (id, secret) = (rest.get(..16)?, rest.get(17..)?);
        let id_ok = id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let secret_ok = secret.len() == 43
            && secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        (id_ok && secret_ok && rest.as_bytes().get(16) == Some(&b'_'))
            .then(|| Self { id: id.to_owned(), secret: secret.to_owned() })
    }

    /// Returns the part that is stored in the clear and looked up.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the part that is only ever hashed and compared.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// Writes the whole key, once, for the person who asked for it.
    pub fn reveal(&self) -> String {
        format!("aw_sec_{}_{}", self.id, self.secret)
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey({}, redacted)", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_key_is_read_only_in_its_exact_form() {
        let secret = "s".repeat(43);
        let good = format!("aw_sec_abcdefgh01234567_{secret}");
        let key = SecretKey::parse(&good).unwrap();

        assert_eq!((key.id(), key.secret().len()), ("abcdefgh01234567", 43));
        assert_eq!(key.reveal(), good);
        assert!(!format!("{key:?}").contains(&secret));
        for bad in [
            good.replace("aw_sec", "aw_pub"),
            good.to_uppercase(),
            format!("{good}x"),
            good[..good.len() - 1].to_owned(),
            good.replace("7_s", "7-s"),
            "aw_sec_é".to_owned(),
            String::new(),
        ] {
            assert_eq!(SecretKey::parse(&bad), None, "{bad}");
        }
    }
}
