//! `afterword serving check`: an engine is asked once, without a database.

use super::engine::{FakeEngine, Reply};
use super::vllm;
use crate::support::program::{Outcome, afterword, run};

/// Runs the command beside the engine, which answers meanwhile.
async fn check(args: Vec<String>) -> Outcome {
    let command = move || {
        let args: Vec<&str> = ["serving", "check"].into_iter().chain(args.iter().map(String::as_str)).collect();
        run(&mut afterword(&args))
    };
    tokio::task::spawn_blocking(command).await.unwrap()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readings_of_an_engine_are_printed_with_reasons() {
    let engine = FakeEngine::start(&format!("{}vllm:kv_cache_usage_perc{{\n", vllm("river", "0.5", 7, 0))).await;

    let told = check(words(&[&engine.url, "--engine", "vllm"])).await;

    assert_eq!((told.status, told.err.as_str()), (Some(0), ""));
    let lines: Vec<&str> = told.out.lines().collect();
    assert_eq!(lines[0], "river, rank 0");
    for line in [
        "  kv_cache_usage      0.5",
        "  n_waiting           7",
        "  kv_reserved         – (not_exported)",
        "  mean_ttft_ms        – (absent)",
        "1 lines of the page could not be read",
    ] {
        assert!(lines.contains(&line), "{line}\n{}", told.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_tells_nothing_fails_and_so_does_one_of_another_kind() {
    let engine = FakeEngine::start(&vllm("river", "0.5", 7, 0)).await;

    let other = check(words(&[&engine.url, "--engine", "tgi"])).await;
    engine.answer("/metrics", Reply::Page(503, "canary".to_owned()));
    let refused = check(words(&[&engine.url, "--engine", "vllm"])).await;

    assert_eq!((other.status, other.out.as_str()), (Some(1), "✗ the page has no series of such an engine\n"));
    assert_eq!((refused.status, refused.out.as_str()), (Some(1), "✗ the engine answered with HTTP status 503\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_that_make_no_sense_are_told_in_one_line() {
    for (args, expected) in [
        (words(&["http://h/m", "--engine", "canary"]), "--engine must be one of vllm, sglang"),
        (words(&["ftp://canary/m", "--engine", "vllm"]), "the address must be http://"),
        (words(&["http://u:canary@h/m", "--engine", "vllm"]), "the address must be http://"),
        (words(&["http://h/m", "--engine", "custom"]), "--engine custom needs one of the specs"),
        (
            words(&["http://h/m", "--engine", "vllm", "--kv-usage-spec", "canary"]),
            "--kv-usage-spec is for --engine custom",
        ),
        (words(&["http://h/m", "--engine", "custom", "--kv-usage-spec", "canary{"]), "--kv-usage-spec must be metric{"),
    ] {
        let told = check(args).await;

        assert_eq!((told.status, told.out.as_str()), (Some(2), ""), "{expected}");
        assert!(told.err.starts_with(&format!("error: {expected}")) && told.err.lines().count() == 1, "{}", told.err);
        assert!(!told.err.contains("canary"), "{}", told.err);
    }
}
