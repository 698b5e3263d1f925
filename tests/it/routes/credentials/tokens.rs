//! Feedback tokens that are good: what they let through, what they bind, what they leave behind.

use afterword::domain::principal::Role;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::super::{completion, thumb, with};
use super::signer::{claims, header, sign};
use super::{SHOP, from_page, make_key, mint, publishable_key};
use crate::support::TestService;

#[tokio::test(flavor = "multi_thread")]
async fn a_minted_token_writes_verified_feedback_of_its_subject() {
    let service = TestService::start().await;
    publishable_key(&service).await;
    let minted = mint(&service, &json!({"subject": "u-1", "completion_ids": ["c-1"], "ttl_s": 60})).await;
    let token = minted["token"].as_str().unwrap();
    assert!(service.query::<bool>("select bool_and(token_used_at is null) from projects").await);

    let in_head = from_page(&service, token, Some(SHOP), &thumb("c-1")).await;
    let in_body = json!({"v": 1, "token": token, "feedback": [with(&thumb("c-1"), "user", json!("u-1"))]});
    let in_body = from_page(&service, "", Some(SHOP), &in_body).await;
    let elsewhere = from_page(&service, token, Some("https://evil.example"), &thumb("c-1")).await;
    let from_app = from_page(&service, token, None, &thumb("c-1")).await;

    for answer in [in_head, in_body, from_app] {
        assert_eq!((answer.status, answer.json()["accepted"].clone()), (200, json!(1)), "{}", answer.text);
    }
    assert_eq!(elsewhere.problem(), (403, "origin_not_allowed".to_owned()));
    let all = "select bool_and(trust = 'verified' and user_id = 'u-1') and count(*) = 3 from feedback";
    assert!(service.query::<bool>(all).await);
    assert!(service.query::<bool>("select bool_and(token_used_at is not null) from projects").await);
    assert_eq!(service.query::<i64>("select count(*) from feedback f where f::text like '%eyJ%'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_shown_in_vain_does_not_change_whose_reactions_count() {
    let service = TestService::start().await;
    let publishable = publishable_key(&service).await;
    let minted = mint(&service, &json!({"subject": "u-1", "completion_ids": ["c-1"], "signals": ["thumb"]})).await;
    let token = minted["token"].as_str().unwrap();
    let of_another_user = with(&thumb("c-1"), "user", json!("u-2"));

    let refusals = [
        from_page(&service, token, Some("https://evil.example"), &thumb("c-1")).await,
        from_page(&service, token, Some("null"), &thumb("c-1")).await,
        from_page(&service, token, Some(SHOP), &json!([])).await,
        from_page(&service, token, Some(SHOP), &of_another_user).await,
        from_page(&service, token, Some(SHOP), &thumb("c-2")).await,
        from_page(&service, "", None, &json!({"token": token, "feedback": [thumb("c-2"), of_another_user]})).await,
        service.get("/v1/keys", token).await,
        service.post("/v1/completions", token, &completion("c-1")).await,
    ];

    for answer in &refusals {
        assert!((400..500).contains(&answer.status), "{}", answer.text);
    }
    assert_eq!(from_page(&service, &publishable, Some(SHOP), &thumb("c-1")).await.status, 200);
    assert!(service.query::<bool>("select bool_and(token_used_at is null) from projects").await);
    assert_eq!(from_page(&service, token, Some(SHOP), &thumb("c-1")).await.status, 200);
    assert!(service.query::<bool>("select bool_and(token_used_at is not null) from projects").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_item_is_held_to_the_grant_by_itself() {
    let service = TestService::start().await;
    let asked = json!({"subject": "u-1", "completion_ids": ["c-1", "c-2"], "signals": ["thumb", "preference"]});
    let minted = mint(&service, &asked).await;
    let of_signal = |signal: &str| {
        let mut item = with(&thumb("c-1"), "signal", json!(signal));
        item.as_object_mut().unwrap().remove("value");
        item
    };
    let preferred =
        |against: &str| with(&with(&of_signal("preference"), "against", json!(against)), "outcome", json!("better"));
    let batch = json!({"token": minted["token"], "feedback": [
        thumb("c-1"), with(&thumb("c-1"), "user", json!("u-2")), thumb("c-3"),
        of_signal("impression"),
        preferred("c-2"), preferred("c-9"),
    ]});

    let answer = from_page(&service, "", None, &batch).await;

    assert_eq!((answer.status, answer.json()["accepted"].clone()), (207, json!(2)), "{}", answer.text);
    let body = answer.json();
    let told: Vec<(u64, &str, &str)> = body["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            let pointer = item["errors"][0]["pointer"].as_str().unwrap();
            (item["index"].as_u64().unwrap(), item["code"].as_str().unwrap(), pointer)
        })
        .collect();
    assert_eq!(
        told,
        [
            (1, "subject_mismatch", "/feedback/1/user"),
            (2, "completion_not_granted", "/feedback/2/completion_id"),
            (3, "signal_not_granted", "/feedback/3/signal"),
            (5, "completion_not_granted", "/feedback/5/against"),
        ]
    );
    assert_eq!(service.count("feedback").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_conversation_leaves_it_to_the_readers_whose_completion_it_is() {
    let service = TestService::start().await;
    let key = service.key(Role::Ingest).await;
    service.post("/v1/completions", &key, &with(&completion("c-1"), "conversation_id", json!("v-1"))).await;
    let minted = mint(&service, &json!({"subject": "u-1", "conversation_id": "v-1"})).await;

    let mut answers = Vec::new();
    for id in ["c-1", "c-absent"] {
        answers.push(from_page(&service, minted["token"].as_str().unwrap(), None, &thumb(id)).await);
    }

    assert_eq!(answers[0].text, answers[1].text, "what exists is not told");
    let kept = "select count(*) from feedback where granted_conversation_id = 'v-1' and trust = 'verified'";
    assert_eq!(service.query::<i64>(kept).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_item_under_another_subject_is_a_conflict_and_under_a_fresh_token_a_duplicate() {
    let service = TestService::start().await;
    let item = thumb("c-1");
    let mut answers = Vec::new();
    for subject in ["u-1", "u-1", "u-2"] {
        let minted = mint(&service, &json!({"subject": subject, "completion_ids": ["c-1"]})).await;
        answers.push(from_page(&service, minted["token"].as_str().unwrap(), None, &item).await);
    }

    assert_eq!(answers[0].json()["accepted"], 1);
    assert_eq!(answers[1].json()["duplicate"], 1);
    assert_eq!(answers[2].problem(), (422, "conflict".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_both_algorithms_are_taken_while_keys_take_over_from_each_other() {
    let service = TestService::start().await;
    let signing = |algorithm: &str| json!({"kind": "signing", "name": "tokens", "algorithm": algorithm});
    let (old, new) = (make_key(&service, signing("HS256")).await, make_key(&service, signing("HS256")).await);
    let seed = afterword::service::signature::private_key_of([9; 32]).unwrap();
    let uploaded = with(&signing("EdDSA"), "public_key", json!(seed.public_key.to_pem()));
    let ed = make_key(&service, uploaded).await;
    assert!(ed.get("key").is_none(), "the private part never was here");
    let token = |made: &Value, algorithm: Algorithm, key: &EncodingKey, id: &str| {
        let word = if algorithm == Algorithm::EdDSA { "EdDSA" } else { "HS256" };
        let claims = with(&claims(made["issuer"].as_str().unwrap()), "jti", json!(id));
        sign(&header(made["id"].as_str().unwrap(), word).to_string(), &claims.to_string(), key, algorithm)
    };
    let shared = |made: &Value| EncodingKey::from_secret(made["key"].as_str().unwrap().as_bytes());

    for text in [
        token(&old, Algorithm::HS256, &shared(&old), "a"),
        token(&new, Algorithm::HS256, &shared(&new), "b"),
        token(&ed, Algorithm::EdDSA, &EncodingKey::from_ed_pem(seed.private_pem.as_bytes()).unwrap(), "c"),
    ] {
        let answer = from_page(&service, &text, None, &thumb("c-1")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    assert_eq!(service.query::<i64>("select count(*) from feedback where trust = 'verified'").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_with_keys_of_its_own_gets_no_other_behind_its_back() {
    let service = TestService::start().await;
    let seed = afterword::service::signature::private_key_of([9; 32]).unwrap();
    let uploaded =
        json!({"kind": "signing", "name": "t", "algorithm": "EdDSA", "public_key": seed.public_key.to_pem()});
    make_key(&service, uploaded).await;
    let backend = service.key(Role::Ingest).await;

    let asked = json!({"subject": "u", "conversation_id": "v"});
    let answer = service.post("/v1/feedback-tokens", &backend, &asked).await;

    assert_eq!(answer.problem(), (409, "signing_key_missing".to_owned()));
    assert_eq!(service.count("signing_keys").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_signed_offline_opens_its_page_and_nothing_else() {
    let service = TestService::start().await;
    let made = make_key(&service, json!({"kind": "signing", "name": "links", "algorithm": "HS256"})).await;
    let key = EncodingKey::from_secret(made["key"].as_str().unwrap().as_bytes());
    let typed = with(&header(made["id"].as_str().unwrap(), "HS256"), "typ", json!("aw-feedback-link+jwt"));
    let mut claims = claims(made["issuer"].as_str().unwrap());
    claims["exp"] = json!(claims["iat"].as_u64().unwrap() + 30 * 24 * 3600);

    let link = sign(&typed.to_string(), &claims.to_string(), &key, Algorithm::HS256);
    let shown = service.get(&format!("/f/{link}"), "").await;
    let misused = from_page(&service, &link, None, &thumb("c-1")).await;

    assert_eq!((shown.status, misused.status), (200, 401), "{}", shown.text);
}
