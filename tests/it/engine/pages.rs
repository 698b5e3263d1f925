//! A page of every engine and of every version that called things otherwise, and what is read from it.

use afterword::engine::maps::{Engine, MetricMap, Signal};
use afterword::engine::reading::{Missing, Reading, Readings};
use afterword::engine::selector::Term;

use Missing::{Absent, NotExported};
use Signal::{
    InputTokens, ItlSeconds, KvCacheUsage, KvCapacityTokens, KvReserved, NInputs, NItl, NOutputs, NPreempted, NRunning,
    NWaiting, OutputTokens,
};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../fixtures/metrics/", $name))
    };
}

fn read(page: &str, engine: Engine) -> Readings {
    Readings::of_page(page.as_bytes(), &MetricMap::of(engine)).unwrap()
}

fn only(page: &str, engine: Engine) -> Reading {
    let mut readings = read(page, engine).readings;
    assert_eq!(readings.len(), 1, "{readings:?}");
    readings.remove(0)
}

type Expected = Result<f64, Missing>;

#[test]
fn every_engine_is_read_by_its_own_names() {
    let table: [(&str, &str, Engine, [Expected; 4]); 12] = [
        // running, waiting, use of the KV cache, preemptions
        ("vllm_v0", fixture!("vllm_v0.prom"), Engine::Vllm, [Ok(3.0), Ok(1.0), Ok(0.57), Err(Absent)]),
        ("sglang", fixture!("sglang.prom"), Engine::Sglang, [Ok(6.0), Ok(0.0), Ok(0.34), Ok(2.0)]),
        (
            "sglang_full",
            fixture!("sglang_full.prom"),
            Engine::Sglang,
            [Err(Absent), Err(Absent), Ok(0.71), Err(Absent)],
        ),
        ("tgi", fixture!("tgi.prom"), Engine::Tgi, [Ok(5.0), Ok(8.0), Err(NotExported), Err(NotExported)]),
        ("trtllm", fixture!("trtllm.prom"), Engine::Trtllm, [Ok(11.0), Ok(6.0), Ok(0.48), Ok(1.0)]),
        ("triton", fixture!("triton.prom"), Engine::Triton, [Err(Absent), Ok(5.0), Ok(0.375), Err(Absent)]),
        ("triton_old", fixture!("triton_old.prom"), Engine::Triton, [Ok(4.0), Err(Absent), Ok(0.375), Err(Absent)]),
        (
            "dynamo_worker",
            fixture!("dynamo_worker.prom"),
            Engine::Dynamo,
            [Ok(14.0), Err(Absent), Ok(0.66), Err(Absent)],
        ),
        (
            "dynamo_worker_old",
            fixture!("dynamo_worker_old.prom"),
            Engine::Dynamo,
            [Err(Absent), Err(Absent), Ok(0.29), Err(Absent)],
        ),
        (
            "dynamo_frontend",
            fixture!("dynamo_frontend.prom"),
            Engine::Dynamo,
            [Ok(13.0), Ok(2.0), Err(Absent), Err(Absent)],
        ),
        (
            "llamacpp",
            fixture!("llamacpp.prom"),
            Engine::Llamacpp,
            [Ok(2.0), Ok(3.0), Err(NotExported), Err(NotExported)],
        ),
        ("lmdeploy", fixture!("lmdeploy.prom"), Engine::Lmdeploy, [Ok(2.0), Ok(0.0), Ok(0.19), Err(NotExported)]),
    ];
    for (name, page, engine, expected) in table {
        let reading = only(page, engine);

        assert_eq!(
            [NRunning, NWaiting, KvCacheUsage, NPreempted].map(|signal| reading.value(signal)),
            expected,
            "{name}"
        );
        assert_eq!(read(page, engine).n_skipped, 0, "{name}");
    }
}

