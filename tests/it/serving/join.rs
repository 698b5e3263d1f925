//! The load of each completion, joined after its end.

use std::sync::Arc;

use afterword::domain::clock::Timestamp;
use afterword::domain::principal::Role;
use afterword::engine::maps::Engine;
use afterword::service::serving::{self, Serving};
use afterword::service::{App, erase_jobs, serving_join};
use chrono::SecondsFormat;
use reqwest::Method;
use serde_json::{Value, json};

use super::engine::FakeEngine;
use super::{SetClock, target, vllm};
use crate::support::TestService;

struct Fleet {
    service: TestService,
    clock: Arc<SetClock>,
    engines: [FakeEngine; 2],
    key: String,
}

impl Fleet {
    /// Two engines of one model.
    async fn start() -> Self {
        let engines = [FakeEngine::start("").await, FakeEngine::start("").await];
        let clock = Arc::new(SetClock::new());
        let targets = [("gpu-1", &engines[0]), ("gpu-2", &engines[1])];
        let targets = targets.map(|(name, engine)| target(name, Engine::Vllm, &engine.url)).to_vec();
        let service = TestService::start_watching(targets, Arc::<SetClock>::clone(&clock), false).await;
        let key = service.key(Role::Admin).await;
        Self { service, clock, engines, key }
    }

    /// Samples both engines with these uses of their caches every five seconds.
    async fn sample(&self, steps: &[[f64; 2]]) {
        for (nth, step) in steps.iter().enumerate() {
            for (engine, (page, kv)) in self.engines.iter().zip(step).enumerate() {
                page.page(&vllm("river", &kv.to_string(), 10 * (engine as u32 + 1) + nth as u32, nth as u32));
                serving::sample(self.service.app(), engine).await.unwrap().unwrap();
            }
            self.clock.advance(5.0);
        }
        serving::keep(self.service.app()).await.unwrap();
    }

    async fn store(&self, id: &str, end: Timestamp, extra: Value) {
        let mut completion = json!({
            "id": id, "model": "river", "prompt": "What is 2 + 2?", "response": "4",
            "timing": {"latency_ms": 10_000}, "created_at": end.to_rfc3339_opts(SecondsFormat::Millis, true),
        });
        completion.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let stored = self.service.post("/v1/completions", &self.key, &completion).await;
        assert_eq!(stored.status, 200, "{}", stored.text);
    }

    async fn join(&self) -> u64 {
        serving_join::join(self.service.app()).await.unwrap()
    }

    async fn load(&self, id: &str) -> Value {
        let shown = self.service.get(&format!("/v1/completions/{id}"), &self.key).await;
        assert_eq!(shown.status, 200, "{}", shown.text);
        shown.json()["serving"]["load"].clone()
    }
}

