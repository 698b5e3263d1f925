//! What every page must be, whatever it was made of.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use afterword::report::comparison::Comparison;
use afterword::report::html::{STYLE, forest_svg, to_html};
use afterword::stats::verdict::VerdictCode;

use super::page::{Page, holds, numbers};
use super::samples;

const MAX_BYTES: usize = 150 * 1024;
/// The same for a page with every part: five metrics, two properties, three candidates, four weeks.
const MAX_BYTES_OF_EVERYTHING: usize = 168 * 1024;

fn read(comparison: &Comparison) -> Page {
    Page::read(&to_html(comparison)).expect("a well-formed page")
}

/// Where pages are kept, so that a person can look at them: `target/tmp/report`.
fn kept() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    std::fs::create_dir_all(&folder).expect("a folder for the pages");
    folder
}

#[test]
fn every_page_is_well_formed_and_small() {
    let folder = kept();
    for (name, comparison) in samples::all() {
        let html = to_html(&comparison);

        std::fs::write(folder.join(format!("{name}.html")), &html).expect("the page is kept");
        if let Err(problem) = Page::read(&html) {
            panic!("{name}: {problem}");
        }
        let most = if name.starts_with("rich") { MAX_BYTES_OF_EVERYTHING } else { MAX_BYTES };
        assert!(html.len() < most, "{name} has {} bytes", html.len());
    }
}

#[test]
fn the_same_comparison_gives_the_same_bytes() {
    for (name, comparison) in samples::all() {
        assert_eq!(to_html(&comparison), to_html(&comparison.clone()), "{name}");
    }
}

#[test]
fn a_page_holds_no_script_but_its_data_and_asks_nobody_for_anything() {
    for (name, comparison) in samples::all() {
        let page = read(&comparison);

        let scripts: Vec<_> = page.named("script").collect();
        assert_eq!(scripts.len(), 1, "{name}");
        assert_eq!(scripts[0].attribute("type"), Some("application/json"), "{name}");
        for element in &page.elements {
            assert!(!matches!(element.name.as_str(), "img" | "iframe" | "object" | "embed" | "base"), "{name}");
            for (key, value) in &element.attributes {
                if key == "href" && element.name == "a" && value.starts_with('#') {
                    assert!(page.ids().contains(&&value[1..]), "{name}: {value} leads nowhere");
                    continue;
                }
                let is_foreign = key.starts_with("on") || matches!(key.as_str(), "src" | "srcdoc" | "href" | "style");
                assert!(!is_foreign, "{name}: {key}={value} in <{}>", element.name);
            }
        }
    }
}

#[test]
fn what_nobody_judges_is_drawn_between_less_and_more() {
    let mut comparison = samples::switch();
    let judged = to_html(&comparison);
    comparison.metrics.iter_mut().for_each(|metric| metric.is_judged = true);
    let all_judged = to_html(&comparison);

    assert!(judged.contains("← less") && judged.contains("Shown, not judged"), "the panel says better and worse");
    assert!(!all_judged.contains("← less") && all_judged.contains("← worse"));
}

#[test]
fn names_and_texts_that_look_like_markup_stay_text() {
    let html = to_html(&samples::hostile());
    let page = Page::read(&html).expect("a well-formed page");

    assert!(!html.contains("<script>") && !html.contains("<!--"), "markup of a name became markup");
    let heading = page.named("h1").next().expect("a heading");
    assert_eq!(heading.text.matches(samples::HOSTILE_NAME).count(), 2);
    assert_eq!(page.data()["control"]["name"], samples::HOSTILE_NAME);
}

#[test]
fn a_name_cannot_turn_the_words_around_it() {
    let page = read(&samples::hostile());

    let inside = page.elements.iter().filter(|element| element.name == "bdi" && element.text.contains('\u{202e}'));
    assert!(inside.count() >= 2);
}

#[test]
fn every_number_of_a_table_is_in_the_data_block() {
    for (name, comparison) in samples::all() {
        let page = read(&comparison);
        let known = numbers(&page.data());

        let shown: Vec<f64> = page
            .named("data")
            .map(|element| element.attribute("value").and_then(|value| value.parse().ok()).expect("a number"))
            .collect();
        assert!(!shown.is_empty(), "{name} has no table");
        for number in shown {
            assert!(holds(&known, number), "{name}: {number} is not in the data block");
        }
    }
}

