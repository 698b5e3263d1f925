//! The JSON form: the comparison's own numbers, in the members that the contract names.

use afterword::report::comparison::Comparison;
use afterword::report::json::to_json;
use serde_json::Value;

use super::samples;

fn number(value: &Value) -> Option<f64> {
    assert!(value.is_null() || value.is_f64() || value.is_u64(), "{value}");
    value.as_f64()
}

#[test]
fn every_number_is_the_comparisons_own() {
    for (name, comparison) in samples::all().into_iter().filter(|(_, sample)| !sample.verdict.withholds_numbers) {
        let wire = to_json(&comparison);

        assert_eq!(wire["metrics"].as_array().unwrap().len(), comparison.metrics.len(), "{name}");
        for (metric, told) in comparison.metrics.iter().zip(wire["metrics"].as_array().unwrap()) {
            for (rate, told) in [(&metric.control, &told["control"]), (&metric.candidate, &told["candidate"])] {
                assert_eq!((told["n"].as_u64(), told["n_users"].as_u64()), (Some(rate.n), Some(rate.n_users)));
                assert_eq!(number(&told["estimate"]), rate.estimate);
                assert_eq!(number(&told["low"]), rate.interval.map(|interval| interval.low));
                assert_eq!(number(&told["high"]), rate.interval.map(|interval| interval.high));
            }
            assert_eq!(number(&told["difference"]["estimate"]), metric.difference.estimate);
            assert_eq!(number(&told["difference"]["low"]), metric.difference.interval.map(|interval| interval.low));
            assert_eq!(number(&told["difference"]["high"]), metric.difference.interval.map(|interval| interval.high));
            assert_eq!(told["difference"]["method"], metric.difference.method);
            assert_eq!(told["status"], metric.status.as_str());
            assert_eq!(told["role"], metric.role.as_str());
            let margin = metric.margin.map(|margin| if margin.below_floor { margin.absolute } else { margin.relative });
            assert_eq!(number(&told["margin"]["value"]), margin, "{name}");
        }
        let preference = comparison.preference.map(|preference| preference.n_wins);
        assert_eq!(wire["preference"]["wins"].as_u64(), preference, "{name}");
    }
}

#[test]
fn the_members_of_the_contract_are_there_for_every_verdict() {
    for (name, comparison) in samples::all() {
        let wire = to_json(&comparison);

        assert_eq!(wire["verdict"]["code"], comparison.verdict.code.as_str(), "{name}");
        assert_eq!(wire["verdict"]["reason"], comparison.verdict.reason.as_str());
        assert_eq!(wire["verdict"]["sentence"], comparison.verdict.sentence);
        assert!(matches!(wire["mode"].as_str(), Some("randomised" | "observational")));
        for check in wire["checks"].as_array().unwrap() {
            assert!(check["name"].is_string() && check["detail"].is_string());
            assert!(matches!(check["status"].as_str(), Some("pass" | "warn" | "fail")));
        }
        for metric in wire["metrics"].as_array().unwrap() {
            assert!(metric["higher_is_better"].is_boolean());
            let kind = &metric["margin"]["kind"];
            assert!(metric["margin"].is_null() || kind == "relative" || kind == "absolute");
        }
        for side in ["control", "candidate"] {
            assert!(wire[side]["name"].is_string() && wire[side]["funnel"]["n_turns"].is_u64());
        }
    }
}

#[test]
fn an_invalid_comparison_withholds_every_number_that_could_be_read_as_a_result() {
    let comparison = samples::all().into_iter().find(|(name, _)| *name == "invalid").unwrap().1;
    let wire = to_json(&comparison);

    for metric in wire["metrics"].as_array().unwrap() {
        for part in ["control", "candidate", "difference"] {
            for number in ["estimate", "low", "high"] {
                assert_eq!(metric[part][number], Value::Null, "{} {part} {number}", metric["name"]);
            }
        }
        assert_eq!(metric["status"], "undecided");
        assert!(metric["margin"].is_null() || metric["margin"]["absolute"].is_null());
    }
    assert_eq!(wire["preference"], Value::Null);
    assert!(wire["control"]["n_users"].is_u64(), "counts of units are what the reader needs to find the cause");
}

/// Guards the test above: a sample that holds no numbers would prove nothing.
#[test]
fn the_invalid_sample_has_numbers_to_withhold() {
    let comparison: Comparison = samples::all().into_iter().find(|(name, _)| *name == "invalid").unwrap().1;

    assert!(comparison.verdict.withholds_numbers);
    assert!(comparison.metrics.iter().any(|metric| metric.difference.estimate.is_some()));
}
