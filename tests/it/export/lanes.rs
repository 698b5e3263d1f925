//! One snapshot read over several connections (ADR 0040).

use std::ops::Range;

use afterword::domain::selection::Selection;
use afterword::store::Tx;
use afterword::store::groups::list_prompts;
use afterword::worker::Worker;
use serde_json::{Value, json};

use super::fixture::{Fixture, completion, hashes, manifest, preference};

/// Connections that the tests' stores lend to lanes.
const N_LENT: usize = 2;

/// Adds prompts with answers so long that a page holds a dozen of them.
async fn add_long(fixture: &Fixture, numbers: Range<usize>) {
    let long = |n: usize, model: &str| {
        let mut item = completion(n, model);
        item["response"]["content"] = Value::from(format!("{model} {n} ").repeat(8_000));
        item
    };
    for n in numbers {
        fixture.record(vec![long(n, "new"), long(n, "old")], vec![preference(n, "better")]).await;
    }
}

fn n_busy(fixture: &Fixture) -> u64 {
    fixture.app.store.pools().iter().find(|pool| pool.name == "lanes").unwrap().n_busy
}

/// Takes every connection that lanes could have.
async fn take_all(fixture: &Fixture) -> Vec<Tx> {
    let project = fixture.principal.project_id;
    let mut first = fixture.app.store.begin_snapshot("test", project).await.unwrap();
    let snapshot = first.share_snapshot().await.unwrap();
    let mut taken = vec![first];
    for _ in 0..N_LENT {
        taken.push(fixture.app.store.join_snapshot("test", project, &snapshot).await.unwrap().unwrap());
    }
    assert!(fixture.app.store.join_snapshot("test", project, &snapshot).await.unwrap().is_none());
    taken
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_lanes_and_the_ends_of_pages_change_no_byte() {
    let fixture = Fixture::new().await;
    // Half of the prompts are short, so that pages grow and shrink on the way.
    fixture.add(0..60, "better").await;
    add_long(&fixture, 60..120).await;
    let worker = Worker::start(fixture.app.clone());
    let recipe = json!({"formats": ["preference", "sft"], "layout": "trl"});

    let mut all = Vec::new();
    for _ in 0..2 {
        let id = fixture.request(recipe.clone()).await;
        all.push(hashes(&manifest(&fixture.until_ended(id).await)));
    }
    let taken = take_all(&fixture).await;
    assert_eq!(n_busy(&fixture), N_LENT as u64);
    let id = fixture.request(recipe).await;
    let export = fixture.until_ended(id).await;
    drop(taken);
    worker.stop().await;

    assert_eq!(manifest(&export)["n_examples"], 240);
    all.push(hashes(&manifest(&export)));
    assert!(all.iter().all(|hashes| *hashes == all[0]), "{all:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_sees_the_snapshot_that_it_joins_and_nothing_later() {
    let fixture = Fixture::with_pairs(3).await;
    let project = fixture.principal.project_id;
    let mut first = fixture.app.store.begin_snapshot("test", project).await.unwrap();
    let snapshot = first.share_snapshot().await.unwrap();

    fixture.add(3..10, "better").await;

    let mut lane = fixture.app.store.join_snapshot("test", project, &snapshot).await.unwrap().unwrap();
    let seen = list_prompts(&mut lane, project, &Selection::default()).await.unwrap();
    assert_eq!(seen, list_prompts(&mut first, project, &Selection::default()).await.unwrap());
    assert_eq!(seen.len(), 3);
    first.commit().await.unwrap();
    let late = fixture.app.store.join_snapshot("test", project, &snapshot).await;
    assert!(late.is_err(), "a snapshot is gone with the transaction that told it");
}
