//! Schemas of credentials: keys, feedback tokens, the project that they belong to and its audit.

use serde_json::{Value, json};

use super::words::{
    Member, all, closed, described, integer, list, moment, named, nullable, object, one_of, optional, required,
    short_text, timestamp, total, uuid, words_of,
};
use crate::domain::feedback::Signal;
use crate::domain::principal::Role;
use crate::domain::token::{MAX_COMPLETIONS, MAX_LIFE_S};

/// The public id of a key.
pub(super) fn key_id() -> Value {
    json!({ "type": "string", "pattern": "^[a-z0-9]{16}$" })
}

/// The id of a token, its `jti`.
fn token_id() -> Value {
    json!({ "type": "string", "pattern": "^[!-~]{1,64}$" })
}

/// A public Ed25519 key as PEM or as a JWK.
fn public_key() -> Value {
    let pem = json!({ "type": "string", "format": "ed25519-pem", "pattern": "-----BEGIN PUBLIC KEY-----" });
    let jwk = json!({
        "type": "object",
        "required": ["kty", "crv", "x"],
        "properties": {
            "kty": { "type": "string", "enum": ["OKP"] },
            "crv": { "type": "string", "enum": ["Ed25519"] },
            "x": { "type": "string", "pattern": "^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$" },
        },
        "propertyNames": { "not": { "const": "d" }, "format": "utf8" },
        "additionalProperties": named("JsonValue"),
    });
    json!({ "anyOf": [pem, jwk] })
}

/// The body of `POST /v1/keys`: a form for each kind.
pub(super) fn key_body() -> Value {
    let form = |kind: &'static str, own: Vec<Member>| {
        let common = vec![
            required("kind", words_of([kind])),
            required("name", short_text()),
            optional("expires_at", timestamp()),
        ];
        closed(common.into_iter().chain(own).collect())
    };
    let origin = json!({ "type": "string", "format": "web-origin", "pattern": "^https?://[a-z0-9_.:\\[\\]-]+$" });
    let mut origins = list(100, &origin);
    origins["minItems"] = json!(1);
    let origins = described(origins, "Exact origins of pages: https, or http on this machine.");
    json!({ "oneOf": [
        form("secret", vec![required("role", one_of(Role::WORDS))]),
        form("publishable", vec![required("origins", origins)]),
        form("signing", vec![required("algorithm", words_of(["HS256"]))]),
        form("signing", vec![required("algorithm", words_of(["EdDSA"])), required("public_key", public_key())]),
    ], "example": { "kind": "publishable", "name": "shop", "origins": ["https://shop.example"] } })
}

fn kind() -> Value {
    words_of(["secret", "publishable", "signing"])
}

fn algorithm() -> Value {
    words_of(["HS256", "EdDSA"])
}

/// A key that was made; what is secret in it is seen this once.
pub(super) fn new_key() -> Value {
    let mut schema = object(vec![required("id", key_id()), required("kind", kind())]);
    schema["properties"]["key"] = json!({ "type": "string" });
    schema["properties"]["algorithm"] = algorithm();
    schema["properties"]["issuer"] = described(uuid(), "The `iss` of tokens.");
    schema
}

/// The keys of a project.
pub(super) fn keys() -> Value {
    let mut key = object(vec![
        required("id", key_id()),
        required("kind", kind()),
        required("name", json!({ "type": "string" })),
        required("created_at", moment()),
        required("expires_at", nullable(moment())),
        required("last_used_at", nullable(moment())),
        required("revoked_at", nullable(moment())),
    ]);
    key["properties"]["role"] = one_of(Role::WORDS);
    key["properties"]["origins"] = all(&json!({ "type": "string" }));
    key["properties"]["algorithm"] = algorithm();
    object(vec![required("keys", all(&key))])
}

/// The body of `POST /v1/feedback-tokens`.
pub(super) fn token_body() -> Value {
    let null = || json!({ "type": "null" });
    let form = |scope: Vec<Member>| {
        let mut signals = list(Signal::WORDS.len(), &one_of(Signal::WORDS));
        signals["minItems"] = json!(1);
        let common = vec![
            required("subject", described(short_text(), "Whose reactions it grants.")),
            optional("signals", signals),
            optional("ttl_s", integer(1, MAX_LIFE_S)),
        ];
        closed(common.into_iter().chain(scope).collect())
    };
    let mut ids = list(MAX_COMPLETIONS, &short_text());
    ids["minItems"] = json!(1);
    json!({ "anyOf": [
        form(vec![required("completion_ids", ids), optional("conversation_id", null())]),
        form(vec![required("conversation_id", short_text()), optional("completion_ids", null())]),
    ], "example": { "subject": "u-1", "completion_ids": ["chatcmpl-9f"] } })
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

/// The body of `POST /v1/feedback-tokens/revoke`.
pub(super) fn revoked_body() -> Value {
    let mut ids = list(100, &token_id());
    ids["minItems"] = json!(1);
    closed(vec![required("ids", ids)])
}

/// What became of it.
pub(super) fn revoked() -> Value {
    object(vec![required("revoked", total())])
}

/// The project of the caller.
pub(super) fn project() -> Value {
    object(vec![
        required("id", uuid()),
        required("name", json!({ "type": "string" })),
        required("created_at", moment()),
        required("token_used_at", nullable(moment())),
    ])
}

/// The projects of the caller.
pub(super) fn projects() -> Value {
    object(vec![required("projects", all(&named("Project")))])
}

/// A page of the audit.
pub(super) fn audit() -> Value {
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
