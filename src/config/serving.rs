//! Engines whose load is watched: sections `[[serving.targets]]` of the file.

use std::time::Duration;

use serde::Deserialize;

use super::error::ConfigError;
use super::given;
use crate::engine::maps::{Engine, MetricMap, Signal};
use crate::engine::selector::Term;
use crate::engine::target::{ModelNames, Target, TargetUrl};

/// How many targets one instance watches at most.
const MAX_TARGETS: usize = 1000;

#[derive(Deserialize)]
pub(super) struct RawServing {
    targets: Vec<RawTarget>,
}

/// A section as it is written; every key is there, since the defaults of a section have it.
#[derive(Deserialize)]
struct RawTarget {
    name: String,
    engine: String,
    url: String,
    interval_seconds: u64,
    model: String,
    instance: String,
    kv_usage_spec: String,
    running_requests_spec: String,
    queued_requests_spec: String,
}

impl RawServing {
    /// Reads the sections, in their order.
    pub(super) fn parse(self) -> Result<Vec<Target>, ConfigError> {
        if self.targets.len() > MAX_TARGETS {
            return Err(ConfigError::Invalid { key: "serving.targets", expected: "at most 1000 sections" });
        }
        let mut targets: Vec<Target> = Vec::with_capacity(self.targets.len());
        for (nth, raw) in (1..).zip(self.targets) {
            let target = raw.parse(nth)?;
            if targets.iter().any(|known| known.name == target.name) {
                return Err(invalid(nth, "name", "unlike the name of any other target"));
            }
            targets.push(target);
        }
        Ok(targets)
    }
}

impl RawTarget {
    fn parse(self, nth: usize) -> Result<Target, ConfigError> {
        if !Target::is_name(&self.name) {
            return Err(invalid(nth, "name", "1 to 64 characters from a-z, 0-9, _ and -"));
        }
        let words = "vllm, sglang, tgi, trtllm, triton, dynamo, llamacpp, lmdeploy or custom";
        let engine = Engine::parse(&self.engine).ok_or_else(|| invalid(nth, "engine", words))?;
        let expected = "http:// or https://, a host, and no user, password or fragment";
        let url = TargetUrl::parse(&self.url).ok_or_else(|| invalid(nth, "url", expected))?;
        if !(1..=60).contains(&self.interval_seconds) {
            return Err(invalid(nth, "interval_seconds", "1 to 60 seconds"));
        }
        let expected = "a name, or pairs reported=called joined by commas, each name of 1 to 256 bytes";
        let models = ModelNames::parse(&self.model).ok_or_else(|| invalid(nth, "model", expected))?;
        let map = self.map(nth, engine)?;
        let instance = given(self.instance).unwrap_or_else(|| self.name.clone());
        if !Target::is_instance(&instance) {
            return Err(invalid(nth, "instance", "a name of at most 256 bytes"));
        }
        let interval = Duration::from_secs(self.interval_seconds);
        Ok(Target { name: self.name, engine, map, url, interval, models, instance })
    }

    /// Makes the map of an engine: its built-in one, or for `custom` the one that the section describes.
    fn map(&self, nth: usize, engine: Engine) -> Result<MetricMap, ConfigError> {
        let specs = [
            ("kv_usage_spec", Signal::KvCacheUsage, &self.kv_usage_spec),
            ("running_requests_spec", Signal::NRunning, &self.running_requests_spec),
            ("queued_requests_spec", Signal::NWaiting, &self.queued_requests_spec),
        ];
        let mut terms = Vec::new();
        for (key, signal, text) in specs.into_iter().filter(|(.., text)| !text.is_empty()) {
            if engine != Engine::Custom {
                return Err(invalid(nth, key, "absent for an engine that has a map of its own"));
            }
            let expected = "metric{label=value}, or two of them with ` / ` between them";
            terms.push((signal, Term::parse(text).ok_or_else(|| invalid(nth, key, expected))?));
        }
        if engine != Engine::Custom {
            return Ok(MetricMap::of(engine));
        }
        if terms.is_empty() {
            return Err(invalid(nth, "kv_usage_spec", "there for engine `custom`, or one of the other two"));
        }
        Ok(MetricMap::custom(terms))
    }
}

