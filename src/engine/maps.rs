//! Under which names engines tell their load: a table with one entry for each engine, and maps of the operator's own.
//!
//! Names change from version to version, so that every signal has a list of them and the first one present on a page wins.

use std::collections::HashSet;

use super::selector::{Selector, Term};

/// A number that is read from a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// Share of the KV cache in use, 0 to 1: that of blocks which requests hold; what is cached and can be evicted is free.
    KvCacheUsage,
    /// Share of the token budget that is reserved for requests, used or not: kept apart from the KV cache's use.
    KvReserved,
    /// KV cache in tokens.
    KvCapacityTokens,
    /// Requests that are being answered.
    NRunning,
    /// Requests that wait for room.
    NWaiting,
    /// Requests that were taken out of the batch again, since the engine started; where an engine tells how many are
    /// out now, that.
    NPreempted,
    /// Tokens of all prompts since the engine started.
    InputTokens,
    /// Prompts that these belong to.
    NInputs,
    /// Tokens of all answers since the engine started.
    OutputTokens,
    /// Answers that these belong to.
    NOutputs,
    /// Seconds to the first token, of all answers together.
    TtftSeconds,
    /// Answers that these belong to.
    NTtft,
    /// Seconds between tokens, of all gaps together.
    ItlSeconds,
    /// Gaps that these belong to.
    NItl,
}

impl Signal {
    /// Every signal with its word, in the order of the type.
    pub const WORDS: [(&'static str, Self); 14] = [
        ("kv_cache_usage", Self::KvCacheUsage),
        ("kv_reserved", Self::KvReserved),
        ("kv_capacity_tokens", Self::KvCapacityTokens),
        ("n_running", Self::NRunning),
        ("n_waiting", Self::NWaiting),
        ("n_preempted", Self::NPreempted),
        ("input_tokens", Self::InputTokens),
        ("n_inputs", Self::NInputs),
        ("output_tokens", Self::OutputTokens),
        ("n_outputs", Self::NOutputs),
        ("ttft_seconds", Self::TtftSeconds),
        ("n_ttft", Self::NTtft),
        ("itl_seconds", Self::ItlSeconds),
        ("n_itl", Self::NItl),
    ];

    /// Returns the word.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, known)| *known == self).map_or("", |(word, _)| word)
    }

    /// Tells whether the number is a share of a whole.
    pub fn is_share(self) -> bool {
        matches!(self, Self::KvCacheUsage | Self::KvReserved)
    }
}

/// What serves the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// vLLM, from its first engine (up to 0.9.1) to its second.
    Vllm,
    /// SGLang with `--enable-metrics`.
    Sglang,
    /// Text Generation Inference.
    Tgi,
    /// TensorRT-LLM's `trtllm-serve`, at `/prometheus/metrics`.
    Trtllm,
    /// Triton with the TensorRT-LLM backend.
    Triton,
    /// NVIDIA Dynamo, frontend or worker.
    Dynamo,
    /// llama.cpp's server with `--metrics`; its `/slots` is read beside the page.
    Llamacpp,
    /// LMDeploy with `--enable-metrics`.
    Lmdeploy,
    /// One that the operator describes.
    Custom,
}

impl Engine {
    /// Every engine with its word.
    pub const WORDS: [(&'static str, Self); 9] = [
        ("vllm", Self::Vllm),
        ("sglang", Self::Sglang),
        ("tgi", Self::Tgi),
        ("trtllm", Self::Trtllm),
        ("triton", Self::Triton),
        ("dynamo", Self::Dynamo),
        ("llamacpp", Self::Llamacpp),
        ("lmdeploy", Self::Lmdeploy),
        ("custom", Self::Custom),
    ];

    /// Parses the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, engine)| *engine)
    }

    /// Returns the word.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, known)| *known == self).map_or("custom", |(word, _)| word)
    }
}

/// The names of one engine, as they are written in the table.
struct Names {
    /// Labels that may hold the model.
    model: &'static [&'static str],
    /// Labels that may hold the rank of a replica within the engine. Ranks of one replica (tensor and pipeline parallel)
    /// tell the same load each: of theirs the largest counts, never the sum.
    rank: &'static [&'static str],
    /// Names of each signal, the preferred one first.
    signals: &'static [(Signal, &'static [&'static str])],
    /// A series whose labels tell the size of the cache: its name, and the labels that are multiplied.
    capacity: Option<(&'static str, [&'static str; 2])>,
}