const STEPS: [[f64; 2]; 4] = [[0.25, 0.5], [0.5, 0.5], [0.75, 0.5], [0.75, 1.0]];

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_gets_the_load_of_its_instance_or_of_all_that_serve_its_model() {
    let fleet = Fleet::start().await;
    fleet.sample(&STEPS).await;
    // The clock shows 20 seconds; samples are of 0, 5, 10 and 15. Both answers were made from 1 to 11.
    let end = fleet.clock.advance(0.0) - chrono::TimeDelta::seconds(9);
    fleet.store("of-one", end, json!({"serving": {"served_by": "gpu-1"}})).await;
    fleet.store("of-any", end, json!({"serving": {"served_by": "somewhere"}})).await;
    fleet.store("of-another", end, json!({"model": "sea"})).await;
    fleet.store("sent", end, json!({"serving": {"served_by": "gpu-1", "kv_cache_usage": 0.125}})).await;

    assert_eq!(fleet.join().await, 0, "it is too early: samples behind the end may be under way");
    fleet.clock.advance(10.0);
    assert_eq!(fleet.join().await, 3);
    assert_eq!(fleet.join().await, 0);

    assert_eq!(
        fleet.load("of-one").await,
        json!({
            "kv_at_end": 0.75, "kv_mean": 0.625, "kv_max": 0.75, "n_waiting_max": 12, "preempted": true,
            "kv_source": "scraper", "kv_scope": "instance", "kv_staleness_ms": 1000,
        })
    );
    assert_eq!(
        fleet.load("of-any").await,
        json!({
            "kv_at_end": 0.625, "kv_mean": 0.5625, "kv_max": 0.75, "n_waiting_max": 22, "preempted": true,
            "kv_source": "scraper", "kv_scope": "model", "kv_staleness_ms": 1000,
        })
    );
    assert_eq!(
        fleet.load("sent").await,
        json!({
            "kv_at_end": 0.125, "kv_mean": 0.625, "kv_max": 0.75, "n_waiting_max": 12, "preempted": true,
            "kv_source": "client", "kv_scope": "instance",
        })
    );
    assert_eq!(fleet.load("of-another").await, Value::Null);
    fleet.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_completion_is_joined_from_the_database_also_by_a_service_that_started_afterwards() {
    let fleet = Fleet::start().await;
    fleet.sample(&STEPS).await;
    let end = fleet.clock.advance(0.0) - chrono::TimeDelta::seconds(9);
    // A day later: nothing of it is in memory.
    fleet.clock.advance(86_400.0);
    let serving = Serving::watching(fleet.service.app().serving.targets().to_vec()).unwrap();
    let later = App::clone(fleet.service.app()).watching(serving);
    serving::sample(&later, 0).await.unwrap().unwrap();
    fleet.store("late", end, json!({"serving": {"served_by": "gpu-1"}})).await;
    fleet.store("too-late", end - chrono::TimeDelta::days(1), json!({})).await;
    fleet.clock.advance(10.0);

    assert_eq!(serving_join::join(&later).await.unwrap(), 1);

    let load = fleet.load("late").await;
    assert_eq!(
        (&load["kv_at_end"], &load["kv_mean"], &load["kv_scope"]),
        (&json!(0.75), &json!(0.625), &json!("instance"))
    );
    assert_eq!(fleet.load("too-late").await, Value::Null);
    fleet.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_completions_than_a_page_holds_are_joined_also_those_of_one_moment() {
    let fleet = Fleet::start().await;
    fleet.sample(&STEPS).await;
    let completion = |n: usize| json!({"id": format!("c-{n}"), "model": "river", "prompt": "p", "response": "r"});
    for batch in 0..3 {
        let items: Vec<Value> = (0..400).map(|n| completion(batch * 400 + n)).collect();
        let stored = fleet.service.post("/v1/completions", &fleet.key, &json!({"completions": items})).await;
        assert_eq!(stored.json()["accepted"], 400);
    }
    fleet.clock.advance(10.0);

    assert_eq!(fleet.join().await, 1200);

    assert_eq!(fleet.service.count("serving_facts").await, 1200);
    // The place up to which all are joined never moves beyond what may still be under way.
    let through: String = fleet.service.query("select received_through::time::text from serving_progress").await;
    assert_eq!(through, "11:59:20");
    fleet.clock.advance(1200.0);
    assert_eq!(fleet.join().await, 0);
    let through: String = fleet.service.query("select received_through::time::text from serving_progress").await;
    assert_eq!(through, "12:19:20");
    fleet.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_go_with_the_completion_that_is_erased() {
    let fleet = Fleet::start().await;
    fleet.sample(&STEPS).await;
    let now = fleet.clock.advance(0.0);
    fleet.store("kept", now, json!({"user": "u-1"})).await;
    fleet.store("erased", now, json!({"user": "u-2"})).await;
    fleet.clock.advance(10.0);
    assert_eq!(fleet.join().await, 2);

    let path = "/v1/users/u-2";
    let asked = fleet.service.send(fleet.service.request(Method::DELETE, path, &fleet.key)).await;
    assert_eq!(asked.status, 202, "{}", asked.text);
    let job = erase_jobs::claim(fleet.service.app(), None).await.unwrap().unwrap();
    erase_jobs::carry_out(fleet.service.app(), &job).await.unwrap();

    let left: String = fleet.service.query("select string_agg(completion_id, ' ') from serving_facts").await;
    assert_eq!(left, "kept");
    fleet.service.stop().await;
}
