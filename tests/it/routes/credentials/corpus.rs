//! Tokens that are forged, mutated or out of their time: each gets the one answer for a wrong credential, and nothing
//! changes. A case is named, and the list of names is printed.

use std::collections::HashSet;

use afterword::domain::principal::Role;
use jsonwebtoken::{Algorithm, EncodingKey};
use reqwest::Method;
use serde_json::{Value, json};

use super::super::{thumb, with};
use super::signer::{base64url, claims, header, sign};
use super::{from_page, make_key};
use crate::support::TestService;

/// Keys to sign with, good ones and others.
struct Keys {
    issuer: String,
    id: String,
    secret: EncodingKey,
    ed_id: String,
    ed_private: EncodingKey,
    ed_public: [u8; 32],
    ed_public_pem: String,
    foreign_issuer: String,
    foreign_id: String,
    foreign_secret: EncodingKey,
    revoked_id: String,
    revoked_secret: EncodingKey,
    expired_id: String,
    expired_secret: EncodingKey,
    secret_key: String,
}

impl Keys {
    async fn make(service: &TestService) -> Self {
        let signing = json!({"kind": "signing", "name": "t", "algorithm": "HS256"});
        let good = make_key(service, signing.clone()).await;
        let revoked = make_key(service, signing.clone()).await;
        let expired = make_key(service, with(&signing, "expires_at", json!("2020-01-01T00:00:00Z"))).await;
        let seed = afterword::service::signature::private_key_of([9; 32]).unwrap();
        let uploaded = json!({"kind": "signing", "name": "t", "algorithm": "EdDSA",
                              "public_key": seed.public_key.to_pem()});
        let ed = make_key(service, uploaded).await;
        let stranger = service.key_of("other", Role::Admin).await.reveal();
        let foreign = service.post("/v1/keys", &stranger, &signing).await.json();
        let admin = service.key(Role::Admin).await;
        let path = format!("/v1/keys/{}", revoked["id"].as_str().unwrap());
        assert_eq!(service.send(service.request(Method::DELETE, &path, &admin)).await.status, 204);
        let taken_back = service.post("/v1/feedback-tokens/revoke", &admin, &json!({"ids": ["taken-back"]})).await;
        assert_eq!(taken_back.status, 200);
        let text = |made: &Value, name: &str| made[name].as_str().unwrap().to_owned();
        let secret = |made: &Value| EncodingKey::from_secret(made["key"].as_str().unwrap().as_bytes());
        Self {
            issuer: text(&good, "issuer"),
            id: text(&good, "id"),
            secret: secret(&good),
            ed_id: text(&ed, "id"),
            ed_private: EncodingKey::from_ed_pem(seed.private_pem.as_bytes()).unwrap(),
            ed_public: seed.public_key.0,
            ed_public_pem: seed.public_key.to_pem(),
            foreign_issuer: text(&foreign, "issuer"),
            foreign_id: text(&foreign, "id"),
            foreign_secret: secret(&foreign),
            revoked_id: text(&revoked, "id"),
            revoked_secret: secret(&revoked),
            expired_id: text(&expired, "id"),
            expired_secret: secret(&expired),
            secret_key: text(&good, "key"),
        }
    }

    fn claims(&self) -> Value {
        claims(&self.issuer)
    }

    fn header(&self) -> Value {
        header(&self.id, "HS256")
    }

    /// Signs with the good secret, whatever header and claims say.
    fn signed(&self, header: &str, claims: &str) -> String {
        sign(header, claims, &self.secret, Algorithm::HS256)
    }

    fn good(&self) -> String {
        self.signed(&self.header().to_string(), &self.claims().to_string())
    }
}

type Cases = Vec<(String, String)>;

