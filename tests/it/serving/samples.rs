//! Samples: what an engine says is kept, what it does not say has a reason, and nothing that it does reaches further.

use std::sync::Arc;
use std::time::Duration;

use afterword::domain::clock::SystemClock;
use afterword::domain::principal::Role;
use afterword::engine::maps::Engine;
use afterword::engine::target::ModelNames;
use afterword::scrape::ScrapeError;
use afterword::service::serving::{self, Fault};
use afterword::store::serving as stored;
use afterword::store::{Access, connection::Pool};
use serde_json::json;

use super::engine::{FakeEngine, Reply};
use super::{SetClock, target, vllm};
use crate::support::TestService;

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_is_kept_and_shown_with_a_reason_for_every_number_that_is_missing() {
    let engine = FakeEngine::start(&vllm("river", "NaN", 3, 1)).await;
    let clock = Arc::new(SetClock::new());
    let target = target("gpu-1", Engine::Vllm, &engine.url);
    let service = TestService::start_watching(vec![target], Arc::<SetClock>::clone(&clock), false).await;
    let admin = service.key(Role::Admin).await;
    let before = service.get("/v1/serving/samples", &admin).await.json();
    clock.advance(1.5);

    assert_eq!(serving::sample(service.app(), 0).await.unwrap(), Ok(()));
    assert_eq!(serving::keep(service.app()).await.unwrap(), 1);
    assert_eq!(serving::keep(service.app()).await.unwrap(), 0);
    clock.advance(0.25);

    assert_eq!(
        (before["targets"][0]["status"].as_str(), before["targets"][0]["sampled_at"].as_str()),
        (Some("not_asked_yet"), None)
    );
    let shown = service.get("/v1/serving/samples", &admin).await.json();
    let gpu = &shown["targets"][0];
    assert_eq!((gpu["status"].as_str(), gpu["staleness_ms"].as_i64()), (Some("ok"), Some(250)));
    assert_eq!(gpu["sampled_at"], "2026-03-01T12:00:01.500Z");
    let reading = &gpu["readings"][0];
    assert_eq!((reading["model"].as_str(), reading["rank"].as_str()), (Some("river"), Some("0")));
    assert_eq!(reading["values"]["n_waiting"], 3.0);
    assert_eq!(
        (&reading["values"]["kv_cache_usage"], &reading["missing"]["kv_cache_usage"]),
        (&json!(null), &json!("not_a_number"))
    );
    assert_eq!(reading["missing"]["kv_reserved"], "not_exported");
    assert_eq!(reading["missing"]["mean_ttft_ms"], "absent");
    assert!(!shown.to_string().contains("127.0.0.1"), "an address is shown: {shown}");
    let kept: String = service
        .query("select concat_ws(' ', target, model, rank, slot_at::time, sampled_at::time, coalesce(kv_cache_usage::text, 'null'), n_waiting, n_preempted) from serving_samples")
        .await;
    assert_eq!(kept, "gpu-1 river 0 12:00:00 12:00:01.5 null 3 1");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_services_that_ask_one_engine_in_an_interval_one_keeps_its_sample() {
    let engine = FakeEngine::start(&vllm("river", "0.5", 0, 0)).await;
    let clock = Arc::new(SetClock::new());
    let target = target("gpu-1", Engine::Vllm, &engine.url);
    let service = TestService::start_watching(vec![target], Arc::<SetClock>::clone(&clock), false).await;

    for _ in 0..4 {
        serving::sample(service.app(), 0).await.unwrap().unwrap();
        serving::keep(service.app()).await.unwrap();
        clock.advance(2.5);
    }

    let slots: String =
        service.query("select string_agg(slot_at::time::text, ' ' order by slot_at) from serving_samples").await;
    assert_eq!(slots, "12:00:00 12:00:05");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_lies_stalls_or_sends_elsewhere_costs_a_sample_and_nothing_else() {
    let engine = FakeEngine::start(&vllm("river", "0.5", 0, 0)).await;
    let elsewhere = FakeEngine::start(&vllm("secret", "0.5", 0, 0)).await;
    let clock = Arc::new(SetClock::new());
    let target = target("gpu-1", Engine::Vllm, &engine.url);
    let service = TestService::start_watching(vec![target], Arc::<SetClock>::clone(&clock), false).await;
    let admin = service.key(Role::Admin).await;

    for (reply, fault, word) in [
        (Reply::Page(404, String::new()), Fault::Scrape(ScrapeError::Refused(404)), "refused"),
        (Reply::Redirect(elsewhere.url.clone()), Fault::Scrape(ScrapeError::Refused(302)), "refused"),
        (Reply::Stall, Fault::Scrape(ScrapeError::Unreachable), "unreachable"),
        (Reply::Close, Fault::Scrape(ScrapeError::Unreachable), "unreachable"),
        (Reply::Flood, Fault::Scrape(ScrapeError::TooLong), "too_long"),
        (Reply::Page(200, "<html>canary</html>".to_owned()), Fault::NoSeries, "no_series"),
    ] {
        engine.answer("/metrics", reply);

        assert_eq!(serving::sample(service.app(), 0).await.unwrap(), Err(fault));

        let shown = service.get("/v1/serving/samples", &admin).await;
        assert_eq!(shown.json()["targets"][0]["status"], word);
        assert!(!shown.text.contains("canary"));
    }
    assert_eq!(elsewhere.n_asked(), 0);
    assert_eq!(serving::keep(service.app()).await.unwrap(), 0);
    assert_eq!(service.count("serving_samples").await, 0);
    engine.page(&vllm("river", "0.5", 0, 0));
    assert_eq!(serving::sample(service.app(), 0).await.unwrap(), Ok(()));
    let metrics = service.get("/metrics", "").await.text;
    for line in [
        "afterword_serving_samples_total{target=\"gpu-1\",outcome=\"read\"} 1",
        "afterword_serving_samples_total{target=\"gpu-1\",outcome=\"failed\"} 6",
        "afterword_serving_skipped_lines_total{target=\"gpu-1\"} 0",
        "afterword_serving_staleness_seconds{target=\"gpu-1\"} 0.0",
    ] {
        assert!(metrics.lines().any(|known| known == line), "{line}\n{metrics}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn llama_cpp_is_asked_for_its_slots_as_well_and_models_are_called_as_configured() {
    let engine = FakeEngine::start("llamacpp:requests_processing 1\nllamacpp:requests_deferred 0\n").await;
    let mut target = target("cpp", Engine::Llamacpp, &engine.url);
    target.models = ModelNames::parse("river").unwrap();
    let service = TestService::start_watching(vec![target], Arc::new(SetClock::new()), false).await;
    let admin = service.key(Role::Admin).await;

    serving::sample(service.app(), 0).await.unwrap().unwrap();
    let without = service.get("/v1/serving/samples", &admin).await.json();
    engine
        .answer("/slots", Reply::Page(200, r#"[{"n_ctx":100,"is_processing":true,"n_prompt_tokens":25}]"#.to_owned()));
    serving::sample(service.app(), 0).await.unwrap().unwrap();
    let with = service.get("/v1/serving/samples", &admin).await.json();

    let reading = |shown: &serde_json::Value| shown["targets"][0]["readings"][0].clone();
    assert_eq!(reading(&without)["missing"]["kv_cache_usage"], "unreadable");
    assert_eq!(reading(&with)["values"]["kv_cache_usage"], 0.25);
    assert_eq!((reading(&with)["model"].as_str(), reading(&with)["reported_model"].as_str()), (Some("river"), None));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_are_rolled_up_by_the_minute_when_they_are_old_and_minutes_are_deleted_when_they_are_very_old() {
    let engine = FakeEngine::start("").await;
    let clock = Arc::new(SetClock::new());
    let target = target("gpu-1", Engine::Vllm, &engine.url);
    let service = TestService::start_watching(vec![target], Arc::<SetClock>::clone(&clock), false).await;
    for (kv, n_waiting) in [("0.25", 1), ("0.75", 5), ("NaN", 0)] {
        engine.page(&vllm("river", kv, n_waiting, 2));
        serving::sample(service.app(), 0).await.unwrap().unwrap();
        clock.advance(25.0);
    }
    engine.page(&vllm("river", "0.5", 0, 0));
    serving::sample(service.app(), 0).await.unwrap().unwrap();
    assert_eq!(serving::keep(service.app()).await.unwrap(), 4);

    assert_eq!(serving::roll_up(service.app()).await.unwrap(), 0);
    clock.advance(7.0 * 86_400.0 - 10.0);
    assert_eq!(serving::roll_up(service.app()).await.unwrap(), 3);
    assert_eq!(serving::roll_up(service.app()).await.unwrap(), 0);

    let minutes: String = service
        .query(
            "select string_agg(concat_ws(' ', minute_at::time, n_samples, kv_cache_usage_avg, kv_cache_usage_max, n_waiting_avg, n_waiting_max, n_preempted_max), ', ')
               from serving_minutes",
        )
        .await;
    assert_eq!(minutes, "12:00:00 3 0.5 0.75 2 5 2");
    assert_eq!(service.count("serving_samples").await, 1);
    clock.advance(394.0 * 86_400.0);
    assert_eq!(serving::roll_up(service.app()).await.unwrap(), 1);
    assert_eq!(service.count("serving_minutes").await, 0);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_wait_while_the_database_takes_none_and_are_kept_afterwards() {
    let engine = FakeEngine::start(&vllm("river", "0.5", 0, 0)).await;
    let clock = Arc::new(SetClock::new());
    let target = target("gpu-1", Engine::Vllm, &engine.url);
    let service = TestService::start_watching(vec![target], Arc::<SetClock>::clone(&clock), false).await;
    service.execute("alter table serving_samples rename to gone").await;
    for _ in 0..3 {
        serving::sample(service.app(), 0).await.unwrap().unwrap();
        assert!(serving::keep(service.app()).await.is_err());
        clock.advance(5.0);
    }
    service.execute("alter table gone rename to serving_samples").await;

    assert_eq!(serving::keep(service.app()).await.unwrap(), 3);

    assert_eq!(service.count("serving_samples").await, 3);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_are_the_operators_and_a_transaction_of_a_project_sees_none() {
    let engine = FakeEngine::start(&vllm("river", "0.5", 0, 0)).await;
    let target = target("gpu-1", Engine::Vllm, &engine.url);
    let service = TestService::start_watching(vec![target], Arc::new(SetClock::new()), false).await;
    serving::sample(service.app(), 0).await.unwrap().unwrap();
    serving::keep(service.app()).await.unwrap();
    let project = service.query::<uuid::Uuid>("select project_id from projects").await;
    let projects = [afterword::domain::ids::ProjectId(project)];

    let mut n_seen = Vec::new();
    for access in [Access::Projects(&projects), Access::Worker, Access::Operator, Access::Serving] {
        let mut tx = service.app().store.begin(Pool::Reading, "test", access).await.unwrap();
        let times = ("2026-01-01T00:00:00Z".parse().unwrap(), "2027-01-01T00:00:00Z".parse().unwrap());
        let rows = stored::list_samples(&mut tx, &["gpu-1"], "river", times, Duration::from_secs(5)).await.unwrap();
        tx.commit().await.unwrap();
        n_seen.push(rows.len());
    }

    assert_eq!(n_seen, [0, 0, 0, 1]);
    for role in [Role::Viewer, Role::Analyst, Role::Ingest] {
        let refused = service.get("/v1/serving/samples", &service.key(role).await).await;
        assert_eq!(refused.problem(), (403, "role_insufficient".to_owned()));
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_asks_each_engine_again_and_again_and_stops_when_it_is_told_to() {
    let good = FakeEngine::start(&vllm("river", "0.5", 0, 0)).await;
    let hanging = FakeEngine::start("").await;
    hanging.answer("/metrics", Reply::Stall);
    let targets = [("good", &good), ("hanging", &hanging)].map(|(name, engine)| {
        let mut target = target(name, Engine::Vllm, &engine.url);
        target.interval = Duration::from_secs(1);
        target
    });
    let service = TestService::start_watching(targets.to_vec(), Arc::new(SystemClock), true).await;

    tokio::join!(good.asked(3), hanging.asked(1));

    // It waits for every task of the worker's, also for the one whose engine hangs.
    service.stop().await;
}
