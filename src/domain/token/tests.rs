//! Tokens read and written: the form alone, before any key is asked.

use super::*;

fn now() -> Timestamp {
    DateTime::from_timestamp(1_800_000_000, 250_000_000).unwrap()
}

fn asked(text: &str) -> Result<NewToken, Vec<FieldError>> {
    NewToken::from_json(Json::parse(text.as_bytes()).unwrap())
}

fn claims() -> Claims {
    let asked = asked(r#"{"subject":"u-1","completion_ids":["c-1","c-2"],"signals":["thumb"]}"#).unwrap();
    Claims::new(ProjectId(uuid::Uuid::nil()), asked, "t-1".to_owned(), now())
}

fn key_id() -> KeyId {
    KeyId::parse("abcdefgh01234567").unwrap()
}

/// Reads a token made of two JSON texts.
fn read(header: &str, claims: &str) -> Option<SignedToken> {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    SignedToken::read(&TokenText::parse(&format!("{}.{}.c2ln", encode(header), encode(claims))).unwrap())
}

const HEADER: &str = r#"{"typ":"aw-feedback+jwt","alg":"HS256","kid":"abcdefgh01234567"}"#;
const CLAIMS: &str =
    r#"{"iss":"p","aud":"afterword","iat":1000,"nbf":1000,"exp":1900,"jti":"t","sub":"u","conversation_id":"v"}"#;

#[test]
fn what_is_written_is_read_again() {
    let claims = claims();

    let text = format!("{}.c2ln", claims.to_signed_part(&key_id(), Algorithm::EdDsa));
    let token = SignedToken::read(&TokenText::parse(&text).unwrap()).unwrap();

    assert_eq!(token, SignedToken { key_id: key_id(), algorithm: Algorithm::EdDsa, claims });
    assert_eq!(token.claims.grant.expires_at - token.claims.issued_at, TimeDelta::seconds(DEFAULT_LIFE_S));
}

#[test]
fn a_token_is_current_within_the_leeway_and_not_beyond_it() {
    let at = |seconds| now() + TimeDelta::seconds(seconds);
    let is_time = |not_before, seconds| Claims::is_time(at(0), at(not_before), at(900), at(seconds));

    assert!(is_time(0, -5) && is_time(0, 0) && is_time(0, 904));
    assert!(!is_time(0, -6) && !is_time(0, 905));
    assert!(!is_time(60, 54) && is_time(60, 55));
}

#[test]
fn a_header_has_its_three_members_and_no_other() {
    assert!(read(HEADER, CLAIMS).is_some());
    for (from, to) in [
        (r#""alg":"HS256""#, r#""alg":"none""#),
        (r#""alg":"HS256""#, r#""alg":"hs256""#),
        (r#""alg":"HS256""#, r#""alg":["HS256"]"#),
        (r#""alg":"HS256","#, ""),
        ("aw-feedback+jwt", "JWT"),
        (r#""typ":"aw-feedback+jwt","#, ""),
        ("abcdefgh01234567", "../../etc/passwd"),
        (r#","kid":"abcdefgh01234567""#, ""),
        (r#"{"typ""#, r#"{"crit":["exp"],"typ""#),
        (r#"{"typ""#, r#"{"jku":"https://evil.example","typ""#),
        (r#"{"typ""#, r#"{"jwk":{},"typ""#),
        (r#"{"typ""#, r#"{"x5c":[],"typ""#),
        (r#"{"typ""#, r#"{"alg":"none","typ""#),
    ] {
        let header = HEADER.replace(from, to);
        assert_ne!(header, HEADER, "{from} is not there");
        assert_eq!(read(&header, CLAIMS), None, "{header}");
    }
}

#[test]
fn every_claim_has_its_one_form() {
    for (from, to) in [
        (r#""exp":1900"#, r#""exp":"1900""#),
        (r#""exp":1900"#, r#""exp":1900.5"#),
        (r#""exp":1900"#, r#""exp":1e308"#),
        (r#""exp":1900"#, r#""exp":-1"#),
        (r#""exp":1900"#, r#""exp":null"#),
        (r#""exp":1900"#, r#""exp":1000"#),
        (r#""exp":1900"#, r#""exp":87401"#),
        (r#""exp":1900"#, r#""exp":253402300800"#),
        (r#""exp":1900"#, r#""exp":1900,"exp":999999999"#),
        (r#""nbf":1000"#, r#""nbf":1900"#),
        (r#""nbf":1000,"#, ""),
        (r#""iat":1000,"#, ""),
        (r#""jti":"t","#, ""),
        (r#""jti":"t""#, r#""jti":"""#),
        (r#""jti":"t""#, r#""jti":"a b""#),
        (r#""sub":"u","#, ""),
        (r#""sub":"u""#, r#""sub":1"#),
        (r#""sub":"u""#, r#""sub":"\u0000""#),
        (r#""aud":"afterword""#, r#""aud":["afterword"]"#),
        (r#""aud":"afterword""#, r#""aud":"console""#),
        (r#""iss":"p","#, ""),
        (r#","conversation_id":"v""#, ""),
        (r#""conversation_id":"v""#, r#""conversation_id":"v","completion_ids":["c"]"#),
        (r#""conversation_id":"v""#, r#""completion_ids":[]"#),
        (r#""conversation_id":"v""#, r#""completion_ids":"c""#),
        (r#""conversation_id":"v""#, r#""conversation_id":"v","signals":[]"#),
        (r#""conversation_id":"v""#, r#""conversation_id":"v","signals":["shrug"]"#),
        (r#""conversation_id":"v""#, r#""conversation_id":"v","signal":["thumb"]"#),
        (r#""conversation_id":"v""#, r#""conversation_id":"v","role":"admin""#),
    ] {
        let claims = CLAIMS.replace(from, to);
        assert_ne!(claims, CLAIMS, "{from} is not there");
        assert_eq!(read(HEADER, &claims), None, "{claims}");
    }
    let longest = CLAIMS.replace(r#""exp":1900"#, r#""exp":87400"#);
    assert!(read(HEADER, &longest).is_some());
}

#[test]
fn a_token_of_a_link_lives_longer_and_is_about_one_completion_and_its_thumb() {
    let header = HEADER.replace(TYPE, LINK_TYPE);
    let of = |from: &str, to: &str| {
        let claims = CLAIMS.replace(r#""conversation_id":"v""#, r#""completion_ids":["c"]"#);
        let changed = claims.replace(from, to);
        assert!(from == to || changed != claims, "{from} is not there");
        read(&header, &changed)
    };

    let link = of("", "").unwrap();
    assert_eq!(link.claims.purpose, Purpose::Link);
    let longest = format!("\"exp\":{}", 1000 + MAX_LINK_LIFE_S);
    assert!(of("\"exp\":1900", &longest).is_some());
    assert!(of(r#"["c"]"#, r#"["c"],"signals":["comment","thumb"]"#).is_some());
    for (from, to) in [
        ("\"exp\":1900", format!("\"exp\":{}", 1001 + MAX_LINK_LIFE_S).as_str()),
        (r#"["c"]"#, r#"["c","d"]"#),
        (r#"["c"]"#, r#"["c"],"signals":["comment"]"#),
        (r#""completion_ids":["c"]"#, r#""conversation_id":"v""#),
    ] {
        assert_eq!(of(from, to), None, "{to}");
    }
}

#[test]
fn a_wish_for_a_link_is_granted_or_told_what_is_wrong_with_it() {
    let asked = |text: &str| NewToken::link_from_json(Json::parse(text.as_bytes()).unwrap());

    let link = asked(r#"{"subject":"u","completion_id":"c"}"#).unwrap();
    let claims = Claims::new(ProjectId(uuid::Uuid::nil()), link, "t".to_owned(), now());
    let text = format!("{}.c2ln", claims.to_signed_part(&key_id(), Algorithm::Hs256));
    assert_eq!(SignedToken::read(&TokenText::parse(&text).unwrap()).unwrap().claims, claims);
    assert_eq!(claims.grant.expires_at - claims.issued_at, TimeDelta::days(7));
    for (text, pointer, code) in [
        (r#"{"completion_id":"c"}"#, "/subject", FieldCode::Required),
        (r#"{"subject":"u"}"#, "/completion_id", FieldCode::Required),
        (r#"{"subject":"u","completion_id":"c","ttl_s":0}"#, "/ttl_s", FieldCode::OutOfRange),
        (r#"{"subject":"u","completion_id":"c","ttl_s":2592001}"#, "/ttl_s", FieldCode::OutOfRange),
        (r#"{"subject":"u","completion_id":"c","signals":["thumb"]}"#, "", FieldCode::UnknownField),
    ] {
        let errors = asked(text).unwrap_err();
        assert_eq!((errors[0].pointer.as_str(), errors[0].code), (pointer, code), "{text}");
    }
    assert!(asked(r#"{"subject":"u","completion_id":"c","ttl_s":2592000}"#).is_ok());
}

#[test]
fn a_wish_for_a_token_tells_what_is_wrong_with_it() {
    for (text, pointer, code) in [
        (r#"{"completion_ids":["c"]}"#, "/subject", FieldCode::Required),
        (r#"{"subject":"u"}"#, "/completion_ids", FieldCode::Required),
        (r#"{"subject":"u","completion_ids":[]}"#, "/completion_ids", FieldCode::Empty),
        (
            r#"{"subject":"u","completion_ids":["c"],"conversation_id":"v"}"#,
            "/conversation_id",
            FieldCode::Contradiction,
        ),
        (r#"{"subject":"u","conversation_id":"v","ttl_s":0}"#, "/ttl_s", FieldCode::OutOfRange),
        (r#"{"subject":"u","conversation_id":"v","ttl_s":86401}"#, "/ttl_s", FieldCode::OutOfRange),
        (r#"{"subject":"u","conversation_id":"v","signals":["x"]}"#, "/signals", FieldCode::NotOneOf),
        (r#"{"subject":"u","conversation_id":"v","aud":"x"}"#, "", FieldCode::UnknownField),
    ] {
        let errors = asked(text).unwrap_err();
        assert_eq!((errors[0].pointer.as_str(), errors[0].code), (pointer, code), "{text}");
    }
    let ids: Vec<String> = (0..=MAX_COMPLETIONS).map(|n| format!("\"c-{n}\"")).collect();
    let with = |n: usize| asked(&format!(r#"{{"subject":"u","completion_ids":[{}]}}"#, ids[..n].join(",")));
    assert!(with(MAX_COMPLETIONS).is_ok() && with(MAX_COMPLETIONS + 1).is_err());
}