/// The algorithm is the key's, not the token's.
fn confused_algorithms(keys: &Keys) -> Cases {
    let claims = keys.claims().to_string();
    let mut cases = Vec::new();
    for word in ["none", "None", "NONE", "nOnE", "", "hs256", "HS384", "HS512", "RS256", "ES256", "PS256", "EdDSA"] {
        let header = header(&keys.id, word).to_string();
        cases.push((format!("alg-{word:?}-of-an-hs256-key"), keys.signed(&header, &claims)));
    }
    for (name, value) in [("null", json!(null)), ("list", json!(["HS256"])), ("number", json!(256))] {
        let header = with(&keys.header(), "alg", value).to_string();
        cases.push((format!("alg-is-a-{name}"), keys.signed(&header, &claims)));
    }
    let unsigned = format!("{}.{}.", base64url(header(&keys.id, "none").to_string()), base64url(&claims));
    cases.push(("none-without-a-signature".to_owned(), unsigned.clone()));
    cases.push(("none-with-an-empty-looking-signature".to_owned(), format!("{unsigned}AA")));
    let as_hmac = header(&keys.ed_id, "HS256").to_string();
    for (name, secret) in [
        ("raw", keys.ed_public.to_vec()),
        ("pem", keys.ed_public_pem.clone().into_bytes()),
        ("pem-trimmed", keys.ed_public_pem.trim().as_bytes().to_vec()),
        ("base64url", base64url(keys.ed_public).into_bytes()),
    ] {
        let key = EncodingKey::from_secret(&secret);
        let token = sign(&as_hmac, &claims, &key, Algorithm::HS256);
        cases.push((format!("public-key-{name}-as-hmac-secret"), token));
        let honest = header(&keys.ed_id, "EdDSA").to_string();
        cases.push((format!("public-key-{name}-under-eddsa"), sign(&honest, &claims, &key, Algorithm::HS256)));
    }
    let by_id = header(&keys.id, "EdDSA").to_string();
    cases.push(("eddsa-of-an-hs256-key".to_owned(), sign(&by_id, &claims, &keys.ed_private, Algorithm::EdDSA)));
    let hs512 = sign(&header(&keys.id, "HS512").to_string(), &claims, &keys.secret, Algorithm::HS512);
    cases.push(("truly-signed-by-hs512".to_owned(), hs512));
    let hs384 = sign(&keys.header().to_string(), &claims, &keys.secret, Algorithm::HS384);
    cases.push(("hs384-that-calls-itself-hs256".to_owned(), hs384));
    cases
}

/// A kid is a name to look up, and a header holds nothing else that finds a key.
fn tricky_headers(keys: &Keys) -> Cases {
    let claims = keys.claims().to_string();
    let mut cases = Vec::new();
    for (name, kid) in [
        ("path", "../../../../dev/null"),
        ("sql", "' or '1'='1"),
        ("sql-union", "x' union select 'a"),
        ("nul", "abcdefgh\u{0}1234567"),
        ("empty", ""),
        ("unknown", "abcdefgh01234567"),
        ("upper", &keys.id.to_uppercase()),
        ("padded", &format!("{} ", keys.id)),
        ("long", &keys.id.repeat(100)),
        ("url", "https://evil.example/key"),
        ("wildcard", "%%%%%%%%%%%%%%%%"),
    ] {
        cases.push((format!("kid-{name}"), keys.signed(&header(kid, "HS256").to_string(), &claims)));
    }
    for (name, value) in [("number", json!(1)), ("list", json!([keys.id])), ("object", json!({"id": keys.id}))] {
        cases.push((format!("kid-is-a-{name}"), keys.signed(&with(&keys.header(), "kid", value).to_string(), &claims)));
    }
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("jku", json!("https://evil.example/jwks")),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!(["MII"])),
        ("jwk", json!({"kty": "oct", "k": "AAAA"})),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("typ", json!("JWT")),
        ("typ", json!("aw-feedback+JWT")),
        ("typ", json!(null)),
    ] {
        let header = with(&keys.header(), name, value.clone()).to_string();
        cases.push((format!("header-{name}-{value}"), keys.signed(&header, &claims)));
    }
    let twice = keys.header().to_string().replacen('{', "{\"alg\":\"none\",", 1);
    cases.push(("header-alg-twice".to_owned(), keys.signed(&twice, &claims)));
    for (name, text) in
        [("list", "[]"), ("text", "\"x\""), ("nothing", " "), ("broken", "{\"alg\":"), ("bom", "\u{feff}{}")]
    {
        cases.push((format!("header-is-{name}"), keys.signed(text, &claims)));
    }
    cases
}