use Signal::{
    InputTokens, ItlSeconds, KvCacheUsage, KvReserved, NInputs, NItl, NOutputs, NPreempted, NRunning, NTtft, NWaiting,
    OutputTokens, TtftSeconds,
};

/// `waiting_by_reason{deferred}` is policy of the scheduler and no congestion, so that `capacity` goes before the total.
const VLLM: Names = Names {
    model: &["model_name"],
    rank: &["engine"],
    signals: &[
        (KvCacheUsage, &["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"]),
        (NRunning, &["vllm:num_requests_running"]),
        (NWaiting, &["vllm:num_requests_waiting_by_reason{reason=capacity}", "vllm:num_requests_waiting"]),
        (NPreempted, &["vllm:num_preemptions_total"]),
        (InputTokens, &["vllm:request_prompt_tokens_sum"]),
        (NInputs, &["vllm:request_prompt_tokens_count"]),
        (OutputTokens, &["vllm:request_generation_tokens_sum"]),
        (NOutputs, &["vllm:request_generation_tokens_count"]),
        (TtftSeconds, &["vllm:time_to_first_token_seconds_sum"]),
        (NTtft, &["vllm:time_to_first_token_seconds_count"]),
        (ItlSeconds, &["vllm:inter_token_latency_seconds_sum", "vllm:time_per_output_token_seconds_sum"]),
        (NItl, &["vllm:inter_token_latency_seconds_count", "vllm:time_per_output_token_seconds_count"]),
    ],
    capacity: Some(("vllm:cache_config_info", ["block_size", "num_gpu_blocks"])),
};

/// The sum of SGLang's `inter_token_latency_seconds` does not belong to its count, so that its mean is not read.
const SGLANG: Names = Names {
    model: &["model_name"],
    rank: &["dp_rank"],
    signals: &[
        (KvCacheUsage, &["sglang:full_token_usage", "sglang:token_usage"]),
        (NRunning, &["sglang:num_running_reqs"]),
        (NWaiting, &["sglang:num_queue_reqs"]),
        (NPreempted, &["sglang:num_retracted_requests_total"]),
        (InputTokens, &["sglang:prompt_tokens_histogram_sum"]),
        (NInputs, &["sglang:prompt_tokens_histogram_count"]),
        (OutputTokens, &["sglang:generation_tokens_histogram_sum"]),
        (NOutputs, &["sglang:generation_tokens_histogram_count"]),
        (TtftSeconds, &["sglang:time_to_first_token_seconds_sum"]),
        (NTtft, &["sglang:time_to_first_token_seconds_count"]),
    ],
    capacity: None,
};

/// What TGI tells is reserved and not used, and goes under its own name.
const TGI: Names = Names {
    model: &[],
    rank: &[],
    signals: &[
        (KvReserved, &["tgi_batch_current_max_tokens / tgi_batch_max_total_tokens"]),
        (NRunning, &["tgi_batch_current_size"]),
        (NWaiting, &["tgi_queue_size"]),
        (InputTokens, &["tgi_request_input_length_sum"]),
        (NInputs, &["tgi_request_input_length_count"]),
        (OutputTokens, &["tgi_request_generated_tokens_sum"]),
        (NOutputs, &["tgi_request_generated_tokens_count"]),
        (ItlSeconds, &["tgi_request_mean_time_per_token_duration_sum"]),
        (NItl, &["tgi_request_mean_time_per_token_duration_count"]),
    ],
    capacity: None,
};

