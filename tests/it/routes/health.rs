//! What needs no key: health, pages, and the answers that no route gives.

use afterword::domain::principal::Role;
use afterword::http::HttpSettings;
use afterword::store::Access;
use afterword::store::connection::Pool;
use reqwest::Method;

use super::thumb;
use crate::support::TestService;

#[tokio::test(flavor = "multi_thread")]
async fn the_service_is_ready_until_it_drains_and_serves_on_meanwhile() {
    let service = TestService::start().await;
    let key = service.key(Role::Ingest).await;
    assert_eq!(service.get("/readyz", "").await.status, 200);

    service.server().drain();

    let ready = service.get("/readyz", "").await;
    assert_eq!(ready.problem(), (503, "draining".to_owned()));
    assert_eq!(ready.header("retry-after"), "1");
    assert_eq!(service.get("/livez", "").await.status, 200);
    assert_eq!(service.post("/v1/feedback", &key, &thumb("c-1")).await.status, 200);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_the_service_lives_and_is_not_ready() {
    let service = TestService::start_with(HttpSettings::default(), false).await;
    let key = service.key(Role::Ingest).await;

    service.app().store.close().await;

    let (live, ready) = (service.get("/livez", "").await, service.get("/readyz", "").await);
    assert_eq!((live.status, ready.problem()), (200, (503, "database_unavailable".to_owned())));
    let refused = service.post("/v1/feedback", &key, &thumb("c-1")).await;
    assert_eq!(refused.problem(), (503, "database_unavailable".to_owned()));
    assert_eq!((refused.header("retry-after"), &refused.json()["retryable"]), ("1", &true.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_nobody_writes_for_is_not_ready() {
    let service = TestService::start_with(HttpSettings::default(), false).await;
    assert_eq!(service.get("/readyz", "").await.status, 200);

    service.app().ingest.close().await;

    let ready = service.get("/readyz", "").await;
    assert_eq!(ready.problem(), (503, "writers_gone".to_owned()));
    assert!(service.get("/metrics", "").await.text.contains("afterword_ingest_writers 0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn busy_pools_do_not_make_the_service_unready() {
    let service = TestService::start_with(HttpSettings::default(), false).await;
    let store = &service.app().store;
    let mut held = Vec::new();
    while let Ok(tx) = store.begin(Pool::Reading, "hold", Access::Worker).await {
        held.push(tx);
    }

    let ready = service.get("/readyz", "").await;

    assert!(held.len() > 1);
    assert_eq!(ready.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_does_not_fit_is_not_ready() {
    let service = TestService::start_with(HttpSettings::default(), false).await;

    service.query::<i64>("with newer as (insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (999999, 'newer', true, '', 0) returning version) select version from newer").await;

    assert_eq!(service.get("/readyz", "").await.problem(), (503, "schema_unfit".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_route_there_is_a_problem() {
    let service = TestService::start().await;

    for path in ["/v2/feedback", "/v1/feedback/", "/v1", "/.git/config", "/%ff"] {
        assert_eq!(service.get(path, "").await.problem(), (404, "not_found".to_owned()), "{path}");
    }
    for (method, path, allowed) in [
        (Method::DELETE, "/v1/feedback", "GET, POST"),
        (Method::PUT, "/v1/exports", "GET, POST"),
        (Method::POST, "/livez", "GET"),
    ] {
        let answer = service.send(service.request(method, path, "")).await;
        assert_eq!(answer.problem(), (405, "method_not_allowed".to_owned()), "{path}");
        let mut methods: Vec<&str> = answer.header("allow").split(", ").collect();
        methods.sort_unstable();
        assert_eq!(methods.join(", "), allowed, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_for_the_head_alone_gets_what_get_would_say_without_its_body() {
    let service = TestService::start().await;

    for (path, status) in
        [("/livez", 200), ("/readyz", 200), ("/problems", 200), ("/v1/exports", 401), ("/nowhere", 404)]
    {
        let head = service.send(service.request(Method::HEAD, path, "")).await;
        let get = service.get(path, "").await;
        assert_eq!((head.status, get.status), (status, status), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        assert_eq!(head.text, "", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_the_headers_that_keep_a_browser_safe() {
    let service = TestService::start().await;
    for path in ["/", "/problems", "/livez", "/v1/exports", "/nowhere"] {
        let answer = service.get(path, "").await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"), "{path}");
        assert_eq!(answer.header("x-request-id").len(), 36, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_problems_type_leads_to_its_row() {
    let service = TestService::start().await;
    let problem = service.get("/nowhere", "").await.json();

    let (page, anchor) = problem["type"].as_str().unwrap().split_once('#').unwrap();
    let page = service.get(page, "").await;

    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.text.contains(&format!("<tr id=\"{anchor}\">")));
    assert!(service.get("/", "").await.text.contains("POST /v1/feedback"));
}
