//! The reply header `endpoint-load-metrics` (ORCA), with which an engine tells its load together with an answer.

use serde_json::Value;

/// The load that a reply tells.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ReplyLoad {
    /// Share of the KV cache in use, 0 to 1.
    pub kv_cache_usage: Option<f64>,
    /// Requests waiting at the engine.
    pub n_waiting: Option<u32>,
}

const KV_NAMES: [&str; 2] = ["kv_cache_usage_perc", "gpu_cache_usage_perc"];
const WAITING_NAMES: [&str; 1] = ["num_requests_waiting"];

impl ReplyLoad {
    /// Reads the header in any of its spellings: `TEXT k=v, k=v`, `k=v,k=v`, `JSON {…}` and `{…}`, the names bare or below
    /// `named_metrics`. What is not understood or not possible is absent.
    pub fn parse(header: &str) -> Self {
        let header = header.trim();
        let body = ["TEXT", "JSON"].iter().find_map(|form| header.strip_prefix(form)).unwrap_or(header).trim_start();
        let named = if body.starts_with('{') { pairs_of_json(body) } else { pairs_of_text(body) };
        let find = |names: &[&str]| names.iter().find_map(|name| named.iter().find(|(known, _)| known == name));
        let kv = find(&KV_NAMES).map(|(_, value)| *value).filter(|share| (0.0..=1.0).contains(share));
        let waiting = find(&WAITING_NAMES).map(|(_, value)| *value);
        let waiting = waiting.filter(|n| n.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(n));
        Self { kv_cache_usage: kv, n_waiting: waiting.map(|n| n as u32) }
    }
}

fn pairs_of_text(body: &str) -> Vec<(String, f64)> {
    let pairs = body.split(',').filter_map(|pair| pair.split_once('='));
    pairs
        .filter_map(|(name, value)| {
            let name = name.trim();
            let name = name.strip_prefix("named_metrics.").unwrap_or(name);
            Some((name.to_owned(), value.trim().parse().ok()?))
        })
        .collect()
}

fn pairs_of_json(body: &str) -> Vec<(String, f64)> {
    let Ok(Value::Object(object)) = serde_json::from_str::<Value>(body) else { return Vec::new() };
    let named = object.get("named_metrics").and_then(Value::as_object).unwrap_or(&object);
    named.iter().filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect()
}
