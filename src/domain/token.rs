//! Feedback tokens: signed permissions to react, read and written in one exact form. It knows no key and no signature.
//!
//! Whatever is not asked for here makes a token invalid: a claim that we do not know may have been meant to limit it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta};

use super::clock::Timestamp;
use super::credential::{KeyId, TokenText};
use super::feedback::Signal;
use super::fields::{FieldCode, FieldError, Fields, id, integer, list, one_of};
use super::grant::{Grant, Scope};
use super::ids::{CompletionId, ConversationId, ProjectId, UserId};
use super::json::Json;
use super::signing::Algorithm;

/// The `typ` of a token.
pub const TYPE: &str = "aw-feedback+jwt";
/// The `typ` of a token that stands in the address of a link.
pub const LINK_TYPE: &str = "aw-feedback-link+jwt";
/// The `aud` of a token.
pub const AUDIENCE: &str = "afterword";
/// How far the clocks of whoever signs and of whoever checks may be apart.
pub const LEEWAY: TimeDelta = TimeDelta::seconds(5);
/// How long a token is valid unless its maker says otherwise.
pub const DEFAULT_LIFE_S: i64 = 900;
/// The longest life of a token, from `iat` to `exp`.
pub const MAX_LIFE_S: i64 = 24 * 3600;
/// How long a link is valid unless its maker says otherwise: a mail is read within the week, or not at all.
pub const LINK_LIFE_S: i64 = 7 * 24 * 3600;
/// The longest life of a link, and so of any token.
pub const MAX_LINK_LIFE_S: i64 = 30 * 24 * 3600;
/// The most completions that one token names.
pub const MAX_COMPLETIONS: usize = 100;
/// The longest `jti`.
const MAX_TOKEN_ID_BYTES: usize = 64;
/// The last second of the year 9999.
const MAX_EPOCH_S: i64 = 253_402_300_799;

/// Where a token is shown. Its `typ` says it, so that one never passes for the other: addresses are kept in histories and
/// logs, and what stands in one must open nothing but its own page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To the interface, for minutes.
    Interface,
    /// In the address of a link that somebody is sent, for days.
    Link,
}

impl Purpose {
    fn of_type(word: &str) -> Option<Self> {
        [Self::Interface, Self::Link].into_iter().find(|purpose| purpose.type_word() == word)
    }

    fn type_word(self) -> &'static str {
        match self {
            Self::Interface => TYPE,
            Self::Link => LINK_TYPE,
        }
    }

    fn max_life_s(self) -> i64 {
        match self {
            Self::Interface => MAX_LIFE_S,
            Self::Link => MAX_LINK_LIFE_S,
        }
    }

    /// Tells whether a token of this purpose may grant that: a link is about one completion, and its page has thumbs.
    fn admits(self, grant: &Grant) -> bool {
        self == Self::Interface || (grant.sole_completion().is_some() && grant.may_send(Signal::Thumb))
    }
}

/// A token as it reads, its signature not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedToken {
    /// The key that it says it was signed with; nothing but a name to look up.
    pub key_id: KeyId,
    /// The algorithm that it says; it must be the key's own.
    pub algorithm: Algorithm,
    /// What it claims.
    pub claims: Claims,
}

/// What a token claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// What the `typ` beside them says.
    pub purpose: Purpose,
    /// `iss`: the project.
    pub issuer: String,
    /// `iat`.
    pub issued_at: Timestamp,
    /// `nbf`.
    pub not_before: Timestamp,
    /// Everything else.
    pub grant: Grant,
}

impl SignedToken {
    /// Reads a token; what has another form than ours is none, and nobody is told why.
    pub fn read(text: &TokenText) -> Option<Self> {
        let mut parts = text.reveal().split('.');
        let header = decode(parts.next()?)?;
        let claims = decode(parts.next()?)?;
        let mut fields = Fields::open(header, "").ok()?;
        let purpose = fields.take("typ").and_then(|word| word.as_str().and_then(Purpose::of_type));
        let algorithm = fields.take("alg").and_then(|word| word.as_str().and_then(Algorithm::parse));
        let key_id = fields.take("kid").and_then(|kid| kid.as_str().and_then(KeyId::parse));
        // `crit`, `jku`, `jwk`, `x5u`, `x5c` and whatever else there is: a key is found by its id or not at all.
        fields.finish().ok()?;
        Some(Self { key_id: key_id?, algorithm: algorithm?, claims: Claims::read(purpose?, claims)? })
    }

