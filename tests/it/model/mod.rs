//! Any history of requests, clocks, lost replies and restarts ends where a sequential model of what people did ends.
//!
//! Each case is a script in a project of its own; all of them are played against one service over one Postgres, many at
//! a time. A run prints its seed. A case that fails is made as small as it can be, and its seed goes to
//! `failing_seeds.txt`, whose cases every later run plays first.
//!
//! `AFTERWORD_MODEL_CASES` and `AFTERWORD_MODEL_SEED` choose otherwise; `AFTERWORD_CAMPAIGN=full` plays more.

#![cfg(test)]

mod case;
mod front;
mod operation;
mod truth;

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use afterword::config::environment;
use futures_util::stream::{self, StreamExt as _};
use proptest::strategy::{Strategy as _, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use self::front::Front;
use self::operation::{Operation, Script, any_script};
use crate::support::TestDatabase;

const N_CASES: u64 = 2_000;
/// A campaign plays many kinds of faults one after the other, and this one must not take longer than all others together.
const N_CASES_OF_A_CAMPAIGN: u64 = 5_000;
const N_AT_ONCE: usize = 24;
/// How long a case that failed is made smaller.
const SHRINK_WITHIN: Duration = Duration::from_secs(30);
const KEPT: &str = include_str!("failing_seeds.txt");

/// A case by its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Number {
    seed: u64,
    nth: u64,
}

impl Number {
    /// Returns the script of the case, in the form in which it can be made smaller.
    fn tree(self) -> impl ValueTree<Value = Script> {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&self.seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.nth.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        any_script().new_tree(&mut TestRunner::new_with_rng(Config::default(), rng)).unwrap()
    }

    fn kept() -> Vec<Self> {
        let lines = KEPT.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let number = |word: Option<&str>| word.and_then(|word| word.parse().ok()).expect("a line holds two numbers");
        lines
            .map(|line| {
                let mut words = line.split_whitespace();
                Self { seed: number(words.next()), nth: number(words.next()) }
            })
            .collect()
    }

    /// Adds the case to those that later runs play first.
    fn keep(self) {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/model/failing_seeds.txt");
        if let Ok(mut file) = std::fs::OpenOptions::new().append(true).open(path) {
            let _written = writeln!(file, "{} {}", self.seed, self.nth);
        }
    }
}

/// Where cases are played.
struct Stage {
    front: Front,
    owner: PgPool,
    n_projects: AtomicU64,
}

impl Stage {
    async fn play(&self, script: &Script) -> Result<(), String> {
        let name = format!("model-{}", self.n_projects.fetch_add(1, Ordering::Relaxed));
        case::play(&self.front, &self.owner, &name, script).await
    }

    /// Looks for the smallest script that still fails.
    async fn shrink(&self, number: Number, mut reason: String) -> (Script, String) {
        let (started, mut tree) = (Instant::now(), number.tree());
        let mut smallest = tree.current();
        while started.elapsed() < SHRINK_WITHIN && tree.simplify() {
            let mut fails = self.play(&tree.current()).await;
            while fails.is_ok() && started.elapsed() < SHRINK_WITHIN && tree.complicate() {
                fails = self.play(&tree.current()).await;
            }
            if let Err(why) = fails {
                (smallest, reason) = (tree.current(), why);
            }
        }
        (smallest, reason)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_history_ends_where_the_sequential_model_ends() {
    let given = environment("AFTERWORD_MODEL_SEED").map(|seed| seed.parse().expect("the seed is a number"));
    let seed: u64 = given.unwrap_or_else(|| UNIX_EPOCH.elapsed().unwrap().as_millis() as u64);
    let is_full = environment("AFTERWORD_CAMPAIGN").is_some_and(|campaign| campaign == "full");
    let usual = if is_full { N_CASES_OF_A_CAMPAIGN } else { N_CASES };
    let n_cases =
        environment("AFTERWORD_MODEL_CASES").map_or(usual, |n| n.parse().expect("the number of cases is a number"));
    println!("AFTERWORD_MODEL_SEED={seed} AFTERWORD_MODEL_CASES={n_cases}");
    let started = Instant::now();
    let database = TestDatabase::new().await;
    let owner = PgPoolOptions::new().max_connections(2).connect(database.owner_url()).await.unwrap();
    let stage = Stage { front: Front::new(database.store()), owner, n_projects: AtomicU64::new(0) };

    let numbers = Number::kept().into_iter().chain((0..n_cases).map(|nth| Number { seed, nth }));
    let n_operations = AtomicU64::new(0);
    let mut played = stream::iter(numbers)
        .map(|number| {
            let (stage, script) = (&stage, number.tree().current());
            n_operations.fetch_add(script.operations.len() as u64, Ordering::Relaxed);
            async move { (number, stage.play(&script).await) }
        })
        .buffer_unordered(N_AT_ONCE);
    let (mut n_played, mut failed) = (0, None);
    while let Some((number, outcome)) = played.next().await {
        n_played += 1;
        if let Err(reason) = outcome {
            failed = Some((number, reason));
            break;
        }
    }
    drop(played);

    if let Some((number, reason)) = failed {
        number.keep();
        let (script, why) = stage.shrink(number, reason.clone()).await;
        let steps: Vec<String> = script.operations.iter().map(|step: &Operation| format!("  {step:?}")).collect();
        panic!(
            "case {} of seed {} failed after {n_played}: {reason}\nthe smallest that fails (at the end arrive {:?}):\n{}\n{why}",
            number.nth,
            number.seed,
            script.complete_at_end,
            steps.join("\n"),
        );
    }
    println!(
        "{n_played} cases with {} operations and {} restarts agree, in {:.1} s",
        n_operations.load(Ordering::Relaxed),
        stage.front.n_resets(),
        started.elapsed().as_secs_f64(),
    );
    stage.owner.close().await;
    stage.front.stop().await;
}
