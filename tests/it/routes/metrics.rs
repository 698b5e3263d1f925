//! `/metrics`: it tells what happened, in the form that scrapers read, and to whom it should.

use std::collections::BTreeSet;

use afterword::config::MetricsReaders;
use afterword::domain::principal::Role;
use afterword::http::HttpSettings;
use reqwest::Method;
use serde_json::json;

use super::{completion, thumb, with};
use crate::support::TestService;

/// Reads one number.
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series).filter(|rest| rest.starts_with(' ')));
    line.unwrap_or_else(|| panic!("no {series} in\n{text}")).trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_to_requests_and_items_is_counted() {
    let service = TestService::start_with(HttpSettings::default(), false).await;
    let key = service.key(Role::Admin).await;
    let up = thumb("c-1");
    let envelope = json!({"feedback": [up, thumb("c-2"), with(&thumb("c-3"), "seq", json!("x"))]});
    assert_eq!(service.post("/v1/completions", &key, &completion("c-1")).await.status, 200);
    assert_eq!(service.post("/v1/feedback", &key, &envelope).await.status, 207);
    assert_eq!(service.post("/v1/feedback", &key, &up).await.status, 200);
    assert_eq!(service.post("/v1/feedback", &key, &with(&up, "value", json!("down"))).await.status, 422);
    assert_eq!(service.post("/v1/exports", &key, &json!({"recipe": "dpo"})).await.status, 202);

    let metrics = service.get("/metrics", "").await;

    assert_eq!(metrics.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = &metrics.text;
    for (series, expected) in [
        ("afterword_ingest_items_total{table=\"completions\",signal=\"\",code=\"accepted\"}", 1.0),
        ("afterword_ingest_items_total{table=\"feedback\",signal=\"thumb\",code=\"accepted\"}", 2.0),
        ("afterword_ingest_items_total{table=\"feedback\",signal=\"thumb\",code=\"duplicate\"}", 1.0),
        ("afterword_ingest_items_total{table=\"feedback\",signal=\"thumb\",code=\"conflict\"}", 1.0),
        ("afterword_ingest_items_total{table=\"feedback\",signal=\"\",code=\"wrong_type\"}", 1.0),
        ("afterword_ingest_waiting_items", 0.0),
        ("afterword_ingest_waiting_bytes", 0.0),
        ("afterword_ingest_turned_away_total", 0.0),
        ("afterword_ingest_failed_batches_total", 0.0),
        ("afterword_ingest_writers", 2.0),
        ("afterword_ingest_writer_panics_total", 0.0),
        ("afterword_ingest_batch_items_count", 4.0),
        ("afterword_ingest_batch_items_sum", 5.0),
        ("afterword_ingest_batch_items_bucket{le=\"1.0\"}", 3.0),
        ("afterword_ingest_batch_items_bucket{le=\"+Inf\"}", 4.0),
        ("afterword_ingest_commit_seconds_bucket{le=\"+Inf\"}", 4.0),
        ("afterword_ingest_commit_seconds_count", 4.0),
        ("afterword_http_requests_total{route=\"/v1/feedback\",method=\"POST\",status=\"200\"}", 1.0),
        ("afterword_http_requests_total{route=\"/v1/feedback\",method=\"POST\",status=\"207\"}", 1.0),
        ("afterword_http_requests_total{route=\"/v1/feedback\",method=\"POST\",status=\"422\"}", 1.0),
        ("afterword_http_request_duration_seconds_count{route=\"/v1/feedback\"}", 3.0),
        ("afterword_jobs{state=\"waiting\"}", 1.0),
        ("afterword_jobs{state=\"held\"}", 0.0),
        ("afterword_pool_max_connections{pool=\"ingest\"}", 3.0),
    ] {
        assert!((value(text, series) - expected).abs() < 1e-9, "{series} is {}", value(text, series));
    }
    // A query names its bucket by the text, so that 0.025 must not come out as 0.024999999999999998.
    for bound in ["0.0005", "0.001", "0.0025", "0.025", "0.25", "2.5"] {
        for family in ["afterword_ingest_commit_seconds", "afterword_http_request_duration_seconds"] {
            let bucket = |line: &str| line.starts_with(family) && line.contains(&format!("le=\"{bound}\""));
            assert!(text.lines().any(bucket), "{family} has no bucket up to {bound}\n{text}");
        }
    }
    let commit_s = value(text, "afterword_ingest_commit_seconds_sum");
    assert!(commit_s > 0.0 && commit_s < 60.0, "{commit_s}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_series_has_a_type_and_labels_are_words_of_our_own() {
    let service = TestService::start_with(HttpSettings::default(), false).await;
    for n in 0..50 {
        service.get(&format!("/made/up/{n}?q={n}"), &format!("aw_sec_made-up-{n}")).await;
        let method = Method::from_bytes(format!("BREW{n}").as_bytes()).unwrap();
        service.send(service.request(method, "/v1/feedback", "")).await;
        service.get(&format!("/v1/experiments/made-up-{n}"), "").await;
    }

    let text = service.get("/metrics", "").await.text;

    assert!(text.ends_with("# EOF\n"), "{text}");
    let typed: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let mut n_series = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let family = ["_total", "_bucket", "_count", "_sum", "_info"].iter().find_map(|end| name.strip_suffix(end));
        assert!(typed.contains(family.unwrap_or(name)) || typed.contains(name), "{line}");
        assert!(!line.contains("made") && !line.contains("BREW"), "{line}");
        n_series += usize::from(name == "afterword_http_requests_total");
    }
    assert_eq!(n_series, 3, "one for each of the three kinds of request\n{text}");
    assert!(
        (value(&text, "afterword_http_requests_total{route=\"other\",method=\"GET\",status=\"404\"}") - 50.0).abs()
            < 1e-9
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_through_a_proxy_gets_the_metrics_only_where_everybody_does() {
    let service = TestService::start_with(HttpSettings::default(), false).await;
    let settings = HttpSettings { metrics_readers: MetricsReaders::Everybody, ..HttpSettings::default() };
    let open = TestService::start_with(settings, false).await;

    for name in ["X-Forwarded-For", "Forwarded", "X-Real-IP"] {
        let through_proxy =
            |service: &TestService| service.request(Method::GET, "/metrics", "").header(name, "203.0.113.7");
        let refused = service.send(through_proxy(&service)).await;
        assert_eq!(refused.problem(), (404, "not_found".to_owned()), "{name}");
        assert_eq!(open.send(through_proxy(&open)).await.status, 200, "{name}");
    }
    assert_eq!(service.get("/metrics", "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_the_service_still_tells_what_it_counts() {
    let service = TestService::start_with(HttpSettings::default(), false).await;
    service.app().store.close().await;

    let metrics = service.get("/metrics", "").await;

    assert_eq!(metrics.status, 200);
    assert!(!metrics.text.contains("afterword_jobs{"), "{}", metrics.text);
    assert!(metrics.text.contains("afterword_ingest_waiting_items 0"), "{}", metrics.text);
}
