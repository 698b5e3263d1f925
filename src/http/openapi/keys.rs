//! Schemas of what administrators read and make: keys, tokens, projects, the audit.

use serde_json::{Value, json};

use super::words::{
    Member, Presence, all, boolean, closed, described, integer, list, moment, named, nullable, object, one_of,
    optional, required, short_text, timestamp, total, uuid, words_of,
};
use crate::domain::consent::ConsentDefault;
use crate::domain::erasure::{ErasureStatus, FilesFate};
use crate::domain::export::ExportStatus;
use crate::domain::feedback::Signal;
use crate::domain::principal::Role;
use crate::domain::signing::Algorithm;
use crate::domain::token::{MAX_COMPLETIONS, MAX_LIFE_S, MAX_LINK_LIFE_S};

/// The public id of a key.
pub(super) fn key_id() -> Value {
    json!({ "type": "string", "pattern": "^[a-z0-9]{16}$" })
}

/// The id of a token.
fn token_id() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[!-~]+$" })
}

/// An exact origin; the format says the rest: lower case, no usual port, https but for this machine.
fn origin() -> Value {
    json!({ "type": "string", "format": "web-origin" })
}

/// A public Ed25519 key as PEM or as a JWK.
fn public_key() -> Value {
    let pem = json!({ "type": "string", "format": "ed25519-pem" });
    let jwk = json!({
        "type": "object",
        "required": ["kty", "crv", "x"],
        "properties": {
            "kty": words_of(["OKP"]),
            "crv": words_of(["Ed25519"]),
            "x": { "type": "string", "pattern": "^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$" },
        },
        "propertyNames": { "not": { "const": "d" }, "format": "utf8" },
        "additionalProperties": named("JsonValue"),
    });
    json!({ "anyOf": [pem, jwk] })
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

/// The body that makes a link.
pub(super) fn link_body() -> Value {
    let mut schema = closed(vec![
        required("subject", short_text()),
        required("completion_id", short_text()),
        optional("ttl_s", integer(1, MAX_LINK_LIFE_S)),
    ]);
    schema["example"] = json!({ "subject": "u-1", "completion_id": "chatcmpl-9f", "ttl_s": 604_800 });
    schema
}

/// A link that was made.
pub(super) fn link() -> Value {
    let text = || json!({ "type": "string" });
    let mut schema = object(vec![
        required("path", described(text(), "What to append to the service's address, where `url` is absent.")),
        required("id", token_id()),
        required("key_id", key_id()),
        required("expires_at", moment()),
    ]);
    schema["properties"]["url"] = described(text(), "The whole link, where `http.public_url` is set.");
    schema
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
        required("consent_default", one_of(ConsentDefault::WORDS)),
    ])
}

/// The body that changes a project.
pub(super) fn project_body() -> Value {
    let default =
        described(one_of(ConsentDefault::WORDS), "What holds for completions that say nothing of consent to training.");
    closed(vec![required("consent_default", default)])
}

/// An erasure.
pub(super) fn erasure() -> Value {
    let export = object(vec![
        required("id", uuid()),
        required("status", one_of(ExportStatus::WORDS)),
        required("written_to", words_of(["service", "folder"])),
        required("files", described(one_of(FilesFate::WORDS), "What became of its files.")),
        required("created_at", moment()),
    ]);
    object(vec![
        required("id", uuid()),
        required("user_hash", json!({ "type": "string" })),
        required("status", one_of(ErasureStatus::WORDS)),
        required("delete_files", boolean()),
        required("n_completions", total()),
        required("n_feedback", total()),
        required("n_exposures", total()),
        required("n_exports", total()),
        required("exports", all(&export)),
        required("created_at", moment()),
        required("finished_at", nullable(moment())),
    ])
}

/// What an erasure would remove.
pub(super) fn erasure_preview() -> Value {
    object(vec![
        required("n_completions", total()),
        required("n_completions_without_user", total()),
        required("n_feedback", total()),
        required("n_feedback_of_others", total()),
        required("n_exports", total()),
        required("n_completions_of_others", total()),
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