fn invalid(nth: usize, key: &'static str, expected: &'static str) -> ConfigError {
    ConfigError::InvalidTarget { nth, key, expected }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn load(text: &str) -> Result<Config, ConfigError> {
        let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Config::load(Some(file.path()), &|_| None)
    }

    #[test]
    fn an_engine_needs_a_name_a_kind_and_an_address() {
        let text = "[[serving.targets]]\nname = 'gpu-1'\nengine = 'vllm'\nurl = 'http://10.0.0.7:8000/metrics'\n\
                    [[serving.targets]]\nname = 'own'\nengine = 'custom'\nurl = 'https://h/m'\ninterval_seconds = 60\n\
                    model = 'a=river'\ninstance = 'pod-7'\nkv_usage_spec = 'used{pool=kv} / total{pool=kv}'\n";

        let config = load(text).unwrap();

        let [vllm, own] = &config.serving_targets[..] else { panic!("{:?}", config.serving_targets) };
        assert_eq!(
            (vllm.engine, vllm.interval, vllm.instance.as_str()),
            (Engine::Vllm, Duration::from_secs(5), "gpu-1")
        );
        assert_eq!(vllm.map, MetricMap::of(Engine::Vllm));
        assert_eq!((own.models.called(Some("a")), own.instance.as_str()), (Some("river"), "pod-7"));
        assert!(own.map.is_wanted("used") && own.map.is_wanted("total"));
        let again = load(&config.print()).unwrap();
        assert_eq!(again.serving_targets, config.serving_targets);
        assert_eq!(load("").unwrap().serving_targets, []);
    }

    #[test]
    fn a_wrong_target_is_named_by_its_place_and_never_quoted() {
        let good =
            "[[serving.targets]]\nname = 'gpu-1'\nengine = 'vllm'\nurl = 'http://h/metrics'\ninterval_seconds = 5\n";
        for (from, to, expected) in [
            ("gpu-1", "Canary 1", "`serving.targets[1].name` must be 1 to 64 characters"),
            ("'vllm'", "'canary'", "`serving.targets[1].engine` must be vllm, sglang"),
            ("http://h", "http://u:canary@h", "`serving.targets[1].url` must be http://"),
            ("http://h", "file://canary", "`serving.targets[1].url` must be http://"),
            ("= 5", "= 0", "`serving.targets[1].interval_seconds` must be 1 to 60"),
            ("= 5", "= 61", "`serving.targets[1].interval_seconds` must be 1 to 60"),
            ("= 5", "= 'canary'", ": `serving.targets[1].interval_seconds` must be a whole number"),
            ("= 5", "= 5\nmodel = 'canary='", "`serving.targets[1].model` must be a name, or pairs"),
            ("= 5", "= 5\nkv_usage_spec = 'canary'", "`serving.targets[1].kv_usage_spec` must be absent"),
            ("= 5", "= 5\nmodell = 'canary'", "unknown key `serving.targets[1].modell`; did you mean"),
            ("'vllm'", "'custom'", "`serving.targets[1].kv_usage_spec` must be there"),
            (
                "'vllm'",
                "'custom'\nkv_usage_spec = 'canary{'",
                "`serving.targets[1].kv_usage_spec` must be metric{label=value}",
            ),
        ] {
            let error = load(&good.replace(from, to)).unwrap_err().to_string();

            assert!(error.contains(expected), "{to}: {error}");
            assert!(!error.to_lowercase().contains("canary") && !error.contains('\n'), "{to}: {error}");
        }
        let twice = load(&good.repeat(2)).unwrap_err().to_string();
        assert_eq!(twice, "`serving.targets[2].name` must be unlike the name of any other target");
        for text in
            ["[serving]\ntargets = 'canary'", "[serving]\ntargets = ['canary']", "[serving.targets]\nname = 'canary'"]
        {
            let error = load(text).unwrap_err().to_string();
            assert!(error.contains("must be a") && !error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn a_target_is_no_matter_of_the_environment() {
        let env = |name: &str| (name == "AFTERWORD_SERVING_TARGETS").then(|| "canary".to_owned());

        let error = Config::load(None, &env).unwrap_err().to_string();

        assert_eq!(error, "AFTERWORD_SERVING_TARGETS: `serving.targets` must be a list of sections in the file");
    }

    #[test]
    fn the_example_of_a_target_in_the_template_is_good_and_names_every_key() {
        let (_, section) = Config::template().split_once("\n[serving]\n").unwrap();
        let section = section.split("\n\n[").next().unwrap();
        let example: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix("#     ")).collect();

        let config = load(&example.join("\n")).unwrap();

        assert_eq!(config.serving_targets.len(), 2);
        let printed = config.print();
        let (_, target) = printed.split_once("[[serving.targets]]\n").unwrap();
        for key in target.lines().take_while(|line| !line.is_empty()).map(|line| line.split(' ').next().unwrap()) {
            assert!(example.iter().any(|line| line.starts_with(&format!("{key} = "))), "{key} is in no example");
        }
    }
}