    /// Splits a token into what was signed and its signature, in base64url.
    pub fn split(text: &TokenText) -> Option<(&str, &str)> {
        text.reveal().rsplit_once('.')
    }
}

fn decode(part: &str) -> Option<Json> {
    Json::parse(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

impl Claims {
    /// Makes the claims of a new token of a project.
    pub fn new(project: ProjectId, asked: NewToken, token_id: String, now: Timestamp) -> Self {
        // A claim counts whole seconds; the first of them has begun.
        let issued_at = DateTime::from_timestamp(now.timestamp(), 0).unwrap_or(now);
        let grant = Grant {
            subject: asked.subject,
            scope: asked.scope,
            signals: asked.signals.map(|signals| signals.into_iter().collect()),
            token_id,
            expires_at: issued_at + TimeDelta::seconds(asked.life_s),
        };
        Self { purpose: asked.purpose, issuer: project.to_string(), issued_at, not_before: issued_at, grant }
    }

    fn read(purpose: Purpose, value: Json) -> Option<Self> {
        // Elsewhere null means absent. Here that would widen what a token permits: without `signals` it permits all.
        if let Json::Object(claims) = &value
            && claims.iter().any(|(_, claim)| *claim == Json::Null)
        {
            return None;
        }
        let mut fields = Fields::open(value, "").ok()?;
        let issuer = fields.required("iss", text_claim);
        let audience = fields.required("aud", text_claim);
        let token_id = fields.required("jti", token_id);
        let issued_at = fields.required("iat", moment);
        let not_before = fields.required("nbf", moment);
        let expires_at = fields.required("exp", moment);
        let subject = fields.required("sub", id(UserId::parse));
        let scope = scope(&mut fields);
        let signals = signals(&mut fields);
        fields.finish().ok()?;
        let (issued_at, not_before, expires_at) = (issued_at?, not_before?, expires_at?);
        let life_ok = issued_at < expires_at
            && not_before < expires_at
            && expires_at - issued_at <= TimeDelta::seconds(purpose.max_life_s());
        if !life_ok || audience.as_deref() != Some(AUDIENCE) {
            return None;
        }
        let grant = Grant {
            subject: subject?,
            scope: scope?,
            signals: signals.map(|signals| signals.into_iter().collect()),
            token_id: token_id?,
            expires_at,
        };
        let issuer = issuer?;
        purpose.admits(&grant).then_some(Self { purpose, issuer, issued_at, not_before, grant })
    }

    /// Tells whether a token with these times is valid now.
    pub fn is_time(issued_at: Timestamp, not_before: Timestamp, expires_at: Timestamp, now: Timestamp) -> bool {
        issued_at <= now + LEEWAY && not_before <= now + LEEWAY && now < expires_at + LEEWAY
    }

    /// Writes header and claims, in base64url and joined by a dot: what is signed.
    pub fn to_signed_part(&self, key_id: &KeyId, algorithm: Algorithm) -> String {
        let text = |text: &str| Json::String(text.to_owned());
        let header = vec![
            ("typ".to_owned(), text(self.purpose.type_word())),
            ("alg".to_owned(), text(algorithm.as_str())),
            ("kid".to_owned(), text(key_id.as_str())),
        ];
        let second = |moment: Timestamp| Json::Integer(moment.timestamp().into());
        let mut claims = vec![
            ("iss".to_owned(), text(&self.issuer)),
            ("aud".to_owned(), text(AUDIENCE)),
            ("iat".to_owned(), second(self.issued_at)),
            ("nbf".to_owned(), second(self.not_before)),
            ("exp".to_owned(), second(self.grant.expires_at)),
            ("jti".to_owned(), text(&self.grant.token_id)),
            ("sub".to_owned(), text(self.grant.subject.as_str())),
        ];
        claims.push(match &self.grant.scope {
            Scope::Conversation(id) => ("conversation_id".to_owned(), text(id.as_str())),
            Scope::Completions(ids) => {
                ("completion_ids".to_owned(), Json::Array(ids.iter().map(|id| text(id.as_str())).collect()))
            }
        });
        if let Some(signals) = &self.grant.signals {
            let words = signals.iter().map(|signal| text(signal.as_str())).collect();
            claims.push(("signals".to_owned(), Json::Array(words)));
        }
        let encode = |members| URL_SAFE_NO_PAD.encode(Json::Object(members).to_text());
        format!("{}.{}", encode(header), encode(claims))
    }
}

/// What somebody wants a token for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// Where it will be shown.
    pub purpose: Purpose,
    /// Whose reactions it grants.
    pub subject: UserId,
    /// To which completions.
    pub scope: Scope,
    /// Of which kinds; any where absent.
    pub signals: Option<Vec<Signal>>,
    /// For how many seconds.
    pub life_s: i64,
}

impl NewToken {
    /// Parses `{"subject", "completion_ids" | "conversation_id", "signals", "ttl_s"}`.
    pub fn from_json(value: Json) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::open(value, "")?;
        let subject = fields.required("subject", id(UserId::parse));
        let scope = scope(&mut fields);
        let signals = signals(&mut fields);
        let life_s = fields.optional("ttl_s", integer(1, MAX_LIFE_S)).unwrap_or(DEFAULT_LIFE_S);
        fields.finish()?;
        match (subject, scope) {
            (Some(subject), Some(scope)) => Ok(Self { purpose: Purpose::Interface, subject, scope, signals, life_s }),
            _ => Err(vec![FieldError::new("", FieldCode::Required, "a required field is absent")]),
        }
    }

    /// Parses the wish for a link: `{"subject", "completion_id", "ttl_s"}`.
    pub fn link_from_json(value: Json) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::open(value, "")?;
        let subject = fields.required("subject", id(UserId::parse));
        let completion_id = fields.required("completion_id", id(CompletionId::parse));
        let life_s = fields.optional("ttl_s", integer(1, MAX_LINK_LIFE_S)).unwrap_or(LINK_LIFE_S);
        fields.finish()?;
        match (subject, completion_id) {
            (Some(subject), Some(completion_id)) => Ok(Self {
                purpose: Purpose::Link,
                subject,
                scope: Scope::Completions([completion_id].into()),
                signals: Some(vec![Signal::Thumb]),
                life_s,
            }),
            _ => Err(vec![FieldError::new("", FieldCode::Required, "a required field is absent")]),
        }
    }
}