#[test]
fn replicas_within_an_engine_are_read_apart_with_the_size_of_their_caches() {
    let readings = read(fixture!("vllm.prom"), Engine::Vllm).readings;

    let [first, second] = &readings[..] else { panic!("{readings:?}") };
    assert_eq!((first.model.as_deref(), first.rank.as_str(), second.rank.as_str()), (Some("river-14b"), "0", "1"));
    let values = |reading: &Reading| {
        [NRunning, NWaiting, KvCacheUsage, KvCapacityTokens, NPreempted].map(|signal| reading.value(signal))
    };
    // Of nine that wait five are deferred by policy; where the engine tells no reasons the total counts.
    assert_eq!(values(first), [Ok(21.0), Ok(4.0), Ok(0.906_25), Ok(320_000.0), Ok(7.0)]);
    assert_eq!(values(second), [Ok(17.0), Ok(0.0), Ok(0.375), Ok(160_000.0), Ok(0.0)]);
    assert_eq!(first.mean(InputTokens, NInputs), Ok(1500.0));
    assert_eq!(first.mean(OutputTokens, NOutputs), Ok(250.0));
    assert_eq!(second.mean(InputTokens, NInputs), Err(Absent));
}

#[test]
fn means_are_read_where_sum_and_count_belong_together() {
    assert_eq!(only(fixture!("tgi.prom"), Engine::Tgi).mean(InputTokens, NInputs), Ok(600.0));
    assert_eq!(only(fixture!("dynamo_frontend.prom"), Engine::Dynamo).mean(InputTokens, NInputs), Ok(900.0));
    assert_eq!(only(fixture!("vllm_v0.prom"), Engine::Vllm).mean(ItlSeconds, NItl), Ok(0.04));
    let trtllm = only(fixture!("trtllm.prom"), Engine::Trtllm);
    assert_eq!((trtllm.value(InputTokens), trtllm.mean(InputTokens, NInputs)), (Ok(90_000.0), Err(NotExported)));
    assert_eq!(only(fixture!("sglang.prom"), Engine::Sglang).mean(ItlSeconds, NItl), Err(NotExported));
}

#[test]
fn what_is_reserved_is_no_use_of_the_cache() {
    let reading = only(fixture!("tgi.prom"), Engine::Tgi);

    assert_eq!((reading.value(KvReserved), reading.value(KvCacheUsage)), (Ok(0.25), Err(NotExported)));
    assert_eq!(reading.model, None);
}