#[test]
fn no_number_stands_in_a_table_without_its_value() {
    for (name, comparison) in samples::all() {
        let page = read(&comparison);

        for cell in page.named("td") {
            let mut rest = cell.text.clone();
            for element in page.inside(cell).filter(|element| element.name == "data") {
                rest = rest.replacen(&element.text, "", 1);
            }
            assert!(!rest.contains(|character: char| character.is_ascii_digit()), "{name}: `{}`", cell.text);
        }
    }
}

#[test]
fn an_invalid_comparison_shows_no_estimate_anywhere() {
    let comparison = samples::invalid();
    let html = to_html(&comparison);
    let page = Page::read(&html).expect("a well-formed page");

    assert!(!page.ids().iter().any(|id| matches!(*id, "forest" | "preference" | "funnel")));
    assert!(page.ids().contains(&"withheld-heading"));
    let known = numbers(&page.data());
    for metric in &comparison.metrics {
        let ends = metric.difference.interval.map(|interval| [interval.low, interval.high]);
        let estimates = [metric.control.estimate, metric.candidate.estimate, metric.difference.estimate];
        for number in estimates.into_iter().flatten().chain(ends.into_iter().flatten()) {
            assert!(!holds(&known, number), "{} shows {number}", metric.name);
        }
        assert!(!page.visible_text().contains(metric.title), "{} is named", metric.title);
    }
    assert_eq!(forest_svg(&comparison), None);
}

#[test]
fn a_comparison_without_randomisation_says_so_beside_its_verdict() {
    for comparison in [samples::lean_switch(), samples::lean_keep()] {
        let page = read(&comparison);

        let section = page.named("section").next().expect("the verdict comes first");
        assert!(section.text.contains("Nothing was randomised"));
    }
    assert!(!read(&samples::switch()).visible_text().contains("Nothing was randomised"));
}

#[test]
fn the_verdict_comes_first_with_its_code_its_rule_and_what_would_change_it() {
    for (name, comparison) in samples::all() {
        let page = read(&comparison);

        let section = page.named("section").next().expect("a section");
        let verdict = &comparison.verdict;
        for words in [verdict.code.as_str(), verdict.reason.as_str(), &verdict.sentence, &verdict.rule] {
            assert!(section.text.contains(words), "{name}: `{words}` is missing");
        }
        assert!(verdict.next.as_ref().is_none_or(|next| section.text.contains(next)), "{name}");
    }
}

#[test]
fn every_verdict_has_its_own_words() {
    let mut seen = HashSet::new();
    let mut codes = HashSet::new();
    for (_, comparison) in samples::all() {
        let page = read(&comparison);
        let heading = page.named("h2").next().expect("the verdict's heading").text.clone();
        if codes.insert(comparison.verdict.code.as_str()) {
            assert!(seen.insert(heading.clone()), "`{heading}` stands for two verdicts");
        }
    }
    assert_eq!(codes.len(), 7);
}

#[test]
fn every_figure_has_a_name_a_sentence_and_a_table() {
    for (name, comparison) in samples::all() {
        let page = read(&comparison);
        let ids: HashSet<&str> = page.ids().into_iter().collect();
        assert_eq!(ids.len(), page.ids().len(), "{name}: an id is given twice");

        let n_figures = page.named("figure").count();
        assert!(n_figures > 0 || comparison.verdict.code == VerdictCode::Invalid, "{name}");
        assert_eq!(page.named("figcaption").filter(|caption| !caption.text.is_empty()).count(), n_figures, "{name}");
        assert_eq!(page.named("table").filter(|table| table.is_in("figure")).count(), n_figures, "{name}");
        let drawings: Vec<_> =
            page.named("svg").filter(|svg| svg.is_in("figure") && svg.attribute("role") == Some("img")).collect();
        let n_halves = page.named("figure").filter(|figure| figure.attribute("class") == Some("half")).count();
        assert_eq!(drawings.len(), 2 * n_figures - n_halves, "{name}");
        for drawing in drawings {
            let labels = drawing.attribute("aria-labelledby").expect("a label");
            assert!(labels.split(' ').count() == 2 && labels.split(' ').all(|id| ids.contains(id)), "{name}: {labels}");
        }
        for icon in page.named("svg").filter(|svg| svg.attribute("role").is_none()) {
            assert_eq!(icon.attribute("aria-hidden"), Some("true"), "{name}");
        }
    }
}

