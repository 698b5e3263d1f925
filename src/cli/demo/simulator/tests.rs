//! What traffic must be whatever the seed: repeatable, well formed, coherent, and of the shape that was meant.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::*;
use crate::domain::completion::NewCompletion;
use crate::domain::feedback::NewFeedback;
use crate::domain::json::Json;

fn traffic(seed: u64, n_users: u32) -> Traffic {
    let until = Timestamp::from_timestamp(1_767_225_600, 0).unwrap();
    simulate(&Scenario { seed, n_users, until }, &Corpus::embedded().unwrap())
}

fn parsed<T>(items: &[Value], parse: fn(Json, &str) -> Result<T, Vec<crate::domain::fields::FieldError>>) -> Vec<T> {
    let to_json = |item: &Value| Json::parse(item.to_string().as_bytes()).unwrap();
    items.iter().map(|item| parse(to_json(item), "").unwrap_or_else(|errors| panic!("{errors:?}: {item}"))).collect()
}

#[test]
fn the_same_scenario_gives_the_same_traffic_and_further_users_change_nothing_of_it() {
    let (once, again, more) = (traffic(7, 20), traffic(7, 20), traffic(7, 30));
    let more: HashSet<String> = more.completions.iter().chain(&more.feedback).map(Value::to_string).collect();

    assert_eq!(once, again);
    assert!(once.completions.iter().chain(&once.feedback).all(|item| more.contains(&item.to_string())));
    assert_ne!(once, traffic(8, 20));
}

#[test]
fn every_item_is_one_that_the_service_accepts_and_no_id_comes_twice() {
    let traffic = traffic(1, 150);
    let completions = parsed(&traffic.completions, NewCompletion::from_json);
    let feedback = parsed(&traffic.feedback, NewFeedback::from_json);

    let ids: HashSet<_> = completions.iter().map(|completion| &completion.id).collect();
    assert_eq!(ids.len(), completions.len());
    assert_eq!(feedback.iter().map(|item| item.id).collect::<HashSet<_>>().len(), feedback.len());
    assert!(feedback.iter().all(|item| ids.contains(&item.completion_id) && item.id.0.get_version_num() == 7));
}

#[test]
fn a_regeneration_and_a_pair_answer_the_prompt_that_they_belong_to_with_another_text() {
    let traffic = traffic(1, 300);
    let completions: HashMap<_, _> = parsed(&traffic.completions, NewCompletion::from_json)
        .into_iter()
        .map(|completion| (completion.id.clone(), completion))
        .collect();
    let parents = completions
        .values()
        .filter_map(|completion| Some((completion, &completions[completion.parent_completion_id.as_ref()?])));
    let preferences = parsed(&traffic.feedback, NewFeedback::from_json).into_iter().filter_map(|item| {
        let crate::domain::feedback::Reaction::Preference { against, .. } = item.reaction else { return None };
        Some((&completions[&item.completion_id], &completions[&against]))
    });

    let (parents, preferences): (Vec<_>, Vec<_>) = (parents.collect(), preferences.collect());
    assert!(parents.len() > 20 && preferences.len() > 20, "{} and {}", parents.len(), preferences.len());
    for (one, other) in parents.iter().chain(&preferences) {
        assert_eq!(one.prompt_hash, other.prompt_hash);
    }
    for (one, other) in &preferences {
        assert!(one.model != other.model && one.experiment.is_none() && other.variant.is_none());
    }
    let n_equal = parents.iter().chain(&preferences).filter(|(one, other)| one.response == other.response).count();
    assert!(n_equal * 50 < parents.len() + preferences.len(), "{n_equal} pairs are of one text");
}

#[test]
fn everything_happens_within_the_two_weeks_and_after_its_answer() {
    let traffic = traffic(3, 200);
    let until = Timestamp::from_timestamp(1_767_225_600, 0).unwrap();
    let completions = parsed(&traffic.completions, NewCompletion::from_json);
    let ended: HashMap<_, _> = completions.iter().map(|completion| (&completion.id, completion.created_at)).collect();

    for item in parsed(&traffic.feedback, NewFeedback::from_json) {
        assert!(item.occurred_at > ended[&item.completion_id] && item.occurred_at < Some(until));
    }
    assert!(completions.iter().all(|completion| completion.created_at > Some(until - TimeDelta::days(15))));
}

#[test]
fn a_user_stays_on_one_variant_and_satisfied_users_of_the_better_model_show_it() {
    let traffic = traffic(5, 1200);
    let mut variants: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
    let mut variant_of: HashMap<&str, &str> = HashMap::new();
    for completion in traffic.completions.iter().filter(|completion| completion["task"] == "code") {
        if let Some(variant) = completion["variant"].as_str() {
            variants.entry(completion["user"].as_str().unwrap()).or_default().insert(variant);
            variant_of.insert(completion["id"].as_str().unwrap(), variant);
        }
    }
    let rate = |variant: &str, signal: &str| {
        let of_variant = |item: &&Value| variant_of.get(item["completion_id"].as_str().unwrap()) == Some(&variant);
        let n = traffic.feedback.iter().filter(|item| item["signal"] == signal).filter(of_variant).count();
        n as f64 / variant_of.values().filter(|other| **other == variant).count() as f64
    };

    assert!(variants.values().all(|variants| variants.len() == 1));
    assert!(rate("control", "copy") > rate("candidate", "copy") + 0.02);
    assert!(rate("control", "regenerate") < rate("candidate", "regenerate"));
    assert!((0.01..0.2).contains(&rate("control", "thumb")), "{}", rate("control", "thumb"));
}