/// Every claim is there, of its form, and says what it must.
fn mutated_claims(keys: &Keys) -> Cases {
    let header = keys.header().to_string();
    let base = keys.claims();
    let now = base["iat"].as_i64().unwrap();
    let mut cases = Vec::new();
    for name in ["iss", "aud", "exp", "nbf", "iat", "sub", "jti", "completion_ids"] {
        let mut claims = base.clone();
        claims.as_object_mut().unwrap().remove(name);
        cases.push((format!("without-{name}"), keys.signed(&header, &claims.to_string())));
    }
    for (name, value) in [
        ("exp", json!(now - 6)),
        ("exp", json!(0)),
        ("exp", json!(-1)),
        ("exp", json!(now.to_string())),
        ("exp", json!(1e308)),
        ("exp", json!(now as f64 + 900.5)),
        ("exp", json!(u64::MAX)),
        ("exp", json!([now + 900])),
        ("exp", json!(now + 24 * 3600 + 1)),
        ("exp", json!(true)),
        ("nbf", json!(now + 60)),
        ("nbf", json!("now")),
        ("nbf", json!(-1)),
        ("iat", json!(now + 60)),
        ("iat", json!(now - 24 * 3600)),
        ("iat", json!(null)),
        ("iss", json!("test")),
        ("iss", json!(keys.foreign_issuer)),
        ("iss", json!(keys.issuer.to_uppercase())),
        ("iss", json!([keys.issuer])),
        ("aud", json!("console")),
        ("aud", json!(["afterword"])),
        ("aud", json!("Afterword")),
        ("aud", json!("")),
        ("sub", json!("")),
        ("sub", json!(7)),
        ("sub", json!({"id": "u-1"})),
        ("sub", json!("u\u{0}1")),
        ("sub", json!("u".repeat(257))),
        ("jti", json!("")),
        ("jti", json!(1)),
        ("jti", json!("j".repeat(65))),
        ("jti", json!("taken-back")),
        ("completion_ids", json!([])),
        ("completion_ids", json!("c-1")),
        ("completion_ids", json!([1])),
        ("completion_ids", json!([["c-1"]])),
        ("completion_ids", json!((0..101).map(|n| n.to_string()).collect::<Vec<_>>())),
        ("conversation_id", json!("v-1")),
        ("conversation_id", json!(null)),
        ("signals", json!([])),
        ("signals", json!(null)),
        ("signals", json!("thumb")),
        ("signals", json!(["shrug"])),
        ("signal", json!(["thumb"])),
        ("role", json!("admin")),
        ("project_id", json!(keys.foreign_issuer)),
    ] {
        let text = value.to_string();
        let shown: String = text.chars().take(24).collect();
        cases.push((format!("claim-{name}-{shown}"), keys.signed(&header, &with(&base, name, value).to_string())));
    }
    let twice = base.to_string().replacen('{', "{\"sub\":\"admin\",", 1);
    cases.push(("claim-sub-twice".to_owned(), keys.signed(&header, &twice)));
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    cases.push(("claims-nest-200-deep".to_owned(), keys.signed(&header, &deep)));
    cases.push(("claims-are-a-list".to_owned(), keys.signed(&header, &json!([base]).to_string())));
    cases
}

