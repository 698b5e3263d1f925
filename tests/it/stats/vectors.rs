//! Runs every case of the reference vectors, and lets no function of them be left out.
//!
//! The file is named by `AFTERWORD_VECTORS`, by default `$AFTERWORD_SHARED/vectors/ab_public.json`; without it the
//! test says loudly that it was skipped.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use super::dispatch::dispatch;

#[test]
fn every_reference_vector_is_met_to_its_tolerance() {
    let path = vectors_path();
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED: no reference vectors at {}; set AFTERWORD_VECTORS or AFTERWORD_SHARED", path.display());
        return;
    };
    let file: Value = serde_json::from_str(&text).expect("the vectors are JSON");
    let mut n_cases = 0;
    let functions = file["functions"].as_object().expect("the vectors say what each function is");
    let mut untried: BTreeSet<&str> = functions.keys().map(String::as_str).collect();
    let mut failures = Vec::new();

    for case in file["cases"].as_array().expect("the vectors hold a list of cases") {
        let function = case["fn"].as_str().expect("a case names its function");
        let Some(got) = dispatch(function, &case["input"]) else {
            failures.push(format!("{function}: there is no such function"));
            continue;
        };
        n_cases += 1;
        untried.remove(function);
        let tolerance = case["tol"].as_f64().unwrap_or(1e-9);
        let id = case["id"].as_str().unwrap_or(function);
        compare(id, &got, &case["expect"], tolerance, &mut failures);
    }

    println!("{n_cases} cases run");
    assert!(n_cases > 0, "{} holds no case", path.display());
    assert!(untried.is_empty(), "no case tried these functions of the file: {untried:?}");
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn the_comparison_of_vectors_sees_a_wrong_digit_a_wrong_null_and_a_missing_field() {
    let differs = |got: Value, want: Value| {
        let mut failures = Vec::new();
        compare("case", &got, &want, 1e-9, &mut failures);
        !failures.is_empty()
    };

    assert!(!differs(serde_json::json!({"p": 0.5, "more": 1}), serde_json::json!({"p": 0.500_000_000_1})));
    assert!(differs(serde_json::json!({"p": 0.5}), serde_json::json!({"p": 0.500_001})));
    assert!(differs(serde_json::json!({"p": 0.5}), serde_json::json!({"p": null})));
    assert!(differs(serde_json::json!({"p": null}), serde_json::json!({"p": 0.5})));
    assert!(differs(serde_json::json!({}), serde_json::json!({"p": null})));
    assert!(differs(serde_json::json!({"p": [1.0]}), serde_json::json!({"p": [1.0, 2.0]})));
}

fn vectors_path() -> PathBuf {
    if let Some(path) = std::env::var_os("AFTERWORD_VECTORS") {
        return PathBuf::from(path);
    }
    let shared = std::env::var_os("AFTERWORD_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
    shared.join("vectors/ab_public.json")
}

/// Notes every place where `got` is not `want`; fields that the vector does not name are not compared.
fn compare(at: &str, got: &Value, want: &Value, tolerance: f64, failures: &mut Vec<String>) {
    match (got, want) {
        (_, Value::Object(fields)) => {
            for (name, value) in fields {
                match got.get(name) {
                    Some(field) => compare(&format!("{at}.{name}"), field, value, tolerance, failures),
                    None => failures.push(format!("{at}.{name}: missing, want {value}")),
                }
            }
        }
        (Value::Array(got), Value::Array(want)) if got.len() == want.len() => {
            for (i, (got, want)) in got.iter().zip(want).enumerate() {
                compare(&format!("{at}[{i}]"), got, want, tolerance, failures);
            }
        }
        (Value::Number(got), Value::Number(want)) => {
            let (got, want) = (got.as_f64().unwrap(), want.as_f64().unwrap());
            if (got - want).abs() > tolerance + tolerance * want.abs() {
                failures.push(format!("{at}: got {got:e}, want {want:e}"));
            }
        }
        _ if got == want => {}
        _ => failures.push(format!("{at}: got {got}, want {want}")),
    }
}
