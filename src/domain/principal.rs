//! Who calls, what they may do, and the form of a secret key.

use std::fmt;
use std::sync::Arc;

use super::grant::Grant;
use super::ids::ProjectId;
use super::origin::Origin;

/// What a caller may do; a route names the roles that it admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Writes feedback and nothing else: publishable keys and feedback tokens.
    Feedback,
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
    /// The roles that a secret key can have, each with its word on the wire.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("ingest", Self::Ingest), ("viewer", Self::Viewer), ("analyst", Self::Analyst), ("admin", Self::Admin)];

    /// Returns the role's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Feedback => "feedback",
            Self::Ingest => "ingest",
            Self::Viewer => "viewer",
            Self::Analyst => "analyst",
            Self::Admin => "admin",
        }
    }

    /// Finds the role of a secret key by its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, role)| *role)
    }

    /// Tells whether feedback may be written.
    pub fn may_send_feedback(self) -> bool {
        matches!(self, Self::Feedback | Self::Ingest | Self::Admin)
    }

    /// Tells whether completions may be written and tokens minted.
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

    /// Tells whether projects, keys and the audit may be seen and changed.
    pub fn may_administer(self) -> bool {
        self == Self::Admin
    }
}

/// What kind of thing vouches for a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// A person at the command line of the instance.
    Operator,
    /// A secret key.
    SecretKey,
    /// A publishable key.
    PublishableKey,
    /// The signing key of a feedback token.
    SigningKey,
}

/// The public name of what vouches for a caller; never a secret, never a token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CredentialId {
    kind: CredentialKind,
    id: Arc<str>,
}

impl CredentialId {
    /// Names a key by its public id.
    pub fn new(kind: CredentialKind, id: &str) -> Self {
        Self { kind, id: id.into() }
    }

    /// Names the person at the command line.
    pub fn operator() -> Self {
        Self::new(CredentialKind::Operator, "operator")
    }

    /// Returns what kind of credential it is.
    pub fn kind(&self) -> CredentialKind {
        self.kind
    }

    /// Returns the id that the audit names.
    pub fn as_str(&self) -> &str {
        &self.id
    }
}

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}

/// An authenticated caller: its project comes from the credential, never from the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The project of every row that the caller can touch.
    pub project_id: ProjectId,
    /// What vouches for the caller.
    pub credential: CredentialId,
    /// What the caller may do.
    pub role: Role,
    /// How much what it writes can be trusted.
    pub trust: Trust,
    /// What a feedback token limits it to; nothing for keys.
    pub grant: Option<Arc<Grant>>,
    /// The web origins that it may come from; none for secret keys, which never come from a page.
    pub origins: Arc<[Origin]>,
}

impl Principal {
    /// Describes a caller whom a secret vouches for: a backend, or the person at the command line.
    pub fn of_backend(project_id: ProjectId, credential: CredentialId, role: Role) -> Self {
        Self { project_id, credential, role, trust: Trust::Verified, grant: None, origins: Arc::from([]) }
    }

    /// Takes the caller's own word that nobody vouches for what it brings. Its trust is never raised by a word.
    #[must_use]
    pub fn claiming(self: Arc<Self>, claimed: Option<Trust>) -> Arc<Self> {
        if claimed == Some(Trust::Unverified) && self.trust != Trust::Unverified {
            return Arc::new(Self { trust: Trust::Unverified, ..(*self).clone() });
        }
        self
    }

    /// Tells whether the caller may come from a page of this origin.
    pub fn admits(&self, origin: &Origin) -> bool {
        self.origins.contains(origin)
    }

    /// Tells whether the caller may be a browser: whoever opens the page can read what it shows.
    pub fn may_be_browser(&self) -> bool {
        self.role == Role::Feedback
    }
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
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_word_lowers_trust_and_never_raises_it() {
        let of = |trust| {
            let credential = CredentialId::new(CredentialKind::SecretKey, "k");
            Arc::new(Principal { trust, ..Principal::of_backend(ProjectId(Uuid::nil()), credential, Role::Ingest) })
        };
        for (trust, claimed, expected) in [
            (Trust::Verified, None, Trust::Verified),
            (Trust::Verified, Some(Trust::Verified), Trust::Verified),
            (Trust::Verified, Some(Trust::Unverified), Trust::Unverified),
            (Trust::Unverified, Some(Trust::Verified), Trust::Unverified),
        ] {
            assert_eq!(of(trust).claiming(claimed).trust, expected, "{trust:?} {claimed:?}");
        }
    }

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