/// A signature is whole, of the key that is named, over what is sent.
fn wrong_signatures(keys: &Keys) -> Cases {
    let good = keys.good();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (head, payload) = signed.split_once('.').unwrap();
    let claims = keys.claims().to_string();
    let others = with(&keys.claims(), "sub", json!("admin")).to_string();
    let flipped = |text: &str| {
        let last = if text.ends_with('A') { 'B' } else { 'A' };
        format!("{}{last}", &text[..text.len() - 1])
    };
    let first_flipped = |text: &str| format!("{}{}", if text.starts_with('A') { 'B' } else { 'A' }, &text[1..]);
    let by = |id: &str, secret: &EncodingKey, claims: &str| {
        sign(&header(id, "HS256").to_string(), claims, secret, Algorithm::HS256)
    };
    let of_foreign = self::claims(&keys.foreign_issuer).to_string();
    [
        ("signature-cut", format!("{signed}.{}", &signature[..signature.len() - 1])),
        ("signature-halved", format!("{signed}.{}", &signature[..signature.len() / 2])),
        ("signature-of-one-character", format!("{signed}.A")),
        ("signature-empty", format!("{signed}.")),
        ("signature-absent", signed.to_owned()),
        ("signature-longer", format!("{signed}.{signature}AAAA")),
        ("signature-last-flipped", format!("{signed}.{}", flipped(signature))),
        ("signature-first-flipped", format!("{signed}.{}", first_flipped(signature))),
        ("signature-zero", format!("{signed}.{}", base64url([0_u8; 32]))),
        ("signature-padded", format!("{signed}.{signature}=")),
        ("payload-exchanged", format!("{head}.{}.{signature}", base64url(&others))),
        ("payload-padded", format!("{head}.{payload}=.{signature}")),
        ("header-exchanged", format!("{}.{payload}.{signature}", base64url(header(&keys.ed_id, "HS256").to_string()))),
        ("four-parts", format!("{good}.{signature}")),
        ("five-parts-of-an-encrypted-one", format!("{good}.AAAA.AAAA")),
        ("dots-alone", "..".to_owned()),
        ("other-secret", by(&keys.id, &EncodingKey::from_secret(b"secret"), &claims)),
        ("empty-secret", by(&keys.id, &EncodingKey::from_secret(b""), &claims)),
        (
            "secret-without-its-prefix",
            by(&keys.id, &EncodingKey::from_secret(&keys.secret_key.as_bytes()[24..]), &claims),
        ),
        ("foreign-key-for-our-project", by(&keys.foreign_id, &keys.foreign_secret, &claims)),
        ("our-key-for-a-foreign-project", by(&keys.id, &keys.secret, &of_foreign)),
        ("foreign-secret-under-our-kid", by(&keys.id, &keys.foreign_secret, &claims)),
        ("revoked-key", by(&keys.revoked_id, &keys.revoked_secret, &claims)),
        ("expired-key", by(&keys.expired_id, &keys.expired_secret, &claims)),
        ("the-signing-secret-itself", keys.secret_key.clone()),
        ("too-long", format!("{signed}{}.{signature}", "A".repeat(8 << 10))),
    ]
    .map(|(name, token)| (name.to_owned(), token))
    .into()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_forged_token_gets_one_answer_and_changes_nothing() {
    let service = TestService::start().await;
    let keys = Keys::make(&service).await;
    let mut cases = confused_algorithms(&keys);
    cases.extend(tricky_headers(&keys));
    cases.extend(mutated_claims(&keys));
    cases.extend(wrong_signatures(&keys));
    let before = service.checksum().await;
    let unknown = from_page(&service, "aw_pub_abcdefgh01234567", None, &thumb("c-1")).await;

    for (name, token) in &cases {
        let text = |answer: &crate::support::service::Answer| answer.text.replace(answer.header("x-request-id"), "");
        let in_body = json!({"v": 1, "token": token, "feedback": [thumb("c-1")]});
        let in_body = from_page(&service, "", None, &in_body).await;
        assert_eq!(in_body.problem(), (401, "credential_invalid".to_owned()), "{name}");
        assert_eq!(text(&in_body), text(&unknown), "{name}");
        if !token.contains(['\0', ' ']) {
            let in_head = from_page(&service, token, None, &thumb("c-1")).await;
            assert_eq!(in_head.status, 401, "{name}");
            assert_eq!(text(&in_head), text(&unknown), "{name}");
        }
    }

    println!("{} tokens: {}", cases.len(), cases.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", "));
    assert!(cases.len() >= 60 && cases.iter().map(|(name, _)| name).collect::<HashSet<_>>().len() == cases.len());
    assert_eq!(service.checksum().await, before);
    assert!(service.query::<bool>("select bool_and(token_used_at is null) from projects").await);
    // What the others were made of is good.
    assert_eq!(from_page(&service, &keys.good(), None, &thumb("c-1")).await.status, 200);
    let ed = header(&keys.ed_id, "EdDSA").to_string();
    let ed = sign(&ed, &with(&keys.claims(), "jti", json!("ed")).to_string(), &keys.ed_private, Algorithm::EdDSA);
    assert_eq!(from_page(&service, &ed, None, &thumb("c-1")).await.status, 200);
}
