//! The serving report in its three forms: what every page must be, and what one of them was.

use std::collections::HashSet;
use std::path::Path;

use afterword::report::html::serving::to_html;
use afterword::report::json::serving::to_json;
use afterword::report::serving::ServingReport;
use afterword::report::text::serving::to_text;
use afterword::service::serving_report::conclude;

use super::golden::{is_as_kept, outline};
use super::page::{Page, holds, numbers};
use super::samples;
use crate::serving::fleet::{Fleet, beginning};

const MAX_BYTES: usize = 150 * 1024;

fn fleet(has_effect: bool) -> ServingReport {
    conclude(Fleet { seed: 5, n_users: 300, n_turns_per_user: 20, has_effect }.play(), beginning())
}

/// Reports of every kind: with an effect and without, without engines, of next to nothing, of nothing, with hostile names.
fn all() -> Vec<(&'static str, ServingReport)> {
    let of =
        |n_users: u32, n_turns_per_user: u32| Fleet { seed: 5, n_users, n_turns_per_user, has_effect: true }.play();
    let (mut without_engines, mut nothing) = (of(60, 20), of(0, 0));
    without_engines.engines.clear();
    nothing.engines.clear();
    let mut silent = of(30, 10);
    silent.engines.clear();
    let none = afterword::store::turns::Told::of(None);
    for turn in &mut silent.turns.rows {
        (turn.kv_cache_usage, turn.input_tokens, turn.output_tokens, turn.latency_ms) = (none, none, none, none);
    }
    let mut hostile = of(40, 10);
    hostile.turns.models = vec![samples::HOSTILE_NAME.to_owned(), format!("\u{202e}{}", "m".repeat(250))];
    let now = beginning();
    vec![
        ("serving", fleet(true)),
        ("serving_no_effect", fleet(false)),
        ("serving_without_engines", conclude(without_engines, now)),
        ("serving_silent", conclude(silent, now)),
        ("serving_nothing", conclude(nothing, now)),
        ("serving_hostile", conclude(hostile, now)),
    ]
}

#[test]
fn every_serving_page_is_well_formed_small_and_without_script() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, report) in all() {
        let html = to_html(&report);

        std::fs::write(folder.join(format!("{name}.html")), &html).unwrap();
        let page = Page::read(&html).unwrap_or_else(|problem| panic!("{name}: {problem}"));
        assert!(html.len() < MAX_BYTES, "{name} has {} bytes", html.len());
        let scripts: Vec<_> = page.named("script").collect();
        assert_eq!(scripts.len(), 1, "{name}");
        assert_eq!(scripts[0].attribute("type"), Some("application/json"), "{name}");
        for (key, value) in page.elements.iter().flat_map(|element| &element.attributes) {
            let is_foreign = key.starts_with("on") || matches!(key.as_str(), "src" | "srcdoc" | "style");
            assert!(!is_foreign && (key != "href" || value.starts_with('#')), "{name}: {key}={value}");
        }
    }
}

#[test]
fn names_of_models_stay_text_in_every_form() {
    let (_, hostile) = all().pop().unwrap();
    let html = to_html(&hostile);

    assert!(!html.contains("<script>") && !html.contains("<!--"));
    assert_eq!(Page::read(&html).unwrap().data()["models"][0]["model"], samples::HOSTILE_NAME);
    assert!(!to_text(&hostile, 80, false).contains('\u{202e}'));
}

#[test]
fn every_number_of_a_serving_table_is_in_the_data_block() {
    for (name, report) in all() {
        let page = Page::read(&to_html(&report)).unwrap();
        let data = page.data();
        let mut known = numbers(&data);
        // Sums of shares that stand beside them.
        let shares = data["usage"]["bands"].as_array().into_iter().flatten().filter_map(|band| band["share"].as_f64());
        known.extend(shares.scan(0.0, |sum, share| {
            *sum += share;
            Some(f64::min(*sum, 1.0))
        }));

        for cell in page.named("td") {
            let mut rest = cell.text.clone();
            for element in page.inside(cell).filter(|element| element.name == "data") {
                rest = rest.replacen(&element.text, "", 1);
                let value: f64 = element.attribute("value").and_then(|value| value.parse().ok()).unwrap();
                assert!(holds(&known, value), "{name}: {value} is not in the data block");
            }
            assert!(!rest.contains(|character: char| character.is_ascii_digit()), "{name}: `{}`", cell.text);
        }
    }
}

#[test]
fn every_serving_figure_has_a_name_a_sentence_and_a_table() {
    for (name, report) in all() {
        let page = Page::read(&to_html(&report)).unwrap();
        let ids: HashSet<&str> = page.ids().into_iter().collect();

        assert_eq!(ids.len(), page.ids().len(), "{name}: an id is given twice");
        let n_figures = page.named("figure").count();
        assert_eq!(n_figures == 0, name == "serving_nothing" || name == "serving_silent", "{name}");
        assert_eq!(page.named("figcaption").filter(|caption| !caption.text.is_empty()).count(), n_figures, "{name}");
        assert_eq!(page.named("table").filter(|table| table.is_in("figure")).count(), n_figures, "{name}");
        assert_eq!(page.named("caption").count(), n_figures, "{name}");
        assert!(page.named("th").all(|header| matches!(header.attribute("scope"), Some("row" | "col"))), "{name}");
        let svgs = || page.named("svg").filter(|svg| svg.attribute("role") == Some("img"));
        assert!(svgs().count() >= n_figures, "{name}");
        for label in svgs().flat_map(|svg| svg.attribute("aria-labelledby").unwrap().split(' ')) {
            assert!(ids.contains(label), "{name}: {label}");
        }
        let levels: Vec<&str> =
            page.elements.iter().map(|it| it.name.as_str()).filter(|it| matches!(*it, "h1" | "h2" | "h3")).collect();
        assert_eq!((levels[0], levels[1..].iter().all(|level| *level == "h2")), ("h1", true), "{name}");
    }
}

#[test]
fn the_three_forms_say_the_same_and_an_effect_is_an_association() {
    let report = fleet(true);
    let (page, text) = (Page::read(&to_html(&report)).unwrap().visible_text(), to_text(&report, 120, false));

    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for finding in &report.findings {
        assert!(page.contains(finding.as_str()) && flat.contains(finding.as_str()), "{finding}");
    }
    assert_eq!(to_json(&report)["findings"], serde_json::json!(report.findings));
    assert!(report.findings[0].contains("users begin to notice at 80 to 95%"), "{:?}", report.findings);
    assert!(page.contains("association and no effect"));
    let without = fleet(false);
    assert!(without.findings[0].contains("no band is worse than under 50% for certain"), "{:?}", without.findings);
    assert!(to_html(&without).contains("No band is worse than under 50% for certain"));
}

#[test]
fn a_serving_report_reads_as_it_did_in_every_form() {
    let report = fleet(true);
    let wire = serde_json::to_string_pretty(&to_json(&report)).unwrap();

    is_as_kept("serving.txt", &to_text(&report, 80, false));
    is_as_kept("serving.json", &format!("{wire}\n"));
    is_as_kept("serving.html.txt", &outline(&to_html(&report)));
}