const TRTLLM: Names = Names {
    model: &["model_name"],
    rank: &[],
    signals: &[
        (KvCacheUsage, &["trtllm_kv_cache_utilization"]),
        (NRunning, &["trtllm_num_requests_running"]),
        (NWaiting, &["trtllm_num_requests_waiting"]),
        (NPreempted, &["trtllm_num_paused_requests"]),
        (InputTokens, &["trtllm_prompt_tokens_total"]),
        (OutputTokens, &["trtllm_generation_tokens_total"]),
        (TtftSeconds, &["trtllm_time_to_first_token_seconds_sum"]),
        (NTtft, &["trtllm_time_to_first_token_seconds_count"]),
        (ItlSeconds, &["trtllm_time_per_output_token_seconds_sum"]),
        (NItl, &["trtllm_time_per_output_token_seconds_count"]),
    ],
    capacity: None,
};

/// Old builds lack the fraction and tell the blocks alone.
const TRITON: Names = Names {
    model: &["model"],
    rank: &[],
    signals: &[
        (
            KvCacheUsage,
            &[
                "nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type=fraction}",
                "nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type=used} / \
                 nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type=max}",
            ],
        ),
        (NRunning, &["nv_trt_llm_request_metrics{request_type=scheduled}"]),
        (NWaiting, &["nv_trt_llm_request_metrics{request_type=waiting}"]),
        (NPreempted, &["nv_trt_llm_inflight_batcher_metrics{inflight_batcher_specific_metric=paused_requests}"]),
        (
            InputTokens,
            &["nv_llm_input_token_len_sum{response_metric_type=total_input_tokens}", "nv_llm_input_token_len_sum"],
        ),
        (
            NInputs,
            &["nv_llm_input_token_len_count{response_metric_type=total_input_tokens}", "nv_llm_input_token_len_count"],
        ),
        (
            OutputTokens,
            &["nv_llm_output_token_len_sum{response_metric_type=total_output_tokens}", "nv_llm_output_token_len_sum"],
        ),
        (
            NOutputs,
            &[
                "nv_llm_output_token_len_count{response_metric_type=total_output_tokens}",
                "nv_llm_output_token_len_count",
            ],
        ),
    ],
    capacity: None,
};

/// A worker passes the metrics of its engine through; a frontend counts requests and tokens. The use of the cache is 0 to 1
/// despite its name.
const DYNAMO: Names = Names {
    model: &["model", "model_name"],
    rank: &["dp_rank"],
    signals: &[
        (
            KvCacheUsage,
            &[
                "dynamo_component_gpu_cache_usage_percent",
                "dynamo_component_kvstats_gpu_cache_usage_percent",
                "vllm:kv_cache_usage_perc",
                "vllm:gpu_cache_usage_perc",
                "sglang:full_token_usage",
                "sglang:token_usage",
                "trtllm_kv_cache_utilization",
            ],
        ),
        (
            NRunning,
            &[
                "dynamo_frontend_inflight_requests",
                "vllm:num_requests_running",
                "sglang:num_running_reqs",
                "trtllm_num_requests_running",
            ],
        ),
        (
            NWaiting,
            &[
                "dynamo_frontend_queued_requests",
                "vllm:num_requests_waiting_by_reason{reason=capacity}",
                "vllm:num_requests_waiting",
                "sglang:num_queue_reqs",
                "trtllm_num_requests_waiting",
            ],
        ),
        (
            NPreempted,
            &["vllm:num_preemptions_total", "sglang:num_retracted_requests_total", "trtllm_num_paused_requests"],
        ),
        (InputTokens, &["dynamo_frontend_input_sequence_tokens_sum"]),
        (NInputs, &["dynamo_frontend_input_sequence_tokens_count"]),
        (OutputTokens, &["dynamo_frontend_output_sequence_tokens_sum"]),
        (NOutputs, &["dynamo_frontend_output_sequence_tokens_count"]),
        (TtftSeconds, &["dynamo_frontend_time_to_first_token_seconds_sum"]),
        (NTtft, &["dynamo_frontend_time_to_first_token_seconds_count"]),
        (ItlSeconds, &["dynamo_frontend_inter_token_latency_seconds_sum"]),
        (NItl, &["dynamo_frontend_inter_token_latency_seconds_count"]),
    ],
    capacity: None,
};

/// Current builds tell no use of the cache here: `/slots` does.
const LLAMACPP: Names = Names {
    model: &[],
    rank: &[],
    signals: &[
        (NRunning, &["llamacpp:requests_processing"]),
        (NWaiting, &["llamacpp:requests_deferred"]),
        (InputTokens, &["llamacpp:prompt_tokens_total"]),
        (OutputTokens, &["llamacpp:tokens_predicted_total"]),
    ],
    capacity: None,
};