/// Reads a token's own id: 1 to 64 visible ASCII characters.
pub fn token_id(value: &Json) -> Result<String, (FieldCode, String)> {
    let malformed = || (FieldCode::Malformed, format!("must be 1 to {MAX_TOKEN_ID_BYTES} visible ASCII characters"));
    let text = value.as_str().ok_or_else(malformed)?;
    let form_ok = (1..=MAX_TOKEN_ID_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if form_ok { Ok(text.to_owned()) } else { Err(malformed()) }
}

fn text_claim(value: &Json) -> Result<String, (FieldCode, String)> {
    value.as_str().map(str::to_owned).ok_or_else(|| (FieldCode::WrongType, "must be a string".to_owned()))
}

fn moment(value: &Json) -> Result<Timestamp, (FieldCode, String)> {
    let second = integer(0, MAX_EPOCH_S)(value)?;
    DateTime::from_timestamp(second, 0).ok_or_else(|| (FieldCode::OutOfRange, "must be a moment".to_owned()))
}

/// Reads the one of `completion_ids` and `conversation_id` that must be there.
fn scope(fields: &mut Fields) -> Option<Scope> {
    let conversation = fields.optional("conversation_id", id(ConversationId::parse)).map(Scope::Conversation);
    let has_ids = fields.has("completion_ids");
    let ids = fields.optional("completion_ids", list(MAX_COMPLETIONS, id(CompletionId::parse)));
    if ids.as_ref().is_some_and(Vec::is_empty) {
        fields.fail("completion_ids", FieldCode::Empty, "must name at least one completion");
    }
    match (conversation, ids) {
        (Some(_), _) if has_ids => {
            fields.fail("conversation_id", FieldCode::Contradiction, "must not stand beside `completion_ids`");
            None
        }
        (None, None) if !has_ids => {
            fields.fail("completion_ids", FieldCode::Required, "`completion_ids` or `conversation_id` is required");
            None
        }
        (conversation, ids) => conversation.or_else(|| ids.map(|ids| Scope::Completions(ids.into_iter().collect()))),
    }
}

fn signals(fields: &mut Fields) -> Option<Vec<Signal>> {
    let signals = fields.optional("signals", list(Signal::WORDS.len(), one_of(Signal::WORDS)));
    if signals.as_ref().is_some_and(Vec::is_empty) {
        fields.fail("signals", FieldCode::Empty, "must name at least one signal, or be absent for any");
    }
    signals
}

#[cfg(test)]
mod tests;
