//! `GET /v1/completions`, `/v1/completions/{id}` and `/v1/feedback`.

use afterword::domain::principal::Role;
use serde_json::{Value, json};

use super::{completion, feedback_id, thumb, with};
use crate::support::TestService;

/// Stores completions and feedback; every item must be accepted.
async fn store(service: &TestService, key: &str, completions: &[Value], feedback: &[Value]) {
    for (path, name, items) in [("/v1/completions", "completions", completions), ("/v1/feedback", "feedback", feedback)]
    {
        if !items.is_empty() {
            let answer = service.post(path, key, &json!({name: items})).await;
            assert_eq!(answer.json(), json!({"accepted": items.len(), "duplicate": 0, "rejected": []}));
        }
    }
}

/// Reads every page of a list.
async fn walk(service: &TestService, key: &str, path: &str, name: &str) -> Vec<Vec<Value>> {
    let (mut pages, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let address = cursor.as_ref().map_or_else(
            || path.to_owned(),
            |cursor| {
                let encoded = cursor.bytes().fold(String::new(), |encoded, byte| format!("{encoded}%{byte:02x}"));
                format!("{path}{}cursor={encoded}", if path.contains('?') { '&' } else { '?' })
            },
        );
        let answer = service.get(&address, key).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let body = answer.json();
        pages.push(body[name].as_array().unwrap().clone());
        cursor = body["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return pages;
        }
        assert!(pages.len() < 20, "{path} has no end");
    }
}