const LMDEPLOY: Names = Names {
    model: &["model_name"],
    rank: &["engine"],
    signals: &[
        (KvCacheUsage, &["lmdeploy:gpu_cache_usage_perc"]),
        (NRunning, &["lmdeploy:num_requests_running"]),
        (NWaiting, &["lmdeploy:num_requests_waiting"]),
        (InputTokens, &["lmdeploy:request_prompt_tokens_sum"]),
        (NInputs, &["lmdeploy:request_prompt_tokens_count"]),
        (OutputTokens, &["lmdeploy:request_generation_tokens_sum"]),
        (NOutputs, &["lmdeploy:request_generation_tokens_count"]),
        (TtftSeconds, &["lmdeploy:time_to_first_token_seconds_sum"]),
        (NTtft, &["lmdeploy:time_to_first_token_seconds_count"]),
        (ItlSeconds, &["lmdeploy:time_per_output_token_seconds_sum"]),
        (NItl, &["lmdeploy:time_per_output_token_seconds_count"]),
    ],
    capacity: None,
};

/// Names of the labels of an engine that the operator describes.
const CUSTOM: Names = Names { model: &["model_name", "model"], rank: &[], signals: &[], capacity: None };

impl Names {
    fn of(engine: Engine) -> &'static Self {
        match engine {
            Engine::Vllm => &VLLM,
            Engine::Sglang => &SGLANG,
            Engine::Tgi => &TGI,
            Engine::Trtllm => &TRTLLM,
            Engine::Triton => &TRITON,
            Engine::Dynamo => &DYNAMO,
            Engine::Llamacpp => &LLAMACPP,
            Engine::Lmdeploy => &LMDEPLOY,
            Engine::Custom => &CUSTOM,
        }
    }
}

/// The names of one engine, ready for reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricMap {
    pub(super) model_labels: &'static [&'static str],
    pub(super) rank_labels: &'static [&'static str],
    pub(super) terms: Vec<(Signal, Vec<Term>)>,
    pub(super) capacity: Option<(&'static str, [&'static str; 2])>,
    wanted: HashSet<String>,
}

impl MetricMap {
    /// Returns the map of an engine; that of [`Engine::Custom`] knows no signal.
    pub fn of(engine: Engine) -> Self {
        let names = Names::of(engine);
        let parse = |texts: &[&str]| -> Vec<Term> { texts.iter().filter_map(|text| Term::parse(text)).collect() };
        let terms = names.signals.iter().map(|(signal, texts)| (*signal, parse(texts))).collect();
        Self::new(names, terms)
    }

    /// Makes a map of the operator's; a signal without a term is not available.
    pub fn custom(terms: impl IntoIterator<Item = (Signal, Term)>) -> Self {
        Self::new(&CUSTOM, terms.into_iter().map(|(signal, term)| (signal, vec![term])).collect())
    }

    fn new(names: &'static Names, terms: Vec<(Signal, Vec<Term>)>) -> Self {
        let selectors = terms.iter().flat_map(|(_, terms)| terms).flat_map(Term::selectors);
        let mut wanted: HashSet<String> = selectors.map(Selector::stem).map(str::to_owned).collect();
        wanted.extend(names.capacity.map(|(name, _)| name.to_owned()));
        Self { model_labels: names.model, rank_labels: names.rank, terms, capacity: names.capacity, wanted }
    }

    /// Tells whether a metric of this name has to do with a signal.
    pub fn is_wanted(&self, name: &str) -> bool {
        self.wanted.contains(super::selector::stem(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_table_is_a_selector() {
        for (word, engine) in Engine::WORDS {
            let (names, map) = (Names::of(engine), MetricMap::of(engine));
            for ((signal, texts), (_, terms)) in names.signals.iter().zip(&map.terms) {
                assert_eq!(texts.len(), terms.len(), "{word}, {signal:?}");
            }
            assert_eq!(Engine::parse(word), Some(engine));
            assert_eq!(engine.as_str(), word);
        }
    }
}
