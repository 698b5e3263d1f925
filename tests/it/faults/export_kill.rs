//! Services that are killed at any point of an export, into a directory and into a bucket: there is never a manifest
//! over files that are not whole, every export ends, and what was left behind is collected.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use reqwest::Client;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::{Connection as _, PgConnection};

use super::export_place::{audit, files};
use super::load::client;
use super::plant::Plant;
use super::size::{chance, sized};
use crate::export::fixture::{completion, preference};
use crate::support::program::open_dir;
use crate::support::s3::{BUCKET, S3Server};

/// How long an export may take to end.
const PATIENCE: Duration = Duration::from_mins(3);

/// A service that is killed, and the client that uses it.
struct Campaign {
    plant: Plant,
    server: Option<S3Server>,
    client: Client,
    key: String,
}

impl Campaign {
    async fn start() -> Self {
        let (dir, server) = (Arc::new(open_dir()), S3Server::start());
        let (data_dir, config) = (dir.path().join("data"), dir.path().join("afterword.toml"));
        let scratch = format!("[exports]\nscratch_directory = \"{}\"\n", dir.path().join("scratch").display());
        std::fs::write(&config, scratch + &server.as_ref().map(S3Server::section).unwrap_or_default()).unwrap();
        let mut environment = vec![("AFTERWORD_CONFIG".to_owned(), config.display().to_string())];
        if let Some(server) = &server {
            environment.push(("LAKE_KEY_ID".to_owned(), server.key_id.clone()));
            environment.push(("LAKE_SECRET".to_owned(), server.secret.clone()));
        }
        let plant = Plant::start_with(dir, data_dir, 1, environment).await;
        let key = plant.key_with_role("p", "admin");
        Self { plant, server, client: client(), key }
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let request = self.client.post(format!("{}{path}", self.plant.url(0))).bearer_auth(&self.key);
        let answer = request.header("content-type", "application/json").body(body.to_string()).send().await.unwrap();
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert!((200..300).contains(&status), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn seed(&self, n_pairs: usize) {
        let numbers: Vec<usize> = (0..n_pairs).collect();
        for chunk in numbers.chunks(200) {
            let completions: Vec<Value> =
                chunk.iter().flat_map(|n| [completion(*n, "new"), completion(*n, "old")]).collect();
            let feedback: Vec<Value> = chunk.iter().map(|n| preference(*n, "better")).collect();
            self.post("/v1/completions", &json!({"completions": completions})).await;
            self.post("/v1/feedback", &json!({"feedback": feedback})).await;
        }
    }

    /// Asks for an export, into the bucket every second time.
    async fn ask(&self, number: usize) -> String {
        let mut body = json!({"recipe": "dpo"});
        if self.server.is_some() && number % 2 == 1 {
            body["destination"] = json!({"name": "lake"});
        }
        self.post("/v1/exports", &body).await["id"].as_str().unwrap().to_owned()
    }

    async fn get(&self, path: &str) -> Vec<u8> {
        let request = self.client.get(format!("{}{path}", self.plant.url(0))).bearer_auth(&self.key);
        request.send().await.unwrap().error_for_status().unwrap().bytes().await.unwrap().to_vec()
    }

    async fn until_ended(&self, id: &str) -> Value {
        let started = Instant::now();
        loop {
            let item: Value = serde_json::from_slice(&self.get(&format!("/v1/exports/{id}")).await).unwrap();
            if !["queued", "running"].contains(&item["status"].as_str().unwrap()) {
                return item;
            }
            assert!(started.elapsed() < PATIENCE, "an export does not end: {item}\n{}", self.plant.end_of_log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asserts that no manifest lies over files that are not whole.
    fn assert_manifests_are_true(&self) {
        assert_eq!(audit(&self.exports_dir()), Vec::<std::path::PathBuf>::new());
        if let Some(server) = &self.server {
            assert_eq!(server.ask(&format!("audit {BUCKET}"))["wrong"], json!([]));
        }
    }

    fn exports_dir(&self) -> std::path::PathBuf {
        self.plant.dir().join("data/exports")
    }

    fn scratch(&self) -> std::path::PathBuf {
        self.plant.dir().join("scratch")
    }

    /// Ends the lease of the process that was killed, which nobody needs to wait for.
    async fn end_leases(&self) {
        let mut owner = PgConnection::connect(&self.plant.owner_url()).await.unwrap();
        let ended =
            "update jobs set leased_until = clock_timestamp() - interval '1 second' where leased_until is not null";
        sqlx::query(ended).execute(&mut owner).await.unwrap();
        owner.close().await.unwrap();
    }

    /// Kills the service while it makes an export, at a moment that chance chooses, and starts it again.
    async fn kill_during(&self, number: usize, usual: Duration, chance: &mut ChaCha8Rng) -> String {
        let id = self.ask(number).await;
        tokio::time::sleep(usual.mul_f64(chance.random_range(0.0..1.1))).await;
        self.plant.kill_service_and(0, || self.assert_manifests_are_true()).await;
        self.end_leases().await;
        id
    }

    /// Reads a completed export to its last byte; returns how many files it has, the manifest included.
    async fn read_whole(&self, id: &str, item: &Value, n_pairs: usize) -> usize {
        let named = item["manifest"]["files"].as_array().unwrap();
        for file in named {
            let content = self.get(&format!("/v1/exports/{id}/files/{}", file["path"].as_str().unwrap())).await;
            assert_eq!(file["sha256"], hex::encode(Sha256::digest(content)), "{id} {file}");
        }
        let rows: u64 = named.iter().map(|file| file["rows"].as_u64().unwrap()).sum();
        assert_eq!((&item["manifest"]["n_examples"], rows), (&json!(n_pairs), n_pairs as u64), "{id}");
        named.len() + 1
    }

    fn n_left(&self) -> (usize, usize, u64) {
        let (objects, uploads) = self.server.as_ref().map_or((0, 0), |s3| (s3.objects().len(), s3.n_uploads()));
        (files(&self.exports_dir()).len() + objects, files(&self.scratch()).len(), uploads)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_whose_service_is_killed_anywhere_is_whole_in_the_end_or_not_there() {
    let (n_kills, n_pairs) = sized((5, 400), (50, 4_000));
    let mut chance = chance("export_kill");
    let campaign = Campaign::start().await;
    campaign.seed(n_pairs).await;
    let started = Instant::now();
    let first = campaign.ask(0).await;
    assert_eq!(campaign.until_ended(&first).await["status"], "completed");
    let usual = started.elapsed();

    let mut ids = vec![first];
    for number in 1..=n_kills {
        ids.push(campaign.kill_during(number, usual, &mut chance).await);
    }

    let (mut n_files, mut n_attempts, mut n_failed) = (0, 0, 0);
    for id in &ids {
        let item = campaign.until_ended(id).await;
        if item["status"] == "completed" {
            n_files += campaign.read_whole(id, &item, n_pairs).await;
            n_attempts += item["manifest"]["attempt"].as_u64().unwrap();
        } else {
            assert_eq!(item["problem"]["code"], "attempts_exhausted", "{item}");
            n_failed += 1;
        }
    }
    campaign.assert_manifests_are_true();
    let left_before = campaign.n_left();
    let collected = campaign.plant.run(&["export", "collect", "--all"]);
    let again = campaign.plant.run(&["export", "collect", "--all"]);

    println!(
        "export_kill: {n_kills} kills within {usual:.1?} each, {n_attempts} attempts at {} exports, {n_failed} given up, \
         files, scratch files and uploads before the collection {left_before:?}, {}",
        ids.len(),
        collected.out.trim()
    );
    assert_eq!((collected.status, again.status), (Some(0), Some(0)), "{collected:?} {again:?}");
    assert_eq!(campaign.n_left(), (n_files, 0, 0), "orphans after the collection");
    assert!(again.out.ends_with("removed 0 files, 0 unfinished uploads and 0 scratch folders\n"), "{again:?}");
    assert!(n_attempts as usize > ids.len() || n_kills < 10, "no kill met a running export");
    let log = campaign.plant.read_log();
    assert!(!log.contains(&campaign.key) && Path::new(&campaign.exports_dir()).is_dir());
    campaign.plant.stop_and_look(async |_| ()).await;
}