#[test]
fn tables_name_their_rows_and_columns_and_scroll_within_a_named_region() {
    for (name, comparison) in samples::all() {
        let page = read(&comparison);

        assert!(page.named("th").all(|header| matches!(header.attribute("scope"), Some("row" | "col"))), "{name}");
        assert_eq!(page.named("caption").count(), page.named("table").count(), "{name}");
        let n_regions = page
            .elements
            .iter()
            .filter(|element| element.attribute("role") == Some("region"))
            .filter(|region| region.attribute("tabindex") == Some("0") && region.attribute("aria-labelledby").is_some())
            .count();
        assert_eq!(n_regions, page.named("table").count(), "{name}");
    }
}

#[test]
fn headings_go_down_one_step_at_a_time_and_the_page_has_its_landmarks() {
    for (name, comparison) in samples::all() {
        let page = read(&comparison);

        let levels: Vec<&str> = page
            .elements
            .iter()
            .map(|element| element.name.as_str())
            .filter(|name| matches!(*name, "h1" | "h2" | "h3" | "h4"))
            .collect();
        assert_eq!(levels.first(), Some(&"h1"), "{name}");
        assert!(levels[1..].iter().all(|level| *level == "h2"), "{name}: {levels:?}");
        for landmark in ["header", "main", "footer", "title"] {
            assert!(page.named(landmark).count() >= 1, "{name}: no <{landmark}>");
        }
        let root = page.named("html").next().expect("a root");
        assert_eq!(root.attribute("lang"), Some("en"), "{name}");
    }
}

#[test]
fn a_metric_without_an_interval_shows_a_dash_or_a_reason_and_no_zero_width() {
    let page = read(&samples::no_feedback());

    let text = page.visible_text();
    assert!(text.contains("the candidate has no turns yet"));
    assert!(text.contains("there is nothing to draw"));
    assert!(text.contains("cannot be computed"));
    let text = read(&samples::cannot_tell()).visible_text();
    assert!(text.contains("no interval"));
    assert!(text.contains("the data hold no spread"));
}

#[test]
fn a_lower_is_better_row_is_mirrored_and_its_numbers_keep_their_sign() {
    let comparison = samples::keep();
    let metric = comparison.metrics.iter().find(|metric| metric.name == "bad_turn").expect("bad turns");
    assert!(metric.difference.estimate.is_some_and(|estimate| estimate > 0.0));

    let page = read(&comparison);

    let drawing = page.named("svg").find(|svg| svg.attribute("class") == Some("wide")).expect("the forest plot");
    assert!(drawing.text.contains("lower is better, mirrored"));
    assert!(drawing.text.contains("+1.6 pts"), "the written difference is candidate minus control");
    assert!(drawing.text.contains("+0.9"), "so is the limit");
}

#[test]
fn the_style_sheet_is_the_one_that_a_policy_can_hash() {
    let html = to_html(&samples::switch());

    assert!(html.contains(&format!("<style>{STYLE}</style>")));
    assert!(!STYLE.contains("</") && !STYLE.contains("url(") && !STYLE.contains("@import"));
}

#[test]
fn the_picture_of_the_forest_plot_stands_alone() {
    let picture = forest_svg(&samples::switch()).expect("a picture");
    std::fs::write(kept().join("forest.svg"), &picture).expect("the picture is kept");

    let page = Page::read(&format!("<!doctype html>{picture}")).expect("well-formed");
    let root = &page.elements[0];
    assert_eq!(root.attribute("xmlns"), Some("http://www.w3.org/2000/svg"));
    assert!(page.named("style").count() == 1 && page.named("script").count() == 0);
}