#[test]
fn slots_tell_the_share_of_all_that_there_are() {
    for (name, body, expected) in [
        ("slots", fixture!("slots.json"), Ok(1638.0 / 16384.0)),
        ("slots_old", fixture!("slots_old.json"), Ok(1638.0 / 16384.0)),
        ("none", "[]", Err(Absent)),
        ("full", r#"[{"n_ctx":10,"is_processing":true,"n_prompt_tokens":11}]"#, Err(Missing::AboveOne)),
        ("refused", r#"{"error":{"code":501}}"#, Err(Missing::Unreadable)),
        ("text", "canary", Err(Missing::Unreadable)),
    ] {
        let mut readings = read(fixture!("llamacpp.prom"), Engine::Llamacpp);

        readings.add_slots(Some(body.as_bytes()));

        assert_eq!(readings.readings[0].value(KvCacheUsage), expected, "{name}");
    }
    let mut unanswered = read(fixture!("llamacpp.prom"), Engine::Llamacpp);
    unanswered.add_slots(None);
    assert_eq!(unanswered.readings[0].value(KvCacheUsage), Err(Missing::Unreadable));
}

#[test]
fn lies_have_a_reason_and_broken_lines_cost_no_other() {
    // Lines end as on the machine that an engine may run on.
    let readings = read(&fixture!("odd.prom").replace('\n', "\r\n"), Engine::Vllm);

    let [odd, over] = &readings.readings[..] else { panic!("{readings:?}") };
    assert_eq!(odd.model.as_deref(), Some("a \"b\" \\ c\nd"));
    assert_eq!(
        [KvCacheUsage, NRunning, NWaiting, NPreempted].map(|signal| odd.value(signal)),
        [Ok(0.5), Err(Missing::NotANumber), Err(Missing::Negative), Err(Missing::NotANumber)]
    );
    assert_eq!(over.value(KvCacheUsage), Err(Missing::AboveOne));
    assert_eq!(readings.n_skipped, 4);
}

#[test]
fn a_page_without_a_series_of_the_engine_has_no_reading() {
    for page in ["", "# HELP x y\n", "process_cpu_seconds_total 3\n", fixture!("tgi.prom")] {
        assert_eq!(read(page, Engine::Vllm).readings, [], "{page}");
    }
}

#[test]
fn of_series_that_tell_the_same_the_largest_counts_and_a_lie_among_them_does_not() {
    let page = "sglang:token_usage{tp_rank=\"0\"} 0.4\nsglang:token_usage{tp_rank=\"1\"} NaN\n\
                sglang:num_running_reqs{tp_rank=\"0\"} -3\nsglang:num_running_reqs{tp_rank=\"1\"} 5\n";

    let reading = only(page, Engine::Sglang);

    assert_eq!((reading.value(KvCacheUsage), reading.value(NRunning)), (Ok(0.4), Ok(5.0)));
}

#[test]
fn names_change_in_the_middle_of_a_run_and_counters_with_or_without_their_ending() {
    for (before, after, signal) in [
        ("vllm:gpu_cache_usage_perc 0.5", "vllm:kv_cache_usage_perc 0.5", KvCacheUsage),
        ("vllm:num_preemptions 0.5", "vllm:num_preemptions_total 0.5", NPreempted),
    ] {
        for page in [before, after] {
            assert_eq!(only(page, Engine::Vllm).value(signal), Ok(0.5), "{page}");
        }
    }
    let both = "vllm:gpu_cache_usage_perc 0.1\nvllm:kv_cache_usage_perc 0.2";
    assert_eq!(only(both, Engine::Vllm).value(KvCacheUsage), Ok(0.2));
}

#[test]
fn an_engine_of_the_operators_own_is_described_by_selectors() {
    let term = |text: &str| Term::parse(text).unwrap();
    let map = MetricMap::custom([
        (KvCacheUsage, term("pool_bytes{kind=used} / pool_bytes{kind=\"all\"}")),
        (NWaiting, term("queue_depth{queue=prefill}")),
    ]);
    let page = "pool_bytes{kind=\"used\",model=\"own\"} 30\npool_bytes{kind=\"all\",model=\"own\"} 40\n\
                queue_depth{queue=\"decode\",model=\"own\"} 9\nqueue_depth{queue=\"prefill\",model=\"own\"} 2\n";

    let readings = Readings::of_page(page.as_bytes(), &map).unwrap().readings;

    assert_eq!(readings.len(), 1);
    assert_eq!(readings[0].model.as_deref(), Some("own"));
    assert_eq!(
        [KvCacheUsage, NWaiting, NRunning].map(|signal| readings[0].value(signal)),
        [Ok(0.75), Ok(2.0), Err(NotExported)]
    );
}

#[test]
fn a_quotient_by_nothing_is_no_number() {
    let page = "tgi_batch_current_max_tokens 0\ntgi_batch_max_total_tokens 0\n";

    assert_eq!(only(page, Engine::Tgi).value(KvReserved), Err(Missing::NotANumber));
}

#[test]
fn what_is_no_selector_is_none() {
    for text in
        ["", "9x", "a b", "a{", "a}", "a{x}", "a{x=}", "a{=y}", "a{x=\"y}", "a{x=y", "a / ", "a / b{", "a{x=y}z"]
    {
        assert_eq!(Term::parse(text), None, "{text}");
    }
    for text in ["a", " a ", "a:b_9", "a{}", "a{x=y}", "a { x = \"y z\" , w=v, }", "a{x=y} / b"] {
        assert!(Term::parse(text).is_some(), "{text}");
    }
}

#[test]
fn a_page_of_many_models_is_read_to_a_bound() {
    let line = |n| format!("vllm:kv_cache_usage_perc{{model_name=\"m{n:03}\"}} 0.5\n");
    let page = (0..100).map(line).collect::<Vec<_>>().concat();

    let readings = read(&page, Engine::Vllm);

    assert_eq!((readings.readings.len(), readings.n_left_out), (64, 36));
}
