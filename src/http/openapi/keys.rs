//! Schemas of what administrators read and make: keys, tokens, projects, the audit.

use serde_json::{Value, json};

use super::words::{
    Member, Presence, all, closed, described, integer, list, moment, named, nullable, object, one_of, optional,
    required, short_text, timestamp, total, uuid, words_of,
};
use crate::domain::feedback::Signal;
use crate::domain::principal::Role;
use crate::domain::signing::Algorithm;
use crate::domain::token::{MAX_COMPLETIONS, MAX_LIFE_S};

/// The public id of a key.
pub(super) fn key_id() -> Value {
    json!({ "type": "string", "pattern": "^[a-z0-9]{16}$" })
}

/// The id of a token.
fn token_id() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[!-~]+$" })
}

/// The origins that browsers send for names; addresses in numbers are taken as well.
fn origin() -> Value {
    json!({ "type": "string", "maxLength": 270, "pattern": "^https://[a-z][a-z0-9]{0,20}[.][a-z]{2,10}(:[1-9][0-9]{3})?$" })
}

/// 32 bytes in base64, the last character holding four of their bits.
const KEY_BASE64: &str = "[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]";

fn public_key() -> Value {
    let pem = format!("^-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA{KEY_BASE64}=\n-----END PUBLIC KEY-----\n$");
    let x = "^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$";
    // A JWK may say what else the key is for; a private part makes it none.
    let mut jwk = object(vec![
        required("kty", words_of(["OKP"])),
        required("crv", words_of(["Ed25519"])),
        required("x", json!({ "type": "string", "pattern": x })),
    ]);
    jwk["not"] = json!({ "required": ["d"] });
    json!({ "anyOf": [{ "type": "string", "pattern": pem }, jwk] })
}

/// The body of `POST /v1/keys`.
pub(super) fn key_body() -> Value {
    let of_kind = |kind: &'static str, own: Vec<Member>| {
        let mut members = vec![
            required("kind", words_of([kind])),
            required("name", short_text()),
            optional("expires_at", timestamp()),
        ];
        members.extend(own);
        closed(members)
    };
    let mut origins = list(100, &origin());
    origins["minItems"] = json!(1);
    json!({
        "anyOf": [
            of_kind("secret", vec![required("role", one_of(Role::WORDS))]),
            of_kind("publishable", vec![required("origins", origins)]),
            of_kind("signing", vec![required("algorithm", words_of([Algorithm::Hs256.as_str()]))]),
            of_kind("signing", vec![
                required("algorithm", words_of([Algorithm::EdDsa.as_str()])),
                required("public_key", public_key()),
            ]),
        ],
        "example": { "kind": "publishable", "name": "shop", "origins": ["https://shop.example"] },
    })
}

/// A key that was made.
pub(super) fn new_key() -> Value {
    let mut schema = object(vec![required("id", key_id()), required("kind", kind())]);
    for (name, own) in [
        ("key", described(json!({ "type": "string" }), "Shown this once.")),
        ("algorithm", one_of(Algorithm::WORDS)),
        ("issuer", uuid()),
    ] {
        schema["properties"][name] = own;
    }
    schema
}

fn kind() -> Value {
    words_of(["secret", "publishable", "signing"])
}

/// A page of keys.
pub(super) fn keys_page() -> Value {
    let mut key = object(vec![
        required("id", key_id()),
        required("kind", kind()),
        required("name", json!({ "type": "string" })),
        required("created_at", moment()),
        required("expires_at", nullable(moment())),
        required("last_used_at", nullable(moment())),
        required("revoked_at", nullable(moment())),
    ]);
    for (name, own) in [
        ("role", one_of(Role::WORDS)),
        ("origins", all(&json!({ "type": "string" }))),
        ("algorithm", one_of(Algorithm::WORDS)),
    ] {
        key["properties"][name] = own;
    }
    object(vec![required("keys", all(&key))])
}

/// The body of `POST /v1/feedback-tokens`.
pub(super) fn token_body() -> Value {
    let some = |mut list: Value| {
        list["minItems"] = json!(1);
        list
    };
    let with = |scope: Member, absent: &'static str| {
        closed(vec![
            required("subject", short_text()),
            scope,
            (absent, json!({ "type": "null" }), Presence::Optional),
            optional("signals", some(list(Signal::WORDS.len(), &one_of(Signal::WORDS)))),
            optional("ttl_s", integer(1, MAX_LIFE_S)),
        ])
    };
    json!({
        "anyOf": [
            with(required("completion_ids", some(list(MAX_COMPLETIONS, &short_text()))), "conversation_id"),
            with(required("conversation_id", short_text()), "completion_ids"),
        ],
        "example": { "subject": "u-1", "completion_ids": ["chatcmpl-9f"], "ttl_s": 900 },
    })
}

/// A token that was minted.
pub(super) fn token() -> Value {
    object(vec![
        required("token", json!({ "type": "string" })),
        required("id", token_id()),
        required("key_id", key_id()),
        required("expires_at", moment()),
    ])
}

/// The body that takes tokens back.
pub(super) fn revocation_body() -> Value {
    let mut ids = list(100, &token_id());
    ids["minItems"] = json!(1);
    closed(vec![required("ids", ids)])
}

/// How many tokens were taken back.
pub(super) fn revocation() -> Value {
    object(vec![required("revoked", total())])
}

/// A project.
pub(super) fn project() -> Value {
    object(vec![
        required("id", uuid()),
        required("name", json!({ "type": "string" })),
        required("created_at", moment()),
        required("token_used_at", nullable(moment())),
    ])
}

/// A page of projects.
pub(super) fn projects_page() -> Value {
    object(vec![required("projects", all(&named("Project")))])
}

/// A page of the audit.
pub(super) fn audit_page() -> Value {
    let text = || json!({ "type": "string" });
    let entry = object(vec![
        required("id", uuid()),
        required("at", moment()),
        required("actor", text()),
        required("action", text()),
        required("subject", text()),
        required("details", json!({ "type": "object" })),
    ]);
    object(vec![required("entries", all(&entry)), required("next_cursor", nullable(uuid()))])
}