fn ids(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_reads_back_and_whoever_may_not_read_text_gets_none() {
    let service = TestService::start().await;
    let (writer, analyst, viewer) =
        (service.key(Role::Ingest).await, service.key(Role::Analyst).await, service.key(Role::Viewer).await);
    let written = json!({
        "id": "c/1 é", "model": "m", "prompt": [{"role": "user", "content": "secret question", "name": null}],
        "response": {"role": "assistant", "content": "secret answer", "refusal": null},
        "params": {"temperature": 0.70, "stop": null, "word": "secret"}, "finish_reason": "stop", "user": "u",
        "tags": {"route": "faq"}, "usage": {"input_tokens": 812}, "timing": {"started_at": "2026-01-31T12:00:00.000000Z"},
        "consent": {"training": true}, "aliases": ["req-1"], "created_at": "2026-01-31T12:00:02.000000Z",
    });
    let reaction = |signal: &str, more: Value| {
        let mut item = json!({"id": feedback_id(), "completion_id": "c/1 é", "signal": signal, "user": "u"});
        item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        item
    };
    let first = reaction("thumb", json!({"value": "down", "comment": "secret", "session_id": "s", "seq": 1}));
    let feedback = [
        first.clone(),
        reaction(
            "thumb",
            json!({"value": "up", "session_id": "s", "seq": 2, "occurred_at": "2026-01-31T11:00:00.000000Z"}),
        ),
        reaction("rating", json!({"value": {"score": 4.0, "min": 1.0, "max": 5.0}})),
        reaction("preference", json!({"against": "c-2", "outcome": "tie", "shown_first": "this", "strength": 0.5})),
        reaction("edit", json!({"text": "secret edit", "accepted": true, "truncated": false})),
        reaction("regenerate", json!({"next_completion_id": "c-2", "reason": "too_long"})),
        reaction("continuation", json!({"turn": 2, "gap_ms": 900})),
        reaction("copy", json!({"n_chars": 3, "n_total_chars": 9, "method": "button", "contains_code": false})),
        reaction("accept", json!({"method": "apply"})),
        reaction("comment", json!({"text": "secret comment"})),
        reaction("impression", json!({"completion_id": "req-1"})),
        reaction("dwell", json!({"visible_ms": 4000})),
    ];
    store(&service, &writer, std::slice::from_ref(&written), &feedback).await;

    let path = "/v1/completions/c%2F1%20%C3%A9";
    let read = service.get(path, &analyst).await.json();
    let listed = service.get("/v1/completions", &analyst).await.json();
    let seen = [service.get(path, &viewer).await, service.get("/v1/completions", &viewer).await];

    for (name, value) in written.as_object().unwrap() {
        assert_eq!(&read[name], value, "{name}");
    }
    assert_eq!(listed["completions"], json!([read]));
    assert_eq!(listed["trust"], json!({"filter": "any", "reason": "no_tokens"}));
    assert_eq!(read["label"], json!({"verdict": "positive", "rule": "thumb_majority", "n_votes": 1, "strength": 1.0}));
    let items = read["feedback"].as_array().unwrap();
    assert_eq!(items.len(), feedback.len());
    for sent in &feedback {
        let item = items.iter().find(|item| item["id"] == sent["id"]).unwrap();
        let is_first = sent["id"] == first["id"];
        assert_eq!(item["standing"], if is_first { "replaced" } else { "counts" }, "{item}");
        for (name, value) in sent.as_object().unwrap().iter().filter(|(name, _)| *name != "completion_id") {
            assert_eq!(&item[name], value, "{name} of {item}");
        }
        assert_eq!((&item["completion_id"], &item["trust"]), (&json!("c/1 é"), &json!("verified")));
    }
    for answer in seen {
        assert_eq!(answer.status, 200);
        assert!(answer.text.contains("\"up\"") && !answer.text.contains("secret"), "{}", answer.text);
    }
    assert_eq!(service.get("/v1/completions", &writer).await.problem(), (403, "role_insufficient".to_owned()));
    assert_eq!(service.get("/v1/feedback", &writer).await.problem(), (403, "role_insufficient".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_each_completion_once_and_filters_are_the_selections() {
    let service = TestService::start().await;
    let key = service.key(Role::Admin).await;
    let completions: Vec<Value> = (0..7)
        .map(|n| with(&completion(&format!("c-{n}")), "model", json!(if n % 2 == 0 { "even" } else { "odd" })))
        .collect();
    store(&service, &key, &completions, &[thumb("c-0"), thumb("c-1"), thumb("not here yet")]).await;

    let all = walk(&service, &key, "/v1/completions?limit=3", "completions").await;
    let odd = walk(&service, &key, "/v1/completions?limit=2&model=odd", "completions").await;
    let late = walk(&service, &key, "/v1/completions?from=2999-01-01T00:00:00Z", "completions").await;
    let feedback = walk(&service, &key, "/v1/feedback?limit=1", "feedback").await;
    let of_odd = walk(&service, &key, "/v1/feedback?model=odd", "feedback").await;

    assert_eq!(
        all.iter().map(|page| ids(page)).collect::<Vec<_>>(),
        [vec!["c-0", "c-1", "c-2"], vec!["c-3", "c-4", "c-5"], vec!["c-6"]]
    );
    assert_eq!(odd.concat().len(), 3);
    assert_eq!(late, [Vec::<Value>::new()]);
    let about: Vec<&str> = feedback.iter().flatten().map(|item| item["completion_id"].as_str().unwrap()).collect();
    assert_eq!((about, feedback.len()), (vec!["c-0", "c-1", "not here yet"], 3));
    assert_eq!(of_odd.concat().len(), 1);
    for query in ["limit=0", "limit=201", "cursor=", "models=odd", "trust=some", "limit=1&limit=2"] {
        for path in ["/v1/completions", "/v1/feedback"] {
            assert_eq!(service.get(&format!("{path}?{query}"), &key).await.problem().0, 422, "{path}?{query}");
        }
    }
    assert_eq!(service.get("/v1/feedback?cursor=c-1", &key).await.problem().0, 422);
    assert_eq!(service.get("/v1/completions/c-1?trust=any", &key).await.problem().0, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_completion_is_answered_as_an_absent_one() {
    let service = TestService::start().await;
    let (key, foreign) = (service.key(Role::Admin).await, service.key_of("another", Role::Admin).await.reveal());
    store(&service, &key, &[completion("mine")], &[thumb("mine")]).await;

    let answers =
        [service.get("/v1/completions/mine", &foreign).await, service.get("/v1/completions/absent", &foreign).await];
    let lists = [service.get("/v1/completions", &foreign).await, service.get("/v1/feedback", &foreign).await];

    let told = answers.map(|answer| {
        assert_eq!(answer.problem(), (404, "not_found".to_owned()));
        let mut body = answer.json();
        body["instance"] = Value::Null;
        body
    });
    assert_eq!(told[0], told[1]);
    assert_eq!(lists[0].json()["completions"], json!([]));
    assert_eq!(lists[1].json()["feedback"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_ends_where_its_texts_are_enough_and_the_next_one_goes_on() {
    let service = TestService::start().await;
    let key = service.key(Role::Admin).await;
    for n in 0..4 {
        let large = with(&completion(&format!("c-{n}")), "prompt", json!("p".repeat(4_500_000)));
        store(&service, &key, &[large], &[]).await;
    }
    let viewer = service.key(Role::Viewer).await;

    let read = walk(&service, &key, "/v1/completions", "completions").await;
    let seen = walk(&service, &viewer, "/v1/completions", "completions").await;

    assert_eq!(read.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    assert_eq!(seen.iter().map(Vec::len).collect::<Vec<_>>(), [4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_with_more_feedback_than_is_read_has_no_label_and_says_so() {
    let service = TestService::start().await;
    let key = service.key(Role::Admin).await;
    let many: Vec<Value> = (0..500).map(|_| thumb("c")).collect();
    store(&service, &key, &[completion("c")], &many).await;

    let whole = service.get("/v1/completions/c", &key).await.json();
    store(&service, &key, &[], &[thumb("c")]).await;
    let cut = service.get("/v1/completions/c", &key).await.json();

    assert_eq!((whole["label"]["n_votes"].as_u64(), whole["feedback"].as_array().unwrap().len()), (Some(500), 500));
    assert_eq!((&cut["label"], cut["feedback"].as_array().unwrap().len()), (&Value::Null, 500));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_filed_under_an_alias_is_shown_once_and_with_none_of_several_that_have_it() {
    let service = TestService::start().await;
    let (writer, analyst) = (service.key(Role::Ingest).await, service.key(Role::Analyst).await);
    let repeating = with(&completion("c-1"), "aliases", json!(["req-1", "req-1", "req-2"]));
    let sharing = with(&completion("c-2"), "aliases", json!(["req-2"]));
    for body in [repeating, sharing] {
        assert_eq!(service.post("/v1/completions", &writer, &body).await.status, 200);
    }
    for name in ["req-1", "req-2"] {
        assert_eq!(service.post("/v1/feedback", &writer, &thumb(name)).await.status, 200);
    }

    let listed = service.get("/v1/completions", &analyst).await.json();
    let shown = service.get("/v1/completions/c-1", &analyst).await.json();
    let feedback = service.get("/v1/feedback", &analyst).await.json();

    let filed_under = |item: &Value| -> Vec<String> {
        item["feedback"].as_array().unwrap().iter().map(|it| it["alias"].as_str().unwrap().to_owned()).collect()
    };
    let page: Vec<_> = listed["completions"].as_array().unwrap().iter().map(filed_under).collect();
    assert_eq!((page, filed_under(&shown)), (vec![vec!["req-1".to_owned()], vec![]], vec!["req-1".to_owned()]));
    assert_eq!(feedback["feedback"].as_array().unwrap().len(), 2, "what names nothing is still to be seen");
}
